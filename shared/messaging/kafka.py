"""FastStream's KafkaBroker as this system uses it; what its defaults would lose is set here, once.

- Batches come by a `get_msg` of our own: it waits for one record and drains what else has been fetched. The library's
  sleeps after an empty poll, at every hop.
- A parser that cannot fail: a header that is no UTF-8 would otherwise lose a whole batch without a word.
- `AckPolicy.MANUAL`: only `consume` below acknowledges, after the batch is written and published.
- A rebalance waits for the batch in hand.
- A producer that refuses everything from now on (one batch turned away leaves a gap in its sequence) is replaced.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalStateError, KafkaError, MessageSizeTooLargeError
from aiokafka.structs import TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.publisher.state import RealProducer
from faststream.kafka.subscriber.usecase import BatchSubscriber, LogicSubscriber
from faststream.message import encode_message
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.contracts.topics import BY_NAME
from shared.messaging.deadletters import OURS, believed, topic_of
from shared.messaging.ends import Ends, Looker, telling_errors
from shared.messaging.envelope import LARGEST_REQUEST, Incoming, Outgoing, Position
from shared.messaging.errors import TOO_LARGE, GivenUp, MayPass, WillNotPass
from shared.messaging.lanes import RightOfWay
from shared.messaging.pace import QUIET_WAIT_MS, Gathering, Pace, drained_first
from shared.messaging.partitioner import partition_of
from shared.messaging.places import client_id, give_up_places_of_the_gone
from shared.messaging.reconnecting import reconnects_patiently
from shared.messaging.stopping import each
from shared.settings import Settings
from shared.telemetry.metrics import PUBLISHED

log = structlog.get_logger(__name__)

PREFETCH = 128 * 1024
"""Bytes fetched ahead a partition: some hundred messages. More would only wait in memory."""
DRAIN_S = 9.0
"""How long a rebalance waits for the batch in hand; must be below the rebalance time-out of 10 s."""
SESSION_MS = 10_000
"""After a silence of that length a member's partitions go to others; see `places` for who need not wait so long."""
REBALANCE_MS = 10_000
PUBLISH_S = 30.0
"""Without acknowledgement for that long a publication has failed. Tried again, it may be in the log twice."""
STARTING_AT_ONCE = 4
"""Subscribers of one service that join their groups at the same time: enough to hide the round trips, few enough for a
laptop that runs all services."""
SILENCED = ("Auto create topics is disabled", "Consumer in group")
"""Warnings of the library that tell an operator nothing: topics are ours to make, spare replicas are no fault."""

Take = Callable[[Sequence[Incoming]], Awaitable[None]]


class _Raw:
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


async def _never_failing(msg: Any, original: Callable[[Any], Awaitable[Any]]) -> Any:
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


