"""What follows from a statement about a person, from a date that has come, and from a manager who turned up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.directory import properties
from services.directory.decide import countdown
from services.directory.decide.conditional import STALE
from services.directory.decide.rejections import rejection
from services.directory.model import Countdown, Person
from services.directory.sources import API, Sources
from services.directory.timeline import (
    Statement,
    Timeline,
    TooMany,
    TooOld,
    View,
    compacted,
    fold,
    from_ms,
    has_joined_by,
    identity,
    stated,
    taken_back,
    to_ms,
)
from shared.contracts import topics
from shared.contracts.base import Cause, Refusal, Transition, made
from shared.contracts.directory import (
    PersonChanged,
    PersonJoined,
    PersonLeft,
    PersonReturned,
    PersonStatus,
    PersonSuspended,
    PersonUnjoined,
    ValueChange,
)
from shared.contracts.hr import ChangeKind, HrChange, hr_correlation
from shared.messaging.decision import Again, Circumstances, Decision, Due
from shared.messaging.envelope import Outgoing, Position, enveloped
from shared.messaging.errors import WillNotPass

NAME_INDEX = "state.name"
KEYS_INDEX = "state.keys"


@dataclass(slots=True)
class Heard:
    """A valid change, with the record that brought it (none over HTTP)."""

    change: HrChange
    raw: bytes = b""
    key: str = ""
    timestamp_ms: int = 0
    person_id: str = ""
    """Whom it is about, once located."""
    keys: tuple[str, ...] = ()
    """Correlation keys that it states and nobody else has."""
    others: tuple[tuple[str, str], ...] = ()
    """Others who have a key that it states: (person id, rule). For a human, if it is not settled whose identity it is.
    """
    version: int | None = None
    """Only if the person has this one; None: whatever version they have."""

    @property
    def identity(self) -> str:
        return identity(self.change.source, self.change.employee_id)


@dataclass(frozen=True, slots=True)
class Purge:
    """Whoever was deleted over HTTP is forgotten, and cannot be restored."""

    person_id: str


@dataclass(frozen=True, slots=True)
class Around:
    """What decisions about people refer to."""

    sources: Sources
    managers: Mapping[str, str] = field(default_factory=dict)
    """Identity -> person id, of those asked about who have joined."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Folded user principal name -> who holds it, of those asked about."""
    may_join: frozenset[str] = frozenset()
    """People whom something in this batch may have made join: those who wait for them have to be told."""


def change(state: Person | None, heard: Heard, at: Circumstances[Around]) -> Decision[Person]:
    """A source states something about a person."""
    said, sources = heard.change, at.context.sources
    if state is not None and state.linked_to is not None and said.source != API:
        return _passed_on(state, said, at)
    clean, problems = _taken(said, sources)
    if said.source == API and (refusal := _refused_to_callers(state, heard, clean, problems, at)):
        return Decision(state, refusal=refusal)
    answers = [_rejection(heard, at, code, text, part=name) for name, code, text in problems]
    before = state or Person(heard.person_id)
    statement = Statement(
        to_ms(said.effective_at), said.sequence or 0, 0, said.source, said.kind.value, said.change_id, clean,
        said.rescinds if said.kind is ChangeKind.RESCINDED else None, _seen(heard, at.position), _number(before, heard),
    )  # fmt: skip
    try:
        timeline = stated(before.timeline, statement)
    except TooOld:
        return Decision(state, messages=(*answers, _rejection(heard, at, "tooOld", _TOO_OLD)))
    except TooMany:
        return Decision(state, messages=(*answers, _rejection(heard, at, "tooMany", _TOO_MANY)))
    if statement.kind not in _COMES_FIRST and not _counts_already(before, timeline, statement):
        answers.append(_rejection(heard, at, "notJoined", _not_joined(said)))
    if statement.rescinds is not None and not timeline.knows(statement.by, statement.rescinds):
        answers.append(_rejection(heard, at, "rescindsUnknown", _RESCINDS_UNKNOWN))
    identities = before.identities
    if said.employee_id and said.source != API and heard.identity not in identities:
        identities = (*identities, heard.identity)
    candidates = _candidates(before, heard)
    # Who has joined keeps what they have: a mistyped address must not take anybody's access away.
    waiting = bool(candidates) and not before.joined
    if waiting and candidates is not before.candidates:
        answers.append(_rejection(heard, at, "ambiguousIdentity", _AMBIGUOUS))
    if (
        timeline is before.timeline
        and identities is before.identities
        and candidates is before.candidates
        and KEYS_INDEX not in at.clashes
    ):
        return Decision(state, messages=tuple(answers))
    keys = before.keys if waiting else _keys(before, heard, at)
    refused = before.refused_names
    if (name := clean.get("userPrincipalName")) and not waiting:
        owner = at.context.names.get(name.casefold(), heard.person_id)
        if owner != heard.person_id:
            answers.append(_rejection(heard, at, "userPrincipalNameTaken", _name_taken(owner), "userPrincipalName"))
        refused = _refused(refused, name.casefold(), owner == heard.person_id)
    draft = Person(
        before.id,
        compacted(timeline, to_ms(at.now), before.joined),
        identities,
        keys,
        before.managers,
        refused,
        attributes=before.attributes,
        calls=before.calls,
        candidates=candidates,
        waiting=waiting,
        apart=before.apart,
        countdown=before.countdown,
        created=before.created,
        as_of=before.as_of,
    )
    after = _looked_at(draft, at)
    if after.waits_for is not None and after.waits_for != before.waits_for and clean.get(properties.MANAGER):
        answers.append(_rejection(heard, at, "managerUnknown", _MANAGER_WAITS, properties.MANAGER))
    return Decision(after, _happened(before, after), tuple(answers))


