"""What review answers over HTTP: `/identityGovernance/accessReviews`, as Graph has it.

Source: reference/graph-api-operations.md 4.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, NoReturn

from fastapi import APIRouter, Depends, Request, Response

from services.review import covering, exceptions, graph
from services.review.decide import definitions, instances, items
from services.review.history import api as history
from services.review.messages import STEP, Desk
from services.review.model import (
    Definition,
    Instance,
    Item,
    Stage,
    is_of_roles,
    load_definition,
    load_instance,
    load_item,
    packages_of,
    things_of,
)
from services.review.store import DEFINITIONS, INSTANCES, ITEMS, REVIEWERS, STAGES, THERE, items_as_shown, mine
from shared.contracts.base import Refusal
from shared.contracts.catalog import PolicyFact
from shared.contracts.review import DefinitionState, Verdict
from shared.messaging.loop import Loop
from shared.security.caller import Caller
from shared.security.operations import ROLE_REVIEWS_READ
from shared.storage import Answers, MongoAggregates, Replica
from shared.web.caller import Asking, cause_of
from shared.web.errors import BadRequest, Conflict, Forbidden, GraphError, NoRight, NotFound
from shared.web.guard import Admission, Admitted, Guard
from shared.web.idempotency import IdempotencyKey, answering_once, made_id
from shared.web.odata import ListQuery, Shape, read_query
from shared.web.odata.options import read_shape
from shared.web.paging import answer_list, answer_made, context_url, list_query, shape_options
from shared.web.relations import with_relations

AR = "/v1.0/identityGovernance/accessReviews"
DEFINITIONS_AT = f"{AR}/definitions"
ONE = f"{DEFINITIONS_AT}/{{id}}"
RUNS_AT = f"{ONE}/instances"
RUN = f"{RUNS_AT}/{{instance_id}}"
CONTEXT = "identityGovernance/accessReviews/definitions"

Query = Annotated[ListQuery, Depends(list_query(DEFINITIONS))]
RunQuery = Annotated[ListQuery, Depends(list_query(INSTANCES))]
ItemQuery = Annotated[ListQuery, Depends(list_query(ITEMS))]
Rendered = dict[str, Any]

_REFUSED: dict[str, type[GraphError]] = {
    "notFound": NotFound,
    "notReviewer": Forbidden,
    "fallbackReviewersRemoved": Conflict,
    "followsPolicy": Conflict,
}


def refuse(refusal: Refusal) -> NoReturn:
    """The refusal of a decision, as Graph says it."""
    kind = _REFUSED.get(refusal.code, BadRequest)
    raise kind(refusal.message, code="ResourceNotFound" if kind is NotFound else refusal.code)


def signed_in(caller: Caller) -> str:
    """Raises Forbidden for applications and the operator, who review nothing."""
    if caller.person_id is None:
        raise Forbidden("Only a person who is signed in can do this.")
    return caller.person_id


def as_reviewer(on: str) -> None:
    """Raises BadRequest for anything but the one option there is."""
    if on.lower() != "reviewer":
        raise BadRequest(f"'{on[:64]}' is not one that reviews can be filtered by: reviewer.", target="on")


class Counter:
    """Reception: finds what a request is about, and who may see it."""

    def __init__(self, desk: Desk, campaigns: MongoAggregates) -> None:
        self.desk = desk
        self.campaigns = campaigns
        self.runs = desk.runs
        self.around = desk.around

    async def waiting(self, find: Callable[[], Awaitable[Any]]) -> Any:
        """What `find` finds, waited for; None if what is on its way brings it not."""
        return await self.desk.platform.hearing.once(find, enough=lambda found: found is not None)

    async def definition(self, id: str, admitted: Admission) -> Definition:
        """Raises NotFound, NoRight."""
        found = await self.campaigns.states({"_id": id.lower(), **THERE}, limit=1)
        if not found:
            raise NotFound("The resource was not found.")
        one = load_definition(found[0])
        caller = admitted.standing.caller
        own = caller.person_id is not None and caller.person_id == one.state.created_by
        if not admitted.lets_own:
            await self.may_lead(one.state, admitted)
        elif not (own or await self.reviews(one.id, caller)):
            await admitted.at(await self.catalog_of(one.state))
            if not await self.may_see(one.state, admitted):
                raise NoRight
        return one

    async def may_see(self, state: DefinitionState, admitted: Admission) -> bool:
        """Whether those who read reviews by a role read this one, too: of directory roles not all of them do."""
        return not is_of_roles(state) or await admitted.meets(ROLE_REVIEWS_READ)

    async def may_lead(self, state: DefinitionState, admitted: Admission) -> None:
        """Raises NoRight. What a review denies is taken away: one about power over others is led by those who give it
        (REV-1)."""
        await admitted.at(await self.catalog_of(state))
        things = things_of(state)
        # A group that was only just made may give roles, too.
        await self.waiting(lambda: self.around.groups_known(things))
        for roles in await self.around.givers_of(things):
            if not await admitted.stands(lambda one, r=roles: not one.caller.is_person or one.has_role(*r)):  # type: ignore[misc]
                raise NoRight

    async def may_make(self, state: DefinitionState, admitted: Admission) -> None:
        """Raises NoRight. Returns once whoever makes it has been heard of, to be named."""
        await self.may_lead(state, admitted)
        maker = [state.created_by] if state.created_by else []
        hearing = self.desk.platform.hearing
        await hearing.once(lambda: self.around.people.get(maker), enough=lambda found: len(found) == len(maker))

    async def catalog_of(self, state: DefinitionState) -> str | None:
        """The catalog whose keepers may do with the review what administrators may (REV-1); None: there is none."""
        return await self.around.catalog_of(packages_of(state))

    async def sees_all(self, state: DefinitionState, admitted: Admission) -> bool:
        """Whether who asks made the review or administers it, and does not only review something in it."""
        person = admitted.standing.caller.person_id
        if person is not None and person == state.created_by:
            return True
        return await admitted.reaches(await self.catalog_of(state)) and await self.may_see(state, admitted)

    async def stoppable(self, definition_id: str) -> list[str]:
        """Ids of its runs that can be stopped. Those that are just beginning are waited for."""

        async def begun() -> tuple[list[str], bool]:
            going = await self.runs.running(definition_id, in_progress=True)
            return going, len(going) == len(await self.runs.running(definition_id))

        going, _ = await self.desk.platform.hearing.once(begun, enough=lambda found: found[1])
        return going

    async def reviews(self, definition_id: str, caller: Caller) -> bool:
        if caller.person_id is None:
            return False
        scope = {"$and": [{"state.definition_id": definition_id}, await self.runs.reviewed_by(caller.person_id)]}
        return bool(await self.runs.instances.ids(scope, limit=1))

    async def run(self, definition_id: str, id: str, admitted: Admission) -> Instance:
        """Raises NotFound, NoRight."""
        await self.definition(definition_id, admitted)

        async def find() -> Instance | None:
            found = (await self.runs.of([id.lower()])).get(id.lower())
            return found if found is not None and found.definition.id == definition_id.lower() else None

        one: Instance | None = await self.waiting(find)
        if one is None:
            raise NotFound("The resource was not found.")
        return one

    async def item(self, instance: Instance, id: str) -> Item:
        """Raises NotFound."""
        found = await self.runs.items.states({"_id": id.lower(), "state.instance_id": instance.id}, limit=1)
        if not found:
            raise NotFound("The resource was not found.")
        return load_item(found[0])

    async def earlier_hidden(self, instance: Instance, admitted: Admission) -> bool:
        """Whether who asks is a reviewer alone, who is not shown what was decided in earlier stages (REV-16)."""
        if instance.definition.settings.decision_histories_for_reviewers_enabled:
            return False
        return not await self.sees_all(instance.definition, admitted)

    async def names(
        self, request: Request, people: Sequence[str | None], instance: Instance | None = None
    ) -> graph.Names:
        known = await self.around.called({one for one in people if one})
        applications = await self.around.applications.get([instance.resource.id] if instance else [])
        base = str(request.base_url).rstrip("/")
        return graph.Names(known, base, {id: one["app_id"] for id, one in applications.items()})

    async def act(self, request: Request, loop: Loop[Any], handler: Any, message: Any) -> Any:
        outcome = await self.desk.platform.run_one(loop, handler, message, cause_of(request))
        assert outcome.decision is not None
        if outcome.decision.refusal:
            refuse(outcome.decision.refusal)
        return outcome.decision.state

    async def list_runs(self, request: Request, query: ListQuery, scope: dict[str, Any], context: str) -> Rendered:
        async def find(q: ListQuery) -> list[Rendered]:
            found = await self.runs.instances.states(q.mongo_filter(scope), sort=q.sort, skip=q.skip, limit=q.limit)
            ones = [load_instance(one) for one in found]
            said = [await self.said_run(request, one, q) for one in ones]
            return [{"_id": one["_id"], "state": one, "said": body} for one, body in zip(found, said, strict=True)]

        return await answer_list(
            request,
            replace(query, count=True),  # these lists are counted unasked, as Graph's are
            find=find,
            render=lambda one: one["said"],
            context=context,
            total=lambda q: self.runs.instances.count(q.total_filter(scope)),
        )

    async def said_definitions(self, request: Request, ones: Sequence[Definition], shape: Shape) -> list[Rendered]:
        """With what is expanded of them. Raises what refuses the caller to read that."""
        names = await self.names(request, [one.state.created_by for one in ones])
        said = [graph.definition_said(one, names) for one in ones]
        await with_relations(request, DEFINITIONS_AT, said, shape.expand, DEFINITIONS.expandable, linked=True)
        return said

    async def said_run(self, request: Request, one: Instance, shape: Shape) -> Rendered:
        """With what is expanded of it. Raises what refuses the caller to read that."""
        said = graph.instance_said(one)
        at = f"{DEFINITIONS_AT}/{one.definition.id}/instances"
        await with_relations(request, at, [said], shape.expand, INSTANCES.expandable, linked=True)
        return said

    async def list_made(
        self, request: Request, query: ListQuery, made: Sequence[Rendered], said: dict[str, Rendered], context: str
    ) -> Rendered:
        """A short list that is made and not kept: `made` is what it is asked by, `said` the body of each id."""
        database, query = self.desk.platform.database, replace(query, count=True)
        return await answer_made(request, query, made, database, render=lambda one: said[one["_id"]], context=context)

    async def list_items(
        self, request: Request, query: ListQuery, instance: Instance, scope: dict[str, Any], *, mine: bool
    ) -> Rendered:
        hidden = mine and not instance.definition.settings.decision_histories_for_reviewers_enabled
        query = read_query(items_as_shown(instance, earlier_hidden=hidden), request.query_params.multi_items())

        async def find(q: ListQuery) -> list[Rendered]:
            found = await self.runs.items.states(q.mongo_filter(scope), sort=q.sort, skip=q.skip, limit=q.limit)
            people = [id for one in found for id in (one["person_id"], one["decided_by"])]
            names = await self.names(request, people, instance)
            return [
                {
                    "_id": one["_id"],
                    "state": one,
                    "said": {
                        **graph.item_said(load_item(one), instance, names, earlier_hidden=hidden),
                        **_insights(load_item(one), instance, q),
                    },
                }
                for one in found
            ]

        return await answer_list(
            request,
            replace(query, count=True),
            find=find,
            render=lambda one: one["said"],
            context="Collection(accessReviewInstanceDecisionItem)",
            total=lambda q: self.runs.items.count(q.total_filter(scope)),
        )

    async def said_item(
        self, request: Request, one: Instance, id: str, admitted: Admission, shape: Shape, *stage: str
    ) -> Rendered:
        """One item, as it is read by itself, in its run or in a stage of it.

        Raises NotFound; NoRight, too, where somebody only reviews other items."""
        item = await self.item(one, id)
        caller = admitted.standing.caller
        reviews = caller.person_id is not None and items.concerns(caller.person_id, item, one)
        if not reviews and not await self.sees_all(one.definition, admitted):
            raise NoRight
        names = await self.names(request, [item.person_id, item.decided_by], one)
        hidden = await self.earlier_hidden(one, admitted)
        at = "/".join((f"{CONTEXT}('{one.definition.id}')", f"instances('{one.id}')", *stage, "decisions/$entity"))
        said = {**graph.item_said(item, one, names, earlier_hidden=hidden), **_insights(item, one, shape)}
        return {"@odata.context": context_url(request, at, shape.select), **shape.selected(said)}


def _insights(item: Item, instance: Instance, shape: Shape) -> Rendered:
    """What `$expand=insights` adds to an item."""
    if not any(one.name == "insights" for one in shape.expand):
        return {}
    return {"insights": graph.insights_said(item, instance)}


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
    _definitions(routes, counter)
    _instances(routes, counter)
    _acts(routes, counter)
    _decisions(routes, counter)
    _stages(routes, counter)
    _decisions_of_stages(routes, counter)
    history.add_routes(routes, archive)
    exceptions.add_routes(routes, desk.runs, desk.around, rules)
    covering.add_routes(routes, desk)
    return routes


def _definitions(routes: APIRouter, counter: Counter) -> None:
    desk = counter.desk
    writing = desk.about_definitions(definitions.write)
    deleting = desk.about_definitions(definitions.delete)

    async def listed(request: Request, query: ListQuery, scope: dict[str, Any], context: str) -> Rendered:
        scoped = {"$and": [THERE, scope]} if scope else THERE

        async def find(q: ListQuery) -> list[Rendered]:
            found = await counter.campaigns.states(q.mongo_filter(scoped), sort=q.sort, skip=q.skip, limit=q.limit)
            ones = [load_definition(one) for one in found]
            said = await counter.said_definitions(request, ones, q)
            return [{"_id": raw["_id"], "state": raw, "said": body} for raw, body in zip(found, said, strict=True)]

        return await answer_list(
            request,
            replace(query, count=True),
            find=find,
            render=lambda one: one["said"],
            context=context,
            total=lambda q: counter.campaigns.count(q.total_filter(scoped)),
        )

    @routes.post(DEFINITIONS_AT, status_code=201)
    async def create(
        request: Request, body: graph.DefinitionIn, caller: Asking, admitted: Admitted, key: IdempotencyKey = None
    ) -> Rendered:
        """Define a review. Its instances come by themselves, when their time has come."""
        id = made_id(request, "review-definition")
        state = graph.definition_of(body, id, caller.person_id, desk.platform.clock.now())
        await counter.may_make(state, admitted)
        made = await counter.act(request, desk.definitions, writing, definitions.Write(id, state, new=True))
        said = graph.definition_said(made, await counter.names(request, [caller.person_id]))
        return {"@odata.context": context_url(request, f"{CONTEXT}/$entity"), **said}

    @routes.get(DEFINITIONS_AT)
    async def all_definitions(request: Request, query: Query, caller: Asking, admitted: Admitted) -> Rendered:
        """Every review; for those who may not see all, those of their making and of their catalogs' packages."""
        if await admitted.reaches(None):
            own = {"state.state.created_by": caller.person_id}
            all_of_them = await admitted.meets(ROLE_REVIEWS_READ)
            seen: dict[str, Any] = {} if all_of_them else {"$or": [{"state.of_roles": {"$ne": True}}, own]}
            return await listed(request, query, seen, CONTEXT)
        theirs: dict[str, Any] = {"state.state.created_by": signed_in(caller)}
        if catalogs := admitted.standing.catalogs:
            packages = await counter.around.packages_in(catalogs)
            theirs = {"$or": [theirs, {"state.packages": {"$in": packages}}]}
        return await listed(request, query, theirs, CONTEXT)

    @routes.get(f"{DEFINITIONS_AT}/filterByCurrentUser(on='{{on}}')")
    async def my_definitions(request: Request, on: str, query: Query, caller: Asking) -> Rendered:
        """Reviews in which the person who asks reviews something."""
        as_reviewer(on)
        found = await counter.runs.instances.distinct(
            await counter.runs.reviewed_by(signed_in(caller)), "state.definition_id"
        )
        return await listed(request, query, {"_id": {"$in": found}}, "Collection(accessReviewScheduleDefinition)")

    @routes.get(ONE)
    async def one_definition(request: Request, id: str, admitted: Admitted) -> Rendered:
        """One review."""
        shape = read_shape(DEFINITIONS, request.query_params.multi_items())
        one = await counter.definition(id, admitted)
        (said,) = await counter.said_definitions(request, [one], shape)
        return {
            "@odata.context": context_url(request, f"{CONTEXT}/$entity", shape.select),
            **shape.selected(said),
        }

    @routes.put(ONE, status_code=204)
    async def put(request: Request, id: str, body: graph.DefinitionIn, admitted: Admitted) -> Response:
        """Replace it: coming instances follow, running ones stay as they are."""
        one = await counter.definition(id, admitted)
        state = graph.definition_of(body, one.id, one.state.created_by, desk.platform.clock.now())
        await counter.may_lead(state, admitted)
        await counter.act(request, desk.definitions, writing, definitions.Write(one.id, state, new=False))
        return Response(status_code=204)

    @routes.delete(ONE, status_code=204)
    async def delete(request: Request, id: str, admitted: Admitted) -> Response:
        """Nothing begins any more, and what runs is ended undecided. Access is not touched."""
        one = await counter.definition(id, admitted)
        await counter.act(request, desk.definitions, deleting, definitions.Delete(one.id))
        return Response(status_code=204)

    @routes.post(f"{ONE}/stop", status_code=204)
    async def stop(request: Request, id: str, admitted: Admitted) -> Response:
        """Stop every instance that runs; later ones come all the same."""
        one = await counter.definition(id, admitted)
        for running in await counter.stoppable(one.id):
            stopping = instances.Act(running, "stop")
            await counter.act(request, desk.instances, desk.about_instances(instances.act), stopping)
        return Response(status_code=204)


