"""What came out, read through the public HTTP API as any client would: holders of packages, members of groups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from deploy.cli.endpoints import CommandFailed
from deploy.demo import onrequest, reviewed

EM = "/v1.0/identityGovernance/entitlementManagement"
_AT_ONCE = 4
_PAGE = 999
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """By name: numbers of the people who hold each package, and who are in each group; without what is on request or
    under review."""

    packages: dict[str, list[int]]
    groups: dict[str, list[int]]
    strangers: tuple[str, ...] = ()
    """Ids of holders or members that are nobody's employee."""


async def read_outcome(api: str, headers: Mapping[str, str] | None = None) -> Outcome:
    """Everything, page by page. Raises CommandFailed with the API's own words."""
    async with httpx.AsyncClient(base_url=api, timeout=60, trust_env=False, headers=headers) as client:
        numbers = {
            one["id"]: int(one["employeeId"])
            async for one in listed(client, "/v1.0/users", {"$select": "id,employeeId"})
            if str(one.get("employeeId") or "").isdigit()
        }
        options = {"$select": "id,displayName", "$expand": "catalog"}
        every = [one async for one in listed(client, f"{EM}/accessPackages", options)]
        packages = [one for one in every if not (onrequest.has_package(one) or reviewed.has_package(one))]
        every = [one async for one in listed(client, "/v1.0/groups", {"$select": "id,displayName"})]
        groups = [one for one in every if not (onrequest.has_group(one) or reviewed.has_group(one))]
        strangers: set[str] = set()

        def known(ids: list[str]) -> list[int]:
            strangers.update(id for id in ids if id not in numbers)
            return sorted({numbers[id] for id in ids if id in numbers})

        turn = asyncio.Semaphore(_AT_ONCE)

        async def holders(package: str) -> list[int]:
            async with turn:
                return known([one["target"]["objectId"] async for one in _delivered(client, package)])

        async def members(group: str) -> list[int]:
            async with turn:
                path = f"/v1.0/groups/{group}/members"
                return known([one["id"] async for one in listed(client, path, {"$select": "id"})])

        held = await asyncio.gather(*(holders(one["id"]) for one in packages))
        within = await asyncio.gather(*(members(one["id"]) for one in groups))
        return Outcome(
            {one["displayName"]: people for one, people in zip(packages, held, strict=True)},
            {one["displayName"]: people for one, people in zip(groups, within, strict=True)},
            tuple(sorted(strangers)),
        )


def _delivered(client: httpx.AsyncClient, package: str) -> AsyncIterator[dict[str, Any]]:
    return listed(
        client,
        f"{EM}/assignments",
        {"$filter": f"accessPackage/id eq '{package}' and state eq 'delivered'", "$expand": "target"},
    )


async def listed(client: httpx.AsyncClient, path: str, options: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
    """All entries of a list, following its pages."""
    answer = await get(client, path, {"$top": str(_PAGE), **options})
    while True:
        for one in answer["value"]:
            yield one
        if not (following := answer.get("@odata.nextLink")):
            return
        answer = await get(client, following)


async def get(client: httpx.AsyncClient, path: str, options: dict[str, str] | None = None) -> Any:
    """The JSON answered. Raises CommandFailed."""
    answer = await answered(lambda: client.get(path, params=options), path)
    if answer.is_error:
        raise CommandFailed(f"GET {answer.request.url.path}: {answer.status_code}. {answer.text[:300]}")
    return answer.json()


async def answered(send: Callable[[], Awaitable[httpx.Response]], path: str) -> httpx.Response:
    """What `send` is answered, sent again if the connection broke: it has to be harmless twice.

    Raises CommandFailed."""
    for _ in range(_TRIES - 1):
        try:
            return await send()
        except httpx.TransportError:
            await asyncio.sleep(0.2)
    try:
        return await send()
    except httpx.HTTPError as problem:
        raise CommandFailed(f"{path} does not answer: {type(problem).__name__}.") from problem
