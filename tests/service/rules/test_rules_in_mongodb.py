"""The third reader on a real mongod: filters over stored facets find whom the evaluator says, or more if not exact."""

from collections.abc import Iterator
from typing import Any

import pytest
from bson import BSON
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.collection import Collection

from deploy.embedded import Servers
from shared.rules import Rule, compile, parse, to_mongo
from tests.unit.rules import reference
from tests.unit.rules.cases import CASES, NOW, Case, facets_of
from tests.unit.rules.reference import Person
from tests.unit.rules.strategies import people, rules

REUSED = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def stored(servers: Servers) -> Iterator[Collection[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](servers.endpoints.mongo) as client:
        yield client["rules"]["people"]
        client.drop_database("rules")


def store(stored: Collection[dict[str, Any]], crowd: dict[str, Person]) -> None:
    stored.delete_many({})
    stored.insert_many([{"_id": name, "facets": facets_of(person)} for name, person in crowd.items()])


def found(stored: Collection[dict[str, Any]], query: dict[str, Any]) -> set[str]:
    return {person["_id"] for person in stored.find(query, {"_id": 1})}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_means_the_same_in_mongodb(stored: Collection[dict[str, Any]], case: Case) -> None:
    rule = parse(case.rule)
    store(stored, case.people)
    query, exact = to_mongo(rule, case.now)
    hits = found(stored, query)
    assert hits == case.matches if exact else hits >= case.matches


@REUSED
@given(book=st.lists(rules, min_size=1, max_size=6), crowd=st.lists(people, min_size=1, max_size=8))
def test_filters_agree_with_the_reference(stored, book: list[Rule], crowd: list[Person]) -> None:
    named = {str(number): person for number, person in enumerate(crowd)}
    store(stored, named)
    for rule in book:
        query, exact = to_mongo(rule, NOW)
        hits = found(stored, query)
        matching = {name for name, person in named.items() if reference.matches(rule.root, person, NOW)}
        assert hits == matching if exact else hits >= matching


@REUSED
@given(rule=rules, crowd=st.lists(people, min_size=1, max_size=8))
def test_the_evaluator_reads_stored_facets_as_well_as_fresh_ones(stored, rule: Rule, crowd: list[Person]) -> None:
    verdict = compile(rule)
    for person in crowd:
        fresh = facets_of(person)
        read_back: dict[str, Any] = BSON.encode(fresh).decode()  # whose dates have no zone
        assert verdict(read_back, NOW) is verdict(fresh, NOW)


@pytest.mark.parametrize(
    "text",
    [
        'user.department -eq "Sales"',
        'user.department -in ["Sales", "IT"]',
        'user.department -startsWith "Sa"',
        'user.department -match "^Sales"',
        'user.department -eq "Sales" -and user.jobTitle -match "[xyz]+"',
    ],
)
def test_an_index_on_a_facet_finds_the_people_of_a_rule(stored: Collection[dict[str, Any]], text: str) -> None:
    store(stored, {str(n): Person({"department": f"Sales {n}", "jobTitle": "x"}) for n in range(50)})
    stored.create_index("facets.department")
    plan = stored.find(to_mongo(parse(text), NOW).filter).explain()["queryPlanner"]["winningPlan"]
    assert "'IXSCAN'" in str(plan)
    assert "'COLLSCAN'" not in str(plan)


def test_the_deepest_rule_and_the_longest_list_are_accepted_by_mongodb(stored: Collection[dict[str, Any]]) -> None:
    deep = 'user.city -eq "a"'
    for level in range(15):
        deep = f'({deep} {"-and" if level % 2 else "-or"} user.city -eq "b") -and -not (user.city -eq "c")'
    found(stored, to_mongo(parse(deep), NOW).filter)
    found(stored, to_mongo(parse(" -or ".join(f'user.city -eq "{n}"' for n in range(115))), NOW).filter)
