"""Random people and rules that know the same few values, so that rules hit, miss and nearly hit."""

from datetime import UTC, timedelta
from typing import Any

from hypothesis import strategies as st

from shared.rules import Rule, properties
from shared.rules.ast import (
    Compare,
    DirectReports,
    Expr,
    MemberOf,
    Not,
    Now,
    Op,
    Quantified,
    Quantifier,
    conjunction,
    disjunction,
)
from shared.rules.properties import Property
from tests.unit.rules.cases import NOW
from tests.unit.rules.reference import Person

WORDS = [
    "Sales", "sales", "SALES EMEA", "Support", "S", "", "Straße", "strasse", "Łódź", "łódź fabryczna", "a.b",
    "a*b", 'say "hi"', "O'Brien", "O''Brien", "corp\\", "corp\\ana", "back`tick", '\\"', "null", "x\ny",
    "$where", "{$ne: 1}", "\U0010ffff", "a\U0010ffffb", "ᾳ", "ǰ", "İ", "ı", "K", "[x]", "50001", "e\u0301",
    "é", "\ud7ff", "\0",
]  # fmt: skip
PATTERNS = ["^S", "s$", "a.b", "a.*b|^x", "[a-s]+$", r"\bsales\b", "ł.d", "(?:em|ea)", "^$", r"a\.b", "o'+b", "."]
GROUPS = ["g1", "G2", "g3"]
IDS = ["m1", "M2"]
TEXT_NAMES = ["user.department", "user.city", "user.mobile", "user.telephoneNumber", "user.costCenter", "user.userType",
              "user.extensionAttribute3", "user.extension_c272a57b722d4eb29bfe327874ae79cb_Office"]  # fmt: skip
SECONDS = st.sampled_from([0, 1, 3600, 86_400, 864_000, -86_400])

words = st.sampled_from(WORDS) | st.text(st.sampled_from("aAsSßıİK. "), max_size=4)
moments = st.builds(lambda s: NOW + timedelta(seconds=s), SECONDS)


def _property(label: str) -> Property:
    found = properties.find(label)
    assert found is not None, label
    return found


def _texts(subject: Property) -> st.SearchStrategy[Expr]:
    simple = [op for op in Op if op not in (Op.LE, Op.GE, Op.LT, Op.GT, Op.IN, Op.NOT_IN, Op.MATCH, Op.NOT_MATCH)]
    return st.one_of(
        st.builds(Compare, st.just(subject), st.sampled_from(simple), words),
        st.builds(Compare, st.just(subject), st.sampled_from([Op.EQ, Op.NE]), st.none()),
        st.builds(Compare, st.just(subject), st.sampled_from([Op.MATCH, Op.NOT_MATCH]), st.sampled_from(PATTERNS)),
        st.builds(
            Compare,
            st.just(subject),
            st.sampled_from([Op.IN, Op.NOT_IN]),
            st.lists(words, min_size=1, max_size=3).map(tuple),
        ),
    )


def _composed(leaves: st.SearchStrategy[Expr], max_leaves: int) -> st.SearchStrategy[Expr]:
    def combine(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        several = st.lists(inner, min_size=2, max_size=3)
        nullless = inner.filter(lambda term: not (isinstance(term, Compare) and term.value is None))
        return several.map(conjunction) | several.map(disjunction) | st.builds(Not, nullless)

    return st.recursive(leaves, combine, max_leaves=max_leaves)


def _body(*labels: str) -> st.SearchStrategy[Expr]:
    return _composed(st.one_of([_texts(_property(label)) for label in labels]), 4)


_collections = [_property("user.otherMails"), _property("user.proxyAddresses")]
_plans = _property("user.assignedPlans")
_booleans = [_property("user.accountEnabled"), _property("user.dirSyncEnabled")]
_quantifiers = st.sampled_from(Quantifier)

leaves: st.SearchStrategy[Expr] = st.one_of(
    st.sampled_from(TEXT_NAMES).map(_property).flatmap(_texts),
    st.sampled_from(_collections).flatmap(_texts),
    st.builds(Compare, st.sampled_from(_booleans), st.sampled_from([Op.EQ, Op.NE]), st.booleans() | st.none()),
    st.builds(
        Compare,
        st.just(properties.HIRE_DATE),
        st.sampled_from([Op.EQ, Op.NE, Op.LE, Op.GE, Op.LT, Op.GT]),
        moments | st.builds(Now, SECONDS.map(lambda s: timedelta(seconds=s))),
    ),
    st.builds(Quantified, st.sampled_from(_collections), _quantifiers, _body("_")),
    st.builds(
        Quantified, st.just(_plans), _quantifiers, _body("assignedPlan.service", "assignedPlan.capabilityStatus")
    ),
)
rules: st.SearchStrategy[Rule] = st.builds(
    Rule,
    _composed(leaves, 6)
    | st.builds(MemberOf, st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3).map(tuple))
    | st.builds(DirectReports, st.sampled_from(IDS)),
)

_maybe_word = st.none() | words
_plan = st.fixed_dictionaries({}, optional={"service": _maybe_word, "capabilityStatus": _maybe_word})


def _user(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


people: st.SearchStrategy[Person] = st.builds(
    Person,
    _user(
        department=_maybe_word,
        city=_maybe_word,
        mobilePhone=_maybe_word,
        businessPhones=st.lists(words, max_size=2),
        userType=st.sampled_from(["Member", "Guest", None]),
        employeeOrgData=st.none() | _user(costCenter=_maybe_word, division=_maybe_word),
        onPremisesExtensionAttributes=st.none() | _user(extensionAttribute3=_maybe_word),
        extension_c272a57b722d4eb29bfe327874ae79cb_office=_maybe_word,
        otherMails=st.lists(words, max_size=3),
        proxyAddresses=st.none() | st.lists(words, max_size=2),
        assignedPlans=st.lists(_plan, max_size=2),
        accountEnabled=st.none() | st.booleans(),
        onPremisesSyncEnabled=st.none() | st.booleans(),
        employeeHireDate=st.none() | moments | moments.map(lambda m: m.astimezone(UTC).isoformat()),
        jobTitle=_maybe_word,
    ),
    st.lists(st.sampled_from(["g1", "g2", "g4"]), max_size=2),
    st.none() | st.sampled_from(["M1", "m2", "m3"]),
)
