"""The bare loop: the least that a durable consumer with a database does, and so the measure of all others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import UpdateOne
from pymongo.write_concern import WriteConcern

from tests.bench.company import Record
from tests.bench.ground import Ground, bulk

PARTITIONS = 6
BATCH = 1000


async def per_second(ground: Ground, records: Sequence[Record]) -> float:
    """Messages a second, from the first batch being asked for to the last commit; they lie in the topic already."""
    name = ground.namespace("bare")
    async with AsyncExitStack() as stack:
        admin = AIOKafkaAdminClient(bootstrap_servers=ground.kafka)
        await admin.start()
        await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
        await admin.close()
        producer = AIOKafkaProducer(bootstrap_servers=ground.kafka, max_batch_size=512 * 1024)
        await producer.start()
        await bulk(producer, name, records)
        await producer.stop()
        client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(ground.mongo)
        stack.callback(client.close)
        collection = client[name].get_collection("people", write_concern=WriteConcern(w="majority", j=True))
        consumer = AIOKafkaConsumer(
            name, bootstrap_servers=ground.kafka, group_id=name, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        done = 0
        # The first batch also joins the group and makes the collection: it is not measured.
        begun, counted = 0.0, 0
        while done < len(records):
            taken = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
            writes = [
                UpdateOne({"_id": record.key}, {"$set": {"body": record.value}}, upsert=True)
                for every in taken.values()
                for record in every
            ]
            if not writes:
                continue
            await collection.bulk_write(writes, ordered=False)
            await consumer.commit()
            done += len(writes)
            if not begun:
                begun, counted = time.perf_counter(), done
        seconds = time.perf_counter() - begun
        await client.drop_database(name)
    return (len(records) - counted) / seconds if seconds and len(records) > counted else 0.0
