"""What callers write about people over HTTP: Graph's POST, PATCH and DELETE of users, their managers and sponsors.

Whoever calls is the source `api`, like any other source under the authority of attributes. The answer waits for the
decision, so what cannot be taken is refused whole. Nobody writes about themself without the right to write about
others: rules read these properties. Source: reference/graph-api-operations.md 5.1.
"""

from __future__ import annotations

from typing import Any, NoReturn

from fastapi import APIRouter, Depends, Request, Response

from services.directory import graph
from services.directory.api import Rooms
from services.directory.decide.conditional import STALE
from services.directory.decide.people import Heard
from services.directory.decide.sponsors import SetSponsor
from services.directory.graph import Reference, UserIn, UserPatch
from services.directory.properties import MANAGER
from services.directory.sources import API
from services.directory.store import Document
from shared.contracts.base import Refusal
from shared.contracts.hr import ChangeKind, HrChange
from shared.storage import Answers
from shared.web.caller import cause_of
from shared.web.conditional import IfMatch, version_named
from shared.web.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from shared.web.guard import Guard
from shared.web.idempotency import IdempotencyKey, answering_once, made_id
from shared.web.paging import context_url

DELETED: Document = {"state.deleted": True}


def users_written(rooms: Rooms, answers: Answers, guard: Guard) -> APIRouter:
    """These routes."""
    router = APIRouter(tags=["users"], route_class=answering_once(answers), dependencies=[Depends(guard)])

    @router.post("/v1.0/users", status_code=201)
    async def create(request: Request, response: Response, body: UserIn, key: IdempotencyKey = None) -> dict[str, Any]:
        """Members and, with `userType`, guests. Joined at once; the password is not kept."""
        id = made_id(request, "person")
        await state(rooms, request, id, ChangeKind.JOINED, body.stated())
        response.headers["Location"] = f"{str(request.base_url).rstrip('/')}/v1.0/users/{id}"
        made = graph.user(await rooms.user(id))
        return {"@odata.context": context_url(request, "users/$entity"), **made}

    @router.patch("/v1.0/users/{id}", status_code=204)
    async def patch(
        request: Request, id: str, body: UserPatch, key: IdempotencyKey = None, if_match: IfMatch = None
    ) -> Response:
        """By id or userPrincipalName. A property that another source sets, and has authority over, is a 400."""
        found = await rooms.user(id)
        if stated := body.stated():
            await state(rooms, request, found["_id"], ChangeKind.CHANGED, stated, version_named(if_match))
        return Response(status_code=204)

    @router.delete("/v1.0/users/{id}", status_code=204)
    async def delete(request: Request, id: str, if_match: IfMatch = None) -> Response:
        """Of whom no source knows: they leave, their name is free, and they can be restored."""
        found = await rooms.user(id)
        await state(rooms, request, found["_id"], ChangeKind.LEFT, {}, version_named(if_match))
        return Response(status_code=204)

    _relations(router, rooms)
    return router


def _relations(router: APIRouter, rooms: Rooms) -> None:
    @router.put("/v1.0/users/{id}/manager/$ref", status_code=204)
    async def set_manager(request: Request, id: str, body: Reference) -> Response:
        """Whose reports this person is one of, from now on."""
        found, manager = await rooms.user(id), await rooms.user(body.id)
        await state(rooms, request, found["_id"], ChangeKind.CHANGED, {MANAGER: manager["_id"]})
        return Response(status_code=204)

    @router.delete("/v1.0/users/{id}/manager/$ref", status_code=204)
    async def without_manager(request: Request, id: str) -> Response:
        """Nobody's report any more."""
        found = await rooms.user(id)
        await state(rooms, request, found["_id"], ChangeKind.CHANGED, {MANAGER: None})
        return Response(status_code=204)

    @router.post("/v1.0/users/{id}/sponsors/$ref", status_code=204)
    async def add_sponsor(request: Request, id: str, body: Reference) -> Response:
        """A person or a group who answers for this person."""
        found, sponsor = await rooms.user(id), await rooms.person_or_group(body.id)
        await set_sponsor(rooms, request, SetSponsor(found["_id"], sponsor["_id"], True))
        return Response(status_code=204)

    @router.delete("/v1.0/users/{id}/sponsors/{sponsor}/$ref", status_code=204)
    async def remove_sponsor(request: Request, id: str, sponsor: str) -> Response:
        await set_sponsor(rooms, request, SetSponsor((await rooms.user(id))["_id"], sponsor.lower(), False))
        return Response(status_code=204)


async def state(
    rooms: Rooms,
    request: Request,
    person_id: str,
    kind: ChangeKind,
    attributes: Document,
    version: int | None = None,
) -> None:
    """`version`: only of whom it is that one. Raises what refuses it."""
    cause = cause_of(request)
    said = HrChange(
        change_id=f"{kind.value}:{cause.id}",
        employee_id=person_id,
        source=API,
        kind=kind,
        effective_at=rooms.platform.clock.now(),
        attributes=attributes,
    )
    heard = Heard(said, person_id=person_id, version=version)
    outcome = await rooms.platform.run_one(rooms.person_loop, rooms.hold, heard, cause)
    if outcome.decision and outcome.decision.refusal:
        _refuse(outcome.decision.refusal)


async def set_sponsor(rooms: Rooms, request: Request, asked: SetSponsor) -> None:
    """Raises what refuses it."""
    outcome = await rooms.platform.run_one(rooms.person_loop, rooms.sponsor, asked, cause_of(request))
    if outcome.decision and outcome.decision.refusal:
        _refuse(outcome.decision.refusal)


def _refuse(refusal: Refusal) -> NoReturn:
    if refusal.code == "ResourceNotFound":
        raise NotFound(refusal.message, code="Request_ResourceNotFound")
    if refusal.code == STALE.code:
        raise PreconditionFailed(refusal.message, target="If-Match")
    if refusal.code == "notJoined":
        raise Conflict(refusal.message, code=refusal.code)
    raise BadRequest(refusal.message, code="Request_BadRequest")
