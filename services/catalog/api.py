"""What catalog answers over HTTP: Graph's paths for catalogs, packages, role scopes, policies and resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse

from services.catalog import graph
from services.catalog.acts import Acts
from services.catalog.attributes import attributes_of
from services.catalog.bulk import ApplyIn, apply_changes
from services.catalog.decide import Change, Create, Delete
from services.catalog.delegation import NOT_OWNER, has_power_over
from services.catalog.environments import environments_of, host_of
from services.catalog.model import Catalog, K, Kept, Package, Policy, Resource, RoleAssignment
from services.catalog.origins import GROUP_ROLES, NOUNS, Place
from services.catalog.resource_lists import Render, add_resource_lists, bodies_by_id, request_id
from services.catalog.stages import may_name_extensions
from services.catalog.store import LIVING, Shelf, Versioned
from services.catalog.subjects import may_name_subjects
from shared.contracts.base import Refusal
from shared.contracts.catalog import Life, ResourceRole, resource_id
from shared.security.operations import ADMINISTER
from shared.web.caller import cause_of
from shared.web.conditional import IfMatch, etag, version_named
from shared.web.errors import BadRequest, Conflict, GraphError, NoRight, NotFound, PreconditionFailed
from shared.web.guard import Admission, Admitted, Guard
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import GUID, EntitySet, Expand, ListQuery, Shape, read_query, read_shape
from shared.web.odata import Field as Asked
from shared.web.paging import answer_list, answer_made, context_url, list_query, shape_options, shape_query
from shared.web.role_scopes import role_scope_id, role_scope_said

EM = "/v1.0/identityGovernance/entitlementManagement"
TENURE = "/v1.0/tenure"

_ROOT = EntitySet("entitlementManagement", {"id": Asked("_id")})

PackageQuery = Annotated[ListQuery, Depends(list_query(graph.PACKAGES))]
PolicyQuery = Annotated[ListQuery, Depends(list_query(graph.POLICIES))]
Rendered = dict[str, Any]

_REFUSED: dict[str, tuple[type[GraphError], str]] = {
    "notFound": (NotFound, "ResourceNotFound"),
    "parentNotFound": (NotFound, "ResourceNotFound"),
    "duplicate": (Conflict, "DuplicateKey"),
    "idempotencyKeyReused": (Conflict, "IdempotencyKeyReused"),
    "deleting": (Conflict, "BeingDeleted"),
    "inUse": (Conflict, "InUse"),
    "builtIn": (Conflict, "BuiltIn"),
    "stale": (PreconditionFailed, "resourceModified"),
}

_TAKEN: dict[type[Kept], str] = {Package: "DuplicateAccessPackage", RoleAssignment: "RoleAssignmentExists"}


def refuse(refusal: Refusal, kept: type[Kept] | None = None) -> NoReturn:
    """The refusal of a decision, as Graph says it."""
    error, code = _REFUSED[refusal.code]
    if refusal.code == "duplicate":
        code = _TAKEN.get(kept or Kept, code)
    raise error(refusal.message, code=code)


class Edge:
    """The acts, from a request to an answer."""

    def __init__(self, acts: Acts) -> None:
        self.acts = acts
        self.shelves = acts.shelves
        self.origins = acts.origins

    async def create(self, request: Request, shelf: Shelf[K], item: K) -> Versioned[K]:
        """Raises what refuses it; the thing as it is now, made by this request or by an earlier one like it."""
        decision = await self.acts.run_one(shelf, Create(item.as_made()), cause_of(request))
        if decision.refusal:
            refuse(decision.refusal, shelf.model)
        return await self.there(shelf, item.id)

    async def there(self, shelf: Shelf[K], id: str) -> Versioned[K]:
        found = await shelf.get(id)
        if found is None:
            raise NotFound("The resource was not found.")
        return found

    async def change(self, request: Request, shelf: Shelf[K], message: Change) -> None:
        decision = await self.acts.run_one(shelf, message, cause_of(request))
        if decision.refusal:
            refuse(decision.refusal, shelf.model)

    async def delete(self, request: Request, shelf: Shelf[K], id: str, if_match: str | None) -> Response:
        """204 once it is gone, 409 if it is needed, 202 if nobody could say so yet: it goes on by itself."""
        decision = await self.acts.delete(shelf, Delete(id, version_named(if_match)), cause_of(request))
        if decision.refusal:
            refuse(decision.refusal)
        state = decision.state
        if state is None or state.life is Life.DELETED:
            return Response(status_code=204)
        if state.life is Life.ACTIVE:
            raise Conflict(state.kept_because, code="InUse")
        said = (
            f"The {state.noun} takes no new use and goes once assignment has answered; it could not be asked in time. "
            "Read it again: 404 says that it is gone, no '@tenure.life' that it is still needed."
        )
        return JSONResponse({"id": id, "@tenure.life": state.life.value, "message": said}, 202)

    async def one(
        self, request: Request, found: Versioned[Any], render: Render, entities: EntitySet, name: str
    ) -> Response:
        """A single thing of the list `name`, with $select and $expand."""
        query = read_shape(entities, request.query_params.multi_items())
        (said,) = await render([found], query.expand)
        body = {"@odata.context": context_url(request, f"{name}/$entity", query.select)}
        return JSONResponse({**body, **query.selected(said)}, headers={"ETag": etag(found.version)})

    async def many(
        self, request: Request, query: ListQuery, shelf: Shelf[Any], render: Render, name: str, scope: Any = None
    ) -> Rendered:
        scoped = {**(scope or {}), **LIVING}

        async def find(query: ListQuery) -> list[dict[str, Any]]:
            found = await shelf.find(query.mongo_filter(scoped), sort=query.sort, skip=query.skip, limit=query.limit)
            said = await render(found, query.expand)
            return [{**one.document, "said": body} for one, body in zip(found, said, strict=True)]

        async def total(query: ListQuery) -> int:
            return await shelf.count(query.total_filter(scoped))

        return await answer_list(
            request, query, find=find, render=lambda document: document["said"], context=name, total=total
        )

    async def made(self, request: Request, query: ListQuery, said: Sequence[Rendered], context: str) -> Rendered:
        """A short list of bodies that are made and not kept: asked by what they show as text."""
        by_id = {one["id"]: one for one in said}
        made = [{"_id": id, "displayName": one.get("displayName")} for id, one in by_id.items()]
        database = self.acts.platform.database
        return await answer_made(request, query, made, database, render=lambda one: by_id[one["_id"]], context=context)

    async def role_of(self, catalog_id: str, body: graph.RoleScopeIn) -> ResourceRole:
        """The role that a body names, on a resource of this catalog. Raises NotFound."""
        system, origin, role = graph.role_named(body)
        if system == "SharePointOnline" and origin:
            spelt = await self.origins.of([(system, origin)])
            origin = spelt[system, origin].id if spelt else origin
        id = Resource.id_of(catalog_id, system, origin) if origin else (body.role.resource and body.role.resource.id)
        found = await self.shelves.resources.get(id or "")
        if found is None or found.item.life is not Life.ACTIVE or found.item.catalog_id != catalog_id:
            raise NotFound("The resource is not in the package's catalog.", target="role/resource")
        place = (found.item.origin_system, found.item.origin_id)
        known = await self.origins.once_heard([place], self.acts.platform.hearing)
        # A group may have gone by now: then provisioning says so, and the package can be put right.
        if role not in (known[place].roles if place in known else GROUP_ROLES if system == "AadGroup" else ()):
            why = "The role was not found."
            if system == "AadGroup":
                why = "A rule says who is a member of this group: only its ownership can be handed out."
            raise NotFound(why, code="RoleNotFound", target="role/originId")
        return ResourceRole(
            origin_system=found.item.origin_system,
            origin_id=found.item.origin_id,
            role=role,
            display_name=found.item.display_name,
        )

    # What is in the caller's reach

    async def catalog(self, id: str, admitted: Admission) -> Versioned[Catalog]:
        """Raises NotFound, and NoRight for one that is out of bounds."""
        found = await self.there(self.shelves.catalogs, id)
        await admitted.at(id)
        return found

    async def package(self, id: str, admitted: Admission) -> Versioned[Package]:
        """The same."""
        found = await self.there(self.shelves.packages, id)
        await admitted.at(found.item.catalog_id)
        return found

    async def policy(self, id: str, admitted: Admission) -> Versioned[Policy]:
        """The same."""
        found = await self.there(self.shelves.policies, id)
        await self.in_package(found.item.package_id, admitted)
        return found

    async def in_package(self, id: str, admitted: Admission) -> None:
        """Raises NoRight unless that package is in a catalog within bounds."""
        if not admitted.standing.everywhere:
            await admitted.at(await self.shelves.catalog_of_package(id))

    async def power_over(self, places: Iterable[Place], admitted: Admission) -> None:
        """Raises BadRequest unless the caller may have these resources handed out."""
        for system, id in places:
            unified = system == "AadGroup" and await self.shelves.groups.is_unified(id)
            place = (system, id)
            if not await admitted.stands(partial(has_power_over, place=place, unified=unified)):
                raise BadRequest("The caller is not the resource owner.", code=NOT_OWNER, target="resource/originId")

    # How things are written, with what was asked to be expanded

    async def catalogs_said(self, found: Sequence[Versioned[Any]], expand: tuple[Expand, ...]) -> list[Rendered]:
        said = [graph.catalog_said(one) for one in found]
        ids = [one.item.id for one in found]
        names = {one.name: one.expand for one in expand}
        if "accessPackages" in names:
            packages = await self.shelves.packages.find({"state.catalog_id": {"$in": ids}, **LIVING})
            bodies = await self.packages_said(packages, names["accessPackages"])
            _put(said, "accessPackages", zip((one.item.catalog_id for one in packages), bodies, strict=True))
        if "customWorkflowExtensions" in names:
            kept = await self.shelves.extensions.find({"state.catalog_id": {"$in": ids}, **LIVING})
            _put(said, "customWorkflowExtensions", ((one.item.catalog_id, graph.extension_said(one)) for one in kept))
        if inside := [one for one in expand if one.name in {"resources", "resourceRoles", "resourceScopes"}]:
            await self._resources_in(ids, said, inside)
        return said

    async def _resources_in(self, ids: list[str], said: list[Rendered], expand: Sequence[Expand]) -> None:
        """What catalogs hold, into each body: resources, or the roles and scopes of all of them."""
        resources = await self.shelves.resources.find({"state.catalog_id": {"$in": ids}, **LIVING})
        catalogs = [one.item.catalog_id for one in resources]
        for one in expand:
            part = {"resourceRoles": "roles", "resourceScopes": "scopes"}.get(one.name)
            if part is None:
                bodies = await self.resources_said(resources, one.expand)
                _put(said, one.name, zip(catalogs, bodies, strict=True))
            else:
                bodies = await self.resources_said(resources, (Expand(part, expand=one.expand),))
                parts = ((id, it) for id, body in zip(catalogs, bodies, strict=True) for it in body[part])
                _put(said, one.name, parts)

    async def packages_said(self, found: Sequence[Versioned[Any]], expand: tuple[Expand, ...]) -> list[Rendered]:
        said = [graph.package_said(one) for one in found]
        wanted = {one.name: one for one in expand}
        if "catalog" in wanted:
            catalogs = await self.shelves.names_of({one.item.catalog_id for one in found}, self.shelves.catalogs)
            bodies = await bodies_by_id(catalogs, self.catalogs_said, wanted["catalog"])
            for body, one in zip(said, found, strict=True):
                body["catalog"] = bodies.get(one.item.catalog_id)
        if "assignmentPolicies" in wanted:
            query = {"state.package_id": {"$in": [one.item.id for one in found]}, **LIVING}
            policies = await self.shelves.policies.find(query, sort=[("state.folded", 1)])
            shown = await self.policies_said(policies, wanted["assignmentPolicies"].expand)
            _put(said, "assignmentPolicies", zip((one.item.package_id for one in policies), shown, strict=True))
        if scopes := wanted.get("resourceRoleScopes"):
            brought = await self.role_scopes_said([one.item for one in found], scopes.expand)
            for body, several in zip(said, brought, strict=True):
                body["resourceRoleScopes"] = several
        await self._separation_said(found, said, set(wanted))
        return said

    async def role_scopes_said(self, found: Sequence[Package], expand: tuple[Expand, ...]) -> list[list[Rendered]]:
        """What each of these packages brings."""
        inner = frozenset(one.name for one in expand)
        names = await self.origins.role_names(role for one in found for role in one.roles)
        said = [
            [role_scope_said(one.catalog_id, role, inner, names, one.since(role)) for role in one.roles]
            for one in found
        ]
        ids = [[resource_id(one.catalog_id, role.origin_system, role.origin_id) for role in one.roles] for one in found]
        for part, deep in ((one.name, deep) for one in expand for deep in one.expand if deep.name == "resource"):
            there = await self.shelves.names_of({id for several in ids for id in several}, self.shelves.resources)
            bodies = await bodies_by_id(there, self.resources_said, deep)
            for it, id in zip(chain(*said), chain(*ids), strict=True):
                it[part]["resource"] = bodies.get(id)
        return said

    async def _separation_said(
        self, found: Sequence[Versioned[Package]], said: list[Rendered], wanted: set[str]
    ) -> None:
        """What whoever gets a package must not hold, into each body. No more of it than its own properties, for it may
        lie in a catalog that is out of the caller's reach."""
        if "incompatibleAccessPackages" in wanted:
            ids = {other for one in found for other in one.item.incompatible_packages}
            others = await self.shelves.names_of(ids, self.shelves.packages)
            for body, one in zip(said, found, strict=True):
                body["incompatibleAccessPackages"] = [
                    graph.package_said(others[id]) for id in one.item.incompatible_packages if id in others
                ]
        if "accessPackagesIncompatibleWith" in wanted:
            named = [one.item.id for one in found]
            listing = await self.shelves.packages.find({"state.incompatible_packages": {"$in": named}, **LIVING})
            for body, id in zip(said, named, strict=True):
                body["accessPackagesIncompatibleWith"] = [
                    graph.package_said(one) for one in listing if id in one.item.incompatible_packages
                ]
        if "incompatibleGroups" in wanted:
            known = await self.shelves.groups.there({id for one in found for id in one.item.incompatible_groups})
            for body, one in zip(said, found, strict=True):
                body["incompatibleGroups"] = [graph.group_said(id, known) for id in one.item.incompatible_groups]

    async def policies_said(self, found: Sequence[Versioned[Any]], expand: tuple[Expand, ...]) -> list[Rendered]:
        said = [graph.policy_said(one) for one in found]
        names = {one.name: one for one in expand}
        await self._extensions_said(said, expand)
        if names.keys() & {"accessPackage", "catalog"}:
            packages = await self.shelves.names_of({one.item.package_id for one in found}, self.shelves.packages)
            ids = {one.item.catalog_id for one in packages.values()} if "catalog" in names else set()
            catalogs = await self.shelves.names_of(ids, self.shelves.catalogs)
            shown = await bodies_by_id(packages, self.packages_said, names.get("accessPackage"))
            around = await bodies_by_id(catalogs, self.catalogs_said, names.get("catalog"))
            for body, one in zip(said, found, strict=True):
                package = packages.get(one.item.package_id)
                if "accessPackage" in names:
                    body["accessPackage"] = shown.get(one.item.package_id)
                if "catalog" in names:
                    body["catalog"] = around.get(package.item.catalog_id) if package else None
        return said

    async def _extensions_said(self, policies: Sequence[Rendered], expand: tuple[Expand, ...]) -> None:
        """The extensions that policies name in full, where that is asked."""
        inner = {deep.name for one in expand if one.name == "customExtensionStageSettings" for deep in one.expand}
        if "customExtension" not in inner:
            return
        settings = [one for body in policies for one in body["customExtensionStageSettings"]]
        there = await self.shelves.names_of({one["customExtension"]["id"] for one in settings}, self.shelves.extensions)
        for one in settings:
            found = there.get(one["customExtension"]["id"])
            one["customExtension"] = graph.extension_said(found) if found else None

    async def resources_said(self, found: Sequence[Versioned[Any]], expand: tuple[Expand, ...]) -> list[Rendered]:
        names = frozenset(one.name for one in expand)
        places = [(one.item.origin_system, one.item.origin_id) for one in found]
        origins = await self.origins.of(places) if "roles" in names else {}
        said = [
            graph.resource_said(one, names, origins[place].roles if place in origins else None)
            for one, place in zip(found, places, strict=True)
        ]
        for part, deep in ((one.name, deep) for one in expand for deep in one.expand if deep.name == "resource"):
            for body, resource in zip(said, await self.resources_said(found, deep.expand), strict=True):
                for it in body[part]:
                    it["resource"] = resource
        if "environment" in names:
            environments = {one["originId"]: one for one in await environments_of(self.origins)}
            for body, (system, origin) in zip(said, places, strict=True):
                body["environment"] = environments.get(host_of(origin)) if system == "SharePointOnline" else None
        return said

    async def populations_said(self, found: Sequence[Versioned[Any]], _expand: tuple[Expand, ...]) -> list[Rendered]:
        return [graph.population_said(one) for one in found]


