"""What a request says of what it is about."""

from __future__ import annotations

from datetime import UTC, datetime

from services.request import graph
from services.request.decide.scene import Held
from shared.contracts.assignment import AssignmentStatus
from shared.contracts.catalog import PolicyState
from shared.contracts.policy import Answer
from tests.unit.request.test_in_vain import PENDING

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_policy_is_described_where_it_is_expanded() -> None:
    state = PolicyState(
        id="p", package_id="crm", display_name="By request", description="For all.", created_at=NOW, modified_at=NOW
    )
    assert graph.policy_said(state.model_dump(mode="json", by_alias=False)) == {
        "id": "p",
        "displayName": "By request",
        "description": "For all.",
        "createdDateTime": "2026-01-01T00:00:00Z",
        "modifiedDateTime": "2026-01-01T00:00:00Z",
    }


def test_an_assignment_that_is_live_says_how_far_it_is_where_it_is_expanded() -> None:
    held = Held("a", "crm", "p", "requested", AssignmentStatus.SCHEDULED, NOW, None)
    said = graph.request_said(PENDING, {"assignment"}, graph.Names(held={PENDING.assignment_id: held}))["assignment"]
    assert said == {
        "id": PENDING.assignment_id,
        "state": "delivering",
        "status": "Delivering",
        "expiredDateTime": None,
        "schedule": {
            "startDateTime": "2026-01-01T00:00:00Z",
            "recurrence": None,
            "expiration": {"type": "noExpiration", "endDateTime": None, "duration": None},
        },
        "customExtensionCalloutInstances": [],
    }
    unknown = graph.request_said(PENDING, {"assignment"}, graph.NO_NAMES)["assignment"]
    assert unknown.keys() == said.keys()
    assert (unknown["id"], unknown["state"], unknown["schedule"]) == (PENDING.assignment_id, None, None)
    ended = graph.request_said(PENDING.having(made=True), {"assignment"}, graph.NO_NAMES)["assignment"]
    assert ended == {**unknown, "state": "expired", "status": "Expired"}


def test_an_answer_says_of_what_type_its_question_was() -> None:
    answers = [
        Answer(question_id=str(kind), value="x", question="Why?", of_choices=kind) for kind in (None, False, True)
    ]
    said = graph.request_said(PENDING.having(answers=tuple(answers)), set(), graph.NO_NAMES)["answers"]
    assert [one["answeredQuestion"].get("@odata.type") for one in said] == [
        None,
        "#microsoft.graph.accessPackageTextInputQuestion",
        "#microsoft.graph.accessPackageMultipleChoiceQuestion",
    ]
