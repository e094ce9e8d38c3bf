"""The script of those who ask: who asks for what on which day, what they are answered, and what must come of it.

Pure: the same for the same company and seed. Days count from the moment at which the first of them asks; `player` plays
it through the API, and `outcomes` compares what came of it with what stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import cycle, islice
from random import Random

from deploy.demo.history import Company

AUTOMATIC_DENIAL = 14
ESCALATION = 5
ROOM = 30
"""Days for which the project room is given, and given once more."""
LONG = 180


class Package(StrEnum):
    """What can be asked for; see `onrequest`."""

    TRAVEL = "Travel booking"
    SERVER = "Build server"
    DATA = "Customer data"
    ROOM = "Project room"
    ENTER = "Enter payments"
    RELEASE = "Release payments"


class Outcome(StrEnum):
    """What has become of a wish."""

    HELD = "has it"
    EXTENDED = "has it, extended"
    RAN_OUT = "had it until its end"
    GIVEN_BACK = "gave it back"
    DENIED = "denied"
    TIMED_OUT = "nobody decided in time"
    CANCELED = "taken back"
    REFUSED = "refused at once"

    @property
    def holds(self) -> bool:
        return self in {Outcome.HELD, Outcome.EXTENDED}


class What(StrEnum):
    """What somebody does."""

    ASK = "userAdd"
    ASK_FOR_ANOTHER = "onBehalfAdd"
    ASK_IN_VAIN = "refused"
    EXTEND = "userUpdate"
    GIVE_BACK = "userRemove"
    CANCEL = "cancel"
    APPROVE = "Approve"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Act:
    """On which day who does what."""

    day: int
    by: int
    what: What


@dataclass(frozen=True, slots=True)
class Wish:
    """One person and one package; no two wishes are for the same."""

    story: str
    person: int
    package: Package
    acts: tuple[Act, ...]
    outcome: Outcome
    ends: int | None = None
    """On which day it runs out; None: not while anybody looks."""

    def outcome_on(self, day: float) -> Outcome:
        """What must have come of it on that day, once all its acts are done."""
        return Outcome.RAN_OUT if self.ends is not None and day >= self.ends else self.outcome


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who works there, and who decides for them."""

    number: int
    manager: int | None
    """Who works there too, and is somebody else."""
    owner: int
    """Of the packages: decides second, and first for whoever has no manager."""

    @property
    def first(self) -> int:
        return self.owner if self.manager is None else self.manager


@dataclass(frozen=True, slots=True)
class Script:
    """All wishes, and the day on which the last has come out."""

    owner: int | None
    wishes: tuple[Wish, ...]

    @property
    def days(self) -> list[int]:
        """On which something is done, in order; last the one on which everything has come out."""
        return sorted({act.day for wish in self.wishes for act in wish.acts} | {LAST_DAY})


LATER, EXTENDING, LAST_DAY = 6, 20, 35
"""After the escalation; before the project room's end; after it, and after the automatic denial."""


def colleagues(company: Company, day: date) -> dict[int, int | None]:
    """Everyone who works there on that day, with their manager if that is somebody else who works there."""
    there = {
        number: [spell.name for spell in person.departments if spell.covers(day)]
        for number, person in company.people.items()
    }
    employed = {number: names[-1] for number, names in there.items() if names}
    found: dict[int, int | None] = {}
    for number, department in employed.items():
        manager = company.manager_of(department, day)
        found[number] = manager if manager in employed and manager != number else None
    return found


