"""Graph's JSON for custom extensions, and for the stages at which a policy names them.

Their form is checked in full, so that what is stored can be acted on one day; nothing calls them yet, and what is said
of a stage notes it. No refusal quotes what was sent, for an address may carry a signature.
Source: reference/graph-api-operations.md 2.2, 2.6; entra-features.md 14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from services.catalog.bodies import Body, duration_of
from services.catalog.model import Authentication, Endpoint, Extension
from shared import durations
from shared.contracts.policy import ExtensionStage, StageExtension
from shared.ids import derived_id
from shared.web.errors import BadRequest
from shared.web.graph_model import ODATA_TYPE, GraphInput, NotBlank

TYPES: Mapping[str, str] = {
    "request": "#microsoft.graph.accessPackageAssignmentRequestWorkflowExtension",
    "assignment": "#microsoft.graph.accessPackageAssignmentWorkflowExtension",
}
SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(days=14)
"""That a request would wait for an answer (EXT-3)."""
NOT_CALLED = "@tenure.isCalled"
"""False until extensions are acted on: whoever reads a policy is not to think it stricter than it is."""


# Bodies read


class Typed(GraphInput):
    """A part whose `@odata.type` counts."""

    @model_validator(mode="before")
    @classmethod
    def _without_other_annotations(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        return {name: value for name, value in body.items() if "@" not in name or name == ODATA_TYPE}


def _is_https(url: str | None) -> str | None:
    if url is not None and not (url.startswith("https://") and urlsplit(url).hostname):
        raise ValueError("is an address that begins with https://")
    return url


class LogicAppIn(Typed):
    odata_type: Literal[
        "#microsoft.graph.logicAppTriggerEndpointConfiguration", "microsoft.graph.logicAppTriggerEndpointConfiguration"
    ] = Field(alias=ODATA_TYPE)
    subscription_id: str = Field(min_length=1, max_length=64)
    resource_group_name: str = Field(min_length=1, max_length=90)
    logic_app_workflow_name: str = Field(min_length=1, max_length=80)
    url: str | None = Field(None, max_length=2048)

    _https = field_validator("url")(_is_https)

    def endpoint(self) -> Endpoint:
        said = self.model_dump(by_alias=False, exclude={"odata_type"})
        return Endpoint(kind="logicAppTriggerEndpointConfiguration", **said)


class HttpEndpointIn(Typed):
    odata_type: Literal["#microsoft.graph.httpRequestEndpoint", "microsoft.graph.httpRequestEndpoint"] = Field(
        alias=ODATA_TYPE
    )
    target_url: str = Field(max_length=2048)

    _https = field_validator("target_url")(_is_https)

    def endpoint(self) -> Endpoint:
        return Endpoint(kind="httpRequestEndpoint", url=self.target_url)


class PopTokenIn(Typed):
    odata_type: Literal[
        "#microsoft.graph.azureAdPopTokenAuthentication", "microsoft.graph.azureAdPopTokenAuthentication"
    ] = Field(alias=ODATA_TYPE)

    def authentication(self) -> Authentication:
        return Authentication(kind="azureAdPopTokenAuthentication")


class TokenIn(Typed):
    odata_type: Literal["#microsoft.graph.azureAdTokenAuthentication", "microsoft.graph.azureAdTokenAuthentication"] = (
        Field(alias=ODATA_TYPE)
    )
    resource_id: str | None = Field(None, max_length=256)

    def authentication(self) -> Authentication:
        return Authentication(kind="azureAdTokenAuthentication", resource_id=self.resource_id)


class ClientIn(Body):
    timeout_in_milliseconds: int | None = Field(None, ge=200, le=2000)
    maximum_retries: int | None = Field(None, ge=0, le=1)


class CallbackIn(Typed):
    """`durationBeforeTimeout` is what `timeoutDuration` was called before."""

    odata_type: (
        Literal[
            "#microsoft.graph.customExtensionCallbackConfiguration",
            "microsoft.graph.customExtensionCallbackConfiguration",
            "#microsoft.graph.accessPackageRequestApprovalStageCallbackConfiguration",
            "microsoft.graph.accessPackageRequestApprovalStageCallbackConfiguration",
        ]
        | None
    ) = Field(None, alias=ODATA_TYPE)
    timeout_duration: str | None = Field(None, max_length=64)
    duration_before_timeout: str | None = Field(None, max_length=64)

    def within(self) -> timedelta:
        """How long is waited. Raises BadRequest."""
        where = "callbackConfiguration/timeoutDuration"
        text = self.timeout_duration or self.duration_before_timeout
        if text is None:
            raise BadRequest("A callbackConfiguration has a timeoutDuration.", target=where)
        span = duration_of(text, where)
        if not SHORTEST_WAIT <= span <= LONGEST_WAIT:
            raise BadRequest("A request waits for an extension for 5 minutes to 14 days.", target=where)
        return span


EndpointIn = Annotated[LogicAppIn | HttpEndpointIn, Field(discriminator="odata_type")]
AuthenticationIn = Annotated[PopTokenIn | TokenIn, Field(discriminator="odata_type")]


class ExtensionPut(Typed):
    """What is to change; what is left out stays, as documented of this PUT. Some clients wrap it in `value`."""

    odata_type: (
        Literal[
            "#microsoft.graph.accessPackageAssignmentRequestWorkflowExtension",
            "microsoft.graph.accessPackageAssignmentRequestWorkflowExtension",
            "#microsoft.graph.accessPackageAssignmentWorkflowExtension",
            "microsoft.graph.accessPackageAssignmentWorkflowExtension",
        ]
        | None
    ) = Field(None, alias=ODATA_TYPE)
    display_name: NotBlank | None = Field(None, min_length=1, max_length=256)
    description: str | None = Field(None, max_length=10_000)
    endpoint_configuration: EndpointIn | None = None
    authentication_configuration: AuthenticationIn | None = None
    client_configuration: ClientIn | None = None
    callback_configuration: CallbackIn | None = None

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, body: Any) -> Any:
        if isinstance(body, dict) and set(body) == {"value"} and isinstance(body["value"], dict):
            body = body["value"]
        if not isinstance(body, dict):
            return body
        ours = {"id", "createdBy", "createdDateTime", "lastModifiedBy", "lastModifiedDateTime"}
        return {name: value for name, value in body.items() if name not in ours}

    @property
    def kind(self) -> Literal["request", "assignment"] | None:
        """Which of the two types is said, if any."""
        if self.odata_type is None:
            return None
        return "request" if "RequestWorkflow" in self.odata_type else "assignment"


class ExtensionIn(ExtensionPut):
    """A custom extension to be made."""

    odata_type: Literal[
        "#microsoft.graph.accessPackageAssignmentRequestWorkflowExtension",
        "microsoft.graph.accessPackageAssignmentRequestWorkflowExtension",
        "#microsoft.graph.accessPackageAssignmentWorkflowExtension",
        "microsoft.graph.accessPackageAssignmentWorkflowExtension",
    ] = Field(alias=ODATA_TYPE)
    display_name: NotBlank = Field(min_length=1, max_length=256)
    endpoint_configuration: EndpointIn
    authentication_configuration: AuthenticationIn


class ExtensionNamed(GraphInput):
    """Its type may be said, and whatever else a client read of it."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(min_length=1, max_length=64)


