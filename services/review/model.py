"""A definition, its instances, and the items of each: one person and one thing.

Items are plain slotted classes and not pydantic, because an instance may have 100,000 of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from services.review.scope import NotUnderstood, read_scope
from shared.contracts.base import Cause
from shared.contracts.policy import Span
from shared.contracts.review import (
    Advice,
    ApplyResult,
    DefinitionFact,
    DefinitionState,
    InstanceFact,
    InstanceState,
    ItemFact,
    ItemState,
    ReviewedResource,
    ReviewStageState,
    ReviewStatus,
    StageSettings,
    Verdict,
)
from shared.contracts.roster import GROUP_MEMBER, RosterKind
from shared.contracts.topics import REVIEW_DEFINITION_FACTS, REVIEW_INSTANCE_FACTS, REVIEW_ITEM_FACTS
from shared.messaging.decision import AggregateKind

FIRST_RESEND = timedelta(minutes=15)
LONGEST_RESEND = timedelta(hours=1)
LAST_CALL = timedelta(days=1)

OVER = frozenset(
    {
        ReviewStatus.COMPLETING,
        ReviewStatus.COMPLETED,
        ReviewStatus.AUTO_REVIEWING,
        ReviewStatus.AUTO_REVIEWED,
        ReviewStatus.APPLYING,
        ReviewStatus.APPLIED,
    }
)
"""Nobody decides any more."""
WORKING = frozenset(
    {ReviewStatus.STARTING, ReviewStatus.COMPLETING, ReviewStatus.AUTO_REVIEWING, ReviewStatus.APPLYING}
)
"""The instance goes through its items by itself."""


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def having(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)


class Beginning(Value):
    """An occurrence that is being begun, some resources a step."""

    number: int
    starts_at: datetime
    ends_at: datetime
    after: str | None = None
    """The last group that has its instance, of a review over every group."""


class Definition(Value):
    """A campaign, and how far its series is."""

    state: DefinitionState
    number: int = 0
    """Of the last occurrence that has begun."""
    next_at: datetime | None = None
    next_number: int = 0
    beginning: Beginning | None = None
    before: int = 0
    """Occurrences that had begun when its recurrence was last changed: the present series counts on from them."""
    policy_version: int = 0
    """Of the last fact heard of the policy that it follows; later ones alone count."""
    ended: bool = False
    """Its policy is no longer reviewed: nothing begins until it is again."""
    cause: Cause
    deleted: bool = False

    @property
    def id(self) -> str:
        return self.state.id

    @property
    def due_at(self) -> datetime | None:
        if self.deleted:
            return None
        return self.beginning.starts_at if self.beginning else self.next_at

    @property
    def begins(self) -> bool:
        """Whether its next date is that of an occurrence, and no further step of one."""
        return not self.deleted and self.beginning is None and self.next_at is not None


class Stage(Value):
    """One stage of one instance. Reviewers are a snapshot of its start."""

    id: str
    settings: StageSettings
    status: ReviewStatus = ReviewStatus.NOT_STARTED
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    reviewers: tuple[str, ...] = ()
    """Who reviews every item. Managers, sponsors and people themselves stand in the items."""
    fallback: tuple[str, ...] = ()
    by_manager: bool = False
    by_sponsors: bool = False
    self_review: bool = False

    @property
    def open(self) -> bool:
        return self.status is ReviewStatus.IN_PROGRESS


class Asking(Value):
    """People who are being told of something, some hundreds a step."""

    occasion: Literal["start", "halfTime", "endsSoon", "reminder"]
    at: datetime
    """When that began."""
    after: str | None = None
    reminds: bool = False
    """Somebody wants all of them reminded, which follows."""


class Instance(Value):
    """One run of a review over one resource."""

    id: str
    definition: DefinitionState
    """As it was when this began: what is changed later holds for later ones."""
    number: int
    resource: ReviewedResource
    role_names: dict[str, str] = {}
    """Of an application's roles, by id, as the instance began."""
    scope: dict[str, Any]
    guests_only: bool = False
    inactive_for: Span | None = None
    status: ReviewStatus = ReviewStatus.INITIALIZING
    starts_at: datetime
    ends_at: datetime
    stages: tuple[Stage, ...]
    current: int = 0
    """Which stage is in progress, from 0."""
    pages: tuple[int, ...] = ()
    """Numbers of the roster's pages whose items are there."""
    expected_pages: int | None = None
    items: int = 0
    asked_again_at: datetime | None = None
    """When the roster is asked for once more; None once its first page has come."""
    times_asked: int = 1
    moving: bool = False
    """Items go on to the next stage."""
    after: str | None = None
    """The last item that the present work has been through."""
    asking: Asking | None = None
    reminded_half: bool = False
    reminded_end: bool = False
    """Both of the stage in progress."""
    unattended: int = 0
    """Items of the stage in progress that nobody can decide, as it was when its reviewers were last told."""
    refused: str | None = None
    """Why there is nothing to review, if what it is about is not there."""
    told_of_refusal: bool = False
    recipients: tuple[str, ...] = ()
    """Who hears how it ended, once it has."""
    stopped: bool = False
    apply_asked: bool = False
    looks_at: datetime | None = None
    """When the next step of its own work is due; None: once an answer makes it look."""
    figures: dict[str, int] = {}
    results: dict[str, int] = {}
    cause: Cause
    closed: bool = False
    """Its definition was deleted."""

    def role_name(self, role: str) -> str | None:
        """What people call what an item's `role` says; None: no more than the resource does."""
        match self.resource.kind:
            case RosterKind.APPLICATION:
                return self.role_names.get(role)
            case RosterKind.DIRECTORY_ROLE | RosterKind.GOVERNANCE_ROLE:
                return self.resource.display_name
        return role or None

    @property
    def look_back(self) -> Span | None:
        """Of the recommendations of the stage in progress."""
        own = self.stage.settings.recommendation_look_back
        return own if own is not None else self.definition.settings.recommendation_look_back

    @property
    def insights(self) -> tuple[dict[str, Any], ...]:
        """Which the recommendations of the stage in progress rest on."""
        own = self.stage.settings.recommendation_insights
        return own if own is not None else self.definition.settings.recommendation_insights

    @property
    def advises_anew(self) -> bool:
        """Whether the stage in progress recommends by other signs than the one before."""
        if self.current == 0 or not self.stage.settings.recommendations_enabled:
            return False
        before = self.having(current=self.current - 1)
        return (self.look_back, self.insights) != (before.look_back, before.insights)

    @property
    def asks_sponsors(self) -> bool:
        """In any of its stages. No other query has the word: asked of every item, so not parsed."""
        return any("sponsors" in one.query.lower() for it in self.stages for one in it.settings.reviewers)

    @property
    def stage(self) -> Stage:
        """The one that is, or was last, in progress."""
        return self.stages[self.current]

    def with_stage(self, number: int, stage: Stage) -> Self:
        return self.having(stages=(*self.stages[:number], stage, *self.stages[number + 1 :]))

    @property
    def is_open(self) -> bool:
        """Whether reviewers may decide."""
        return self.status is ReviewStatus.IN_PROGRESS and self.stage.open

    def goes_on_at(self, now: datetime) -> bool:
        """Whether the time of its stage is over by then, and another stage follows."""
        more = self.current + 1 < len(self.stages)
        return more and self.is_open and self.stage.ends_at is not None and self.stage.ends_at <= now

    @property
    def half_time(self) -> datetime:
        """Of the stage in progress."""
        begins, ends = self.stage.starts_at or self.starts_at, self.stage.ends_at or self.ends_at
        return begins + (ends - begins) / 2

    @property
    def last_call(self) -> datetime:
        """When whoever has not decided is told that the stage ends: a day before, and in its last quarter."""
        begins, ends = self.stage.starts_at or self.starts_at, self.stage.ends_at or self.ends_at
        return ends - min(LAST_CALL, (ends - begins) / 4)

    @property
    def due_at(self) -> datetime | None:
        """The next date by itself. What is being worked on is due at once, as of the moment that began it."""
        match self.status:
            case ReviewStatus.INITIALIZING:
                return self.asked_again_at
            case ReviewStatus.IN_PROGRESS:
                if self.moving or self.asking is not None:
                    return self.looks_at
                dates = [self.stage.ends_at]
                if not self.reminded_half:
                    dates.append(self.half_time)
                if not self.reminded_end:
                    dates.append(self.last_call)
                return min((one for one in dates if one is not None), default=None)
            case status if status in WORKING:
                return self.looks_at
        return None


