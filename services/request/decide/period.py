"""From when until when: what is asked for, within what the policy allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.base import Refusal
from shared.contracts.catalog import PolicyState
from shared.durations import later


@dataclass(frozen=True, slots=True)
class Schedule:
    """As somebody wishes it. All None: as the policy says."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lasts: timedelta | None = None
    never_ends: bool = False

    @property
    def is_own(self) -> bool:
        """Whether anything was wished for."""
        return self != AS_THE_POLICY_SAYS


AS_THE_POLICY_SAYS = Schedule()


@dataclass(frozen=True, slots=True)
class Period:
    """At most one of `ends_at` and `lasts` is set; neither: until taken away."""

    starts_at: datetime | None = None
    """None: at once, whenever that will be."""
    ends_at: datetime | None = None
    lasts: timedelta | None = None


def period(wish: Schedule, policy: PolicyState, now: datetime) -> Period | Refusal:
    """Of an assignment to be made. Never longer than the policy lets it be."""
    starts_at = wish.starts_at if wish.starts_at is not None and wish.starts_at > now else None
    begin = starts_at or now
    if policy.expires_at is not None and policy.expires_at <= begin:
        return _has_ended(policy)
    ends_at, lasts = wish.ends_at, wish.lasts
    if wish.never_ends and (policy.expires_at or policy.expires_after):
        return _too_long(policy)
    if ends_at is None and lasts is None and not wish.never_ends:
        ends_at, lasts = policy.expires_at, policy.expires_after
    if (ends_at is not None and ends_at <= begin) or (lasts is not None and lasts <= timedelta()):
        return Refusal(code="endsBeforeStart", message="The assignment would end before it starts.")
    end = ends_at if ends_at is not None else later(begin, lasts) if lasts is not None else None
    if end is not None:
        latest = latest_end(policy, begin)
        if latest is not None and end > latest:
            return _too_long(policy)
    return Period(starts_at, ends_at, lasts if ends_at is None else None)


def new_end(wish: Schedule, policy: PolicyState, present: datetime | None, now: datetime) -> datetime | Refusal | None:
    """Of an assignment that is extended: as wished for, else the policy's duration once more from its present end.

    A fixed end of the policy is never passed (EXP-3)."""
    if wish.starts_at is not None and wish.starts_at > now:
        return Refusal(code="scheduleNotAllowed", message="An assignment that is there cannot start later.")
    begin = max(now, present) if present is not None else now
    latest = latest_end(policy, begin)
    if not wish.is_own:
        return _going_on(policy, latest, present, now)
    end = wish.ends_at if wish.ends_at is not None else later(now, wish.lasts) if wish.lasts is not None else None
    if end is not None and end <= now:
        return Refusal(code="endsBeforeStart", message="The new end has passed.")
    if latest is not None and (end is None or end > latest):
        return _too_long(policy)
    return end


def _going_on(
    policy: PolicyState, latest: datetime | None, present: datetime | None, now: datetime
) -> datetime | Refusal | None:
    """What ends later than the policy, whose date may have been put forward since, is never cut by being extended."""
    if present is None or latest is None:
        return None
    if latest <= now:
        return _has_ended(policy)
    return latest if latest >= present else _too_long(policy)


def latest_end(policy: PolicyState, begin: datetime) -> datetime | None:
    """The last end that the policy allows for what begins then; None if it need not end."""
    if policy.expires_after is not None:
        return later(begin, policy.expires_after)
    return policy.expires_at


def _has_ended(policy: PolicyState) -> Refusal:
    return Refusal(code="policyExpired", message=f'Access under the policy "{policy.display_name}" has ended.')


def _too_long(policy: PolicyState) -> Refusal:
    return Refusal(
        code="scheduleNotAllowed", message=f'The policy "{policy.display_name}" does not give access for so long.'
    )
