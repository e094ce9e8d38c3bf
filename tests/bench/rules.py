"""What one person change costs under few and under many rules. In memory and on one core: no server is asked."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.assignment.decide.look import Look
from services.assignment.decide.person import person_changed
from services.assignment.model import HOLDING, Holding, role_of
from services.assignment.rulebook import Package, Policy, Rulebook
from shared.clock import TurnableClock
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.catalog import Life
from shared.contracts.directory import PersonChanged, PersonFact, PersonState, PersonStatus, ValueChange
from shared.messaging.decision import Circumstances, Handler, by
from shared.messaging.decoding import caused_by, contract_of
from shared.messaging.envelope import Incoming, Outgoing, Position
from shared.messaging.failpoints import Failpoints
from shared.messaging.loop import Loop, Work
from shared.messaging.ports import Stored, Write, Written
from shared.messaging.subscriber import CommittedOffsets
from shared.rules import facets
from tests.bench.ground import Ground

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROUNDS = 9
BATCH = 500

TEXTS = (
    'user.department -eq "Left {n}"',
    'user.department -eq "Right {n}"',
    'user.jobTitle -eq "Title {n}"',
    '(user.department -eq "Left {n}") -and (user.jobTitle -eq "Title {n}")',
    '(user.department -in ["Right {n}", "Beyond {n}"]) -and (user.city -eq "Oslo")',
    '(user.jobTitle -startsWith "Title {n}") -and -not (user.department -eq "Left {n}")',
    '(user.department -eq "Beyond {n}") -or (user.employeeType -eq "Beyond {n}")',
    '(user.city -eq "Oslo") -and (user.department -eq "Right {n}") -and (user.jobTitle -match "^Title")',
    '(user.country -eq "Norway") -and (user.department -eq "Beyond {n}")',
    '(user.jobTitle -eq "Beyond {n}") -and (user.accountEnabled -eq true)',
)
"""Ten rules about one corner of the company: whoever moves there from left to right leaves two and comes into four,
however many other corners there are."""


def rulebook(count: int) -> Rulebook:
    """`count` packages with a rule each."""
    book = Rulebook(epoch=1)
    numbers = range(count)
    book.put(
        [
            Package(f"package-{n}", f"Package {n}", ((role.key, role),), Life.ACTIVE)
            for n in numbers
            for role in [role_of("AadGroup", f"group-{n}", "Member", f"Group {n}")]
        ],
        [
            Policy(
                f"policy-{n}", f"package-{n}", "by rule", TEXTS[n % len(TEXTS)].replace("{n}", str(n // len(TEXTS))),
                None, None, Life.ACTIVE, NOW,
            )
            for n in numbers
        ],
    )  # fmt: skip
    return book


def facts(count: int, people: int) -> list[PersonFact]:
    """People of corner 0 who go to and fro."""
    made = []
    for number in range(count):
        version, n = number // people + 1, number % people
        sides = ("Left 0", "Right 0")
        state = PersonState(
            id=f"person-{n}",
            status=PersonStatus.ACTIVE,
            attributes={
                "displayName": f"Person {n}",
                "userPrincipalName": f"person{n}@bench.example",
                "mail": f"person{n}@bench.example",
                "department": sides[version % 2],
                "jobTitle": "Title 0",
                "city": "Oslo",
                "country": "Norway",
                "employeeHireDate": "2024-06-01T00:00:00Z",
            },
        )
        change = ValueChange(before=sides[1 - version % 2], after=sides[version % 2])
        made.append(
            PersonFact(
                id=f"person:{state.id}:{version}",
                cause=Cause(id=f"c{number}", correlation=f"c{number}", actor="source:hr"),
                subject=state.id,
                version=version,
                at=NOW + timedelta(seconds=number),
                transitions=(PersonChanged(changes={"department": change}),),
                state=state,
            )
        )
    return made


@dataclass
class Memory:
    """A store that keeps documents as they were dumped."""

    documents: dict[str, Stored]

    async def load(self, ids: Collection[str]) -> dict[str, Stored]:
        return {id: self.documents[id] for id in ids if id in self.documents}

    async def carried(self, revisions: Mapping[str, int]) -> list[Outgoing]:
        return []

    async def write(self, writes: Sequence[Write], stamp: str) -> Written:
        for write in writes:
            self.documents[write.read.id] = Stored(
                write.read.id, write.read.revision + 1, write.version, write.state, write.outbox
            )
        return Written()


class Nowhere:
    """Takes every record."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        return None


