"""Processes, broker and database are killed, paused and stopped under load: the ledger holds, and readiness tells."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deploy.embedded import Servers
from tests.system.messaging.world import Nursery, Toy, World, figure, make_topics, until, world_of

SEED = 7


async def red(toy: Toy, where: str) -> bool:
    return any(where in found for found in (await toy.troubles()).values())


async def killed_at_any_moment(around: World) -> None:
    moments = random.Random(SEED)
    load = asyncio.create_task(around.load(5_000, people=100, per_s=600))
    for _ in range(5):
        toy = await around.ready_toy()
        await asyncio.sleep(moments.uniform(0.05, 0.8))
        await around.command(toy, f"p{moments.randrange(100)}")
        await toy.kill()
    last = await around.ready_toy()
    for id in [id for id in around.sent if id.startswith("c")]:
        await around.command(last, around.people[id], id)
    await load
    figure(f"kill -9 five times: {await around.holds()} facts repeated of {len(around.sent)} (seed {SEED})")


async def paused_until_its_partitions_had_gone(around: World) -> None:
    zombie = await around.ready_toy(TOY_SESSION_MS="10000")
    load = asyncio.create_task(around.load(4_000, people=50, per_s=400))
    await asyncio.sleep(1)
    zombie.signal(signal.SIGSTOP)
    heir = await around.toy(TOY_SESSION_MS="10000")
    start = time.monotonic()
    await load
    await around.settled()
    assert heir.end.done() is False
    taken_over = time.monotonic() - start
    await asyncio.sleep(max(0.0, 11 - taken_over))
    more = asyncio.create_task(around.load(500, people=50, per_s=500))
    zombie.signal(signal.SIGCONT)
    await more
    repeats = await around.holds()
    figure(f"zombie: taken over and settled after {taken_over:.1f} s, {repeats} facts repeated of {len(around.sent)}")


async def one_three_one_replicas(around: World) -> None:
    toys = [await around.ready_toy()]
    load = asyncio.create_task(around.load(6_000, people=100, per_s=800))
    await asyncio.sleep(1)
    toys += await asyncio.gather(around.ready_toy(), around.ready_toy())
    await asyncio.sleep(2)
    assert [await toy.stop() for toy in toys[:2]] == [0, 0]
    await load
    repeats = await around.holds()
    figure(f"rebalance 1 -> 3 -> 1: {repeats} facts repeated of {len(around.sent)}")
    assert repeats < 300


PROCESS_FAULTS = (killed_at_any_moment, paused_until_its_partitions_had_gone, one_three_one_replicas)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def runs(servers: Servers, home: Nursery) -> AsyncIterator[dict[Any, asyncio.Task[None]]]:
    """All at once, each in a namespace of its own: most of each is waiting."""

    async def run(fault: Any) -> None:
        async with world_of(servers, home) as around:
            await fault(around)

    tasks = {fault: asyncio.create_task(run(fault)) for fault in PROCESS_FAULTS}
    yield tasks
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.parametrize("fault", PROCESS_FAULTS)
async def test_a_process_is(runs: dict[Any, asyncio.Task[None]], fault: Any) -> None:
    await runs[fault]


async def test_whoever_is_started_after_a_kill_need_not_wait_for_the_place_of_the_dead(around: World) -> None:
    # A session as long as a test may take: were its end waited for, nothing would happen in time.
    long = {"TOY_SESSION_MS": "100000"}
    toy = await around.ready_toy(**long)
    await around.load(200)
    await around.settled()
    await toy.kill()
    start = time.monotonic()
    heir = await around.ready_toy(**long)
    await around.load(200)
    await around.settled()
    figure(f"settled {time.monotonic() - start:.1f} s after a kill, with sessions of 100 s")
    assert not heir.end.done()
    await around.holds()


@pytest.mark.parametrize("server", ["kafka", "mongo"])
async def test_a_server_is_killed_and_comes_back(around: World, servers: Servers, server: str) -> None:
    toy = await around.ready_toy()
    load = asyncio.create_task(around.load(3_000, people=50, per_s=500))
    await asyncio.sleep(1)
    await getattr(servers, server).kill()
    await getattr(servers, server).start()
    await load
    figure(f"{server} killed: {await around.holds()} facts repeated of {len(around.sent)}")
    await until(toy.ready, "readiness is green again")


@pytest.mark.parametrize(("server", "seconds"), [("kafka", 20.0), ("mongo", 15.0)])
async def test_a_server_stays_away(around: World, servers: Servers, server: str, seconds: float) -> None:
    toy = await around.ready_toy()
    load = asyncio.create_task(around.load(2_000, people=50, per_s=500))
    await asyncio.sleep(1)
    command = asyncio.create_task(around.command(toy, "p1", "c1"))
    await getattr(servers, server).stop()
    start = time.monotonic()
    try:
        await until(lambda: red(toy, server), "readiness turns red", 12)
        turned = time.monotonic() - start
        during = await around.command(toy, "p2", "c2")
        assert "unknown" in during or "version" in during
        answered = time.monotonic() - start - turned
        assert answered < 12, "an HTTP caller does not wait for ever"
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - start)))
    finally:
        await getattr(servers, server).start()
    back = time.monotonic()
    await until(toy.ready, f"readiness is green again: {await toy.troubles()}")
    green = time.monotonic() - back
    await command
    for id, person in (("c1", "p1"), ("c2", "p2")):
        assert "version" in await around.command(toy, person, id)
    await load
    repeats = await around.holds()
    figure(f"{server} away for {seconds:.0f} s: red after {turned:.1f} s, green {green:.1f} s after it was back, "
          f"{repeats} facts repeated of {len(around.sent)}")  # fmt: skip
    assert await toy.ready()


@pytest.mark.parametrize("server", ["kafka", "mongo"])
async def test_a_toy_started_before_its_servers_waits_for_them(around: World, servers: Servers, server: str) -> None:
    await getattr(servers, server).stop()
    try:
        toy = await around.toy()
        await until(lambda: red(toy, "start"), "it says what it waits for")
        await until(lambda: red(toy, f"start.{server}"), "it says what it waits for", 15)
        assert not await toy.ready()
    finally:
        await getattr(servers, server).start()
    await until(toy.ready, "it starts as soon as it can")
    await around.load(50)
    await around.holds()


async def test_a_missing_topic_is_named(around: World) -> None:
    namespace = f"{around.settings.namespace}x"
    toy = await around.toy(namespace=namespace)

    async def named() -> bool:
        return f"no topic {namespace}." in str(await toy.troubles())

    await until(named, "the missing topics are named")
    await make_topics(around.settings.model_copy(update={"namespace": namespace}))
    await until(toy.ready, "it starts as soon as they are made")
