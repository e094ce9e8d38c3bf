"""What assignment answers over HTTP: who holds what, as Graph lists it, and assigning by hand."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, model_validator

from services.assignment.askings import Askings
from services.assignment.decide import direct, exclusion, person, reprocess
from services.assignment.decide.separation import separated
from services.assignment.decide.settle import REMIND_BEFORE, reminders_past
from services.assignment.history import History
from services.assignment.lists import EVERYTHING, Lists, Scope, Wanted
from services.assignment.model import (
    HOLDING,
    Assignment,
    Holding,
    load_assignment,
    load_job,
    public_assignment,
    public_job,
)
from services.assignment.rulebook import Package, Rulebook
from services.assignment.store import ITEMS, LIVE, NOBODY, RULES, Looks
from shared.catalogs import Catalogs
from shared.contracts.assignment import AssignmentStatus, EndReason
from shared.contracts.base import Refusal
from shared.messaging.decision import Handler, by
from shared.messaging.loop import Loop
from shared.messaging.service import Platform
from shared.rules.text import fold
from shared.storage import MongoAggregates, Replica
from shared.subjects import Subjects
from shared.web.caller import Asking, cause_of, signed_in
from shared.web.errors import BadRequest, Conflict, Forbidden, GraphError, NotFound, Unavailable
from shared.web.graph_model import GraphInput, Moment, graph_time
from shared.web.guard import Admission, Admitted, Guard
from shared.web.idempotency import IdempotencyKey, made_id
from shared.web.odata import Expand, ListQuery, only_value, read_shape
from shared.web.paging import answer_list, context_url, only_its_options, shape_options

EM = "/v1.0/identityGovernance/entitlementManagement"
TENURE = "/v1.0/tenure"
MOST_HOLDERS = 20_000
"""Holders on one page: ids alone are short."""

Rendered = dict[str, Any]

_REFUSED: dict[str, type[GraphError]] = {
    "personNotFound": NotFound,
    "packageNotFound": NotFound,
    "policyNotFound": NotFound,
    "personLeft": Conflict,
    "personExpected": Conflict,
    "packageDeleting": Conflict,
    "policyDeleting": Conflict,
    "alreadyHeld": Conflict,
    "assignedByRule": Conflict,
    "assignmentNotDelivered": Conflict,
    "requestsNotAccepted": Forbidden,
    "exclusionNotFound": NotFound,
}


class DirectAssignment(GraphInput):
    """Give one person one package under a policy for direct assignment."""

    person_id: str | None = Field(None, description="The person's id; or say `userPrincipalName`.")
    user_principal_name: str | None = None
    package_id: str
    policy_id: str
    starts_at: Moment | None = Field(None, description="Absent or past: now.")
    ends_at: Moment | None = Field(None, description="Exclusive. Absent: as the policy says.")
    justification: str | None = Field(None, max_length=2000)

    @model_validator(mode="after")
    def _one_person(self) -> DirectAssignment:
        if (self.person_id is None) is (self.user_principal_name is None):
            raise ValueError("say either personId or userPrincipalName")
        return self


def refuse(refusal: Refusal) -> NoReturn:
    """The refusal of a decision, as Graph says it."""
    kind = _REFUSED.get(refusal.code, BadRequest)
    raise kind(refusal.message, code="ResourceNotFound" if kind is NotFound else refusal.code)


def routes(
    platform: Platform,
    loop: Loop[Holding],
    holdings: MongoAggregates,
    jobs: MongoAggregates,
    history: History,
    looks: Looks,
    askings: Askings,
    subjects: Subjects,
    catalogs: Catalogs,
    guard: Guard,
) -> APIRouter:
    """All of them."""
    router = APIRouter(tags=["assignment"], dependencies=[Depends(guard)])
    desk = Desk(platform, loop, holdings, history, looks, subjects, catalogs)
    _graph(router, desk)
    _tenure(router, desk)
    _insight(router, desk, jobs, askings)
    return router


class Desk:
    """What the routes have in common."""

    def __init__(
        self,
        platform: Platform,
        loop: Loop[Holding],
        holdings: MongoAggregates,
        history: History,
        looks: Looks,
        subjects: Subjects,
        catalogs: Catalogs,
    ) -> None:
        self.platform = platform
        self.loop = loop
        self.holdings = holdings
        self.lists = Lists(holdings, history)
        self.looks = looks
        self.subjects = subjects
        self.catalogs = catalogs
        self.assigning = Handler(
            direct.assign_directly,
            by(lambda asked: asked.person_id),
            looks.look_for_commands,
            looks.look_again,
            person.second_look,
        )
        self.ending = Handler(
            direct.end_assignment, by(lambda asked: asked.person_id), looks.look, looks.look_again, person.second_look
        )
        self.lifting = Handler(
            exclusion.lift, by(lambda asked: asked.person_id), looks.look, looks.look_again, person.second_look
        )
        self.reprocessing = Handler(
            reprocess.reprocess, by(lambda asked: asked.person_id), looks.look, looks.look_again, person.second_look
        )

    async def waiting(self, find: Callable[[], Awaitable[Any]]) -> Any:
        """What `find` finds, waited for; None if facts on their way bring it not."""
        return await self.platform.hearing.once(find, enough=lambda found: found is not None)

    async def person_id(self, body: DirectAssignment) -> str:
        """Raises NotFound for somebody of whom no fact has come."""

        async def find() -> str | None:
            query: dict[str, Any] = {"_id": body.person_id}
            if body.person_id is None:
                query = {"state.facets.userPrincipalName": fold(body.user_principal_name or "")}
            found = await self.holdings.states({**query, "state.status": {"$ne": None}}, limit=1)
            return str(found[0]["_id"]) if found else None

        found = await self.waiting(find)
        if found is None:
            raise NotFound("The person was not found.", target="personId")
        return str(found)

    async def rules_with(self, package_id: str, policy_id: str) -> None:
        """Wait for both to be known here, as they are now; the decision says what is missing."""

        async def find() -> bool:
            book = await self.looks.rules.present()
            return package_id in book.packages and policy_id in book.policies

        await self.platform.hearing.once(find, about=RULES)

    async def document(self, id: str) -> dict[str, Any] | None:
        """A live assignment inside its holding, unwound, or an ended one in the same form."""
        return await self.lists.one(id)

    async def within(self, package_id: str | None, admitted: Admission) -> None:
        """Raises NoRight unless the package lies in a catalog within the caller's bounds."""
        if not admitted.standing.everywhere:
            found = (await self.looks.rules.present()).packages.get(package_id or "")
            await admitted.at(found.catalog_id if found else None)

    async def may_compare(self, a: str, b: str, admitted: Admission) -> None:
        """Raises NoRight unless the caller may see who holds `a`, and of `b` either the same or that the two are
        incompatible: who holds whatever else is told where that may be seen."""
        await self.within(a, admitted)
        if admitted.standing.everywhere or await self._are_incompatible(a, b):
            return
        await self.platform.hearing.abreast(RULES)
        if not await self._are_incompatible(a, b):
            await self.within(b, admitted)

    async def _are_incompatible(self, a: str, b: str) -> bool:
        """Or that there is no `b`, which nobody holds."""
        packages = (await self.looks.rules.present()).packages
        return b not in packages or b in _incompatible_with(a, packages)

    async def many(self, request: Request, scope: Scope = EVERYTHING, *, admitted: Admission | None = None) -> Rendered:
        """A list of assignments, those that have ended among them. `admitted`: of everybody; whoever has roles in
        catalogs alone filters by one of their packages (ROL-3)."""
        wanted = await Wanted.read(request.query_params.multi_items()).found_first(self.ids_of)
        query = wanted.live
        if admitted is not None and not admitted.standing.everywhere:
            await self.within(only_value(query.where, f"{ITEMS}.package_id"), admitted)

        async def find(_: ListQuery) -> list[dict[str, Any]]:
            found = await self.lists.find(wanted, scope)
            said = await self.said(found, query.expand)
            return [{**one, "said": body} for one, body in zip(found, said, strict=True)]

        async def total(_: ListQuery) -> int:
            return await self.lists.count(wanted, scope)

        return await answer_list(
            request,
            query,
            find=find,
            total=total,
            render=lambda document: document["said"],
            context="accessPackageAssignments",
        )

    async def ids_of(self, kept: str, where: Mapping[str, Any], limit: int) -> list[str]:
        """Of packages, policies, catalogs or people, by the names that lists have for them."""
        if kept == "people":
            return await self.holdings.ids(dict(where), limit=limit)
        rules = self.looks.rules
        replicas: Mapping[str, Replica[Any]] = {
            "packages": rules.packages,
            "policies": rules.policies,
            "catalogs": self.catalogs.replica,
        }
        return await replicas[kept].ids(where, limit=limit)

    async def said(self, found: Sequence[dict[str, Any]], expand: Sequence[Expand] = ()) -> list[Rendered]:
        """As Graph's bodies, with what is expanded."""
        bodies = [rendered(one) for one in found]
        for one in expand:
            match one.name:
                case "target":
                    people = {it["_id"]: _about(it["state"]) for it in await self.lists.with_people(found)}
                    related = await self.subjects.said(people, one.expand)
                    ids = [str(it["_id"]) for it in found]
                case "accessPackage":
                    ids = [_package_of(it) for it in found]
                    related = await self.packages_said(ids, one.expand)
                case "assignmentPolicy":
                    ids = [_policy_of(it) for it in found]
                    related = await self.policies_said(ids, one.expand)
            for body, id in zip(bodies, ids, strict=True):
                body[one.name] = related[id]
        return bodies

    async def packages_said(self, ids: Collection[str], expand: Sequence[Expand]) -> dict[str, Rendered]:
        """By id, in their catalogs if that is expanded."""
        known = await self.looks.rules.packages.get(set(ids))
        said = _shown(ids, known)
        if any(one.name == "catalog" for one in expand):
            catalogs = await self.catalogs.said({str(one["catalog_id"]) for one in known.values()})
            for id, body in said.items():
                body["catalog"] = catalogs.get(known[id]["catalog_id"]) if id in known else None
        return said

    async def policies_said(self, ids: Collection[str], expand: Sequence[Expand]) -> dict[str, Rendered]:
        """By id, with the package that they are of, and its catalog, if that is expanded."""
        known = await self.looks.rules.policies.get(set(ids))
        said = _shown(ids, known)
        of = {id: str(one["package_id"]) for id, one in known.items()}
        for one in expand:
            if one.name not in {"accessPackage", "catalog"}:
                continue
            inner = one.expand if one.name == "accessPackage" else (Expand("catalog"),)
            packages = await self.packages_said(set(of.values()), inner)
            for id, body in said.items():
                package = packages.get(of.get(id, ""))
                body[one.name] = package and (package if one.name == "accessPackage" else package["catalog"])
        return said


