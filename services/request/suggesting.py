"""Suggestions over HTTP: `/accessPackageSuggestions`, for the person who asks alone.

Source: reference/graph-api-operations.md 2.9.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from services.request.decide import offers
from services.request.decide.scene import Person
from services.request.decide.suggestions import Suggestion, by_history, by_related_people
from services.request.lately import Offering
from services.request.model import Request as Asked
from services.request.store import THERE, Surroundings
from shared.contracts.organizations import PeopleInsight
from shared.contracts.request import RequestStatus
from shared.ids import derived_id
from shared.messaging.service import Platform
from shared.storage import MongoAggregates
from shared.web.caller import Asking, signed_in
from shared.web.errors import BadRequest
from shared.web.graph_model import ODATA_TYPE, graph_time
from shared.web.guard import Guard
from shared.web.odata import EntitySet, read_query
from shared.web.paging import context_url, list_options, slice_of

AT = "/v1.0/identityGovernance/entitlementManagement/accessPackageSuggestions"
SUGGESTIONS = EntitySet(
    "accessPackageSuggestion", {}, selectable=frozenset({"id", "reasons"}), expandable=frozenset({"accessPackage"})
)
MOST_RELATED = 500
MOST_ASKED = 500
Rendered = dict[str, Any]


def router(platform: Platform, store: MongoAggregates, around: Surroundings, guard: Guard) -> APIRouter:
    """This route."""
    routes = APIRouter(tags=["request"], dependencies=[Depends(guard)])
    offering = Offering(platform.hearing, around)

    async def related_to(person_id: str, manager_id: str | None) -> list[str]:
        near = await around.reports_of(person_id)
        if manager_id is not None:
            near += [manager_id, *await around.reports_of(manager_id)]
        return [id for id in dict.fromkeys(near) if id != person_id][:MOST_RELATED]

    async def found_for(person: Person, on: str) -> list[Suggestion]:
        scene = await around.requestable()
        now = platform.clock.now()
        offered = {id for id in offers.requestable(person, scene, now) if id in offers.visible(person, scene, now)}
        own = (await around.held([person.id])).get(person.id, ())
        if on == "assignmenthistory":
            had = {"state.person_id": person.id, "state.status": RequestStatus.DELIVERED.value}
            asked = await store.states({"$and": [THERE, had]}, limit=MOST_ASKED)
            return by_history(offered, own, map(Asked.model_validate, asked))
        if await around.people_insight() is PeopleInsight.DISABLED:
            return []  # as the tenant's endUserSettings say
        near = await related_to(person.id, person.manager_id)
        return by_related_people(offered, own, await around.held(near))

    async def said(one: Suggestion, person_id: str, expand: set[str]) -> Rendered:
        body: Rendered = {"id": derived_id("suggestion", person_id, one.package_id), "reasons": [await reason(one)]}
        if "accessPackage" in expand:
            package = (await around.packages.get([one.package_id]))[one.package_id]
            about = {"displayName": package["name"], "description": package["description"]}
            body["accessPackage"] = {"id": one.package_id, **about}
        return body

    async def reason(one: Suggestion) -> Rendered:
        if one.last_had is not None:
            return {
                ODATA_TYPE: "#microsoft.graph.accessPackageSuggestionSelfAssignmentHistoryBased",
                "pastAssignmentCount": one.had,
                "lastAssignmentDateTime": graph_time(one.last_had),
            }
        names: list[Rendered] = []
        if await around.people_insight() is PeopleInsight.NAMES:
            people = await around.people.get(one.held_by)
            names = [{"id": id, "displayName": it["attributes"].get("displayName")} for id, it in people.items()]
        return {
            ODATA_TYPE: "#microsoft.graph.accessPackageSuggestionRelatedPeopleBased",
            "relatedPeopleAssignmentCount": len(one.held_by),
            "relatedPeople": names,
        }

    @routes.get(f"{AT}/filterByCurrentUser(on='{{on}}')", dependencies=[Depends(list_options(SUGGESTIONS))])
    async def suggestions(request: Request, on: str, caller: Asking) -> Rendered:
        """Packages that the person who asks may ask for: which those around them have (`relatedPeopleAssignments`, as
        far as endUserSettings let that be seen), or they had themself (`assignmentHistory`)."""
        query = read_query(SUGGESTIONS, request.query_params.multi_items())
        person_id = signed_in(caller)
        if on.lower() not in {"relatedpeopleassignments", "assignmenthistory"}:
            raise BadRequest(f"'{on[:64]}' is not one that suggestions can be filtered by.", target="on")
        found = await offering.to(caller, lambda person: found_for(person, on.lower()))
        page, about = slice_of(request, query, found)
        expand = {one.name for one in query.expand}
        return {
            "@odata.context": context_url(request, "accessPackageSuggestions", query.select),
            **about,
            "value": [query.selected(await said(one, person_id, expand)) for one in page],
        }

    return routes
