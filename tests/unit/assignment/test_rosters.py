"""Who holds a package, as reviews ask it: of what is not there that is said, and not that nobody has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

from services.assignment.store import roster_reader
from shared.contracts import topics
from shared.contracts.roster import RosterAbout, RosterKind
from shared.hearing import Hearing, Taken
from shared.rosters import Read


class World:
    """Rules as they are known once all that was said of them has been taken; nobody holds anything."""

    def __init__(self, lives: Mapping[str, str]) -> None:
        self.packages = self.policies = self
        self._lives = lives
        self._heard: set[str] = set()

    async def said_so_far(self, about: Mapping[str, Any]) -> Taken:
        async def taken() -> bool:
            self._heard |= about.keys()
            return True

        return taken

    async def get(self, ids: Collection[str]) -> dict[str, dict[str, Any]]:
        known = {topics.PACKAGE_FACTS.name, topics.POLICY_FACTS.name, topics.PERSON_FACTS.name} <= self._heard
        return {id: {"life": self._lives[id]} for id in ids if known and id in self._lives}

    async def states(self, _query: Any, *, limit: int) -> list[Any]:
        assert limit == 10
        return []


async def read(lives: Mapping[str, str], after: str | None = None) -> Read:
    world: Any = World(lives)
    about = RosterAbout(kind=RosterKind.PACKAGE, id="p", policy_id="q")
    return await roster_reader(world, world, Hearing(5.0, said_so_far=world.said_so_far))(about, after, 10)


@pytest.mark.parametrize(
    ("lives", "words"),
    [
        ({"p": "active", "q": "active"}, None),
        ({"p": "deleting", "q": "deleting"}, None),
        ({"q": "active"}, "There is no access package p."),
        ({"p": "deleted", "q": "active"}, "There is no access package p."),
        ({"p": "active"}, "There is no assignment policy q."),
        ({"p": "active", "q": "deleted"}, "There is no assignment policy q."),
    ],
)
async def test_of_what_is_not_there_it_is_said(lives: Mapping[str, str], words: str | None) -> None:
    page = await read(lives)
    assert (page.refusal.message if page.refusal else None) == words
    assert page.over


async def test_further_pages_are_read_without_asking_again() -> None:
    assert (await read({}, after="ana")).refusal is None
