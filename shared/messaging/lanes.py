"""Who goes first inside one process: ordinary work stands aside while urgent work is in hand, and what nobody waits for
while anything is decided. As soon as somebody waits for it, it stands aside for nothing."""

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
        self._expecting = 0
        self._expected = asyncio.Event()

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
            await _within(self._free, STAND_ASIDE_S)

    @contextmanager
    def decision(self) -> Iterator[None]:
        """While inside, something is decided that somebody waits for."""
        self._decisions += 1
        self._look()
        try:
            yield
        finally:
            self._decisions -= 1
            self._look()

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """While inside, somebody waits for a fact that is on its way: a decision may be the one that waits."""
        self._expecting += 1
        self._look()
        try:
            yield
        finally:
            self._expecting -= 1
            self._look()

    @property
    def is_expected(self) -> bool:
        """Whether somebody waits for a fact."""
        return self._expected.is_set()

    async def leisure(self, longest_s: float) -> None:
        """Returns after so long, or when somebody waits for a fact."""
        await _within(self._expected, longest_s)

    async def lull(self, longest_s: float) -> None:
        """Returns when nothing is being decided, when somebody waits for a fact, or after so long: what comes last is
        never starved."""
        await _within(self._lull, longest_s)

    def _look(self) -> None:
        _make(self._expected, self._expecting > 0)
        _make(self._lull, not self._decisions or self._expecting > 0)


def _make(event: asyncio.Event, so: bool) -> None:
    if so:
        event.set()
    else:
        event.clear()


async def _within(event: asyncio.Event, longest_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), longest_s)
    except TimeoutError:
        pass