class StageSettingIn(Body):
    """At which stage a policy has which extension called."""

    stage: ExtensionStage
    custom_extension: ExtensionNamed


def extension_of(body: ExtensionIn, id: str, catalog_id: str, by: str | None, now: datetime) -> Extension:
    """Raises BadRequest."""
    assert body.kind is not None
    made = Extension(
        id=id,
        catalog_id=catalog_id,
        kind=body.kind,
        display_name=body.display_name,
        endpoint=body.endpoint_configuration.endpoint(),
        authentication=body.authentication_configuration.authentication(),
        created_by=by,
        created_at=now,
        modified_at=now,
    )
    return made.model_copy(update=changes_of(body, made, by))


def changes_of(body: ExtensionPut, before: Extension, by: str | None) -> dict[str, Any]:
    """What the body sets, by the aggregate's names. Raises BadRequest."""
    if body.kind is not None and body.kind != before.kind:
        raise BadRequest("The type of a custom extension stays as it was made.", target=ODATA_TYPE)
    values: dict[str, Any] = {"modified_by": by}
    said = body.model_fields_set
    for name in ("display_name", "endpoint_configuration", "authentication_configuration"):
        if name in said and getattr(body, name) is None:
            raise BadRequest(f"'{_camel(name)}' cannot be null.", target=_camel(name))
    if body.display_name is not None:
        values["display_name"] = body.display_name
    if "description" in said:
        values["description"] = body.description or ""
    if body.endpoint_configuration is not None:
        values["endpoint"] = body.endpoint_configuration.endpoint()
    if body.authentication_configuration is not None:
        values["authentication"] = body.authentication_configuration.authentication()
    if "client_configuration" in said:
        client = body.client_configuration or ClientIn()
        values["timeout_ms"] = client.timeout_in_milliseconds or 1000
        values["maximum_retries"] = client.maximum_retries
    if "callback_configuration" in said:
        values |= _callback(body.callback_configuration, before)
    return values


