"""One consumer group's loop: a batch at a time, taken, committed, and read again if it could not be taken.

- Batches come by a `get_msg` of our own: it waits for one record and drains what else has been fetched. The library's
  sleeps after an empty poll, at every hop.
- A parser that cannot fail: a header that is no UTF-8 would otherwise lose a whole batch without a word.
- Only `consume` acknowledges, after the batch is written and published.
- A rebalance waits for the batch in hand.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import TopicPartition
from faststream.kafka import KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.message import encode_message

from shared.contracts.topics import BY_NAME
from shared.messaging.deadletters import OURS, believed
from shared.messaging.ends import Ends, Looker, telling_errors
from shared.messaging.envelope import Incoming, Position
from shared.messaging.errors import GivenUp, MayPass
from shared.messaging.pace import Gathering

log = structlog.get_logger(__name__)

DRAIN_S = 9.0
"""How long a rebalance waits for the batch in hand; must be below the rebalance time-out of 10 s (`kafka`)."""

Take = Callable[[Sequence[Incoming]], Awaitable[None]]


class Raw:
    """A batch passes through as it is: the kit decodes message by message, at a fiftieth of the price."""

    async def decode(self, msg: Any) -> Any:
        return msg

    async def decode_batch(self, msg: Any) -> Any:
        return msg

    async def encode(self, msg: Any, serializer: Any = None) -> Any:
        return encode_message(msg, serializer)

    async def encode_batch(self, msgs: Sequence[Any], serializer: Any = None) -> Any:
        return [encode_message(msg, serializer) for msg in msgs]


def _clean(record: Any) -> Any:
    headers = tuple((name, (value or b"").decode("utf-8", "replace").encode()) for name, value in record.headers)
    return dataclasses.replace(record, headers=headers)


async def never_failing(msg: Any, original: Callable[[Any], Awaitable[Any]]) -> Any:
    """The library's parser decodes every record's headers, looks at the first one's only, and raises for a bad one.

    We read the raw records ourselves (`_incoming`): it gets one record, and the batch is put back."""
    first = msg if isinstance(msg, ConsumerRecord) else tuple(msg[:1])
    try:
        parsed = await original(first)
    except Exception:
        parsed = await original(_clean(first) if isinstance(first, ConsumerRecord) else tuple(map(_clean, first)))
    parsed.raw_message = msg
    return parsed


class Drain(ConsumerRebalanceListener):  # type: ignore[misc]
    """Holds a rebalance back until the batch in hand is committed, so that no batch is decided twice at once."""

    def __init__(self) -> None:
        self.idle = asyncio.Event()
        self.idle.set()
        self.rebalances = 0

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self.rebalances += 1
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

    def begins(self, position: Position) -> None:
        """A member that is given a partition reads on from where its group has committed: all before `position` is.

        Spares the repetition of every fact whose partition has moved here."""
        place = (position.topic, position.partition)
        self._next[place] = max(self._next.get(place, 0), position.offset)

    def note(self, positions: Sequence[Position]) -> None:
        for position in positions:
            place = (position.topic, position.partition)
            self._next[place] = max(self._next.get(place, 0), position.offset + 1)


class Subscriber:
    """One consumer group's loop: a batch at a time, committed after `take` returns."""

    def __init__(
        self,
        subscriber: BatchSubscriber,
        group: str,
        drain: Drain,
        take: Take,
        committed: CommittedOffsets,
        gathering: Gathering,
        prefix: str,
        batch_size: int,
        topics: frozenset[str],
    ) -> None:
        self.group = group
        self.paused_s = 0.0
        self._subscriber = subscriber
        self._drain = drain
        self._take = take
        self._committed = committed
        self._gathering = gathering
        self._prefix = prefix
        self._batch_size = batch_size
        self._topics = topics
        self._reached: dict[TopicPartition, int] = {}
        self._taken: dict[tuple[str, int], int] = {}
        self._taken_since = 0
        subscriber(self.consume)
        subscriber.get_msg = self._next_batch  # type: ignore[method-assign, assignment]

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer

    async def _next_batch(self, consumer: AIOKafkaConsumer) -> list[Any]:
        first = await consumer.getone()
        rebalances = self._drain.rebalances
        rest: dict[TopicPartition, list[Any]] = {}
        if self._batch_size > 1:
            await self._gathering.settled()
            try:
                rest = await consumer.getmany(timeout_ms=0, max_records=self._batch_size - 1)
            except KafkaError as problem:
                # The first record has been taken already: without it the next commit would step over it.
                log.info("a batch is shorter than it might be", group=self.group, problem=type(problem).__name__)
        batch = [first, *(record for records in rest.values() for record in records)]
        if self._drain.rebalances != rebalances:
            # `first` belongs to an assignment that is gone; whoever has its partition now reads it again.
            batch = batch[1:]
        if batch:
            self._drain.idle.clear()
        self._gathering.took(consumer, len(batch))
        return batch

    async def consume(self, message: KafkaMessage) -> None:
        """Called by FastStream with a batch."""
        self._drain.idle.clear()
        try:
            records = [self._incoming(record) for record in _records_of(message)]
            if self._taken_since != self._drain.rebalances:
                self._taken, self._taken_since = {}, self._drain.rebalances
            for record in records:
                if _place(record.position) not in self._taken:
                    self._taken[_place(record.position)] = record.position.offset
                    self._committed.begins(record.position)
            await self._take(records)
            await _commit(message)
            self._committed.note([record.position for record in records])
            for record in records:
                self._taken[_place(record.position)] = record.position.offset + 1
            self.paused_s = 0.0
        except asyncio.CancelledError:
            raise
        except Exception as problem:
            self.paused_s = min(max(self.paused_s * 2, 0.2), 5.0)
            expected = isinstance(problem, (MayPass, GivenUp, KafkaError))
            log.warning(
                "a batch is read again",
                group=self.group,
                problem=f"{type(problem).__name__}: {problem}" if expected else type(problem).__name__,
                exc_info=not expected,
            )
            await asyncio.sleep(self.paused_s)
            self._rewind(message)
        finally:
            self._drain.idle.set()
            _let_go(message)

    def _rewind(self, message: KafkaMessage) -> None:
        """Back to the batch's first offset in each partition that still is ours; another member reads the rest."""
        first: dict[TopicPartition, int] = {}
        for record in _records_of(message):
            place = TopicPartition(record.topic, record.partition)
            first[place] = min(first.get(place, record.offset), record.offset)
        for place, offset in first.items():
            try:
                message.consumer.seek(place, offset)
            except IllegalStateError:
                log.info("a batch went to another replica", group=self.group)

    def _incoming(self, record: Any) -> Incoming:
        topic = record.topic.removeprefix(self._prefix) if self._prefix else record.topic
        position = Position(topic, record.partition, record.offset)
        headers = believed(BY_NAME.get(topic), record.headers)
        marked = not OURS.isdisjoint([name for name, _ in headers])
        return Incoming(position, record.key, record.value, headers, record.timestamp or 0, marked)

    async def has_taken(self, ends: Ends, looker: Looker) -> bool:
        """Whether the group has committed up to there, in the partitions of its topics among these.

        Kafka is asked only where this member does not know by itself: others may have taken it. Raises MayPass."""
        mine = {place: end for place, end in ends.items() if place.topic in self._topics}
        known = self._taken if self._taken_since == self._drain.rebalances else {}
        unknown: list[TopicPartition] = []
        for place, end in mine.items():
            offset = known.get((place.topic.removeprefix(self._prefix), place.partition))
            reached = self._reached[place] = max(self._reached.get(place, 0), offset or 0)
            if offset is None and reached < end:
                unknown.append(place)
        if unknown:
            self._reached.update(await self._committed_at(unknown, looker))
        return all(self._reached[place] >= end for place, end in mine.items())

    async def _committed_at(self, places: Sequence[TopicPartition], looker: Looker) -> Ends:
        """By which offsets the group would go on there. Raises MayPass."""
        if self.consumer is None:
            return {}
        with telling_errors():
            found = await self.consumer._coordinator.fetch_committed_offsets(places)
        offsets = {place: one.offset for place, one in found.items() if one.offset >= 0}
        never = [place for place in places if place not in offsets]
        return {**offsets, **(await looker.begins_of(never) if never else {})}

    def lag(self) -> dict[str, int]:
        """Messages behind, by topic, as far as this member has partitions: by what the last fetch said, for nobody is
        asked."""
        consumer = self.consumer
        behind: dict[str, int] = {}
        if consumer is None:
            return behind
        assigned = consumer._subscription.subscription and consumer._subscription.subscription.assignment
        for partition in assigned.tps if assigned else ():
            state = assigned.state_value(partition)
            if state.highwater is None or not state.has_valid_position:
                continue
            topic = partition.topic.removeprefix(self._prefix)
            # Of a batch in hand nothing is settled yet. What was known before a rebalance may be old.
            known = self._taken if self._taken_since == self._drain.rebalances else {}
            settled = known.get((topic, partition.partition), state.position)
            behind[topic] = behind.get(topic, 0) + max(0, state.highwater - settled)
        return behind


def _records_of(message: KafkaMessage) -> Sequence[Any]:
    raw: Any = message.raw_message
    return raw if isinstance(raw, (tuple, list)) else (raw,)


async def _commit(message: KafkaMessage) -> None:
    """As far as the batch goes. The library's `ack` would commit every partition that the member has, dozens of them
    with each batch of a few. Raises KafkaError."""
    consumer: Any = message.consumer
    await consumer.commit({TopicPartition(one.topic, one.partition): one.offset + 1 for one in _records_of(message)})


def _let_go(message: KafkaMessage) -> None:
    """Of the records of a batch that is done with. The library keeps it until the next one comes, and in a cycle of
    its own until the collector does, which is seldom: tens of megabytes where all services run."""
    message.clear_cache()
    if isinstance(message.raw_message, list):
        message.raw_message.clear()


def _place(position: Position) -> tuple[str, int]:
    return position.topic, position.partition
