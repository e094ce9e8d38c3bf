"""What the directory answers of applications, sites and held roles."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.directory.api import Rooms, may_write_group
from services.directory.decide.applications import (
    ApplicationCommand,
    ChangeApplication,
    EndPrincipal,
    MakePrincipal,
    Register,
    Unregister,
)
from services.directory.decide.conditional import STALE, Conditional
from services.directory.decide.held_roles import GiveByHand, Offered, TakeByHand, held_role_id
from services.directory.decide.role_definitions import ChangeRole, DefineRole, DeleteRole, RoleCommand
from services.directory.decide.sites import ChangeSite, CreateSite, DeleteSite, SiteCommand
from services.directory.graph import USERS, Reference, typed, user_for
from services.directory.graph import user as user_shown
from services.directory.lists import answer_page, answer_shown
from services.directory.resources import graph
from services.directory.resources.graph import (
    APP_ROLE_ASSIGNMENTS,
    APPLICATIONS,
    ROLE_ASSIGNMENTS,
    ROLE_DEFINITIONS,
    SERVICE_PRINCIPALS,
    SITE_ASSIGNMENTS,
    SITES,
    ApplicationIn,
    ApplicationPatch,
    AssignmentIn,
    PrincipalIn,
    PrincipalPatch,
    RoleAssignmentIn,
    RoleDefinitionIn,
    RoleDefinitionPatch,
    SiteAssignmentIn,
    SiteIn,
    SitePatch,
)
from services.directory.resources.store import (
    LIVING,
    Applications,
    Document,
    HeldRoles,
    RoleDefinitions,
    Scope,
    Sites,
    held_anywhere,
    held_at,
    held_by,
    principals_of,
    site_id_of,
)
from services.directory.store import page_of
from shared.contracts.base import Refusal
from shared.contracts.resources import (
    OWNER,
    ApplicationState,
    HeldRolesState,
    RoleAt,
    RoleSystem,
    SiteState,
    principal_id_of,
)
from shared.contracts.roles import RoleDefinitionState
from shared.messaging.decision import Handler
from shared.messaging.loop import Loop
from shared.web.caller import cause_of
from shared.web.conditional import IfMatch, etag, version_named
from shared.web.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from shared.web.guard import Admission, Admitted, Guard
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import Expand, ListQuery, Shape
from shared.web.paging import answer_list, context_url, list_query, shape_query

AssignmentQuery = Annotated[ListQuery, Depends(list_query(APP_ROLE_ASSIGNMENTS))]

MOST_EXPANDED = 20
"""Items that `$expand` shows of a relation, as Graph does for directory objects."""


@dataclass(frozen=True)
class ResourceRooms:
    """What these routes work with."""

    directory: Rooms
    applications: Applications
    sites: Sites
    held: HeldRoles
    definitions: RoleDefinitions
    application_loop: Loop[ApplicationState]
    site_loop: Loop[SiteState]
    held_loop: Loop[HeldRolesState]
    definition_loop: Loop[RoleDefinitionState]
    on_application: Handler[ApplicationState, Conditional[ApplicationCommand], None]
    on_site: Handler[SiteState, Conditional[SiteCommand], None]
    on_definition: Handler[RoleDefinitionState, Conditional[RoleCommand], None]
    giving: Handler[HeldRolesState, GiveByHand, Offered]
    taking: Handler[HeldRolesState, TakeByHand, Offered]

    async def application(self, id: str) -> Document:
        """By the application object's id. Raises NotFound."""
        return first(await page_of(self.applications, {"state.registration_id": id.lower(), **LIVING}, limit=1), id)

    async def principal(self, id: str) -> Document:
        """Raises NotFound."""
        there = await principals_of(self.applications, [id.lower()])
        return first(list(there.values()), id)

    async def site(self, id: str) -> Document:
        """Raises NotFound."""
        return first(await page_of(self.sites, {"_id": id.lower(), **LIVING}, limit=1), id)

    async def change_application(
        self, request: Request, command: ApplicationCommand, version: int | None = None
    ) -> None:
        """`version`, here as below: only if it has this one."""
        run = self.directory.platform.run_one
        asked = Conditional(command, version)
        outcome = await run(self.application_loop, self.on_application, asked, cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def change_site(self, request: Request, command: SiteCommand, version: int | None = None) -> None:
        run = self.directory.platform.run_one
        asked = Conditional(command, version)
        outcome = await run(self.site_loop, self.on_site, asked, cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def change_definition(self, request: Request, command: RoleCommand, version: int | None = None) -> None:
        run = self.directory.platform.run_one
        asked = Conditional(command, version)
        outcome = await run(self.definition_loop, self.on_definition, asked, cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def offers_scope(self, id: str) -> bool:
        """Whether that is an application or a service principal, to which a directory role can be limited."""
        either = [{"_id": id.lower()}, {"state.registration_id": id.lower()}]
        return bool(await self.applications.ids({"$or": either, **LIVING}, limit=1))

    async def give(self, request: Request, person_id: str, role: RoleAt) -> None:
        run = self.directory.platform.run_one
        outcome = await run(self.held_loop, self.giving, GiveByHand(person_id, role), cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def take(self, request: Request, person_id: str, role: RoleAt) -> None:
        run = self.directory.platform.run_one
        outcome = await run(self.held_loop, self.taking, TakeByHand(person_id, role), cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def held_role(self, id: str, scope: Scope) -> Document:
        """Raises NotFound."""
        found = await self.held.of_id(id.lower(), scope)
        return first([found] if found else [], id)

    async def take_held(self, request: Request, id: str, scope: Scope) -> Response:
        """Take the held role of that id."""
        found = await self.held_role(id, scope)
        await self.take(request, found["_id"], _role_of(found))
        return Response(status_code=204)

    async def with_people(self, found: Sequence[Document]) -> list[Document]:
        """Held roles, each with the person who holds it."""
        ids = sorted({one["_id"] for one in found})
        people = {one["_id"]: one for one in await page_of(self.directory.people, {"_id": {"$in": ids}})}
        return [{**one, "person": people.get(one["_id"])} for one in found]

    async def with_applications(self, found: Sequence[Document]) -> list[Document]:
        """App role assignments, each with the person and the application."""
        ids = {one["state"]["roles"]["origin_id"] for one in found}
        states = {id: one["state"] for id, one in (await principals_of(self.applications, ids)).items()}
        gone = {"display_name": None}
        return [
            {**one, "application": states.get(one["state"]["roles"]["origin_id"], gone)}
            for one in await self.with_people(found)
        ]


def first(found: Sequence[Document], id: str) -> Document:
    """The first. Raises NotFound, in Graph's words, if there is none."""
    if not found:
        raise NotFound(
            f"Resource '{id[:100]}' does not exist or one of its queried reference-property objects are not present.",
            code="Request_ResourceNotFound",
        )
    return found[0]


def _role_of(document: Document) -> RoleAt:
    held = document["state"]["roles"]
    return RoleAt(origin_system=held["origin_system"], origin_id=held["origin_id"], role=held["role"])


def _refuse(refusal: Refusal | None) -> None:
    if refusal is None:
        return
    match refusal.code:
        case STALE.code:
            raise PreconditionFailed(refusal.message, target="If-Match")
        case "ResourceNotFound" | "unknownResource":
            raise NotFound(refusal.message, code="Request_ResourceNotFound")
        case "nameAlreadyExists" | "Request_MultipleObjectsWithSameKeyValue":
            raise Conflict(refusal.message, code=refusal.code)
        case "CannotDeleteOrUpdateEnabledEntitlement":
            raise BadRequest(refusal.message, code=refusal.code, target="appRoles")
    raise BadRequest(refusal.message, code="Request_BadRequest")


def routes(rooms: ResourceRooms, route_class: type[Any], guard: Guard) -> list[APIRouter]:
    """`route_class` answers repeated requests once."""
    routers = {
        tag: APIRouter(tags=[tag], route_class=route_class, dependencies=[Depends(guard)])
        for tag in ("applications", "servicePrincipals", "sites", "groups", "roleManagement")
    }
    _applications(routers["applications"], rooms)
    _service_principals(routers["servicePrincipals"], rooms)
    _app_role_assignments(routers["servicePrincipals"], rooms)
    _sites(routers["sites"], rooms)
    _site_assignments(routers["sites"], rooms)
    _role_definitions(routers["roleManagement"], rooms)
    _role_assignments(routers["roleManagement"], rooms)

    async def group(id: str) -> RoleAt:
        found = await rooms.directory.group(id)
        return RoleAt(origin_system=RoleSystem.GROUP, origin_id=found["_id"], role=OWNER)

    async def application(id: str) -> RoleAt:
        return _owner_of_application(await rooms.application(id))

    async def principal(id: str) -> RoleAt:
        return _owner_of_principal(await rooms.principal(id))

    for path, owner_of in (("groups", group), ("applications", application), ("servicePrincipals", principal)):
        _owners(routers[path], rooms, path, owner_of)
    return list(routers.values())


def _owner_of_application(document: Document) -> RoleAt:
    registration: str = document["state"]["registration_id"]
    return RoleAt(origin_system=RoleSystem.REGISTRATION, origin_id=registration, role=OWNER)


def _owner_of_principal(document: Document) -> RoleAt:
    return RoleAt(origin_system=RoleSystem.APPLICATION, origin_id=document["_id"], role=OWNER)


def _location(request: Request, path: str) -> str:
    return f"{str(request.base_url).rstrip('/')}/v1.0/{path}"


async def _owners_shown(rooms: ResourceRooms, expand: tuple[Expand, ...], role: RoleAt) -> Document:
    """What `$expand=owners` adds to a body."""
    if not any(one.name == "owners" for one in expand):
        return {}
    ids = (await rooms.held.holders(role))[:MOST_EXPANDED]
    people = await page_of(rooms.directory.people, {"_id": {"$in": ids}})
    return {"owners": [typed(user_shown(one), "user") for one in people]}


def _applications(router: APIRouter, rooms: ResourceRooms) -> None:
    registered: Document = {"state.registration_id": {"$type": "string"}, **LIVING}

    async def shown(expand: tuple[Expand, ...], one: Document) -> Document:
        return {**graph.application(one), **await _owners_shown(rooms, expand, _owner_of_application(one))}

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
        response.headers["Location"] = _location(request, f"applications/{id}")
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


def _service_principals(router: APIRouter, rooms: ResourceRooms) -> None:
    there: Document = {"state.is_principal": True, **LIVING}

    async def shown(expand: tuple[Expand, ...], one: Document) -> Document:
        body = {**graph.service_principal(one), **await _owners_shown(rooms, expand, _owner_of_principal(one))}
        if any(relation.name == "appRoleAssignedTo" for relation in expand):
            scope = held_at(RoleSystem.APPLICATION, one["_id"], but=OWNER)
            found = await rooms.held.unwound("state.roles", scope.where, narrowed=scope.narrowed, limit=MOST_EXPANDED)
            body["appRoleAssignedTo"] = [graph.app_role_assignment(a) for a in await rooms.with_applications(found)]
        return body

    @router.get("/v1.0/servicePrincipals")
    async def principals(
        request: Request, query: Annotated[ListQuery, Depends(list_query(SERVICE_PRINCIPALS))]
    ) -> dict[str, Any]:
        async def all_shown(found: Sequence[Document]) -> list[Document]:
            return [await shown(query.expand, one) for one in found]

        return await answer_shown(
            request, query, rooms.applications, all_shown, context="servicePrincipals", scope=there
        )

    @router.post("/v1.0/servicePrincipals", status_code=201)
    async def make(
        request: Request, response: Response, body: PrincipalIn, key: IdempotencyKey = None
    ) -> dict[str, Any]:
        """Of an application that is registered here, or of one from elsewhere, which then brings its own roles."""
        app_id = str(body.app_id)
        id = principal_id_of(app_id)
        await rooms.change_application(request, MakePrincipal(id, app_id, body.properties()))
        made = await rooms.principal(id)
        response.headers["ETag"] = etag(made["version"])
        response.headers["Location"] = _location(request, f"servicePrincipals/{id}")
        return {"@odata.context": context_url(request, "servicePrincipals/$entity"), **graph.service_principal(made)}

    @router.get("/v1.0/servicePrincipals/{id}")
    async def principal(
        request: Request, response: Response, id: str, shape: Annotated[Shape, Depends(shape_query(SERVICE_PRINCIPALS))]
    ) -> dict[str, Any]:
        found = await rooms.principal(id)
        response.headers["ETag"] = etag(found["version"])
        body = shape.selected(await shown(shape.expand, found))
        return {"@odata.context": context_url(request, "servicePrincipals/$entity", shape.select), **body}

    @router.patch("/v1.0/servicePrincipals/{id}", status_code=204)
    async def patch(request: Request, id: str, body: PrincipalPatch, if_match: IfMatch = None) -> Response:
        found = await rooms.principal(id)
        await rooms.change_application(
            request, ChangeApplication(found["_id"], body.properties()), version_named(if_match)
        )
        return Response(status_code=204)

    @router.delete("/v1.0/servicePrincipals/{id}", status_code=204)
    async def delete(request: Request, id: str, if_match: IfMatch = None) -> Response:
        found = await rooms.principal(id)
        await rooms.change_application(request, EndPrincipal(found["_id"]), version_named(if_match))
        return Response(status_code=204)


def _app_role_assignments(router: APIRouter, rooms: ResourceRooms) -> None:
    system = RoleSystem.APPLICATION

    async def listed(request: Request, query: ListQuery, scope: Scope, context: str) -> dict[str, Any]:
        async def find(q: ListQuery) -> list[Document]:
            return await rooms.with_applications(await rooms.held.page(q, scope))

        return await answer_list(
            request,
            query,
            find=find,
            total=lambda q: rooms.held.total(q, scope),
            render=graph.app_role_assignment,
            context=context,
        )

    async def assigned(
        request: Request, response: Response, body: AssignmentIn, context: str, within: str
    ) -> dict[str, Any]:
        person = await _principal_person(rooms, body.principal_id)
        resource = await rooms.principal(body.resource_id)
        role = RoleAt(origin_system=system, origin_id=resource["_id"], role=str(body.app_role_id))
        await rooms.give(request, person, role)
        id = held_role_id(person, role)
        found = await rooms.held_role(id, held_at(system, resource["_id"]))
        (one,) = await rooms.with_applications([found])
        response.headers["Location"] = _location(request, f"{within}/{id}")
        return {"@odata.context": context_url(request, f"{context}/$entity"), **graph.app_role_assignment(one)}

    async def of_principal(id: str) -> Scope:
        return held_at(system, (await rooms.principal(id))["_id"], but=OWNER)

    async def of_person(id: str) -> Scope:
        """At service principals that are there."""
        person = (await rooms.directory.user(id))["_id"]
        everywhere = held_by(person, system, but=OWNER)
        held = await rooms.held.unwound("state.roles", everywhere.where, narrowed=everywhere.narrowed)
        there = await principals_of(rooms.applications, {one["state"]["roles"]["origin_id"] for one in held})
        return held_by(person, system, there, but=OWNER)

    @router.get("/v1.0/servicePrincipals/{id}/appRoleAssignedTo")
    async def assigned_to(request: Request, id: str, query: AssignmentQuery) -> dict[str, Any]:
        """Who has which role of this application."""
        return await listed(request, query, await of_principal(id), f"servicePrincipals('{id}')/appRoleAssignedTo")

    @router.post("/v1.0/servicePrincipals/{id}/appRoleAssignedTo", status_code=201)
    async def assign(
        request: Request, response: Response, id: str, body: AssignmentIn, key: IdempotencyKey = None
    ) -> dict[str, Any]:
        """By hand: Tenure's own bookkeeping never takes it away."""
        if body.resource_id.lower() != (await rooms.principal(id))["_id"]:
            raise BadRequest("'resourceId' is the service principal in the path.", target="resourceId")
        within = f"servicePrincipals/{id}/appRoleAssignedTo"
        return await assigned(request, response, body, f"servicePrincipals('{id}')/appRoleAssignedTo", within)

    @router.get("/v1.0/servicePrincipals/{id}/appRoleAssignedTo/{assignment}")
    async def one_assigned(
        request: Request, id: str, assignment: str, shape: Annotated[Shape, Depends(shape_query(APP_ROLE_ASSIGNMENTS))]
    ) -> dict[str, Any]:
        (one,) = await rooms.with_applications([await rooms.held_role(assignment, await of_principal(id))])
        context = context_url(request, f"servicePrincipals('{id}')/appRoleAssignedTo/$entity", shape.select)
        return {"@odata.context": context, **shape.selected(graph.app_role_assignment(one))}

    @router.delete("/v1.0/servicePrincipals/{id}/appRoleAssignedTo/{assignment}", status_code=204)
    async def unassign(request: Request, id: str, assignment: str) -> Response:
        return await rooms.take_held(request, assignment, await of_principal(id))

    @router.get("/v1.0/users/{id}/appRoleAssignments")
    async def assignments(request: Request, id: str, query: AssignmentQuery) -> dict[str, Any]:
        """Which roles of applications a person has."""
        return await listed(request, query, await of_person(id), f"users('{id}')/appRoleAssignments")

    @router.post("/v1.0/users/{id}/appRoleAssignments", status_code=201)
    async def assign_person(
        request: Request, response: Response, id: str, body: AssignmentIn, key: IdempotencyKey = None
    ) -> dict[str, Any]:
        if body.principal_id.lower() != (await rooms.directory.user(id))["_id"]:
            raise BadRequest("'principalId' is the user in the path.", target="principalId")
        within = f"users/{id}/appRoleAssignments"
        return await assigned(request, response, body, f"users('{id}')/appRoleAssignments", within)

    @router.get("/v1.0/users/{id}/appRoleAssignments/{assignment}")
    async def one_assignment(
        request: Request, id: str, assignment: str, shape: Annotated[Shape, Depends(shape_query(APP_ROLE_ASSIGNMENTS))]
    ) -> dict[str, Any]:
        (one,) = await rooms.with_applications([await rooms.held_role(assignment, await of_person(id))])
        context = context_url(request, f"users('{id}')/appRoleAssignments/$entity", shape.select)
        return {"@odata.context": context, **shape.selected(graph.app_role_assignment(one))}

    @router.delete("/v1.0/users/{id}/appRoleAssignments/{assignment}", status_code=204)
    async def unassign_person(request: Request, id: str, assignment: str) -> Response:
        return await rooms.take_held(request, assignment, await of_person(id))


async def _principal_person(rooms: ResourceRooms, id: str) -> str:
    """The person that a `principalId` names. Raises BadRequest for a group, to which no role can be given here."""
    if await rooms.directory.groups.there([id.lower()]):
        raise BadRequest("Roles are given to people here, and this is a group.", target="principalId")
    person: str = (await rooms.directory.user(id))["_id"]
    return person


def _sites(router: APIRouter, rooms: ResourceRooms) -> None:
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
        response.headers["Location"] = _location(request, f"sites/{id}")
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


def _site_assignments(router: APIRouter, rooms: ResourceRooms) -> None:
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
        person = await _principal_person(rooms, body.principal_id)
        role = RoleAt(origin_system=RoleSystem.SITE, origin_id=site["state"]["web_url"], role=body.role_id)
        await rooms.give(request, person, role)
        held = held_role_id(person, role)
        (one,) = await shown(site, [await rooms.held_role(held, scope)])
        response.headers["Location"] = _location(request, f"tenure/sites/{id}/assignments/{held}")
        return graph.site_assignment(one)

    @router.delete("/v1.0/tenure/sites/{id}/assignments/{assignment}", status_code=204)
    async def unassign(request: Request, id: str, assignment: str) -> Response:
        _, scope = await of_site(id)
        return await rooms.take_held(request, assignment, scope)


def _owners(router: APIRouter, rooms: ResourceRooms, path: str, owner_of: Callable[[str], Awaitable[RoleAt]]) -> None:
    """Owners of one kind of thing are people who hold the role Owner there."""
    people = rooms.directory.people

    async def write_allowed(id: str, admitted: Admission) -> None:
        if path == "groups":
            await may_write_group(admitted, id)

    @router.get(f"/v1.0/{path}/{{id}}/owners", name=f"{path} owners")
    async def owners(
        request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(USERS))]
    ) -> dict[str, Any]:
        scope: Document = {"_id": {"$in": await rooms.held.holders(await owner_of(id))}}
        return await answer_page(
            request,
            query,
            people,
            render=lambda document: typed(user_for(document, query), "user"),
            context="directoryObjects",
            scope=scope,
        )

    @router.post(f"/v1.0/{path}/{{id}}/owners/$ref", status_code=204, name=f"add owner of {path}")
    async def add(request: Request, id: str, body: Reference, admitted: Admitted) -> Response:
        """By hand: Tenure's own bookkeeping never removes who was added so."""
        await write_allowed(id, admitted)
        role, person = await owner_of(id), await rooms.directory.user(body.id)
        await rooms.give(request, person["_id"], role)
        return Response(status_code=204)

    @router.delete(f"/v1.0/{path}/{{id}}/owners/{{person_id}}/$ref", status_code=204, name=f"remove owner of {path}")
    async def remove(request: Request, id: str, person_id: str, admitted: Admitted) -> Response:
        await write_allowed(id, admitted)
        await rooms.take(request, person_id.lower(), await owner_of(id))
        return Response(status_code=204)


DIRECTORY_ROLE = "/v1.0/roleManagement/directory"


def _role_definitions(router: APIRouter, rooms: ResourceRooms) -> None:
    at, living = f"{DIRECTORY_ROLE}/roleDefinitions", dict(LIVING)
    context = "roleManagement/directory/roleDefinitions"

    async def shown(found: Sequence[Document], expand: tuple[Expand, ...]) -> list[Document]:
        above = {id for one in found for id in one["state"]["inherits_permissions_from"]} if expand else set()
        inherited = await rooms.definitions.of(above) if above else None
        return [graph.role_definition(one, inherited) for one in found]

    async def there(id: str) -> Document:
        return first(list((await rooms.definitions.of([id.lower()])).values()), id)

    @router.get(at)
    async def definitions(
        request: Request, query: Annotated[ListQuery, Depends(list_query(ROLE_DEFINITIONS))]
    ) -> dict[str, Any]:
        """Built-in roles, the same in every tenant, and those that were defined here."""

        return await answer_shown(
            request, query, rooms.definitions, lambda found: shown(found, query.expand), context=context, scope=living
        )

    @router.post(at, status_code=201)
    async def define(
        request: Request, response: Response, body: RoleDefinitionIn, key: IdempotencyKey = None
    ) -> dict[str, Any]:
        """A role of this tenant's own: it is assigned and listed, and permits nothing in Tenure itself."""
        id = made_id(request, "role-definition")
        await rooms.change_definition(request, DefineRole(id, body.properties()))
        made = await there(id)
        response.headers["ETag"] = etag(made["version"])
        response.headers["Location"] = _location(request, f"{context}/{id}")
        return {"@odata.context": context_url(request, f"{context}/$entity"), **graph.role_definition(made)}

    @router.get(f"{at}/{{id}}")
    async def definition(
        request: Request, response: Response, id: str, shape: Annotated[Shape, Depends(shape_query(ROLE_DEFINITIONS))]
    ) -> dict[str, Any]:
        found = await there(id)
        response.headers["ETag"] = etag(found["version"])
        (body,) = await shown([found], shape.expand)
        return {"@odata.context": context_url(request, f"{context}/$entity", shape.select), **shape.selected(body)}

    @router.patch(f"{at}/{{id}}", status_code=204)
    async def patch(request: Request, id: str, body: RoleDefinitionPatch, if_match: IfMatch = None) -> Response:
        await rooms.change_definition(request, ChangeRole(id.lower(), body.properties()), version_named(if_match))
        return Response(status_code=204)

    @router.delete(f"{at}/{{id}}", status_code=204)
    async def delete(request: Request, id: str, if_match: IfMatch = None) -> Response:
        """Refused while anybody has the role."""
        found = await there(id)
        held = {"role": found["_id"], "origin_system": RoleSystem.DIRECTORY.value, "held": True}
        if await rooms.held.ids({"state.roles": {"$elemMatch": held}}, limit=1):
            raise BadRequest("The role is assigned to somebody: take it from them first.", code="Request_BadRequest")
        await rooms.change_definition(request, DeleteRole(found["_id"]), version_named(if_match))
        return Response(status_code=204)


def _role_assignments(router: APIRouter, rooms: ResourceRooms) -> None:
    scope = held_anywhere(RoleSystem.DIRECTORY)
    context = "roleManagement/directory/roleAssignments"

    async def shown(found: Sequence[Document], expand: tuple[Expand, ...]) -> list[Document]:
        wanted = {one.name for one in expand}
        bodies = [graph.role_assignment(one) for one in found]
        if "principal" in wanted:
            for body, one in zip(bodies, await rooms.with_people(found), strict=True):
                body["principal"] = typed(user_shown(one["person"]), "user") if one["person"] else None
        if "roleDefinition" in wanted:
            known = await rooms.definitions.of([body["roleDefinitionId"] for body in bodies])
            for body in bodies:
                role = known.get(body["roleDefinitionId"])
                body["roleDefinition"] = graph.role_definition(role) if role else None
        return bodies

    @router.get(f"{DIRECTORY_ROLE}/roleAssignments")
    async def assignments(
        request: Request, query: Annotated[ListQuery, Depends(list_query(ROLE_ASSIGNMENTS))]
    ) -> dict[str, Any]:
        """Over the whole tenant, and within parts of it."""

        async def find(q: ListQuery) -> list[Document]:
            found = await rooms.held.page(q, scope)
            return [{**one, "said": body} for one, body in zip(found, await shown(found, q.expand), strict=True)]

        return await answer_list(
            request,
            query,
            find=find,
            total=lambda q: rooms.held.total(q, scope),
            render=lambda one: one["said"],
            context=context,
        )

    @router.post(f"{DIRECTORY_ROLE}/roleAssignments", status_code=201)
    async def assign(
        request: Request, response: Response, body: RoleAssignmentIn, key: IdempotencyKey = None
    ) -> dict[str, Any]:
        """What is limited to a part of the tenant is kept and listed, and suffices for nothing in Tenure itself."""
        person = await _principal_person(rooms, body.principal_id)
        if body.object_in_scope and not await rooms.offers_scope(body.object_in_scope):
            raise NotFound(
                f"There is no application {body.object_in_scope}.",
                code="Request_ResourceNotFound",
                target="directoryScopeId",
            )
        definition = str(body.role_definition_id)
        role = RoleAt(origin_system=RoleSystem.DIRECTORY, origin_id=body.directory_scope_id, role=definition)
        await rooms.give(request, person, role)
        id = held_role_id(person, role)
        found = await rooms.held_role(id, scope)
        response.headers["Location"] = _location(request, f"roleManagement/directory/roleAssignments/{id}")
        return {"@odata.context": context_url(request, f"{context}/$entity"), **graph.role_assignment(found)}

    @router.get(f"{DIRECTORY_ROLE}/roleAssignments/{{id}}")
    async def assignment(
        request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(ROLE_ASSIGNMENTS))]
    ) -> dict[str, Any]:
        (body,) = await shown([await rooms.held_role(id, scope)], shape.expand)
        return {"@odata.context": context_url(request, f"{context}/$entity", shape.select), **shape.selected(body)}

    @router.delete(f"{DIRECTORY_ROLE}/roleAssignments/{{id}}", status_code=204)
    async def unassign(request: Request, id: str) -> Response:
        return await rooms.take_held(request, id, scope)
