"""The course of one run: the roster is asked for, reviewers decide stage after stage, what is left open is settled, and
what was denied is carried out.

What goes through all items goes some hundreds a step: the step itself is done before the decision that moves the
instance on, as with the jobs of assignment, so that a crash in between repeats harmlessly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from services.review.decide.reviewers import Resolved, with_reviewers
from services.review.model import FIRST_RESEND, LONGEST_RESEND, OVER, Asking, Instance, Stage
from shared.contracts import topics
from shared.contracts.base import Cause, Refusal, Transition
from shared.contracts.review import (
    CloseInstance,
    DecisionsReset,
    DefaultDecision,
    InstanceApplied,
    InstanceApplying,
    InstanceAutoReviewed,
    InstanceAutoReviewing,
    InstanceCompleted,
    InstanceCompleting,
    InstanceCreated,
    InstanceStarted,
    ItemsUnattended,
    NothingToReview,
    OpenItems,
    ReviewCommand,
    ReviewedResource,
    ReviewersAsked,
    ReviewersChanged,
    ReviewerScope,
    ReviewStageStarted,
    ReviewStatus,
    StageEnded,
    StartInstance,
)
from shared.contracts.roster import (
    AskRoster,
    RosterAbout,
    RosterEnded,
    RosterFact,
    RosterKind,
    RosterPage,
    RosterRefused,
)
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision, Due
from shared.messaging.envelope import Outgoing, outgoing

Said = list[Transition]


@dataclass(frozen=True, slots=True)
class Step:
    """What was done for an instance before it is moved on, and what was found."""

    last: str | None = None
    """The last item gone through, or the last person told."""
    over: bool = False
    """Nothing is beyond."""
    people: tuple[str, ...] = ()
    """To be told now: reviewers, or how it ended."""
    open: Mapping[str, OpenItems] = field(default_factory=dict)
    """What these reviewers have still to decide."""
    unattended: OpenItems | None = None
    """Items that nobody can decide, found once all reviewers of a stage are told that it has begun."""
    answerable: tuple[str, ...] = ()
    """Whom to tell of what is amiss with the review."""
    waiting: bool = False
    """Some item still waits for its result."""
    figures: dict[str, int] = field(default_factory=dict)
    results: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What a decision about instances may look at."""

    resolved: Mapping[str, Resolved] = field(default_factory=dict)
    """By instance: whom its reviewer scopes lead to."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Of resources, by id."""
    role_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of the roles of applications, by application and id."""
    steps: Mapping[str, Step] = field(default_factory=dict)


At = Circumstances[Look]


# What it is told to do


def obey(instance: Instance | None, command: ReviewCommand, at: At) -> Decision[Instance]:
    """Begin, or end without a result. A repeat finds it begun or ended."""
    match command.order:
        case StartInstance() as order:
            return Decision(instance) if instance is not None else _start(command, order, at)
        case CloseInstance():
            if instance is None or instance.closed or instance.status in OVER:
                return Decision(instance)
            said: Said = [InstanceCompleting(stopped=True), InstanceCompleted()]
            over = instance.having(status=ReviewStatus.COMPLETED, closed=True, asking=None, moving=False)
            return Decision(_stages_over(over, at), tuple(said))


def _start(command: ReviewCommand, order: StartInstance, at: At) -> Decision[Instance]:
    id = command.instance_id
    stages = tuple(
        Stage(id=derived_id("review-stage", id, number), settings=settings)
        for number, settings in enumerate(order.definition.stages, 1)
    )
    instance = Instance(
        id=id,
        definition=order.definition,
        number=order.number,
        resource=order.resource.model_copy(update={"display_name": at.context.names.get(order.resource.id)}),
        role_names=dict(at.context.role_names.get(order.resource.id, {})),
        scope=order.scope,
        guests_only=order.guests_only,
        inactive_for=order.inactive_for,
        starts_at=order.starts_at,
        ends_at=order.ends_at,
        stages=stages,
        asked_again_at=at.now + FIRST_RESEND,
        cause=command.cause,
    )
    instance = instance.with_stage(0, with_reviewers(instance.stage, at.context.resolved.get(id, {})))
    return Decision(instance, (InstanceCreated(),), (question(instance, at),))


def question(instance: Instance, at: At) -> Outgoing:
    """Who has what is reviewed. The same id again is answered once."""
    about = RosterAbout(
        kind=instance.resource.kind,
        id=instance.resource.id,
        policy_id=instance.resource.policy_id,
        catalog_id=instance.resource.catalog_id,
        guests_only=instance.guests_only,
        direct=instance.resource.direct,
        groups=instance.resource.groups,
        # Whoever came later can be inactive for no longer than they are here (REV-3).
        joined_before=instance.starts_at - instance.inactive_for if instance.inactive_for is not None else None,
    )
    cause = Cause(
        id=f"review-instance:{instance.id}", correlation=instance.cause.correlation, actor=instance.cause.actor
    )
    command = AskRoster(id=f"roster:{instance.id}", cause=cause, roster_id=instance.id, about=about)
    owner = _OWNERS.get(instance.resource.kind, topics.DIRECTORY_ROSTER_QUESTIONS)
    return outgoing(owner, instance.id, command, source="review", at=at.now)


_OWNERS = {
    RosterKind.PACKAGE: topics.ASSIGNMENT_ROSTER_QUESTIONS,
    RosterKind.GOVERNANCE_ROLE: topics.CATALOG_ROSTER_QUESTIONS,
}
"""Who keeps it, if not the directory."""


@dataclass(frozen=True, slots=True)
class RosterTold:
    """The items of this fact's pages are there."""

    fact: RosterFact
    entered: int


