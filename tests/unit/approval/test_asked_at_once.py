"""Whoever became an approver a moment ago is let in at once; a stranger is not."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from services.approval.api import Desk
from services.approval.decide.approvers import Directory
from services.approval.model import Approval
from shared.hearing import Hearing, Taken
from shared.security.caller import Caller
from shared.web.errors import NoRight
from tests.unit.approval.test_who_and_when import EVERYBODY, MANAGER, begun, stage

BEFORE = Directory({**EVERYBODY.people, "ana": EVERYBODY.people["fay"]})
"""Ana has no manager."""


class World:
    """The directory, as it is known once what was said of Ana has been heard."""

    def __init__(self, approval: Approval) -> None:
        self.state_of = approval
        self.directory = BEFORE

    async def _said_so_far(self, about: Mapping[str, Any]) -> Taken:
        if "ana" in about["directory.people"]:
            self.directory = EVERYBODY

        async def taken() -> bool:
            return True

        return taken

    async def look(self, _messages: Any, _states: Any) -> Directory:
        return self.directory

    async def state(self, _id: str) -> dict[str, Any]:
        return self.state_of.model_dump()

    async def there(self, caller: str) -> Approval:
        platform: Any = SimpleNamespace(hearing=Hearing(5.0, said_so_far=self._said_so_far))
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


async def test_a_stranger_is_not() -> None:
    with pytest.raises(NoRight):
        await World(begun(stage(MANAGER), around=BEFORE)).there("tim")
