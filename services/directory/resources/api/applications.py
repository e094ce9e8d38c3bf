"""Registered applications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.directory.decide.applications import (
    ChangeApplication,
    Register,
    Unregister,
)
from services.directory.lists import answer_shown
from services.directory.resources import graph
from services.directory.resources.api.owners import owner_of_application, owners_shown
from services.directory.resources.api.rooms import ResourceRooms, location
from services.directory.resources.graph import (
    APPLICATIONS,
    ApplicationIn,
    ApplicationPatch,
)
from services.directory.resources.store import (
    LIVING,
    Document,
)
from shared.contracts.resources import (
    principal_id_of,
)
from shared.web.conditional import IfMatch, etag, version_named
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import Expand, ListQuery, Shape
from shared.web.paging import context_url, list_query, shape_query


def application_routes(router: APIRouter, rooms: ResourceRooms) -> None:
    registered: Document = {"state.registration_id": {"$type": "string"}, **LIVING}

    async def shown(expand: tuple[Expand, ...], one: Document) -> Document:
        return {**graph.application(one), **await owners_shown(rooms, expand, owner_of_application(one))}

    @router.get("/v1.0/applications")
    async def applications(
        request: Request, query: Annotated[ListQuery, Depends(list_query(APPLICATIONS))]
    ) -> dict[str, Any]:
        async def all_shown(found: Sequence[Document]) -> list[Document]:
            return [await shown(query.expand, one) for one in found]

        return await answer_shown(
            request, query, rooms.applications, all_shown, context="applications", scope=registered
        )

    @router.post("/v1.0/applications", status_code=201)
    async def register(
        request: Request, response: Response, body: ApplicationIn, key: IdempotencyKey = None
    ) -> dict[str, Any]:
        """The appId is given here; a service principal is made by itself."""
        id = made_id(request, "application")
        app_id = graph.app_id_made(id)
        await rooms.change_application(request, Register(principal_id_of(app_id), app_id, id, body.properties()))
        made = await rooms.application(id)
        response.headers["ETag"] = etag(made["version"])
        response.headers["Location"] = location(request, f"applications/{id}")
        return {"@odata.context": context_url(request, "applications/$entity"), **graph.application(made)}

    @router.get("/v1.0/applications/{id}")
    async def application(
        request: Request, response: Response, id: str, shape: Annotated[Shape, Depends(shape_query(APPLICATIONS))]
    ) -> dict[str, Any]:
        found = await rooms.application(id)
        response.headers["ETag"] = etag(found["version"])
        body = shape.selected(await shown(shape.expand, found))
        return {"@odata.context": context_url(request, "applications/$entity", shape.select), **body}

    @router.patch("/v1.0/applications/{id}", status_code=204)
    async def patch(request: Request, id: str, body: ApplicationPatch, if_match: IfMatch = None) -> Response:
        """`appRoles` are replaced as a whole; one that is enabled cannot be left out."""
        found = await rooms.application(id)
        await rooms.change_application(
            request, ChangeApplication(found["_id"], body.properties()), version_named(if_match)
        )
        return Response(status_code=204)

    @router.delete("/v1.0/applications/{id}", status_code=204)
    async def delete(request: Request, id: str, if_match: IfMatch = None) -> Response:
        """With its service principal, if it has one."""
        found = await rooms.application(id)
        await rooms.change_application(request, Unregister(found["_id"]), version_named(if_match))
        return Response(status_code=204)
