"""What review says: definitions, their instances and each decision; and what it asks of itself.

Names and values are those of Graph's accessReview types, where it has them.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Command, Contract, Fact, Transition
from shared.contracts.policy import Span
from shared.contracts.roster import RosterKind


class ReviewStatus(StrEnum):
    """How far a definition, an instance or a stage is."""

    NOT_STARTED = "NotStarted"
    INITIALIZING = "Initializing"  # the roster is on its way
    STARTING = "Starting"
    IN_PROGRESS = "InProgress"
    COMPLETING = "Completing"
    COMPLETED = "Completed"
    AUTO_REVIEWING = "AutoReviewing"  # what was left open gets the default decision
    AUTO_REVIEWED = "AutoReviewed"
    APPLYING = "Applying"
    APPLIED = "Applied"


class Verdict(StrEnum):
    """Graph's accessReviewInstanceDecisionItem.decision."""

    APPROVE = "Approve"
    DENY = "Deny"
    DONT_KNOW = "DontKnow"
    NOT_REVIEWED = "NotReviewed"


class Advice(StrEnum):
    """Graph's accessReviewInstanceDecisionItem.recommendation."""

    APPROVE = "Approve"
    DENY = "Deny"
    NO_INFO = "NoInfoAvailable"


class ApplyResult(StrEnum):
    """Graph's accessReviewInstanceDecisionItem.applyResult."""

    NEW = "New"
    APPLIED = "AppliedSuccessfully"
    FAILED = "AppliedWithUnknownFailure"
    NOT_FOUND = "AppliedSuccessfullyButObjectNotFound"  # it was gone already
    NOT_SUPPORTED = "ApplyNotSupported"


class DefaultDecision(StrEnum):
    """What becomes of items that nobody reviewed."""

    NONE = "None"
    APPROVE = "Approve"
    DENY = "Deny"
    RECOMMENDATION = "Recommendation"


class ReviewerScope(Contract):
    """Who reviews, as a query: '/users/{id}', '/groups/{id}/transitiveMembers', './manager', './owners', …"""

    query: str
    query_type: str = "MicrosoftGraph"
    query_root: str | None = None


DayOfWeek = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WeekIndex = Literal["first", "second", "third", "fourth", "last"]


class RecurrencePattern(Contract):
    """Every `interval` weeks, months or years. Other types are refused; of these only what is here is honoured."""

    type: Literal["weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"]
    interval: int = Field(1, ge=1, le=120)
    day_of_month: int = Field(0, ge=0, le=31, description="Months: 0 is the day of the first start.")
    month: int = Field(0, ge=0, le=12, description="Years: 0 is the month of the first start.")
    days_of_week: tuple[DayOfWeek, ...] = Field(
        (), description="weekly: none is the day of the first start. relative…: which days are counted."
    )
    index: WeekIndex = Field("first", description="relative…: which of the counted days of the month.")
    first_day_of_week: DayOfWeek = Field("sunday", description="weekly: where weeks begin, if not each is meant.")


class RecurrenceRange(Contract):
    """From when, and how long. A `numbered` range without a number ends on its end date, as Graph has it."""

    type: Literal["noEnd", "endDate", "numbered"] = "noEnd"
    start_date: date
    end_date: date | None = None
    number_of_occurrences: int = Field(0, ge=0)
    recurrence_time_zone: str | None = Field(
        None, description="By IANA or by Windows; days begin at its midnight. None: UTC."
    )


class Recurrence(Contract):
    pattern: RecurrencePattern | None = Field(None, description="None: once, on the first day of the range.")
    range: RecurrenceRange


class ReviewSettings(Contract):
    """Graph's accessReviewScheduleSettings."""

    mail_notifications_enabled: bool = False
    reminder_notifications_enabled: bool = False
    justification_required_on_approval: bool = False
    default_decision_enabled: bool = False
    default_decision: DefaultDecision = DefaultDecision.NONE
    auto_apply_decisions_enabled: bool = False
    instance_duration_in_days: int = Field(0, ge=0, le=3650)
    recurrence: Recurrence | None = None
    recommendations_enabled: bool = False
    recommendation_look_back: Span | None = None
    recommendation_insights: tuple[dict[str, Any], ...] = ()
    decision_histories_for_reviewers_enabled: bool = False
    disable_and_delete: bool = Field(False, description="A denied guest is blocked for 30 days, then deleted.")


