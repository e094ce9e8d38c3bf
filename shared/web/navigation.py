"""From the path as it was asked to the route that is declared, and what a path's end means that no route declares.

- any spelling that `paths` knows becomes the declared one
- `/me/…` is `/users/{id}/…` of the person who is signed in
- behind every list, `/$count` is its length (`$filter` and `$search` count) and `/$ref` its items' addresses; behind a
  single object, `/$ref` is its address
- behind every object, a relation's name is what `$expand` of it shows, and behind every list, an id is its item; so on
  along relations (`ways`)
- behind every list of directory objects, a type's name (`microsoft.graph.device`) means those of that type; behind one
  object, the object if it is of that type
- behind every object, a property's name is its value, and so on into values of several parts; `/$value` behind that is
  the value alone

The last four are answered from what the route of the list or the object answers, so routes need not know. A route that
is declared comes first. A verb that a path lacks is a 405 that allows all it has.
Source: OData 4.01 part 2, 4.3 to 4.9; reference/graph-api-operations.md 1.2, 1.5.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.web.caller import caller_of
from shared.web.errors import BadRequest, GraphError, UnsupportedQuery, method_not_allowed, no_such_path
from shared.web.held import Answer, ask
from shared.web.odata import EntitySet, read_query
from shared.web.odata.options import OPTIONS
from shared.web.paging import context_url, slice_of
from shared.web.paths import IN_PATH, Known, Paths, keyed, segments_of
from shared.web.ways import CONTEXT, MOST_STEPS, Nowhere, Way, is_key, length_of, shown, way_of

_ME = re.compile(r"/v1\.0/me(?=/|$)", re.IGNORECASE)
_OPTIONS = OPTIONS | {"deltatoken"}
_OF_LISTS = {"$filter", "$orderby", "$search", "$skiptoken"}
"""What no list takes that is shown expanded."""
_NAME = re.compile(r"[A-Za-z]\w{0,127}")
_SHORTENED = re.compile(r"/v1\.0/(users|groups)\b")
"""Where `$expand` shows the first of a list alone (`relations`), which would pass for all. Lists have routes there."""
_OF_DIRECTORY = frozenset({"user", "group", "servicePrincipal", "application", "device", "orgContact", "directoryRole"})
_CAST = re.compile(
    rf"(?:microsoft\.)?graph\.({'|'.join(sorted({*_OF_DIRECTORY, 'administrativeUnit', 'endpoint'}))})", re.IGNORECASE
)
_MOST_BEHIND = 24
"""Segments of a path behind which a property is looked for."""
_MOST_CAST = 999
"""Objects of all types that are looked through. A longer list answers casts by routes of its own."""

_OBJECTS = EntitySet("directoryObject", {})

Body = dict[str, Any]
Ends = Response | Answer | None
"""An answer to give, or None: the end means nothing here."""


class Navigating:
    """The ASGI application that finds the route's path."""

    def __init__(self, app: ASGIApp, *, paths: Paths) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _check_options(scope)
        known = self._find(scope)
        if known is not None:
            _go(scope, known.path)
        if known is not None and scope["method"] in known.methods:
            await self._app(scope, receive, send)
        elif scope["method"] == "GET" and (answer := await self._end(scope, declared=known is not None)) is not None:
            await answer(scope, receive, send)
        elif allowed := (known.methods if known else frozenset()) | self._methods_of_end(scope):
            raise method_not_allowed(Allow=", ".join(sorted(allowed)))
        else:
            raise no_such_path(scope["path"])

    def _find(self, scope: Scope) -> Known | None:
        path = scope["path"]
        known = self._paths.table.find(path)
        if known is not None or not (me := _ME.match(path)):
            return known
        person = caller_of(Request(scope)).person_id
        if person is None:
            raise BadRequest("/me request is only valid with delegated authentication flow.", target="me")
        _go(scope, f"/v1.0/users/{person}{path[me.end() :]}")
        return self._paths.table.find(scope["path"])

    async def _end(self, scope: Scope, *, declared: bool) -> Ends:
        whole, name, last = _taken_apart(scope["path"])
        if declared and not last and not is_key(name):  # an action is no property; an item may be only deleted
            return None
        known = self._readable(whole)
        if not last and (cast := _CAST.fullmatch(name)) and not _ends_in_type(whole):
            listed = await self._of_type(scope, known.path, cast[1]) if known else None
            return listed or await self._as_type(scope, whole, cast[1])
        match last:
            case "$count":
                return await self._length(scope, whole, known)
            case "$ref":
                return await self._references(scope, known.path) if known else None
            case "" if (found := await self._related(scope, scope["path"])) is not None:
                return found
        return await self._property(scope, known.path if known else None, whole, name, alone=last == "$value")

    async def _length(self, scope: Scope, whole: str, known: Known | None) -> Ends:
        if known:
            return await self._count(scope, known.path)
        if not _ends_in_type(whole):
            return await self._related(scope, whole, counted=True)
        given = {**_options_of(scope), "$count": "true", "$top": "1"}
        found = await self._here(scope, whole, urlencode(given).encode())
        return found if found is None or found.status != 200 else _total(orjson.loads(found.body))

    async def _here(self, scope: Scope, path: str, query: bytes) -> Answer | None:
        """What is answered at a path, declared or not; None if there is none."""
        inner = {**scope, "query_string": query}
        _go(inner, path)
        try:
            return await ask(self, inner)
        except GraphError:  # raised by this very layer
            return None

    async def _related(self, scope: Scope, path: str, *, counted: bool = False) -> Ends:
        if (way := self._way(path)) is None:
            return None
        given = _options_of(scope)
        at_home = given.keys() & _OF_LISTS and await self._at_home(scope, way, counted=counted)
        if at_home:
            return at_home
        expanded = await self._expanded(scope, way, given, counted=counted)
        return await self._at_home(scope, way, counted=counted) if expanded is None else expanded

    async def _at_home(self, scope: Scope, way: Way, *, counted: bool) -> Answer | None:
        """What is answered there; None if nothing on the way has a path of its own here."""
        for whole, home, behind in way.homes():
            if not self._readable(f"{home}/x"):
                continue
            found = await self._here(scope, whole, b"$select=id")
            if found is None or found.status != 200:
                return None
            end = (*behind, "$count") if counted else behind
            return await self._here(
                scope, "/".join((home, orjson.loads(found.body)["id"], *end)), scope["query_string"]
            )
        return None

    async def _expanded(self, scope: Scope, way: Way, given: dict[str, str], *, counted: bool) -> Ends:
        """What expanding shows; None if it shows no such thing."""
        inner: dict[str, str] = {name: given.pop(name) for name in way.shaped_by if name in given}
        found = await self._asked(scope, way.path, way.options(inner).items())
        if way.key and isinstance(found, Answer) and any(_refuses(found, name) for name in ("$filter", "id")):
            # A short list that is not filtered.
            whole = {**way.options(inner), "$filter": "", "$top": str(_MOST_CAST)}
            asked = await self._asked(scope, way.path, ((name, text) for name, text in whole.items() if text))
            found = asked if isinstance(asked, dict) and "@odata.nextLink" not in asked else found
        if isinstance(found, Answer):
            unknown = (*way.names, "id", *(("$filter",) if way.key else ()), *(() if inner else ("$expand",)))
            return None if any(_refuses(found, name) for name in unknown) else found
        try:
            value, context = way.follow(found or {})
        except Nowhere:
            return None
        if counted:
            return length_of(value, given)
        return shown(Request(scope), value, context, given, inner.get("$select"))

    def _way(self, path: str) -> Way | None:
        """From the longest path before it that is declared."""
        segments = [part for segment in segments_of(path) for part in (keyed(segment) or (segment,))]
        for end in range(len(segments) - 1, max(0, len(segments) - 1 - MOST_STEPS), -1):
            if known := self._readable("/" + "/".join(segments[:end])):
                way = way_of(known.path, segments[end:])
                return None if way and way.names and _SHORTENED.match(known.path) else way
        return None

    def _methods_of_end(self, scope: Scope) -> frozenset[str]:
        whole, _, last = _taken_apart(scope["path"])
        # GET has been tried, and what is behind a path that answers it has no other verb.
        return frozenset({"GET"} if scope["method"] != "GET" and last and self._readable(whole) else ())

    def _readable(self, path: str) -> Known | None:
        known = self._paths.table.find(path)
        return known if known and "GET" in known.methods and known.path.startswith("/v1.0/") else None

    async def _count(self, scope: Scope, path: str) -> Ends:
        found = await self._get(scope, path, {"$count": "true", "$top": "1"})
        if not isinstance(found, dict):
            # One object has no pages, and says so.
            return None if found is not None and _refuses(found, "$top") else found
        return _total(found)

    async def _of_type(self, scope: Scope, path: str, kind: str) -> Ends:
        given = _options_of(scope)
        taken = {name: given.pop(name) for name in ("$top", "$skip", "$count") if name in given}
        found = await self._asked(scope, path, {**given, "$top": str(_MOST_CAST)}.items())
        if not isinstance(found, dict):
            # One object is of the type that it is of.
            return None if found is not None and _refuses(found, "$top") else found
        items = found.get("value")
        if not isinstance(items, list) or "@odata.nextLink" in found or any("@odata.type" not in one for one in items):
            return None
        wanted = f"#microsoft.graph.{kind}".lower()
        cast = [one for one in items if one["@odata.type"].lower() == wanted]
        page, about = slice_of(Request(scope), read_query(_OBJECTS, taken.items()), cast)
        context = context_url(Request(scope), f"{kind[:1].lower()}{kind[1:]}s")
        return JSONResponse({"@odata.context": context, **about, "value": page})

    async def _as_type(self, scope: Scope, path: str, kind: str) -> Ends:
        """The one object there; None if it is of another type, or if there are several."""
        found = await self._here(scope, path, scope["query_string"])
        if found is None or found.status != 200:
            return found
        body: Body = orjson.loads(found.body)
        context = re.search(r"#(\w+?)s\b", body.get("@odata.context", ""))
        said = body.get("@odata.type") or f"#microsoft.graph.{context[1] if context else ''}"
        return found if said.lower() == f"#microsoft.graph.{kind}".lower() and "value" not in body else None

    async def _references(self, scope: Scope, path: str) -> Ends:
        found = await self._get(scope, path, {"$select": "id"})
        if not isinstance(found, dict):
            return found
        place = f"{_base(scope)}{quote(path, safe=IN_PATH)}"
        context = f"{_base(scope)}/v1.0/$metadata#"
        if not isinstance(items := found.get("value"), list):
            said = _address(scope, found) or place
            return JSONResponse({"@odata.context": f"{context}$ref", "@odata.id": said})
        body: Body = {"@odata.context": f"{context}Collection($ref)"}
        if "@odata.count" in found:
            body["@odata.count"] = found["@odata.count"]
        if "@odata.nextLink" in found:
            body["@odata.nextLink"] = found["@odata.nextLink"].replace("?", "/$ref?", 1)
        addresses = [_address(scope, one) or f"{place}/{quote(str(one.get('id')), safe=IN_PATH)}" for one in items]
        body["value"] = [{"@odata.id": address} for address in addresses]
        return JSONResponse(body)

    async def _property(self, scope: Scope, path: str | None, whole: str, name: str, *, alone: bool) -> Ends:
        if not _NAME.fullmatch(name):
            return None
        if path is None:
            return await self._property_behind(scope, whole, name, alone=alone)
        found = await self._get(scope, path, {"$select": name})
        if isinstance(found, Answer):
            # A 400 that names it: the object has no such property.
            return None if _refuses(found, name[:64]) else found
        id = path.rpartition("/")[2].replace("'", "''")
        return _shown_of(scope, found, name, f"('{id}')", alone=alone) if found is not None else None

    async def _property_behind(self, scope: Scope, whole: str, name: str, *, alone: bool) -> Ends:
        """Of what has no path of its own: of a relation, or of the value of a property."""
        if len(segments_of(whole)) > _MOST_BEHIND or scope["query_string"]:
            return None
        found = await self._here(scope, whole, b"")
        if found is None or found.status != 200:
            return found if found is not None and found.status != 204 else None
        return _shown_of(scope, orjson.loads(found.body), name, "", alone=alone)

    async def _get(self, scope: Scope, path: str, options: Mapping[str, str]) -> Body | Answer | None:
        """The body that GET of the path answers, with `options` in place of the request's own; the answer itself if it
        is no success; None if it answers something else."""
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = [(key, value) for key, value in given if f"${key.removeprefix('$').lower()}" not in options]
        return await self._asked(scope, path, [*query, *options.items()])

    async def _asked(self, scope: Scope, path: str, query: Iterable[tuple[str, str]]) -> Body | Answer | None:
        """The same with this query alone."""
        inner = {**scope, "query_string": urlencode(list(query)).encode()}
        _go(inner, path)
        found = await ask(self._app, inner)
        if found.status != 200:
            return found
        try:
            said = orjson.loads(found.body)
        except orjson.JSONDecodeError:
            return None
        return said if isinstance(said, dict) else None


