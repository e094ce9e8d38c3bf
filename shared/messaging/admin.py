"""The deploy step for topics: makes what the table lists and the groups' dead letters need, and changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.structs import OffsetAndMetadata

from shared.contracts.topics import LARGEST_LETTER, QUARTER, TABLE, Topic
from shared.messaging.deadletters import topic_of
from shared.messaging.errors import MayPass
from shared.settings import Settings

MAKING_S = 30.0
"""How long topics may take to appear."""
OFFSETS_S = 15.0
"""How long a broker that has just started may take to know its groups."""
_ASK_AGAIN_S = 0.2


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


async def partitions_of(
    admin: AIOKafkaAdminClient, settings: Settings, names: Iterable[str]
) -> dict[str, list[TopicPartition]]:
    """The partitions of each of these topics, by its name."""
    full = {settings.topic(name): name for name in names}
    return {
        full[one["topic"]]: [TopicPartition(one["topic"], number["partition"]) for number in one["partitions"]]
        for one in await admin.describe_topics(list(full))
    }


async def committed_offsets(
    admin: AIOKafkaAdminClient, group: str, partitions: Sequence[TopicPartition]
) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """Where the group is in each of these partitions; an offset below 0 where it has never been.

    The broker that keeps the group may not be ready for it. The client passes that over and answers as if nothing had
    ever been committed; but then partitions that were asked for by name are missing, so it is asked again."""
    while True:
        found: Mapping[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(
            group, partitions=list(partitions)
        )
        if found.keys() >= set(partitions):
            return found
        await asyncio.sleep(_ASK_AGAIN_S)


async def have_read(settings: Settings, groups: Mapping[str, Collection[str]]) -> list[str]:
    """Those of the consumer groups, each given with its topics, that have committed anything.

    Raises MayPass while Kafka is away, or not ready to say."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.split(","), **settings.kafka_security())
    try:
        await admin.start()
        known = {name for name, *_ in await admin.list_consumer_groups()}
        asked = [group for group in groups if settings.topic(group) in known]
        partitions = await partitions_of(admin, settings, {name for group in asked for name in groups[group]})
        found = []
        async with asyncio.timeout(OFFSETS_S):
            for group in asked:
                of_group = [one for name in groups[group] for one in partitions[name]]
                offsets = await committed_offsets(admin, settings.topic(group), of_group)
                if any(one.offset > 0 for one in offsets.values()):
                    found.append(group)
        return found
    except (KafkaError, TimeoutError) as problem:
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
                **({"max.message.bytes": str(topic.largest)} if topic.largest else {}),
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
