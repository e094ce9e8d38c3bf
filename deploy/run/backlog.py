"""What Kafka knows of a run's health: how far each consumer group is, what was set aside, what was rejected.

Read from committed offsets and the topics themselves, so it is true of all replicas, and of services that are down.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.run.letters import Letters
from shared.contracts import topics
from shared.messaging.admin import committed_offsets, learn, partitions_of
from shared.messaging.deadletters import topic_of
from shared.messaging.envelope import Incoming, Position
from shared.messaging.errors import MayPass
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.messaging.subscription import Subscription

T = TypeVar("T")

WAITING = frozenset({"managerUnknown", "notJoined", "ambiguousIdentity"})
"""Rejections that say 'not yet': the rest of the change took effect, or it counts once the joining arrives, or a human
has said whose it is. Whether they still wait is told by the directory (`deploy/cli/rejections.py`)."""
RECENT = timedelta(hours=24)
_ASK_S = 20.0


@dataclass
class Backlog:
    """Lag by group and topic; age in seconds of the oldest message not settled, by group; unsettled dead letters by
    group (only where there are any); rejections: how many ever, refused for good, and of those since yesterday;
    hr_changes: how many ever came by the ordinary topic, and how many of them were taken."""

    lag: dict[str, dict[str, int]] = field(default_factory=dict)
    oldest_s: dict[str, float] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    rejections: dict[str, int] = field(default_factory=dict)
    hr_changes: dict[str, int] = field(default_factory=dict)


class Watch:
    """Measures again and again, reading each dead letter and rejection once. One at a time."""

    def __init__(self, settings: Settings, subscriptions: Sequence[Subscription]) -> None:
        self._settings = settings
        self._groups = {one.group: [topic.name for topic in one.topics] for one in subscriptions}
        self._read: dict[TopicPartition, int] = {}
        self._letters = {group: Letters() for group in self._groups}
        self._rejected: dict[str, tuple[bool, datetime]] = {}
        self._one = asyncio.Lock()
        self._open: tuple[AsyncExitStack, AIOKafkaAdminClient, AIOKafkaConsumer] | None = None

    async def measure(self) -> Backlog:
        """How things are now. Raises MayPass while Kafka is away."""
        async with self._one:
            try:
                return await asyncio.wait_for(self._measure(), _ASK_S)
            except (KafkaError, TimeoutError) as problem:
                await self._close()
                raise MayPass(f"Kafka: {type(problem).__name__}") from problem

    async def close(self) -> None:
        """Hang up. Harmless if never asked."""
        async with self._one:
            await self._close()

    async def _close(self) -> None:
        if self._open is not None:
            await self._open[0].aclose()
            self._open = None

    async def _clients(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        # Kept: to learn of all topics anew takes many turns of a loop that is busy with the services.
        if self._open is None:
            stack = AsyncExitStack()
            self._open = (stack, *await stack.enter_async_context(clients(self._settings)))
        return self._open[1:]

    async def _measure(self) -> Backlog:
        admin, consumer = await self._clients()
        try:
            found = Backlog()
            await self._lags(admin, consumer, found)
            async for record in self._new(admin, consumer, [topic_of(group) for group in self._groups]):
                self._letters[self._name(record.topic).removesuffix(".dead-letters")].add(
                    as_incoming(record, self._name)
                )
            found.dead_letters = {group: len(one.open) for group, one in self._letters.items() if one.open}
            async for record in self._new(admin, consumer, [topics.HR_REJECTED.name]):
                self._note_rejection(record)
            since = datetime.now(UTC) - RECENT
            refused = [at for waits, at in self._rejected.values() if not waits]
            found.rejections = {
                "total": len(self._rejected),
                "refused": len(refused),
                "refusedRecently": sum(1 for at in refused if at > since),
            }
            return found
        finally:
            consumer.unsubscribe()

    async def _lags(self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, found: Backlog) -> None:
        partitions = await partitions_of(admin, self._settings, {topic for of in self._groups.values() for topic in of})
        everything = [one for of in partitions.values() for one in of]
        # Committed first: what is published meanwhile shows as lag, never as less than none.
        committed = dict(zip(self._groups, await asyncio.gather(*(
            committed_offsets(admin, self._settings.topic(group), [one for name in names for one in partitions[name]])
            for group, names in self._groups.items()
        )), strict=True))  # fmt: skip
        begins, ends = await bounds(consumer, everything)
        waiting: dict[TopicPartition, int] = {}
        places: dict[str, list[tuple[TopicPartition, int]]] = {}
        for group, names in self._groups.items():
            found.lag[group] = {}
            for name in names:
                behind = 0
                for partition in partitions[name]:
                    at = committed[group].get(partition)
                    position = max(begins[partition], at.offset if at is not None else 0)
                    if position < ends[partition]:
                        behind += ends[partition] - position
                        waiting[partition] = min(waiting.get(partition, position), position)
                        places.setdefault(group, []).append((partition, position))
                found.lag[group][name] = behind
                if name == topics.HR_CHANGES.name and group.startswith("directory."):
                    sent = sum(ends[partition] for partition in partitions[name])
                    found.hr_changes = {"sent": sent, "taken": sent - behind}
        ages = await _ages(consumer, waiting)
        for group, lagging in places.items():
            # Where two groups lag on one partition, the older record is taken for both: said too early, never late.
            found.oldest_s[group] = max(ages.get(partition, 0.0) for partition, _ in lagging)

    async def _new(
        self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, names: Sequence[str]
    ) -> AsyncIterator[ConsumerRecord]:
        """Every record of these topics that was not read before."""
        found = await partitions_of(admin, self._settings, names)
        partitions = [one for of in found.values() for one in of]
        if not partitions:
            return
        begins, ends = await bounds(consumer, partitions)
        missing = {
            one: max(begins[one], self._read.get(one, 0))
            for one in partitions
            if max(begins[one], self._read.get(one, 0)) < ends[one]
        }
        async for record in read(consumer, missing, ends):
            self._read[TopicPartition(record.topic, record.partition)] = record.offset + 1
            yield record

    def _name(self, topic: str) -> str:
        return topic.removeprefix(self._settings.topic(""))

    def _note_rejection(self, record: ConsumerRecord) -> None:
        try:
            said: dict[str, Any] = orjson.loads(record.value)
            id, waits = str(said["id"]), said["reason"]["code"] in WAITING
        except (ValueError, KeyError, TypeError):
            id, waits = f"{record.topic}/{record.partition}/{record.offset}", False
        self._rejected[id] = (waits, datetime.fromtimestamp(record.timestamp / 1000, UTC))


class WatchApart:
    """A watch on a thread and loop of its own: in the all-in-one run the services' batches leave the main loop few
    turns, and measuring takes hundreds of them. Started with the first question."""

    def __init__(self, settings: Settings, subscriptions: Sequence[Subscription]) -> None:
        self._watch_over = (settings, subscriptions)
        self._watch: Watch | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def measure(self) -> Backlog:
        """As `Watch.measure`."""
        return await self._there(lambda watch: watch.measure())

    async def close(self) -> None:
        """Hang up and end the thread. Harmless if never asked."""
        if self._loop is None or self._thread is None:
            return
        await self._there(lambda watch: watch.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()
        self._watch = self._loop = self._thread = None

    async def _there(self, what: Callable[[Watch], Coroutine[Any, Any, T]]) -> T:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # A daemon: it holds nothing that must be put away if the process ends without `close`.
            self._thread = threading.Thread(target=self._loop.run_forever, name="backlog", daemon=True)
            self._thread.start()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._on_thread(what), self._loop))

    async def _on_thread(self, what: Callable[[Watch], Coroutine[Any, Any, T]]) -> T:
        if self._watch is None:
            self._watch = Watch(*self._watch_over)  # here, for its lock belongs to this loop
        return await what(self._watch)


@asynccontextmanager
async def clients(settings: Settings) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    """Two clients for looking: neither is a member of any group."""
    options = {"bootstrap_servers": settings.kafka.split(","), **settings.kafka_security()}
    admin = AIOKafkaAdminClient(**options)
    consumer = AIOKafkaConsumer(
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
        retry_backoff_ms=5,
        # Of most partitions one record is wanted, to know its age.
        max_partition_fetch_bytes=16 * 1024,
        fetch_max_bytes=2 * 1024 * 1024,
        **options,
    )
    try:
        await asyncio.gather(admin.start(), consumer.start())
        yield admin, consumer
    finally:
        await asyncio.gather(admin.close(), consumer.stop(), return_exceptions=True)


async def bounds(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Where each of these partitions begins, and where it ends."""
    await learn(consumer, {one.topic for one in partitions})
    begins, ends = await asyncio.gather(consumer.beginning_offsets(partitions), consumer.end_offsets(partitions))
    return begins, ends