class Bus:
    """A service's connection to Kafka: one producer, a consumer a subscription."""

    def __init__(self, settings: Settings, name: str = "tenure", right_of_way: RightOfWay | None = None) -> None:
        self._settings = settings
        self._right_of_way = right_of_way or RightOfWay()
        self._prefix = settings.topic("")
        self._wanted: set[str] = set()
        self._groups: list[str] = []
        self._subscribers: list[Subscriber] = []
        self._looker = Looker(settings)
        self._spent: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self.broker = KafkaBroker(
            settings.kafka.split(","),
            client_id=client_id(name),
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=PREFETCH,
            max_request_size=LARGEST_REQUEST,
            ack_policy=AckPolicy.MANUAL,
            allow_auto_create_topics=False,
            partitioner=partition_of,
            graceful_timeout=settings.stop_wait_s,
            security=_security(settings),
            logger=_quiet_logger(),
            log_level=logging.DEBUG,
            # `consume` wants the message itself; to have it injected would cost a twentieth of the loop's time.
            apply_types=False,
        )

    async def connect(self) -> None:
        """To publish. Raises MayPass while Kafka is away or a topic is missing; may then be called again."""
        try:
            await self._check_topics()
            try:
                await self.broker.connect()
            except BaseException:
                with suppress(Exception):
                    await self.broker.config.broker_config.disconnect()
                raise
        except KafkaError as problem:
            raise MayPass(f"Kafka: {type(problem).__name__}: {problem}") from problem

    async def start(self) -> None:
        """To hear: all subscribers join their groups. Raises MayPass as `connect` does."""
        await self.connect()
        few = asyncio.Semaphore(STARTING_AT_ONCE)
        try:
            await self._give_up_places()
            await asyncio.gather(*(_started(one, few) for one in self.broker.subscribers))
            self.broker.running = True
        except KafkaError as problem:
            raise MayPass(f"Kafka: {type(problem).__name__}: {problem}") from problem

    async def hear_no_more(self) -> None:
        """Take no further batch, and wait for those in hand, at most `stop_wait_s`. Publishing goes on until `stop`."""
        # All of the library's stop but the last step, which takes leave of Kafka.
        await each(super(LogicSubscriber, one).stop() for one in self.broker.subscribers)  # type: ignore[misc]

    async def stop(self) -> None:
        """Waits for the batches in hand, at most `stop_wait_s`."""
        try:
            await self.broker.stop()
        finally:
            for task in self._retiring:
                task.cancel()
            await asyncio.gather(*self._retiring, return_exceptions=True)
            await self._looker.close()

    async def said_so_far(self, about: Mapping[str, Collection[str] | None]) -> Callable[[], Awaitable[bool]]:
        """What lies in these topics now, of these keys (None: of all), as a question: has it been taken here, by every
        group of this service that hears it? Of all replicas together. Both raise MayPass while Kafka is away."""
        ends = await self._looker.ends_of({self._prefix + topic: keys for topic, keys in about.items()})

        async def taken() -> bool:
            for one in self._subscribers:
                if not await one.has_taken(ends, self._looker):
                    return False
            return True

        return taken

    async def ping(self, within_s: float) -> None:
        """Raises MayPass if Kafka does not answer in that time."""
        if not await self.broker.ping(within_s):
            raise MayPass(f"Kafka: no answer within {within_s:.0f} s")

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Implements `ports.Publisher`: all acknowledged by all in-sync replicas on return, order per key kept.

        Raises WillNotPass for a record that is larger than its topic takes."""
        producer = await self._producer()
        try:
            await asyncio.wait_for(self._send(producer, records), PUBLISH_S)
        except MessageSizeTooLargeError as problem:
            self._spent = producer
            raise WillNotPass(TOO_LARGE, "Kafka: a record is larger than its topic takes.") from problem
        except (KafkaError, TimeoutError) as problem:
            if not getattr(problem, "retriable", False):
                self._spent = producer
            raise MayPass(f"Kafka: {type(problem).__name__}: {problem}") from problem
        for topic, number in Counter(record.topic for record in records).items():
            PUBLISHED.add(number, service=self._settings.namespace or "tenure", topic=topic)

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        """By the broker's producer itself: the library's `publish` would cost as much again, and adds nothing here."""
        futures: list[asyncio.Future[Any]] = []
        prefix = self._prefix
        try:
            for record in records:
                future = await producer.send(
                    prefix + record.topic,
                    record.value if record.value is not None or record.key is not None else b"",
                    record.key,
                    headers=[(name, value.encode()) for name, value in record.headers],
                )
                futures.append(future)
            await asyncio.gather(*futures)
        finally:
            for future in futures:
                # Nobody asks the others any more once one has failed.
                if not future.cancel() and not future.cancelled():
                    future.exception()

    async def _producer(self) -> AIOKafkaProducer:
        """The present producer, or a new one if that is spent. Raises MayPass while Kafka is away.

        An idempotent producer numbers its batches. Once one was refused, or given up in a long outage, all later ones
        of that partition are out of order for ever; and what a silent server has not acknowledged would go out late
        besides being published again."""
        keeper: Any = self.broker.config.producer
        async with self._renewing:
            present: AIOKafkaProducer = keeper._producer.producer
            if self._spent is not present:
                return present
            options = self.broker._connection_kwargs
            new = AIOKafkaProducer(**options)
            try:
                await new.start()
            except BaseException as problem:
                with suppress(Exception):
                    await new.stop()
                if isinstance(problem, KafkaError):
                    raise MayPass(f"Kafka: {type(problem).__name__}: {problem}") from problem
                raise
            keeper._producer = RealProducer(new)
            self._spent = None
            log.warning("a producer that Kafka would not hear any more was replaced")
            task = asyncio.create_task(_retire(present))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
            return new

    async def _check_topics(self) -> None:
        """A subscriber of a topic that is not there would wait without a word."""
        async with self._admin() as admin:
            missing = sorted(self._wanted - set(await admin.list_topics()))
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise MayPass(f"Kafka has no topic {', '.join(missing[:5])}{more}: `tenure topics` makes what is missing.")

    async def _give_up_places(self) -> None:
        try:
            async with self._admin() as admin:
                left = await give_up_places_of_the_gone(admin, self._groups)
        except KafkaError as problem:
            # Whatever forbids it: it only spares us waiting.
            log.warning("places of processes that are gone are waited for", problem=type(problem).__name__)
            return
        if left:
            log.info("places of processes that are gone were given up", count=left)

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._settings.kafka.split(","), **self._settings.kafka_security()
        )
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()

    def subscribe(
        self, topics: Sequence[str], group: str, take: Take, committed: CommittedOffsets, pace: Pace = Pace.EVEN
    ) -> Subscriber:
        """`take` gets every batch; once it returns, the batch is committed. It raises to have it read again."""
        drain = Drain()
        self._wanted.update(self._settings.topic(topic) for topic in (*topics, topic_of(group)))
        self._groups.append(self._settings.topic(group))
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
            fetch_max_wait_ms=QUIET_WAIT_MS,
            # The client looks that often for what it could fetch, though all that changes that wakes it.
            consumer_timeout_ms=QUIET_WAIT_MS,
            session_timeout_ms=SESSION_MS,
            rebalance_timeout_ms=REBALANCE_MS,
            heartbeat_interval_ms=SESSION_MS * 3 // 10,
        )
        made = Subscriber(
            subscriber,
            group,
            drain,
            take,
            committed,
            Gathering(pace, self._right_of_way),
            self._prefix,
            self._settings.batch_size,
            frozenset(map(self._settings.topic, topics)),
        )
        self._subscribers.append(made)
        return made


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

    def known_lag(self) -> dict[str, int]:
        """The same as `lag` without asking anyone: by what the last fetch said, so up to half a second old."""
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


async def _started(subscriber: Any, few: asyncio.Semaphore) -> None:
    """Join the group, unless it has joined already; leaves nothing half started."""
    async with few:
        if subscriber.consumer is None:
            try:
                await subscriber.start()
            except BaseException:
                with suppress(Exception):
                    await subscriber.stop()
                raise
            consumer: Any = subscriber.consumer
            drained_first(consumer)
            reconnects_patiently(consumer._client)


async def _retire(producer: AIOKafkaProducer) -> None:
    """Close a producer without sending what it still holds: whoever waits for it publishes again."""
    batches = producer._message_accumulator
    batches.fail_all(KafkaError("given up with its producer"))
    batches._batches.clear()
    with suppress(Exception, asyncio.CancelledError):
        await producer.stop()
    with suppress(Exception):
        await producer.client.close()


def _quiet_logger() -> logging.Logger:
    logger = logging.getLogger("faststream")
    if not any(isinstance(one, _Silence) for one in logger.filters):
        logger.addFilter(_Silence())
    return logger


class _Silence(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING and not str(record.msg).startswith(SILENCED)


def _place(position: Position) -> tuple[str, int]:
    return position.topic, position.partition


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
