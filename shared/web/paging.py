"""Lists as Graph answers them: `value`, `@odata.nextLink`, `@odata.count`, `@odata.context`.

Pages are found by the last document's place in the order, not by counting, so that what is added or removed meanwhile
neither repeats nor skips anyone else.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Query, Request

from shared.storage.database import Database
from shared.web.errors import UnsupportedQuery
from shared.web.odata.fields import EntitySet, Enumeration, Field, Kind, Many
from shared.web.odata.options import MAX_SKIP, ListQuery, Shape, read_query, read_shape
from shared.web.paths import IN_PATH

Document = Mapping[str, Any]
R = TypeVar("R")


def list_query(entities: EntitySet, *, also: frozenset[str] = frozenset()) -> Callable[..., ListQuery]:
    """A dependency that reads a request's options: `query: Annotated[ListQuery, Depends(list_query(PACKAGES))]`.

    `also` names further parameters of the route. The options stand in the OpenAPI document.
    """
    return _reading(entities, lambda request: read_query(entities, request.query_params.multi_items(), also=also))


def only_its_options(request: Request) -> None:
    """A dependency of lists that read a few options by themselves: raises UnsupportedQuery for every other one.

    A filter that is passed over would show more than was asked for."""
    heeded = {one.alias for one in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in heeded and name.lower() != "consistencylevel":
            text = f"The query option '{name[:64]}' is not supported here: there are {', '.join(sorted(heeded))}."
            raise UnsupportedQuery(text, target=name[:64])


def list_options(entities: EntitySet) -> Callable[..., None]:
    """A dependency that only documents the options, for a route that reads them by itself."""
    return _reading(entities, lambda _request: None)


def _reading(entities: EntitySet, read: Callable[[Request], R]) -> Callable[..., R]:
    say = _Options(entities)

    def reading(  # the parameters are there for OpenAPI
        request: Request,
        filter_: Annotated[str | None, say.filter()] = None,
        search: Annotated[str | None, say.search()] = None,
        orderby: Annotated[str | None, say.orderby()] = None,
        select: Annotated[str | None, say.select()] = None,
        expand: Annotated[str | None, say.expand()] = None,
        top: Annotated[str | None, say.number("$top", "Page size", 1, entities.max_top, entities.default_top)] = None,
        skip: Annotated[str | None, say.number("$skip", "How many to leave out", 0, MAX_SKIP)] = None,
        skiptoken: Annotated[str | None, Query(alias="$skiptoken", description="From `@odata.nextLink`.")] = None,
        count: Annotated[str | None, say.count()] = None,
    ) -> R:
        return read(request)

    return reading


def shape_query(entities: EntitySet, *, also: frozenset[str] = frozenset()) -> Callable[..., Shape]:
    """The same for a route that answers one object: `shape: Annotated[Shape, Depends(shape_query(PACKAGES))]`, then
    `shape.selected(body)`."""
    return _shaping(entities, lambda request: read_shape(entities, request.query_params.multi_items(), also=also))


def shape_options(entities: EntitySet) -> Callable[..., None]:
    """A dependency that only documents the options, for a route that answers one object and reads them by itself."""
    return _shaping(entities, lambda _request: None)


def _shaping(entities: EntitySet, read: Callable[[Request], R]) -> Callable[..., R]:
    say = _Options(entities)

    def reading(
        request: Request,
        select: Annotated[str | None, say.select()] = None,
        expand: Annotated[str | None, say.expand()] = None,
    ) -> R:
        return read(request)

    return reading


class _Options:
    """What the OpenAPI document says of each option: precise enough to make up requests that are understood."""

    def __init__(self, entities: EntitySet) -> None:
        self._entities = entities

    def filter(self) -> Any:
        names = sorted(self._entities.fields)
        return _option(
            "$filter",
            f"OData condition over {', '.join(names)}.",
            type="string",
            examples=[example for name in names if (example := _condition(name, self._entities.fields[name]))],
        )

    def search(self) -> Any:
        names = self._entities.searchable
        said = f'Like `"{names[0]}:ana"`; looks through {", ".join(names)}.' if names else "Not supported here."
        return _option("$search", said, type="string", examples=[f'"{name}:a"' for name in names])

    def orderby(self) -> Any:
        fields = self._entities.fields
        names = sorted(name for name, one in fields.items() if isinstance(one, Field) and one.sortable)
        return _option("$orderby", "Like `displayName desc`.", type="string", **_listed(names, "( asc| desc)?"))

    def select(self) -> Any:
        names = sorted(self._entities.selected_names.values())
        return _option("$select", "Properties to answer with.", type="string", **_listed(names))

    def expand(self) -> Any:
        names = sorted(self._entities.expandable)
        return _option("$expand", ", ".join(names) or "Nothing here.", type="string", examples=names)

    def count(self) -> Any:
        return _option("$count", "`true` adds `@odata.count`.", type="boolean")

    def number(self, name: str, meaning: str, least: int, most: int, absent: int | None = None) -> Any:
        said = f"{meaning}, at most {most}" + ("." if absent is None else f"; {absent} if absent.")
        return _option(name, said, type="integer", minimum=least, maximum=most)


def _option(name: str, description: str, **schema: Any) -> Any:
    # Read from the request as a whole, so that an unknown option is refused; the parameter is there to be documented.
    return Query(alias=name, description=description, json_schema_extra=lambda made: _instead(made, schema))


def _instead(made: dict[str, Any], schema: Mapping[str, Any]) -> None:
    made.pop("anyOf", None)
    made.update({name: value for name, value in schema.items() if value != []})


def _listed(names: Sequence[str], behind: str = "") -> dict[str, Any]:
    one = f"({'|'.join(map(re.escape, names))}){behind}"
    return {"pattern": f"^{one}(,{one}){{0,3}}$"} if names else {}


def _condition(name: str, field: Field | Many) -> str | None:
    if isinstance(field, Many):
        return f"{name}/$count eq 0"
    if isinstance(field.kind, Enumeration):
        return f"{name} {'has' if field.kind.flags else 'eq'} '{field.kind.values[0]}'"
    literal = {
        Kind.STRING: "'a'",
        Kind.GUID: "'00000000-0000-0000-0000-000000000000'",
        Kind.BOOLEAN: "true",
        Kind.INTEGER: "1",
        Kind.NUMBER: "1",
        Kind.DATETIME: "2026-01-01T00:00:00Z",
        Kind.DATE_TEXT: "2026-01-01T00:00:00Z",
    }[field.kind]
    return f"{name} eq {literal}"


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
    `$count=true` and, as documented answers show it there, for `$search`, on the first page. `render` makes a Graph
    body (camelCase) of a document. `base_url`: where the public API is found, if not where this request came to.
    """
    documents = await find(query)
    page, more = documents[: query.top], len(documents) > query.top
    body: dict[str, Any] = {"@odata.context": context_url(request, context, query.select, base_url)}
    if (query.count or query.searched) and query.first_page and total is not None:
        body["@odata.count"] = await total(query)
    if more:
        body["@odata.nextLink"] = _next_link(request, "$skiptoken", query.token_after(page[-1]), base_url)
    body["value"] = [query.selected(render(document)) for document in page]
    return body


