"""A campaign: written, changed, deleted; and its series, which begins instances when their time has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.review.decide.instances import resource_key
from services.review.model import OVER, Beginning, Definition
from services.review.scope import read_scope, resolved
from shared import recurrence
from shared.contracts import topics
from shared.contracts.base import Cause, Refusal, Transition
from shared.contracts.review import (
    CloseInstance,
    DefinitionState,
    InstanceFact,
    OccurrencesMissed,
    ReviewBegan,
    ReviewChanged,
    ReviewCommand,
    ReviewDefined,
    ReviewDeleted,
    ReviewedResource,
    ReviewOver,
    ReviewStatus,
    StartInstance,
)
from shared.contracts.roster import RosterKind
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision, Due
from shared.messaging.envelope import Outgoing, outgoing


@dataclass(frozen=True, slots=True)
class Targets:
    """Groups that get an instance now, of a review over every group."""

    groups: tuple[str, ...] = ()
    over: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """What a decision about definitions may look at."""

    targets: Mapping[str, Targets] = field(default_factory=dict)
    """By definition."""
    running: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Its instances that are not over, of one that is replaced or to be deleted."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Of packages whose policies are followed, by id."""
    now: datetime | None = None
    """What time it is by now, where a date is decided as of itself. None: the same."""


At = Circumstances[Look]


@dataclass(frozen=True, slots=True)
class Write:
    """A definition as it is to be, checked already."""

    id: str
    state: DefinitionState
    new: bool


@dataclass(frozen=True, slots=True)
class Delete:
    id: str


def write(definition: Definition | None, asked: Write, at: At) -> Decision[Definition]:
    """Made, or replaced: what changes holds for later instances."""
    if asked.new:
        if definition is not None:
            return Decision(definition)  # sent again under its key
        made = Definition(state=asked.state, cause=at.cause)
        return Decision(as_it_stands(scheduled(made, at.now), ()), (ReviewDefined(),))
    if definition is None or definition.deleted:
        return Decision(definition, refusal=Refusal(code="notFound", message="The resource was not found."))
    if definition.state.policy_id is not None:
        return Decision(definition, refusal=follows_policy(definition.state.policy_id))
    return changed(definition, asked.state, at)


def changed(definition: Definition, asked: DefinitionState, at: At) -> Decision[Definition]:
    """With what is asked for now; who made it, and when, stays."""
    before = definition.state
    state = asked.model_copy(
        update={
            "created_at": before.created_at, "created_by": before.created_by, "status": before.status,
            "policy_id": before.policy_id, "modified_at": at.now,
        }
    )  # fmt: skip
    properties = tuple(
        name
        for name in type(state).model_fields
        if name != "modified_at" and getattr(state, name) != getattr(before, name)
    )
    if not properties:
        return Decision(definition)
    moved = definition.having(state=state)
    if state.settings.recurrence != before.settings.recurrence:
        begun = definition.beginning.number if definition.beginning else definition.number
        moved = moved.having(before=begun)
    going = at.context.running.get(definition.id, ())
    return Decision(as_it_stands(scheduled(moved, at.now), going), (ReviewChanged(properties=properties),))


def as_it_stands(definition: Definition, going: Sequence[str]) -> Definition:
    """With the status of its series as it is now: over, once nothing runs (`going`: what does) or comes any more.

    No instance says so where none runs."""
    status, comes = definition.state.status, definition.next_at is not None
    if definition.beginning is not None or going or comes is (status not in OVER):
        return definition
    if comes:
        status = ReviewStatus.IN_PROGRESS
    elif status in {ReviewStatus.NOT_STARTED, ReviewStatus.IN_PROGRESS}:
        status = ReviewStatus.COMPLETED
    return definition.having(state=definition.state.model_copy(update={"status": status}))


def follows_policy(policy_id: str) -> Refusal:
    """Why such a definition is not written by hand."""
    text = f"This review follows the assignment policy {policy_id}: change that policy's reviewSettings."
    return Refusal(code="followsPolicy", message=text)


def duration_days(state: DefinitionState) -> int:
    """How long an instance lasts: with stages the sum of theirs."""
    return (
        sum(one.duration_in_days for one in state.stages) if state.staged else state.settings.instance_duration_in_days
    )


def scheduled(definition: Definition, now: datetime) -> Definition:
    """With the date of its next occurrence; None if there is none."""
    series = definition.state.settings.recurrence
    if definition.ended:
        return definition.having(next_at=None, next_number=0)
    if series is None:
        first = definition.number == 0 and definition.beginning is None
        return definition.having(next_at=now if first else None, next_number=1)
    begun = definition.beginning.number if definition.beginning else definition.number
    days = duration_days(definition.state)
    before = definition.before
    # Of a series that was changed on the way, what would have begun already is past: its time has been reviewed.
    place = recurrence.first_to_run(series, now, 0 if before and begun == before else days, begun - before)
    span = recurrence.span(series, place, days) if place is not None else None
    return definition.having(next_at=span[0] if span else None, next_number=before + place if place else 0)


def delete(definition: Definition | None, _asked: Delete, at: At) -> Decision[Definition]:
    """Nothing begins any more, and what runs is ended undecided."""
    if definition is None or definition.deleted:
        return Decision(definition, refusal=Refusal(code="notFound", message="The resource was not found."))
    if definition.state.policy_id is not None:
        return Decision(definition, refusal=follows_policy(definition.state.policy_id))
    return deleted(definition, at)


