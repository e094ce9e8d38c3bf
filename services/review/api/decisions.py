"""Decisions about the items of an instance."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from services.review import graph
from services.review.api.counter import RUN, Counter, ItemQuery, Rendered, as_reviewer, refuse, signed_in
from services.review.decide import items
from services.review.messages import STEP
from services.review.model import (
    Instance,
)
from services.review.store import ITEMS, mine
from shared.contracts.review import Verdict
from shared.web.caller import Asking, cause_of
from shared.web.errors import BadRequest, Forbidden
from shared.web.guard import Admitted
from shared.web.odata.options import read_shape
from shared.web.paging import shape_options


def decision_routes(routes: APIRouter, counter: Counter) -> None:
    desk = counter.desk

    @routes.get(f"{RUN}/decisions")
    async def all_items(
        request: Request, id: str, instance_id: str, query: ItemQuery, caller: Asking, admitted: Admitted
    ) -> Rendered:
        """Every item: one a person and thing."""
        one = await counter.run(id, instance_id, admitted)
        if not await counter.sees_all(one.definition, admitted):
            return await counter.list_items(request, query, one, mine(one, signed_in(caller)), mine=True)
        return await counter.list_items(request, query, one, {"state.instance_id": one.id}, mine=False)

    @routes.get(f"{RUN}/decisions/filterByCurrentUser(on='{{on}}')")
    async def my_items(
        request: Request, id: str, instance_id: str, on: str, query: ItemQuery, caller: Asking, admitted: Admitted
    ) -> Rendered:
        """Those that the person who asks decides."""
        as_reviewer(on)
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        return await counter.list_items(request, query, one, mine(one, person), mine=True)

    @routes.get(f"{RUN}/decisions/{{item_id}}", dependencies=[Depends(shape_options(ITEMS))])
    async def one_item(request: Request, id: str, instance_id: str, item_id: str, admitted: Admitted) -> Rendered:
        """One item."""
        shape = read_shape(ITEMS, request.query_params.multi_items())
        return await counter.said_item(request, await counter.run(id, instance_id, admitted), item_id, admitted, shape)

    @routes.patch(f"{RUN}/decisions/{{item_id}}", status_code=204)
    async def decide(
        request: Request,
        id: str,
        instance_id: str,
        item_id: str,
        body: graph.DecisionIn,
        caller: Asking,
        admitted: Admitted,
    ) -> Response:
        """Approve, deny, or say that one does not know; changed until the end, and the last one counts."""
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        judgement = items.Judge((await counter.item(one, item_id)).id, person, body.decision, body.justification)
        await counter.act(request, desk.items, desk.about_items(items.judge), judgement)
        return Response(status_code=204)

    @routes.post(f"{RUN}/batchRecordDecisions", status_code=204)
    async def batch(
        request: Request, id: str, instance_id: str, body: graph.BatchIn, caller: Asking, admitted: Admitted
    ) -> Response:
        """Decide all one's own items alike, or those of one principal or resource."""
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        if body.resource_id is not None and body.resource_id.lower() not in {one.resource.id, one.resource.policy_id}:
            raise BadRequest("resourceId: this review is about another resource.", target="resourceId")
        only = {"state.person_id": body.principal_id.lower()} if body.principal_id else {}
        said = {"by": person, "decision": body.decision, "justification": body.justification}
        if not await _of_mine(request, counter, one, only, said) and only:
            raise Forbidden("You decide nothing about this principal in this review.", code="notReviewer")
        return Response(status_code=204)

    @routes.post(f"{RUN}/acceptRecommendations", status_code=204)
    async def accept(request: Request, id: str, instance_id: str, caller: Asking, admitted: Admitted) -> Response:
        """Decide those of one's own items that nobody has decided as is recommended."""
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        said = {"by": person, "decision": Verdict.NOT_REVIEWED, "only_open": True, "advised": True}
        await _of_mine(request, counter, one, {"state.decision": Verdict.NOT_REVIEWED.value}, said)
        return Response(status_code=204)


async def _of_mine(
    request: Request, counter: Counter, instance: Instance, only: dict[str, Any], said: dict[str, Any]
) -> bool:
    """Decide a reviewer's items, some hundreds at a time; returns whether there were any. Raises if the first of them
    is refused, or they review nothing at all."""
    if not instance.is_open:
        raise BadRequest(f"This review takes no decisions now: it is {instance.status.value}.", code="notOpen")
    scope = {"$and": [mine(instance, said["by"]), only]} if only else mine(instance, said["by"])
    after: str | None = None
    found = False
    while ids := await counter.runs.items.ids(scope, after=after, limit=STEP):
        found, after = True, ids[-1]
        judgements = [items.Judge(id, **said) for id in ids]
        refusals = await counter.desk.through(judgements, items.judge, cause_of(request))
        if refusal := next((one for one in refusals if one is not None), None):
            refuse(refusal)
    if not found and not await counter.runs.items.ids(mine(instance, said["by"]), limit=1):
        raise Forbidden("Only a reviewer of this review decides in it.", code="notReviewer")
    return found
