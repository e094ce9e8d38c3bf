"""What a list of assignments says of each of them, and what becomes of them as their person changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import MagicMock

import pytest

from services.assignment.api import rendered
from services.assignment.decide.look import Look
from services.assignment.decide.person import person_changed
from services.assignment.lists import as_listed
from services.assignment.model import Assignment, Holding, dump_assignment, public_assignment
from services.assignment.rulebook import Package, Policy, Rulebook
from shared.contracts.assignment import AssignmentKind, AssignmentStatus
from shared.contracts.base import Cause
from shared.contracts.catalog import Life
from shared.contracts.directory import PersonStatus
from shared.messaging.decision import Circumstances
from shared.storage import Database
from shared.subjects import Subjects
from tests.service.assignment import said

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:ana")
END = NOW + timedelta(days=90)
HELD = Assignment(
    "a", "crm", "p", AssignmentKind.REQUESTED, AssignmentStatus.DELIVERED, NOW, END, NOW, CAUSE, request_id="r"
)
BOOK = Rulebook(epoch=1)
BOOK.put(
    [Package("crm", "CRM", (), Life.ACTIVE)], [Policy("p", "crm", "By request", None, None, None, Life.ACTIVE, NOW)]
)


def live(**changes: Any) -> dict[str, Any]:
    one = replace(HELD, **changes)
    return rendered({"_id": "ana", "state": {"assignments": dump_assignment(one), "about": {}}})


@pytest.mark.spec("ST-2")
@pytest.mark.parametrize(
    ("changes", "state", "status"),
    [
        ({"status": AssignmentStatus.SCHEDULED}, "delivering", "Delivering"),
        ({"status": AssignmentStatus.DELIVERING}, "delivering", "Delivering"),
        ({}, "delivered", "Delivered"),
        ({"reminded": 1}, "delivered", "Delivered"),
        ({"reminded": 2}, "delivered", "NearExpiry1DayNotificationTriggered"),
        ({"reminded": 2, "ends_at": NOW + timedelta(hours=8)}, "delivered", "Delivered"),
        ({"status": AssignmentStatus.PARTIALLY_DELIVERED}, "partiallyDelivered", "PartiallyDelivered"),
        ({"status": AssignmentStatus.DELIVERY_FAILED}, "deliveryFailed", "DeliveryFailed"),
    ],
)
def test_a_live_assignment_says_how_far_it_has_come(changes: dict[str, Any], state: str, status: str) -> None:
    body = live(**changes)
    assert (body["state"], body["status"]) == (state, status)


@pytest.mark.spec("ST-2")
@pytest.mark.parametrize(("reason", "status"), [("expired", "ExpiredNotificationTriggered"), ("removed", "Expired")])
def test_an_ended_assignment_says_whether_it_was_time(reason: str, status: str) -> None:
    over = public_assignment(HELD, AssignmentStatus.EXPIRED).model_dump(mode="json", by_alias=True)
    kept = {"_id": "a", "person_id": "ana", "package_id": "crm", "assignment": over, "ended_at": END, "reason": reason}
    body = rendered(as_listed(kept))
    assert (body["state"], body["status"], body["expiredDateTime"]) == ("expired", status, "2026-04-01T00:00:00Z")


def test_the_end_of_an_assignment_is_said_in_full_whether_there_is_one_or_not() -> None:
    ends = live()["schedule"]["expiration"]
    assert ends == {"type": "afterDateTime", "endDateTime": "2026-04-01T00:00:00Z", "duration": None}
    never = live(ends_at=None)["schedule"]["expiration"]
    assert never == {"type": "noExpiration", "endDateTime": None, "duration": None}


async def test_a_subject_says_whether_their_stay_is_governed() -> None:
    subjects = Subjects(Database(MagicMock()))
    at = Circumstances(now=NOW, version=1, cause=CAUSE, context=Look(BOOK, 1))
    ana = person_changed(None, said.person("ana", 1, displayName="Ana", subjectLifecycle="governed"), at).state
    assert ana is not None
    known = await subjects.said({"ana": ana.about, "ben": {}})
    assert {id: one["subjectLifecycle"] for id, one in known.items()} == {"ana": "governed", "ben": "notDefined"}
    assert known["ana"]["onPremisesSecurityIdentifier"] is None


@pytest.mark.spec("PPL-1", "PPL-3")
def test_neither_another_department_nor_blocked_sign_in_ends_what_was_asked_for() -> None:
    def heard(holding: Holding | None, version: int, **attributes: Any) -> Holding:
        fact = said.person("ana", version, **attributes)
        at = Circumstances(now=NOW, version=1, cause=CAUSE, context=Look(BOOK, 1))
        state = person_changed(holding, fact, at).state
        assert state is not None
        return state

    holding = replace(heard(None, 1, department="Sales"), assignments={"a": HELD})
    for version, attributes in ((2, {"department": "Law"}), (3, {"accountEnabled": False})):
        holding = heard(holding, version, **attributes)
        assert holding.assignments.keys() == {"a"}
        assert holding.status is PersonStatus.ACTIVE
