"""Where Graph's JSON meets requests: bodies read, requests written. Source: reference/graph-api-operations.md 2.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from services.request.decide.period import AS_THE_POLICY_SAYS, Schedule
from services.request.decide.scene import Held
from services.request.model import ADDS, BY_ADMINS, BY_USERS, Request
from shared import durations
from shared.contracts.catalog import PolicyState
from shared.contracts.policy import Answer, Question
from shared.contracts.request import RequestType
from shared.web.errors import BadRequest
from shared.web.expiration import END_SAID, ends
from shared.web.graph_model import ODATA_TYPE, GraphBody, Moment, graph_time
from shared.web.questions import CHOICE, TEXT, question_said

_TYPES = {one.value.lower(): one for one in RequestType} | {
    # What clients of the beta call a change of the end alone (REQ-1).
    "userextend": RequestType.USER_UPDATE,
    "adminextend": RequestType.ADMIN_UPDATE,
}
_POSSIBLE = BY_USERS | BY_ADMINS


def _request_type(said: Any) -> Any:
    found = _TYPES.get(str(said).lower())
    if found is None:
        raise ValueError(f"is one of {', '.join(sorted(one.value for one in _POSSIBLE))}")
    if found not in _POSSIBLE:
        raise ValueError(f"{found.value} is not asked for from outside")
    return found


class TargetIn(GraphBody):
    id: str | None = None
    object_id: str | None = None
    email: str | None = Field(None, max_length=320)

    model_config = ConfigDict(extra="ignore")


class AssignmentIn(GraphBody):
    """Which assignment: by its id, or by person, package and policy."""

    id: str | None = None
    target_id: str | None = None
    target: TargetIn | None = None
    access_package_id: str | None = None
    assignment_policy_id: str | None = None


class ExpirationIn(GraphBody):
    type: Literal["noExpiration", "afterDateTime", "afterDuration", "notSpecified"] | None = None
    end_date_time: Moment | None = None
    duration: str | None = None


class ScheduleIn(GraphBody):
    start_date_time: Moment | None = None
    expiration: ExpirationIn | None = None
    recurrence: Any = None


class QuestionIn(GraphBody):
    id: str

    model_config = ConfigDict(extra="ignore")


class AnswerIn(GraphBody):
    value: str = Field(max_length=4000)
    display_value: str | None = Field(None, max_length=4000)
    answered_question: QuestionIn


class RequestIn(GraphBody):
    request_type: Annotated[RequestType, BeforeValidator(_request_type)]
    assignment: AssignmentIn | None = None
    access_package_assignment: AssignmentIn | None = None
    justification: str | None = Field(None, max_length=4000)
    schedule: ScheduleIn | None = None
    answers: list[AnswerIn] | None = Field(None, max_length=50)

    read_only = GraphBody.read_only | {
        "state",
        "status",
        "completedDateTime",
        "customExtensionCalloutInstances",
        "requestor",
        "accessPackage",
    }


class ResumeIn(GraphBody):
    source: str | None = None
    type: str | None = None
    data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a body names, by id. None: it says nothing of it."""

    assignment_id: str | None
    person_id: str | None
    package_id: str | None
    policy_id: str | None
    mail: str | None = None
    """Of the person, where nothing else says who it is."""

    def fits(self, person_id: str, held: Held) -> bool:
        """Whether all that it names is so of this assignment."""
        named = ((self.person_id, person_id), (self.package_id, held.package_id), (self.policy_id, held.policy_id))
        return all(said in {None, is_so} for said, is_so in named)


def wanted(body: RequestIn) -> Wanted:
    """Raises BadRequest for a body that names nothing."""
    said = body.assignment or body.access_package_assignment
    if said is None:
        raise BadRequest("'assignment' says what is asked for.", target="assignment")
    if said.id is not None and body.request_type in ADDS:
        raise BadRequest("A request to add makes its assignment: leave its id out.", target="assignment/id")
    target = said.target_id or (said.target and (said.target.object_id or said.target.id))
    mail = said.target.email if said.target and not target else None
    return Wanted(
        _id(said.id), _id(target or None), _id(said.access_package_id), _id(said.assignment_policy_id), mail or None
    )


