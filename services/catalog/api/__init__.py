"""What catalog answers over HTTP: Graph's paths for catalogs, packages, role scopes, policies and resources."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.catalog.api.catalogs import catalog_routes
from services.catalog.api.edge import EM, TENURE, Edge, Rendered
from services.catalog.api.packages import package_routes, separation_routes
from services.catalog.api.policies import policy_routes
from services.catalog.api.populations import population_routes
from services.catalog.api.resources import resource_request_routes, resource_routes
from services.catalog.bulk import ApplyIn, apply_changes
from services.catalog.resource_lists import add_resource_lists
from shared.web.caller import cause_of
from shared.web.guard import Admitted, Guard
from shared.web.odata import EntitySet, Shape
from shared.web.odata import Field as Asked
from shared.web.paging import context_url, shape_query

_ROOT = EntitySet("entitlementManagement", {"id": Asked("_id")})


def routes_of(edge: Edge, guard: Guard) -> APIRouter:
    """Graph's paths for catalogs and what is in them, and Tenure's own."""
    routes = APIRouter(tags=["catalog"], dependencies=[Depends(guard)])

    @routes.get(EM)
    async def root(request: Request, shape: Annotated[Shape, Depends(shape_query(_ROOT))]) -> Rendered:
        """Entitlement management itself. What it holds is read behind it."""
        context = context_url(request, "identityGovernance/entitlementManagement/$entity", shape.select)
        return {"@odata.context": context, **shape.selected({"id": "entitlementManagement"})}

    catalog_routes(routes, edge)
    package_routes(routes, edge)
    separation_routes(routes, edge)
    policy_routes(routes, edge)
    resource_routes(routes, edge)
    resource_request_routes(routes, edge)
    add_resource_lists(routes, edge.acts, edge.related_said)
    population_routes(routes, edge)

    @routes.post(f"{TENURE}/catalog:apply")
    async def apply_many(request: Request, body: ApplyIn, admitted: Admitted) -> Rendered:
        """Many changes at once, each decided for itself; answers what became of each, in the order given."""
        standing = await admitted.full()
        return {"results": await apply_changes(edge.acts, body, cause_of(request), standing)}

    return routes
