"""A producer for commands: it writes a few records and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from shared.settings import Settings


@asynccontextmanager
async def producing(settings: Settings, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of the settings' Kafka that loses nothing it was told is written. Raises KafkaError.

    It is stopped also if it did not start: else it complains when it is thrown away."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka.split(","),
        enable_idempotence=True,
        acks="all",
        **options,
        **settings.kafka_security(),
    )
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()
