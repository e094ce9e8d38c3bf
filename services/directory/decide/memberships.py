"""What follows from a command or a wish about one membership.

Tenure's bookkeeping takes away only what it gave: a member who was there before, or who was added by hand, stays. A
grant's version that is older than the highest one obeyed is ignored, and answered all the same; a repair of the same
version is obeyed once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from shared.contracts.base import Refusal, Transition
from shared.contracts.directory import (
    MemberAdded,
    MemberRemoved,
    MembershipObeyed,
    MembershipRefused,
    MembershipState,
    SetMembership,
)
from shared.messaging.decision import Circumstances, Decision


@dataclass(frozen=True, slots=True)
class Groups:
    """Which of the groups that the batch refers to are there."""

    there: Collection[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SetByHand:
    """Somebody adds or removes a member over HTTP."""

    group_id: str
    person_id: str
    member: bool


def membership_id(group_id: str, person_id: str) -> str:
    return f"{group_id}:{person_id}"


def membership_of(asked: SetMembership | SetByHand) -> str:
    """The id of the membership that a command or wish is about."""
    return membership_id(asked.group_id, asked.person_id)


def command(
    state: MembershipState | None, asked: SetMembership, at: Circumstances[Groups]
) -> Decision[MembershipState]:
    """Provisioning asks. Every command is answered, a repeat too: it asks again until it has heard an answer."""
    before = state or _blank(asked.group_id, asked.person_id)
    if (asked.grant_version, asked.repair) <= (before.obeyed, before.repairs):
        # A new object: the answer is a version of its own.
        return Decision(before.model_copy(), (_obeyed(asked, already=True),))
    there = asked.group_id in at.context.there
    if asked.member and not there:
        reason = Refusal(code="unknownGroup", message=f"There is no group {asked.group_id}.")
        refused = MembershipRefused.model_construct(
            command_id=asked.id, grant_version=asked.grant_version, reason=reason
        )
        return Decision(before.model_copy(), (refused,))
    member = asked.member or (before.member and before.by_hand)
    moved: tuple[Transition, ...] = ()
    since = before.since
    if member and not before.member:
        moved, since = (_ADDED,), at.now
    elif before.member and not member:
        moved, since = (_REMOVED,), None
    after = MembershipState.model_construct(
        id=before.id,
        group_id=before.group_id,
        person_id=before.person_id,
        member=member,
        by_hand=before.by_hand,
        by_grant=asked.member,
        since=since,
        obeyed=asked.grant_version,
        repairs=asked.repair,
    )
    return Decision(after, (*moved, _obeyed(asked, already=not moved)))


def by_hand(state: MembershipState | None, asked: SetByHand, at: Circumstances[Groups]) -> Decision[MembershipState]:
    """Somebody adds or removes a member; what was added so, Tenure's bookkeeping leaves alone."""
    if asked.member and asked.group_id not in at.context.there:
        return Decision(state, refusal=Refusal(code="ResourceNotFound", message="There is no such group."))
    before = state or _blank(asked.group_id, asked.person_id)
    if before.member == asked.member and before.by_hand == asked.member:
        return Decision(state)
    after = before.model_copy(
        update={
            "member": asked.member,
            "by_hand": asked.member,
            "since": (before.since or at.now) if asked.member else None,
        }
    )
    if before.member == asked.member:
        return Decision(after)
    return Decision(after, (_ADDED if asked.member else _REMOVED,))


_ADDED = MemberAdded()
_REMOVED = MemberRemoved()


def _obeyed(asked: SetMembership, already: bool) -> MembershipObeyed:
    return MembershipObeyed.model_construct(command_id=asked.id, grant_version=asked.grant_version, already=already)


def _blank(group_id: str, person_id: str) -> MembershipState:
    return MembershipState(id=membership_id(group_id, person_id), group_id=group_id, person_id=person_id, member=False)
