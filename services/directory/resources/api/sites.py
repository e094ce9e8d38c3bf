"""Sites, and who has which role of one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.directory.decide.held_roles import held_role_id
from services.directory.decide.sites import ChangeSite, CreateSite, DeleteSite
from services.directory.lists import answer_page
from services.directory.resources import graph
from services.directory.resources.api.rooms import ResourceRooms, location
from services.directory.resources.graph import (
    SITE_ASSIGNMENTS,
    SITES,
    SiteAssignmentIn,
    SiteIn,
    SitePatch,
)
from services.directory.resources.store import (
    LIVING,
    Document,
    Scope,
    held_at,
    site_id_of,
)
from shared.contracts.resources import (
    RoleAt,
    RoleSystem,
)
from shared.web.conditional import IfMatch, etag, version_named
from shared.web.idempotency import IdempotencyKey
from shared.web.odata import ListQuery, Shape
from shared.web.paging import answer_list, context_url, list_query, shape_query


def site_routes(router: APIRouter, rooms: ResourceRooms) -> None:
    @router.get("/v1.0/sites")
    async def sites(
        request: Request,
        query: Annotated[ListQuery, Depends(list_query(SITES, also=frozenset({"search"})))],
        search: str | None = None,
    ) -> dict[str, Any]:
        """Sites that have been made known. `search` is SharePoint's own, over names; `*` finds all."""
        scope: Document = dict(LIVING)
        if search and search.strip() not in {"", "*"}:
            scope["state.label"] = {"$regex": re.escape(search.strip().casefold())}
        return await answer_page(request, query, rooms.sites, render=graph.site, context="sites", scope=scope)

    @router.get("/v1.0/sites/{id}")
    async def site(
        request: Request, response: Response, id: str, shape: Annotated[Shape, Depends(shape_query(SITES))]
    ) -> dict[str, Any]:
        found = await rooms.site(id)
        response.headers["ETag"] = etag(found["version"])
        body = shape.selected(graph.site(found))
        return {"@odata.context": context_url(request, "sites/$entity", shape.select), **body}

    @router.post("/v1.0/tenure/sites", status_code=201)
    async def create(request: Request, response: Response, body: SiteIn, key: IdempotencyKey = None) -> dict[str, Any]:
        """Make a site known, by its address. Graph has no way to."""
        id = site_id_of(body.web_url)
        await rooms.change_site(request, CreateSite(id, body.properties()))
        made = await rooms.site(id)
        response.headers["ETag"] = etag(made["version"])
        response.headers["Location"] = location(request, f"sites/{id}")
        return {**graph.site(made), "roles": [graph.site_role(role) for role in made["state"]["roles"]]}

    @router.patch("/v1.0/tenure/sites/{id}", status_code=204)
    async def patch(request: Request, id: str, body: SitePatch, if_match: IfMatch = None) -> Response:
        found = await rooms.site(id)
        await rooms.change_site(request, ChangeSite(found["_id"], body.properties()), version_named(if_match))
        return Response(status_code=204)

    @router.delete("/v1.0/tenure/sites/{id}", status_code=204)
    async def delete(request: Request, id: str, if_match: IfMatch = None) -> Response:
        found = await rooms.site(id)
        await rooms.change_site(request, DeleteSite(found["_id"]), version_named(if_match))
        return Response(status_code=204)

    @router.get("/v1.0/tenure/sites/{id}/roles")
    async def roles(id: str) -> dict[str, Any]:
        """The site's roles, by the numbers that packages name them by."""
        return {"value": [graph.site_role(role) for role in (await rooms.site(id))["state"]["roles"]]}


def site_assignment_routes(router: APIRouter, rooms: ResourceRooms) -> None:
    async def of_site(id: str) -> tuple[Document, Scope]:
        site = await rooms.site(id)
        return site, held_at(RoleSystem.SITE, site["state"]["web_url"])

    async def shown(site: Document, found: Sequence[Document]) -> list[Document]:
        return [{**one, "site": site["state"]} for one in await rooms.with_people(found)]

    @router.get("/v1.0/tenure/sites/{id}/assignments")
    async def assignments(
        request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(SITE_ASSIGNMENTS))]
    ) -> dict[str, Any]:
        """Who has which role of the site."""
        site, scope = await of_site(id)

        async def find(q: ListQuery) -> list[Document]:
            return await shown(site, await rooms.held.page(q, scope))

        return await answer_list(
            request,
            query,
            find=find,
            total=lambda q: rooms.held.total(q, scope),
            render=graph.site_assignment,
            context="siteRoleAssignments",
        )

    @router.post("/v1.0/tenure/sites/{id}/assignments", status_code=201)
    async def assign(
        request: Request, response: Response, id: str, body: SiteAssignmentIn, key: IdempotencyKey = None
    ) -> dict[str, Any]:
        """By hand: Tenure's own bookkeeping never takes it away."""
        site, scope = await of_site(id)
        person = await rooms.person(body.principal_id)
        role = RoleAt(origin_system=RoleSystem.SITE, origin_id=site["state"]["web_url"], role=body.role_id)
        await rooms.give(request, person, role)
        held = held_role_id(person, role)
        (one,) = await shown(site, [await rooms.held_role(held, scope)])
        response.headers["Location"] = location(request, f"tenure/sites/{id}/assignments/{held}")
        return graph.site_assignment(one)

    @router.delete("/v1.0/tenure/sites/{id}/assignments/{assignment}", status_code=204)
    async def unassign(request: Request, id: str, assignment: str) -> Response:
        _, scope = await of_site(id)
        return await rooms.take_held(request, assignment, scope)
