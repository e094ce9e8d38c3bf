"""What approval answers over HTTP: `/accessPackageAssignmentApprovals`, as Graph has it.

Source: reference/graph-api-operations.md 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BeforeValidator, Field

from services.approval.decide import stages
from services.approval.decide.approvers import asking_now
from services.approval.messages import Looks
from services.approval.model import Approval, Stage
from services.approval.store import APPROVALS, Surroundings, of_person, of_person_at_all
from shared.contracts import topics
from shared.contracts.approval import ReviewResult
from shared.contracts.base import Refusal
from shared.messaging.decision import Handler, by
from shared.messaging.loop import Loop
from shared.messaging.service import Platform
from shared.security.caller import Caller
from shared.storage import Answers, MongoAggregates
from shared.web.caller import Asking, cause_of, signed_in
from shared.web.errors import BadRequest, Conflict, Forbidden, GraphError, NoRight, NotFound
from shared.web.graph_model import ODATA_TYPE, GraphBody, graph_time
from shared.web.guard import Admission, Admitted, Guard
from shared.web.idempotency import answering_once
from shared.web.odata import EntitySet, ListQuery, Shape, read_query, read_shape
from shared.web.paging import answer_list, context_url, list_query, slice_of

EM = "/v1.0/identityGovernance/entitlementManagement"
APPROVALS_AT = f"{EM}/accessPackageAssignmentApprovals"

Query = Annotated[ListQuery, Depends(list_query(APPROVALS))]
Rendered = dict[str, Any]

_STAGES = EntitySet(
    "approvalStage",
    {},
    selectable=frozenset(
        {
            "id",
            "displayName",
            "status",
            "assignedToMe",
            "reviewResult",
            "reviewedBy",
            "reviewedDateTime",
            "justification",
        }
    ),
)
_RESULTS = {"approve": ReviewResult.APPROVED, "deny": ReviewResult.DENIED}
_REFUSED: dict[str, type[GraphError]] = {
    "notFound": NotFound,
    "notApprover": Forbidden,
    "alreadyDecided": Conflict,
    "notOpen": Conflict,
}


def refuse(refusal: Refusal) -> NoReturn:
    """The refusal of a decision, as Graph says it."""
    kind = _REFUSED.get(refusal.code, BadRequest)
    raise kind(refusal.message, code="ResourceNotFound" if kind is NotFound else refusal.code)


class StagePatch(GraphBody):
    """A decision. The approver's name, the time and the status are the service's to set."""

    review_result: Annotated[Literal["approve", "deny"], BeforeValidator(lambda said: str(said).lower())]
    justification: str | None = Field(None, max_length=4000)

    read_only = GraphBody.read_only | {"assignedToMe", "displayName", "reviewedBy", "reviewedDateTime", "status"}


class Desk:
    """What the routes have in common."""

    def __init__(self, platform: Platform, store: MongoAggregates, around: Surroundings, look: Looks) -> None:
        self.platform = platform
        self.store = store
        self.around = around
        self._look = look

    async def there(self, id: str, admitted: Admission) -> Approval:
        """The approval, waited for if its request was only just made. Raises NotFound, and NoRight for strangers."""
        caller = admitted.standing.caller.person_id
        approval = await self.platform.hearing.once(lambda: self._kept(id))
        if approval is None:
            raise NotFound("The resource was not found.")
        if _concerns(approval, caller) or await admitted.reaches(None):
            return approval
        if caller is None or not _concerns(approval := await self._asking_now(approval, caller), caller):
            raise NoRight
        return approval

    async def _kept(self, id: str) -> Approval | None:
        found = await self.store.state(id.lower())
        return Approval.model_validate(found) if found is not None else None

    async def _asking_now(self, approval: Approval, caller: str) -> Approval:
        """That its stage asks the caller may be on its way here: who they are, whose manager, in which group."""
        people = {approval.person_id, approval.requestor_id or caller, caller, *approval.watched}
        await self.platform.hearing.abreast({topics.PERSON_FACTS: people, topics.MEMBERSHIP_FACTS: [caller]})
        present = await self._kept(approval.id) or approval
        return asking_now(present, await self._look([], {present.id: present}))

    async def hear_of(self, person_id: str) -> None:
        """Wait for what was asked so far, and for what was said of that person: nothing is theirs only if it is not by
        then."""
        person = [person_id]
        about = {topics.PERSON_FACTS: person, topics.MEMBERSHIP_FACTS: person, topics.APPROVAL_COMMANDS: None}
        await self.platform.hearing.abreast(about)

    async def stages_said(self, approval: Approval, caller: Caller) -> list[Rendered]:
        people = await self.around.people.get({one.reviewed_by for one in approval.stages if one.reviewed_by})
        return [_stage_said(stage, caller, people) for stage in approval.stages]

    async def many(self, request: Request, query: ListQuery, caller: Caller, scope: Mapping[str, Any]) -> Rendered:
        async def find(query: ListQuery) -> list[Rendered]:
            found = await self.store.states(
                query.mongo_filter(scope), sort=query.sort, skip=query.skip, limit=query.limit
            )
            return [
                {"_id": one["_id"], "said": await self.said(Approval.model_validate(one), caller, query)}
                for one in found
            ]

        async def total(query: ListQuery) -> int:
            return await self.store.count(query.total_filter(scope))

        return await answer_list(
            request, query, find=find, render=lambda document: document["said"], context="approvals", total=total
        )

    async def said(self, approval: Approval, caller: Caller, query: Shape) -> Rendered:
        body: Rendered = {ODATA_TYPE: "#microsoft.graph.approval", "id": approval.id}
        if any(one.name == "stages" for one in query.expand):
            body["stages"] = await self.stages_said(approval, caller)
        return body


def _concerns(approval: Approval, person_id: str | None) -> bool:
    """Whether the person is asked, was told of a decision, or it is about them."""
    asked = {id for one in approval.stages for id in one.approvers}
    concerned = {approval.person_id, approval.requestor_id, *approval.told, *asked}
    return person_id is not None and person_id in concerned


def _stage_said(stage: Stage, caller: Caller, people: dict[str, dict[str, Any]]) -> Rendered:
    by = people.get(stage.reviewed_by or "", {})
    return {
        "id": stage.id,
        "displayName": None,
        "status": stage.status.value,
        "assignedToMe": stage.open and caller.person_id in stage.approvers,
        "reviewResult": stage.result.value,
        "reviewedDateTime": graph_time(stage.reviewed_at) if stage.reviewed_at else None,
        "reviewedBy": {"id": stage.reviewed_by, "displayName": by.get("name")} if stage.reviewed_by else None,
        "justification": stage.justification or "",
        "@tenure.expiresDateTime": graph_time(stage.expires_at) if stage.expires_at else None,
    }


def router(
    platform: Platform,
    loop: Loop[Approval],
    store: MongoAggregates,
    around: Surroundings,
    look: Looks,
    answers: Answers,
    guard: Guard,
) -> APIRouter:
    """Every route of this service."""
    routes = APIRouter(tags=["approval"], route_class=answering_once(answers), dependencies=[Depends(guard)])
    desk = Desk(platform, store, around, look)
    judging = Handler[Approval, stages.Judge, Any](stages.judge, by(lambda one: one.id), look)

    @routes.get(APPROVALS_AT)
    async def approvals(request: Request, query: Query, caller: Asking, admitted: Admitted) -> Rendered:
        """All of them for those who may read all; for everybody else those that wait for them, or are about them."""
        if await admitted.reaches(None):
            return await desk.many(request, query, caller, {})
        return await desk.many(request, query, caller, of_person_at_all(signed_in(caller)))

    @routes.get(f"{APPROVALS_AT}/filterByCurrentUser(on='{{on}}')")
    async def mine(request: Request, on: str, query: Query, caller: Asking) -> Rendered:
        """Approvals of the person who asks: waiting for their decision (`approver`), about them, asked for by them."""
        person = signed_in(caller)
        scope = of_person(on, person)
        if scope is None:
            raise BadRequest(f"'{on[:64]}' is not one that approvals can be filtered by.", target="on")

        answer = await desk.many(request, query, caller, scope)
        if not answer["value"]:
            await desk.hear_of(person)
            answer = await desk.many(request, query, caller, scope)
        return answer

    @routes.get(f"{APPROVALS_AT}/{{id}}")
    async def one(request: Request, id: str, caller: Asking, admitted: Admitted) -> Rendered:
        """The approval of the request of that id."""
        query = read_shape(APPROVALS, request.query_params.multi_items())
        said = query.selected(await desk.said(await desk.there(id, admitted), caller, query))
        return {"@odata.context": context_url(request, "approvals/$entity", query.select), **said}

    @routes.get(f"{APPROVALS_AT}/{{id}}/stages")
    async def all_stages(request: Request, id: str, caller: Asking, admitted: Admitted) -> Rendered:
        """Its stages, in order."""
        query = read_query(_STAGES, request.query_params.multi_items())
        said = await desk.stages_said(await desk.there(id, admitted), caller)
        page, about = slice_of(request, query, said)
        return {
            "@odata.context": context_url(request, f"approvals('{id}')/stages", query.select),
            **about,
            "value": [query.selected(stage) for stage in page],
        }

    @routes.get(f"{APPROVALS_AT}/{{id}}/stages/{{stage_id}}")
    async def stage(request: Request, id: str, stage_id: str, caller: Asking, admitted: Admitted) -> Rendered:
        """One stage."""
        query = read_shape(_STAGES, request.query_params.multi_items())
        for said in await desk.stages_said(await desk.there(id, admitted), caller):
            if said["id"] == stage_id.lower():
                context = context_url(request, f"approvals('{id}')/stages/$entity", query.select)
                return {"@odata.context": context, **query.selected(said)}
        raise NotFound("The resource was not found.")

    @routes.patch(f"{APPROVALS_AT}/{{id}}/stages/{{stage_id}}", status_code=204)
    async def decide(
        request: Request, id: str, stage_id: str, body: StagePatch, caller: Asking, admitted: Admitted
    ) -> Response:
        """Approve or deny. The first decision of a stage counts; another one is a 409."""
        approval = await desk.there(id, admitted)
        if caller.person_id is None:
            raise Forbidden("Only an approver of this stage decides it.")
        judgement = stages.Judge(
            approval.id, stage_id.lower(), caller.person_id, _RESULTS[body.review_result], body.justification
        )
        outcome = await platform.run_one(loop, judging, judgement, cause_of(request))
        if outcome.decision and outcome.decision.refusal:
            refuse(outcome.decision.refusal)
        return Response(status_code=204)

    return routes
