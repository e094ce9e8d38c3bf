"""What is on offer, as people browse it: `/availableAccessPackages`. To see a package is not yet to be let ask for it.

Source: reference/graph-api-operations.md 2.9; entra-features, PKG-3 to PKG-5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from services.request.decide import offers
from services.request.decide.scene import Person
from services.request.lately import Offering
from services.request.store import AVAILABLE, Surroundings
from shared.contracts.catalog import ResourceRole
from shared.messaging.service import Platform
from shared.security.caller import Caller
from shared.web.caller import Asking
from shared.web.errors import Forbidden, NotFound
from shared.web.guard import Guard
from shared.web.odata import EntitySet, Expand, Field, ListQuery, read_shape
from shared.web.paging import answer_list, answer_made, context_url, list_query
from shared.web.role_scopes import role_scope_said

AT = "/v1.0/identityGovernance/entitlementManagement/availableAccessPackages"
ROLE_SCOPES = EntitySet(
    "accessPackageResourceRoleScope",
    {"id": Field("_id")},
    selectable=frozenset({"createdDateTime", "role", "scope"}),
    expandable=frozenset({"role", "scope"}),
)

Query = Annotated[ListQuery, Depends(list_query(AVAILABLE))]
RoleScopeQuery = Annotated[ListQuery, Depends(list_query(ROLE_SCOPES))]
Rendered = dict[str, Any]


def router(platform: Platform, around: Surroundings, guard: Guard) -> APIRouter:
    """All of them: for people, of whom the directory knows."""
    routes = APIRouter(tags=["request"], dependencies=[Depends(guard)])
    now, offering = platform.clock.now, Offering(platform.hearing, around)

    async def there(id: str, caller: Caller) -> tuple[Mapping[str, Any], Person]:
        """The package, and who asks. Raises NotFound for what the person is neither shown nor may ask for."""

        async def found(person: Person) -> tuple[Mapping[str, Any], Person] | None:
            scene = await around.requestable()
            if id not in offers.visible(person, scene, now()) | offers.requestable(person, scene, now()):
                return None
            return (await around.packages.get([id]))[id], person

        shown = await offering.to(caller, found)
        if shown is None:
            raise NotFound("The resource was not found.")
        return shown

    async def role_scopes_of(
        documents: Sequence[Mapping[str, Any]], person: Person, expand: tuple[Expand, ...]
    ) -> list[list[Rendered]]:
        """What each of these packages brings. Raises Forbidden for those to whom the tenant does not show it."""
        if not offers.shows_roles(person, await around.roles_shown_to()):
            raise Forbidden("What access packages bring is not shown here.")
        roles = [[ResourceRole.model_validate(one) for one in document.get("roles", ())] for document in documents]
        names = await around.role_names([role for several in roles for role in several])
        inner = frozenset(one.name for one in expand)
        return [
            [role_scope_said(document["catalog_id"], role, inner, names) for role in several]
            for document, several in zip(documents, roles, strict=True)
        ]

    async def said(
        documents: Sequence[Mapping[str, Any]], person: Person, expand: tuple[Expand, ...]
    ) -> list[Rendered]:
        bodies = [_said(one) for one in documents]
        for one in expand:
            for body, scopes in zip(bodies, await role_scopes_of(documents, person, one.expand), strict=True):
                body[one.name] = scopes
        return bodies

    @routes.get(AT)
    async def packages(request: Request, query: Query, caller: Asking) -> Rendered:
        """Packages that the person who asks is shown: what they may ask for, and what is for specific people."""

        async def listed(person: Person) -> Rendered:
            scene = await around.requestable()
            scope = {"_id": {"$in": sorted(offers.visible(person, scene, now()))}}

            async def find(query: ListQuery) -> list[dict[str, Any]]:
                found = await around.package_documents.find(
                    query.mongo_filter(scope), sort=query.sort, skip=query.skip, limit=query.limit
                )
                bodies = await said(found, person, query.expand)
                return [{**one, "said": body} for one, body in zip(found, bodies, strict=True)]

            async def total(query: ListQuery) -> int:
                return await around.package_documents.count(query.total_filter(scope))

            return await answer_list(
                request,
                query,
                find=find,
                render=lambda one: one["said"],
                context="availableAccessPackages",
                total=total,
            )

        return await offering.to(caller, listed, enough=itemgetter("value"))

    @routes.get(f"{AT}/{{id}}")
    async def package(request: Request, id: str, caller: Asking) -> Rendered:
        """One of them; with the link also a hidden one."""
        query = read_shape(AVAILABLE, request.query_params.multi_items())
        found, person = await there(id, caller)
        (body,) = await said([found], person, query.expand)
        context = context_url(request, "availableAccessPackages/$entity", query.select)
        return {"@odata.context": context, **query.selected(body)}

    @routes.get(f"{AT}/{{id}}/resourceRoleScopes")
    async def role_scopes(request: Request, id: str, query: RoleScopeQuery, caller: Asking) -> Rendered:
        """What it brings, for those to whom the tenant shows it."""
        found, person = await there(id, caller)
        (scopes,) = await role_scopes_of([found], person, query.expand)
        by_id = {one["id"]: one for one in scopes}
        made = [{"_id": id} for id in by_id]
        return await answer_made(
            request,
            query,
            made,
            platform.database,
            render=lambda one: by_id[one["_id"]],
            context="resourceRoleScopes",
        )

    return routes


def _said(document: Mapping[str, Any]) -> Rendered:
    """Graph's availableAccessPackage."""
    return {"id": document["_id"], "displayName": document["name"], "description": document["description"]}
