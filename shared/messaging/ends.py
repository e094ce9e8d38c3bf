"""Where topics end now, asked of Kafka: what was acknowledged before the question lies before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.messaging.admin import learn
from shared.messaging.errors import MayPass
from shared.messaging.partitioner import partition_of
from shared.settings import Settings

Ends = Mapping[TopicPartition, int]


class Looker:
    """A client for looking. One of its own, for on a subscriber's connection a question waits for the fetch in hand."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._opening = asyncio.Lock()

    async def ends_of(self, about: Mapping[str, Collection[str] | None]) -> Ends:
        """`about`: topics, each with the keys that are meant; None: all keys. Raises MayPass while Kafka is away."""
        with telling_errors():
            consumer = await self._open()
            await learn(consumer, about)
            places = [place for topic, keys in about.items() for place in _places(consumer, topic, keys)]
            ends: Ends = await consumer.end_offsets(places) if places else {}
            return ends

    async def begins_of(self, places: Collection[TopicPartition]) -> Ends:
        """Where what is still kept begins. Raises MayPass while Kafka is away."""
        with telling_errors():
            begins: Ends = await (await self._open()).beginning_offsets(list(places))
            return begins

    async def close(self) -> None:
        """Harmless if nothing was ever asked."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaError):
                await consumer.stop()

    async def _open(self) -> AIOKafkaConsumer:
        async with self._opening:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(
                    bootstrap_servers=self._settings.kafka.split(","),
                    enable_auto_commit=False,
                    **self._settings.kafka_security(),
                )
                try:
                    await consumer.start()
                except BaseException:
                    with suppress(Exception):
                        await consumer.stop()
                    raise
                self._consumer = consumer
            return self._consumer


@contextmanager
def telling_errors() -> Iterator[None]:
    """Raises MayPass for what Kafka's client raises."""
    try:
        yield
    except KafkaError as problem:
        raise MayPass(f"Kafka: {type(problem).__name__}: {problem}") from problem


def _places(consumer: AIOKafkaConsumer, topic: str, keys: Collection[str] | None) -> Iterable[TopicPartition]:
    every = sorted(consumer.partitions_for_topic(topic) or ())
    if keys is None or not every:
        return [TopicPartition(topic, one) for one in every]
    return [TopicPartition(topic, one) for one in {partition_of(key.encode(), every, every) for key in keys}]
