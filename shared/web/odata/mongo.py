"""AST of a `$filter` -> MongoDB filter, against the fields that a list makes public.

Only this module writes operators, and every value that came from outside stands under one of them: nothing is built
from text, and a property that is not listed is a 400 that names it.

Nothing (null, a missing property) equals null only, differs from every value, and is neither less nor greater than any;
a text function says neither yes nor no of it (see `normal`). Without a folded copy, strings are ordered as they are
spelt, upper case before lower, though they are equal in any case.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from shared.web.errors import UnsupportedQuery
from shared.web.odata.ast import (
    And,
    Compare,
    CompareOp,
    Count,
    Guid,
    Has,
    Lambda,
    Node,
    Not,
    OneOf,
    Or,
    Path,
    Text,
    Truth,
    Value,
)
from shared.web.odata.fields import EntitySet, Enumeration, Field, Fields, Kind, Many, Through, find
from shared.web.odata.normal import alternatives, normal

MongoFilter: TypeAlias = dict[str, Any]

# `$` alone also stands before a last line break.
_END = r"$(?!\n)"
NOTHING: MongoFilter = {"_id": {"$in": []}}
"""Finds no document."""
MAX_COUNT = 1000
_MOST_ALTERNATIVES = 64
_OPPOSITES: dict[str, CompareOp] = {"gt": "le", "ge": "lt", "lt": "ge", "le": "gt"}
_OPS = {"eq": "$eq", "ne": "$ne", "gt": "$gt", "ge": "$gte", "lt": "$lt", "le": "$lte"}


def mongo_filter(node: Node, entities: EntitySet) -> MongoFilter:
    """The MongoDB filter that finds what `node` means.

    Raises UnsupportedQuery for an unknown property, a value of another kind, or what plain values cannot be asked.
    """
    return _Reader(entities).read(normal(node), entities.fields)


@dataclass(frozen=True)
class Sought:
    """Stands in a filter for the ids that `where` finds in the collection of that name."""

    name: str
    where: MongoFilter


class _Reader:
    def __init__(self, entities: EntitySet) -> None:
        self._entities = entities

    def read(self, node: Node, fields: Fields) -> MongoFilter:
        match node:
            case And(nodes):
                return {"$and": [self.read(one, fields) for one in nodes]}
            case Or(nodes):
                return {"$or": [self.read(one, fields) for one in nodes]}
            case Not(inner):
                return self._opposite(inner, fields)
            case Lambda():
                return self._any(node, fields)
            case Count(path, op, number):
                return self._count(path, op, number, fields)
            case Truth():
                raise AssertionError("normal() leaves none")
            case Compare() | OneOf() | Text() | Has():
                return self._one(node, fields, wanted=True)

    def _opposite(self, node: Node, fields: Fields) -> MongoFilter:
        if isinstance(node, Compare | OneOf | Text | Has):
            return self._one(node, fields, wanted=False)
        return {"$nor": [self.read(node, fields)]}

    def _one(self, node: Compare | OneOf | Text | Has, fields: Fields, *, wanted: bool) -> MongoFilter:
        name = "/".join(node.path)
        beyond = fields is self._entities.fields and find(fields, name) is None
        if beyond and (way := self._entities.way_to(node.path)):
            return _through(node, *way, wanted=wanted)
        place, condition = _condition(node, self._plain(node.path, fields), name)
        return {place: condition if wanted else {"$not": condition}}

    def _any(self, node: Lambda, fields: Fields) -> MongoFilter:
        many = self._many(node.path, fields)
        if node.where is None:
            return {f"{many.path}.0": {"$exists": True}}
        inside = _without(node.where, node.variable)
        if many.fields is not None:
            return {many.path: {"$elemMatch": self.read(inside, many.fields)}}
        return _any_plain(inside, many, "/".join(node.path))

    def _count(self, path: Path, op: str, number: int, fields: Fields) -> MongoFilter:
        many = self._many(path, fields)
        if not 0 <= number <= MAX_COUNT:
            raise UnsupportedQuery(f"$count is compared with a number from 0 to {MAX_COUNT}.", target="$filter")
        more = op in {"gt", "ge"}
        least = number + (op in {"gt", "le"})
        if op in {"eq", "ne"}:
            if number:
                size = {"$size": number}
                return {many.path: size if op == "eq" else {"$not": size}}
            more, least = op == "ne", 1
        if not least:
            return {} if more else NOTHING
        return {f"{many.path}.{least - 1}": {"$exists": more}}  # places count from 0

    def _plain(self, path: Path, fields: Fields) -> Field:
        match find(fields, "/".join(path)):
            case Field() as found:
                return found
            case Many():
                raise UnsupportedQuery(
                    f"'{'/'.join(path)}' is a collection: ask it with any, all or $count.", target="/".join(path)
                )
            case None:
                raise self._unknown(path)

    def _many(self, path: Path, fields: Fields) -> Many:
        match find(fields, "/".join(path)):
            case Many() as found:
                return found
            case Field():
                raise UnsupportedQuery(f"'{'/'.join(path)}' is no collection.", target="/".join(path))
            case None:
                raise self._unknown(path)

    def _unknown(self, path: Path) -> UnsupportedQuery:
        name = "/".join(path)
        return UnsupportedQuery(
            f"Could not find a property named '{name}' on type 'microsoft.graph.{self._entities.type_name}'.",
            target=name,
        )


def _through(node: Compare | OneOf | Text | Has, through: Through, path: Path, *, wanted: bool) -> MongoFilter:
    # Everything but the few is never sought: what differs from a value is what does not lead to the same.
    if isinstance(node, Compare) and node.op == "ne":
        node, wanted = Compare(node.path, "eq", node.value), not wanted
    sought = Sought(through.name, mongo_filter(replace(node, path=path), through.to()))
    return {through.path: {"$in" if wanted else "$nin": sought}}


def _without(node: Node, variable: str) -> Node:
    """The condition of a lambda with its variable taken off each path. Raises UnsupportedQuery for paths without it."""

    def bare(path: Path) -> Path:
        if not path or path[0] != variable:
            raise UnsupportedQuery(
                f"Inside any and all, every property starts with '{variable}/': '{'/'.join(path)}' does not.",
                target="$filter",
            )
        return path[1:]

    stripped: Node
    match node:
        case And(nodes):
            stripped = And(tuple(_without(one, variable) for one in nodes))
        case Or(nodes):
            stripped = Or(tuple(_without(one, variable) for one in nodes))
        case Not(inner):
            stripped = Not(_without(inner, variable))
        case Compare(path, op, value):
            stripped = Compare(bare(path), op, value)
        case OneOf(path, values):
            stripped = OneOf(bare(path), values)
        case Text(op, path, text):
            stripped = Text(op, bare(path), text)
        case Truth(path):
            stripped = Truth(bare(path))
        case Has(path, text):
            stripped = Has(bare(path), text)
        case Count(path, op, number):
            stripped = Count(bare(path), op, number)
        case Lambda(path, quantifier, inner_variable, where):
            stripped = Lambda(bare(path), quantifier, inner_variable, where)
    return stripped


def _any_plain(node: Node, many: Many, name: str) -> MongoFilter:
    # MongoDB asks plain values by operators alone, without paths: `or` moves outside, and nothing is said by $not, so
    # that it is free to take the conditions whose operators are there already.
    sets = alternatives(_without_not(node), _MOST_ALTERNATIVES)
    if sets is None:
        raise UnsupportedQuery(f"'{name}': too many alternatives inside any.", target=name)
    found: list[MongoFilter] = []
    for conditions in sets:
        together: MongoFilter = {}
        for one in conditions:
            condition = _of_plain_values(one, many, name)
            if condition.keys() & together.keys():
                together = {"$not": {"$not": together}}
            together |= condition
        found.append({many.path: {"$elemMatch": together}})
    return found[0] if len(found) == 1 else {"$or": found}


def _without_not(node: Node) -> Node:
    match node:
        case And(nodes):
            return And(tuple(_without_not(one) for one in nodes))
        case Or(nodes):
            return Or(tuple(_without_not(one) for one in nodes))
        case Not(Compare(path, "gt" | "ge" | "lt" | "le" as op, value)):
            return Or((Compare(path, _OPPOSITES[op], value), Compare(path, "eq", None)))
    return node


def _of_plain_values(node: Node, many: Many, name: str) -> MongoFilter:
    inner = node.node if isinstance(node, Not) else node
    if not isinstance(inner, Compare | OneOf | Text) or inner.path:
        raise UnsupportedQuery(f"'{name}' holds plain values: this cannot be asked of them.", target=name)
    _, condition = _condition(inner, Field(many.path, many.kind), name)
    match condition:
        case {"$not": {"$regex": pattern}}:  # ne
            return {"$nin": [re.compile(pattern, re.IGNORECASE)]}
        case {"$regex": pattern} if node is not inner:
            return {"$nin": [re.compile(pattern, re.IGNORECASE)]}
        case {"$in": values} if node is not inner:
            return {"$nin": values}
    return condition


def _condition(node: Compare | OneOf | Text | Has, field: Field, name: str) -> tuple[str, MongoFilter]:
    """Where to look, and the operators to look with."""
    if isinstance(field.kind, Enumeration) and field.kind.flags:
        return field.path, _flags(node, field, name)
    match node:
        case Has():
            raise UnsupportedQuery(f"'{name}' is no set of flags, which 'has' is for.", target=name)
        case Compare(_, op, value):
            return _compared(field, op, value, name)
        case OneOf(_, values):
            stored = [_stored(field, value, name) for value in values]
            if field.kind is Kind.STRING:
                return _string_in(field, stored)
            if field.kind is Kind.DATE_TEXT:
                return field.path, {"$in": [one for v in stored for one in (_spellings(v) if v else (None,))]}
            # A finer time than BSON keeps is nobody's, and would be cut to one that is.
            fit = [v for v in stored if not (isinstance(v, datetime) and v.microsecond % 1000)]
            return field.path, {"$in": [one for v in fit for one in (v, *_besides(field, v))]}
        case Text(op, _, text):
            if (
                field.kind is not Kind.STRING
                and not isinstance(field.kind, Enumeration)
                and field.kind is not Kind.GUID
            ):
                raise UnsupportedQuery(f"{op} is for text, and '{name}' is none.", target=name)
            if isinstance(field.kind, Enumeration) and (field.kind.kept_as or field.kind.besides):
                raise UnsupportedQuery(f"'{name}' is compared by eq, ne and in only.", target=name)
            return _searched(field, op, text)


def _compared(field: Field, op: str, value: Value, name: str) -> tuple[str, MongoFilter]:  # noqa: PLR0911 - a kind each
    stored = _stored(field, value, name)
    if stored is None:
        if op not in {"eq", "ne"}:
            raise UnsupportedQuery(f"'{name}' is compared with null by eq and ne only.", target=name)
        return field.path, {_OPS[op]: None}
    if isinstance(field.kind, Enumeration) or field.kind in {Kind.GUID, Kind.BOOLEAN}:
        if op not in {"eq", "ne"}:
            raise UnsupportedQuery(f"'{name}' is compared by eq, ne and in only.", target=name)
        if more := _besides(field, stored):
            return field.path, {"$in" if op == "eq" else "$nin": [stored, *more]}
        return field.path, {_OPS[op]: stored}
    if field.kind is Kind.STRING:
        if field.folded:
            return field.folded, {_OPS[op]: stored.casefold()}
        if op in {"eq", "ne"}:
            whole = _pattern(f"^{re.escape(stored)}{_END}")
            return field.path, whole if op == "eq" else {"$not": whole}
        return field.path, {_OPS[op]: stored}
    if field.kind is Kind.DATE_TEXT:
        return field.path, _as_text(op, stored)
    if isinstance(stored, datetime):
        # BSON keeps milliseconds: what lies between two of them is more than the one below.
        cut = stored.replace(microsecond=stored.microsecond // 1000 * 1000)
        if cut != stored:
            if op in {"eq", "ne"}:
                return field.path, {"$in" if op == "eq" else "$nin": []}
            op = {"ge": "gt", "lt": "le"}.get(op, op)
        return field.path, {_OPS[op]: cut}
    return field.path, {_OPS[op]: stored}


def _spellings(moment: datetime) -> list[str]:
    """In UTC, with the fractions of a second that a text may have."""
    second = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    of_it = [f".{moment.microsecond:06}"]
    of_it += [f".{moment.microsecond // 1000:03}"] if not moment.microsecond % 1000 else []
    of_it += [""] if not moment.microsecond else []
    return [f"{second}{one}Z" for one in of_it]


def _as_text(op: str, moment: datetime) -> MongoFilter:
    """Of moments that are kept as text, in whole seconds or with a fraction, always as long. As text the whole second
    comes behind its fractions, for '.' comes before 'Z'."""
    same = _spellings(moment)
    if op in {"eq", "ne"}:
        return {"$in" if op == "eq" else "$nin": same}
    second = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    whole = f"{second}Z"
    from_there = f"{second}.{moment.microsecond:06}".rstrip("0")
    before = [whole] if moment.microsecond else []
    match op:
        case "ge":
            return {"$gte": from_there, "$nin": before}
        case "gt":
            return {"$gte": from_there, "$nin": [*before, *same]}
        case "lt":
            return {"$lte": whole, "$nin": [] if before else [whole], "$not": {"$gte": from_there, "$lt": whole}}
        case _:
            return {"$lte": whole, "$not": {"$gte": from_there, "$lt": whole, "$nin": same}}


def _besides(field: Field, stored: Any) -> tuple[str, ...]:
    """What else documents hold for this value."""
    return (field.kind.besides or {}).get(stored, ()) if isinstance(field.kind, Enumeration) else ()


def _flags(node: Compare | OneOf | Text | Has, field: Field, name: str) -> MongoFilter:
    match node:
        case Has(_, text):
            return {"$all": [_stored(field, flag.strip(), name) for flag in text.split(",")]}
        case Compare(_, "eq" | "ne" as op, None):
            return {_OPS[op]: None}
    raise UnsupportedQuery(f"'{name}' is a set of flags: ask it with 'has'.", target=name)


def _string_in(field: Field, texts: list[Any]) -> tuple[str, MongoFilter]:
    if field.folded:  # null has a folded copy that is null or missing
        return field.folded, {"$in": [None if text is None else text.casefold() for text in texts]}
    return field.path, {
        "$in": [None if text is None else re.compile(f"^{re.escape(text)}{_END}", re.IGNORECASE) for text in texts]
    }


def _searched(field: Field, op: str, text: str) -> tuple[str, MongoFilter]:
    place = field.folded or field.path
    quoted = re.escape(text.casefold() if field.folded else text)
    pattern = {"startswith": f"^{quoted}", "endswith": f"{quoted}{_END}", "contains": quoted}[op]
    # Without the option an anchored search on the folded copy walks its index.
    return place, {"$regex": pattern} if field.folded else _pattern(pattern)


def _pattern(pattern: str) -> MongoFilter:
    return {"$regex": pattern, "$options": "i"}


def _stored(field: Field, value: Value, name: str) -> Any:  # noqa: PLR0911 - one line a kind
    """`value` as documents hold it. Raises UnsupportedQuery if it is of another kind than the property."""
    if value is None:
        return None
    match field.kind, value:
        case Enumeration() as kind, str():
            if (known := kind.stored(value)) is None:
                raise UnsupportedQuery(f"'{value[:50]}' is no value of '{name}'.", target=name)
            return (kind.kept_as or {}).get(known, known)
        case Kind.GUID, Guid(text):
            return text
        case Kind.GUID, str():
            return value.lower()
        case Kind.STRING, str():
            return value
        case Kind.STRING, Guid(text):
            return text
        case Kind.BOOLEAN, bool():
            return value
        case Kind.INTEGER | Kind.NUMBER, int() if not isinstance(value, bool):
            return value
        case Kind.NUMBER, Decimal():
            return float(value)
        case Kind.DATETIME, datetime():
            return value
        case Kind.DATE_TEXT, datetime():
            return value
    said = field.kind.value if isinstance(field.kind, Kind) else "string"
    raise UnsupportedQuery(f"'{name}' is of type {said}, and the value is not.", target=name)


def only_value(where: Mapping[str, Any], path: str) -> str | None:
    """The one text that the field must have for a document to be found; None if the filter leaves it open."""
    match where.get(path):
        case {"$eq": str(found)} | {"$in": [str(found)]}:
            return found
    inner = (only_value(one, path) for one in where.get("$and", ()))
    return next((one for one in inner if one is not None), None)


def lets_through(where: Mapping[str, Any], path: str, value: str) -> bool:
    """False if the filter is sure to find no document whose field has this text; True if it may."""
    condition = where.get(path)
    ways: list[bool] = [lets_through(one, path, value) for one in where.get("$and", ())]
    if isinstance(condition, Mapping):
        ways += [value == condition["$eq"]] if "$eq" in condition else []
        ways += [value in condition["$in"]] if isinstance(condition.get("$in"), list) else []
        ways += [value != condition["$ne"]] if "$ne" in condition else []
        ways += [value not in condition["$nin"]] if isinstance(condition.get("$nin"), list) else []
    return all(ways)


def both(*filters: Mapping[str, Any]) -> MongoFilter:
    """Documents that all of the filters find; an empty one restricts nothing."""
    some = [dict(one) for one in filters if one]
    return some[0] if len(some) == 1 else {"$and": some} if some else {}
