"""Servers of a run that end are started again, however often that fails at first."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.embedded.errors import StartFailed
from deploy.run.process import _keep_up


class Flaky:
    """A server that has ended, and whose next starts fail as they are told to."""

    def __init__(self, *failures: Exception) -> None:
        self.name = "mongo"
        self.starts = 0
        self._failures = list(failures)
        self._ended = asyncio.Event()
        self._ended.set()
        self.is_up = asyncio.Event()

    async def wait(self) -> int:
        await self._ended.wait()
        return 14

    async def start(self) -> None:
        self.starts += 1
        if self._failures:
            raise self._failures.pop(0)
        self._ended.clear()
        self.is_up.set()

    def end(self) -> None:
        self.is_up.clear()
        self._ended.set()


def full_disk(folder: Path) -> list[Exception]:
    return [OSError(28, "No space left on device"), StartFailed("mongo", "ended at once", folder / "mongo.log")]


async def test_a_server_that_a_full_disk_keeps_from_starting_is_tried_until_it_starts(tmp_path: Path) -> None:
    server, other = Flaky(*full_disk(tmp_path), *full_disk(tmp_path)), Flaky()
    keeping = asyncio.create_task(_keep_up([server, other], 0.001, 0.002))  # type: ignore[list-item]
    async with asyncio.timeout(5):
        await asyncio.gather(server.is_up.wait(), other.is_up.wait())
        server.end()
        await server.is_up.wait()
    assert (server.starts, other.starts) == (6, 1)
    assert not keeping.done()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
