"""What review answers over HTTP: `/identityGovernance/accessReviews`, as Graph has it.

Source: reference/graph-api-operations.md 4.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.review import covering, exceptions
from services.review.api.counter import AR, Counter, Rendered
from services.review.api.decisions import decision_routes
from services.review.api.definitions import definition_routes
from services.review.api.instances import act_routes, instance_routes
from services.review.api.stages import stage_decision_routes, stage_routes
from services.review.history import api as history
from services.review.messages import Desk
from shared.contracts.catalog import PolicyFact
from shared.storage import Answers, MongoAggregates, Replica
from shared.web.guard import Guard
from shared.web.idempotency import answering_once
from shared.web.odata import EntitySet, Field, Shape
from shared.web.paging import context_url, shape_query

_ROOT = EntitySet("accessReviewSet", {"id": Field("_id")})


def router(
    desk: Desk,
    campaigns: MongoAggregates,
    answers: Answers,
    guard: Guard,
    archive: history.Archive,
    rules: Replica[PolicyFact],
) -> APIRouter:
    """Every route of this service."""
    routes = APIRouter(tags=["review"], route_class=answering_once(answers), dependencies=[Depends(guard)])
    counter = Counter(desk, campaigns)

    @routes.get(AR)
    async def root(request: Request, shape: Annotated[Shape, Depends(shape_query(_ROOT))]) -> Rendered:
        """Access reviews themselves. What there is of them is read behind it."""
        context = context_url(request, "identityGovernance/accessReviews/$entity", shape.select)
        return {"@odata.context": context, **shape.selected({"id": "accessReviews"})}

    definition_routes(routes, counter)
    instance_routes(routes, counter)
    act_routes(routes, counter)
    decision_routes(routes, counter)
    stage_routes(routes, counter)
    stage_decision_routes(routes, counter)
    history.add_routes(routes, archive)
    exceptions.add_routes(routes, desk.runs, desk.around, rules)
    covering.add_routes(routes, desk)
    return routes
