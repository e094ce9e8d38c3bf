"""Provisioning on real Kafka and MongoDB: a holding in, a command out, its answer in, deliveries out."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.embedded import Servers
from services.provisioning.service import assemble
from shared.contracts import topics
from shared.contracts.assignment import GrantGiven, GrantState, GrantTaken, HoldingFact, HoldingState
from shared.contracts.base import Cause, Fact, Lane, Transition
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import (
    GroupDeleted,
    GroupFact,
    GroupState,
    MemberRemoved,
    MembershipObeyed,
    MembershipsFact,
    MembershipsState,
    MembershipState,
    MembershipWish,
    SetMemberships,
)
from shared.contracts.provisioning import DeliveriesFact
from shared.contracts.topics import Topic
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from tests.waiting import PATIENCE_S, until

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
SALES = ResourceRole(origin_id="sales", display_name="Sales")


class World:
    """The service, and the others played by the test: assignment (holdings) and directory (answers)."""

    def __init__(self, settings: Settings, host: Host, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> None:
        self.settings, self.host = settings, host
        self._producer, self._consumer = producer, consumer
        self.commands: list[SetMemberships] = []
        self.facts: list[DeliveriesFact] = []
        self.lanes: list[str] = []
        app = make_app("provisioning", host.services["provisioning"].routers)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")

    async def say(self, topic: Topic, key: str, fact: Fact) -> None:
        await self._producer.send_and_wait(self.settings.topic(topic.name), fact.json_bytes(), key=key.encode())

    async def until(self, there: Callable[[], Any]) -> None:
        """Read until it holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not there():
                for records in (await self._consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        self.lanes.append(record.topic)
                        if "commands" in record.topic:
                            self.commands.append(SetMemberships.model_validate_json(record.value))
                        else:
                            self.facts.append(DeliveriesFact.model_validate_json(record.value))

    @property
    def wishes(self) -> list[MembershipWish]:
        return [wish for command in self.commands for wish in command.wishes]

    def said(self) -> list[str]:
        return [one.type for fact in self.facts for one in fact.transitions]


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    settings = Settings(
        kafka=servers.endpoints.kafka,
        mongo=servers.endpoints.mongo,
        namespace=f"prov-{uuid.uuid4().hex[:8]}",
        timer_poll_s=0.1,
    )
    host = Host(settings, {"provisioning": assemble})
    await create_topics(settings, groups_of(list(host.services.values())))
    heard = [
        settings.topic(topic.name)
        for kind in (topics.MEMBERSHIP_COMMANDS, topics.DELIVERY_FACTS)
        for topic in topics.lanes_of(kind)
    ]
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    consumer = AIOKafkaConsumer(*heard, bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        async with host:
            yield World(settings, host, producer, consumer)
    finally:
        await consumer.stop()
        await producer.stop()


def cause(id: str) -> Cause:
    return Cause(id=id, correlation="hr-1", actor="source:hr")


def holding(version: int, *, wanted: bool) -> HoldingFact:
    given = GrantState(role=SALES, assignments=("a",), deliver=True, version=version)
    return HoldingFact(
        id=f"holding:ana:{version}",
        cause=cause("change"),
        subject="ana",
        version=version,
        at=NOW,
        transitions=((GrantGiven if wanted else GrantTaken)(role=SALES, version=version),),
        state=HoldingState(person_id="ana", grants=(given,) if wanted else ()),
    )


def answer(wish: MembershipWish, version: int) -> MembershipsFact:
    obeyed = MembershipObeyed(group_id="sales", command_id=wish.id, grant_version=wish.grant_version)
    return memberships(version, obeyed, member=wish.member)


def memberships(version: int, *said: Transition, member: bool) -> MembershipsFact:
    there = (MembershipState(group_id="sales", member=True, by_grant=True),) if member else ()
    return MembershipsFact(
        id=f"memberships:ana:{version}",
        cause=cause("command"),
        subject="ana",
        version=version,
        at=NOW,
        transitions=said,
        state=MembershipsState(person_id="ana", groups=there),
    )


async def test_a_grant_becomes_a_command_and_its_answer_a_delivery_and_drift_is_repaired(world: World) -> None:
    for _ in range(2):  # a holding that comes twice
        await world.say(topics.HOLDING_FACTS, "ana", holding(1, wanted=True))
    await world.until(lambda: world.commands)
    for _ in range(2):
        await world.say(topics.MEMBERSHIP_FACTS, "ana", answer(world.wishes[0], 1))
    await world.until(lambda: world.facts)
    assert world.said() == ["Delivered"]
    assert [(fact.version, fact.state.deliveries[0].said_in) for fact in world.facts] == [(1, 1)]
    assert {fact.cause.correlation for fact in world.facts} == {"hr-1"}
    assert len(world.commands) == 1
    (shown,) = (await world.http.get("/v1.0/tenure/people/ana/deliveries")).raise_for_status().json()["value"]
    assert (shown["status"], shown["version"], shown["role"]["originId"]) == ("delivered", 1, "sales")

    gone = memberships(2, MemberRemoved(group_id="sales"), member=False)
    await world.say(topics.MEMBERSHIP_FACTS, "ana", gone)

    async def drifted() -> Any:
        return (await world.http.get("/v1.0/tenure/reconciliation")).json()["drift"]

    drift = await until(drifted, "somebody is missing")
    assert [(one["personId"], one["resource"], one["expected"]) for one in drift] == [("ana", "sales", True)]
    repaired = (await world.http.post("/v1.0/tenure/reconciliation/repair")).raise_for_status().json()
    assert repaired["repaired"] == 1
    await world.until(lambda: len(world.commands) == 2 and "DriftFound" in world.said())
    assert (world.wishes[1].member, world.wishes[1].grant_version) == (True, 1)
    await world.say(topics.MEMBERSHIP_FACTS, "ana", answer(world.wishes[1], 3))
    await world.until(lambda: world.said()[-1] == "Delivered")
    assert (await world.http.get("/v1.0/tenure/reconciliation")).json()["drift"] == []


async def test_an_urgent_leaver_is_taken_out_in_the_urgent_lane_all_the_way(world: World) -> None:
    await world.say(topics.HOLDING_FACTS, "ana", holding(1, wanted=True))
    await world.until(lambda: world.commands)
    await world.say(topics.HOLDING_FACTS.urgent, "ana", holding(2, wanted=False))
    await world.until(lambda: len(world.commands) == 2)
    removal = world.wishes[1]
    assert (removal.member, world.commands[1].cause.lane) == (False, Lane.URGENT)
    await world.say(topics.MEMBERSHIP_FACTS.urgent, "ana", answer(removal, 2))
    await world.until(lambda: "Removed" in world.said())
    # The slow "give" is obeyed by nobody: its answer settles nothing, and the older holding does not come back.
    await world.say(topics.MEMBERSHIP_FACTS, "ana", answer(world.wishes[0], 1))
    await world.say(topics.HOLDING_FACTS, "ana", holding(1, wanted=True))
    await world.say(topics.HOLDING_FACTS, "ana", holding(3, wanted=True))
    await world.until(lambda: len(world.commands) == 3)
    assert [one.grant_version for one in world.wishes] == [1, 2, 3]
    assert sum(name.endswith("deliveries.urgent") for name in world.lanes) == 1


async def test_a_deleted_group_fails_its_deliveries(world: World) -> None:
    await world.say(topics.HOLDING_FACTS, "ana", holding(1, wanted=True))
    await world.until(lambda: world.commands)
    state = GroupState(id="sales", display_name="Sales", created_at=NOW, deleted_at=NOW)
    deleted = GroupFact(
        id="group:sales:2",
        cause=cause("x"),
        subject="sales",
        version=2,
        at=NOW,
        transitions=(GroupDeleted(),),
        state=state,
    )
    await world.say(topics.GROUP_FACTS, "sales", deleted)
    await world.until(lambda: "DeliveryFailed" in world.said())
    problem = world.facts[-1].state.deliveries[0].problem
    assert problem is not None
    assert problem.code == "groupDeleted"
