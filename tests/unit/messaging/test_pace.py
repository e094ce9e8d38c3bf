"""When a subscriber has the broker gather records, and when it wants each at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from shared.messaging.lanes import RightOfWay
from shared.messaging.pace import GAITS, GATHERED, Gathering, Pace

EVEN = GAITS[Pace.EVEN]


class Taking:
    """A subscriber of that pace, as far as its pace goes."""

    def __init__(self, pace: Pace) -> None:
        self.right_of_way = RightOfWay()
        self.gathering = Gathering(pace, self.right_of_way)
        self.consumer: Any = SimpleNamespace(_fetcher=SimpleNamespace(_fetch_min_bytes=1, _fetch_max_wait_ms=0))

    def took(self, records: int, times: int = 1) -> None:
        for _ in range(times):
            self.gathering.took(self.consumer, records)

    @property
    def gathers(self) -> bool:
        return bool(self.consumer._fetcher._fetch_min_bytes == GATHERED)


async def test_one_change_after_another_is_never_gathered() -> None:
    taking = Taking(Pace.EVEN)
    for _ in range(8):
        taking.took(1)
        await asyncio.sleep(EVEN.busy_s / (EVEN.batches - 2))
        assert not taking.gathers


async def test_a_stream_is_gathered_until_there_is_little_to_gather() -> None:
    taking = Taking(Pace.EVEN)
    taking.took(1, times=EVEN.batches)
    assert taking.gathers

    taking.took(EVEN.few + 1)
    assert taking.gathers
    taking.took(EVEN.few)
    assert not taking.gathers


async def test_a_pause_ends_it() -> None:
    taking = Taking(Pace.EVEN)
    taking.took(5, times=EVEN.batches)
    assert taking.gathers

    await asyncio.sleep(EVEN.busy_s * 1.2)
    assert not taking.gathers
    taking.took(5)
    assert not taking.gathers


@pytest.mark.parametrize("pace", [Pace.CALM, Pace.PATIENT, Pace.LAST])
async def test_what_nobody_waits_for_is_gathered_from_the_second_batch_on(pace: Pace) -> None:
    taking = Taking(pace)
    taking.took(1)
    assert not taking.gathers
    taking.took(1, times=2)
    assert taking.gathers


async def test_what_somebody_waits_for_and_what_is_urgent_are_not_gathered() -> None:
    awaited, urgent = Taking(Pace.PATIENT), Taking(Pace.PROMPT)
    awaited.took(3, times=5)
    with awaited.right_of_way.expecting():
        awaited.took(3)
    urgent.took(3, times=50)

    assert not awaited.gathers
    assert not urgent.gathers
