"""Refusals in the shape of Microsoft Graph: `{"error": {"code", "message", "innerError"}}`.

A route raises a `GraphError`, or lets the kit's `MayPass`, `GivenUp` and `WillNotPass` through; everything else that
can go wrong (a body that does not validate, an unknown path, a verb that a path lacks, a fault of ours) is turned into
one here. `code` is for programs and stays; `message` is for people.
Source: reference/graph-api-operations.md 1.1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.messaging.errors import GivenUp, MayPass, WillNotPass
from shared.telemetry.logs import get_logger

log = get_logger(__name__)


@dataclass(eq=False)
class GraphError(Exception):
    """A refusal that the caller is told. `target` names the property or option, `details` several of them.

    `code` and `status` have a default for each subclass; say another code where Graph has one of its own.
    """

    default_status: ClassVar[int] = 500
    default_code: ClassVar[str] = "generalException"
    # Its text is for the caller and may quote what was sent: logs get the type only.
    safe_to_log: ClassVar[bool] = False

    message: str
    code: str = ""
    target: str | None = None
    details: tuple[Mapping[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 0

    def __post_init__(self) -> None:
        self.code = self.code or self.default_code
        self.status = self.status or self.default_status
        super().__init__(self.message)


class BadRequest(GraphError):
    """What was sent cannot be understood or is not allowed here: sending it again will not help."""

    default_status, default_code = 400, "BadRequest"


class UnsupportedQuery(BadRequest):
    """A query option, property or operator that this list does not know."""

    default_code = "Request_UnsupportedQuery"


class ExpiredPageToken(BadRequest):
    """A `$skiptoken` that is damaged or belongs to another query: start again at the first page."""

    default_code = "Directory_ExpiredPageToken"


class Unauthenticated(GraphError):
    """Nobody, or a token that does not count."""

    default_status, default_code = 401, "InvalidAuthenticationToken"


class Forbidden(GraphError):
    """Known, and not allowed."""

    default_status, default_code = 403, "Authorization_RequestDenied"


class NoRight(Forbidden):
    """The caller's permissions and roles do not suffice for the operation, in the words of entitlement management."""

    def __init__(self) -> None:
        super().__init__("User is not authorized to perform the operation. Reason: Unauthorized", code="UnAuthorized")


class NotFound(GraphError):
    """No such object, as far as the service has read (it has waited; see `read_wait_s`)."""

    default_status, default_code = 404, "ResourceNotFound"


class MethodNotAllowed(GraphError):
    default_status, default_code = 405, "Request_BadRequest"


class Conflict(GraphError):
    """The object's state does not allow it, or a name is taken."""

    default_status, default_code = 409, "Conflict"


class PreconditionFailed(GraphError):
    """If-Match names a version that is no longer the present one: read again, then decide again."""

    default_status, default_code = 412, "resourceModified"


class UnsupportedMedia(GraphError):
    """A body in a form that is not read here; clients that compress theirs then send it as it is."""

    default_status, default_code = 415, "UnsupportedMediaType"


class TooLarge(GraphError):
    default_status, default_code = 413, "RequestEntityTooLarge"


class TooManyRequests(GraphError):
    """Come back later. Carries `Retry-After` unless other headers are given."""

    default_status, default_code = 429, "TooManyRequests"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.headers = {"Retry-After": "10", **self.headers}


class Unavailable(GraphError):
    """May pass: Kafka or MongoDB is away. Carries `Retry-After` unless other headers are given."""

    default_status, default_code = 503, "serviceNotAvailable"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.headers = {"Retry-After": "2", **self.headers}


@dataclass(frozen=True)
class RequestIds:
    """`request_id` is ours, `client_request_id` the caller's (ours if the caller gave none)."""

    request_id: str
    client_request_id: str

    @classmethod
    def of(cls, request: Request) -> "RequestIds":
        """The ids the middleware gave to this request."""
        ids: RequestIds = request.scope.get("tenure.ids") or cls("", "")
        return ids


def body_of(error: GraphError, ids: RequestIds) -> dict[str, Any]:
    """The JSON that says `error`."""
    said: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.target:
        said["target"] = error.target
    if error.details:
        said["details"] = [dict(detail) for detail in error.details]
    said["innerError"] = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": ids.request_id,
        "client-request-id": ids.client_request_id,
    }
    return {"error": said}


def response_of(error: GraphError, ids: RequestIds) -> Response:
    """The HTTP answer that says `error`."""
    return JSONResponse(body_of(error, ids), error.status, dict(error.headers))