def _put(said: Sequence[Rendered], name: str, children: Iterable[tuple[str, Rendered]]) -> None:
    by_parent: dict[str, list[Rendered]] = {body["id"]: body.setdefault(name, []) for body in said}
    for parent, child in children:
        by_parent[parent].append(child)


def routes_of(edge: Edge, guard: Guard) -> APIRouter:
    """Graph's paths for catalogs and what is in them, and Tenure's own."""
    routes = APIRouter(tags=["catalog"], dependencies=[Depends(guard)])

    @routes.get(EM)
    async def root(request: Request, shape: Annotated[Shape, Depends(shape_query(_ROOT))]) -> Rendered:
        """Entitlement management itself. What it holds is read behind it."""
        context = context_url(request, "identityGovernance/entitlementManagement/$entity", shape.select)
        return {"@odata.context": context, **shape.selected({"id": "entitlementManagement"})}

    _catalog_routes(routes, edge)
    _package_routes(routes, edge)
    _separation_routes(routes, edge)
    _policy_routes(routes, edge)
    _resource_routes(routes, edge)
    _resource_request_routes(routes, edge)
    add_resource_lists(routes, edge.acts, edge.catalogs_said, edge.resources_said)
    _population_routes(routes, edge)

    @routes.post(f"{TENURE}/catalog:apply")
    async def apply_many(request: Request, body: ApplyIn, admitted: Admitted) -> Rendered:
        """Many changes at once, each decided for itself; answers what became of each, in the order given."""
        standing = await admitted.full()
        return {"results": await apply_changes(edge.acts, body, cause_of(request), standing)}

    return routes


