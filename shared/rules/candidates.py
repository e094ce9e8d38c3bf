"""The second reader: which of many rules can match one person, at a cost that does not grow with their number.

A rule is filed under *keys*, of which whoever matches has at least one: of an -and the most selective term gives them,
of an -or every term does. A key is a value that a facet must equal, begin with or end with. Rules that have none (such
as `-ne` or `-contains` alone) are always checked. A person is looked up once for each property that any rule
is filed under.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from shared.rules.ast import And, Compare, DirectReports, Expr, MemberOf, Not, Op, Or, Quantified, Quantifier, Rule
from shared.rules.evaluate import Verdict
from shared.rules.facets import Facets
from shared.rules.properties import ITEM, MANAGER, MEMBER_OF, Kind
from shared.rules.text import fold

Id = TypeVar("Id", bound=Hashable)
Way: TypeAlias = Literal["equal", "prefix", "suffix"]


class Key(NamedTuple):
    """`facet` is `assignedPlans.service` and the like for a plan's field; the value None means: no such facet."""

    way: Way
    facet: str
    value: str | bool | None


Keys: TypeAlias = frozenset[Key]
_Table: TypeAlias = dict[object, dict[Id, Verdict | None]]  # a value of a facet -> the rules that ask for it

# Roughly how many of 10,000 people share a value; only the order matters, to choose among the terms of an -and.
_SHARED_BY = {
    "id": 1, "employeeId": 1, "userPrincipalName": 1, "mail": 1, "mailNickname": 1, "displayName": 1,
    "onPremisesDistinguishedName": 1, "onPremisesSecurityIdentifier": 1, "sipProxyAddress": 1, "mobilePhone": 1,
    "businessPhones": 1, "otherMails": 1, "proxyAddresses": 1, MANAGER: 10, "surname": 10, "costCenter": 100,
    MEMBER_OF.name: 100, "country": 2_000, "usageLocation": 2_000, "preferredLanguage": 2_000, "companyName": 2_000,
    "division": 1_000, "passwordPolicies": 5_000, "userType": 9_000, "accountEnabled": 9_000,
    "onPremisesSyncEnabled": 9_000, "assignedPlans.capabilityStatus": 9_000,
}  # fmt: skip
_USUALLY = 200
_ABSENT = 9_000
_NONE: dict[Any, Verdict | None] = {}
_AFFIX = 5  # a beginning or an end is shared by more people than a whole value


def _nobody_else(_: Key) -> int:
    return 0


def required_keys(rule: Rule, filed: Callable[[Key], int] = _nobody_else) -> Keys | None:
    """Keys of which every person that matches `rule` has at least one; None if there are no such keys.

    Empty for a rule that nobody can match. `filed` says how many rules there are under a key already: of several terms
    that would do, one that few others ask for is taken.
    """
    return _keys(rule.root, "", filed, positive=True)


def _keys(  # noqa: PLR0911 (one a kind of node)
    expr: Expr, within: str, filed: Callable[[Key], int], *, positive: bool
) -> Keys | None:
    """`within` is the collection whose items `expr` speaks of; `positive` is false below an odd number of -not."""
    match expr:
        case Not(term):
            return _keys(term, within, filed, positive=not positive)
        case And(terms) | Or(terms):
            of_terms = [_keys(term, within, filed, positive=positive) for term in terms]
            return _best(of_terms, filed) if isinstance(expr, And) is positive else _union(of_terms)
        case Quantified(subject, quantifier, body):
            # Somebody without items satisfies -all, and not -any: only in an -any does an item have to exist.
            if (quantifier is Quantifier.ANY) is positive:
                return _keys(body, subject.name, filed, positive=positive)
            return None
        case MemberOf(groups):
            return frozenset(Key("equal", MEMBER_OF.name, fold(group)) for group in groups) if positive else None
        case DirectReports(manager):
            return frozenset({Key("equal", MANAGER, fold(manager))}) if positive else None
        case Compare():
            return _of_comparison(expr, within, positive=positive)


def _decided_by_keys(expr: Expr, *, positive: bool) -> bool:
    """Whether having one of the required keys is not only needed but enough, provided that there are keys."""
    match expr:
        case Not(term):
            return _decided_by_keys(term, positive=not positive)
        case And(terms) | Or(terms):
            return isinstance(expr, Or) is positive and all(_decided_by_keys(term, positive=positive) for term in terms)
        case Quantified(body=body):
            return _decided_by_keys(body, positive=positive)
        case _:
            return True


def _of_comparison(expr: Compare, within: str, *, positive: bool) -> Keys | None:  # noqa: PLR0911 (one a kind of operator)
    if expr.op.negative is positive or expr.subject.kind is Kind.INSTANT:
        return None
    facet, value = expr.subject.name, expr.value
    if within:
        if value is None:
            return None
        facet = within if expr.subject is ITEM else f"{within}.{facet}"
    match expr.op.positive, value:
        case Op.EQ, str():
            return frozenset({Key("equal", facet, fold(value))})
        case Op.EQ, bool() | None:
            return frozenset({Key("equal", facet, value)})
        case Op.IN, tuple():
            return frozenset(Key("equal", facet, fold(item)) for item in value)
        case Op.STARTS_WITH, str() if value:
            return frozenset({Key("prefix", facet, fold(value))})
        case Op.ENDS_WITH, str() if value:
            return frozenset({Key("suffix", facet, fold(value))})
        case _:
            return None