def of_validation(problems: Iterable[Mapping[str, Any]]) -> BadRequest:
    """pydantic's problems as a 400 that names each field by its place in what was sent, and never quotes a value."""
    problems = list(problems)
    places = [tuple(one["loc"]) for one in problems]
    # Of a list that is too short because what stands in it was refused, that alone is told.
    problems = [
        one
        for one, place in zip(problems, places, strict=True)
        if one["type"] != "too_short" or not any(len(it) > len(place) and it[: len(place)] == place for it in places)
    ]
    details = tuple(
        {
            "code": str(one["type"]),
            "message": str(one["msg"]).removeprefix("Value error, "),
            "target": _place(one["loc"]),
        }
        for one in problems
    )
    if not details:
        return BadRequest("The request is not valid.")
    first = details[0]
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    if not first["target"] and first["code"] in _NO_OBJECT:
        return BadRequest(_NO_OBJECT[first["code"]], details=details)
    if first["code"] == "json_invalid":
        return BadRequest(f"The body is not JSON: {first['message']}.", details=details)
    where = f"'{first['target']}': " if first["target"] else ""
    return BadRequest(f"{where}{first['message']}{more}.", target=first["target"] or None, details=details)


_NO_OBJECT = {
    "missing": "The body is missing.",
    "model_type": "The body is a JSON object.",
    "model_attributes_type": "The body is a JSON object.",
}
"""pydantic's words for a whole body that is none, and ours."""


def _place(loc: Iterable[str | int]) -> str:
    # ("body", "schedule", "expiration", 0) -> schedule/expiration/0; where it stood (body, query) the name tells.
    parts = [str(part) for part in loc]
    return "/".join(parts[1:] if parts and parts[0] in {"body", "query", "path", "header", "cookie"} else parts)


def _is_json(request: Request) -> bool:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media == "application/json" or media.endswith("+json")


_UNREADABLE = "There was an error parsing the body"
"""FastAPI's words for whatever else than a JSON error keeps it from reading a body."""


def _of_http(error: HTTPException, request: Request) -> GraphError:
    headers = dict(error.headers or {})
    text = str(error.detail)
    if error.status_code == 400 and text == _UNREADABLE:
        return BadRequest("The body cannot be read as JSON: it is not UTF-8, or nested too deeply.")
    if error.status_code == 405:
        return method_not_allowed(**headers)
    if error.status_code == 404:
        return NotFound(text) if text != HTTPStatus.NOT_FOUND.phrase else no_such_path(request.url.path)
    if error.status_code == 413:
        return TooLarge(text, headers=headers)
    code = "BadRequest" if 400 <= error.status_code < 500 else "generalException"
    return GraphError(text, code=code, status=error.status_code, headers=headers)


def no_such_path(path: str) -> NotFound:
    """No route is declared for it."""
    return NotFound(f"Resource not found for the segment '{path.rstrip('/').rsplit('/', 1)[-1][:100]}'.")


def method_not_allowed(**headers: str) -> MethodNotAllowed:
    """`Allow` among the headers says what is allowed."""
    return MethodNotAllowed("Specified HTTP method is not allowed for the request target.", headers=headers)


def fault(error: Exception) -> GraphError:
    """What a caller is told of a fault of ours: nothing but that there is one. Log `error` beside it."""
    return GraphError("Something went wrong on our side; the request id finds it in the log.", code="generalException")


def add_error_handlers(app: FastAPI) -> None:
    """Have `app` answer every refusal in Graph's shape."""

    async def graph_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, GraphError)
        return response_of(error, RequestIds.of(request))

    async def not_valid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        problems = error.errors()
        told: GraphError = of_validation(problems)
        # A body that is not said to be JSON is not read as such, and is then no object.
        if any(tuple(one["loc"]) == ("body",) and one["type"] != "missing" for one in problems) and not _is_json(
            request
        ):
            told = UnsupportedMedia("The body is JSON, and Content-Type says so: application/json.")
        return response_of(told, RequestIds.of(request))

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return response_of(_of_http(error, request), RequestIds.of(request))

    async def server_away(request: Request, error: Exception) -> Response:
        return response_of(
            Unavailable(
                "A server behind this one does not answer, so what became of the request is not known. "
                "Sending it again is safe with the same Idempotency-Key, and for everything that only reads.",
            ),
            RequestIds.of(request),
        )

    async def will_not_pass(request: Request, error: Exception) -> Response:
        assert isinstance(error, WillNotPass)
        if error.code == "bug":
            raise error  # ours, not the caller's
        return response_of(BadRequest(error.message, code=error.code), RequestIds.of(request))

    app.add_exception_handler(GraphError, graph_error)
    app.add_exception_handler(MayPass, server_away)
    app.add_exception_handler(GivenUp, server_away)
    app.add_exception_handler(WillNotPass, will_not_pass)
    app.add_exception_handler(RequestValidationError, not_valid)
    app.add_exception_handler(HTTPException, http_error)
