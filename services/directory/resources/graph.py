"""Applications, sites and held roles as Graph shows them, and what may be asked of their lists.

The pages of Graph that describe applications, service principals and sites are not in reference/; shapes are those of
its v1.0 metadata as clients use them. Sites are made known under `/v1.0/tenure/sites`, for Graph has no way to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field as Described
from pydantic import field_validator

from services.directory.graph import USERS
from shared.contracts.resources import NO_ROLE, AppRole, SiteRole
from shared.contracts.roles import RolePermission
from shared.ids import derived_id
from shared.web.graph_model import GraphBody, GraphModel, NotBlank, graph_time, not_null
from shared.web.odata import BOOLEAN, DATETIME, GUID, STRING, EntitySet, Field, Many

Document = dict[str, Any]
Name = Annotated[NotBlank, Described(min_length=1, max_length=256)]
Text = Annotated[str, Described(max_length=1024)]

_ROLES = Many(
    "state.app_roles",
    {
        "id": Field("id", GUID),
        "displayName": Field("display_name"),
        "value": Field("value"),
        "isEnabled": Field("is_enabled", BOOLEAN),
    },
)
_APPLICATION: dict[str, Field | Many] = {
    "appId": Field("state.app_id", GUID),
    "displayName": Field("state.display_name", sortable=True, folded="state.label"),
    "description": Field("state.description"),
    "appRoles": _ROLES,
    "tags": Many("state.tags"),
    "createdDateTime": Field("state.created_at", DATETIME),
}
APPLICATIONS = EntitySet(
    "application",
    {
        "id": Field("state.registration_id", GUID),
        **_APPLICATION,
        "signInAudience": Field("state.sign_in_audience"),
        "identifierUris": Many("state.identifier_uris"),
    },
    selectable=frozenset({"web", "deletedDateTime"}),
    expandable={"owners": lambda: USERS},
    one_at_a_time=True,
    searchable=("displayName", "description"),
    id_path="state.registration_id",
)
SERVICE_PRINCIPALS = EntitySet(
    "servicePrincipal",
    {
        "id": Field("_id", GUID),
        **_APPLICATION,
        "accountEnabled": Field("state.account_enabled", BOOLEAN),
        "appRoleAssignmentRequired": Field("state.app_role_assignment_required", BOOLEAN),
        "homepage": Field("state.homepage"),
    },
    selectable=frozenset({"appDisplayName", "servicePrincipalType", "servicePrincipalNames", "deletedDateTime"}),
    expandable={"owners": lambda: USERS, "appRoleAssignedTo": lambda: APP_ROLE_ASSIGNMENTS},
    one_at_a_time=True,
    searchable=("displayName", "description"),
)
SITES = EntitySet(
    "site",
    {
        "id": Field("_id", GUID),
        "displayName": Field("state.display_name", sortable=True, folded="state.label"),
        "name": Field("state.display_name", folded="state.label"),
        "description": Field("state.description"),
        "webUrl": Field("state.web_url"),
        "createdDateTime": Field("state.created_at", DATETIME),
    },
    selectable=frozenset({"root", "siteCollection"}),
    searchable=("displayName",),
)
_AT = "state.roles"
APP_ROLE_ASSIGNMENTS: EntitySet = EntitySet(
    "appRoleAssignment",
    {
        "id": Field(f"{_AT}.id", GUID),
        "appRoleId": Field(f"{_AT}.role", GUID),
        "resourceId": Field(f"{_AT}.origin_id", GUID),
        "principalId": Field("_id", GUID),
        "createdDateTime": Field(f"{_AT}.since", DATETIME),
    },
    selectable=frozenset({"principalDisplayName", "principalType", "resourceDisplayName", "deletedDateTime"}),
    id_path=f"{_AT}.id",
)
SITE_ASSIGNMENTS = EntitySet(
    "siteRoleAssignment",
    {
        "id": Field(f"{_AT}.id", GUID),
        "roleId": Field(f"{_AT}.role"),
        "principalId": Field("_id", GUID),
        "createdDateTime": Field(f"{_AT}.since", DATETIME),
    },
    selectable=frozenset({"principalDisplayName", "roleDisplayName"}),
    id_path=f"{_AT}.id",
)
ROLE_DEFINITIONS: EntitySet = EntitySet(
    "unifiedRoleDefinition",
    {
        "id": Field("_id", GUID),
        "displayName": Field("state.display_name", sortable=True, folded="state.label"),
        "isBuiltIn": Field("state.is_built_in", BOOLEAN),
        "isEnabled": Field("state.is_enabled", BOOLEAN),
        "templateId": Field("state.template_id", GUID),
    },
    selectable=frozenset({"description", "resourceScopes", "rolePermissions", "version"}),
    expandable={"inheritsPermissionsFrom": lambda: ROLE_DEFINITIONS},
    searchable=("displayName",),
)
ROLE_ASSIGNMENTS = EntitySet(
    "unifiedRoleAssignment",
    {
        "id": Field(f"{_AT}.id", GUID),
        "principalId": Field("_id", GUID),
        "roleDefinitionId": Field(f"{_AT}.role", GUID),
        "directoryScopeId": Field(f"{_AT}.origin_id", STRING),
    },
    selectable=frozenset({"appScopeId", "condition", "principalOrganizationId"}),
    expandable={"principal": lambda: USERS, "roleDefinition": lambda: ROLE_DEFINITIONS},
    id_path=f"{_AT}.id",
)


def app_role(role: Mapping[str, Any]) -> Document:
    return {
        "id": role["id"],
        "allowedMemberTypes": list(role["allowed_member_types"]),
        "description": role["description"],
        "displayName": role["display_name"],
        "isEnabled": role["is_enabled"],
        "origin": "Application",
        "value": role["value"],
    }


def application(document: Mapping[str, Any]) -> Document:
    """The application object."""
    state = document["state"]
    return {
        "id": state["registration_id"],
        **_both(state),
        "signInAudience": state["sign_in_audience"],
        "identifierUris": list(state["identifier_uris"]),
        "web": {"homePageUrl": state["homepage"], "redirectUris": []},
    }


def service_principal(document: Mapping[str, Any]) -> Document:
    state = document["state"]
    return {
        "id": document["_id"],
        **_both(state),
        "appDisplayName": state["display_name"],
        "accountEnabled": state["account_enabled"],
        "appRoleAssignmentRequired": state["app_role_assignment_required"],
        "homepage": state["homepage"],
        "servicePrincipalType": "Application",
        "servicePrincipalNames": [state["app_id"], *state["identifier_uris"]],
    }


def _both(state: Mapping[str, Any]) -> Document:
    return {
        "deletedDateTime": None,
        "appId": state["app_id"],
        "displayName": state["display_name"],
        "description": state["description"],
        "appRoles": [app_role(role) for role in state["app_roles"]],
        "tags": list(state["tags"]),
        "createdDateTime": graph_time(state["created_at"]),
    }


def site(document: Mapping[str, Any]) -> Document:
    state = document["state"]
    return {
        "id": document["_id"],
        "name": state["display_name"],
        "displayName": state["display_name"],
        "description": state["description"],
        "webUrl": state["web_url"],
        "createdDateTime": graph_time(state["created_at"]),
        "root": {},
        "siteCollection": {"hostname": urlsplit(state["web_url"]).hostname},
    }


def site_role(role: Mapping[str, Any]) -> Document:
    return {"id": role["id"], "displayName": role["display_name"]}


def app_role_assignment(document: Mapping[str, Any]) -> Document:
    """Of a held role with the `person` and the `application` that belong to it."""
    held = document["state"]["roles"]
    return {
        "id": held["id"],
        "deletedDateTime": None,
        "appRoleId": held["role"],
        "createdDateTime": graph_time(held["since"]),
        "principalDisplayName": _name_of(document["person"]),
        "principalId": document["_id"],
        "principalType": "User",
        "resourceDisplayName": document["application"]["display_name"],
        "resourceId": held["origin_id"],
    }


def site_assignment(document: Mapping[str, Any]) -> Document:
    """Of a held role with the `person` and the `site` that belong to it."""
    held = document["state"]["roles"]
    names = {role["id"]: role["display_name"] for role in document["site"]["roles"]}
    return {
        "id": held["id"],
        "roleId": held["role"],
        "roleDisplayName": names.get(held["role"]),
        "principalId": document["_id"],
        "principalDisplayName": _name_of(document["person"]),
        "createdDateTime": graph_time(held["since"]),
    }


def _name_of(person: Mapping[str, Any] | None) -> str | None:
    name: str | None = person["state"]["attributes"].get("displayName") if person else None
    return name


def role_definition(document: Mapping[str, Any], inherited: Mapping[str, Mapping[str, Any]] | None = None) -> Document:
    """`inherited`: what it has permissions from, by id, if that was to be expanded; else the ids alone."""
    state = document["state"]
    above = list(state["inherits_permissions_from"])
    shown = [role_definition(inherited[id], {}) for id in above if id in inherited] if inherited else []
    return {
        "id": document["_id"],
        "description": state["description"],
        "displayName": state["display_name"],
        "isBuiltIn": state["is_built_in"],
        "isEnabled": state["is_enabled"],
        "resourceScopes": list(state["resource_scopes"]),
        "templateId": state["template_id"],
        "version": state["stated_version"],
        "rolePermissions": [_permission(one) for one in state["role_permissions"]],
        "inheritsPermissionsFrom": shown or [{"id": id} for id in above],
    }


def _permission(one: Mapping[str, Any]) -> Document:
    return {
        "allowedResourceActions": list(one["allowed_resource_actions"]),
        "excludedResourceActions": list(one["excluded_resource_actions"]),
        "condition": one["condition"],
    }


def role_assignment(document: Mapping[str, Any]) -> Document:
    held = document["state"]["roles"]
    return {
        "id": held["id"],
        "principalId": document["_id"],
        "principalOrganizationId": None,
        "roleDefinitionId": held["role"],
        "directoryScopeId": held["origin_id"],
        "appScopeId": None,
        "condition": None,
    }


# Bodies read


class AppRoleIn(GraphModel):
    """A role of an application. What Graph adds to it (`origin`) is let pass."""

    id: UUID
    display_name: Annotated[str, Described(min_length=1, max_length=100)]
    value: Annotated[str, Described(max_length=250)] | None = None
    description: Text | None = None
    is_enabled: bool = True
    allowed_member_types: Annotated[tuple[Literal["User", "Application"], ...], Described(min_length=1)] = ("User",)


AppRolesIn = Annotated[tuple[AppRoleIn, ...], Described(max_length=1200)]


def _distinct(roles: tuple[AppRoleIn, ...] | None) -> tuple[AppRoleIn, ...] | None:
    ids = [role.id for role in roles or ()]
    values = [role.value for role in roles or () if role.value]
    if len(set(ids)) < len(ids) or len(set(values)) < len(values):
        raise ValueError("two app roles have the same id or value")
    if any(str(id) == NO_ROLE for id in ids):
        raise ValueError("the id of zeros stands for no role")
    return roles


class _ApplicationBody(GraphBody):
    read_only = frozenset(
        {"id", "createdDateTime", "deletedDateTime", "publisherDomain", "appDisplayName", "servicePrincipalNames",
         "servicePrincipalType", "servicePrincipal"}
    )  # fmt: skip

    description: Text | None = None
    app_roles: AppRolesIn = ()
    tags: Annotated[tuple[Name, ...], Described(max_length=100)] = ()

    @field_validator("app_roles", check_fields=False)
    @classmethod
    def _distinct(cls, roles: tuple[AppRoleIn, ...]) -> tuple[AppRoleIn, ...]:
        return _distinct(roles) or ()

    _stays = field_validator(
        "display_name", "app_roles", "tags", "account_enabled", "sign_in_audience", check_fields=False
    )(not_null)

    def properties(self) -> Document:
        """What it sets, by names in `ApplicationState`."""
        said: Document = {
            name: getattr(self, name) for name in self.model_fields_set - {"app_id", "web"} if name != "app_roles"
        }
        if "app_roles" in self.model_fields_set:
            said["app_roles"] = tuple(
                AppRole(**{**role.model_dump(by_alias=False), "id": str(role.id)}) for role in self.app_roles
            )
        web = getattr(self, "web", None)
        if web is not None and "home_page_url" in web.model_fields_set:
            said["homepage"] = web.home_page_url
        return said


class WebIn(GraphModel):
    """Of an application's web part the home page is kept; addresses for signing in mean nothing here."""

    home_page_url: Text | None = None


