"""Graph's JSON for what a policy says of those who ask: scope, requestors, approval, questions; read and written.

The rest of a policy's body is in `graph`. Source: reference/graph-api-operations.md 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic.alias_generators import to_camel

from services.catalog.bodies import Body, checked_rule, duration_of
from shared import durations
from shared.contracts.policy import (
    AnswerChoice,
    ApprovalSettings,
    ApprovalStageSettings,
    LocalizedText,
    Question,
    RequestorSettings,
    SubjectKind,
    SubjectSet,
    TargetScope,
)
from shared.ids import derived_id
from shared.rules import patterns
from shared.web.errors import BadRequest, of_validation
from shared.web.graph_model import ODATA_TYPE, odata_type_of
from shared.web.questions import CHOICE, TEXT

MOST_STAGES = 3
MOST_QUESTIONS = 50
MOST_ORGANIZATIONS, MOST_SUBJECTS = 1_000, 500
"""Targets of one policy (CAT-7): they are read with every request."""
DEEPEST = 12
"""Levels of a body that is kept as it came; far less than MongoDB takes."""

ID_OF = {
    SubjectKind.SINGLE_USER: "userId",
    SubjectKind.GROUP_MEMBERS: "groupId",
    SubjectKind.ORGANIZATION: "connectedOrganizationId",
    SubjectKind.SERVICE_PRINCIPAL: "servicePrincipalId",
    SubjectKind.POPULATION: "populationId",
}
_TYPE_OF = {kind.value.lower(): kind for kind in SubjectKind if kind is not SubjectKind.POPULATION} | {
    "tenure.populationmembers": SubjectKind.POPULATION
}
_MANAGERS = {SubjectKind.REQUESTOR_MANAGER, SubjectKind.TARGET_MANAGER}
_APPROVERS = _MANAGERS | {
    SubjectKind.SINGLE_USER,
    SubjectKind.GROUP_MEMBERS,
    SubjectKind.INTERNAL_SPONSORS,
    SubjectKind.EXTERNAL_SPONSORS,
    SubjectKind.TARGET_SPONSORS,
}
_TARGETS = {
    TargetScope.SPECIFIC_USERS: {
        SubjectKind.SINGLE_USER,
        SubjectKind.GROUP_MEMBERS,
        SubjectKind.ATTRIBUTE_RULE,
        SubjectKind.POPULATION,
    },
    TargetScope.SPECIFIC_ORGANIZATIONS: {SubjectKind.ORGANIZATION},
    TargetScope.SPECIFIC_SERVICE_PRINCIPALS: {SubjectKind.SERVICE_PRINCIPAL},
}
_SCOPES = {scope.value.lower(): scope for scope in TargetScope}


# Bodies read


class RequestorSettingsIn(Body):
    accept_requests: bool | None = None
    enable_targets_to_self_add_access: bool | None = None
    enable_targets_to_self_update_access: bool | None = None
    enable_targets_to_self_remove_access: bool | None = None
    allow_custom_assignment_schedule: bool | None = None
    enable_on_behalf_requestors_to_add_access: bool | None = None
    enable_on_behalf_requestors_to_update_access: bool | None = None
    enable_on_behalf_requestors_to_remove_access: bool | None = None
    on_behalf_requestors: list[dict[str, Any]] | None = None


class StageIn(Body):
    duration_before_automatic_denial: str | None = None
    is_approver_justification_required: bool | None = None
    is_escalation_enabled: bool | None = None
    duration_before_escalation: str | None = None
    primary_approvers: list[dict[str, Any]] | None = None
    fallback_primary_approvers: list[dict[str, Any]] | None = None
    escalation_approvers: list[dict[str, Any]] | None = None
    fallback_escalation_approvers: list[dict[str, Any]] | None = None
    approver_information_visibility: Literal["default", "notVisible", "visible"] | None = None


class ApprovalSettingsIn(Body):
    is_approval_required_for_add: bool | None = None
    is_approval_required_for_update: bool | None = None
    is_requestor_justification_required: bool | None = None
    stages: list[StageIn] | None = None


class NotificationSettingsIn(Body):
    is_assignment_notification_disabled: bool | None = None


class LocalizedTextIn(Body):
    language_code: str = Field(min_length=1, max_length=35)
    text: str | None = None


class ChoiceIn(Body):
    actual_value: str = Field(min_length=1, max_length=1000)
    text: str | None = None
    localizations: list[LocalizedTextIn] | None = None


class QuestionIn(Body):
    id: str | None = None
    text: str | None = Field(None, max_length=2000)
    localizations: list[LocalizedTextIn] | None = None
    sequence: int | None = Field(None, ge=-(2**31), lt=2**31)
    """Graph's Int32; the database would not take any larger than an Int64."""
    is_required: bool | None = None
    is_answer_editable: bool | None = None
    is_single_line_question: bool | None = None
    regex_pattern: str | None = Field(None, max_length=1000)
    choices: list[ChoiceIn] | None = None
    is_multiple_selection_allowed: bool | None = None