async def answer_made(
    request: Request,
    query: ListQuery,
    made: Sequence[Document],
    database: Database,
    *,
    render: Callable[[Document], Mapping[str, Any]],
    context: str,
    read: Callable[[Sequence[Document]], Awaitable[Sequence[Document]]] | None = None,
) -> dict[str, Any]:
    """One page of a short list that is made and not kept: `made` is what it is asked by, which MongoDB reads as it does
    what is stored. `read`: adds to those of the page what `render` needs besides."""

    async def find(query: ListQuery) -> Sequence[Document]:
        found = await database.among(made, query.mongo_filter(), sort=query.sort, skip=query.skip, limit=query.limit)
        return await read(found) if read else found

    async def total(query: ListQuery) -> int:
        return len(await database.among(made, query.total_filter()))

    return await answer_list(request, query, find=find, render=render, context=context, total=total)


def slice_of(request: Request, query: ListQuery, whole: Sequence[R]) -> tuple[Sequence[R], dict[str, Any]]:
    """The page of a list that is there as a whole, and what the answer says of it: `@odata.count` if asked for,
    `@odata.nextLink` if there are more. For lists that are made for one caller and short."""
    end = query.skip + query.top
    about: dict[str, Any] = {"@odata.count": len(whole)} if query.count else {}
    if end < len(whole):
        about["@odata.nextLink"] = _next_link(request, "$skip", str(end), None)
    return whole[query.skip : end], about


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


def _next_link(request: Request, option: str, value: str, base_url: str | None) -> str:
    kept = [
        (key, value)
        for key, value in request.query_params.multi_items()
        if key.removeprefix("$").lower() not in {"skip", "skiptoken"}
    ]
    # `$` and quotes stay readable, as in Graph's own links.
    options = urlencode([*kept, (option, value)], safe="$'(),:/", quote_via=quote)
    return f"{_base(request, base_url)}{quote(request.scope['path'], safe=IN_PATH)}?{options}"