def roster_told(instance: Instance | None, told: RosterTold, at: At) -> Decision[Instance]:
    """Once all pages are there, reviewers decide."""
    if instance is None or instance.status is not ReviewStatus.INITIALIZING:
        return Decision(instance)
    pages, expected, items = set(instance.pages), instance.expected_pages, instance.items
    refused = instance.refused
    for one in told.fact.transitions:
        match one:
            case RosterPage() if one.number not in pages:
                pages.add(one.number)
                items += told.entered
            case RosterEnded():
                expected = one.pages
            case RosterRefused():
                expected, refused = 0, one.reason.message
            case _:
                pass
    instance = instance.having(
        pages=tuple(sorted(pages)), expected_pages=expected, items=items, asked_again_at=None, refused=refused
    )
    if expected is None or len(pages) < expected:
        return Decision(instance)
    if any(one.settings.recommendations_enabled for one in instance.stages):
        return Decision(instance.having(status=ReviewStatus.STARTING, after=None, looks_at=at.now))
    said: Said = []
    return Decision(_started(instance, at, said), tuple(said))


def _started(instance: Instance, at: At, said: Said) -> Instance:
    said.append(InstanceStarted(items=instance.items))
    return _open_stage(instance.having(status=ReviewStatus.IN_PROGRESS), at, said)


def _open_stage(instance: Instance, at: At, said: Said) -> Instance:
    """The current stage takes decisions from now on, until its days are over; the last one until the instance is."""
    stage, number = instance.stage, instance.current + 1
    last = number == len(instance.stages)
    begins = instance.starts_at if instance.current == 0 else at.now
    ends_at = instance.ends_at if last else begins + timedelta(days=stage.settings.duration_in_days)
    opened = stage.having(status=ReviewStatus.IN_PROGRESS, starts_at=at.now, ends_at=ends_at)
    said.append(ReviewStageStarted(stage_id=stage.id, number=number))
    return instance.with_stage(instance.current, opened).having(
        moving=False,
        after=None,
        # A reminder that somebody asked for in between follows.
        asking=Asking(occasion="start", at=at.now, reminds=instance.asking is not None),
        reminded_half=False,
        reminded_end=False,
        unattended=0,
        looks_at=at.now,
    )


# Dates, and work that goes on by itself


def date_has_come(instance: Instance | None, due: Due, at: At) -> Decision[Instance]:
    """One step of whatever it is at."""
    if instance is None:
        return Decision(instance)
    step = at.context.steps.get(instance.id, Step())
    said: Said = []
    match instance.status:
        case ReviewStatus.INITIALIZING:
            return _ask_again(instance, at)
        case ReviewStatus.STARTING:
            further = instance.having(after=step.last, looks_at=at.now)
            moved = _started(instance, at, said) if step.over else further
        case ReviewStatus.IN_PROGRESS:
            moved = _in_progress(instance, step, at, said)
        case ReviewStatus.COMPLETING:
            said.append(InstanceCompleted())
            counted = instance.having(
                status=ReviewStatus.COMPLETED, figures=step.figures, recipients=step.people, after=None
            )
            moved = _after_completion(counted, at, said)
        case ReviewStatus.AUTO_REVIEWING:
            moved = _auto_reviewing(instance, step, at, said)
        case ReviewStatus.APPLYING:
            moved = _applying(instance, step, at, said)
        case _:
            return Decision(instance)
    return Decision(moved, tuple(said))


