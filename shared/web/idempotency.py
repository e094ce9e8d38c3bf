"""`Idempotency-Key`: a change that is sent again under its key, by the same caller, is made once and answered alike.

    router = APIRouter(route_class=answering_once(Answers(platform.database)))

The same key with another body or path's query is a 409, and so is one whose first request is still being answered (with
`Retry-After`). Answers are kept for a day in the service's own database, and are given to nobody whom the operation's
door does not let in by now. Refusals are not kept, for they changed nothing: what was refused is decided anew. If the
process dies between the change and the keeping of its answer, the key is free again after a minute; so that even then
nothing is made twice, routes derive the ids of what they make from the key (`made_id`). Source:
draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import StreamingResponse

from shared.ids import derived_id
from shared.messaging.errors import MayPass
from shared.storage.answers import Answers, Kept, OtherRequest, Turn, UnderWay
from shared.telemetry.logs import get_logger
from shared.web.caller import caller_of
from shared.web.errors import BadRequest, Conflict
from shared.web.guard import Guard

log = get_logger(__name__)

HEADER = "Idempotency-Key"
MOST = 256
REPLAYED = "Idempotent-Replayed"
"""Header of an answer that was given before."""

IdempotencyKey = Annotated[
    str | None,
    Header(alias=HEADER, max_length=MOST, description="The same again is done once and answered alike, for a day."),
]
"""A route's parameter `key: IdempotencyKey = None`, for `made_id`."""


def made_id(request: Request, kind: str) -> str:
    """Id of what the request makes: derived from caller, path and key if it has one, so that a repeat makes nothing
    new; random if it has none."""
    key = request.headers.get(HEADER)
    return derived_id(kind, "http", *_who(request), request.scope["path"], key) if key else str(uuid.uuid4())


def _who(request: Request) -> tuple[str, str]:
    caller = caller_of(request)
    return caller.actor, caller.app_id or ""


def answering_once(answers: Answers) -> type[APIRoute]:
    """A class of routes that heed the header. Only what changes something does: GET is repeatable by itself."""

    class AnsweringOnce(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()
            doors = [one.dependency for one in self.dependencies if isinstance(one.dependency, Guard)]

            async def once(request: Request) -> Response:
                key = request.headers.get(HEADER)
                if key is None or request.method not in {"POST", "PATCH", "PUT", "DELETE"}:
                    return await handle(request)
                return await _once(request, key, answers, handle, doors)

            return once

    return AnsweringOnce


async def _once(
    request: Request,
    key: str,
    answers: Answers,
    handle: Callable[[Request], Coroutine[Any, Any, Response]],
    doors: Sequence[Guard],
) -> Response:
    if not 0 < len(key) <= MOST:
        raise BadRequest(f"Idempotency-Key has 1 to {MOST} characters.", target=HEADER)
    name = _digest(*_who(request), request.method, request.scope["path"], key)
    fingerprint = _digest(request.url.query, (await request.body()).hex())
    try:
        found = await answers.begin(name, fingerprint)
    except OtherRequest:
        raise Conflict(
            "This Idempotency-Key was used for another request: take a new one for a new request.",
            code="IdempotencyKeyReused",
            target=HEADER,
        ) from None
    except UnderWay:
        raise Conflict(
            "The first request with this Idempotency-Key is still being answered.",
            code="IdempotencyKeyInUse",
            target=HEADER,
            headers={"Retry-After": "1"},
        ) from None
    if isinstance(found, Kept):
        for door in doors:  # the route behind which it stands else is not asked
            await door(request, caller_of(request))
        again = Response(found.body, found.status)
        again.raw_headers = [
            (k.encode("latin-1"), v.encode("latin-1")) for k, v in (*found.headers, (REPLAYED, "true"))
        ]
        return again
    return await _first(request, found, answers, handle)


async def _first(
    request: Request, turn: Turn, answers: Answers, handle: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Response:
    try:
        response = await handle(request)
    except BaseException:
        with suppress(MayPass):  # the lease ends by itself
            await answers.given_up(turn)
        raise
    if isinstance(response, StreamingResponse) or response.status_code >= 400:
        await answers.given_up(turn)
    else:
        headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in response.raw_headers)
        try:
            await answers.answered(turn, Kept(response.status_code, headers, bytes(response.body)))
        except MayPass as problem:
            # It is done, and saying so is worth more than saying it again.
            log.warning("an answer could not be kept for repeats", problem=str(problem))
    return response


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()
