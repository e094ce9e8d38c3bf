"""Graph's JSON for the review of a policy's assignments, read and checked.

A policy keeps its `reviewSettings` as they were written, but for how a duration is; what they come to is said to
review, which makes the definition. Source: reference/graph-api-operations.md 2.2, entra-features.md PKR-2 to PKR-5.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from services.catalog.asking import subject_sets
from services.catalog.bodies import Body, duration_of
from shared import durations
from shared.contracts.policy import SubjectKind, SubjectSet
from shared.contracts.policy_review import PolicyReview, Unanswered
from shared.contracts.review import Recurrence, RecurrenceRange
from shared.recurrence import shortest_distance
from shared.web.errors import BadRequest, of_validation
from shared.web.graph_model import Moment, lowered
from shared.web.recurrence import RangeIn, RecurrenceIn, recurrence_of, zone_named

WHERE = "reviewSettings"
LONGEST = 3650
"""Days that one review lasts at most."""
_PATTERNS = frozenset(
    {("weekly", 1), *((f"{kind}Yearly", 1) for kind in ("absolute", "relative"))}
    | {(f"{kind}Monthly", every) for kind in ("absolute", "relative") for every in (1, 3, 6, 12)}
)
"""Which recurrences there are (PKR-2): type and interval."""
_MANAGERS = frozenset({SubjectKind.REQUESTOR_MANAGER, SubjectKind.TARGET_MANAGER})
_FALLBACKS = {SubjectKind.SINGLE_USER, SubjectKind.GROUP_MEMBERS}


class ExpirationIn(Body):
    """Graph's expirationPattern. An end without a duration is refused where reviews are on."""

    type: Annotated[str, BeforeValidator(lowered)] = "afterDuration"
    duration: str | None = None
    end_date_time: Moment | None = None


class ScheduleIn(Body):
    """Graph's entitlementManagementSchedule."""

    start_date_time: Moment | None = None
    expiration: ExpirationIn | None = None
    recurrence: RecurrenceIn | None = None


class ReviewIn(Body):
    """Graph's accessPackageAssignmentReviewSettings."""

    is_enabled: bool | None = None
    expiration_behavior: Annotated[Unanswered | None, BeforeValidator(lowered)] = None
    is_recommendation_enabled: bool | None = None
    is_reviewer_justification_required: bool | None = None
    is_self_review: bool | None = None
    schedule: ScheduleIn | None = None
    primary_reviewers: list[dict[str, Any]] | None = None
    fallback_reviewers: list[dict[str, Any]] | None = None


def review_of(body: dict[str, Any] | None) -> PolicyReview | None:
    """None where reviews are switched off, as they are by default. Raises BadRequest that names the place."""
    if body is None:
        return None
    try:
        said = ReviewIn.model_validate(body)
    except ValidationError as problem:
        raise of_validation({**one, "loc": ("body", WHERE, *one["loc"])} for one in problem.errors()) from None
    if said.is_enabled is not True:
        return None
    schedule = said.schedule or ScheduleIn()
    recurrence = _recurrence(schedule)
    self_review, reviewers, fallback = _reviewers(said)
    return PolicyReview(
        recurrence=recurrence,
        duration_in_days=_days(schedule, recurrence),
        self_review=self_review,
        reviewers=reviewers,
        fallback_reviewers=fallback,
        unanswered=said.expiration_behavior or Unanswered.KEEP,
        recommendations_enabled=said.is_recommendation_enabled is not False,
        justification_required=said.is_reviewer_justification_required is not False,
    )


def as_graph_writes(body: dict[str, Any] | None) -> dict[str, Any] | None:
    """The settings as they are kept and answered: a client may have written the duration in a way of its own."""
    expiration = ((body or {}).get("schedule") or {}).get("expiration") or {}
    try:
        duration = durations.iso(durations.duration(expiration["duration"]))
    except (KeyError, ValueError, AttributeError):
        return body
    assert body is not None
    return {**body, "schedule": {**body["schedule"], "expiration": {**expiration, "duration": duration}}}


