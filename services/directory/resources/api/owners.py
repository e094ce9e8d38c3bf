"""Owners of groups, applications and service principals: people who hold the role Owner there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.directory.api import may_write_group
from services.directory.graph import USERS, Reference, typed, user_for
from services.directory.graph import user as user_shown
from services.directory.lists import answer_page
from services.directory.resources.api.rooms import ResourceRooms
from services.directory.resources.store import (
    LIVING,
    Document,
)
from services.directory.store import page_of
from shared.contracts.resources import (
    OWNER,
    RoleAt,
    RoleSystem,
)
from shared.web.guard import Admission, Admitted
from shared.web.odata import Expand, ListQuery
from shared.web.paging import list_query

MOST_EXPANDED = 20
"""Items that `$expand` shows of a relation, as Graph does for directory objects."""


def owner_routes(
    router: APIRouter, rooms: ResourceRooms, path: str, owner_of: Callable[[str], Awaitable[RoleAt]]
) -> None:
    """Owners of one kind of thing are people who hold the role Owner there."""
    people = rooms.directory.people

    async def write_allowed(id: str, admitted: Admission) -> None:
        if path == "groups":
            await may_write_group(admitted, id)

    @router.get(f"/v1.0/{path}/{{id}}/owners", name=f"{path} owners")
    async def owners(
        request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(USERS))]
    ) -> dict[str, Any]:
        scope: Document = {"_id": {"$in": await rooms.held.holders(await owner_of(id))}, **LIVING}
        return await answer_page(
            request,
            query,
            people,
            render=lambda document: typed(user_for(document, query), "user"),
            context="directoryObjects",
            scope=scope,
        )

    @router.post(f"/v1.0/{path}/{{id}}/owners/$ref", status_code=204, name=f"add owner of {path}")
    async def add(request: Request, id: str, body: Reference, admitted: Admitted) -> Response:
        """By hand: Tenure's own bookkeeping never removes who was added so."""
        await write_allowed(id, admitted)
        role, person = await owner_of(id), await rooms.directory.user(body.id)
        await rooms.give(request, person["_id"], role)
        return Response(status_code=204)

    @router.delete(f"/v1.0/{path}/{{id}}/owners/{{person_id}}/$ref", status_code=204, name=f"remove owner of {path}")
    async def remove(request: Request, id: str, person_id: str, admitted: Admitted) -> Response:
        await write_allowed(id, admitted)
        await rooms.take(request, person_id.lower(), await owner_of(id))
        return Response(status_code=204)


def owner_of_application(document: Document) -> RoleAt:
    registration: str = document["state"]["registration_id"]
    return RoleAt(origin_system=RoleSystem.REGISTRATION, origin_id=registration, role=OWNER)


def owner_of_principal(document: Document) -> RoleAt:
    return RoleAt(origin_system=RoleSystem.APPLICATION, origin_id=document["_id"], role=OWNER)


async def owners_shown(rooms: ResourceRooms, expand: tuple[Expand, ...], role: RoleAt) -> Document:
    """What `$expand=owners` adds to a body."""
    if not any(one.name == "owners" for one in expand):
        return {}
    ids = (await rooms.held.holders(role))[:MOST_EXPANDED]
    people = await page_of(rooms.directory.people, {"_id": {"$in": ids}, **LIVING})
    return {"owners": [typed(user_shown(one), "user") for one in people]}
