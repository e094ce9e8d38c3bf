"""The sample HR feed on a real broker: everything arrives once, and each person's changes in order."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.demo import company, hr_feed
from deploy.embedded import Servers

PARTITIONS = 3


@pytest_asyncio.fixture(loop_scope="session")
async def topic(servers: Servers, request: pytest.FixtureRequest) -> str:
    """A topic of the test's own."""
    name = f"test.hr-feed.{request.node.name}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.endpoints.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=PARTITIONS, replication_factor=1)])
    finally:
        await admin.close()
    return name


async def test_all_changes_arrive_once_keyed_by_person_and_in_order(
    servers: Servers, topic: str, tmp_path: Path
) -> None:
    company.make(tmp_path, people=1_000, seed=2)
    sent = list(hr_feed.changes(tmp_path, rough=4))

    assert await hr_feed.publish(sent, servers.endpoints.kafka, topic) == len(sent)

    arrived = await read_all(servers.endpoints.kafka, topic)
    assert len(arrived) == len(sent)
    assert all(key == change["employeeId"] for key, change in arrived)
    assert by_person(change for _, change in arrived) == by_person(sent)


async def test_the_rate_asked_for_is_not_passed(servers: Servers, topic: str, tmp_path: Path) -> None:
    company.make(tmp_path, people=20, seed=2)
    changes = list(hr_feed.changes(tmp_path))[:30]  # made before the first is taken, which is when the time begins
    taken: list[float] = []

    def clocked() -> Iterator[hr_feed.Change]:
        for change in changes:
            taken.append(asyncio.get_running_loop().time())
            yield change

    await hr_feed.publish(clocked(), servers.endpoints.kafka, topic, rate=100)

    assert len(taken) == 30
    assert taken[-1] - taken[0] >= 0.28


def by_person(changes: Any) -> dict[str, list[hr_feed.Change]]:
    found: dict[str, list[hr_feed.Change]] = {}
    for change in changes:
        found.setdefault(change["employeeId"], []).append(change)
    return found


async def read_all(kafka: str, topic: str) -> list[tuple[str, hr_feed.Change]]:
    """Key and value of every record up to the topic's end as it is now."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[tuple[str, hr_feed.Change]] = []
        while len(records) < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=1_000)).values():
                records += [(record.key.decode(), orjson.loads(record.value)) for record in batch]
        return records
    finally:
        await consumer.stop()
