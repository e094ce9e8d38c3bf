"""Assignment on real servers, with directory, catalog and provisioning played by the test: their contracts are all it
knows."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.embedded import Servers
from services.assignment.service import assemble
from shared.clock import Clock, TurnableClock
from shared.contracts import topics
from shared.contracts.assignment import HoldingFact, HoldingState, RuleJobFact, UseAnswer
from shared.contracts.base import Cause, Contract, Fact
from shared.contracts.topics import Topic
from shared.messaging.admin import create_topics
from shared.messaging.envelope import outgoing
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from tests.waiting import until

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = itertools.count(1)


async def all_taken(host: Host) -> bool:
    """Whether the service has taken everything that is said by now, its replicas included."""
    heard = {topic.name: None for one in host.services["assignment"].subscriptions for topic in one.topics}
    return await (await host.buses["assignment"].said_so_far(heard))()


class Surroundings:
    """Everything around the service: says facts, and hears what the service says."""

    def __init__(self, settings: Settings, clock: TurnableClock) -> None:
        self.settings = settings
        self.clock = clock
        self.hosts: list[Host] = []
        self.facts: list[HoldingFact] = []
        self.jobs: list[RuleJobFact] = []
        self.answers: list[UseAnswer] = []
        self._producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
        self._topics: dict[str, tuple[type[Contract], list[Any]]] = {}
        for topic, kept in (
            *((t, self.facts) for t in topics.lanes_of(topics.HOLDING_FACTS)),
            (topics.RULE_JOB_FACTS, self.jobs),
            (topics.USE_ANSWERS, self.answers),
        ):
            self._topics[settings.topic(topic.name)] = (topic.contract, kept)  # type: ignore[assignment]
        self._consumer = AIOKafkaConsumer(
            *self._topics, bootstrap_servers=settings.kafka, auto_offset_reset="earliest", metadata_max_age_ms=1000
        )
        self._ear: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await asyncio.gather(self._producer.start(), self._consumer.start())
        self._ear = asyncio.create_task(self._hear())

    async def stop(self) -> None:
        if self._ear:
            self._ear.cancel()
        await asyncio.gather(self._producer.stop(), self._consumer.stop())

    async def _hear(self) -> None:
        async for record in self._consumer:
            contract, kept = self._topics[record.topic]
            kept.append(contract.model_validate_json(record.value))

    async def say(self, topic: Topic, *facts: Fact, key: str | None = None) -> None:
        """Published and acknowledged."""
        for fact in facts:
            record = outgoing(topic, key or fact.subject, fact, source="test", at=fact.at)
            await self._producer.send(
                self.settings.topic(record.topic),
                record.value,
                key=record.key,
                headers=[(name, value.encode()) for name, value in record.headers],
            )
        await self._producer.flush()

    def state(self, person: str) -> HoldingState:
        """What was said last of this person."""
        mine = [fact for fact in self.facts if fact.subject == person]
        return max(mine, key=lambda fact: fact.version).state if mine else HoldingState(person_id=person)

    def packages(self, person: str) -> set[str]:
        return {one.package_id for one in self.state(person).assignments}

    async def holds(self, person: str, *packages: str) -> HoldingState:
        """Wait until the person holds exactly these."""

        async def find() -> bool:
            return self.packages(person) == set(packages)

        await until(find, f"{person} holds {packages}, not {self.packages(person)}")
        return self.state(person)

    async def read_all(self, host: int = 0) -> None:
        """Wait until the service has nothing left to read and no job is on its way."""
        settled = self.hosts[host]

        async def find() -> bool:
            database = settled.platforms["assignment"].database
            running = await database.collection("rule_jobs").count_documents({"state.done": False})
            return not running and await all_taken(settled)

        await until(find, "everything is read and every job done")

    def client(self, host: int = 0) -> httpx.AsyncClient:
        """The service's HTTP API."""
        app = make_app("assignment", self.hosts[host].services["assignment"].routers, hosts=None)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


@asynccontextmanager
async def surroundings(
    servers: Servers, replicas: int = 1, clock: Clock | None = None, *, timers: bool = True, **settings: Any
) -> AsyncIterator[Surroundings]:
    """The service, as many replicas of it as asked, in a namespace of its own; without `timers` no date ever comes."""
    known = Settings(
        kafka=servers.endpoints.kafka,
        mongo=servers.endpoints.mongo,
        namespace=f"as{next(_numbers)}-{time.time_ns() % 10**9}",
        **{"timer_poll_s": 0.05, "partitions": 2, **settings},
    )
    turnable = clock if isinstance(clock, TurnableClock) else TurnableClock(NOW)
    hosts = [Host(known, {"assignment": assemble}, clock=turnable) for _ in range(replicas)]
    for host in [] if timers else hosts:
        host.services["assignment"].timers = []
    await create_topics(known, groups_of(list(hosts[0].services.values())))
    around = Surroundings(known, turnable)
    around.hosts = hosts
    await around.start()
    try:
        await asyncio.gather(*(host.__aenter__() for host in hosts))
        try:
            yield around
        finally:
            await asyncio.gather(*(host.__aexit__() for host in hosts))
    finally:
        await around.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def around(servers: Servers) -> AsyncIterator[Surroundings]:
    """One replica, shared by the tests of a module: they keep to people and packages of their own."""
    async with surroundings(servers) as one:
        yield one


def cause(id: str, actor: str = "source:hr") -> Cause:
    return Cause(id=id, correlation=id, actor=actor)
