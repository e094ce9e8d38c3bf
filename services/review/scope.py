"""What a review is about, and who reviews: Graph's query scopes read into what Tenure can ask for.

Pure. A scope that is not understood is refused with a sentence: a review of fewer people than its maker believes would
be worse than none. Source: reference/graph-api-operations.md 4.6, 4.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_plus

from shared import durations
from shared.contracts.review import ReviewedResource, ReviewerScope
from shared.contracts.roster import RosterKind
from shared.security.roles import CatalogRole, catalog_of

MOST_INACTIVE = timedelta(days=730)

_ID = r"(?P<id>[0-9a-fA-F-]{36})"
_VERSION = re.compile(r"^/?(v1\.0|beta)(?=/)", re.IGNORECASE)
_USERS = r"(?:/microsoft\.graph\.user)?/?"
_GROUP = re.compile(
    rf"/groups/{_ID}(?:/(?P<members>transitiveMembers|members)(?P<users>/microsoft\.graph\.user)?/?)?", re.IGNORECASE
)
_APPLICATION = re.compile(rf"/servicePrincipals/{_ID}(?:/appRoleAssignedTo)?/?", re.IGNORECASE)
_ROLE = re.compile(rf"/roleManagement/directory/roleDefinitions/{_ID}/?", re.IGNORECASE)
_GOVERNANCE_ROLE = re.compile(
    rf"/roleManagement/entitlementManagement/(?:roleDefinitions/{_ID}|roleAssignments)/?", re.IGNORECASE
)
_ROLE_INSTANCES = re.compile(r"/roleManagement/directory/roleAssignmentScheduleInstances/?", re.IGNORECASE)
_PACKAGE = re.compile(
    r"/identityGovernance/entitlementManagement/(accessPackageAssignments|assignments)/?", re.IGNORECASE
)
_RELATIVE = re.compile(rf"\./(?P<members>transitiveMembers|members){_USERS}", re.IGNORECASE)
_ALL_GROUPS = re.compile(r"/groups/?", re.IGNORECASE)
_ALL_USERS = re.compile(r"/users/?", re.IGNORECASE)
_TYPE = r"\(*\s*groupTypes/any\(\s*(?P<it>\w+)\s*:\s*(?P=it)\s+eq\s+'Unified'\s*\)"
_TEAMS = r"(?:\s+and\s+resourceProvisioningOptions/any\(\s*(?P<one>\w+)\s*:\s*(?P=one)\s+eq\s+'Team'\s*\))?"
_UNIFIED = re.compile(rf"{_TYPE}{_TEAMS}[\s)']*", re.IGNORECASE)
"""The documents' example of teams has a quotation mark too many at its end, and is accepted."""
_GUESTS = re.compile(r"\(*\s*userType\s+eq\s+'Guest'\s*\)*", re.IGNORECASE)
_SCOPE = re.compile(r"appScopeId\s+eq\s+'(?P<scope>[^']+)'", re.IGNORECASE)
_EQUALS = re.compile(r"(?P<name>[A-Za-z/]+)\s+eq\s+'?(?P<value>[0-9a-fA-F-]{36})'?", re.IGNORECASE)


