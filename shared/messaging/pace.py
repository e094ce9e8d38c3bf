"""How long the broker gathers records before it answers a fetch.

A fetch costs the same for one record as for a hundred, on both sides. In a quiet system every record is fetched at
once; while batches follow one another closely, the broker waits a moment for more, so that a hundred changes a second
are tens of fetches and not thousands.
"""

from __future__ import annotations

import asyncio
from enum import Enum

from aiokafka import AIOKafkaConsumer

QUIET_WAIT_MS = 500
"""A fetch that finds nothing is answered after that time."""
GATHER_MS = 25
GATHERED = 64 * 1024
"""Bytes that are not waited for any longer: some dozens of records."""
BUSY_S = 0.1
"""Batches that follow one another within that time make a subscriber busy; as long without one calms it."""


class Pace(Enum):
    """How a subscriber weighs time against work."""

    PROMPT = "prompt"
    """Never waits: the urgent lane."""
    EVEN = "even"
    """Waits while it is busy."""
    PATIENT = "patient"
    """Always waits, up to half a second: nobody waits for what follows."""

    @property
    def at_first(self) -> tuple[int, int]:
        """`fetch_min_bytes`, `fetch_max_wait_ms`."""
        return (GATHERED if self is Pace.PATIENT else 1), QUIET_WAIT_MS


class Gathering:
    """Sets the pace of one consumer of `Pace.EVEN`."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._calming: asyncio.TimerHandle | None = None

    def took(self, consumer: AIOKafkaConsumer) -> None:
        """A batch has just been taken from `consumer`."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._last < BUSY_S:
            if self._calming is not None:
                self._calming.cancel()
            _set(consumer, GATHERED, GATHER_MS)
            self._calming = loop.call_later(BUSY_S, _set, consumer, *Pace.EVEN.at_first)
        self._last = now


def _set(consumer: AIOKafkaConsumer, min_bytes: int, wait_ms: int) -> None:
    # The client takes these two only when it is made, and asks for them anew at every fetch.
    fetcher = consumer._fetcher
    if fetcher is not None:
        fetcher._fetch_min_bytes = min_bytes
        fetcher._fetch_max_wait_ms = wait_ms