class StageSettings(Contract):
    """Graph's accessReviewStageSettings; of a review without stages, all of it as one stage."""

    stage_id: str = "1"
    duration_in_days: int = Field(ge=0, le=3650)
    reviewers: tuple[ReviewerScope, ...] = Field((), description="None: everybody reviews themself.")
    fallback_reviewers: tuple[ReviewerScope, ...] = ()
    recommendations_enabled: bool = False
    recommendation_look_back: Span | None = Field(None, description="None: as the review says.")
    recommendation_insights: tuple[dict[str, Any], ...] | None = Field(None, description="None: as the review says.")
    moves_on: tuple[str, ...] | None = Field(
        None, description="Decisions that go on to the next stage; None: all of them."
    )


class DefinitionState(Contract):
    """A campaign: what is reviewed by whom, and when. `scope` and `enumeration` are Graph's JSON, as written."""

    id: str
    display_name: str
    description_for_admins: str | None = None
    description_for_reviewers: str | None = None
    scope: dict[str, Any]
    enumeration: dict[str, Any] | None = Field(None, description="Graph's instanceEnumerationScope.")
    settings: ReviewSettings
    stages: tuple[StageSettings, ...] = Field(description="One for a review without stages.")
    staged: bool = False
    additional_recipients: tuple[dict[str, Any], ...] = ()
    status: ReviewStatus = ReviewStatus.NOT_STARTED
    created_by: str | None = Field(None, description="Person id.")
    created_at: datetime
    modified_at: datetime
    policy_id: str | None = Field(None, description="The policy whose review settings made it.")


class ReviewDefined(Transition):
    type: Literal["ReviewDefined"] = "ReviewDefined"


class ReviewChanged(Transition):
    """Coming instances follow it; running ones stay as they are."""

    type: Literal["ReviewChanged"] = "ReviewChanged"
    properties: tuple[str, ...]


class ReviewDeleted(Transition):
    """No instance begins any more, and running ones are ended undecided. Access is not touched."""

    type: Literal["ReviewDeleted"] = "ReviewDeleted"


class ReviewBegan(Transition):
    """Occurrence `number` begins: an instance for each resource."""

    type: Literal["ReviewBegan"] = "ReviewBegan"
    number: int
    starts_at: datetime


class OccurrencesMissed(Transition):
    """The whole time of these passed while nothing ran, so they did not begin: nobody could have decided."""

    type: Literal["OccurrencesMissed"] = "OccurrencesMissed"
    first: int
    last: int


class ReviewOver(Transition):
    """The last occurrence has begun."""

    type: Literal["ReviewOver"] = "ReviewOver"


DefinitionTransition = Annotated[
    ReviewDefined | ReviewChanged | ReviewDeleted | ReviewBegan | OccurrencesMissed | ReviewOver,
    Field(discriminator="type"),
]


class DefinitionFact(Fact):
    """Key: the definition's id."""

    ce_type: ClassVar[str] = "tenure.review.definition.v1"
    transitions: tuple[DefinitionTransition, ...]
    state: DefinitionState


class ReviewedResource(Contract):
    """What one instance is about."""

    kind: RosterKind
    id: str
    policy_id: str | None = None
    catalog_id: str | None = None
    display_name: str | None = None
    direct: bool = Field(False, description="Groups: `members` was asked for, not `transitiveMembers`.")
    groups: bool = Field(False, description="Groups: groups that are direct members are reviewed, too.")


class StartInstance(Contract):
    """Review this resource now, by the definition as it is."""

    type: Literal["StartInstance"] = "StartInstance"
    definition: DefinitionState
    number: int
    resource: ReviewedResource
    scope: dict[str, Any] = Field(description="The resolved scope, as Graph's JSON.")
    guests_only: bool = False
    inactive_for: Span | None = None
    starts_at: datetime
    ends_at: datetime


class CloseInstance(Contract):
    """The definition was deleted: end it, and apply nothing."""

    type: Literal["CloseInstance"] = "CloseInstance"


