"""What the directory answers over HTTP: Graph's users and groups, and Tenure's own words on people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError
from starlette.responses import JSONResponse

from services.directory import graph
from services.directory.decide.conditional import STALE, Conditional
from services.directory.decide.groups import ChangeGroup, CreateGroup, DeleteGroup, GroupCommand, Nest
from services.directory.decide.links import KeepApart, Link
from services.directory.decide.memberships import Groups, SetByHand
from services.directory.decide.people import Around, Heard, Purge
from services.directory.decide.sponsors import SetSponsor
from services.directory.graph import (
    GROUPS,
    IDENTITIES,
    OBJECTS,
    PEOPLE,
    SIGN_IN_ACTIVITY,
    USERS,
    USERS_RELATED,
    GroupIn,
    GroupPatch,
    IdentityIn,
    LinkIn,
)
from services.directory.lists import Kind, answer_few, answer_page, answer_shown, kept_in
from services.directory.model import Memberships, Person, load_person
from services.directory.properties import SPONSORS
from services.directory.signins.store import SignIns
from services.directory.sources import API, Sources
from services.directory.store import JOINED, WAITING, Document, GroupStore, MembershipStore, People, page_of
from shared.contracts.base import Cause, Lane, Refusal
from shared.contracts.directory import DYNAMIC, GroupState
from shared.contracts.hr import ChangeKind, HrChange
from shared.contracts.resources import RoleSystem
from shared.messaging.decision import Handler
from shared.messaging.loop import Loop
from shared.messaging.service import Platform
from shared.storage import Answers
from shared.web.caller import cause_of
from shared.web.conditional import IfMatch, etag, version_named
from shared.web.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GraphError,
    NotFound,
    PreconditionFailed,
    UnsupportedQuery,
    of_validation,
)
from shared.web.guard import Admission, Admitted, Guard
from shared.web.guard import refuse as refuse_caller
from shared.web.idempotency import IdempotencyKey, answering_once, made_id
from shared.web.odata import Expand, ListQuery, Shape, read_query
from shared.web.paging import answer_list, context_url, list_options, list_query, shape_query
from shared.web.preferences import prefers
from shared.web.relations import with_relations

LIVING: Document = {"state.deleted_at": None}


@dataclass(frozen=True)
class Rooms:
    """What the routes work with."""

    platform: Platform
    sources: Sources
    people: People
    groups: GroupStore
    memberships: MembershipStore
    person_loop: Loop[Person]
    group_loop: Loop[GroupState]
    membership_loop: Loop[Memberships]
    hold: Handler[Person, Heard, Around]
    link: Handler[Person, Link, Around]
    keep_apart: Handler[Person, KeepApart, Around]
    sponsor: Handler[Person, SetSponsor, Around]
    purge: Handler[Person, Purge, Around]
    sign_ins: SignIns
    wish: Handler[GroupState, Conditional[GroupCommand], None]
    by_hand: Handler[Memberships, SetByHand, Groups]

    async def person(self, key: str) -> Document:
        """By id or user principal name. Raises NotFound."""
        if (found := await self.people.by_name_or_id(key)) is None:
            raise NotFound(f"Resource '{key[:100]}' does not exist.", code="Request_ResourceNotFound")
        return {"_id": found["_id"], "version": found["version"], "state": found}

    async def user(self, key: str) -> Document:
        """The same, of those who have joined."""
        found = await self.person(key)
        if not found["state"].get("joined") or found["state"].get("deleted"):
            raise NotFound(f"Resource '{key[:100]}' does not exist.", code="Request_ResourceNotFound")
        return found

    async def group(self, id: str) -> Document:
        """Raises NotFound, for a deleted one too."""
        found = await page_of(self.groups, {"_id": id.lower(), **LIVING}, limit=1)
        if not found:
            raise NotFound(f"Resource '{id[:100]}' does not exist.", code="Request_ResourceNotFound")
        return found[0]

    async def person_or_group(self, key: str) -> Document:
        """Whichever has that id. Raises NotFound."""
        with suppress(NotFound):
            return await self.user(key)
        return await self.group(key)

    def kinds(self, ids: Sequence[str]) -> list[Kind]:
        """People and groups of these ids, as kinds of a list."""
        named: Document = {"_id": {"$in": list(ids)}}
        return [
            kept_in(
                self.people,
                USERS,
                lambda one, asked: graph.typed(graph.user_for(one, asked), "user"),
                {**named, **JOINED},
            ),
            kept_in(self.groups, GROUPS, lambda one, _: graph.typed(graph.group(one), "group"), {**named, **LIVING}),
        ]

    async def objects(self, ids: Sequence[str]) -> list[Document]:
        """People and groups of these ids that are there, as Graph shows them, in the order of the ids."""
        named: Document = {"_id": {"$in": [id.lower() for id in ids]}}
        people = [graph.typed(graph.user(one), "user") for one in await page_of(self.people, {**named, **JOINED})]
        groups = [graph.typed(graph.group(one), "group") for one in await page_of(self.groups, {**named, **LIVING})]
        known = {one["id"]: one for one in (*people, *groups)}
        return [known[id] for id in (one.lower() for one in ids) if id in known]

    async def change_group(self, request: Request, command: GroupCommand, version: int | None = None) -> None:
        """`version`: only if it has this one."""
        asked = Conditional(command, version)
        outcome = await self.platform.run_one(self.group_loop, self.wish, asked, cause_of(request))
        refuse(outcome.decision.refusal if outcome.decision else None)

    async def add_member(self, request: Request, group: Document, member: Document) -> None:
        """A person, or a group unless the outer one holds people only. Raises what refuses it."""
        if "attributes" in member["state"]:
            await self.set_member(request, group["_id"], member["_id"], True)
            return
        if {"Unified", DYNAMIC} & set(group["state"]["group_types"]):
            text = "Groups are members of security groups only: not of Microsoft 365 groups, nor where a rule says who."
            raise BadRequest(text, code="Request_BadRequest")
        await self.change_group(request, Nest(member["_id"], group["_id"], member=True))

    async def set_member(self, request: Request, group: str, person: str, member: bool) -> None:
        asked = SetByHand(group, person, member)
        outcome = await self.platform.run_one(self.membership_loop, self.by_hand, asked, cause_of(request))
        refuse(outcome.decision.refusal if outcome.decision else None)


_REFUSED: dict[str, type[GraphError]] = {
    "ResourceNotFound": NotFound,
    "fixed": BadRequest,
    "dynamicGroup": BadRequest,
    "tooMany": BadRequest,
    "exists": BadRequest,
    STALE.code: PreconditionFailed,
}


def refuse(refusal: Refusal | None) -> None:
    """Raises what Graph says of it; nothing without one."""
    if refusal is not None:
        kind = _REFUSED.get(refusal.code, Conflict)
        code = {BadRequest: "Request_BadRequest", PreconditionFailed: ""}.get(kind, refusal.code)
        raise kind(refusal.message, code=code)


def own_only(people: People) -> Callable[..., Awaitable[None]]:
    """A dependency: who may see nobody but themself sees nobody else; of paths that lead to people."""

    async def only(request: Request, admitted: Admitted) -> None:
        """Raises Forbidden."""
        path = request.scope["path"]
        if admitted.standing.everywhere or not path.startswith(("/v1.0/users", "/v1.0/tenure/")):
            return
        if not await is_own(admitted.standing.caller.person_id, str(request.path_params.get("id", ""))) and (
            not await admitted.stands(lambda one: one.everywhere)
        ):
            refuse_caller(path)

    async def is_own(person: str | None, named: str) -> bool:
        # By what the directory calls them: the name that a token gives may be none, or somebody else's by now.
        if not person or not named or named.lower() == person:
            return bool(person and named)
        found = await people.by_name_or_id(named)
        return found is not None and found["_id"] == person

    return only


async def may_write_group(admitted: Admission, id: str) -> None:
    """Who administers groups may, and who owns this one. Raises Forbidden."""
    owned = f"{RoleSystem.GROUP.value}/{id.lower()}"
    if not await admitted.stands(lambda one: one.everywhere or owned in one.held.owns):
        refuse_caller("/groups")


Owning = Callable[[Request, str, str], Awaitable[None]]
"""Make a person an owner of a group: (request, group's id, person's id). Raises what refuses it."""


def routes(rooms: Rooms, answers: Answers, guard: Guard, owning: Owning) -> list[APIRouter]:
    own = own_only(rooms.people)
    routers = [
        APIRouter(
            tags=[tag], route_class=answering_once(answers), dependencies=[Depends(guard), *map(Depends, further)]
        )
        for tag, further in (("users", [own]), ("groups", []), ("people", [own]))
    ]
    _users(routers[0], rooms)
    _groups(routers[1], rooms, owning)
    _uniquely_named(routers[1], rooms)
    _people(routers[2], rooms)
    return routers


MOST_REPORTS = 20
"""Direct reports that `$expand` shows, as Graph does."""
MOST_LEVELS = 100
"""Of managers, with `$levels=max`: a source may say of two people that each is the other's manager."""


