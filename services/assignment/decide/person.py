"""Somebody joined, changed, was suspended, returned or left: rules start and end automatic assignments."""

from __future__ import annotations

from typing import Any

from services.assignment.decide.look import Look
from services.assignment.decide.settle import settle
from services.assignment.model import Holding
from shared.contracts.directory import PersonFact
from shared.messaging.decision import Again, Circumstances, Decision
from shared.rules import facets

_SHOWN = ("displayName", "userPrincipalName", "mail", "onPremisesSecurityIdentifier", "subjectLifecycle")


def person_changed(holding: Holding | None, fact: PersonFact, at: Circumstances[Look]) -> Decision[Holding]:
    """Take over what is newer, and settle. An older or repeated fact is decided again only if the rules have moved."""
    if holding is not None and fact.version <= holding.person_version:
        return decided_again(holding, at) if holding.epoch < at.context.epoch else Decision(holding)
    person = fact.state
    before = holding if holding is not None else Holding(fact.subject)
    attributes: dict[str, Any] = person.attributes
    now = Holding(
        before.id,
        person.status,
        fact.version,
        facets(
            {**person.for_rules, "id": fact.subject},
            memberships=before.groups,
            manager_id=person.manager_id,
        ),
        {name: attributes[name] for name in _SHOWN if isinstance(attributes.get(name), str)},
        before.memberships_version,
        before.groups,
        before.epoch,
        before.assignments,
        before.grants,
        before.ended,
        before.due_at,
        before.withheld,
        before.exclusions,
    )
    return settle(now, at, known=before)


def decided_again(holding: Holding, at: Circumstances[Look]) -> Decision[Holding]:
    """By the rules as they are now."""
    return settle(holding, at, known=holding)


def second_look(holding: Holding | None, _message: Again, at: Circumstances[Look]) -> Decision[Holding]:
    """The rules moved while this holding was decided."""
    return Decision(holding) if holding is None else decided_again(holding, at)
