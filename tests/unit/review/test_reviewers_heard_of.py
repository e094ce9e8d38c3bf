"""A review begins with what was said just before: who is in a group that was only just filled, who signed in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from services.review.decide import instances
from services.review.decide.reviewers import Resolved
from services.review.messages import Desk
from services.review.model import Beginning, Definition, Instance
from services.review.scope import Reviewers
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.review import (
    DefinitionState,
    ReviewCommand,
    ReviewedResource,
    ReviewerScope,
    ReviewSettings,
    ReviewStatus,
    StageSettings,
    StartInstance,
)
from shared.contracts.roster import RosterKind
from shared.contracts.topics import Topic
from shared.hearing import Hearing, Taken
from shared.messaging.decision import Circumstances, Due
from shared.messaging.errors import MayPass

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GROUP, ANA = (f"{letter}0000000-0000-4000-8000-000000000000" for letter in "ab")
RESOURCE = ReviewedResource(kind=RosterKind.GROUP, id=GROUP)


class World:
    """What review has heard of, once it has asked whether it has: who is in the group, who manages Ana."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.waited_for: set[Topic] = set()
        self._problem = problem

    async def said_so_far(self, about: Mapping[str, Any]) -> Taken:
        if self._problem is not None:
            raise self._problem
        looks = iter([False])

        async def taken() -> bool:
            done = next(looks, True)
            self.waited_for |= {topics.BY_NAME[name] for name in about} if done else set()
            return done

        return taken

    async def resolved(self, scopes: Collection[Reviewers], _resource: ReviewedResource) -> Resolved:
        return dict.fromkeys(scopes, (ANA,) if topics.MEMBERSHIP_FACTS in self.waited_for else ())

    async def groups_with_guests(self, *, direct: bool) -> frozenset[str]:
        return frozenset({GROUP} if topics.PERSON_FACTS in self.waited_for and direct else ())

    async def groups_after(self, _after: str | None, _limit: int, among: Collection[str], *, teams: bool) -> list[str]:
        return [*among] if not teams else []

    async def names(self, resources: Collection[ReviewedResource]) -> dict[str, str]:
        return {one.id: "Sales" for one in resources} if topics.PACKAGE_FACTS in self.waited_for else {}

    async def role_names(self, _resources: Any) -> dict[str, dict[str, str]]:
        return {}

    async def recipients(self, _one: Any) -> tuple[str, ...]:
        return ()

    def desk(self) -> Desk:
        nothing: Any = None
        platform: Any = SimpleNamespace(
            hearing=Hearing(5.0, said_so_far=self.said_so_far), clock=SimpleNamespace(now=lambda: NOW)
        )
        around: Any = self
        return Desk(platform, nothing, nothing, nothing, nothing, around, around)


def start(query: str) -> ReviewCommand:
    stage = StageSettings(stage_id="1", duration_in_days=2, reviewers=(ReviewerScope(query=query),))
    definition = DefinitionState(
        id="d",
        display_name="One",
        scope={},
        settings=ReviewSettings(),
        stages=(stage,),
        created_at=NOW,
        modified_at=NOW,
    )
    order = StartInstance(definition=definition, number=1, resource=RESOURCE, scope={}, starts_at=NOW, ends_at=NOW)
    cause = Cause(id="c", correlation="c", actor="person:admin")
    return ReviewCommand(id="c", cause=cause, instance_id="i", order=order)


def begun(*more: StageSettings, query: str = f"/groups/{GROUP}/members") -> Instance:
    command = start(query)
    order = command.order
    assert isinstance(order, StartInstance)
    stages = (*order.definition.stages, *more)
    changed = order.model_copy(update={"definition": order.definition.model_copy(update={"stages": stages})})
    at = Circumstances(NOW, 1, command.cause, instances.Look())
    one = instances.obey(None, command.model_copy(update={"order": changed}), at).state
    assert one is not None
    stage = one.stage.having(status=ReviewStatus.IN_PROGRESS, starts_at=NOW, ends_at=NOW)
    return one.with_stage(0, stage).having(status=ReviewStatus.IN_PROGRESS)