def created(request: Request, body: Rendered, version: int, context: str) -> Response:
    """201 with what was made."""
    said = {"@odata.context": context_url(request, f"{context}/$entity"), **body}
    return JSONResponse(said, 201, {"ETag": etag(version)})


def _catalog_routes(routes: APIRouter, edge: Edge) -> None:
    shelf, now = edge.shelves.catalogs, edge.acts.platform.clock.now

    @routes.get(f"{EM}/catalogs")
    async def catalogs(
        request: Request, query: Annotated[ListQuery, Depends(list_query(graph.CATALOGS))], admitted: Admitted
    ) -> Rendered:
        scope = admitted.standing.scope("_id")
        return await edge.many(request, query, shelf, edge.catalogs_said, "accessPackageCatalogs", scope)

    @routes.post(f"{EM}/catalogs", status_code=201)
    async def create(
        request: Request, body: graph.CatalogIn, admitted: Admitted, key: IdempotencyKey = None
    ) -> Response:
        """Who makes it without being an administrator is its first owner."""
        item = graph.catalog_of(body, made_id(request, "catalog"), now())
        person = admitted.standing.caller.person_id
        if person is not None and not admitted.standing.meets(ADMINISTER):
            item = item.model_copy(update={"first_owner": person})
        found = await edge.create(request, shelf, item)
        await edge.acts.make_first_owner(found.item.public(), cause_of(request))
        return created(request, graph.catalog_said(found), found.version, "accessPackageCatalogs")

    @routes.get(f"{EM}/catalogs/{{id}}", dependencies=[Depends(shape_options(graph.CATALOGS))])
    async def catalog(request: Request, id: str, admitted: Admitted) -> Response:
        return await edge.one(
            request, await edge.catalog(id, admitted), edge.catalogs_said, graph.CATALOGS, "accessPackageCatalogs"
        )

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
        scope = {"state.catalog_id": id}
        return await edge.many(request, query, edge.shelves.packages, edge.packages_said, "accessPackages", scope)


