"""Custom extensions: what is read of them, what is refused, what is written back, and what no fact tells."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from services.catalog import extensions, graph
from services.catalog.model import Extension
from services.catalog.store import Versioned
from shared.web.errors import BadRequest

NOW = datetime(2026, 3, 1, tzinfo=UTC)
URL = "https://logic.example/workflows/desk?sig=secret"
BODY: dict[str, Any] = {
    "@odata.type": "#microsoft.graph.accessPackageAssignmentRequestWorkflowExtension",
    "displayName": "Tell the desk",
    "endpointConfiguration": {
        "@odata.type": "#microsoft.graph.logicAppTriggerEndpointConfiguration",
        "subscriptionId": "38ab2ccc-3747-4567-b36b-9478f5602f0d",
        "resourceGroupName": "desk",
        "logicAppWorkflowName": "tell",
        "url": URL,
    },
    "authenticationConfiguration": {
        "@odata.type": "#microsoft.graph.azureAdTokenAuthentication",
        "resourceId": "f604bd15-f785-4309-ad7c-6fad18ddb6cb",
    },
    "clientConfiguration": {"timeoutInMilliseconds": 500, "maximumRetries": 1},
    "callbackConfiguration": {
        "@odata.type": "#microsoft.graph.customExtensionCallbackConfiguration",
        "timeoutDuration": "PT1H",
    },
}
ABOUT_ENDS = "#microsoft.graph.accessPackageAssignmentWorkflowExtension"


def read(body: dict[str, Any]) -> Extension:
    return extensions.extension_of(extensions.ExtensionIn.model_validate(body), "id", "catalog", "ana", NOW)


def said(one: Extension) -> dict[str, Any]:
    return graph.extension_said(Versioned(one, 1, {}))


def test_it_comes_back_as_it_was_sent() -> None:
    shown = said(read(BODY))
    assert {name: shown[name] for name in BODY} == BODY
    assert shown["createdBy"] == "ana"
    assert "modifiedDateTime" not in shown
    assert shown["lastModifiedDateTime"] == "2026-03-01T00:00:00Z"


def test_the_older_spellings_are_understood() -> None:
    older = {**BODY, "callbackConfiguration": {"durationBeforeTimeout": "P2D"}}
    older["@odata.type"] = BODY["@odata.type"].removeprefix("#")
    shown = said(read({"value": older}))
    assert shown["@odata.type"] == BODY["@odata.type"]
    assert shown["callbackConfiguration"]["timeoutDuration"] == "P2D"


def test_no_fact_carries_the_signature_of_an_address() -> None:
    fact = read(BODY).public()
    assert fact.address == "https://logic.example/workflows/desk"
    assert "secret" not in fact.model_dump_json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"@odata.type": None},
        {"@odata.type": "#microsoft.graph.customCalloutExtension"},
        {"displayName": ""},
        {"endpointConfiguration": None},
        {"endpointConfiguration": {**BODY["endpointConfiguration"], "url": "http://logic.example/?sig=secret"}},
        {"endpointConfiguration": {"@odata.type": "#microsoft.graph.httpRequestEndpoint"}},
        {"authenticationConfiguration": {"@odata.type": "#microsoft.graph.basicAuthentication"}},
        {"clientConfiguration": {"timeoutInMilliseconds": 2001}},
        {"clientConfiguration": {"maximumRetries": 2}},
        {"callbackConfiguration": {}},
        {"callbackConfiguration": {"timeoutDuration": "PT4M"}},
        {"callbackConfiguration": {"timeoutDuration": "P15D"}},
        {"@odata.type": ABOUT_ENDS},
        {"madeUp": True},
    ],
    ids=str,
)
def test_what_could_not_be_acted_on_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((BadRequest, ValidationError)) as problem:
        read({**BODY, **wrong})
    if isinstance(problem.value, BadRequest):
        assert (problem.value.target or "").startswith("callbackConfiguration")
        assert "secret" not in problem.value.message


def test_a_put_keeps_what_it_leaves_out_and_never_changes_the_type() -> None:
    before = read(BODY)
    body = extensions.ExtensionPut.model_validate({"displayName": "Ask the desk", "callbackConfiguration": None})
    after = before.model_copy(update=extensions.changes_of(body, before, "ben"))
    assert (after.display_name, after.callback_within, after.modified_by) == ("Ask the desk", None, "ben")
    assert (after.endpoint, after.timeout_ms, after.created_by) == (before.endpoint, 500, "ana")
    other = extensions.ExtensionPut.model_validate({"@odata.type": ABOUT_ENDS})
    with pytest.raises(BadRequest, match="stays"):
        extensions.changes_of(other, before, None)
    with pytest.raises(BadRequest, match="null"):
        extensions.changes_of(extensions.ExtensionPut.model_validate({"displayName": None}), before, None)


def policy(*settings: tuple[str, str]) -> dict[str, Any]:
    named = [{"stage": stage, "customExtension": {"id": id}} for stage, id in settings]
    body = {"displayName": "P", "accessPackage": {"id": "sales"}, "customExtensionStageSettings": named}
    found = graph.policy_of(graph.PolicyIn.model_validate(body), "id", NOW)
    return graph.policy_said(Versioned(found, 1, {}))


def test_a_policy_says_what_it_names_and_that_nothing_calls_it_yet() -> None:
    shown = policy(("assignmentRequestCreated", "one"), ("assignmentOneDayBeforeExpiration", "two"))
    first, second = shown["customExtensionStageSettings"]
    assert first["stage"] == "assignmentRequestCreated"
    assert first["customExtension"] == {"@odata.type": BODY["@odata.type"], "id": "one"}
    assert second["customExtension"] == {"@odata.type": ABOUT_ENDS, "id": "two"}
    assert first["@tenure.isCalled"] is False
    assert first["id"] != second["id"]


def test_a_stage_names_an_extension_once_and_has_a_name_that_is_known() -> None:
    with pytest.raises(BadRequest, match="once"):
        policy(("assignmentRequestCreated", "one"), ("assignmentRequestCreated", "one"))
    with pytest.raises(ValidationError):
        policy(("assignmentRequestDreamt", "one"))
