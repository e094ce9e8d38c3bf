"""A world small enough to be explored whole: one document store, one log, a few processes, stepped by hand.

The code under test is the real one (`shared.messaging.loop.Loop`); only its ports are faked. Every port operation is
one atomic step: a process stops before it, the explorer says who goes next, the operation happens. What a process
knows is decided by what its operations answered, so (world, answers so far) is the whole state, and a state that was
seen before need not be explored again.
"""

from __future__ import annotations

import pickle
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from shared.clock import TurnableClock
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.directory import PersonChanged, PersonFact, PersonState, PersonStatus, ValueChange
from shared.messaging.decision import Again, AggregateKind, Circumstances, Decision, Due, Handler
from shared.messaging.envelope import Outgoing, Position
from shared.messaging.errors import MayPass
from shared.messaging.failpoints import Failpoints
from shared.messaging.loop import Attempts, Loop, Work
from shared.messaging.ports import Stored, Write, Written

NOW = datetime(2026, 3, 1, tzinfo=UTC)
INPUT = "hr.attribute-changes"
T = TypeVar("T")


@dataclass
class Step:
    """What a process is about to do: awaited by the fakes, answered by the explorer."""

    name: str
    do: Callable[[], Any]

    def __await__(self) -> Generator[Step, Any, Any]:
        return (yield self)


@dataclass
class World:
    """Everything that survives a crash."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[Outgoing] = field(default_factory=list)
    messages: tuple[tuple[str, str], ...] = ()
    """The input partition: (message id, aggregate)."""
    committed: int = 0
    epoch: int = 1
    written: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """Every fact that was ever stored, by (aggregate, version): what may be published at all."""
    acknowledged: set[str] = field(default_factory=set)
    """HTTP commands that were answered with success."""
    due: set[str] = field(default_factory=set)
    """Of whom the timer is to take another look; of what is dated otherwise only the explorer's own timer knows."""
    rule_may_change: bool = True
    """False spares the explorer reads that always answer the same."""

    def key(self) -> str:
        """The world as later steps and the check can tell it: not who wrote last, nor what was published again."""
        documents = [(id, {**found, "stamp": ""}) for id, found in sorted(self.documents.items())]
        said = list(dict.fromkeys(record.value for record in self.log))
        return repr((documents, said, self.committed, self.epoch, sorted(self.acknowledged), sorted(self.due)))


@lru_cache(maxsize=100_000)
def read_fact(body: bytes) -> tuple[str, int]:
    """Subject and version of a published fact."""
    fact = PersonFact.model_validate_json(body)
    return fact.subject, fact.version


def _copied(what: T) -> T:
    """As `copy.deepcopy`, which would take a third of the explorer's time."""
    copy: T = pickle.loads(pickle.dumps(what, pickle.HIGHEST_PROTOCOL))
    return copy


