"""A review has guests blocked: commands on real Kafka, people in real MongoDB, and a clock that is put forward."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from deploy.embedded import Servers
from services.directory.service import assemble
from shared.clock import TurnableClock
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.directory import BlockGuest
from shared.messaging.admin import create_topics
from shared.messaging.envelope import outgoing
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from tests.waiting import until, untroubled

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
REVIEW = Cause(id="review-item:x", correlation="review:i", actor="person:olga")


class World:
    """The directory alone."""

    def __init__(self, host: Host, clock: TurnableClock) -> None:
        self.host, self.clock = host, clock
        app = make_app("directory", host.services["directory"].routers)
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")

    async def ask(self, method: str, path: str, status: int, by: str | None = None, **body: Any) -> Any:
        headers = {"Tenure-Actor": f"person:{by}"} if by else {}
        answer = await self._http.request(method, f"/v1.0{path}", json=body or None, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def guest(self, name: str) -> str:
        made = await self.ask(
            "POST", "/users", 201, accountEnabled=True, displayName=name, mailNickname=name, userType="Guest",
            userPrincipalName=f"{name}@guests.example", passwordProfile={"password": uuid.uuid4().hex},
        )  # fmt: skip
        return str(made["id"])

    async def deny(self, *people: str, item: str = "x") -> None:
        """A review asks, of all of them in one batch."""
        commands = [
            BlockGuest(id=f"review-item:{item}:{one}", cause=REVIEW, person_id=one, detail="Denied.") for one in people
        ]
        await self.host.platforms["directory"].bus.publish(
            [outgoing(topics.GUEST_COMMANDS, one.person_id, one, source="review", at=START) for one in commands]
        )

    async def deletion(self, person: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = (await self.ask("GET", f"/tenure/people/{person}", 200))["deletion"]
        return found


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    settings = Settings(
        kafka=servers.endpoints.kafka, mongo=servers.endpoints.mongo, namespace=f"gst{uuid.uuid4().hex[:8]}",
        partitions=2, timer_poll_s=0.05,
    )  # fmt: skip
    clock = TurnableClock(START)
    host = Host(settings, {"directory": assemble}, clock)
    await create_topics(settings, groups_of(list(host.services.values())))
    async with host:
        yield World(host, clock)
        await untroubled(host)


@pytest.mark.spec("REV-20")
async def test_guests_are_blocked_once_however_often_it_is_asked_and_deleted_by_the_clock(world: World) -> None:
    eva, fay, ida = [await world.guest(name) for name in ("eva", "fay", "ida")]
    await world.ask("GET", f"/users/{eva}", 200, by=eva)
    await world.deny(eva, fay, eva)
    planned = await until(lambda: world.deletion(eva))
    assert planned == {"since": "2026-03-01T09:00:00Z", "dateTime": "2026-03-31T09:00:00Z"}
    await until(lambda: world.deletion(fay))
    await world.ask("GET", f"/users/{eva}", 401, by=eva)
    await world.ask("GET", f"/users/{ida}", 200, by=ida)
    found = (await world.ask("GET", "/users?$filter=userType eq 'Guest'&$select=id,accountEnabled", 200))["value"]
    assert {one["id"]: one["accountEnabled"] for one in found} == {eva: False, fay: False, ida: True}

    world.clock.turn(timedelta(days=29))
    await world.ask("PATCH", f"/users/{fay}", 204, accountEnabled=True)
    assert await world.deletion(fay) is None
    await world.ask("GET", f"/users/{fay}", 200, by=fay)
    await world.deny(eva, fay)  # once more, as after a crash: neither a new date nor a new block
    await world.deny(ida, item="y")
    await until(lambda: world.deletion(ida))
    assert await world.deletion(fay) is None
    assert await world.deletion(eva) == planned

    world.clock.turn(timedelta(days=2))

    async def deleted() -> bool:
        gone = (await world.ask("GET", "/directory/deletedItems/microsoft.graph.user", 200))["value"]
        return {one["id"] for one in gone} == {eva}

    await until(deleted)
    await world.ask("POST", f"/directory/deletedItems/{eva}/restore", 200)
    assert (await world.ask("GET", f"/users/{eva}?$select=accountEnabled", 200))["accountEnabled"] is False
    assert await world.deletion(eva) is None
    world.clock.turn(timedelta(days=60))

    async def ida_gone() -> bool:
        gone = (await world.ask("GET", "/directory/deletedItems/microsoft.graph.user", 200))["value"]
        return {one["id"] for one in gone} == {ida}

    await until(ida_gone)
    assert (await world.ask("GET", f"/tenure/people/{fay}", 200))["status"] == "active"
