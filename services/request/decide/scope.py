"""Whom a policy is for, and which of several policies somebody asks under."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from services.request.decide.scene import Person, Policy, Scene
from shared import rules
from shared.contracts.catalog import Life, PolicyState
from shared.contracts.directory import without
from shared.contracts.policy import SubjectKind, SubjectSet, TargetScope

_CLASS = {
    TargetScope.SPECIFIC_USERS: 1,
    TargetScope.SPECIFIC_ORGANIZATIONS: 1,
    TargetScope.ALL_MEMBERS: 2,
    TargetScope.ALL_USERS: 3,
    TargetScope.ALL_ORGANIZATIONS: 4,
    TargetScope.ALL_EXTERNAL: 4,
}
"""Of several policies that fit, those of the best class are offered (POL-4)."""

FOR_PEOPLE_OUTSIDE = frozenset(
    {TargetScope.SPECIFIC_ORGANIZATIONS, TargetScope.ALL_ORGANIZATIONS, TargetScope.ALL_EXTERNAL}
)
"""A policy is for people inside the directory or for people outside, never for both (POL-1)."""


def in_scope(policy: PolicyState, person: Person, scene: Scene, now: datetime) -> bool:
    """Whether that person may have the package under the policy.

    Policies for organisations are for nobody as long as it is not known who belongs to which."""
    match policy.target_scope:
        case TargetScope.ALL_USERS:
            return True
        case TargetScope.ALL_MEMBERS:
            return not person.is_guest
        case TargetScope.ALL_EXTERNAL:
            return person.is_guest
        case TargetScope.SPECIFIC_USERS:
            return not policy.is_automatic and any(_is_in(one, person, scene, now) for one in policy.targets)
        case _:
            return False


def offered(policies: Iterable[Policy], person: Person, scene: Scene, now: datetime) -> list[Policy]:
    """Policies that `person` may have the package under: those of the best class, the oldest first.

    `policies` are those that take the request: one that is closed stands in the way of none of a lesser class."""
    fitting = [
        one
        for one in policies
        if one.state.life is Life.ACTIVE and not one.state.is_automatic and in_scope(one.state, person, scene, now)
    ]
    best = min((_CLASS[one.state.target_scope] for one in fitting), default=0)
    return sorted(
        (one for one in fitting if _CLASS[one.state.target_scope] == best),
        key=lambda one: (one.state.created_at, one.state.id),
    )


def _is_in(subjects: SubjectSet, person: Person, scene: Scene, now: datetime) -> bool:
    match subjects.kind:
        case SubjectKind.SINGLE_USER:
            return subjects.id == person.id
        case SubjectKind.GROUP_MEMBERS:
            return subjects.id in person.groups
        case SubjectKind.ATTRIBUTE_RULE:
            return _matches(subjects.rule, person, now)
        case SubjectKind.POPULATION:
            return _matches(scene.populations.get(subjects.id or ""), person, now)
        case _:
            return False


def _matches(rule: str | None, person: Person, now: datetime) -> bool:
    if rule is None:
        return False
    facets = rules.facets(
        {**without(dict(person.attributes), person.answered), "id": person.id},
        memberships=person.groups,
        manager_id=person.manager_id,
    )
    try:
        return _compiled(rule)(facets, now)
    except (rules.RuleError, rules.PatternTooSlow):
        return False  # a rule that cannot be read lets nobody in


@lru_cache(maxsize=4096)
def _compiled(rule: str) -> rules.Verdict:
    return rules.compile(rules.parse(rule))
