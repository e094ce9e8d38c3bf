"""Right of way for urgent messages, timers that fail, writes whose answer never comes, a producer turned away."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer

from deploy.embedded import Servers
from shared.clock import TurnableClock
from shared.contracts import topics
from shared.messaging.envelope import Outgoing
from shared.messaging.errors import WillNotPass
from shared.messaging.host import Host
from shared.messaging.kafka import Bus
from tests.system.messaging.proxy import cutting
from tests.system.messaging.toy import assemble_toy
from tests.system.messaging.world import HR_GROUP, World, figure, percentile, until

MASS = 100_000


async def test_urgent_messages_have_right_of_way(around: World) -> None:
    await around.mass(MASS)
    toy = await around.ready_toy()
    heard = AIOKafkaConsumer(
        around.settings.topic(topics.PERSON_FACTS.urgent.name),
        bootstrap_servers=around.settings.kafka,
        fetch_max_wait_ms=50,
    )
    await heard.start()
    waits: list[float] = []
    try:
        for number in range(100):
            start = time.perf_counter()
            await around.send(f"urgent{number}", topic=topics.HR_URGENT.name)
            await heard.getone()
            waits.append(time.perf_counter() - start)
            await asyncio.sleep(0.005)
    finally:
        await heard.stop()
    waiting = await around.lag()
    await toy.kill()
    p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
    figure(f"urgent while {waiting} ordinary ones wait: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")
    assert waiting > 1000, "the mass was done before: nothing was measured"


async def test_a_timer_that_fails_backs_off_and_is_parked(around: World) -> None:
    clock = TurnableClock(datetime(2026, 1, 1, tzinfo=UTC))
    settings = around.settings.model_copy(update={"timer_poll_s": 0.05})
    async with Host(settings, {"toy": assemble_toy}, clock) as host:
        await around.send("bad", ring=1, badRing=True)
        for number in range(3):
            await around.send(f"good{number}", ring=1)
        await around.flush()

        async def tell(what: str) -> float:
            return (await host.wellbeing())["toy"][what]

        async def all_heard() -> bool:
            return len(await around.documents()) == 4

        await until(all_heard, "all are stored")
        failures = 0
        clock.turn(timedelta(seconds=2))

        async def failed_once_more() -> bool:
            return (await around.documents())["bad"].get("timer", {}).get("failures", 0) > failures

        for failures in range(8):
            await until(failed_once_more, f"the timer fails the {failures + 1}. time", 10)
            timer = (await around.documents())["bad"]["timer"]
            if failures < 7:
                assert timer["until"].replace(tzinfo=UTC) - clock.now() > timedelta(seconds=2 ** (failures + 1) - 1)
                clock.turn(timedelta(seconds=2 ** (failures + 1) + 1))
        await until(lambda: tell("parked"), "it is parked")
        documents = await around.documents()
        assert all(not documents[f"good{number}"]["state"]["rings"] for number in range(3))
        assert await tell("overdue_s") == 0
        assert host.ready


async def test_a_write_whose_answer_never_comes_is_applied_once(around: World, servers: Servers) -> None:
    async with cutting(servers.mongo.port, lambda data: b"stamp\0" in data and b"outbox\0" in data) as proxy:
        uri = servers.endpoints.mongo.replace(str(servers.mongo.port), str(proxy.port))
        toy = await around.ready_toy(mongo=uri)
        # The driver tries a write again by itself, once: three cuts are an outcome that nobody knows.
        for cuts in (1, 2, 3):
            proxy.cuts = cuts
            await around.load(100, people=10)
            await around.settled()
        proxy.cuts = 3
        said = await around.command(toy, "p1", "c1")
        assert "version" in said or "version" in await around.command(toy, "p1", "c1")
        assert proxy.cut >= 6
        figure(f"{proxy.cut} writes cut from their answers, {await around.holds()} facts repeated")


async def test_a_producer_that_was_turned_away_is_replaced(around: World) -> None:
    bus = Bus(around.settings)
    await bus.connect()
    try:
        fine = Outgoing(topics.PERSON_FACTS.name, b"p1", b"{}")
        await bus.publish([fine])
        with pytest.raises(WillNotPass, match="larger"):
            await bus.publish([Outgoing(topics.PERSON_FACTS.name, b"p1", b"x" * 1_500_000)])
        # Without a new one: OutOfOrderSequenceNumber, for ever.
        await asyncio.gather(*(bus.publish([fine]) for _ in range(10)))
    finally:
        await bus.stop()
    assert len(await around.records(topics.PERSON_FACTS.name)) == 11


async def test_an_unexpected_end_of_a_batch_does_not_hold_its_partition(around: World) -> None:
    """A state that MongoDB cannot hold fails a whole batch of good ones; only it is set aside."""
    for number in range(50):
        await around.send(f"p{number}")
    around.set_aside.add(await around.send("p1", unstorable=True))
    for number in range(50):
        await around.send(f"p{number}")
    await around.flush()
    await around.ready_toy()
    await around.holds()
    assert len(await around.records(f"{HR_GROUP}.dead-letters")) == 1
