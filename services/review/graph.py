"""Bodies of access reviews as Graph writes and reads them, to and from contracts.

Source: reference/graph-model.md (accessReview types), graph-api-operations.md 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, ValidationError

from services.review.decide.recipients import read_recipients
from services.review.model import Definition, Instance, Item, Stage
from services.review.recommend import LONGEST_FOR_APPLICATIONS
from services.review.scope import NotUnderstood, Scope, read_reviewers, read_scope
from shared import durations, recurrence
from shared.contracts.review import (
    DefaultDecision,
    DefinitionState,
    ReviewerScope,
    ReviewSettings,
    StageSettings,
    Verdict,
)
from shared.contracts.roster import RosterKind
from shared.ids import derived_id
from shared.web.errors import BadRequest, of_validation
from shared.web.graph_model import ODATA_TYPE, GraphBody, NotBlank, graph_time
from shared.web.recurrence import RecurrenceIn, recurrence_of, recurrence_said

Rendered = dict[str, Any]
NOBODY = {"id": "00000000-0000-0000-0000-000000000000", "displayName": "", "userPrincipalName": ""}
MOST_STAGES = 3


def _capitalised(said: Any) -> Any:
    return said[:1].upper() + said[1:] if isinstance(said, str) else said


class ReviewerIn(GraphBody):
    """Graph's accessReviewReviewerScope."""

    query: str = Field(max_length=2000)
    query_type: str | None = "MicrosoftGraph"
    query_root: str | None = None

    def scope(self) -> ReviewerScope:
        return ReviewerScope(
            query=self.query, query_type=self.query_type or "MicrosoftGraph", query_root=self.query_root
        )


class SettingsIn(GraphBody):
    """Graph's accessReviewScheduleSettings."""

    mail_notifications_enabled: bool = False
    reminder_notifications_enabled: bool = False
    justification_required_on_approval: bool = False
    default_decision_enabled: bool = False
    default_decision: DefaultDecision = DefaultDecision.NONE
    auto_apply_decisions_enabled: bool = False
    instance_duration_in_days: int = Field(0, ge=0, le=3650)
    recurrence: RecurrenceIn | None = None
    recommendations_enabled: bool = False
    recommendation_look_back_duration: str | None = None
    recommendation_insight_settings: list[dict[str, Any]] | None = None
    decision_histories_for_reviewers_enabled: bool | None = False
    apply_actions: list[dict[str, Any]] | None = None


class StageIn(GraphBody):
    """Graph's accessReviewStageSettings."""

    stage_id: str
    depends_on: list[str] | None = None
    duration_in_days: int = Field(ge=1, le=3650)
    recommendations_enabled: bool = False
    reviewers: list[ReviewerIn] | None = None
    fallback_reviewers: list[ReviewerIn] | None = None
    decisions_that_will_move_to_next_stage: (
        list[Literal["Approve", "Deny", "Recommendation", "NotReviewed", "DontKnow"]] | None
    ) = None
    recommendation_look_back_duration: str | None = None
    recommendation_insight_settings: list[dict[str, Any]] | None = None


class DefinitionIn(GraphBody):
    """Graph's accessReviewScheduleDefinition, as far as callers write it."""

    display_name: NotBlank = Field(min_length=1, max_length=256)
    description_for_admins: str | None = Field(None, max_length=10_000)
    description_for_reviewers: str | None = Field(None, max_length=10_000)
    scope: dict[str, Any]
    instance_enumeration_scope: dict[str, Any] | None = None
    settings: SettingsIn = Field(default_factory=SettingsIn)
    reviewers: list[ReviewerIn] | None = None
    fallback_reviewers: list[ReviewerIn] | None = None
    backup_reviewers: list[ReviewerIn] | None = None
    stage_settings: list[StageIn] | None = None
    additional_notification_recipients: list[dict[str, Any]] | None = None

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "status", "createdBy", "createdDateTime", "lastModifiedDateTime", "instances"}
    )