def _ask_again(instance: Instance, at: At) -> Decision[Instance]:
    if instance.asked_again_at is None or instance.asked_again_at > at.now:
        return Decision(instance)
    pause = min(FIRST_RESEND * 2 ** min(instance.times_asked, 8), LONGEST_RESEND)
    again = instance.having(asked_again_at=at.now + pause, times_asked=instance.times_asked + 1)
    return Decision(again, messages=(question(instance, at),))


def _in_progress(instance: Instance, step: Step, at: At, said: Said) -> Instance:
    if instance.moving:
        return _open_stage(instance, at, said) if step.over else instance.having(after=step.last, looks_at=at.now)
    if instance.asking is not None:
        return _asked_further(instance, instance.asking, step, at, said)
    if instance.stage.ends_at is not None and instance.stage.ends_at <= at.now:
        return _end_stage(instance, at, said, stopped=False)
    wanted = instance.definition.settings.reminder_notifications_enabled
    if not instance.reminded_end and instance.last_call <= at.now:
        last = Asking(occasion="endsSoon", at=at.now) if wanted else None
        return instance.having(reminded_half=True, reminded_end=True, asking=last, looks_at=at.now)
    if not instance.reminded_half and instance.half_time <= at.now:
        half = Asking(occasion="halfTime", at=at.now) if wanted else None
        return instance.having(reminded_half=True, asking=half, looks_at=at.now)
    return instance


def _asked_further(instance: Instance, asking: Asking, step: Step, at: At, said: Said) -> Instance:
    """The next reviewers are told; after the last ones, of a start, what is amiss."""
    if step.people:
        said.append(ReviewersAsked(occasion=asking.occasion, reviewers=step.people, open=dict(step.open)))
    if not step.over:
        return instance.having(asking=asking.model_copy(update={"after": step.last}), looks_at=at.now)
    if asking.occasion == "start":
        instance = _amiss(instance, step, said)
    following = Asking(occasion="reminder", at=at.now) if asking.reminds else None
    return instance.having(asking=following, looks_at=at.now)


def _amiss(instance: Instance, step: Step, said: Said) -> Instance:
    """Somebody is told while there is time to mend it: with nobody to decide, the default decision falls on all.

    Whoever took over from a reviewer is asked as at the start, so this is looked at again then."""
    if instance.refused is not None and instance.current == 0 and not instance.told_of_refusal:
        said.append(NothingToReview(reason=instance.refused, told=step.answerable))
        instance = instance.having(told_of_refusal=True)
    count = step.unattended.count if step.unattended is not None else 0
    if step.unattended is not None and count > instance.unattended:
        settings = instance.definition.settings
        otherwise = settings.default_decision if settings.default_decision_enabled else DefaultDecision.NONE
        said.append(
            ItemsUnattended(
                stage_id=instance.stage.id, items=step.unattended, otherwise=otherwise, told=step.answerable
            )
        )
    return instance.having(unattended=count)


def _end_stage(instance: Instance, at: At, said: Said, *, stopped: bool) -> Instance:
    """Its items go on to the next one; after the last one nobody decides any more."""
    ended = instance.stage.having(status=ReviewStatus.COMPLETED, ends_at=min(at.now, instance.stage.ends_at or at.now))
    said.append(StageEnded(stage_id=ended.id, number=instance.current + 1, stopped=stopped))
    instance = instance.with_stage(instance.current, ended)
    following = instance.current + 1
    if following == len(instance.stages):
        return _complete(instance, at, said, stopped=stopped)
    resolved = at.context.resolved.get(instance.id, {})
    upcoming = with_reviewers(instance.stages[following], resolved).having(status=ReviewStatus.INITIALIZING)
    return instance.with_stage(following, upcoming).having(
        current=following, moving=True, after=None, asking=None, looks_at=at.now
    )