def _package_routes(routes: APIRouter, edge: Edge) -> None:
    shelf, now = edge.shelves.packages, edge.acts.platform.clock.now

    @routes.get(f"{EM}/accessPackages")
    async def packages(request: Request, query: PackageQuery, admitted: Admitted) -> Rendered:
        scope = admitted.standing.scope("state.catalog_id")
        return await edge.many(request, query, shelf, edge.packages_said, "accessPackages", scope)

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
        return await edge.one(
            request, await edge.package(id, admitted), edge.packages_said, graph.PACKAGES, "accessPackages"
        )

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


def _separation_routes(routes: APIRouter, edge: Edge) -> None:
    """Separation of duties, one way: whoever holds what a package lists cannot get that package (SOD-2)."""
    shelf, at = edge.shelves.packages, f"{EM}/accessPackages/{{id}}"

    @routes.get(f"{at}/incompatibleAccessPackages")
    async def packages(request: Request, id: str, query: PackageQuery, admitted: Admitted) -> Rendered:
        item = (await edge.package(id, admitted)).item
        scope = {"_id": {"$in": list(item.incompatible_packages)}}
        return await edge.many(request, query, shelf, edge.packages_said, "accessPackages", scope)

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
        return await edge.many(request, query, shelf, edge.packages_said, "accessPackages", scope)

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


