"""Relations inside an object's body, for `$expand`, read from the routes that list them.

So what may be seen, and of whom, is decided once, by the route of the relation. An expanded relation shows at most
`MOST` objects; of directory objects without an `@odata.nextLink`, as documented, elsewhere with one if there are more.
Source: reference/graph-api-operations.md 1.2; OData JSON 4.01, 4.6.6.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request

from shared.web.errors import GraphError
from shared.web.held import ask
from shared.web.odata import Expand
from shared.web.odata.options import AsAsked
from shared.web.paths import IN_PATH

MOST = 20


async def with_relations(
    request: Request,
    at: str,
    bodies: Sequence[dict[str, Any]],
    expand: Sequence[Expand],
    listed: Collection[str],
    *,
    linked: bool = False,
) -> None:
    """Put into each body, which lies at `at` under its id, those of the relations that are `listed` by routes. Raises
    what refuses the caller. `linked`: with the address of what is left of a longer list."""
    for one in expand:
        if one.name in listed:
            for body in bodies:
                said = await _read(request, f"{at}/{body['id']}/{one.name}", one)
                body[one.name] = AsAsked(said["value"])
                if one.part.count and "@odata.count" in said:
                    body[f"{one.name}@odata.count"] = said["@odata.count"]
                if linked and "@odata.nextLink" in said:
                    body[f"{one.name}@odata.nextLink"] = said["@odata.nextLink"]


async def _read(request: Request, path: str, expand: Expand) -> dict[str, Any]:
    options = {**dict(expand.options), "$top": str(min(expand.part.top or MOST, MOST))}
    scope = {
        **{name: value for name, value in request.scope.items() if name in _CARRIED},
        "method": "GET",
        "path": path,
        "raw_path": quote(path, safe=IN_PATH).encode(),
        "query_string": urlencode(options).encode(),
        "headers": [(name, value) for name, value in request.scope["headers"] if name.lower() not in _OF_THE_BODY],
        "extensions": {},
    }
    answer = await ask(request.app, scope)
    said: dict[str, Any] = orjson.loads(answer.body)
    if answer.status >= 400:
        raise GraphError(said["error"]["message"], code=said["error"]["code"], status=answer.status)
    return said


_CARRIED = {"type", "scheme", "http_version", "client", "server", "root_path", "state", "asgi"}
_OF_THE_BODY = {b"content-type", b"content-length", b"if-match", b"prefer", b"idempotency-key"}