def _complete(instance: Instance, at: At, said: Said, *, stopped: bool) -> Instance:
    said.append(InstanceCompleting(stopped=stopped))
    over = instance.having(
        status=ReviewStatus.COMPLETING,
        stopped=stopped,
        ends_at=min(instance.ends_at, at.now),
        asking=None,
        moving=False,
        after=None,
        looks_at=at.now,
    )
    return _stages_over(over, at)


def _stages_over(instance: Instance, at: At) -> Instance:
    stages = tuple(
        one.having(status=ReviewStatus.COMPLETED, ends_at=at.now) if one.open else one for one in instance.stages
    )
    return instance.having(stages=stages, looks_at=at.now)


def _after_completion(instance: Instance, at: At, said: Said) -> Instance:
    settings = instance.definition.settings
    if settings.default_decision_enabled and settings.default_decision is not DefaultDecision.NONE:
        said.append(InstanceAutoReviewing())
        return instance.having(status=ReviewStatus.AUTO_REVIEWING, after=None, looks_at=at.now)
    return _apply_if_wanted(instance, at, said)


def _auto_reviewing(instance: Instance, step: Step, at: At, said: Said) -> Instance:
    if not step.over:
        return instance.having(after=step.last, looks_at=at.now)
    said.append(InstanceAutoReviewed())
    settled = instance.having(status=ReviewStatus.AUTO_REVIEWED, after=None, figures=step.figures)
    return _apply_if_wanted(settled, at, said)


def _apply_if_wanted(instance: Instance, at: At, said: Said) -> Instance:
    if not (instance.definition.settings.auto_apply_decisions_enabled or instance.apply_asked):
        return instance
    return _begin_applying(instance, at, said)


def _begin_applying(instance: Instance, at: At, said: Said) -> Instance:
    said.append(InstanceApplying())
    return instance.having(status=ReviewStatus.APPLYING, after=None, moving=True, looks_at=at.now)


def _applying(instance: Instance, step: Step, at: At, said: Said) -> Instance:
    """First every item is commanded, then every answer awaited: each makes the instance look again."""
    if instance.moving:
        return instance.having(after=step.last or instance.after, moving=not step.over, looks_at=at.now)
    if step.waiting:
        return instance.having(looks_at=None)
    said.append(InstanceApplied())
    return instance.having(status=ReviewStatus.APPLIED, results=step.results, after=None, looks_at=None)


# What administrators ask for


@dataclass(frozen=True, slots=True)
class Act:
    """Something that an administrator does to a running or completed instance."""

    id: str
    what: Literal["stop", "stopStage", "remind", "reset", "apply"]
    stage_id: str | None = None


def act(instance: Instance | None, asked: Act, at: At) -> Decision[Instance]:
    """Stop, remind, reset: while it is in progress. Apply: once it is completed (REV-18)."""
    if instance is None:
        return Decision(instance, refusal=Refusal(code="notFound", message="The resource was not found."))
    if asked.what == "apply":
        return _asked_to_apply(instance, at)
    if instance.status is not ReviewStatus.IN_PROGRESS:
        text = f"The review is {instance.status.value}: that is for reviews in progress."
        return Decision(instance, refusal=Refusal(code="notInProgress", message=text))
    said: Said = []
    match asked.what:
        case "stop":
            moved = _complete(instance, at, said, stopped=True)
        case "stopStage":
            if instance.stage.id != asked.stage_id or not instance.stage.open:
                text = "This stage is not in progress."
                return Decision(instance, refusal=Refusal(code="notInProgress", message=text))
            moved = _end_stage(instance, at, said, stopped=True)
        case "remind":
            moved = _reminding(instance, at)
        case _:
            said.append(DecisionsReset())
            moved = instance.having()
    return Decision(moved, tuple(said))


def _reminding(instance: Instance, at: At) -> Instance:
    """Whoever is just being told of something else is told of that first: nobody misses that a review has begun."""
    going = instance.asking
    if going is not None and going.occasion != "reminder":
        return instance.having(asking=going.model_copy(update={"reminds": True}), looks_at=at.now)
    return instance.having(asking=Asking(occasion="reminder", at=at.now), looks_at=at.now)


def _asked_to_apply(instance: Instance, at: At) -> Decision[Instance]:
    if instance.status in {ReviewStatus.APPLYING, ReviewStatus.APPLIED}:
        return Decision(instance)
    if instance.status not in {ReviewStatus.COMPLETED, ReviewStatus.AUTO_REVIEWED} or instance.closed:
        text = f"Decisions are applied once the review is completed; it is {instance.status.value}."
        return Decision(instance, refusal=Refusal(code="notCompleted", message=text))
    said: Said = []
    return Decision(_begin_applying(instance.having(apply_asked=True), at, said), tuple(said))


