"""Of what was said lately: which of it an answer waits for. Before a package is called not there, or somebody not let,
all is heard that could say otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.request.decide.scene import Person
from services.request.store import Surroundings
from shared.contracts import topics
from shared.hearing import About, Hearing
from shared.security.caller import Caller
from shared.web.caller import signed_in
from shared.web.errors import NotFound

T = TypeVar("T")

OFFERED: About = dict.fromkeys(
    (
        topics.CATALOG_FACTS,
        topics.PACKAGE_FACTS,
        topics.POLICY_FACTS,
        topics.POPULATION_FACTS,
        topics.RESOURCE_FACTS,
    )
)
"""What says who may ask for what. It changes seldom and is heard at once, so that everybody is answered by what it is
now."""


def of_people(*people: str | None) -> About:
    """What it depends on beside that whether these people may have something. Changes of it come in floods, and are
    heard when there is time: whoever is let by what is known is not kept waiting for them."""
    ids = [id for id in people if id is not None]
    return dict.fromkeys((topics.PERSON_FACTS, topics.MEMBERSHIP_FACTS, topics.HOLDING_FACTS), ids)


class Offering:
    """What is on offer to whoever asks."""

    def __init__(self, hearing: Hearing, around: Surroundings) -> None:
        self._hearing = hearing
        self._around = around

    async def to(
        self, caller: Caller, find: Callable[[Person], Awaitable[T]], *, enough: Callable[[T], object] = bool
    ) -> T:
        """What `find` finds for the person who asks; not enough only if that is so by all that was said of them.

        Raises Forbidden for applications, and NotFound for a person whom the directory does not know."""
        person, _ = await asyncio.gather(self._person(caller), self._hearing.abreast(OFFERED))
        found = await find(person)
        if not enough(found):
            await self._hearing.abreast(of_people(person.id))
            found = await find(await self._person(caller))
        return found

    async def _person(self, caller: Caller) -> Person:
        id = signed_in(caller)
        found = await self._hearing.once(lambda: self._around.persons([id]))
        if not found:
            raise NotFound("The person was not found.")
        return found[id]
