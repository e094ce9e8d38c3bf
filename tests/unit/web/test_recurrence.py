"""Graph's patternedRecurrence, however clients write it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from shared.contracts.review import Recurrence, RecurrencePattern
from shared.recurrence import days
from shared.web.errors import BadRequest
from shared.web.recurrence import RangeIn, RecurrenceIn, recurrence_of, recurrence_said


def read(pattern: dict[str, Any] | None, range_: dict[str, Any] | None, starts_on: date | None = None) -> Recurrence:
    return recurrence_of(RecurrenceIn.model_validate({"pattern": pattern, "range": range_}), "here", starts_on)


def pattern_of(one: Recurrence) -> RecurrencePattern:
    assert one.pattern is not None
    return one.pattern


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("weekly", "weekly"),
        ("Weekly", "weekly"),
        ("monthly", "absoluteMonthly"),
        ("absoluteMonthly", "absoluteMonthly"),
        ("AbsoluteYearly", "absoluteYearly"),
    ],
)
def test_the_ways_in_which_clients_write_a_pattern(written: str, kind: str) -> None:
    assert pattern_of(read({"type": written}, {"startDate": "2026-01-31"})).type == kind


def test_what_is_not_said_or_says_nothing_is_none() -> None:
    range_ = {
        "type": "NoEnd",
        "startDate": "2026-03-01T00:00:00Z",
        "endDate": "0001-01-01",
        "numberOfOccurrences": None,
    }
    one = read({"type": "weekly", "dayOfMonth": None, "daysOfWeek": ["monday"]}, range_ | {"numberOfOccurrences": None})

    assert (one.range.type, one.range.start_date, one.range.end_date) == ("noEnd", date(2026, 3, 1), None)
    pattern = pattern_of(one)
    assert (one.range.number_of_occurrences, pattern.day_of_month, pattern.month) == (0, 0, 0)


def test_what_begins_elsewhere_needs_no_range() -> None:
    assert read({"type": "weekly"}, None, date(2026, 5, 4)).range.start_date == date(2026, 5, 4)


@pytest.mark.parametrize(
    "ends",
    [
        {"type": "endDate", "endDate": "2027-01-31", "recurrenceTimeZone": "Asia/Tokyo"},
        {"type": "endDate", "endDate": "9999-12-31"},
        {"type": "noEnd"},
        {"type": "numbered", "numberOfOccurrences": 4},
    ],
)
def test_what_was_read_is_said_and_read_again_the_same(ends: dict[str, Any]) -> None:
    range_ = {"startDate": "2026-01-31", **ends}
    one = read({"type": "absoluteMonthly", "interval": 3, "dayOfMonth": 31}, range_)

    said = recurrence_said(one)

    assert read(said["pattern"], said["range"]) == one


def test_days_of_the_week_and_which_of_them_are_read_and_said() -> None:
    days = {"daysOfWeek": ["Monday", "friday", "monday"], "index": "Last", "firstDayOfWeek": "monday"}
    range_ = {"type": "endDate", "startDate": "2026-01-31", "endDate": "2027-01-31"}
    one = read({"type": "relativeMonthly", "interval": 3, **days}, range_)

    said = recurrence_said(one)

    assert (said["pattern"]["daysOfWeek"], said["pattern"]["index"]) == (["monday", "friday"], "last")
    assert said["pattern"]["firstDayOfWeek"] == "monday"
    assert read(said["pattern"], said["range"]) == one


def test_without_a_pattern_it_begins_once_on_the_day_that_the_range_names() -> None:
    range_ = {"type": "numbered", "numberOfOccurrences": 0, "startDate": "2026-03-21", "endDate": "2026-03-30"}
    one = read(None, range_)

    assert [day.isoformat() for day in days(one)] == ["2026-03-21"]
    assert recurrence_said(one)["pattern"] is None


@pytest.mark.parametrize(
    ("pattern", "range_", "named"),
    [
        ({"type": "weekly", "intervall": 2}, {"startDate": "2026-01-01"}, "intervall"),
        ({"type": "weekly"}, {"startDate": "2026-01-01", "occurrences": 2}, "occurrences"),
        ({"type": "weekly", "interval": 0}, {"startDate": "2026-01-01"}, "interval"),
        ({"type": "weekly", "interval": "2"}, {"startDate": "2026-01-01"}, "interval"),
        ({"type": "relativeMonthly", "daysOfWeek": ["someday"]}, {"startDate": "2026-01-01"}, "daysOfWeek"),
        ({"type": "relativeMonthly", "daysOfWeek": ["monday"], "index": "fifth"}, {"startDate": "2026-01-01"}, "index"),
    ],
)
def test_a_misspelt_name_or_value_is_refused_and_not_passed_over(
    pattern: dict[str, Any], range_: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError, match=named):
        read(pattern, range_)


def test_a_time_zone_may_be_named_as_windows_names_it() -> None:
    one = read({"type": "weekly"}, {"startDate": "2026-01-31", "recurrenceTimeZone": "W. Europe Standard Time"})

    assert recurrence_said(one)["range"]["recurrenceTimeZone"] == "W. Europe Standard Time"


@pytest.mark.parametrize(
    ("pattern", "range_", "place"),
    [
        ({"type": "daily"}, {"startDate": "2026-01-01"}, "here/pattern/type"),
        ({"type": "relativeMonthly"}, {"startDate": "2026-01-01"}, "here/pattern/daysOfWeek"),
        (
            {"type": "relativeMonthly", "daysOfWeek": ["monday"]},
            {"startDate": "2026-01-06", "type": "endDate", "endDate": "2026-02-01"},
            "here/range",
        ),
        ({"type": "weekly"}, None, "here/range/startDate"),
        ({"type": "weekly"}, {"startDate": "0001-01-01"}, "here/range/startDate"),
        ({"type": "weekly"}, {"startDate": "2026-01-01", "type": "numbered"}, "here/range/numberOfOccurrences"),
        ({"type": "weekly"}, {"startDate": "2026-01-01", "type": "endDate"}, "here/range/endDate"),
        (
            {"type": "weekly"},
            {"startDate": "2026-01-02", "type": "endDate", "endDate": "2026-01-01"},
            "here/range/endDate",
        ),
        (
            {"type": "weekly"},
            {"startDate": "2026-01-01", "recurrenceTimeZone": "Mars"},
            "here/range/recurrenceTimeZone",
        ),
    ],
)
def test_what_is_no_recurrence_is_refused_at_its_place(
    pattern: dict[str, Any], range_: dict[str, Any] | None, place: str
) -> None:
    with pytest.raises(BadRequest, match=place) as refused:
        read(pattern, range_)
    assert refused.value.target == place


def test_there_are_so_many_occurrences_at_most() -> None:
    with pytest.raises(ValidationError, match="numberOfOccurrences"):
        RangeIn.model_validate({"startDate": "2026-01-01", "numberOfOccurrences": 10**30})
