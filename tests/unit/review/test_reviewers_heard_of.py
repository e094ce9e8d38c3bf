"""A review begins with the reviewers of a group that was only just filled."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from services.review.decide.instances import Act
from services.review.decide.reviewers import Resolved
from services.review.messages import Desk
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
