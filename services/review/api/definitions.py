"""Definitions: what is reviewed, by whom and how often."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.review import graph
from services.review.api.counter import CONTEXT, DEFINITIONS_AT, ONE, Counter, Rendered, as_reviewer, signed_in
from services.review.decide import definitions, instances
from services.review.model import (
    load_definition,
)
from services.review.store import DEFINITIONS, THERE
from shared.security.operations import ROLE_REVIEWS_READ
from shared.web.caller import Asking
from shared.web.guard import Admitted
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import ListQuery
from shared.web.odata.options import read_shape
from shared.web.paging import answer_list, context_url, list_query

Query = Annotated[ListQuery, Depends(list_query(DEFINITIONS))]


def definition_routes(routes: APIRouter, counter: Counter) -> None:
    desk = counter.desk
    writing = desk.about_definitions(definitions.write)
    deleting = desk.about_definitions(definitions.delete)

    async def listed(request: Request, query: ListQuery, scope: dict[str, Any], context: str) -> Rendered:
        scoped = {"$and": [THERE, scope]} if scope else THERE

        async def find(q: ListQuery) -> list[Rendered]:
            found = await counter.campaigns.states(q.mongo_filter(scoped), sort=q.sort, skip=q.skip, limit=q.limit)
            ones = [load_definition(one) for one in found]
            said = await counter.said_definitions(request, ones, q)
            return [{"_id": raw["_id"], "state": raw, "said": body} for raw, body in zip(found, said, strict=True)]

        return await answer_list(
            request,
            replace(query, count=True),
            find=find,
            render=lambda one: one["said"],
            context=context,
            total=lambda q: counter.campaigns.count(q.total_filter(scoped)),
        )

    @routes.post(DEFINITIONS_AT, status_code=201)
    async def create(
        request: Request, body: graph.DefinitionIn, caller: Asking, admitted: Admitted, key: IdempotencyKey = None
    ) -> Rendered:
        """Define a review. Its instances come by themselves, when their time has come."""
        id = made_id(request, "review-definition")
        state = graph.definition_of(body, id, caller.person_id, desk.platform.clock.now())
        await counter.may_make(state, admitted)
        made = await counter.act(request, desk.definitions, writing, definitions.Write(id, state, new=True))
        said = graph.definition_said(made, await counter.names(request, [caller.person_id]))
        return {"@odata.context": context_url(request, f"{CONTEXT}/$entity"), **said}

    @routes.get(DEFINITIONS_AT)
    async def all_definitions(request: Request, query: Query, caller: Asking, admitted: Admitted) -> Rendered:
        """Every review; for those who may not see all, those of their making and of their catalogs' packages."""
        if await admitted.reaches(None):
            own = {"state.state.created_by": caller.person_id}
            all_of_them = await admitted.meets(ROLE_REVIEWS_READ)
            seen: dict[str, Any] = {} if all_of_them else {"$or": [{"state.of_roles": {"$ne": True}}, own]}
            return await listed(request, query, seen, CONTEXT)
        theirs: dict[str, Any] = {"state.state.created_by": signed_in(caller)}
        if catalogs := admitted.standing.catalogs:
            packages = await counter.around.packages_in(catalogs)
            theirs = {"$or": [theirs, {"state.packages": {"$in": packages}}]}
        return await listed(request, query, theirs, CONTEXT)

    @routes.get(f"{DEFINITIONS_AT}/filterByCurrentUser(on='{{on}}')")
    async def my_definitions(request: Request, on: str, query: Query, caller: Asking) -> Rendered:
        """Reviews in which the person who asks reviews something."""
        as_reviewer(on)
        found = await counter.runs.instances.distinct(
            await counter.runs.reviewed_by(signed_in(caller)), "state.definition_id"
        )
        return await listed(request, query, {"_id": {"$in": found}}, "Collection(accessReviewScheduleDefinition)")

    @routes.get(ONE)
    async def one_definition(request: Request, id: str, admitted: Admitted) -> Rendered:
        """One review."""
        shape = read_shape(DEFINITIONS, request.query_params.multi_items())
        one = await counter.definition(id, admitted)
        (said,) = await counter.said_definitions(request, [one], shape)
        return {
            "@odata.context": context_url(request, f"{CONTEXT}/$entity", shape.select),
            **shape.selected(said),
        }

    @routes.put(ONE, status_code=204)
    async def put(request: Request, id: str, body: graph.DefinitionIn, admitted: Admitted) -> Response:
        """Replace it: coming instances follow, running ones stay as they are."""
        one = await counter.definition(id, admitted)
        state = graph.definition_of(body, one.id, one.state.created_by, desk.platform.clock.now())
        await counter.may_lead(state, admitted)
        await counter.act(request, desk.definitions, writing, definitions.Write(one.id, state, new=False))
        return Response(status_code=204)

    @routes.delete(ONE, status_code=204)
    async def delete(request: Request, id: str, admitted: Admitted) -> Response:
        """Nothing begins any more, and what runs is ended undecided. Access is not touched."""
        one = await counter.definition(id, admitted)
        await counter.act(request, desk.definitions, deleting, definitions.Delete(one.id))
        return Response(status_code=204)

    @routes.post(f"{ONE}/stop", status_code=204)
    async def stop(request: Request, id: str, admitted: Admitted) -> Response:
        """Stop every instance that runs; later ones come all the same."""
        one = await counter.definition(id, admitted)
        for running in await counter.stoppable(one.id):
            stopping = instances.Act(running, "stop")
            await counter.act(request, desk.instances, desk.about_instances(instances.act), stopping)
        return Response(status_code=204)