def purge(state: Person | None, _message: Purge, _at: Circumstances[Around]) -> Decision[Person]:
    """Nothing is left but the id, so that nobody else ever gets it."""
    if state is None or not state.deleted:
        return Decision(state, refusal=Refusal(code="ResourceNotFound", message="There is no such deleted user."))
    return Decision(Person(state.id, as_of=state.as_of), (PersonUnjoined.model_construct(),))


def due(state: Person | None, message: Due, at: Circumstances[Around]) -> Decision[Person]:
    """A future date has come, or somebody poked: whatever is true now becomes so."""
    return _again(state, at, by_date=True)


def again(state: Person | None, message: Again, at: Circumstances[Around]) -> Decision[Person]:
    """A manager who was missing has turned up meanwhile."""
    return _again(state, at, by_date=False)


def _again(state: Person | None, at: Circumstances[Around], by_date: bool) -> Decision[Person]:
    if state is None:
        return Decision(None)
    # Those who wait for this person were called just now, by whoever looked (see store).
    before = replace(state, calls=None) if by_date and state.calls is not None else state
    if by_date and (over := state.countdown) is not None and over.deletes_at <= to_ms(at.now):
        before = _deleted(before, over)
    after = _looked_at(before, at)
    if by_date and after.joined and not before.joined:
        # Told after this write by `look_again`, or, should the process die before, by the next ringing of the timer.
        after = replace(after, calls=to_ms(at.now))
    if after == state:
        return Decision(state)
    return Decision(after, _happened(state, after), cause=_said_before(state, at) if by_date else None)


def _said_before(person: Person, at: Circumstances[Around]) -> Cause | None:
    """The cause of what comes true by its date: the statement that said so, and not the clock."""
    if (over := person.countdown) is not None and over.deletes_at <= to_ms(at.now):
        return at.cause.model_copy(update={"correlation": over.correlation, "actor": over.actor})
    if person.next_at is None or person.next_at > to_ms(at.now):
        return None
    gone = taken_back(person.timeline.statements)
    said = [s for s in person.timeline.statements if s.effective == person.next_at and s.rescinds is None]
    said = [s for s in said if (s.by, s.id) not in gone]
    if not said:
        return None
    last = said[-1]
    number = last.number or next(iter(_numbers(person, last.source)), None)
    cause = at.cause
    return Cause(
        id=cause.id,
        correlation=hr_correlation(last.source, number, last.id) if number is not None else cause.correlation,
        actor=f"source:{last.source}",
        effective_at=from_ms(last.effective),
        lane=cause.lane,
    )


def _deleted(person: Person, over: Countdown) -> Person:
    """A guest whose time is over has left, as if an administrator had deleted them then; whom a source has meanwhile
    stays."""
    if known_to(fold(person.timeline, over.deletes_at)):
        return replace(person, countdown=None)
    at = max(over.deletes_at, person.as_of)
    left = Statement(at, 0, 0, API, ChangeKind.LEFT.value, f"deleted:{over.commands[0]}", {})
    return replace(person, timeline=stated(person.timeline, left))


