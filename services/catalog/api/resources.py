"""Resources of catalogs, and the requests that bring them there and take them out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse

from services.catalog import graph
from services.catalog.api.edge import EM, Edge, Rendered
from services.catalog.attributes import attributes_of
from services.catalog.decide import Change
from services.catalog.model import Resource
from services.catalog.origins import NOUNS
from services.catalog.resource_lists import request_id
from shared.web.errors import BadRequest, Conflict, NotFound
from shared.web.guard import Admission, Admitted
from shared.web.odata import ListQuery
from shared.web.paging import context_url, list_query, shape_options


def resource_routes(routes: APIRouter, edge: Edge) -> None:
    shelf = edge.shelves.resources

    @routes.get(f"{EM}/catalogs/{{id}}/resources")
    async def resources(
        request: Request,
        id: str,
        query: Annotated[ListQuery, Depends(list_query(graph.RESOURCES))],
        admitted: Admitted,
    ) -> Rendered:
        await edge.catalog(id, admitted)
        scope = {"state.catalog_id": id}
        return await edge.many(request, query, shelf, edge.resources_said, "accessPackageResources", scope)

    @routes.get(f"{EM}/catalogs/{{id}}/resources/{{resource}}", dependencies=[Depends(shape_options(graph.RESOURCES))])
    async def resource_of(request: Request, id: str, resource: str, admitted: Admitted) -> Response:
        found = await edge.there(shelf, resource)
        if found.item.catalog_id != id:
            raise NotFound("The resource was not found.")
        await admitted.at(id)
        return await edge.one(request, found, edge.resources_said, graph.RESOURCES, "accessPackageResources")

    @routes.get(f"{EM}/resources")
    async def all_resources(
        request: Request, query: Annotated[ListQuery, Depends(list_query(graph.RESOURCES))], admitted: Admitted
    ) -> Rendered:
        """Those of every catalog within reach."""
        scope = admitted.standing.scope("state.catalog_id")
        return await edge.many(request, query, shelf, edge.resources_said, "accessPackageResources", scope)

    @routes.get(f"{EM}/resources/{{id}}", dependencies=[Depends(shape_options(graph.RESOURCES))])
    async def resource(request: Request, id: str, admitted: Admitted) -> Response:
        found = await edge.there(shelf, id)
        await admitted.at(found.item.catalog_id)
        return await edge.one(request, found, edge.resources_said, graph.RESOURCES, "accessPackageResources")


def resource_request_routes(routes: APIRouter, edge: Edge) -> None:
    shelf, now = edge.shelves.resources, edge.acts.platform.clock.now

    @routes.post(f"{EM}/resourceRequests", status_code=201)
    async def resource_request(request: Request, body: graph.ResourceRequestIn, admitted: Admitted) -> Response:
        """Add a group, an application or a site to a catalog, or take it out: done at once, as Graph mostly answers
        `delivered`. Whoever is no administrator of it has to own the resource, too."""
        catalog, asked = body.catalog.id, body.resource
        await admitted.at(catalog)
        id = asked.id or Resource.id_of(catalog, asked.origin_system, asked.origin_id or "")
        match body.request_type:
            case "adminRemove":
                item = await resource_in(catalog, id)
                await edge.power_over([(item.origin_system, item.origin_id)], admitted)
                await _take_out(request, edge, item)
            case "adminUpdate":
                await resource_in(catalog, id)
                await ask_about(request, id, asked)
            case "adminAdd":
                id = await add_resource(request, catalog, asked, admitted)
        said = {"id": request_id(id, body.request_type), "requestType": body.request_type, "state": "delivered"}
        return JSONResponse(
            {"@odata.context": context_url(request, "accessPackageResourceRequests/$entity"), **said}, 201
        )

    async def resource_in(catalog: str, id: str) -> Resource:
        """Raises NotFound for one that lies elsewhere: whoever may write one catalog may not reach into another."""
        found = (await edge.there(shelf, id)).item
        if found.catalog_id != catalog:
            raise NotFound("The resource was not found.")
        return found

    async def add_resource(request: Request, catalog: str, asked: graph.ResourceIn, admitted: Admission) -> str:
        if not asked.origin_id:
            raise BadRequest("The resource has an originId.", target="resource/originId")
        place = (asked.origin_system, asked.origin_id)
        origin = (await edge.origins.once_heard([place], edge.acts.platform.hearing)).get(place)
        if origin is None:
            noun = NOUNS[asked.origin_system]
            raise NotFound(f"The {noun} {asked.origin_id} was not found.", target="resource/originId")
        if origin.unfit:
            raise BadRequest(f"{origin.name} {origin.unfit}: no catalog takes it.", target="resource/originId")
        await edge.power_over([(asked.origin_system, origin.id)], admitted)
        item = Resource(
            id=Resource.id_of(catalog, asked.origin_system, origin.id),
            catalog_id=catalog,
            origin_system=asked.origin_system,
            origin_id=origin.id,
            display_name=origin.name,
            description=asked.description or "",
            created_at=now(),
            modified_at=now(),
        )
        await edge.create(request, shelf, item)
        await ask_about(request, item.id, asked)
        return item.id

    async def ask_about(request: Request, id: str, asked: graph.ResourceIn) -> None:
        """Set what is asked of whoever wants the resource, if anything is said of that."""
        await edge.there(shelf, id)
        if asked.attributes is not None:
            await edge.change(request, shelf, Change(id, {"attributes": attributes_of(asked.attributes, id)}))


async def _take_out(request: Request, edge: Edge, item: Resource) -> None:
    """Raises BadRequest, with the code that Graph has for it, while a package brings it."""
    try:
        await edge.delete(request, edge.shelves.resources, item.id, None)
    except Conflict as problem:
        if problem.code != "InUse":
            raise
        text = f"The resource: {item.display_name} can not be deleted because there are active entitlements."
        raise BadRequest(text, code="InvalidDeleteResourceHasEntitlements", target="resource") from problem
