"""The roles of entitlement management: built in, the same in every tenant, given for one catalog or for all.

Source: reference/graph-api-operations.md 3; entra-features.md ROL-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_ACTIONS = "microsoft.entitlementManagement"
_IN_CATALOG = f"{_ACTIONS}/AccessPackageCatalog"


class CatalogRole(StrEnum):
    """By the id of its definition."""

    OWNER = "ae79f266-94d4-4dab-b730-feca7e132178"
    READER = "44272f93-9762-48e8-af59-1b5351b1d6b3"
    PACKAGE_MANAGER = "7f480852-ebdc-47d4-87de-0d8498384a83"
    ASSIGNMENT_MANAGER = "e2182095-804a-4656-ae11-64734e9b7ae5"
    CREATOR = "ba92d953-d8e0-4e39-a797-0cbedb0a89e8"


@dataclass(frozen=True, slots=True)
class Definition:
    """What people are told of a role."""

    display_name: str
    description: str
    actions: tuple[str, ...]


DEFINITIONS: dict[CatalogRole, Definition] = {
    CatalogRole.OWNER: Definition(
        "Catalog owner",
        "Edits a catalog with all that is in it, and says who else may.",
        (f"{_ACTIONS}/allEntities/allTasks",),
    ),
    CatalogRole.READER: Definition(
        "Catalog reader", "Sees a catalog with all that is in it.", (f"{_ACTIONS}/allEntities/Read",)
    ),
    CatalogRole.PACKAGE_MANAGER: Definition(
        "AccessPackages manager",
        "Makes and edits packages and policies of the resources that a catalog has, and assigns them.",
        (f"{_IN_CATALOG}/AccessPackage/allTasks", f"{_IN_CATALOG}/allEntities/Read"),
    ),
    CatalogRole.ASSIGNMENT_MANAGER: Definition(
        "AccessPackage assignment manager",
        "Assigns a catalog's packages and takes them away, under the policies that there are.",
        (
            f"{_ACTIONS}/AccessPackage/GrantRequests/allTasks",
            f"{_ACTIONS}/AccessPackage/Grants/allTasks",
            f"{_IN_CATALOG}/allEntities/Read",
        ),
    ),
    CatalogRole.CREATOR: Definition(
        "Catalog creator", "Makes catalogs, and is the first owner of each.", (f"{_IN_CATALOG}/Create",)
    ),
}

EVERYWHERE = "/"
"""The scope of a role that counts for all catalogs."""
_OF_CATALOG = "/accesspackagecatalog/"


def scope_of(catalog_id: str | None) -> str:
    """Graph's `appScopeId`; None: all catalogs."""
    return EVERYWHERE if catalog_id is None else f"/AccessPackageCatalog/{catalog_id}"


def catalog_of(scope: str) -> str | None:
    """The catalog that an `appScopeId` names; None for all of them. Raises ValueError for what names neither."""
    if scope == EVERYWHERE:
        return None
    id = scope[len(_OF_CATALOG) :]
    if not scope.lower().startswith(_OF_CATALOG) or not id or "/" in id:
        raise ValueError("'appScopeId' is '/' or '/AccessPackageCatalog/{id}'")
    return id.lower()