async def read(
    consumer: AIOKafkaConsumer, begin: Mapping[TopicPartition, int], end: Mapping[TopicPartition, int]
) -> AsyncIterator[ConsumerRecord]:
    """The records from `begin` up to before `end`, each partition in order."""
    if not begin:
        return
    consumer.assign(list(begin))
    for partition, offset in begin.items():
        consumer.seek(partition, offset)
    open_ones = set(begin)
    while open_ones:
        batch = await consumer.getmany(*open_ones, timeout_ms=500)
        for partition, records in batch.items():
            for record in records:
                if record.offset < end[partition]:
                    yield record
        for partition in list(open_ones):
            # Not by the last record's offset: the end may be a marker of a transaction, which nobody is given.
            if await consumer.position(partition) >= end[partition]:
                open_ones.discard(partition)
                # What was fetched ahead and is not asked for would hold the other partitions' fetches up.
                consumer.pause(partition)


async def _ages(consumer: AIOKafkaConsumer, waiting: Mapping[TopicPartition, int]) -> dict[TopicPartition, float]:
    """Seconds since the record at each of these places was published."""
    now = time.time()
    ages: dict[TopicPartition, float] = {}
    async for record in read(consumer, waiting, {one: offset + 1 for one, offset in waiting.items()}):
        ages[TopicPartition(record.topic, record.partition)] = max(0.0, now - record.timestamp / 1000)
    return ages


def as_incoming(record: ConsumerRecord, name: Any = str) -> Incoming:
    """A record of a plain client as the kit's own value."""
    position = Position(name(record.topic), record.partition, record.offset)
    return Incoming(position, record.key, record.value, tuple(record.headers), record.timestamp or 0)


async def read_topic(settings: Settings, name: str) -> list[ConsumerRecord]:
    """All that a topic holds now, by the time it was published. For topics that stay small."""
    async with clients(settings) as (admin, consumer):
        (partitions,) = (await partitions_of(admin, settings, [name])).values()
        if not partitions:
            return []
        begins, ends = await bounds(consumer, partitions)
        missing = {one: begins[one] for one in partitions if begins[one] < ends[one]}
        return sorted([record async for record in read(consumer, missing, ends)], key=lambda one: one.timestamp)
