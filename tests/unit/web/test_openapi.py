"""The OpenAPI document says what is answered, refusals too; its page shows all of it and loads nothing foreign."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import jsonschema
import pytest
from fastapi import APIRouter, Depends, FastAPI

from shared.web.app import make_app
from shared.web.batch import batch_router
from shared.web.conditional import IfMatch
from shared.web.errors import Conflict
from shared.web.graph_model import GraphInput
from shared.web.idempotency import IdempotencyKey
from shared.web.odata import (
    BOOLEAN,
    DATETIME,
    GUID,
    INTEGER,
    NUMBER,
    EntitySet,
    Enumeration,
    Field,
    ListQuery,
    Many,
    Shape,
    parse_filter,
)
from shared.web.odata.mongo import mongo_filter
from shared.web.paging import list_query, shape_query

USERS = EntitySet(
    "user",
    {
        "id": Field("_id", GUID),
        "displayName": Field("name", sortable=True),
        "manager/id": Field("m"),
        "enabled": Field("e", BOOLEAN),
        "level": Field("l", INTEGER, sortable=True),
        "score": Field("s", NUMBER),
        "hired": Field("h", DATETIME),
        "kind": Field("k", Enumeration(("a", "b"))),
        "flags": Field("f", Enumeration(("a", "b"), flags=True)),
        "mails": Many("mails"),
    },
    expandable={"manager": lambda: USERS, "mates": lambda: USERS},
    searchable=("displayName",),
)


class UserIn(GraphInput):
    """A person <script>alert(1)</script>."""

    display_name: str
    kinds: tuple[str, ...] = ()
    boss: "UserIn | None" = None


@pytest.fixture
def app() -> FastAPI:
    routes = APIRouter(prefix="/v1.0", tags=["users"])

    @routes.get("/users")
    async def users(query: Annotated[ListQuery, Depends(list_query(USERS))]) -> dict[str, Any]:
        """Everyone <b>bold</b>."""
        return {"value": []}

    @routes.post("/users", status_code=201)
    async def create(body: UserIn, key: IdempotencyKey = None) -> UserIn:
        raise Conflict("The name is taken.", target="displayName", details=({"code": "c", "message": "m"},))

    @routes.get("/users/{id}")
    async def user(id: str, shape: Annotated[Shape, Depends(shape_query(USERS))]) -> dict[str, str]:
        return {"id": id}

    @routes.patch("/users/{id}", status_code=204)
    async def change(id: str, if_match: IfMatch = None) -> None: ...

    @routes.get("/users/{id}/manager")
    async def manager(id: str) -> dict[str, str]:
        return {"id": id}

    @routes.put("/users/{id}/manager/$ref", status_code=204)
    async def set_manager(id: str) -> None: ...

    return make_app("Test", [routes, batch_router()])


async def call(app: FastAPI, method: str, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
        return await client.request(method, path, **options)


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


def parameters(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What an operation takes, by name, with references followed."""
    shared = document["components"]["parameters"]
    followed = [shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in operation["parameters"]]
    return {one["name"]: one for one in followed}


def test_every_operation_names_its_refusals(document: dict[str, Any]) -> None:
    statuses = {name: set(operation["responses"]) for name, operation in operations(document)}
    always = {"400", "401", "403", "404", "429", "500", "503"}
    assert statuses == {
        "get /v1.0/users": {"200", *always},
        "post /v1.0/users": {"201", "204", "409", "412", "413", *always},
        "get /v1.0/users/$count": {"200", *always},
        "get /v1.0/users/{id}": {"200", *always},
        "get /v1.0/users/{id}/manager": {"200", *always},
        "get /v1.0/users/{id}/mates": {"200", "204", *always},
        "put /v1.0/users/{id}/manager/$ref": {"200", "204", "409", "412", *always},
        "get /v1.0/users/{id}/manager/$ref": {"200", *always},
        "patch /v1.0/users/{id}": {"200", "204", "409", "412", *always},
        "post /v1.0/$batch": {"200", "409", "412", "413", *always},
    }
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert "ValidationError" not in str(document)


