"""Waiting for what has happened elsewhere and is on its way here as a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_AGAIN_S = 0.03


async def once_heard(find: Callable[[], Awaitable[T]], within_s: float, *, enough: Callable[[T], object] = bool) -> T:
    """What `find` finds, looked for until it is `enough` or facts on their way have had the time to arrive.

    `within_s`: longest wait in seconds, as a rule the setting `read_wait_s`. Returns the last that was found, enough or
    not."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while True:
        found = await find()
        if enough(found) or loop.time() > deadline:
            return found
        await asyncio.sleep(LOOK_AGAIN_S)