async def related(
    people: People, documents: Sequence[Document], asked: Shape | Expand, level: int = 1
) -> list[Document]:
    """Users with what is to be expanded, a query for each relation and level."""
    shown = [graph.user_for(one, asked) for one in documents]
    for one in asked.expand:
        if one.name == "manager":
            above = await page_of(people, {"_id": {"$in": [it["state"]["manager_id"] for it in documents]}})
            more = one.levels != 1 and level < MOST_LEVELS
            onwards = replace(one, levels=one.levels - 1) if one.levels else one
            deeper = replace(one, expand=(*one.expand, onwards)) if more else one
            users = await related(people, above, deeper, level + 1)
            by_id = {user["id"]: graph.typed(user, "user") for user in users}
            # Inside another expansion nothing is said of by null: absent, it would pass for one that is not expanded.
            inside = isinstance(asked, Expand) and asked.levels == 1
            for user, document in zip(shown, documents, strict=True):
                manager = by_id.get(document["state"]["manager_id"])
                if manager or inside:
                    user["manager"] = manager
        elif one.name == "directReports":
            for user in shown:
                below = await page_of(people, {**JOINED, "state.manager_id": user["id"]}, limit=MOST_REPORTS)
                user[one.name] = [graph.typed(graph.user_for(it, one), "user") for it in below]
    return shown


