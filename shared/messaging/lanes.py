"""Right of way for the urgent lane inside one process: ordinary work stands aside while urgent work is in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from shared.contracts.base import Lane

STAND_ASIDE_S = 0.25
"""An ordinary batch waits at most this long at each turn: urgent work never starves it."""

_lane: ContextVar[Lane] = ContextVar("lane", default=Lane.ORDINARY)


class RightOfWay:
    """One a process, shared by its services."""

    def __init__(self) -> None:
        self._urgent = 0
        self._free = asyncio.Event()
        self._free.set()

    @contextmanager
    def travel(self, lane: Lane) -> Iterator[None]:
        """While inside, this task's work belongs to `lane`."""
        token = _lane.set(lane)
        if lane is Lane.URGENT:
            self._urgent += 1
            self._free.clear()
        try:
            yield
        finally:
            _lane.reset(token)
            if lane is Lane.URGENT:
                self._urgent -= 1
                if not self._urgent:
                    self._free.set()

    async def turn(self) -> None:
        """Between two slices of computing: let others run, and urgent work go first."""
        await asyncio.sleep(0)
        if _lane.get() is Lane.ORDINARY and not self._free.is_set():
            try:
                await asyncio.wait_for(self._free.wait(), STAND_ASIDE_S)
            except TimeoutError:
                pass
