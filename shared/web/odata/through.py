"""A filter on what relations lead to, where that is kept in other collections: found there first, then meant by id.

    query = await found_first(query, store.ids_of)

MongoDB knows no joins in a query. What names something (a person, a package) finds few; what finds too many is refused,
for a long list of ids is slower than any other way to ask.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from shared.web.errors import UnsupportedQuery
from shared.web.odata.mongo import MongoFilter, Sought
from shared.web.odata.options import ListQuery

MOST = 2000
"""Ids that one condition may stand for."""

Ids = Callable[[str, MongoFilter, int], Awaitable[Sequence[str]]]
"""(collection, filter, limit) -> ids of those that it finds."""
T = TypeVar("T", bound=ListQuery)


async def found_first(query: T, ids: Ids) -> T:
    """The same query with ids for what is sought elsewhere. Raises UnsupportedQuery where that is too many."""
    return replace(query, where=await _found(query.where, ids))


async def _found(where: Any, ids: Ids) -> Any:
    match where:
        case Sought(name, inner):
            found = await ids(name, await _found(inner, ids), MOST + 1)
            if len(found) > MOST:
                text = f"What is asked of {name} finds more than {MOST} of them: ask more narrowly, or by id."
                raise UnsupportedQuery(text, target="$filter")
            return list(found)
        case Mapping():
            return {key: await _found(value, ids) for key, value in where.items()}
        case list():
            return [await _found(one, ids) for one in where]
    return where