class ApplicationPatch(_ApplicationBody):
    display_name: Name | None = None
    sign_in_audience: Text | None = None
    identifier_uris: Annotated[tuple[Text, ...], Described(max_length=50)] = ()
    web: WebIn | None = None


class ApplicationIn(ApplicationPatch):
    """An application to be registered."""

    display_name: Name


class PrincipalPatch(_ApplicationBody):
    display_name: Name | None = None
    account_enabled: bool | None = None
    app_role_assignment_required: bool = False
    homepage: Text | None = None


class PrincipalIn(PrincipalPatch):
    """A service principal to be made. Without a name it has that of the registered application."""

    app_id: UUID


class AssignmentIn(GraphBody):
    """An app role for a person."""

    principal_id: Annotated[str, Described(min_length=1, max_length=64)]
    resource_id: Annotated[str, Described(min_length=1, max_length=64)]
    app_role_id: UUID


class SiteRoleIn(GraphModel):
    id: Annotated[str, Described(pattern=r"^[0-9]{1,9}$")]
    display_name: Name


DEFAULT_ROLES = ("3", "Owners"), ("4", "Visitors"), ("5", "Members")
"""Roles that a site has from the start, by the numbers SharePoint gives them."""


class SitePatch(GraphBody):
    display_name: Name | None = None
    description: Text | None = None
    roles: Annotated[tuple[SiteRoleIn, ...], Described(min_length=1, max_length=500)] = ()

    _stays = field_validator("display_name")(not_null)

    @field_validator("roles")
    @classmethod
    def _distinct_numbers(cls, roles: tuple[SiteRoleIn, ...]) -> tuple[SiteRoleIn, ...]:
        if len({role.id for role in roles}) < len(roles):
            raise ValueError("two roles have the same id")
        return roles

    def properties(self) -> Document:
        """What it sets, by names in `SiteState`."""
        said: Document = {name: getattr(self, name) for name in self.model_fields_set - {"roles"}}
        if "roles" in self.model_fields_set:
            said["roles"] = tuple(SiteRole(id=role.id, display_name=role.display_name) for role in self.roles)
        return said