def _callback(said: CallbackIn | None, before: Extension) -> dict[str, Any]:
    if said is None:
        return {"callback_kind": None, "callback_within": None}
    if before.kind != "request":
        raise BadRequest("Only an extension for requests is waited for.", target="callbackConfiguration")
    kind = (said.odata_type or "customExtensionCallbackConfiguration").rpartition(".")[2]
    return {"callback_kind": kind, "callback_within": said.within()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def stage_settings_of(said: Sequence[StageSettingIn]) -> tuple[StageExtension, ...]:
    """Raises BadRequest for the same twice."""
    found = tuple(StageExtension(stage=one.stage, extension_id=one.custom_extension.id) for one in said)
    if len(set(found)) < len(found):
        raise BadRequest("A stage names an extension once.", target="customExtensionStageSettings")
    return found


# Bodies written


def configuration_said(extension: Extension) -> dict[str, Any]:
    """What it is set to, in Graph's names."""
    endpoint, shown = extension.endpoint, extension.authentication
    if endpoint.kind == "httpRequestEndpoint":
        where: dict[str, Any] = {"targetUrl": endpoint.url}
    else:
        where = {
            "subscriptionId": endpoint.subscription_id,
            "resourceGroupName": endpoint.resource_group_name,
            "logicAppWorkflowName": endpoint.logic_app_workflow_name,
            "url": endpoint.url,
        }
    how = {} if shown.kind == "azureAdPopTokenAuthentication" else {"resourceId": shown.resource_id}
    said: dict[str, Any] = {
        "endpointConfiguration": {ODATA_TYPE: f"#microsoft.graph.{endpoint.kind}", **where},
        "authenticationConfiguration": {ODATA_TYPE: f"#microsoft.graph.{shown.kind}", **how},
        "clientConfiguration": {
            "timeoutInMilliseconds": extension.timeout_ms,
            "maximumRetries": extension.maximum_retries,
        },
        "callbackConfiguration": None,
        "createdBy": extension.created_by,
        "lastModifiedBy": extension.modified_by,
    }
    if extension.callback_within is not None:
        said["callbackConfiguration"] = {
            ODATA_TYPE: f"#microsoft.graph.{extension.callback_kind}",
            "timeoutDuration": durations.iso(extension.callback_within),
        }
    return said


def kind_for(stage: ExtensionStage) -> Literal["request", "assignment"]:
    """The type of extension that can be called at that stage."""
    return "request" if stage.is_about_requests else "assignment"


def stage_settings_said(policy_id: str, settings: Sequence[StageExtension]) -> list[dict[str, Any]]:
    """The settings of a policy, each with its extension by type and id."""
    return [
        {
            "id": derived_id("extension-stage", policy_id, one.stage.value, one.extension_id),
            "stage": one.stage.value,
            NOT_CALLED: False,
            "customExtension": {ODATA_TYPE: TYPES[kind_for(one.stage)], "id": one.extension_id},
        }
        for one in settings
    ]
