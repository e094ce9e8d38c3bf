"""HTTP as its clients use it, for the parts that measure the API."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from deploy.demo.callers import Callers
from tests.bench.ground import Failed, Tenure

EM = "/v1.0/identityGovernance/entitlementManagement"
Body = dict[str, Any]


class Calls:
    """One client of one Tenure."""

    def __init__(self, http: httpx.AsyncClient, callers: Callers) -> None:
        self.http = http
        self._callers = callers

    async def call(self, method: str, path: str, body: Any = None, by: str | None = None) -> Any:
        """The answer's body; `by`: the id of the person who asks, else the operator. Raises Failed."""
        headers = self._callers.person(by) if by else None
        answer = await self.http.request(method, path, json=body, headers=headers)
        if answer.is_error:
            raise Failed(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    async def made(self, path: str, body: Body, by: str | None = None) -> str:
        """The id of what was made."""
        return str((await self.call("POST", path, body, by))["id"])

    async def person(self, name: str, **more: Any) -> str:
        body = {
            "accountEnabled": True,
            "displayName": name,
            "mailNickname": name,
            "userPrincipalName": f"{name}@bench.example",
            "passwordProfile": {"password": uuid.uuid4().hex},
        }
        return await self.made("/v1.0/users", body | more)

    async def group(self, name: str) -> str:
        body = {"displayName": name, "mailNickname": name, "mailEnabled": False, "securityEnabled": True}
        return await self.made("/v1.0/groups", body)

    async def package(self, name: str, catalog: str, policy: Body) -> str:
        """A package in `catalog` that brings no role yet, and can be had under `policy`."""
        package = await self.made(f"{EM}/accessPackages", {"displayName": name, "catalog": {"id": catalog}})
        await self.made(f"{EM}/assignmentPolicies", {"displayName": name, "accessPackage": {"id": package}, **policy})
        return package

    async def role_added(self, package: str, catalog: str, group: str) -> None:
        """The group's role Member to the package."""
        resource = {"originId": group, "originSystem": "AadGroup"}
        wanted = {"requestType": "adminAdd", "catalog": {"id": catalog}, "resource": resource}
        await self.call("POST", f"{EM}/resourceRequests", wanted)
        role = {"originId": f"Member_{group}", "originSystem": "AadGroup", "displayName": "Member"}
        await self.call("POST", f"{EM}/accessPackages/{package}/resourceRoleScopes", {"role": role, "scope": resource})


@asynccontextmanager
async def calls(tenure: Tenure) -> AsyncIterator[Calls]:
    async with tenure.client() as http:
        yield Calls(http, tenure.callers)


async def by_clients(clients: int, work: Iterable[Callable[[], Awaitable[Any]]]) -> None:
    """All of it, `clients` at a time: each begins the next when it is done with one."""
    left = iter(work)

    async def client() -> None:
        for one in left:
            await one()

    await asyncio.gather(*(client() for _ in range(clients)))
