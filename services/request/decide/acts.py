"""What can be done to a request that is there: cancel it, have it tried again, delete it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.request.decide.progress import At, deliver, withdraw
from services.request.model import ADDS, TRIED, Request
from shared.contracts.base import Refusal
from shared.contracts.request import RequestCanceled, RequestDeleted, RequestReprocessed, RequestStatus
from shared.messaging.decision import Decision

REPROCESSED_WITHIN = timedelta(days=14)
"""After completion (ST-4, X-1: Graph's figure)."""
CANCELABLE = frozenset({RequestStatus.SUBMITTED, RequestStatus.PENDING_APPROVAL, RequestStatus.SCHEDULED})


@dataclass(frozen=True, slots=True)
class Cancel:
    id: str
    administrator: bool = False
    """Takes back what has failed, too (REQ-5)."""


@dataclass(frozen=True, slots=True)
class Reprocess:
    id: str


@dataclass(frozen=True, slots=True)
class Delete:
    id: str


def cancel(request: Request | None, message: Cancel, at: At) -> Decision[Request]:
    """Taken back while nobody has decided, or before its start; by administrators when its delivery has failed, too
    (REQ-4, REQ-5). Twice is harmless."""
    if request is None or request.deleted:
        return _missing(request)
    if request.status is RequestStatus.CANCELED:
        return Decision(request)
    failed = request.status is RequestStatus.DELIVERY_FAILED
    if request.status not in CANCELABLE and not (failed and message.administrator):
        return _conflict(request, f"A request that is {request.status.value} cannot be canceled.")
    canceled = request.having(status=RequestStatus.CANCELED, completed_at=at.now, approvers=())
    if failed and not (request.made and request.type in ADDS):
        return Decision(canceled, (RequestCanceled(),))  # nothing of it is left to be taken back
    return withdraw(canceled, at, (RequestCanceled(),))


def reprocess(request: Request | None, _message: Reprocess, at: At) -> Decision[Request]:
    """Delivery is tried once more."""
    if request is None or request.deleted:
        return _missing(request)
    if request.status not in TRIED:
        return _conflict(request, f"A request that is {request.status.value} cannot be reprocessed.")
    if request.completed_at is not None and request.completed_at + REPROCESSED_WITHIN < at.now:
        return _conflict(request, "It was completed more than 14 days ago: cancel it and ask anew.")
    if at.clashes:
        return _conflict(request, "Another request for this access package and person is open.")
    again = request.having(attempt=request.attempt + 1)
    return deliver(again, at, (RequestReprocessed(),))


def delete(request: Request | None, _message: Delete, _at: At) -> Decision[Request]:
    """It is listed no longer; the assignment stays (REQ-10)."""
    if request is None or request.deleted:
        return _missing(request)
    if request.open:
        return _conflict(request, f"A request that is {request.status.value} cannot be deleted: cancel it first.")
    return Decision(request.having(deleted=True), (RequestDeleted(),))


def _missing(request: Request | None) -> Decision[Request]:
    return Decision(request, refusal=Refusal(code="notFound", message="The resource was not found."))


def _conflict(request: Request, message: str) -> Decision[Request]:
    return Decision(request, refusal=Refusal(code="conflict", message=message))
