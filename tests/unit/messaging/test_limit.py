"""When what is set aside is too much to be its senders' fault."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.limit import Limit

BATCHES = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)))


def test_that_many_in_a_row_are_set_aside_and_not_one_more() -> None:
    limit = Limit(10)
    assert limit.admits(good=5, bad=0)
    assert all(limit.admits(good=0, bad=1) for _ in range(10))
    assert not limit.admits(good=0, bad=1)
    assert limit.level == 10


def test_a_batch_that_must_wait_counts_for_nothing_until_it_passes() -> None:
    limit = Limit(10)
    assert limit.admits(good=0, bad=8)
    assert not any(limit.admits(good=0, bad=3) for _ in range(5))
    assert limit.admits(good=0, bad=2), "the same messages, one mended"


@given(st.lists(st.integers(0, 9), max_size=200))
def test_where_at_least_as_much_is_handled_nothing_ever_waits(bad: list[int]) -> None:
    limit = Limit(10)
    assert all(limit.admits(good=number, bad=number) for number in bad)


@given(BATCHES)
def test_without_a_limit_nothing_ever_waits(batches: list[tuple[int, int]]) -> None:
    limit = Limit(0)
    assert all(limit.admits(good, bad) for good, bad in batches)


@given(BATCHES, st.integers(1, 40))
def test_what_only_holds_good_messages_always_passes(batches: list[tuple[int, int]], most: int) -> None:
    limit = Limit(most)
    for good, bad in batches:
        limit.admits(good, bad)
        assert limit.level <= most
        assert limit.admits(good, 0)