class DecisionIn(GraphBody):
    """What a reviewer says of one item."""

    decision: Annotated[Verdict, BeforeValidator(_capitalised)]
    justification: str | None = Field(None, max_length=4000)

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id", "accessReviewId", "reviewedBy", "reviewedDateTime", "appliedBy", "appliedDateTime", "applyResult",
            "recommendation", "principal", "principalLink", "resource", "resourceLink", "target",
        }
    )  # fmt: skip


class BatchIn(GraphBody):
    """What a reviewer says of all their items, or of one principal's or resource's."""

    decision: Annotated[Verdict, BeforeValidator(_capitalised)]
    justification: str | None = Field(None, max_length=4000)
    principal_id: str | None = None
    resource_id: str | None = None


class ReviewersIn(GraphBody):
    """Other reviewers of one run or stage."""

    scope: dict[str, Any] | None = None
    reviewers: list[ReviewerIn] | None = None
    fallback_reviewers: list[ReviewerIn] | None = None

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "status", "startDateTime", "endDateTime", "contactedReviewers", "decisions", "stages"}
    )


# Read


def definition_of(body: DefinitionIn, id: str, created_by: str | None, now: datetime) -> DefinitionState:
    """Checked as a whole. Raises BadRequest that says what, where and how to fix it."""
    _understood("scope", lambda: read_scope(body.scope, body.instance_enumeration_scope))
    settings = _settings(body.settings)
    _understood(
        "additionalNotificationRecipients", lambda: read_recipients(body.additional_notification_recipients or ())
    )
    fallback = _scopes(body.fallback_reviewers or body.backup_reviewers, "fallbackReviewers")
    reviewers = _scopes(body.reviewers, "reviewers")
    stages = _stages(body.stage_settings or [])
    single = StageSettings(
        duration_in_days=settings.instance_duration_in_days,
        reviewers=reviewers,
        fallback_reviewers=fallback,
        recommendations_enabled=settings.recommendations_enabled,
    )
    state = DefinitionState(
        id=id,
        display_name=body.display_name,
        description_for_admins=body.description_for_admins,
        description_for_reviewers=body.description_for_reviewers,
        scope=_scope_kept(body.scope, "scope"),
        enumeration=_scope_kept(body.instance_enumeration_scope, "instanceEnumerationScope")
        if body.instance_enumeration_scope
        else None,
        settings=settings,
        stages=stages or (single,),
        staged=bool(stages),
        additional_recipients=tuple(body.additional_notification_recipients or ()),
        created_by=created_by,
        created_at=now,
        modified_at=now,
    )
    _check_duration(state)
    scope = read_scope(body.scope, body.instance_enumeration_scope)
    if any(one.kind is RosterKind.APPLICATION for one in scope.resources):
        _check_look_back(state)
    if settings.disable_and_delete:
        _check_disabling(scope)
    return state


def _check_look_back(state: DefinitionState) -> None:
    """Of applications uses are looked back for at most so long (REC-1)."""
    own = [one.recommendation_look_back for one in state.stages]
    insights = [
        *state.settings.recommendation_insights,
        *(it for one in state.stages for it in one.recommendation_insights or ()),
    ]
    said = [it.get("recommendationLookBackDuration") for it in insights]
    spans = [state.settings.recommendation_look_back, *own, *(durations.duration(one) for one in said if one)]
    if any(one is not None and one > LONGEST_FOR_APPLICATIONS for one in spans):
        where = "settings/recommendationLookBackDuration"
        text = f"of an application at most {durations.iso(LONGEST_FOR_APPLICATIONS)}"
        raise BadRequest(f"{where}: {text}.", target=where)


def _check_disabling(scope: Scope) -> None:
    """Guests alone are blocked and deleted, and only where a review is about named things (REV-20). Not about packages:
    their keepers define such reviews, and keep no accounts."""
    packages = any(one.kind is RosterKind.PACKAGE for one in scope.resources)
    if scope.guests_only and not scope.every_group and not packages:
        return
    where = "settings/applyActions"
    text = (
        "disableAndDeleteUserApplyAction is for reviews of the guests of named groups "
        "('?$filter=(userType eq 'Guest')'): say removeAccessApplyAction."
    )
    raise BadRequest(f"{where}: {text}", target=where)


