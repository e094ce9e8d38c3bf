"""How a denial is carried out: which command goes to the owner of the access, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.review.model import Instance, Item
from shared import recurrence
from shared.contracts import topics
from shared.contracts.assignment import AssignmentCommand, CommandObeyed, CommandRefused, EndAssignment
from shared.contracts.base import Cause, Fact, Refusal
from shared.contracts.catalog import EndRoleAssignment, RoleEndObeyed
from shared.contracts.directory import (
    BlockGuest,
    GuestBlocked,
    GuestDeleted,
    GuestKept,
    GuestRefused,
    MembershipObeyed,
    MembershipRefused,
    MembershipRemoval,
    SetMemberships,
    UnnestGroup,
    UnnestObeyed,
)
from shared.contracts.resources import (
    TENANT,
    HeldRoleRemoval,
    RoleObeyed,
    RoleRefused,
    RoleSystem,
    SetHeldRoles,
)
from shared.contracts.review import EXCLUDED_FOR, ApplyResult, DefaultDecision, Verdict
from shared.contracts.roster import RosterKind
from shared.messaging.envelope import Outgoing, outgoing

PREFIX = "review-item:"
"""Of the ids of all that is commanded here: an answer to one is known without a look."""

NOT_NEEDED = {
    Verdict.APPROVE: "Not needed: approved.",
    Verdict.DONT_KNOW: "Not needed: nobody knows, so the access stays.",
    Verdict.NOT_REVIEWED: "Not needed: nobody decided, and the review has no default decision.",
}
BY_A_GROUP = "Held by a group that has the role: take the person out of it, or take the role from it."
THROUGH_A_GROUP = "Held through a group inside this one: take the person, or that group, out there."
HAD_LEFT = "They had left when the review was applied; it does not come back with them."
WAS_DELETED = "It had been deleted when the review was applied; nobody gets it back with it."
_GONE = frozenset({"personNotFound", "unknownGroup", "notFound", "assignmentNotFound", "unknownResource"})
_NOT_OURS_TO_TAKE = frozenset(
    {"dynamicGroup", "givenByPackage", "assignedByRule", "lastOwner", "noGuest", "knownToSource", "notAuthoritative"}
)


def command_id(item: Item) -> str:
    return f"{PREFIX}{item.id}"


def command(item: Item, instance: Instance, at: datetime) -> Outgoing:
    """Take away what was denied: this assignment and no newer one, this membership, this role; or all that a guest has,
    with the guest, where the review says so."""
    id = command_id(item)
    actor = f"person:{item.decided_by}" if item.decided_by else "system:review"
    cause = Cause(id=f"review-item:{item.id}", correlation=instance.cause.correlation, actor=actor)
    detail = _why(item, instance)
    if instance.definition.settings.disable_and_delete:
        blocking = BlockGuest(id=id, cause=cause, person_id=item.person_id, detail=detail)
        return outgoing(topics.GUEST_COMMANDS, item.person_id, blocking, source="review", at=at)
    match instance.resource.kind:
        case RosterKind.PACKAGE:
            order = EndAssignment(
                assignment_id=item.assignment_id or "", detail=detail, not_before=excluded_until(instance, at)
            )
            taking = AssignmentCommand(id=id, cause=cause, person_id=item.person_id, request_id=item.id, order=order)
            return outgoing(topics.ASSIGNMENT_COMMANDS, item.person_id, taking, source="review", at=at)
        case RosterKind.GROUP if item.is_group:
            taking_out = UnnestGroup(id=id, cause=cause, group_id=item.person_id, within=instance.resource.id)
            return outgoing(topics.GROUP_COMMANDS, item.person_id, taking_out, source="review", at=at)
        case RosterKind.GROUP:
            removal = MembershipRemoval(id=id, group_id=instance.resource.id)
            leaving = SetMemberships(id=id, cause=cause, person_id=item.person_id, removals=(removal,))
            return outgoing(topics.MEMBERSHIP_COMMANDS, item.person_id, leaving, source="review", at=at)
        case RosterKind.GOVERNANCE_ROLE:
            ended = item.assignment_id or ""
            ending = EndRoleAssignment(id=id, cause=cause, role_assignment_id=ended)
            return outgoing(topics.ROLE_ASSIGNMENT_COMMANDS, ended, ending, source="review", at=at)
        case RosterKind.APPLICATION:
            system, origin = RoleSystem.APPLICATION, instance.resource.id
        case RosterKind.DIRECTORY_ROLE:
            system, origin = RoleSystem.DIRECTORY, TENANT
    role = HeldRoleRemoval(id=id, origin_system=system, origin_id=origin, role=item.role)
    losing = SetHeldRoles(id=id, cause=cause, person_id=item.person_id, removals=(role,))
    return outgoing(topics.HELD_ROLE_COMMANDS, item.person_id, losing, source="review", at=at)


def _why(item: Item, instance: Instance) -> str:
    """What the person, and whoever asks later, is told. That nobody decided is no denial by somebody."""
    review = f'the review "{instance.definition.display_name}"'
    if item.decided_by is not None:
        return f"Denied in {review}" + (f": {item.justification}" if item.justification else ".")
    advised = instance.definition.settings.default_decision is DefaultDecision.RECOMMENDATION
    return f"Nobody decided in {review}, which {'then denies as advised' if advised else 'denies by default'}."


def excluded_until(instance: Instance, now: datetime) -> datetime:
    """How long a rule does not give it again: until the next occurrence asks anew, else half a year."""
    series = instance.definition.settings.recurrence
    following = recurrence.next_start(series, instance.starts_at) if series is not None else None
    return following if following is not None and following > now else now + EXCLUDED_FOR


@dataclass(frozen=True, slots=True)
class Answer:
    """What the owner of the access says of one of our commands."""

    command_id: str
    result: ApplyResult
    detail: str
    """In words."""
    until: datetime | None = None
    """Begun only: what comes of it is known then."""


def answers_in(fact: Fact) -> list[Answer]:
    """Which of our commands this fact answers."""
    found: list[Answer] = []
    for one in fact.transitions:
        id = getattr(one, "command_id", "")
        if not (isinstance(id, str) and id.startswith(PREFIX)):
            continue
        if isinstance(one, GuestBlocked):
            text = f"Blocked from signing in; deleted on {one.deletes_at.date()}, unless enabled again before."
            found.append(Answer(id, ApplyResult.NEW, text, one.deletes_at))
        else:
            found.append(Answer(id, *_meaning(one)))
    return found


def _meaning(one: Any) -> tuple[ApplyResult, str]:
    match one:
        case GuestDeleted():
            return ApplyResult.APPLIED, "Blocked from signing in, and deleted when the time was over."
        case GuestKept():
            return ApplyResult.APPLIED, f"Blocked from signing in, and not deleted: {one.reason.message}"
        case CommandObeyed() | MembershipObeyed() | RoleObeyed() | RoleEndObeyed() | UnnestObeyed():
            if one.already:
                return ApplyResult.NOT_FOUND, "It was gone already when the review was applied."
            return ApplyResult.APPLIED, "Taken away."
        case CommandRefused() | MembershipRefused() | RoleRefused() | GuestRefused():
            return _refused(one.reason)
    return ApplyResult.FAILED, f"Answered by {type(one).__name__}."


def _refused(reason: Refusal) -> tuple[ApplyResult, str]:
    if reason.code in _GONE:
        return ApplyResult.NOT_FOUND, reason.message
    if reason.code in _NOT_OURS_TO_TAKE:
        return ApplyResult.NOT_SUPPORTED, reason.message
    return ApplyResult.FAILED, reason.message