class FakeStore:
    """Documents with revisions; each method is one step. Mutants override the guards."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def load(self, ids: Collection[str]) -> dict[str, Stored]:
        def do() -> dict[str, Stored]:
            found = {id: self._stored(id) for id in ids if id in self.world.documents}
            for stored in found.values():
                stored.outbox = stored.outbox and replace(stored.outbox, records=())
            return found

        return _copied(await Step("load", do))

    async def revisions(self, ids: Collection[str]) -> dict[str, int]:
        documents = self.world.documents
        return await Step("revisions", lambda: {id: documents[id]["revision"] for id in ids if id in documents})

    async def carried(self, revisions: Mapping[str, int]) -> list[Outgoing]:
        return await Step("carried", lambda: self.carried_now(revisions))

    def carried_now(self, revisions: Mapping[str, int]) -> list[Outgoing]:
        there = [(self.world.documents[id]["outbox"], revision) for id, revision in revisions.items()]
        return [
            record for outbox, revision in there if outbox and outbox.revision == revision for record in outbox.records
        ]

    def _stored(self, id: str) -> Stored:
        found = self.world.documents[id]
        return Stored(id, found["revision"], found["version"], found["state"], found["outbox"], found["pending"])

    def guarded(self, write: Write) -> bool:
        """The version guard."""
        return self.world.documents.get(write.read.id, {"revision": 0})["revision"] == write.read.revision

    async def write(self, writes: Sequence[Write], stamp: str) -> Written:
        def do() -> Written:
            lost = set()
            for write in writes:
                if not self.guarded(write):
                    if self.world.documents[write.read.id]["stamp"] != stamp:
                        lost.add(write.read.id)
                    continue
                self.world.documents[write.read.id] = {
                    "revision": write.read.revision + 1,
                    "version": write.version,
                    "state": _copied(write.state),
                    "outbox": write.outbox,
                    "pending": write.pending_since is not None,
                    "stamp": stamp,
                }
                for record in write.outbox.records if write.outbox else ():
                    self.world.written[read_fact(record.value or b"")] = record.value or b""
            return Written(lost)

        return await Step("write", do)

    async def published(self, revisions: dict[str, int], look_at: datetime | None = None) -> None:
        def do() -> None:
            for id, revision in revisions.items():
                if self.may_clear(id, revision):
                    self.world.documents[id]["pending"] = False
                    if look_at is not None:
                        self.world.due.add(id)

        await Step("clear", do)

    def may_clear(self, id: str, revision: int) -> bool:
        outbox = self.world.documents[id]["outbox"]
        return bool(outbox) and outbox.revision == revision

    async def pending(self, before: datetime, limit: int) -> list[Stored]:
        def do() -> list[Stored]:
            return [self._stored(id) for id, found in self.world.documents.items() if found["pending"]]

        return _copied(await Step("pending", do))

    async def due(self, now: datetime, limit: int) -> list[tuple[str, datetime]]:
        raise NotImplementedError

    async def next_due(self, now: datetime) -> datetime | None:
        raise NotImplementedError

    async def back_off(self, id: str, due_at: datetime, now: datetime, reason: str) -> None:
        raise NotImplementedError

    async def mark_dead_letter(self, id: str, letter: str) -> None:
        raise NotImplementedError

    async def clear_dead_letter(self, id: str | None, letter: str, look_at: datetime | None = None) -> None:
        raise NotImplementedError


class FakePublisher:
    """The log. Records of one call appear one by one, as in Kafka: a kill in between leaves the first of them."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def publish(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            await Step("publish", lambda r=record: self.world.log.append(r))  # type: ignore[misc]


class FakeCommitted:
    """What one process knows of committed offsets: what it committed itself."""

    def __init__(self) -> None:
        self.next = 0

    def covers(self, position: Position) -> bool:
        return position.offset < self.next


