"""What requests ask of assignment: made, changed, ended, or refused; always answered, and a repeat revives nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.assignment.decide.command import obey
from services.assignment.decide.expiry import date_has_come
from services.assignment.decide.look import Look
from services.assignment.model import Holding, dump, load, role_of
from services.assignment.rulebook import Package, Policy, Rulebook
from shared.contracts.assignment import (
    AddAssignment,
    AssignmentCommand,
    AssignmentMoved,
    AssignmentStatus,
    ChangeAssignment,
    CommandObeyed,
    CommandRefused,
    DeliverAgain,
    EndAssignment,
    GrantGiven,
    Order,
)
from shared.contracts.base import Cause
from shared.contracts.catalog import Life
from shared.contracts.directory import PersonStatus
from shared.contracts.provisioning import DeliveryStatus
from shared.messaging.decision import Circumstances, Decision, Due

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(id="request:r", correlation="http:1", actor="person:ana")
ROLE = role_of("AadGroup", "g", "Member", "Group")
ANA = Holding("ana", PersonStatus.ACTIVE)
ADD = AddAssignment(
    assignment_id="a", package_id="sales", policy_id="p-sales", kind="requested", lasts=timedelta(days=90)
)


def _rules() -> Rulebook:
    book = Rulebook(epoch=1)
    packages = [
        Package("sales", "Sales", ((ROLE.key, ROLE),), Life.ACTIVE),
        Package("audit", "Audit", (), Life.ACTIVE, frozenset({"sales"})),
    ]
    policies = [Policy(f"p-{one.id}", one.id, one.id, None, None, None, Life.ACTIVE, NOW) for one in packages]
    book.put(packages, policies)
    return book


RULES = _rules()


def obeyed(
    holding: Holding | None, order: Order, *, ended: frozenset[str] = frozenset(), days: int = 0
) -> Decision[Holding]:
    command = AssignmentCommand(id="c", cause=CAUSE, person_id="ana", request_id="r", order=order)
    at = Circumstances(now=NOW + timedelta(days=days), version=5, cause=CAUSE, context=Look(RULES, 1, ended))
    return obey(holding, command, at)


def having(decision: Decision[Holding]) -> Holding:
    assert decision.state is not None
    assert load(dump(decision.state)) == decision.state
    return decision.state


def answer(decision: Decision[Holding]) -> CommandObeyed | CommandRefused:
    (one,) = [one for one in decision.transitions if isinstance(one, CommandObeyed | CommandRefused)]
    assert (one.command_id, one.request_id) == ("c", "r")
    return one


def test_what_would_end_after_the_last_date_ends_with_it() -> None:
    late = ADD.model_copy(update={"starts_at": datetime(9999, 12, 1, tzinfo=UTC)})
    assert having(obeyed(ANA, late)).assignments["a"].ends_at == datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)


def test_what_is_asked_for_is_held_for_as_long_as_was_worked_out_and_names_its_request() -> None:
    holding = having(obeyed(ANA, ADD))
    one = holding.assignments["a"]
    assert (one.ends_at, one.request_id, one.kind.value) == (NOW + timedelta(days=90), "r", "requested")
    assert holding.grants[ROLE.key].deliver


@pytest.mark.parametrize("where", ["held", "ended in the holding", "ended in the history"])
def test_a_repeated_command_is_answered_and_revives_nothing(where: str) -> None:
    held = having(obeyed(ANA, ADD))
    over = having(obeyed(held, EndAssignment(assignment_id="a")))
    match where:
        case "held":
            decision = obeyed(held, ADD)
        case "ended in the holding":
            decision = obeyed(over, ADD)
        case _:
            decision = obeyed(ANA, ADD, ended=frozenset({"a"}))
    said = answer(decision)
    assert isinstance(said, CommandObeyed)
    assert said.already
    assert set(having(decision).assignments) == ({"a"} if where == "held" else set())


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (ADD.model_copy(update={"assignment_id": "b"}), "alreadyHeld"),
        (ADD.model_copy(update={"assignment_id": "b", "package_id": "audit", "policy_id": "p-audit"}),
         "incompatibleAccessPackage"),
        (ADD.model_copy(update={"assignment_id": "b", "package_id": "none"}), "packageNotFound"),
        (ChangeAssignment(assignment_id="z", ends_at=None), "assignmentNotFound"),
        (ChangeAssignment(assignment_id="a", ends_at=NOW), "endsBeforeStart"),
        (DeliverAgain(assignment_id="z"), "assignmentNotFound"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_and_changes_nothing(order: Order, code: str) -> None:
    held = having(obeyed(ANA, ADD))
    decision = obeyed(held, order)
    said = answer(decision)
    assert isinstance(said, CommandRefused)
    assert said.reason.code == code
    assert having(decision) == held


def test_whoever_is_not_known_or_has_left_is_refused_and_the_answer_is_kept() -> None:
    for holding in (None, replace(ANA, status=None), replace(ANA, status=PersonStatus.LEFT)):
        decision = obeyed(holding, ADD)
        assert isinstance(answer(decision), CommandRefused)
        assert having(decision).assignments == {}


def test_an_extension_moves_the_end_and_the_old_one_is_forgotten() -> None:
    held = having(obeyed(ANA, ADD))
    later = NOW + timedelta(days=180)
    decision = obeyed(held, ChangeAssignment(assignment_id="a", ends_at=later), days=89)
    assert any(isinstance(one, AssignmentMoved) for one in decision.transitions)
    extended = having(decision)
    assert extended.assignments["a"].ends_at == later
    at: Circumstances[Any] = Circumstances(now=NOW + timedelta(days=90), version=6, cause=CAUSE, context=Look(RULES, 1))
    after = date_has_come(extended, Due("ana", at.now), at).state
    assert after is not None
    assert "a" in after.assignments


def test_what_starts_later_is_scheduled_and_counts_for_separation_of_duties() -> None:
    held = having(obeyed(ANA, ADD.model_copy(update={"starts_at": NOW + timedelta(days=9)})))
    assert held.assignments["a"].status is AssignmentStatus.SCHEDULED
    other = ADD.model_copy(update={"assignment_id": "b", "package_id": "audit", "policy_id": "p-audit"})
    assert isinstance(answer(obeyed(held, other)), CommandRefused)


def test_another_try_asks_for_what_is_not_delivered_under_a_newer_version() -> None:
    held = having(obeyed(ANA, ADD))
    (key,) = held.grants
    failed = held.having(grants={key: replace(held.grants[key], delivery=DeliveryStatus.FAILED, version=2)})
    decision = obeyed(failed, DeliverAgain(assignment_id="a"))
    assert having(decision).grants[key].version == 5
    assert any(isinstance(one, GrantGiven) and one.version == 5 for one in decision.transitions)