_OF_SCOPES = frozenset({"query", "queryType", "queryRoot", "inactiveDuration", "principalScopes", "resourceScopes"})


def _scope_kept(scope: Mapping[str, Any], where: str) -> Rendered:
    """As it will be answered: with its type, and the root that Graph answers."""
    if unknown := next((name for name in scope if "@" not in name and name not in _OF_SCOPES), None):
        raise BadRequest(f"{where}: a scope has no '{unknown[:64]}'.", target=f"{where}/{unknown[:64]}")
    for name in ("query", "queryType", "queryRoot"):
        if not isinstance(scope.get(name), str | None):
            raise BadRequest(f"'{name}' of a scope is a text.", target=name)
    kept: Rendered = {ODATA_TYPE: "#microsoft.graph.accessReviewQueryScope", **scope}
    if "query" in kept:
        kept = {**kept, "queryType": kept.get("queryType") or "MicrosoftGraph", "queryRoot": kept.get("queryRoot")}
    if "inactiveDuration" in kept:
        kept["inactiveDuration"] = _as_graph_writes(kept["inactiveDuration"], f"{where}/inactiveDuration")
    for name in ("principalScopes", "resourceScopes"):
        if isinstance(inner := kept.get(name), list):
            kept[name] = [
                _scope_kept(one, f"{where}/{name}/{number}")
                for number, one in enumerate(inner)
                if isinstance(one, Mapping)
            ]
    return kept


def _understood(where: str, read: Any) -> Any:
    try:
        return read()
    except NotUnderstood as problem:
        raise BadRequest(f"{where}: {problem}", code="InvalidScope", target=where) from None


def _scopes(said: list[ReviewerIn] | None, where: str) -> tuple[ReviewerScope, ...]:
    scopes = tuple(one.scope() for one in said or ())
    for number, scope in enumerate(scopes):
        read = _understood(f"{where}/{number}", lambda one=scope: read_reviewers(one))
        if where == "fallbackReviewers" and read.by_item:
            text = "fallbackReviewers: managers and sponsors are no fallback, for there may be none."
            raise BadRequest(text, target=where)
    return scopes


def reviewers_of(said: list[ReviewerIn] | None, where: str) -> tuple[ReviewerScope, ...] | None:
    """None if nothing was said."""
    return None if said is None else _scopes(said, where)


def _settings(said: SettingsIn) -> ReviewSettings:
    return ReviewSettings(
        mail_notifications_enabled=said.mail_notifications_enabled,
        reminder_notifications_enabled=said.reminder_notifications_enabled,
        justification_required_on_approval=said.justification_required_on_approval,
        default_decision_enabled=said.default_decision_enabled,
        default_decision=said.default_decision,
        auto_apply_decisions_enabled=said.auto_apply_decisions_enabled,
        instance_duration_in_days=said.instance_duration_in_days,
        recurrence=recurrence_of(said.recurrence, "settings/recurrence") if said.recurrence else None,
        recommendations_enabled=said.recommendations_enabled,
        recommendation_look_back=_span(
            said.recommendation_look_back_duration, "settings/recommendationLookBackDuration"
        ),
        recommendation_insights=_insights(
            said.recommendation_insight_settings, "settings/recommendationInsightSettings"
        )
        or (),
        decision_histories_for_reviewers_enabled=bool(said.decision_histories_for_reviewers_enabled),
        disable_and_delete=_disables(said.apply_actions or []),
    )


def _as_graph_writes(said: Any, where: str) -> str | None:
    """A duration, however a client wrote it."""
    span = _span(said if isinstance(said, str | None) else str(said), where)
    return durations.iso(span) if span is not None else None


def _span(said: str | None, where: str) -> timedelta | None:
    try:
        return durations.duration(said) if said else None
    except ValueError as problem:
        raise BadRequest(f"{where}: {problem}.", target=where) from None