class Insistent(Attempts):
    """Tries again at once, as often as it takes: pauses mean nothing to an explorer."""

    async def __call__(self, step: str, operation: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            try:
                return await operation()
            except MayPass:
                continue


@dataclass(frozen=True)
class Say:
    """A message, or an HTTP command: to be applied once, whatever happens."""

    id: str
    subject: str


NOTHING: dict[str, Any] = {"applied": [], "rule": 0}


def decide(state: dict[str, Any] | None, message: Say, at: Circumstances[int]) -> Decision[dict[str, Any]]:
    """Remember the message, under the present rule."""
    state = state or NOTHING
    if message.id in state["applied"]:
        # A repeat on an older epoch is decided again (DESIGN section 2).
        return _under_rule(state, at) if state["rule"] < at.context else Decision(state)
    return remember(state, message.id, at)


def ring(state: dict[str, Any] | None, message: Due, at: Circumstances[int]) -> Decision[dict[str, Any]]:
    """A timer: applied once, to what is there."""
    if state is None or "due" in state["applied"]:
        return Decision(state)
    return remember(state, "due", at)


def look_again(state: dict[str, Any] | None, message: Again, at: Circumstances[int]) -> Decision[dict[str, Any]]:
    """The rule has changed: decide under the present one."""
    return Decision(state) if state is None or state["rule"] >= at.context else _under_rule(state, at)


def remember(state: dict[str, Any], what: str, at: Circumstances[int]) -> Decision[dict[str, Any]]:
    return _fact({"applied": [*state["applied"], what], "rule": at.context}, what)


def _under_rule(state: dict[str, Any], at: Circumstances[int]) -> Decision[dict[str, Any]]:
    return _fact({**state, "rule": at.context}, f"rule {at.context}")


def _fact(state: dict[str, Any], what: str) -> Decision[dict[str, Any]]:
    return Decision(state, (PersonChanged(changes={what: ValueChange()}),))


def no_date(_state: dict[str, Any]) -> None:
    """Nothing in it is dated, and it may be due all the same."""


KIND: AggregateKind[dict[str, Any]] = AggregateKind(
    due_at=no_date,
    name="person",
    owner="directory",
    dump=lambda state: state,
    load=lambda document: document,
    topic=topics.PERSON_FACTS,
    fact=PersonFact,
    public=lambda state: PersonState(
        id="p", status=PersonStatus.ACTIVE, attributes={"applied": ",".join(state["applied"]), "rule": state["rule"]}
    ),
)


@dataclass
class Parts:
    """What a mutant may replace: each is a guard of the protocol."""

    store: type[FakeStore] = FakeStore
    loop: type[Loop[Any]] = Loop
    committed: type[FakeCommitted] = FakeCommitted
    decide: Callable[..., Any] = decide
    second_look: bool = True
    commit_first: bool = False
    job: bool = True


class Process:
    """One replica of the service: what it holds is lost when it is killed."""

    def __init__(self, world: World, parts: Parts, name: str) -> None:
        self.name = name
        self.stamps = 0
        self.world = world
        self.parts = parts
        self.committed = parts.committed()
        self.loop = parts.loop(
            KIND,
            parts.store(world),
            FakePublisher(world),
            self.committed,
            TurnableClock(NOW),
            new_stamp=self._stamp,
            failpoints=Failpoints(None),
            turn=_no_turn,
        )

    def _stamp(self) -> str:
        # Numbered by the process itself: a number that depended on who came first would make equal states differ.
        self.stamps += 1
        return f"{self.name}{self.stamps}"

    async def _epoch(self) -> int:
        return int(await Step("epoch", lambda: self.world.epoch)) if self.world.rule_may_change else 1

    async def _look(self, _messages: Sequence[Any], _states: Mapping[str, Any]) -> int:
        return await self._epoch()

    async def _look_again(self, context: int, states: Mapping[str, Any]) -> Collection[str]:
        if not self.parts.second_look:
            return ()
        return list(states) if await self._epoch() != context else ()

    def handler(self, decision: Any) -> Handler[Any, Any, Any]:
        async def locate(messages: Sequence[Any]) -> Sequence[str]:
            return [message.subject if isinstance(message, Say) else message.id for message in messages]

        return Handler(decision, locate, self._look, self._look_again, look_again)

    # The actors

    async def consume(self) -> None:
        """Take everything from the committed offset on as one batch; write, publish, commit."""
        first = await Step("fetch", lambda: self.world.committed)
        last = len(self.world.messages)
        if first >= last:
            return
        works = [
            Work(Say(id, subject), _cause(id), Position(INPUT, 0, offset))
            for offset, (id, subject) in enumerate(self.world.messages)
            if offset >= first
        ]
        if self.parts.commit_first:
            await Step("commit", lambda: self._commit(last))
        await self.loop.run(works, self.handler(self.parts.decide), Insistent())
        if not self.parts.commit_first:
            await Step("commit", lambda: self._commit(last))
        self.committed.next = last

    def _commit(self, offset: int) -> None:
        self.world.committed = max(self.world.committed, offset)

    async def command(self, id: str, subject: str) -> None:
        """HTTP: answered after publishing."""
        await self.loop.run([Work(Say(id, subject), _cause(id))], self.handler(self.parts.decide), Insistent())
        self.world.acknowledged.add(id)
        await self.loop.settle(Insistent())

    async def timer(self, subject: str) -> None:
        due = Work(Due(subject, NOW), _cause("due"), now=NOW)
        await self.loop.run([due], self.handler(ring), Insistent())

    async def change_rule(self) -> None:
        """Write the rule, raise the epoch (one step here), then decide everyone there is by the present rules."""
        await Step("raise", self._raise)
        await self.job()

    def _raise(self) -> None:
        self.world.epoch += 1

    async def job(self) -> None:
        everyone = await Step("scan", lambda: sorted(self.world.documents))
        if self.parts.job:
            await self._look_at(everyone, "rule")

    async def look_at_due(self) -> None:
        """The timer of whoever the sweeper has published for."""
        await self._look_at(await Step("due", lambda: sorted(self.world.due)), "due")

    async def _look_at(self, ids: Sequence[str], why: str) -> None:
        if ids:
            works = [Work(Due(id, NOW), _cause(why), now=NOW) for id in ids]
            await self.loop.run(works, self.handler(look_again), Insistent())

    async def interfere(self) -> None:
        """Somebody else writes "x" in one step: whoever has it in hand decides it once more."""

        def do() -> None:
            found = self.world.documents.setdefault(
                "x",
                {"revision": 0, "version": 0, "state": dict(NOTHING), "outbox": None, "pending": False, "stamp": ""},
            )
            found["revision"] += 1
            if not found["version"]:
                found["state"]["rule"] = self.world.epoch

        await Step("interfere", do)

    async def sweep(self) -> None:
        await self.loop.sweep(NOW + timedelta(seconds=5), attempts=Insistent())


Actor = Callable[[Process], Coroutine[Any, Any, None]]


async def _no_turn() -> None:
    return None


def _cause(id: str) -> Cause:
    return Cause(id=id, correlation=id, actor="source:hr")
