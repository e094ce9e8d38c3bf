"""Inactive: REC-1, by the last sign-in or the last use of the application."""

from datetime import UTC, datetime, timedelta

import pytest

from services.review.recommend.inactive import Activity, inactive

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.spec("REC-1")
@pytest.mark.parametrize(
    ("days_ago", "look_back", "decision"),
    [
        (0, 30, "approve"),
        (30, 30, "approve"),
        (31, 30, "deny"),
        (400, 30, "deny"),
        (31, 90, "approve"),
        (91, 90, "deny"),
        (8, 7, "deny"),
    ],
)
def test_no_sign_in_within_the_look_back_means_deny(days_ago: int, look_back: int, decision: str) -> None:
    last = START - timedelta(days=days_ago)
    said = inactive(Activity(last), START, timedelta(days=look_back))
    assert (said.decision, said.figures["daysSinceSignIn"], said.figures["lastSignIn"]) == (decision, days_ago, last)


@pytest.mark.spec("REC-1")
def test_the_look_back_is_thirty_days_unless_the_review_says() -> None:
    assert inactive(Activity(START - timedelta(days=30)), START).decision == "approve"
    assert inactive(Activity(START - timedelta(days=31)), START).decision == "deny"


@pytest.mark.spec("REC-1")
def test_where_no_sign_in_is_known_there_is_no_information() -> None:
    said = inactive(Activity(None), START)
    assert (said.decision, said.reason, said.figures) == ("noInfoAvailable", "signInUnknown", {})


@pytest.mark.spec("REC-1")
def test_of_an_application_its_last_use_counts_and_the_words_say_so() -> None:
    said = inactive(Activity(START - timedelta(days=40), of_application=True), START)
    assert (said.decision, said.reason) == ("deny", "notSignedIn")
    assert said.words == "Last used it on 20 January 2026, 40 days before the review began."
    assert inactive(Activity(START), START).words == "Last signed in on 1 March 2026, the day the review began."


def test_the_first_day_counts_whole_for_of_a_day_the_hour_is_not_exact() -> None:
    morning = (START - timedelta(days=30)).replace(hour=0)
    assert inactive(Activity(morning), START.replace(hour=23)).decision == "approve"


def test_whoever_signed_in_since_the_start_is_active() -> None:
    said = inactive(Activity(START + timedelta(days=2)), START)
    assert (said.decision, said.figures["daysSinceSignIn"]) == ("approve", 0)
