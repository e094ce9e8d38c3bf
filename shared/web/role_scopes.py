"""Graph's JSON for the roles that a package brings: catalog says them of any package, request of those on offer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.contracts.catalog import ResourceRole, resource_id
from shared.ids import derived_id
from shared.web.graph_model import graph_time


def role_scope_id(catalog_id: str, role: ResourceRole) -> str:
    """Graph's `{roleId}_{scopeId}`."""
    resource = resource_id(catalog_id, role.origin_system, role.origin_id)
    return f"{derived_id('role', resource, role.role)}_{derived_id('scope', resource)}"


def role_scope_said(
    catalog_id: str,
    role: ResourceRole,
    expand: frozenset[str] | None = None,
    names: Mapping[str, str] | None = None,
    since: datetime | None = None,
) -> dict[str, Any]:
    """A role that a package brings; role and scope in full if `expand` names them (None: both). `names`: by the roles'
    keys, of those that are not names themselves. `since`: when the package came to bring it, if that is known."""
    said: dict[str, Any] = {
        "id": role_scope_id(catalog_id, role),
        "createdDateTime": graph_time(since) if since else None,
    }
    if expand is None or "role" in expand:
        said["role"] = {
            **role_said(catalog_id, role, (names or {}).get(role.key, role.role)),
            "resource": {
                "id": resource_id(catalog_id, role.origin_system, role.origin_id),
                "displayName": role.display_name,
                "originId": role.origin_id,
                "originSystem": role.origin_system,
            },
        }
    if expand is None or "scope" in expand:
        said["scope"] = scope_said(catalog_id, role.origin_system, role.origin_id)
    return said


def role_said(catalog_id: str, role: ResourceRole, name: str) -> dict[str, Any]:
    return {
        "id": derived_id("role", resource_id(catalog_id, role.origin_system, role.origin_id), role.role),
        "displayName": name,
        "description": None,
        "originSystem": role.origin_system,
        "originId": f"{role.role}_{role.origin_id}" if role.origin_system == "AadGroup" else role.role,
    }


def scope_said(catalog_id: str, origin_system: str, origin_id: str) -> dict[str, Any]:
    return {
        "id": derived_id("scope", resource_id(catalog_id, origin_system, origin_id)),
        "displayName": "Root",
        "description": "Root Scope",
        "originId": origin_id,
        "originSystem": origin_system,
        "isRootScope": True,
    }
