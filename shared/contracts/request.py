"""What request says: how far somebody's asking for access has come."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Contract, Fact, Refusal, Transition
from shared.contracts.policy import Answer


class RequestType(StrEnum):
    """Graph's accessPackageRequestType: who asks for what."""

    USER_ADD = "userAdd"
    USER_UPDATE = "userUpdate"
    USER_REMOVE = "userRemove"
    ADMIN_ADD = "adminAdd"
    ADMIN_UPDATE = "adminUpdate"
    ADMIN_REMOVE = "adminRemove"
    SYSTEM_ADD = "systemAdd"
    SYSTEM_UPDATE = "systemUpdate"
    SYSTEM_REMOVE = "systemRemove"
    ON_BEHALF_ADD = "onBehalfAdd"
    APPROVER_REMOVE = "approverRemove"


CHANGES = frozenset({RequestType.USER_UPDATE, RequestType.ADMIN_UPDATE, RequestType.SYSTEM_UPDATE})
"""Of an assignment that is there: its end, its answers."""


class RequestStatus(StrEnum):
    """Graph's accessPackageRequestState. A request whose approval nobody gave in time is `denied`."""

    SUBMITTED = "submitted"
    PENDING_APPROVAL = "pendingApproval"
    SCHEDULED = "scheduled"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    PARTIALLY_DELIVERED = "partiallyDelivered"
    DELIVERY_FAILED = "deliveryFailed"
    DENIED = "denied"
    CANCELED = "canceled"


class RequestState(Contract):
    """One person asking (for themself or somebody else) to add, change or remove an assignment."""

    id: str
    type: RequestType
    status: RequestStatus
    person_id: str = Field(description="Whose access it is about.")
    requestor_id: str | None = Field(
        None, description="Who asked; None: an administrator who is nobody in the directory, or the service itself."
    )
    package_id: str
    policy_id: str
    policy_version: int = Field(description="It is decided under the policy as it was in this version.")
    assignment_id: str = Field(description="The assignment to be made, changed or ended.")
    justification: str | None = None
    answers: tuple[Answer, ...] = ()
    starts_at: datetime | None = Field(None, description="As asked; None: at once.")
    ends_at: datetime | None = Field(None, description="As asked; None: as the policy says.")
    created_at: datetime
    completed_at: datetime | None = None
    reason: Refusal | None = Field(None, description="Why it was denied, failed, or was canceled by the service.")


class RequestSubmitted(Transition):
    type: Literal["RequestSubmitted"] = "RequestSubmitted"


class RequestApprovalAsked(Transition):
    type: Literal["RequestApprovalAsked"] = "RequestApprovalAsked"
    stages: int


class RequestApproved(Transition):
    """All stages approved."""

    type: Literal["RequestApproved"] = "RequestApproved"


class RequestDenied(Transition):
    type: Literal["RequestDenied"] = "RequestDenied"
    reason: Refusal


class RequestExpired(Transition):
    """Nobody decided within the limit of a stage."""

    type: Literal["RequestExpired"] = "RequestExpired"
    reason: Refusal


class RequestCanceled(Transition):
    """Somebody took it back; or the service ended it, for nothing can come of it any more."""

    type: Literal["RequestCanceled"] = "RequestCanceled"
    reason: Refusal | None = Field(None, description="Why the service ended it; None: somebody took it back.")


class RequestDelivering(Transition):
    """Assignment has been commanded to do it, or does it."""

    type: Literal["RequestDelivering"] = "RequestDelivering"


class RequestScheduled(Transition):
    """Its start lies ahead."""

    type: Literal["RequestScheduled"] = "RequestScheduled"
    starts_at: datetime


class RequestDelivered(Transition):
    """Done: what was asked for is as far as `status` says."""

    type: Literal["RequestDelivered"] = "RequestDelivered"
    status: Literal["delivered", "partiallyDelivered"]


class RequestDeliveryFailed(Transition):
    type: Literal["RequestDeliveryFailed"] = "RequestDeliveryFailed"
    reason: Refusal


class RequestReprocessed(Transition):
    """Somebody asked that its delivery be tried again."""

    type: Literal["RequestReprocessed"] = "RequestReprocessed"


class RequestDeleted(Transition):
    """It is listed no longer; what it brought stays."""

    type: Literal["RequestDeleted"] = "RequestDeleted"


RequestTransition = Annotated[
    RequestSubmitted
    | RequestApprovalAsked
    | RequestApproved
    | RequestDenied
    | RequestExpired
    | RequestCanceled
    | RequestDelivering
    | RequestScheduled
    | RequestDelivered
    | RequestDeliveryFailed
    | RequestReprocessed
    | RequestDeleted,
    Field(discriminator="type"),
]


class RequestFact(Fact):
    """A request got on. Key: the id of the person whose access it is about."""

    ce_type: ClassVar[str] = "tenure.request.request.v1"
    transitions: tuple[RequestTransition, ...]
    state: RequestState
