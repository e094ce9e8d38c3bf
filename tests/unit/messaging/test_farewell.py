"""Whoever is told to stop stops, whether Kafka answers or not, and whatever one step of it raises."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.messaging.host import Host
from shared.messaging.service import Service
from shared.messaging.stopping import farewell
from shared.settings import Settings


async def test_who_is_not_answered_is_not_waited_for() -> None:
    left: list[str] = []

    async def prompt() -> None:
        left.append("prompt")

    async def unanswered() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            left.append("given up")

    began = time.monotonic()
    await farewell([unanswered(), prompt()], 0.05)
    assert time.monotonic() - began < 5
    assert left == ["prompt", "given up"]


async def test_what_fails_while_stopping_is_told() -> None:
    async def failing() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await farewell([failing()], 1.0)


class Leaving:
    """A bus that notes how it is taken leave of."""

    def __init__(self, left: list[str], *, deaf: str = "", stuck: str = "") -> None:
        self._left = left
        self._deaf = deaf
        self._stuck = stuck

    async def hear_no_more(self) -> None:
        if self._deaf:
            raise RuntimeError(self._deaf)
        await asyncio.sleep(0)  # a batch in hand
        self._left.append("heard to the end")

    async def stop(self) -> None:
        self._left.append("stopped")
        if self._stuck:
            raise RuntimeError(self._stuck)


async def stopped(*buses: Any, left: list[str]) -> BaseException | None:
    """What a host with these buses, and something in the background, raises when it is left."""

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("last word")

    names = [f"service-{number}" for number, _ in enumerate(buses)]
    host = Host(Settings(), {name: lambda platform: Service(platform.service, stores=[]) for name in names})
    host.buses.update(zip(names, buses, strict=True))
    host._tasks.append(asyncio.create_task(background()))
    await asyncio.sleep(0)
    try:
        await host.__aexit__()
    except RuntimeError as problem:
        return problem
    finally:
        with pytest.raises(Exception, match="after close"):
            await host._client.check()
    return None


ALL = ["heard to the end", "last word", "stopped", "stopped", "stopped"]


async def test_one_bus_that_cannot_end_keeps_nothing_else_from_ending() -> None:
    left: list[str] = []
    with capture_logs() as logs:
        problem = await stopped(Leaving(left, deaf="one"), Leaving(left, deaf="two"), Leaving(left), left=left)
    assert left == ALL
    assert str(problem) == "one"
    assert [str(line["exc_info"]) for line in logs if line["log_level"] == "error"] == ["two"]


async def test_what_fails_early_and_what_fails_late_are_both_told() -> None:
    left: list[str] = []
    problem = await stopped(Leaving(left, deaf="early"), Leaving(left, stuck="late"), Leaving(left), left=left)
    assert left == ["heard to the end", *ALL]
    assert str(problem) == "late"
    assert problem is not None
    assert str(problem.__context__) == "early"
