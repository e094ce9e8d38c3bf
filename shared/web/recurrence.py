"""Graph's patternedRecurrence, read and said: of reviews, of their history, and of a policy's reviews.

Weeks, months and years are honoured, with an interval, a day, days of the week and which of them in the month. Source:
reference/graph-model.md (patternedRecurrence), entra-features.md REV-6.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from shared import recurrence
from shared.contracts.review import DayOfWeek, Recurrence, RecurrencePattern, RecurrenceRange, WeekIndex
from shared.web.errors import BadRequest
from shared.web.graph_model import GraphBody, lowered
from shared.zones import zone_of

MOST_OCCURRENCES = 2**31 - 1
_ENDLESS = date(9999, 12, 31)
_SHORT = {"monthly": "absoluteMonthly", "yearly": "absoluteYearly"}
"""As the documented example of a review history writes them."""
_RELATIVE = frozenset({"relativeMonthly", "relativeYearly"})
_KINDS = frozenset({"weekly", *_SHORT.values(), *_RELATIVE})


def _kind(said: Any) -> Any:
    return _SHORT.get(said, lowered(said)) if isinstance(said, str) else said


def _day(said: Any) -> Any:
    """A date, or the date of a timestamp. Graph's clients write days that say nothing as the first there is."""
    if not isinstance(said, str):
        return said
    return None if said.startswith("0001-") else said[:10]


Day = Annotated[date | None, BeforeValidator(_day)]


class PatternIn(GraphBody):
    """Graph's recurrencePattern."""

    type: Annotated[str, BeforeValidator(_kind)]
    interval: int = Field(1, ge=1, le=120)
    day_of_month: int | None = Field(None, ge=0, le=31)
    month: int | None = Field(None, ge=0, le=12)
    days_of_week: list[DayOfWeek] | None = Field(None, max_length=7)
    first_day_of_week: DayOfWeek | None = None
    index: WeekIndex | None = None


class RangeIn(GraphBody):
    """Graph's recurrenceRange. `count` is what a documented example calls the number of occurrences."""

    type: Annotated[Literal["noEnd", "endDate", "numbered"], BeforeValidator(lowered)] = "noEnd"
    start_date: Day = None
    end_date: Day = None
    number_of_occurrences: int | None = Field(None, ge=0, le=MOST_OCCURRENCES)
    count: int | None = Field(None, ge=0, le=MOST_OCCURRENCES)
    recurrence_time_zone: str | None = None

    @property
    def times(self) -> int:
        """0: it does not say."""
        return self.number_of_occurrences or self.count or 0


class RecurrenceIn(GraphBody):
    """Graph's patternedRecurrence. Without a pattern: once, on the first day of the range."""

    pattern: PatternIn | None = None
    range: RangeIn | None = None


def recurrence_of(said: RecurrenceIn, where: str, starts_on: date | None = None) -> Recurrence:
    """`starts_on`: if something beside the recurrence says when it begins. Raises BadRequest that names the place."""
    range_ = said.range or RangeIn()
    begins = starts_on or range_.start_date
    if begins is None:
        place = f"{where}/range/startDate"
        raise BadRequest(f"{place}: say the day on which it begins.", target=place)
    pattern = _pattern_of(said.pattern, f"{where}/pattern") if said.pattern is not None else None
    if pattern and range_.type == "numbered" and not range_.times and range_.end_date is None:
        place = f"{where}/range/numberOfOccurrences"
        raise BadRequest(f"{place}: say how many there are.", target=place)
    if range_.type == "endDate" and (range_.end_date is None or range_.end_date < begins):
        place = f"{where}/range/endDate"
        raise BadRequest(f"{place}: say a day that is not before the first.", target=place)
    zone_named(range_.recurrence_time_zone, f"{where}/range/recurrenceTimeZone")
    read = Recurrence(
        pattern=pattern,
        range=RecurrenceRange(
            type=range_.type,
            start_date=begins,
            # As it is answered where there is no end: read again it is the same.
            end_date=None if range_.end_date == _ENDLESS and range_.type != "endDate" else range_.end_date,
            number_of_occurrences=range_.times,
            recurrence_time_zone=range_.recurrence_time_zone or None,
        ),
    )
    if next(recurrence.days(read), None) is None:
        raise BadRequest(f"{where}/range: the recurrence ends before it begins.", target=f"{where}/range")
    return read


def _pattern_of(said: PatternIn, where: str) -> RecurrencePattern:
    if said.type not in _KINDS:
        text = f"recurs weekly, monthly or yearly (absolute… or relative…), not '{said.type[:32]}'"
        raise BadRequest(f"{where}/type: {text}.", target=f"{where}/type")
    if said.type in _RELATIVE and not said.days_of_week:
        place = f"{where}/daysOfWeek"
        raise BadRequest(f"{place}: say of which days of the week, such as ['monday'].", target=place)
    return RecurrencePattern.model_validate(
        {
            "type": said.type,
            "interval": said.interval,
            "day_of_month": said.day_of_month or 0,
            "month": said.month or 0,
            "days_of_week": tuple(dict.fromkeys(said.days_of_week or ())),
            "first_day_of_week": said.first_day_of_week or "sunday",
            "index": said.index or "first",
        }
    )


def zone_named(said: str | None, where: str) -> ZoneInfo:
    """UTC without a name. Raises BadRequest for what is no time zone."""
    try:
        return zone_of(said)
    except (KeyError, ValueError, OSError):
        text = f"'{str(said)[:64]}' is no time zone, such as Europe/Zurich or W. Europe Standard Time"
        raise BadRequest(f"{where}: {text}.", target=where) from None


def recurrence_said(one: Recurrence) -> dict[str, Any]:
    """With the properties filled in that Graph fills in."""
    return {
        "pattern": _pattern_said(one.pattern) if one.pattern is not None else None,
        "range": {
            "type": one.range.type,
            "numberOfOccurrences": one.range.number_of_occurrences,
            "recurrenceTimeZone": one.range.recurrence_time_zone,
            "startDate": one.range.start_date.isoformat(),
            "endDate": (one.range.end_date or _ENDLESS).isoformat(),
        },
    }


def _pattern_said(one: RecurrencePattern) -> dict[str, Any]:
    return {
        "type": one.type,
        "interval": one.interval,
        "month": one.month,
        "dayOfMonth": one.day_of_month,
        "daysOfWeek": list(one.days_of_week),
        "firstDayOfWeek": one.first_day_of_week,
        "index": one.index,
    }
