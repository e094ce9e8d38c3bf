"""Time is UTC to the millisecond; derived ids differ whenever their parts do."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import Clock, SystemClock, TurnableClock, milliseconds, not_before
from shared.ids import derived_id


def test_now_reads_back_equal_from_bson() -> None:
    clock: Clock = SystemClock()
    now = clock.now()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0
    assert abs(SystemClock(timedelta(days=1)).now() - now - timedelta(days=1)) < timedelta(seconds=5)


def test_milliseconds_are_cut_and_not_rounded() -> None:
    end_of_day = datetime(2026, 6, 30, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert milliseconds(end_of_day) == datetime(2026, 6, 30, 21, 59, 59, 999_000, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        milliseconds(datetime(2026, 1, 1))  # noqa: DTZ001


def test_what_is_due_within_a_millisecond_is_due_at_its_end() -> None:
    whole = datetime(2026, 6, 30, 12, 0, 0, 7_000, tzinfo=UTC)
    assert not_before(whole) == whole
    assert not_before(whole.replace(microsecond=7_500)) == whole.replace(microsecond=8_000)
    assert not_before(whole.replace(second=59, microsecond=999_001)) == whole.replace(minute=1, microsecond=0)


def test_a_turnable_clock_stands_still_until_turned() -> None:
    clock = TurnableClock(datetime(2026, 7, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    clock.turn(timedelta(days=31))
    assert clock.now() == datetime(2026, 8, 1, tzinfo=UTC)
    assert clock.turn(datetime(2026, 1, 1, tzinfo=UTC)) == clock.now()


def test_a_derived_id_never_changes() -> None:
    # Databases hold these: a change here would make every repeated message a new thing.
    assert derived_id("assignment", "request-1") == "b036ce9e-eb89-5df9-badd-dcf7d5cdfb82"
    assert derived_id("a", 1) == derived_id("a", "1")
    with pytest.raises(ValueError, match="derived from something"):
        derived_id()


@given(st.lists(st.text(max_size=4), min_size=1, max_size=4), st.lists(st.text(max_size=4), min_size=1, max_size=4))
def test_ids_are_equal_only_if_their_parts_are(one: list[str], other: list[str]) -> None:
    assert (derived_id(*one) == derived_id(*other)) == (one == other)
