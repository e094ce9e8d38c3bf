"""From a request to an act, and from what is kept to what is answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from functools import partial
from itertools import chain
from typing import Any, NoReturn

from fastapi import Request, Response
from starlette.responses import JSONResponse

from services.catalog import graph
from services.catalog.acts import Acts
from services.catalog.decide import Change, Create, Delete
from services.catalog.delegation import NOT_OWNER, has_power_over
from services.catalog.environments import environments_of, host_of
from services.catalog.model import Catalog, K, Kept, Package, Policy, Resource, RoleAssignment
from services.catalog.origins import GROUP_ROLES, Place
from services.catalog.resource_lists import Render, bodies_by_id
from services.catalog.store import LIVING, Shelf, Versioned
from shared.contracts.base import Refusal
from shared.contracts.catalog import Life, ResourceRole, resource_id
from shared.security.authority import Standing
from shared.web.caller import cause_of
from shared.web.conditional import etag, version_named
from shared.web.errors import BadRequest, Conflict, GraphError, NotFound, PreconditionFailed
from shared.web.guard import Admission
from shared.web.odata import EntitySet, Expand, ListQuery, found_first, read_shape
from shared.web.paging import answer_list, answer_made, context_url
from shared.web.role_scopes import role_scope_said

EM = "/v1.0/identityGovernance/entitlementManagement"


TENURE = "/v1.0/tenure"


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
        self._reach: Standing | None = None

    def seen_by(self, admitted: Admission) -> Edge:
        """The same, which shows what other catalogs hold as far as the caller sees it."""
        other = copy(self)
        other._reach = admitted.standing
        return other

    def _sees(self, catalog_id: str) -> bool:
        return self._reach is not None and self._reach.at(catalog_id)

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
        query = await found_first(query, self.shelves.ids_of)

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

    def related_said(self, admitted: Admission) -> dict[str, Render]:
        """Of what hangs on resources, by relation."""
        seen = self.seen_by(admitted)
        return {"catalog": seen.catalogs_said, "resource": seen.resources_said}

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

    async def named_packages_said(self, found: Sequence[Versioned[Any]], expand: tuple[Expand, ...]) -> list[Rendered]:
        """The same of packages that another one names: of those out of the caller's reach just their own properties."""
        within = [one for one in found if self._sees(one.item.catalog_id)]
        bodies = zip(within, await self.packages_said(within, expand), strict=True)
        full = {one.item.id: body for one, body in bodies}
        return [full.get(one.item.id) or graph.package_said(one) for one in found]

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
        lie in a catalog that is out of the caller's reach; what lies there and lists the package is not shown."""
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
                    graph.package_said(one)
                    for one in listing
                    if id in one.item.incompatible_packages and self._sees(one.item.catalog_id)
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


def created(request: Request, body: Rendered, version: int, context: str) -> Response:
    """201 with what was made."""
    said = {"@odata.context": context_url(request, f"{context}/$entity"), **body}
    return JSONResponse(said, 201, {"ETag": etag(version)})
