"""Whoever became an approver a moment ago is let in at once; a stranger is not."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from services.approval.api import Desk
from services.approval.decide.approvers import Directory
from services.approval.messages import Looks
from services.approval.model import Approval
from shared.hearing import Hearing, Taken
from shared.security.caller import Caller
from shared.web.errors import NoRight
from tests.unit.approval.test_who_and_when import EVERYBODY, FAY, MANAGER, begun, stage, starting

BEFORE = Directory({**EVERYBODY.people, "ana": EVERYBODY.people["fay"]})
"""Ana has no manager."""


class World:
    """The directory, as it is known once what was said of Ana has been heard."""

    def __init__(self, approval: Approval) -> None:
        self.state_of = approval
        self.now = BEFORE

    async def said_so_far(self, about: Mapping[str, Any]) -> Taken:
        if about["directory.people"] is None or "ana" in about["directory.people"]:
            self.now = EVERYBODY

        async def taken() -> bool:
            return True

        return taken

    async def directory(self, _people: Any, _named: Any) -> Directory:
        return self.now

    async def look(self, _messages: Any, _states: Any) -> Directory:
        return self.now

    async def state(self, _id: str) -> dict[str, Any]:
        return self.state_of.model_dump()

    async def there(self, caller: str) -> Approval:
        platform: Any = SimpleNamespace(hearing=Hearing(5.0, said_so_far=self.said_so_far))
        store: Any = self
        look: Any = self.look
        nothing: Any = None

        async def reaches(_catalog: Any) -> bool:
            return False

        standing = SimpleNamespace(caller=Caller(actor=f"person:{caller}", person_id=caller))
        admitted: Any = SimpleNamespace(standing=standing, reaches=reaches)
        return await Desk(platform, store, nothing, look).there("r", admitted)


async def test_a_manager_named_a_moment_ago_is_asked() -> None:
    found = await World(begun(stage(MANAGER), around=BEFORE)).there("boss")
    assert found.stage is not None
    assert found.stage.approvers == ("boss",)


async def test_nobody_else_is_asked_while_an_approver_is_on_their_way() -> None:
    """Whoever is asked instead would be told, and could read the request for good."""
    world = World(begun(stage(MANAGER), around=BEFORE))
    asked = stage(MANAGER, fallback_primary_approvers=(FAY,))
    around: Any = world
    look = Looks(around, Hearing(5.0, said_so_far=world.said_so_far))
    assert await look([starting(asked)], {"r": None}) is EVERYBODY


async def test_a_stage_that_begins_later_is_looked_at_as_the_one_before_is_decided() -> None:
    world = World(begun(stage(FAY), stage(MANAGER, fallback_primary_approvers=(FAY,)), around=BEFORE))
    around: Any = world
    look = Looks(around, Hearing(5.0, said_so_far=world.said_so_far))
    assert await look([], {"r": world.state_of}) is EVERYBODY


async def test_who_finds_their_approvers_waits_for_nothing() -> None:
    world = World(begun(stage(FAY), around=BEFORE))
    around: Any = world
    look = Looks(around, Hearing(5.0, said_so_far=world.said_so_far))
    assert await look([starting(stage(FAY))], {"r": None}) is BEFORE


async def test_a_stranger_is_not() -> None:
    with pytest.raises(NoRight):
        await World(begun(stage(MANAGER), around=BEFORE)).there("tim")
