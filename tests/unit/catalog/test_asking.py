"""What a policy says of those who ask: read from Graph's JSON, written back, refused where it cannot work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

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
    "reviewSettings": {"isEnabled": True, "schedule": {"recurrence": {"pattern": {"interval": 3}}}},
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
