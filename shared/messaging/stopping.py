"""Beginning and coming to an end whole: what one step raises keeps no other step from being taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog

log = structlog.get_logger(__name__)


async def all_or_nothing(start: Callable[[], Awaitable[Any]], stop: Callable[[], Awaitable[Any]]) -> None:
    """Start something; what is left half started, also by whoever is cancelled, is stopped again. Raises what `start`
    does."""
    try:
        await start()
    except BaseException:
        with suppress(Exception):
            await stop()
        raise


async def each(steps: Iterable[Awaitable[None]]) -> None:
    """Do all of them at once. Raises what the first of them raises, once all have ended; the log has the others'."""
    _tell(await asyncio.gather(*steps, return_exceptions=True))


async def farewell(steps: Sequence[Coroutine[Any, Any, None]], within_s: float) -> None:
    """The same, and give up those that take longer: whoever is told to stop stops, though no server answers.

    Kafka misses a member by itself."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    done, late = await asyncio.wait(tasks, timeout=within_s)
    if late:
        log.warning("Kafka does not answer, so its clients are left as they are", count=len(late))
        for task in late:
            task.cancel()
        await asyncio.wait(late, timeout=1.0)
    await each([task for task in tasks if task in done])


def _tell(found: Iterable[BaseException | None]) -> None:
    problems = [problem for problem in found if problem is not None]
    for problem in problems[1:]:
        log.error("another step of the stop has failed as well", exc_info=problem)
    if problems:
        raise problems[0]