def test_what_stands_behind_a_list_is_documented_with_it(document: dict[str, Any]) -> None:
    count = document["paths"]["/v1.0/users/$count"]["get"]
    assert set(parameters(document, count)) == {"$filter", "$search", "client-request-id"}
    assert set(count["responses"]["200"]["content"]) == {"text/plain"}
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_relations_that_an_object_can_be_read_with_are_documented_behind_it(document: dict[str, Any]) -> None:
    mates = document["paths"]["/v1.0/users/{id}/mates"]["get"]
    assert set(parameters(document, mates)) == {"id", "$select", "$expand", "client-request-id"}
    assert "by itself" not in document["paths"]["/v1.0/users/{id}/manager"]["get"]["summary"], "a route of its own"
    assert "/v1.0/users/mates" not in document["paths"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r"'\$ref': '#/([^']+)'", str(document)))
    assert references
    for reference in references:
        found = document
        for name in reference.split("/"):
            found = found[name]


def test_query_options_are_said_precisely_enough_to_be_asked(document: dict[str, Any]) -> None:
    users, one = document["paths"]["/v1.0/users"], document["paths"]["/v1.0/users/{id}"]
    said = {name: parameter["schema"] for name, parameter in parameters(document, users["get"]).items()}
    assert (said["$top"]["type"], said["$top"]["minimum"], said["$top"]["maximum"]) == ("integer", 1, 999)
    assert said["$count"]["type"] == "boolean"
    assert re.fullmatch(said["$orderby"]["pattern"], "displayName desc,level")
    assert not re.fullmatch(said["$orderby"]["pattern"], "kind")
    assert re.fullmatch(said["$select"]["pattern"], "displayName,manager")
    assert said["$expand"]["examples"] == ["manager", "mates"]
    assert len(said["$filter"]["examples"]) == len(USERS.fields)
    for example in said["$filter"]["examples"]:
        assert mongo_filter(parse_filter(example), USERS)
    assert set(parameters(document, one["get"])) == {"id", "$select", "$expand", "client-request-id"}
    assert {"Idempotency-Key", "Prefer"} < set(parameters(document, users["post"]))


def test_what_several_operations_have_alike_is_said_once(document: dict[str, Any]) -> None:
    everywhere = [
        str(one)
        for _, operation in operations(document)
        for one in operation["parameters"]
        if one.get("in") in {"query", "header"}
    ]
    assert len(everywhere) == len(set(everywhere))
    users = document["paths"]["/v1.0/users"]["get"]["parameters"]
    behind = document["paths"]["/v1.0/users/$count"]["get"]["parameters"]
    assert {"$ref": "#/components/parameters/filter"} in [one for one in users if one in behind]


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/v1.0/users", {"params": {"$fitler": "x"}}, 400),
        ("GET", "/v1.0/nothing", {}, 404),
        ("PUT", "/v1.0/users", {}, 405),
        ("POST", "/v1.0/users", {"json": {"displayName": "x"}}, 409),
        ("POST", "/v1.0/users", {"json": {}}, 400),
        ("POST", "/v1.0/users", {"content": b"x" * 2_000_000}, 413),
    ],
)
async def test_a_refusal_is_what_the_document_says(
    app: FastAPI, document: dict[str, Any], method: str, path: str, options: dict[str, Any], status: int
) -> None:
    answer = await call(app, method, path, **options)
    assert answer.status_code == status
    schema = {"$ref": "#/components/schemas/ODataError", "components": document["components"]}
    jsonschema.validate(answer.json(), schema)


async def test_the_page_shows_every_operation_and_brings_nothing_from_elsewhere(app: FastAPI) -> None:
    page = await call(app, "GET", "/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    for name, _ in operations(app.openapi()):
        method, path = name.split(" ")
        assert f'<b class="{method}">{method}</b> <code>{path}</code>' in page.text
    assert "//" not in page.text
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    for place in re.findall(r'(?:href|src)="([^"]*)"', page.text):
        if place.startswith("#"):
            assert f'id="{place[1:]}"' in page.text
        else:
            assert (await call(app, "GET", place)).status_code == 200
    assert (await call(app, "GET", "/docs/style.css")).headers["content-type"].startswith("text/css")
