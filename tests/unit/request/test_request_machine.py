"""One request through random lives: approval and assignment answer in their order, once or again; it is canceled,
reprocessed, deleted; what it is about goes; timers ring. After each step its state is one of
Graph's, reached by a way that Graph allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.request.decide.acts import Cancel, Delete, Reprocess, cancel, delete, reprocess
from services.request.decide.in_vain import Look, look
from services.request.decide.progress import HoldingTold, approval_told, holding_told, proceed, send_again
from services.request.decide.scene import Gone, Scene
from services.request.model import OPEN, TRIED, Request, Terms, dump, load, public
from shared.contracts import topics
from shared.contracts.approval import ApprovalEnded, ApprovalFact, ApprovalState, Outcome
from shared.contracts.assignment import (
    AssignmentEnded,
    AssignmentKind,
    AssignmentState,
    AssignmentStatus,
    CommandObeyed,
    CommandRefused,
    EndReason,
    HoldingFact,
    HoldingState,
)
from shared.contracts.base import Cause, Refusal
from shared.contracts.policy import ApprovalSettings, ApprovalStageSettings
from shared.contracts.request import RequestStatus, RequestSubmitted, RequestType
from shared.messaging.decision import Circumstances, Decision, Due

START = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:ana")
S = RequestStatus
WAYS = {
    S.SUBMITTED: {S.PENDING_APPROVAL, S.DELIVERING},
    S.PENDING_APPROVAL: {S.DELIVERING, S.DENIED, S.CANCELED},
    S.DELIVERING: {S.SCHEDULED, S.DELIVERED, S.PARTIALLY_DELIVERED, S.DELIVERY_FAILED},
    S.SCHEDULED: {S.DELIVERING, S.CANCELED, S.DELIVERED, S.PARTIALLY_DELIVERED, S.DELIVERY_FAILED},
    S.PARTIALLY_DELIVERED: {S.DELIVERED, S.DELIVERY_FAILED, S.DELIVERING},
    S.DELIVERY_FAILED: {S.DELIVERED, S.PARTIALLY_DELIVERED, S.DELIVERING, S.CANCELED},
    S.DELIVERED: set(),
    S.DENIED: set(),
    S.CANCELED: set(),
}


class OneRequest(RuleBasedStateMachine):
    """The world answers commands in the order in which they were sent."""

    @initialize(
        type=st.sampled_from(
            [RequestType.USER_ADD, RequestType.ADMIN_ADD, RequestType.USER_UPDATE, RequestType.USER_REMOVE]
        ),
        approval=st.booleans(),
    )
    def begin(self, type: RequestType, approval: bool) -> None:
        self.now = START
        self.sent: list[tuple[str, dict[str, Any]]] = []
        """Commands that nobody has answered yet: (topic, body)."""
        self.held: AssignmentStatus | None = None
        needed = ApprovalSettings(
            is_approval_required_for_add=approval,
            is_approval_required_for_update=approval,
            stages=(ApprovalStageSettings(),),
        )
        asked = Request(
            id="r", type=type, status=S.SUBMITTED, person_id="ana", requestor_id="ana", package_id="p", policy_id="o",
            terms=Terms(version=3, approval=needed), assignment_id="a", created_at=START, cause=CAUSE,
        )  # fmt: skip
        self.request = asked
        self.adds = type in {RequestType.USER_ADD, RequestType.ADMIN_ADD}
        self._take(proceed(asked, self.at, (RequestSubmitted(),)))

    @property
    def at(self) -> Circumstances[Any]:
        return Circumstances(now=self.now, version=1, cause=CAUSE, context=None)

    def _take(self, decision: Decision[Request], *, repeatable: Any = None) -> None:
        before = self.request
        assert decision.state is not None
        if decision.state is before:
            assert not decision.transitions
        after = load(dump(decision.state))
        assert after == decision.state, "it survives the database"
        assert after.status is before.status or after.status in WAYS[before.status], (before.status, after.status)
        for message in decision.messages:
            body = orjson.loads(message.value or b"")
            if body["id"] not in [one["id"] for _, one in self.sent]:
                self.sent.append((message.topic, body))
        self.request = after
        if repeatable is not None:
            again = repeatable(self.request)
            assert again.state is self.request, "twice is once"

    def _holding(self, *transitions: Any) -> HoldingFact:
        assignments: tuple[AssignmentState, ...] = ()
        if self.held is not None:
            assignments = (
                AssignmentState(
                    id="a", package_id="p", policy_id="o", kind=AssignmentKind.REQUESTED, status=self.held,
                    starts_at=START, assigned_at=START, cause=CAUSE, request_id="r",
                ),
            )  # fmt: skip
        return HoldingFact(
            id="h", cause=CAUSE, subject="ana", version=1, at=self.now, transitions=transitions,
            state=HoldingState(person_id="ana", assignments=assignments),
        )  # fmt: skip

    @precondition(lambda self: self.sent and self.sent[0][0] == topics.APPROVAL_COMMANDS.name)
    @rule(outcome=st.sampled_from([Outcome.APPROVED, Outcome.DENIED, Outcome.EXPIRED]))
    def approval_answers(self, outcome: Outcome) -> None:
        _, body = self.sent.pop(0)
        if body["order"]["type"] == "WithdrawApproval":
            outcome = Outcome.WITHDRAWN
        state = ApprovalState(
            id="r", person_id="ana", requestor_id="ana", package_id="p", policy_id="o", stages=(), outcome=outcome
        )
        fact = ApprovalFact(
            id="f",
            cause=CAUSE,
            subject="r",
            version=1,
            at=self.now,
            transitions=(ApprovalEnded(outcome=outcome),),
            state=state,
        )
        self._take(approval_told(self.request, fact, self.at), repeatable=lambda one: approval_told(one, fact, self.at))

    @precondition(lambda self: self.sent and self.sent[0][0] == topics.ASSIGNMENT_COMMANDS.name)
    @rule(refused=st.booleans(), status=st.sampled_from([AssignmentStatus.SCHEDULED, AssignmentStatus.DELIVERING]))
    def assignment_answers(self, refused: bool, status: AssignmentStatus) -> None:
        _, body = self.sent.pop(0)
        answer = {"command_id": body["id"], "request_id": "r", "assignment_id": "a"}
        said: list[Any] = []
        match body["order"]["type"]:
            case "AddAssignment" if refused:
                said = [CommandRefused(**answer, reason=Refusal(code="alreadyHeld", message="held"))]
            case "AddAssignment":
                self.held = self.held or status
                said = [CommandObeyed(**answer)]
            case "EndAssignment" if refused:
                said = [CommandRefused(**answer, reason=Refusal(code="assignedByRule", message="by rule"))]
            case "EndAssignment":
                said = [CommandObeyed(**answer)]
                if self.held is not None and self.adds:
                    said.append(self._end())
            case _ if refused:
                said = [CommandRefused(**answer, reason=Refusal(code="assignmentNotFound", message="gone"))]
            case _:
                said = [CommandObeyed(**answer)]
        self._tell(*said)

    def _end(self) -> AssignmentEnded:
        (before,) = self._holding().state.assignments
        self.held = None
        over = before.model_copy(update={"status": AssignmentStatus.EXPIRED})
        return AssignmentEnded(assignment=over, reason=EndReason.REMOVED)

    def _tell(self, *said: Any) -> None:
        told = HoldingTold("r", self._holding(*said))
        self._take(holding_told(self.request, told, self.at), repeatable=lambda one: holding_told(one, told, self.at))

    @precondition(lambda self: self.held is not None)
    @rule(
        status=st.sampled_from(
            [
                AssignmentStatus.DELIVERING,
                AssignmentStatus.DELIVERED,
                AssignmentStatus.PARTIALLY_DELIVERED,
                AssignmentStatus.DELIVERY_FAILED,
            ]
        )
    )
    def delivery_gets_on(self, status: AssignmentStatus) -> None:
        self.held = status
        self._tell()

    @rule(refused=st.booleans())
    def another_command_is_answered(self, refused: bool) -> None:
        answer = {"command_id": "another", "request_id": "r", "assignment_id": "a"}
        reason = Refusal(code="alreadyHeld", message="held")
        before = self.request.awaited
        self._tell(CommandRefused(**answer, reason=reason) if refused else CommandObeyed(**answer))
        assert self.request.awaited == before

    @precondition(lambda self: self.held is not None)
    @rule()
    def the_assignment_ends(self) -> None:
        self._tell(self._end())

    @rule(administrator=st.booleans())
    def it_is_canceled(self, administrator: bool) -> None:
        open_to = {S.PENDING_APPROVAL, S.SCHEDULED, S.CANCELED} | ({S.DELIVERY_FAILED} if administrator else set())
        may = self.request.status in open_to and not self.request.deleted
        decision = cancel(self.request, Cancel("r", administrator), self.at)
        assert (decision.refusal is None) is may
        self._take(decision)

    @rule(gone=st.sampled_from([Gone(people=frozenset({"ana"})), Gone(packages={"p": "P"}), Gone(policies={"o": "O"})]))
    def what_it_is_about_is_gone(self, gone: Gone) -> None:
        pending = self.request.status is S.PENDING_APPROVAL

        def looked(one: Request | None) -> Decision[Request]:
            return look(one, Look("r"), replace(self.at, context=Scene(gone=gone)))

        self._take(looked(self.request), repeatable=looked)
        assert (self.request.status is S.CANCELED) or not pending

    @rule()
    def it_is_reprocessed(self) -> None:
        decision = reprocess(self.request, Reprocess("r"), self.at)
        completed = self.request.completed_at or self.now
        may = self.request.status in TRIED and completed + timedelta(days=14) >= self.now and not self.request.deleted
        assert (decision.refusal is None) is may
        self._take(decision)

    @rule()
    def it_is_deleted(self) -> None:
        decision = delete(self.request, Delete("r"), self.at)
        assert (decision.refusal is None) is (self.request.status not in OPEN and not self.request.deleted)
        self._take(decision)

    @rule(minutes=st.integers(1, 60 * 24 * 10))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        if (due := self.request.due_at) is not None and due <= self.now:
            waiting = self.request.awaited
            assert waiting is not None
            before = [body["id"] for _, body in self.sent]
            self._take(send_again(self.request, Due("r", due), self.at))
            assert waiting.command_id in before, "sent again is what nobody has answered"

    @invariant()
    def what_is_over_has_ended_and_what_is_open_waits_for_somebody(self) -> None:
        one = getattr(self, "request", None)
        if one is None:
            return
        assert (one.completed_at is None) is (one.status in OPEN)
        assert public(one).status is one.status
        if one.status in OPEN - {S.SCHEDULED}:
            assert one.awaited is not None or one.made or one.status is S.PENDING_APPROVAL
        if one.status is S.DENIED:
            assert one.reason is not None
            assert not one.made
        assert (one.awaited is None) is (one.due_at is None)


TestOneRequest = OneRequest.TestCase
TestOneRequest.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
pytestmark = pytest.mark.spec("ST-1", "REQ-5", "REQ-10")
