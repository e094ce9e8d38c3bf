"""Several requests in one: each is answered as if it had come alone, in order where one needs another."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import StreamingResponse

from shared.web.app import make_app
from shared.web.batch import MOST_PARTS, batch_router
from shared.web.caller import cause_of
from shared.web.conditional import etag, require_match
from shared.web.errors import Conflict
from shared.web.graph_model import GraphInput


class UserIn(GraphInput):
    display_name: str


@pytest.fixture
def app() -> FastAPI:
    routes = APIRouter(prefix="/v1.0")
    seen: list[str] = []
    together = asyncio.Barrier(2)

    @routes.get("/users/$count")
    async def count() -> Response:
        return Response("3", media_type="text/plain")

    @routes.get("/users/{id}")
    async def one(id: str, request: Request, response: Response) -> dict[str, Any]:
        response.headers["ETag"] = etag(1)
        return {"id": id, "query": request.url.query, "actor": cause_of(request).actor, "nothing": None}

    @routes.post("/users", status_code=201)
    async def create(body: UserIn, request: Request) -> dict[str, Any]:
        seen.append(body.display_name)
        if body.display_name == "taken":
            raise Conflict("The name is taken.")
        if body.display_name == "fault":
            raise KeyError("Ana Kovač")
        return {"displayName": body.display_name, "seen": list(seen), "base": str(request.base_url)}

    @routes.patch("/users/{id}", status_code=204)
    async def change(id: str, request: Request) -> None:
        require_match(request.headers.get("if-match"), 1)

    @routes.put("/photo")
    async def photo(request: Request) -> Response:
        return Response((await request.body())[::-1], media_type="image/png")

    @routes.get("/stream")
    async def stream() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b'{"half":'
            await asyncio.sleep(0)
            yield b"1}"

        return StreamingResponse(pieces(), media_type="application/json")

    @routes.get("/breaks")
    async def breaks() -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"{"
            raise OSError("Ana Kovač")

        return StreamingResponse(pieces(), media_type="application/json")

    @routes.get("/meet")
    async def meet() -> dict[str, bool]:
        async with asyncio.timeout(5):
            await together.wait()
        return {"met": True}

    return make_app("Test", [routes, batch_router()], max_body=100_000)


async def send(app: FastAPI, *requests: dict[str, Any], **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 5), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        content = json.dumps({"requests": list(requests)})
        return await client.post(
            "/v1.0/$batch", content=content, headers={"Content-Type": "application/json", **headers}
        )


async def answers(app: FastAPI, *requests: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    answer = await send(app, *requests, **headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["responses"]
    assert [one["id"] for one in found] == [one["id"] for one in requests]
    return found


def get(id: str, url: str, *needs: str, **headers: str) -> dict[str, Any]:
    return {"id": id, "method": "GET", "url": url, "headers": headers, "dependsOn": list(needs)}


def create(id: str, name: Any, *needs: str) -> dict[str, Any]:
    return {
        "id": id,
        "method": "POST",
        "url": "/users",
        "body": {"displayName": name},
        "headers": {"Content-Type": "application/json"},
        "dependsOn": list(needs),
    }


async def test_each_part_has_its_own_status_headers_and_body(app: FastAPI) -> None:
    found = await answers(
        app,
        get("1", "/users/ana?$select=id&$filter=displayName eq 'Kovač'"),
        get("2", "USERS('ben')"),
        create("3", "new"),
        create("4", "taken"),
        create("5", 7),
        get("6", "/nothing"),
        {"id": "7", "method": "patch", "url": "/users/ana", "headers": {"If-Match": 'W/"2"'}},
        {"id": "8", "method": "PATCH", "url": "/users/ana", "headers": {"If-Match": 'W/"1"'}},
        {"id": "9", "method": "DELETE", "url": "/users/ana"},
    )
    assert [one["status"] for one in found] == [200, 200, 201, 409, 400, 404, 412, 204, 405]
    assert found[0]["body"] == {
        "id": "ana",
        "query": "$select=id&$filter=displayName%20eq%20'Kova%C4%8D'",
        "actor": "system:api",
        "nothing": None,
    }
    assert found[0]["headers"]["Etag"] == 'W/"1"'
    assert found[0]["headers"]["Content-Type"] == "application/json"
    assert len({one["headers"]["Request-Id"] for one in found}) == 9
    assert found[1]["body"]["id"] == "ben"
    assert found[2]["body"]["base"] == "http://127.0.0.1:8000/"
    assert found[3]["body"]["error"]["message"] == "The name is taken."
    assert found[4]["body"]["error"]["target"] == "displayName"
    assert "body" not in found[7]


async def test_what_is_no_json_travels_as_text_or_base64(app: FastAPI) -> None:
    picture = {"id": "p", "method": "PUT", "url": "/photo", "headers": {"Content-Type": "image/png"}}
    found = await answers(
        app,
        get("n", "/users/$count"),
        {**picture, "body": base64.urlsafe_b64encode(b"\xff\xfe1").decode().rstrip("=")},
        {**picture, "id": "q", "body": {"no": "text"}},
        get("s", "/stream"),
    )
    assert found[0]["body"] == "3"
    assert base64.b64decode(found[1]["body"]) == b"1\xfe\xff"
    assert (found[2]["status"], found[2]["body"]["error"]["target"]) == (400, "body")
    assert found[3]["body"] == {"half": 1}


async def test_parts_run_side_by_side_unless_one_needs_another(app: FastAPI) -> None:
    assert [one["status"] for one in await answers(app, get("a", "/meet"), get("b", "/meet"))] == [200, 200]
    found = await answers(
        app, create("three", "3", "TWO"), create("one", "1"), create("two", "2", "one"), create("four", "4", "three")
    )
    assert [one["body"]["seen"] for one in found] == [["1", "2", "3"], ["1"], ["1", "2"], ["1", "2", "3", "4"]]


async def test_what_needs_a_part_that_failed_is_not_tried(app: FastAPI) -> None:
    found = await answers(
        app, create("1", "taken"), create("2", "x", "1"), create("3", "y", "2"), create("4", "z"), get("5", "/breaks")
    )
    assert [one["status"] for one in found] == [409, 424, 424, 201, 500]
    assert found[1]["body"]["error"]["code"] == "FailedDependency"
    assert "'1'" in found[1]["body"]["error"]["message"]
    assert sorted(found[3]["body"]["seen"]) == ["taken", "z"]


async def test_a_fault_in_one_part_leaves_the_others_alone(app: FastAPI) -> None:
    found = await answers(app, create("1", "fault"), get("2", "/breaks"), get("3", "/users/ana"))
    assert [one["status"] for one in found] == [500, 500, 200]
    assert "Ana" not in str(found[:2])


async def test_all_parts_ask_on_behalf_of_who_sent_the_batch(app: FastAPI) -> None:
    (found,) = await answers(app, get("1", "/users/x"), **{"Tenure-Actor": "person:8a1f"})
    assert found["body"]["actor"] == "person:8a1f"
    for name in ("Authorization", "tenure-actor", "Host", "Cookie", "Content-Length"):
        (found,) = await answers(app, get("1", "/users/x", **{name: "x"}))
        assert (found["status"], found["body"]["error"]["target"]) == (400, name)


@pytest.mark.parametrize(
    "part",
    [
        get("1", "/$batch"),
        {**create("1", "x"), "url": "/$BATCH", "body": {"requests": [get("1", "/users/x")]}},
        get("1", "http://127.0.0.1:8000/v1.0/users/x"),
        get("1", "//evil.example.com/users"),
        get("1", "/users/ana#EXT#@example.com"),
        get("1", "/users/a\r\nHost: b"),
        get("1", "/users/x", **{"a b": "c"}),
        get("1", "/users/x", a="b\r\nc: d"),
        get("1", "/users/x", a="ł"),
    ],
)
async def test_a_part_that_is_not_allowed_is_refused_alone(app: FastAPI, part: dict[str, Any]) -> None:
    found = await answers(app, part, get("2", "/users/x"))
    assert found[0]["status"] in {400, 405}
    assert found[1]["status"] == 200


@pytest.mark.parametrize(
    ("requests", "target"),
    [
        ([], "requests"),
        ([get(str(n), "/users/x") for n in range(MOST_PARTS + 1)], "requests"),
        ([get("a", "/users/x"), get("A", "/users/y")], "id"),
        ([get("a", "/users/x", "b")], "dependsOn"),
        ([get("a", "/users/x", "b"), get("b", "/users/x", "a")], "dependsOn"),
        ([get("a", "/users/x", "a")], "dependsOn"),
        ([{**create("1", "x"), "headers": {}}], "headers"),
        ([{"id": "1", "url": "/users"}], "requests/0/method"),
        ([{"id": "1", "method": "TRACE", "url": "/users"}], "requests/0/method"),
        ([{**get("1", "/users"), "atomicityGroup": "g"}], "requests/0/atomicityGroup"),
        ([{**get("1", "/users"), "id": 1}], "requests/0/id"),
    ],
)
async def test_a_batch_that_cannot_be_read_is_refused_as_a_whole(
    app: FastAPI, requests: list[dict[str, Any]], target: str
) -> None:
    refused = await send(app, *requests)
    assert (refused.status_code, refused.json()["error"]["target"]) == (400, target)


async def test_a_body_may_hold_whatever_text_can(app: FastAPI) -> None:
    for name, status in ((10**30, 400), ("\t", 201), (1e400, 400), ([[[]]], 400), ("😀", 201)):
        (found,) = await answers(app, create("1", name))
        assert found["status"] == status, name
    for none in ("\ud800", "\0"):
        assert (await send(app, create("1", none))).status_code == 400


async def test_a_full_batch_is_answered(app: FastAPI) -> None:
    found = await answers(app, *(get(str(n), f"/users/{n}") for n in range(MOST_PARTS)))
    assert [one["body"]["id"] for one in found] == [str(n) for n in range(MOST_PARTS)]