def deleted(definition: Definition, at: At) -> Decision[Definition]:
    """Gone for good, its instances with it."""
    gone = definition.having(deleted=True, next_at=None, beginning=None)
    orders = tuple(
        _command(definition, instance_id, CloseInstance(), at)
        for instance_id in at.context.running.get(definition.id, ())
    )
    return Decision(gone, (ReviewDeleted(),), orders)


def date_has_come(definition: Definition | None, _due: Due, at: At) -> Decision[Definition]:
    """The next occurrence begins, some hundred groups a step."""
    if definition is None or definition.deleted:
        return Decision(definition)
    said: list[Transition] = []
    if definition.beginning is None:
        if definition.next_at is None or definition.next_at > at.now:
            return Decision(definition)
        if missed := _missed(definition, at.context.now or at.now):
            return missed
        definition = _begin(definition, said)
    beginning = definition.beginning
    assert beginning is not None
    state = definition.state
    scope = read_scope(state.scope, state.enumeration)
    targets = at.context.targets.get(definition.id, Targets())
    resources = list(scope.resources) if beginning.after is None else []
    resources += [ReviewedResource(kind=RosterKind.GROUP, id=group, direct=scope.direct) for group in targets.groups]
    orders = tuple(
        _command(
            definition,
            derived_id("review-instance", definition.id, beginning.number, resource_key(one)),
            StartInstance(
                definition=state,
                number=beginning.number,
                resource=one,
                scope=resolved(state.scope, one),
                guests_only=scope.guests_only,
                inactive_for=scope.inactive_for,
                starts_at=beginning.starts_at,
                ends_at=beginning.ends_at,
            ),
            at,
        )
        for one in resources
    )
    if scope.every_group and not targets.over:
        further = beginning.model_copy(update={"after": targets.groups[-1] if targets.groups else beginning.after})
        return Decision(definition.having(beginning=further), tuple(said), orders)
    begun = scheduled(definition.having(beginning=None, number=beginning.number), at.now)
    if beginning.after is None and not resources:
        # No instance will say how far it is.
        status = ReviewStatus.NOT_STARTED if begun.next_at is not None else ReviewStatus.COMPLETED
        begun = begun.having(state=begun.state.model_copy(update={"status": status}))
    if begun.next_at is None:
        said.append(ReviewOver())
    return Decision(begun, tuple(said), orders)


def _missed(definition: Definition, now: datetime) -> Decision[Definition] | None:
    """What there is to say if the whole time of its next occurrence passed while nothing ran. It begins no more: nobody
    could decide, and its default decision would fall on everybody. None if there is time left."""
    if _next_ends_at(definition) > now:
        return None
    series, days = definition.state.settings.recurrence, duration_days(definition.state)
    first, before = definition.next_number, definition.before
    following = recurrence.first_to_run(series, now, days, first - before) if series is not None else None
    upcoming = recurrence.span(series, following, days) if series is not None and following is not None else None
    if following is not None and upcoming is not None:
        later = definition.having(next_at=upcoming[0], next_number=before + following)
        return Decision(later, (OccurrencesMissed(first=first, last=before + following - 1),))
    last = before + sum(1 for _ in recurrence.days(series)) if series is not None else first
    over = definition.state.model_copy(update={"status": ReviewStatus.COMPLETED})
    return Decision(
        definition.having(next_at=None, next_number=0, state=over),
        (OccurrencesMissed(first=first, last=last), ReviewOver()),
    )


def _next_ends_at(definition: Definition) -> datetime:
    assert definition.next_at is not None
    days, series = duration_days(definition.state), definition.state.settings.recurrence
    span = recurrence.span(series, definition.next_number - definition.before, days) if series is not None else None
    return span[1] if span is not None else definition.next_at + timedelta(days=days)


def _begin(definition: Definition, said: list[Transition]) -> Definition:
    assert definition.next_at is not None
    starts_at = definition.next_at
    beginning = Beginning(number=definition.next_number, starts_at=starts_at, ends_at=_next_ends_at(definition))
    said.append(ReviewBegan(number=beginning.number, starts_at=starts_at))
    state = definition.state.model_copy(update={"status": ReviewStatus.INITIALIZING})
    return definition.having(beginning=beginning, next_at=None, state=state)


def _command(definition: Definition, instance_id: str, order: StartInstance | CloseInstance, at: At) -> Outgoing:
    # A review is its own first cause; who made it is behind all that it does.
    cause = Cause(
        id=f"review-definition:{definition.id}", correlation=f"review:{instance_id}", actor=definition.cause.actor
    )
    command = ReviewCommand(
        id=derived_id("review-command", instance_id, order.type), cause=cause, instance_id=instance_id, order=order
    )
    return outgoing(topics.REVIEW_COMMANDS, instance_id, command, source="review", at=at.now)


def instance_told(definition: Definition | None, fact: InstanceFact, at: At) -> Decision[Definition]:
    """It is as far as the instance of its last occurrence that spoke last; over, once it is and none comes any more.

    One that was just beginning as its definition was deleted is ended, too: it was not there to be found then."""
    if definition is None:
        return Decision(definition)
    status = fact.state.status
    if definition.deleted:
        late = status not in OVER
        return Decision(
            definition, messages=(_command(definition, fact.state.id, CloseInstance(), at),) if late else ()
        )
    if fact.state.number < definition.number:
        return Decision(definition)
    if status in OVER and definition.next_at is not None:
        status = ReviewStatus.IN_PROGRESS
    if definition.state.status is status:
        return Decision(definition)
    return Decision(definition.having(state=definition.state.model_copy(update={"status": status})))
