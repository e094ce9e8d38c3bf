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
    }
    for part, names in agreed.items():
        assert all(found[part][name] > 0 for name in names)
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