class NotUnderstood(ValueError):
    """The message says which part, and what would be understood."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to review: these resources, or every group of some kind; and which of the people there."""

    resources: tuple[ReviewedResource, ...] = ()
    every_group: bool = False
    """An instance for each Microsoft 365 group, as the groups are when it begins; with `guests_only` for each that has
    a guest then."""
    teams_only: bool = False
    """Of `every_group`: for those with a team behind them."""
    guests_only: bool = False
    inactive_for: timedelta | None = None
    direct: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A query scope taken apart: its path without version, its filter."""

    path: str
    filter: str
    text: str


def read_scope(scope: Mapping[str, Any], enumeration: Mapping[str, Any] | None = None) -> Scope:
    """Raises NotUnderstood."""
    match _type(scope):
        case "principalResourceMembershipsScope":
            return _memberships(scope)
        case "accessReviewInactiveUsersQueryScope":
            return _queried(scope, enumeration, _inactive(scope))
        case "accessReviewQueryScope":
            return _queried(scope, enumeration, None)
        case other:
            raise NotUnderstood(f"There is no scope of the type '{other}'.")


def resolved(scope: Mapping[str, Any], resource: ReviewedResource) -> dict[str, Any]:
    """The scope as an instance over this resource shows it: a relative query names the group."""
    if not str(scope.get("query") or "").startswith("./"):
        return dict(scope)
    return {**scope, "query": f"/v1.0/groups/{resource.id}/{str(scope['query']).removeprefix('./')}"}


def _queried(scope: Mapping[str, Any], enumeration: Mapping[str, Any] | None, inactive_for: timedelta | None) -> Scope:
    query = _query(scope)
    if relative := _RELATIVE.fullmatch(query.path):
        return _relative(query, relative["members"], enumeration, inactive_for)
    if (found := _GROUP.fullmatch(query.path)) is not None:
        guests = _guests(query)
        people_alone = guests or inactive_for is not None
        resource = _members_of(found, groups=not people_alone)
        return Scope((resource,), guests_only=guests, inactive_for=inactive_for, direct=resource.direct)
    if inactive_for is not None:
        raise NotUnderstood("Only members of groups are reviewed by inactivity: '/groups/{id}/transitiveMembers'.")
    return Scope((_resource(query),))


def _members_of(found: re.Match[str], *, groups: bool) -> ReviewedResource:
    """`groups`: whether groups that are direct members are asked for, unless the query says that people are (REV-4)."""
    direct = (found["members"] or "").lower() == "members"
    with_groups = groups and direct and found["users"] is None
    return ReviewedResource(kind=RosterKind.GROUP, id=found["id"].lower(), direct=direct, groups=with_groups)


def _relative(
    query: Query, members: str, enumeration: Mapping[str, Any] | None, inactive_for: timedelta | None
) -> Scope:
    if enumeration is None:
        raise NotUnderstood(
            f"'{query.text}' is relative: say in instanceEnumerationScope which groups, such as "
            "'/groups?$filter=(groupTypes/any(c:c eq 'Unified'))'."
        )
    groups = _query(enumeration)
    direct = members.lower() == "members"
    if (one := _GROUP.fullmatch(groups.path)) is not None:
        resource = ReviewedResource(kind=RosterKind.GROUP, id=one["id"].lower(), direct=direct)
        return Scope((resource,), guests_only=_guests(query), inactive_for=inactive_for, direct=direct)
    kind = _UNIFIED.fullmatch(groups.filter.strip())
    if not _ALL_GROUPS.fullmatch(groups.path) or kind is None:
        # Whatever else it asks for would be passed over, and people of other groups lose what they have.
        raise NotUnderstood(
            f"'{groups.text}' does not say which groups: all those of the type 'Unified' and nothing else, or one."
        )
    return Scope(
        every_group=True, guests_only=_guests(query), inactive_for=inactive_for, direct=direct, teams_only=_teams(kind)
    )


def _teams(kind: re.Match[str] | None) -> bool:
    """Whether a condition on groups asks for teams among them."""
    return kind is not None and kind["one"] is not None


def _resource(query: Query) -> ReviewedResource:
    """The one thing whose holders this query yields."""
    if query.filter and (_APPLICATION.fullmatch(query.path) or _ROLE.fullmatch(query.path)):
        raise NotUnderstood(
            f"'{query.text[:200]}' filters, and all who have a role are reviewed: leave the filter out."
        )
    if found := _APPLICATION.fullmatch(query.path):
        return ReviewedResource(kind=RosterKind.APPLICATION, id=found["id"].lower())
    if found := _ROLE.fullmatch(query.path):
        return ReviewedResource(kind=RosterKind.DIRECTORY_ROLE, id=found["id"].lower())
    named = {one["name"].lower(): one["value"].lower() for one in _EQUALS.finditer(query.filter)}
    if (found := _GOVERNANCE_ROLE.fullmatch(query.path)) is not None:
        return _governance_role(query, found["id"], named)
    if _ROLE_INSTANCES.fullmatch(query.path) and "roledefinitionid" in named:
        if "serviceprincipal" in query.filter.lower():
            raise NotUnderstood("Directory roles of service principals are not reviewed: only people hold roles here.")
        return ReviewedResource(kind=RosterKind.DIRECTORY_ROLE, id=named["roledefinitionid"])
    if _PACKAGE.fullmatch(query.path):
        package = named.get("accesspackageid") or named.get("accesspackage/id")
        policy = named.get("assignmentpolicyid") or named.get("assignmentpolicy/id")
        if package is None:
            raise NotUnderstood(f"'{query.text}' names no package: filter by accessPackageId eq '…'.")
        return ReviewedResource(kind=RosterKind.PACKAGE, id=package, policy_id=policy)
    raise NotUnderstood(
        f"The query '{query.text[:200]}' is none that can be reviewed: see the scopes of groups, applications, "
        "directory roles and access package assignments."
    )


def _governance_role(query: Query, id: str | None, named: Mapping[str, str]) -> ReviewedResource:
    """A role of entitlement management, for one catalog or wherever somebody has it."""
    role = (id or named.get("roledefinitionid") or "").lower()
    if role not in {one.value for one in CatalogRole}:
        raise NotUnderstood(f"'{query.text[:200]}' names no role: filter by roleDefinitionId eq '…'.")
    scope = _SCOPE.search(query.filter)
    try:
        catalog = catalog_of(scope["scope"]) if scope is not None else None
    except ValueError as problem:
        raise NotUnderstood(f"{problem}.") from None
    return ReviewedResource(kind=RosterKind.GOVERNANCE_ROLE, id=role, catalog_id=catalog)


def _memberships(scope: Mapping[str, Any]) -> Scope:
    """Principals of some kind in resources of some kind: an instance for each resource."""
    kinds: set[tuple[bool, timedelta | None]] = set()
    with_groups = False
    for principals in _scopes(scope, "principalScopes"):
        query = _query(principals)
        if _ALL_GROUPS.fullmatch(query.path):
            with_groups = True  # which hold nothing but memberships of other groups
            continue
        if not _ALL_USERS.fullmatch(query.path):
            raise NotUnderstood(f"principalScopes: '{query.text}' is not '/users' or '/groups'.")
        inactive = _type(principals) == "accessReviewInactiveUsersQueryScope"
        kinds.add((_guests(query), _inactive(principals) if inactive else None))
    if not kinds:
        raise NotUnderstood("principalScopes names no people: say '/users'.")
    # Everybody is all of them; of others no two kinds are reviewed together, for one would be left out.
    if len(kinds) > 1 and _EVERYBODY not in kinds:
        raise NotUnderstood("principalScopes: guests and inactive people are not reviewed together: say one of them.")
    guests_only, inactive_for = _EVERYBODY if _EVERYBODY in kinds else kinds.pop()
    resources: list[ReviewedResource] = []
    every_group, teams_only = False, True
    for things in _scopes(scope, "resourceScopes"):
        query = _query(things)
        if _ALL_GROUPS.fullmatch(query.path):
            kind = _UNIFIED.fullmatch(query.filter.strip())
            if query.filter and kind is None:
                raise NotUnderstood(
                    f"resourceScopes: '{query.text}' is not '/groups', nor those of the type 'Unified'."
                )
            every_group, teams_only = True, teams_only and _teams(kind)
        elif (found := _GROUP.fullmatch(query.path)) is not None:
            if query.filter:
                raise NotUnderstood(f"resourceScopes: '{query.text}' filters people: say whom in principalScopes.")
            resources.append(_members_of(found, groups=with_groups))
        else:
            resources.append(_resource(query))
    return Scope(
        tuple(resources),
        every_group,
        guests_only=guests_only,
        inactive_for=inactive_for,
        teams_only=every_group and teams_only,
    )


_EVERYBODY: tuple[bool, timedelta | None] = (False, None)


def _scopes(scope: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    said = scope.get(name)
    if not isinstance(said, list) or not said or not all(isinstance(one, Mapping) for one in said):
        raise NotUnderstood(f"{name} is a list of at least one query scope.")
    return said


def _inactive(scope: Mapping[str, Any]) -> timedelta:
    try:
        span = durations.duration(str(scope.get("inactiveDuration") or ""))
    except ValueError as problem:
        raise NotUnderstood(f"inactiveDuration: {problem}.") from None
    if not timedelta() < span <= MOST_INACTIVE:
        raise NotUnderstood("inactiveDuration is from one day to 730 days.")
    return span


def _guests(query: Query) -> bool:
    if not query.filter:
        return False
    if _GUESTS.fullmatch(query.filter.strip()):
        return True
    raise NotUnderstood(
        f"Of people only guests can be filtered for: $filter=(userType eq 'Guest'), not '{query.filter}'."
    )


def _query(scope: Mapping[str, Any]) -> Query:
    kind = str(scope.get("queryType") or "MicrosoftGraph")
    if kind.upper() == "ARM":
        raise NotUnderstood(
            "queryType ARM is about roles on Azure resources, which Tenure does not keep: review groups, applications, "
            "directory roles or access packages, with queryType MicrosoftGraph."
        )
    if kind.lower() != "microsoftgraph":
        raise NotUnderstood(f"queryType '{kind[:64]}' is unknown: say MicrosoftGraph.")
    text = scope.get("query")
    if not isinstance(text, str) or not text.strip():
        raise NotUnderstood("A query scope needs a query.")
    path, _, options = text.strip().partition("?")
    filters = [
        unquote_plus(one.partition("=")[2])
        for one in options.split("&")
        if one.partition("=")[0].strip().lower() == "$filter"
    ]
    return Query(_VERSION.sub("", path), filters[0] if filters else "", text)


def _type(scope: Mapping[str, Any]) -> str:
    said = str(scope.get("@odata.type") or "accessReviewQueryScope")
    return said.removeprefix("#").removeprefix("microsoft.graph.")


class Who(StrEnum):
    """How a reviewer scope leads to people."""

    USER = "user"
    MEMBERS = "members"
    """Of a group, not of groups within it."""
    TRANSITIVE_MEMBERS = "transitiveMembers"
    OWNERS = "owners"
    """Of a group, an application; of the resource under review without an id."""
    APPLICATION_OWNERS = "applicationOwners"
    MANAGER = "manager"
    SPONSORS = "sponsors"
    """Of whoever has the access: who answers for a guest, people and members of groups."""
    SELF = "self"


@dataclass(frozen=True, slots=True)
class Reviewers:
    """One reviewer scope, read."""

    who: Who
    id: str | None = None
    only: tuple[tuple[str, str], ...] = ()
    """Of owners: properties of theirs, by Graph's names, and what these have to be."""

    @property
    def by_item(self) -> bool:
        """Whether it leads to other people for each whose access is reviewed."""
        return self.who in {Who.MANAGER, Who.SPONSORS}


