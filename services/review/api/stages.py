"""Stages of an instance, and decisions in one."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from services.review import graph
from services.review.api.counter import (
    CONTEXT,
    RUN,
    Counter,
    ItemQuery,
    Rendered,
    as_reviewer,
    signed_in,
    with_other_reviewers,
)
from services.review.decide import instances, items
from services.review.model import (
    Instance,
    Stage,
)
from services.review.store import ITEMS, STAGES, mine
from shared.web.caller import Asking
from shared.web.errors import NotFound
from shared.web.guard import Admitted
from shared.web.odata import read_query
from shared.web.odata.options import read_shape
from shared.web.paging import context_url, shape_options


def there(one: Instance) -> list[Stage]:
    """Stages that have begun, of a review that has stages at all (REV-14)."""
    return [stage for stage in one.stages[: one.current + 1] if one.definition.staged]


def stage_of(one: Instance, stage_id: str) -> int:
    """Its number, from 0. Raises NotFound."""
    numbers = [n for n, stage in enumerate(there(one)) if stage.id == stage_id.lower()]
    if not numbers:
        raise NotFound("The resource was not found.")
    return numbers[0]


def stage_routes(routes: APIRouter, counter: Counter) -> None:
    desk = counter.desk
    at = f"{RUN}/stages"

    async def listed(request: Request, one: Instance, found: list[Stage]) -> Rendered:
        query = read_query(STAGES, request.query_params.multi_items())
        context = f"{CONTEXT}('{one.definition.id}')/instances('{one.id}')/stages"
        made = [
            {
                "_id": stage.id,
                "status": stage.status.value,
                "startsAt": stage.starts_at,
                "endsAt": stage.ends_at,
            }
            for stage in found
        ]
        said = {stage.id: graph.stage_said(stage) for stage in found}
        return await counter.list_made(request, query, made, said, context)

    @routes.get(at)
    async def all_stages(request: Request, id: str, instance_id: str, admitted: Admitted) -> Rendered:
        """Its stages, as far as they have begun."""
        one = await counter.run(id, instance_id, admitted)
        return await listed(request, one, there(one))

    @routes.get(f"{at}/filterByCurrentUser(on='{{on}}')")
    async def my_stages(
        request: Request, id: str, instance_id: str, on: str, caller: Asking, admitted: Admitted
    ) -> Rendered:
        """The stage in progress, if the person who asks decides something in it."""
        as_reviewer(on)
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        any_ = await counter.runs.items.ids(mine(one, person), limit=1)
        return await listed(request, one, [stage for stage in there(one) if any_ and stage.id == one.stage.id])

    @routes.get(f"{at}/{{stage_id}}")
    async def one_stage(request: Request, id: str, instance_id: str, stage_id: str, admitted: Admitted) -> Rendered:
        """One stage."""
        shape = read_shape(STAGES, request.query_params.multi_items())
        one = await counter.run(id, instance_id, admitted)
        said = graph.stage_said(one.stages[stage_of(one, stage_id)])
        context = f"{CONTEXT}('{one.definition.id}')/instances('{one.id}')/stages/$entity"
        return {"@odata.context": context_url(request, context, shape.select), **shape.selected(said)}

    @routes.patch(f"{at}/{{stage_id}}")
    async def update(
        request: Request, id: str, instance_id: str, stage_id: str, body: graph.ReviewersIn, admitted: Admitted
    ) -> Rendered:
        """Name other reviewers of this stage."""
        one = await with_other_reviewers(request, counter, (id, instance_id, stage_id.lower()), body, admitted)
        stage = next(stage for stage in one.stages if stage.id == stage_id.lower())
        context = f"{CONTEXT}('{one.definition.id}')/instances('{one.id}')/stages/$entity"
        return {"@odata.context": context_url(request, context), **graph.stage_said(stage)}

    @routes.post(f"{at}/{{stage_id}}/stop", status_code=204)
    async def stop(request: Request, id: str, instance_id: str, stage_id: str, admitted: Admitted) -> Response:
        """End it now; the next one begins."""
        one = await counter.run(id, instance_id, admitted)
        number = stage_of(one, stage_id)
        asked = instances.Act(one.id, "stopStage", one.stages[number].id)
        await counter.act(request, desk.instances, desk.about_instances(instances.act), asked)
        return Response(status_code=204)


def stage_decision_routes(routes: APIRouter, counter: Counter) -> None:
    desk = counter.desk
    at = f"{RUN}/stages"

    @routes.get(f"{at}/{{stage_id}}/decisions")
    async def its_items(
        request: Request, id: str, instance_id: str, stage_id: str, query: ItemQuery, caller: Asking, admitted: Admitted
    ) -> Rendered:
        """Items that have come to this stage, each with the last decision of all."""
        one = await counter.run(id, instance_id, admitted)
        number = stage_of(one, stage_id)
        if not await counter.sees_all(one.definition, admitted):
            return await counter.list_items(request, query, one, mine(one, signed_in(caller)), mine=True)
        return await counter.list_items(
            request, query, one, {"state.instance_id": one.id, "state.stage": {"$gte": number}}, mine=False
        )

    @routes.get(f"{at}/{{stage_id}}/decisions/filterByCurrentUser(on='{{on}}')")
    async def my_items(
        request: Request,
        id: str,
        instance_id: str,
        stage_id: str,
        on: str,
        query: ItemQuery,
        caller: Asking,
        admitted: Admitted,
    ) -> Rendered:
        """Those that the person who asks decides in this stage."""
        as_reviewer(on)
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        number = stage_of(one, stage_id)
        scope = mine(one, person) if number == one.current else {"_id": {"$in": []}}
        return await counter.list_items(request, query, one, scope, mine=True)

    @routes.get(f"{at}/{{stage_id}}/decisions/{{item_id}}", dependencies=[Depends(shape_options(ITEMS))])
    async def one_item(
        request: Request, id: str, instance_id: str, stage_id: str, item_id: str, admitted: Admitted
    ) -> Rendered:
        """One item."""
        shape = read_shape(ITEMS, request.query_params.multi_items())
        one = await counter.run(id, instance_id, admitted)
        stage_of(one, stage_id)
        stage = f"stages('{stage_id}')"
        return await counter.said_item(request, one, item_id, admitted, shape, stage)

    @routes.patch(f"{at}/{{stage_id}}/decisions/{{item_id}}", status_code=204)
    async def decide(
        request: Request,
        id: str,
        instance_id: str,
        stage_id: str,
        item_id: str,
        body: graph.DecisionIn,
        caller: Asking,
        admitted: Admitted,
    ) -> Response:
        """Decide in this stage, while it is in progress."""
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        number = stage_of(one, stage_id)
        item = await counter.item(one, item_id)
        judgement = items.Judge(item.id, person, body.decision, body.justification, one.stages[number].id)
        await counter.act(request, desk.items, desk.about_items(items.judge), judgement)
        return Response(status_code=204)