def script(people: Mapping[int, int | None], asking: int, seed: int = 1) -> Script:
    """`people`: everyone with their manager. At most `asking` of them ask, and never more than half.

    One other owns what is asked for, and is nobody's manager if there is such a person."""
    if len(people) < 2 or asking < 1:
        return Script(None, ())
    rng = Random(seed)  # noqa: S311 - a made story, no secrets
    managers = {manager for manager in people.values() if manager is not None}
    numbers = sorted(people)
    rng.shuffle(numbers)
    owner = next((number for number in numbers if number not in managers), numbers[0])
    askers = [number for number in numbers if number != owner][: max(1, min(asking, len(people) // 2))]
    wishes: list[Wish] = []
    for number, told in zip(askers, islice(cycle(_STORIES), len(askers)), strict=True):
        manager = people[number]
        wishes += told(Asker(number, None if manager == owner else manager, owner))
    return Script(owner, tuple(wishes))


# The stories

Told = Iterator[Wish]


def _nobody_has_to_approve(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK),)
    yield Wish("nobody has to approve", who.number, Package.TRAVEL, acts, Outcome.HELD)


def _the_manager_approves(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK), Act(0, who.first, What.APPROVE))
    yield Wish("the manager approves", who.number, Package.SERVER, acts, Outcome.HELD, LONG)


def _the_manager_denies(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK), Act(0, who.first, What.DENY))
    yield Wish("the manager denies", who.number, Package.SERVER, acts, Outcome.DENIED)


def _both_approve(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK), Act(0, who.first, What.APPROVE), Act(0, who.owner, What.APPROVE))
    yield Wish("manager and owner approve", who.number, Package.DATA, acts, Outcome.HELD, LONG)


def _the_owner_denies(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK), Act(0, who.first, What.APPROVE), Act(0, who.owner, What.DENY))
    yield Wish("the manager approves, the owner denies", who.number, Package.DATA, acts, Outcome.DENIED)


def _nobody_decides(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK),)
    yield Wish("nobody decides", who.number, Package.DATA, acts, Outcome.TIMED_OUT)


def _the_alternate_approves(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK), Act(LATER, who.owner, What.APPROVE))
    yield Wish("the manager is silent, the alternate approves", who.number, Package.SERVER, acts, Outcome.HELD, LONG)


def _taken_back(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK), Act(0, who.number, What.CANCEL))
    yield Wish("taken back before anybody decides", who.number, Package.DATA, acts, Outcome.CANCELED)


def _runs_out(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK),)
    yield Wish("given for a month", who.number, Package.ROOM, acts, Outcome.HELD, ROOM)


def _extended(who: Asker) -> Told:
    acts = (
        Act(0, who.number, What.ASK),
        Act(EXTENDING, who.number, What.EXTEND),
        Act(EXTENDING, who.first, What.APPROVE),
    )
    yield Wish("given for a month, and for another", who.number, Package.ROOM, acts, Outcome.EXTENDED, 2 * ROOM)


def _given_back(who: Asker) -> Told:
    acts = (Act(0, who.number, What.ASK), Act(LATER, who.number, What.GIVE_BACK))
    yield Wish("given back", who.number, Package.TRAVEL, acts, Outcome.GIVEN_BACK)


def _asked_for_by_the_manager(who: Asker) -> Told:
    if who.manager is None:
        yield from _nobody_has_to_approve(who)
        return
    acts = (Act(0, who.manager, What.ASK_FOR_ANOTHER),)
    yield Wish("the manager asks for them", who.number, Package.TRAVEL, acts, Outcome.HELD)


def _wants_what_does_not_go_together(who: Asker) -> Told:
    first, second = (Act(0, who.number, What.ASK),), (Act(LATER, who.number, What.ASK_IN_VAIN),)
    yield Wish("enters payments", who.number, Package.ENTER, first, Outcome.HELD)
    yield Wish("enters payments and wants to release them", who.number, Package.RELEASE, second, Outcome.REFUSED)


def _releases_payments(who: Asker) -> Told:
    yield Wish("releases payments", who.number, Package.RELEASE, (Act(0, who.number, What.ASK),), Outcome.HELD)


_STORIES: Sequence[Callable[[Asker], Told]] = (
    _nobody_has_to_approve,
    _the_manager_approves,
    _both_approve,
    _the_manager_denies,
    _nobody_decides,
    _extended,
    _runs_out,
    _the_alternate_approves,
    _the_owner_denies,
    _taken_back,
    _given_back,
    _wants_what_does_not_go_together,
    _asked_for_by_the_manager,
    _the_manager_approves,
    _both_approve,
    _releases_payments,
)
"""In turn: sixteen people see all of it."""
