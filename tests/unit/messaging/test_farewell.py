"""Whoever is told to stop stops, whether Kafka answers or not."""

from __future__ import annotations

import asyncio
import time

import pytest

from shared.messaging.host import farewell


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