def appeared(before: Person, released: Person, at: Circumstances[Around]) -> tuple[Person, tuple[Transition, ...]]:
    """What is true of someone who is held back no longer, and what others hear of it."""
    after = _looked_at(released, at)
    return after, _happened(before, after)


def _looked_at(person: Person, at: Circumstances[Around]) -> Person:
    """`person` with what its timeline says of the present."""
    sources = at.context.sources
    now = max(to_ms(at.now), person.as_of)
    view = fold(person.timeline, now)
    attributes = view.attributes(sources)
    reference = view.manager(sources)
    attributes.pop(properties.MANAGER, None)
    refused = person.refused_names
    name = attributes.get("userPrincipalName")
    if name is not None and NAME_INDEX in at.clashes and name.casefold() != person.user_principal_name:
        owner = at.context.names.get(name.casefold(), "")
        if owner != person.id:
            refused = tuple(dict.fromkeys((*refused, name.casefold())))
    if name is not None and name.casefold() in refused:
        # Somebody else's: the one before stays.
        attributes.pop("userPrincipalName")
        if (kept := person.attributes.get("userPrincipalName")) and kept.casefold() not in refused:
            attributes["userPrincipalName"] = kept
    attributes.setdefault("userType", "Member")
    if "employeeId" not in attributes and (number := _employee_id(person, view, sources)) is not None:
        attributes["employeeId"] = number
    status = PersonStatus.EXPECTED if person.waiting else view.status
    manager_id, managers = None, person.managers
    if reference is not None:
        manager_id = managers.get(reference)
        if manager_id is None and (manager_id := at.context.managers.get(reference)) is not None:
            managers = {**managers, reference: manager_id}
    return Person(  # not `replace`: this is the hottest line of the service
        id=person.id,
        timeline=person.timeline,
        identities=person.identities,
        keys=person.keys,
        managers=managers,
        refused_names=refused,
        status=status,
        attributes=attributes,
        answered=view.answered(sources),
        manager_id=manager_id,
        waits_for=reference if manager_id is None else None,
        holds=view.holds,
        next_at=view.next_at,
        calls=person.calls,
        candidates=person.candidates,
        waiting=person.waiting,
        apart=person.apart,
        countdown=countdown.goes_on(person.countdown, status, attributes),
        created=now if person.created is None and status is not PersonStatus.EXPECTED else person.created,
        as_of=now,
    )


def _numbers(person: Person, source: str) -> list[str]:
    """Under which numbers a source has them, in the order in which it said so."""
    return [number for name, _, number in (one.partition(":") for one in person.identities) if name == source]


def _number(person: Person, heard: Heard) -> str:
    """As it stands in the statement: '' for the first, and for whoever has no number here."""
    known = _numbers(person, heard.change.source)
    return heard.change.employee_id if known and heard.change.employee_id not in ("", known[0]) else ""


def _employee_id(person: Person, view: View, sources: Sources) -> str | None:
    for one in person.identities:
        source, _, id = one.partition(":")
        if source in sources.by_name and sources.by_name[source].employee_ids:
            return view.later_numbers.get(source, id)
    return None


def _happened(before: Person, after: Person) -> tuple[Transition, ...]:
    """What others hear of it. Of someone who has not joined: nothing."""
    was, now = before.status, after.status
    if now is PersonStatus.EXPECTED:
        return (
            () if was is PersonStatus.EXPECTED else (PersonUnjoined.model_construct(), *countdown.ended(before, after))
        )
    happened: list[Transition] = []
    if was is PersonStatus.EXPECTED:
        happened.append(_JOINED)
    elif was is PersonStatus.LEFT and now is not PersonStatus.LEFT:
        happened.append(_JOINED_AGAIN)
    if was is not PersonStatus.EXPECTED and (changes := _changes(before, after)):
        happened.append(made(PersonChanged, type="PersonChanged", changes=changes))
    if before.holds != after.holds:
        happened += [
            made(PersonSuspended, type="PersonSuspended", source=s) for s in after.holds if s not in before.holds
        ]
        happened += [
            made(PersonReturned, type="PersonReturned", source=s) for s in before.holds if s not in after.holds
        ]
    if now is PersonStatus.LEFT and was is not PersonStatus.LEFT:
        happened.append(_LEFT)
    if before.countdown is not None:
        happened += countdown.ended(before, after)
    if not happened and before.identities != after.identities:
        happened.append(made(PersonChanged, type="PersonChanged", changes={}))
    return tuple(happened)