class SignInInsightIn(GraphBody):
    """Graph's userLastSignInRecommendationInsightSetting."""

    recommendation_look_back_duration: str | None = None
    sign_in_scope: Literal["tenant", "application"] | None = None


class PeerInsightIn(GraphBody):
    """Graph's groupPeerOutlierRecommendationInsightSettings."""


_INSIGHTS: Mapping[str, type[GraphBody]] = {
    "userLastSignInRecommendationInsightSetting": SignInInsightIn,
    "groupPeerOutlierRecommendationInsightSettings": PeerInsightIn,
}


def _insights(said: list[dict[str, Any]] | None, where: str) -> tuple[dict[str, Any], ...] | None:
    """Each of a kind that there is, with values that can be read, so that whoever recommends relies on it."""
    return None if said is None else tuple(_insight(one, f"{where}/{number}") for number, one in enumerate(said))


def _insight(said: dict[str, Any], where: str) -> dict[str, Any]:
    kind = _INSIGHTS.get(str(said.get(ODATA_TYPE, "")).rpartition(".")[2])
    if kind is None:
        known = " or ".join(f"#microsoft.graph.{name}" for name in _INSIGHTS)
        raise BadRequest(f"{where}/{ODATA_TYPE}: it is {known}.", target=f"{where}/{ODATA_TYPE}")
    try:
        read = kind.model_validate(said)
    except ValidationError as problem:
        raise of_validation({**one, "loc": ("body", where, *one["loc"])} for one in problem.errors()) from None
    kept = {ODATA_TYPE: said[ODATA_TYPE], **read.model_dump(by_alias=True, exclude_none=True)}
    if (look_back := kept.get("recommendationLookBackDuration")) is not None:
        place = f"{where}/recommendationLookBackDuration"
        kept["recommendationLookBackDuration"] = _as_graph_writes(look_back, place)
    return kept


_ACTIONS = {"removeAccessApplyAction": False, "disableAndDeleteUserApplyAction": True}


def _disables(actions: list[dict[str, Any]]) -> bool:
    named = [str(one.get(ODATA_TYPE, "")).rpartition(".")[2] for one in actions]
    if any(name not in _ACTIONS for name in named):
        known = " or ".join(f"#microsoft.graph.{name}" for name in _ACTIONS)
        raise BadRequest(f"settings/applyActions: each is {known}.", target="settings/applyActions")
    return any(_ACTIONS[name] for name in named)


def _stages(said: list[StageIn]) -> tuple[StageSettings, ...]:
    """In the order in which they depend on one another."""
    where = "stageSettings"
    if len(said) > MOST_STAGES:
        raise BadRequest(f"{where}: at most {MOST_STAGES} stages.", target=where)
    for number, one in enumerate(said):
        expected = [] if number == 0 else [said[number - 1].stage_id]
        if (one.depends_on or []) != expected:
            text = f"stage {one.stage_id} depends on {expected or 'no other'}: stages follow one another."
            raise BadRequest(f"{where}/{number}/dependsOn: {text}", target=f"{where}/{number}/dependsOn")
    if len({one.stage_id for one in said}) != len(said):
        raise BadRequest(f"{where}: each stageId stands once.", target=where)
    return tuple(
        StageSettings(
            stage_id=one.stage_id,
            duration_in_days=one.duration_in_days,
            reviewers=_scopes(one.reviewers, f"{where}/{number}/reviewers"),
            fallback_reviewers=_scopes(one.fallback_reviewers, "fallbackReviewers"),
            recommendations_enabled=one.recommendations_enabled,
            recommendation_look_back=_span(
                one.recommendation_look_back_duration, f"{where}/{number}/recommendationLookBackDuration"
            ),
            # None is answered as an empty list, and read again it is none.
            recommendation_insights=_insights(
                one.recommendation_insight_settings, f"{where}/{number}/recommendationInsightSettings"
            )
            or None,
            # None named, as none is said: a stage that nothing goes on to would be none.
            moves_on=tuple(one.decisions_that_will_move_to_next_stage or ()) or None,
        )
        for number, one in enumerate(said)
    )


