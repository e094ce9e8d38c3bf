"""A write that was acknowledged is known to every service: how long after the answer the last of them has it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from motor.motor_asyncio import AsyncIOMotorClient

from shared.contracts import topics
from shared.contracts.topics import Topic
from tests.bench.calls import EM, Calls, calls
from tests.bench.ground import LOOK_S, Failed, Ground, Tenure
from tests.bench.latency import LONGEST_S, percentile
from tests.bench.rewriting import DURABLE

UNWATCHED = "audit"
"""It keeps what was said and decides nothing by it."""


async def known(ground: Ground, tenure: Tenure) -> dict[str, Any]:
    """Groups, packages, policies and people in turn, one at a time on an idle Tenure.

    Known is what every consumer of its topic has committed: the write to its own database came before."""
    ground.say(f"known: {ground.sizes.writes} writes of each kind")
    took: dict[str, list[float]] = {}
    async with calls(tenure) as client:
        catalog = await client.made(f"{EM}/catalogs", {"displayName": "Known"})
        package = await client.package("Known", catalog, {"allowedTargetScope": "allMemberUsers"})
        writes = _writes(client, catalog, package)
        for number in range(ground.sizes.writes + 1):
            for kind, (topic, write) in writes.items():
                await tenure.drained(calm=1)
                await write(f"known-{kind}-{number}")
                begun = time.perf_counter()
                await _heard(tenure, topic)
                if number:  # the first are not measured
                    took.setdefault(kind, []).append((time.perf_counter() - begun) * 1000)
    every = [one for some in took.values() for one in some]
    bare = await _bare(ground, max(10, ground.sizes.writes))
    return {
        "p50_ms": percentile(every, 50),
        "p99_ms": percentile(every, 99),
        "by_kind_p99_ms": {kind: percentile(some, 99) for kind, some in took.items()},
        "bare_p50_ms": percentile(bare, 50),
        "ratio": round(percentile(bare, 50) / (percentile(every, 50) or 1.0), 3),
    }


def _writes(client: Calls, catalog: str, package: str) -> dict[str, tuple[Topic, Callable[[str], Awaitable[Any]]]]:
    def policy(name: str) -> Awaitable[Any]:
        body = {"displayName": name, "accessPackage": {"id": package}, "allowedTargetScope": "allMemberUsers"}
        return client.made(f"{EM}/assignmentPolicies", body)

    def of_package(name: str) -> Awaitable[Any]:
        return client.made(f"{EM}/accessPackages", {"displayName": name, "catalog": {"id": catalog}})

    return {
        "group": (topics.GROUP_FACTS, client.group),
        "package": (topics.PACKAGE_FACTS, of_package),
        "policy": (topics.POLICY_FACTS, policy),
        "person": (topics.PERSON_FACTS, client.person),
    }


async def _heard(tenure: Tenure, topic: Topic) -> None:
    """Wait until every service that hears the topic has done with all of it. Raises Failed."""
    groups = [
        group for group, names in tenure.groups.items() if topic.name in names and not group.startswith(f"{UNWATCHED}.")
    ]
    deadline = time.monotonic() + LONGEST_S
    while any(await asyncio.gather(*(tenure.waiting(group) for group in groups))):
        if time.monotonic() > deadline:
            raise Failed(f"{topic.name} was not heard by everybody within {LONGEST_S:.0f} s")
        await asyncio.sleep(LOOK_S / 10)


async def _bare(ground: Ground, count: int) -> list[float]:
    """Milliseconds from a record's acknowledgement until another has read it, written one document and committed."""
    name = ground.namespace("known")
    motor: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(ground.mongo)
    into = motor[name].get_collection("facts", write_concern=DURABLE)
    took = []
    admin = AIOKafkaAdminClient(bootstrap_servers=ground.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=ground.kafka) as producer:
        await producer.send_and_wait(name, b"first")
        async with AIOKafkaConsumer(
            name, bootstrap_servers=ground.kafka, group_id=name, enable_auto_commit=False, auto_offset_reset="earliest"
        ) as consumer:
            for number in range(count + 1):
                if number:
                    await producer.send_and_wait(name, uuid.uuid4().bytes)
                begun = time.perf_counter()
                record = await asyncio.wait_for(consumer.getone(), LONGEST_S)
                await into.replace_one({"_id": number}, {"body": record.value}, upsert=True)
                await consumer.commit()
                if number:
                    took.append((time.perf_counter() - begun) * 1000)
    await motor.drop_database(name)
    motor.close()
    return took
