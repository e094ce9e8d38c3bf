"""What surrounds every request: its ids, limits on what is taken in, the last word on our faults."""

import json
import re
import time
import uuid
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry import metrics
from shared.telemetry.logs import bound, get_logger
from shared.web.authentication import Authenticator
from shared.web.errors import (
    BadRequest,
    Forbidden,
    GraphError,
    RequestIds,
    TooLarge,
    UnsupportedMedia,
    fault,
    response_of,
)

log = get_logger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "testserver", "test"})
"""Names under which this machine is asked: the last two are those of test clients."""


class Outermost:
    """The ASGI application around the routes.

    Echoes `client-request-id` and gives a `request-id`; binds it to every log line; counts and times; answers what
    nobody caught with a plain 500. `hosts`: names this API answers to. While nobody is asked who they are, a page in
    somebody's browser must not reach the API by a name of its own (DNS rebinding) or by a form it sends (Origin).
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        authenticator: Authenticator | None,
        max_body: int,
        hosts: frozenset[str] | None,
    ) -> None:
        self._app = app
        self._service = service
        self._authenticator = authenticator
        self._max_body = max_body
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        ids = _ids(headers.get(b"client-request-id"))
        scope["tenure.ids"] = ids
        started, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"request-id", ids.request_id.encode()),
                    (b"client-request-id", ids.client_request_id.encode()),
                ]
            await send(message)

        with bound(service=self._service, correlation=ids.request_id):
            try:
                self._admit(headers)
                _as_it_is(headers)
                _readable(scope.get("query_string", b""))
                if self._authenticator is not None:
                    await self._authenticator.identify(scope)
                await self._app(scope, _limited(receive, self._max_body), answer)
            except Exception as error:
                told = error if isinstance(error, GraphError) else fault(error)
                if told is not error:
                    log.exception("request failed", method=scope["method"])
                if status:  # too late to say anything else; the server closes the connection
                    raise
                await response_of(told, ids)(scope, receive, answer)
            finally:
                method = scope["method"] if scope["method"] in _METHODS else "other"
                metrics.HTTP_REQUESTS.add(service=self._service, method=method, status=str(status))
                metrics.HTTP_SECONDS.observe(time.perf_counter() - started, service=self._service, method=method)

    def _admit(self, headers: dict[bytes, bytes]) -> None:
        if self._hosts is not None:
            host = _host(headers.get(b"host", b"").decode("latin-1"))
            if host not in self._hosts:
                raise BadRequest("This API answers to this machine's own names only.", target="Host")
            if (origin := headers.get(b"origin")) and urlsplit(origin.decode("latin-1")).netloc != headers.get(
                b"host", b""
            ).decode("latin-1"):
                raise Forbidden("Pages of other sites may not call this API.", target="Origin")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._max_body:
            raise TooLarge(f"The body is larger than {self._max_body} bytes.")


def _as_it_is(headers: dict[bytes, bytes]) -> None:
    """Raises UnsupportedMedia for a compressed body: Graph's clients in some languages compress theirs, and send them
    again as they are if that is what they are told."""
    if headers.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
        raise UnsupportedMedia("Bodies are not decompressed here: send them without Content-Encoding.")


def _readable(query: bytes) -> None:
    """Raises BadRequest for options that are no UTF-8: with what stands in for such bytes they would ask for something
    else than was meant."""
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        raise BadRequest("The query options are not UTF-8.") from None


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in scope["headers"]}


def _ids(sent: bytes | None) -> RequestIds:
    request_id = str(uuid.uuid4())
    text = (sent or b"").decode("latin-1")
    # It goes back in a header and into logs: only what an id is made of.
    usable = 0 < len(text) <= 128 and text.isascii() and all(char.isalnum() or char in "-_.:{}" for char in text)
    return RequestIds(request_id, text if usable else request_id)


def _host(header: str) -> str:
    host, colon, port = header.rpartition(":")
    return (host if colon and port.isdigit() else header).lower()


def _limited(receive: Receive, most: int) -> Receive:
    taken = bytearray()

    # HTTPExceptions, for FastAPI turns all others from here into a 400 that tells less.
    async def limited() -> Message:
        message = await receive()
        taken.extend(message.get("body", b""))
        if len(taken) > most:
            raise HTTPException(413, f"The body is larger than {most} bytes.")
        if not message.get("more_body", False) and _SUSPICIOUS.search(taken) and (why := _unfit(bytes(taken))):
            raise HTTPException(400, why)
        return message

    return limited


_SUSPICIOUS = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _unfit(body: bytes) -> str | None:
    """JSON can write what no text can hold, and no database or message would take it; and NUL, which mails, YAML and
    whoever reads a list cannot be given."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        return "The body holds half of a surrogate pair, which is no character."
    except (ValueError, RecursionError):
        return None  # no JSON: whoever reads it says so
    return "The body holds a NUL character." if _NUL.search(text) else None
