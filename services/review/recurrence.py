"""When a review runs: the days on which a recurrence begins, and their midnights in its time zone.

Pure. Source: Graph patternedRecurrence, of which reviews honour weeks, months and years; reference/entra-features.md
REV-6.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, islice, pairwise
from zoneinfo import ZoneInfo

from shared.contracts.review import Recurrence, RecurrencePattern, RecurrenceRange
from shared.zones import zone_of

LAST_YEAR = 9000
"""Later days are none: Graph writes 9999-12-31 for no end."""
_LOOKED_AT = 60
"""Occurrences among which the shortest distance is found: five years of months."""


def days(recurrence: Recurrence) -> Iterator[date]:
    """The days on which it begins, in order, perhaps without end.

    The first is the first fitting day at or after the range's start. A day that the month lacks falls on its last day
    (our choice; Graph is silent), without moving those after it."""
    range_ = recurrence.range
    last = _last_day(range_)
    fitting = _fitting(recurrence.pattern, range_.start_date) if recurrence.pattern else iter((range_.start_date,))
    for number, day in enumerate(fitting, 1):
        if day > last or day.year > LAST_YEAR or number > (_most(range_) or number):
            return
        yield day


def _fitting(pattern: RecurrencePattern, first: date) -> Iterator[date]:
    if pattern.type == "weekly":
        for number in count():
            yield first + timedelta(weeks=number * pattern.interval)
    yearly = pattern.type == "absoluteYearly"
    months = pattern.interval * (12 if yearly else 1)
    wanted = pattern.day_of_month or first.day
    named = pattern.month if yearly else 0
    # The day may have passed in the first month: then it begins in the next one, or in that of the next year.
    begin = first.year * 12 + (named or first.month) - 1
    if _in_month(begin, wanted) < first:
        begin += 12 if named else 1
    for number in count():
        yield _in_month(begin + number * months, wanted)


def _in_month(month: int, day: int) -> date:
    year, number = divmod(month, 12)
    return date(year, number + 1, min(day, calendar.monthrange(year, number + 1)[1]))


def _last_day(range_: RecurrenceRange) -> date:
    ends = range_.type == "endDate" or (range_.type == "numbered" and not range_.number_of_occurrences)
    return range_.end_date if ends and range_.end_date is not None else date.max


def _most(range_: RecurrenceRange) -> int | None:
    return range_.number_of_occurrences or None if range_.type == "numbered" else None


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment in UTC at which `day` begins there; where the clocks skip midnight, the first one that exists."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def span(recurrence: Recurrence, number: int, duration_days: int) -> tuple[datetime, datetime] | None:
    """Start and end in UTC of occurrence `number` (from 1); None if there are not so many.

    Days are counted in the time zone: over a change of the clocks they are as long as days there are."""
    day = next(islice(days(recurrence), number - 1, None), None)
    if day is None:
        return None
    zone = zone_of(recurrence.range.recurrence_time_zone)
    return midnight(day, zone), midnight(day + timedelta(days=duration_days), zone)


def shortest_distance(recurrence: Recurrence) -> int | None:
    """Days from one occurrence to the next, at least; None if there is but one."""
    first = islice(days(recurrence), _LOOKED_AT)
    return min(((after - before).days for before, after in pairwise(first)), default=None)


def first_to_run(recurrence: Recurrence, now: datetime, duration_days: int, begun: int = 0) -> int | None:
    """Number of the first occurrence beyond `begun` that is not over already; None if none is left."""
    zone = zone_of(recurrence.range.recurrence_time_zone)
    for number, day in enumerate(days(recurrence), 1):
        if number > begun and midnight(day + timedelta(days=duration_days), zone) > now:
            return number
    return None


def next_start(recurrence: Recurrence, after: datetime) -> datetime | None:
    """The first moment later than `after` at which it begins; None if it does no more."""
    zone = zone_of(recurrence.range.recurrence_time_zone)
    return next((start for day in days(recurrence) if (start := midnight(day, zone)) > after), None)
