"""An application answers as Graph does, refusals and faults included, and only to whom it may."""

from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Header

from shared.telemetry import metrics
from shared.web.app import make_app
from shared.web.conditional import etag, require_match
from shared.web.errors import Conflict, NotFound, Unavailable
from shared.web.graph_model import GraphInput


class Schedule(GraphInput):
    starts_at: int


class Body(GraphInput):
    display_name: str
    schedule: Schedule | None = None


async def _ready() -> list[str]:
    return ["Kafka does not answer."]


@pytest.fixture
def app() -> FastAPI:
    routes = APIRouter(prefix="/v1.0")

    @routes.get("/accessPackages/{id}")
    async def one(id: str) -> dict[str, str]:
        if id == "none":
            raise NotFound("There is no package none.", target="id")
        if id == "taken":
            raise Conflict("The name is taken.", code="DuplicateAccessPackage")
        if id == "away":
            raise Unavailable("MongoDB does not answer.")
        if id == "fault":
            raise KeyError("Ana Kovač")
        return {"id": id}

    @routes.post("/accessPackages", status_code=201)
    async def create(body: Body) -> dict[str, str]:
        return {"displayName": body.display_name}

    @routes.patch("/accessPackages/{id}")
    async def change(id: str, if_match: str | None = Header(None)) -> dict[str, str]:
        require_match(if_match, 3)
        return {"etag": etag(4)}

    return make_app("Test", [routes], service="a-test", readiness=_ready, max_body=1000)


async def call(app: FastAPI, method: str, path: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.request(method, path, **options)


async def test_a_refusal_has_graphs_shape_and_the_callers_request_id(app: FastAPI) -> None:
    answer = await call(app, "GET", "/v1.0/accessPackages/none", headers={"client-request-id": "mine-1"})
    assert answer.status_code == 404
    error = answer.json()["error"]
    inner = error.pop("innerError")
    assert error == {"code": "ResourceNotFound", "message": "There is no package none.", "target": "id"}
    assert set(inner) == {"date", "request-id", "client-request-id"}
    assert answer.headers["client-request-id"] == inner["client-request-id"] == "mine-1"
    assert answer.headers["request-id"] == inner["request-id"]


async def test_without_a_usable_client_request_id_ours_is_echoed(app: FastAPI) -> None:
    for sent in ({}, {"client-request-id": "<script>"}, {"client-request-id": "x" * 500}):
        answer = await call(app, "GET", "/v1.0/accessPackages/p", headers=sent)
        assert answer.headers["client-request-id"] == answer.headers["request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1.0/accessPackages/taken", 409, "DuplicateAccessPackage"),
        ("GET", "/v1.0/accessPackages/away", 503, "serviceNotAvailable"),
        ("GET", "/v1.0/nothing", 404, "ResourceNotFound"),
        ("DELETE", "/v1.0/accessPackages", 405, "Request_BadRequest"),
    ],
)
async def test_every_refusal_has_a_code(app: FastAPI, method: str, path: str, status: int, code: str) -> None:
    answer = await call(app, method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_fault_of_ours_tells_nothing_but_its_request_id(app: FastAPI) -> None:
    before = metrics.HTTP_REQUESTS.value(service="a-test", method="GET", status="500")
    answer = await call(app, "GET", "/v1.0/accessPackages/fault")
    assert answer.status_code == 500
    assert "Ana" not in answer.text
    assert answer.headers["request-id"] in answer.text
    assert metrics.HTTP_REQUESTS.value(service="a-test", method="GET", status="500") == before + 1


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"json": {}}, "displayName"),
        ({"json": {"displayName": "x", "schedule": {"startsAt": "soon"}}}, "schedule/startsAt"),
        ({"json": {"displayName": "x", "dispalyName": "y"}}, "dispalyName"),
        ({"json": {"displayName": {"$ne": None}}}, "displayName"),
    ],
)
async def test_a_body_that_is_not_valid_is_a_400_that_names_the_property(
    app: FastAPI, sent: dict[str, Any], named: str
) -> None:
    answer = await call(app, "POST", "/v1.0/accessPackages", **sent)
    assert answer.status_code == 400
    assert answer.json()["error"]["target"] == named
    assert f"'{named}'" in answer.json()["error"]["message"]


async def test_a_body_that_is_no_json_is_a_400(app: FastAPI) -> None:
    answer = await call(app, "POST", "/v1.0/accessPackages", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]["message"]


