"""The bench, a few of everything: that each part runs and its figures have the agreed shape. Not how fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.embedded import Servers
from shared.rules import facets
from tests.bench.figures import NAMES, measure, table
from tests.bench.ground import SMALLEST, Ground
from tests.bench.moving import CLIENTS
from tests.bench.rules import NOW, facts, rulebook

pytestmark = pytest.mark.timeout(600)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def found(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return await measure(Ground(servers, tmp_path_factory.mktemp("bench"), SMALLEST, lambda _: None), NAMES)


def test_the_figures_have_the_agreed_shape(found: dict[str, Any]) -> None:
    agreed = {
        "pipeline": {"ratio", "per_s", "bare_per_s"},
        "rules": {"ratio"},
        "latency": {"quiet_p50_ms", "p50_ms", "p95_ms", "p99_ms", "urgent_p99_ms"},
        "approvals": {"per_s", "p50_ms", "p99_ms", "bare_per_s", "ratio"},
        "list": {"p50_ms", "p99_ms", "bare_p50_ms", "ratio"},
        "known": {"p50_ms", "p99_ms", "bare_p50_ms", "ratio"},
        "role_added": {"members_per_s", "bare_per_s", "ratio"},
        "review": {"ratio", "memory_mb", "latency_before_p99_ms", "latency_during_p99_ms"},
    }
    for part, names in agreed.items():
        assert all(found[part][name] > 0 for name in names)
    moved = found["http_move"]
    assert moved.keys() == {f"at_{rules}_rules_by_{clients}" for rules in SMALLEST.move_rules for clients in CLIENTS}
    for one in moved.values():
        assert all(one[name] > 0 for name in ("per_s", "p50_ms", "p99_ms", "bare_per_s", "ratio"))
    assert found["memory_mb"] > 0
    assert found["start_s"] > 0


def test_every_variant_is_measured_and_shown(found: dict[str, Any]) -> None:
    assert {"separate_ratio", "all_ratio", "all_through_ratio", "too_busy_to_judge"} <= found["pipeline"].keys()
    assert found["latency"]["urgent_waiting"] >= 0
    assert table(found).row_count > 20


def test_few_rules_and_many_match_the_same() -> None:
    few, many = rulebook(10), rulebook(100)
    for fact in facts(2, 1):
        person = facets({**fact.state.attributes, "id": fact.subject}, memberships=[], manager_id=None)
        assert few.rules.matches(person, NOW) == many.rules.matches(person, NOW) != set()


async def test_an_unknown_part_is_left_alone(servers: Servers, tmp_path: Path) -> None:
    assert (await measure(Ground(servers, tmp_path, SMALLEST, lambda _: None), [])).keys() == {"seconds"}
