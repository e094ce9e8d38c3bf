"""Who hears of requests, and of which of their turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notification.asked import to_approvers, to_requestor
from services.notification.model import Channel, Event, dump, load
from shared.contracts.approval import (
    ApprovalEnded,
    ApprovalFact,
    ApprovalState,
    ApproversChanged,
    ApproversReminded,
    Outcome,
    ReviewResult,
    StageDecided,
    StageEscalated,
    StageStarted,
    StageState,
    StageStatus,
    StageTimedOut,
)
from shared.contracts.base import Cause, Refusal
from shared.contracts.request import (
    RequestApproved,
    RequestCanceled,
    RequestDeliveryFailed,
    RequestDenied,
    RequestExpired,
    RequestFact,
    RequestState,
    RequestStatus,
    RequestSubmitted,
    RequestType,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = NOW + timedelta(days=14)
CAUSE = Cause(id="c", correlation="c", actor="person:ana")
NO = Refusal(code="denied", message="Not in your team.")
GONE = Refusal(code="packageNotFound", message="The package is there no longer.")


def approval(*transitions: Any) -> ApprovalFact:
    stage = StageState(id="s", status=StageStatus.IN_PROGRESS, approvers=("boss", "eva"), expires_at=UNTIL)
    state = ApprovalState(id="r", person_id="ana", requestor_id="ana", package_id="p", policy_id="o", stages=(stage,))
    return ApprovalFact(
        id="approval:r:1", cause=CAUSE, subject="r", version=1, at=NOW, transitions=transitions, state=state
    )


def request(transition: Any, type: RequestType = RequestType.USER_ADD, requestor: str | None = "ana") -> RequestFact:
    state = RequestState(
        id="r", type=type, status=RequestStatus.DENIED, person_id="dan", requestor_id=requestor, package_id="p",
        policy_id="o", policy_version=1, assignment_id="a", created_at=NOW,
    )  # fmt: skip
    return RequestFact(
        id="request:r:2", cause=CAUSE, subject="r", version=2, at=NOW, transitions=(transition,), state=state
    )


@pytest.mark.parametrize(
    ("transition", "told"),
    [
        (StageStarted(stage_id="s", number=1, approvers=("boss", "eva"), expires_at=UNTIL), {"boss", "eva"}),
        (StageEscalated(stage_id="s", number=1, approvers=("eva",)), {"eva"}),
        (ApproversChanged(stage_id="s", added=("eva",), removed=("dan",)), {"eva"}),
        (ApproversReminded(stage_id="s", number=1, approvers=("boss",)), {"boss"}),
    ],
)
def test_whoever_is_newly_asked_is_told_by_each_channel_until_when(transition: Any, told: set[str]) -> None:
    found = to_approvers(approval(transition), NOW)
    assert {(one.recipient, one.channel) for one in found} == {(id, channel) for id in told for channel in Channel}
    assert all(one.items[0].ends_at == UNTIL and one.items[0].request_id == "r" for one in found)
    assert [one.id for one in to_approvers(approval(transition), NOW)] == [one.id for one in found]
    assert [load(dump(one)) for one in found] == found


@pytest.mark.spec("ML-1")
def test_a_decision_and_a_lapse_are_told_to_approvers_and_alternates_and_who_decided_and_why() -> None:
    decided = StageDecided(
        stage_id="s", number=2, result=ReviewResult.DENIED, by="boss", justification="No.", concerned=("boss", "eva")
    )
    found = to_approvers(approval(decided, ApprovalEnded(outcome=Outcome.DENIED)), NOW)
    assert {(one.recipient, one.event) for one in found} == {
        ("boss", Event.APPROVAL_DECIDED),
        ("eva", Event.APPROVAL_DECIDED),
    }
    item = found[0].items[0]
    assert (item.by, item.reason, item.detail, item.person_id) == ("boss", "denied", "No.", "ana")
    assert [load(dump(one)) for one in found] == found
    lapsed = StageTimedOut(stage_id="s", number=1, concerned=("eva",))
    found = to_approvers(approval(lapsed, ApprovalEnded(outcome=Outcome.EXPIRED)), NOW)
    assert {(one.recipient, one.event) for one in found} == {("eva", Event.APPROVAL_EXPIRED)}


def test_a_stage_that_follows_a_decision_is_told_beside_it() -> None:
    decided = StageDecided(stage_id="s", number=1, result=ReviewResult.APPROVED, by="dan", concerned=("dan",))
    begun = StageStarted(stage_id="t", number=2, approvers=("boss", "eva"), expires_at=UNTIL)
    found = to_approvers(approval(decided, begun), NOW)
    assert {(one.recipient, one.event) for one in found} == {
        ("dan", Event.APPROVAL_DECIDED),
        ("boss", Event.APPROVAL_ASKED),
        ("eva", Event.APPROVAL_ASKED),
    }


@pytest.mark.spec("ML-1")
@pytest.mark.parametrize(
    ("transition", "event"),
    [
        (RequestApproved(), Event.REQUEST_APPROVED),
        (RequestDenied(reason=NO), Event.REQUEST_DENIED),
        (RequestExpired(reason=NO), Event.REQUEST_EXPIRED),
        (RequestDeliveryFailed(reason=NO), Event.REQUEST_FAILED),
        (RequestSubmitted(), None),
        (RequestCanceled(), None),
        (RequestCanceled(reason=GONE), Event.REQUEST_FAILED),
    ],
)
def test_the_requestor_is_told_how_it_ended(transition: Any, event: Event | None) -> None:
    found = to_requestor(request(transition), NOW)
    assert {one.event for one in found} == ({event} if event else set())
    assert {one.recipient for one in found} <= {"ana"}


def test_what_the_service_ended_is_told_to_whoever_does_not_know_it_otherwise() -> None:
    (item,) = to_requestor(request(RequestCanceled(reason=GONE)), NOW)[0].items
    assert (item.change, item.reason, item.detail) == ("failed", "packageNotFound", GONE.message)
    left = RequestCanceled(reason=Refusal(code="personLeft", message="They have left."))
    assert {one.recipient for one in to_requestor(request(left, requestor="ana"), NOW)} == {"ana"}
    for requestor in ("dan", None):
        assert to_requestor(request(left, requestor=requestor), NOW) == [], "nobody is there to read it"
    over = RequestCanceled(reason=Refusal(code="assignmentEnded", message="The assignment ended."))
    assert to_requestor(request(over), NOW) == [], "that access has ended is told by the holding"


@pytest.mark.spec("ML-3")
def test_direct_assignments_send_no_such_mail_and_without_a_requestor_the_person_is_told() -> None:
    for ended in (RequestDenied(reason=NO), RequestApproved()):
        assert to_requestor(request(ended, RequestType.ADMIN_ADD, None), NOW) == []
    assert {one.recipient for one in to_requestor(request(RequestDenied(reason=NO), requestor=None), NOW)} == {"dan"}
