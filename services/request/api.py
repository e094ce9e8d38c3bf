"""What request answers over HTTP: `/assignmentRequests`, as Graph has it.

Source: reference/graph-api-operations.md 2.3.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Depends, Response
from fastapi import Request as HttpRequest

from services.request import graph
from services.request.decide import acts, in_vain, offers, submit
from services.request.decide.answers import questions
from services.request.decide.scene import Person, Scene
from services.request.lately import OFFERED, Offering, of_people
from services.request.model import ADDS, BY_ADMINS, Request
from services.request.store import PACKAGES, REQUESTS, THERE, Surroundings, taken_back, visible
from shared.contracts import topics
from shared.contracts.base import Refusal
from shared.contracts.request import RequestStatus, RequestType
from shared.messaging.decision import Decision, Handler, by
from shared.messaging.loop import Loop
from shared.messaging.service import Platform
from shared.security.caller import Caller
from shared.storage import Answers, MongoAggregates
from shared.web.caller import Asking, cause_of, signed_in
from shared.web.errors import BadRequest, Conflict, Forbidden, GraphError, NoRight, NotFound
from shared.web.guard import Admission, Admitted, Guard
from shared.web.idempotency import IdempotencyKey, answering_once, made_id
from shared.web.odata import Expand, ListQuery, found_first, only_value, read_shape
from shared.web.paging import answer_list, context_url, list_query, shape_options

EM = "/v1.0/identityGovernance/entitlementManagement"
REQUESTS_AT = f"{EM}/assignmentRequests"
CONTEXT = "accessPackageAssignmentRequests"

Query = Annotated[ListQuery, Depends(list_query(REQUESTS))]
PackageQuery = Annotated[ListQuery, Depends(list_query(PACKAGES))]
Rendered = dict[str, Any]

_REFUSED: dict[str, type[GraphError]] = {
    "notFound": NotFound,
    "personNotFound": NotFound,
    "packageNotFound": NotFound,
    "policyNotFound": NotFound,
    "assignmentNotFound": NotFound,
    "requestorBlocked": Forbidden,
    "selfRequestDisabled": Forbidden,
    "onBehalfDisabled": Forbidden,
    "notOnBehalfOf": Forbidden,
    "notInScope": Forbidden,
    "requestsNotAccepted": Forbidden,
    "catalogNotExternal": Forbidden,
    "requestPending": Conflict,
    "alreadyAssigned": Conflict,
    "beingDeleted": Conflict,
    "assignedByRule": Conflict,
    "idempotencyKeyReused": Conflict,
    "conflict": Conflict,
}
"""A refused request is 400 or 403, a conflict of state 409; what is not listed is a 400."""


def refuse(refusal: Refusal) -> NoReturn:
    """The refusal of a decision, as Graph says it."""
    kind = _REFUSED.get(refusal.code, BadRequest)
    code = {NotFound: "ResourceNotFound", Conflict: refusal.code[:1].upper() + refusal.code[1:]}.get(kind)
    raise kind(refusal.message, code=code or refusal.code)


class Desk:
    """What the routes have in common."""

    def __init__(self, platform: Platform, loop: Loop[Request], store: MongoAggregates, around: Surroundings) -> None:
        self.platform = platform
        self.loop = loop
        self.store = store
        self.around = around
        self.submitting = Handler[Request, submit.Ask, Any](
            submit.submit, by(lambda ask: ask.id), self.scene, self.in_vain_since, in_vain.look
        )

    async def scene(self, asks: Sequence[submit.Ask], states: Mapping[str, Request | None]) -> Scene:
        """Everything that these ask about. Whoever has taken a request back holds nothing by it, though the answer that
        its assignment is gone may be on its way: it ends before anything that is asked for now begins."""
        made = [one for one in states.values() if one is not None]
        scene, gone = await asyncio.gather(self.around.scene(asks, states), self.around.gone(made))
        scene = replace(scene, gone=gone)
        held = [one.id for several in scene.held.values() for one in several]
        return scene.without(await taken_back(self.store, scene.held.keys(), held)) if held else scene

    async def in_vain_since(self, _scene: Scene, states: Mapping[str, Request | None]) -> list[str]:
        """Those for which something is gone since it was looked at: who heard of it may not have found them yet."""
        waiting = [one for one in states.values() if one is not None and one.status is RequestStatus.PENDING_APPROVAL]
        gone = await self.around.gone(waiting)
        return [one.id for one in waiting if in_vain.in_vain(one, gone)]

    async def waiting(self, find: Callable[[], Awaitable[Any]]) -> Any:
        """What `find` finds, waited for; nothing if facts on their way bring it not."""
        return await self.platform.hearing.once(find)

    async def ask_of(self, body: graph.RequestIn, caller: Caller, id: str) -> submit.Ask:
        """What the body asks for, with what it refers to heard of, as far as it is there."""
        wanted = graph.wanted(body)
        requestor = caller.person_id if body.request_type in BY_ADMINS else signed_in(caller)
        if wanted.assignment_id is not None:
            found = await self.waiting(lambda: self.around.holder_of(wanted.assignment_id or ""))
            if found is None:
                raise NotFound("The assignment was not found.", target="assignment/id")
            person_id, held = found
            package_id, policy_id = held.package_id, held.policy_id
            if not wanted.fits(person_id, held):
                raise BadRequest("The assignment of that id is another one than the rest says.", target="assignment")
        else:
            named = await self._of_mail(wanted.mail) if wanted.mail else wanted.person_id
            person_id, package_id, policy_id = named or requestor, wanted.package_id, wanted.policy_id
        if person_id is None:
            raise BadRequest("Say whose access it is: assignment/targetId.", target="assignment/targetId")
        if package_id is None:
            raise BadRequest(
                "Say which access package: assignment/accessPackageId.", target="assignment/accessPackageId"
            )
        assignment_id = wanted.assignment_id
        if assignment_id is None and body.request_type not in ADDS:
            assignment_id = await self._held(person_id, package_id)
        await self.heard_of(person_id, requestor, package_id, policy_id, adds=body.request_type in ADDS)
        return submit.Ask(
            id=id,
            type=body.request_type,
            requestor_id=requestor,
            person_id=person_id,
            package_id=package_id,
            policy_id=policy_id if body.request_type in ADDS else None,
            assignment_id=assignment_id,
            justification=body.justification,
            answers=graph.answers_of(body.answers or ()),
            schedule=graph.schedule_of(body.schedule),
        )

    async def _of_mail(self, mail: str) -> str:
        """Who in the directory has this address. Raises BadRequest unless it is exactly one."""
        place = "assignment/target/email"
        found = await self.waiting(lambda: self.around.of_mail(mail))
        if not found:
            raise BadRequest(
                f"Nobody in the directory has the address '{mail}': invite them first, by POST /v1.0/invitations.",
                target=place,
            )
        if len(found) > 1:
            raise BadRequest(f"{len(found)} people have the address '{mail}': name one by targetId.", target=place)
        return str(found[0])

    async def _held(self, person_id: str, package_id: str) -> str | None:
        async def find() -> str | None:
            held = await self.around.held([person_id])
            return next((one.id for one in held.get(person_id, ()) if one.package_id == package_id), None)

        found = await self.waiting(find)
        return str(found) if found else None

    async def heard_of(
        self, person_id: str, requestor: str | None, package_id: str, policy_id: str | None, *, adds: bool
    ) -> None:
        """Wait for what was just made or changed elsewhere; the decision says what is missing.

        Where none is named, some policy of the package is waited for: without any, nobody could be asking."""
        people = {id for id in (person_id, requestor) if id}

        async def policy() -> bool:
            if policy_id:
                return bool(await self.around.policies.get([policy_id]))
            return not adds or bool(await self.around.policies.find({"package_id": package_id}, limit=1))

        async def find() -> dict[str, dict[str, Any]]:
            persons, packages, is_there = await asyncio.gather(
                self.around.people.get(people), self.around.packages.get([package_id]), policy()
            )
            return packages if len(persons) == len(people) and is_there else {}

        hearing = self.platform.hearing
        packages, _ = await asyncio.gather(self.waiting(find), hearing.abreast(OFFERED))
        if adds and any(one["incompatible_groups"] for one in packages.values()):
            # Once given, a package is not taken from who had come into such a group by then.
            await hearing.abreast({topics.MEMBERSHIP_FACTS: [person_id]})

    async def submitted(self, request: HttpRequest, body: graph.RequestIn, admitted: Admission, id: str) -> Request:
        """Raises what refuses it: once all is known that was said of whom it is about until then."""
        caller = admitted.standing.caller

        async def decided() -> tuple[submit.Ask, Decision[Request]]:
            ask = await self.ask_of(body, caller, id)
            if body.request_type in BY_ADMINS:
                await self.within(ask.package_id, admitted)
            outcome = await self.platform.run_one(self.loop, self.submitting, ask, cause_of(request))
            assert outcome.decision is not None
            return ask, outcome.decision

        ask, decision = await decided()
        # What is not there has been waited for.
        if decision.refusal and _REFUSED.get(decision.refusal.code) is not NotFound:
            await self.platform.hearing.abreast(of_people(ask.person_id, ask.requestor_id))
            _, decision = await decided()
        if decision.refusal:
            refuse(decision.refusal)
        assert decision.state is not None
        return decision.state

    async def there(self, id: str) -> dict[str, Any]:
        """Raises NotFound."""
        found = await self.store.states({"_id": id.lower(), **THERE}, limit=1)
        if not found:
            raise NotFound("The resource was not found.")
        return found[0]

    async def shown(self, id: str, admitted: Admission) -> dict[str, Any]:
        """Raises NotFound, and NoRight for strangers. That its approval asks the caller may be on its way here."""
        caller, found = admitted.standing.caller.person_id or "", await self.there(id)
        if not visible(Request.model_validate(found), caller) and not await self.is_within(
            found["package_id"], admitted
        ):
            await self.platform.hearing.abreast({topics.APPROVAL_FACTS: [found["_id"]]})
            found = await self.there(id)
            if not visible(Request.model_validate(found), caller):
                await self.within(found["package_id"], admitted)
        return found

    async def within(self, package_id: str | None, admitted: Admission) -> None:
        """Raises NoRight unless the package lies in a catalog within the caller's bounds."""
        if not admitted.standing.everywhere:
            await admitted.at(await self._catalog_of(package_id))

    async def is_within(self, package_id: str, admitted: Admission) -> bool:
        """Whether it does, without waiting for roles on their way."""
        return (await admitted.full()).at(await self._catalog_of(package_id))

    async def _catalog_of(self, package_id: str | None) -> str | None:
        found = await self.around.packages.get([package_id]) if package_id else {}
        return found[package_id]["catalog_id"] if package_id in found else None

    async def act(self, request: HttpRequest, handler: Any, message: Any) -> None:
        decide = Handler[Request, Any, Any](handler, by(lambda one: one.id))
        outcome = await self.platform.run_one(self.loop, decide, message, cause_of(request))
        if outcome.decision and outcome.decision.refusal:
            refuse(outcome.decision.refusal)

    async def said(self, documents: Sequence[dict[str, Any]], expand: tuple[Expand, ...]) -> list[Rendered]:
        """As Graph's bodies, with what is to be expanded."""
        found = [Request.model_validate(document) for document in documents]
        outside = {one.name: one for one in expand}
        inside = {one.name: one for one in outside["assignment"].expand} if "assignment" in outside else {}
        packages = {one.package_id for one in found}
        bodies = await asyncio.gather(
            self._packages_said(packages, outside.get("accessPackage")),
            self._subjects_said({one.requestor_id for one in found if one.requestor_id}, outside.get("requestor")),
            self._packages_said(packages, inside.get("accessPackage")),
            self._subjects_said({one.person_id for one in found}, inside.get("target")),
            self._policies_said({one.policy_id for one in found}, inside.get("assignmentPolicy")),
        )
        held = await self.around.held({one.person_id for one in found}) if "assignment" in outside else {}
        live = {one.id: one for several in held.values() for one in several}
        expanded = {*outside, *(f"assignment/{name}" for name in inside)}
        return [graph.request_said(one, expanded, graph.Names(*bodies, live)) for one in found]

    async def _packages_said(self, ids: Collection[str], asked: Expand | None) -> dict[str, Rendered]:
        found = await self.around.packages.get(ids) if asked else {}
        return {one["_id"]: graph.package_said(one) for one in await self.around.with_catalogs(found.values(), asked)}

    async def _subjects_said(self, ids: Collection[str], asked: Expand | None) -> dict[str, Rendered]:
        if asked is None:
            return {}
        found = await self.around.people.get(ids)
        return await self.around.subjects.said(
            {id: found[id]["attributes"] if id in found else {} for id in ids}, asked.expand
        )

    async def _policies_said(self, ids: Collection[str], asked: Expand | None) -> dict[str, Rendered]:
        found = await self.around.policies.get(ids) if asked else {}
        return {id: graph.policy_said(one["state"]) for id, one in found.items()}

    async def many(self, request: HttpRequest, query: ListQuery, scope: dict[str, Any]) -> Rendered:
        scoped = {"$and": [THERE, scope]} if scope else THERE

        async def find(query: ListQuery) -> list[dict[str, Any]]:
            found = await self.store.states(
                query.mongo_filter(scoped), sort=query.sort, skip=query.skip, limit=query.limit
            )
            said = await self.said(found, query.expand)
            return [
                {"_id": document["_id"], "state": document, "said": body}
                for document, body in zip(found, said, strict=True)
            ]

        async def total(query: ListQuery) -> int:
            return await self.store.count(query.total_filter(scoped))

        return await answer_list(
            request, query, find=find, render=lambda document: document["said"], context=CONTEXT, total=total
        )


