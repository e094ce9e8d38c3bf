"""In which form bodies are wanted: `$format=json`, and `odata.metadata=none`, there or in `Accept`.

Answers are JSON with minimal metadata. Whoever wants none gets them without what says only what something is: of
`@odata.…`, links to further pages and counts stay. Source: reference/graph-api-operations.md 1.5; OData JSON 4.01, 3.1.
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.web.errors import UnsupportedQuery
from shared.web.held import ask

_JSON = re.compile(r"\s*(?:json|application/json)\s*(?P<parameters>;.*)?", re.IGNORECASE | re.DOTALL)
_NO_METADATA = re.compile(r";\s*(?:odata\.)?metadata\s*=\s*\"?none\b", re.IGNORECASE)
_CONTROL = re.compile(r"(?:.*)@odata\.(?!nextLink$|deltaLink$|count$).*", re.DOTALL)


class Formatting:
    """The ASGI application around all that reads answers: none of it sees the option, or a body without metadata."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].lower().startswith("/v1.0/"):
            await self._app(scope, receive, send)
            return
        wanted = _format(scope) or Headers(scope=scope).get("accept", "")
        if not _NO_METADATA.search(wanted):
            await self._app(scope, receive, send)
            return
        answer = await ask(self._app, scope, receive=receive)
        if answer.headers.get("content-type", "").startswith("application/json") and answer.status < 300:
            answer.body = orjson.dumps(_bare(orjson.loads(answer.body)))
            answer.headers["Content-Length"] = str(len(answer.body))
            answer.headers["Content-Type"] = "application/json;odata.metadata=none"
        await answer(scope, receive, send)


def _format(scope: Scope) -> str:
    """The option, taken off the query; nothing if it is not there. Raises UnsupportedQuery for what is no JSON."""
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    formats = [value for name, value in query if name.lower() in {"$format", "format"}]
    if not formats:
        return ""
    if len(formats) > 1 or not _JSON.fullmatch(formats[0]):
        raise UnsupportedQuery("$format is json, once: there is no other form.", target="$format")
    rest = [(name, value) for name, value in query if name.lower() not in {"$format", "format"}]
    scope["query_string"] = urlencode(rest).encode()
    return str(formats[0])


def _bare(body: Any) -> Any:
    if isinstance(body, list):
        return [_bare(one) for one in body]
    if isinstance(body, dict):
        return {name: _bare(value) for name, value in body.items() if not _CONTROL.fullmatch(name)}
    return body
