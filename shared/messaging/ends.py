"""Where topics end now, asked of Kafka: what was acknowledged before the question lies before the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.messaging.admin import committed_offsets, learn
from shared.messaging.errors import MayPass
from shared.messaging.partitioner import partition_of
from shared.messaging.stopping import all_or_nothing
from shared.settings import Settings

Ends = Mapping[TopicPartition, int]


class Looker:
    """A client for looking. One of its own, for on a subscriber's connection a question waits for the fetch in hand."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
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

    async def committed_by(self, group: str, places: Collection[TopicPartition]) -> Ends:
        """How far another group has taken these; where it never has, what is kept is ahead of it.

        Raises MayPass while Kafka is away."""
        with telling_errors():
            found = await committed_offsets(await self._open_admin(), group, list(places))
        ends = {place: found[place].offset for place in places if found[place].offset >= 0}
        return {**await self.begins_of([place for place in places if place not in ends]), **ends}

    async def close(self) -> None:
        """Harmless if nothing was ever asked."""
        consumer, self._consumer = self._consumer, None
        admin, self._admin = self._admin, None
        with suppress(KafkaError):
            if consumer is not None:
                await consumer.stop()
        with suppress(KafkaError):
            if admin is not None:
                await admin.close()

    async def _open_admin(self) -> AIOKafkaAdminClient:
        async with self._opening:
            if self._admin is None:
                admin = AIOKafkaAdminClient(
                    bootstrap_servers=self._settings.kafka.split(","), **self._settings.kafka_security()
                )
                await all_or_nothing(admin.start, admin.close)
                self._admin = admin
            return self._admin

    async def _open(self) -> AIOKafkaConsumer:
        async with self._opening:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(
                    bootstrap_servers=self._settings.kafka.split(","),
                    enable_auto_commit=False,
                    **self._settings.kafka_security(),
                )
                await all_or_nothing(consumer.start, consumer.stop)
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
