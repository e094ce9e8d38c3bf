"""Requests that are sent again under their key, on a real MongoDB: done once, answered alike, and not for ever."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import SecretStr

from deploy.embedded import Servers
from shared.settings import Settings
from shared.storage import Answers, connect
from shared.storage.answers import KEPT, LEASE, Kept, OtherRequest, Turn, UnderWay
from shared.web.app import make_app
from shared.web.errors import Conflict
from shared.web.idempotency import answering_once, made_id

START = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """An application with one route, its store, and a real clock that can be turned."""

    def __init__(self, settings: Settings) -> None:
        self.client = connect(settings)
        self.now = START
        self.answers = Answers(self.client.database("idempotency"), f"answers_{uuid.uuid4().hex}", lambda: self.now)
        self.done: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.app = self._app()

    def _app(self) -> FastAPI:
        routes = APIRouter(prefix="/v1.0", route_class=answering_once(self.answers))

        @routes.post("/users", status_code=201)
        async def create(body: dict[str, Any], request: Request, response: Response) -> dict[str, Any]:
            self.done.append(made_id(request, "user"))
            await self.gate.wait()
            if body.get("refused"):
                raise Conflict("The name is taken.")
            if body.get("fault"):
                raise KeyError("Ana Kovač")
            response.headers["ETag"] = f'W/"{len(self.done)}"'
            return {"id": self.done[-1], "times": len(self.done)}

        @routes.patch("/users/{id}", status_code=204)
        async def change(id: str) -> None:
            self.done.append(id)

        @routes.get("/users")
        async def users() -> dict[str, int]:
            self.done.append("read")
            return {"times": len(self.done)}

        return make_app("Test", [routes])

    async def call(
        self, key: str | None, json: Any = None, method: str = "POST", path: str = "/v1.0/users", **headers: str
    ) -> httpx.Response:
        sent = {**({"Idempotency-Key": key} if key is not None else {}), **headers}
        transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 5), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(method, path, json={} if json is None else json, headers=sent)


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    world = World(Settings(mongo=SecretStr(servers.endpoints.mongo)))
    await world.answers.ensure_indexes()
    yield world
    world.client.close()


async def test_the_same_again_is_done_once_and_answered_alike(world: World) -> None:
    first, again = await world.call("k"), await world.call("k")
    assert len(world.done) == 1
    assert (again.status_code, again.content, again.headers["etag"]) == (201, first.content, first.headers["etag"])
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert first.headers["request-id"] != again.headers["request-id"]
    assert again.headers["content-type"] == "application/json"
    assert len(again.headers.get_list("content-length")) == 1


async def test_another_key_caller_path_or_no_key_is_another_request(world: World) -> None:
    for key, headers in (("a", {}), ("b", {}), (None, {}), (None, {}), ("a", {"Tenure-Actor": "person:ana"})):
        assert (await world.call(key, **headers)).status_code == 201
    assert len(world.done) == len(set(world.done)) == 5
    assert (await world.call("a", method="PATCH", path="/v1.0/users/x")).status_code == 204
    assert (await world.call("a", method="PATCH", path="/v1.0/users('x')")).headers["idempotent-replayed"] == "true"
    assert len(world.done) == 6


async def test_reading_heeds_no_key(world: World) -> None:
    assert [(await world.call("k", method="GET")).json()["times"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("other", [{"json": {"x": 1}}, {"path": "/v1.0/users?$select=id"}])
async def test_a_key_is_for_one_request(world: World, other: dict[str, Any]) -> None:
    await world.call("k")
    refused = await world.call("k", **other)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "IdempotencyKeyReused")
    assert len(world.done) == 1


async def test_a_request_under_way_is_not_begun_again(world: World) -> None:
    world.gate.clear()
    first = asyncio.create_task(world.call("k"))
    while not world.done:
        await asyncio.sleep(0.005)
    meanwhile = await world.call("k")
    assert (meanwhile.status_code, meanwhile.json()["error"]["code"]) == (409, "IdempotencyKeyInUse")
    assert meanwhile.headers["retry-after"] == "1"
    world.gate.set()
    assert (await first).status_code == 201
    assert (await world.call("k")).headers["idempotent-replayed"] == "true"
    assert len(world.done) == 1


@pytest.mark.parametrize(("body", "status"), [({"refused": True}, 409), ({"fault": True}, 500), ([], 400)])
async def test_what_was_refused_or_failed_is_decided_anew(world: World, body: Any, status: int) -> None:
    assert [(await world.call("k", body)).status_code for _ in range(2)] == [status, status]
    assert len(world.done) == (2 if status != 400 else 0)
    assert len(set(world.done)) <= 1  # under one derived id
    assert (await world.call("k")).status_code == 201


async def test_of_many_at_once_one_acts(world: World) -> None:
    answers = await asyncio.gather(*(world.call("k") for _ in range(20)))
    assert {one.status_code for one in answers} <= {201, 409}
    assert len({one.content for one in answers if one.status_code == 201}) == 1
    assert len(world.done) == 1


@pytest.mark.parametrize("key", ["", "x" * 257])
async def test_a_key_has_a_length(world: World, key: str) -> None:
    refused = await world.call(key)
    assert (refused.status_code, refused.json()["error"]["target"]) == (400, "Idempotency-Key")


async def test_a_key_ends_after_a_day(world: World) -> None:
    await world.call("k")
    world.now += KEPT - timedelta(seconds=1)
    assert "idempotent-replayed" in (await world.call("k")).headers
    world.now += timedelta(seconds=1)
    assert (await world.call("k", {"other": 1})).status_code == 201
    assert len(world.done) == 2
    (index,) = [
        one
        for one in (await world.answers._collection.index_information()).values()  # the end is MongoDB's to keep
        if one["key"] == [("ends_at", 1)]
    ]
    assert index["expireAfterSeconds"] == 0


async def test_a_turn_whose_process_died_is_given_to_the_same_request_only(world: World) -> None:
    lost = await world.answers.begin("k", "f")
    assert isinstance(lost, Turn)
    with pytest.raises(UnderWay):
        await world.answers.begin("k", "f")
    world.now += LEASE
    with pytest.raises(OtherRequest):
        await world.answers.begin("k", "another")
    taken = await world.answers.begin("k", "f")
    assert isinstance(taken, Turn)
    await world.answers.given_up(lost)  # late, and no longer its turn
    await world.answers.answered(lost, Kept(500, (), b"late"))
    await world.answers.answered(taken, Kept(201, (("a", "b"),), b"x"))
    assert await world.answers.begin("k", "f") == Kept(201, (("a", "b"),), b"x")