class Recorded(Value):
    """One reviewer's decision on one item, as it was made."""

    stage: int
    decision: Verdict
    by: str
    at: datetime
    justification: str | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """A command that has not been answered yet."""

    command_id: str
    again_at: datetime
    times: int = 1


@dataclass(frozen=True, slots=True)
class Item:
    """One person and one thing in one instance, with all that was decided about it."""

    id: str
    instance_id: str
    definition_id: str
    person_id: str
    """Or a group's, which is itself a member of the group under review."""
    manager_id: str | None
    """When the roster was told."""
    role: str
    assignment_id: str | None
    policy_id: str | None
    user_type: str
    by_grant: bool
    by_rule: bool
    stage: int = 0
    reviewers: tuple[str, ...] | None = None
    """None: whoever reviews every item of the stage."""
    recommendation: Advice = Advice.NO_INFO
    reason: str = ""
    """Of the recommendation, in words."""
    figures: dict[str, Any] | None = None
    """What the recommendation rests on."""
    decision: Verdict = Verdict.NOT_REVIEWED
    justification: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decisions: tuple[Recorded, ...] = ()
    """All that were made, in order, resets included by their absence of effect: the last one counts."""
    result: ApplyResult = ApplyResult.NEW
    detail: str | None = None
    applied_at: datetime | None = None
    awaited: Awaited | None = None
    apply_began: bool = False
    since: datetime | None = None
    """When it was given, as the roster has it."""
    sponsors: tuple[str, ...] = ()
    """People who answered for the guest when the roster was told; of a review that asks them."""

    def having(self, **changes: Any) -> Item:
        return replace(self, **changes)

    @property
    def is_group(self) -> bool:
        return self.user_type == GROUP_MEMBER

    @property
    def decided_here(self) -> bool:
        """Whether somebody has decided in the stage that it is in, and not only in one before."""
        return (
            self.decision is not Verdict.NOT_REVIEWED
            and bool(self.decisions)
            and self.decisions[-1].stage == self.stage
        )

    @property
    def settled(self) -> bool:
        """Applying has come to something, or has nothing to wait for."""
        return self.applied_at is not None


