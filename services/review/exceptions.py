"""Exceptions: who kept access although something spoke against it, with the reason, the owner and the review.

Two kinds. `againstRecommendation`: a reviewer approved what the review recommended to take away. `outsideRule`: a
reviewer approved an assignment that was given by hand or on request in a package that a rule gives to others; the rule
does not give it to this person. Both count once nobody can decide any more. The owner of an exception is whoever
approved it; without one (the default decision) it is nobody's, and said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from services.review.graph import Rendered
from services.review.model import OVER, Instance, Item, load_item
from services.review.store import NOBODY, Runs, Surroundings
from shared.contracts import topics
from shared.contracts.catalog import Life, PolicyFact
from shared.contracts.review import Advice, Verdict
from shared.contracts.roster import RosterKind
from shared.messaging.pace import Pace
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription
from shared.security.operations import ROLE_REVIEWS_READ
from shared.storage import Database, Index, Replica
from shared.web.errors import BadRequest
from shared.web.graph_model import graph_time
from shared.web.guard import Admitted
from shared.web.paging import only_its_options

AT = "/v1.0/tenure/exceptions"
AGAINST_RECOMMENDATION, OUTSIDE_RULE = "againstRecommendation", "outsideRule"
_AGAINST = {"state.decision": Verdict.APPROVE.value, "state.recommendation": Advice.DENY.value}


def ruled(database: Database) -> Replica[PolicyFact]:
    """Of each policy that gives by a rule or a population: its package."""

    def kept(fact: PolicyFact) -> dict[str, Any]:
        gives = fact.state.rule is not None or fact.state.population_id is not None
        return {"package": fact.state.package_id if gives and fact.state.life is Life.ACTIVE else None}

    return Replica(database, "ruled", kept, (Index("package"),))


def subscription(platform: Platform, rules: Replica[PolicyFact]) -> Subscription:
    return platform.keeps((topics.POLICY_FACTS,), rules, pace=Pace.PATIENT)


async def sought(rules: Replica[PolicyFact], runs: Runs, only: Mapping[str, Any]) -> dict[str, Any]:
    """A filter on items. `only`: of which instances."""
    over = {"state.status": {"$in": [status.value for status in OVER]}, **only}
    found = await rules.find({"package": {"$ne": None}})
    packages = sorted({str(one["package"]) for one in found})
    about = {"state.resource.kind": RosterKind.PACKAGE.value, "state.resource.id": {"$in": packages}}
    of_ruled = await runs.instances.ids({**over, **about}) if packages else []
    outside = {"state.instance_id": {"$in": of_ruled}, "state.by_rule": False, "state.decision": Verdict.APPROVE.value}
    within: dict[str, Any] = {}
    if only:
        chosen = await runs.instances.ids(over)
        within = {"state.instance_id": {"$in": chosen}} if chosen else NOBODY
    return {"$or": [{**_AGAINST, **within}, outside if of_ruled else NOBODY]}


def kinds(item: Item, instance: Instance, packages: frozenset[str]) -> list[str]:
    """Why it is an exception; empty if it is none."""
    if item.decision is not Verdict.APPROVE or instance.status not in OVER:
        return []
    found = [AGAINST_RECOMMENDATION] * (item.recommendation is Advice.DENY)
    of_ruled = instance.resource.kind is RosterKind.PACKAGE and instance.resource.id in packages
    return found + [OUTSIDE_RULE] * (of_ruled and not item.by_rule)


def exception_said(item: Item, instance: Instance, why: list[str], people: Mapping[str, Mapping[str, Any]]) -> Rendered:
    person, owner = people.get(item.person_id, {}), people.get(item.decided_by or "", {})
    return {
        "id": item.id,
        "kinds": why,
        "personId": item.person_id,
        "displayName": person.get("name"),
        "userPrincipalName": person.get("user_principal_name"),
        "resourceType": instance.resource.kind.value,
        "resourceId": instance.resource.id,
        "resource": instance.resource.display_name,
        "role": item.role,
        "roleDisplayName": instance.role_name(item.role),
        "assignmentId": item.assignment_id,
        "reason": item.justification,
        "recommendation": item.recommendation.value,
        "recommendationReason": item.reason,
        "ownerId": item.decided_by,
        "owner": owner.get("name"),
        "ownerUserPrincipalName": owner.get("user_principal_name"),
        "decidedAt": graph_time(item.decided_at) if item.decided_at else None,
        "definitionId": item.definition_id,
        "instanceId": item.instance_id,
        "review": instance.definition.display_name,
        "reviewEndedAt": graph_time(instance.ends_at),
    }


def add_routes(routes: APIRouter, runs: Runs, around: Surroundings, rules: Replica[PolicyFact]) -> None:
    """To a router that has the guard."""

    @routes.get(AT, dependencies=[Depends(only_its_options)])
    async def exceptions(
        request: Request,
        admitted: Admitted,
        definition_id: Annotated[str | None, Query(alias="definitionId", description="Only of this review.")] = None,
        instance_id: Annotated[str | None, Query(alias="instanceId", description="Only of this run of it.")] = None,
        kind: Annotated[str | None, Query(description=f"`{AGAINST_RECOMMENDATION}` or `{OUTSIDE_RULE}`.")] = None,
        skiptoken: Annotated[str | None, Query(alias="$skiptoken", description="An item's id: those beyond.")] = None,
        top: Annotated[int, Query(alias="$top", ge=1, le=999)] = 100,
    ) -> Rendered:
        """Who kept access although a recommendation or a rule spoke against it: why, by whom, in which review."""
        if kind not in {None, AGAINST_RECOMMENDATION, OUTSIDE_RULE}:
            raise BadRequest(f"kind: is {AGAINST_RECOMMENDATION} or {OUTSIDE_RULE}.", target="kind")
        only: dict[str, Any] = {}
        if definition_id is not None:
            only["state.definition_id"] = definition_id.lower()
        if instance_id is not None:
            only["_id"] = instance_id.lower()
        if not await admitted.meets(ROLE_REVIEWS_READ):
            only["state.resource.kind"] = {"$ne": RosterKind.DIRECTORY_ROLE.value}
        query = await sought(rules, runs, only)
        if skiptoken is not None:
            query = {"$and": [query, {"_id": {"$gt": skiptoken}}]}
        found = await runs.items.states(query, limit=top + 1)
        page = [load_item(one) for one in found[:top]]
        of = await runs.of({one.instance_id for one in page})
        packages = frozenset(str(one["package"]) for one in await rules.find({"package": {"$ne": None}}))
        people = await around.called({id for one in page for id in (one.person_id, one.decided_by) if id})
        value = [
            exception_said(one, of[one.instance_id], why, people)
            for one in page
            if one.instance_id in of
            and (why := kinds(one, of[one.instance_id], packages))
            and (kind is None or kind in why)
        ]
        return {"value": value, **({"@tenure.next": page[-1].id} if len(found) > top else {})}
