"""JSON batching: `POST /v1.0/$batch` carries up to 20 requests, each answered as if it had come alone.

Every part goes through the application as any other request does (ids, limits, the caller's token), inside the process
and without a connection. Parts that depend on nothing run side by side, a part that names others in `dependsOn` after
them; if one of those fails it is not tried and answers 424. Only a batch that cannot be read is refused as a whole.
Source: reference/graph-api-operations.md 1.7.
"""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote

import orjson
from fastapi import APIRouter, Request
from pydantic import BeforeValidator, Field
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Scope

from shared.telemetry.logs import get_logger
from shared.web.errors import BadRequest, GraphError, RequestIds, body_of, fault
from shared.web.graph_model import GraphInput, GraphModel
from shared.web.held import Answer, ask
from shared.web.paths import IN_PATH

log = get_logger(__name__)

MOST_PARTS = 20
SIDE_BY_SIDE = 4
"""Parts under way at once: one batch must not take every place there is."""
VERSION = "/v1.0"
PATH = f"{VERSION}/$batch"

_IN_SCOPE = "tenure.batch"
# The connection's and the caller's own: they come from the batch's request.
_FROM_OUTSIDE = frozenset({b"authorization", b"cookie", b"host", b"origin", b"tenure-actor", b"tenure-roles"})
_NOT_A_PARTS = frozenset(
    {name.decode() for name in _FROM_OUTSIDE} | {"connection", "content-length", "te", "transfer-encoding", "upgrade"}
)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4096}")


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class Part(GraphInput):
    """One request of a batch."""

    id: str = Field(min_length=1, max_length=256, description="Unique in the batch, in any case.")
    method: Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(_upper)]
    url: str = Field(min_length=1, max_length=8192, description="Relative to the version: `/users?$top=5`.")
    headers: dict[str, str] = Field(default_factory=dict, description="A body needs `Content-Type`.")
    body: Any = Field(None, description="JSON as it is; what has another content type, in Base64.")
    depends_on: list[str] | None = Field(None, description="Ids of requests that have to succeed before.")


class BatchIn(GraphInput):
    """Up to 20 requests."""

    requests: list[Part] = Field(min_length=1, max_length=MOST_PARTS)


class PartAnswer(GraphModel):
    """What one request was answered."""

    id: str
    status: int
    headers: dict[str, str]
    body: Any = Field(None, description="Absent if there is none.")

    def graph(self) -> dict[str, Any]:
        said = {"id": self.id, "status": self.status, "headers": self.headers}
        return said if self.body is None else {**said, "body": self.body}


class BatchOut(GraphModel):
    """The answers, in the order of the requests."""

    responses: list[PartAnswer]


def batch_router() -> APIRouter:
    """The route. It reaches every route of the application that includes it."""
    router = APIRouter(tags=["batch"])

    @router.post(PATH, response_model=BatchOut)
    async def batch(request: Request, body: BatchIn) -> Response:
        """Up to 20 requests in one; each has its own status."""
        if request.scope.get(_IN_SCOPE):
            raise BadRequest("A batch cannot be part of a batch.", target="url")
        order = _order(body.requests)
        answers = await _run(order, Dispatcher(request))
        return JSONResponse({"responses": [answers[part.id.lower()].graph() for part in body.requests]})

    return router


def _order(parts: Sequence[Part]) -> dict[str, tuple[Part, frozenset[str]]]:
    """Lower-case id -> the part and what it waits for. Raises BadRequest for what cannot be put in order."""
    by_id: dict[str, tuple[Part, frozenset[str]]] = {}
    for part in parts:
        if part.id.lower() in by_id:
            raise BadRequest(f"The request id '{part.id[:64]}' stands twice.", target="id")
        if part.body is not None and not any(name.lower() == "content-type" for name in part.headers):
            raise BadRequest(f"Request '{part.id[:64]}' has a body and no Content-Type header.", target="headers")
        by_id[part.id.lower()] = part, frozenset(id.lower() for id in part.depends_on or ())
    for part, needs in by_id.values():
        if unknown := needs - by_id.keys():
            raise BadRequest(
                f"Request '{part.id[:64]}' depends on '{min(unknown)[:64]}', which the batch does not hold.",
                target="dependsOn",
            )
    settled: set[str] = set()
    while len(settled) < len(by_id):
        ready = {id for id, (_, needs) in by_id.items() if id not in settled and needs <= settled}
        if not ready:
            raise BadRequest("The requests depend on one another in a circle.", target="dependsOn")
        settled |= ready
    return by_id


