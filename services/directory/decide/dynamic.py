"""Who is in the groups that a rule fills: whoever matches it, decided anew whenever something it reads has changed.

What hands or grants gave is left alone; neither can give anything in such a group, so it is from before it was one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.directory.model import Memberships
from shared.contracts.base import Transition
from shared.contracts.directory import MemberAdded, MemberRemoved, MembershipState
from shared.messaging.decision import Circumstances, Decision
from shared.rules import RuleSet, facets


@dataclass(frozen=True, slots=True)
class FollowRules:
    """Look again at which groups somebody belongs to by rule."""

    person_id: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What rules read of somebody who is active."""

    attributes: Mapping[str, Any]
    manager_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules by the group they fill, and the active people among those who are looked at."""

    by_group: RuleSet[str]
    people: Mapping[str, Seen] = field(default_factory=dict)


def follow(state: Memberships | None, asked: FollowRules, at: Circumstances[Rules]) -> Decision[Memberships]:
    """A rule that takes too long on this person neither gives nor takes."""
    before = state or Memberships(asked.person_id)
    undecided: set[str] = set()
    matched = _matched(before, at, undecided)
    after = dict(before.by_group)
    said: list[Transition] = []
    for group, one in before.by_group.items():
        by_rule = one.member and not one.by_hand and not one.by_grant and group in at.context.by_group.index
        if by_rule and group not in matched and group not in undecided:
            after[group] = one.model_copy(update={"member": False, "since": None})
            said.append(MemberRemoved(group_id=group))
    for group in sorted(matched):
        one = after.get(group) or MembershipState(group_id=group, member=False)
        if not one.member:
            after[group] = one.model_copy(update={"member": True, "since": at.now})
            said.append(MemberAdded(group_id=group))
    return Decision(Memberships(before.person_id, after), tuple(said)) if said else Decision(state)


def _matched(person: Memberships, at: Circumstances[Rules], undecided: set[str]) -> set[str]:
    seen = at.context.people.get(person.person_id)
    if seen is None:
        return set()
    groups = [one.group_id for one in person.by_group.values() if one.member]
    user = {**seen.attributes, "id": person.person_id}
    return at.context.by_group.matches(facets(user, memberships=groups, manager_id=seen.manager_id), at.now, undecided)
