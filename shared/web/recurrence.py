"""Graph's patternedRecurrence, read and said: of reviews, of their history, and of a policy's reviews.

Weeks, months and years are honoured, with an interval and a day; what else a pattern may say is let pass, as Graph
does. Source: reference/graph-model.md (patternedRecurrence), entra-features.md REV-6.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from shared.contracts.review import Recurrence, RecurrencePattern, RecurrenceRange
from shared.web.errors import BadRequest
from shared.web.graph_model import GraphModel, lowered
from shared.zones import zone_of

MOST_OCCURRENCES = 2**31 - 1
_ENDLESS = date(9999, 12, 31)
_KINDS = {"weekly": "weekly", "monthly": "absoluteMonthly", "yearly": "absoluteYearly"}
"""As the documented example of a review history writes them."""


def _kind(said: Any) -> Any:
    return _KINDS.get(said, lowered(said)) if isinstance(said, str) else said


def _day(said: Any) -> Any:
    """A date, or the date of a timestamp. Graph's clients write days that say nothing as the first there is."""
    if not isinstance(said, str):
        return said
    return None if said.startswith("0001-") else said[:10]


Day = Annotated[date | None, BeforeValidator(_day)]


class PatternIn(GraphModel):
    type: Annotated[str, BeforeValidator(_kind)]
    interval: int = Field(1, ge=1, le=120)
    day_of_month: int | None = Field(None, ge=0, le=31)
    month: int | None = Field(None, ge=0, le=12)


class RangeIn(GraphModel):
    type: Annotated[Literal["noEnd", "endDate", "numbered"], BeforeValidator(lowered)] = "noEnd"
    start_date: Day = None
    end_date: Day = None
    number_of_occurrences: int | None = Field(None, ge=0, le=MOST_OCCURRENCES)
    recurrence_time_zone: str | None = None


class RecurrenceIn(GraphModel):
    pattern: PatternIn | None = None
    """Without one it is a series of one, as Graph's own clients write it."""
    range: RangeIn | None = None


def recurrence_of(said: RecurrenceIn, where: str, starts_on: date | None = None) -> Recurrence:
    """`starts_on`: if something beside the recurrence says when it begins. Raises BadRequest that names the place."""
    pattern, range_ = said.pattern, said.range or RangeIn()
    if pattern is not None and pattern.type not in _KINDS.values():
        text = f"recurs weekly, absoluteMonthly or absoluteYearly, not '{pattern.type[:32]}'"
        raise BadRequest(f"{where}/pattern/type: {text}.", target=f"{where}/pattern/type")
    begins = starts_on or range_.start_date
    if begins is None:
        place = f"{where}/range/startDate"
        raise BadRequest(f"{place}: say the day on which it begins.", target=place)
    if pattern and range_.type == "numbered" and not range_.number_of_occurrences and range_.end_date is None:
        place = f"{where}/range/numberOfOccurrences"
        raise BadRequest(f"{place}: say how many there are.", target=place)
    if range_.type == "endDate" and (range_.end_date is None or range_.end_date < begins):
        place = f"{where}/range/endDate"
        raise BadRequest(f"{place}: say a day that is not before the first.", target=place)
    zone_named(range_.recurrence_time_zone, f"{where}/range/recurrenceTimeZone")
    return Recurrence(
        pattern=pattern
        and RecurrencePattern.model_validate(
            {
                "type": pattern.type,
                "interval": pattern.interval,
                "day_of_month": pattern.day_of_month or 0,
                "month": pattern.month or 0,
            }
        ),
        range=RecurrenceRange(
            type=range_.type,
            start_date=begins,
            end_date=range_.end_date,
            number_of_occurrences=range_.number_of_occurrences or 0,
            recurrence_time_zone=range_.recurrence_time_zone or None,
        ),
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
        "pattern": one.pattern and {
            "type": one.pattern.type, "interval": one.pattern.interval, "month": one.pattern.month,
            "dayOfMonth": one.pattern.day_of_month, "daysOfWeek": [], "firstDayOfWeek": "sunday", "index": "first",
        },
        "range": {
            "type": one.range.type,
            "numberOfOccurrences": one.range.number_of_occurrences,
            "recurrenceTimeZone": one.range.recurrence_time_zone,
            "startDate": one.range.start_date.isoformat(),
            "endDate": (one.range.end_date or _ENDLESS).isoformat(),
        },
    }  # fmt: skip