def defined(scope: dict[str, Any], enumeration: dict[str, Any] | None = None) -> Definition:
    order = start(f"/users/{ANA}").order
    assert isinstance(order, StartInstance)
    state = order.definition.model_copy(update={"scope": scope, "enumeration": enumeration})
    return Definition(state=state, next_at=NOW, next_number=1, cause=Cause(id="c", correlation="c", actor="a"))


SECOND = StageSettings(
    stage_id="2", duration_in_days=1, reviewers=(ReviewerScope(query=f"/groups/{GROUP}/transitiveMembers"),)
)
EVERY_GROUP = defined(
    {"query": "./members?$filter=(userType eq 'Guest')"},
    {"query": "/groups?$filter=(groupTypes/any(c:c eq 'Unified'))"},
)


@pytest.mark.spec("REV-8", "REC-1")
async def test_an_occurrence_begins_once_all_that_was_said_before_it_is_known() -> None:
    world = World()
    look = await world.desk().look_at_definitions([Due("d", NOW)], {"d": EVERY_GROUP})
    assert {topics.SIGN_INS, topics.SIGN_IN_FACTS, topics.PERSON_FACTS, topics.MEMBERSHIP_FACTS} <= world.waited_for
    assert look.targets["d"].groups == (GROUP,), "a guest of whom was just told is found"


@pytest.mark.parametrize(
    "one",
    [
        EVERY_GROUP.having(deleted=True),
        EVERY_GROUP.having(beginning=Beginning(number=1, starts_at=NOW, ends_at=NOW)),
        EVERY_GROUP.having(next_at=None),
        None,
    ],
)
async def test_nothing_is_waited_for_where_nothing_begins(one: Definition | None) -> None:
    world = World()
    await world.desk().look_at_definitions([Due("d", NOW)], {"d": one})
    assert world.waited_for == set()


async def test_nothing_begins_while_nobody_knows_what_was_said_before() -> None:
    with pytest.raises(MayPass):
        await World(MayPass("Kafka is away")).desk().look_at_definitions([Due("d", NOW)], {"d": EVERY_GROUP})


@pytest.mark.spec("REV-5", "REV-8")
async def test_members_of_a_group_who_are_on_their_way_review_the_stage_that_begins() -> None:
    one = begun(SECOND).having(reminded_half=True, reminded_end=True)
    look = await World().desk().steps([Due("i", NOW)], {"i": one})
    assert set(look.resolved["i"].values()) == {(ANA,)}


@pytest.mark.parametrize(
    "one", [begun(), begun(SECOND).with_stage(0, begun().stage.having(ends_at=NOW + timedelta(seconds=1)))]
)
async def test_no_step_waits_that_begins_no_stage(one: Instance) -> None:
    world = World()
    await world.desk().steps([Due("i", NOW)], {"i": one})
    assert world.waited_for == set()


@pytest.mark.parametrize(
    "message", [instances.Act("i", "stopStage", "s"), instances.ChangeReviewers("i", None, (), ())]
)
async def test_they_are_waited_for_as_somebody_gives_a_stage_its_reviewers(message: Any) -> None:
    look = await World().desk().look_at_instances([message], {"i": begun(SECOND)})
    assert set(look.resolved["i"].values()) == {(ANA,)}


async def test_who_stops_a_run_waits_for_nobody_and_goes_on_while_kafka_is_away() -> None:
    world = World()
    await world.desk().look_at_instances([instances.Act("i", "stop")], {"i": begun()})
    assert world.waited_for == set()
    away = World(MayPass("Kafka is away")).desk()
    await away.look_at_instances([instances.Act("i", "stopStage", "s")], {"i": begun(SECOND)})


@pytest.mark.spec("PKR-1")
async def test_a_review_of_a_policy_that_was_told_of_before_its_package_has_the_packages_name() -> None:
    world = World()
    assert await world.desk()._packages_called({"p"}) == {"p": "Sales"}
    assert world.waited_for == {topics.PACKAGE_FACTS}
    assert await World().desk()._packages_called(()) == {}