def _best(of_terms: list[Keys | None], filed: Callable[[Key], int]) -> Keys | None:
    return min((keys for keys in of_terms if keys is not None), key=lambda keys: _cost(keys, filed), default=None)


def _union(of_terms: list[Keys | None]) -> Keys | None:
    known = [keys for keys in of_terms if keys is not None]
    return frozenset().union(*known) if len(known) == len(of_terms) else None


def _cost(keys: Keys, filed: Callable[[Key], int]) -> int:
    """How many people a rule filed under these keys will be evaluated for, very roughly.

    What many rules name, many people have: a thousand rules for Oslo and a department each belong under the
    departments, or everybody in Oslo meets them all. The logarithm, for it is only a hint."""
    return sum(_shared_by(key) * (filed(key) + 1).bit_length() for key in keys)


def _shared_by(key: Key) -> int:
    if key.value is None:
        return _ABSENT
    return _SHARED_BY.get(key.facet, _USUALLY) * (1 if key.way == "equal" else _AFFIX)


class CandidateIndex(Generic[Id]):
    """Rules by what a person must have to match them. Adding and removing cost as much as the rule is long."""

    def __init__(self, rules: Iterable[tuple[Id, Rule]] = ()) -> None:
        self._keys: dict[Id, Keys | None] = {}
        self._always: dict[Id, Verdict | None] = {}
        # facet -> value -> rules; by way and length of the beginning or end where that is what is asked.
        self._equal: dict[str, _Table[Id]] = {}
        self._affix: dict[tuple[Way, str, int], _Table[Id]] = {}
        for rule_id, rule in rules:
            self.put(rule_id, rule)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, rule_id: object) -> bool:
        return rule_id in self._keys

    @property
    def always_checked(self) -> Iterable[Id]:
        """The rules that are candidates for everyone: each of them costs every person one evaluation."""
        return self._always.keys()

    def put(self, rule_id: Id, rule: Rule, verdict: Verdict | None = None) -> None:
        """Add `rule`, or put it in the place of the one with this id. `verdict` comes back from `with_verdicts`."""
        self.remove(rule_id)
        keys = self._keys[rule_id] = required_keys(rule, self._filed)
        if keys is None:
            self._always[rule_id] = verdict
            return
        if _decided_by_keys(rule.root, positive=True):
            verdict = None
        for key in keys:
            self._table(key).setdefault(key.value, {})[rule_id] = verdict

    def remove(self, rule_id: Id) -> None:
        """Forget a rule; an unknown id is harmless."""
        self._always.pop(rule_id, None)
        for key in self._keys.pop(rule_id, None) or ():
            table = self._table(key)
            bucket = table[key.value]
            del bucket[rule_id]
            if not bucket:
                del table[key.value]
            if not table:  # so that persons are no longer looked up by it
                self._drop_table(key)

    def candidates(self, facets: Facets) -> set[Id]:
        """Ids of all rules that the person may match; whatever is not in it, they do not match."""
        return set(self.with_verdicts(facets))

    def with_verdicts(self, facets: Facets) -> dict[Id, Verdict | None]:
        """The candidates with the verdict they were put with; None where being found is to match.

        Verdicts lie here beside the ids, for at 10,000 rules it is memory that a look-up waits for.
        """
        found = dict(self._always)
        for name, table in self._equal.items():
            value = facets.get(name)
            if value.__class__ is str:  # nearly always; the rest takes the longer way
                if rules := table.get(value):
                    found.update(rules)
            else:
                for item in _values(facets, name):
                    found.update(table.get(item, _NONE))
        for (way, name, length), table in self._affix.items():
            for item in _values(facets, name):
                if isinstance(item, str):
                    found.update(table.get(item[:length] if way == "prefix" else item[-length:], _NONE))
        return found

    def _filed(self, key: Key) -> int:
        table = (
            self._equal.get(key.facet)
            if key.way == "equal"
            else self._affix.get((key.way, key.facet, len(str(key.value))))
        )
        return len(table.get(key.value, _NONE)) if table else 0

    def _table(self, key: Key) -> _Table[Id]:
        if key.way == "equal":
            return self._equal.setdefault(key.facet, {})
        return self._affix.setdefault((key.way, key.facet, len(str(key.value))), {})

    def _drop_table(self, key: Key) -> None:
        if key.way == "equal":
            del self._equal[key.facet]
        else:
            del self._affix[key.way, key.facet, len(str(key.value))]


def _values(facets: Facets, name: str) -> Iterable[object]:
    """The values a facet has as keys see them: the one, each of a collection, or None for absent."""
    collection, _, field = name.partition(".")
    value = facets.get(collection)
    if not isinstance(value, list):
        return (value,)
    return [item.get(field) for item in value] if field else value
