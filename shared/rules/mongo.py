"""The third reader: a rule as a MongoDB filter over stored facets, so that a new rule finds its people by index.

The filter is built of operators and values, never of text, and names no field outside `prefix`. Negation is pushed
down to the comparisons first; a comparison that MongoDB cannot be trusted with (see `patterns`) is there replaced by
something wider, and the filter is then marked as not exact.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from shared.rules.ast import And, Compare, DirectReports, Expr, MemberOf, Not, Now, Op, Or, Quantified, Quantifier, Rule
from shared.rules.patterns import escape, plain
from shared.rules.properties import MANAGER, MEMBER_OF, Kind
from shared.rules.text import fold, instant, shifted

Query: TypeAlias = dict[str, Any]

_ORDER = {Op.LE: "$lte", Op.GE: "$gte", Op.LT: "$lt", Op.GT: "$gt", Op.EQ: "$eq"}
_LAST = 0x10FFFF
_MAX_WAYS = 64  # alternatives of a condition on an item, before the filter gives up being exact


class MongoFilter(NamedTuple):
    """`exact`: finds those who match and nobody else. Otherwise finds more, and the evaluator decides on each."""

    filter: Query
    exact: bool


def to_mongo(rule: Rule, now: datetime, prefix: str = "facets.") -> MongoFilter:
    """A filter on documents that hold a person's facets under `prefix` ("facets." or "" for the top level).

    `now` is written into it: the filter is as old as that. Meant for collections without a collation of their own.
    """
    translation = _Translation(now, prefix)
    query = translation.of(rule.root, negated=False)
    return MongoFilter(query, translation.exact)


@dataclass(slots=True)
class _Translation:
    now: datetime
    prefix: str
    exact: bool = field(default=True)

    def of(self, expr: Expr, *, negated: bool) -> Query:
        """A query that finds at least whom `expr` (or its opposite) is true of."""
        match expr:
            case Not(term):
                return self.of(term, negated=not negated)
            case And(terms) | Or(terms):
                both = isinstance(expr, And) is not negated
                return {"$and" if both else "$or": [self.of(term, negated=negated) for term in terms]}
            case Compare():
                return self._single(expr, negated)
            case MemberOf(groups):
                listed = [fold(group) for group in groups]
                return {self.prefix + MEMBER_OF.name: {"$nin" if negated else "$in": listed}}
            case DirectReports(manager):
                return {self.prefix + MANAGER: {"$ne" if negated else "$eq": fold(manager)}}
            case Quantified():
                return self._quantified(expr, negated)

    def _single(self, expr: Compare, negated: bool) -> Query:
        name = self.prefix + expr.subject.name
        test = self._test(expr, negated)
        if test is None:
            self.exact = False
            opposite = expr.op.negative is not negated  # so that null is among them
            return {} if opposite else {name: {"$ne": None}}
        if expr.subject.kind is Kind.TEXTS:
            # The two bounds of a range must hold for one and the same item.
            match test:
                case {"$gte": _, "$lt": _}:
                    test = {"$elemMatch": test}
                case {"$not": {"$gte": _, "$lt": _} as bounds}:
                    test = {"$not": {"$elemMatch": bounds}}
        return {name: test}

    def _quantified(self, expr: Quantified, negated: bool) -> Query:
        """-any: some item fulfils the body. -all: no item fulfils its opposite. Negated the other way round."""
        name = self.prefix + expr.subject.name
        every = expr.quantifier is Quantifier.ALL
        some = every is negated
        ways = _alternatives(expr.body, negated=every)
        if ways is None:
            self.exact = False
            return {name: {"$ne": None}} if some else {}
        queries = []
        for way in ways:
            query, exact = self._item(way, expr.subject.kind)
            self.exact = self.exact and exact
            # What is too wide may be looked for, but its absence proves nothing.
            if some or exact:
                queries.append({"$elemMatch": query} if query else {"$ne": None})
        if some:
            return _joined("$or", [{name: query} for query in queries])
        return _joined("$and", [{name: {"$not": query}} for query in queries])

    def _item(self, way: tuple[tuple[Compare, bool], ...], kind: Kind) -> tuple[Query, bool]:
        """All of these comparisons (or their opposites) on one item: a query for $elemMatch, wider if not exact."""
        tests: list[tuple[str, Query]] = []
        exact = True
        for comparison, negated in way:
            test = self._test(comparison, negated)
            if test is None:
                exact = False
            else:
                tests.append((comparison.subject.name, test))
        if kind is Kind.PLANS:
            return ({"$and": [{name: test} for name, test in tests]} if tests else {}), exact
        # An item that is no document knows no $and: operators stand side by side, each at most once.
        query: Query = {}
        for _, test in tests:
            if query.keys().isdisjoint(test):
                query |= test
            else:
                exact = False
        return query, exact

    def _test(self, expr: Compare, negated: bool) -> Query | None:
        """One comparison as operators on a field (absent if null); None if MongoDB cannot be asked."""
        opposite = expr.op.negative is not negated
        value = self._value(expr.value)
        match expr.op.positive:
            case Op.EQ:
                return {"$ne" if opposite else "$eq": value}
            case Op.IN:
                return {"$nin" if opposite else "$in": value}
            case Op.STARTS_WITH:
                test = _range(value)
            case Op.ENDS_WITH:
                test = {"$regex": escape(value) + r"\z"}
            case Op.CONTAINS:
                test = {"$regex": escape(value)}
            case Op.MATCH:
                assert isinstance(expr.value, str)
                pattern = plain(expr.value, r"\z")
                if pattern is None:
                    return None
                test = {"$regex": pattern}
            case op:
                test = {_ORDER[op]: value}
        return {"$not": test} if opposite else test

    def _value(self, value: object) -> Any:
        match value:
            case str():
                return fold(value)
            case tuple():
                return [fold(item) for item in value]
            case Now(shift):
                return shifted(self.now, shift)
            case datetime():
                return instant(value)
            case _:
                return value


def _joined(how: str, queries: list[Query]) -> Query:
    if len(queries) > 1:
        return {how: queries}
    return queries[0] if queries else {}


def _range(beginning: str) -> Query:
    """The texts that begin so, as bounds: by index, and without a regular expression."""
    head = beginning
    while head and ord(head[-1]) == _LAST:
        head = head[:-1]
    if not head:
        return {"$gte": beginning}  # of a text MongoDB compares texts alone
    following = ord(head[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:  # halves of pairs are no characters
        following = 0xE000
    return {"$gte": beginning, "$lt": head[:-1] + chr(following)}


def _alternatives(body: Expr, *, negated: bool) -> list[tuple[tuple[Compare, bool], ...]] | None:
    """`body` (or its opposite) as alternatives, each a list of comparisons; None if there would be too many."""
    match body:
        case Compare():
            return [((body, negated),)]
        case Not(term):
            return _alternatives(term, negated=not negated)
        case And(terms) | Or(terms):
            of_terms = []
            for term in terms:
                ways = _alternatives(term, negated=negated)
                if ways is None:
                    return None
                of_terms.append(ways)
            if isinstance(body, And) is negated:
                joined = [way for ways in of_terms for way in ways]
            else:
                count = 1
                for ways in of_terms:
                    count *= len(ways)
                if count > _MAX_WAYS:
                    return None
                joined = [tuple(itertools.chain(*choice)) for choice in itertools.product(*of_terms)]
            return joined if len(joined) <= _MAX_WAYS else None
        case _:
            raise AssertionError(f"{body} inside a collection")