def router(
    platform: Platform,
    loop: Loop[Request],
    store: MongoAggregates,
    around: Surroundings,
    answers: Answers,
    guard: Guard,
) -> APIRouter:
    """Every route of this service."""
    routes = APIRouter(tags=["request"], route_class=answering_once(answers), dependencies=[Depends(guard)])
    desk = Desk(platform, loop, store, around)
    _asking(routes, desk)
    _reading(routes, desk)
    _acting(routes, desk)
    _offering(routes, desk)
    return routes


def _asking(routes: APIRouter, desk: Desk) -> None:
    @routes.post(REQUESTS_AT, status_code=201)
    async def create(
        request: HttpRequest, body: graph.RequestIn, admitted: Admitted, key: IdempotencyKey = None
    ) -> Rendered:
        """Ask to add, extend, change or remove an assignment. What follows is asynchronous: read it again."""
        if body.request_type in BY_ADMINS and not await admitted.stands(lambda one: not one.only_own):
            raise NoRight
        made = await desk.submitted(request, body, admitted, made_id(request, "request"))
        submitted = made.having(status=RequestStatus.SUBMITTED, completed_at=None, expired=False)
        said = graph.request_said(submitted, set(), graph.NO_NAMES)
        return {"@odata.context": context_url(request, f"{CONTEXT}/$entity"), **said}


