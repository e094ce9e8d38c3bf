"""The table of cases, and random people and rules: all readers say what the plain reference says."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rules import CandidateIndex, RuleSet, compile, next_change, parse, unparse
from shared.rules.text import MILLISECOND
from tests.unit.rules import reference
from tests.unit.rules.cases import CASES, NOW, Case, facets_of
from tests.unit.rules.reference import Person
from tests.unit.rules.strategies import moments, people, rules


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.spec(
    "RUL-2",
    "RUL-3",
    "RUL-4",
    "RUL-5",
    "RUL-6",
    "RUL-7",
    "RUL-8",
    "RUL-9",
    "RUL-11",
    "RUL-12",
    "RUL-13",
    "RUL-14",
    "RUL-15",
    "RUL-16",
)
def test_a_case_means_what_the_table_says(case: Case) -> None:
    rule = parse(case.rule)
    verdict, index = compile(rule), CandidateIndex([("it", rule)])
    assert {n for n, p in case.people.items() if reference.matches(rule.root, p, case.now)} == case.matches
    assert {n for n, p in case.people.items() if verdict(facets_of(p), case.now)} == case.matches
    assert {n for n, p in case.people.items() if index.candidates(facets_of(p))} >= case.matches
    assert parse(unparse(rule)) == rule


@pytest.mark.spec("RUL-10")
@pytest.mark.parametrize(
    ("named", "property"),
    [
        *(
            (name, name)
            for name in (
                "city",
                "companyName",
                "country",
                "department",
                "displayName",
                "employeeId",
                "givenName",
                "jobTitle",
                "mail",
                "onPremisesDistinguishedName",
                "onPremisesSecurityIdentifier",
                "passwordPolicies",
                "postalCode",
                "preferredLanguage",
                "sipProxyAddress",
                "state",
                "streetAddress",
                "surname",
                "usageLocation",
                "userPrincipalName",
                "faxNumber",
                "mobilePhone",
                "officeLocation",
                "id",
            )
        ),
        ("facsimileTelephoneNumber", "faxNumber"),
        ("mailNickName", "mailNickname"),
        ("mobile", "mobilePhone"),
        ("objectId", "id"),
        ("physicalDeliveryOfficeName", "officeLocation"),
    ],
)
def test_each_text_of_a_user_can_be_asked_about_by_either_name(named: str, property: str) -> None:
    verdict = compile(parse(f'user.{named} -eq "Value"'))
    assert verdict(facets_of(Person.of({property: "value"})), NOW)
    assert not verdict(facets_of(Person.of({property: "another"})), NOW)


@pytest.mark.spec("RUL-10")
def test_phones_and_the_type_of_a_user_can_be_asked_about() -> None:
    for named in ("telephoneNumber", "businessPhones"):
        assert compile(parse(f'user.{named} -eq "1"'))(facets_of(Person.of({"businessPhones": ["1"]})), NOW)
    guest = facets_of(Person.of({"userType": "Guest"}))
    assert compile(parse('user.userType -eq "guest"'))(guest, NOW)
    assert not compile(parse('user.userType -eq "Member"'))(guest, NOW)


@settings(max_examples=400, deadline=None)
@given(rule=rules, crowd=st.lists(people, min_size=1, max_size=6))
def test_evaluating_agrees_with_the_reference(rule, crowd: list[Person]) -> None:
    verdict = compile(rule)
    for person in crowd:
        assert verdict(facets_of(person), NOW) is reference.matches(rule.root, person, NOW)


@settings(max_examples=200, deadline=None)
@given(book=st.lists(rules, min_size=1, max_size=8), crowd=st.lists(people, min_size=1, max_size=4))
def test_whoever_matches_a_rule_has_it_among_the_candidates(book, crowd: list[Person]) -> None:
    index = CandidateIndex(enumerate(book))
    ruleset = RuleSet(enumerate(book))
    for person in crowd:
        matching = {number for number, rule in enumerate(book) if reference.matches(rule.root, person, NOW)}
        assert index.candidates(facets_of(person)) >= matching
        assert ruleset.matches(facets_of(person), NOW) == matching


@settings(max_examples=400, deadline=None)
@given(rules)
def test_a_rule_written_out_and_parsed_again_is_the_same_rule(rule) -> None:
    assert parse(unparse(rule)) == rule


@settings(max_examples=200, deadline=None)
@given(rule=rules, person=people, now=moments)
def test_between_now_and_the_next_change_time_alone_changes_nothing(rule, person: Person, now) -> None:
    facets, verdict = facets_of(person), compile(rule)
    turn = next_change(rule, facets, now)
    probes = [now + timedelta(hours=hours) for hours in range(0, 24 * 25, 12)]
    if turn is None:
        assert len({verdict(facets, probe) for probe in probes}) == 1
    else:
        assert turn > now
        assert verdict(facets, turn) is not verdict(facets, now)
        assert verdict(facets, max(now, turn - MILLISECOND)) is verdict(facets, now)
        assert all(verdict(facets, probe) is verdict(facets, now) for probe in probes if probe < turn)
