"""When reviews run: days that months lack, changes of the clocks, ends."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.review import Recurrence, RecurrencePattern, RecurrenceRange
from shared.recurrence import days, first_to_run, midnight, shortest_distance, span
from shared.zones import zone_of

pytestmark = pytest.mark.spec("REV-6")


def recurring(
    start: str, every: int = 1, of: str = "absoluteMonthly", day: int = 0, month: int = 0, **range_: object
) -> Recurrence:
    return Recurrence(
        pattern=RecurrencePattern(type=of, interval=every, day_of_month=day, month=month),  # type: ignore[arg-type]
        range=RecurrenceRange(start_date=date.fromisoformat(start), **range_),  # type: ignore[arg-type]
    )


def of_weekdays(start: str, of: str, *named: str, every: int = 1, **more: object) -> Recurrence:
    pattern = RecurrencePattern(type=of, interval=every, days_of_week=named, **more)  # type: ignore[arg-type]
    return Recurrence(pattern=pattern, range=RecurrenceRange(start_date=date.fromisoformat(start)))


def first(one: Recurrence, many: int = 5) -> list[str]:
    return [day.isoformat() for day in islice(days(one), many)]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (recurring("2026-01-05", 2, "weekly"), ["2026-01-05", "2026-01-19", "2026-02-02"]),
        (recurring("2026-01-31"), ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        (recurring("2024-01-31"), ["2024-01-31", "2024-02-29", "2024-03-31"]),
        (recurring("2026-11-30", 3), ["2026-11-30", "2027-02-28", "2027-05-30"]),
        (recurring("2026-05-10", 3, day=5), ["2026-06-05", "2026-09-05", "2026-12-05"]),
        (recurring("2026-05-04", 3, day=5), ["2026-05-05", "2026-08-05"]),
        (recurring("2024-02-29", of="absoluteYearly"), ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28"]),
        (recurring("2026-12-30", of="absoluteYearly", day=29, month=2), ["2027-02-28", "2028-02-29", "2029-02-28"]),
        (recurring("2026-01-30", 2, "absoluteYearly", day=15, month=6), ["2026-06-15", "2028-06-15"]),
        (recurring("2026-05-04", 3, day=5, month=1), ["2026-05-05", "2026-08-05"]),
        (recurring("2026-01-01", 6), ["2026-01-01", "2026-07-01", "2027-01-01"]),
    ],
)
def test_days_on_which_it_begins(one: Recurrence, expected: list[str]) -> None:
    assert first(one, len(expected)) == expected


WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        # 2026-01-07 is a Wednesday.
        (of_weekdays("2026-01-07", "weekly", "monday", "thursday"), ["2026-01-08", "2026-01-12", "2026-01-15"]),
        (
            of_weekdays("2026-01-07", "weekly", "thursday", "monday", every=2),
            ["2026-01-08", "2026-01-19", "2026-01-22"],
        ),
        (of_weekdays("2026-01-07", "weekly", "sunday", every=2), ["2026-01-18", "2026-02-01"]),
        (
            of_weekdays("2026-01-07", "weekly", "sunday", every=2, first_day_of_week="monday"),
            ["2026-01-11", "2026-01-25"],
        ),
        (of_weekdays("2026-01-07", "weekly", "wednesday"), ["2026-01-07", "2026-01-14"]),
        (of_weekdays("2026-01-07", "relativeMonthly", "monday"), ["2026-02-02", "2026-03-02", "2026-04-06"]),
        (of_weekdays("2026-01-07", "relativeMonthly", "wednesday"), ["2026-01-07", "2026-02-04"]),
        (of_weekdays("2026-01-07", "relativeMonthly", "friday", index="last"), ["2026-01-30", "2026-02-27"]),
        (of_weekdays("2026-01-07", "relativeMonthly", *WORKDAYS, index="last"), ["2026-01-30", "2026-02-27"]),
        (
            of_weekdays("2026-01-07", "relativeMonthly", *WORKDAYS, index="fourth", every=3),
            ["2026-02-05", "2026-05-06"],
        ),
        (
            of_weekdays("2026-01-07", "relativeMonthly", "saturday", "sunday", index="second"),
            ["2026-02-07", "2026-03-07"],
        ),
        (of_weekdays("2026-01-07", "relativeYearly", "tuesday", index="third", month=1), ["2026-01-20", "2027-01-19"]),
        (of_weekdays("2026-03-07", "relativeYearly", "tuesday", index="third", month=1), ["2027-01-19", "2028-01-18"]),
    ],
)
def test_days_of_the_week_on_which_it_begins(one: Recurrence, expected: list[str]) -> None:
    assert first(one, len(expected)) == expected


def test_without_a_pattern_it_begins_once() -> None:
    once = Recurrence(pattern=None, range=RecurrenceRange(start_date=date(2026, 1, 7)))
    assert first(once) == ["2026-01-07"]
    assert shortest_distance(once) is None
    assert Recurrence.model_validate_json(once.json_bytes()) == once


def test_a_series_that_would_begin_beyond_all_years_has_no_days() -> None:
    assert first(recurring("9999-12-31", day=5)) == []


@pytest.mark.parametrize(
    ("range_", "many"),
    [
        ({"type": "numbered", "number_of_occurrences": 3}, 3),
        ({"type": "endDate", "end_date": date(2026, 3, 1)}, 3),
        ({"type": "endDate", "end_date": date(2026, 2, 28)}, 2),
        ({"type": "numbered", "end_date": date(2026, 2, 28)}, 2),  # as Graph's own examples have it
        ({"type": "numbered", "number_of_occurrences": 2, "end_date": date(9999, 12, 31)}, 2),
    ],
)
def test_a_range_ends(range_: dict[str, object], many: int) -> None:
    assert len(list(days(recurring("2026-01-01", **range_)))) == many


def test_days_are_as_long_as_days_are_when_the_clocks_change() -> None:
    one = recurring("2026-03-28", of="weekly", recurrence_time_zone="Europe/Zurich")
    assert span(one, 1, 2) == (datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))
    autumn = recurring("2026-10-24", of="weekly", recurrence_time_zone="Europe/Zurich")
    assert span(autumn, 1, 2) == (datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("pacific standard time", "America/Los_Angeles"),
        ("Europe/Zurich", "Europe/Zurich"),
        ("UTC", "UTC"),
        (None, "UTC"),
    ],
)
def test_time_zones_have_names_of_iana_and_of_windows(name: str | None, of: str) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert noon.replace(tzinfo=zone_of(name)).utcoffset() == noon.replace(tzinfo=ZoneInfo(of)).utcoffset()


def test_where_the_clocks_skip_midnight_a_day_begins_with_what_exists() -> None:
    zone = zone_of("America/Santiago")
    begins = midnight(date(2022, 9, 11), zone)  # 00:00 became 01:00
    assert begins == datetime(2022, 9, 11, 4, tzinfo=UTC)


def test_what_is_over_is_not_run_and_what_would_be_running_is() -> None:
    one = recurring("2026-01-01")
    assert first_to_run(one, datetime(2026, 3, 4, tzinfo=UTC), 3) == 4
    assert first_to_run(one, datetime(2026, 3, 3, tzinfo=UTC), 3) == 3
    assert first_to_run(one, datetime(2026, 3, 3, tzinfo=UTC), 3, begun=3) == 4
    ended = recurring("2026-01-01", type="numbered", number_of_occurrences=2)
    assert first_to_run(ended, datetime(2026, 3, 3, tzinfo=UTC), 3) is None


@given(
    start=st.dates(date(2000, 1, 1), date(2060, 1, 1)),
    every=st.integers(1, 24),
    of=st.sampled_from(["weekly", "absoluteMonthly", "absoluteYearly"]),
    day=st.integers(0, 31),
)
def test_occurrences_are_apart_by_at_least_the_shortest_distance(start: date, every: int, of: str, day: int) -> None:
    one = recurring(start.isoformat(), every, of, day)
    found = list(islice(days(one), 12))
    assert found[0] >= start
    shortest = shortest_distance(one)
    assert shortest is not None
    assert all((after - before).days >= shortest for before, after in pairwise(found))
    if of == "weekly":
        assert {(after - before).days for before, after in pairwise(found)} == {7 * every}
    else:
        assert len({(one.year, one.month) for one in found}) == len(found)
        assert all(one.day in {day or start.day} or one.day >= 28 for one in found)
