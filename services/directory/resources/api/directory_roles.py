"""Directory roles: which there are, and who has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.directory.decide.held_roles import held_role_id
from services.directory.decide.role_definitions import ChangeRole, DefineRole, DeleteRole
from services.directory.graph import typed
from services.directory.graph import user as user_shown
from services.directory.lists import answer_shown
from services.directory.resources import graph
from services.directory.resources.api.rooms import ResourceRooms, first, location
from services.directory.resources.graph import (
    ROLE_ASSIGNMENTS,
    ROLE_DEFINITIONS,
    RoleAssignmentIn,
    RoleDefinitionIn,
    RoleDefinitionPatch,
)
from services.directory.resources.store import (
    LIVING,
    Document,
    held_anywhere,
)
from shared.contracts.resources import (
    RoleAt,
    RoleSystem,
)
from shared.web.conditional import IfMatch, etag, version_named
from shared.web.errors import BadRequest, NotFound
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import Expand, ListQuery, Shape
from shared.web.paging import answer_list, context_url, list_query, shape_query

DIRECTORY_ROLE = "/v1.0/roleManagement/directory"


def role_definition_routes(router: APIRouter, rooms: ResourceRooms) -> None:
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
        response.headers["Location"] = location(request, f"{context}/{id}")
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


def role_assignment_routes(router: APIRouter, rooms: ResourceRooms) -> None:
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
        person = await rooms.person(body.principal_id)
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
        response.headers["Location"] = location(request, f"roleManagement/directory/roleAssignments/{id}")
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
