"""What lies in a catalog beside its packages: resources with what they ask, custom extensions, and who has which role.

As the file says it and as the API does: `…_body` goes from the one to the other, `…_spec` back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.cli.applying import asking
from deploy.cli.applying.document import AttributeSpec, DelegateSpec, ExtensionSpec, ResourceSpec
from deploy.cli.applying.present import principal_kind
from shared.security.roles import CatalogRole

ROLES: Mapping[str, CatalogRole] = {
    "owner": CatalogRole.OWNER,
    "reader": CatalogRole.READER,
    "packageManager": CatalogRole.PACKAGE_MANAGER,
    "assignmentManager": CatalogRole.ASSIGNMENT_MANAGER,
    "catalogCreator": CatalogRole.CREATOR,
}
"""As files name them."""
_ROLE_NAMES = {role.value: name for name, role in ROLES.items()}
PLACES = {"AadGroup": "group", "AadApplication": "application", "SharePointOnline": "site"}
"""Under which property a file names what comes from which system."""
_TYPES = {
    "requests": "#microsoft.graph.accessPackageAssignmentRequestWorkflowExtension",
    "assignments": "#microsoft.graph.accessPackageAssignmentWorkflowExtension",
}
_SETTINGS = ("endpointConfiguration", "authenticationConfiguration", "clientConfiguration", "callbackConfiguration")
_AS_MADE: Mapping[str, Mapping[str, Any]] = {
    "clientConfiguration": {"timeoutInMilliseconds": 1000},
    "callbackConfiguration": {"@odata.type": "#microsoft.graph.customExtensionCallbackConfiguration"},
}
"""What a part means that says no more."""


def resource_body(spec: ResourceSpec, origin: str, catalog: str) -> dict[str, Any]:
    """`origin`: the group's id, or what stands for it until it is made."""
    return {
        "catalog": {"id": catalog},
        "originSystem": spec.system,
        "originId": origin,
        "description": spec.description,
        "attributes": [
            {
                "name": one.attribute,
                "isEditable": one.editable,
                "isPersistedOnAssignmentRemoval": one.persisted,
                "source": {
                    "@odata.type": "#microsoft.graph.accessPackageResourceAttributeQuestion",
                    "question": asking.question_written(one.question, number),
                },
            }
            for number, one in enumerate(spec.asks)
        ],
    }


def resource_spec(body: Mapping[str, Any], names: asking.Names) -> ResourceSpec:
    place = PLACES[body["originSystem"]]
    origin = str(body["originId"])
    said: dict[str, Any] = {
        place: names.name_of("group", origin) if place == "group" else origin,
        "description": body.get("description") or "",
        "asks": [_attribute_spec(one) for one in body.get("attributes") or ()],
    }
    return ResourceSpec.model_validate(said)


def _attribute_spec(body: Mapping[str, Any]) -> AttributeSpec:
    return AttributeSpec(
        attribute=body["name"],
        question=asking.question_read(body["source"]["question"]),
        editable=body.get("isEditable") is not False,
        persisted=bool(body.get("isPersistedOnAssignmentRemoval")),
    )


def extension_body(spec: ExtensionSpec, catalog: str) -> dict[str, Any]:
    return {
        "@odata.type": _TYPES[spec.for_],
        "catalog": {"id": catalog},
        "displayName": spec.name,
        "description": spec.description,
        # What is left out is as at first, not as somebody has set it since.
        **dict.fromkeys(_SETTINGS[2:]),
        **_settings(spec.settings),
    }


def extension_spec(body: Mapping[str, Any]) -> ExtensionSpec:
    kind = next(name for name, type in _TYPES.items() if type == body["@odata.type"])
    said = {"name": body["displayName"], "for": kind, "description": body.get("description") or ""}
    return ExtensionSpec.model_validate({**said, "settings": _settings(body)})


def _settings(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says nothing, so that the same is the same."""
    found: dict[str, Any] = {}
    for name in _SETTINGS:
        if (part := said.get(name)) is None:
            continue
        whole = {**_AS_MADE.get(name, {}), **{key: value for key, value in part.items() if value is not None}}
        if name != "clientConfiguration" or whole != _AS_MADE[name]:
            found[name] = whole
    return found


def role_body(spec: DelegateSpec, principal: str, catalog: str | None) -> dict[str, Any]:
    kind = "user" if spec.user else "group" if spec.group else "servicePrincipal"
    said: dict[str, Any] = {
        "roleDefinitionId": ROLES[spec.role].value,
        "principalId": principal,
        "principalKind": kind,
    }
    return said if catalog is None else {**said, "catalog": {"id": catalog}}


def role_spec(body: Mapping[str, Any], names: asking.Names) -> DelegateSpec:
    id = str(body["principalId"])
    said: dict[str, Any] = {"role": _ROLE_NAMES[body["roleDefinitionId"]]}
    match principal_kind(body):
        case "user":
            said["user"] = names.name_of("user", id)
        case "group":
            said["group"] = names.name_of("group", id)
        case _:
            said["service_principal"] = id
    return DelegateSpec.model_validate(said)


def plain(spec: ResourceSpec | ExtensionSpec) -> dict[str, str]:
    """Every value that is not the default, by its path, for comparing and showing."""
    if isinstance(spec, ResourceSpec):
        said = spec.model_dump(
            by_alias=True, exclude_defaults=True, include={"asks"}, exclude={"asks": {"__all__": {"question": {"id"}}}}
        )
    else:
        said = {"for": spec.for_, **spec.settings}
    return asking.flat(said)
