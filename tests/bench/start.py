"""From the start of the process to the first HR change taken: on an empty folder, and on the data of that run."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.contracts import topics
from tests.bench.company import Company
from tests.bench.ground import READY_S, Child, Failed, Ground


async def start(ground: Ground) -> dict[str, Any]:
    """With Kafka and MongoDB of its own. The jars have been fetched by `make setup`."""
    folder = ground.folder / "start"
    company = Company(2, 2)
    changes = [*company.joined()]
    ground.say("start on an empty folder")
    first = await _first_change(folder, *changes[0].record)
    ground.say("start again")
    again = await _first_change(folder, *changes[1].record)
    return {"start_s": round(first, 2), "start_again_s": round(again, 2)}


async def _first_change(folder: Path, key: bytes, body: bytes) -> float:
    begun = time.perf_counter()
    child = await Child.started(["run", "--data-dir", str(folder)], folder)
    try:
        await child.ready()
        producer = AIOKafkaProducer(bootstrap_servers=child.kafka)
        consumer = AIOKafkaConsumer(
            topics.PERSON_FACTS.name, bootstrap_servers=child.kafka, auto_offset_reset="earliest"
        )
        await asyncio.gather(producer.start(), consumer.start())
        try:
            await producer.send_and_wait(topics.HR_CHANGES.name, key=key, value=body)
            deadline = time.monotonic() + READY_S
            while time.monotonic() < deadline:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    if any(key.decode() in record.value.decode() for record in records):
                        return time.perf_counter() - begun
        finally:
            await asyncio.gather(producer.stop(), consumer.stop())
        raise Failed("the first HR change was not taken")
    finally:
        await child.stop()