def _recurrence(schedule: ScheduleIn) -> Recurrence:
    """Days begin at midnight; one without a recurrence is a series of one."""
    where = f"{WHERE}/schedule"
    range_ = (schedule.recurrence.range if schedule.recurrence else None) or RangeIn()
    starts_on = _starts_on(schedule.start_date_time, range_)
    if starts_on is None:
        raise BadRequest(f"{where}/startDateTime: say when the first review begins.", target=f"{where}/startDateTime")
    if schedule.recurrence is None or schedule.recurrence.pattern is None:
        once = RecurrenceRange(type="numbered", start_date=starts_on, number_of_occurrences=1)
        return Recurrence(pattern=None, range=once)
    pattern = schedule.recurrence.pattern
    if (pattern.type, pattern.interval) not in _PATTERNS:
        text = (
            f"{pattern.type[:32]} every {pattern.interval} is none: absoluteMonthly or relativeMonthly with the "
            "interval 1, 3, 6 or 12, absoluteYearly, relativeYearly or weekly with the interval 1"
        )
        raise BadRequest(f"{where}/recurrence/pattern: {text}.", target=f"{where}/recurrence/pattern")
    return recurrence_of(schedule.recurrence, f"{where}/recurrence", starts_on)


def _starts_on(at: datetime | None, range_: RangeIn) -> date | None:
    if at is None:
        return range_.start_date
    where = f"{WHERE}/schedule/recurrence/range/recurrenceTimeZone"
    zone = zone_named(range_.recurrence_time_zone, where)
    try:
        return at.astimezone(zone).date()
    except OverflowError:
        at_start = f"{WHERE}/schedule/startDateTime"
        raise BadRequest(f"{at_start}: there is no such day in that zone.", target=at_start) from None


def _days(schedule: ScheduleIn, recurrence: Recurrence) -> int:
    """How long one review lasts: no longer than until the next one (REV-6)."""
    where = f"{WHERE}/schedule/expiration"
    expiration = schedule.expiration
    if expiration is None or expiration.type != "afterDuration" or not expiration.duration:
        text = "say how long reviewers have, as {type: afterDuration, duration: P14D}"
        raise BadRequest(f"{where}: {text}.", target=where)
    span = duration_of(expiration.duration, f"{where}/duration")
    shortest = shortest_distance(recurrence)
    most = LONGEST if shortest is None else min(shortest, LONGEST)
    if not 1 <= span.days <= most:
        text = f"from 1 to {most} days" + ("" if shortest is None else ", for the next review begins then")
        raise BadRequest(f"{where}/duration: {text}.", target=f"{where}/duration")
    return span.days


def _reviewers(said: ReviewIn) -> tuple[bool, tuple[SubjectSet, ...], tuple[SubjectSet, ...]]:
    """Themselves, people who are named, or managers with somebody to fall back on (PKR-3)."""
    where = f"{WHERE}/primaryReviewers"
    reviewers = subject_sets(said.primary_reviewers or (), _FALLBACKS | _MANAGERS, where)
    fallback = subject_sets(said.fallback_reviewers or (), _FALLBACKS, f"{WHERE}/fallbackReviewers")
    if said.is_self_review:
        if reviewers:
            raise BadRequest(f"{where}: in a self-review nobody else reviews; leave it empty.", target=where)
        return True, (), fallback
    if not reviewers:
        raise BadRequest(f"{where}: say who reviews, or isSelfReview.", target=where)
    if any(one.level != 1 for one in reviewers if one.kind in _MANAGERS):
        raise BadRequest(f"{where}: managers of managers do not review; managerLevel is 1.", target=where)
    if any(one.kind in _MANAGERS for one in reviewers) and not fallback:
        place = f"{WHERE}/fallbackReviewers"
        raise BadRequest(f"{place}: say who reviews where somebody has no manager.", target=place)
    return False, reviewers, fallback
