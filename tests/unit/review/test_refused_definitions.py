"""Definitions that are answered 400, with a sentence that says why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.review.graph import DefinitionIn, definition_of
from shared.web.errors import BadRequest

GROUP = "a0000000-0000-4000-8000-000000000000"
MEMBERS = f"/groups/{GROUP}/transitiveMembers"
GUESTS = "?$filter=(userType eq 'Guest')"
DISABLE = [{"@odata.type": "#microsoft.graph.disableAndDeleteUserApplyAction"}]


def defined(query: str, **more: Any) -> None:
    settings = {"instanceDurationInDays": 7, **more.pop("settings", {})}
    body = {"displayName": "A review", "scope": {"query": query}, "settings": settings, **more}
    definition_of(DefinitionIn.model_validate(body), "d", None, datetime(2026, 3, 1, tzinfo=UTC))


EVERY_GROUP = {"query": "/groups?$filter=(groupTypes/any(c:c eq 'Unified'))", "queryType": "MicrosoftGraph"}


@pytest.mark.spec("REV-20")
@pytest.mark.parametrize(
    ("query", "more"),
    [(MEMBERS, {}), (f"./members/microsoft.graph.user/{GUESTS}", {"instanceEnumerationScope": EVERY_GROUP})],
)
def test_guests_of_named_groups_alone_are_blocked_and_deleted(query: str, more: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="is for reviews of the guests of named groups") as refused:
        defined(query, settings={"applyActions": DISABLE}, **more)
    assert refused.value.target == "settings/applyActions"
    defined(query, settings={"applyActions": [{"@odata.type": "#microsoft.graph.removeAccessApplyAction"}]}, **more)
    defined(f"{MEMBERS}/microsoft.graph.user{GUESTS}", settings={"applyActions": DISABLE})


@pytest.mark.spec("REV-20")
def test_who_keeps_a_package_has_no_guest_deleted() -> None:
    def of(resource: str) -> dict[str, Any]:
        return {
            "displayName": "A review",
            "scope": {
                "@odata.type": "#microsoft.graph.principalResourceMembershipsScope",
                "principalScopes": [{"query": f"/users{GUESTS}"}],
                "resourceScopes": [{"query": resource}],
            },
            "settings": {"instanceDurationInDays": 7, "applyActions": DISABLE},
        }

    at = "/identityGovernance/entitlementManagement/accessPackageAssignments"
    package = DefinitionIn.model_validate(of(f"{at}?$filter=(accessPackageId eq '{GROUP}')"))
    with pytest.raises(BadRequest, match="is for reviews of the guests"):
        definition_of(package, "d", None, datetime(2026, 3, 1, tzinfo=UTC))
    definition_of(DefinitionIn.model_validate(of(f"/groups/{GROUP}")), "d", None, datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("recipient", "why"),
    [
        ({"notificationTemplateType": "Other"}, "notificationTemplateType 'Other' is unknown"),
        ({"notificationRecipientScope": {}}, "notificationRecipientScope needs a query"),
        ({"notificationRecipientScope": {"query": "./manager"}}, "leads to nobody here"),
    ],
)
def test_additional_recipients_who_are_not_understood_are_refused(recipient: dict[str, Any], why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        defined(MEMBERS, additionalNotificationRecipients=[recipient])
    known = {"notificationRecipientScope": {"query": f"/groups/{GROUP}/members", "queryType": "MicrosoftGraph"}}
    defined(MEMBERS, additionalNotificationRecipients=[known])


SIGN_IN = "#microsoft.graph.userLastSignInRecommendationInsightSetting"


@pytest.mark.parametrize(
    ("insight", "named"),
    [
        ({}, "recommendationInsightSettings/0/@odata.type"),
        ({"@odata.type": "#microsoft.graph.other"}, "recommendationInsightSettings/0/@odata.type"),
        ({"@odata.type": SIGN_IN, "signInScope": "galaxy"}, "recommendationInsightSettings/0/signInScope"),
        ({"@odata.type": SIGN_IN, "lookBack": "P9D"}, "recommendationInsightSettings/0/lookBack"),
        (
            {"@odata.type": SIGN_IN, "recommendationLookBackDuration": "-P9D"},
            "recommendationInsightSettings/0/recommendationLookBackDuration",
        ),
    ],
)
def test_signs_that_are_not_understood_are_refused_and_not_passed_over(insight: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        defined(MEMBERS, settings={"recommendationInsightSettings": [insight]})


@pytest.mark.parametrize(("name", "place"), [("querytype", "scope"), ("filter", "scope")])
def test_a_misspelt_part_of_a_scope_is_refused_and_not_passed_over(name: str, place: str) -> None:
    body = {
        "displayName": "A review",
        "scope": {"query": MEMBERS, name: "ARM"},
        "settings": {"instanceDurationInDays": 7},
    }
    with pytest.raises(BadRequest, match=name) as refused:
        definition_of(DefinitionIn.model_validate(body), "d", None, datetime(2026, 3, 1, tzinfo=UTC))
    assert refused.value.target == f"{place}/{name}"


@pytest.mark.spec("REC-1")
def test_uses_of_an_application_are_looked_back_for_no_longer_than_a_month() -> None:
    application = f"/servicePrincipals/{GROUP}"
    for settings in (
        {"recommendationLookBackDuration": "P31D"},
        {"recommendationInsightSettings": [{"@odata.type": SIGN_IN, "recommendationLookBackDuration": "P31D"}]},
    ):
        with pytest.raises(BadRequest, match="at most P30D"):
            defined(application, settings=settings)
        defined(MEMBERS, settings=settings)
    defined(application, settings={"recommendationLookBackDuration": "P30D"})


def test_stages_that_outlast_a_recurrence_are_named_as_such() -> None:
    stages = [{"stageId": "1", "durationInDays": 4}, {"stageId": "2", "dependsOn": ["1"], "durationInDays": 4}]
    recurrence = {"pattern": {"type": "weekly"}, "range": {"startDate": "2026-03-02"}}
    with pytest.raises(BadRequest, match="8 days are longer") as refused:
        defined(MEMBERS, settings={"recurrence": recurrence}, stageSettings=stages)
    assert refused.value.target == "stageSettings"
