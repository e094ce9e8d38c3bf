"""What a policy's review settings come to, and which are refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.catalog.reviewing import as_graph_writes, review_of
from shared.contracts.policy import SubjectKind
from shared.contracts.policy_review import PolicyReview, Unanswered
from shared.web.errors import BadRequest

ANA = {"@odata.type": "#microsoft.graph.singleUser", "userId": "ana"}
AUDITORS = {"@odata.type": "#microsoft.graph.groupMembers", "groupId": "auditors"}
MANAGER = {"@odata.type": "#microsoft.graph.targetManager", "managerLevel": 1}
QUARTERLY = {"pattern": {"type": "absoluteMonthly", "interval": 3, "dayOfMonth": 0}, "range": {"type": "noEnd"}}


def schedule(days: str = "P14D", **changes: Any) -> dict[str, Any]:
    expiration = {"type": "afterDuration", "duration": days}
    return {"startDateTime": "2026-07-01T22:30:00Z", "expiration": expiration, "recurrence": QUARTERLY} | changes


def review(**changes: Any) -> PolicyReview:
    body = {"isEnabled": True, "primaryReviewers": [ANA], "schedule": schedule()} | changes
    found = review_of(body)
    assert found is not None
    return found


@pytest.mark.spec("PKR-2", "PKR-3", "PKR-4", "PKR-5")
def test_start_length_recurrence_reviewers_and_the_defaults_are_read() -> None:
    read = review()
    pattern = read.recurrence.pattern
    assert pattern is not None
    assert (pattern.type, pattern.interval) == ("absoluteMonthly", 3)
    assert read.recurrence.range.start_date == date(2026, 7, 1)
    assert read.duration_in_days == 14
    assert [(one.kind, one.id) for one in read.reviewers] == [(SubjectKind.SINGLE_USER, "ana")]
    assert read.unanswered is Unanswered.KEEP
    assert read.recommendations_enabled
    assert read.justification_required


@pytest.mark.spec("PKR-2")
@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        ({"type": "weekly", "interval": 1}, 7),
        ({"type": "absoluteMonthly", "interval": 1}, 28),
        ({"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday"]}, 28),
        ({"type": "AbsoluteMonthly", "interval": 3}, 90),
        ({"type": "absoluteMonthly", "interval": 6}, 181),
        ({"type": "absoluteMonthly", "interval": 12}, 365),
        ({"type": "absoluteYearly", "interval": 1}, 365),
    ],
)
def test_a_review_is_over_before_the_next_begins(pattern: dict[str, Any], longest: int) -> None:
    recurrence = {"pattern": pattern, "range": {"type": "noEnd"}}
    assert review(schedule=schedule(f"P{longest}D", recurrence=recurrence)).duration_in_days == longest
    with pytest.raises(BadRequest, match=f"from 1 to {longest} days"):
        review(schedule=schedule(f"P{longest + 1}D", recurrence=recurrence))


def test_days_are_those_of_the_time_zone_and_a_review_without_recurrence_is_made_once() -> None:
    zoned = {"pattern": QUARTERLY["pattern"], "range": {"type": "noEnd", "recurrenceTimeZone": "Europe/Zurich"}}
    assert review(schedule=schedule(recurrence=zoned)).recurrence.range.start_date == date(2026, 7, 2)
    once = review(schedule=schedule("P60D", recurrence=None)).recurrence.range
    assert (once.type, once.number_of_occurrences) == ("numbered", 1)


@pytest.mark.spec("PKR-3")
def test_people_review_themselves_or_managers_with_somebody_to_fall_back_on() -> None:
    own = review(isSelfReview=True, primaryReviewers=[])
    assert own.self_review
    assert own.reviewers == ()
    managed = review(primaryReviewers=[MANAGER], fallbackReviewers=[AUDITORS])
    assert [one.kind for one in managed.reviewers] == [SubjectKind.TARGET_MANAGER]
    assert [one.id for one in managed.fallback_reviewers] == ["auditors"]


@pytest.mark.spec("PKR-4")
@pytest.mark.parametrize("said", [one.value for one in Unanswered])
def test_every_answer_to_silence_is_read(said: str) -> None:
    assert review(expirationBehavior=said).unanswered.value == said


@pytest.mark.parametrize(
    ("written", "kept"), [("14 days, 0:00:00", "P14D"), ("P2W", "P14D"), ("P14D", "P14D"), ("soon", "soon"), (5, 5)]
)
def test_how_long_reviewers_have_is_kept_as_graph_writes_it(written: Any, kept: Any) -> None:
    body = {"isEnabled": False, "schedule": {"expiration": {"type": "afterDuration", "duration": written}}}
    assert as_graph_writes(body) == {**body, "schedule": {"expiration": {"type": "afterDuration", "duration": kept}}}


@pytest.mark.parametrize("body", [None, {}, {"schedule": None}, {"schedule": {"expiration": None}}])
def test_what_says_nothing_of_it_is_kept_as_it_is(body: dict[str, Any] | None) -> None:
    assert as_graph_writes(body) == body


@pytest.mark.parametrize("body", [None, {}, {"isEnabled": False}, {"isEnabled": None, "schedule": None}])
def test_reviews_are_off_unless_they_are_switched_on(body: dict[str, Any] | None) -> None:
    assert review_of(body) is None


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"schedule": None}, "schedule/startDateTime"),
        ({"schedule": schedule(startDateTime="9999-12-31T12:00:00-14:00")}, "schedule/startDateTime"),
        (
            {
                "schedule": schedule(
                    startDateTime="9999-12-31T23:00:00Z",
                    recurrence=QUARTERLY | {"range": {"recurrenceTimeZone": "Pacific/Auckland"}},
                )
            },
            "schedule/startDateTime",
        ),
        ({"schedule": schedule(expiration=None)}, "schedule/expiration"),
        ({"schedule": schedule("P0D")}, "schedule/expiration/duration"),
        ({"schedule": schedule("soon")}, "schedule/expiration/duration"),
        ({"schedule": schedule(recurrence={"pattern": {"type": "daily"}})}, "schedule/recurrence/pattern"),
        (
            {"schedule": schedule(recurrence={"pattern": {"type": "absoluteMonthly", "interval": 2}})},
            "schedule/recurrence/pattern",
        ),
        ({"schedule": schedule(recurrence=QUARTERLY | {"range": {"type": "endDate"}})}, "range/endDate"),
        ({"schedule": schedule(recurrence=QUARTERLY | {"range": {"type": "numbered"}})}, "numberOfOccurrences"),
        (
            {"schedule": schedule(recurrence=QUARTERLY | {"range": {"recurrenceTimeZone": "Mars/North"}})},
            "recurrenceTimeZone",
        ),
        ({"schedule": schedule(startDate="2026-07-01")}, "schedule/startDate"),
        ({"schedule": schedule(expiration={"duration": "P14D", "length": 14})}, "schedule/expiration/length"),
        ({"primaryReviewers": []}, "primaryReviewers"),
        ({"primaryReviewers": [MANAGER]}, "fallbackReviewers"),
        ({"primaryReviewers": [MANAGER | {"managerLevel": 2}], "fallbackReviewers": [ANA]}, "primaryReviewers"),
        ({"isSelfReview": True}, "primaryReviewers"),
        ({"fallbackReviewers": [MANAGER]}, "fallbackReviewers/0/@odata.type"),
    ],
)
def test_what_does_not_say_a_whole_review_is_refused_at_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequest) as refused:
        review(**changes)
    assert str(refused.value.target).startswith("reviewSettings/")
    assert str(refused.value.target).endswith(place)


def test_misspelt_settings_are_refused() -> None:
    with pytest.raises(BadRequest) as refused:
        review(isRecommendationsEnabled=False)
    assert refused.value.details[0]["target"] == "reviewSettings/isRecommendationsEnabled"