class SiteIn(SitePatch):
    """A site to be made known. Without `roles` it has Owners, Members and Visitors."""

    display_name: Name
    web_url: Annotated[str, Described(max_length=512)]

    @field_validator("web_url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or re.search(r"\s", url):
            raise ValueError("is an address such as https://company.example/sites/sales")
        return url.rstrip("/")

    def properties(self) -> Document:
        named = {
            "roles": tuple(SiteRole(id=id, display_name=f"{self.display_name} {kind}") for id, kind in DEFAULT_ROLES)
        }
        return {**named, **super().properties()}


class SiteAssignmentIn(GraphBody):
    """A site's role for a person."""

    principal_id: Annotated[str, Described(min_length=1, max_length=64)]
    role_id: Annotated[str, Described(min_length=1, max_length=16)]


class RoleAssignmentIn(GraphBody):
    """A directory role for a person, over the whole tenant, an administrative unit or an application.

    Tenure keeps no administrative units: their ids are taken as they are."""

    principal_id: Annotated[str, Described(min_length=1, max_length=64)]
    role_definition_id: UUID
    directory_scope_id: Annotated[str, Described(max_length=128, pattern=r"^/(administrativeUnits/)?[\w.-]*$")] = "/"
    condition: None = None

    @property
    def object_in_scope(self) -> str | None:
        """Id of the application that it is limited to."""
        id = self.directory_scope_id.strip("/")
        return id if id and "/" not in id else None


Action = Annotated[str, Described(min_length=1, max_length=256, pattern=r"^[\w.]+(/[\w.*-]+)+$")]


class RolePermissionIn(GraphModel):
    allowed_resource_actions: Annotated[tuple[Action, ...], Described(min_length=1, max_length=500)]
    excluded_resource_actions: Annotated[tuple[Action, ...], Described(max_length=500)] | None = None
    condition: Text | None = None

    def permission(self) -> RolePermission:
        return RolePermission(
            allowed_resource_actions=self.allowed_resource_actions,
            excluded_resource_actions=self.excluded_resource_actions or (),
            condition=self.condition,
        )


class RoleDefinitionPatch(GraphBody):
    """What is to change of a role made here; permissions are replaced as a whole."""

    read_only = GraphBody.read_only | {"isBuiltIn", "resourceScopes", "inheritsPermissionsFrom"}

    display_name: Name | None = None
    description: Text | None = None
    is_enabled: bool | None = None
    role_permissions: Annotated[tuple[RolePermissionIn, ...], Described(min_length=1, max_length=50)] | None = None
    template_id: UUID | None = None
    version: Annotated[str, Described(max_length=64)] | None = None

    _stays = field_validator("display_name", "is_enabled", "role_permissions", "template_id")(not_null)

    def properties(self) -> Document:
        """What it sets, by names in `RoleDefinitionState`."""
        said: Document = {name: getattr(self, name) for name in self.model_fields_set - {"version"}}
        if "version" in self.model_fields_set:
            said["stated_version"] = self.version
        if "role_permissions" in said:
            said["role_permissions"] = tuple(one.permission() for one in self.role_permissions or ())
        if "template_id" in said:
            said["template_id"] = str(self.template_id)
        return said


class RoleDefinitionIn(RoleDefinitionPatch):
    """A directory role for this tenant. It can be assigned and listed; in Tenure itself it permits nothing."""

    display_name: Name
    is_enabled: bool
    role_permissions: Annotated[tuple[RolePermissionIn, ...], Described(min_length=1, max_length=50)]


def app_id_made(id: str) -> str:
    """The appId of an application object that is registered under `id`."""
    return derived_id("app-id", id)
