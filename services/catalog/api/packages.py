"""Access packages, what they bring, and what nobody may hold beside them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse

from services.catalog import graph
from services.catalog.api.edge import EM, Edge, Rendered, created
from services.catalog.decide import Change
from services.catalog.store import LIVING
from shared.web.conditional import IfMatch, version_named
from shared.web.errors import BadRequest, NotFound
from shared.web.guard import Admitted
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import GUID, EntitySet, ListQuery, read_query
from shared.web.odata import Field as Asked
from shared.web.paging import context_url, list_query, shape_options
from shared.web.role_scopes import role_scope_id, role_scope_said

PackageQuery = Annotated[ListQuery, Depends(list_query(graph.PACKAGES))]


def package_routes(routes: APIRouter, edge: Edge) -> None:
    shelf, now = edge.shelves.packages, edge.acts.platform.clock.now

    @routes.get(f"{EM}/accessPackages")
    async def packages(request: Request, query: PackageQuery, admitted: Admitted) -> Rendered:
        scope, render = admitted.standing.scope("state.catalog_id"), edge.seen_by(admitted).packages_said
        return await edge.many(request, query, shelf, render, "accessPackages", scope)

    @routes.post(f"{EM}/accessPackages", status_code=201)
    async def create(
        request: Request, body: graph.PackageIn, admitted: Admitted, key: IdempotencyKey = None
    ) -> Response:
        item = graph.package_of(body, made_id(request, "package"), now())
        await admitted.at(item.catalog_id)
        found = await edge.create(request, shelf, item)
        return created(request, graph.package_said(found), found.version, "accessPackages")

    @routes.get(f"{EM}/accessPackages/{{id}}", dependencies=[Depends(shape_options(graph.PACKAGES))])
    async def package(request: Request, id: str, admitted: Admitted) -> Response:
        found = await edge.package(id, admitted)
        return await edge.one(request, found, edge.seen_by(admitted).packages_said, graph.PACKAGES, "accessPackages")

    @routes.patch(f"{EM}/accessPackages/{{id}}", status_code=204)
    async def patch(
        request: Request, id: str, body: graph.PackagePatch, admitted: Admitted, if_match: IfMatch = None
    ) -> None:
        await edge.package(id, admitted)
        await edge.change(request, shelf, Change(id, graph.changes_of(body), version_named(if_match)))

    @routes.delete(f"{EM}/accessPackages/{{id}}", status_code=204)
    async def delete(request: Request, id: str, admitted: Admitted, if_match: IfMatch = None) -> Response:
        await edge.package(id, admitted)
        return await edge.delete(request, shelf, id, if_match)

    @routes.get(f"{EM}/accessPackages/{{id}}/resourceRoleScopes")
    async def role_scopes(request: Request, id: str, admitted: Admitted) -> Rendered:
        item = (await edge.package(id, admitted)).item
        query = read_query(_ROLE_SCOPES, request.query_params.multi_items())
        (said,) = await edge.role_scopes_said([item], query.expand)
        return await edge.made(request, query, said, "resourceRoleScopes")

    @routes.get(f"{EM}/resourceRoleScopes")
    async def every_role_scope(request: Request, admitted: Admitted) -> Rendered:
        """What packages bring: each role once, however many of them bring it."""
        query = read_query(_ROLE_SCOPES, request.query_params.multi_items())
        bring = {"state.roles.0": {"$exists": True}, **admitted.standing.scope("state.catalog_id"), **LIVING}
        found = await shelf.find(bring, sort=[("state.created_at", 1)])
        said = await edge.role_scopes_said([one.item for one in found], query.expand)
        first = {one["id"]: one for several in reversed(said) for one in several}
        return await edge.made(request, query, list(first.values()), "resourceRoleScopes")

    @routes.post(f"{EM}/accessPackages/{{id}}/resourceRoleScopes", status_code=201)
    async def add_role(request: Request, id: str, body: graph.RoleScopeIn, admitted: Admitted) -> Response:
        item = (await edge.package(id, admitted)).item
        role = await edge.role_of(item.catalog_id, body)
        await edge.change(request, shelf, Change(id, {}, add_roles=(role,)))
        names = await edge.origins.role_names([role])
        item = (await edge.there(shelf, id)).item
        said = role_scope_said(item.catalog_id, role, names=names, since=item.since(role))
        context = context_url(request, f"accessPackages('{id}')/resourceRoleScopes/$entity")
        return JSONResponse({"@odata.context": context, **said}, 201)

    @routes.delete(f"{EM}/accessPackages/{{id}}/resourceRoleScopes/{{role_scope}}", status_code=204)
    async def remove_role(request: Request, id: str, role_scope: str, admitted: Admitted) -> None:
        item = (await edge.package(id, admitted)).item
        keys = frozenset(r.key for r in item.roles if role_scope_id(item.catalog_id, r) == role_scope.lower())
        if not keys:
            raise NotFound("The resource was not found.")
        await edge.change(request, shelf, Change(id, {}, remove_roles=keys))


_ROLE_SCOPES = EntitySet(
    "accessPackageResourceRoleScope",
    {"id": Asked("_id")},
    selectable=frozenset({"createdDateTime", "role", "scope"}),
    expandable=frozenset({"role", "scope"}),
)


_GROUPS = EntitySet(
    "group",
    {"id": Asked("_id", GUID), "displayName": Asked("displayName", sortable=True)},
    selectable=frozenset(
        {
            "createdDateTime", "description", "groupTypes", "mailEnabled", "mailNickname", "securityEnabled",
            "visibility",
        }
    ),
    order="displayName",
)  # fmt: skip


def separation_routes(routes: APIRouter, edge: Edge) -> None:
    """Separation of duties, one way: whoever holds what a package lists cannot get that package (SOD-2)."""
    shelf, at = edge.shelves.packages, f"{EM}/accessPackages/{{id}}"

    @routes.get(f"{at}/incompatibleAccessPackages")
    async def packages(request: Request, id: str, query: PackageQuery, admitted: Admitted) -> Rendered:
        item = (await edge.package(id, admitted)).item
        scope = {"_id": {"$in": list(item.incompatible_packages)}}
        render = edge.seen_by(admitted).named_packages_said
        return await edge.many(request, query, shelf, render, "accessPackages", scope)

    @routes.post(f"{at}/incompatibleAccessPackages/$ref", status_code=204)
    async def add_package(request: Request, id: str, body: graph.LinkIn, admitted: Admitted) -> None:
        await edge.package(id, admitted)
        other = graph.linked(body, "accessPackages")
        if other == id:
            raise BadRequest("A package is not incompatible with itself.", target="@odata.id")
        await edge.there(shelf, other)
        await edge.change(request, shelf, Change(id, {}, add={"incompatible_packages": other}))

    @routes.delete(f"{at}/incompatibleAccessPackages/{{other}}/$ref", status_code=204)
    async def remove_package(request: Request, id: str, other: str, admitted: Admitted) -> None:
        if other not in (await edge.package(id, admitted)).item.incompatible_packages:
            raise NotFound("The resource was not found.")
        await edge.change(request, shelf, Change(id, {}, remove={"incompatible_packages": other}))

    @routes.get(f"{at}/accessPackagesIncompatibleWith")
    async def listing(request: Request, id: str, query: PackageQuery, admitted: Admitted) -> Rendered:
        """Packages that list this one, of the catalogs that the caller may see."""
        await edge.package(id, admitted)
        scope = {"state.incompatible_packages": id, **admitted.standing.scope("state.catalog_id")}
        render = edge.seen_by(admitted).packages_said
        return await edge.many(request, query, shelf, render, "accessPackages", scope)

    @routes.get(f"{at}/incompatibleGroups")
    async def groups(
        request: Request, id: str, admitted: Admitted, query: Annotated[ListQuery, Depends(list_query(_GROUPS))]
    ) -> Rendered:
        ids = (await edge.package(id, admitted)).item.incompatible_groups
        known = await edge.shelves.groups.there(ids)
        return await edge.made(request, query, [graph.group_said(one, known) for one in ids], "groups")

    @routes.post(f"{at}/incompatibleGroups/$ref", status_code=204)
    async def add_group(request: Request, id: str, body: graph.LinkIn, admitted: Admitted) -> None:
        await edge.package(id, admitted)
        group = graph.linked(body, "groups")
        if group not in await edge.shelves.groups.names_once_heard([group], edge.acts.platform.hearing):
            raise NotFound(f"The group {group} was not found.", target="@odata.id")
        await edge.change(request, shelf, Change(id, {}, add={"incompatible_groups": group}))

    @routes.delete(f"{at}/incompatibleGroups/{{group}}/$ref", status_code=204)
    async def remove_group(request: Request, id: str, group: str, admitted: Admitted) -> None:
        if group not in (await edge.package(id, admitted)).item.incompatible_groups:
            raise NotFound("The resource was not found.")
        await edge.change(request, shelf, Change(id, {}, remove={"incompatible_groups": group}))
