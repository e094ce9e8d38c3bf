"""Waiting for what happens elsewhere. Each look costs the machine what the others wait for, so looks become seldom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from shared.messaging.host import Host

PATIENCE_S = 90.0
"""Less than a test may take: whoever waits in vain says so before it is cut off without a word."""
FIRST_S, GROWTH, LONGEST_S = 0.02, 1.3, 0.3

What = str | Callable[[], str]
"""What is waited for, in words."""


async def until(
    find: Callable[[], Awaitable[Any]],
    what: What = "what was waited for",
    within_s: float = PATIENCE_S,
    *,
    first_s: float = FIRST_S,
) -> Any:
    """What `find` finds, as soon as that counts as true; fails with `what`. `first_s`: the first pause between looks,
    longer where a look costs much."""
    pauses = _pauses(what, within_s, first_s)
    while not (found := await find()):
        await asyncio.sleep(next(pauses))
    return found


def eventually(find: Callable[[], Any], what: What = "what was waited for", within_s: float = PATIENCE_S) -> Any:
    """The same where nothing else goes on in this process."""
    pauses = _pauses(what, within_s, FIRST_S)
    while not (found := find()):
        time.sleep(next(pauses))
    return found


async def untroubled(host: Host) -> None:
    """Its services are well, or will be: that a server was slow to answer for once is not held against them."""

    async def well() -> bool:
        return not host.troubles()

    await until(well, lambda: str(host.troubles()))


def _pauses(what: What, within_s: float, pause_s: float) -> Iterator[float]:
    """Seconds until the next look; fails once it has been too long."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        yield pause_s
        pause_s = min(pause_s * GROWTH, LONGEST_S)
    raise AssertionError(f"did not happen within {within_s:.0f} s: {what if isinstance(what, str) else what()}")