def _check_duration(state: DefinitionState) -> None:
    """An instance is over before the next one begins (REV-6)."""
    days = (
        sum(one.duration_in_days for one in state.stages) if state.staged else state.settings.instance_duration_in_days
    )
    where = "stageSettings" if state.staged else "settings/instanceDurationInDays"
    if days < 1:
        raise BadRequest(f"{where}: say how many days reviewers have, at least 1.", target=where)
    if (series := state.settings.recurrence) is None:
        return
    shortest = recurrence.shortest_distance(series)
    if shortest is not None and days > shortest:
        text = f"{days} days are longer than one recurrence, which can be {shortest} days"
        raise BadRequest(f"{where}: {text}.", target=where)


# Say


@dataclass(frozen=True, slots=True)
class Names:
    """People by id, as replicas have them; and where the API is."""

    people: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    base: str = ""
    app_ids: Mapping[str, str] = field(default_factory=dict)

    def person(self, id: str | None) -> Rendered:
        if id is None:
            return dict(NOBODY)
        one = self.people.get(id, {})
        return {"id": id, "displayName": one.get("name"), "userPrincipalName": one.get("user_principal_name")}


def scope_said(scope: ReviewerScope) -> Rendered:
    return {"query": scope.query, "queryType": scope.query_type, "queryRoot": scope.query_root}


def scopes_said(scopes: tuple[ReviewerScope, ...]) -> list[Rendered]:
    return [scope_said(one) for one in scopes]


def definition_said(definition: Definition, names: Names) -> Rendered:
    state = definition.state
    single = None if state.staged else state.stages[0]
    fallback = scopes_said(single.fallback_reviewers) if single else []
    return {
        "id": state.id,
        "displayName": state.display_name,
        "createdDateTime": graph_time(state.created_at),
        "lastModifiedDateTime": graph_time(state.modified_at),
        "status": state.status.value,
        "descriptionForAdmins": state.description_for_admins,
        "descriptionForReviewers": state.description_for_reviewers,
        "createdBy": names.person(state.created_by),
        "scope": state.scope,
        "instanceEnumerationScope": state.enumeration,
        "reviewers": scopes_said(single.reviewers) if single else [],
        "fallbackReviewers": fallback,
        "backupReviewers": fallback,
        "settings": settings_said(state),
        "stageSettings": [_stage_settings_said(state, number) for number in range(len(state.stages))]
        if state.staged
        else [],
        "additionalNotificationRecipients": [_recipient_said(one) for one in state.additional_recipients],
        "instances": [],
    }


def _recipient_said(written: Mapping[str, Any]) -> Rendered:
    """As it was written, with what Graph fills in."""
    scope = written.get("notificationRecipientScope")
    if not isinstance(scope, Mapping):
        return dict(written)
    return {**written, "notificationRecipientScope": {"queryType": "MicrosoftGraph", "queryRoot": None, **scope}}


def settings_said(state: DefinitionState) -> Rendered:
    one = state.settings
    action = "disableAndDeleteUserApplyAction" if one.disable_and_delete else "removeAccessApplyAction"
    return {
        "mailNotificationsEnabled": one.mail_notifications_enabled,
        "reminderNotificationsEnabled": one.reminder_notifications_enabled,
        "justificationRequiredOnApproval": one.justification_required_on_approval,
        "defaultDecisionEnabled": one.default_decision_enabled,
        "defaultDecision": one.default_decision.value,
        "instanceDurationInDays": one.instance_duration_in_days,
        "autoApplyDecisionsEnabled": one.auto_apply_decisions_enabled,
        "recommendationsEnabled": one.recommendations_enabled,
        "recommendationLookBackDuration": durations.iso(one.recommendation_look_back)
        if one.recommendation_look_back
        else None,
        "recommendationInsightSettings": list(one.recommendation_insights),
        "decisionHistoriesForReviewersEnabled": one.decision_histories_for_reviewers_enabled,
        "recurrence": recurrence_said(one.recurrence) if one.recurrence else None,
        "applyActions": [{ODATA_TYPE: f"#microsoft.graph.{action}"}],
    }


