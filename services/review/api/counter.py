"""What the routes of reviews have in common: finding, who may, and what is listed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, NoReturn

from fastapi import Depends, Request

from services.review import graph
from services.review.decide import instances, items
from services.review.messages import STEP, Desk
from services.review.model import (
    Definition,
    Instance,
    Item,
    is_of_roles,
    load_definition,
    load_instance,
    load_item,
    packages_of,
    things_of,
)
from services.review.store import DEFINITIONS, INSTANCES, ITEMS, THERE, items_as_shown
from shared.contracts.base import Refusal
from shared.contracts.review import DefinitionState
from shared.messaging.loop import Loop
from shared.security.caller import Caller
from shared.security.operations import ROLE_REVIEWS_READ
from shared.storage import MongoAggregates
from shared.web.caller import cause_of
from shared.web.errors import BadRequest, Conflict, Forbidden, GraphError, NoRight, NotFound
from shared.web.guard import Admission
from shared.web.odata import ListQuery, Shape, read_query
from shared.web.paging import answer_list, answer_made, context_url, list_query
from shared.web.relations import with_relations

AR = "/v1.0/identityGovernance/accessReviews"


DEFINITIONS_AT = f"{AR}/definitions"


ONE = f"{DEFINITIONS_AT}/{{id}}"


RUNS_AT = f"{ONE}/instances"


RUN = f"{RUNS_AT}/{{instance_id}}"


CONTEXT = "identityGovernance/accessReviews/definitions"


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


async def with_other_reviewers(
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
    await every_item(request, counter, changed, items.Advance, items.advance)
    await tell_new(request, counter, changed)
    return changed


async def tell_new(request: Request, counter: Counter, instance: Instance) -> None:
    """Whoever reviews something now, and has not been told, is told."""
    desk = counter.desk
    telling = desk.about_instances(instances.tell_new)
    await counter.act(request, desk.instances, telling, instances.TellNew(instance.id))


async def every_item(request: Request, counter: Counter, instance: Instance, message: Any, decide: Any) -> None:
    after: str | None = None
    while ids := await counter.runs.next_items(instance.id, after, STEP):
        await counter.desk.through([message(id) for id in ids], decide, cause_of(request))
        after = ids[-1]
