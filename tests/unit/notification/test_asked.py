"""Who hears of requests, and of which of their turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notification.asked import to_approvers, to_requestor
from services.notification.model import Channel, Event, Known, Message, Person, dump, load
from services.notification.render import Renderer, Text
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


def approval(*transitions: Any, stages: int = 1, requestor: str | None = "ana", changes: bool = False) -> ApprovalFact:
    stage = StageState(id="s", status=StageStatus.IN_PROGRESS, approvers=("boss", "eva"), expires_at=UNTIL)
    state = ApprovalState(
        id="r", person_id="ana", requestor_id=requestor, package_id="p", policy_id="o", stages=(stage,) * stages,
        changes=changes,
    )  # fmt: skip
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


NAMED = {"ana": "Ana", "boss": "The Boss", "eva": "Eva", "dan": "Dan <D>"}
KNOWN = Known({id: Person(id, 1, name, f"{id}@x.example") for id, name in NAMED.items()}, {"p": "CRM"}, {}, {}, {})
ASKED = StageStarted(stage_id="s", number=1, approvers=("boss",), expires_at=UNTIL)


def read(found: list[Message], who: str = "boss") -> Text:
    return Renderer().render(next(one for one in found if one.recipient == who), KNOWN, NOW)


@pytest.mark.spec("APR-10")
def test_an_approver_reads_who_asks_on_behalf_of_whom_and_whether_it_is_a_change() -> None:
    own = read(to_approvers(approval(ASKED), NOW))
    assert own.subject.endswith(": Ana asks for CRM")
    fact = approval(ASKED, requestor="dan")
    fact = fact.model_copy(update={"state": fact.state.model_copy(update={"justification": "She needs it."})})
    text = read(to_approvers(fact, NOW))
    assert text.subject.endswith(": Dan <D> asks for CRM for Ana")
    assert "Dan <D> asks for CRM for Ana." in text.text
    assert "Dan <D> says: She needs it." in text.text
    assert "Dan &lt;D&gt;</strong> asks for <strong>CRM</strong> for <strong>Ana</strong>" in text.html
    assert text.about["packages"][0]["requestorId"] == "dan"
    by_an_application = read(to_approvers(approval(ASKED, requestor=None), NOW))
    assert by_an_application.subject.endswith(": An administrator asks for CRM for Ana")
    assert "requestorId" not in by_an_application.about["packages"][0]
    change = read(to_approvers(approval(ASKED, changes=True), NOW))
    assert change.subject.endswith(": Ana asks to extend or change CRM")


def test_a_stage_that_another_one_follows_is_not_the_last_word() -> None:
    def decided(number: int, result: ReviewResult = ReviewResult.APPROVED, by: str = "eva") -> Text:
        said = StageDecided(
            stage_id="s", number=number, result=result, by=by, justification="Fine.", concerned=("boss",)
        )
        return read(to_approvers(approval(said, stages=2), NOW))

    first = decided(1)
    assert first.subject == "Ana's request for CRM was approved in stage 1 of 2"
    assert "Eva has approved it in stage 1 of 2, and the next stage decides: Fine." in first.text
    assert decided(2).subject == "Ana's request for CRM was approved"
    assert decided(1, ReviewResult.DENIED).subject == "Ana's request for CRM was denied"
    assert "You have approved it: Fine." in decided(2, by="boss").text


def test_a_change_that_is_not_made_leaves_the_access_that_there_is() -> None:
    text = read(to_requestor(request(RequestDenied(reason=NO), RequestType.USER_UPDATE), NOW), "ana")
    assert text.subject == "Your request to extend or change CRM for Dan <D> was denied"
    assert "has ended without a change: Not in your team." in text.text
    lapsed = StageTimedOut(stage_id="s", number=1, concerned=("boss",))
    assert "ended without a change." in read(to_approvers(approval(lapsed, changes=True), NOW)).text
    assert (
        "The change follows."
        in read(to_requestor(request(RequestApproved(), RequestType.USER_UPDATE), NOW), "ana").text
    )


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