class ReviewCommand(Command):
    """Review asks itself: a definition begins or closes an instance. Key: the instance's id."""

    ce_type: ClassVar[str] = "tenure.review.command.v1"
    instance_id: str
    order: Annotated[StartInstance | CloseInstance, Field(discriminator="type")]


class ReviewStageState(Contract):
    """A stage of one instance."""

    id: str
    status: ReviewStatus
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    reviewers: tuple[str, ...] = Field((), description="Who reviews every item; managers and self stand in the items.")


class InstanceState(Contract):
    """One run of a review over one resource."""

    id: str
    definition_id: str
    definition_name: str
    number: int
    resource: ReviewedResource
    status: ReviewStatus
    starts_at: datetime
    ends_at: datetime
    stages: tuple[ReviewStageState, ...]
    items: int = 0
    figures: dict[str, int] = Field(default_factory=dict, description="Items by decision, once it is over.")
    results: dict[str, int] = Field(default_factory=dict, description="Items by apply result, once it is applied.")
    unattended: int = Field(0, description="Items of the stage in progress that nobody can decide.")
    refused: str | None = Field(None, description="Why there is nothing to review, if what it is about is not there.")
    created_by: str | None = None
    mails: bool = False
    blocks_guests: bool = Field(False, description="Whom it denies is blocked, and it is applied weeks later.")
    recipients: tuple[str, ...] = Field(
        (), description="People who hear how it ended, once it has: who made it, and additional recipients."
    )
    description_for_reviewers: str | None = None
    additional_recipients: tuple[dict[str, Any], ...] = ()


class InstanceCreated(Transition):
    """The owner of the access was asked for the roster."""

    type: Literal["InstanceCreated"] = "InstanceCreated"


class InstanceStarted(Transition):
    type: Literal["InstanceStarted"] = "InstanceStarted"
    items: int


class OpenItems(Contract):
    """What a reviewer has still to decide."""

    count: int
    people: tuple[str, ...] = Field((), description="Ids of some of those whose access it is, so that it can be named.")
    further: int = Field(0, description="Of the items, those that are not named so: several may be one person's.")


class ReviewersAsked(Transition):
    """These people are to be told: it has begun, half of the time is over, or somebody asks for a reminder."""

    type: Literal["ReviewersAsked"] = "ReviewersAsked"
    occasion: Literal["start", "halfTime", "endsSoon", "reminder"]
    reviewers: tuple[str, ...]
    open: dict[str, OpenItems] = Field(
        default_factory=dict, description="By reviewer. Nobody's, if nobody is written to: then it is not counted."
    )


class ItemsUnattended(Transition):
    """Nobody can decide some items of the stage in progress: their reviewers lead to nobody, or only to whoever has
    what is reviewed. Unless reviewers are named they get the default decision."""

    type: Literal["ItemsUnattended"] = "ItemsUnattended"
    stage_id: str
    items: OpenItems
    otherwise: DefaultDecision = Field(description="What becomes of them; None: they stay as they are.")
    told: tuple[str, ...] = Field(description="People who can mend it: who made the review, additional recipients.")


class NothingToReview(Transition):
    """What is to be reviewed is not there, so the run has no items."""

    type: Literal["NothingToReview"] = "NothingToReview"
    reason: str
    told: tuple[str, ...] = Field(description="Who made the review, additional recipients.")


class ReviewStageStarted(Transition):
    type: Literal["ReviewStageStarted"] = "ReviewStageStarted"
    stage_id: str
    number: int


class StageEnded(Transition):
    type: Literal["StageEnded"] = "StageEnded"
    stage_id: str
    number: int
    stopped: bool = False


class ReviewersChanged(Transition):
    """An administrator named others, or somebody left."""

    type: Literal["ReviewersChanged"] = "ReviewersChanged"
    stage_id: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class DecisionsReset(Transition):
    type: Literal["DecisionsReset"] = "DecisionsReset"


class InstanceCompleting(Transition):
    """Its time is over, or it was stopped: nobody decides any more."""

    type: Literal["InstanceCompleting"] = "InstanceCompleting"
    stopped: bool = False


