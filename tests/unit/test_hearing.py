"""Waiting for what was said elsewhere: no longer than until all of it has been taken, and not at all where it has."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import pytest

from shared.contracts import topics
from shared.hearing import Hearing, Taken
from shared.messaging.errors import MayPass

ABOUT = {topics.PERSON_FACTS: ["ana"], topics.POLICY_FACTS: None}


class World:
    """Facts that have been taken after so many looks; `asked` is what of which topics."""

    def __init__(self, after: int = 0, problem: Exception | None = None) -> None:
        self.after = after
        self.asked: Mapping[str, Collection[str] | None] = {}
        self.hurried = 0
        self._problem = problem

    async def said_so_far(self, about: Mapping[str, Collection[str] | None]) -> Taken:
        self.asked = about
        if self._problem is not None:
            raise self._problem
        return self._taken

    async def _taken(self) -> bool:
        self.after -= 1
        return self.after < 0

    @contextmanager
    def expecting(self) -> Iterator[None]:
        self.hurried += 1
        yield

    def hearing(self, within_s: float = 5.0) -> Hearing:
        return Hearing(within_s, self.expecting, self.said_so_far)


async def test_where_all_has_been_taken_nobody_is_hurried() -> None:
    world = World()
    await world.hearing().abreast(ABOUT)
    assert (world.after, world.hurried) == (-1, 0)
    assert world.asked == {"directory.people.urgent": ["ana"], "directory.people": ["ana"], "catalog.policies": None}


async def test_what_is_on_its_way_is_waited_for_and_hurried() -> None:
    world = World(after=3)
    await world.hearing().abreast(ABOUT)
    assert (world.after, world.hurried) == (-1, 1)


@pytest.mark.parametrize("world", [World(after=10_000), World(problem=MayPass("Kafka is away"))])
async def test_it_is_waited_for_no_longer_than_for_what_is_not_there(world: World) -> None:
    await asyncio.wait_for(world.hearing(0.05).abreast(ABOUT), 2)


async def test_what_begins_by_itself_knows_whether_all_was_taken_and_that_nobody_could_say() -> None:
    assert await World(after=3).hearing(0.0).caught_up(ABOUT, 5.0)
    assert not await World(after=10_000).hearing().caught_up(ABOUT, 0.05)
    with pytest.raises(MayPass):
        await World(problem=MayPass("Kafka is away")).hearing().caught_up(ABOUT, 5.0)

    async def silent(_about: Mapping[str, Collection[str] | None]) -> Taken:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(MayPass):
        await Hearing(5.0, said_so_far=silent).caught_up(ABOUT, 0.05)


async def test_what_is_found_is_no_older_than_the_question() -> None:
    world = World(after=2)

    async def find() -> str:
        return "old" if world.after >= 0 else "new"

    assert await world.hearing().once(find, about=ABOUT) == "new"
    assert await World(after=2).hearing().once(find) == "new"
