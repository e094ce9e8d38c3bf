"""What the properties of a request's body, a function's arguments and a filter refer to."""

from __future__ import annotations

import re

# Of objects that stand for another: {"catalog": {"id": …}}.
OBJECTS: dict[str, str] = {
    "accesspackage": "accessPackage",
    "catalog": "accessPackageCatalog",
    "accesspackagecatalog": "accessPackageCatalog",
    "assignment": "accessPackageAssignment",
    "accesspackageassignment": "accessPackageAssignment",
    "assignmentpolicy": "accessPackageAssignmentPolicy",
    "accesspackageassignmentpolicy": "accessPackageAssignmentPolicy",
    "resource": "accessPackageResource",
    "accesspackageresource": "accessPackageResource",
    "answeredquestion": "accessPackageQuestion",
    "customextension": "customCalloutExtension",
    "target": "user",
    "requestor": "user",
}

# Of properties that hold an id.
IDS: dict[str, str] = {
    "accesspackageid": "accessPackage",
    "incompatibleaccesspackageid": "accessPackage",
    "catalogid": "accessPackageCatalog",
    "assignmentpolicyid": "accessPackageAssignmentPolicy",
    "targetid": "user",
    "userid": "user",
    "groupid": "group",
    "groupids": "group",
    "ids": "directoryObject",
    "objectid": "user",
    "principalid": "user",
    "roledefinitionid": "unifiedRoleDefinition",
    "connectedorganizationid": "connectedOrganization",
    "serviceprincipalid": "servicePrincipal",
    "resourceid": "servicePrincipal",
    "approleid": "appRole",
}

ORIGINS: dict[str, str] = {"aadgroup": "group", "aadapplication": "servicePrincipal", "sharepointonline": "site"}
"""What an `originId` is of, by its `originSystem`."""

SCOPES: dict[str, str] = {
    "accesspackagecatalog": "accessPackageCatalog",
    "administrativeunits": "administrativeUnit",
}
"""What an `appScopeId` or a `directoryScopeId` names: '/AccessPackageCatalog/{id}'."""

ORDER: tuple[str, ...] = (
    "user",
    "directoryObject",
    "group",
    "site",
    "servicePrincipal",
    "accessPackageCatalog",
    "accessPackageResource",
    "accessPackage",
    "customCalloutExtension",
    "accessPackageAssignmentPolicy",
    "accessPackageQuestion",
    "accessPackageAssignment",
)
"""What is made first: what comes later is made within it. What is not named comes last."""

ROLE_ORIGIN = re.compile(r"(?P<role>Member|Owner)_(?P<group>.+)", re.IGNORECASE)
IN_FILTER = re.compile(r"(?P<property>[\w/]+)(?P<between>\s+eq\s+)'?(?P<value>[^'\s)]+)'?")
"""A comparison with one value."""


def of_property(path: str) -> str | None:
    """The type that a filter's property refers to: 'accessPackage/id', 'principalId'; None if it holds no id."""
    parent, _, name = path.lower().rpartition("/")
    if name in {"id", "objectid"} and parent:
        return OBJECTS.get(parent.rpartition("/")[2])
    return IDS.get(name) if not parent else None


def rank(type: str) -> int:
    return ORDER.index(type) if type in ORDER else len(ORDER)