def _id(said: str | None) -> str | None:
    return said.strip().lower() if said else None


def schedule_of(said: ScheduleIn | None) -> Schedule:
    """Raises BadRequest for what contradicts itself or recurs."""
    if said is None:
        return AS_THE_POLICY_SAYS
    if said.recurrence is not None:
        raise BadRequest("An assignment does not recur.", target="schedule/recurrence")
    starts_at = said.start_date_time
    end = said.expiration
    if end is None:
        return Schedule(starts_at=starts_at)
    if end.type in {None, "notSpecified", "noExpiration"} and not ends(end.duration, end.end_date_time):
        return Schedule(starts_at=starts_at, never_ends=end.type == "noExpiration")
    if end.type == "afterDateTime" and end.end_date_time is not None and end.duration is None:
        return Schedule(starts_at=starts_at, ends_at=end.end_date_time)
    if end.type == "afterDuration" and end.duration and end.end_date_time is None:
        try:
            return Schedule(starts_at=starts_at, lasts=durations.duration(end.duration))
        except ValueError as problem:
            raise BadRequest(f"{problem}.", target="schedule/expiration/duration") from problem
    raise BadRequest(END_SAID, target="schedule/expiration")


def answers_of(said: Sequence[AnswerIn]) -> tuple[Answer, ...]:
    return tuple(
        Answer(question_id=one.answered_question.id, value=one.value, display_value=one.display_value) for one in said
    )


# Bodies written


@dataclass(frozen=True, slots=True)
class Names:
    """Bodies, by id, of what is expanded."""

    packages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    requestors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    assigned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Packages again, inside the assignment."""
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)
    """Assignments that are live."""


NO_NAMES = Names()


def request_said(request: Request, expanded: set[str], names: Names) -> dict[str, Any]:
    """Graph's accessPackageAssignmentRequest. `expanded`: relations, those of the assignment as 'assignment/target'."""
    body: dict[str, Any] = {
        "id": request.id,
        "requestType": request.type.value,
        "state": request.status.value,
        "status": request.said,
        "createdDateTime": graph_time(request.created_at),
        "completedDateTime": graph_time(request.completed_at) if request.completed_at else None,
        "justification": request.justification,
        "schedule": _schedule_said(request),
        "answers": [_answer_said(one) for one in request.answers],
        "customExtensionCalloutInstances": [],
    }
    if request.reason is not None:
        body["@tenure.reason"] = {"code": request.reason.code, "message": request.reason.message}
    if "accessPackage" in expanded:
        body["accessPackage"] = names.packages.get(request.package_id, _nameless(request.package_id))
    if "requestor" in expanded:
        body["requestor"] = request.requestor_id and names.requestors.get(
            request.requestor_id, _nameless(request.requestor_id)
        )
    if "assignment" in expanded:
        body["assignment"] = _assignment_said(request, expanded, names)
    return body


def _assignment_said(request: Request, expanded: set[str], names: Names) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": request.assignment_id,
        **_held_said(names.held.get(request.assignment_id), made=request.made),
    }
    if "assignment/target" in expanded:
        said["target"] = names.targets.get(request.person_id, _nameless(request.person_id))
    if "assignment/accessPackage" in expanded:
        said["accessPackage"] = names.assigned.get(request.package_id, _nameless(request.package_id))
    if "assignment/assignmentPolicy" in expanded:
        said["assignmentPolicy"] = names.policies.get(request.policy_id, _nameless(request.policy_id))
    return said


def _held_said(held: Held | None, *, made: bool) -> dict[str, Any]:
    """How far an assignment is; nothing of one that is not there yet, and of one that was `made` and is held no more
    that it has expired: assignment lists those too, and says more of them."""
    if held is None:
        return {
            "state": "expired" if made else None,
            "status": "Expired" if made else None,
            "expiredDateTime": None,
            "schedule": None,
            "customExtensionCalloutInstances": [],
        }
    state = held.status.in_graph
    return {
        "state": state,
        "status": state[:1].upper() + state[1:],
        "expiredDateTime": None,
        "schedule": _span_said("afterDateTime" if held.ends_at else "noExpiration", held.starts_at, held.ends_at, None),
        "customExtensionCalloutInstances": [],
    }


