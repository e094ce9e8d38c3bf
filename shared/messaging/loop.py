"""One write, then publish, then commit: the five steps, for messages, HTTP commands and timers alike.

1. A batch has been taken and decoded (`subscription`).
2. Every touched aggregate is loaded with one query, as far as this process does not remember it (`recent`).
3. A pure decision is called for each message in order; a message that was handled already changes nothing.
4. One guarded, unordered bulk write stores states, facts (the outbox inside the document) and this attempt's stamp;
   whoever lost a race, or was remembered out of date, is loaded and decided again.
5. Facts are published and acknowledged; then, in `subscription`, the offsets are committed.

The guarantee: a crash anywhere repeats the batch, and a repeat is harmless. **The outbox is never overwritten
unpublished**: what a loaded document still carries is published first, unless its cause is known to be committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Generic, TypeVar

from shared.clock import Clock
from shared.contracts.base import Cause, Fact, made
from shared.messaging.decision import Again, AggregateKind, Circumstances, Decision, Due, Handler
from shared.messaging.envelope import Outgoing, Position, outgoing
from shared.messaging.errors import TOO_LARGE, WillNotPass
from shared.messaging.failpoints import Failpoints, Point
from shared.messaging.ports import AggregateStore, Committed, Outbox, Publisher, Stored, Write, Written
from shared.messaging.recent import Recent

S = TypeVar("S")
R = TypeVar("R")

LARGEST_FACT = 900_000
"""Bytes. Kafka's default limit for a record is 1 MiB with its headers; a larger fact could never be published."""

MOST_RECORDS = 200
"""Facts that one write may carry; far below what MongoDB's 16 MiB a document allow."""

CHUNK = 50
"""Decisions made before others get their turn on the event loop."""


@dataclass(slots=True)
class Work:
    """One message, timer or HTTP command to be decided."""

    message: Any
    cause: Cause
    position: Position | None = None
    """Where it came from; None for HTTP and timers, whose publication only `pending` can tell."""
    now: datetime | None = None
    """For a timer: the date that was due."""


@dataclass(slots=True)
class Outcome(Generic[S]):
    """What became of one piece of work."""

    work: Work
    subject: str
    decision: Decision[S] | None = None
    version: int = 0
    error: WillNotPass | None = None
    again: tuple[Decision[S], ...] = ()
    """What second looks at its subject came to that were written after it, the oldest first."""


@dataclass(slots=True)
class _Draft(Generic[S]):
    """One aggregate in hand."""

    stored: Stored
    before: S | None
    state: S | None
    version: int
    records: list[Outgoing] = field(default_factory=list)
    asides: list[Outgoing] = field(default_factory=list)
    """Said although nothing is written: not in the outbox, for the message itself comes again until it is committed."""
    positions: dict[tuple[str, int], Position] = field(default_factory=dict)
    touched: bool = False
    """Written even if the state is the very one that was read: its timer rang, or something happened all the same."""
    rung: bool = False
    """Its timer has just rung: what stays due waits for the next look, for nothing else would ever rest."""
    unmoored: bool = False
    """Some of its work has no position that could bring it back."""
    remembered: bool = False
    """It was not read for this batch, and may have moved since."""

    @property
    def changed(self) -> bool:
        return self.state is not None and (self.state is not self.before or self.touched)

    @property
    def full(self) -> bool:
        """The outbox has reached its bound; the rest of the batch waits until this much is written and published."""
        return len(self.records) >= MOST_RECORDS


@dataclass(frozen=True, slots=True)
class _Touched(Generic[S]):
    """An aggregate as it was left, and what its decision had looked at."""

    state: S | None
    context: Any
    round: int


