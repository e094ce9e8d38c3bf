"""Waiting for what has happened elsewhere and is on its way here as a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import TypeVar

from shared.contracts.topics import Topic, lanes_of
from shared.messaging.errors import MayPass

T = TypeVar("T")

LOOK_AGAIN_S = 0.03
TAKEN_SOON_S = 0.01
"""Between two looks at how far the facts have been taken, which costs nothing here."""

About = Mapping[Topic, Collection[str] | None]
"""Topics, each with the keys that are meant; None: all of them."""
Taken = Callable[[], Awaitable[bool]]
"""Whether all of something has been taken over here."""


async def _nothing_on_its_way(_about: Mapping[str, Collection[str] | None]) -> Taken:
    async def taken() -> bool:
        return True

    return taken


@dataclass(frozen=True, slots=True)
class Hearing:
    """How long a service waits for facts on their way, and what it does so that they come soon."""

    within_s: float
    """Longest wait in seconds, the setting `read_wait_s`."""
    expecting: Callable[[], AbstractContextManager[None]] = nullcontext
    """Entered while waiting: see `RightOfWay.expecting`."""
    said_so_far: Callable[[Mapping[str, Collection[str] | None]], Awaitable[Taken]] = _nothing_on_its_way
    """See `Bus.said_so_far`."""

    async def once(
        self, find: Callable[[], Awaitable[T]], *, enough: Callable[[T], object] = bool, about: About | None = None
    ) -> T:
        """What `find` finds, looked for until it is `enough` or facts on their way have had the time to arrive.

        Nothing of what is found is older than the question, if `about` names all that says it. Returns the last that
        was found, enough or not."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.within_s
        if about is not None:
            await self.abreast(about)
        if enough(found := await find()):
            return found
        with self.expecting():
            while loop.time() <= deadline:
                await asyncio.sleep(LOOK_AGAIN_S)
                if enough(found := await find()):
                    break
        return found

    async def abreast(self, about: About) -> None:
        """Wait until all that had been said of these when asked has been taken over here: what is found from here on is
        no older than the question. As long as for what is not there; and not at all if Kafka does not say."""
        with suppress(MayPass):
            await self.caught_up(about, self.within_s)

    async def caught_up(self, about: About, within_s: float) -> bool:
        """As `abreast`, for what begins by itself and has the time: at most so long. Returns whether all was taken.

        What lies in topics from outside is taken once their owner has. Raises MayPass while Kafka does not say."""
        topics = {lane.name: keys for topic, keys in about.items() for lane in lanes_of(topic)}
        looked = False
        try:
            async with asyncio.timeout(within_s):
                taken = await self.said_so_far(topics)
                if await taken():
                    return True
                looked = True
                with self.expecting():
                    while True:
                        await asyncio.sleep(TAKEN_SOON_S)
                        if await taken():
                            return True
        except TimeoutError:
            if not looked:
                raise MayPass("Kafka does not say where topics end.") from None
            return False
