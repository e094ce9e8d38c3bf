"""Policies: who may have a package, and how."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.catalog import graph
from services.catalog.api.edge import EM, Edge, Rendered, created
from services.catalog.decide import Change
from services.catalog.model import Policy
from services.catalog.stages import may_name_extensions
from services.catalog.subjects import may_name_subjects
from shared.security.operations import ADMINISTER
from shared.web.conditional import IfMatch, version_named
from shared.web.errors import BadRequest, NoRight
from shared.web.guard import Admission, Admitted
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import ListQuery
from shared.web.paging import list_query, shape_options

PolicyQuery = Annotated[ListQuery, Depends(list_query(graph.POLICIES))]


def policy_routes(routes: APIRouter, edge: Edge) -> None:
    shelf, now = edge.shelves.policies, edge.acts.platform.clock.now

    @routes.get(f"{EM}/assignmentPolicies")
    async def policies(request: Request, query: PolicyQuery, admitted: Admitted) -> Rendered:
        scope: dict[str, Any] = {}
        if not admitted.standing.everywhere:
            scope = {"state.package_id": {"$in": await edge.shelves.packages_in(admitted.standing.catalogs)}}
        return await edge.many(request, query, shelf, edge.seen_by(admitted).policies_said, "assignmentPolicies", scope)

    @routes.get(f"{EM}/accessPackages/{{id}}/assignmentPolicies")
    async def policies_of(request: Request, id: str, query: PolicyQuery, admitted: Admitted) -> Rendered:
        await edge.package(id, admitted)
        scope = {"state.package_id": id}
        return await edge.many(request, query, shelf, edge.seen_by(admitted).policies_said, "assignmentPolicies", scope)

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
        found = await edge.policy(id, admitted)
        render = edge.seen_by(admitted).policies_said
        return await edge.one(request, found, render, graph.POLICIES, "assignmentPolicies")

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
        found, render = await edge.there(shelf, id), edge.seen_by(admitted).policies_said
        return await edge.one(request, found, render, graph.POLICIES, "assignmentPolicies")

    @routes.delete(f"{EM}/assignmentPolicies/{{id}}", status_code=204)
    async def delete(request: Request, id: str, admitted: Admitted, if_match: IfMatch = None) -> Response:
        await edge.policy(id, admitted)
        return await edge.delete(request, shelf, id, if_match)
