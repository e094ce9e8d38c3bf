"""Suggestions over HTTP: `/accessPackageSuggestions`, for the person who asks alone.

Source: reference/graph-api-operations.md 2.9.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

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
from shared.security.caller import Caller
from shared.storage import MongoAggregates
from shared.web.caller import Asking, signed_in
from shared.web.errors import BadRequest
from shared.web.graph_model import ODATA_TYPE, graph_time
from shared.web.guard import Guard
from shared.web.odata import GUID, EntitySet, Field, ListQuery
from shared.web.paging import context_url, list_query, slice_of

AT = "/v1.0/identityGovernance/entitlementManagement/accessPackageSuggestions"
SUGGESTIONS = EntitySet(
    "accessPackageSuggestion",
    {"id": Field("_id", GUID), "accessPackage/id": Field("package_id", GUID)},
    selectable=frozenset({"id", "reasons"}),
    expandable=frozenset({"accessPackage"}),
)
PEOPLE, HISTORY = "relatedpeopleassignments", "assignmenthistory"
Query = Annotated[ListQuery, Depends(list_query(SUGGESTIONS))]
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

    async def found_for(person: Person, on: Collection[str]) -> list[Suggestion]:
        scene = await around.requestable()
        now = platform.clock.now()
        offered = {id for id in offers.requestable(person, scene, now) if id in offers.visible(person, scene, now)}
        own = (await around.held([person.id])).get(person.id, ())
        found: list[Suggestion] = []
        # Of others as much as the tenant's endUserSettings let be seen.
        if PEOPLE in on and await around.people_insight() is not PeopleInsight.DISABLED:
            near = await related_to(person.id, person.manager_id)
            found += by_related_people(offered, own, await around.held(near))
        if HISTORY in on:
            had = {"state.person_id": person.id, "state.status": RequestStatus.DELIVERED.value}
            asked = await store.states({"$and": [THERE, had]}, limit=MOST_ASKED)
            found += by_history(offered, own, map(Asked.model_validate, asked))
        return found

    async def said(package_id: str, why: Sequence[Suggestion], id: str, expand: set[str]) -> Rendered:
        body: Rendered = {"id": id, "reasons": [await reason(one) for one in why]}
        if "accessPackage" in expand:
            package = (await around.packages.get([package_id]))[package_id]
            about = {"displayName": package["name"], "description": package["description"]}
            body["accessPackage"] = {"id": package_id, **about}
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

    async def listed(request: Request, query: ListQuery, caller: Caller, on: Collection[str]) -> Rendered:
        """Each package once, with all that speaks for it; what most speaks for comes first."""
        person_id = signed_in(caller)
        found: dict[str, list[Suggestion]] = {}
        for one in await offering.to(caller, lambda person: found_for(person, on)):
            found.setdefault(one.package_id, []).append(one)
        expand = {one.name for one in query.expand}

        made = [
            {"_id": derived_id("suggestion", person_id, id), "package_id": id, "place": place}
            for place, id in enumerate(found)
        ]
        order = query.sort if "$orderby" in dict(query.options) else [("place", 1)]
        page, about = slice_of(request, query, await platform.database.among(made, query.where, sort=order))
        bodies = [await said(one["package_id"], found[one["package_id"]], one["_id"], expand) for one in page]
        return {
            "@odata.context": context_url(request, "accessPackageSuggestions", query.select),
            **about,
            "value": [query.selected(body) for body in bodies],
        }

    @routes.get(AT)
    async def all_suggestions(request: Request, query: Query, caller: Asking) -> Rendered:
        """Packages that the person who asks may ask for: which those around them have, as far as endUserSettings let
        that be seen, or they had themself."""
        return await listed(request, query, caller, (PEOPLE, HISTORY))

    @routes.get(f"{AT}/filterByCurrentUser(on='{{on}}')")
    async def suggestions(request: Request, on: str, query: Query, caller: Asking) -> Rendered:
        """Those for one reason alone: `relatedPeopleAssignments` or `assignmentHistory`."""
        if on.lower() not in {PEOPLE, HISTORY}:
            raise BadRequest(f"'{on[:64]}' is not one that suggestions can be filtered by.", target="on")
        return await listed(request, query, caller, (on.lower(),))

    return routes
