"""Paths and queries of examples: which part names a collection, a key, an option."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

# Which type stands behind a collection's name, wherever it comes in a path. Source: reference/graph-model.md.
COLLECTIONS: dict[str, str] = {
    "users": "user",
    "groups": "group",
    "directoryobjects": "directoryObject",
    "members": "directoryObject",
    "transitivemembers": "directoryObject",
    "owners": "directoryObject",
    "memberof": "directoryObject",
    "transitivememberof": "directoryObject",
    "directreports": "directoryObject",
    "transitivereports": "directoryObject",
    "sponsors": "directoryObject",
    "internalsponsors": "directoryObject",
    "externalsponsors": "directoryObject",
    "ownedobjects": "directoryObject",
    "applications": "application",
    "serviceprincipals": "servicePrincipal",
    "approleassignedto": "appRoleAssignment",
    "approleassignments": "appRoleAssignment",
    "sites": "site",
    "invitations": "invitation",
    "administrativeunits": "administrativeUnit",
    "accesspackages": "accessPackage",
    "incompatibleaccesspackages": "accessPackage",
    "accesspackagesincompatiblewith": "accessPackage",
    "availableaccesspackages": "accessPackage",
    "incompatiblegroups": "group",
    "resourcerolescopes": "accessPackageResourceRoleScope",
    "accesspackageresourcerolescopes": "accessPackageResourceRoleScope",
    "catalogs": "accessPackageCatalog",
    "accesspackagecatalogs": "accessPackageCatalog",
    "resources": "accessPackageResource",
    "accesspackageresources": "accessPackageResource",
    "resourceroles": "accessPackageResourceRole",
    "resourcerequests": "accessPackageResourceRequest",
    "resourceenvironments": "accessPackageResourceEnvironment",
    "customworkflowextensions": "customCalloutExtension",
    "accesspackagecustomworkflowextensions": "customCalloutExtension",
    "assignmentpolicies": "accessPackageAssignmentPolicy",
    "assignmentrequests": "accessPackageAssignmentRequest",
    "assignments": "accessPackageAssignment",
    "accesspackageassignmentapprovals": "approval",
    "controlconfigurations": "controlConfiguration",
    "stages": "approvalStage",
    "connectedorganizations": "connectedOrganization",
    "subjects": "accessPackageSubject",
    "roleassignments": "unifiedRoleAssignment",
    "roledefinitions": "unifiedRoleDefinition",
    "deleteditems": "directoryObject",
    "definitions": "accessReviewScheduleDefinition",
    "instances": "accessReviewInstance",
    "decisions": "accessReviewInstanceDecisionItem",
    "contactedreviewers": "accessReviewReviewer",
    "historydefinitions": "accessReviewHistoryDefinition",
}

_KEYED = re.compile(r"(?P<name>\w+)\('?(?P<key>[^'=]+)'?\)")
_CALL = re.compile(r"(?P<name>[\w.]+)\((?P<arguments>.*)\)")
ARGUMENT = re.compile(r"(?P<name>\w+)=(?P<quote>'?)(?P<value>[^',)]*)'?")
_PLACEHOLDER = re.compile(r"[{<].*")
_WORD = re.compile(r"(microsoft\.graph\.)?[A-Za-z]+(\(.*\))?")
_COMPARED = re.compile(r"\b(eq|ne|gt|ge|lt|le|in|has)\b|\b(startswith|endswith|contains)\(|/any\(", re.IGNORECASE)


@dataclass(frozen=True)
class Step:
    """One part of a path: a name, with the key behind it."""

    name: str
    key: str | None = None

    @property
    def type(self) -> str | None:
        """What the collection holds; None for anything but a collection."""
        return COLLECTIONS.get(self.name.lower())

    @property
    def call(self) -> tuple[str, str] | None:
        """Name and arguments of a function."""
        found = _CALL.fullmatch(self.name)
        return (found["name"].rpartition(".")[2].lower(), found["arguments"]) if found else None

    def __str__(self) -> str:
        return self.name if self.key is None else f"{self.name}/{self.key}"


@dataclass(frozen=True)
class Address:
    """A path from the version on, taken apart."""

    steps: tuple[Step, ...]
    options: tuple[tuple[str, str], ...] = ()
    """Query options in the order of the example."""
    cut_off: tuple[str, ...] = ()
    """Options that the example shows only in part; they are not sent."""
    ends_within_a_key: bool = False
    """The path itself is shown only in part, and no option of it."""

    @property
    def operation(self) -> str:
        """The path with every key as `{id}`: what examples of one operation share."""
        return "/" + "/".join(str(replace(step, key="{id}" if step.key else None)) for step in self.steps)

    @property
    def last(self) -> Step:
        return self.steps[-1]

    @property
    def declared_type(self) -> str:
        """The type of what it addresses, as far as the path tells."""
        names = {step.name.lower() for step in self.steps}
        for step in reversed(self.steps):
            if (cast := step.name.removeprefix("microsoft.graph.")) != step.name and not step.call:
                return cast
            if step.type == "accessReviewInstance" and "historydefinitions" in names:
                return "accessReviewHistoryInstance"  # reviews and their histories both have "instances"
            if step.type == "approvalStage" and "accessreviews" in names:
                return "accessReviewStage"
            if step.type:
                return step.type
        return "user" if self.steps and self.steps[0].name.lower() == "me" else ""

    def option(self, name: str) -> str | None:
        wanted = name.removeprefix("$").lower()
        return next((value for known, value in self.options if known.removeprefix("$").lower() == wanted), None)


def read_address(path: str) -> Address:
    """The parts of an example's path."""
    path, _, query = path.partition("?")
    steps = tuple(_steps([part for part in path.removeprefix("/v1.0").split("/") if part]))
    options, cut_off = [], []
    for option in filter(None, query.split("&")):
        name, _, value = option.partition("=")
        value = value.replace("+", " ").replace("%20", " ").replace("%27", "'").replace("%22", '"')
        if _is_cut_off(name.lower(), value):
            cut_off.append(option)
        else:
            options.append((name, value))
    return Address(steps, tuple(options), tuple(cut_off), path.count("{") != path.count("}"))


def is_placeholder(key: str) -> bool:
    """`{id}`, `{id | userPrincipalName}`, `<id>`: any of that type."""
    return bool(_PLACEHOLDER.fullmatch(key))


def _steps(parts: list[str]) -> Iterator[Step]:
    at = 0
    while at < len(parts):
        part = parts[at]
        at += 1
        keyed = _KEYED.fullmatch(part)
        if keyed and keyed["name"].lower() in COLLECTIONS:
            yield Step(keyed["name"], keyed["key"])
        elif part.lower() in COLLECTIONS and at < len(parts) and _is_key(parts[at]):
            yield Step(part, parts[at])
            at += 1
        else:
            yield Step(part)


def _is_key(part: str) -> bool:
    return not part.startswith("$") and (not _WORD.fullmatch(part) or bool(_PLACEHOLDER.fullmatch(part)))


def _is_cut_off(name: str, value: str) -> bool:
    """Collections of examples tend to end a path at its first blank."""
    if name.removeprefix("$") not in {"filter", "search", "orderby", "expand"}:
        return False
    unbalanced = value.count("(") != value.count(")") or value.count("'") % 2 or value.count('"') % 2
    return bool(unbalanced) or not value or (name.endswith("filter") and not _COMPARED.search(value))
