"""An administrator assigns a package to a person, or takes an assignment away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.assignment.decide.look import Look
from services.assignment.decide.separation import separated
from services.assignment.decide.settle import Said, add, called_for, end, make_way, reminders_past, settle
from services.assignment.model import Assignment, Holding
from services.assignment.rulebook import Rulebook
from shared import durations
from shared.contracts.assignment import AssignmentKind, AssignmentRefused, AssignmentStatus, EndReason
from shared.contracts.base import Refusal
from shared.contracts.catalog import Life
from shared.contracts.directory import PersonStatus
from shared.messaging.decision import Circumstances, Decision


@dataclass(frozen=True, slots=True)
class AssignDirectly:
    """Give `person_id` the package under a policy for direct assignment. `id` will be the assignment's."""

    id: str
    person_id: str
    package_id: str
    policy_id: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    justification: str | None = None


@dataclass(frozen=True, slots=True)
class EndAssignment:
    """Take this very assignment away."""

    id: str
    person_id: str
    detail: str = ""


def assign_directly(holding: Holding | None, asked: AssignDirectly, at: Circumstances[Look]) -> Decision[Holding]:
    """Hold the package from its start to its end; refused is who cannot have it. The same id again changes nothing."""
    if holding is None or holding.status is None:
        return Decision(holding, refusal=Refusal(code="personNotFound", message=f"No person {asked.person_id}."))
    if asked.id in holding.assignments or asked.id in holding.ended or asked.id in at.context.ended:
        return Decision(holding)
    if refusal := why_not(holding, asked, at) or _not_accepted(asked, at.context.rules):
        refused = AssignmentRefused(package_id=asked.package_id, policy_id=asked.policy_id, reason=refusal)
        return Decision(holding.having(), (refused,), refusal=refusal)
    policy = at.context.rules.policies[asked.policy_id]
    starts_at = asked.starts_at if asked.starts_at and asked.starts_at > at.now else at.now
    ends_at = asked.ends_at
    if ends_at is None:
        ends_at = (
            policy.expires_at if policy.expires_after is None else durations.later(starts_at, policy.expires_after)
        )
    said: Said = []
    assignments = dict(holding.assignments)
    later = starts_at > at.now
    if not later:
        make_way(assignments, asked.package_id, asked.id, said)
    status = AssignmentStatus.SCHEDULED if later else AssignmentStatus.DELIVERING
    one = Assignment(
        asked.id,
        asked.package_id,
        asked.policy_id,
        AssignmentKind.DIRECT,
        status,
        starts_at,
        ends_at,
        at.now,
        at.cause,
        asked.justification,
        # What was past at the start is not worth saying: whoever gets ten days knows it is not fourteen.
        reminders_past(ends_at, starts_at),
    )
    add(assignments, one, said)
    return settle(holding.having(assignments=assignments), at, said, known=holding)


def why_not(holding: Holding, asked: AssignDirectly, at: Circumstances[Look]) -> Refusal | None:  # noqa: PLR0911
    """The first reason against it, in the order in which one would ask."""
    rules = at.context.rules
    package = rules.packages.get(asked.package_id)
    policy = rules.policies.get(asked.policy_id)
    if holding.status is PersonStatus.LEFT:
        return Refusal(code="personLeft", message=f"Person {holding.id} has left.")
    if holding.status is PersonStatus.EXPECTED:
        return Refusal(code="personExpected", message=f"Person {holding.id} has not joined yet.")
    if package is None or package.life is Life.DELETED:
        return Refusal(code="packageNotFound", message=f"No access package {asked.package_id}.")
    if policy is None or policy.life is Life.DELETED or policy.package_id != package.id:
        return Refusal(
            code="policyNotFound", message=f'The access package "{package.name}" has no policy {asked.policy_id}.'
        )
    if package.life is not Life.ACTIVE:
        return Refusal(code="packageDeleting", message=f'The access package "{package.name}" is being deleted.')
    if policy.life is not Life.ACTIVE:
        return Refusal(code="policyDeleting", message=f'The policy "{policy.name}" is being deleted.')
    if policy.automatic:
        return Refusal(
            code="policyIsAutomatic",
            message=f'The policy "{policy.name}" assigns by rule; nobody is assigned under it by hand.',
        )
    if asked.ends_at is not None and asked.ends_at <= max(asked.starts_at or at.now, at.now):
        return Refusal(code="endsBeforeStart", message="The assignment would end before it starts.")
    other = next((a for a in holding.assignments.values() if a.package_id == package.id and not a.automatic), None)
    if other is not None:
        return Refusal(
            code="alreadyHeld",
            message=f'Person {holding.id} holds the access package "{package.name}" already: assignment {other.id}.',
        )
    known = at.context.memberships.get(holding.id)
    groups = known.groups if known is not None else holding.groups
    return separated(holding.id, holding.assignments, groups, package, rules)


def _not_accepted(asked: AssignDirectly, rules: Rulebook) -> Refusal | None:
    """A request that was taken while the policy took any is obeyed all the same: only what begins here is refused."""
    policy = rules.policies[asked.policy_id]
    if policy.accepts_by_hand:
        return None
    return Refusal(code="requestsNotAccepted", message=f'The policy "{policy.name}" takes nothing new.')


def by_rule(one: Assignment) -> Refusal:
    """Why an assignment cannot be changed by hand."""
    text = f"Assignment {one.id} was given by the rule of policy {one.policy_id}; change that, or the person."
    return Refusal(code="assignedByRule", message=text)


def end_assignment(holding: Holding | None, asked: EndAssignment, at: Circumstances[Look]) -> Decision[Holding]:
    """End it; a rule that still matches takes over. What a rule holds goes with the rule; what it merely leaves in
    place can be ended. What has ended already stays so."""
    one = holding.assignments.get(asked.id) if holding is not None else None
    if holding is None or one is None:
        return Decision(holding)
    if one.automatic and called_for(holding, one, at):
        return Decision(holding, refusal=by_rule(one))
    said: Said = []
    assignments = dict(holding.assignments)
    end(assignments, one, EndReason.REMOVED, said, asked.detail)
    return settle(holding.having(assignments=assignments), at, said, known=holding)