def _reading(routes: APIRouter, desk: Desk) -> None:
    @routes.get(REQUESTS_AT)
    async def requests(request: HttpRequest, query: Query, admitted: Admitted) -> Rendered:
        """Everybody's requests; for those with roles in catalogs alone, those of the package that they filter by."""
        query = await found_first(query, desk.around.ids_of)
        if not admitted.standing.everywhere:
            await desk.within(only_value(query.where, "state.package_id"), admitted)
        return await desk.many(request, query, {})

    @routes.get(f"{REQUESTS_AT}/filterByCurrentUser(on='{{on}}')")
    async def mine(request: HttpRequest, on: str, query: Query, caller: Asking) -> Rendered:
        """Those of the person who asks: for them (`target`), by them (`createdBy`), waiting for them (`approver`), …"""
        person, query = signed_in(caller), await found_first(query, desk.around.ids_of)
        scopes: dict[str, Callable[[], Any]] = {
            "target": lambda: {"state.person_id": person},
            "createdby": lambda: {"state.requestor_id": person},
            "approver": lambda: {"state.approvers": person},
            "targetorrequestor": lambda: {"$or": [{"state.person_id": person}, {"state.requestor_id": person}]},
            "requestforothers": lambda: {"state.requestor_id": person, "state.person_id": {"$ne": person}},
            "targetagentidentitysponsororowner": lambda: {"_id": {"$in": []}},
        }
        if on.lower() == "targetmanager":
            return await desk.many(request, query, {"state.person_id": {"$in": await desk.around.reports_of(person)}})
        scope = scopes.get(on.lower())
        if scope is None:
            raise BadRequest(f"'{on[:64]}' is not one that requests can be filtered by.", target="on")
        listed = await desk.many(request, query, scope())
        if on.lower() == "approver" and not listed["value"]:
            await desk.platform.hearing.abreast({topics.APPROVAL_FACTS: None})
            listed = await desk.many(request, query, scope())
        return listed

    @routes.get(f"{REQUESTS_AT}/{{id}}", dependencies=[Depends(shape_options(REQUESTS))])
    async def one(request: HttpRequest, id: str, admitted: Admitted) -> Rendered:
        """One request: any for those who may read them, their own for everyone."""
        query = read_shape(REQUESTS, request.query_params.multi_items())
        (said,) = await desk.said([await desk.shown(id, admitted)], query.expand)
        context = context_url(request, f"{CONTEXT}/$entity", query.select)
        return {"@odata.context": context, **query.selected(said)}


