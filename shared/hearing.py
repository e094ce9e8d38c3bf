"""Waiting for what has happened elsewhere and is on its way here as a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

LOOK_AGAIN_S = 0.03


@dataclass(frozen=True, slots=True)
class Hearing:
    """How long a service waits for facts on their way, and what it does so that they come soon."""

    within_s: float
    """Longest wait in seconds, the setting `read_wait_s`."""
    expecting: Callable[[], AbstractContextManager[None]] = nullcontext
    """Entered while waiting: see `RightOfWay.expecting`."""

    async def once(self, find: Callable[[], Awaitable[T]], *, enough: Callable[[T], object] = bool) -> T:
        """What `find` finds, looked for until it is `enough` or facts on their way have had the time to arrive.

        Returns the last that was found, enough or not."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.within_s
        if enough(found := await find()):
            return found
        with self.expecting():
            while loop.time() <= deadline:
                await asyncio.sleep(LOOK_AGAIN_S)
                if enough(found := await find()):
                    break
        return found

    async def out(self, within_s: float | None = None) -> None:
        """Give all facts on their way the time to arrive. `within_s`: what is left of it, if less than all."""
        left_s = self.within_s if within_s is None else min(within_s, self.within_s)
        if left_s > 0:
            with self.expecting():
                await asyncio.sleep(left_s)
