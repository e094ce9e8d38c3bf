"""The query options of a request, read against what its list allows. What is unknown is a 400 that names it."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from shared.clock import zoned
from shared.web.errors import ExpiredPageToken, UnsupportedQuery
from shared.web.odata.fields import EntitySet, Field, find
from shared.web.odata.inside import WHOLE, Part, names_in
from shared.web.odata.mongo import MongoFilter, both, mongo_filter
from shared.web.odata.parse import parse_filter
from shared.web.odata.related import related
from shared.web.odata.search import search_filter

OPTIONS = frozenset({"filter", "select", "orderby", "top", "skip", "skiptoken", "count", "search", "expand"})
MAX_SKIP = 100_000
MAX_ORDER = 4

Sort = list[tuple[str, int]]


class AsAsked(list[Any]):
    """A list that was read with all that stands inside its `$expand`: what is asked for, as it is asked for."""


@dataclass(frozen=True)
class Expand:
    """`name($select=a,b;$expand=c)`: `select` None is the default set.

    `levels`: how often the same relation is followed on, None without end. `part`: which of a list are asked for, in
    which order. `options`: all that stands inside, as text, for a route that is asked for the list.
    """

    name: str
    select: frozenset[str] | None = None
    expand: "tuple[Expand, ...]" = ()
    levels: int | None = 1
    part: Part = WHOLE
    options: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def shown_in(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """What a body holds of the relation, and says of it, as it is answered."""
        value, about = body[self.name], {}
        if isinstance(value, AsAsked):
            return {self.name: list(value)}
        if self.part is not WHOLE:
            if isinstance(value, Mapping):
                text = f"'{self.name}' is one object: it takes $select and $expand alone."
                raise UnsupportedQuery(text, target="$expand")
            value, total = self.part.of(value or ())
            about = {f"{self.name}@odata.count": total} if self.part.count else {}
        return {**about, self.name: self.selected(value)}

    def selected(self, value: Any) -> Any:
        """What the relation leads to (an object, a list of them, or None) with the properties that were asked for.

        Raises UnsupportedQuery (400) where it was made without a relation that was asked for inside it: an option that
        does nothing would pass for an answer."""
        if isinstance(value, list | tuple):
            return [self.selected(one) for one in value]
        if not isinstance(value, Mapping):
            return value
        for one in self.expand:
            if one.name not in value:
                text = f"'{one.name}' is not expanded inside $expand={self.name} here: read it by itself."
                raise UnsupportedQuery(text, target="$expand")
        # Along levels each object carries the next one.
        deeper = (*self.expand, self) if self.levels != 1 else self.expand
        return _selected(value, self.select, deeper)


@dataclass(frozen=True)
class Shape:
    """What a caller wants to see of an object."""

    entities: EntitySet
    select: frozenset[str] | None
    expand: tuple[Expand, ...]

    def selected(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """`item` with the properties that were asked for, down into what was expanded. Annotations stay."""
        return _selected(item, self.entities.default if self.select is None else self.select, self.expand)


def _selected(item: Mapping[str, Any], select: frozenset[str] | None, expand: tuple[Expand, ...]) -> dict[str, Any]:
    expanded = {one.name: one for one in expand}
    shown: dict[str, Any] = {}
    for name, value in item.items():
        if name in expanded:
            shown |= expanded[name].shown_in(item)
        elif select is None or name in select or "@" in name:
            shown[name] = value
    return shown


@dataclass(frozen=True)
class ListQuery(Shape):
    """What a caller asks of a list, in the store's terms.

    A store runs `find(query.mongo_filter(scope), sort=query.sort, skip=query.skip, limit=query.limit)`: `limit` is one
    more than the page, which tells whether there is a next one. `total_filter` counts all pages.
    """

    where: MongoFilter
    after: MongoFilter
    sort: Sort
    top: int
    skip: int
    count: bool
    fingerprint: str
    options: tuple[tuple[str, str], ...]

    @property
    def limit(self) -> int:
        return self.top + 1

    @property
    def searched(self) -> bool:
        return any(name == "$search" for name, _ in self.options)

    @property
    def first_page(self) -> bool:
        return not self.after

    def mongo_filter(self, scope: Mapping[str, Any] | None = None) -> MongoFilter:
        """What this page is looked up by, inside `scope`: what the caller may see at all, or the parent's list."""
        return both(scope or {}, self.where, self.after)

    def total_filter(self, scope: Mapping[str, Any] | None = None) -> MongoFilter:
        """The same without regard to pages, for `@odata.count`."""
        return both(scope or {}, self.where)

    def place_of(self, document: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values that it is sorted by, one for each of `sort`."""
        return tuple(_at(document, path) for path, _ in self.sort)

    def beyond(self, token: str) -> "ListQuery":
        """The same from where a `$skiptoken` of it says. Raises ExpiredPageToken."""
        return replace(self, after=_after(token, self.sort, self.fingerprint), skip=0)

    def token_after(self, document: Mapping[str, Any]) -> str:
        """The `$skiptoken` of the page that begins behind `document`, which a store returned."""
        values = [_encoded(one) for one in self.place_of(document)]
        return base64.urlsafe_b64encode(orjson.dumps([self.fingerprint, *values])).decode().rstrip("=")


def read_query(
    entities: EntitySet, options: Iterable[tuple[str, str]], *, also: frozenset[str] = frozenset()
) -> ListQuery:
    """Read the options of a request; `also` names parameters that the route takes itself.

    `$` may be missing and case does not matter. Raises UnsupportedQuery or ExpiredPageToken (400).
    """
    given = _given(options, also)
    where = both(
        mongo_filter(parse_filter(text), entities) if (text := given.get("filter", "").strip()) else {},
        search_filter(given["search"], entities) if "search" in given else {},
    )
    sort = _order(given.get("orderby", entities.order), entities)
    fingerprint = hashlib.sha256(
        orjson.dumps([entities.type_name, *(given.get(name, "") for name in ("filter", "search", "orderby"))])
    ).hexdigest()[:16]
    after: MongoFilter = {}
    if token := given.get("skiptoken"):
        if "skip" in given:
            raise UnsupportedQuery("$skip and $skiptoken do not go together.", target="$skiptoken")
        after = _after(token, sort, fingerprint)
    return ListQuery(
        entities=entities,
        where=where,
        after=after,
        sort=sort,
        top=_number(given, "top", default=entities.default_top, least=1, most=entities.max_top),
        skip=_number(given, "skip", default=0, least=0, most=MAX_SKIP),
        count=_boolean(given, "count"),
        select=_select(given["select"], entities) if "select" in given else None,
        expand=_expand(given["expand"], entities) if "expand" in given else (),
        fingerprint=fingerprint,
        options=tuple((f"${name}", value) for name, value in given.items()),
    )


def read_shape(entities: EntitySet, options: Iterable[tuple[str, str]], *, also: frozenset[str] = frozenset()) -> Shape:
    """Read the options of a request for one object: `$select` and `$expand`. `$count` means nothing there and is let
    pass, for documented requests carry it. Raises UnsupportedQuery (400)."""
    given = _given(options, also)
    for name in given.keys() - {"select", "expand", "count"}:
        raise UnsupportedQuery(f"The query option '${name}' is for lists, and this is one object.", target=f"${name}")
    return Shape(
        entities,
        _select(given["select"], entities) if "select" in given else None,
        _expand(given["expand"], entities) if "expand" in given else (),
    )


def _given(options: Iterable[tuple[str, str]], also: frozenset[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for key, value in options:
        if key in also or key.lower() == "consistencylevel":  # a header that may be sent so; nothing lags here
            continue
        name = key.removeprefix("$").lower()
        if name not in OPTIONS:
            raise UnsupportedQuery(f"The query option '{key[:64]}' is not supported.", target=key[:64])
        if name in given:
            raise UnsupportedQuery(f"The query option '{key[:64]}' stands twice.", target=key[:64])
        given[name] = value
    return given


def _number(given: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    if name not in given:
        return default
    text = given[name].strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise UnsupportedQuery(f"${name} is a whole number from {least} to {most}.", target=f"${name}")
    return int(text)


def _boolean(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "false").strip().lower()
    if text not in {"true", "false"}:
        raise UnsupportedQuery(f"${name} is true or false.", target=f"${name}")
    return text == "true"


def _clauses(text: str) -> list[tuple[str, int]]:
    """Properties of a `$orderby`, 1 or -1 each."""
    found: list[tuple[str, int]] = []
    clauses = [clause.split() for clause in text.split(",") if text.strip()]
    if len(clauses) > MAX_ORDER:
        raise UnsupportedQuery(f"$orderby takes at most {MAX_ORDER} properties.", target="$orderby")
    for clause in clauses:
        direction = clause[1].lower() if len(clause) == 2 else "asc"
        if not 1 <= len(clause) <= 2 or direction not in {"asc", "desc"}:
            raise UnsupportedQuery(f"$orderby is not understood: '{' '.join(clause)[:64]}'.", target="$orderby")
        found.append((clause[0], -1 if direction == "desc" else 1))
    return found


def _order(text: str, entities: EntitySet) -> Sort:
    sort: Sort = []
    for name, direction in _clauses(text):
        found = find(entities.fields, name)
        if found is None:
            raise _unknown(name, entities)
        if not isinstance(found, Field) or not (found.sortable or found.path == entities.id_path):
            raise UnsupportedQuery(f"Lists cannot be ordered by '{name[:64]}'.", target=name[:64])
        place = found.folded or found.path
        if place not in dict(sort):
            sort.append((place, direction))
    # Without the id, two with the same name could both fall between two pages.
    return sort if entities.id_path in dict(sort) else [*sort, (entities.id_path, 1)]


def _select(text: str, entities: EntitySet | None) -> frozenset[str] | None:
    names = [name.strip() for name in text.split(",")]
    if names == ["*"]:
        return None
    if entities is None:
        return frozenset(names)
    chosen = set()
    for name in names:
        whole = name.split("/")[0]
        known = entities.selected_names.get(whole.lower())
        if known is None and entities.also is not None and entities.also(whole):
            known = whole
        if known is None:
            raise _unknown(name, entities)
        chosen.add(known)
    return frozenset(chosen)


_RELATION = re.compile(r"(?P<name>\w+)(?:\((?P<options>.*)\))?", re.DOTALL)
_MAX_DEPTH = 4
_MAX_RELATIONS = 20
_MAX_LEVELS = 1000


def _expand(text: str, entities: EntitySet | None, depth: int = 1) -> tuple[Expand, ...]:
    if depth > _MAX_DEPTH or len(text) > 2048:
        raise UnsupportedQuery(f"$expand is nested deeper than {_MAX_DEPTH} or too long.", target="$expand")
    found: dict[str, Expand] = {}
    parts = _split(text, ",")
    if "*" in (part.strip() for part in parts):
        parts = _all_relations(parts, entities)
    for part in parts:
        match = _RELATION.fullmatch(part.strip())
        if not match:
            raise UnsupportedQuery(f"$expand is not understood: '{part.strip()[:64]}'.", target="$expand")
        name, target = _target(match["name"], entities)
        if name in found:
            raise UnsupportedQuery(f"$expand names '{name}' twice.", target="$expand")
        found[name] = _relation(name, match["options"] or "", entities, target, depth)
    if len(found) > _MAX_RELATIONS:
        raise UnsupportedQuery(f"$expand takes at most {_MAX_RELATIONS} relations.", target="$expand")
    return tuple(found.values())


def _all_relations(parts: Sequence[str], entities: EntitySet | None) -> list[str]:
    """What `*` stands for, beside those that are named. Raises UnsupportedQuery where it stands for too much."""
    if entities is None or entities.one_at_a_time:
        raise UnsupportedQuery("$expand=* is not supported here: name the relations.", target="$expand")
    named = [part for part in parts if part.strip() != "*"]
    known = {part.strip().partition("(")[0].lower() for part in named}
    return [*named, *sorted(name for name in entities.expandable if name.lower() not in known)]


def _target(name: str, entities: EntitySet | None) -> tuple[str, EntitySet | None]:
    if entities is None:
        return name, None
    if (known := entities.target_of(name)) is None:
        raise _unknown(name, entities, "a relation that can be expanded")
    relation, target = known
    return relation, target or related(entities.type_name, relation)


_OF_A_LIST = frozenset({"$filter", "$orderby", "$top", "$skip", "$count"})


def _relation(name: str, options: str, entities: EntitySet | None, target: EntitySet | None, depth: int) -> Expand:
    given: dict[str, str] = {}
    takes = {"$select", "$expand"}
    takes |= {"$levels"} if entities and name in entities.levelled else set()
    takes |= _OF_A_LIST if target and entities and not entities.one_at_a_time else set()
    for option in _split(options, ";") if options.strip() else ():
        key, _, value = option.strip().partition("=")
        key = f"${key.strip().removeprefix('$').lower()}"
        if key not in takes:
            raise UnsupportedQuery(f"'{key[:64]}' is not supported inside $expand={name}.", target=key[:64])
        if key in given:
            raise UnsupportedQuery(f"'{key}' stands twice inside $expand={name}.", target=key)
        given[key] = value.strip()
    expand = _expand(given["$expand"], target, depth + 1) if "$expand" in given else ()
    return Expand(
        name,
        _select(given["$select"], target) if "$select" in given else None,
        expand,
        _levels(given.get("$levels", "1")),
        _part(given, target, expand) if target and given.keys() & _OF_A_LIST else WHOLE,
        tuple(given.items()),
    )


def _part(given: Mapping[str, str], target: EntitySet, expand: Sequence[Expand]) -> Part:
    """The list options that stand inside an expand. Raises UnsupportedQuery for what its list does not show."""
    where = parse_filter(text) if (text := given.get("$filter", "").strip()) else None
    order = tuple((tuple(place.split("/")), direction) for place, direction in _clauses(given.get("$orderby", "")))
    shown = {one.name.lower() for one in expand}
    relations = {name.lower() for name in target.expandable}
    for name in (*sorted(names_in(where) if where else ()), *(path[0] for path, _ in order)):
        if name.lower() not in target.selected_names:
            raise _unknown(name, target)
        if name.lower() in relations - shown:
            raise UnsupportedQuery(f"'{name}' is asked for inside $expand only where it is expanded.", target=name)
    plain = {name.removeprefix("$"): value for name, value in given.items()}
    return Part(
        where,
        order,
        _number(plain, "skip", default=0, least=0, most=MAX_SKIP),
        _number(plain, "top", default=0, least=1, most=target.max_top) or None,
        _boolean(plain, "count"),
    )


def _levels(text: str) -> int | None:
    if text.lower() == "max":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= _MAX_LEVELS):
        raise UnsupportedQuery(f"$levels is max or a whole number from 1 to {_MAX_LEVELS}.", target="$levels")
    return int(text)


def _unknown(name: str, entities: EntitySet, what: str = "a property") -> UnsupportedQuery:
    return UnsupportedQuery(
        f"Could not find {what} named '{name[:64]}' on type 'microsoft.graph.{entities.type_name}'.", target=name[:64]
    )


def _split(text: str, at: str) -> list[str]:
    """At the signs that stand outside parentheses and quotes."""
    parts, depth, start, quoted = [], 0, 0, False
    for index, char in enumerate(text):
        quoted ^= char == "'"
        if quoted:
            continue
        depth += (char == "(") - (char == ")")
        if char == at and not depth:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _at(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _encoded(value: Any) -> Any:
    match value:
        case datetime():
            return {"d": zoned(value).isoformat()}
        case None | bool() | int() | float() | str():
            return value
    raise TypeError(f"A list cannot be ordered by a {type(value).__name__}.")


def _decoded(value: Any) -> Any:
    match value:
        case {"d": str(text)}:
            return datetime.fromisoformat(text)
        case int() if not -(2**63) <= value < 2**63:
            raise ValueError("not a BSON number")
        case None | bool() | int() | float() | str():
            return value
    raise ValueError("not a sort value")


def _after(token: str, sort: Sort, fingerprint: str) -> MongoFilter:
    """What sorts behind the document that the token was made of. The token brings values only, never places."""
    try:
        said, *values = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        known = [_decoded(value) for value in values]
    except (ValueError, TypeError, ArithmeticError):
        raise ExpiredPageToken("The page token is damaged.", target="$skiptoken") from None
    if said != fingerprint or len(known) != len(sort):
        raise ExpiredPageToken("The page token belongs to another query.", target="$skiptoken")
    alternatives: list[MongoFilter] = []
    same: list[MongoFilter] = []
    for (path, direction), value in zip(sort, known, strict=True):
        if (behind := _behind(path, direction, value)) is not None:
            alternatives.append({"$and": [*same, behind]})
        same.append({path: {"$eq": value}})
    return {"$or": alternatives} if alternatives else {"_id": {"$in": []}}


def _behind(path: str, direction: int, value: Any) -> MongoFilter | None:
    # MongoDB sorts null (and what is missing) first, and $gt and $lt never meet it.
    if direction > 0:
        return {path: {"$ne": None}} if value is None else {path: {"$gt": value}}
    return None if value is None else {"$or": [{path: {"$lt": value}}, {path: {"$eq": None}}]}


def sorted_places(entities: EntitySet) -> Sequence[str]:
    """Places that a list can be ordered by: each wants an index, together with the id."""
    return [one.folded or one.path for one in entities.fields.values() if isinstance(one, Field) and one.sortable]
