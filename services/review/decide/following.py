"""A definition that follows an assignment policy: made, changed and ended as its `reviewSettings` are.

Its id derives from the policy's, so a fact heard again makes nothing new. Source: entra-features.md section 16.
"""

from __future__ import annotations

from services.review.decide.definitions import At, as_it_stands, changed, deleted, scheduled
from services.review.model import Definition
from shared.contracts.base import Transition
from shared.contracts.catalog import Life, PolicyFact, PolicyState
from shared.contracts.policy import SubjectKind, SubjectSet
from shared.contracts.policy_review import PolicyReview, Unanswered
from shared.contracts.review import (
    DefaultDecision,
    DefinitionState,
    ReviewChanged,
    ReviewDefined,
    ReviewerScope,
    ReviewSettings,
    ReviewStatus,
    StageSettings,
)
from shared.ids import derived_id
from shared.messaging.decision import Decision

_UNANSWERED = {
    Unanswered.KEEP: DefaultDecision.NONE,
    Unanswered.REMOVE: DefaultDecision.DENY,
    Unanswered.RECOMMENDATION: DefaultDecision.RECOMMENDATION,
}


def definition_id(policy_id: str) -> str:
    """Of the definition that follows this policy."""
    return derived_id("review-definition", "policy", policy_id)


def policy_told(definition: Definition | None, fact: PolicyFact, at: At) -> Decision[Definition]:
    """Coming instances follow the policy as it is; a running one stays as it began (REV-13).

    Without review settings nothing begins any more; without the policy what runs is ended, too."""
    if definition is not None and (definition.deleted or fact.version <= definition.policy_version):
        return Decision(definition)
    policy = fact.state
    review = policy.review if policy.life is Life.ACTIVE else None
    if definition is None:
        return Decision(None) if review is None else _made(fact, review, at)
    heard = definition.having(policy_version=fact.version)
    if policy.life is Life.DELETED:
        return deleted(heard, at)
    if review is None:
        return _ended(heard, at)
    resumed = heard.having(ended=False)
    if heard.ended:
        resumed = scheduled(resumed.having(before=_begun(heard)), at.now)
    wanted = definition_of(fact, review, at.context.names.get(policy.package_id))
    decision = changed(resumed, wanted, at)
    if heard.ended and not decision.transitions:
        standing = as_it_stands(resumed, at.context.running.get(resumed.id, ()))
        return Decision(standing, (ReviewChanged(properties=("settings",)),))
    return decision


def _made(fact: PolicyFact, review: PolicyReview, at: At) -> Decision[Definition]:
    state = definition_of(fact, review, at.context.names.get(fact.state.package_id))
    made = Definition(state=state, policy_version=fact.version, cause=at.cause)
    return Decision(as_it_stands(scheduled(made, at.now), ()), (ReviewDefined(),))


def _ended(definition: Definition, at: At) -> Decision[Definition]:
    if definition.ended:
        return Decision(definition)
    state, said = definition.state, tuple[Transition, ...]((ReviewChanged(properties=("settings",)),))
    if not at.context.running.get(definition.id):
        state = state.model_copy(update={"status": ReviewStatus.COMPLETED})
    return Decision(definition.having(state=state, ended=True, next_at=None, next_number=0), said)


def _begun(definition: Definition) -> int:
    return definition.beginning.number if definition.beginning else definition.number


def definition_of(fact: PolicyFact, review: PolicyReview, package: str | None) -> DefinitionState:
    """What the policy's settings come to. `package`: its name, as far as that is known."""
    policy = fact.state
    author = fact.cause.actor.removeprefix("person:") if fact.cause.actor.startswith("person:") else None
    advised = review.recommendations_enabled or review.unanswered is Unanswered.RECOMMENDATION
    stage = StageSettings(
        duration_in_days=review.duration_in_days,
        reviewers=tuple(map(_reviewer, review.reviewers)),
        fallback_reviewers=tuple(map(_reviewer, review.fallback_reviewers)),
        recommendations_enabled=advised,
    )
    default = _UNANSWERED[review.unanswered]
    return DefinitionState(
        id=definition_id(policy.id),
        display_name=f"{package}: {policy.display_name}" if package else policy.display_name,
        scope=scope_of(policy),
        settings=ReviewSettings(
            mail_notifications_enabled=True,
            reminder_notifications_enabled=True,
            justification_required_on_approval=review.justification_required,
            default_decision_enabled=default is not DefaultDecision.NONE,
            default_decision=default,
            # A denial takes effect with the end of the review, and nobody is there to ask for it (PKR-6).
            auto_apply_decisions_enabled=True,
            instance_duration_in_days=review.duration_in_days,
            recurrence=review.recurrence,
            recommendations_enabled=advised,
        ),
        stages=(stage,),
        created_by=author,
        created_at=fact.at,
        modified_at=fact.at,
        policy_id=policy.id,
    )


def scope_of(policy: PolicyState) -> dict[str, str | None]:
    """The assignments made under this policy, and no others (PKR-1)."""
    names = f"accessPackageId eq '{policy.package_id}' and assignmentPolicyId eq '{policy.id}'"
    return {
        "@odata.type": "#microsoft.graph.accessReviewQueryScope",
        "query": f"/identityGovernance/entitlementManagement/accessPackageAssignments?$filter=({names})",
        "queryType": "MicrosoftGraph",
        "queryRoot": None,
    }


def _reviewer(one: SubjectSet) -> ReviewerScope:
    match one.kind:
        case SubjectKind.SINGLE_USER:
            return ReviewerScope(query=f"/users/{one.id}")
        case SubjectKind.GROUP_MEMBERS:
            return ReviewerScope(query=f"/groups/{one.id}/transitiveMembers")
        case SubjectKind.REQUESTOR_MANAGER | SubjectKind.TARGET_MANAGER:
            return ReviewerScope(query="./manager", query_root="decisions")
    raise ValueError(f"catalog lets {one.kind} review nothing")