_REVIEWERS: tuple[tuple[Who, re.Pattern[str]], ...] = (
    (Who.USER, re.compile(rf"/users/{_ID}/?", re.IGNORECASE)),
    (Who.MEMBERS, re.compile(rf"/groups/{_ID}/members{_USERS}", re.IGNORECASE)),
    (Who.TRANSITIVE_MEMBERS, re.compile(rf"/groups/{_ID}/transitiveMembers{_USERS}", re.IGNORECASE)),
    (Who.OWNERS, re.compile(rf"(?:/groups/{_ID}/|\./)owners{_USERS}", re.IGNORECASE)),
    (Who.APPLICATION_OWNERS, re.compile(rf"/servicePrincipals/{_ID}/owners/?", re.IGNORECASE)),
    (Who.MANAGER, re.compile(r"\./manager/?", re.IGNORECASE)),
    (Who.SPONSORS, re.compile(r"\./sponsors/?", re.IGNORECASE)),
)


FILTERED = ("userType", "country", "department", "jobTitle")
"""Properties by which owners are chosen."""
_IS = re.compile(r"(?:microsoft\.graph\.user/)?(?P<name>\w+)\s+eq\s+'(?P<value>(?:[^']|'')*)'", re.IGNORECASE)


def read_reviewers(scope: ReviewerScope) -> Reviewers:
    """Raises NotUnderstood."""
    query = _query({"query": scope.query, "queryType": scope.query_type})
    for who, pattern in _REVIEWERS:
        if found := pattern.fullmatch(query.path):
            id = (found.groupdict().get("id") or "").lower() or None
            return Reviewers(who, id, _only(query, who) if query.filter else ())
    raise NotUnderstood(
        f"'{query.text[:200]}' does not say who reviews: /users/{{id}}, /groups/{{id}}/transitiveMembers, "
        "/groups/{id}/owners, ./owners, ./manager, ./sponsors, /servicePrincipals/{id}/owners, or nothing for a "
        "self-review."
    )


def _only(query: Query, who: Who) -> tuple[tuple[str, str], ...]:
    """What owners of a group have to be: every part of the filter counts."""
    if who is not Who.OWNERS:
        raise NotUnderstood(f"Only owners of groups are filtered, not '{query.text[:200]}'.")
    known = {name.casefold(): name for name in FILTERED}
    parts = [_IS.fullmatch(part.strip()) for part in re.split(r"\s+and\s+", query.filter.strip().strip("()"))]
    found = [(known.get(one["name"].casefold()), one["value"].replace("''", "'")) if one else None for one in parts]
    if not all(one and one[0] for one in found):
        names = ", ".join(FILTERED)
        raise NotUnderstood(f"'{query.text[:200]}': owners are filtered by {names}, each eq '…', joined by and.")
    return tuple((str(one[0]), one[1]) for one in found if one)
