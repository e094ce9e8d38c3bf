"""Who goes first inside one process: ordinary work stands aside while urgent work is in hand, and what nobody waits for
while anything is decided."""

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
        self._decisions = 0
        self._lull = asyncio.Event()
        self._lull.set()

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

    @contextmanager
    def decision(self) -> Iterator[None]:
        """While inside, something is decided that somebody waits for."""
        self._decisions += 1
        self._lull.clear()
        try:
            yield
        finally:
            self._decisions -= 1
            if not self._decisions:
                self._lull.set()

    async def lull(self, longest_s: float) -> None:
        """Returns when nothing is being decided, or after so long: what comes last is never starved."""
        try:
            await asyncio.wait_for(self._lull.wait(), longest_s)
        except TimeoutError:
            pass