class InstanceCompleted(Transition):
    type: Literal["InstanceCompleted"] = "InstanceCompleted"


class InstanceAutoReviewing(Transition):
    type: Literal["InstanceAutoReviewing"] = "InstanceAutoReviewing"


class InstanceAutoReviewed(Transition):
    type: Literal["InstanceAutoReviewed"] = "InstanceAutoReviewed"


class InstanceApplying(Transition):
    type: Literal["InstanceApplying"] = "InstanceApplying"


class InstanceApplied(Transition):
    """Every item has its result."""

    type: Literal["InstanceApplied"] = "InstanceApplied"


InstanceTransition = Annotated[
    InstanceCreated
    | InstanceStarted
    | ReviewersAsked
    | ItemsUnattended
    | NothingToReview
    | ReviewStageStarted
    | StageEnded
    | ReviewersChanged
    | DecisionsReset
    | InstanceCompleting
    | InstanceCompleted
    | InstanceAutoReviewing
    | InstanceAutoReviewed
    | InstanceApplying
    | InstanceApplied,
    Field(discriminator="type"),
]


class InstanceFact(Fact):
    """Key: the instance's id."""

    ce_type: ClassVar[str] = "tenure.review.instance.v1"
    transitions: tuple[InstanceTransition, ...]
    state: InstanceState


class ItemState(Contract):
    """One person and one thing in one instance."""

    id: str
    instance_id: str
    definition_id: str
    person_id: str
    role: str = ""
    assignment_id: str | None = None
    recommendation: Advice = Advice.NO_INFO
    decision: Verdict = Verdict.NOT_REVIEWED
    justification: str | None = None
    decided_by: str | None = Field(None, description="Person id; None: nobody, or the default decision.")
    decided_at: datetime | None = None
    result: ApplyResult = ApplyResult.NEW
    detail: str | None = Field(None, description="In words, what applying came to.")


class ItemDecided(Transition):
    """The last of several reviewers' decisions counts; all are kept."""

    type: Literal["ItemDecided"] = "ItemDecided"
    decision: Verdict
    by: str
    stage: int
    justification: str | None = None


class ItemReset(Transition):
    type: Literal["ItemReset"] = "ItemReset"
    by: str | None = None


class ItemDefaulted(Transition):
    """Nobody decided, and the review says what that means."""

    type: Literal["ItemDefaulted"] = "ItemDefaulted"
    decision: Verdict


class ItemHandedOver(Transition):
    """Whoever was to review it has left, or was replaced."""

    type: Literal["ItemHandedOver"] = "ItemHandedOver"
    removed: tuple[str, ...]
    added: tuple[str, ...]


class ItemApplying(Transition):
    """The owner of the access is asked to take it away."""

    type: Literal["ItemApplying"] = "ItemApplying"
    command_id: str


class Lost(Contract):
    """Access that a review has taken from somebody."""

    review: str
    resource: ReviewedResource
    role: str | None = Field(None, description="Name of the application's role that it was.")
    reason: str | None = Field(None, description="In the reviewer's words.")


class ItemBlocked(Transition):
    """A denied guest signs in nowhere from now on; what comes of it is known at `until`."""

    type: Literal["ItemBlocked"] = "ItemBlocked"
    until: datetime
    detail: str
    lost: Lost | None = Field(None, description="What the person is to be told of; None: nothing.")


class ItemApplied(Transition):
    type: Literal["ItemApplied"] = "ItemApplied"
    result: ApplyResult
    detail: str
    lost: Lost | None = Field(None, description="What the person is to be told of; None: nothing, or others tell it.")


ItemTransition = Annotated[
    ItemDecided | ItemReset | ItemDefaulted | ItemHandedOver | ItemApplying | ItemBlocked | ItemApplied,
    Field(discriminator="type"),
]


class ItemFact(Fact):
    """A decision was made, changed, carried out. Key: the id of the person whose access it is."""

    ce_type: ClassVar[str] = "tenure.review.item.v1"
    transitions: tuple[ItemTransition, ...]
    state: ItemState


EXCLUDED_FOR = timedelta(days=180)
"""How long a rule does not give again what a review has taken, if the review does not recur."""
