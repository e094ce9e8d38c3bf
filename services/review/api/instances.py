"""Instances: one run each, and what an administrator does with it."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response

from services.review import graph
from services.review.api.counter import (
    CONTEXT,
    RUN,
    RUNS_AT,
    Counter,
    Rendered,
    RunQuery,
    as_reviewer,
    every_item,
    signed_in,
    tell_new,
    with_other_reviewers,
)
from services.review.decide import instances, items
from services.review.model import (
    Instance,
)
from services.review.store import INSTANCES, REVIEWERS
from shared.web.caller import Asking
from shared.web.guard import Admission, Admitted
from shared.web.odata import read_query
from shared.web.odata.options import read_shape
from shared.web.paging import context_url


def instance_routes(routes: APIRouter, counter: Counter) -> None:
    @routes.get(RUNS_AT)
    async def all_instances(request: Request, id: str, query: RunQuery, admitted: Admitted) -> Rendered:
        """Its runs, one a resource and occurrence."""
        one = await counter.definition(id, admitted)
        return await counter.list_runs(
            request, query, {"state.definition_id": one.id}, f"{CONTEXT}('{one.id}')/instances"
        )

    @routes.get(f"{RUNS_AT}/filterByCurrentUser(on='{{on}}')")
    async def my_instances(request: Request, id: str, on: str, query: RunQuery, caller: Asking) -> Rendered:
        """Runs in which the person who asks reviews something."""
        as_reviewer(on)
        own = await counter.runs.reviewed_by(signed_in(caller))
        scope = {"$and": [{"state.definition_id": id.lower()}, own]}
        return await counter.list_runs(request, query, scope, "Collection(accessReviewInstance)")

    @routes.get(RUN)
    async def one_instance(request: Request, id: str, instance_id: str, admitted: Admitted) -> Rendered:
        """One run."""
        shape = read_shape(INSTANCES, request.query_params.multi_items())
        one = await counter.run(id, instance_id, admitted)
        context = context_url(request, f"{CONTEXT}('{one.definition.id}')/instances/$entity", shape.select)
        return {"@odata.context": context, **shape.selected(await counter.said_run(request, one, shape))}

    @routes.patch(RUN)
    @routes.put(RUN, name="replace a run's reviewers")
    async def update(
        request: Request, id: str, instance_id: str, body: graph.ReviewersIn, admitted: Admitted
    ) -> Rendered:
        """Name other reviewers, for this run alone. Fallback reviewers may be added, not removed."""
        one = await with_other_reviewers(request, counter, (id, instance_id, None), body, admitted)
        context = context_url(request, f"{CONTEXT}('{one.definition.id}')/instances/$entity")
        return {"@odata.context": context, **graph.instance_said(one)}

    @routes.get(f"{RUN}/contactedReviewers")
    async def contacted(request: Request, id: str, instance_id: str, admitted: Admitted) -> Rendered:
        """Who was told to review it, or would have been, were mails not switched off; and when."""
        query = read_query(REVIEWERS, request.query_params.multi_items())
        one = await counter.run(id, instance_id, admitted)
        contacts = await counter.desk.telling.contacts.of(one.id)
        names = await counter.names(request, [contact["person_id"] for contact in contacts])
        said = {one["id"]: one for one in (graph.contact_said(contact, names) for contact in contacts)}
        made = [
            {**{name: said[id].get(name) for name in ("displayName", "userPrincipalName")}, "_id": id, "at": at}
            for id, at in ((contact["person_id"], contact["at"]) for contact in contacts)
        ]
        context = f"{CONTEXT}('{one.definition.id}')/instances('{one.id}')/contactedReviewers"
        return await counter.list_made(request, query, made, said, context)


def act_routes(routes: APIRouter, counter: Counter) -> None:
    desk = counter.desk
    acting = desk.about_instances(instances.act)

    async def act(
        request: Request,
        id: str,
        instance_id: str,
        admitted: Admission,
        what: Literal["stop", "remind", "reset", "apply"],
    ) -> Instance:
        one = await counter.run(id, instance_id, admitted)
        done: Instance = await counter.act(request, desk.instances, acting, instances.Act(one.id, what))
        return done

    @routes.post(f"{RUN}/stop", status_code=204)
    async def stop(request: Request, id: str, instance_id: str, admitted: Admitted) -> Response:
        """End it now: nobody decides any more, and what follows its end follows."""
        await act(request, id, instance_id, admitted, "stop")
        return Response(status_code=204)

    @routes.post(f"{RUN}/sendReminder", status_code=204)
    async def remind(request: Request, id: str, instance_id: str, admitted: Admitted) -> Response:
        """Tell its reviewers once more."""
        await act(request, id, instance_id, admitted, "remind")
        return Response(status_code=204)

    @routes.post(f"{RUN}/resetDecisions", status_code=204)
    async def reset(request: Request, id: str, instance_id: str, caller: Asking, admitted: Admitted) -> Response:
        """Every item is NotReviewed again; what was decided stays on record."""
        one = await act(request, id, instance_id, admitted, "reset")
        await every_item(request, counter, one, lambda id: items.Reset(id, caller.person_id), items.reset)
        if one.current:
            # What had left in an earlier stage is in this one now, and may have reviewers of its own.
            await tell_new(request, counter, one)
        return Response(status_code=204)

    @routes.post(f"{RUN}/applyDecisions", status_code=204)
    async def apply(request: Request, id: str, instance_id: str, admitted: Admitted) -> Response:
        """Carry out what was decided, once it is completed."""
        await act(request, id, instance_id, admitted, "apply")
        return Response(status_code=204)
