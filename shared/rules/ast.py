"""A parsed rule as values. `at` is the place in the text, for messages; it takes no part in equality."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import TypeAlias

from shared.rules.properties import MANAGER, MEMBER_OF, Property


class Op(Enum):
    """A comparison; the value is its spelling without the hyphen."""

    EQ = "eq"
    NE = "ne"
    STARTS_WITH = "startsWith"
    NOT_STARTS_WITH = "notStartsWith"
    ENDS_WITH = "endsWith"
    NOT_ENDS_WITH = "notEndsWith"
    CONTAINS = "contains"
    NOT_CONTAINS = "notContains"
    MATCH = "match"
    NOT_MATCH = "notMatch"
    IN = "in"
    NOT_IN = "notIn"
    LE = "le"
    GE = "ge"
    LT = "lt"
    GT = "gt"

    @property
    def positive(self) -> Op:
        """The operator that this one negates, or itself."""
        return _POSITIVE.get(self, self)

    @property
    def negative(self) -> bool:
        return self in _POSITIVE


_POSITIVE = {
    Op.NE: Op.EQ,
    Op.NOT_STARTS_WITH: Op.STARTS_WITH,
    Op.NOT_ENDS_WITH: Op.ENDS_WITH,
    Op.NOT_CONTAINS: Op.CONTAINS,
    Op.NOT_MATCH: Op.MATCH,
    Op.NOT_IN: Op.IN,
}


class Quantifier(Enum):
    ANY = "any"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Now:
    """`system.now`, moved by `shift`."""

    shift: timedelta = timedelta()


Value: TypeAlias = str | bool | datetime | Now | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison. Texts are kept as written; the readers fold their case."""

    subject: Property
    op: Op
    value: Value
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    term: Expr
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """Two terms or more, none of them an And: see `conjunction`."""

    terms: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Two terms or more, none of them an Or: see `disjunction`."""

    terms: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Quantified:
    """-any or -all over a collection; `body` speaks of one item (`_` or `assignedPlan.…`) alone."""

    subject: Property
    quantifier: Quantifier
    body: Expr
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MemberOf:
    """Direct member of at least one of these groups."""

    groups: tuple[str, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DirectReports:
    """The manager is this person."""

    manager: str


Expr: TypeAlias = Compare | Not | And | Or | Quantified | MemberOf | DirectReports


def conjunction(terms: Iterable[Expr]) -> Expr:
    """All of `terms`, without an And directly inside an And."""
    flat = [inner for term in terms for inner in (term.terms if isinstance(term, And) else (term,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def disjunction(terms: Iterable[Expr]) -> Expr:
    """At least one of `terms`, without an Or directly inside an Or."""
    flat = [inner for term in terms for inner in (term.terms if isinstance(term, Or) else (term,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def children(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case And(terms) | Or(terms):
            return terms
        case Not(term):
            return (term,)
        case Quantified(body=body):
            return (body,)
        case _:
            return ()


def walk(expr: Expr) -> Iterator[tuple[Expr, int]]:
    """Every node with its depth, parents first; without recursion, so that no rule can exhaust the stack."""
    waiting = [(expr, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in children(node))


@dataclass(frozen=True, slots=True)
class References:
    """What a rule depends on: who changes none of it cannot change the verdict (but see `uses_clock`).

    `properties` are names of facets (Graph's names); `groups` and `managers` ids as written.
    """

    properties: frozenset[str]
    groups: frozenset[str]
    managers: frozenset[str]
    uses_clock: bool


@dataclass(frozen=True)
class Rule:
    """A parsed rule. Equal if it says the same, however it is spaced or spelt."""

    root: Expr
    text: str = field(default="", compare=False)

    @cached_property
    def references(self) -> References:
        properties: set[str] = set()
        groups: set[str] = set()
        managers: set[str] = set()
        clock = False
        for node, _ in walk(self.root):
            match node:
                case Compare(subject=subject, value=value):
                    if subject.label.startswith("user."):
                        properties.add(subject.name)
                    clock = clock or isinstance(value, Now)
                case Quantified(subject=subject):
                    properties.add(subject.name)
                case MemberOf(ids):
                    properties.add(MEMBER_OF.name)
                    groups.update(ids)
                case DirectReports(manager):
                    properties.add(MANAGER)
                    managers.add(manager)
        return References(frozenset(properties), frozenset(groups), frozenset(managers), clock)
