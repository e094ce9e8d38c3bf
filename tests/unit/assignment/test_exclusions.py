"""What a review takes although a rule gives it: not given back by the next HR change, until the exclusion ends or is
lifted."""

from __future__ import annotations

from datetime import timedelta

from services.assignment.decide.command import obey
from services.assignment.decide.exclusion import LiftExclusion, lift
from services.assignment.decide.expiry import date_has_come
from services.assignment.decide.person import person_changed
from services.assignment.model import Holding, public
from shared.contracts.assignment import (
    AssignmentAdded,
    AssignmentCommand,
    AssignmentEnded,
    CommandObeyed,
    CommandRefused,
    EndAssignment,
    ExclusionLifted,
    PackageExcluded,
)
from shared.messaging.decision import Decision, Due
from tests.service.assignment import said
from tests.unit.assignment.test_grace import CAUSE, NOW, at, in_sales, kept, only, rules

BOOK = rules()
UNTIL = NOW + timedelta(days=90)


def denied(holding: Holding, days: float = 1, until: timedelta | None = timedelta(days=90)) -> Decision[Holding]:
    order = EndAssignment(
        assignment_id=only(holding).id, detail="Denied.", not_before=NOW + until if until is not None else None
    )
    command = AssignmentCommand(id="review-item:x", cause=CAUSE, person_id="ana", request_id="x", order=order)
    return obey(holding, command, at(BOOK, days))


def said_by(decision: Decision[Holding]) -> list[type]:
    return [type(one) for one in decision.transitions]


def test_what_a_rule_gives_is_taken_and_not_given_back_by_the_next_change() -> None:
    taken = denied(in_sales(BOOK))
    assert said_by(taken) == [CommandObeyed, AssignmentEnded, PackageExcluded]
    holding = kept(taken)
    assert not holding.assignments
    assert [(one.package_id, one.until, one.detail) for one in public(holding).exclusions] == [
        ("crm", UNTIL, "Denied.")
    ]
    assert holding.due_at == UNTIL
    changed = person_changed(holding, said.person("ana", 2, department="Sales", city="Rome"), at(BOOK, 2))
    assert AssignmentAdded not in said_by(changed)
    assert kept(changed).exclusions == holding.exclusions


def test_its_end_lets_the_rule_give_again() -> None:
    holding = kept(denied(in_sales(BOOK)))
    over = date_has_come(holding, Due("ana", UNTIL), at(BOOK, 90))
    assert said_by(over)[:2] == [ExclusionLifted, AssignmentAdded]
    assert not kept(over).exclusions


def test_it_is_lifted_by_hand_and_only_once() -> None:
    holding = kept(denied(in_sales(BOOK)))
    lifted = lift(holding, LiftExclusion("ana", "crm"), at(BOOK, 3))
    assert said_by(lifted)[:2] == [ExclusionLifted, AssignmentAdded]
    again = lift(kept(lifted), LiftExclusion("ana", "crm"), at(BOOK, 3))
    assert again.refusal is not None
    assert again.refusal.code == "exclusionNotFound"


def test_who_asks_without_a_date_is_refused_as_before() -> None:
    refused = denied(in_sales(BOOK), until=None)
    assert said_by(refused) == [CommandRefused]
    assert kept(refused).assignments


def test_the_same_command_again_changes_nothing() -> None:
    first = in_sales(BOOK)
    holding = kept(denied(first))
    order = EndAssignment(assignment_id=only(first).id, not_before=UNTIL + timedelta(days=90))
    command = AssignmentCommand(id="review-item:x", cause=CAUSE, person_id="ana", request_id="x", order=order)
    again = obey(holding, command, at(BOOK, 5))
    assert said_by(again) == [CommandObeyed]
    assert kept(again).exclusions == holding.exclusions
