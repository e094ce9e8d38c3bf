"""What is, read through the HTTP API in a few pages."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from deploy.cli.common import check_token
from deploy.cli.endpoints import CommandFailed

EM = "/v1.0/identityGovernance/entitlementManagement"
ROLES = "/v1.0/roleManagement/entitlementManagement/roleAssignments"
PAGE = 999
AT_ONCE = 16


class ApiFailed(CommandFailed):
    """The API did not do what was asked of it."""


class NotThere(ApiFailed):
    """What was asked for does not exist."""


def role_key(body: Mapping[str, Any]) -> str:
    """What a role is found by, within its catalog or the tenant."""
    return f"{body['roleDefinitionId']} {body['principalId']}"


def resource_key(body: Mapping[str, Any]) -> str:
    """What a resource is found by, within its catalog."""
    return f"{body['originSystem']} {body['originId']}"


@dataclass(frozen=True)
class Thing:
    """A catalog, what lies in one, a policy, population or role as it is. `body`: its Graph JSON."""

    kind: str
    body: Mapping[str, Any]
    parent: str | None = None

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def name(self) -> str:
        """What it is found by, within what it lies in."""
        if self.kind == "resource":
            return resource_key(self.body)
        if self.kind == "role":
            return role_key(self.body)
        return str(self.body["displayName"])

    @property
    def version(self) -> int:
        return int(str(self.body["@odata.etag"]).removeprefix("W/").strip('"'))

    @property
    def managed_by(self) -> str | None:
        return self.body.get("@tenure.managedBy")

    @property
    def is_going(self) -> bool:
        """Its deletion is under way."""
        return self.body.get("@tenure.life") == "deleting"


@dataclass(frozen=True)
class Present:
    """Everything that a file may speak of."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Ids by name: names of groups need not be unique."""
    populations: tuple[Thing, ...] = ()
    catalogs: tuple[Thing, ...] = ()
    packages: tuple[Thing, ...] = ()
    policies: tuple[Thing, ...] = ()
    resources: tuple[Thing, ...] = ()
    extensions: tuple[Thing, ...] = ()
    roles: tuple[Thing, ...] = ()
    """Of entitlement management, that somebody has."""
    users: Mapping[str, str] = field(default_factory=dict)
    """Names (userPrincipalName) by id, of those that policies or the file name."""

    def referred(self) -> frozenset[str]:
        """Ids of people and groups that packages and policies name, whether these are there still or not."""
        bodies = [thing.body for thing in (*self.packages, *self.policies)]
        groups = [one["id"] for thing in self.packages for one in thing.body.get("incompatibleGroups") or ()]
        roles = [one["role"] for thing in self.packages for one in thing.body.get("resourceRoleScopes") or ()]
        of_roles = [str(one.get("originId")).partition("_")[2] for one in roles]
        others = [str(one.body["originId"]) for one in self.resources]
        others += [str(one.body["principalId"]) for one in self.roles]
        return frozenset({*_named("userId", bodies), *_named("groupId", bodies), *groups, *of_roles, *others})

    def things(self) -> Iterator[Thing]:
        """All of them, what lies in another after it."""
        yield from self.populations
        yield from self.catalogs
        yield from self.resources
        yield from self.extensions
        yield from self.roles
        yield from self.packages
        yield from self.policies


async def read_present(client: httpx.AsyncClient, users: Iterable[str] = ()) -> Present:
    """What is now; `users`: names that the file says. Raises ApiFailed."""
    expand = "catalog,assignmentPolicies,resourceRoleScopes($expand=role),incompatibleAccessPackages,incompatibleGroups"
    groups, populations, catalogs, packages, roles = await asyncio.gather(
        _all(client, "/v1.0/groups", {"$select": "id,displayName"}),
        _all(client, "/v1.0/tenure/populations", {}),
        _all(client, f"{EM}/catalogs", {"$expand": "resources,customWorkflowExtensions"}),
        _all(client, f"{EM}/accessPackages", {"$expand": expand}),
        _all(client, ROLES, {"$expand": "principal($select=id)"}),
    )
    by_name: dict[str, tuple[str, ...]] = {}
    for group in groups:
        name = group["displayName"]
        by_name[name] = (*by_name.get(name, ()), group["id"])
    policies = [policy for one in packages for policy in one["assignmentPolicies"]]
    return Present(
        groups=by_name,
        users=await _users(client, {*users, *_named("userId", policies), *_delegates(roles)}),
        populations=tuple(Thing("population", one) for one in populations),
        catalogs=tuple(Thing("catalog", one) for one in catalogs),
        packages=tuple(Thing("package", one, (one["catalog"] or {}).get("id")) for one in packages),
        resources=_within("resource", catalogs, "resources"),
        extensions=_within("extension", catalogs, "customWorkflowExtensions"),
        roles=tuple(Thing("role", one, _catalog_of(one)) for one in roles),
        policies=tuple(Thing("policy", policy, one["id"]) for one in packages for policy in one["assignmentPolicies"]),
    )


def _within(kind: str, catalogs: Iterable[Mapping[str, Any]], relation: str) -> tuple[Thing, ...]:
    return tuple(Thing(kind, one, catalog["id"]) for catalog in catalogs for one in catalog[relation])


def _catalog_of(role: Mapping[str, Any]) -> str | None:
    """None: it is a role for all catalogs."""
    return str(role["appScopeId"]).rpartition("/")[2] or None


def principal_kind(role: Mapping[str, Any]) -> str:
    """user, group or servicePrincipal."""
    return str(role["principal"]["@odata.type"]).rpartition(".")[2]


def _delegates(roles: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (str(one["principalId"]) for one in roles if principal_kind(one) == "user")


def _named(property_: str, value: Any) -> Iterator[str]:
    """Every value of that property, however deep."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        if name == property_:
            yield str(one)
        else:
            yield from _named(property_, one)


async def _users(client: httpx.AsyncClient, asked: Collection[str]) -> dict[str, str]:
    """Name by id, of those of `asked` (ids and names) that there are."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(key: str) -> tuple[str, str] | None:
        async with turn:
            try:
                found = await get(client, f"/v1.0/users/{quote(key, safe='@')}", {"$select": "id,userPrincipalName"})
            except NotThere:
                return None
        return found["id"], found["userPrincipalName"]

    return dict(found for found in await asyncio.gather(*map(one, asked)) if found)


async def _all(client: httpx.AsyncClient, path: str, options: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    body = await get(client, path, {**options, "$top": str(PAGE)})
    while True:
        found += body["value"]
        if not (link := body.get("@odata.nextLink")):
            return found
        # Behind a proxy the link may name another host: its path and query are what counts.
        url = httpx.URL(link)
        body = await get(client, url.raw_path.decode(), None)


async def get(client: httpx.AsyncClient, path: str, options: dict[str, str] | None) -> dict[str, Any]:
    """One answer. Raises ApiFailed."""
    try:
        answer = await client.get(path, params=options)
    except httpx.HTTPError as problem:
        raise ApiFailed(
            f"The API at {client.base_url} does not answer: {type(problem).__name__} {problem}"
        ) from problem
    check_token(answer)
    if answer.status_code != 200:
        raise (NotThere if answer.status_code == 404 else ApiFailed)(f"GET {path}: {said_by(answer)}")
    body: dict[str, Any] = answer.json()
    return body


def said_by(answer: httpx.Response) -> str:
    """The refusal in an answer, in words."""
    try:
        error = answer.json()["error"]
        return f"{answer.status_code} {error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:200]}"