def whose(query: ListQuery) -> ListQuery:
    """The same with the id, wherever it is asked when somebody last signed in: Graph says that of nobody without it."""
    if query.select is None or SIGN_IN_ACTIVITY not in query.select:
        return query
    return replace(query, select=query.select | {"id"})


async def with_activity(rooms: Rooms, admitted: Admission, query: Shape, users: list[Document]) -> list[Document]:
    """The users, with when they last signed in if that is selected. Raises Forbidden: it says what people do."""
    if query.select is None or SIGN_IN_ACTIVITY not in query.select:
        return users
    standing = await admitted.full()
    caller = standing.caller
    if not caller.permits("AuditLog.Read.All") or (caller.is_person and not standing.has_role(*MAY_SEE_ACTIVITY)):
        raise Forbidden("Insufficient privileges to complete the operation.", code="Authorization_RequestDenied")
    last = await rooms.sign_ins.last_of([user["id"] for user in users])
    return [{**user, SIGN_IN_ACTIVITY: graph.sign_in_activity(last.get(user["id"]))} for user in users]


def as_far_as_read(request: Request, admitted: Admission, query: ListQuery) -> ListQuery:
    """The same, which asks for no more of people than the caller may read: with User.ReadBasic.All alone, little.

    Raises Forbidden where more is named: to filter by it would tell it, too."""
    standing = admitted.standing
    if standing.only_own or standing.caller.is_operator or any(map(standing.caller.permits, READS_ALL_OF_USERS)):
        return query
    try:
        return read_query(graph.BASIC_USERS, request.query_params.multi_items())
    except UnsupportedQuery:
        refuse_caller(request.scope["path"])


READS_ALL_OF_USERS = ("User.Read.All", "Directory.Read.All")
MAY_SEE_ACTIVITY = (
    "Global Reader",
    "Identity Governance Administrator",
    "Security Administrator",
    "Security Reader",
    "User Administrator",
)


