"""A MongoDB that was emptied beside a Kafka that was kept: nobody starts as if all were well."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from aiokafka import AIOKafkaProducer
from pymongo import AsyncMongoClient

from deploy.embedded import Servers
from services.approval.service import assemble as approval
from services.directory.service import assemble as directory
from shared.contracts import topics
from shared.messaging.admin import create_topics, have_read
from shared.messaging.errors import StateLost
from shared.messaging.host import Host, groups_of
from shared.settings import Settings

ASSEMBLIES = {"directory": directory, "approval": approval}
READ = f"directory.{topics.HR_CHANGES.name}"


async def test_services_that_have_read_and_hold_nothing_do_not_start(servers: Servers) -> None:
    settings = Settings(
        kafka=servers.endpoints.kafka,
        mongo=servers.endpoints.mongo,
        namespace=f"lost{uuid.uuid4().hex[:8]}",
        partitions=1,
    )
    first = Host(settings, ASSEMBLIES)
    await create_topics(settings, groups_of(list(first.services.values())))
    async with first, AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        await producer.send_and_wait(settings.topic(topics.HR_CHANGES.name), b"no change at all")
        async with asyncio.timeout(30):
            while READ not in await have_read(settings, {READ: [topics.HR_CHANGES.name]}):
                await asyncio.sleep(0.1)
    async with Host(settings, ASSEMBLIES) as again:
        assert again.ready, "what has its data starts as ever"

    async with AsyncMongoClient[dict[str, str]](servers.endpoints.mongo) as client:
        await client.drop_database(settings.database("directory"))
        await client.drop_database(settings.database("approval"))
    with pytest.raises(StateLost, match="holds nothing of directory, though") as lost:
        async with Host(settings, ASSEMBLIES):
            pass
    assert "Bring its data back" in str(lost.value)
