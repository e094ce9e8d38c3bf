"""A package that no rule gives to one person for a time, because a review took it from them.

What a rule gives would be given back by the next HR change. The exclusion says until when not, stands in the holding
for everyone to see, and can be lifted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.assignment.decide.look import Look
from services.assignment.decide.settle import Said, settle
from services.assignment.model import Assignment, Holding
from shared.contracts.assignment import EndAssignment, ExclusionLifted, ExclusionState, PackageExcluded
from shared.contracts.base import Refusal
from shared.messaging.decision import Circumstances, Decision


@dataclass(frozen=True, slots=True)
class LiftExclusion:
    """Let rules give this package to the person again."""

    person_id: str
    package_id: str


def excluded(holding: Holding, one: Assignment, order: EndAssignment, at: Circumstances[Any], said: Said) -> Holding:
    """The holding with the exclusion that `order` asks for; a longer one that is there already stays."""
    assert order.not_before is not None
    before = holding.exclusions.get(one.package_id)
    exclusion = ExclusionState(
        package_id=one.package_id,
        until=max(order.not_before, before.until) if before else order.not_before,
        since=at.now,
        assignment_id=one.id,
        cause=at.cause,
        detail=order.detail,
    )
    said.append(PackageExcluded(exclusion=exclusion))
    return holding.having(exclusions={**holding.exclusions, one.package_id: exclusion})


def lift(holding: Holding | None, asked: LiftExclusion, at: Circumstances[Look]) -> Decision[Holding]:
    """Rules count again, at once."""
    exclusion = holding.exclusions.get(asked.package_id) if holding is not None else None
    if holding is None or exclusion is None:
        text = f"No review keeps the access package {asked.package_id} from person {asked.person_id}."
        return Decision(holding, refusal=Refusal(code="exclusionNotFound", message=text))
    said: Said = [ExclusionLifted(exclusion=exclusion, by_hand=True)]
    left = {id: one for id, one in holding.exclusions.items() if id != asked.package_id}
    return settle(holding.having(exclusions=left), at, said, known=holding)