def _users(router: APIRouter, rooms: Rooms) -> None:
    @router.get("/v1.0/users")
    async def users(
        request: Request, admitted: Admitted, query: Annotated[ListQuery, Depends(list_query(USERS_RELATED))]
    ) -> dict[str, Any]:
        """Everyone who has ever joined, those who left too."""
        query = as_far_as_read(request, admitted, whose(query))

        async def shown(found: Sequence[Document]) -> list[dict[str, Any]]:
            users = await with_activity(rooms, admitted, query, await related(rooms.people, found, query))
            await with_relations(request, "/v1.0/users", users, query.expand, graph.USER_RELATIONS)
            return users

        return await answer_shown(request, query, rooms.people, shown, context="users", scope=JOINED)

    @router.get("/v1.0/users/$count")
    async def user_count(
        request: Request, admitted: Admitted, query: Annotated[ListQuery, Depends(list_query(USERS))]
    ) -> Response:
        query = as_far_as_read(request, admitted, query)
        return _number(await rooms.people.count(query.total_filter(JOINED)))

    @router.get("/v1.0/users/{id}")
    async def user(
        request: Request,
        response: Response,
        id: str,
        admitted: Admitted,
        query: Annotated[ListQuery, Depends(list_query(USERS_RELATED))],
    ) -> dict[str, Any]:
        """By id or userPrincipalName."""
        query = whose(query)
        person = await rooms.user(id)
        if person["_id"] != admitted.standing.caller.person_id:
            query = as_far_as_read(request, admitted, query)
        response.headers["ETag"] = etag(person["version"])
        shown = await related(rooms.people, [person], query)
        await with_relations(request, "/v1.0/users", shown, query.expand, graph.USER_RELATIONS)
        (found,) = await with_activity(rooms, admitted, query, shown)
        return {"@odata.context": context_url(request, "users/$entity", query.select), **query.selected(found)}

    @router.get("/v1.0/users/{id}/manager")
    async def manager(
        request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(USERS_RELATED))]
    ) -> dict[str, Any]:
        found = await rooms.user(id)
        if (manager_id := found["state"]["manager_id"]) is None:
            raise NotFound(f"Resource 'manager' does not exist for '{id[:100]}'.", code="Request_ResourceNotFound")
        (shown,) = await related(rooms.people, [await rooms.user(manager_id)], shape)
        await with_relations(request, "/v1.0/users", [shown], shape.expand, graph.USER_RELATIONS)
        context = context_url(request, "directoryObjects/$entity", shape.select)
        return {"@odata.context": context, **graph.typed(shape.selected(shown), "user")}

    @router.get("/v1.0/users/{id}/sponsors", dependencies=[Depends(list_options(OBJECTS))])
    async def sponsors(request: Request, id: str) -> dict[str, Any]:
        """People and groups who answer for a guest, in the order they were added; who is gone is left out."""
        ids = (await rooms.user(id))["state"]["attributes"].get(SPONSORS, [])
        return answer_few(request, OBJECTS, await rooms.objects(ids))

    @router.get("/v1.0/users/{id}/directReports")
    @router.get("/v1.0/users/{id}/directReports/microsoft.graph.user", name="direct reports: user")
    async def reports(
        request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(USERS))]
    ) -> dict[str, Any]:
        scope = {**JOINED, "state.manager_id": (await rooms.user(id))["_id"]}
        return await answer_page(
            request,
            query,
            rooms.people,
            render=lambda document: graph.typed(graph.user_for(document, query), "user"),
            context="directoryObjects",
            scope=scope,
        )


def _groups(router: APIRouter, rooms: Rooms, owning: Owning) -> None:
    @router.get("/v1.0/groups")
    async def groups(request: Request, query: Annotated[ListQuery, Depends(list_query(GROUPS))]) -> dict[str, Any]:
        async def shown(found: Sequence[Document]) -> list[dict[str, Any]]:
            bodies = [graph.group(one) for one in found]
            await with_relations(request, "/v1.0/groups", bodies, query.expand, graph.GROUP_RELATIONS)
            return bodies

        return await answer_shown(request, query, rooms.groups, shown, context="groups", scope=LIVING)

    @router.post("/v1.0/groups", status_code=201)
    async def create(request: Request, response: Response, body: GroupIn, key: IdempotencyKey = None) -> dict[str, Any]:
        """With an `Idempotency-Key` a repeat makes nothing new."""
        id = made_id(request, "group")
        members = [await rooms.person_or_group(one) for one in body.people]
        owners = [await rooms.user(one) for one in body.owned_by]
        await rooms.change_group(request, CreateGroup(id, body.properties()))
        made = await rooms.group(id)
        for owner in owners:
            await owning(request, id, owner["_id"])
        for member in members:
            await rooms.add_member(request, made, member)
        response.headers["ETag"] = etag(made["version"])
        response.headers["Location"] = f"{str(request.base_url).rstrip('/')}/v1.0/groups/{id}"
        return {"@odata.context": context_url(request, "groups/$entity"), **graph.group(made)}

    @router.get("/v1.0/groups/{id}")
    async def group(
        request: Request, response: Response, id: str, query: Annotated[ListQuery, Depends(list_query(GROUPS))]
    ) -> dict[str, Any]:
        return await one_group(request, response, await rooms.group(id), query)

    @router.patch("/v1.0/groups/{id}", status_code=204)
    async def patch(
        request: Request, id: str, body: GroupPatch, admitted: Admitted, if_match: IfMatch = None
    ) -> Response:
        await may_write_group(admitted, id)
        found = await rooms.group(id)
        members = [await rooms.person_or_group(one) for one in body.people]
        # Decided even with nothing to change: that is where the version is compared.
        await rooms.change_group(request, ChangeGroup(found["_id"], body.properties()), version_named(if_match))
        for member in members:
            await rooms.add_member(request, found, member)
        return Response(status_code=204)

    @router.delete("/v1.0/groups/{id}", status_code=204)
    async def delete(request: Request, id: str, admitted: Admitted, if_match: IfMatch = None) -> Response:
        await may_write_group(admitted, id)
        found = await rooms.group(id)
        await rooms.change_group(request, DeleteGroup(found["_id"]), version_named(if_match))
        return Response(status_code=204)


