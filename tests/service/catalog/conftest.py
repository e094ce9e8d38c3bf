"""Catalog on real servers, with a directory and an assignment service that do no more than catalog sees of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from deploy.embedded import Servers
from services.catalog.service import assemble
from shared.contracts.assignment import UseAnswer
from shared.contracts.base import Cause
from shared.contracts.catalog import Life
from shared.contracts.directory import (
    GroupCreated,
    GroupFact,
    GroupState,
    PersonFact,
    PersonJoined,
    PersonState,
    PersonStatus,
)
from shared.contracts.topics import GROUP_FACTS, PACKAGE_FACTS, PERSON_FACTS, POLICY_FACTS, USE_ANSWERS
from shared.messaging.admin import create_topics
from shared.messaging.envelope import outgoing
from shared.messaging.host import Host, groups_of
from shared.messaging.service import Platform, Service
from shared.settings import Settings
from shared.web.app import make_app
from shared.web.errors import NotFound
from shared.web.server import HttpServer
from tests.waiting import untroubled

from .saying import Directory


@dataclass
class World:
    """A catalog service and its neighbours."""

    settings: Settings
    url: str = ""
    client: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)
    host: Host | None = None
    groups: dict[str, str] = field(default_factory=dict)
    """What the directory has: names by id."""
    unique: dict[str, str] = field(default_factory=dict)
    """Ids by unique name, of those that were made by one."""
    users: dict[str, str] = field(default_factory=lambda: {"u-1": "Ana@example.com"})
    """Likewise."""
    in_use: dict[str, int] = field(default_factory=dict)
    """How many assignments need a package or policy."""
    answering: bool = True
    asked: list[str] = field(default_factory=list)
    """Ids of the facts that asked about a deletion, as often as they came."""

    def directory(self, platform: Platform) -> Service:
        routes = APIRouter()

        @routes.get("/v1.0/groups")
        async def groups() -> dict[str, Any]:
            return {"value": [{"id": id, "displayName": name} for id, name in self.groups.items()]}

        @routes.get("/v1.0/groups(uniqueName='{name}')")
        async def group(name: str) -> dict[str, Any]:
            if (id := self.unique.get(name)) is None:
                raise NotFound("The group was not found.")
            return {"id": id, "displayName": self.groups[id]}

        @routes.patch("/v1.0/groups(uniqueName='{name}')", status_code=201)
        async def make_unique(name: str, request: Request) -> Response:
            assert request.headers["Prefer"] == "create-if-missing"
            if name in self.unique:
                return Response(status_code=204)
            self.unique[name] = str(uuid.uuid4())
            return JSONResponse(await made(self.unique[name], await request.json()), 201)

        @routes.post("/v1.0/groups", status_code=201)
        async def make(request: Request) -> dict[str, Any]:
            key = request.headers.get("Idempotency-Key")
            id = str(uuid.uuid5(uuid.NAMESPACE_OID, key)) if key else str(uuid.uuid4())
            return await made(id, await request.json())

        async def made(id: str, body: dict[str, Any]) -> dict[str, Any]:
            name = body["displayName"]
            self.groups[id] = name
            now = platform.clock.now()
            fact = GroupFact(
                id=f"group:{id}:1",
                cause=Cause(id="test", correlation="test", actor="system:test"),
                subject=id,
                version=1,
                at=now,
                transitions=(GroupCreated(),),
                state=GroupState.model_validate({**body, "id": id, "createdAt": now}),
            )
            await platform.bus.publish([outgoing(GROUP_FACTS, id, fact, source="directory", at=now)])
            return {"id": id, "displayName": name}

        @routes.get("/v1.0/users/{key}")
        async def user(key: str) -> dict[str, Any]:
            for id, name in self.users.items():
                if key.casefold() in {id, name.casefold()}:
                    return {"id": id, "userPrincipalName": name}
            raise NotFound("The user was not found.")

        return Service("directory", stores=[], routers=[routes])

    def assignment(self, platform: Platform) -> Service:
        async def answer(facts: Sequence[Any], kind: str) -> None:
            for fact in facts:
                if fact.state.life is not Life.DELETING or not self.answering:
                    continue
                self.asked.append(fact.id)
                said = UseAnswer(
                    id=f"answer:{fact.id}",
                    cause=fact.cause,
                    subject=fact.subject,
                    kind=kind,  # type: ignore[arg-type]
                    asked_version=fact.version,
                    in_use=self.in_use.get(fact.subject, 0),
                )
                record = outgoing(USE_ANSWERS, fact.subject, said, source="assignment", at=fact.at)
                await platform.bus.publish([record, record])  # heard twice, which has to be harmless

        async def packages(facts: Sequence[Any]) -> None:
            await answer(facts, "package")

        async def policies(facts: Sequence[Any]) -> None:
            await answer(facts, "policy")

        heard = [platform.takes([PACKAGE_FACTS], packages), platform.takes([POLICY_FACTS], policies)]
        return Service("assignment", stores=[], subscriptions=heard)

    async def say_who_is_there(self, platform: Platform) -> None:
        """Of the users, in the directory's name."""
        now = platform.clock.now()
        facts = [
            PersonFact(
                id=f"person:{id}:1",
                cause=Cause(id="test", correlation="test", actor="system:test"),
                subject=id,
                version=1,
                at=now,
                transitions=(PersonJoined(),),
                state=PersonState(id=id, status=PersonStatus.ACTIVE, attributes={"userPrincipalName": name}),
            )
            for id, name in self.users.items()
        ]
        said = [outgoing(PERSON_FACTS, fact.subject, fact, source="directory", at=now) for fact in facts]
        await platform.bus.publish(said)

    async def facts(self, *topics: str) -> list[dict[str, Any]]:
        """Everything said so far on these topics."""
        names = [self.settings.topic(topic) for topic in topics]
        consumer = AIOKafkaConsumer(*names, bootstrap_servers=self.settings.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            found: list[dict[str, Any]] = []
            ends = await consumer.end_offsets(list(consumer.assignment()))
            while any([await consumer.position(partition) < end for partition, end in ends.items()]):
                records = await consumer.getmany(timeout_ms=500)
                found += [json.loads(record.value) for batch in records.values() for record in batch]
            return found
        finally:
            await consumer.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Servers) -> AsyncIterator[World]:
    """One for a module: its tests use names of their own."""
    where = servers.endpoints
    settings = Settings(kafka=where.kafka, mongo=where.mongo, namespace=f"cat{uuid.uuid4().hex[:8]}")
    here = World(settings)
    host = Host(settings, {"catalog": assemble, "directory": here.directory, "assignment": here.assignment})
    await create_topics(settings, groups_of(list(host.services.values())))
    async with host:
        await here.say_who_is_there(host.platforms["directory"])
        routers = [router for service in host.services.values() for router in service.routers]
        server = HttpServer(make_app("catalog", routers, service="catalog"))
        await server.start()
        here.url, here.host = server.url, host
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            here.client = client
            yield here
        await server.stop()
        await untroubled(host)


@pytest_asyncio.fixture
async def directory(world: Any) -> AsyncIterator[Directory]:
    async with AIOKafkaProducer(bootstrap_servers=world.settings.kafka) as producer:
        yield Directory(world, producer)