def _acting(routes: APIRouter, desk: Desk) -> None:
    @routes.post(f"{REQUESTS_AT}/{{id}}/cancel")
    async def cancel(request: HttpRequest, id: str, caller: Asking, admitted: Admitted) -> Response:
        """Take it back, one's own or (administrators) another's, while it is not being delivered."""
        found = await desk.there(id)
        own = caller.person_id is not None and caller.person_id in {found["requestor_id"], found["person_id"]}
        administrator = await desk.is_within(found["package_id"], admitted)
        if not own and not administrator:
            raise NoRight
        await desk.act(request, acts.cancel, acts.Cancel(id.lower(), administrator))
        return Response(status_code=200)

    @routes.post(f"{REQUESTS_AT}/{{id}}/reprocess", status_code=202)
    async def reprocess(request: HttpRequest, id: str, admitted: Admitted) -> Response:
        """Try its delivery once more, within 14 days."""
        try:
            uuid.UUID(id)
        except ValueError:
            raise BadRequest(f"'{id[:64]}' is no id of a request.", target="id") from None
        await desk.within((await desk.there(id))["package_id"], admitted)
        await desk.act(request, acts.reprocess, acts.Reprocess(id.lower()))
        return Response(status_code=202)

    @routes.post(f"{REQUESTS_AT}/{{id}}/resume", status_code=204)
    async def resume(id: str, _body: graph.ResumeIn, admitted: Admitted) -> Response:
        """Go on with what waits for an extension's answer: none does yet, for extensions are not called."""
        await desk.within((await desk.there(id))["package_id"], admitted)
        raise Conflict("The request is not waiting for a callback.", code="InvalidRequestState")

    @routes.delete(f"{REQUESTS_AT}/{{id}}", status_code=204)
    async def delete(request: HttpRequest, id: str, admitted: Admitted) -> Response:
        """List it no longer, once it is denied or completed."""
        await desk.within((await desk.there(id))["package_id"], admitted)
        await desk.act(request, acts.delete, acts.Delete(id.lower()))
        return Response(status_code=204)