def _instances(routes: APIRouter, counter: Counter) -> None:
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
        one = await _with_other_reviewers(request, counter, (id, instance_id, None), body, admitted)
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


async def _with_other_reviewers(
    request: Request, counter: Counter, where: tuple[str, str, str | None], body: graph.ReviewersIn, admitted: Admission
) -> Instance:
    """The run after the change; its items follow."""
    id, instance_id, stage_id = where
    one = await counter.run(id, instance_id, admitted)
    asked = instances.ChangeReviewers(
        one.id,
        stage_id,
        graph.reviewers_of(body.reviewers, "reviewers"),
        graph.reviewers_of(body.fallback_reviewers, "fallbackReviewers"),
    )
    desk = counter.desk
    changed: Instance = await counter.act(
        request, desk.instances, desk.about_instances(instances.change_reviewers), asked
    )
    await _every_item(request, counter, changed, items.Advance, items.advance)
    await counter.act(request, desk.instances, desk.about_instances(instances.tell_new), instances.TellNew(changed.id))
    return changed


async def _every_item(request: Request, counter: Counter, instance: Instance, message: Any, decide: Any) -> None:
    after: str | None = None
    while ids := await counter.runs.next_items(instance.id, after, STEP):
        await counter.desk.through([message(id) for id in ids], decide, cause_of(request))
        after = ids[-1]