class Alarm:
    """Wakes whoever waits for dates. Set before a look at what is due, it misses nothing that comes after."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self.earliest: datetime | None = None
        """Of the dates that have been told of since it was set."""

    def set(self) -> None:
        """From here on."""
        self._rung.clear()
        self.earliest = None

    def ring(self) -> None:
        """What is due is looked for now and not at the next look."""
        self._rung.set()

    def expect(self, date: datetime) -> None:
        """Something is stored that is due then."""
        self.earliest = date if self.earliest is None else min(self.earliest, date)

    def look(self, now: datetime) -> None:
        """Rings if a date has come that it was told of."""
        if self.earliest is not None and self.earliest <= now:
            self.ring()

    async def wait(self, longest_s: float) -> None:
        """Returns when it rings, or after so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), longest_s)


class Attempts:
    """Tries a step until it succeeds. The exploration tests bring their own, which never sleeps."""

    async def __call__(self, step: str, operation: Callable[[], Awaitable[R]]) -> R:
        """Returns what `operation` returns; raises GivenUp once the batch may be kept no longer."""
        return await operation()


class Loop(Generic[S]):
    """The five steps over the aggregates of one kind. One instance a service and kind; safe for concurrent use."""

    def __init__(
        self,
        kind: AggregateKind[S],
        store: AggregateStore,
        publisher: Publisher,
        committed: Committed,
        clock: Clock,
        new_stamp: Callable[[], str],
        failpoints: Failpoints,
        turn: Callable[[], Awaitable[None]],
    ) -> None:
        self.kind = kind
        self.store = store
        self._publisher = publisher
        self._committed = committed
        self._clock = clock
        self._new_stamp = new_stamp
        self._failpoints = failpoints
        self._turn = turn
        self._acknowledged: dict[str, int] = {}
        self._settled: dict[str, int] = {}
        self._recent: Recent[S] = Recent()
        self.alarm = Alarm()

    async def run(
        self, works: Sequence[Work], handler: Handler[S, Any, Any], attempts: Attempts | None = None
    ) -> list[Outcome[S]]:
        """Decide, write and publish all of `works`; returns their outcomes in the same order.

        What can never be decided has `error` set and changed nothing. Raises GivenUp if a server stayed away."""
        attempt = attempts or Attempts()
        outcomes = [Outcome[S](work, "") for work in works]
        if not works:
            return outcomes
        remaining = list(range(len(works)))
        again: list[str] = []
        clashes: dict[str, set[str]] = {}
        positions = _last_positions(works)
        touched: dict[str, _Touched[S]] = {}
        seen_again: dict[str, tuple[Decision[S], ...]] = {}
        for round_ in count():
            stamp = self._new_stamp()
            subjects = await self._locate(works, remaining, handler, attempt)
            for index, subject in zip(remaining, subjects, strict=True):
                outcomes[index].subject = subject
            drafts = await self._load([*subjects, *again], attempt)
            states = {id: draft.before for id, draft in drafts.items()}
            messages = [works[index].message for index in remaining]
            context = await attempt("look", lambda m=messages, s=states: handler.look(m, s))  # type: ignore[misc]
            now = self._clock.now()
            # What comes from another subject's decision in this batch is not in `states` yet: look_again sees to it.
            later: set[int] = set()
            for number, index in enumerate(remaining):
                if number % CHUNK == CHUNK - 1:
                    await self._turn()
                draft = drafts[outcomes[index].subject]
                if draft.full:
                    later.add(index)
                else:
                    self._decide_one(outcomes[index], draft, handler.decide, context, clashes, now)
            looked = {
                id: self._decide_again(id, drafts[id], handler, context, works[0], positions, clashes, now)
                for id in again
            }
            written = await self._write(drafts, stamp, attempt)
            lost = written.lost | set(written.clashed) | await self._outdated(drafts, attempt)
            self._recent.forget(lost)
            await self._publish([draft for id, draft in drafts.items() if id not in lost], attempt)
            for id, index_name in written.clashed.items():
                clashes.setdefault(id, set()).add(index_name)
            touched.update(
                (id, _Touched(draft.state, context, round_)) for id, draft in drafts.items() if id not in lost
            )
            for id in looked.keys() - lost:
                seen_again[id] = (*seen_again.get(id, ()), looked[id])
            again = [id for id in again if id in lost]
            remaining = [index for index in remaining if outcomes[index].subject in lost or index in later]
            if not remaining and not again:
                again = await attempt("look", lambda: self._moved(handler, touched))
            if not remaining and not again:
                break
        for outcome in outcomes if seen_again else ():
            outcome.again = seen_again.get(outcome.subject, ())
        return outcomes

    async def sweep(self, before: datetime, limit: int = 500, attempts: Attempts | None = None) -> int:
        """Publish what stayed pending since before then; returns how many documents that were.

        Whoever wrote it may have died before the second look, which nothing brings back: their timers look instead."""
        attempt = attempts or Attempts()
        await self.settle(attempt)
        left = await attempt("sweep", lambda: self.store.pending(before, limit))
        if not left:
            return 0
        records = [record for stored in left if stored.outbox for record in stored.outbox.records]
        await attempt("publish", lambda: self._publisher.publish(records))
        look_at = self._clock.now() if self.kind.has_dates else None
        outboxes = {stored.id: stored.outbox.revision for stored in left if stored.outbox}
        await attempt("sweep", lambda: self.store.published(outboxes, look_at))
        return len(left)

    async def settle(self, attempts: Attempts | None = None) -> None:
        """Note in the documents what this process has published of HTTP and timers since it was last called.

        Nobody waits for that: until then the sweeper would publish it again, which is harmless."""
        if settled := self._settled:
            self._settled = {}
            try:
                await (attempts or Attempts())("clear", lambda: self.store.published(settled))
            except BaseException:
                self._settled = settled | self._settled
                raise

    async def _locate(
        self, works: Sequence[Work], remaining: Sequence[int], handler: Handler[S, Any, Any], attempt: Attempts
    ) -> Sequence[str]:
        if not remaining:
            return []
        messages = [works[index].message for index in remaining]
        return await attempt("locate", lambda: handler.locate(messages))

    async def _load(self, ids: Sequence[str], attempt: Attempts) -> dict[str, _Draft[S]]:
        unique = list(dict.fromkeys(ids))
        known = self._recent.of(unique)
        unknown = [id for id in unique if id not in known]
        documents = await attempt("load", lambda: self.store.load(unknown)) if unknown else {}
        await self._publish_carried([documents[id] for id in unknown if id in documents], attempt)
        drafts: dict[str, _Draft[S]] = {}
        for number, id in enumerate(unique):
            if number % CHUNK == CHUNK - 1:
                await self._turn()
            if (one := known.get(id)) is not None:
                drafts[id] = _Draft(one.stored, one.state, one.state, one.stored.version, remembered=True)
                continue
            stored = documents.get(id) or Stored(id)
            state = self.kind.load(stored.state) if stored.state is not None else None
            drafts[id] = _Draft(stored, state, state, stored.version)
        return drafts

    async def _publish_carried(self, documents: Sequence[Stored], attempt: Attempts) -> None:
        """What loaded documents still carry goes out before anything may replace it, in version order."""
        unsure = {
            one.id: one.outbox.revision for one in documents if one.outbox and self._may_be_unpublished(one, one.outbox)
        }
        if not unsure:
            return
        records = await attempt("load", lambda: self.store.carried(unsure))
        if records:
            await attempt("publish", lambda: self._publisher.publish(records))
        self._acknowledge(unsure)

    def _may_be_unpublished(self, stored: Stored, outbox: Outbox) -> bool:
        if self._acknowledged.get(stored.id) == outbox.revision:
            return False
        causes = outbox.causes
        return not causes or stored.pending or not all(self._committed.covers(position) for position in causes)

    def _decide_one(
        self,
        outcome: Outcome[S],
        draft: _Draft[S],
        decide: Any,
        context: Any,
        clashes: Mapping[str, set[str]],
        now: datetime,
    ) -> None:
        """Decide one message on the draft; what will not pass is noted in the outcome and changes nothing."""
        work = outcome.work
        outcome.error = None
        at = _circumstances(work, draft, context, clashes, now)
        try:
            decision = decide(draft.state, work.message, at)
            records = self._records(decision, draft, work.cause, at.version, now)
        except WillNotPass as reason:
            outcome.error = reason
        except Exception as fault:  # a bug met by this message: set it aside, the rest goes on
            outcome.error = WillNotPass("bug", f"{type(fault).__name__}: {fault}")
            outcome.error.__cause__ = fault
        else:
            _adopt(outcome, draft, decision, records, work)

    def _decide_again(
        self,
        id: str,
        draft: _Draft[S],
        handler: Handler[S, Any, Any],
        context: Any,
        first: Work,
        positions: tuple[Position, ...],
        clashes: Mapping[str, set[str]],
        now: datetime,
    ) -> Decision[S]:
        """A second look happens now, and belongs to the whole batch: all its positions bring it back."""
        outcome = Outcome[S](Work(Again(), first.cause), id)
        self._decide_one(outcome, draft, handler.again, context, clashes, now)
        if outcome.error is not None:
            raise outcome.error
        if positions:
            draft.positions = {(p.topic, p.partition): p for p in positions}
            draft.unmoored = False
        assert outcome.decision is not None
        return outcome.decision

    def _records(
        self, decision: Decision[S], draft: _Draft[S], cause: Cause, version: int, now: datetime
    ) -> list[Outgoing]:
        """The fact of this decision, and whatever else it says. Too large a fact could never leave: refused here."""
        records = list(decision.messages)
        if decision.transitions:
            records = [*self._fact(decision, draft, cause, version, now), *records]
        for record in records:
            if record.value is not None and len(record.value) > LARGEST_FACT:
                raise WillNotPass(TOO_LARGE, f"{record.topic}: {len(record.value)} bytes exceed {LARGEST_FACT}.")
        return records

    def _fact(
        self, decision: Decision[S], draft: _Draft[S], cause: Cause, version: int, now: datetime
    ) -> tuple[Outgoing, ...]:
        kind = self.kind
        if kind.fact is None or kind.topic is None or kind.public is None or decision.state is None:
            return ()
        subject = draft.stored.id
        fact: Fact = made(
            kind.fact,
            id=f"{kind.name}:{subject}:{version}",
            cause=decision.cause or cause,
            subject=subject,
            version=version,
            at=now,
            transitions=decision.transitions,
            state=kind.public(decision.state),
        )
        record = outgoing(kind.topic, kind.key(decision.state, subject), fact, source=kind.owner, at=now)
        return (record, *kind.also(decision.state, fact))

    async def _moved(self, handler: Handler[S, Any, Any], touched: Mapping[str, _Touched[S]]) -> list[str]:
        """Whose decision rests on something that has changed since. Each is asked about in the context of its own
        decision: that of a later round would hide the move."""
        rounds: dict[int, tuple[Any, dict[str, S | None]]] = {}
        for id, one in touched.items():
            rounds.setdefault(one.round, (one.context, {}))[1][id] = one.state
        moved: set[str] = set()
        for context, states in rounds.values():
            moved.update(await handler.look_again(context, states))
        return sorted(moved)

    async def _write(self, drafts: Mapping[str, _Draft[S]], stamp: str, attempt: Attempts) -> Written:
        now = self._clock.now()
        due = False
        writes: list[Write] = []
        for number, draft in enumerate(drafts.values()):
            if not draft.changed or draft.state is None:
                continue
            if number % CHUNK == CHUNK - 1:
                await self._turn()
            outbox = _outbox(draft) if draft.records else None
            due_at = self.kind.due_at(draft.state)
            if due_at is not None:
                self.alarm.expect(due_at)
                due = due or (due_at <= now and not draft.rung)
            writes.append(
                Write(
                    read=draft.stored,
                    version=draft.version,
                    state=self.kind.dump(draft.state),
                    outbox=outbox,
                    pending_since=now if draft.unmoored and outbox else None,
                    due_at=due_at,
                )
            )
        if not writes:
            return Written()
        self._failpoints.reach(Point.BEFORE_WRITE, self.kind.owner)
        written = await attempt("write", lambda: self.store.write(writes, stamp))
        self._failpoints.reach(Point.AFTER_WRITE, self.kind.owner)
        if due:
            self.alarm.ring()
        return written

    async def _outdated(self, drafts: Mapping[str, _Draft[S]], attempt: Attempts) -> set[str]:
        """Who was remembered and has moved meanwhile. Of what was written the write itself has told."""
        unsure = {id: draft.stored.revision for id, draft in drafts.items() if draft.remembered and not draft.changed}
        if not unsure:
            return set()
        there = await attempt("load", lambda: self.store.revisions(list(unsure)))
        return {id for id, revision in unsure.items() if there.get(id) != revision}

    async def _publish(self, won: Sequence[_Draft[S]], attempt: Attempts) -> None:
        every = [record for draft in won for record in (*draft.asides, *draft.records)]
        if every:
            await attempt("publish", lambda: self._publisher.publish(every))
            self._failpoints.reach(Point.AFTER_PUBLISH, self.kind.owner)
        written: dict[str, int] = {}
        for draft in won:
            read = draft.stored
            revision = read.revision + draft.changed
            if draft.changed:
                written[read.id] = revision
                if draft.unmoored and draft.records:
                    self._settled[read.id] = revision
            if draft.state is not None:
                left = Stored(read.id, revision, draft.version, dead_letters=read.dead_letters)
                self._recent.remember(left, draft.state)
        self._acknowledge(written)

    def _acknowledge(self, revisions: Mapping[str, int]) -> None:
        """Remember what this process saw acknowledged, the latest some thousands; forgetting only costs a repeat."""
        self._acknowledged.update(revisions)
        while len(self._acknowledged) > 20_000:
            self._acknowledged.pop(next(iter(self._acknowledged)))