def _policy_routes(routes: APIRouter, edge: Edge) -> None:
    shelf, now = edge.shelves.policies, edge.acts.platform.clock.now

    @routes.get(f"{EM}/assignmentPolicies")
    async def policies(request: Request, query: PolicyQuery, admitted: Admitted) -> Rendered:
        scope: dict[str, Any] = {}
        if not admitted.standing.everywhere:
            scope = {"state.package_id": {"$in": await edge.shelves.packages_in(admitted.standing.catalogs)}}
        return await edge.many(request, query, shelf, edge.policies_said, "assignmentPolicies", scope)

    @routes.get(f"{EM}/accessPackages/{{id}}/assignmentPolicies")
    async def policies_of(request: Request, id: str, query: PolicyQuery, admitted: Admitted) -> Rendered:
        await edge.package(id, admitted)
        scope = {"state.package_id": id}
        return await edge.many(request, query, shelf, edge.policies_said, "assignmentPolicies", scope)

    async def may_write(admitted: Admission, *policies: Policy) -> None:
        """Only administrators have access given by rules (AUT-1). Raises NoRight."""
        automatic = any(one.is_automatic for one in policies)
        if automatic and not await admitted.meets(ADMINISTER):
            raise NoRight

    @routes.post(f"{EM}/assignmentPolicies", status_code=201)
    async def create(
        request: Request, body: graph.PolicyIn, admitted: Admitted, key: IdempotencyKey = None
    ) -> Response:
        item = graph.policy_of(body, made_id(request, "policy"), now())
        await edge.in_package(item.package_id, admitted)
        await may_write(admitted, item)
        await may_name_extensions(edge.shelves, item)
        await may_name_subjects(edge.shelves, edge.acts.platform.hearing, item)
        found = await edge.create(request, shelf, item)
        return created(request, graph.policy_said(found), found.version, "assignmentPolicies")

    @routes.get(f"{EM}/assignmentPolicies/{{id}}", dependencies=[Depends(shape_options(graph.POLICIES))])
    async def policy(request: Request, id: str, admitted: Admitted) -> Response:
        return await edge.one(
            request, await edge.policy(id, admitted), edge.policies_said, graph.POLICIES, "assignmentPolicies"
        )

    @routes.put(f"{EM}/assignmentPolicies/{{id}}")
    async def replace(
        request: Request, id: str, body: graph.PolicyIn, admitted: Admitted, if_match: IfMatch = None
    ) -> Response:
        before = (await edge.policy(id, admitted)).item
        new = graph.policy_of(body, id, now())
        await may_write(admitted, before, new)
        if new.package_id != before.package_id:
            raise BadRequest("A policy stays with its package.", target="accessPackage/id")
        await may_name_extensions(edge.shelves, new)
        await may_name_subjects(edge.shelves, edge.acts.platform.hearing, new, before)
        values = {name: value for name, value in new.content().items() if name not in {"managed_by", "package_id"}}
        await edge.change(request, shelf, Change(id, values, version_named(if_match)))
        return await edge.one(
            request, await edge.there(shelf, id), edge.policies_said, graph.POLICIES, "assignmentPolicies"
        )

    @routes.delete(f"{EM}/assignmentPolicies/{{id}}", status_code=204)
    async def delete(request: Request, id: str, admitted: Admitted, if_match: IfMatch = None) -> Response:
        await edge.policy(id, admitted)
        return await edge.delete(request, shelf, id, if_match)


def _resource_routes(routes: APIRouter, edge: Edge) -> None:
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


def _resource_request_routes(routes: APIRouter, edge: Edge) -> None:
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


def _population_routes(routes: APIRouter, edge: Edge) -> None:
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
