"""Delta queries: what of the users, or of the groups and their members, has changed since a caller last looked.

The first round goes over everything in the order of ids, after noting where the log of writes stood; later rounds read
that log on from there and show each object that was written as it is now. So no change is ever missed, however many
write at the same time; some come twice, as documented. Of whoever was written among the memberships all groups are
named, those they are in and those they have left, for the log does not say which of them moved.

A token is the caller's whole state: nothing is kept here. It lives seven days. Source:
reference/graph-api-operations.md 5.4.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Depends, Query, Request

from services.directory import graph
from services.directory.api import LIVING, Rooms
from services.directory.graph import GROUPS, USERS
from services.directory.model import load_memberships
from services.directory.store import JOINED, Document, page_of
from shared.storage import Changes, Database, TokenLost
from shared.web.errors import BadRequest, GraphError, UnsupportedQuery
from shared.web.guard import Guard
from shared.web.odata import EntitySet, read_shape
from shared.web.odata.ast import Compare, Guid, OneOf, Or
from shared.web.odata.parse import parse_filter
from shared.web.paging import context_url

PAGE = 100
MOST_IDS = 50
LIVES_S = 7 * 24 * 3600
MANAGER, MEMBERS = "manager", "members"
_LIVING, _SOFT, _GONE = "", "changed", "deleted"


@dataclass(frozen=True)
class Token:
    """Where a caller is, and what they asked for at first."""

    kind: str
    at: str
    """Place in the log of writes: of the beginning in the first round, of what was read last in later ones."""
    made: int
    """Seconds since 1970, by the real clock."""
    phase: str = "log"
    """`objects` and then `members` in the first round."""
    after: str = ""
    """The last id of the page before, in the first round."""
    select: tuple[str, ...] | None = None
    ids: tuple[str, ...] = ()

    def text(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(asdict(self))).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, kind: str) -> Token:
        """Raises BadRequest for what was never one of ours."""
        try:
            said = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            ids, select = tuple(map(str, said.pop("ids"))), said.pop("select")
            token = cls(**said, ids=ids, select=None if select is None else tuple(map(str, select)))
            known = token.kind == kind and token.phase in {"objects", "members", "log"} and token.made >= 0
            if known and isinstance(token.at, str) and isinstance(token.after, str):
                return token
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
        raise BadRequest("The token is none of this list: begin again without it.", code="Directory_ExpiredPageToken")


def read_ids(text: str) -> tuple[str, ...]:
    """The ids of `id eq '…' or id eq '…'`. Raises UnsupportedQuery for every other filter."""
    node = parse_filter(text)
    ids: list[str] = []
    for part in node.nodes if isinstance(node, Or) else (node,):
        values: Sequence[Any] = ()
        if isinstance(part, Compare) and part.op == "eq" and part.path == ("id",):
            values = (part.value,)
        elif isinstance(part, OneOf) and part.path == ("id",):
            values = part.values
        if not values or not all(isinstance(one, str | Guid) for one in values):
            raise UnsupportedQuery("Here $filter takes id eq '…', joined by or, and nothing else.", target="$filter")
        ids += [(one.text if isinstance(one, Guid) else one).lower() for one in values]
    if len(ids) > MOST_IDS:
        raise UnsupportedQuery(f"$filter takes at most {MOST_IDS} ids here.", target="$filter")
    return tuple(dict.fromkeys(ids))


@dataclass(frozen=True)
class Asked:
    """One call: the token it goes on from, or what a first one says."""

    kind: str
    relation: str
    """That only a delta shows: `manager` or `members`."""
    entities: EntitySet

    def first(self, options: Sequence[tuple[str, str]], at: str) -> Token:
        """Raises UnsupportedQuery."""
        given = {name.removeprefix("$").lower(): value for name, value in options}
        for name in given:
            if name not in {"select", "filter", "deltatoken"}:
                raise UnsupportedQuery(
                    f"The query option '${name[:64]}' is not supported here.", target=f"${name[:64]}"
                )
        select: tuple[str, ...] | None = None
        if "select" in given:
            known = replace(self.entities, selectable=self.entities.selectable | {self.relation})
            chosen = read_shape(known, [("$select", given["select"])]).select
            select = None if chosen is None else tuple(sorted(chosen))
        ids = read_ids(given["filter"]) if given.get("filter") else ()
        return Token(self.kind, at, int(time.time()), "objects", select=select, ids=ids)


def removed(id: str, reason: str) -> Document:
    return {"id": id, "@removed": {"reason": reason}}


def narrowed(shown: Mapping[str, Any], select: tuple[str, ...] | None) -> Document:
    """The selected properties, without those that are not set; the id always."""
    return {
        name: value
        for name, value in shown.items()
        if name == "id" or "@" in name or (value not in (None, []) and (select is None or name in select))
    }


class Deltas:
    """Both lists."""

    def __init__(self, rooms: Rooms, database: Database) -> None:
        self.rooms = rooms
        self.of_users = Changes(database, rooms.people.name)
        self.of_groups = Changes(database, rooms.groups.name, rooms.memberships.name)

    async def users(self, token: Token) -> tuple[list[Document], Token, bool]:
        """A page, the token behind it, and whether there is more."""
        if token.phase != "log":
            query = {**JOINED, **_beyond(token)}
            found = await page_of(self.rooms.people, query, limit=PAGE)
            return [self._user(one, token) for one in found], *_onwards(token, found, ())
        changed = await self.of_users.since(token.at, most=PAGE)
        ids = [id for _, id in changed.documents if not token.ids or id in token.ids]
        people = await page_of(self.rooms.people, {"_id": {"$in": ids}})
        return [self._user(one, token) for one in people], replace(token, at=changed.token), changed.more

    def _user(self, document: Document, token: Token) -> Document:
        state = document["state"]
        if not state.get("joined"):
            return removed(document["_id"], _GONE)
        if state.get("deleted"):
            return removed(document["_id"], _SOFT)
        shown = narrowed(graph.user(document), token.select)
        if token.select is not None and MANAGER in token.select:
            manager = state["manager_id"]
            shown["manager@delta"] = [graph.typed({"id": manager}, "user")] if manager else []
        return shown

    async def groups(self, token: Token) -> tuple[list[Document], Token, bool]:
        """The same. Members come after all groups in the first round, a page of people at a time."""
        members = token.select is None or MEMBERS in token.select
        if token.phase == "objects":
            found = await page_of(self.rooms.groups, {**LIVING, **_beyond(token)}, limit=PAGE)
            nested = self._nested(found) if members else {}
            return await self._groups(found, nested, token), *_onwards(token, found, ("members",) if members else ())
        if token.phase == "members":
            query: Document = {"_id": {"$gt": token.after}}
            query["state.member_of"] = {"$in": list(token.ids)} if token.ids else {"$exists": True, "$ne": []}
            people = await page_of(self.rooms.memberships, query, limit=PAGE)
            moved = self._moved(people, also_left=False)
            return await self._groups([], moved, token), *_onwards(token, people, ())
        changed = await self.of_groups.since(token.at, most=PAGE)
        ids = [id for place, id in changed.documents if place == self.rooms.groups.name]
        found = await page_of(self.rooms.groups, {"_id": {"$in": ids}})
        moved = {}
        if members:
            whose = [id for place, id in changed.documents if place == self.rooms.memberships.name]
            people = await page_of(self.rooms.memberships, {"_id": {"$in": whose}})
            moved = self._moved(people, also_left=True)
            for group, those in self._nested(found).items():
                moved.setdefault(group, []).extend(those)
        return await self._groups(found, moved, token), replace(token, at=changed.token), changed.more

    def _moved(self, people: Sequence[Document], *, also_left: bool) -> dict[str, list[Document]]:
        """Members by group, from the memberships of these people."""
        by_group: dict[str, list[Document]] = {}
        for one in people:
            for membership in load_memberships(one["state"]).by_group.values():
                said = graph.typed({"id": one["_id"]}, "user")
                if membership.member:
                    by_group.setdefault(membership.group_id, []).append(said)
                elif also_left:
                    by_group.setdefault(membership.group_id, []).append({**said, "@removed": {"reason": _GONE}})
        return by_group

    def _nested(self, groups: Sequence[Document]) -> dict[str, list[Document]]:
        """The groups that these lie in or have left, with them as members."""
        by_group: dict[str, list[Document]] = {}
        for one in groups:
            state, said = one["state"], graph.typed({"id": one["_id"]}, "group")
            within = state["member_of"] if state["deleted_at"] is None else []
            for outer in within:
                by_group.setdefault(outer, []).append(said)
            for outer in {*state["member_of"], *state.get("left", ())} - set(within):
                by_group.setdefault(outer, []).append({**said, "@removed": {"reason": _GONE}})
        return by_group

    async def _groups(
        self, found: Sequence[Document], members: Mapping[str, list[Document]], token: Token
    ) -> list[Document]:
        there = {one["_id"]: one for one in found}
        if missing := [id for id in members if id not in there]:
            there |= {one["_id"]: one for one in await page_of(self.rooms.groups, {"_id": {"$in": missing}})}
        said: list[Document] = []
        for id, one in there.items():
            if token.ids and id not in token.ids:
                continue
            if one["state"]["deleted_at"] is not None:
                said.append(removed(id, _GONE))
                continue
            shown = narrowed(graph.group(one), token.select)
            if id in members:
                shown["members@delta"] = members[id]
            said.append(shown)
        return said


def _beyond(token: Token) -> Document:
    """The next page of the first round."""
    return {"_id": {"$gt": token.after, **({"$in": list(token.ids)} if token.ids else {})}}


def _onwards(token: Token, page: Sequence[Document], then: tuple[str, ...]) -> tuple[Token, bool]:
    """Behind a page of the first round: the next one, the next phase, or the log."""
    if len(page) == PAGE:
        return replace(token, after=page[-1]["_id"]), True
    if then:
        return replace(token, phase=then[0], after=""), True
    return replace(token, phase="log", after=""), False


_Select = Annotated[str | None, Query(alias="$select", description="Kept in the token.")]
_Filter = Annotated[str | None, Query(alias="$filter", description=f"`id eq '…'`, up to {MOST_IDS} joined by `or`.")]
_Skip = Annotated[str | None, Query(alias="$skiptoken", description="From `@odata.nextLink`.")]
_Delta = Annotated[
    str | None, Query(alias="$deltatoken", description="From `@odata.deltaLink`; `latest` begins with what comes.")
]


_LOST: dict[int | str, dict[str, Any]] = {410: {"description": "The token is too old; `Location` begins again."}}


def delta_routes(rooms: Rooms, database: Database, guard: Guard) -> APIRouter:
    """These routes; declared before those of single objects."""
    router = APIRouter(tags=["delta"], dependencies=[Depends(guard)])
    deltas = Deltas(rooms, database)
    of_users, of_groups = Asked("users", MANAGER, USERS), Asked("groups", MEMBERS, GROUPS)

    @router.get("/v1.0/users/delta", responses=_LOST)
    async def users(
        request: Request, select: _Select = None, filter_: _Filter = None, skip: _Skip = None, delta: _Delta = None
    ) -> dict[str, Any]:
        """Everyone at first, then whoever has changed since the link of the round before. `manager@delta` is the
        present manager, of those who were written."""
        return await _answer(request, of_users, deltas.of_users, deltas.users)

    @router.get("/v1.0/groups/delta", responses=_LOST)
    async def groups(
        request: Request, select: _Select = None, filter_: _Filter = None, skip: _Skip = None, delta: _Delta = None
    ) -> dict[str, Any]:
        """Groups, and in `members@delta` who came into them and who left."""
        return await _answer(request, of_groups, deltas.of_groups, deltas.groups)

    return router


async def _answer(request: Request, asked: Asked, changes: Changes, page: Any) -> dict[str, Any]:
    options = request.query_params.multi_items()
    given = {name.removeprefix("$").lower(): value for name, value in options}
    address = f"{str(request.base_url).rstrip('/')}{request.scope['path']}"
    text = given.get("skiptoken") or given.get("deltatoken")
    if text and text.lower() != "latest":
        if len(given) > 1:
            raise UnsupportedQuery("A token stands alone: it carries what was asked at first.", target="$deltatoken")
        token = Token.read(text, asked.kind)
        if not 0 <= time.time() - token.made + 60 <= LIVES_S:
            raise _lost(address, "The token is older than seven days: begin again.")
    else:
        token = asked.first(options, await changes.now())
        if text:
            token = replace(token, phase="log")
    try:
        found, behind, more = ([], token, False) if text == "latest" else await page(token)
    except TokenLost:
        raise _lost(address, "The log of writes does not reach back to the token: begin again.") from None
    if behind.phase == "log":
        behind = replace(behind, made=int(time.time()))
    name, option = ("@odata.nextLink", "$skiptoken") if more else ("@odata.deltaLink", "$deltatoken")
    return {
        "@odata.context": context_url(request, asked.kind, frozenset(token.select) if token.select else None),
        name: f"{address}?{urlencode({option: behind.text()}, safe='$')}",
        "value": found,
    }


def _lost(address: str, why: str) -> GraphError:
    headers = {"Location": f"{address}?$deltatoken="}
    return GraphError(why, code="syncStateNotFound", status=410, headers=headers)
