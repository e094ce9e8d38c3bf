"""What becomes of a request: to approval, to delivery, and what approval and assignment say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.request.model import (
    ADDS,
    FIRST_RESEND,
    LONGEST_RESEND,
    OPEN,
    REMOVES,
    TRIED,
    UPDATES,
    Awaited,
    Request,
    Terms,
)
from shared.contracts import topics
from shared.contracts.answers import AnswersCommand
from shared.contracts.approval import (
    ApprovalCommand,
    ApprovalEnded,
    ApprovalFact,
    Outcome,
    StageStatus,
    StartApproval,
    WithdrawApproval,
)
from shared.contracts.assignment import (
    AddAssignment,
    AssignmentCommand,
    AssignmentEnded,
    AssignmentMoved,
    AssignmentState,
    ChangeAssignment,
    CommandObeyed,
    CommandRefused,
    DeliverAgain,
    EndAssignment,
    EndReason,
    HoldingFact,
    Order,
)
from shared.contracts.base import Cause, Refusal, Transition
from shared.contracts.request import (
    CHANGES,
    RequestApprovalAsked,
    RequestApproved,
    RequestCanceled,
    RequestDelivered,
    RequestDelivering,
    RequestDeliveryFailed,
    RequestDenied,
    RequestExpired,
    RequestScheduled,
    RequestStatus,
    RequestSubmitted,
    RequestType,
)
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision, Due
from shared.messaging.envelope import Outgoing, outgoing

At = Circumstances[Any]
Said = tuple[Transition, ...]


def proceed(request: Request, at: At, said: Said) -> Decision[Request]:
    """A new request goes to approval if its terms ask for one, else to delivery."""
    approval = request.terms.approval
    needed = (request.type in ADDS and approval.is_approval_required_for_add) or (
        request.type in UPDATES and approval.is_approval_required_for_update
    )
    if not needed:
        return deliver(request, at, said)
    asked = (*said, RequestApprovalAsked(stages=len(approval.stages)))
    waiting = _awaiting(request.having(status=RequestStatus.PENDING_APPROVAL), approval_command_id(request), at)
    return Decision(waiting, asked, (command_of(waiting, at),))


def deliver(request: Request, at: At, said: Said) -> Decision[Request]:
    """Nothing stands in its way: assignment is commanded."""
    going = request.having(status=RequestStatus.DELIVERING, approvers=(), completed_at=None, reason=None)
    waiting = _awaiting(going, assignment_command_id(going), at)
    return Decision(waiting, (*said, RequestDelivering()), (command_of(waiting, at),))


def withdraw(request: Request, at: At, said: Said) -> Decision[Request]:
    """Canceled: whoever works on it is told, and told again until they answer."""
    waiting = _awaiting(request, _withdrawal_id(request), at)
    return Decision(waiting, said, (command_of(waiting, at),))


def end_in_vain(request: Request, reason: Refusal, at: At) -> Decision[Request]:
    """Nothing can come of it, whatever is decided: it ends before that, and nobody is asked any longer."""
    over = _over(request, RequestStatus.CANCELED, at, reason)
    return withdraw(over, at, (RequestCanceled(reason=reason),))


# What is commanded. Each command follows from the request alone, so that it can be sent again under its id.


def approval_command_id(request: Request) -> str:
    return derived_id("approval-command", request.id)


def assignment_command_id(request: Request) -> str:
    return derived_id("assignment-command", request.id, request.attempt)


def _withdrawal_id(request: Request) -> str:
    return derived_id("withdrawal", request.id)


def command_of(request: Request, at: At) -> Outgoing:
    """The command that the request awaits an answer to."""
    assert request.awaited is not None
    id = request.awaited.command_id
    cause = Cause(id=f"request:{request.id}", correlation=request.cause.correlation, actor=request.cause.actor)
    if id == approval_command_id(request) or (id == _withdrawal_id(request) and not request.made):
        approval = ApprovalCommand(id=id, cause=cause, request_id=request.id, order=_approval_order(request))
        return outgoing(topics.APPROVAL_COMMANDS, request.id, approval, source="request", at=at.now)
    order: Order = EndAssignment(assignment_id=request.assignment_id, detail="The request was canceled.")
    if id != _withdrawal_id(request):
        order = order_of(request)
    command = AssignmentCommand(id=id, cause=cause, person_id=request.person_id, request_id=request.id, order=order)
    return outgoing(topics.ASSIGNMENT_COMMANDS, request.person_id, command, source="request", at=at.now)


def order_of(request: Request) -> Order:
    """What assignment is to do."""
    if request.type in REMOVES:
        return EndAssignment(assignment_id=request.assignment_id, detail=request.justification or "")
    if request.type in UPDATES:
        return ChangeAssignment(assignment_id=request.assignment_id, ends_at=request.ends_at)
    if request.made:
        return DeliverAgain(assignment_id=request.assignment_id)
    return AddAssignment(
        assignment_id=request.assignment_id,
        package_id=request.package_id,
        policy_id=request.policy_id,
        kind="direct" if request.type is RequestType.ADMIN_ADD else "requested",
        starts_at=request.starts_at,
        ends_at=request.ends_at,
        lasts=request.lasts,
        justification=request.justification,
    )


def _approval_order(request: Request) -> StartApproval | WithdrawApproval:
    if request.status is RequestStatus.CANCELED:
        return WithdrawApproval()
    return StartApproval(
        person_id=request.person_id,
        requestor_id=request.requestor_id,
        changes=request.type in CHANGES,
        package_id=request.package_id,
        policy_id=request.policy_id,
        stages=request.terms.approval.stages,
        justification=request.justification,
        answers=request.answers,
        asked_at=request.created_at,
    )


def _awaiting(request: Request, command_id: str, at: At) -> Request:
    return request.having(awaited=Awaited(command_id=command_id, again_at=at.now + FIRST_RESEND))


def send_again(request: Request | None, _due: Due, at: At) -> Decision[Request]:
    """Nobody has answered for long: the same command under the same id; the pause doubles, up to an hour."""
    if request is None or request.awaited is None or request.awaited.again_at > at.now:
        return Decision(request)
    pause = min(FIRST_RESEND * 2 ** min(request.awaited.times, 8), LONGEST_RESEND)
    awaited = request.awaited.model_copy(update={"again_at": at.now + pause, "times": request.awaited.times + 1})
    return Decision(request.having(awaited=awaited), messages=(command_of(request, at),))


# What is heard


def approval_told(request: Request | None, fact: ApprovalFact, at: At) -> Decision[Request]:
    """Who may decide now, whether their alternates do, too, and how it ended. What was canceled meanwhile stays so."""
    if request is None:
        return Decision(request)
    if request.status is RequestStatus.CANCELED:
        over = fact.state.outcome is not None and request.awaited is not None and not request.made
        return Decision(request.having(awaited=None)) if over else Decision(request)
    if request.status is not RequestStatus.PENDING_APPROVAL:
        return Decision(request)
    for one in fact.transitions:
        if isinstance(one, ApprovalEnded):
            return _decided(request, one, at)
    open_stages = [stage for stage in fact.state.stages if stage.status is StageStatus.IN_PROGRESS]
    approvers = tuple(person for stage in open_stages for person in stage.approvers)
    escalated = any(stage.escalated for stage in open_stages)
    if request.awaited is None and (request.approvers, request.escalated) == (approvers, escalated):
        return Decision(request)
    asked = tuple(dict.fromkeys((*request.asked, *approvers)))
    return Decision(request.having(awaited=None, approvers=approvers, asked=asked, escalated=escalated))


def _decided(request: Request, ended: ApprovalEnded, at: At) -> Decision[Request]:
    match ended.outcome:
        case Outcome.APPROVED:
            return deliver(request, at, (RequestApproved(),))
        case Outcome.EXPIRED:
            reason = Refusal(code="expired", message="Nobody decided within the time that the policy gives.")
            over = _over(request, RequestStatus.DENIED, at, reason).having(expired=True)
            return Decision(over, (RequestExpired(reason=reason),))
        case _:
            reason = Refusal(code="denied", message=ended.justification or "It was denied.")
            return Decision(_over(request, RequestStatus.DENIED, at, reason), (RequestDenied(reason=reason),))


@dataclass(frozen=True, slots=True)
class HoldingTold:
    """The holding of the person whom request `request_id` is about has changed."""

    request_id: str
    fact: HoldingFact


def holding_told(request: Request | None, told: HoldingTold, at: At) -> Decision[Request]:
    """The answer to its command, and how far the assignment has come since."""
    if request is None or not request.listens:
        return Decision(request)
    if request.status is RequestStatus.PENDING_APPROVAL:
        return _extended_in_vain(request, told.fact, at)
    said: list[Transition] = []
    messages: list[Outgoing] = []
    now = _answered(request, told.fact, at, said)
    if now.made and not request.made and now.attributes:
        messages.append(_answers(now, {one.name: one.value for one in now.attributes}, at))
        now = now.having(takes_back=any(not one.persisted for one in now.attributes))
    # What is seen before a further try is answered is what the try before had come to.
    if now.made and now.awaited is None and now.type in ADDS and (now.open or now.status in TRIED):
        now = _followed(now, told.fact, at, said)
    if now.takes_back and _has_ended(now.assignment_id, told.fact):
        messages.append(_answers(now, {one.name: None for one in now.attributes if not one.persisted}, at))
        now = now.having(takes_back=False)
    return Decision(request) if now is request else Decision(now, tuple(said), tuple(messages))


def _extended_in_vain(request: Request, fact: HoldingFact, at: At) -> Decision[Request]:
    """What was to go on has ended before anybody decided: nobody is asked any longer, and the package can be asked for
    anew."""
    moved = any(
        isinstance(one, AssignmentMoved) and one.before.id == request.assignment_id != one.after.id
        for one in fact.transitions
    )
    if not moved and not _has_ended(request.assignment_id, fact):
        return Decision(request)
    reason = Refusal(code="assignmentEnded", message="The assignment ended before anybody decided that it goes on.")
    return end_in_vain(request, reason, at)


def _answers(request: Request, values: dict[str, str | None], at: At) -> Outgoing:
    """The directory is told what the person said of themself for this access, or that the access has ended (CAT-6)."""
    id = derived_id("answers", request.id, "ended" if None in values.values() else "given")
    cause = Cause(id=f"request:{request.id}", correlation=request.cause.correlation, actor=request.cause.actor)
    command = AnswersCommand(
        id=id,
        cause=cause,
        person_id=request.person_id,
        assignment_id=request.assignment_id,
        said_at=at.now,
        values=values,
    )
    return outgoing(topics.ANSWER_COMMANDS, request.person_id, command, source="request", at=at.now)


def _has_ended(assignment_id: str, fact: HoldingFact) -> bool:
    return any(isinstance(one, AssignmentEnded) and one.assignment.id == assignment_id for one in fact.transitions)


def _answered(request: Request, fact: HoldingFact, at: At, said: list[Transition]) -> Request:
    for one in fact.transitions:
        if not isinstance(one, CommandObeyed | CommandRefused) or request.awaited is None:
            continue
        if one.command_id != request.awaited.command_id:
            continue
        request = request.having(awaited=None)
        if request.status is RequestStatus.CANCELED:
            continue
        if isinstance(one, CommandRefused):
            request = _over(request, RequestStatus.DELIVERY_FAILED, at, one.reason)
            said.append(RequestDeliveryFailed(reason=one.reason))
        else:
            request = request.having(made=True)
            if request.type not in ADDS:
                request = _over(request, RequestStatus.DELIVERED, at)
                said.append(RequestDelivered(status="delivered"))
    return request


def _followed(request: Request, fact: HoldingFact, at: At, said: list[Transition]) -> Request:
    """As far as its assignment is."""
    mine = next((one for one in fact.state.assignments if one.id == request.assignment_id), None)
    if mine is None:
        return _lost(request, fact, at, said)
    status = RequestStatus(mine.status.value)
    if status is request.status or (request.status in TRIED and status in OPEN):
        return request  # tried again by itself: nothing to tell before it is through
    match status:
        case RequestStatus.SCHEDULED:
            said.append(RequestScheduled(starts_at=mine.starts_at))
        case RequestStatus.DELIVERING:
            said.append(RequestDelivering())
        case RequestStatus.DELIVERED | RequestStatus.PARTIALLY_DELIVERED:
            said.append(RequestDelivered(status=status.value))
            request = _over(request, status, at)
        case _:
            reason = Refusal(code="deliveryFailed", message="None of its resource roles could be delivered.")
            said.append(RequestDeliveryFailed(reason=reason))
            request = _over(request, status, at, reason)
    return request.having(status=status)


def _lost(request: Request, fact: HoldingFact, at: At, said: list[Transition]) -> Request:
    """The assignment ended before it was delivered."""
    ended = next(
        (
            one
            for one in fact.transitions
            if isinstance(one, AssignmentEnded) and one.assignment.id == request.assignment_id
        ),
        None,
    )
    if ended is None:
        return request
    reason = Refusal(code="assignmentEnded", message=ended.detail or f"The assignment ended: {ended.reason.value}.")
    said.append(RequestDeliveryFailed(reason=reason))
    return _over(request, RequestStatus.DELIVERY_FAILED, at, reason).having(made=False)


@dataclass(frozen=True, slots=True)
class EndedByTime:
    """An assignment's time was over: the service took it away by itself. `id` will be the request's."""

    id: str
    fact: HoldingFact
    assignment: AssignmentState


def ends_by_time(fact: HoldingFact) -> list[EndedByTime]:
    """What of the holding's change is a request of the service's own (ST-5)."""
    return [
        EndedByTime(derived_id("system-remove", one.assignment.id), fact, one.assignment)
        for one in fact.transitions
        if isinstance(one, AssignmentEnded) and one.reason is EndReason.EXPIRED
    ]


def ended_by_time(request: Request | None, ended: EndedByTime, _at: At) -> Decision[Request]:
    """Asked for and done at once. Twice is once."""
    if request is not None:
        return Decision(request)
    fact, over = ended.fact, ended.assignment
    made = Request(
        id=ended.id,
        type=RequestType.SYSTEM_REMOVE,
        status=RequestStatus.DELIVERED,
        person_id=fact.state.person_id,
        requestor_id=None,
        package_id=over.package_id,
        policy_id=over.policy_id,
        terms=Terms(),
        assignment_id=over.id,
        created_at=fact.at,
        completed_at=fact.at,
        cause=Cause(id=fact.id, correlation=fact.cause.correlation, actor="system:assignment"),
        made=True,
    )
    return Decision(made, (RequestSubmitted(), RequestDelivered(status="delivered")))


def _over(request: Request, status: RequestStatus, at: At, reason: Refusal | None = None) -> Request:
    return request.having(status=status, reason=reason, completed_at=at.now, approvers=(), awaited=None)
