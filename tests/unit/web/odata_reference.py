"""What a `$filter` means, said a second time and as plainly as possible: over Graph bodies, in Python, with OData's
three truths (None: neither true nor false)."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.web.odata.ast import And, Compare, Count, Guid, Has, Lambda, Node, Not, OneOf, Or, Path, Text, Truth

Body = Mapping[str, Any]
Truths = bool | None

ORDERED_FOLDED = frozenset({"city"})
"""Strings that are ordered without regard to case; others are ordered as they are spelt, though equal in any case."""


def matches(node: Node, body: Body) -> bool:
    return _truth(node, {"": body}) is True


def _truth(node: Node, known: Mapping[str, Any]) -> Truths:
    match node:
        case Not(inner):
            truth = _truth(inner, known)
            return None if truth is None else not truth
        case And(nodes):
            truths = [_truth(one, known) for one in nodes]
            return False if False in truths else None if None in truths else True
        case Or(nodes):
            truths = [_truth(one, known) for one in nodes]
            return True if True in truths else None if None in truths else False
        case Truth(path):
            return _value(path, known)
        case Compare(path, op, value):
            return _compared(_value(path, known), op, value, folded=path[-1:] and path[-1] in ORDERED_FOLDED)
        case OneOf(path, values):
            return any(_compared(_value(path, known), "eq", value) for value in values)
        case Text(op, path, text):
            subject = _value(path, known)
            if subject is None:
                return None
            asked: Callable[[str], bool] = {
                "startswith": subject.casefold().startswith,
                "endswith": subject.casefold().endswith,
                "contains": subject.casefold().__contains__,
            }[op]
            return asked(text.casefold())
        case Has(path, text):
            flags = _value(path, known)
            wanted = {flag.strip().lower() for flag in text.split(",")}
            return None if flags is None else wanted <= {flag.lower() for flag in flags}
        case Count(path, op, number):
            return _compared(len(_value(path, known) or []), op, number)
        case Lambda(path, quantifier, variable, where):
            inside = _value(path, known) or []
            if where is None:
                return bool(inside)
            truths = [_truth(where, {**known, variable: one}) is True for one in inside]
            return any(truths) if quantifier == "any" else all(truths)


def _value(path: Path, known: Mapping[str, Any]) -> Any:
    start, rest = (path[0], path[1:]) if path and path[0] in known else ("", path)
    value = known[start]
    for name in rest:
        value = value.get(name) if value is not None else None
    return value


def _compared(left: Any, op: str, right: Any, *, folded: Any = False) -> bool:
    if isinstance(right, Guid):
        right = right.text
    if op in {"eq", "ne"}:
        same = (
            left.casefold() == right.casefold() if isinstance(left, str) and isinstance(right, str) else left == right
        )
        return same == (op == "eq")
    if left is None or right is None:
        return False
    if folded:
        left, right = left.casefold(), right.casefold()
    return bool({"gt": left > right, "ge": left >= right, "lt": left < right, "le": left <= right}[op])
