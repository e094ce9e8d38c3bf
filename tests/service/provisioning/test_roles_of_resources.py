"""Provisioning and the directory together: what a grant gives at an application, a site or a group is recorded."""

import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from deploy.embedded import Servers
from services.directory.service import assemble as directory
from services.provisioning.service import assemble as provisioning
from shared.clock import TurnableClock
from shared.contracts import topics
from shared.contracts.assignment import GrantGiven, GrantState, GrantTaken, HoldingFact, HoldingState
from shared.contracts.base import Cause
from shared.contracts.catalog import ResourceRole
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from tests.waiting import until

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
APPROVER = str(uuid.uuid4())


class World:
    """The two services, and assignment as the test plays it."""

    def __init__(self, host: Host, producer: AIOKafkaProducer) -> None:
        self._topic = host.settings.topic(topics.HOLDING_FACTS.name)
        self._producer = producer
        routers = [router for service in host.services.values() for router in service.routers]
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(make_app("both", routers)), base_url="http://127.0.0.1/v1.0"
        )

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self._http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def holds(
        self, person: str, version: int, *roles: ResourceRole, taken: tuple[ResourceRole, ...] = ()
    ) -> None:
        fact = HoldingFact(
            id=f"holding:{person}:{version}",
            cause=Cause(id="x", correlation="hr-1", actor="source:hr"),
            subject=person,
            version=version,
            at=NOW,
            transitions=(
                *(GrantGiven(role=role, version=version) for role in roles),
                *(GrantTaken(role=role, version=version) for role in taken),
            ),
            state=HoldingState(
                person_id=person,
                grants=tuple(GrantState(role=r, assignments=("a",), deliver=True, version=version) for r in roles),
            ),
        )
        await self._producer.send_and_wait(self._topic, fact.json_bytes(), key=person.encode())

    async def statuses(self, person: str, wanted: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Of all deliveries by role, once they are as wanted."""
        said: dict[str, str] = {}

        async def as_wanted() -> bool:
            nonlocal said
            found = (await self.ask("GET", f"/tenure/people/{person}/deliveries"))["value"]
            said = {one["role"]["role"]: one["status"] for one in found}
            return wanted(said)

        await until(as_wanted, lambda: f"the deliveries are {said}")
        return said


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    where = servers.endpoints
    settings = Settings(kafka=where.kafka, mongo=where.mongo, namespace=f"rol{uuid.uuid4().hex[:8]}", partitions=2)
    host = Host(settings, {"directory": directory, "provisioning": provisioning}, TurnableClock(NOW))
    await create_topics(settings, groups_of(list(host.services.values())))
    async with host, AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        yield World(host, producer)


async def test_roles_that_grants_want_are_recorded_and_taken_away_with_them(world: World) -> None:
    ana = (
        await world.ask(
            "POST",
            "/users",
            {
                "accountEnabled": True, "displayName": "Ana", "mailNickname": "ana",
                "userPrincipalName": "ana@x.example", "passwordProfile": {"password": "not kept 1"},
            },
        )
    )["id"]  # fmt: skip
    role = {"id": APPROVER, "displayName": "Approver", "isEnabled": True, "allowedMemberTypes": ["User"]}
    registered = await world.ask("POST", "/applications", {"displayName": "Expenses", "appRoles": [role]})
    principal = (await world.ask("POST", "/servicePrincipals", {"appId": registered["appId"]}))["id"]
    url = "https://x.example/sites/sales"
    site = (await world.ask("POST", "/tenure/sites", {"displayName": "Sales", "webUrl": url}))["id"]
    group = (await world.ask("POST", "/groups", {"displayName": "Sales"}))["id"]

    roles = (
        ResourceRole(origin_system="AadApplication", origin_id=principal, role=APPROVER),
        ResourceRole(origin_system="SharePointOnline", origin_id=url, role="5"),
        ResourceRole(origin_id=group, role="Owner"),
        ResourceRole(origin_id=group, role="Member"),
        ResourceRole(origin_system="SharePointOnline", origin_id=url, role="77"),
    )
    await world.holds(ana, 1, *roles)
    said = await world.statuses(ana, lambda said: len(said) == 5 and "delivering" not in said.values())
    assert said == {
        APPROVER: "delivered",
        "5": "delivered",
        "Owner": "delivered",
        "Member": "delivered",
        "77": "failed",
    }
    assigned = (await world.ask("GET", f"/users/{ana}/appRoleAssignments"))["value"]
    assert [(one["resourceId"], one["appRoleId"]) for one in assigned] == [(principal, APPROVER)]
    assert [one["roleId"] for one in (await world.ask("GET", f"/tenure/sites/{site}/assignments"))["value"]] == ["5"]
    for relation in ("owners", "members"):
        assert [one["id"] for one in (await world.ask("GET", f"/groups/{group}/{relation}"))["value"]] == [ana]
    report = await world.ask("GET", "/tenure/reconciliation")
    assert (report["drift"], report["unsettled"]) == ([], 1)

    # The role that was missing is given as soon as the site has it.
    more = [{"id": "5", "displayName": "Members"}, {"id": "77", "displayName": "Editors"}]
    await world.ask("PATCH", f"/tenure/sites/{site}", {"roles": more})
    await world.statuses(ana, lambda said: said["77"] == "delivered")

    # Taken away by hand it is missing, and a repair gives it back.
    (there,) = assigned
    await world.ask("DELETE", f"/users/{ana}/appRoleAssignments/{there['id']}")

    async def drifted() -> Any:
        return (await world.ask("GET", "/tenure/reconciliation"))["drift"]

    drift = await until(drifted, "it is missing")
    assert [(one["role"], one["expected"]) for one in drift] == [(APPROVER, True)]
    await world.ask("POST", "/tenure/reconciliation/repair")

    async def given_back() -> Any:
        return (await world.ask("GET", f"/users/{ana}/appRoleAssignments"))["value"]

    await until(given_back, "it is given back")

    await world.holds(ana, 2, taken=roles)
    said = await world.statuses(ana, lambda said: set(said.values()) == {"removed"})
    assert len(said) == 5
    assert (await world.ask("GET", f"/users/{ana}/appRoleAssignments"))["value"] == []
    assert (await world.ask("GET", f"/groups/{group}/owners"))["value"] == []
