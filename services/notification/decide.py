"""Who hears of what, when it may be said, and what becomes of an attempt to say it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from services.notification.model import (
    Channel,
    Ending,
    Event,
    Item,
    Known,
    Message,
    Reviewed,
    Status,
    Why,
)
from shared.contracts.assignment import (
    AssignmentAdded,
    AssignmentBegan,
    AssignmentEnded,
    AssignmentEndsSoon,
    AssignmentKind,
    AssignmentMoved,
    AssignmentState,
    AssignmentStatus,
    HoldingFact,
)
from shared.contracts.base import Fact
from shared.contracts.directory import PersonChanged, PersonFact, PersonJoined, PersonLeft, PersonReturned
from shared.ids import derived_id

WAIT_FOR_NAMES = timedelta(seconds=30)
"""A message about someone or something not heard of yet waits that long, then says what it knows."""
LOOK_AGAIN = timedelta(milliseconds=500)
FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(hours=2)
MOST_ATTEMPTS = 20
"""Over about a day: what a server puts off for so long it will not take."""


def messages_of(fact: HoldingFact, now: datetime) -> list[Message]:
    """All that this holding's change gives its person to hear, one message an event and channel.

    An assignment that makes way for another one of the same package takes nothing from anybody. The same fact gives the
    same ids: recording them again is harmless."""
    kept = {one.package_id for one in fact.state.assignments if one.status is not AssignmentStatus.SCHEDULED}
    changed: list[Item] = []
    ending: list[Item] = []
    for one in fact.transitions:
        match one:
            case AssignmentAdded(assignment=new) if new.status is not AssignmentStatus.SCHEDULED:
                changed += _given(new)
            case AssignmentBegan(assignment=new):
                changed += _given(new)
            case AssignmentEnded(assignment=old) if old.starts_at <= fact.at and old.package_id not in kept:
                changed.append(replace(_item("taken", old), reason=one.reason.value, detail=one.detail))
            case AssignmentEndsSoon(assignment=old):
                ending.append(_item("endsSoon", old))
            case _:
                pass
    return [*_messages(fact, changed, now), *_messages(fact, ending, now)]


def _given(assignment: AssignmentState) -> list[Item]:
    """Whoever was assigned directly is not told (ML-3)."""
    return [] if assignment.kind is AssignmentKind.DIRECT else [_item("given", assignment)]


def _messages(fact: HoldingFact, items: Sequence[Item], now: datetime) -> Iterator[Message]:
    if items:
        yield from spread(fact, event_of(items), [fact.state.person_id], items, now)


def spread(
    fact: Fact,
    event: Event,
    people: Iterable[str],
    items: Sequence[Item],
    now: datetime,
    *,
    reviews: Sequence[Reviewed] = (),
) -> Iterator[Message]:
    """To each of them over every channel, under ids that derive from the fact."""
    for person in people:
        for channel in Channel:
            yield Message(
                id=derived_id("notification", fact.id, event.value, person, channel.value),
                event=event,
                channel=channel,
                recipient=person,
                fact=fact.id,
                version=fact.version,
                why=Why(fact.cause.id, fact.cause.correlation, fact.cause.actor),
                items=tuple(items),
                created_at=now,
                next_at=now,
                reviews=tuple(reviews),
            )


def event_of(items: Sequence[Item]) -> Event:
    """What these changes of assignments are together."""
    changes = {item.change for item in items}
    if "endsSoon" in changes:
        return Event.ENDS_SOON
    if len(changes) == 2:
        return Event.CHANGED
    return Event.GIVEN if "given" in changes else Event.TAKEN


def _item(change: str, assignment: AssignmentState) -> Item:
    return Item(
        change=change,  # type: ignore[arg-type]
        package_id=assignment.package_id,
        policy_id=assignment.policy_id,
        assignment_id=assignment.id,
        ends_at=assignment.ends_at,
    )


TELLING = (AssignmentAdded, AssignmentBegan, AssignmentMoved, AssignmentEnded, AssignmentEndsSoon)
"""What of a holding somebody hears of, or what makes untrue what they would hear."""


def endings_of(fact: HoldingFact) -> list[Ending]:
    """What makes an earlier 'ends soon' untrue: kept so that one that comes late is not said."""
    found: list[Ending] = []
    for one in fact.transitions:
        if isinstance(one, AssignmentEnded) and one.assignment.ends_at is not None:
            found.append(Ending(one.assignment.id, fact.version, None))
        elif isinstance(one, AssignmentMoved) and one.before.ends_at is not None:
            found.append(Ending(one.after.id, fact.version, one.after.ends_at))
    return found


OF_ASSIGNMENTS = frozenset({Event.GIVEN, Event.TAKEN, Event.CHANGED, Event.ENDS_SOON})
"""Events that a policy may keep quiet about."""


TO_DO = frozenset({Event.APPROVAL_ASKED, Event.APPROVAL_REMINDED, Event.REVIEW_ASKED, Event.REVIEW_REMINDED})
"""Events that ask their recipient to do something until a date."""


class Not(Enum):
    """Why a message is not sent now."""

    YET = "names are not known yet"
    NO_ADDRESS = "noAddress"
    STALE = "stale"
    SILENCED = "silenced"
    NOT_ACCEPTED = "invitationNotAccepted"


def may_send(message: Message, known: Known, now: datetime) -> Not | None:
    """None if it may go out. Whatever is not true any more, or has nowhere to go, is not sent at all."""
    if _stale(message, known, now):
        return Not.STALE
    if not _names_known(message, known) and now < message.created_at + WAIT_FOR_NAMES:
        return Not.YET
    if not message.reviews and not current_items(message, known, now):
        return Not.SILENCED
    if message.reviews and (invited := known.people.get(message.recipient)) and invited.pending:
        return Not.NOT_ACCEPTED
    if message.channel is Channel.MAIL:
        person = known.people.get(message.recipient)
        if person is None or not person.mail:
            return Not.NO_ADDRESS
    return None


def _stale(message: Message, known: Known, now: datetime) -> bool:
    """Whether nothing ends any more, or the time has passed for all that the message asks for: dates that came while
    nothing ran are decided as of themselves, so that a reminder may come after the end of what it reminds of."""
    if message.event is Event.ENDS_SOON:
        return not any(_still_ends(message, item, known, now) for item in message.items)
    if message.event not in TO_DO:
        return False
    until = [one.ends_at for one in message.items] + [one.until for one in message.reviews]
    return bool(until) and all(date is not None and date <= now for date in until)


def _still_ends(message: Message, item: Item, known: Known, now: datetime) -> bool:
    if item.ends_at is None or item.ends_at <= now:
        return False
    later = [one for one in known.endings.get(item.assignment_id, ()) if one.version > message.version]
    return all(one.ends_at == item.ends_at for one in later)


def _names_known(message: Message, known: Known) -> bool:
    person = known.people.get(message.recipient)
    if person is None or any(item.package_id not in known.packages for item in message.items):
        return False
    if message.event in OF_ASSIGNMENTS and any(item.policy_id not in known.policies for item in message.items):
        return False
    if message.reviews:
        return True
    # "person:<id>:<version>": the change that caused it is told in words once that version has been heard of.
    _, _, version = message.why.id.rpartition(f":{message.recipient}:")
    return not version.isdigit() or message.why.id in known.reasons or person.version >= int(version)


def current_items(message: Message, known: Known, now: datetime) -> tuple[Item, ...]:
    """What of the message is still true, which only 'ends soon' may cease to be, and is to be told of (ML-2)."""
    if message.event not in OF_ASSIGNMENTS:
        return message.items
    told = tuple(item for item in message.items if item.policy_id not in known.silent)
    if message.event is not Event.ENDS_SOON:
        return told
    return tuple(item for item in told if _still_ends(message, item, known, now))


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel has taken it."""


