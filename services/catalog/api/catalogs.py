"""Catalogs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.catalog import graph
from services.catalog.api.edge import EM, Edge, Rendered, created
from services.catalog.api.packages import PackageQuery
from services.catalog.decide import Change
from services.catalog.delegation import first_owner_of
from shared.security.operations import ADMINISTER
from shared.web.caller import cause_of
from shared.web.conditional import IfMatch, version_named
from shared.web.guard import Admitted
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import ListQuery
from shared.web.paging import list_query, shape_options


def catalog_routes(routes: APIRouter, edge: Edge) -> None:
    shelf, now = edge.shelves.catalogs, edge.acts.platform.clock.now

    @routes.get(f"{EM}/catalogs")
    async def catalogs(
        request: Request, query: Annotated[ListQuery, Depends(list_query(graph.CATALOGS))], admitted: Admitted
    ) -> Rendered:
        scope = admitted.standing.scope("_id")
        return await edge.many(
            request, query, shelf, edge.seen_by(admitted).catalogs_said, "accessPackageCatalogs", scope
        )

    @routes.post(f"{EM}/catalogs", status_code=201)
    async def create(
        request: Request, body: graph.CatalogIn, admitted: Admitted, key: IdempotencyKey = None
    ) -> Response:
        """Who makes it without being an administrator is its first owner."""
        item = graph.catalog_of(body, made_id(request, "catalog"), now())
        if not admitted.standing.meets(ADMINISTER):
            item = item.model_copy(update=first_owner_of(admitted.standing.caller))
        found = await edge.create(request, shelf, item)
        await edge.acts.make_first_owner(found.item.public(), cause_of(request))
        return created(request, graph.catalog_said(found), found.version, "accessPackageCatalogs")

    @routes.get(f"{EM}/catalogs/{{id}}", dependencies=[Depends(shape_options(graph.CATALOGS))])
    async def catalog(request: Request, id: str, admitted: Admitted) -> Response:
        found = await edge.catalog(id, admitted)
        render = edge.seen_by(admitted).catalogs_said
        return await edge.one(request, found, render, graph.CATALOGS, "accessPackageCatalogs")

    @routes.patch(f"{EM}/catalogs/{{id}}", status_code=204)
    async def patch(
        request: Request, id: str, body: graph.CatalogPatch, admitted: Admitted, if_match: IfMatch = None
    ) -> None:
        await edge.catalog(id, admitted)
        await edge.change(request, shelf, Change(id, graph.changes_of(body), version_named(if_match)))

    @routes.delete(f"{EM}/catalogs/{{id}}", status_code=204)
    async def delete(request: Request, id: str, admitted: Admitted, if_match: IfMatch = None) -> Response:
        await edge.catalog(id, admitted)
        return await edge.delete(request, shelf, id, if_match)

    @routes.get(f"{EM}/catalogs/{{id}}/accessPackages")
    async def packages(request: Request, id: str, query: PackageQuery, admitted: Admitted) -> Rendered:
        await edge.catalog(id, admitted)
        scope, render = {"state.catalog_id": id}, edge.seen_by(admitted).packages_said
        return await edge.many(request, query, edge.shelves.packages, render, "accessPackages", scope)
