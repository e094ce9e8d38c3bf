"""Lists of aggregates, as Graph answers them: of one kind, or of several kinds of directory objects together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request

from services.directory.store import Document, page_of
from shared.storage import MongoAggregates
from shared.web.errors import UnsupportedQuery
from shared.web.odata import EntitySet, ListQuery, Shape, read_query
from shared.web.paging import answer_list, context_url, slice_of

Render = Callable[[Mapping[str, Any]], Mapping[str, Any]]


async def answer_page(
    request: Request,
    query: ListQuery,
    store: MongoAggregates,
    *,
    render: Render,
    context: str,
    scope: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The page of `store` that `query` asks for, of what lies in `scope` or of everything."""
    return await answer_list(
        request,
        query,
        find=lambda q: page_of(store, q.mongo_filter(scope), sort=q.sort, skip=q.skip, limit=q.limit),
        total=lambda q: store.count(q.total_filter(scope)),
        render=render,
        context=context,
    )


async def answer_shown(
    request: Request,
    query: ListQuery,
    store: MongoAggregates,
    shown: Callable[[Sequence[Document]], Awaitable[Sequence[Mapping[str, Any]]]],
    *,
    context: str,
    scope: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """As `answer_page`, where a body takes reading: `shown` makes those of a whole page, with what is expanded."""

    async def find(q: ListQuery) -> list[Document]:
        found = await page_of(store, q.mongo_filter(scope), sort=q.sort, skip=q.skip, limit=q.limit)
        return [{**one, "said": body} for one, body in zip(found, await shown(found), strict=True)]

    async def total(q: ListQuery) -> int:
        return await store.count(q.total_filter(scope))

    return await answer_list(request, query, find=find, total=total, render=lambda one: one["said"], context=context)


@dataclass(frozen=True)
class Kind:
    """One of the kinds that a list holds. All of a list sort by the same places of their documents."""

    entities: EntitySet
    find: Callable[[ListQuery, int], Awaitable[Sequence[Document]]]
    """The first so many that the query means, in its order."""
    count: Callable[[ListQuery], Awaitable[int]]
    render: Callable[[Document, Shape], Mapping[str, Any]]


def kept_in(
    store: MongoAggregates,
    entities: EntitySet,
    render: Callable[[Document, Shape], Mapping[str, Any]],
    scope: Mapping[str, Any],
) -> Kind:
    """What lies in `scope` of one collection."""

    async def find(q: ListQuery, most: int) -> Sequence[Document]:
        return await page_of(store, q.mongo_filter(scope), sort=q.sort, limit=most)

    return Kind(entities, find, lambda q: store.count(q.total_filter(scope)), render)


async def answer_objects(request: Request, kinds: Sequence[Kind], context: str = "directoryObjects") -> dict[str, Any]:
    """One page of objects of several kinds, in one order. A condition on a property that a kind does not have is met by
    none of that kind; one that no kind has is a 400."""
    asked = _asked(kinds, request.query_params.multi_items())
    first = asked[0][1]

    async def find(_: ListQuery) -> list[Document]:
        found: list[Document] = []
        for kind, query in asked:
            some = await kind.find(query, query.skip + query.limit)
            found += [{**one, "said": kind.render(one, query)} for one in some]
        if len(asked) > 1:
            for path, direction in reversed(first.sort):
                found.sort(key=lambda one: _place(one, path), reverse=direction < 0)
        return found[first.skip : first.skip + first.limit]

    async def total(_: ListQuery) -> int:
        return sum([await kind.count(query) for kind, query in asked])

    return await answer_list(request, first, find=find, total=total, render=lambda one: one["said"], context=context)


def answer_few(request: Request, entities: EntitySet, found: Sequence[Document]) -> dict[str, Any]:
    """A page of a few objects, in the order given: `$select`, `$top`, `$skip` and `$count` alone mean something. Raises
    UnsupportedQuery (400) for what would change which these are, or how much of each is shown."""
    query = read_query(entities, request.query_params.multi_items())
    for name, _ in query.options:
        if name in {"$filter", "$search", "$orderby", "$expand"}:
            raise UnsupportedQuery(f"The query option '{name}' is not supported here.", target=name)
    page, about = slice_of(request, query, found)
    return {
        "@odata.context": context_url(request, "directoryObjects", query.select),
        **about,
        "value": [query.selected(one) for one in page],
    }


def _asked(kinds: Sequence[Kind], options: Sequence[tuple[str, str]]) -> list[tuple[Kind, ListQuery]]:
    names = frozenset[str]().union(*(kind.entities.selected_names.values() for kind in kinds))
    asked: list[tuple[Kind, ListQuery]] = []
    refused: list[UnsupportedQuery] = []
    for kind in kinds:
        # Of one type, so that the next page's token is the same for all.
        entities = kind.entities
        if len(kinds) > 1:
            entities = replace(entities, type_name="directoryObject", selectable=names)
        try:
            asked.append((kind, read_query(entities, options)))
        except UnsupportedQuery as problem:
            refused.append(problem)
    if not asked:
        raise refused[0]
    return asked


def _place(document: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Sorts as MongoDB sorts: null first."""
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value is not None, value