# As MongoDB keeps them, and as others see them


def dump_definition(one: Definition) -> dict[str, Any]:
    document = one.model_dump(mode="python", by_alias=False)
    # Dates without time are none that BSON has.
    document["state"] = {
        **one.state.model_dump(mode="json", by_alias=False),
        "created_at": one.state.created_at,
        "modified_at": one.state.modified_at,
    }
    document["query"] = query_of(one.state.scope)
    document["packages"] = list(packages_of(one.state))
    document["of_roles"] = is_of_roles(one.state)
    document["folded"] = one.state.display_name.casefold()
    return document


def things_of(state: DefinitionState) -> tuple[ReviewedResource, ...]:
    """What a review names to be reviewed."""
    try:
        return read_scope(state.scope, state.enumeration).resources
    except NotUnderstood:
        return ()


def packages_of(state: DefinitionState) -> tuple[str, ...]:
    """Ids of the access packages that a review is about; none if it is about anything else, too."""
    try:
        resources = read_scope(state.scope, state.enumeration)
    except NotUnderstood:
        return ()
    if resources.every_group or any(one.kind is not RosterKind.PACKAGE for one in resources.resources):
        return ()
    return tuple(one.id for one in resources.resources)


def is_of_roles(state: DefinitionState) -> bool:
    """Whether it says who holds a directory role, which not all who read reviews may know."""
    return any(one.kind is RosterKind.DIRECTORY_ROLE for one in things_of(state))


def query_of(scope: dict[str, Any]) -> str | None:
    """The query that lists filter by; scopes of memberships have none."""
    query = scope.get("query")
    return query if isinstance(query, str) and "nactive" not in str(scope.get("@odata.type")) else None


def load_definition(document: dict[str, Any]) -> Definition:
    return Definition.model_validate(document)


def dump_instance(one: Instance) -> dict[str, Any]:
    document = one.model_dump(mode="python", by_alias=False)
    document["definition"] = one.definition.model_dump(mode="json", by_alias=False)
    document["definition_id"] = one.definition.id
    document["query"] = query_of(one.scope)
    document["reviewers"] = sorted({id for stage in one.stages if stage.starts_at for id in stage.reviewers})
    document["stands_by"] = list(one.stage.fallback)
    return document


def load_instance(document: dict[str, Any]) -> Instance:
    return Instance.model_validate(document)