def _about(holding: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the person, in the names of Graph's user."""
    return {**holding.get("about", {}), "userType": holding.get("facets", {}).get("userType")}


def _package_of(document: dict[str, Any]) -> str:
    """Of an unwound holding, or of one of the history in that form."""
    return str(document["state"]["assignments"]["package_id"])


def _policy_of(document: dict[str, Any]) -> str:
    """The same."""
    ended = document.get("ended")
    return str(ended["assignment"]["policyId"] if ended else document["state"]["assignments"]["policy_id"])


def _shown(ids: Iterable[str], known: Mapping[str, Mapping[str, Any]]) -> dict[str, Rendered]:
    """Packages or policies, as far as they are kept here: who may get them, and how, catalog says."""
    return {
        id: {
            "id": id,
            "displayName": known[id]["name"] if id in known else None,
            **{
                name: graph_time(value) if isinstance(value, datetime) else value
                for name, value in known.get(id, {}).get("shown", {}).items()
            },
        }
        for id in ids
    }


def rendered(document: Mapping[str, Any]) -> Rendered:
    """Graph's accessPackageAssignment, of an unwound holding, or of one of the history in that form."""
    ended_at = None
    if (ended := document.get("ended")) is None:
        one = load_assignment(document["state"]["assignments"])
        said, step = public_assignment(one).model_dump(mode="json", by_alias=True), _step(one)
    else:
        said, ended_at = ended["assignment"], ended["ended_at"]
        step = "ExpiredNotificationTriggered" if ended["reason"] == EndReason.EXPIRED else "Expired"
    until = said.get("endsAt")
    kind = "afterDateTime" if until else "noExpiration"
    expiration = {"endDateTime": until, "duration": None, "type": kind}
    return {
        "id": said["id"],
        "state": AssignmentStatus(said["status"]).in_graph,
        "status": step,
        "expiredDateTime": graph_time(ended_at) if ended_at else None,
        "schedule": {"startDateTime": said["startsAt"], "recurrence": None, "expiration": expiration},
        "customExtensionCalloutInstances": [],
        "@tenure.kind": said["kind"],
        "@tenure.justification": said.get("justification"),
    }


def _step(one: Assignment) -> str:
    """Graph's `status` of a live assignment: how far it has come, or that its end has been announced (ST-2)."""
    announced = one.reminded == len(REMIND_BEFORE) > reminders_past(one.ends_at, one.starts_at)
    if announced and one.status is AssignmentStatus.DELIVERED:
        return "NearExpiry1DayNotificationTriggered"
    state = one.status.in_graph
    return state[:1].upper() + state[1:]


def _graph(router: APIRouter, desk: Desk) -> None:
    @router.get(EM + "/assignments")
    async def assignments(request: Request, admitted: Admitted) -> Rendered:
        """All assignments, those that have ended (`state` expired) among them.

        `$filter` on state, accessPackage/id, target/objectId, assignmentPolicy/id; `$expand=target,accessPackage,
        assignmentPolicy`."""
        return await desk.many(request, admitted=admitted)

    @router.get(EM + "/assignments/filterByCurrentUser(on='{on}')")
    async def mine(request: Request, on: str, caller: Asking) -> Rendered:
        """Those of the person who asks (`target`), of their reports (`targetManager`), made by them (`createdBy`)."""
        person = signed_in(caller)
        reports = {"state.facets.manager": fold(person)}
        of_reports = await desk.holdings.ids(reports) if on.lower() == "targetmanager" else []
        scopes: dict[str, Scope] = {
            "target": Scope({"_id": person}, {"person_id": person}),
            "targetmanager": Scope(reports, {"person_id": {"$in": of_reports}}),
            "createdby": Scope(
                {f"{ITEMS}.cause": caller.actor},
                {"assignment.cause.actor": caller.actor},
                {f"{ITEMS}.cause": caller.actor},
            ),
            "targetagentidentitysponsororowner": Scope(NOBODY, NOBODY),
        }
        if on.lower() not in scopes:
            raise BadRequest(f"'{on[:64]}' is not one that assignments can be filtered by.", target="on")
        return await desk.many(request, scopes[on.lower()])

    @router.get(EM + "/assignments/additionalAccess(accessPackageId='{a}',incompatibleAccessPackageId='{b}')")
    async def additional_access(request: Request, a: str, b: str, admitted: Admitted) -> Rendered:
        """Assignments of the one package whose holder has the other one, too: kept when these became incompatible."""
        if a == b:
            raise BadRequest("Name two packages.", target="incompatibleAccessPackageId")
        await desk.may_compare(a, b, admitted)
        both = {f"{ITEMS}.package_id": {"$all": [a, b]}}
        return await desk.many(request, Scope(both, NOBODY, {f"{ITEMS}.package_id": a}))

    @router.get(EM + "/assignments/additionalAccess(accessPackageId='{a}')", name="additional access, to any package")
    async def any_additional_access(request: Request, a: str, admitted: Admitted) -> Rendered:
        """The same of every package that is incompatible with the one: listed by it, or listing it."""
        await desk.within(a, admitted)
        others = sorted(_incompatible_with(a, (await desk.looks.rules.present()).packages))
        both = {"$and": [{f"{ITEMS}.package_id": a}, {f"{ITEMS}.package_id": {"$in": others}}]}
        return await desk.many(request, Scope(both, NOBODY, {f"{ITEMS}.package_id": a}))

    @router.patch(EM + "/assignments/{id}", include_in_schema=False)
    @router.delete(EM + "/assignments/{id}", include_in_schema=False)
    async def not_by_hand(request: Request, id: str) -> Response:
        """Only requests make, change and end assignments: as documented, this is answered as a path that is not."""
        uri = str(request.url)[:300]
        raise NotFound(f"No HTTP resource was found that matches the request URI '{uri}': change it by a request.")

    @router.get(EM + "/assignments/{id}", dependencies=[Depends(shape_options(LIVE))])
    async def assignment(request: Request, id: str, admitted: Admitted) -> Rendered:
        """One assignment, ended ones too."""
        query = read_shape(LIVE, request.query_params.multi_items())
        found = await desk.waiting(lambda: desk.document(id))
        if found is None:
            raise NotFound("The assignment was not found.")
        await desk.within(_package_of(found), admitted)
        body = query.selected((await desk.said([found], query.expand))[0])
        return {"@odata.context": context_url(request, "accessPackageAssignments/$entity", query.select), **body}

    @router.post(EM + "/assignments/{id}/reprocess", status_code=202)
    async def enforce(request: Request, id: str, admitted: Admitted) -> Response:
        """Check every role of a delivered assignment at its resource, and give anew what is not there."""
        try:
            id = str(uuid.UUID(id))
        except ValueError:
            raise BadRequest(f"'{id[:64]}' is no id of an assignment.", target="id") from None
        found = await desk.waiting(lambda: desk.document(id))
        if found is None:
            raise NotFound("The assignment was not found.")
        await desk.within(_package_of(found), admitted)
        asked = reprocess.Reprocess(id, found["_id"])
        outcome = await desk.platform.run_one(desk.loop, desk.reprocessing, asked, cause_of(request))
        if outcome.decision and outcome.decision.refusal:
            refuse(outcome.decision.refusal)
        return Response(status_code=202)


def _incompatible_with(id: str, packages: Mapping[str, Package]) -> set[str]:
    """Packages that this one lists, or that list it."""
    listed = packages[id].incompatible if id in packages else frozenset[str]()
    return {*listed, *(other for other, one in packages.items() if id in one.incompatible)}


def _tenure(router: APIRouter, desk: Desk) -> None:
    @router.post(TENURE + "/assignments", status_code=201)
    async def assign(
        request: Request, body: DirectAssignment, admitted: Admitted, key: IdempotencyKey = None
    ) -> Rendered:
        """Assign directly. With an `Idempotency-Key` a repeat gives nothing new."""
        person_id = await desk.person_id(body)
        id = made_id(request, f"assignment of {person_id}")
        await desk.rules_with(body.package_id, body.policy_id)
        await desk.within(body.package_id, admitted)
        asked = direct.AssignDirectly(
            id,
            person_id,
            body.package_id,
            body.policy_id,
            body.starts_at,
            body.ends_at,
            body.justification,
        )
        outcome = await desk.platform.run_one(desk.loop, desk.assigning, asked, cause_of(request))
        if outcome.decision and outcome.decision.refusal:
            refuse(outcome.decision.refusal)
        query = read_shape(LIVE, [("$expand", "target,accessPackage,assignmentPolicy")])
        found = await desk.waiting(lambda: desk.document(id))
        if found is None:
            raise Unavailable("The assignment was made and has ended since, and is not listed yet.")
        (said,) = await desk.said([found], query.expand)
        if (said["accessPackage"]["id"], said["assignmentPolicy"]["id"]) != (body.package_id, body.policy_id):
            raise Conflict("This Idempotency-Key gave the person another package.", code="IdempotencyKeyReused")
        return said

    @router.delete(TENURE + "/assignments/{id}", status_code=204)
    async def take_away(request: Request, id: str, admitted: Admitted) -> Response:
        """End a direct assignment; if a rule matches, it takes over. Ending what has ended is a 204, too."""
        found = await desk.waiting(lambda: desk.document(id))
        if found is None:
            raise NotFound("The assignment was not found.")
        await desk.within(_package_of(found), admitted)
        if "ended" not in found:
            cause = cause_of(request)
            asked = direct.EndAssignment(id, found["_id"], f"Removed by {cause.actor}.")
            outcome = await desk.platform.run_one(desk.loop, desk.ending, asked, cause)
            if outcome.decision and outcome.decision.refusal:
                refuse(outcome.decision.refusal)
        return Response(status_code=204)


def _insight(router: APIRouter, desk: Desk, jobs: MongoAggregates, askings: Askings) -> None:
    @router.get(TENURE + "/packages/{id}/holders", dependencies=[Depends(only_its_options)])
    async def holders(
        request: Request,
        id: str,
        admitted: Admitted,
        skiptoken: Annotated[str | None, Query(alias="$skiptoken")] = None,
        top: Annotated[int, Query(alias="$top", ge=1, le=MOST_HOLDERS)] = MOST_HOLDERS,
    ) -> Rendered:
        """Ids of all who hold the package now, in order; those whose start lies ahead do not."""
        await desk.within(id, admitted)
        book = await desk.looks.rules.present()
        query = {ITEMS: {"$elemMatch": {"package_id": id, "status": {"$ne": "scheduled"}}}}
        found = await desk.holdings.ids(query, after=skiptoken, limit=top + 1)
        if not found and id not in book.packages:
            raise NotFound("The access package was not found.")
        body: Rendered = {"value": found[:top]}
        if len(found) > top:
            body["@odata.nextLink"] = str(request.url.include_query_params(**{"$skiptoken": found[top - 1]}))
        return body

    @router.get(TENURE + "/people/{id}/access")
    async def access(id: str, admitted: Admitted) -> Rendered:
        """Everything about one person's access: assignments, what was asked and decided for them, grants, how far each
        is delivered."""
        if id != admitted.standing.caller.person_id:
            await admitted.at(None)

        async def find() -> dict[str, Any] | None:
            return await desk.holdings.state(id)

        found = await desk.waiting(find)
        if found is None:
            raise NotFound("The person was not found.")
        holding = HOLDING.load(found)
        asked = await askings.of(holding.assignments.keys())
        return access_of(holding, found["version"], await desk.looks.rules.present(), asked)

    _exclusions(router, desk)

    @router.get(TENURE + "/ruleJobs", dependencies=[Depends(only_its_options)])
    async def rule_jobs(
        running: Annotated[bool, Query(description="Only those not done.")] = False,
        top: Annotated[int, Query(alias="$top", ge=1, le=999)] = 100,
    ) -> Rendered:
        """Rule changes on their way through everyone they can concern, the latest first."""
        query = {"state.done": False} if running else {}
        found = await jobs.states(query, sort=(("state.started_at", -1), ("_id", 1)), limit=top)
        return {
            "value": [
                public_job(load_job({k: v for k, v in one.items() if k not in _KIT})).model_dump(
                    mode="json", by_alias=True
                )
                for one in found
            ],
            "running": await jobs.count({"state.done": False}),
        }


def _exclusions(router: APIRouter, desk: Desk) -> None:
    @router.get(TENURE + "/exclusions", dependencies=[Depends(only_its_options)])
    async def exclusions(
        package_id: Annotated[str | None, Query(alias="packageId", description="Only of this access package.")] = None,
        skiptoken: Annotated[str | None, Query(alias="$skiptoken", description="A person's id: those beyond.")] = None,
        top: Annotated[int, Query(alias="$top", ge=1, le=999)] = 100,
    ) -> Rendered:
        """Packages that no rule gives to somebody for a time, because a review took them; by person."""
        query: dict[str, Any] = {"state.exclusions.package_id": package_id or {"$exists": True}}
        if skiptoken is not None:
            query["_id"] = {"$gt": skiptoken}
        found = await desk.holdings.states(query, limit=top + 1)
        book = await desk.looks.rules.present()
        value = [
            said
            for one in found[:top]
            for said in exclusions_of(HOLDING.load(one), book)
            if package_id in {None, said["packageId"]}
        ]
        return {"value": value, **({"@tenure.next": found[top - 1]["_id"]} if len(found) > top else {})}

    @router.delete(TENURE + "/exclusions/{person_id}/{package_id}", status_code=204)
    async def lift(request: Request, person_id: str, package_id: str) -> Response:
        """Take a review's denial back: rules give the package again, if they match."""
        asked = exclusion.LiftExclusion(person_id.lower(), package_id.lower())
        outcome = await desk.platform.run_one(desk.loop, desk.lifting, asked, cause_of(request))
        if outcome.decision and outcome.decision.refusal:
            refuse(outcome.decision.refusal)
        return Response(status_code=204)


def exclusions_of(holding: Holding, book: Rulebook) -> list[Rendered]:
    """What no rule gives to this person, until when and why."""
    return [
        {
            "personId": holding.id,
            **one.model_dump(mode="json", by_alias=True),
            "package": book.packages[one.package_id].name if one.package_id in book.packages else None,
        }
        for one in holding.exclusions.values()
    ]


_KIT = ("_id", "version", "revision")


def access_of(
    holding: Holding, version: int, book: Rulebook, asked: Mapping[str, Sequence[Rendered]] | None = None
) -> Rendered:
    """A holding for people to read. `asked`: by assignment, what was asked about it."""
    return {
        "personId": holding.id,
        "status": holding.status.value if holding.status else None,
        "version": version,
        "assignments": [
            {
                **public_assignment(one).model_dump(mode="json", by_alias=True),
                "package": book.packages[one.package_id].name if one.package_id in book.packages else None,
                "policy": book.policies[one.policy_id].name if one.policy_id in book.policies else None,
                "requests": (asked or {}).get(one.id, []),
            }
            for one in holding.assignments.values()
        ],
        "grants": [
            {
                "role": grant.role.model_dump(mode="json", by_alias=True),
                "assignments": list(grant.assignments),
                "deliver": grant.deliver,
                "version": grant.version,
                "delivery": grant.delivery.value if grant.delivery else None,
            }
            for grant in holding.grants.values()
        ],
        "withheld": [_withheld(holding, book.packages[id], book) for id in holding.withheld if id in book.packages],
        "exclusions": exclusions_of(holding, book),
        "nextDate": graph_time(holding.due_at) if holding.due_at else None,
    }


def _withheld(holding: Holding, package: Package, book: Rulebook) -> Rendered:
    """What a rule would give, and why it does not."""
    reason = separated(holding.id, holding.assignments, holding.groups, package, book)
    return {"packageId": package.id, "package": package.name, "reason": reason.message if reason else None}
