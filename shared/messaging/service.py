"""What a service is made of, and what it is given: the two sides of `services/<name>/service.py`.

`assemble(platform) -> Service` connects nothing and starts nothing, so the same function serves the process, the
topic table, the documents and the tests.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

import structlog
from fastapi import APIRouter

from shared.clock import Clock
from shared.contracts.base import Cause, Lane, Transition
from shared.contracts.topics import BY_NAME, Topic
from shared.hearing import Hearing
from shared.messaging.attempts import PatientAttempts
from shared.messaging.deadletters import DISCARD_OF, REPLAY_FOR, REPLAY_OF, dead_letter, letter_id, unmarked
from shared.messaging.decision import AggregateKind, Due, Handler
from shared.messaging.decoding import Decode, caused_by, contract_of, decoded, of_its_topic
from shared.messaging.envelope import Incoming, Outgoing
from shared.messaging.errors import TOO_LARGE, GivenUp, MayPass, WillNotPass
from shared.messaging.failpoints import Failpoints, Point
from shared.messaging.health import Health
from shared.messaging.kafka import Bus
from shared.messaging.lanes import RightOfWay
from shared.messaging.limit import Limit
from shared.messaging.loop import Attempts, Loop, Outcome, Work
from shared.messaging.pace import Pace
from shared.messaging.ports import Publisher
from shared.messaging.subscriber import CommittedOffsets, Take
from shared.messaging.subscription import Subscription, together
from shared.settings import Settings
from shared.storage.aggregates import MongoAggregates
from shared.storage.database import Database
from shared.storage.replica import Replica
from shared.telemetry.metrics import BATCH_MESSAGES, BATCH_SECONDS, BATCHES, DEAD_LETTERS, MESSAGES
from shared.web.guard import Guard

S = TypeVar("S")
log = structlog.get_logger(__name__)

KEEP_BATCH_S = 60.0
"""A batch that cannot be finished is given back and read again after that time: below `max.poll.interval`."""
ANSWER_S = 10.0
"""An HTTP caller waits at most this long for the servers behind."""

LOGGED_A_BATCH = 20
"""Dead letters that get a line of their own in the log."""

OnInvalid = Callable[[Incoming, WillNotPass], Outgoing]
CauseOf = Callable[[Any, Incoming], Cause]
Unhandled = Mapping[int, WillNotPass]
"""Of a batch, by their place in it: messages that can never be handled, and why."""
_Aside = tuple[Incoming, WillNotPass, str | None]
"""A record, why it is set aside, and the aggregate that is marked."""


class Store(Protocol):
    """Whatever has indexes."""

    async def ensure_indexes(self) -> None: ...


@dataclass(frozen=True)
class Timer:
    """The decision that is taken when a date inside an aggregate has come."""

    loop: Loop[Any]
    handler: Handler[Any, Due, Any]
    limit: int = 500
    steady: bool = False
    """Each date is a step of some work: as long as there is any, step follows step."""


@dataclass
class Service:
    """A service assembled: nothing of it runs yet."""

    name: str
    stores: Sequence[Store]
    subscriptions: Sequence[Subscription] = ()
    timers: Sequence[Timer] = ()
    loops: Sequence[Loop[Any]] = ()
    routers: Sequence[APIRouter] = ()
    guard: Guard | None = None
    """Of its routes; also of what the process itself answers."""
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    """Further loops, each running until cancelled and restarted with a pause if it fails."""
    under_way: Sequence[Callable[[], Awaitable[int]]] = ()
    """How much is being done that neither a topic nor a date tells of, such as mails that are to go out now."""
    waits: Callable[[], Awaitable[Mapping[str, int]]] | None = None
    """How many of what it was told wait until somebody else says something, by the code that the teller was answered.
    Such waiting is no work: nothing is behind."""

    def __post_init__(self) -> None:
        self.subscriptions = together(self.subscriptions)


@dataclass
class Platform:
    """What a service is given by the process it runs in."""

    service: str
    settings: Settings
    clock: Clock
    bus: Bus
    database: Database
    right_of_way: RightOfWay
    health: Health
    committed: CommittedOffsets = field(default_factory=CommittedOffsets)
    failpoints: Failpoints = field(default_factory=lambda: Failpoints(None))

    def loop(self, kind: AggregateKind[S], store: MongoAggregates, publisher: Publisher | None = None) -> Loop[S]:
        """The five steps over one kind of aggregate. `publisher`: the bus with something beside it."""
        loop = Loop(
            kind,
            store,
            publisher or self.bus,
            self.committed,
            self.clock,
            new_stamp=lambda: uuid.uuid4().hex,
            failpoints=self.failpoints,
            turn=self.right_of_way.turn,
        )
        store.when_poked = loop.alarm.ring
        return loop

    @property
    def hearing(self) -> Hearing:
        """For what has happened elsewhere and may be on its way."""
        return Hearing(self.settings.read_wait_s, self.right_of_way.expecting, self.bus.said_so_far)

    def patience(self, where: str, within_s: float = KEEP_BATCH_S) -> PatientAttempts:
        return PatientAttempts(
            self.health,
            where,
            within_s=within_s,
            longest_pause_s=min(2.0, self.settings.retry_max_s),
            answering=within_s <= ANSWER_S,
        )

    def hears(
        self,
        topic: Topic,
        loop: Loop[Any],
        handler: Handler[Any, Any, Any],
        *,
        decode: Decode | None = None,
        on_invalid: OnInvalid | None = None,
        cause_of: CauseOf | None = None,
        only: Collection[type[Transition]] = (),
        pace: Pace = Pace.EVEN,
    ) -> Subscription:
        """Messages of `topic` lead to decisions of `handler` on the aggregates of `loop`.

        `only`: of facts those that tell of any of these transitions; the others are passed over unread.

        Without `decode`: the topic's contract. Without `on_invalid`: dead letters. Without `cause_of`: the message
        itself is the cause of what follows, its correlation and lane go on."""
        group = f"{self.service}.{topic.name}"
        read = decode or contract_of(topic)
        cause = cause_of or caused_by

        isolating = Isolating()
        limit = Limit(self.settings.dead_letter_limit)

        async def take(records: Sequence[Incoming]) -> None:
            good, bad = decoded(records, lambda record: _work(read(record), record, cause))
            outcomes = await isolating.run(loop, [work for _, work in good], handler, lambda: self.patience(group))
            failed = [
                (record, outcome.error, outcome.subject or record.key_text)
                for (record, _), outcome in zip(good, outcomes, strict=True)
                if outcome.error is not None
            ]
            # Whoever sent it is told what only they can mend.
            aside = [one for one in failed if on_invalid is None or one[1].code != TOO_LARGE]
            bad += [(record, reason) for record, reason, _ in failed if on_invalid and reason.code == TOO_LARGE]
            settled = [
                record.header(REPLAY_OF)
                for (record, _), outcome in zip(good, outcomes, strict=True)
                if record.marked and outcome.error is None
            ]
            for record, reason in bad:
                if letter := record.header(DISCARD_OF):
                    settled.append(letter)
                elif on_invalid is None or not await self._answered(record, reason, on_invalid, group):
                    aside.append((record, reason, record.key_text))
                elif record.marked:
                    settled.append(record.header(REPLAY_OF))
            self._hold_if_nearly_all_fail(limit, len(records), aside, group)
            await self._set_aside(aside, group, loop.store)
            for letter in settled:
                if letter:
                    await self._unmark(loop, letter, group)

        return replace(self._subscription((topic,), group, take, only=only), pace=_pace((topic,), pace))

    def takes(
        self,
        topics: Sequence[Topic],
        handle: Callable[[Sequence[Any]], Awaitable[Unhandled | None]],
        *,
        name: str | None = None,
        decode: Decode | None = None,
        pace: Pace = Pace.EVEN,
        everything: bool = False,
        only: Collection[type[Transition]] = (),
    ) -> Subscription:
        """Batches of decoded messages go to `handle` (a replica, a trail); what does not validate: dead letters.

        So does what `handle` returns as unhandled. `only`: as in `hears`. Without `name` it shares a consumer group
        with all else that the service keeps up with in the same pace. `everything`: also what is sent again
        to another group, or given up, for it lies in the log like all else.

        `handle` is called again with the same batch after a crash or a MayPass; it has to bear that."""
        pace = _pace(topics, pace)
        group = f"{self.service}.{name or _shared_by(pace) or topics[0].name}"
        limit = Limit(self.settings.dead_letter_limit)

        async def take(records: Sequence[Incoming]) -> None:
            good, bad = decoded(records, decode or of_its_topic)
            messages = [message for _, message in good]
            if messages:
                self.failpoints.reach(Point.BEFORE_WRITE, self.service)
                unhandled = await self.patience(group)("write", lambda: handle(messages))
                self.failpoints.reach(Point.AFTER_WRITE, self.service)
                bad += [(good[place][0], reason) for place, reason in (unhandled or {}).items()]
            aside = [(record, reason, None) for record, reason in bad if not record.header(DISCARD_OF)]
            self._hold_if_nearly_all_fail(limit, len(records), aside, group)
            await self._set_aside(aside, group, None)

        subscription = self._subscription(tuple(topics), group, take, decides=False, only=only, everything=everything)
        return replace(subscription, pace=pace)

    def keeps(
        self,
        topics: Sequence[Topic],
        replica: Replica[Any],
        *,
        pace: Pace = Pace.EVEN,
        only: Collection[type[Transition]] = (),
    ) -> Subscription:
        """`replica` takes over what these topics say. Otherwise as in `takes`."""

        async def handle(facts: Sequence[Any]) -> None:
            await replica.apply(facts)

        return self.takes(topics, handle, pace=pace, only=only)

    async def run_one(self, loop: Loop[S], handler: Handler[S, Any, Any], message: Any, cause: Cause) -> Outcome[S]:
        """An HTTP command: the same steps. Raises WillNotPass, or GivenUp if the servers stayed away (a 503: whether
        it happened is not known then, and repeating it under the same id is safe)."""
        (outcome,) = await self.run_all(loop, handler, [message], cause)
        return outcome

    async def run_all(
        self, loop: Loop[S], handler: Handler[S, Any, Any], messages: Sequence[Any], cause: Cause
    ) -> list[Outcome[S]]:
        """Several HTTP commands of one cause, in one batch. Raises as `run_one` does, of the first that will not pass;
        the others have happened."""
        attempts = self.patience(f"http.{loop.kind.name}", ANSWER_S)
        with self.right_of_way.decision():
            outcomes = await loop.run([Work(message, cause) for message in messages], handler, attempts)
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
        return outcomes

    def _subscription(
        self,
        topics: tuple[Topic, ...],
        group: str,
        take: Take,
        *,
        decides: bool = True,
        only: Collection[type[Transition]] = (),
        everything: bool = False,
    ) -> Subscription:
        wanted = frozenset(one.__name__.encode() for one in only)

        def concerns(record: Incoming) -> bool:
            if record.marked:
                return record.header(REPLAY_FOR) in (None, group)
            return not wanted or record.tells_of(wanted)

        def plain(record: Incoming) -> Incoming:
            if not record.marked or record.header(REPLAY_FOR) == group:
                return record
            return replace(record, headers=unmarked(record.headers), marked=False)

        for topic in topics:
            if topic.name not in BY_NAME:
                raise LookupError(
                    f"{self.service} hears {topic.name}, which topics.py does not list: add it there or drop the "
                    "subscriber."
                )

        async def travelling(records: Sequence[Incoming]) -> None:
            mine = [plain(one) for one in records] if everything else [one for one in records if concerns(one)]
            going = self.right_of_way.decision() if decides and mine else nullcontext()
            with going, self.right_of_way.travel(topics[0].lane), _timed(self.service, topics[0].name):
                if mine:
                    await take(mine)
            BATCHES.add(service=self.service, topic=topics[0].name)
            BATCH_MESSAGES.observe(len(records), service=self.service, topic=topics[0].name)
            MESSAGES.add(len(records), service=self.service, topic=topics[0].name)
            self.failpoints.reach(Point.BEFORE_COMMIT, self.service)

        return Subscription(topics, travelling, group, decides)

    async def _answered(self, record: Incoming, reason: WillNotPass, on_invalid: OnInvalid, group: str) -> bool:
        """Whether whoever sent it was told. A fault of the answer's own makes it a dead letter instead."""
        try:
            answer = on_invalid(record, reason)
            await self.patience(group)("publish", lambda: self.bus.publish([answer]))
        except (MayPass, GivenUp):
            raise
        except Exception as fault:
            log.error("an invalid message could not be answered", group=group, error=type(fault).__name__)
            return False
        return True

    def _hold_if_nearly_all_fail(self, limit: Limit, taken: int, aside: Sequence[_Aside], group: str) -> None:
        """Raises GivenUp, with readiness red, once more is set aside than the limit allows: nothing is settled then.

        What of the batch was handled is handled; it comes again, which is harmless."""
        where = f"{group}.limit"
        if limit.admits(taken - len(aside), len(aside)):
            self.health.well(where)
            return
        (record, reason, _) = aside[0]
        problem = (
            f"{limit.level} messages more were set aside than handled, and {len(aside)} of the next {taken} would be "
            f"({letter_id(record)}: {reason.code}). So the fault is taken to be ours, and they wait: mend it and start "
            f"{self.service} again. If the messages are bad indeed, a higher TENURE_DEAD_LETTER_LIMIT lets them pass."
        )
        self.health.trouble(where, problem)
        raise GivenUp(f"{group}: {problem}")

    async def _set_aside(self, aside: Sequence[_Aside], group: str, store: Any) -> None:
        """To the dead letters, acknowledged; then their aggregates are marked: nothing is taken away meanwhile."""
        if not aside:
            return
        now = self.clock.now()
        letters = [dead_letter(record, reason, group, now) for record, reason, _ in aside]
        try:
            await self.patience(group)("publish", lambda: self.bus.publish(letters))
        except WillNotPass:
            for (record, reason, _), letter in zip(aside, letters, strict=True):
                await self._set_one_aside(record, reason, letter, group, now)
        few = asyncio.Semaphore(16)

        async def mark(subject: str, letter: str) -> None:
            async with few:
                await self.patience(group)("mark", lambda: store.mark_dead_letter(subject, letter))

        if store is not None:
            await asyncio.gather(*(mark(subject, letter_id(record)) for record, _, subject in aside if subject))
        for number, (record, reason, _) in enumerate(aside):
            DEAD_LETTERS.add(topic=record.position.topic, reason=reason.code)
            if number < LOGGED_A_BATCH:
                log.error(
                    "a message was set aside",
                    group=group,
                    code=reason.code,
                    letter=letter_id(record),
                    exc_info=reason.__cause__ if reason.code == "bug" else None,
                )
        if len(aside) > LOGGED_A_BATCH:
            log.error("more messages of this batch were set aside", group=group, count=len(aside) - LOGGED_A_BATCH)

    async def _set_one_aside(
        self, record: Incoming, reason: WillNotPass, letter: Outgoing, group: str, now: datetime
    ) -> None:
        """A letter too large for its topic goes without the body: its origin tells where the record lies."""
        try:
            await self.patience(group)("publish", lambda: self.bus.publish([letter]))
        except WillNotPass:
            bare = Incoming(record.position, record.key, None, ((REPLAY_OF, letter_id(record).encode()),))
            why = WillNotPass(reason.code, f"{reason.message} (too large to be kept here: see its origin)")
            short = dead_letter(bare, why, group, now)
            await self.patience(group)("publish", lambda: self.bus.publish([short]))

    async def _unmark(self, loop: Loop[Any], letter: str, group: str) -> None:
        # What was held back meanwhile is looked at now; only a kind with dates has a timer that would.
        look_at = self.clock.now() if loop.kind.has_dates else None
        await self.patience(group)("mark", lambda: loop.store.clear_dead_letter(None, letter, look_at))