_JOINED = PersonJoined.model_construct(returned=False)
_JOINED_AGAIN = PersonJoined.model_construct(returned=True)
_LEFT = PersonLeft.model_construct()


def _changes(before: Person, after: Person) -> dict[str, ValueChange]:
    changes: dict[str, ValueChange] = {}
    old, new = before.attributes, after.attributes
    if old != new:
        for name, value in new.items():
            if (known := old.get(name)) != value:
                changes[name] = made(ValueChange, before=known, after=value)
        for name, value in old.items():
            if name not in new:
                changes[name] = made(ValueChange, before=value, after=None)
    if before.answered != after.answered:
        # Rules read them from now on, or no longer, although they are what they were.
        for name in set(before.answered) ^ set(after.answered):
            changes.setdefault(name, made(ValueChange, before=old.get(name), after=new.get(name)))
    if before.manager_id != after.manager_id:
        changes["manager"] = made(ValueChange, before=before.manager_id, after=after.manager_id)
    return changes


def _taken(said: HrChange, sources: Sources) -> tuple[dict[str, Any], tuple[properties.Problem, ...]]:
    """The attributes that can be taken, and what is wrong with the others."""
    if said.kind is ChangeKind.RESCINDED or not said.attributes:
        return {}, ()
    clean, problems = properties.cleaned(said.attributes)
    if sources.authority:
        for name in [name for name in clean if not sources.may_set(said.source, name)]:
            del clean[name]
            text = f"The source may not set {name}: see `tenure sources`. The rest of the change was taken."
            problems = (*problems, (name, "notAuthoritative", text))
    return clean, properties.told(problems)


def _refused_to_callers(  # noqa: PLR0911 - a refusal each
    state: Person | None,
    heard: Heard,
    clean: Mapping[str, Any],
    problems: tuple[properties.Problem, ...],
    at: Circumstances[Around],
) -> Refusal | None:
    """Why nothing of this is taken, for those who wait for the answer: sources get theirs later, and in part."""
    if heard.version is not None and heard.version != at.version - 1:
        return STALE
    joins = heard.change.kind is ChangeKind.JOINED
    if not joins and (state is None or not state.joined):
        return Refusal(code="notJoined", message="Only who has joined can be suspended or changed.")
    for _, code, text in problems:
        return Refusal(code=code, message=text.removesuffix(" The rest of the change was taken."))
    name = clean.get("userPrincipalName")
    if name and at.context.names.get(name.casefold(), heard.person_id) != heard.person_id:
        return Refusal(code="userPrincipalNameTaken", message=_CALLER_NAME_TAKEN)
    if state is None or not (clean or heard.change.kind is ChangeKind.LEFT):
        return None
    view = fold(state.timeline, max(to_ms(at.now), state.as_of))
    if heard.change.kind is ChangeKind.LEFT:
        return _deletion_refused(view)
    if overruled := view.overruled(clean, API, at.context.sources):
        name, source = overruled
        return Refusal(code="setByOtherSource", message=f"{name} of this person is set by the source '{source}'.")
    return None


def _deletion_refused(view: View) -> Refusal | None:
    """Whoever a source has is the source's; the caller can only suspend them."""
    if (source := known_to(view)) is None:
        return None
    text = f"The source '{source}' knows this person: they leave by what it says, and can be suspended here."
    return Refusal(code="setByOtherSource", message=text)


def known_to(view: View) -> str | None:
    """A source that has ever had this person; None if callers alone have."""
    return min((name for name, one in view.told.items() if one.ever and name != API), default=None)


_CALLER_NAME_TAKEN = "Another object with the same value for property userPrincipalName already exists."

_COMES_FIRST = frozenset({"joined", "rescinded"})


