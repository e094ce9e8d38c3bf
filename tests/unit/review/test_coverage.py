"""What nobody has reviewed, ever or for long."""

from datetime import UTC, datetime, timedelta

from services.review.coverage import LONG, Reviewable, uncovered

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
