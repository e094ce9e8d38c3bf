"""Lists as Graph answers them: `value`, `@odata.nextLink`, `@odata.count`, `@odata.context`.

Pages are found by the last document's place in the order, not by counting, so that what is added or removed meanwhile
neither repeats nor skips anyone else.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Query, Request

from shared.web.odata.fields import EntitySet
from shared.web.odata.options import ListQuery, Shape, read_query, read_shape
from shared.web.paths import IN_PATH

Document = Mapping[str, Any]


def list_query(entities: EntitySet, *, also: frozenset[str] = frozenset()) -> Callable[..., ListQuery]:
    """A dependency that reads a request's options: `query: Annotated[ListQuery, Depends(list_query(PACKAGES))]`.

    `also` names further parameters of the route. The options stand in the OpenAPI document.
    """

    def read(  # the parameters are there for OpenAPI
        request: Request,
        filter_: Annotated[str | None, Query(alias="$filter", description=_askable(entities))] = None,
        search: Annotated[str | None, Query(alias="$search", description='Like `"displayName:ana"`.')] = None,
        orderby: Annotated[str | None, Query(alias="$orderby", description="Like `displayName desc`.")] = None,
        select: Annotated[str | None, Query(alias="$select", description=_SELECT)] = None,
        expand: Annotated[str | None, Query(alias="$expand", description=_expandable(entities))] = None,
        top: Annotated[
            str | None,
            Query(
                alias="$top", description=f"Page size, at most {entities.max_top}; {entities.default_top} if absent."
            ),
        ] = None,
        skip: Annotated[str | None, Query(alias="$skip", description="How many to leave out.")] = None,
        skiptoken: Annotated[str | None, Query(alias="$skiptoken", description="From `@odata.nextLink`.")] = None,
        count: Annotated[str | None, Query(alias="$count", description="`true` adds `@odata.count`.")] = None,
    ) -> ListQuery:
        return read_query(entities, request.query_params.multi_items(), also=also)

    return read


def shape_query(entities: EntitySet, *, also: frozenset[str] = frozenset()) -> Callable[..., Shape]:
    """The same for a route that answers one object: `shape: Annotated[Shape, Depends(shape_query(PACKAGES))]`, then
    `shape.selected(body)`."""

    def read(
        request: Request,
        select: Annotated[str | None, Query(alias="$select", description=_SELECT)] = None,
        expand: Annotated[str | None, Query(alias="$expand", description=_expandable(entities))] = None,
    ) -> Shape:
        return read_shape(entities, request.query_params.multi_items(), also=also)

    return read


_SELECT = "Properties to answer with."


def _expandable(entities: EntitySet) -> str:
    return ", ".join(sorted(entities.expandable)) or "Nothing here."


def _askable(entities: EntitySet) -> str:
    return "OData condition over " + ", ".join(sorted(entities.fields)) + "."


async def answer_list(
    request: Request,
    query: ListQuery,
    *,
    find: Callable[[ListQuery], Awaitable[Sequence[Document]]],
    render: Callable[[Document], Mapping[str, Any]],
    context: str,
    total: Callable[[ListQuery], Awaitable[int]] | None = None,
    base_url: str | None = None,
) -> dict[str, Any]:
    """One page of a list. `find` returns up to `query.limit` documents; `total` counts all pages, asked only for
    `$count=true`, on the first page. `render` makes a Graph body (camelCase) of a document. `base_url`: where the
    public API is found, if not where this request came to.
    """
    documents = await find(query)
    page, more = documents[: query.top], len(documents) > query.top
    body: dict[str, Any] = {"@odata.context": context_url(request, context, query.select, base_url)}
    if query.count and query.first_page and total is not None:
        body["@odata.count"] = await total(query)
    if more:
        body["@odata.nextLink"] = _next_link(request, query, query.token_after(page[-1]), base_url)
    body["value"] = [query.selected(render(document)) for document in page]
    return body


def context_url(
    request: Request, context: str, select: frozenset[str] | None = None, base_url: str | None = None
) -> str:
    """`@odata.context`: `…/v1.0/$metadata#accessPackages`, `#users/$entity`, with `(a,b)` behind the name if properties
    were selected."""
    chosen = f"({','.join(sorted(select))})" if select else ""
    name, entity = context.removesuffix("/$entity"), "/$entity" if context.endswith("/$entity") else ""
    return f"{_base(request, base_url)}/v1.0/$metadata#{name}{chosen}{entity}"


def _base(request: Request, base_url: str | None) -> str:
    return (base_url or str(request.base_url)).rstrip("/")


def _next_link(request: Request, query: ListQuery, token: str, base_url: str | None) -> str:
    kept = [
        (key, value)
        for key, value in request.query_params.multi_items()
        if key.removeprefix("$").lower() not in {"skip", "skiptoken"}
    ]
    # `$` and quotes stay readable, as in Graph's own links.
    options = urlencode([*kept, ("$skiptoken", token)], safe="$'(),:/", quote_via=quote)
    return f"{_base(request, base_url)}{quote(request.scope['path'], safe=IN_PATH)}?{options}"
