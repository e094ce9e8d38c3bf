"""Graph's paths for the roles of entitlement management: `/roleManagement/entitlementManagement`.

Source: reference/graph-api-operations.md 3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import JSONResponse

from services.catalog.api.edge import Edge, Rendered
from services.catalog.bodies import Body
from services.catalog.delegation import Delegates
from services.catalog.model import RoleAssignment, role_assignment
from services.catalog.store import Versioned
from shared.security.operations import RM, ROLES_GIVE_ALL
from shared.security.roles import DEFINITIONS, CatalogRole, catalog_of
from shared.web.conditional import etag
from shared.web.errors import BadRequest, NoRight, NotFound
from shared.web.graph_model import ODATA_TYPE
from shared.web.guard import Admission, Admitted
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import BOOLEAN, GUID, EntitySet, Expand, Field, ListQuery, Shape, read_shape
from shared.web.paging import answer_list, context_url, list_query, shape_options, shape_query

AT = f"{RM}/entitlementManagement"
CONTEXT = "roleManagement/entitlementManagement"

_ABOVE = frozenset({"inheritsPermissionsFrom"})
ROLE_DEFINITIONS = EntitySet(
    "unifiedRoleDefinition",
    {
        "id": Field("_id", GUID),
        "displayName": Field("state.display_name", sortable=True, folded="state.folded"),
        "isBuiltIn": Field("state.is_built_in", BOOLEAN),
    },
    selectable=frozenset({"description", "isEnabled", "resourceScopes", "rolePermissions", "templateId", "version"}),
    expandable=_ABOVE,
)
ROLE_ASSIGNMENTS = EntitySet(
    "unifiedRoleAssignment",
    {
        "id": Field("_id", GUID),
        "principalId": Field("state.principal_id", GUID),
        "roleDefinitionId": Field("state.role", GUID),
        "appScopeId": Field("state.scope"),
    },
    selectable=frozenset({"directoryScopeId", "condition", "principalOrganizationId"}),
    expandable=frozenset({"principal", "roleDefinition"}),
)
_ROOT = EntitySet("rbacApplication", {"id": Field("_id")})
Kind = Literal["user", "group", "servicePrincipal"]


class RoleAssignmentIn(Body):
    principal_id: str
    role_definition_id: str
    app_scope_id: str
    directory_scope_id: None = None
    """Scopes of this provider are `appScopeId`s."""
    condition: None = None


def definition_said(id: str, expand: Sequence[Expand] = ()) -> Rendered:
    one = DEFINITIONS[CatalogRole(id)]
    # What a role may do stands in it as a whole: none of these takes anything from another.
    above: Rendered = {"inheritsPermissionsFrom": []} if any(it.name in _ABOVE for it in expand) else {}
    return {
        "id": id,
        "displayName": one.display_name,
        "description": one.description,
        "isBuiltIn": True,
        "isEnabled": True,
        "resourceScopes": [],
        "templateId": id,
        "version": "1.0",
        "rolePermissions": [{"allowedResourceActions": list(one.actions), "condition": None}],
        **above,
    }


def assignment_said(found: Versioned[RoleAssignment]) -> Rendered:
    item = found.item
    kept: Rendered = {"@tenure.managedBy": item.managed_by} if item.managed_by else {}
    return {
        "@odata.etag": etag(found.version),
        **kept,
        "id": item.id,
        "principalId": item.principal_id,
        "roleDefinitionId": item.role.value,
        "appScopeId": item.scope,
        "directoryScopeId": None,
        "condition": None,
        "principalOrganizationId": None,
    }


def role_routes(routes: APIRouter, edge: Edge, delegates: Delegates) -> None:
    """These routes."""
    shelf, now = edge.shelves.role_assignments, edge.acts.platform.clock.now

    @routes.get(AT)
    async def root(request: Request, shape: Annotated[Shape, Depends(shape_query(_ROOT))]) -> Rendered:
        """The provider itself. Its roles and who has them are read behind it."""
        context = context_url(request, f"{CONTEXT}/$entity", shape.select)
        return {"@odata.context": context, **shape.selected({"id": "entitlementManagement"})}

    @routes.get(f"{AT}/roleDefinitions")
    async def definitions(
        request: Request, query: Annotated[ListQuery, Depends(list_query(ROLE_DEFINITIONS))]
    ) -> Rendered:
        """The roles there are: built in, the same in every tenant."""
        return await answer_list(
            request,
            query,
            find=delegates.definitions.page,
            total=lambda q: delegates.definitions.count(q.total_filter()),
            render=lambda one: definition_said(one["_id"], query.expand),
            context=f"{CONTEXT}/roleDefinitions",
        )

    @routes.get(f"{AT}/roleDefinitions/{{id}}")
    async def definition(
        request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(ROLE_DEFINITIONS))]
    ) -> Rendered:
        if await delegates.definitions.get(id.lower()) is None:
            raise NotFound("The resource was not found.")
        context = context_url(request, f"{CONTEXT}/roleDefinitions/$entity", shape.select)
        return {"@odata.context": context, **shape.selected(definition_said(id.lower(), shape.expand))}

    async def said(found: Sequence[Versioned[Any]], expand: tuple[Expand, ...]) -> list[Rendered]:
        names = {one.name for one in expand}
        inside = [deep for one in expand if one.name == "roleDefinition" for deep in one.expand]
        bodies = [assignment_said(one) for one in found]
        principals = await _principals(edge, delegates, [one.item for one in found]) if "principal" in names else {}
        for body, one in zip(bodies, found, strict=True):
            if "principal" in names:
                body["principal"] = principals[one.item.id]
            if "roleDefinition" in names:
                body["roleDefinition"] = definition_said(one.item.role.value, inside)
        return bodies

    @routes.get(f"{AT}/roleAssignments")
    async def assignments(
        request: Request, query: Annotated[ListQuery, Depends(list_query(ROLE_ASSIGNMENTS))], admitted: Admitted
    ) -> Rendered:
        """Who has which role: of all catalogs, or of those that the caller has a role for."""
        scope = admitted.standing.scope("state.catalog_id")
        return await edge.many(request, query, shelf, said, f"{CONTEXT}/roleAssignments", scope)

    @routes.post(f"{AT}/roleAssignments", status_code=201)
    async def assign(
        request: Request, body: RoleAssignmentIn, admitted: Admitted, key: IdempotencyKey = None
    ) -> Response:
        """Give a person, a group or a service principal a role, for one catalog or for all."""
        role, catalog = _asked(body)
        await _may_give(admitted, catalog)
        if catalog is not None:
            await edge.there(edge.shelves.catalogs, catalog)
        principal = body.principal_id.lower()
        kind = await _kind(edge, delegates, principal)
        item = role_assignment(made_id(request, "governance-role"), role, principal, kind, catalog, now())
        found = await edge.create(request, shelf, item)
        context = context_url(request, f"{CONTEXT}/roleAssignments/$entity")
        return JSONResponse({"@odata.context": context, **assignment_said(found)}, 201, {"ETag": etag(found.version)})

    async def there(id: str) -> Versioned[RoleAssignment]:
        return await edge.there(shelf, id.lower())

    @routes.get(f"{AT}/roleAssignments/{{id}}", dependencies=[Depends(shape_options(ROLE_ASSIGNMENTS))])
    async def assignment(request: Request, id: str, admitted: Admitted) -> Response:
        query = read_shape(ROLE_ASSIGNMENTS, request.query_params.multi_items())
        found = await there(id)
        await admitted.at(found.item.catalog_id)
        (body,) = await said([found], query.expand)
        context = context_url(request, f"{CONTEXT}/roleAssignments/$entity", query.select)
        return JSONResponse({"@odata.context": context, **query.selected(body)}, headers={"ETag": etag(found.version)})

    @routes.delete(f"{AT}/roleAssignments/{{id}}", status_code=204)
    async def unassign(request: Request, id: str, admitted: Admitted) -> Response:
        found = await there(id)
        await _may_give(admitted, found.item.catalog_id)
        return await edge.delete(request, shelf, found.item.id, None)


def _asked(body: RoleAssignmentIn) -> tuple[CatalogRole, str | None]:
    """Role and catalog. Raises BadRequest."""
    try:
        role = CatalogRole(body.role_definition_id.lower())
    except ValueError:
        raise NotFound("The role was not found.", code="RoleNotFound", target="roleDefinitionId") from None
    try:
        catalog = catalog_of(body.app_scope_id)
    except ValueError as problem:
        raise BadRequest(f"{problem}.", target="appScopeId") from None
    if role is CatalogRole.CREATOR and catalog is not None:
        raise BadRequest("Catalog creator is a role for all catalogs: its appScopeId is '/'.", target="appScopeId")
    return role, catalog


async def _may_give(admitted: Admission, catalog: str | None) -> None:
    """For all catalogs only administrators give and take roles; a role for all of them is no such right. Raises
    NoRight."""
    if catalog is not None:
        await admitted.at(catalog)
    elif not await admitted.meets(ROLES_GIVE_ALL):
        raise NoRight


async def _kind(edge: Edge, delegates: Delegates, principal: str) -> Kind:
    """Of what kind the principal is, waited for if it was only just made. Raises NotFound."""

    async def find() -> Kind | None:
        people, groups = await asyncio.gather(
            edge.shelves.people.there([principal]), edge.shelves.groups.names([principal])
        )
        if principal in people:
            return "user"
        if principal in groups:
            return "group"
        return "servicePrincipal" if await edge.origins.of([("AadApplication", principal)]) else None

    kind = await edge.acts.platform.hearing.once(find)
    if kind is None:
        raise NotFound("The principal was not found.", target="principalId")
    return kind


async def _principals(edge: Edge, delegates: Delegates, items: Sequence[RoleAssignment]) -> dict[str, Rendered]:
    """Role assignment -> who has it, as a directory object."""
    ids = {one.principal_id for one in items}
    people, groups, applications = await asyncio.gather(
        delegates.people.get(ids),
        edge.shelves.groups.names(ids),
        edge.origins.of([("AadApplication", id) for id in ids]),
    )
    said: dict[str, Rendered] = {}
    for one in items:
        id = one.principal_id
        body: Rendered = {ODATA_TYPE: f"#microsoft.graph.{one.principal_kind}", "id": id}
        match one.principal_kind:
            case "user":
                person = people.get(id, {})
                body |= {"displayName": person.get("name"), "userPrincipalName": person.get("user_principal_name")}
            case "group":
                body["displayName"] = groups.get(id)
            case "servicePrincipal":
                application = applications.get(("AadApplication", id))
                body["displayName"] = application.name if application else None
        said[one.id] = body
    return said