class Isolating:
    """Runs a subscription's batches, and finds the message that breaks a whole batch.

    What a decision cannot foresee (a state that MongoDB cannot hold, a bug in what is read around it) fails the batch
    and would hold the partition for ever. It is read once more, for it may have been an accident; then message by
    message, and whichever fails alone is set aside."""

    def __init__(self) -> None:
        self._stumbled = False

    async def run(
        self,
        loop: Loop[Any],
        works: Sequence[Work],
        handler: Handler[Any, Any, Any],
        attempts: Callable[[], Attempts],
        *,
        at_once: bool = False,
    ) -> list[Outcome[Any]]:
        """Outcomes in the order of `works`. Raises MayPass, GivenUp, and the first time whatever else it was."""
        if not works:
            return []
        try:
            outcomes = await loop.run(works, handler, attempts())
        except (MayPass, GivenUp):
            raise
        except Exception as fault:
            if not (self._stumbled or at_once or isinstance(fault, WillNotPass)):
                self._stumbled = True
                raise
            log.error("a batch fails as a whole and is taken message by message", kind=loop.kind.name, exc_info=fault)
            outcomes = [await _alone(loop, work, handler, attempts()) for work in works]
        self._stumbled = False
        return outcomes


async def _alone(loop: Loop[Any], work: Work, handler: Handler[Any, Any, Any], attempts: Attempts) -> Outcome[Any]:
    try:
        (outcome,) = await loop.run([work], handler, attempts)
    except (MayPass, GivenUp):
        raise
    except Exception as fault:
        reason = fault if isinstance(fault, WillNotPass) else WillNotPass("bug", f"{type(fault).__name__}: {fault}")
        reason.__cause__ = reason.__cause__ or (fault if fault is not reason else None)
        outcome = Outcome(work, "", error=reason)
        with suppress(Exception):
            (outcome.subject,) = await handler.locate([work.message])
    return outcome


