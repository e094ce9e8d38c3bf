"""The custom extensions of catalogs over HTTP, and what a policy may name of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.catalog import extensions, graph
from services.catalog.api.edge import (
    EM,
    Edge,
    Rendered,
    created,
)
from services.catalog.decide import Change
from services.catalog.model import Extension
from services.catalog.store import Versioned
from shared.web.conditional import IfMatch, version_named
from shared.web.errors import NotFound
from shared.web.guard import Admission, Admitted
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import Expand, ListQuery
from shared.web.paging import list_query


def extension_routes(routes: APIRouter, edge: Edge) -> None:
    """Graph's `catalogs/{id}/customWorkflowExtensions`."""
    shelf, now = edge.shelves.extensions, edge.acts.platform.clock.now
    at = f"{EM}/catalogs/{{id}}/customWorkflowExtensions"

    async def render(found: Sequence[Versioned[Any]], _expand: tuple[Expand, ...]) -> list[Rendered]:
        return [graph.extension_said(one) for one in found]

    async def found_in(catalog: str, id: str, admitted: Admission) -> Versioned[Extension]:
        """Raises NotFound, for one of another catalog too."""
        await edge.catalog(catalog, admitted)
        found = await edge.there(shelf, id)
        if found.item.catalog_id != catalog:
            raise NotFound("The resource was not found.")
        return found

    @routes.get(at)
    async def listing(
        request: Request,
        id: str,
        query: Annotated[ListQuery, Depends(list_query(graph.EXTENSIONS))],
        admitted: Admitted,
    ) -> Rendered:
        await edge.catalog(id, admitted)
        scope = {"state.catalog_id": id}
        return await edge.many(request, query, shelf, render, "customWorkflowExtensions", scope)

    @routes.post(at, status_code=201)
    async def create(
        request: Request, id: str, body: extensions.ExtensionIn, admitted: Admitted, key: IdempotencyKey = None
    ) -> Response:
        """Kept for policies to name; nothing calls it yet."""
        await edge.catalog(id, admitted)
        item = extensions.extension_of(body, made_id(request, "extension"), id, _who(admitted), now())
        found = await edge.create(request, shelf, item)
        return created(request, graph.extension_said(found), found.version, "customWorkflowExtensions")

    @routes.get(f"{at}/{{extension}}")
    async def one(request: Request, id: str, extension: str, admitted: Admitted) -> Response:
        return await edge.one(
            request, await found_in(id, extension, admitted), render, graph.EXTENSIONS, "customWorkflowExtensions"
        )

    @routes.put(f"{at}/{{extension}}")
    async def replace(
        request: Request,
        id: str,
        extension: str,
        body: extensions.ExtensionPut,
        admitted: Admitted,
        if_match: IfMatch = None,
    ) -> Response:
        """What the body leaves out stays."""
        before = (await found_in(id, extension, admitted)).item
        values = extensions.changes_of(body, before, _who(admitted))
        await edge.change(request, shelf, Change(extension, values, version_named(if_match)))
        return await edge.one(
            request, await edge.there(shelf, extension), render, graph.EXTENSIONS, "customWorkflowExtensions"
        )

    @routes.delete(f"{at}/{{extension}}", status_code=204)
    async def delete(
        request: Request, id: str, extension: str, admitted: Admitted, if_match: IfMatch = None
    ) -> Response:
        """Refused while a policy names it."""
        await found_in(id, extension, admitted)
        return await edge.delete(request, shelf, extension, if_match)


def _who(admitted: Admission) -> str | None:
    caller = admitted.standing.caller
    return caller.user_principal_name or caller.person_id or caller.app_id
