"""Who hears of requests: approvers that somebody waits for them, requestors how it ended. Pure.

That access was given is told by the holding, as for everybody else. Direct assignments send none of these (ML-3).
"""

from __future__ import annotations

from datetime import datetime

from services.notification.decide import spread
from services.notification.model import Event, Item, Message
from shared.contracts.approval import ApprovalFact, ApproversChanged, StageEscalated, StageStarted
from shared.contracts.request import (
    RequestDeliveryFailed,
    RequestDenied,
    RequestExpired,
    RequestFact,
    RequestType,
)

_BY_ADMINS = {RequestType.ADMIN_ADD, RequestType.ADMIN_UPDATE, RequestType.ADMIN_REMOVE}


def to_approvers(fact: ApprovalFact, now: datetime) -> list[Message]:
    """Whoever is newly asked by this fact is told so, and until when."""
    asked: dict[str, None] = {}
    for one in fact.transitions:
        match one:
            case StageStarted() | StageEscalated():
                asked |= dict.fromkeys(one.approvers)
            case ApproversChanged():
                asked |= dict.fromkeys(one.added)
            case _:
                pass
    approval = fact.state
    until = next((stage.expires_at for stage in approval.stages if asked.keys() & set(stage.approvers)), None)
    item = Item(
        "asked",
        approval.package_id,
        approval.policy_id,
        "",
        ends_at=until,
        person_id=approval.person_id,
        request_id=approval.id,
    )
    return list(spread(fact, Event.APPROVAL_ASKED, asked, (item,), now))


def to_requestor(fact: RequestFact, now: datetime) -> list[Message]:
    """That it was denied, that nobody decided in time, or that it could not be delivered."""
    request = fact.state
    if request.type in _BY_ADMINS:
        return []
    found: list[Message] = []
    for one in fact.transitions:
        match one:
            case RequestDenied():
                event, change = Event.REQUEST_DENIED, "denied"
            case RequestExpired():
                event, change = Event.REQUEST_EXPIRED, "expired"
            case RequestDeliveryFailed():
                event, change = Event.REQUEST_FAILED, "failed"
            case _:
                continue
        item = Item(
            change,  # type: ignore[arg-type]
            request.package_id,
            request.policy_id,
            request.assignment_id,
            reason=one.reason.code,
            detail=one.reason.message,
            person_id=request.person_id,
            request_id=request.id,
        )
        found += spread(fact, event, [request.requestor_id or request.person_id], (item,), now)
    return found