def _check_options(scope: Scope) -> None:
    """Raises UnsupportedQuery for an option that no path has: what a route does not read would be ignored else."""
    if scope["method"] != "GET" or not scope["query_string"] or not scope["path"].lower().startswith("/v1.0/"):
        return
    for key, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if key.startswith("$") and key[1:].lower() not in _OPTIONS:
            raise UnsupportedQuery(f"The query option '{key[:64]}' is not supported.", target=key[:64])


def _options_of(scope: Scope) -> dict[str, str]:
    """The request's own, by name. Raises UnsupportedQuery for one that stands twice."""
    given: dict[str, str] = {}
    for key, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        name = f"${key.removeprefix('$').lower()}"
        if name == "$consistencylevel":
            continue
        if name in given:
            raise UnsupportedQuery(f"The query option '{key[:64]}' stands twice.", target=key[:64])
        given[name] = value
    return given


def _taken_apart(path: str) -> tuple[str, str, str]:
    """Path of the whole, a property's name if there is one, and `$count`, `$ref` or `$value` if that stands last."""
    before, _, last = path.rstrip("/").rpartition("/")
    match last.lower():
        case "$count" | "$ref" as end:
            return before, "", end
        case "$value":
            whole, _, name = before.rpartition("/")
            return whole, name, "$value"
    return before, last, ""


