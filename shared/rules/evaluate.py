"""The first reader: a rule as a function of one person's facets, made of closures, compiled once a rule.

Two-valued throughout: every negative operator is the exact opposite of its positive one, so null and missing
need no third truth value.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from operator import eq, ge, gt, le, lt
from typing import Any, TypeAlias

from shared.rules.ast import And, Compare, DirectReports, Expr, MemberOf, Not, Now, Op, Or, Quantified, Quantifier, Rule
from shared.rules.facets import Facets
from shared.rules.patterns import searcher
from shared.rules.properties import ITEM, MANAGER, MEMBER_OF, Kind
from shared.rules.text import fold, instant, shifted

Verdict: TypeAlias = Callable[[Facets, datetime], bool]
"""Whether the person with these facets matches at this time. Raises PatternTooSlow (see there)."""

_ORDER: dict[Op, Callable[[Any, Any], bool]] = {Op.EQ: eq, Op.LE: le, Op.GE: ge, Op.LT: lt, Op.GT: gt}


def compile(rule: Rule) -> Verdict:
    """`rule` as a function of facets and the present time (in UTC if it has no offset)."""
    return _compile(rule.root)


def _compile(expr: Expr) -> Verdict:  # noqa: PLR0911 (one a kind of node)
    match expr:
        case And(terms):
            return _all([_compile(term) for term in terms])
        case Or(terms):
            return _any([_compile(term) for term in terms])
        case Not(term):
            return _not(_compile(term))
        case Compare():
            return _compare(expr)
        case Quantified():
            return _quantified(expr)
        case MemberOf(groups):
            wanted = frozenset(map(fold, groups))
            return lambda facets, _: not wanted.isdisjoint(facets.get(MEMBER_OF.name, ()))
        case DirectReports(manager):
            return _equal(MANAGER, fold(manager))


def _all(terms: list[Verdict]) -> Verdict:
    first, second, *rest = terms
    if rest:
        others = _all([second, *rest])
        return lambda facets, now: first(facets, now) and others(facets, now)
    return lambda facets, now: first(facets, now) and second(facets, now)


def _any(terms: list[Verdict]) -> Verdict:
    first, second, *rest = terms
    if not rest:
        return lambda facets, now: first(facets, now) or second(facets, now)

    def verdict(facets: Facets, now: datetime) -> bool:
        for term in terms:  # noqa: SIM110 (twice as fast as any(); rules list hundreds of departments by -or)
            if term(facets, now):
                return True
        return False

    return verdict


def _not(term: Verdict) -> Verdict:
    return lambda facets, now: not term(facets, now)


def _equal(name: str, value: object) -> Verdict:
    return lambda facets, _: facets.get(name) == value


def _compare(expr: Compare) -> Verdict:
    name, value = expr.subject.name, expr.value
    negative = expr.op.negative
    if value is None:
        if negative:
            return lambda facets, _: facets.get(name) is not None
        return lambda facets, _: facets.get(name) is None
    if expr.subject.kind is Kind.INSTANT:
        return _compare_instant(expr, value)
    if expr.subject.kind is Kind.TEXTS:
        found = _item_test(expr)
        if negative:
            return lambda facets, _: not any(map(found, facets.get(name, ())))
        return lambda facets, _: any(map(found, facets.get(name, ())))
    return _compare_single(expr)


def _compare_single(expr: Compare) -> Verdict:
    name, value, negative = expr.subject.name, expr.value, expr.op.negative
    if expr.op.positive is Op.EQ:
        wanted = fold(value) if isinstance(value, str) else value
        if negative:
            return lambda facets, _: facets.get(name) != wanted
        return _equal(name, wanted)
    if isinstance(value, tuple):
        listed = frozenset(map(fold, value))
        if negative:
            return lambda facets, _: facets.get(name) not in listed
        return lambda facets, _: facets.get(name) in listed
    found = _item_test(expr)

    def verdict(facets: Facets, _: datetime) -> bool:
        present = facets.get(name)
        return (present is not None and found(present)) is not negative

    return verdict


def _item_test(expr: Compare) -> Callable[[str], bool]:
    """The positive operator as a test of one folded text."""
    op, value = expr.op.positive, expr.value
    if isinstance(value, tuple):
        return frozenset(map(fold, value)).__contains__
    assert isinstance(value, str)
    if op is Op.MATCH:
        return searcher(value)
    wanted = fold(value)
    match op:
        case Op.EQ:
            return wanted.__eq__
        case Op.STARTS_WITH:
            return lambda text: text.startswith(wanted)
        case Op.ENDS_WITH:
            return lambda text: text.endswith(wanted)
        case _:
            return lambda text: wanted in text


def _compare_instant(expr: Compare, value: object) -> Verdict:
    name, negative = expr.subject.name, expr.op.negative
    holds = _ORDER[expr.op.positive]
    fixed = instant(value) if isinstance(value, datetime) else None
    shift = value.shift if isinstance(value, Now) else timedelta()

    def verdict(facets: Facets, now: datetime) -> bool:
        present: datetime | None = facets.get(name)
        if present is None:
            return negative
        return holds(instant(present), fixed or shifted(now, shift)) is not negative

    return verdict


def _quantified(expr: Quantified) -> Verdict:
    name, body = expr.subject.name, _compile(expr.body)
    every = expr.quantifier is Quantifier.ALL
    if expr.subject.kind is Kind.TEXTS:

        def items(facets: Facets) -> list[dict[str, str]]:
            return [{ITEM.name: item} for item in facets.get(name, ())]
    else:

        def items(facets: Facets) -> list[dict[str, str]]:
            return facets.get(name) or []

    if every:
        return lambda facets, now: all(body(item, now) for item in items(facets))
    return lambda facets, now: any(body(item, now) for item in items(facets))