def scope_of(said: str | None, targets: Sequence[dict[str, Any]]) -> tuple[TargetScope, tuple[SubjectSet, ...]]:
    """Who may have the package by request. Raises BadRequest where scope and targets do not go together."""
    scope = TargetScope.SPECIFIC_USERS if said is None and targets else TargetScope.NOT_SPECIFIED
    if said is not None:
        found = _SCOPES.get(said.lower())
        if found is None:
            raise BadRequest(
                f"'{said[:64]}' is no allowedTargetScope: {', '.join(TargetScope)}.", target="allowedTargetScope"
            )
        scope = found
    allowed = _TARGETS.get(scope, set())
    if bool(targets) is not bool(allowed):
        asked = "names its targets in" if allowed else "has no"
        raise BadRequest(
            f"A policy with allowedTargetScope {scope.value} {asked} specificAllowedTargets.",
            target="specificAllowedTargets",
        )
    most = MOST_ORGANIZATIONS if scope is TargetScope.SPECIFIC_ORGANIZATIONS else MOST_SUBJECTS
    if len(targets) > most:
        raise BadRequest(f"A policy names at most {most} targets of this kind.", target="specificAllowedTargets")
    return scope, subject_sets(targets, allowed, "specificAllowedTargets")


def requestor_settings_of(body: RequestorSettingsIn | None) -> RequestorSettings:
    if body is None:
        return RequestorSettings()
    said = {name: value for name, value in body if value is not None and name != "on_behalf_requestors"}
    where = "requestorSettings/onBehalfRequestors"
    requestors = subject_sets(body.on_behalf_requestors or (), set(SubjectKind), where)
    return RequestorSettings(**said, on_behalf_requestors=requestors)


def approval_settings_of(body: ApprovalSettingsIn | None) -> ApprovalSettings:
    """Raises BadRequest for approval without a stage, more than three, or one that could never be decided."""
    if body is None:
        return ApprovalSettings()
    where = "requestApprovalSettings/stages"
    stages = body.stages or []
    if len(stages) > MOST_STAGES:
        raise BadRequest(f"There are at most {MOST_STAGES} stages of approval.", target=where)
    required = body.is_approval_required_for_add or body.is_approval_required_for_update
    if required and not stages:
        raise BadRequest("Where approval is required, at least one stage says who approves.", target=where)
    return ApprovalSettings(
        is_approval_required_for_add=bool(body.is_approval_required_for_add),
        is_approval_required_for_update=bool(body.is_approval_required_for_update),
        is_requestor_justification_required=bool(body.is_requestor_justification_required),
        stages=tuple(_stage_of(stage, f"{where}/{n}") for n, stage in enumerate(stages)),
    )


