"""How long the broker gathers records before it answers a fetch.

A fetch costs the same for one record as for a hundred, on both sides, and one that finds nothing costs no less. In a
quiet system every record is fetched at once and an empty fetch lasts long; while many batches follow one another
closely, the broker waits a moment for more, so that a hundred changes a second are tens of fetches and not thousands.
One caller after another, each waiting for what came of the last change, is no such stream: to gather would make all of
them wait at each step of the way. While somebody waits for a fact that is on its way (`shared/hearing.py`), nothing but
the fetch in hand is waited for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from enum import Enum

from aiokafka import AIOKafkaConsumer

from shared.messaging.lanes import RightOfWay

QUIET_WAIT_MS = 2_000
"""A fetch that finds nothing is answered after that time. Where partitions come to a member, or it reads a batch again,
the fetch in hand is waited for: so not much longer."""
HELD_S = 3600.0
"""Longer than any batch is in hand."""
GATHERED = 64 * 1024
"""Bytes that are not waited for any longer: some dozens of records."""


class Pace(Enum):
    """How a subscriber weighs time against work."""

    PROMPT = "prompt"
    """Never waits: the urgent lane."""
    EVEN = "even"
    """Waits a moment while it is busy: somebody waits for what follows."""
    CALM = "calm"
    """Waits longer while it is busy: what follows is to be known soon, and nothing else waits for it."""
    PATIENT = "patient"
    """Always waits, up to half a second, and lets decisions go first for as long again: what follows is read later."""
    LAST = "last"
    """As patient, and comes after all decisions for seconds: what follows is only kept, or sent away."""


@dataclass(frozen=True, slots=True)
class _Gait:
    """Of one pace."""

    gather_ms: int = 0
    """The broker waits that long for more, while the subscriber is busy; 0: it never is."""
    busy_s: float = 0.0
    """So long without a batch calms it; within that time ..."""
    batches: int = 2
    """... so many of them make it busy."""
    few: int = 0
    """A batch of no more records than that calms it, too: there is nothing to gather."""
    settle_s: float = 0.0
    """After the first record the subscriber itself waits that long for more."""
    aside_s: float = 0.0
    """Then it waits at most that long until nothing is being decided in this process."""


GAITS = {
    Pace.PROMPT: _Gait(),
    Pace.EVEN: _Gait(gather_ms=60, busy_s=0.15, batches=6, few=1),
    Pace.CALM: _Gait(gather_ms=400, busy_s=0.6, settle_s=0.12),
    Pace.PATIENT: _Gait(gather_ms=500, busy_s=0.9, settle_s=0.4, aside_s=0.5),
    Pace.LAST: _Gait(gather_ms=500, busy_s=0.9, settle_s=0.4, aside_s=3.0),
}


def drained_first(consumer: AIOKafkaConsumer) -> None:
    """Have a consumer that has just started fetch again only once all that it holds has been taken.

    The client fetches ahead for the other partitions when it has held records of one for 0.1 s, as while a batch is
    being decided; and what then comes for that one would wait until the fetch in hand is answered, for two seconds."""
    if consumer._fetcher is not None:
        consumer._fetcher._prefetch_backoff = HELD_S


class Gathering:
    """Sets the pace of one consumer."""

    def __init__(self, pace: Pace, right_of_way: RightOfWay) -> None:
        self._gait = GAITS[pace]
        self._right_of_way = right_of_way
        self._lately: deque[float] = deque(maxlen=self._gait.batches - 1)
        self._calming: asyncio.TimerHandle | None = None

    async def settled(self) -> None:
        """Called with the first record of a batch in hand: returns when the others may be taken."""
        if self._gait.settle_s and self._calming is None:
            await self._right_of_way.leisure(self._gait.settle_s)
        if self._gait.aside_s:
            await self._right_of_way.lull(self._gait.aside_s)

    def took(self, consumer: AIOKafkaConsumer, records: int) -> None:
        """A batch of so many has just been taken from `consumer`."""
        if not self._gait.gather_ms:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._right_of_way.is_expected:
            _set(consumer, 1, QUIET_WAIT_MS)
        elif self._is_busy(now, records):
            _set(consumer, GATHERED, self._gait.gather_ms)
            self._calm_at(loop.call_later(self._gait.busy_s, self._calm, consumer))
        elif self._calming is not None:
            self._calm(consumer)
        self._lately.append(now)

    def _is_busy(self, now: float, records: int) -> bool:
        if self._calming is not None:
            return records > self._gait.few
        return len(self._lately) == self._lately.maxlen and now - self._lately[0] < self._gait.busy_s

    def _calm_at(self, timer: asyncio.TimerHandle | None) -> None:
        if self._calming is not None:
            self._calming.cancel()
        self._calming = timer

    def _calm(self, consumer: AIOKafkaConsumer) -> None:
        self._calm_at(None)
        _set(consumer, 1, QUIET_WAIT_MS)


def _set(consumer: AIOKafkaConsumer, min_bytes: int, wait_ms: int) -> None:
    # The client takes these two only when it is made, and asks for them anew at every fetch.
    fetcher = consumer._fetcher
    if fetcher is not None:
        fetcher._fetch_min_bytes = min_bytes
        fetcher._fetch_max_wait_ms = wait_ms
