"""The README's Python, run as it stands against real Kafka."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.embedded import Servers
from shared.contracts.hr import HrChange
from shared.contracts.notification import Notification, Recipient
from shared.messaging.admin import create_topics
from shared.settings import Settings

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
FEED, LISTEN = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


async def _started(code: str, kafka: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env={**os.environ, "TENURE_KAFKA": kafka}, stdout=asyncio.subprocess.PIPE
    )


async def test_the_ten_lines_that_feed_it_say_a_valid_change(servers: Servers) -> None:
    kafka = servers.endpoints.kafka
    await create_topics(Settings(kafka=kafka), [])
    async with AIOKafkaConsumer("hr.attribute-changes", bootstrap_servers=kafka, auto_offset_reset="earliest") as heard:
        feeding = await _started(FEED, kafka)
        record = await asyncio.wait_for(heard.getone(), 30)
        assert await feeding.wait() == 0
    assert HrChange.model_validate_json(record.value).employee_id == record.key.decode()


async def test_the_lines_that_listen_print_what_is_told(servers: Servers) -> None:
    kafka = servers.endpoints.kafka
    await create_topics(Settings(kafka=kafka), [])
    told = Notification(
        id="n1", event="accessGiven", recipient=Recipient(id="p1"), subject="You have access", text="To Sales."
    )
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait("tenure.notifications", told.json_bytes(), key=b"p1")
    listening = await _started(LISTEN, kafka)
    assert listening.stdout is not None
    try:
        line = await asyncio.wait_for(listening.stdout.readline(), 30)
    finally:
        listening.kill()
        await listening.wait()
    assert line.decode().split()[:3] == ["n1", "accessGiven", "p1"]