def _acts(routes: APIRouter, counter: Counter) -> None:
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
        await _every_item(request, counter, one, lambda id: items.Reset(id, caller.person_id), items.reset)
        return Response(status_code=204)

    @routes.post(f"{RUN}/applyDecisions", status_code=204)
    async def apply(request: Request, id: str, instance_id: str, admitted: Admitted) -> Response:
        """Carry out what was decided, once it is completed."""
        await act(request, id, instance_id, admitted, "apply")
        return Response(status_code=204)


def _decisions(routes: APIRouter, counter: Counter) -> None:
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


def there(one: Instance) -> list[Stage]:
    """Stages that have begun, of a review that has stages at all (REV-14)."""
    return [stage for stage in one.stages[: one.current + 1] if one.definition.staged]


def stage_of(one: Instance, stage_id: str) -> int:
    """Its number, from 0. Raises NotFound."""
    numbers = [n for n, stage in enumerate(there(one)) if stage.id == stage_id.lower()]
    if not numbers:
        raise NotFound("The resource was not found.")
    return numbers[0]


def _stages(routes: APIRouter, counter: Counter) -> None:
    desk = counter.desk
    at = f"{RUN}/stages"

    async def listed(request: Request, one: Instance, found: list[Stage]) -> Rendered:
        query = read_query(STAGES, request.query_params.multi_items())
        context = f"{CONTEXT}('{one.definition.id}')/instances('{one.id}')/stages"
        made = [
            {
                "_id": stage.id,
                "status": stage.status.value,
                "startsAt": stage.starts_at,
                "endsAt": stage.ends_at,
            }
            for stage in found
        ]
        said = {stage.id: graph.stage_said(stage) for stage in found}
        return await counter.list_made(request, query, made, said, context)

    @routes.get(at)
    async def all_stages(request: Request, id: str, instance_id: str, admitted: Admitted) -> Rendered:
        """Its stages, as far as they have begun."""
        one = await counter.run(id, instance_id, admitted)
        return await listed(request, one, there(one))

    @routes.get(f"{at}/filterByCurrentUser(on='{{on}}')")
    async def my_stages(
        request: Request, id: str, instance_id: str, on: str, caller: Asking, admitted: Admitted
    ) -> Rendered:
        """The stage in progress, if the person who asks decides something in it."""
        as_reviewer(on)
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        any_ = await counter.runs.items.ids(mine(one, person), limit=1)
        return await listed(request, one, [stage for stage in there(one) if any_ and stage.id == one.stage.id])

    @routes.get(f"{at}/{{stage_id}}")
    async def one_stage(request: Request, id: str, instance_id: str, stage_id: str, admitted: Admitted) -> Rendered:
        """One stage."""
        shape = read_shape(STAGES, request.query_params.multi_items())
        one = await counter.run(id, instance_id, admitted)
        said = graph.stage_said(one.stages[stage_of(one, stage_id)])
        context = f"{CONTEXT}('{one.definition.id}')/instances('{one.id}')/stages/$entity"
        return {"@odata.context": context_url(request, context, shape.select), **shape.selected(said)}

    @routes.patch(f"{at}/{{stage_id}}")
    async def update(
        request: Request, id: str, instance_id: str, stage_id: str, body: graph.ReviewersIn, admitted: Admitted
    ) -> Rendered:
        """Name other reviewers of this stage."""
        one = await _with_other_reviewers(request, counter, (id, instance_id, stage_id.lower()), body, admitted)
        stage = next(stage for stage in one.stages if stage.id == stage_id.lower())
        context = f"{CONTEXT}('{one.definition.id}')/instances('{one.id}')/stages/$entity"
        return {"@odata.context": context_url(request, context), **graph.stage_said(stage)}

    @routes.post(f"{at}/{{stage_id}}/stop", status_code=204)
    async def stop(request: Request, id: str, instance_id: str, stage_id: str, admitted: Admitted) -> Response:
        """End it now; the next one begins."""
        one = await counter.run(id, instance_id, admitted)
        number = stage_of(one, stage_id)
        asked = instances.Act(one.id, "stopStage", one.stages[number].id)
        await counter.act(request, desk.instances, desk.about_instances(instances.act), asked)
        return Response(status_code=204)


