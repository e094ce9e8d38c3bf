"""FastStream's KafkaBroker as this system uses it; what its defaults would lose is set here, once.

- How batches come, are committed and read again: `subscriber`.
- A producer that refuses everything from now on (one batch turned away leaves a gap in its sequence) is replaced.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.publisher.state import RealProducer
from faststream.kafka.subscriber.usecase import LogicSubscriber
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.contracts.topics import BY_NAME
from shared.messaging.deadletters import topic_of
from shared.messaging.ends import Looker, telling_errors
from shared.messaging.envelope import LARGEST_REQUEST, Outgoing
from shared.messaging.errors import TOO_LARGE, MayPass, WillNotPass
from shared.messaging.lanes import RightOfWay
from shared.messaging.pace import QUIET_WAIT_MS, Gathering, Pace, drained_first
from shared.messaging.partitioner import partition_of
from shared.messaging.places import client_id, give_up_places_of_the_gone
from shared.messaging.reconnecting import reconnects_patiently
from shared.messaging.stopping import all_or_nothing, each
from shared.messaging.subscriber import CommittedOffsets, Drain, Raw, Subscriber, Take, never_failing
from shared.settings import Settings
from shared.telemetry.metrics import PUBLISHED

log = structlog.get_logger(__name__)

PREFETCH = 128 * 1024
"""Bytes fetched ahead a partition: some hundred messages. More would only wait in memory."""
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
        with telling_errors():
            await self._check_topics()
            await all_or_nothing(self.broker.connect, self.broker.config.broker_config.disconnect)

    async def start(self) -> None:
        """To hear: all subscribers join their groups. Raises MayPass as `connect` does."""
        await self.connect()
        few = asyncio.Semaphore(STARTING_AT_ONCE)
        with telling_errors():
            await self._give_up_places()
            await asyncio.gather(*(_started(one, few) for one in self.broker.subscribers))
            self.broker.running = True

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
        group of this service that hears it? Of all replicas together. What comes from outside is to have been taken by
        the topic's owner instead. Both raise MayPass while Kafka is away."""
        ends = await self._looker.ends_of({self._prefix + topic: keys for topic, keys in about.items()})
        from_outside = {
            self._settings.group(topic.owner, name): {
                place: end for place, end in ends.items() if place.topic == self._prefix + name
            }
            for name in about
            if (topic := BY_NAME.get(name)) is not None and topic.inbound
        }

        async def taken() -> bool:
            for group, places in from_outside.items():
                reached = await self._looker.committed_by(group, places)
                if any(reached[place] < end for place, end in places.items()):
                    return False
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
            with telling_errors():
                await all_or_nothing(new.start, new.stop)
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
            parser=never_failing,
            codec=Raw(),
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


async def _started(subscriber: Any, few: asyncio.Semaphore) -> None:
    """Join the group, unless it has joined already; leaves nothing half started."""
    async with few:
        if subscriber.consumer is None:
            await all_or_nothing(subscriber.start, subscriber.stop)
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
