"""Who goes first: decisions before what nobody waits for, which is never starved."""

from __future__ import annotations

import asyncio

from shared.messaging.lanes import RightOfWay

LONG, SHORT = 30.0, 0.01


async def test_a_lull_comes_when_the_last_decision_is_over() -> None:
    way = RightOfWay()
    await asyncio.wait_for(way.lull(LONG), 1)  # nothing is being decided

    with way.decision():
        with way.decision():
            waiting = asyncio.create_task(way.lull(LONG))
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done(), "one of the two goes on"
    await asyncio.wait_for(waiting, 1)


async def test_a_decision_that_fails_is_over_too() -> None:
    way = RightOfWay()
    try:
        with way.decision():
            raise ZeroDivisionError
    except ZeroDivisionError:
        await asyncio.wait_for(way.lull(LONG), 1)


async def test_without_a_lull_what_comes_last_goes_on_in_the_end() -> None:
    way = RightOfWay()
    with way.decision():
        await asyncio.wait_for(way.lull(SHORT), 5)