async def _run(order: Mapping[str, tuple[Part, frozenset[str]]], dispatcher: "Dispatcher") -> dict[str, PartAnswer]:
    places = asyncio.Semaphore(SIDE_BY_SIDE)
    answers: dict[str, PartAnswer] = {}
    done = {id: asyncio.Event() for id in order}

    async def one(id: str) -> None:
        part, needs = order[id]
        for needed in sorted(needs):
            await done[needed].wait()
        if failed := next((answers[one].id for one in sorted(needs) if answers[one].status >= 400), None):
            error = GraphError(f"Not tried, for request '{failed[:64]}' failed.", code="FailedDependency", status=424)
            answers[id] = refused(part, error, dispatcher.ids)
        else:
            async with places:
                answers[id] = await dispatcher.answer(part)
        done[id].set()

    async with asyncio.TaskGroup() as tasks:
        for id in order:
            tasks.create_task(one(id))
    return answers


class Dispatcher:
    """Sends parts through the application that `request` came to, on behalf of the same caller."""

    def __init__(self, request: Request) -> None:
        self._app: ASGIApp = request.app
        self._outer: Scope = request.scope
        self._headers = [(name, value) for name, value in request.scope["headers"] if name.lower() in _FROM_OUTSIDE]
        self.ids = RequestIds.of(request)

    async def answer(self, part: Part) -> PartAnswer:
        """Never raises for what a part does wrong: that is its answer."""
        try:
            scope, body = self._request(part)
        except GraphError as error:
            return refused(part, error, self.ids)
        try:
            return _said(part, await ask(self._app, scope, body))
        except Exception as error:
            # Half an answer that breaks off ends a connection; here it must not end the other parts.
            log.exception("a part of a batch failed", method=part.method)
            return refused(part, fault(error), self.ids)

    def _request(self, part: Part) -> tuple[Scope, bytes]:
        for name, value in part.headers.items():
            if name.lower() in _NOT_A_PARTS:
                raise BadRequest(f"The header '{name}' is the batch's and not a part's.", target=name)
            if not _HEADER.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise BadRequest(f"'{name[:64]}' is no header.", target="headers")
        if re.match(r"[a-z][a-z0-9+.-]*:|//", part.url, re.IGNORECASE) or not part.url.isprintable():
            raise BadRequest(f"The URL is relative to {VERSION}, such as '/users?$top=5'.", target="url")
        if "#" in part.url:
            raise BadRequest("A '#' in a URL is written %23: what stands behind it is never sent.", target="url")
        path, _, query = part.url.partition("?")
        path = f"{VERSION}/{unquote(path).removeprefix('/')}"
        body = _bytes_of(part)
        own = [(name.lower().encode(), value.encode("latin-1")) for name, value in part.headers.items()]
        carried = {"scheme", "http_version", "client", "server", "root_path", "state", "asgi"}
        scope = {
            **{name: value for name, value in self._outer.items() if name in carried},
            "type": "http",
            "method": part.method,
            "path": path,
            "raw_path": quote(path, safe=IN_PATH).encode(),
            # As a browser would send it: spaces and letters beyond ASCII may stand in a part as they are.
            "query_string": quote(query, safe="/?:@!$&'()*+,;=%-._~\"<>[]{}|\\^`").encode(),
            "headers": [*self._headers, *own, (b"content-length", str(len(body)).encode())],
            "extensions": {},
            _IN_SCOPE: True,
        }
        return scope, body


def _bytes_of(part: Part) -> bytes:
    if part.body is None:
        return b""
    kind = next(value for name, value in part.headers.items() if name.lower() == "content-type")
    if "json" in kind.lower():
        return json.dumps(part.body).encode()  # takes whatever JSON can bring, numbers of any length too
    try:
        if not isinstance(part.body, str):
            raise ValueError
        return base64.b64decode(part.body.replace("-", "+").replace("_", "/") + "==", validate=False)
    except (ValueError, binascii.Error):
        raise BadRequest(f"A body of type '{kind[:64]}' is a string in Base64.", target="body") from None


def _said(part: Part, answer: Answer) -> PartAnswer:
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        title = name.title()
        headers[title] = f"{headers[title]}, {value}" if title in headers else value
    headers.pop("Content-Length", None)
    kind = headers.get("Content-Type", "").lower()
    body: Any = None
    if answer.body and "json" in kind:
        body = orjson.loads(answer.body)
    elif answer.body:
        body = answer.body.decode() if kind.startswith("text/plain") else base64.b64encode(answer.body).decode()
    return PartAnswer(id=part.id, status=answer.status, headers=headers, body=body)


def refused(part: Part, error: GraphError, ids: RequestIds) -> PartAnswer:
    """The answer to a part that did not get as far as the application."""
    return PartAnswer(
        id=part.id, status=error.status, headers={"Content-Type": "application/json"}, body=body_of(error, ids)
    )
