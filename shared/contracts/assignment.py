"""What assignment says: one fact a change of one person's holding, and answers to questions before a deletion."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Cause, Contract, Fact, Message, Refusal, Transition
from shared.contracts.catalog import ResourceRole


class AssignmentStatus(StrEnum):
    """Graph's accessPackageAssignmentState, and `scheduled` for one whose start lies ahead."""

    SCHEDULED = "scheduled"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    PARTIALLY_DELIVERED = "partiallyDelivered"
    DELIVERY_FAILED = "deliveryFailed"
    EXPIRED = "expired"


class AssignmentKind(StrEnum):
    """By what a package is held."""

    AUTOMATIC = "automatic"
    DIRECT = "direct"


class EndReason(StrEnum):
    """Why an assignment ended."""

    NO_LONGER_MATCHES = "noLongerMatches"
    LEFT = "left"
    EXPIRED = "expired"
    REMOVED = "removed"
    POLICY_DELETED = "policyDeleted"


class AssignmentState(Contract):
    """One person holding one package under one policy, from a start to an end, for a reason."""

    id: str
    package_id: str
    policy_id: str
    kind: AssignmentKind
    status: AssignmentStatus
    starts_at: datetime
    ends_at: datetime | None = Field(None, description="UTC, exclusive. None: until taken away.")
    assigned_at: datetime
    cause: Cause = Field(description="What brought it: the HR change, the rule change, the administrator.")
    justification: str | None = None


class GrantState(Contract):
    """One resource role due to one person, while at least one assignment needs it."""

    role: ResourceRole
    assignments: tuple[str, ...] = Field(description="Ids of the assignments that need it, oldest first.")
    deliver: bool = Field(description="False while the person is suspended.")
    version: int = Field(description="Version of the holding in which `deliver`, or the grant itself, last changed.")


class HoldingState(Contract):
    """All access of one person: live assignments, and for each resource role the assignments that need it."""

    person_id: str
    assignments: tuple[AssignmentState, ...] = ()
    grants: tuple[GrantState, ...] = ()
    suspended: bool = False


class AssignmentAdded(Transition):
    type: Literal["AssignmentAdded"] = "AssignmentAdded"
    assignment: AssignmentState


class AssignmentEnded(Transition):
    type: Literal["AssignmentEnded"] = "AssignmentEnded"
    assignment: AssignmentState
    reason: EndReason
    detail: str = Field("", description="In words: which rule matches no longer, who removed it.")


class AssignmentMoved(Transition):
    """The same assignment under another policy or with another end."""

    type: Literal["AssignmentMoved"] = "AssignmentMoved"
    before: AssignmentState
    after: AssignmentState


class AssignmentProgressed(Transition):
    """Its delivery got on: delivering, delivered, partially delivered, failed; or its start came."""

    type: Literal["AssignmentProgressed"] = "AssignmentProgressed"
    assignment_id: str
    package_id: str
    before: AssignmentStatus
    after: AssignmentStatus


class AssignmentEndsSoon(Transition):
    type: Literal["AssignmentEndsSoon"] = "AssignmentEndsSoon"
    assignment: AssignmentState


class AssignmentRefused(Transition):
    """Somebody asked for an assignment and cannot have it."""

    type: Literal["AssignmentRefused"] = "AssignmentRefused"
    package_id: str
    policy_id: str | None = None
    reason: Refusal


class GrantGiven(Transition):
    """A resource role is due from now on (the first assignment that needs it, or the return of a suspended person)."""

    type: Literal["GrantGiven"] = "GrantGiven"
    role: ResourceRole
    version: int


class GrantTaken(Transition):
    """A resource role is due no longer (its last assignment ended, or the person was suspended)."""

    type: Literal["GrantTaken"] = "GrantTaken"
    role: ResourceRole
    version: int
    suspended: bool = False


HoldingTransition = Annotated[
    AssignmentAdded
    | AssignmentEnded
    | AssignmentMoved
    | AssignmentProgressed
    | AssignmentEndsSoon
    | AssignmentRefused
    | GrantGiven
    | GrantTaken,
    Field(discriminator="type"),
]


class HoldingFact(Fact):
    """One person's access changed. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.assignment.holding.v1"
    transitions: tuple[HoldingTransition, ...]
    state: HoldingState


class UseAnswer(Message):
    """Assignment's answer to a `DeletionAsked` about a package or policy. Key: the subject's id."""

    ce_type: ClassVar[str] = "tenure.assignment.use-answer.v1"
    subject: str
    kind: Literal["package", "policy", "population"]
    asked_version: int = Field(description="Version of the fact that asked.")
    in_use: int = Field(ge=0, description="How many live assignments need it still.")


class RuleJobState(Contract):
    """A rule or role set change on its way through everyone it can concern."""

    id: str = Field(description="The policy's or package's id.")
    subject: Literal["policy", "package", "population"]
    target_epoch: int
    done: bool = False
    decided: int = Field(0, description="People decided so far.")
    expected: int | None = Field(None, description="About how many it can concern.")
    changed: int = Field(0, description="People whose access it changed.")
    started_at: datetime
    finished_at: datetime | None = None


class RuleJobStarted(Transition):
    type: Literal["RuleJobStarted"] = "RuleJobStarted"


class RuleJobProgressed(Transition):
    type: Literal["RuleJobProgressed"] = "RuleJobProgressed"


class RuleJobFinished(Transition):
    type: Literal["RuleJobFinished"] = "RuleJobFinished"


RuleJobTransition = Annotated[RuleJobStarted | RuleJobProgressed | RuleJobFinished, Field(discriminator="type")]


class RuleJobFact(Fact):
    """A background job started, got on or finished. Key: the policy's or package's id."""

    ce_type: ClassVar[str] = "tenure.assignment.rule-job.v1"
    transitions: tuple[RuleJobTransition, ...]
    state: RuleJobState
