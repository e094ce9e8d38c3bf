"""When a review runs: the days on which a recurrence begins, and their midnights in its time zone.

Pure. Source: Graph patternedRecurrence, of which reviews honour weeks, months and years, days and days of the week;
reference/entra-features.md REV-6, graph-model.md (recurrencePattern).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, dropwhile, islice, pairwise
from typing import get_args
from zoneinfo import ZoneInfo

from shared.contracts.review import DayOfWeek, Recurrence, RecurrencePattern, RecurrenceRange
from shared.zones import zone_of

LAST_YEAR = 9000
"""Later days are none: Graph writes 9999-12-31 for no end."""
_LOOKED_AT = 60
"""Occurrences among which the shortest distance is found: five years of months."""
_DAYS: tuple[DayOfWeek, ...] = get_args(DayOfWeek)
_INDEXES = ("first", "second", "third", "fourth")


def days(recurrence: Recurrence) -> Iterator[date]:
    """The days on which it begins, in order, perhaps without end.

    The first is the first fitting day at or after the range's start. A day that the month lacks falls on its last day
    (our choice; Graph is silent), without moving those after it. Of days of the week that are named, a week has each,
    and a month the one that `index` counts among all of them."""
    range_ = recurrence.range
    last = _last_day(range_)
    if range_.start_date.year > LAST_YEAR:
        return
    for number, day in enumerate(_fitting(recurrence.pattern, range_.start_date), 1):
        if day > last or day.year > LAST_YEAR or number > (_most(range_) or number):
            return
        yield day


def _fitting(pattern: RecurrencePattern | None, first: date) -> Iterator[date]:
    if pattern is None:
        return iter((first,))
    found = _of_weeks(pattern, first) if pattern.type == "weekly" else _of_months(pattern, first)
    return dropwhile(lambda day: day < first, found)


def _of_weeks(pattern: RecurrencePattern, first: date) -> Iterator[date]:
    """Of every `interval`-th week, counted from that of the first day, the days that are named."""
    into = (first.weekday() - _DAYS.index(pattern.first_day_of_week)) % 7
    named = sorted((_DAYS.index(day) - first.weekday() + into) % 7 for day in set(pattern.days_of_week)) or [into]
    for number in count():
        week = first + timedelta(weeks=number * pattern.interval, days=-into)
        yield from (week + timedelta(days=day) for day in named)


def _of_months(pattern: RecurrencePattern, first: date) -> Iterator[date]:
    """Those days of every `interval`-th month, or year. The first may have passed in its month: then it begins in the
    next one, or in that of the next year."""
    yearly = pattern.type in {"absoluteYearly", "relativeYearly"}
    named = pattern.month if yearly else 0
    begin = first.year * 12 + (named or first.month) - 1
    if _in_month(pattern, begin, first) < first:
        begin += 12 if named else 1
    for number in count():
        yield _in_month(pattern, begin + number * pattern.interval * (12 if yearly else 1), first)


def _in_month(pattern: RecurrencePattern, month: int, first: date) -> date:
    year, number = divmod(month, 12)
    length = calendar.monthrange(year, number + 1)[1]
    if pattern.type not in {"relativeMonthly", "relativeYearly"}:
        return date(year, number + 1, min(pattern.day_of_month or first.day, length))
    wanted = {_DAYS.index(day) for day in pattern.days_of_week}
    days = [day for day in range(1, length + 1) if calendar.weekday(year, number + 1, day) in wanted]
    return date(year, number + 1, days[_INDEXES.index(pattern.index)] if pattern.index != "last" else days[-1])


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