def _ends_in_type(path: str) -> bool:
    return _CAST.fullmatch(path.rpartition("/")[2]) is not None


def _shown_of(scope: Scope, body: Body, name: str, key: str, *, alone: bool) -> Response | None:
    """A property of an object, or of a value of several parts; None if it has none of that name. `key`: the object's
    own, where its context is that of a list."""
    spelt = next((one for one in body if one.lower() == name.lower() and "@" not in one), None)
    if spelt is None or isinstance(body.get("value"), list):
        return None
    value = body[spelt]
    if alone:
        return _value(value, spelt)
    if value is None:
        return Response(status_code=204)
    of = CONTEXT.search(body.get("@odata.context", ""))
    shown = {"@odata.context": f"{_base(scope)}/v1.0/$metadata#{of[1] if of else ''}{key}/{spelt}"}
    return JSONResponse({**shown, **(value if isinstance(value, dict) else {"value": value})})


def _value(value: Any, name: str) -> Response:
    if isinstance(value, dict | list):
        raise BadRequest(f"'{name}' is no single value, so it has no $value.", target="$value")
    if value is None:
        return Response(status_code=204)
    return Response(value if isinstance(value, str) else orjson.dumps(value), media_type="text/plain")


def _go(scope: Scope, path: str) -> None:
    if scope["path"] != path:
        scope["path"] = path
        scope["raw_path"] = quote(path, safe=IN_PATH).encode()


def _total(found: Body) -> Response | None:
    total = found.get("@odata.count")
    return None if total is None else Response(str(total), media_type="text/plain")


def _base(scope: Scope) -> str:
    return str(Request(scope).base_url).rstrip("/")


def _address(scope: Scope, item: Body) -> str | None:
    """Where a directory object is found, wherever it was met; None for everything else."""
    kind = str(item.get("@odata.type", "")).removeprefix("#microsoft.graph.")
    return f"{_base(scope)}/v1.0/directoryObjects/{item.get('id')}" if kind in _OF_DIRECTORY else None


def _refuses(answer: Answer, name: str) -> bool:
    if answer.status != 400:
        return False
    error: Body = orjson.loads(answer.body)["error"]
    return error.get("target") == name
