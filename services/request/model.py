"""A request: who asks for what, under which terms, and how far it has come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Cause, Refusal
from shared.contracts.policy import Answer, ApprovalSettings, Span
from shared.contracts.request import RequestState, RequestStatus, RequestType

ADDS = frozenset({RequestType.USER_ADD, RequestType.ADMIN_ADD, RequestType.ON_BEHALF_ADD, RequestType.SYSTEM_ADD})
UPDATES = frozenset({RequestType.USER_UPDATE, RequestType.ADMIN_UPDATE, RequestType.SYSTEM_UPDATE})
REMOVES = frozenset({RequestType.USER_REMOVE, RequestType.ADMIN_REMOVE, RequestType.SYSTEM_REMOVE})
BY_ADMINS = frozenset({RequestType.ADMIN_ADD, RequestType.ADMIN_UPDATE, RequestType.ADMIN_REMOVE})
BY_USERS = frozenset(
    {RequestType.USER_ADD, RequestType.USER_UPDATE, RequestType.USER_REMOVE, RequestType.ON_BEHALF_ADD}
)

OPEN = frozenset(
    {RequestStatus.SUBMITTED, RequestStatus.PENDING_APPROVAL, RequestStatus.SCHEDULED, RequestStatus.DELIVERING}
)
"""Nobody can ask for the same package for the same person meanwhile."""
TRIED = frozenset({RequestStatus.PARTIALLY_DELIVERED, RequestStatus.DELIVERY_FAILED})
"""Over, but it may still be delivered: by itself, or because somebody asks for another try."""

_SAID = {
    RequestStatus.SUBMITTED: "Accepted",
    RequestStatus.SCHEDULED: "PendingNotBefore",
}

FIRST_RESEND = timedelta(minutes=15)
"""A command waits behind a mass import like everything else: resending early would only lengthen the queue."""
LONGEST_RESEND = timedelta(hours=1)


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Terms(Value):
    """What of its policy a request is decided under, as it was in that version."""

    version: int = 0
    approval: ApprovalSettings = ApprovalSettings()


class Awaited(Value):
    """A command that has not been answered yet."""

    command_id: str
    again_at: datetime
    times: int = 1


class AttributeAnswer(Value):
    """An answer that is to become a property of the person (CAT-6)."""

    name: str
    value: str
    persisted: bool = False
    """It stays when the access ends."""


class Request(Value):
    """One request. What is asked for never changes; `status` and what follows from it do."""

    id: str
    type: RequestType
    status: RequestStatus
    person_id: str
    requestor_id: str | None
    package_id: str
    policy_id: str
    terms: Terms
    assignment_id: str
    justification: str | None = None
    answers: tuple[Answer, ...] = ()
    attributes: tuple[AttributeAnswer, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lasts: Span | None = None
    """From its start, where no end was fixed."""
    created_at: datetime
    completed_at: datetime | None = None
    reason: Refusal | None = None
    expired: bool = False
    """Denied because nobody decided in time."""
    cause: Cause
    """Of its creation: correlation and actor of all that it commands."""
    approvers: tuple[str, ...] = ()
    """Who may decide now, as approval last said."""
    asked: tuple[str, ...] = ()
    """Whoever might ever decide it: they see it, and what became of it, for good (APR-10)."""
    escalated: bool = False
    """The alternates of the stage that decides now are asked, too."""
    awaited: Awaited | None = None
    attempt: int = 1
    """Grows when somebody asks for another try."""
    made: bool = False
    """Assignment has obeyed: what was asked for is there, or on its way."""
    takes_back: bool = False
    """Answers of it are properties of the person that go when the assignment ends."""
    deleted: bool = False

    def having(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)

    @property
    def open(self) -> bool:
        return self.status in OPEN

    @property
    def listens(self) -> bool:
        """Whether a change of the person's holding may mean something for it."""
        waits = self.awaited is not None and self.status is not RequestStatus.PENDING_APPROVAL
        if self.status is RequestStatus.PENDING_APPROVAL and self.type in UPDATES:
            return True
        under_way = self.made and self.type in ADDS and (self.open or self.status in TRIED)
        return waits or under_way or self.takes_back

    @property
    def due_at(self) -> datetime | None:
        return self.awaited.again_at if self.awaited else None

    @property
    def said(self) -> str:
        """Graph's `status`: the same in free text."""
        if self.expired:
            return "Expired"
        if self.status is RequestStatus.PENDING_APPROVAL and self.escalated:
            return "PendingApprovalEscalated"
        return _SAID.get(self.status, self.status.value[:1].upper() + self.status.value[1:])


def public(request: Request) -> RequestState:
    """As others see it."""
    return RequestState(
        id=request.id,
        type=request.type,
        status=request.status,
        person_id=request.person_id,
        requestor_id=request.requestor_id,
        package_id=request.package_id,
        policy_id=request.policy_id,
        policy_version=request.terms.version,
        assignment_id=request.assignment_id,
        justification=request.justification,
        answers=request.answers,
        starts_at=request.starts_at,
        ends_at=request.ends_at,
        created_at=request.created_at,
        completed_at=request.completed_at,
        reason=request.reason,
    )


def dump(request: Request) -> dict[str, Any]:
    """To a document, with what it is found by beside its own fields."""
    document = request.model_dump(by_alias=False)  # contracts inside would use the names of the wire
    if request.open:
        document["holds_place"] = f"{request.person_id}:{request.package_id}"
    if request.listens:
        document["listens"] = True
    return document


def load(document: dict[str, Any]) -> Request:
    """Back from a document."""
    return Request.model_validate(document)
