"""What follows from a command or a wish about the memberships of one person.

Tenure's own bookkeeping (`standing`) leaves alone whoever was there before, or was added by hand.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from services.directory.decide.groups import THERE
from services.directory.decide.standing import obeyed_already, standing
from services.directory.model import Memberships
from shared.contracts.base import Refusal, Transition, made
from shared.contracts.directory import (
    MemberAdded,
    MemberRemoved,
    MembershipObeyed,
    MembershipRefused,
    MembershipRemoval,
    MembershipState,
    MembershipWish,
    SetMemberships,
)
from shared.messaging.decision import Circumstances, Decision


@dataclass(frozen=True, slots=True)
class Groups:
    """Which of the groups that the batch refers to are there."""

    there: Collection[str] = frozenset()
    dynamic: Collection[str] = frozenset()
    """And those whose members a rule says."""

    def refusal(self, group_id: str) -> Refusal | None:
        """Why nobody can be made a member."""
        if group_id not in self.there:
            return Refusal(code="unknownGroup", message=f"There is no group {group_id}.")
        if group_id in self.dynamic:
            return Refusal(code="dynamicGroup", message=f"A rule says who is in the group {group_id}.")
        return None


@dataclass(frozen=True, slots=True)
class SetByHand:
    """Somebody adds or removes a member over HTTP."""

    group_id: str
    person_id: str
    member: bool


@dataclass(frozen=True, slots=True)
class FollowGroup:
    """The group may have been deleted, or restored, since somebody was in it."""

    person_id: str
    group_id: str


def named_by(asked: SetMemberships | SetByHand) -> set[str]:
    """The groups that have to be there, and filled by no rule, for it to be obeyed. To leave one that is gone is no
    fault."""
    if isinstance(asked, SetByHand):
        return {asked.group_id}
    return {wish.group_id for wish in asked.wishes if wish.member} | {one.group_id for one in asked.removals}


def command(state: Memberships | None, asked: SetMemberships, at: Circumstances[Groups]) -> Decision[Memberships]:
    """Provisioning or a review asks. Everything is answered, a repeat too: they ask again until they have heard an
    answer."""
    person = state or Memberships(asked.person_id)
    by_group = dict(person.by_group)
    said: list[Transition] = []
    for wish in asked.wishes:
        before = by_group.get(wish.group_id) or _no_member(wish.group_id)
        after = _follow(before, wish, at, said)
        if after is not before:
            by_group[wish.group_id] = after
    for removal in asked.removals:
        by_group[removal.group_id] = _removed(
            by_group.get(removal.group_id) or _no_member(removal.group_id), removal, at, said
        )
    # A new object even if nothing moved: the answers are a version of their own.
    return Decision(Memberships(person.person_id, by_group), tuple(said))


def _follow(
    before: MembershipState, wish: MembershipWish, at: Circumstances[Groups], said: list[Transition]
) -> MembershipState:
    """The membership as one wish leaves it, that very object if it changes nothing; what happens is added to `said`."""
    if obeyed_already(before, wish):
        said.append(_obeyed(wish, already=True))
        return before
    if wish.member and (reason := at.context.refusal(wish.group_id)):
        said.append(_refused(wish, reason))
        return before
    member, since = standing(before, stood=before.member, wanted=wish.member, now=at.now)
    if member != before.member:
        said.append(_moved(wish.group_id, member))
    said.append(_obeyed(wish, already=member == before.member))
    return made(
        MembershipState,
        group_id=before.group_id,
        member=member,
        by_hand=before.by_hand,
        by_grant=wish.member,
        since=since,
        obeyed=wish.grant_version,
        repairs=wish.repair,
    )


def _removed(
    before: MembershipState, removal: MembershipRemoval, at: Circumstances[Groups], said: list[Transition]
) -> MembershipState:
    """The membership without what was added by hand. What would come back by itself is refused, saying why."""
    if before.member and (reason := _comes_back(before, at)):
        said.append(MembershipRefused(group_id=before.group_id, command_id=removal.id, grant_version=0, reason=reason))
        return before
    said.append(
        MembershipObeyed(group_id=before.group_id, command_id=removal.id, grant_version=0, already=not before.member)
    )
    if not before.member:
        return before
    said.append(_moved(before.group_id, False))
    return before.model_copy(update={"member": False, "by_hand": False, "since": None})


def _comes_back(before: MembershipState, at: Circumstances[Groups]) -> Refusal | None:
    if before.group_id in at.context.dynamic:
        return at.context.refusal(before.group_id)
    if before.by_grant:
        text = f"An access package gives the membership of the group {before.group_id}: review that."
        return Refusal(code="givenByPackage", message=text)
    return None


NOT_THERE = Refusal(code="ResourceNotFound", message="They are no member of this group.")


def by_hand(state: Memberships | None, asked: SetByHand, at: Circumstances[Groups]) -> Decision[Memberships]:
    """Somebody adds or removes a member; what was added so, Tenure's bookkeeping leaves alone."""
    if asked.member and asked.group_id not in at.context.there:
        return Decision(state, refusal=Refusal(code="ResourceNotFound", message="There is no such group."))
    if asked.group_id in at.context.dynamic:
        return Decision(state, refusal=at.context.refusal(asked.group_id))
    person = state or Memberships(asked.person_id)
    before = person.by_group.get(asked.group_id) or _no_member(asked.group_id)
    if before.member == asked.member and before.by_hand == asked.member:
        return Decision(state, refusal=THERE if asked.member else NOT_THERE)
    after = before.model_copy(
        update={
            "member": asked.member,
            "by_hand": asked.member,
            "since": (before.since or at.now) if asked.member else None,
        }
    )
    said = () if before.member == asked.member else (_moved(asked.group_id, asked.member),)
    return Decision(Memberships(person.person_id, {**person.by_group, asked.group_id: after}), said)


def follow_group(state: Memberships | None, asked: FollowGroup, at: Circumstances[Groups]) -> Decision[Memberships]:
    """Of a group that is gone nobody is a member. Once it is back, whoever hands or grants put there is one again; whom
    a rule put there, the rule says anew."""
    one = state.by_group.get(asked.group_id) if state is not None else None
    if state is None or one is None:
        return Decision(state)
    there = asked.group_id in at.context.there
    kept = (one.by_hand or one.by_grant) and asked.group_id not in at.context.dynamic
    if one.member is there or (there and not kept):
        return Decision(state)
    after = one.model_copy(update={"member": there})
    by_group = {**state.by_group, asked.group_id: after}
    return Decision(Memberships(state.person_id, by_group), (_moved(asked.group_id, there),))


def _no_member(group_id: str) -> MembershipState:
    return MembershipState(group_id=group_id, member=False)


def _moved(group_id: str, member: bool) -> Transition:
    if member:
        return made(MemberAdded, type="MemberAdded", group_id=group_id)
    return made(MemberRemoved, type="MemberRemoved", group_id=group_id)


def _obeyed(wish: MembershipWish, already: bool) -> Transition:
    return made(
        MembershipObeyed,
        type="MembershipObeyed",
        group_id=wish.group_id,
        command_id=wish.id,
        grant_version=wish.grant_version,
        already=already,
    )


def _refused(wish: MembershipWish, reason: Refusal) -> Transition:
    return made(
        MembershipRefused,
        type="MembershipRefused",
        group_id=wish.group_id,
        command_id=wish.id,
        grant_version=wish.grant_version,
        reason=reason,
    )
