"""`Prefer: return=…` shortens what a change answers, or has it answer with what it made; lists and refusals stay."""

from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from shared.web.app import make_app
from shared.web.errors import Conflict, NotFound
from shared.web.preferences import preferences, prefers


@pytest.fixture
def app() -> FastAPI:
    routes = APIRouter(prefix="/v1.0")
    names = {"a": "Ana"}

    @routes.get("/users/{id}")
    async def one(id: str, request: Request, response: Response) -> dict[str, Any]:
        if id not in names:
            raise NotFound("There is none.")
        if names[id] == "fault":
            raise KeyError("Ana Kovač")
        response.headers["ETag"] = 'W/"2"'
        return {"id": id, "displayName": names[id], "query": request.url.query, "more": prefers(request, "more")}

    @routes.post("/users", status_code=201)
    async def create(body: dict[str, str]) -> dict[str, str]:
        if body["id"] == "taken":
            raise Conflict("The name is taken.")
        return body

    @routes.post("/groups", status_code=201)
    async def create_group(response: Response) -> dict[str, str]:
        response.headers["Location"] = "http://elsewhere/v1.0/groups/g"
        return {"id": "g"}

    @routes.post("/users/{id}/getMemberGroups")
    async def function(id: str) -> dict[str, Any]:
        return {"value": [id]}

    @routes.patch("/users/{id}", status_code=204)
    async def change(id: str, body: dict[str, str]) -> None:
        if body:
            names[id] = body["displayName"]

    @routes.put("/users/{id}")
    async def replace(id: str) -> dict[str, str]:
        return {"id": id}

    return make_app("Test", [routes])


async def call(app: FastAPI, method: str, path: str, prefer: str, json: Any = None) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.request(method, path, headers={"Prefer": prefer}, json=json)


async def test_what_was_made_says_where_it_is(app: FastAPI) -> None:
    made = await call(app, "POST", "/v1.0/Users", "", {"id": "b/c"})
    assert (made.status_code, made.json()["id"]) == (201, "b/c")
    assert made.headers["location"] == "http://127.0.0.1:8000/v1.0/users/b%2Fc"
    assert (await call(app, "POST", "/v1.0/groups", "")).headers["location"] == "http://elsewhere/v1.0/groups/g"
    for path, body in (("/v1.0/users", {"id": "taken"}), ("/v1.0/users/a/getMemberGroups", None)):
        assert "location" not in (await call(app, "POST", path, "", body)).headers


async def test_minimal_says_where_the_new_object_is_and_nothing_else(app: FastAPI) -> None:
    made = await call(app, "POST", "/V1.0/Users", "return=minimal", {"id": "b/c"})
    assert (made.status_code, made.content, made.headers["preference-applied"]) == (204, b"", "return=minimal")
    assert "content-type" not in made.headers
    assert made.headers["location"] == made.headers["odata-entityid"] == "http://127.0.0.1:8000/v1.0/users/b%2Fc"
    group = await call(app, "POST", "/v1.0/groups", 'odata.maxpagesize=5, Return="Minimal"')
    assert (group.status_code, group.headers["location"]) == (204, "http://elsewhere/v1.0/groups/g")
    replaced = await call(app, "PUT", "/v1.0/users/a", "return=minimal")
    assert (replaced.status_code, replaced.content) == (204, b"")


async def test_representation_answers_a_change_with_the_object_as_it_is_now(app: FastAPI) -> None:
    changed = await call(
        app, "PATCH", "/v1.0/users('a')?$select=id", "return=representation,more", {"displayName": "Anna"}
    )
    assert (changed.status_code, changed.headers["preference-applied"]) == (200, "return=representation")
    assert changed.json() == {"id": "a", "displayName": "Anna", "query": "$select=id", "more": False}
    assert changed.headers["etag"] == 'W/"2"'
    assert len(changed.headers.get_list("request-id")) == 1
    made = await call(app, "POST", "/v1.0/users", "return=representation", {"id": "b"})
    assert (made.status_code, made.json()) == (201, {"id": "b"})
    assert made.headers["preference-applied"] == "return=representation"


@pytest.mark.parametrize("prefer", ["return=minimal", "return=representation"])
async def test_where_it_means_nothing_the_answer_stays(app: FastAPI, prefer: str) -> None:
    for method, path, body, status in (
        ("POST", "/v1.0/users/a/getMemberGroups", None, 200),
        ("POST", "/v1.0/users", {"id": "taken"}, 409),
        ("POST", "/v1.0/users", {}, 500),
        ("GET", "/v1.0/users/a", None, 200),
        ("PATCH", "/v1.0/nothing", {}, 404),
    ):
        answer = await call(app, method, path, prefer, body)
        assert (answer.status_code, "preference-applied" in answer.headers) == (status, False)
        assert answer.json()


async def test_a_change_whose_object_cannot_be_read_is_still_a_success(app: FastAPI) -> None:
    for body, id in (({}, "gone"), ({"displayName": "fault"}, "a")):
        changed = await call(app, "PATCH", f"/v1.0/users/{id}", "return=representation", body)
        assert (changed.status_code, changed.content) == (204, b"")
        assert "preference-applied" not in changed.headers


@pytest.mark.parametrize(
    ("header", "means"),
    [
        ("return=minimal", {"return": "minimal"}),
        ('a; x="1,2", Return = "representation" ,b', {"a": "", "return": "representation", "b": ""}),
        ("return=minimal, return=representation", {"return": "minimal"}),
        ("", {}),
        (',,"', {}),
    ],
)
def test_preferences_are_read(header: str, means: dict[str, str]) -> None:
    assert preferences({"prefer": header}) == means