def _outbox(draft: _Draft[Any]) -> Outbox:
    """Of the write that is next."""
    return Outbox(tuple(draft.records), tuple(draft.positions.values()), draft.stored.revision + 1)


def _circumstances(
    work: Work, draft: _Draft[Any], context: Any, clashes: Mapping[str, set[str]], now: datetime
) -> Circumstances[Any]:
    id = draft.stored.id
    return Circumstances(
        now=work.now or now,
        version=draft.version + 1,
        cause=work.cause,
        context=context,
        position=work.position,
        degraded=bool(draft.stored.dead_letters),
        clashes=frozenset(clashes[id]) if id in clashes else frozenset(),
    )


def _adopt(outcome: Outcome[S], draft: _Draft[S], decision: Decision[S], records: list[Outgoing], work: Work) -> None:
    """Carry a decision over to the draft."""
    outcome.decision = decision
    if decision.transitions:
        draft.version += 1
    outcome.version = draft.version
    draft.rung = draft.rung or isinstance(work.message, Due)
    draft.touched = draft.touched or bool(decision.transitions) or draft.rung
    if decision.state is draft.state and not decision.transitions:
        (draft.records if draft.changed else draft.asides).extend(records)
        return
    draft.state = decision.state
    draft.records += records
    if work.position is None:
        draft.unmoored = True
    else:
        draft.positions[work.position.topic, work.position.partition] = work.position


def _last_positions(works: Sequence[Work]) -> tuple[Position, ...]:
    last: dict[tuple[str, int], Position] = {}
    for work in works:
        if work.position is not None:
            last[work.position.topic, work.position.partition] = work.position
    return tuple(last.values())
