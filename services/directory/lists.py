"""Lists of aggregates, as Graph answers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request

from services.directory.store import page_of
from shared.storage import MongoAggregates
from shared.web.odata import ListQuery
from shared.web.paging import answer_list


async def answer_page(
    request: Request,
    query: ListQuery,
    store: MongoAggregates,
    *,
    render: Callable[[Mapping[str, Any]], Mapping[str, Any]],
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
