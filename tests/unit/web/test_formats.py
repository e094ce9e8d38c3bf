"""Bodies come as JSON, with as much metadata as is wanted."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request

from shared.web.app import make_app
from shared.web.odata import GUID, EntitySet, Field, ListQuery
from shared.web.paging import answer_list, list_query

THINGS = EntitySet("thing", {"id": Field("_id", GUID), "name": Field("name")})
PARTS = [{"@odata.type": "#microsoft.graph.part", "size": 1}]
SAID = {"@odata.etag": 'W/"1"', "id": "a", "name": "mail@odata.org", "parts@odata.count": 1, "parts": PARTS}


@pytest.fixture
def app() -> FastAPI:
    routes = APIRouter(prefix="/v1.0")

    @routes.get("/things")
    async def things(request: Request, query: Annotated[ListQuery, Depends(list_query(THINGS))]) -> dict[str, Any]:
        async def find(_: ListQuery) -> list[dict[str, Any]]:
            return [{"_id": "a"}, {"_id": "b"}]

        async def total(_: ListQuery) -> int:
            return 2

        return await answer_list(request, query, find=find, render=lambda _: SAID, context="things", total=total)

    return make_app("Test", [routes])


async def call(app: FastAPI, query: str, accept: str = "*/*") -> httpx.Response:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.get(f"/v1.0/things?$count=true&$top=1{query}", headers={"Accept": accept})


@pytest.mark.parametrize(
    ("query", "accept"),
    [
        ("", "application/json;odata.metadata=none"),
        ("", "application/json; charset=utf-8; ODATA.METADATA=none"),
        ("&$format=application/json;odata.metadata=none", "*/*"),
        ("&format=json;metadata=none", "application/json;odata.metadata=full"),
    ],
)
async def test_without_metadata_counts_and_links_stay(app: FastAPI, query: str, accept: str) -> None:
    answer = await call(app, query, accept)
    assert answer.headers["content-type"] == "application/json;odata.metadata=none"
    body = answer.json()
    assert "$skiptoken" in body.pop("@odata.nextLink")
    assert body == {
        "@odata.count": 2,
        "value": [{"id": "a", "name": "mail@odata.org", "parts@odata.count": 1, "parts": [{"size": 1}]}],
    }


@pytest.mark.parametrize("query", ["", "&$format=json", "&$FORMAT=application/json;odata.metadata=minimal"])
async def test_json_is_what_there_is(app: FastAPI, query: str) -> None:
    answer = await call(app, query, "application/json;odata.metadata=minimal")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["value"] == [SAID]
    assert "@odata.context" in answer.json()


@pytest.mark.parametrize("query", ["&$format=xml", "&$format=", "&$format=json&format=json", "&$format=jsonp"])
async def test_another_form_is_refused(app: FastAPI, query: str) -> None:
    answer = await call(app, query)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "$format")
    refused = await call(app, "&$filter=secret eq 1", "application/json;odata.metadata=none")
    assert refused.json()["error"]["target"] == "secret"