async def one_group(request: Request, response: Response, found: Document, query: Shape) -> dict[str, Any]:
    """As it is answered alone."""
    response.headers["ETag"] = etag(found["version"])
    shown = graph.group(found) if query.select is None else {**graph.group(found), **graph.MAILBOX}
    await with_relations(request, "/v1.0/groups", [shown], query.expand, graph.GROUP_RELATIONS)
    context = context_url(request, "groups/$entity", query.select)
    return {"@odata.context": context, "id": found["_id"], **query.selected(shown)}


def _uniquely_named(router: APIRouter, rooms: Rooms) -> None:
    at = "/v1.0/groups(uniqueName='{name}')"

    async def named(name: str) -> Document:
        """Raises NotFound."""
        _, found = await rooms.groups.place_of(name.replace("''", "'")[:256])
        if found is None:
            raise NotFound(f"Resource '{name[:100]}' does not exist.", code="Request_ResourceNotFound")
        return await rooms.group(found["_id"])

    @router.get(at, name="the group of that name")
    async def group(
        request: Request, response: Response, name: str, query: Annotated[Shape, Depends(shape_query(GROUPS))]
    ) -> dict[str, Any]:
        return await one_group(request, response, await named(name), query)

    @router.delete(at, status_code=204, name="delete the group of that name")
    async def delete(request: Request, name: str, admitted: Admitted, if_match: IfMatch = None) -> Response:
        found = await named(name)
        await may_write_group(admitted, found["_id"])
        await rooms.change_group(request, DeleteGroup(found["_id"]), version_named(if_match))
        return Response(status_code=204)

    upserted: dict[int | str, dict[str, Any]] = {201: {"description": "Made, with the group."}}

    @router.patch("/v1.0/groups(uniqueName='{name}')", status_code=204, responses=upserted)
    async def upsert(request: Request, name: str, body: GroupPatch, admitted: Admitted) -> Response:
        """Change the group of that name. With `Prefer: create-if-missing` it is made where there is none: 201."""
        named = name.replace("''", "'")[:256]
        id, found = await rooms.groups.place_of(named)
        if found is None and not prefers(request, "create-if-missing"):
            raise NotFound(f"Resource '{named[:100]}' does not exist.", code="Request_ResourceNotFound")
        await may_write_group(admitted, id)
        members = [await rooms.person_or_group(one) for one in body.people]
        if found is None:
            try:
                new = GroupIn.model_validate(body.model_dump(by_alias=True, exclude_unset=True))
            except ValidationError as problem:
                raise of_validation(problem.errors()) from None
            await rooms.change_group(request, CreateGroup(id, {**new.properties(), "unique_name": named}))
        else:
            await rooms.change_group(request, ChangeGroup(id, body.properties()))
        group = await rooms.group(id)
        for member in members:
            await rooms.add_member(request, group, member)
        if found is not None:
            return Response(status_code=204)
        said = {"@odata.context": context_url(request, "groups/$entity"), **graph.group(group)}
        return JSONResponse(said, 201, {"ETag": etag(group["version"])})