def _nameless(id: str) -> dict[str, Any]:
    """Of what is no longer known."""
    return {"id": id, "displayName": None}


def requirements_said(policy: PolicyState, questions: Sequence[Question]) -> dict[str, Any]:
    """Graph's accessPackageAssignmentRequestRequirements. `questions`: of the policy and of the resources."""
    kind = "noExpiration"
    if policy.expires_after is not None:
        kind = "afterDuration"
    elif policy.expires_at is not None:
        kind = "afterDateTime"
    return {
        "policyId": policy.id,
        "policyDisplayName": policy.display_name,
        "policyDescription": policy.description,
        "isApprovalRequiredForAdd": policy.approval_settings.is_approval_required_for_add,
        "isApprovalRequiredForUpdate": policy.approval_settings.is_approval_required_for_update,
        "isRequestorJustificationRequired": policy.approval_settings.is_requestor_justification_required,
        "allowCustomAssignmentSchedule": policy.requestor_settings.allow_custom_assignment_schedule,
        "schedule": _span_said(kind, None, policy.expires_at, policy.expires_after),
        "questions": [question_said(one) for one in questions],
    }


def package_said(document: Mapping[str, Any]) -> dict[str, Any]:
    """Graph's accessPackage, as catalog last said it; with its catalog if the document has that."""
    return {
        **({"catalog": document["catalog"]} if "catalog" in document else {}),
        "id": document["_id"],
        "displayName": document["name"],
        "description": document["description"],
        "isHidden": document["is_hidden"],
        "createdDateTime": graph_time(document["created_at"]),
        "modifiedDateTime": graph_time(document["modified_at"]),
    }


def policy_said(state: Mapping[str, Any]) -> dict[str, Any]:
    """What everybody may know of a policy that something is asked for under, as it is kept; the rest catalog says to
    its keepers."""
    return {
        "id": state["id"],
        "displayName": state["display_name"],
        "description": state["description"],
        "createdDateTime": graph_time(datetime.fromisoformat(state["created_at"])),
        "modifiedDateTime": graph_time(datetime.fromisoformat(state["modified_at"])),
    }


def _schedule_said(request: Request) -> dict[str, Any]:
    kind = "notSpecified"
    if request.ends_at is not None:
        kind = "afterDateTime"
    elif request.lasts is not None:
        kind = "afterDuration"
    return _span_said(kind, request.starts_at, request.ends_at, request.lasts)


def _span_said(
    kind: str, starts_at: datetime | None, ends_at: datetime | None, lasts: timedelta | None
) -> dict[str, Any]:
    """Graph's entitlementManagementSchedule."""
    return {
        "startDateTime": graph_time(starts_at) if starts_at else None,
        "recurrence": None,
        "expiration": {
            "endDateTime": graph_time(ends_at) if ends_at else None,
            "duration": durations.iso(lasts) if lasts is not None else None,
            "type": kind,
        },
    }


def _answer_said(answer: Answer) -> dict[str, Any]:
    return {
        ODATA_TYPE: "#microsoft.graph.accessPackageAnswerString",
        "value": answer.value,
        "displayValue": answer.display_value,
        "answeredQuestion": {
            **_QUESTIONS[answer.of_choices],
            "id": answer.question_id,
            **({"text": answer.question} if answer.question else {}),
        },
    }


_QUESTIONS: Mapping[bool | None, Mapping[str, str]] = {
    None: {},
    False: {ODATA_TYPE: f"#microsoft.graph.{TEXT}"},
    True: {ODATA_TYPE: f"#microsoft.graph.{CHOICE}"},
}
"""Of what type a question was, by whether it was one of choices."""
