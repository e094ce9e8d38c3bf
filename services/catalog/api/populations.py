"""Populations: who is meant by a rule, under a name."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.catalog import graph
from services.catalog.api.edge import TENURE, Edge, Rendered, created
from services.catalog.decide import Change
from shared.web.conditional import IfMatch, version_named
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import ListQuery
from shared.web.paging import list_query


def population_routes(routes: APIRouter, edge: Edge) -> None:
    shelf, now = edge.shelves.populations, edge.acts.platform.clock.now
    base = f"{TENURE}/populations"

    @routes.get(base)
    async def populations(
        request: Request, query: Annotated[ListQuery, Depends(list_query(graph.POPULATIONS))]
    ) -> Rendered:
        return await edge.many(request, query, shelf, edge.populations_said, "populations")

    @routes.post(base, status_code=201)
    async def create(request: Request, body: graph.PopulationIn, key: IdempotencyKey = None) -> Response:
        found = await edge.create(request, shelf, graph.population_of(body, made_id(request, "population"), now()))
        return created(request, graph.population_said(found), found.version, "populations")

    @routes.get(f"{base}/{{id}}")
    async def population(request: Request, id: str) -> Response:
        return await edge.one(
            request, await edge.there(shelf, id), edge.populations_said, graph.POPULATIONS, "populations"
        )

    @routes.patch(f"{base}/{{id}}", status_code=204)
    async def patch(request: Request, id: str, body: graph.PopulationPatch, if_match: IfMatch = None) -> None:
        values = graph.changes_of(body, {"membership_rule": "rule"})
        await edge.change(request, shelf, Change(id, values, version_named(if_match)))

    @routes.delete(f"{base}/{{id}}", status_code=204)
    async def delete(request: Request, id: str, if_match: IfMatch = None) -> Response:
        return await edge.delete(request, shelf, id, if_match)