def _stage_of(body: StageIn, where: str) -> ApprovalStageSettings:
    def sets(name: str) -> tuple[SubjectSet, ...]:
        return subject_sets(getattr(body, name) or (), _APPROVERS, f"{where}/{to_camel(name)}")

    denial = _span(body.duration_before_automatic_denial, timedelta(days=14), f"{where}/durationBeforeAutomaticDenial")
    escalation = _span(body.duration_before_escalation, timedelta(), f"{where}/durationBeforeEscalation")
    if denial <= timedelta():
        raise BadRequest(
            "A stage without time to decide would always deny.", target=f"{where}/durationBeforeAutomaticDenial"
        )
    stage = ApprovalStageSettings(
        duration_before_automatic_denial=denial,
        is_approver_justification_required=bool(body.is_approver_justification_required),
        is_escalation_enabled=bool(body.is_escalation_enabled),
        duration_before_escalation=escalation,
        primary_approvers=sets("primary_approvers"),
        fallback_primary_approvers=sets("fallback_primary_approvers"),
        escalation_approvers=sets("escalation_approvers"),
        fallback_escalation_approvers=sets("fallback_escalation_approvers"),
        approver_information_visibility=body.approver_information_visibility or "default",
    )
    if not stage.primary_approvers and not stage.fallback_primary_approvers:
        raise BadRequest("A stage says who approves, or who does as fallback.", target=f"{where}/primaryApprovers")
    if stage.is_escalation_enabled:
        if not timedelta() < escalation < denial:
            raise BadRequest(
                "Escalation comes after some time, and before silence denies.",
                target=f"{where}/durationBeforeEscalation",
            )
        if not stage.escalation_approvers and not stage.fallback_escalation_approvers:
            raise BadRequest("Escalation says whom it goes to.", target=f"{where}/escalationApprovers")
    return stage


def questions_of(bodies: Sequence[dict[str, Any]], policy_id: str) -> tuple[Question, ...]:
    """In the order of their sequence. Those without an id get one that a repeat gets again."""
    if len(bodies) > MOST_QUESTIONS:
        raise BadRequest(f"There are at most {MOST_QUESTIONS} questions.", target="questions")
    found = [question_of(body, f"questions/{n}", policy_id, n) for n, body in enumerate(bodies)]
    if len({one.id for one in found}) < len(found):
        raise BadRequest("Two questions have one id.", target="questions")
    return tuple(sorted(found, key=lambda one: one.sequence))


def question_of(body: dict[str, Any], where: str, owner_id: str, number: int) -> Question:
    """The question number `number` of the policy or resource `owner_id`. Raises BadRequest that names the place."""
    try:
        said = QuestionIn.model_validate(body)
    except ValidationError as problem:
        raise of_validation(
            {**one, "loc": ("body", *where.split("/"), *one["loc"])} for one in problem.errors()
        ) from None
    kind = odata_type_of(body) or (CHOICE if said.choices else TEXT)
    if kind not in {TEXT, CHOICE}:
        raise BadRequest(
            f"A question is #microsoft.graph.{TEXT} or #microsoft.graph.{CHOICE}.", target=f"{where}/{ODATA_TYPE}"
        )
    if not (said.text or said.localizations):
        raise BadRequest("A question has a text.", target=f"{where}/text")
    if kind == CHOICE and not said.choices:
        raise BadRequest("A multiple choice question has choices.", target=f"{where}/choices")
    if kind == TEXT and said.choices:
        raise BadRequest("A text question has no choices.", target=f"{where}/choices")
    if said.regex_pattern and (fault := patterns.problem(said.regex_pattern)):
        raise BadRequest(f"The pattern {fault}.", target=f"{where}/regexPattern")
    return Question(
        id=said.id or derived_id("question", owner_id, number, said.text or ""),
        text=said.text,
        localizations=_localized(said.localizations),
        sequence=number if said.sequence is None else said.sequence,
        is_required=bool(said.is_required),
        is_answer_editable=said.is_answer_editable is not False,
        is_single_line=bool(said.is_single_line_question),
        regex_pattern=said.regex_pattern or None,
        choices=tuple(
            AnswerChoice(actual_value=one.actual_value, text=one.text, localizations=_localized(one.localizations))
            for one in said.choices or ()
        )
        if kind == CHOICE
        else None,
        is_multiple_selection_allowed=bool(said.is_multiple_selection_allowed),
    )


def _localized(texts: Sequence[LocalizedTextIn] | None) -> tuple[LocalizedText, ...]:
    return tuple(LocalizedText(language_code=one.language_code, text=one.text) for one in texts or ())


def subject_sets(bodies: Sequence[dict[str, Any]], allowed: set[SubjectKind], where: str) -> tuple[SubjectSet, ...]:
    """Raises BadRequest for a type that has no place here, or lacks what it names."""
    return tuple(_subject_set(body, allowed, f"{where}/{n}") for n, body in enumerate(bodies))


