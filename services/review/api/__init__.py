"""What review answers over HTTP: `/identityGovernance/accessReviews`, as Graph has it.

Source: reference/graph-api-operations.md 4.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends

from services.review import covering, exceptions
from services.review.api.counter import Counter
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
