"""What nobody has reviewed, ever or for long."""

from datetime import UTC, datetime, timedelta

from services.review.coverage import LONG, Coverage, Reviewable, uncovered

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def thing(name: str, days: int | None = None, *, under_review: bool = False) -> Reviewable:
    last = None if days is None else NOW - timedelta(days=days)
    return Reviewable("group", name.lower(), name, last, under_review)


def test_never_reviewed_comes_first_then_the_longest_ago_then_by_name() -> None:
    things = [thing("c", 400), thing("b", 900), thing("D"), thing("a"), thing("E", 400)]
    assert [one.display_name for one in uncovered(things, NOW)] == ["a", "D", "b", "c", "E"]


def test_what_was_reviewed_lately_or_is_under_review_is_covered() -> None:
    things = [thing("a", LONG.days), thing("b", under_review=True), thing("c", 900, under_review=True)]
    assert uncovered(things, NOW) == []
    assert uncovered(things, NOW, timedelta(days=30)) == [things[0]]


def test_seen_portion_by_portion_the_worst_are_the_same_as_seen_at_once() -> None:
    things = [
        thing(name, days) for name, days in zip("abcdefgh", (None, 400, 5, None, 900, 366, None, 365), strict=True)
    ]
    seen = Coverage(NOW, most=4)
    for begin in range(0, len(things), 3):
        seen.see(things[begin : begin + 3])
    assert seen.worst == uncovered(things, NOW)[:4]
    assert (seen.things, seen.never, seen.long_ago) == (8, 3, 3)