def _offering(routes: APIRouter, desk: Desk) -> None:
    around, now = desk.around, desk.platform.clock.now
    offering = Offering(desk.platform.hearing, around)

    @routes.get(f"{EM}/accessPackages/filterByCurrentUser(on='{{on}}')")
    async def packages(request: HttpRequest, on: str, query: PackageQuery, caller: Asking) -> Rendered:
        """Packages that the person who asks may ask for now (`allowedRequestor`); hidden ones are not listed."""
        if on.lower() != "allowedrequestor":
            raise BadRequest(f"'{on[:64]}' is not one that access packages can be filtered by.", target="on")
        query = await found_first(query, around.ids_of)

        async def listed(person: Person) -> Rendered:
            ids = offers.requestable(person, await around.requestable(), now())
            scope = {"_id": {"$in": sorted(ids)}, "is_hidden": False}

            async def find(query: ListQuery) -> list[dict[str, Any]]:
                found = await around.package_documents.find(
                    query.mongo_filter(scope), sort=query.sort, skip=query.skip, limit=query.limit
                )
                return await around.with_catalogs(found, query)

            async def total(query: ListQuery) -> int:
                return await around.package_documents.count(query.total_filter(scope))

            return await answer_list(
                request, query, find=find, render=graph.package_said, context="accessPackages", total=total
            )

        return await offering.to(caller, listed, enough=itemgetter("value"))

    @routes.post(f"{EM}/accessPackages/{{id}}/getApplicablePolicyRequirements")
    async def requirements(request: HttpRequest, id: str, caller: Asking) -> Rendered:
        """Under which policies the person who asks may ask for the package, and what each wants to know."""
        asking = signed_in(caller)
        await desk.heard_of(asking, None, id, None, adds=True)
        if not await around.packages_of([id]):
            raise NotFound("The resource was not found.")
        ask = submit.Ask("", RequestType.USER_ADD, asking, asking, id)

        async def applicable(person: Person) -> Rendered:
            scene = await around.scene([ask], {})
            found = offers.applicable(id, person, scene, now())
            return {
                "@odata.context": context_url(request, "Collection(accessPackageAssignmentRequestRequirements)"),
                "value": [graph.requirements_said(one.state, questions(id, person, one.state, scene)) for one in found],
            }

        return await offering.to(caller, applicable, enough=itemgetter("value"))
