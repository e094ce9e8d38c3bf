"""A request asks for a change of somebody's access: it is made, or refused with the reason; either way it is answered.

A repeated command finds what the first has done and is answered as obeyed: an id that was held, or has ended, is never
assigned again. Requests about one package of one person come one after another, each once the one before is answered;
so a repeated change of an end is never older than another one.
"""

from __future__ import annotations

from dataclasses import replace

from services.assignment.decide.direct import AssignDirectly, by_rule, why_not
from services.assignment.decide.exclusion import excluded
from services.assignment.decide.look import Look
from services.assignment.decide.reprocess import given_anew
from services.assignment.decide.settle import (
    Said,
    add,
    called_for,
    end,
    make_way,
    reminders_past,
    settle,
    would_be_given,
)
from services.assignment.model import Assignment, Holding, public_assignment
from shared import durations
from shared.contracts.assignment import (
    AddAssignment,
    AssignmentCommand,
    AssignmentKind,
    AssignmentMoved,
    AssignmentStatus,
    ChangeAssignment,
    CommandObeyed,
    CommandRefused,
    DeliverAgain,
    EndAssignment,
    EndReason,
)
from shared.contracts.base import Refusal
from shared.contracts.provisioning import DeliveryStatus
from shared.messaging.decision import Circumstances, Decision

At = Circumstances[Look]


def obey(holding: Holding | None, command: AssignmentCommand, at: At) -> Decision[Holding]:
    """Do what is asked and say so, or say why not."""
    order = command.order
    if holding is None or holding.status is None:
        blank = holding if holding is not None else Holding(command.person_id)
        return _refused(blank, command, Refusal(code="personNotFound", message=f"No person {command.person_id}."))
    match order:
        case AddAssignment():
            return _add(holding, command, order, at)
        case ChangeAssignment():
            return _change(holding, command, order, at)
        case EndAssignment():
            return _end(holding, command, order, at)
        case DeliverAgain():
            return _deliver_again(holding, command, order, at)


def _add(holding: Holding, command: AssignmentCommand, order: AddAssignment, at: At) -> Decision[Holding]:
    id = order.assignment_id
    if id in holding.assignments or id in holding.ended or id in at.context.ended:
        return _obeyed(holding, command, at, already=True)
    starts_at = order.starts_at if order.starts_at and order.starts_at > at.now else at.now
    ends_at = order.ends_at
    if ends_at is None and order.lasts is not None:
        ends_at = durations.later(starts_at, order.lasts)
    asked = AssignDirectly(id, holding.id, order.package_id, order.policy_id, order.starts_at, ends_at)
    if refusal := why_not(holding, asked, at):
        return _refused(holding, command, refusal)
    said: Said = [_answer(command)]
    assignments = dict(holding.assignments)
    later = starts_at > at.now
    if not later:
        make_way(assignments, order.package_id, id, said)
    one = Assignment(
        id,
        order.package_id,
        order.policy_id,
        AssignmentKind(order.kind),
        AssignmentStatus.SCHEDULED if later else AssignmentStatus.DELIVERING,
        starts_at,
        ends_at,
        at.now,
        at.cause,
        order.justification,
        reminders_past(ends_at, starts_at),
        command.request_id,
    )
    add(assignments, one, said)
    return settle(holding.having(assignments=assignments), at, said, known=holding)


def _change(holding: Holding, command: AssignmentCommand, order: ChangeAssignment, at: At) -> Decision[Holding]:
    one = holding.assignments.get(order.assignment_id)
    if refusal := _not_to_be_changed(holding, one, order.assignment_id):
        return _refused(holding, command, refusal)
    assert one is not None
    if one.ends_at == order.ends_at:
        return _obeyed(holding, command, at, already=True)
    if order.ends_at is not None and order.ends_at <= max(at.now, one.starts_at):
        return _refused(holding, command, Refusal(code="endsBeforeStart", message="The new end has passed."))
    changed = replace(one, ends_at=order.ends_at, reminded=reminders_past(order.ends_at, at.now))
    moved = AssignmentMoved(before=public_assignment(one), after=public_assignment(changed))
    assignments = {**holding.assignments, one.id: changed}
    return settle(holding.having(assignments=assignments), at, [_answer(command), moved], known=holding)


def _end(holding: Holding, command: AssignmentCommand, order: EndAssignment, at: At) -> Decision[Holding]:
    one = holding.assignments.get(order.assignment_id)
    if one is None:
        return _obeyed(holding, command, at, already=True)  # whatever ended it: nothing is left to be taken away
    by_a_rule = called_for(holding, one, at) if one.automatic else would_be_given(holding, one.package_id, at)
    excludes = by_a_rule and order.not_before is not None and order.not_before > at.now
    if one.automatic and by_a_rule and not excludes:
        return _refused(holding, command, by_rule(one))
    said: Said = [_answer(command)]
    assignments = dict(holding.assignments)
    end(assignments, one, EndReason.REMOVED, said, order.detail)
    after = holding.having(assignments=assignments)
    if excludes:
        after = excluded(after, one, order, at, said)
    return settle(after, at, said, known=holding)


def _deliver_again(holding: Holding, command: AssignmentCommand, order: DeliverAgain, at: At) -> Decision[Holding]:
    """A newer version of a grant is asked for anew at its resource."""
    one = holding.assignments.get(order.assignment_id)
    if one is None or one.scheduled:
        gone = Refusal(code="assignmentNotFound", message=f"Assignment {order.assignment_id} is not held now.")
        return _refused(holding, command, gone)
    said: Said = [_answer(command)]
    missing = given_anew(
        holding, one.id, at.version, said, lambda grant: grant.delivery is not DeliveryStatus.DELIVERED
    )
    return settle(missing, at, said, known=holding)


def _not_to_be_changed(holding: Holding, one: Assignment | None, id: str) -> Refusal | None:
    if one is None:
        return Refusal(code="assignmentNotFound", message=f"Person {holding.id} holds no assignment {id}.")
    return by_rule(one) if one.automatic else None


def _answer(command: AssignmentCommand, *, already: bool = False) -> CommandObeyed:
    return CommandObeyed(
        command_id=command.id,
        request_id=command.request_id,
        assignment_id=command.order.assignment_id,
        already=already,
    )


def _obeyed(holding: Holding, command: AssignmentCommand, at: At, *, already: bool) -> Decision[Holding]:
    return settle(holding.having(), at, [_answer(command, already=already)], known=holding)


def _refused(holding: Holding, command: AssignmentCommand, reason: Refusal) -> Decision[Holding]:
    refused = CommandRefused(
        command_id=command.id,
        request_id=command.request_id,
        assignment_id=command.order.assignment_id,
        reason=reason,
    )
    return Decision(holding.having(), (refused,), refusal=reason)