def _people(router: APIRouter, rooms: Rooms) -> None:
    @router.get("/v1.0/tenure/people")
    async def people(
        request: Request,
        query: Annotated[ListQuery, Depends(list_query(PEOPLE, also=frozenset({"waiting"})))],
        waiting: bool = False,
    ) -> dict[str, Any]:
        """Everyone, those who have not joined too. `$filter=employeeId eq '10001'` finds one. `waiting=true`: those of
        whom sources said what does not count yet, for their manager, their joining or a human's word is missing."""
        scope: Document | None = {"$or": list(WAITING.values())} if waiting else None
        return await answer_page(request, query, rooms.people, render=graph.person, context="people", scope=scope)

    @router.get("/v1.0/tenure/people/{id}")
    async def person(id: str) -> dict[str, Any]:
        """One person, by id or userPrincipalName, with all that sources stated (`timeline`)."""
        found = await rooms.person(id)
        return {**graph.person(found), "timeline": graph.timeline(load_person(found["state"]))}

    async def hold(request: Request, id: str, kind: ChangeKind, key: str | None) -> dict[str, Any]:
        found = await rooms.user(id)
        asked = cause_of(request)
        said = HrChange(
            change_id=f"{kind.value}:{key or asked.id}",
            employee_id=found["_id"],
            source=API,
            kind=kind,
            effective_at=rooms.platform.clock.now(),
        )
        cause = Cause(
            id=asked.id, correlation=asked.correlation, actor=asked.actor, effective_at=said.effective_at,
            lane=Lane.URGENT,
        )  # fmt: skip
        heard = Heard(said, person_id=found["_id"])
        with rooms.platform.right_of_way.travel(Lane.URGENT):
            outcome = await rooms.platform.run_one(rooms.person_loop, rooms.hold, heard, cause)
        refuse(outcome.decision.refusal if outcome.decision else None)
        return graph.person(await rooms.person(found["_id"]))

    @router.post("/v1.0/tenure/people/{id}/suspend")
    async def suspend(request: Request, id: str, key: IdempotencyKey = None) -> dict[str, Any]:
        """Take delivery away at once, in the urgent lane; assignments stay. A hold of the source `api`."""
        return await hold(request, id, ChangeKind.SUSPENDED, key)

    @router.post("/v1.0/tenure/people/{id}/return")
    async def give_back(request: Request, id: str, key: IdempotencyKey = None) -> dict[str, Any]:
        """Lift the hold of the source `api`; holds of other sources stay."""
        return await hold(request, id, ChangeKind.RETURNED, key)

    @router.get("/v1.0/tenure/identities")
    async def identities(
        request: Request,
        query: Annotated[ListQuery, Depends(list_query(IDENTITIES, also=frozenset({"unlinked"})))],
        unlinked: bool = False,
    ) -> dict[str, Any]:
        """What sources call people. `unlinked=true`: those of which a human has to say who they are."""
        scope: Document = {"state.candidates" if unlinked else "state.identities": {"$exists": True}}
        return await answer_list(
            request,
            query,
            find=lambda q: rooms.people.unwound(
                "state.identities", q.mongo_filter(), narrowed=scope, sort=q.sort, skip=q.skip, limit=q.limit
            ),
            total=lambda q: rooms.people.count_unwound("state.identities", q.total_filter(), narrowed=scope),
            render=graph.doubt,
            context="identities",
        )

    async def bearer(named: IdentityIn) -> str:
        if (found := await rooms.people.bearer_of(named.source, named.id)) is None:
            raise NotFound(f"No source has spoken of '{named.source}:{named.id[:100]}'.", code="ResourceNotFound")
        return found

    @router.post("/v1.0/tenure/identities:link")
    async def link(request: Request, body: LinkIn) -> dict[str, Any]:
        """Say that an identity that waits is this person. Its statements follow; sending it again is harmless."""
        target = (await rooms.user(body.person_id))["_id"]
        asked = Link(await bearer(body), target)
        outcome = await rooms.platform.run_one(rooms.person_loop, rooms.link, asked, cause_of(request))
        refuse(outcome.decision.refusal if outcome.decision else None)
        return {"source": body.source, "id": body.id, "personId": target}

    @router.post("/v1.0/tenure/identities:keepApart")
    async def keep_apart(request: Request, body: IdentityIn) -> dict[str, Any]:
        """Say that an identity that waits is nobody else: a person of its own. Sending it again is harmless."""
        asked = KeepApart(await bearer(body))
        outcome = await rooms.platform.run_one(rooms.person_loop, rooms.keep_apart, asked, cause_of(request))
        refuse(outcome.decision.refusal if outcome.decision else None)
        return graph.person(await rooms.person(asked.person_id))

    @router.get("/v1.0/tenure/sources")
    async def sources() -> dict[str, Any]:
        """Sources of people in the order of their authority, and who may set what."""
        return rooms.sources.said()


def _number(count: int) -> Response:
    return Response(str(count), media_type="text/plain")
