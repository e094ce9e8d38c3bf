"""What approval is asked to do, and what it says: who was asked, who decided, and what came of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Command, Contract, Fact, Transition
from shared.contracts.policy import Answer, ApprovalStageSettings


class StageStatus(StrEnum):
    """Graph's approvalStage.status."""

    INITIALIZING = "Initializing"  # an earlier stage is still open
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    EXPIRED = "Expired"


class ReviewResult(StrEnum):
    """Graph's approvalStage.reviewResult."""

    NOT_REVIEWED = "NotReviewed"
    APPROVED = "Approved"
    DENIED = "Denied"


class Outcome(StrEnum):
    """How an approval ended."""

    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class StartApproval(Contract):
    """Begin with the first stage. The settings are those of the policy when the request was made."""

    type: Literal["StartApproval"] = "StartApproval"
    person_id: str
    requestor_id: str | None = None
    changes: bool = Field(False, description="An assignment that is there is to be extended or changed.")
    package_id: str
    policy_id: str
    stages: tuple[ApprovalStageSettings, ...]
    justification: str | None = None
    answers: tuple[Answer, ...] = ()
    asked_at: datetime


class WithdrawApproval(Contract):
    """The request was canceled: nobody needs to decide any more."""

    type: Literal["WithdrawApproval"] = "WithdrawApproval"


class ApprovalCommand(Command):
    """Request asks for an approval, or withdraws it. Key: the request's id. Answered by an `ApprovalFact`."""

    ce_type: ClassVar[str] = "tenure.approval.command.v1"
    request_id: str
    order: Annotated[StartApproval | WithdrawApproval, Field(discriminator="type")]


class StageState(Contract):
    """One stage as it is."""

    id: str
    status: StageStatus
    result: ReviewResult = ReviewResult.NOT_REVIEWED
    approvers: tuple[str, ...] = Field((), description="People who may decide now, by id.")
    escalated: bool = False
    expires_at: datetime | None = Field(None, description="When silence denies; None until the stage begins.")
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    justification: str | None = None


class ApprovalState(Contract):
    """The stages that decide one request. Its id is the request's."""

    id: str
    person_id: str
    requestor_id: str | None = None
    changes: bool = Field(False, description="An assignment that is there is to be extended or changed.")
    package_id: str
    policy_id: str
    stages: tuple[StageState, ...]
    justification: str | None = Field(None, description="The requestor's.")
    outcome: Outcome | None = None


class StageStarted(Transition):
    """These people are asked."""

    type: Literal["StageStarted"] = "StageStarted"
    stage_id: str
    number: int = Field(description="From 1.")
    approvers: tuple[str, ...]
    expires_at: datetime


class StageEscalated(Transition):
    """These people are asked besides."""

    type: Literal["StageEscalated"] = "StageEscalated"
    stage_id: str
    number: int
    approvers: tuple[str, ...]


class ApproversReminded(Transition):
    """The stage is open still: half of its time is over, or its last day has begun."""

    type: Literal["ApproversReminded"] = "ApproversReminded"
    stage_id: str
    number: int
    approvers: tuple[str, ...]


class ApproversChanged(Transition):
    """Somebody left, or came to be one whom the rules name."""

    type: Literal["ApproversChanged"] = "ApproversChanged"
    stage_id: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


class StageDecided(Transition):
    """The first decision, which is the only one."""

    type: Literal["StageDecided"] = "StageDecided"
    stage_id: str
    number: int
    result: ReviewResult
    by: str
    justification: str | None = None
    concerned: tuple[str, ...] = Field(
        (), description="Approvers and alternates of this stage; if it ended the approval, of the stages before, too."
    )


class StageTimedOut(Transition):
    type: Literal["StageTimedOut"] = "StageTimedOut"
    stage_id: str
    number: int
    concerned: tuple[str, ...] = Field((), description="Approvers and alternates of this stage.")


class ApprovalEnded(Transition):
    type: Literal["ApprovalEnded"] = "ApprovalEnded"
    outcome: Outcome
    by: str | None = Field(None, description="Whose decision ended it, if somebody's did.")
    justification: str | None = None


ApprovalTransition = Annotated[
    StageStarted | StageEscalated | ApproversReminded | ApproversChanged | StageDecided | StageTimedOut | ApprovalEnded,
    Field(discriminator="type"),
]


class ApprovalFact(Fact):
    """An approval began, got on or ended. Key: the request's id."""

    ce_type: ClassVar[str] = "tenure.approval.approval.v1"
    transitions: tuple[ApprovalTransition, ...]
    state: ApprovalState
