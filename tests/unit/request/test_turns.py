"""What can be done to a request, and what the service asks for by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from services.request.decide.acts import Cancel, Delete, Reprocess, cancel, delete, reprocess
from services.request.decide.progress import (
    HoldingTold,
    approval_told,
    ended_by_time,
    ends_by_time,
    holding_told,
)
from services.request.graph import NO_NAMES, RequestIn, request_said
from services.request.model import AttributeAnswer, Awaited, Request, Terms, dump, load
from services.request.store import visible
from shared.contracts import topics
from shared.contracts.answers import AnswersCommand
from shared.contracts.approval import ApprovalEnded, ApprovalFact, ApprovalState, Outcome, StageState, StageStatus
from shared.contracts.assignment import (
    AssignmentEnded,
    AssignmentKind,
    AssignmentMoved,
    AssignmentState,
    AssignmentStatus,
    CommandObeyed,
    EndReason,
    HoldingFact,
    HoldingState,
)
from shared.contracts.base import Cause
from shared.contracts.request import RequestCanceled, RequestStatus, RequestType
from shared.messaging.decision import Circumstances
from shared.messaging.envelope import Outgoing

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:ana")
HELD = AssignmentState(
    id="a", package_id="p", policy_id="o", kind=AssignmentKind.REQUESTED, status=AssignmentStatus.SCHEDULED,
    starts_at=NOW + timedelta(days=3), assigned_at=NOW, cause=CAUSE, request_id="r",
)  # fmt: skip
AWAITED = Awaited(command_id="x", again_at=NOW)
CLOSED_BUT_LAST = (StageStatus.COMPLETED, StageStatus.IN_PROGRESS)


def at(days: float = 0) -> Circumstances[Any]:
    return Circumstances(now=NOW + timedelta(days=days), version=2, cause=CAUSE, context=None)


def request(status: RequestStatus, **more: Any) -> Request:
    values: dict[str, Any] = {
        "id": "r", "type": RequestType.USER_ADD, "status": status, "person_id": "ana", "requestor_id": "ana",
        "package_id": "p", "policy_id": "o", "terms": Terms(), "assignment_id": "a", "created_at": NOW, "cause": CAUSE,
    }  # fmt: skip
    return Request(**values | more)


def holding(*transitions: Any, held: AssignmentState | None = None) -> HoldingFact:
    state = HoldingState(person_id="ana", assignments=(held,) if held else ())
    return HoldingFact(
        id="holding:ana:9", cause=CAUSE, subject="ana", version=9, at=NOW, transitions=transitions, state=state
    )


ENDED = RequestStatus.DELIVERED, RequestStatus.DENIED, RequestStatus.CANCELED, RequestStatus.DELIVERY_FAILED
OPEN = (
    RequestStatus.SUBMITTED,
    RequestStatus.PENDING_APPROVAL,
    RequestStatus.SCHEDULED,
    RequestStatus.DELIVERING,
)


@pytest.mark.spec("REQ-1")
@pytest.mark.parametrize(
    ("said", "type"),
    [
        ("userAdd", RequestType.USER_ADD),
        ("USERADD", RequestType.USER_ADD),
        ("userExtend", RequestType.USER_UPDATE),
        ("userUpdate", RequestType.USER_UPDATE),
        ("userRemove", RequestType.USER_REMOVE),
        ("adminAdd", RequestType.ADMIN_ADD),
        ("adminUpdate", RequestType.ADMIN_UPDATE),
        ("adminRemove", RequestType.ADMIN_REMOVE),
        ("systemAdd", None),
        ("systemUpdate", None),
        ("systemRemove", None),
        ("notSpecified", None),
    ],
)
def test_each_type_is_asked_for_by_its_name_and_those_of_the_service_by_nobody(
    said: str, type: RequestType | None
) -> None:
    if type is None:
        with pytest.raises(ValidationError):
            RequestIn.model_validate({"requestType": said})
    else:
        assert RequestIn.model_validate({"requestType": said}).request_type is type


@pytest.mark.spec("CAT-6")
@pytest.mark.parametrize("type", [RequestType.USER_ADD, RequestType.USER_UPDATE, RequestType.ADMIN_ADD])
def test_answers_about_a_person_go_to_the_directory_with_the_access_and_those_that_do_not_stay_go_with_it(
    type: RequestType,
) -> None:
    answers = (
        AttributeAnswer(name="jobTitle", value="Rep"),
        AttributeAnswer(name="city", value="Rome", persisted=True),
    )
    asked = request(RequestStatus.DELIVERING, type=type, attributes=answers, awaited=AWAITED)
    obeyed = CommandObeyed(command_id="x", request_id="r", assignment_id="a")
    given = holding_told(asked, HoldingTold("r", holding(obeyed, held=HELD)), at())
    assert [said_to_directory(one) for one in given.messages] == [{"jobTitle": "Rep", "city": "Rome"}]
    assert given.state is not None
    kept = load(dump(given.state))
    assert kept.listens
    assert not holding_told(kept, HoldingTold("r", holding(obeyed, held=HELD)), at()).messages, "twice is once"

    over = AssignmentEnded(assignment=HELD, reason=EndReason.EXPIRED)
    ended = holding_told(kept, HoldingTold("r", holding(over)), at(90))
    assert [said_to_directory(one) for one in ended.messages] == [{"jobTitle": None}]
    assert ended.state is not None
    assert not ended.state.takes_back
    assert not holding_told(ended.state, HoldingTold("r", holding(over)), at(90)).messages


def test_answers_that_stay_are_not_waited_for() -> None:
    stays = (AttributeAnswer(name="city", value="Rome", persisted=True),)
    asked = request(RequestStatus.DELIVERING, type=RequestType.USER_UPDATE, attributes=stays, awaited=AWAITED)
    obeyed = CommandObeyed(command_id="x", request_id="r", assignment_id="a")
    given = holding_told(asked, HoldingTold("r", holding(obeyed, held=HELD)), at()).state
    assert given is not None
    assert not given.listens


def said_to_directory(record: Outgoing) -> dict[str, str | None]:
    assert (record.topic, record.key) == (topics.ANSWER_COMMANDS.name, b"ana")
    command = AnswersCommand.model_validate_json(record.value or b"")
    assert (command.person_id, command.assignment_id) == ("ana", "a")
    return command.values


@pytest.mark.spec("EXP-3", "REQ-2")
def test_an_extension_that_nobody_has_decided_ends_with_what_it_would_extend() -> None:
    """Nobody is asked any longer for what cannot be, and the person may ask for the package anew."""
    pending = request(RequestStatus.PENDING_APPROVAL, type=RequestType.USER_UPDATE, approvers=("boss",))
    assert dump(pending)["listens"], "the holding's changes mean something for it"
    over = AssignmentEnded(assignment=HELD, reason=EndReason.EXPIRED)
    decision = holding_told(pending, HoldingTold("r", holding(over)), at(3))
    ended = decision.state
    assert ended is not None
    assert (ended.status, ended.approvers, ended.completed_at) == (RequestStatus.CANCELED, (), at(3).now)
    assert ended.reason is not None
    assert ended.reason.code == "assignmentEnded"
    assert decision.transitions == (RequestCanceled(reason=ended.reason),)
    assert "holds_place" not in dump(ended)
    [told] = decision.messages
    assert told.topic == topics.APPROVAL_COMMANDS.name
    assert orjson.loads(told.value or b"")["order"]["type"] == "WithdrawApproval"
    assert holding_told(ended, HoldingTold("r", holding(over)), at(3)).state is ended, "twice is once"
    state = ApprovalState(id="r", person_id="ana", package_id="p", policy_id="o", stages=(), outcome=Outcome.WITHDRAWN)
    over_there = (ApprovalEnded(outcome=Outcome.WITHDRAWN),)
    fact = ApprovalFact(
        id="approval:r:2", cause=CAUSE, subject="r", version=2, at=NOW, transitions=over_there, state=state
    )
    answered = approval_told(ended, fact, at(3)).state
    assert answered is not None
    assert answered.awaited is None


def test_an_extension_goes_on_while_what_it_would_extend_is_there() -> None:
    pending = request(RequestStatus.PENDING_APPROVAL, type=RequestType.USER_UPDATE)
    other = HELD.model_copy(update={"id": "b"})
    later = HELD.model_copy(update={"ends_at": NOW + timedelta(days=9)})
    for one in (
        AssignmentEnded(assignment=other, reason=EndReason.EXPIRED),
        AssignmentMoved(before=HELD, after=later),
    ):
        assert holding_told(pending, HoldingTold("r", holding(one, held=HELD)), at()).state is pending
    replaced = AssignmentMoved(before=HELD, after=other)
    gone = holding_told(pending, HoldingTold("r", holding(replaced, held=other)), at()).state
    assert gone is not None
    assert gone.status is RequestStatus.CANCELED
    asked = request(RequestStatus.PENDING_APPROVAL)
    over = AssignmentEnded(assignment=HELD, reason=EndReason.EXPIRED)
    assert holding_told(asked, HoldingTold("r", holding(over)), at()).state is asked, "what is asked for anew is not"


@pytest.mark.spec("REQ-3")
def test_what_starts_later_waits_as_scheduled() -> None:
    waiting = request(RequestStatus.DELIVERING, made=True)
    now = holding_told(waiting, HoldingTold("r", holding(held=HELD)), at()).state
    assert now is not None
    assert (now.status, now.said) == (RequestStatus.SCHEDULED, "PendingNotBefore")


@pytest.mark.spec("REQ-5")
@pytest.mark.parametrize(
    ("status", "own", "administrator"),
    [
        (RequestStatus.SUBMITTED, True, True),
        (RequestStatus.PENDING_APPROVAL, True, True),
        (RequestStatus.SCHEDULED, True, True),
        (RequestStatus.DELIVERING, False, False),
        (RequestStatus.DELIVERED, False, False),
        (RequestStatus.DELIVERY_FAILED, False, True),
        (RequestStatus.DENIED, False, False),
    ],
)
def test_what_is_not_delivered_is_canceled_and_what_failed_by_administrators(
    status: RequestStatus, own: bool, administrator: bool
) -> None:
    for by_administrator, may in ((False, own), (True, administrator)):
        decision = cancel(request(status), Cancel("r", by_administrator), at())
        assert (decision.refusal is None) is may


def test_what_failed_but_is_held_is_taken_away_when_it_is_canceled() -> None:
    failed = request(RequestStatus.DELIVERY_FAILED, made=True, completed_at=NOW)
    (message,) = cancel(failed, Cancel("r", administrator=True), at()).messages
    assert message.topic == topics.ASSIGNMENT_COMMANDS.name
    assert orjson.loads(message.value or b"")["order"]["type"] == "EndAssignment"
    assert not cancel(request(RequestStatus.DELIVERY_FAILED), Cancel("r", administrator=True), at()).messages


@pytest.mark.spec("REQ-10")
def test_what_is_over_can_be_deleted_and_nothing_is_taken_away_by_it() -> None:
    for status in ENDED:
        decision = delete(request(status, made=True), Delete("r"), at())
        assert decision.state is not None
        assert decision.state.deleted
        assert not decision.messages
    for status in OPEN:
        assert delete(request(status), Delete("r"), at()).refusal is not None


@pytest.mark.spec("ST-4")
@pytest.mark.parametrize("status", [RequestStatus.DELIVERY_FAILED, RequestStatus.PARTIALLY_DELIVERED])
def test_what_failed_is_reprocessed_within_fourteen_days_and_not_while_it_is_being_tried(status: RequestStatus) -> None:
    failed = request(status, made=True, completed_at=NOW)
    again = reprocess(failed, Reprocess("r"), at(14))
    assert again.state is not None
    assert again.state.status is RequestStatus.DELIVERING
    assert orjson.loads(again.messages[0].value or b"")["order"]["type"] == "DeliverAgain"
    assert reprocess(failed, Reprocess("r"), at(14.01)).refusal is not None
    assert reprocess(again.state, Reprocess("r"), at(14)).refusal is not None
    assert reprocess(request(RequestStatus.DELIVERED), Reprocess("r"), at()).refusal is not None


@pytest.mark.spec("ST-5", "REQ-1")
def test_an_end_that_time_brought_is_a_request_of_the_service() -> None:
    over = HELD.model_copy(update={"status": AssignmentStatus.EXPIRED})
    (told,) = ends_by_time(holding(AssignmentEnded(assignment=over, reason=EndReason.EXPIRED)))
    decision = ended_by_time(None, told, at())
    made = decision.state
    assert made is not None
    assert load(dump(made)) == made
    said = request_said(made, {"requestor"}, NO_NAMES)
    assert (said["requestType"], said["state"], said["requestor"]) == ("systemRemove", "delivered", None)
    assert (made.person_id, made.assignment_id, made.completed_at) == ("ana", "a", NOW)
    assert not made.open, "it stands in nobody's way"
    assert ended_by_time(made, told, at(1)).state is made, "twice is once"
    for reason in (EndReason.REMOVED, EndReason.LEFT, EndReason.NO_LONGER_MATCHES):
        assert not ends_by_time(holding(AssignmentEnded(assignment=over, reason=reason)))


@pytest.mark.spec("APR-10")
def test_whoever_was_asked_sees_the_request_for_good() -> None:
    def told(status: StageStatus, *transitions: Any, approvers: tuple[str, ...] = ()) -> ApprovalFact:
        stage = StageState(id="s", status=status, approvers=approvers)
        state = ApprovalState(
            id="r", person_id="ana", requestor_id="ana", package_id="p", policy_id="o", stages=(stage,)
        )
        return ApprovalFact(id="f", cause=CAUSE, subject="r", version=1, at=NOW, transitions=transitions, state=state)

    pending = request(RequestStatus.PENDING_APPROVAL)
    asked = approval_told(pending, told(StageStatus.IN_PROGRESS, approvers=("boss", "eva")), at()).state
    denied = approval_told(asked, told(StageStatus.COMPLETED, ApprovalEnded(outcome=Outcome.DENIED)), at()).state
    assert denied is not None
    assert denied.approvers == ()
    assert [visible(denied, who) for who in ("boss", "eva", "ana", "zoe")] == [True, True, True, False]
    said = request_said(denied, {"requestor", "assignment", "assignment/target"}, NO_NAMES)
    assert said["requestor"]["id"] == said["assignment"]["target"]["id"] == "ana"
    assert {"justification", "answers", "schedule", "createdDateTime"} <= said.keys()


@pytest.mark.spec("APR-7", "REQ-5")
def test_what_alternates_decide_too_says_so_until_the_next_stage_begins() -> None:
    def stages(*escalated: bool) -> ApprovalFact:
        state = ApprovalState(
            id="r", person_id="ana", package_id="p", policy_id="o",
            stages=tuple(
                StageState(id=str(n), status=status, approvers=("boss",), escalated=one)
                for n, (one, status) in enumerate(zip(escalated, CLOSED_BUT_LAST[-len(escalated):], strict=True))
            ),
        )  # fmt: skip
        return ApprovalFact(id="approval:r:2", cause=CAUSE, subject="r", version=2, at=NOW, transitions=(), state=state)

    said = []
    now: Request | None = request(RequestStatus.PENDING_APPROVAL, awaited=AWAITED)
    for fact in (stages(False), stages(True), stages(True, False)):
        now = approval_told(now, fact, at()).state
        assert now is not None
        said.append((now.status, now.said))
    pending = RequestStatus.PENDING_APPROVAL
    assert said == [(pending, "PendingApproval"), (pending, "PendingApprovalEscalated"), (pending, "PendingApproval")]
    assert cancel(now, Cancel("r", False), at()).refusal is None
