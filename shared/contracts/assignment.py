"""What assignment says: one fact a change of one person's holding, and answers to questions before a deletion; and what
request asks it to do."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Cause, Command, Contract, Fact, Message, Refusal, Transition
from shared.contracts.catalog import ResourceRole


class AssignmentStatus(StrEnum):
    """Graph's accessPackageAssignmentState, and `scheduled` for one whose start lies ahead (in Graph: `delivering`)."""

    SCHEDULED = "scheduled"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    PARTIALLY_DELIVERED = "partiallyDelivered"
    DELIVERY_FAILED = "deliveryFailed"
    EXPIRED = "expired"

    @property
    def in_graph(self) -> str:
        """Its accessPackageAssignmentState, which has no word for what is to begin later: that is on its way."""
        return (AssignmentStatus.DELIVERING if self is AssignmentStatus.SCHEDULED else self).value


class AssignmentKind(StrEnum):
    """By what a package is held."""

    AUTOMATIC = "automatic"
    DIRECT = "direct"
    REQUESTED = "requested"


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
    request_id: str | None = Field(None, description="The request that brought it.")


class GrantState(Contract):
    """One resource role due to one person, while at least one assignment needs it."""

    role: ResourceRole
    assignments: tuple[str, ...] = Field(description="Ids of the assignments that need it, oldest first.")
    deliver: bool = Field(description="False while the person is suspended.")
    version: int = Field(description="Version of the holding in which `deliver`, or the grant itself, last changed.")


class ExclusionState(Contract):
    """A package that no rule gives to a person for a time, because a review took it from them."""

    package_id: str
    until: datetime = Field(description="UTC, exclusive.")
    since: datetime
    assignment_id: str = Field(description="The assignment that was taken.")
    cause: Cause = Field(description="The decision that led to it.")
    detail: str = ""


class HoldingState(Contract):
    """All access of one person: live assignments, and for each resource role the assignments that need it."""

    person_id: str
    assignments: tuple[AssignmentState, ...] = ()
    grants: tuple[GrantState, ...] = ()
    exclusions: tuple[ExclusionState, ...] = ()
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


class AssignmentBegan(Transition):
    """Its start has come."""

    type: Literal["AssignmentBegan"] = "AssignmentBegan"
    assignment: AssignmentState


class AssignmentProgressed(Transition):
    """Its delivery got on: delivering, delivered, partially delivered, failed."""

    type: Literal["AssignmentProgressed"] = "AssignmentProgressed"
    assignment_id: str
    package_id: str
    before: AssignmentStatus
    after: AssignmentStatus


class AssignmentEndsSoon(Transition):
    type: Literal["AssignmentEndsSoon"] = "AssignmentEndsSoon"
    assignment: AssignmentState


class PackageExcluded(Transition):
    """No rule gives the package to this person before `until`."""

    type: Literal["PackageExcluded"] = "PackageExcluded"
    exclusion: ExclusionState


class ExclusionLifted(Transition):
    """Its time is over, or somebody took it back: rules count again."""

    type: Literal["ExclusionLifted"] = "ExclusionLifted"
    exclusion: ExclusionState
    by_hand: bool = False


class AssignmentRefused(Transition):
    """Somebody asked for an assignment, or a rule would give one, and the person cannot have it."""

    type: Literal["AssignmentRefused"] = "AssignmentRefused"
    package_id: str
    policy_id: str | None = None
    reason: Refusal


class CommandObeyed(Transition):
    """The answer to an `AssignmentCommand`. `already` says that it was so before and nothing was done."""

    type: Literal["CommandObeyed"] = "CommandObeyed"
    command_id: str
    request_id: str
    assignment_id: str
    already: bool = False


class CommandRefused(Transition):
    """An `AssignmentCommand` that cannot be obeyed, such as one for a package that is held already."""

    type: Literal["CommandRefused"] = "CommandRefused"
    command_id: str
    request_id: str
    assignment_id: str
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
    | AssignmentBegan
    | AssignmentProgressed
    | AssignmentEndsSoon
    | PackageExcluded
    | ExclusionLifted
    | AssignmentRefused
    | CommandObeyed
    | CommandRefused
    | GrantGiven
    | GrantTaken,
    Field(discriminator="type"),
]


class HoldingFact(Fact):
    """One person's access changed. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.assignment.holding.v1"
    transitions: tuple[HoldingTransition, ...]
    state: HoldingState


class AddAssignment(Contract):
    """Make the assignment `assignment_id`, as the policy said when it was asked for: the ends are worked out already.

    The same id again changes nothing, also after that assignment has ended."""

    type: Literal["AddAssignment"] = "AddAssignment"
    assignment_id: str
    package_id: str
    policy_id: str
    kind: Literal["direct", "requested"]
    starts_at: datetime | None = Field(None, description="None, or past: at once.")
    ends_at: datetime | None = Field(None, description="UTC, exclusive.")
    lasts: timedelta | None = Field(None, description="From its start, where no end is said.")
    justification: str | None = None


class ChangeAssignment(Contract):
    """Give the assignment another end."""

    type: Literal["ChangeAssignment"] = "ChangeAssignment"
    assignment_id: str
    ends_at: datetime | None = Field(None, description="UTC, exclusive. None: until taken away.")


class EndAssignment(Contract):
    """Take this very assignment away, never a newer one."""

    type: Literal["EndAssignment"] = "EndAssignment"
    assignment_id: str
    detail: str = Field("", description="In words, for the history.")
    not_before: datetime | None = Field(
        None,
        description="Of what a rule gives: it is taken all the same, and no rule gives the package again before then.",
    )


class DeliverAgain(Contract):
    """Ask once more for those of its grants that are not delivered."""

    type: Literal["DeliverAgain"] = "DeliverAgain"
    assignment_id: str


Order = Annotated[AddAssignment | ChangeAssignment | EndAssignment | DeliverAgain, Field(discriminator="type")]


class AssignmentCommand(Command):
    """Request asks for a change of one person's access. Key: the person's id.

    Answered by the holding's fact with `CommandObeyed` or `CommandRefused`."""

    ce_type: ClassVar[str] = "tenure.assignment.command.v1"
    person_id: str
    request_id: str
    order: Order


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