def _counts_already(before: Person, timeline: Timeline, said: Statement) -> bool:
    """Whether anybody had said 'joined' before the moment of this change."""
    last = timeline.statements[-1] if timeline.statements else None
    is_last = last is not None and last.id == said.id and last.by == said.by
    if before.joined and is_last and said.effective <= before.as_of:
        return True  # by far the most
    found = timeline.find(said.by, said.id)
    # Folded already, so joined before.
    return found is None or has_joined_by(timeline, found)


def _passed_on(state: Person, said: HrChange, at: Circumstances[Around]) -> Decision[Person]:
    """A human linked the identity between the looking up and now: said again, the change finds the person."""
    if not at.context.sources.several:
        raise WillNotPass("linked", "The identity was linked to another person while there were several sources.")
    urgent = at.position is not None and at.position.topic == topics.HR_URGENT.name
    return Decision(state, messages=(said_again(said, at.now, urgent),))


def _refused(names: tuple[str, ...], name: str, free: bool) -> tuple[str, ...]:
    if free:
        return tuple(one for one in names if one != name) if name in names else names
    return tuple(dict.fromkeys((*names, name)))


def _candidates(before: Person, heard: Heard) -> tuple[tuple[str, str], ...]:
    """Who else this may be, with what is heard now; the very same if it is nothing new."""
    if before.apart or not heard.others:
        return before.candidates
    found = tuple(other for other in heard.others if other not in before.candidates)
    return (*before.candidates, *found) if found else before.candidates


def _keys(before: Person, heard: Heard, at: Circumstances[Around]) -> tuple[str, ...]:
    if KEYS_INDEX in at.clashes or not heard.keys:
        return before.keys
    keys = heard.keys
    if heard.identity in before.identities:
        # Of a rule that says something already the first word stays: an address that went to somebody else since
        # must not link them.
        said = {key.partition(":")[0] for key in before.keys}
        keys = tuple(key for key in keys if key.partition(":")[0] not in said)
    return tuple(dict.fromkeys((*before.keys, *keys)))


def _seen(heard: Heard, position: Position | None) -> tuple[tuple[str, int, int], ...]:
    if position is None:
        return ()
    return ((f"{position.topic}/{position.partition}", position.offset, heard.timestamp_ms),)


def _not_joined(said: HrChange) -> str:
    return (
        f"Nobody has joined under this employee id by {said.effective_at.date()}: send a change of kind 'joined' that "
        "takes effect before. This one is kept and counts then; there is no need to send it again."
    )


def _name_taken(owner: str) -> str:
    return f"Person {owner} has this userPrincipalName. State another; the rest of the change was taken."


_MANAGER_WAITS = (
    "Nobody has joined under this managerEmployeeId yet: the reference waits until somebody does. The rest of the "
    "change was taken; there is no need to send it again."
)
_RESCINDS_UNKNOWN = (
    "This source has stated nothing of this person under the changeId in 'rescinds', so nothing was taken back. Should "
    "it come still, this change counts: there is no need to send it again then."
)
_TOO_OLD = (
    "It is about a time whose changes have been merged, so that it can no longer be placed or taken back. State what "
    "is true now, under a new changeId."
)
_TOO_MANY = "More changes are kept of this person than can be: a 'joined' is missing, or too many lie in the future."


_AMBIGUOUS = (
    "This may be somebody who is known by another identity, and the correlation rules do not agree on whom. It is kept "
    "and gives no access until a human has decided: see /v1.0/tenure/identities?unlinked=true. There is no need to "
    "send it again."
)


def said_again(said: HrChange, now: datetime, urgent: bool) -> Outgoing:
    """A statement on its way to the person that its identity was linked to: as if its source had just said it."""
    return enveloped(
        topics.HR_URGENT if urgent else topics.HR_CHANGES,
        identity(said.source, said.employee_id),
        # Not `json_bytes`: a null in the attributes clears.
        said.model_dump_json(by_alias=True).encode(),
        ce_id=f"again:{hr_correlation(said.source, said.employee_id, said.change_id)}",
        ce_type=HrChange.ce_type,
        source="directory",
        at=now,
    )


def _rejection(heard: Heard, at: Circumstances[Around], code: str, text: str, part: str = "") -> Outgoing:
    said = heard.change
    return rejection(
        at.position, at.now, heard.key, heard.raw, Refusal(code=code, message=text), part=part,
        change_id=said.change_id, employee_id=said.employee_id, source=said.source,
    )  # fmt: skip
