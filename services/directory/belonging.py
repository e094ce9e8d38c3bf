"""Who belongs to which groups, asked from either side: members, and what somebody or a group is a member of.

People's memberships are kept by person, a group's own with the group. A group inside a group makes its people members
of the outer one at one remove: `transitive…` walks through as many groups as there are, and meets each once.
Source: reference/graph-api-operations.md 5.1, 5.2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from services.directory import graph
from services.directory.api import LIVING, Rooms, may_write_group, own_only
from services.directory.decide.groups import Nest
from services.directory.graph import GROUPS, MEMBERS, USERS, Reference
from services.directory.lists import Kind, answer_objects, kept_in
from services.directory.store import DELETED, Document, members_of, page_of
from shared.storage import Answers
from shared.web.guard import Admitted, Guard
from shared.web.idempotency import answering_once
from shared.web.odata import ListQuery, Shape
from shared.web.paging import list_options

_ABOUT_PEOPLE = frozenset({"filter", "search", "orderby"})
"""Options for which a group's people are looked through; without them, the pages of its memberships are."""
CASTS = ("", "/microsoft.graph.user", "/microsoft.graph.group")


def belonging_routes(rooms: Rooms, answers: Answers, guard: Guard) -> APIRouter:
    """These routes."""
    router = APIRouter(
        tags=["groups"],
        route_class=answering_once(answers),
        dependencies=[Depends(guard), Depends(own_only(rooms.people))],
    )
    _members(router, rooms)
    _references(router, rooms)
    _member_of(router, rooms)
    return router


def groups_kind(rooms: Rooms, scope: Document) -> Kind:
    """Groups among directory objects."""
    return kept_in(rooms.groups, GROUPS, lambda one, _: graph.typed(graph.group(one), "group"), {**scope, **LIVING})


def _shown_user(one: Any, asked: Shape) -> Document:
    return graph.typed(graph.user_for(one, asked), "user")


class _Members:
    """The people who are in one of some groups. Whoever is deleted keeps the place for when they are restored, and is
    not shown there."""

    def __init__(self, rooms: Rooms, groups: Sequence[str]) -> None:
        self._rooms = rooms
        self._groups = groups

    async def kind(self, request: Request) -> Kind:
        if {name.removeprefix("$").lower() for name in request.query_params} & _ABOUT_PEOPLE:
            people = await self._rooms.memberships.people_of(*self._groups)
            return kept_in(self._rooms.people, USERS, _shown_user, {"_id": {"$in": people}, **LIVING})
        scope = await self._scope()

        async def page(query: ListQuery, most: int) -> list[Document]:
            # Ids alone: the documents hold all memberships of each of them.
            ids = await self._rooms.memberships.ids(query.mongo_filter(scope), limit=most)
            known = {one["_id"]: one for one in await page_of(self._rooms.people, {"_id": {"$in": ids}})}
            # Whom nobody has spoken of is shown by id alone.
            return [{"state": {"attributes": {}}, **known.get(id, {}), "_id": id} for id in ids]

        async def total(query: ListQuery) -> int:
            return await self._rooms.memberships.count(query.total_filter(scope))

        return Kind(MEMBERS, page, total, _shown_user)

    async def count(self) -> int:
        return await self._rooms.memberships.count(await self._scope())

    async def _scope(self) -> Document:
        gone = await self._rooms.people.ids(DELETED)
        return {**members_of(*self._groups), **({"_id": {"$nin": gone}} if gone else {})}


