"""The part of a list that is there as a whole which a caller asks for: what list options inside `$expand` mean.

It is asked as it is answered: by the names and values of its bodies, so that nothing else can be reached. The truths
are those of `mongo.py`, by the same normal form; text is compared without regard to case, a date-time as the moment
that it says.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeAlias

from shared.clock import zoned
from shared.web.errors import UnsupportedQuery
from shared.web.odata.ast import And, Compare, Count, Guid, Has, Lambda, Node, Not, OneOf, Or, Path, Text, Value
from shared.web.odata.normal import normal

Body: TypeAlias = Mapping[str, Any]
Known: TypeAlias = Mapping[str, Any]
"""The body under '', and what the variables of lambdas stand for."""
_OUTER = ""


@dataclass(frozen=True)
class Part:
    """`$filter`, `$orderby`, `$skip`, `$top` and `$count` of a list. `order`: properties, 1 or -1 each."""

    where: Node | None = None
    order: tuple[tuple[Path, int], ...] = ()
    skip: int = 0
    top: int | None = None
    count: bool = False

    def of(self, bodies: Sequence[Body]) -> tuple[list[Body], int]:
        """The part, and how many there are without regard to pages.

        Raises UnsupportedQuery for a property that the bodies do not have, and a value of another kind than theirs."""
        found = list(bodies)
        if self.where is not None:
            node = normal(self.where)
            found = [one for one in found if _is(node, {_OUTER: one})]
        for path, direction in reversed(self.order):
            found.sort(key=partial(_place, path), reverse=direction < 0)
        end = None if self.top is None else self.skip + self.top
        return found[self.skip : end], len(found)


WHOLE = Part()


def names_in(node: Node, variables: frozenset[str] = frozenset()) -> set[str]:
    """First segments of the properties that a condition asks; those of lambdas by what they go through."""
    match node:
        case Not(inner):
            return names_in(inner, variables)
        case And(nodes) | Or(nodes):
            return {name for one in nodes for name in names_in(one, variables)}
        case Lambda(path, _, variable, where):
            deeper = names_in(where, variables | {variable}) if where is not None else set()
            return deeper | ({path[0]} - variables)
        case _:
            return {node.path[0]} - variables if node.path else set()


def _is(node: Node, known: Known) -> bool:
    match node:
        case And(nodes):
            return all(_is(one, known) for one in nodes)
        case Or(nodes):
            return any(_is(one, known) for one in nodes)
        case Not(inner):
            return not _is(inner, known)
        case Lambda(path, _, variable, where):
            inside = _many(path, known)
            return any(where is None or _is(where, {**known, variable: one}) for one in inside)
        case Count(path, op, number):
            return _OPS[op](len(_many(path, known)), number)
        case _:
            return _holds(node, known)


def _holds(node: Node, known: Known) -> bool:
    match node:
        case Compare(path, op, value):
            return _compared(_value(path, known), op, value, "/".join(path))
        case OneOf(path, values):
            found, name = _value(path, known), "/".join(path)
            return any(_compared(found, "eq", value, name) for value in values)
        case Text(op, path, text):
            found = _value(path, known)
            if found is None:
                return False
            if not isinstance(found, str):
                raise UnsupportedQuery(f"{op} is for text, and '{'/'.join(path)}' is none.", target="/".join(path))
            subject, sought = found.casefold(), text.casefold()
            return {
                "startswith": subject.startswith(sought),
                "endswith": subject.endswith(sought),
                "contains": sought in subject,
            }[op]
        case Has(path):
            raise UnsupportedQuery(f"'{'/'.join(path)}' is no set of flags, which 'has' is for.", target="/".join(path))
    raise AssertionError("normal() leaves nothing else")


def _value(path: Path, known: Known) -> Any:
    start, rest = (path[0], path[1:]) if path and path[0] in known else (_OUTER, path)
    value = known[start]
    for at, name in enumerate(rest, start=1):
        if value is None:
            return None
        value = _property(value, name, "/".join(rest[:at]))
    return value


def _property(value: Any, name: str, named: str) -> Any:
    if isinstance(value, Mapping):
        for key, found in value.items():
            if key.lower() == name.lower():
                return found
    if isinstance(value, list | tuple):
        raise UnsupportedQuery(f"'{named}' lies in a collection: ask that with any, all or $count.", target=named)
    raise UnsupportedQuery(f"Could not find a property named '{named[:64]}'.", target=named[:64])


def _many(path: Path, known: Known) -> Sequence[Any]:
    found = _value(path, known)
    if found is not None and not isinstance(found, list | tuple):
        raise UnsupportedQuery(f"'{'/'.join(path)}' is no collection.", target="/".join(path))
    return found or ()


def _compared(found: Any, op: str, value: Value, name: str) -> bool:
    if value is None and op not in {"eq", "ne"}:
        raise UnsupportedQuery(f"'{name}' is compared with null by eq and ne only.", target=name)
    if found is None or value is None:
        return (found is value) == (op == "eq") if op in {"eq", "ne"} else False
    left, right = _alike(found, value, name)
    if isinstance(left, bool) and op not in {"eq", "ne"}:
        raise UnsupportedQuery(f"'{name}' is compared by eq, ne and in only.", target=name)
    return _OPS[op](left, right)


def _alike(found: Any, value: Value, name: str) -> tuple[Any, Any]:
    """Both so that Python compares them. Raises UnsupportedQuery if they are of different kinds."""
    match found, value:
        case str(), str():
            return found.casefold(), value.casefold()
        case str(), Guid(text):
            return found.casefold(), text
        case str(), datetime() if (moment := _moment(found)) is not None:
            return moment, value
        case bool(), bool():
            return found, value
        case int() | float(), int() | Decimal() if not isinstance(found, bool) and not isinstance(value, bool):
            return found, value
        case ((Mapping() | list() | tuple()), _):
            raise UnsupportedQuery(f"'{name}' is no single value.", target=name)
    raise UnsupportedQuery(f"'{name}' is of another type than the value.", target=name)


def _moment(text: str) -> datetime | None:
    try:
        return zoned(datetime.fromisoformat(text))
    except ValueError:
        return None


_OPS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


def _place(path: Path, body: Body) -> tuple[bool, Any]:
    """Nothing comes before everything, as in MongoDB."""
    found = _value(path, {_OUTER: body})
    if isinstance(found, Mapping | list | tuple):
        raise UnsupportedQuery(f"Lists cannot be ordered by '{'/'.join(path)}'.", target="/".join(path))
    return (False, 0) if found is None else (True, found.casefold() if isinstance(found, str) else found)