def _stage_settings_said(state: DefinitionState, number: int) -> Rendered:
    one = state.stages[number]
    return {
        "stageId": one.stage_id,
        "dependsOn": [state.stages[number - 1].stage_id] if number else [],
        "durationInDays": one.duration_in_days,
        "recommendationsEnabled": one.recommendations_enabled,
        "recommendationLookBackDuration": durations.iso(one.recommendation_look_back)
        if one.recommendation_look_back
        else None,
        "recommendationInsightSettings": list(one.recommendation_insights or ()),
        "decisionsThatWillMoveToNextStage": list(one.moves_on or ()),
        "reviewers": scopes_said(one.reviewers),
        "fallbackReviewers": scopes_said(one.fallback_reviewers),
    }


def instance_said(one: Instance) -> Rendered:
    return {
        ODATA_TYPE: "#microsoft.graph.accessReviewInstance",
        "id": one.id,
        "startDateTime": graph_time(one.starts_at),
        "endDateTime": graph_time(one.ends_at),
        "status": one.status.value,
        "scope": one.scope,
        "reviewers": scopes_said(one.stage.settings.reviewers),
        "fallbackReviewers": scopes_said(one.stage.settings.fallback_reviewers),
        "@tenure.resource": {
            "id": one.resource.id, "type": one.resource.kind.value, "displayName": one.resource.display_name
        },
        "@tenure.items": one.items,
        "@tenure.unattended": one.unattended,
        "@tenure.refused": one.refused,
        "@tenure.figures": one.figures,
        "@tenure.results": one.results,
    }  # fmt: skip


def contact_said(contact: Mapping[str, Any], names: Names) -> Rendered:
    """Graph's accessReviewReviewer, with every time that they were told."""
    told = [{"occasion": one["occasion"], "dateTime": graph_time(one["at"])} for one in contact["told"]]
    said = {**names.person(contact["person_id"]), "createdDateTime": graph_time(contact["at"])}
    return {**said, "@tenure.told": told}


def stage_said(stage: Stage) -> Rendered:
    return {
        ODATA_TYPE: "#microsoft.graph.accessReviewStage",
        "id": stage.id,
        "startDateTime": graph_time(stage.starts_at) if stage.starts_at else None,
        "endDateTime": graph_time(stage.ends_at) if stage.ends_at else None,
        "status": stage.status.value,
        "reviewers": scopes_said(stage.settings.reviewers),
        "fallbackReviewers": scopes_said(stage.settings.fallback_reviewers),
    }


def item_said(item: Item, instance: Instance, names: Names, *, earlier_hidden: bool = False) -> Rendered:
    """`earlier_hidden`: what reviewers of stages before have decided is not shown (REV-16)."""
    hidden = earlier_hidden and not (item.decisions and item.decisions[-1].stage == instance.current)
    decision = Verdict.NOT_REVIEWED if hidden else item.decision
    by = None if hidden else item.decided_by
    person = names.person(item.person_id)
    link = f"{names.base}/v1.0/{'groups' if item.is_group else 'users'}/{item.person_id}"
    applied_by = NOBODY if item.applied_at is None else {**NOBODY, "displayName": "Access review"}
    advised = instance.stage.settings.recommendations_enabled
    return {
        ODATA_TYPE: "#microsoft.graph.accessReviewInstanceDecisionItem",
        "id": item.id,
        "accessReviewId": item.instance_id,
        "reviewedDateTime": graph_time(item.decided_at) if item.decided_at and not hidden else None,
        "decision": decision.value,
        "justification": "" if hidden else item.justification or "",
        "appliedDateTime": graph_time(item.applied_at) if item.applied_at else None,
        "applyResult": item.result.value,
        "recommendation": item.recommendation.value if advised else "NoInfoAvailable",
        "principalLink": link,
        "resourceLink": _resource_link(instance, names.base),
        "resource": resource_said(instance, names),
        "reviewedBy": names.person(by),
        "appliedBy": applied_by,
        **_principal_said(item, person),
        "@tenure.reason": item.reason if advised else "",
        "@tenure.figures": _figures(item.figures) if advised else {},
        "@tenure.result": item.detail,
        "@tenure.role": item.role,
        "@tenure.roleDisplayName": instance.role_name(item.role),
        "@tenure.assignmentId": item.assignment_id,
    }


