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


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (MEMBERS, "is for reviews of the guests of named groups"),
        (f"{MEMBERS}/microsoft.graph.user{GUESTS}", "cannot be blocked and deleted yet"),
    ],
)
def test_a_review_that_would_only_remove_what_it_should_disable_is_refused(query: str, why: str) -> None:
    with pytest.raises(BadRequest, match=why) as refused:
        defined(query, settings={"applyActions": DISABLE})
    assert refused.value.target == "settings/applyActions"
    defined(query, settings={"applyActions": [{"@odata.type": "#microsoft.graph.removeAccessApplyAction"}]})


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
