"""The built-in directory roles as definitions: what each permits here, in the names that Graph gives such actions.

Source: `shared.security.permissions` for the roles; reference/graph-api-operations.md 0, 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.contracts.roles import RoleDefinitionState, RolePermission
from shared.security.permissions import DIRECTORY_ROLES

READERS_ID = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
"""Directory Readers, from whom all others have their right to read."""

_THINGS = ("users", "groups", "applications", "servicePrincipals", "roleAssignments", "roleDefinitions")
_GOVERNED = ("entitlementManagement", "accessReviews")


def _all(things: Iterable[str], task: str) -> tuple[str, ...]:
    return tuple(f"microsoft.directory/{thing}/allProperties/{task}" for thing in things)


def _named(thing: str, *tasks: str) -> tuple[str, ...]:
    return tuple(f"microsoft.directory/{thing}/{task}" for task in tasks)


_GROUPS = _named(
    "groups", "create", "delete", "restore", "basic/update", "classification/update", "dynamicMembershipRule/update",
    "groupType/update", "members/update", "owners/update", "visibility/update",
)  # fmt: skip
_USERS = _named("users", "create", "delete", "restore", "disable", "enable", "basic/update", "manager/update")
_APPLICATIONS = (*_named("applications", "create"), *_all(("applications", "servicePrincipals"), "allTasks"))

_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "Global Administrator": _all((*_THINGS, *_GOVERNED), "allTasks"),
    "Global Reader": _all((*_THINGS, *_GOVERNED), "read"),
    "Identity Governance Administrator": (
        *_all(_GOVERNED, "allTasks"),
        *_named("groups", "members/update"),
        *_named("servicePrincipals", "appRoleAssignedTo/update"),
    ),
    "Privileged Role Administrator": _all(("roleAssignments", "roleDefinitions"), "allTasks"),
    "Security Administrator": _all(_GOVERNED, "read"),
    "Security Reader": _all(_GOVERNED, "read"),
    "Compliance Administrator": _all(("entitlementManagement",), "read"),
    "User Administrator": (*_USERS, *_GROUPS, *_all(("accessReviews",), "allTasks")),
    "Groups Administrator": _GROUPS,
    "Application Administrator": _APPLICATIONS,
    "Cloud Application Administrator": _APPLICATIONS,
    "Exchange Administrator": _named("groups.unified", "members/update", "owners/update"),
    "SharePoint Administrator": _named("groups.unified", "members/update", "owners/update"),
    "Guest Inviter": _named("users", "inviteGuest"),
}


def built_in_roles() -> list[RoleDefinitionState]:
    """All of them. A role without actions of its own in the table only reads."""
    readers = RoleDefinitionState(
        id=READERS_ID,
        display_name="Directory Readers",
        description="Reads the basic information of the directory.",
        is_built_in=True,
        role_permissions=(RolePermission(allowed_resource_actions=_reading()),),
        template_id=READERS_ID,
        stated_version="1",
    )
    others = [_role(name, id) for name, id in DIRECTORY_ROLES.items() if id != READERS_ID]
    return [readers, *others]


def _reading() -> tuple[str, ...]:
    things = tuple(f"microsoft.directory/{thing}/standard/read" for thing in _THINGS)
    return (*things, *_named("groups", "members/read", "owners/read", "memberOf/read"))


def _role(name: str, id: str) -> RoleDefinitionState:
    return RoleDefinitionState(
        id=id,
        display_name=name,
        description=f"The directory role {name}.",
        is_built_in=True,
        role_permissions=(RolePermission(allowed_resource_actions=_ACTIONS.get(name) or _reading()),),
        inherits_permissions_from=(READERS_ID,),
        template_id=id,
        stated_version="1",
    )