def _pace(topics: Sequence[Topic], pace: Pace) -> Pace:
    """Somebody waits for what comes by the urgent lane, unless nobody waits for any of it."""
    awaited = pace in (Pace.EVEN, Pace.CALM)
    return Pace.PROMPT if awaited and all(topic.lane is Lane.URGENT for topic in topics) else pace


def _shared_by(pace: Pace) -> str | None:
    """The consumer group of what is only kept up with; None where each topic has its own."""
    return {Pace.PROMPT: None, Pace.EVEN: "facts"}.get(pace, f"{pace.value}-facts")


def _work(message: Any, record: Incoming, cause: CauseOf) -> Work:
    return Work(message, cause(message, record), record.position)


@contextmanager
def _timed(service: str, topic: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    BATCH_SECONDS.observe(time.perf_counter() - start, service=service, topic=topic)


async def next_date(timer: Timer, platform: Platform) -> datetime | None:
    """When that timer next has something to do, as far as it is stored."""
    loop = timer.loop
    attempts = platform.patience(f"timer.{loop.kind.name}")
    return await attempts("due", lambda: loop.store.next_due(platform.clock.now()))


async def ring(timer: Timer, platform: Platform) -> int:
    """Decide what is due, each with its own date; returns how many there were.

    A timer that fails backs off, doubling from a second; after eight times it is parked, with an alert."""
    loop = timer.loop
    now = platform.clock.now()
    attempts = platform.patience(f"timer.{loop.kind.name}")
    due = await attempts("due", lambda: loop.store.due(now, timer.limit))
    if not due:
        return 0
    works = [
        Work(
            Due(id, at),
            Cause(
                id=f"timer:{loop.kind.name}:{id}:{at.isoformat()}",
                correlation=f"timer:{loop.kind.name}:{id}:{at.isoformat()}",
                actor=f"system:{platform.service}",
            ),
            now=at,
        )
        for id, at in due
    ]
    outcomes = await Isolating().run(
        loop, works, timer.handler, lambda: platform.patience(f"timer.{loop.kind.name}"), at_once=True
    )
    for (id, at), outcome in zip(due, outcomes, strict=True):
        if outcome.error is not None:
            log.error("a timer failed", kind=loop.kind.name, subject=id, code=outcome.error.code)
            problem = str(outcome.error)
            await attempts("back-off", lambda i=id, a=at, p=problem: loop.store.back_off(i, a, now, p))  # type: ignore[misc]
    return len(due)
