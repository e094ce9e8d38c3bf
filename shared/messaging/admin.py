"""The deploy step for topics: makes what the table lists and the groups' dead letters need, and changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.topics import QUARTER, TABLE, Topic
from shared.messaging.deadletters import topic_of
from shared.messaging.errors import MayPass
from shared.settings import Settings

MAKING_S = 30.0
"""How long topics may take to appear."""
LARGEST_LETTER = 2 * 1024 * 1024
"""Bytes. The largest record that any topic takes (1 MiB), its headers as base64, and what we add."""


async def learn(consumer: AIOKafkaConsumer, names: Iterable[str]) -> None:
    """Have a consumer learn of all these topics with one question, before it is asked for offsets.

    Left to itself it asks anew for each topic that it does not know and pauses after each: 15 s for 150 topics."""
    client = consumer._client
    await asyncio.gather(*[client.add_topic(name) for name in names])


async def _served(settings: Settings, topics: Sequence[NewTopic]) -> None:
    """Wait until every partition answers: one that was just made says 'not leader' for a moment."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka.split(","), **settings.kafka_security())
    await consumer.start()
    try:
        await learn(consumer, [topic.name for topic in topics])
        # Asks each leader, and again until it answers.
        await consumer.end_offsets([TopicPartition(t.name, n) for t in topics for n in range(t.num_partitions)])
    finally:
        await consumer.stop()


async def _made(admin: AIOKafkaAdminClient, wanted: Sequence[NewTopic]) -> list[NewTopic]:
    """Ask until all are listed: a controller that loses its office while it makes them answers for a part only."""
    made: dict[str, NewTopic] = {}
    deadline = time.monotonic() + MAKING_S
    while True:
        there = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in there]
        if not missing:
            return list(made.values())
        response = await admin.create_topics(missing, timeout_ms=30_000)
        refused = [
            f"{name}: {for_code(code).__name__}"
            for name, code, *_ in response.topic_errors
            if code and for_code(code) is not TopicAlreadyExistsError
        ]
        made.update((topic.name, topic) for topic in missing)
        if time.monotonic() > deadline:
            waiting = refused or [topic.name for topic in missing]
            raise MayPass(f"Kafka does not make {len(missing)} topics, such as {waiting[0]}")
        await asyncio.sleep(0.1)


async def have_read(settings: Settings, groups: Iterable[str]) -> list[str]:
    """Those of the consumer groups that have committed anything. Raises MayPass while Kafka is away."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.split(","), **settings.kafka_security())
    try:
        await admin.start()
        known = {name for name, *_ in await admin.list_consumer_groups()}
        found = []
        for group in groups:
            if (name := settings.topic(group)) in known:
                offsets = await admin.list_consumer_group_offsets(name)
                if any(one.offset > 0 for one in offsets.values()):
                    found.append(group)
        return found
    except KafkaError as problem:
        raise MayPass(f"Kafka: {type(problem).__name__}: {problem}") from problem
    finally:
        await admin.close()


async def create_topics(settings: Settings, groups: Sequence[str], table: Sequence[Topic] = TABLE) -> list[str]:
    """Make the topics of `table` and the groups' dead letters that are missing; returns their names.
    Safe from several processes at once.

    Raises MayPass while Kafka is away."""
    wanted = [
        NewTopic(
            settings.topic(topic.name),
            topic.partitions or settings.partitions,
            settings.replication,
            topic_configs={
                "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
                "cleanup.policy": "delete",
                "min.insync.replicas": "2" if settings.replication > 2 else "1",
            },
        )
        for topic in table
    ]
    retention = str(int(QUARTER.total_seconds() * 1000))
    wanted += [
        NewTopic(
            settings.topic(topic_of(group)),
            1,
            settings.replication,
            topic_configs={"retention.ms": retention, "max.message.bytes": str(LARGEST_LETTER)},
        )
        for group in groups
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.split(","), **settings.kafka_security())
    try:
        await admin.start()
        made = await _made(admin, wanted)
        if made:
            await _served(settings, made)
        return [topic.name for topic in made]
    except KafkaError as problem:
        raise MayPass(f"Kafka: {type(problem).__name__}: {problem}") from problem
    finally:
        await admin.close()
