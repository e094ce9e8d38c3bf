"""Assignments as Graph lists them: the live ones, which lie in their holdings, and those that have ended, from the
history, as one list in one order. So what ends between two pages keeps its place: it is neither missed nor seen twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from services.assignment.history import History
from services.assignment.store import ENDED, ITEMS, LIVE, narrowed
from shared.contracts.assignment import AssignmentStatus
from shared.storage import MongoAggregates
from shared.web.odata import ListQuery, found_first, lets_through, only_value, read_query
from shared.web.odata.through import Ids

Document = dict[str, Any]

SKIPPED_AT_ONCE = 500
"""Of two collections together nobody knows which is skipped without having read it: so much is read at a time."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which assignments a list is about, as filters."""

    holdings: dict[str, Any] = field(default_factory=dict)
    """On whole holdings, by index."""
    ended: dict[str, Any] = field(default_factory=dict)
    """On the history."""
    items: dict[str, Any] = field(default_factory=dict)
    """On each assignment of these holdings."""


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks of the list, in the terms of the holdings and in those of the history: one order, and page
    tokens that mean the same in both."""

    live: ListQuery
    ended: ListQuery

    @classmethod
    def read(cls, options: Iterable[tuple[str, str]]) -> Wanted:
        """Raises UnsupportedQuery or ExpiredPageToken (400)."""
        given = list(options)
        return cls(read_query(LIVE, given), read_query(ENDED, given))

    async def found_first(self, ids: Ids) -> Wanted:
        """The same with what is asked of packages, policies and people found. Raises UnsupportedQuery."""
        return Wanted(*await asyncio.gather(found_first(self.live, ids), found_first(self.ended, ids)))

    @property
    def may_live(self) -> bool:
        """Whether the filter lets anything through that is live."""
        return only_value(self.live.where, f"{ITEMS}.status") != AssignmentStatus.EXPIRED

    @property
    def may_have_ended(self) -> bool:
        """Whether it lets anything through that has ended."""
        return lets_through(self.ended.where, "assignment.status", AssignmentStatus.EXPIRED)

    def beyond(self, document: Document) -> Wanted:
        """The same from behind this document."""
        token = self.live.token_after(document)
        return Wanted(self.live.beyond(token), self.ended.beyond(token))

    def skipping(self, skip: int, top: int) -> Wanted:
        """The same with another part of it."""
        return Wanted(replace(self.live, skip=skip, top=top), replace(self.ended, skip=skip, top=top))


class Lists:
    """The list, read."""

    def __init__(self, holdings: MongoAggregates, history: History) -> None:
        self._holdings = holdings
        self._history = history

    async def find(self, wanted: Wanted, scope: Scope) -> list[Document]:
        """One more than the page; an ended one looks like an unwound holding with `ended` beside."""
        skip, top = wanted.live.skip, wanted.live.top
        if not (skip and wanted.may_live and wanted.may_have_ended):
            return await self._page(wanted, scope)
        while skip:
            step = min(skip, SKIPPED_AT_ONCE)
            skipped = (await self._page(wanted.skipping(0, step), scope))[:step]
            if len(skipped) < step:
                return []
            skip, wanted = skip - step, wanted.beyond(skipped[-1])
        return await self._page(wanted.skipping(0, top), scope)

    async def count(self, wanted: Wanted, scope: Scope) -> int:
        """All pages."""
        live, ended = wanted.live, wanted.ended
        whole = {"$and": [narrowed(live), scope.holdings]}
        counts = []
        if wanted.may_live:
            counts.append(self._holdings.count_unwound(ITEMS, live.total_filter(scope.items), narrowed=whole))
        if wanted.may_have_ended:
            counts.append(self._history.documents.count(ended.total_filter(scope.ended)))
        return sum(await asyncio.gather(*counts))

    async def one(self, id: str) -> Document | None:
        """A live assignment or an ended one."""
        live = await self._holdings.unwound(ITEMS, {f"{ITEMS}.id": id}, narrowed={f"{ITEMS}.id": id}, limit=1)
        if live:
            return live[0]
        ended = await self._history.documents.get(id)
        return as_listed(ended) if ended else None

    async def with_people(self, found: Sequence[Document]) -> list[Document]:
        """The same, the ended ones with what is known of their people: in one query."""
        ids = sorted({one["_id"] for one in found if "ended" in one})
        if not ids:
            return list(found)
        holdings = await self._holdings.states({"_id": {"$in": ids}})
        known = {one["_id"]: {name: one.get(name, {}) for name in ("about", "facets")} for one in holdings}
        return [
            {**one, "state": {**one["state"], **known.get(one["_id"], {})}} if "ended" in one else one for one in found
        ]

    async def _page(self, wanted: Wanted, scope: Scope) -> list[Document]:
        live, ended = await asyncio.gather(self._live(wanted, scope), self._ended(wanted, scope))
        if not live or not ended:
            return live or ended
        # What ended while both were read is in both.
        by_id = {one["state"]["assignments"]["id"]: one for one in (*live, *ended)}
        return in_order(wanted.live, by_id.values())[: wanted.live.limit]

    async def _live(self, wanted: Wanted, scope: Scope) -> list[Document]:
        q = wanted.live
        if not wanted.may_live:
            return []
        whole = {"$and": [narrowed(q), scope.holdings]}
        where = q.mongo_filter(scope.items)
        return await self._holdings.unwound(ITEMS, where, narrowed=whole, sort=q.sort, skip=q.skip, limit=q.limit)

    async def _ended(self, wanted: Wanted, scope: Scope) -> list[Document]:
        q = wanted.ended
        if not wanted.may_have_ended:
            return []
        where = q.mongo_filter(scope.ended)
        found = await self._history.documents.find(where, sort=q.sort, skip=q.skip, limit=q.limit)
        return [as_listed(one) for one in found]


def as_listed(ended: Document) -> Document:
    """One of the history in the form of an unwound holding, so that both have their places in one order."""
    item = {"id": ended["_id"], "package_id": ended["package_id"], "ended_at": ended["ended_at"]}
    return {"_id": ended["person_id"], "state": {"assignments": item, "about": {}}, "ended": ended}


def in_order(query: ListQuery, documents: Iterable[Document]) -> list[Document]:
    """As the query sorts them; nothing comes before everything, as in MongoDB."""
    found = [([(value is not None, value) for value in query.place_of(one)], one) for one in documents]
    for number, (_, direction) in reversed(list(enumerate(query.sort))):
        found.sort(key=lambda placed: placed[0][number], reverse=direction < 0)
    return [one for _, one in found]