def _principal_said(item: Item, person: Rendered) -> Rendered:
    """As Graph says who it is, and as it did before; of groups, for which it has no type, as any identity."""
    if item.is_group:
        said = {"id": person["id"], "displayName": person["displayName"]}
        return {"principal": {ODATA_TYPE: "#microsoft.graph.identity", **said}, "target": None}
    return {
        "principal": {ODATA_TYPE: "#microsoft.graph.userIdentity", **person},
        "target": {
            ODATA_TYPE: "#microsoft.graph.accessReviewInstanceDecisionItemUserTarget",
            "userId": item.person_id,
            "userDisplayName": person["displayName"],
            "userPrincipalName": person["userPrincipalName"],
        },
    }


def _figures(figures: Mapping[str, Any] | None) -> Rendered:
    """What the recommendation rests on, such as the share of peers."""
    said = figures or {}
    return {name: graph_time(one) if isinstance(one, datetime) else one for name, one in said.items()}


def insights_said(item: Item, instance: Instance) -> list[Rendered]:
    """Graph's governanceInsights, of what the recommendation rests on: the last sign-in, and being far from all other
    members in the reporting tree. Nothing while recommendations are off."""
    if not instance.stage.settings.recommendations_enabled or not item.figures:
        return []
    created = graph_time(instance.starts_at)
    found: list[Rendered] = []

    def add(kind: str, **more: Any) -> None:
        id = derived_id("insight", item.id, kind)
        found.append({ODATA_TYPE: f"#microsoft.graph.{kind}", "id": id, "insightCreatedDateTime": created, **more})

    if "lastSignIn" in item.figures:
        add("userSignInInsight", lastSignInDateTime=graph_time(item.figures["lastSignIn"]))
    if item.figures.get("meanDistance", 0) > item.figures.get("farBeyond", math.inf):
        add(
            "membershipOutlierInsight",
            containerId=instance.resource.id,
            memberId=item.person_id,
            outlierContainerType="group",
            outlierMemberType="user",
        )
    return found


def resource_said(instance: Instance, names: Names) -> Rendered:
    one = instance.resource
    base: Rendered = {"id": one.id, "displayName": one.display_name}
    match one.kind:
        case RosterKind.PACKAGE:
            return {
                ODATA_TYPE: "#microsoft.graph.accessReviewInstanceDecisionItemAccessPackageAssignmentPolicyResource",
                "id": one.policy_id or one.id,
                "displayName": one.display_name,
                "type": "accessPackageAssignmentPolicy",
                "accessPackageId": one.id,
                "accessPackageDisplayName": one.display_name,
            }
        case RosterKind.APPLICATION:
            kind = "#microsoft.graph.accessReviewInstanceDecisionItemServicePrincipalResource"
            return {ODATA_TYPE: kind, **base, "type": "servicePrincipal", "appId": names.app_ids.get(one.id)}
        case RosterKind.DIRECTORY_ROLE:
            return {**base, "type": "directoryRole"}
        case RosterKind.GOVERNANCE_ROLE:
            return {**base, "type": "governanceRole"}
    return {**base, "type": "group"}


def _resource_link(instance: Instance, base: str) -> str:
    one = instance.resource
    at = {
        RosterKind.GROUP: "groups",
        RosterKind.APPLICATION: "servicePrincipals",
        RosterKind.DIRECTORY_ROLE: "roleManagement/directory/roleDefinitions",
        RosterKind.GOVERNANCE_ROLE: "roleManagement/entitlementManagement/roleDefinitions",
        RosterKind.PACKAGE: "identityGovernance/entitlementManagement/accessPackages",
    }[one.kind]
    return f"{base}/v1.0/{at}/{one.id}"
