"""What a policy says of those who ask: read from Graph's JSON, written back, refused where it cannot work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.catalog import graph
from services.catalog.model import Policy
from services.catalog.store import Versioned, _dumped
from shared.contracts.policy import SubjectKind, TargetScope
from shared.web.errors import BadRequest

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MANAGER = {"@odata.type": "#microsoft.graph.requestorManager", "managerLevel": 1}
ANA = {"@odata.type": "#microsoft.graph.singleUser", "userId": "ana"}
AUDITORS = {"@odata.type": "microsoft.graph.groupMembers", "groupId": "auditors", "description": "Auditors"}
STAGE: dict[str, Any] = {
    "durationBeforeAutomaticDenial": "P7D",
    "isApproverJustificationRequired": True,
    "isEscalationEnabled": True,
    "durationBeforeEscalation": "P4D",
    "primaryApprovers": [MANAGER],
    "fallbackPrimaryApprovers": [ANA],
    "escalationApprovers": [AUDITORS],
    "fallbackEscalationApprovers": [],
}
WHY = {"@odata.type": "#microsoft.graph.accessPackageTextInputQuestion", "text": "Why?", "regexPattern": "[a-z]+"}
WHERE = {
    "@odata.type": "#microsoft.graph.accessPackageMultipleChoiceQuestion",
    "text": "Where?",
    "isRequired": True,
    "choices": [{"actualValue": "rome", "text": "Rome"}, {"actualValue": "oslo"}],
    "sequence": 0,
}
BODY: dict[str, Any] = {
    "displayName": "By request",
    "accessPackage": {"id": "sales"},
    "allowedTargetScope": "AllMemberUsers",
    "specificAllowedTargets": [],
    "expiration": {"type": "afterDateTime", "endDateTime": "2030-01-01T00:00:00Z"},
    "requestorSettings": {"enableTargetsToSelfAddAccess": True, "onBehalfRequestors": [MANAGER]},
    "requestApprovalSettings": {"isApprovalRequiredForAdd": True, "stages": [STAGE]},
    "questions": [WHY | {"sequence": 1}, WHERE],
    "reviewSettings": {
        "isEnabled": True,
        "isSelfReview": True,
        "schedule": {
            "startDateTime": "2026-07-01T00:00:00Z",
            "expiration": {"type": "afterDuration", "duration": "P14D"},
            "recurrence": {"pattern": {"type": "absoluteMonthly", "interval": 3}, "range": {"type": "noEnd"}},
        },
    },
}


def policy(**changes: Any) -> Policy:
    return graph.policy_of(graph.PolicyIn.model_validate(BODY | changes), "id", NOW)


def test_a_policy_to_request_by_comes_back_as_it_was_sent_and_survives_the_database() -> None:
    read = policy()
    assert read.target_scope is TargetScope.ALL_MEMBERS
    assert read.approval_settings.stages[0].duration_before_escalation == timedelta(days=4)
    assert [one.text for one in read.questions] == ["Where?", "Why?"]
    kept = Policy.model_validate(_dumped(read))
    assert kept == read
    said = graph.policy_said(Versioned(kept, 1, {}))
    (stage,) = said["requestApprovalSettings"]["stages"]
    assert (
        stage.items()
        >= (STAGE | {"escalationApprovers": [AUDITORS | {"@odata.type": "#microsoft.graph.groupMembers"}]}).items()
    )
    assert said["reviewSettings"] == BODY["reviewSettings"]
    again = graph.policy_of(graph.PolicyIn.model_validate({**said, "accessPackage": {"id": "sales"}}), "id", NOW)
    assert again.content() == read.content()


@pytest.mark.spec("POL-3")
def test_the_switch_for_new_requests_is_read_and_said_only_where_it_is_off() -> None:
    closed = policy(requestorSettings={"acceptRequests": False})
    assert graph.policy_said(Versioned(closed, 1, {}))["requestorSettings"]["acceptRequests"] is False
    assert "acceptRequests" not in graph.policy_said(Versioned(policy(), 1, {}))["requestorSettings"]


@pytest.mark.spec("POL-1")
def test_a_policy_is_for_people_inside_or_for_people_outside_and_never_for_both() -> None:
    contoso = {"@odata.type": "#microsoft.graph.connectedOrganizationMembers", "connectedOrganizationId": "contoso"}
    inside, outside = "specificDirectoryUsers", "specificConnectedOrganizationUsers"
    assert policy(allowedTargetScope=outside, specificAllowedTargets=[contoso]).targets[0].id == "contoso"
    for scope, targets in ((inside, [contoso]), (inside, [ANA, contoso]), (outside, [ANA]), (outside, [contoso, ANA])):
        with pytest.raises(BadRequest) as refused:
            policy(allowedTargetScope=scope, specificAllowedTargets=targets)
        assert (refused.value.target or "").endswith("/@odata.type")


@pytest.mark.spec("POL-6")
def test_questions_keep_their_order_their_words_in_other_languages_and_how_they_are_answered() -> None:
    german = [{"languageCode": "de", "text": "Warum?"}]
    long = WHY | {"sequence": 2, "isSingleLineQuestion": False, "localizations": german}
    short = {**WHY, "text": "Since when?", "sequence": 1, "isSingleLineQuestion": True}
    said = graph.policy_said(Versioned(policy(questions=[long, short, WHERE]), 1, {}))["questions"]
    assert [(one["text"], one["isRequired"]) for one in said] == [
        ("Where?", True),
        ("Since when?", False),
        ("Why?", False),
    ]
    assert [one.get("isSingleLineQuestion") for one in said] == [None, True, False]
    assert said[2]["localizations"] == german
    assert [one["actualValue"] for one in said[0]["choices"]] == ["rome", "oslo"]


@pytest.mark.spec("CAT-7")
def test_a_policy_names_so_many_people_or_organisations_and_no_more() -> None:
    some = {"allowedTargetScope": "specificDirectoryUsers"}
    assert len(policy(**some, specificAllowedTargets=[ANA] * 500).targets) == 500
    with pytest.raises(BadRequest, match="at most 500"):
        policy(**some, specificAllowedTargets=[ANA] * 501)
    partner = {"@odata.type": "#microsoft.graph.connectedOrganizationMembers", "connectedOrganizationId": "partner"}
    partners = {"allowedTargetScope": "specificConnectedOrganizationUsers"}
    assert len(policy(**partners, specificAllowedTargets=[partner] * 1000).targets) == 1000
    with pytest.raises(BadRequest, match="at most 1000"):
        policy(**partners, specificAllowedTargets=[partner] * 1001)


def test_targets_are_of_the_kinds_that_the_scope_allows() -> None:
    rule = {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": 'user.city -eq "Rome"'}
    read = policy(allowedTargetScope="specificDirectoryUsers", specificAllowedTargets=[ANA, AUDITORS, rule])
    kinds = [SubjectKind.SINGLE_USER, SubjectKind.GROUP_MEMBERS, SubjectKind.ATTRIBUTE_RULE]
    assert [one.kind for one in read.targets] == kinds
    assert read.rule is None, "a rule says who may ask; nobody is assigned by it"


@pytest.mark.parametrize(
    ("change", "target"),
    [
        ({"allowedTargetScope": "everybody"}, "allowedTargetScope"),
        ({"specificAllowedTargets": [ANA]}, "specificAllowedTargets"),
        ({"allowedTargetScope": "specificDirectoryUsers"}, "specificAllowedTargets"),
        (
            {"allowedTargetScope": "specificDirectoryUsers", "specificAllowedTargets": [MANAGER]},
            "specificAllowedTargets/0/@odata.type",
        ),
        ({"requestApprovalSettings": {"isApprovalRequiredForAdd": True}}, "requestApprovalSettings/stages"),
        ({"requestApprovalSettings": {"stages": [STAGE] * 4}}, "requestApprovalSettings/stages"),
        (
            {"requestApprovalSettings": {"stages": [{}]}},
            "requestApprovalSettings/stages/0/primaryApprovers",
        ),
        (
            {"requestApprovalSettings": {"stages": [STAGE | {"durationBeforeEscalation": "P7D"}]}},
            "requestApprovalSettings/stages/0/durationBeforeEscalation",
        ),
        (
            {"requestApprovalSettings": {"stages": [STAGE | {"durationBeforeAutomaticDenial": "PT0S"}]}},
            "requestApprovalSettings/stages/0/durationBeforeAutomaticDenial",
        ),
        (
            {"requestApprovalSettings": {"stages": [STAGE | {"primaryApprovers": [MANAGER | {"managerLevel": 3}]}]}},
            "requestApprovalSettings/stages/0/primaryApprovers/0/managerLevel",
        ),
        *(
            ({"requestApprovalSettings": {"stages": [STAGE | {"primaryApprovers": [MANAGER | {"managerLevel": no}]}]}},
             "requestApprovalSettings/stages/0/primaryApprovers/0/managerLevel")
            for no in ([], {}, True, "1")
        ),
        ({"questions": [WHY | {"sequence": 10**30}]}, "questions/0/sequence"),
        ({"questions": [WHY | {"regexPattern": "("}]}, "questions/0/regexPattern"),
        ({"questions": [WHERE | {"choices": []}]}, "questions/0/choices"),
        ({"questions": [WHY | {"colour": "red"}]}, "questions/0/colour"),
        ({"allowedTargetScope": "allExternalUsers", "requestApprovalSettings": None},
         "requestApprovalSettings/isApprovalRequiredForAdd"),
    ],
)  # fmt: skip
def test_what_could_never_work_is_refused_where_it_stands(change: dict[str, Any], target: str) -> None:
    with pytest.raises(BadRequest) as refused:
        policy(**change)
    assert refused.value.target == target


@pytest.mark.parametrize(
    ("written", "disabled"), [(None, False), ({}, False), ({"isAssignmentNotificationDisabled": True}, True)]
)
def test_whether_mails_are_sent_is_shown_whether_it_was_said_or_not(written: Any, disabled: bool) -> None:
    said = graph.policy_said(Versioned(policy(notificationSettings=written), 1, {}))
    assert said["notificationSettings"] == {"isAssignmentNotificationDisabled": disabled}


@pytest.mark.parametrize("said", [10**30, "maybe", [], {"$ne": 1}])
def test_whether_mails_are_sent_is_yes_or_no(said: Any) -> None:
    assert policy(notificationSettings={"isAssignmentNotificationDisabled": True}).is_assignment_notification_disabled
    assert not policy(notificationSettings={}).is_assignment_notification_disabled
    with pytest.raises(ValidationError, match="isAssignmentNotificationDisabled"):
        policy(notificationSettings={"isAssignmentNotificationDisabled": said})


@pytest.mark.spec("EXP-1")
@pytest.mark.parametrize(
    ("expiration", "after", "at"),
    [
        ({"type": "afterDuration", "duration": "P3660D"}, timedelta(days=3660), None),
        ({"type": "afterDuration", "duration": "PT8H"}, timedelta(hours=8), None),
        ({"type": "afterDateTime", "endDateTime": "2030-01-01T00:00:00Z"}, None, datetime(2030, 1, 1, tzinfo=UTC)),
        ({"type": "noExpiration"}, None, None),
    ],
)
def test_access_ends_on_a_date_after_days_or_hours_or_never(
    expiration: dict[str, Any], after: timedelta | None, at: datetime | None
) -> None:
    read = policy(expiration=expiration)
    assert (read.expires_after, read.expires_at) == (after, at)


@pytest.mark.spec("EXP-1")
@pytest.mark.parametrize("duration", ["P3661D", "P0D"])
def test_access_lasts_between_something_and_3660_days(duration: str) -> None:
    with pytest.raises(BadRequest) as refused:
        policy(expiration={"type": "afterDuration", "duration": duration})
    assert refused.value.target == "expiration/duration"


def test_whom_a_policy_names_in_capitals_is_the_same_person() -> None:
    """Ids are kept in small letters: an approver in capitals would be asked by nobody."""
    ana, team = ({**ANA, "userId": "ANA-1"}, {**AUDITORS, "groupId": "AUD-1"})
    stage = {**STAGE, "primaryApprovers": [ana], "fallbackPrimaryApprovers": [], "escalationApprovers": [team]}
    settings = {"isApprovalRequiredForAdd": True, "stages": [stage]}
    body = {**BODY, "requestApprovalSettings": settings}
    (read,) = graph.policy_of(graph.PolicyIn.model_validate(body), "id", NOW).approval_settings.stages
    assert [one.id for one in (*read.primary_approvers, *read.escalation_approvers)] == ["ana-1", "aud-1"]
