"""What follows from a wish about a group: made, changed, deleted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.contracts.base import Refusal, Transition
from shared.contracts.directory import (
    GroupChanged,
    GroupCreated,
    GroupDeleted,
    GroupNested,
    GroupPurged,
    GroupRestored,
    GroupState,
    GroupUnnested,
    UnnestGroup,
    UnnestObeyed,
)
from shared.messaging.decision import Circumstances, Decision

NO_SUCH_GROUP = Refusal(code="ResourceNotFound", message="There is no such group.")
THERE = Refusal(
    code="exists",
    message="One or more added object references already exist for the following modified properties: 'members'.",
)


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """A group with these properties (by their names in `GroupState`). Under an id that is taken: nothing happens."""

    group_id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    group_id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    """The group stays as a tombstone: its versions must not restart."""

    group_id: str


@dataclass(frozen=True, slots=True)
class RestoreGroup:
    """Have a deleted Microsoft 365 group back, with its members, within `RESTORED_WITHIN`."""

    group_id: str


@dataclass(frozen=True, slots=True)
class PurgeGroup:
    """A deleted Microsoft 365 group is never restored."""

    group_id: str


@dataclass(frozen=True, slots=True)
class Nest:
    """Have the group among the members of the group `within`, or not. Groups may lie in one another in a circle: who
    walks up or down them meets each once."""

    group_id: str
    within: str
    member: bool


GroupCommand = CreateGroup | ChangeGroup | DeleteGroup | RestoreGroup | PurgeGroup | Nest
RESTORED_WITHIN = timedelta(days=30)
"""Source: reference/graph-api-operations.md 5.2, of Microsoft 365 groups; security groups are deleted for good."""


def restorable(state: GroupState, now: datetime) -> bool:
    """Whether a deleted group can be had back."""
    deleted = state.deleted_at is not None and now < state.deleted_at + RESTORED_WITHIN
    return deleted and not state.purged and "Unified" in state.group_types


def wish(  # noqa: PLR0911 - a command each
    state: GroupState | None, command: GroupCommand, at: Circumstances[None]
) -> Decision[GroupState]:
    if isinstance(command, CreateGroup):
        if state is not None:
            return Decision(state)
        made = GroupState(id=command.group_id, created_at=at.now, **command.properties)
        return Decision(made, (GroupCreated(),))
    if isinstance(command, RestoreGroup | PurgeGroup):
        if state is None or not restorable(state, at.now):
            return Decision(state, refusal=NO_SUCH_GROUP)
        if isinstance(command, RestoreGroup):
            return _with(state, {"deleted_at": None}, GroupRestored())
        return _with(state, {"purged": True}, GroupPurged())
    if state is None or state.deleted_at is not None:
        if isinstance(command, DeleteGroup) and state is not None:
            return Decision(state)
        return Decision(state, refusal=NO_SUCH_GROUP)
    match command:
        case ChangeGroup(properties=properties):
            return _changed(state, properties)
        case DeleteGroup():
            return _with(state, {"deleted_at": at.now}, GroupDeleted())
        case Nest():
            return _nested(state, command)


_FIXED = {"group_types": "groupTypes", "is_assignable_to_role": "isAssignableToRole"}
"""Properties that a group keeps as it was made with them."""


def _changed(state: GroupState, properties: dict[str, Any]) -> Decision[GroupState]:
    changed = tuple(name for name, value in properties.items() if getattr(state, name) != value)
    for name in changed:
        if said := _FIXED.get(name):
            return Decision(state, refusal=Refusal(code="fixed", message=f"{said} of a group cannot be changed."))
    if not state.is_dynamic and any(name.startswith("membership_rule") for name in changed):
        return Decision(state, refusal=Refusal(code="fixed", message="Only a DynamicMembership group has a rule."))
    return _with(state, {name: properties[name] for name in changed}, GroupChanged(properties=changed))


def _nested(state: GroupState, command: Nest) -> Decision[GroupState]:
    there = command.within in state.member_of
    if command.member:
        if command.within == state.id:
            return Decision(state, refusal=Refusal(code="fixed", message="A group is no member of itself."))
        left = tuple(id for id in state.left if id != command.within)
        update = {"member_of": (*state.member_of, command.within), "left": left}
        return Decision(state, refusal=THERE) if there else _with(state, update, GroupNested(within=command.within))
    if not there:
        text = f"The group {state.id} is no member of the group {command.within}."
        return Decision(state, refusal=Refusal(code="ResourceNotFound", message=text))
    kept = tuple(id for id in state.member_of if id != command.within)
    update = {"member_of": kept, "left": (*state.left, command.within)}
    return _with(state, update, GroupUnnested(within=command.within))


def obey(state: GroupState | None, command: UnnestGroup, _at: Circumstances[None]) -> Decision[GroupState]:
    """A review asks, and again until it is answered. Groups stay as tombstones, so that there is one to answer."""
    if state is None:
        return Decision(state)
    there = state.deleted_at is None and command.within in state.member_of
    answer = UnnestObeyed(command_id=command.id, within=command.within, already=not there)
    if not there:
        # A new object though nothing moved: the answer is a version of its own.
        return Decision(state.model_copy(), (answer,))
    taken = _nested(state, Nest(state.id, command.within, member=False))
    return Decision(taken.state, (*taken.transitions, answer))


def _with(state: GroupState, update: dict[str, Any], transition: Transition) -> Decision[GroupState]:
    after = state.model_copy(update=update)
    return Decision(state) if after == state else Decision(after, (transition,))