def dump_item(one: Item) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": one.id,
        "instance_id": one.instance_id,
        "definition_id": one.definition_id,
        "person_id": one.person_id,
        "manager_id": one.manager_id,
        "role": one.role,
        "assignment_id": one.assignment_id,
        "policy_id": one.policy_id,
        "user_type": one.user_type,
        "by_grant": one.by_grant,
        "by_rule": one.by_rule,
        "stage": one.stage,
        "recommendation": one.recommendation.value,
        "reason": one.reason,
        "decision": one.decision.value,
        "justification": one.justification,
        "decided_by": one.decided_by,
        "decided_at": one.decided_at,
        "result": one.result.value,
    }
    # As reviewers see it who are not shown earlier stages: lists are filtered by what they show.
    document["here"] = {"decision": Verdict.NOT_REVIEWED.value}
    if one.decided_here:
        document["here"] = {"decision": one.decision.value, "by": one.decided_by, "at": one.decided_at}
    if one.reviewers is not None:
        document["reviewers"] = list(one.reviewers)
    if one.since is not None:
        document["since"] = one.since
    if one.sponsors:
        document["sponsors"] = list(one.sponsors)
    if one.figures:
        document["figures"] = one.figures
    if one.decisions:
        document["decisions"] = [it.model_dump(mode="python") for it in one.decisions]
    if one.apply_began:
        document["applying"] = {
            "detail": one.detail,
            "at": one.applied_at,
            "awaited": [one.awaited.command_id, one.awaited.again_at, one.awaited.times] if one.awaited else None,
        }
    if one.apply_began and not one.settled:
        document["waits"] = True
    return document


_VERDICTS = {one.value: one for one in Verdict}
_ADVICE = {one.value: one for one in Advice}
_RESULTS = {one.value: one for one in ApplyResult}


def load_item(document: dict[str, Any]) -> Item:
    applying = document.get("applying")
    awaited = applying["awaited"] if applying else None
    reviewers = document.get("reviewers")
    return Item(
        document["id"],
        document["instance_id"],
        document["definition_id"],
        document["person_id"],
        document["manager_id"],
        document["role"],
        document["assignment_id"],
        document["policy_id"],
        document["user_type"],
        document["by_grant"],
        document["by_rule"],
        document["stage"],
        tuple(reviewers) if reviewers is not None else None,
        _ADVICE[document["recommendation"]],
        document["reason"],
        document.get("figures"),
        _VERDICTS[document["decision"]],
        document["justification"],
        document["decided_by"],
        document["decided_at"],
        tuple(Recorded.model_validate(one) for one in document.get("decisions", ())),
        _RESULTS[document["result"]],
        applying["detail"] if applying else None,
        applying["at"] if applying else None,
        Awaited(*awaited) if awaited else None,
        applying is not None,
        document.get("since"),
        tuple(document.get("sponsors", ())),
    )


def public_instance(one: Instance) -> InstanceState:
    return InstanceState(
        id=one.id,
        definition_id=one.definition.id,
        definition_name=one.definition.display_name,
        number=one.number,
        resource=one.resource,
        status=one.status,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
        stages=tuple(
            ReviewStageState(
                id=stage.id,
                status=stage.status,
                starts_at=stage.starts_at,
                ends_at=stage.ends_at,
                reviewers=stage.reviewers,
            )
            for stage in one.stages
        ),
        items=one.items,
        figures=one.figures,
        results=one.results,
        unattended=one.unattended,
        refused=one.refused,
        created_by=one.definition.created_by,
        mails=one.definition.settings.mail_notifications_enabled,
        blocks_guests=one.definition.settings.disable_and_delete,
        recipients=one.recipients,
        description_for_reviewers=one.definition.description_for_reviewers,
        additional_recipients=one.definition.additional_recipients,
    )


def public_item(one: Item) -> ItemState:
    return ItemState(
        id=one.id,
        instance_id=one.instance_id,
        definition_id=one.definition_id,
        person_id=one.person_id,
        role=one.role,
        assignment_id=one.assignment_id,
        recommendation=one.recommendation,
        decision=one.decision,
        justification=one.justification,
        decided_by=one.decided_by,
        decided_at=one.decided_at,
        result=one.result,
        detail=one.detail,
    )


DEFINITION = AggregateKind[Definition](
    name="review-definition",
    owner="review",
    dump=dump_definition,
    load=load_definition,
    topic=REVIEW_DEFINITION_FACTS,
    fact=DefinitionFact,
    public=lambda definition: definition.state,
    due_at=lambda definition: definition.due_at,
)
INSTANCE = AggregateKind[Instance](
    name="review-instance",
    owner="review",
    dump=dump_instance,
    load=load_instance,
    topic=REVIEW_INSTANCE_FACTS,
    fact=InstanceFact,
    public=public_instance,
    due_at=lambda instance: instance.due_at,
)
ITEM = AggregateKind[Item](
    name="review-item",
    owner="review",
    dump=dump_item,
    load=load_item,
    topic=REVIEW_ITEM_FACTS,
    fact=ItemFact,
    public=public_item,
    key=lambda item, _id: item.person_id,
    due_at=lambda item: item.awaited.again_at if item.awaited else None,
)