def _decisions_of_stages(routes: APIRouter, counter: Counter) -> None:
    desk = counter.desk
    at = f"{RUN}/stages"

    @routes.get(f"{at}/{{stage_id}}/decisions")
    async def its_items(
        request: Request, id: str, instance_id: str, stage_id: str, query: ItemQuery, caller: Asking, admitted: Admitted
    ) -> Rendered:
        """Items that have come to this stage, each with the last decision of all."""
        one = await counter.run(id, instance_id, admitted)
        number = stage_of(one, stage_id)
        if not await counter.sees_all(one.definition, admitted):
            return await counter.list_items(request, query, one, mine(one, signed_in(caller)), mine=True)
        return await counter.list_items(
            request, query, one, {"state.instance_id": one.id, "state.stage": {"$gte": number}}, mine=False
        )

    @routes.get(f"{at}/{{stage_id}}/decisions/filterByCurrentUser(on='{{on}}')")
    async def my_items(
        request: Request,
        id: str,
        instance_id: str,
        stage_id: str,
        on: str,
        query: ItemQuery,
        caller: Asking,
        admitted: Admitted,
    ) -> Rendered:
        """Those that the person who asks decides in this stage."""
        as_reviewer(on)
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        number = stage_of(one, stage_id)
        scope = mine(one, person) if number == one.current else {"_id": {"$in": []}}
        return await counter.list_items(request, query, one, scope, mine=True)

    @routes.get(f"{at}/{{stage_id}}/decisions/{{item_id}}", dependencies=[Depends(shape_options(ITEMS))])
    async def one_item(
        request: Request, id: str, instance_id: str, stage_id: str, item_id: str, admitted: Admitted
    ) -> Rendered:
        """One item."""
        shape = read_shape(ITEMS, request.query_params.multi_items())
        one = await counter.run(id, instance_id, admitted)
        stage_of(one, stage_id)
        stage = f"stages('{stage_id}')"
        return await counter.said_item(request, one, item_id, admitted, shape, stage)

    @routes.patch(f"{at}/{{stage_id}}/decisions/{{item_id}}", status_code=204)
    async def decide(
        request: Request,
        id: str,
        instance_id: str,
        stage_id: str,
        item_id: str,
        body: graph.DecisionIn,
        caller: Asking,
        admitted: Admitted,
    ) -> Response:
        """Decide in this stage, while it is in progress."""
        person = signed_in(caller)
        one = await counter.run(id, instance_id, admitted)
        number = stage_of(one, stage_id)
        item = await counter.item(one, item_id)
        judgement = items.Judge(item.id, person, body.decision, body.justification, one.stages[number].id)
        await counter.act(request, desk.items, desk.about_items(items.judge), judgement)
        return Response(status_code=204)