@dataclass(frozen=True, slots=True)
class ChangeReviewers:
    """Others review from now on, in this run alone."""

    id: str
    stage_id: str | None
    """None: the stage in progress."""
    reviewers: tuple[ReviewerScope, ...] | None
    fallback_reviewers: tuple[ReviewerScope, ...] | None


def change_reviewers(instance: Instance | None, asked: ChangeReviewers, at: At) -> Decision[Instance]:
    """Fallback reviewers may be added, not removed (REV-13)."""
    if instance is None:
        return Decision(instance, refusal=Refusal(code="notFound", message="The resource was not found."))
    numbers = [n for n, one in enumerate(instance.stages) if asked.stage_id in {None, one.id}]
    number = instance.current if asked.stage_id is None else (numbers[0] if numbers else None)
    if number is None:
        return Decision(instance, refusal=Refusal(code="notFound", message="The resource was not found."))
    stage = instance.stages[number]
    if instance.status in OVER or stage.status is ReviewStatus.COMPLETED:
        text = f"The reviewers of a review that is {instance.status.value} cannot be changed."
        return Decision(instance, refusal=Refusal(code="notInProgress", message=text))
    fallback = stage.settings.fallback_reviewers
    if asked.fallback_reviewers is not None:
        kept = {one.query for one in asked.fallback_reviewers}
        if any(one.query not in kept for one in fallback):
            text = "Fallback reviewers can be added, not removed."
            return Decision(instance, refusal=Refusal(code="fallbackReviewersRemoved", message=text))
        fallback = asked.fallback_reviewers
    settings = stage.settings.model_copy(
        update={
            "reviewers": stage.settings.reviewers if asked.reviewers is None else asked.reviewers,
            "fallback_reviewers": fallback,
        }
    )
    now = stage.having(settings=settings)
    if number == instance.current:
        now = with_reviewers(now, at.context.resolved.get(instance.id, {}))
    return Decision(instance.with_stage(number, now), (_changed(stage, now),))


@dataclass(frozen=True, slots=True)
class ReviewerLeft:
    """Somebody who reviews has left the company."""

    id: str
    person_id: str


def reviewer_left(instance: Instance | None, left: ReviewerLeft, _at: At) -> Decision[Instance]:
    """Others go on; if nobody is left, the fallbacks do: whoever has left is no fallback either."""
    if instance is None or instance.status in OVER:
        return Decision(instance)
    stage = instance.stage
    if left.person_id not in (*stage.reviewers, *stage.fallback):
        return Decision(instance)
    others = tuple(one for one in stage.reviewers if one != left.person_id)
    fallback = tuple(one for one in stage.fallback if one != left.person_id)
    if others == stage.reviewers:
        return Decision(instance.with_stage(instance.current, stage.having(fallback=fallback)))
    now = stage.having(
        reviewers=others or (() if stage.by_manager or stage.by_sponsors else fallback), fallback=fallback
    )
    return Decision(instance.with_stage(instance.current, now), (_changed(stage, now),))


@dataclass(frozen=True, slots=True)
class TellNew:
    """Others review now, and its items know."""

    id: str


def tell_new(instance: Instance | None, _said: TellNew, at: At) -> Decision[Instance]:
    """Whoever has not been told of the stage in progress is told now."""
    if instance is None or not instance.is_open or instance.moving:
        return Decision(instance)
    going = instance.asking
    reminds = going is not None and (going.reminds or going.occasion != "start")
    asking = Asking(occasion="start", at=at.now, reminds=reminds)
    return Decision(instance.having(asking=asking, looks_at=at.now))


def _changed(before: Stage, now: Stage) -> ReviewersChanged:
    added, removed = set(now.reviewers) - set(before.reviewers), set(before.reviewers) - set(now.reviewers)
    return ReviewersChanged(stage_id=now.id, added=tuple(sorted(added)), removed=tuple(sorted(removed)))


def resource_key(resource: ReviewedResource) -> str:
    """Names a resource among those of one occurrence."""
    narrowed = resource.policy_id or resource.catalog_id or ""
    return f"{resource.kind.value}/{resource.id}/{narrowed}"