@dataclass(frozen=True, slots=True)
class PutOff:
    """Not now, for a reason that lies in this message or its recipient."""

    problem: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Never."""

    problem: str


@dataclass(frozen=True, slots=True)
class Untried:
    """The channel was away before its turn came: nothing is said about this message."""


Result = Sent | PutOff | Refused | Untried


def after(message: Message, result: Result | Not, now: datetime) -> Message:
    """The message after an attempt, or after the reason why there was none."""
    match result:
        case Sent():
            done = replace(message, status=Status.SENT, sent_at=now, attempts=message.attempts + 1, problem="")
        case Refused(problem):
            done = replace(message, status=Status.FAILED, attempts=message.attempts + 1, problem=problem)
        case PutOff(problem):
            return _put_off(message, problem, now)
        case Untried() | Not.YET:
            pause = LOOK_AGAIN if result is Not.YET else timedelta()
            return replace(message, status=Status.QUEUED, next_at=now + pause)
        case _:
            done = replace(message, status=Status.SKIPPED, problem=result.value)
    return replace(done, next_at=None)


def _put_off(message: Message, problem: str, now: datetime) -> Message:
    attempts = message.attempts + 1
    tried = replace(message, attempts=attempts, problem=problem)
    if attempts >= MOST_ATTEMPTS:
        return replace(tried, status=Status.FAILED, next_at=None)
    pause = min(FIRST_RETRY * int(2 ** min(attempts - 1, 16)), LONGEST_RETRY)
    return replace(tried, status=Status.QUEUED, next_at=now + pause)


SAID_OF = {
    "department": "department",
    "jobTitle": "job title",
    "companyName": "company",
    "city": "city",
    "country": "country",
    "officeLocation": "office",
    "employeeType": "employee type",
    "division": "division",
    "costCenter": "cost centre",
}
"""Properties whose change is named in a text, and what people call them."""


def reason_in_words(fact: PersonFact) -> str:
    """What this fact says of the person, for them to read: 'your department is now Sales'. Empty if nothing fits."""
    said: list[str] = []
    for one in fact.transitions:
        match one:
            case PersonLeft():
                said.append("you have left")
            case PersonJoined():
                said.append("you are back" if one.returned else "you have joined")
            case PersonReturned():
                said.append("you are back")
            case PersonChanged():
                said += _changes_in_words(one)
            case _:
                pass
    said = list(dict.fromkeys(said))[:3]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}" if said else ""


def _changes_in_words(one: PersonChanged) -> Iterator[str]:
    for name, change in one.changes.items():
        if name == "employeeOrgData":
            before, after_ = (value if isinstance(value, dict) else {} for value in (change.before, change.after))
            for inner in ("division", "costCenter"):
                if before.get(inner) != after_.get(inner):
                    yield _said(inner, after_.get(inner))
        elif name in SAID_OF:
            yield _said(name, change.after)


def _said(name: str, value: object) -> str:
    return (
        f"your {SAID_OF[name]} is now {value}" if value not in (None, "") else f"your {SAID_OF[name]} is no longer set"
    )
