"""Who hears of requests: approvers that somebody waits for them and what was decided, requestors how it ended. Pure.

That access was given is told by the holding, as for everybody else. Direct assignments send none of these (ML-3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from services.notification.decide import spread
from services.notification.model import AN_ADMINISTRATOR, Change, Event, Item, Message
from shared.contracts.approval import (
    ApprovalFact,
    ApproversChanged,
    ApproversReminded,
    ReviewResult,
    StageDecided,
    StageEscalated,
    StageStarted,
    StageTimedOut,
)
from shared.contracts.base import Refusal
from shared.contracts.request import (
    CHANGES,
    RequestApproved,
    RequestCanceled,
    RequestDeliveryFailed,
    RequestDenied,
    RequestExpired,
    RequestFact,
    RequestState,
    RequestType,
)

_BY_ADMINS = {RequestType.ADMIN_ADD, RequestType.ADMIN_UPDATE, RequestType.ADMIN_REMOVE}


def to_approvers(fact: ApprovalFact, now: datetime) -> list[Message]:
    """Whoever is newly asked by this fact, or reminded, is told so, and until when; whoever was concerned by what has
    been decided or has run out of time is told that."""
    asked: dict[str, None] = {}
    found: list[Message] = []
    for one in fact.transitions:
        match one:
            case StageStarted() | StageEscalated():
                asked |= dict.fromkeys(one.approvers)
            case ApproversChanged():
                asked |= dict.fromkeys(one.added)
            case ApproversReminded():
                found += spread(fact, Event.APPROVAL_REMINDED, one.approvers, (_asked(fact, one.approvers),), now)
            case StageDecided():
                item = _decided(fact, one)
                found += spread(fact, Event.APPROVAL_DECIDED, one.concerned, (item,), now)
            case StageTimedOut():
                found += spread(fact, Event.APPROVAL_EXPIRED, one.concerned, (_item(fact, "lapsed"),), now)
            case _:
                pass
    return [*found, *spread(fact, Event.APPROVAL_ASKED, asked, (_asked(fact, asked),), now)]


def _asked(fact: ApprovalFact, people: Iterable[str]) -> Item:
    """With the date by which they have to decide, and what the requestor says."""
    who = set(people)
    until = next((stage.expires_at for stage in fact.state.stages if who & set(stage.approvers)), None)
    return replace(_item(fact, "asked"), ends_at=until, detail=fact.state.justification or "")


def _decided(fact: ApprovalFact, decided: StageDecided) -> Item:
    """With the stage, if it is not the last word: approved it goes on to the next one."""
    item = replace(
        _item(fact, "decided"), reason=decided.result.value.lower(), detail=decided.justification or "", by=decided.by
    )
    goes_on = decided.result is ReviewResult.APPROVED and decided.number < len(fact.state.stages)
    return replace(item, stage=decided.number, stages=len(fact.state.stages)) if goes_on else item


def _item(fact: ApprovalFact, change: Change) -> Item:
    approval = fact.state
    # Only administrators ask without being somebody here.
    asker = approval.requestor_id or AN_ADMINISTRATOR
    return Item(
        change,
        approval.package_id,
        approval.policy_id,
        "",
        person_id=approval.person_id,
        request_id=approval.id,
        asked_by=asker if asker != approval.person_id else "",
        changing=approval.changes,
    )


def to_requestor(fact: RequestFact, now: datetime) -> list[Message]:
    """That it was approved, that it was denied, that nobody decided in time, that it could not be delivered, or that
    the service ended it. Whoever took it back knows."""
    request = fact.state
    if request.type in _BY_ADMINS:
        return []
    found: list[Message] = []
    for one in fact.transitions:
        reason: Refusal | None = None
        match one:
            case RequestApproved():
                event, change = Event.REQUEST_APPROVED, "approved"
            case RequestDenied():
                event, change = Event.REQUEST_DENIED, "denied"
            case RequestExpired():
                event, change = Event.REQUEST_EXPIRED, "expired"
            case RequestDeliveryFailed():
                event, change = Event.REQUEST_FAILED, "failed"
            case RequestCanceled(reason=Refusal() as why) if _is_news(why, request):
                event, change = Event.REQUEST_FAILED, "failed"
            case _:
                continue
        if not isinstance(one, RequestApproved):
            reason = one.reason
        item = Item(
            change,  # type: ignore[arg-type]
            request.package_id,
            request.policy_id,
            request.assignment_id,
            reason=reason.code if reason else "",
            detail=reason.message if reason else "",
            person_id=request.person_id,
            request_id=request.id,
            changing=request.type in CHANGES,
        )
        found += spread(fact, event, [request.requestor_id or request.person_id], (item,), now)
    return found


def _is_news(why: Refusal, request: RequestState) -> bool:
    """Not to somebody who has left themself; and that access has ended is told by the holding."""
    left_themself = why.code == "personLeft" and request.requestor_id in {None, request.person_id}
    return why.code != "assignmentEnded" and not left_themself
