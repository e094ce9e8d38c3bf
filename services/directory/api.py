"""What the directory answers over HTTP: Graph's users and groups, and Tenure's own words on people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.directory import graph
from services.directory.decide.groups import ChangeGroup, CreateGroup, DeleteGroup, GroupCommand
from services.directory.decide.links import KeepApart, Link
from services.directory.decide.memberships import Groups, SetByHand
from services.directory.decide.people import Around, Heard
from services.directory.graph import (
    GROUPS,
    IDENTITIES,
    MEMBERS,
    PEOPLE,
    USERS,
    GroupIn,
    GroupPatch,
    IdentityIn,
    LinkIn,
    Reference,
)
from services.directory.model import Person, load_person
from services.directory.sources import API, Sources
from services.directory.store import Document, GroupStore, Memberships, People, page_of
from shared.contracts.base import Cause, Lane, Refusal
from shared.contracts.directory import GroupState, MembershipState
from shared.contracts.hr import ChangeKind, HrChange
from shared.messaging.decision import Handler
from shared.messaging.loop import Loop
from shared.messaging.service import Platform
from shared.storage import Answers
from shared.web.caller import cause_of
from shared.web.conditional import IfMatch, etag, require_match
from shared.web.errors import Conflict, NotFound
from shared.web.idempotency import IdempotencyKey, answering_once, made_id
from shared.web.odata import ListQuery
from shared.web.paging import answer_list, context_url, list_query

JOINED: Document = {"state.joined": True}
LIVING: Document = {"state.deleted_at": None}


@dataclass(frozen=True)
class Rooms:
    """What the routes work with."""

    platform: Platform
    sources: Sources
    people: People
    groups: GroupStore
    memberships: Memberships
    person_loop: Loop[Person]
    group_loop: Loop[GroupState]
    membership_loop: Loop[MembershipState]
    hold: Handler[Person, Heard, Around]
    link: Handler[Person, Link, Around]
    keep_apart: Handler[Person, KeepApart, Around]
    wish: Handler[GroupState, GroupCommand, None]
    by_hand: Handler[MembershipState, SetByHand, Groups]

    async def person(self, key: str) -> Document:
        """By id or user principal name. Raises NotFound."""
        if (found := await self.people.by_name_or_id(key)) is None:
            raise NotFound(f"Resource '{key[:100]}' does not exist.", code="Request_ResourceNotFound")
        return {"_id": found["_id"], "version": found["version"], "state": found}

    async def user(self, key: str) -> Document:
        """The same, of those who have joined."""
        found = await self.person(key)
        if not found["state"].get("joined"):
            raise NotFound(f"Resource '{key[:100]}' does not exist.", code="Request_ResourceNotFound")
        return found

    async def group(self, id: str) -> Document:
        """Raises NotFound, for a deleted one too."""
        found = await page_of(self.groups, {"_id": id.lower(), **LIVING}, limit=1)
        if not found:
            raise NotFound(f"Resource '{id[:100]}' does not exist.", code="Request_ResourceNotFound")
        return found[0]

    async def change_group(self, request: Request, command: GroupCommand) -> None:
        outcome = await self.platform.run_one(self.group_loop, self.wish, command, cause_of(request))
        refuse(outcome.decision.refusal if outcome.decision else None)

    async def set_member(self, request: Request, group: str, person: str, member: bool) -> None:
        asked = SetByHand(group, person, member)
        outcome = await self.platform.run_one(self.membership_loop, self.by_hand, asked, cause_of(request))
        refuse(outcome.decision.refusal if outcome.decision else None)


def refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise (NotFound if refusal.code == "ResourceNotFound" else Conflict)(refusal.message, code=refusal.code)


def routes(rooms: Rooms, answers: Answers) -> list[APIRouter]:
    routers = [APIRouter(tags=[tag], route_class=answering_once(answers)) for tag in ("users", "groups", "people")]
    _users(routers[0], rooms)
    _groups(routers[1], rooms)
    _members(routers[1], rooms)
    _people(routers[2], rooms)
    return routers


def _users(router: APIRouter, rooms: Rooms) -> None:
    @router.get("/v1.0/users")
    async def users(request: Request, query: Annotated[ListQuery, Depends(list_query(USERS))]) -> dict[str, Any]:
        """Everyone who has ever joined, those who left too."""
        return await answer_list(
            request,
            query,
            find=lambda q: page_of(rooms.people, q.mongo_filter(JOINED), sort=q.sort, skip=q.skip, limit=q.limit),
            total=lambda q: rooms.people.count(q.total_filter(JOINED)),
            render=graph.user,
            context="users",
        )

    @router.get("/v1.0/users/$count")
    async def user_count(query: Annotated[ListQuery, Depends(list_query(USERS))]) -> Response:
        return _number(await rooms.people.count(query.total_filter(JOINED)))

    @router.get("/v1.0/users/{id}")
    async def user(
        request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(USERS))]
    ) -> dict[str, Any]:
        """By id or userPrincipalName."""
        found = graph.user(await rooms.user(id))
        return {"@odata.context": context_url(request, "users/$entity", query.select), **query.selected(found)}

    @router.get("/v1.0/users/{id}/manager")
    async def manager(request: Request, id: str) -> dict[str, Any]:
        found = await rooms.user(id)
        if (manager_id := found["state"]["manager_id"]) is None:
            raise NotFound(f"Resource 'manager' does not exist for '{id[:100]}'.", code="Request_ResourceNotFound")
        shown = graph.user(await rooms.user(manager_id))
        return {"@odata.context": context_url(request, "directoryObjects/$entity"), **_typed(shown, "user")}

    @router.get("/v1.0/users/{id}/directReports")
    async def reports(
        request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(USERS))]
    ) -> dict[str, Any]:
        scope = {**JOINED, "state.manager_id": (await rooms.user(id))["_id"]}
        return await answer_list(
            request,
            query,
            find=lambda q: page_of(rooms.people, q.mongo_filter(scope), sort=q.sort, skip=q.skip, limit=q.limit),
            total=lambda q: rooms.people.count(q.total_filter(scope)),
            render=lambda document: _typed(graph.user(document), "user"),
            context="directoryObjects",
        )

    @router.get("/v1.0/users/{id}/memberOf")
    @router.get("/v1.0/users/{id}/transitiveMemberOf")
    async def member_of(
        request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(GROUPS))]
    ) -> dict[str, Any]:
        """Groups have people as members and no groups, so transitive is the same."""
        groups = await rooms.memberships.groups_of((await rooms.user(id))["_id"])
        scope: Document = {"_id": {"$in": groups}, **LIVING}
        return await answer_list(
            request,
            query,
            find=lambda q: page_of(rooms.groups, q.mongo_filter(scope), sort=q.sort, skip=q.skip, limit=q.limit),
            total=lambda q: rooms.groups.count(q.total_filter(scope)),
            render=lambda document: _typed(graph.group(document), "group"),
            context="directoryObjects",
        )


def _groups(router: APIRouter, rooms: Rooms) -> None:
    @router.get("/v1.0/groups")
    async def groups(request: Request, query: Annotated[ListQuery, Depends(list_query(GROUPS))]) -> dict[str, Any]:
        return await answer_list(
            request,
            query,
            find=lambda q: page_of(rooms.groups, q.mongo_filter(LIVING), sort=q.sort, skip=q.skip, limit=q.limit),
            total=lambda q: rooms.groups.count(q.total_filter(LIVING)),
            render=graph.group,
            context="groups",
        )

    @router.post("/v1.0/groups", status_code=201)
    async def create(request: Request, response: Response, body: GroupIn, key: IdempotencyKey = None) -> dict[str, Any]:
        """With an `Idempotency-Key` a repeat makes nothing new."""
        id = made_id(request, "group")
        await rooms.change_group(request, CreateGroup(id, body.model_dump(by_alias=False)))
        made = await rooms.group(id)
        response.headers["ETag"] = etag(made["version"])
        response.headers["Location"] = f"{str(request.base_url).rstrip('/')}/v1.0/groups/{id}"
        return {"@odata.context": context_url(request, "groups/$entity"), **graph.group(made)}

    @router.get("/v1.0/groups/{id}")
    async def group(
        request: Request, response: Response, id: str, query: Annotated[ListQuery, Depends(list_query(GROUPS))]
    ) -> dict[str, Any]:
        found = await rooms.group(id)
        response.headers["ETag"] = etag(found["version"])
        body = query.selected(graph.group(found))
        return {"@odata.context": context_url(request, "groups/$entity", query.select), **body}

    @router.patch("/v1.0/groups/{id}", status_code=204)
    async def patch(request: Request, id: str, body: GroupPatch, if_match: IfMatch = None) -> Response:
        found = await rooms.group(id)
        require_match(if_match, found["version"])
        changes = body.model_dump(by_alias=False, exclude_unset=True)
        await rooms.change_group(request, ChangeGroup(found["_id"], changes))
        return Response(status_code=204)

    @router.delete("/v1.0/groups/{id}", status_code=204)
    async def delete(request: Request, id: str, if_match: IfMatch = None) -> Response:
        found = await rooms.group(id)
        require_match(if_match, found["version"])
        await rooms.change_group(request, DeleteGroup(found["_id"]))
        return Response(status_code=204)


def _members(router: APIRouter, rooms: Rooms) -> None:
    async def with_people(documents: Sequence[Document]) -> list[Document]:
        ids = [document["state"]["person_id"] for document in documents]
        known = {one["_id"]: one for one in await page_of(rooms.people, {"_id": {"$in": ids}})}
        blank: Document = {"state": {"attributes": {}}}
        return [
            {**document, "person": {**blank, **known.get(id, {}), "_id": id}}
            for document, id in zip(documents, ids, strict=True)
        ]

    @router.get("/v1.0/groups/{id}/members")
    @router.get("/v1.0/groups/{id}/transitiveMembers")
    async def members(
        request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(MEMBERS))]
    ) -> dict[str, Any]:
        """People in the order of their ids; groups are not members here."""
        scope: Document = {"state.group_id": (await rooms.group(id))["_id"], "state.member": True}

        async def find(q: ListQuery) -> list[Document]:
            found = await page_of(rooms.memberships, q.mongo_filter(scope), sort=q.sort, skip=q.skip, limit=q.limit)
            return await with_people(found)

        return await answer_list(
            request,
            query,
            find=find,
            total=lambda q: rooms.memberships.count(q.total_filter(scope)),
            render=lambda document: _typed(graph.user(document["person"]), "user"),
            context="directoryObjects",
        )

    @router.get("/v1.0/groups/{id}/members/$count")
    async def member_count(id: str) -> Response:
        return _number(await rooms.memberships.member_count((await rooms.group(id))["_id"]))

    @router.post("/v1.0/groups/{id}/members/$ref", status_code=204)
    async def add(request: Request, id: str, body: Reference) -> Response:
        """By hand: Tenure's own bookkeeping never removes who was added so. Who is a member already stays one."""
        group, person = await rooms.group(id), await rooms.user(body.id)
        await rooms.set_member(request, group["_id"], person["_id"], True)
        return Response(status_code=204)

    @router.delete("/v1.0/groups/{id}/members/{person_id}/$ref", status_code=204)
    async def remove(request: Request, id: str, person_id: str) -> Response:
        group = await rooms.group(id)
        await rooms.set_member(request, group["_id"], person_id.lower(), False)
        return Response(status_code=204)


def _people(router: APIRouter, rooms: Rooms) -> None:
    @router.get("/v1.0/tenure/people")
    async def people(request: Request, query: Annotated[ListQuery, Depends(list_query(PEOPLE))]) -> dict[str, Any]:
        """Everyone, those who have not joined too. `$filter=employeeId eq '10001'` finds one."""
        return await answer_list(
            request,
            query,
            find=lambda q: page_of(rooms.people, q.mongo_filter(), sort=q.sort, skip=q.skip, limit=q.limit),
            total=lambda q: rooms.people.count(q.total_filter()),
            render=graph.person,
            context="people",
        )

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
        return {
            "value": [{"name": s.name, "employeeIds": s.employee_ids} for s in rooms.sources.by_name.values()],
            "correlate": list(rooms.sources.correlate),
            "authority": {name: list(order) for name, order in rooms.sources.authority.items()},
        }


def _typed(shown: Document, kind: str) -> Document:
    return {"@odata.type": f"#microsoft.graph.{kind}", **shown}


def _number(count: int) -> Response:
    return Response(str(count), media_type="text/plain")