def _subject_set(body: dict[str, Any], allowed: set[SubjectKind], where: str) -> SubjectSet:
    kind = _TYPE_OF.get((odata_type_of(body) or "").lower())
    if kind is None or kind not in allowed:
        named = ", ".join(sorted(_type_name(one) for one in allowed))
        raise BadRequest(f"'{ODATA_TYPE}' is one of {named}.", target=f"{where}/{ODATA_TYPE}")
    id = level = rule = None
    if name := ID_OF.get(kind):
        id = body.get(name) or body.get("id")
        if not isinstance(id, str) or not id:
            raise BadRequest(f"'{name}' says who is meant.", target=f"{where}/{name}")
        id = id.lower()  # as all ids of ours are kept: in capitals it would be nobody's
    if kind in _MANAGERS:
        level = body.get("managerLevel")
        level = 1 if level is None else level
        if type(level) is not int or level not in {1, 2}:
            raise BadRequest("'managerLevel' is 1 or 2.", target=f"{where}/managerLevel")
    if kind is SubjectKind.ATTRIBUTE_RULE:
        rule = checked_rule(str(body.get("membershipRule") or ""), f"{where}/membershipRule")
    description = body.get("description")
    return SubjectSet(
        kind=kind,
        id=id,
        level=level or 1,
        rule=rule,
        description=description if isinstance(description, str) else None,
    )


def notification_settings_of(body: NotificationSettingsIn | None) -> dict[str, Any] | None:
    """As it is kept; None if nothing is otherwise than ever."""
    disabled = body is not None and body.is_assignment_notification_disabled
    return {"isAssignmentNotificationDisabled": True} if disabled else None


def kept_as_said(body: dict[str, Any] | None, where: str) -> dict[str, Any] | None:
    """What is stored for later (reviews), as it came. Raises BadRequest for what is nested beyond reason."""
    if body is not None and _depth(body) > DEEPEST:
        raise BadRequest(f"'{where}' is nested too deeply.", target=where)
    return body


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _span(text: str | None, default: timedelta, where: str) -> timedelta:
    return duration_of(text, where) if text else default


# Bodies written


def subject_set_said(one: SubjectSet) -> dict[str, Any]:
    said: dict[str, Any] = {ODATA_TYPE: _type_name(one.kind)}
    if name := ID_OF.get(one.kind):
        said[name] = one.id
    if one.kind in _MANAGERS:
        said["managerLevel"] = one.level
    if one.rule is not None:
        said["membershipRule"] = one.rule
    if one.description is not None:
        said["description"] = one.description
    return said


def requestor_settings_said(settings: RequestorSettings) -> dict[str, Any]:
    # Graph's v1.0 has lost the switch "enable new requests": it is said only where it is off (POL-3).
    unsaid = {"on_behalf_requestors", *(("accept_requests",) if settings.accept_requests else ())}
    said = settings.model_dump(by_alias=True, exclude=unsaid)
    return {**said, "onBehalfRequestors": [subject_set_said(one) for one in settings.on_behalf_requestors]}


def approval_settings_said(settings: ApprovalSettings) -> dict[str, Any]:
    said = settings.model_dump(by_alias=True, exclude={"stages"})
    return {**said, "stages": [_stage_said(stage) for stage in settings.stages]}


def _stage_said(stage: ApprovalStageSettings) -> dict[str, Any]:
    sets = ("primary_approvers", "fallback_primary_approvers", "escalation_approvers", "fallback_escalation_approvers")
    said = stage.model_dump(by_alias=True, exclude=set(sets))
    return {
        **said,
        "durationBeforeAutomaticDenial": durations.iso(stage.duration_before_automatic_denial),
        "durationBeforeEscalation": durations.iso(stage.duration_before_escalation),
        "primaryApprovers": [subject_set_said(one) for one in stage.primary_approvers],
        "fallbackPrimaryApprovers": [subject_set_said(one) for one in stage.fallback_primary_approvers],
        "escalationApprovers": [subject_set_said(one) for one in stage.escalation_approvers],
        "fallbackEscalationApprovers": [subject_set_said(one) for one in stage.fallback_escalation_approvers],
    }


def _type_name(kind: SubjectKind) -> str:
    return "#tenure.populationMembers" if kind is SubjectKind.POPULATION else f"#microsoft.graph.{kind.value}"
