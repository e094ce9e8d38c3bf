"""What hangs on the resources of catalogs: their roles and scopes, the requests that brought them, the environments.

None of it is kept: it is made of the resources and of what the directory told, so that it is never out of date. These
lists are short (a catalog has some hundreds of resources), and MongoDB reads their `$filter` as that of any other.
Source: reference/graph-api-operations.md 2.6, 2.7.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse

from services.catalog import graph
from services.catalog.acts import Acts
from services.catalog.decide import Change
from services.catalog.environments import environments_of
from services.catalog.model import Resource
from services.catalog.origins import Place
from services.catalog.store import LIVING, Shelf, Versioned
from shared.contracts.catalog import Life
from shared.ids import derived_id
from shared.web.caller import cause_of
from shared.web.errors import BadRequest, Conflict, NotFound
from shared.web.graph_model import graph_time
from shared.web.guard import Admission, Admitted, admission_of
from shared.web.odata import BOOLEAN, DATETIME, GUID, EntitySet, Enumeration, Expand, Field, ListQuery, Shape
from shared.web.paging import answer_made, context_url, list_query, shape_query

EM = "/v1.0/identityGovernance/entitlementManagement"

_ORIGIN = {"displayName": Field("displayName", sortable=True), "originId": Field("originId")}


def _parts(type_name: str, **more: Field) -> EntitySet:
    """Roles or scopes."""
    return EntitySet(
        type_name,
        {
            "id": Field("_id", GUID),
            **_ORIGIN,
            "originSystem": Field("originSystem"),
            "resource/id": Field("resource.id", GUID),
            "resource/originId": Field("resource.originId"),
            **more,
        },
        selectable=frozenset({"description"}),
        expandable={"resource": lambda: graph.RESOURCES},
        order="displayName",
    )


ROLES = _parts("accessPackageResourceRole")
SCOPES = _parts("accessPackageResourceScope", isRootScope=Field("isRootScope", BOOLEAN))
RoleQuery = Annotated[ListQuery, Depends(list_query(ROLES))]
ScopeQuery = Annotated[ListQuery, Depends(list_query(SCOPES))]
REQUESTS = EntitySet(
    "accessPackageResourceRequest",
    {
        "id": Field("_id", GUID),
        "requestType": Field("requestType", Enumeration(("adminAdd", "adminRemove"))),
        "state": Field("state", Enumeration(("delivered",))),
        "createdDateTime": Field("created", DATETIME, sortable=True),
        "catalog/id": Field("catalog.id", GUID),
        "resource/id": Field("resource.id", GUID),
        "resource/originId": Field("resource.originId"),
    },
    expandable={"catalog": lambda: graph.CATALOGS, "resource": lambda: graph.RESOURCES},
    order="createdDateTime",
)
ENVIRONMENTS = EntitySet(
    "accessPackageResourceEnvironment",
    {
        "id": Field("_id", GUID),
        **_ORIGIN,
        "originSystem": Field("originSystem"),
        "isDefaultEnvironment": Field("isDefaultEnvironment", BOOLEAN),
    },
    selectable=frozenset({"description", "connectionInfo"}),
    order="displayName",
)

_Made = dict[str, Any]
"""A body, with its id as `_id` too and whatever else it is asked by."""
_HIDDEN = frozenset({"_id", "created", "catalog", "resource"})
"""It is asked by these. Relations are put in where they are expanded."""

Render = Callable[[Sequence[Versioned[Any]], tuple[Expand, ...]], Awaitable[list[dict[str, Any]]]]
"""How things are said, with what is expanded."""
Renders = Callable[[Admission], Mapping[str, Render]]
"""The same by relation, as far as a caller sees what is expanded."""


async def bodies_by_id(
    found: Mapping[str, Versioned[Any]], render: Render, asked: Expand | None
) -> dict[str, dict[str, Any]]:
    """The bodies of what a relation leads to, with what is asked for inside it."""
    bodies = await render(list(found.values()), asked.expand if asked else ())
    return dict(zip(found, bodies, strict=True))


def request_id(resource: str, request_type: str) -> str:
    """Of the request by which a resource came into its catalog, or left it."""
    return derived_id("resourceRequest", resource, request_type)


class _Lists:
    """The lists, made of what there is."""

    def __init__(self, acts: Acts, renders: Renders) -> None:
        self._acts = acts
        self._shelves = acts.shelves
        self._related: dict[str, Shelf[Any]] = {"catalog": acts.shelves.catalogs, "resource": acts.shelves.resources}
        self._renders = renders

    async def of_catalog(self, id: str, admitted: Admission) -> list[Versioned[Resource]]:
        """All its resources. Raises NotFound, and NoRight for a catalog that is out of bounds."""
        if await self._shelves.catalogs.get(id) is None:
            raise NotFound("The resource was not found.")
        await admitted.at(id)
        return await self._shelves.resources.find({"state.catalog_id": id, **LIVING})

    async def resource(self, id: str, admitted: Admission, catalog: str | None = None) -> list[Versioned[Resource]]:
        """That one alone. Raises NotFound, in another catalog too, and NoRight."""
        found = await self._shelves.resources.get(id)
        if found is None or catalog not in (None, found.item.catalog_id):
            raise NotFound("The resource was not found.")
        await admitted.at(found.item.catalog_id)
        return [found]

    async def roles(self, resources: Sequence[Versioned[Resource]]) -> list[_Made]:
        places: list[Place] = [(one.item.origin_system, one.item.origin_id) for one in resources]
        origins = await self._acts.origins.of(places)
        roles = {place: origin.roles for place, origin in origins.items()}
        return [
            _made(role, one)
            for one, place in zip(resources, places, strict=True)
            for role in graph.resource_said(one, frozenset({"roles"}), roles.get(place))["roles"]
        ]

    async def scopes(self, resources: Sequence[Versioned[Resource]]) -> list[_Made]:
        return [
            _made(scope, one)
            for one in resources
            for scope in graph.resource_said(one, frozenset({"scopes"}))["scopes"]
        ]

    async def requests(self, scope: Mapping[str, Any]) -> list[_Made]:
        """One that brought each resource, and one that took it out again of each that is gone."""
        made: list[_Made] = []
        for one in await self._shelves.resources.find(scope):
            about = {
                "catalog": {"id": one.item.catalog_id},
                "resource": {"id": one.item.id, "originId": one.item.origin_id},
            }
            dates = {"adminAdd": one.item.created_at}
            if one.item.life is Life.DELETED:
                dates["adminRemove"] = one.item.modified_at
            for kind, when in dates.items():
                id = request_id(one.item.id, kind)
                said = {"id": id, "requestType": kind, "state": "delivered", "createdDateTime": graph_time(when)}
                made.append({"_id": id, "created": when, **said, **about})
        return made

    async def environments(self) -> list[_Made]:
        return [{**one, "_id": one["id"]} for one in await environments_of(self._acts.origins)]

    async def answer(self, request: Request, query: ListQuery, made: Sequence[_Made], context: str) -> dict[str, Any]:
        """The page of `made` that `query` asks for."""

        async def read(found: Sequence[Mapping[str, Any]]) -> list[_Made]:
            said = await self.said(found, query.expand, admission_of(request))
            return [{**one, "said": body} for one, body in zip(found, said, strict=True)]

        database = self._acts.platform.database
        return await answer_made(
            request, query, made, database, render=lambda one: one["said"], context=context, read=read
        )

    async def said(
        self, made: Sequence[Mapping[str, Any]], expand: Sequence[Expand], admitted: Admission
    ) -> list[dict[str, Any]]:
        """The bodies, with what is expanded. What is gone is still said of what brought or took it."""
        bodies = [{name: value for name, value in one.items() if name not in _HIDDEN} for one in made]
        for relation in expand:
            shelf, render = self._related[relation.name], self._renders(admitted)[relation.name]
            ids = [one[relation.name]["id"] for one in made]
            found = await shelf.find({"_id": {"$in": sorted(set(ids))}})
            said = await bodies_by_id({one.item.id: one for one in found}, render, relation)
            for body, id in zip(bodies, ids, strict=True):
                body[relation.name] = said.get(id, {"id": id})
        return bodies

    async def refresh(self, request: Request, found: Versioned[Resource]) -> None:
        """Take the name from where the resource comes from. Raises NotFound if it is there no longer."""
        place: Place = (found.item.origin_system, found.item.origin_id)
        origin = (await self._acts.origins.of([place])).get(place)
        if origin is None:
            raise NotFound(f"{found.item.display_name} is no longer there, so that nothing can be read anew.")
        if origin.name != found.item.display_name:
            change = Change(found.item.id, {"display_name": origin.name})
            decision = await self._acts.run_one(self._shelves.resources, change, cause_of(request))
            if decision.refusal:
                raise Conflict(decision.refusal.message)


def _made(part: Mapping[str, Any], resource: Versioned[Resource]) -> _Made:
    return {**part, "_id": part["id"], "resource": {"id": resource.item.id, "originId": resource.item.origin_id}}


def add_resource_lists(routes: APIRouter, acts: Acts, renders: Renders) -> None:
    """Their routes."""
    lists = _Lists(acts, renders)
    _part_routes(routes, lists)
    _resource_routes(routes, lists)
    _request_routes(routes, lists)


_ROLES, _SCOPES = "accessPackageResourceRoles", "accessPackageResourceScopes"


def _part_routes(routes: APIRouter, lists: _Lists) -> None:
    @routes.get(f"{EM}/catalogs/{{id}}/resourceRoles")
    async def roles_of_catalog(request: Request, id: str, query: RoleQuery, admitted: Admitted) -> dict[str, Any]:
        """What packages of this catalog can bring: every role of every resource."""
        return await lists.answer(request, query, await lists.roles(await lists.of_catalog(id, admitted)), _ROLES)

    @routes.get(f"{EM}/catalogs/{{id}}/resourceScopes")
    async def scopes_of_catalog(request: Request, id: str, query: ScopeQuery, admitted: Admitted) -> dict[str, Any]:
        return await lists.answer(request, query, await lists.scopes(await lists.of_catalog(id, admitted)), _SCOPES)

    @routes.get(f"{EM}/catalogs/{{id}}/resources/{{resource}}/roles")
    async def roles_of_resource(
        request: Request, id: str, resource: str, query: RoleQuery, admitted: Admitted
    ) -> dict[str, Any]:
        return await lists.answer(
            request, query, await lists.roles(await lists.resource(resource, admitted, id)), _ROLES
        )

    @routes.get(f"{EM}/catalogs/{{id}}/resources/{{resource}}/scopes")
    async def scopes_of_resource(
        request: Request, id: str, resource: str, query: ScopeQuery, admitted: Admitted
    ) -> dict[str, Any]:
        return await lists.answer(
            request, query, await lists.scopes(await lists.resource(resource, admitted, id)), _SCOPES
        )

    @routes.get(f"{EM}/resources/{{resource}}/roles")
    async def roles(request: Request, resource: str, query: RoleQuery, admitted: Admitted) -> dict[str, Any]:
        return await lists.answer(request, query, await lists.roles(await lists.resource(resource, admitted)), _ROLES)

    @routes.get(f"{EM}/resources/{{resource}}/scopes")
    async def scopes(request: Request, resource: str, query: ScopeQuery, admitted: Admitted) -> dict[str, Any]:
        return await lists.answer(request, query, await lists.scopes(await lists.resource(resource, admitted)), _SCOPES)


def _resource_routes(routes: APIRouter, lists: _Lists) -> None:
    @routes.post(f"{EM}/catalogs/{{id}}/resources/{{resource}}/refresh", status_code=200)
    async def refresh(request: Request, id: str, resource: str, admitted: Admitted) -> Response:
        """Read the name anew from where the resource comes from. Its roles are never kept, so they always are new."""
        (found,) = await lists.resource(resource, admitted, id)
        await lists.refresh(request, found)
        return Response(status_code=200)

    @routes.post(
        f"{EM}/accessPackageCatalogs/{{id}}/accessPackageResources/{{resource}}/refresh",
        status_code=200,
        name="refresh, as the page about it spells it",
    )
    async def refresh_as_documented(request: Request, id: str, resource: str, admitted: Admitted) -> Response:
        (found,) = await lists.resource(resource, admitted, id)
        await lists.refresh(request, found)
        return Response(status_code=200)

    @routes.get(f"{EM}/resourceEnvironments")
    async def environments(
        request: Request, query: Annotated[ListQuery, Depends(list_query(ENVIRONMENTS))]
    ) -> dict[str, Any]:
        """Where sites lie. As documented, only with `$filter=originSystem eq 'SharePointOnline'`."""
        if not query.where:
            raise BadRequest("Say $filter=originSystem eq 'SharePointOnline'.", target="$filter")
        return await lists.answer(request, query, await lists.environments(), "accessPackageResourceEnvironments")


def _request_routes(routes: APIRouter, lists: _Lists) -> None:
    @routes.get(f"{EM}/resourceRequests")
    async def requests(
        request: Request, query: Annotated[ListQuery, Depends(list_query(REQUESTS))], admitted: Admitted
    ) -> dict[str, Any]:
        """How resources came into catalogs and left them."""
        made = await lists.requests(admitted.standing.scope("state.catalog_id"))
        return await lists.answer(request, query, made, "accessPackageResourceRequests")

    @routes.get(f"{EM}/resourceRequests/{{id}}")
    async def resource_request(
        request: Request, id: str, admitted: Admitted, shape: Annotated[Shape, Depends(shape_query(REQUESTS))]
    ) -> Response:
        for made in await lists.requests({}):
            if made["_id"] == id:
                await admitted.at(made["catalog"]["id"])
                (said,) = await lists.said([made], shape.expand, admitted)
                context = context_url(request, "accessPackageResourceRequests/$entity", shape.select)
                return JSONResponse({"@odata.context": context, **shape.selected(said)})
        raise NotFound("The resource was not found.")
