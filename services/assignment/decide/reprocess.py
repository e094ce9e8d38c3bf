"""Deliver an assignment's roles once more: under newer versions of its grants, so that each is asked for anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.assignment.decide.look import Look
from services.assignment.decide.settle import Said, settle
from services.assignment.model import Grant, Holding
from shared.contracts.assignment import AssignmentStatus, GrantGiven
from shared.contracts.base import Refusal
from shared.messaging.decision import Circumstances, Decision

OVER = frozenset({AssignmentStatus.DELIVERED, AssignmentStatus.PARTIALLY_DELIVERED, AssignmentStatus.DELIVERY_FAILED})
"""Delivery has come to an end, so that there is something to look at again."""


@dataclass(frozen=True, slots=True)
class Reprocess:
    """Check and enforce every role of this assignment."""

    id: str
    person_id: str


def reprocess(holding: Holding | None, asked: Reprocess, at: Circumstances[Look]) -> Decision[Holding]:
    """What was taken away at a resource by hand is given again (RES-10). Of a suspended person nothing is due."""
    one = holding.assignments.get(asked.id) if holding is not None else None
    if holding is None or one is None:
        text = f"Assignment {asked.id} has ended."
        return Decision(holding, refusal=Refusal(code="assignmentNotDelivered", message=text))
    if one.status not in OVER:
        text = f"Assignment {asked.id} is {one.status.value}: only what has been delivered can be reprocessed."
        return Decision(holding, refusal=Refusal(code="assignmentNotDelivered", message=text))
    said: Said = []
    anew = given_anew(holding, asked.id, at.version, said, lambda _grant: True)
    return settle(anew, at, said, known=holding)


def given_anew(
    holding: Holding, assignment_id: str, version: int, said: Said, which: Callable[[Grant], bool]
) -> Holding:
    """With newer versions of those grants of the assignment that are due and that `which` chooses."""
    grants = dict(holding.grants)
    for key, grant in holding.grants.items():
        if assignment_id in grant.assignments and grant.deliver and which(grant):
            grants[key] = Grant(key, grant.role, grant.assignments, True, version)
            said.append(GrantGiven(role=grant.role, version=version))
    return holding.having(grants=grants) if said else holding