async def test_a_body_that_cannot_be_read_is_a_400_that_says_why(app: FastAPI) -> None:
    body = b'{"displayName": "\xff"}'
    answer = await call(app, "POST", "/v1.0/accessPackages", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "application/json", "content-encoding": "identity"}, 201),
        ({"content-type": "application/json;odata.metadata=minimal;charset=utf-8"}, 201),
        ({"content-type": "application/merge-patch+json"}, 201),
    ],
)
async def test_a_body_of_another_form_is_a_415(app: FastAPI, headers: dict[str, str], status: int) -> None:
    """Graph's clients in some languages compress what they send, and send it again as it is after a 415."""
    answer = await call(app, "POST", "/v1.0/accessPackages", content=b'{"displayName": "A"}', headers=headers)
    assert answer.status_code == status
    assert status == 201 or answer.json()["error"]["code"] == "UnsupportedMediaType"


@pytest.mark.parametrize(("content", "said"), [(b"", "missing"), (b"null", "JSON object"), (b"[]", "JSON object")])
async def test_a_body_that_is_no_object_says_so(app: FastAPI, content: bytes, said: str) -> None:
    headers = {"content-type": "application/json"}
    answer = await call(app, "POST", "/v1.0/accessPackages", content=content, headers=headers)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (400, True), answer.text


async def test_options_that_are_no_utf8_are_a_400(app: FastAPI) -> None:
    answer = await call(app, "GET", "/v1.0/accessPackages/a?$filter=displayName eq '%FF'")
    assert answer.status_code == 400
    assert "UTF-8" in answer.json()["error"]["message"]
    assert (await call(app, "GET", "/v1.0/accessPackages/a?$filter=displayName eq '%C3%A9'")).status_code == 200


@pytest.mark.parametrize(
    ("name", "status"),
    [(r"\ud800", 400), (r"\uDFFFx\ud83d", 400), (r"\ud83d\ude00", 201), (r"\\ud800", 201), ("😀", 201)],
)
async def test_half_a_character_is_none(app: FastAPI, name: str, status: int) -> None:
    body = f'{{"displayName": "{name}"}}'.encode()
    answer = await call(app, "POST", "/v1.0/accessPackages", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert status == 201 or "surrogate" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("name", "status"),
    [(r"\u0000", 400), (r"a\\\u0000", 400), (r"a\\u0000", 201), (r"u0000", 201), (r"\\\\u0000", 201)],
)
async def test_a_nul_is_no_text(app: FastAPI, name: str, status: int) -> None:
    body = f'{{"displayName": "{name}"}}'.encode()
    answer = await call(app, "POST", "/v1.0/accessPackages", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert status == 201 or "NUL" in answer.json()["error"]["message"]


async def test_a_body_that_is_too_large_is_refused_also_in_pieces(app: FastAPI) -> None:
    async def pieces() -> Any:
        for _ in range(30):
            yield b"x" * 100

    headers = {"content-type": "application/json"}
    whole = await call(app, "POST", "/v1.0/accessPackages", content=b"x" * 3000, headers=headers)
    parts = await call(app, "POST", "/v1.0/accessPackages", content=pieces(), headers=headers)
    assert [one.status_code for one in (whole, parts)] == [413, 413]
    assert parts.json()["error"]["code"] == "RequestEntityTooLarge"


@pytest.mark.parametrize(
    "path",
    ["/v1.0/accessPackages/P", "/V1.0/ACCESSPACKAGES/P", "/v1.0/accessPackages('P')", "/v1.0/accessPackages(%27P%27)/"],
)
async def test_all_spellings_of_a_path_reach_the_route(app: FastAPI, path: str) -> None:
    assert (await call(app, "GET", path)).json() == {"id": "P"}


async def test_a_stale_version_is_refused(app: FastAPI) -> None:
    async def patch(**headers: str) -> int:
        return (await call(app, "PATCH", "/v1.0/accessPackages/p", headers=headers)).status_code

    assert await patch() == 200
    assert await patch(**{"if-match": 'W/"3"'}) == 200
    assert await patch(**{"if-match": '"2", W/"3"'}) == 200
    assert await patch(**{"if-match": "*"}) == 200
    assert await patch(**{"if-match": 'W/"2"'}) == 412


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "evil.example.com"}, 400),
        ({"host": "127.0.0.1.example.com:8000"}, 400),
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "https://evil.example.com"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_foreign_names_and_other_sites_pages_are_refused(
    app: FastAPI, headers: dict[str, str], status: int
) -> None:
    assert (await call(app, "GET", "/v1.0/accessPackages/p", headers=headers)).status_code == status


async def test_health_metrics_and_openapi_are_there(app: FastAPI) -> None:
    assert (await call(app, "GET", "/health/live")).status_code == 200
    ready = await call(app, "GET", "/health/ready")
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["Kafka does not answer."])
    assert b"tenure_http_requests_total" in (await call(app, "GET", "/metrics")).content
    assert "/v1.0/accessPackages/{id}" in (await call(app, "GET", "/openapi.json")).json()["paths"]
