"""Who goes first: decisions before what nobody waits for, which is never starved, and is not held up once expected."""

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


async def test_what_somebody_waits_for_does_not_stand_aside_for_the_decision_that_waits() -> None:
    way = RightOfWay()
    with way.decision():
        aside, gathering = asyncio.create_task(way.lull(LONG)), asyncio.create_task(way.leisure(LONG))
        await asyncio.sleep(0)
        with way.expecting():
            await asyncio.wait_for(asyncio.gather(aside, gathering), 1)
            await asyncio.wait_for(way.lull(LONG), 1)
            assert way.is_expected
        assert not way.is_expected
        later = asyncio.create_task(way.lull(LONG))
        await asyncio.sleep(0)
        assert not later.done(), "the decision goes on, and nobody waits"
    await asyncio.wait_for(later, 1)
