"""Service principals, and who has which of their app roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.directory.decide.applications import (
    ChangeApplication,
    EndPrincipal,
    MakePrincipal,
)
from services.directory.decide.held_roles import held_role_id
from services.directory.lists import answer_shown
from services.directory.resources import graph
from services.directory.resources.api.owners import (
    MOST_EXPANDED,
    owner_of_principal,
    owners_shown,
)
from services.directory.resources.api.rooms import ResourceRooms, location
from services.directory.resources.graph import (
    APP_ROLE_ASSIGNMENTS,
    SERVICE_PRINCIPALS,
    AssignmentIn,
    PrincipalIn,
    PrincipalPatch,
)
from services.directory.resources.store import (
    LIVING,
    Document,
    Scope,
    held_at,
    held_by,
    principals_of,
)
from shared.contracts.resources import (
    OWNER,
    RoleAt,
    RoleSystem,
    principal_id_of,
)
from shared.web.conditional import IfMatch, etag, version_named
from shared.web.errors import BadRequest
from shared.web.idempotency import IdempotencyKey
from shared.web.odata import Expand, ListQuery, Shape
from shared.web.paging import answer_list, context_url, list_query, shape_query

AssignmentQuery = Annotated[ListQuery, Depends(list_query(APP_ROLE_ASSIGNMENTS))]


def principal_routes(router: APIRouter, rooms: ResourceRooms) -> None:
    there: Document = {"state.is_principal": True, **LIVING}

    async def shown(expand: tuple[Expand, ...], one: Document) -> Document:
        body = {**graph.service_principal(one), **await owners_shown(rooms, expand, owner_of_principal(one))}
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
        response.headers["Location"] = location(request, f"servicePrincipals/{id}")
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


def app_role_assignment_routes(router: APIRouter, rooms: ResourceRooms) -> None:
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
        person = await rooms.person(body.principal_id)
        resource = await rooms.principal(body.resource_id)
        role = RoleAt(origin_system=system, origin_id=resource["_id"], role=str(body.app_role_id))
        await rooms.give(request, person, role)
        id = held_role_id(person, role)
        found = await rooms.held_role(id, held_at(system, resource["_id"]))
        (one,) = await rooms.with_applications([found])
        response.headers["Location"] = location(request, f"{within}/{id}")
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
