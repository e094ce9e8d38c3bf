"""Never used since it was given: only as far as uses are reported, and not at once."""

from datetime import UTC, datetime, timedelta

import pytest

from services.review.recommend.unused import TIME_TO_USE_IT, Use, never_used

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def ago(days: int | None) -> datetime | None:
    return None if days is None else START - timedelta(days=days)


@pytest.mark.parametrize(
    ("given", "last", "reported", "decision", "reason"),
    [
        (100, 5, 300, "approve", "usedSinceGiven"),
        (100, 100, 300, "approve", "usedSinceGiven"),
        (None, 5, 300, "approve", "usedSinceGiven"),
        (100, None, 300, "deny", "neverUsed"),
        (100, 200, 300, "deny", "neverUsed"),
        (100, None, 60, "deny", "neverUsed"),
        (100, None, 10, "noInfoAvailable", "givenLately"),
        (29, None, 300, "noInfoAvailable", "givenLately"),
        (30, None, 300, "deny", "neverUsed"),
        (100, None, None, "noInfoAvailable", "useNotReported"),
        (None, None, 300, "noInfoAvailable", "givenUnknown"),
        (-3, None, 300, "noInfoAvailable", "givenLately"),
    ],
)
def test_what_follows_from_when_it_was_given_used_and_reported(
    given: int | None, last: int | None, reported: int | None, decision: str, reason: str
) -> None:
    said = never_used(Use(ago(given), ago(last), ago(reported)), START)
    assert (said.decision, said.reason) == (decision, reason)


def test_the_words_say_since_when_it_was_watched() -> None:
    given = never_used(Use(ago(40), None, ago(300)), START)
    assert given.words == "Not used since it was given, on 20 January 2026: 40 days."
    reported = never_used(Use(ago(300), None, ago(40)), START)
    assert reported.words == "Not used since its use is reported, on 20 January 2026: 40 days."
    assert (reported.figures["daysUnused"], TIME_TO_USE_IT.days) == (40, 30)
