"""A review begins with what was said just before: who is in a group that was only just filled, who signed in."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from services.review.decide.instances import Act, Look, obey
from services.review.decide.reviewers import Resolved
from services.review.messages import HEARD_WITHIN_S, Desk
from services.review.model import FIRST_RESEND, Instance
from services.review.scope import Reviewers
from shared.contracts.base import Cause
from shared.contracts.review import (
    DefinitionState,
    ReviewCommand,
    ReviewedResource,
    ReviewerScope,
    ReviewSettings,
    StageSettings,
    StartInstance,
)
from shared.contracts.roster import RosterKind
from shared.hearing import Hearing
from shared.messaging.decision import Circumstances

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GROUP, ANA = (f"{letter}0000000-0000-4000-8000-000000000000" for letter in "ab")
RESOURCE = ReviewedResource(kind=RosterKind.GROUP, id=GROUP)


class Around:
    """What review has heard: who is in the group, only at the third look."""

    def __init__(self) -> None:
        self.looks = 0

    async def resolved(self, scopes: Collection[Reviewers], _resource: ReviewedResource) -> Resolved:
        self.looks += 1
        return dict.fromkeys(scopes, (ANA,) if self.looks > 2 else ())

    async def names(self, _resources: Any) -> dict[str, str]:
        return {}

    async def role_names(self, _resources: Any) -> dict[str, dict[str, str]]:
        return {}


@pytest.fixture
def around() -> Around:
    return Around()


@pytest.fixture
def desk(around: Around) -> Desk:
    nothing: Any = None
    platform: Any = SimpleNamespace(hearing=Hearing(within_s=5.0))
    heard: Any = around
    return Desk(platform, nothing, nothing, nothing, nothing, heard, nothing)


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


@pytest.mark.spec("REV-5", "REV-8")
async def test_members_of_a_group_who_are_on_their_way_are_waited_for(desk: Desk) -> None:
    look = await desk.look_at_instances([start(f"/groups/{GROUP}/transitiveMembers")], {})

    assert list(look.resolved["i"].values()) == [(ANA,)]


async def test_nobody_is_waited_for_who_is_named_or_by_what_names_no_reviewers(desk: Desk, around: Around) -> None:
    await desk.look_at_instances([start(f"/users/{ANA}")], {})
    assert around.looks == 1
    running: Any = SimpleNamespace(
        resource=RESOURCE, current=0,
        stages=[SimpleNamespace(settings=start(f"/groups/{GROUP}/owners").order.definition.stages[0])],  # type: ignore[union-attr]
    )  # fmt: skip
    await desk.look_at_instances([Act("i", "stop")], {"i": running})
    assert around.looks == 2


def begun(**settings: Any) -> Instance:
    command = start(f"/users/{ANA}")
    order = command.order
    assert isinstance(order, StartInstance)
    stage = order.definition.stages[0].model_copy(update=settings)
    changed = order.model_copy(update={"definition": order.definition.model_copy(update={"stages": (stage,)})})
    at = Circumstances(NOW, 1, command.cause, Look())
    one = obey(None, command.model_copy(update={"order": changed}), at).state
    assert one is not None
    return one


SPONSORS = begun(reviewers=(ReviewerScope(query="./sponsors"),))
ADVISED = begun(recommendations_enabled=True)
PLAIN = begun()


@pytest.mark.spec("REV-8", "REC-1")
@pytest.mark.parametrize(
    ("runs", "ago", "waited"),
    [
        ([ADVISED], timedelta(seconds=0.25), [HEARD_WITHIN_S - 0.25]),
        ([SPONSORS, PLAIN], timedelta(), [HEARD_WITHIN_S]),
        ([ADVISED], timedelta(days=1), [HEARD_WITHIN_S - 86400]),
        ([PLAIN], timedelta(), []),
        ([ADVISED.having(asked_again_at=None)], timedelta(), []),
        ([ADVISED.having(asked_again_at=NOW + FIRST_RESEND, times_asked=2)], timedelta(), []),
    ],
)
async def test_what_was_said_just_before_a_run_began_is_waited_for_once(
    runs: list[Instance], ago: timedelta, waited: list[float]
) -> None:
    asked: list[float | None] = []

    class Listening(Hearing):
        async def out(self, within_s: float | None = None) -> None:
            asked.append(within_s)

    platform: Any = SimpleNamespace(hearing=Listening(5.0), clock=SimpleNamespace(now=lambda: NOW + ago))
    nothing: Any = None
    desk = Desk(platform, nothing, nothing, nothing, nothing, nothing, nothing)
    await desk.heard_until_begun(runs)
    assert asked == waited


async def test_no_longer_is_waited_than_is_left() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await Hearing(5.0).out(-3.0)
    await Hearing(0.02).out(4.0)
    assert loop.time() - began < 1
