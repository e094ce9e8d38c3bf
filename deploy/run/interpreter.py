"""How a serving process uses its interpreter: one heap, a collector that does not look while a batch is in hand, and
threads that get their turn soon."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LOOK_AFTER = 200_000
"""New objects, less those gone: more than a batch has in hand, some 40 MB at most in cycles nobody needs."""

# Of mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_ARENA_MAX = -8
TRIM_ABOVE = 128 * 1024
"""Bytes free at the end of the heap that go back to the system; the value stays, where glibc would raise it."""

TURN_S = 0.001
GIVE_BACK_EVERY_S = 10.0


def hand_over_soon() -> None:
    """The database driver works in threads, and each call needs the interpreter several times. While the event loop
    computes, each of these waits for up to the switch interval: with Python's 5 ms a call that takes 1 ms takes 9, and
    40 at times; with this value 5, and 10."""
    sys.setswitchinterval(TURN_S)


def use_one_heap() -> None:
    """Called before threads begin. glibc would give each of the database driver's threads a heap of its own, and what
    one batch needed stays in all of them: 360 MB after a company joined, instead of 250. Python's lock lets only one
    of them allocate at a time anyway. Elsewhere than on glibc nothing happens."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TRIM_THRESHOLD, TRIM_ABOVE)


@asynccontextmanager
async def at_work() -> AsyncIterator[None]:
    """Entered once everything is up, until left: the collector is spared, and free memory given back."""
    spare_the_collector()
    giving = asyncio.create_task(give_back())
    try:
        yield
    finally:
        giving.cancel()
        await asyncio.gather(giving, return_exceptions=True)


async def give_back(every_s: float = GIVE_BACK_EVERY_S) -> None:
    """Until cancelled, returns to the system what lies free inside the heap: 80 MB of 420 after a company joined, in
    13 ms. Elsewhere than on glibc it returns at once."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(trim, 0)


def collect_seldom() -> None:
    """Called first of all. What is imported stays: to look through it again and again costs a fifth of the import."""
    gc.set_threshold(LOOK_AFTER, 10, 10)


def spare_the_collector() -> None:
    """Called once everything is up: what is there now stays for good and is looked through no more. To look once
    before would find some hundred objects in a quarter of a second.

    A batch of a thousand messages makes some 200,000 objects, nearly all of which go by reference count when it ends.
    With Python's defaults the collector looks through them hundreds of times meanwhile and finds nothing: a third of
    the time that a person change takes (`python -m tests.bench --only rules,pipeline`)."""
    gc.freeze()
    collect_seldom()
