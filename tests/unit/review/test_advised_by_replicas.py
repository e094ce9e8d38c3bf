"""Two replicas advise one instance step by step: each stage by its own signs, whoever did the steps before."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from services.review import messages
from services.review.messages import STEP, Desk
from services.review.model import Instance, Stage
from shared.contracts.base import Cause
from shared.contracts.review import DefinitionState, ReviewedResource, ReviewSettings, ReviewStatus, StageSettings
from shared.contracts.roster import RosterKind

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="review:i", actor="app:x")
STAGES = tuple(Stage(id=f"s{n}", settings=StageSettings(duration_in_days=3), reviewers=("olga",)) for n in (1, 2))
INSTANCE = Instance(
    id="i",
    definition=DefinitionState(
        id="d", display_name="Sales", scope={}, settings=ReviewSettings(),
        stages=tuple(one.settings for one in STAGES), created_at=NOW, modified_at=NOW,
    ),
    number=1, resource=ReviewedResource(kind=RosterKind.GROUP, id="g"), scope={}, status=ReviewStatus.IN_PROGRESS,
    starts_at=NOW, ends_at=NOW + timedelta(days=6), stages=STAGES, current=0, cause=CAUSE,
)  # fmt: skip


class Store:
    """A full step's items at first, then one that ends the stage; the signs of a stage are its number."""

    def __init__(self) -> None:
        self.measured: list[int] = []
        self.advised_by: list[int] = []
        self.items = self
        self.advisor = self

    async def states(self, query: Any, limit: int) -> list[dict[str, Any]]:
        first = "_id" not in query
        return [{"_id": f"x{n:05}", "stage": -1, "person_id": "ana"} for n in range(STEP if first else STEP - 1)]

    async def asked(self, one: Instance) -> int:
        return one.current

    async def measure(self, asked: int, holders: AsyncIterator[Sequence[str]]) -> str:
        self.measured.append(asked)
        return "measured"

    async def advise(self, asked: int, *_: Any) -> dict[str, Any]:
        self.advised_by.append(asked)
        return {}


def replica(store: Store) -> Desk:
    nothing: Any = SimpleNamespace()
    return Desk(nothing, nothing, nothing, nothing, store, store, nothing)  # type: ignore[arg-type]


async def test_a_stage_is_advised_by_its_own_signs_though_another_replica_ended_the_one_before() -> None:
    store = Store()
    one, other = replica(store), replica(store)
    step = await one._advised(INSTANCE)
    assert not step.over
    assert (await other._advised(INSTANCE.having(after=step.last))).over
    second = INSTANCE.having(current=1)
    step = await other._advised(second)
    assert (await one._advised(second.having(after=step.last))).over
    assert store.advised_by == [0, 0, 1, 1]


async def test_one_replica_measures_a_stage_once() -> None:
    store = Store()
    one = replica(store)
    step = await one._advised(INSTANCE)
    await one._advised(INSTANCE.having(after=step.last))
    assert store.measured == [0]


async def test_what_others_ended_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MEASURED_AT_MOST", 2)
    one = replica(Store())
    for id in "abcd":
        await one._advised(INSTANCE.having(id=id))
    assert [instance for instance, _ in one._measured] == ["c", "d"]
