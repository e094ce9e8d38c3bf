"""Reprocessing an assignment: every role that is due is asked for anew, and nothing else moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.assignment.decide.direct import AssignDirectly, assign_directly
from services.assignment.decide.look import Look
from services.assignment.decide.reprocess import Reprocess, reprocess
from services.assignment.model import Holding, dump, load, role_of
from services.assignment.rulebook import Package, Policy, Rulebook
from shared.contracts.assignment import AssignmentProgressed, AssignmentStatus, GrantGiven
from shared.contracts.base import Cause
from shared.contracts.catalog import Life
from shared.contracts.directory import PersonStatus
from shared.contracts.provisioning import DeliveryStatus
from shared.messaging.decision import Circumstances

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
ROLES = tuple(role_of("AadGroup", f"g{n}", "Member", "") for n in range(2))


def _rules() -> Rulebook:
    book = Rulebook(epoch=1)
    packages = [
        Package("sales", "Sales", tuple((role.key, role) for role in ROLES), Life.ACTIVE),
        Package(
            "other",
            "Other",
            ((role_of("AadGroup", "g9", "Member", "").key, role_of("AadGroup", "g9", "Member", "")),),
            Life.ACTIVE,
        ),
    ]
    book.put(packages, [Policy(f"p-{one.id}", one.id, one.id, None, None, None, Life.ACTIVE, NOW) for one in packages])
    return book


RULES = _rules()


def at(version: int) -> Circumstances[Look]:
    return Circumstances(now=NOW, version=version, cause=CAUSE, context=Look(RULES, 1))


def holding(delivery: DeliveryStatus | None = DeliveryStatus.DELIVERED) -> Holding:
    """Ana with both packages; `delivery`: how far each grant is."""
    state = Holding("ana", PersonStatus.ACTIVE)
    for number, package in enumerate(("sales", "other"), 1):
        asked = AssignDirectly(f"a-{package}", "ana", package, f"p-{package}")
        state = assign_directly(state, asked, at(number)).state or state
    status = {None: AssignmentStatus.DELIVERING, DeliveryStatus.FAILED: AssignmentStatus.DELIVERY_FAILED}
    return state.having(
        grants={key: replace(one, delivery=delivery) for key, one in state.grants.items()},
        assignments={
            id: replace(one, status=status.get(delivery, AssignmentStatus.DELIVERED))
            for id, one in state.assignments.items()
        },
    )


@pytest.mark.parametrize("delivery", [DeliveryStatus.DELIVERED, DeliveryStatus.FAILED])
def test_every_role_of_it_is_asked_for_anew(delivery: DeliveryStatus) -> None:
    before = holding(delivery)
    decision = reprocess(before, Reprocess("a-sales", "ana"), at(7))
    assert decision.state is not None
    assert load(dump(decision.state)) == decision.state
    given = [one for one in decision.transitions if isinstance(one, GrantGiven)]
    assert [(one.role.key, one.version) for one in given] == [(role.key, 7) for role in ROLES]
    assert [type(one) for one in decision.transitions[2:]] == [AssignmentProgressed]
    assert decision.state.assignments["a-sales"].status is AssignmentStatus.DELIVERING
    assert decision.state.assignments["a-other"] == before.assignments["a-other"]
    for key in set(before.grants) - {role.key for role in ROLES}:
        assert decision.state.grants[key] == before.grants[key]


def test_nothing_is_due_to_the_suspended() -> None:
    away = holding().having(
        status=PersonStatus.SUSPENDED,
        grants={key: replace(one, deliver=False) for key, one in holding().grants.items()},
    )
    decision = reprocess(away, Reprocess("a-sales", "ana"), at(7))
    assert (decision.state, decision.transitions, decision.refusal) == (away, (), None)


@pytest.mark.parametrize("id", ["a-sales", "a-gone"])
def test_what_is_on_its_way_or_over_is_refused(id: str) -> None:
    before = holding(None)
    decision = reprocess(before, Reprocess(id, "ana"), at(7))
    assert decision.refusal is not None
    assert decision.refusal.code == "assignmentNotDelivered"
    assert decision.state is before
