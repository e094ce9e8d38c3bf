"""Ten thousand rules: a person meets only those they may match, and one rule comes and goes alone."""

import gc
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules import CandidateIndex, PatternTooSlow, Rule, RuleSet, compile, facets, next_change, parse, patterns
from shared.rules.text import MILLISECOND
from tests.unit.rules.cases import NOW, facets_of
from tests.unit.rules.strategies import people, rules

ANA = facets(
    {"department": "Department 7", "jobTitle": "Title 7", "mail": "ana@d7.org", "country": "IT", "employeeId": "7"},
    memberships=["group 7"],
)


@pytest.mark.parametrize(
    "written",
    [
        'user.department -eq "Department {n}"',
        'user.userType -eq "Member" -and user.department -eq "Department {n}" -and user.accountEnabled -eq true',
        'user.department -eq "Department {n}" -or user.jobTitle -in ["Title {n}", "Title x{n}"]',
        '-not (user.department -ne "Department {n}")',
        'user.mail -endsWith "@d{n}.org"',
        'user.department -startsWith "Department {n}" -and user.jobTitle -match "."',
        "user.memberOf -any (group.objectId -in ['group {n}'])",
        'user.country -eq "IT" -and user.employeeId -eq "{n}"',
    ],
)
def test_a_person_meets_only_the_rules_they_may_match(written: str) -> None:
    index = CandidateIndex((n, parse(written.replace("{n}", str(n)))) for n in range(300))
    assert index.candidates(ANA) == {7}


@pytest.mark.parametrize(
    "written", ['user.department -ne "x{n}"', 'user.city -contains "x{n}"', 'user.city -match "x{n}"']
)
def test_a_rule_that_requires_no_value_is_checked_for_everyone(written: str) -> None:
    index = CandidateIndex((n, parse(written.replace("{n}", str(n)))) for n in range(3))
    assert set(index.always_checked) == index.candidates(ANA) == {0, 1, 2}


@pytest.mark.parametrize(
    "written",
    [
        'user.city -eq "Rome" -and user.department -eq "Department {n}"',
        'user.city -eq "Rome" -and user.department -in ["Department {n}", "Department x{n}"]',
        'user.city -eq "Rome" -and (user.department -eq "Department {n}" -or user.jobTitle -eq "Title x{n}")',
    ],
)
def test_a_value_that_many_rules_name_is_not_what_they_are_filed_under(written: str) -> None:
    index = CandidateIndex((n, parse(written.replace("{n}", str(n)))) for n in range(300))
    roman = facets({"department": "Department 7", "jobTitle": "Title 7", "city": "Rome"})
    assert 7 in index.candidates(roman)
    assert len(index.candidates(roman)) <= 5


def steps_of(work: Callable[[], object]) -> int:
    """How many bytecode lines and calls `work` takes: a clock that no busy machine disturbs."""
    count = 0

    def tracer(*_: object) -> object:
        nonlocal count
        count += 1
        return tracer

    before = sys.gettrace()
    gc.disable()  # what it calls back would count
    sys.settrace(tracer)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def test_ten_thousand_rules_cost_a_person_no_more_steps_than_ten() -> None:
    def book(size: int) -> RuleSet[int]:
        texts = ('user.department -eq "Department {n}"', 'user.jobTitle -eq "Title {n}" -and user.city -eq null')
        known = [parse(texts[n % 2].replace("{n}", str(n))) for n in range(10)]
        other = parse('user.department -eq "elsewhere" -or user.jobTitle -startsWith "elsewhere"')
        return RuleSet((n, known[n] if n < 10 else other) for n in range(size))

    few, many = book(11), book(10_000)
    assert few.matches(ANA, NOW) == many.matches(ANA, NOW) == {7}
    assert steps_of(lambda: many.matches(ANA, NOW)) <= 1.1 * steps_of(lambda: few.matches(ANA, NOW))


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 4), st.none() | rules), max_size=12), person=people)
def test_rules_put_replaced_and_removed_leave_what_a_fresh_index_would_have(steps, person) -> None:
    lived: RuleSet[int] = RuleSet()
    now_there: dict[int, Rule] = {}
    for number, rule in steps:
        if rule is None:
            lived.remove(number)
            now_there.pop(number, None)
        else:
            lived.put(number, rule)
            now_there[number] = rule
    fresh = RuleSet(now_there.items())
    assert fresh.matches(facets_of(person), NOW) <= lived.index.candidates(facets_of(person))
    assert lived.matches(facets_of(person), NOW) == fresh.matches(facets_of(person), NOW)
    assert dict.fromkeys(lived) == dict.fromkeys(now_there)
    for number in list(now_there):
        lived.remove(number)
    assert lived.index._equal == lived.index._affix == lived.index._always == {}  # nothing is left lying about


def test_a_pattern_that_explodes_leaves_the_verdict_open_and_the_other_rules_alone(monkeypatch) -> None:
    monkeypatch.setattr(patterns, "problem", lambda _: None)  # as if the trial had not found it
    slow = parse('user.displayName -match "(a|aa)+$"')
    person = facets({"displayName": "a" * 60 + "!", "department": "Sales"})
    with pytest.raises(PatternTooSlow):
        compile(slow)(person, NOW)
    book = RuleSet([("slow", slow), ("sales", parse('user.department -eq "Sales"'))])
    undecided: set[str] = set()
    assert book.matches(person, NOW, undecided) == {"sales"}
    assert undecided == {"slow"}


def test_the_next_change_of_many_rules_is_the_earliest() -> None:
    hired = facets({"employeeHireDate": (NOW + timedelta(days=10)).isoformat()})
    book = RuleSet(
        [
            ("a week before", parse("user.employeeHireDate -le system.now -plus p1w")),
            ("on the day", parse("user.employeeHireDate -le system.now")),
            ("whenever", parse("user.employeeHireDate -ne null")),
        ]
    )
    assert book.next_change(hired, NOW) == NOW + timedelta(days=3)
    assert book.next_change(hired, NOW + timedelta(days=3)) == NOW + timedelta(days=10)
    assert book.next_change(hired, NOW + timedelta(days=10)) is None


@pytest.mark.parametrize(
    ("op", "turns"),
    [
        ("ge", [MILLISECOND]),  # hired at or after now: until the very moment, no longer one step later
        ("gt", [timedelta()]),
        ("le", [timedelta()]),
        ("lt", [MILLISECOND]),
        ("eq", [timedelta(), MILLISECOND]),
        ("ne", [timedelta(), MILLISECOND]),
    ],
)
def test_a_verdict_turns_when_now_reaches_the_shifted_hire_date(op: str, turns: list[timedelta]) -> None:
    meeting = NOW + timedelta(days=3)
    hired = facets({"employeeHireDate": (meeting + timedelta(days=7)).isoformat()})
    rule = parse(f"user.employeeHireDate -{op} system.now -plus p1w")
    moment, seen = NOW, []
    while (turn := next_change(rule, hired, moment)) is not None:
        seen.append(turn)
        moment = turn
    assert seen == [meeting + turn for turn in turns]
