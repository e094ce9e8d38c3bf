"""FastStream's KafkaBroker as this system uses it; what its defaults would lose is set here, once.

- Batches come by a `get_msg` of our own: it waits for one record and drains what else has been fetched. The library's
  sleeps after an empty poll, at every hop.
- A parser that cannot fail: a header that is no UTF-8 would otherwise lose a whole batch without a word.
- `AckPolicy.MANUAL`: only `consume` below acknowledges, after the batch is written and published.
- A rebalance waits for the batch in hand.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.message import encode_message
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.messaging.envelope import Incoming, Outgoing, Position
from shared.messaging.errors import MayPass
from shared.settings import Settings
from shared.telemetry.metrics import PUBLISHED

log = structlog.get_logger(__name__)

LARGEST_REQUEST = 4 * 1024 * 1024
PREFETCH = 128 * 1024
"""Bytes fetched ahead a partition: some hundred messages. More would only wait in memory."""
DRAIN_S = 9.0
"""How long a rebalance waits for the batch in hand; must be below the rebalance time-out of 10 s."""
PUBLISH_S = 30.0

Take = Callable[[Sequence[Incoming]], Awaitable[None]]


class _Raw:
    """Bodies pass through as bytes: the kit decodes message by message, at a fiftieth of the price."""

    async def decode(self, msg: Any) -> Any:
        return msg.body

    async def decode_batch(self, msg: Any) -> Any:
        return msg.body

    async def encode(self, msg: Any, serializer: Any = None) -> Any:
        return encode_message(msg, serializer)

    async def encode_batch(self, msgs: Sequence[Any], serializer: Any = None) -> Any:
        return [encode_message(msg, serializer) for msg in msgs]


def _clean(record: Any) -> Any:
    headers = tuple((name, (value or b"").decode("utf-8", "replace").encode()) for name, value in record.headers)
    return dataclasses.replace(record, headers=headers)


async def _never_failing(msg: Any, original: Callable[[Any], Awaitable[Any]]) -> Any:
    """The library's parser reads only the first record's headers of a batch, and raises for a bad one.

    Ours come from the raw records (`_incoming`), with the very bytes that were sent."""
    try:
        return await original(msg)
    except Exception:
        return await original(_clean(msg) if isinstance(msg, ConsumerRecord) else tuple(map(_clean, msg)))


class Drain(ConsumerRebalanceListener):  # type: ignore[misc]
    """Holds a rebalance back until the batch in hand is committed, so that no batch is decided twice at once."""

    def __init__(self) -> None:
        self.idle = asyncio.Event()
        self.idle.set()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        try:
            await asyncio.wait_for(self.idle.wait(), DRAIN_S)
        except TimeoutError:
            # The new owner may get the batch as well: harmless, for writes are guarded and facts deduped.
            log.warning("a rebalance did not wait any longer for the batch in hand")

    async def on_partitions_assigned(self, assigned: Any) -> None:
        return None


class CommittedOffsets:
    """The committed offsets this process knows of; implements `ports.Committed`. Not knowing costs a repeat."""

    def __init__(self) -> None:
        self._next: dict[tuple[str, int], int] = {}

    def covers(self, position: Position) -> bool:
        return position.offset < self._next.get((position.topic, position.partition), 0)

    def note(self, positions: Sequence[Position]) -> None:
        for position in positions:
            place = (position.topic, position.partition)
            self._next[place] = max(self._next.get(place, 0), position.offset + 1)


class Bus:
    """The process's connection to Kafka, shared by its services: one producer, a consumer a subscription."""

    def __init__(self, settings: Settings, name: str = "tenure") -> None:
        self._settings = settings
        self._prefix = settings.topic("")
        self.broker = KafkaBroker(
            settings.kafka.split(","),
            client_id=name,
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=256 * 1024,
            max_request_size=LARGEST_REQUEST,
            ack_policy=AckPolicy.MANUAL,
            allow_auto_create_topics=False,
            graceful_timeout=settings.stop_wait_s,
            security=_security(settings),
            logger=logging.getLogger("faststream"),
            log_level=logging.DEBUG,
        )

    async def start(self) -> None:
        """Raises MayPass while Kafka is away."""
        try:
            await self.broker.start()
        except KafkaError as problem:
            raise MayPass(f"Kafka: {type(problem).__name__}: {problem}") from problem

    async def stop(self) -> None:
        """Waits for the batches in hand, at most `stop_wait_s`."""
        await self.broker.stop()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Implements `ports.Publisher`: all acknowledged by all in-sync replicas on return, order per key kept."""
        try:
            futures = [
                await self.broker.publish(
                    record.value,
                    topic=self._settings.topic(record.topic),
                    key=record.key,
                    headers=dict(record.headers),
                    correlation_id=_header(record, "correlation"),
                    no_confirm=True,
                )
                for record in records
            ]
            await asyncio.wait_for(asyncio.gather(*futures), PUBLISH_S)
        except (KafkaError, TimeoutError) as problem:
            raise MayPass(f"Kafka: {type(problem).__name__}: {problem}") from problem
        for record in records:
            PUBLISHED.add(service=self._settings.namespace or "tenure", topic=record.topic)

    def subscribe(self, topics: Sequence[str], group: str, take: Take, committed: CommittedOffsets) -> Subscriber:
        """`take` gets every batch; once it returns, the batch is committed. It raises to have it read again."""
        drain = Drain()
        subscriber = self.broker.subscriber(
            *(self._settings.topic(topic) for topic in topics),
            group_id=self._settings.topic(group),
            batch=True,
            max_records=self._settings.batch_size,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            listener=drain,
            parser=_never_failing,
            codec=_Raw(),
            no_reply=True,
            max_partition_fetch_bytes=PREFETCH,
            fetch_max_wait_ms=500,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
        )
        return Subscriber(subscriber, group, drain, take, committed, self._prefix, self._settings.batch_size)


class Subscriber:
    """One consumer group's loop: a batch at a time, committed after `take` returns."""

    def __init__(
        self,
        subscriber: BatchSubscriber,
        group: str,
        drain: Drain,
        take: Take,
        committed: CommittedOffsets,
        prefix: str,
        batch_size: int,
    ) -> None:
        self.group = group
        self.paused_s = 0.0
        self._subscriber = subscriber
        self._drain = drain
        self._take = take
        self._committed = committed
        self._prefix = prefix
        self._batch_size = batch_size
        subscriber(self.consume)
        subscriber.get_msg = self._next_batch  # type: ignore[method-assign]

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer

    async def _next_batch(self, consumer: AIOKafkaConsumer) -> tuple[Any, ...]:
        first = await consumer.getone()
        rest = await consumer.getmany(timeout_ms=0, max_records=self._batch_size - 1) if self._batch_size > 1 else {}
        return (first, *(record for records in rest.values() for record in records))

    async def consume(self, message: KafkaMessage) -> None:
        """Called by FastStream with a batch."""
        self._drain.idle.clear()
        try:
            raw = message.raw_message
            records = [self._incoming(record) for record in (raw if isinstance(raw, (tuple, list)) else (raw,))]
            await self._take(records)
            await message.ack()
            self._committed.note([record.position for record in records])
            self.paused_s = 0.0
        except asyncio.CancelledError:
            raise
        except Exception as problem:
            self.paused_s = min(max(self.paused_s * 2, 0.2), 5.0)
            log.warning("a batch is read again", group=self.group, problem=f"{type(problem).__name__}: {problem}")
            await asyncio.sleep(self.paused_s)
            await self._rewind(message)
        finally:
            self._drain.idle.set()

    async def _rewind(self, message: KafkaMessage) -> None:
        try:
            await message.nack()
        except Exception as problem:
            # The partition has gone to another replica, which reads the batch from its committed start.
            log.info("a batch went to another replica", group=self.group, problem=type(problem).__name__)

    def _incoming(self, record: Any) -> Incoming:
        topic = record.topic.removeprefix(self._prefix) if self._prefix else record.topic
        position = Position(topic, record.partition, record.offset)
        return Incoming(position, record.key, record.value, tuple(record.headers), record.timestamp or 0)

    async def lag(self) -> dict[str, int]:
        """Messages behind, by topic, as far as this member has partitions."""
        consumer = self.consumer
        if consumer is None:
            return {}
        partitions: list[TopicPartition] = list(consumer.assignment())
        behind: dict[str, int] = {}
        if partitions:
            try:
                ends = await consumer.end_offsets(partitions)
            except KafkaError as problem:
                raise MayPass(f"Kafka: {type(problem).__name__}") from problem
            # All at once: each question may wait for a fetch on the same connection.
            known = await asyncio.gather(*(consumer.committed(partition) for partition in partitions))
            committed = dict(zip(partitions, known, strict=True))
            begins = await consumer.beginning_offsets([one for one in partitions if not committed[one]])
            for partition, end in ends.items():
                topic = partition.topic.removeprefix(self._prefix)
                position = max(committed[partition] or 0, begins.get(partition, 0))
                behind[topic] = behind.get(topic, 0) + max(0, end - position)
        return behind


def _header(record: Outgoing, name: str) -> str:
    return next((value for key, value in record.headers if key == name), "-")


def _security(settings: Settings) -> BaseSecurity | None:
    options = settings.kafka_security()
    protocol = options["security_protocol"]
    if protocol == "PLAINTEXT":
        return None
    context = options.get("ssl_context")
    tls = protocol.endswith("SSL")
    if not protocol.startswith("SASL"):
        return BaseSecurity(ssl_context=context, use_ssl=tls)
    kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    kind = kinds[options["sasl_mechanism"]]
    return kind(options["sasl_plain_username"], options["sasl_plain_password"], ssl_context=context, use_ssl=tls)