async def _turn() -> None:
    return None


@dataclass
class Case:
    """One number of rules: three ways to spend time under them, each returning seconds a change."""

    book: Rulebook
    facts: list[PersonFact]
    people: int

    def matching(self) -> float:
        """Facets and which rules match."""
        states = [(fact.subject, fact.state.attributes) for fact in self.facts]

        def work() -> None:
            for subject, attributes in states:
                self.book.rules.matches(facets({**attributes, "id": subject}, memberships=[], manager_id=None), NOW)

        return _timed(work) / len(states)

    def deciding(self) -> float:
        """The decision on a holding that is there."""
        look = Look(self.book, self.book.epoch)
        holdings: dict[str, Holding | None] = {}

        def work() -> None:
            for fact in self.facts:
                at = Circumstances(fact.at, fact.version, fact.cause, look)
                holdings[fact.subject] = person_changed(holdings.get(fact.subject), fact, at).state

        return _timed(work) / len(self.facts)

    async def loop(self) -> float:
        """The five steps, from the record to the fact, with a store that only remembers."""
        store: Any = Memory({})
        loop = Loop(
            HOLDING, store, Nowhere(), CommittedOffsets(), TurnableClock(NOW), lambda: "stamp", Failpoints(None), _turn
        )
        look = Look(self.book, self.book.epoch)

        async def looked(_messages: Any, _states: Any) -> Look:
            return look

        handler = Handler(person_changed, by(lambda fact: fact.subject), looked)
        topic = topics.PERSON_FACTS
        decode = contract_of(topic)
        records = [
            Incoming(Position(topic.name, 0, n), fact.subject.encode(), fact.json_bytes())
            for n, fact in enumerate(self.facts)
        ]
        gc.collect()
        begun = time.perf_counter()
        for begin in range(0, len(records), BATCH):
            works = []
            for record in records[begin : begin + BATCH]:
                fact = decode(record)
                works.append(Work(fact, caused_by(fact, record), record.position))  # type: ignore[arg-type]
            for outcome in await loop.run(works, handler):
                if outcome.error is not None:
                    raise outcome.error
        return (time.perf_counter() - begun) / len(records)


def _timed(work: Callable[[], None]) -> float:
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


async def rules(ground: Ground) -> dict[str, Any]:
    """The best of some rounds each, the numbers of rules taking turns: what else the machine does hits all alike."""
    sizes = ground.sizes
    people = min(BATCH, sizes.decisions)
    cases = {count: Case(rulebook(count), facts(sizes.decisions, people), people) for count in sizes.rule_counts}
    gc.collect()
    gc.freeze()  # else what is measured last pays for looking through what was made first
    best: dict[str, dict[int, float]] = {"matching": {}, "deciding": {}, "loop": {}}
    for number in range(ROUNDS):
        ground.say(f"rules: round {number + 1} of {ROUNDS}")
        for count, case in cases.items():
            for name, seconds in (
                ("matching", case.matching()),
                ("deciding", case.deciding()),
                ("loop", await case.loop()),
            ):
                best[name][count] = min(seconds, best[name].get(count, seconds))
    gc.unfreeze()
    first, last = min(cases), max(cases)
    return {
        "ratio": round(best["deciding"][last] / best["deciding"][first], 3),
        "matching_ratio": round(best["matching"][last] / best["matching"][first], 3),
        "loop_ratio": round(best["loop"][last] / best["loop"][first], 3),
        "decide_us": {str(count): round(seconds * 1e6, 1) for count, seconds in best["deciding"].items()},
        "loop_us": {str(count): round(seconds * 1e6, 1) for count, seconds in best["loop"].items()},
        "matches_per_s": {str(count): round(1 / seconds) for count, seconds in best["matching"].items()},
    }
