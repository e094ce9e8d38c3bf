"""What automatic policies leave in place: for a grace period, or for good; and what they do not give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.assignment.decide.direct import EndAssignment, end_assignment
from services.assignment.decide.expiry import date_has_come
from services.assignment.decide.look import Look
from services.assignment.decide.person import person_changed
from services.assignment.decide.rules import Decide, decide_person
from services.assignment.model import Assignment, Holding, dump, load
from services.assignment.rulebook import Package, Policy, Rulebook
from shared.contracts.assignment import (
    AssignmentEnded,
    AssignmentEndsSoon,
    AssignmentMoved,
    EndReason,
)
from shared.contracts.base import Cause
from shared.contracts.catalog import Life
from shared.contracts.directory import PersonStatus
from shared.messaging.decision import Circumstances, Decision, Due
from tests.service.assignment import said

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="source:hr")
WEEK = timedelta(days=7)


def rules(*, gives: bool = True, takes: bool = True, grace: timedelta | None = None) -> Rulebook:
    book = Rulebook(epoch=1)
    rule = 'user.department -eq "Sales"'
    book.put(
        [Package("crm", "CRM", (), Life.ACTIVE)],
        [Policy("p", "crm", "Sales", rule, None, None, Life.ACTIVE, NOW, None, gives, takes, grace)],
    )
    return book


def at(book: Rulebook, days: float = 0, *, degraded: bool = False) -> Circumstances[Look]:
    now = NOW + timedelta(days=days)
    return Circumstances(now=now, version=1, cause=CAUSE, context=Look(book, book.epoch), degraded=degraded)


def kept(decision: Decision[Holding]) -> Holding:
    assert decision.state is not None
    assert load(dump(decision.state)) == decision.state
    return decision.state


def only(holding: Holding) -> Assignment:
    (one,) = holding.assignments.values()
    return one


def in_sales(book: Rulebook) -> Holding:
    return kept(person_changed(None, said.person("ana", department="Sales"), at(book)))


def moved_to_law(holding: Holding, circumstances: Circumstances[Look]) -> Decision[Holding]:
    return person_changed(holding, said.person("ana", 2, department="Law"), circumstances)


@pytest.mark.spec("AUT-7")
def test_access_stays_for_the_grace_period_and_its_end_is_announced() -> None:
    book = rules(grace=WEEK)
    left = moved_to_law(in_sales(book), at(book, 1))
    assert [type(one) for one in left.transitions] == [AssignmentMoved]
    holding = kept(left)
    assert only(holding).ends_at == NOW + timedelta(days=8)
    assert holding.due_at == NOW + timedelta(days=7), "the reminder one day before"
    reminded = date_has_come(holding, Due("ana", holding.due_at), at(book, 7))
    assert [type(one) for one in reminded.transitions] == [AssignmentEndsSoon]
    holding = kept(reminded)
    assert holding.due_at == NOW + timedelta(days=8)
    over = date_has_come(holding, Due("ana", holding.due_at), at(book, 8))
    (ended,) = over.transitions
    assert isinstance(ended, AssignmentEnded)
    assert (ended.reason, "grace period is over" in ended.detail) == (EndReason.NO_LONGER_MATCHES, True)
    assert kept(over).due_at is None


def test_matching_again_calls_the_end_off_and_the_assignment_is_the_same() -> None:
    book = rules(grace=WEEK)
    before = in_sales(book)
    holding = kept(moved_to_law(before, at(book, 1)))
    back = kept(person_changed(holding, said.person("ana", 3, department="Sales"), at(book, 5)))
    assert back.assignments == before.assignments
    assert back.due_at is None


def test_an_end_that_was_set_stays_though_the_grace_period_changes_and_goes_with_it() -> None:
    holding = kept(moved_to_law(in_sales(rules(grace=WEEK)), at(rules(grace=WEEK), 1)))
    longer = kept(decide_person(holding, Decide("ana"), at(rules(grace=4 * WEEK), 2)))
    assert only(longer).ends_at == NOW + timedelta(days=8)
    assert not kept(decide_person(holding, Decide("ana"), at(rules(), 2))).assignments


@pytest.mark.parametrize("status", [PersonStatus.LEFT, PersonStatus.EXPECTED])
@pytest.mark.parametrize("takes", [True, False])
def test_whoever_leaves_keeps_nothing(status: PersonStatus, takes: bool) -> None:
    book = rules(grace=WEEK, takes=takes)
    gone = person_changed(in_sales(book), said.person("ana", 2, status, department="Sales"), at(book, 1))
    assert not kept(gone).assignments


@pytest.mark.spec("AUT-6")
def test_a_rule_that_takes_nothing_leaves_access_until_it_is_taken_by_hand() -> None:
    book = rules(takes=False)
    holding = in_sales(book)
    id = only(holding).id
    refused = end_assignment(holding, EndAssignment(id, "ana"), at(book, 1))
    assert refused.refusal is not None
    assert refused.refusal.code == "assignedByRule"
    left = kept(moved_to_law(holding, at(book, 1)))
    assert (only(left).id, only(left).ends_at, left.due_at) == (id, None, None)
    assert not kept(end_assignment(left, EndAssignment(id, "ana"), at(book, 2))).assignments


def test_a_rule_that_begins_to_take_grants_the_grace_period_from_then_on() -> None:
    holding = kept(moved_to_law(in_sales(rules(takes=False)), at(rules(takes=False), 1)))
    later = kept(decide_person(holding, Decide("ana"), at(rules(grace=WEEK), 300)))
    assert only(later).ends_at == NOW + timedelta(days=307)


@pytest.mark.spec("AUT-6")
def test_a_rule_that_gives_nothing_keeps_what_it_gave_and_adds_nobody() -> None:
    book = rules(gives=False)
    assert not in_sales(book).assignments
    given = in_sales(rules())
    assert kept(decide_person(given, Decide("ana"), at(book, 1))).assignments == given.assignments


def test_another_rule_goes_on_with_it_only_if_it_would_give_it() -> None:
    book = rules()
    for gives in (False, True):
        other = Policy("q", "crm", "Law", 'user.department -eq "Law"', None, None, Life.ACTIVE, NOW, None, gives)
        book.put((), [other])
        held = kept(moved_to_law(in_sales(rules()), at(book, 1))).assignments.values()
        assert [one.policy_id for one in held] == (["q"] if gives else [])


def test_a_grace_period_that_is_over_takes_nothing_while_a_dead_letter_may_speak_against_it() -> None:
    book = rules(grace=WEEK)
    holding = kept(moved_to_law(in_sales(book), at(book, 1)))
    held_back = kept(date_has_come(holding, Due("ana", NOW), at(book, 8, degraded=True)))
    assert held_back.assignments
    assert held_back.due_at is not None
    assert held_back.due_at > NOW + timedelta(days=8), "looked at again, not at once"
    assert not kept(date_has_come(held_back, Due("ana", NOW), at(book, 9))).assignments


def test_what_somebody_says_of_themself_gives_them_nothing_until_a_source_says_it_too() -> None:
    book = rules()
    fact = said.person("ana", department="Sales")
    says_so = fact.model_copy(update={"state": fact.state.model_copy(update={"answered": ("department",)})})
    holding = kept(person_changed(None, says_so, at(book)))
    assert not holding.assignments
    assert kept(person_changed(holding, said.person("ana", 2, department="Sales"), at(book, 1))).assignments