def _members(router: APIRouter, rooms: Rooms) -> None:
    async def answer(request: Request, groups: Sequence[str], inside: Document, cast: str) -> dict[str, Any]:
        kinds: list[Kind] = []
        if not cast.endswith("group"):
            kinds.append(await _Members(rooms, groups).kind(request))
        if not cast.endswith("user"):
            kinds.append(groups_kind(rooms, inside))
        return await answer_objects(request, kinds, _CONTEXT[cast])

    def listed(cast: str) -> None:
        name = cast.removeprefix("/microsoft.graph.") or "object"

        options = [Depends(list_options(GROUPS if cast.endswith("group") else USERS))]

        @router.get(f"/v1.0/groups/{{id}}/members{cast}", name=f"members of a group: {name}", dependencies=options)
        async def members(request: Request, id: str) -> dict[str, Any]:
            """People and groups in the order of their ids unless `$orderby` says."""
            group = (await rooms.group(id))["_id"]
            return await answer(request, [group], {"state.member_of": group}, cast)

        at = f"/v1.0/groups/{{id}}/transitiveMembers{cast}"

        @router.get(at, name=f"transitive members of a group: {name}", dependencies=options)
        async def transitive_members(request: Request, id: str) -> dict[str, Any]:
            """The same with those of the groups that lie in it, each once."""
            group = (await rooms.group(id))["_id"]
            within = await rooms.groups.within([group])
            inside = [one for one in within if one != group]
            return await answer(request, within, {"_id": {"$in": inside}}, cast)

    for cast in CASTS:
        listed(cast)

    @router.get("/v1.0/groups/{id}/members/$count")
    async def member_count(id: str) -> Response:
        group = (await rooms.group(id))["_id"]
        groups = await rooms.groups.count({"state.member_of": group, **LIVING})
        people = await _Members(rooms, [group]).count()
        return Response(str(people + groups), media_type="text/plain")


def _references(router: APIRouter, rooms: Rooms) -> None:
    @router.post("/v1.0/groups/{id}/members/$ref", status_code=204)
    async def add(request: Request, id: str, body: Reference, admitted: Admitted) -> Response:
        """By hand: Tenure's own bookkeeping never removes who was added so. Who is a member already stays one."""
        await may_write_group(admitted, id)
        await rooms.add_member(request, await rooms.group(id), await rooms.person_or_group(body.id))
        return Response(status_code=204)

    @router.delete("/v1.0/groups/{id}/members/{person_id}/$ref", status_code=204)
    async def remove(request: Request, id: str, person_id: str, admitted: Admitted) -> Response:
        await may_write_group(admitted, id)
        group, member = await rooms.group(id), person_id.lower()
        if await rooms.groups.there([member]):
            await rooms.change_group(request, Nest(member, group["_id"], member=False))
        else:
            await rooms.set_member(request, group["_id"], member, False)
        return Response(status_code=204)


_CONTEXT = {"": "directoryObjects", "/microsoft.graph.user": "users", "/microsoft.graph.group": "groups"}


def _member_of(router: APIRouter, rooms: Rooms) -> None:
    async def of_person(id: str) -> list[str]:
        return await rooms.memberships.groups_of((await rooms.user(id))["_id"])

    async def of_group(id: str) -> list[str]:
        return list((await rooms.group(id))["state"].get("member_of") or ())

    def listed(path: str, direct: Callable[[str], Awaitable[list[str]]], cast: str) -> None:
        name = f"{path}{cast.removeprefix('/microsoft.graph')}"

        at, options = f"/v1.0/{path}/{{id}}", [Depends(list_options(GROUPS))]

        @router.get(f"{at}/memberOf{cast}", name=f"groups that one is a member of: {name}", dependencies=options)
        async def member_of(request: Request, id: str) -> dict[str, Any]:
            groups = await direct(id)
            return await answer_objects(request, [groups_kind(rooms, {"_id": {"$in": groups}})], _CONTEXT[cast])

        @router.get(f"{at}/transitiveMemberOf{cast}", name=f"transitive memberships: {name}", dependencies=options)
        async def transitive_member_of(request: Request, id: str) -> dict[str, Any]:
            groups = await rooms.groups.around(await direct(id))
            return await answer_objects(request, [groups_kind(rooms, {"_id": {"$in": groups}})], _CONTEXT[cast])

    for path, direct in (("users", of_person), ("groups", of_group)):
        for cast in ("", "/microsoft.graph.group"):
            listed(path, direct, cast)
