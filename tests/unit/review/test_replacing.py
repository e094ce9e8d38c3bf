"""Reviewers of a run are replaced as documented, and series that change go on counting."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.review.decide import applying, instances
from services.review.decide.instances import ChangeReviewers, Look
from services.review.decide.reviewers import named
from services.review.model import Instance, Stage
from shared.contracts.base import Cause
from shared.contracts.review import (
    EXCLUDED_FOR,
    DefinitionState,
    Recurrence,
    RecurrencePattern,
    RecurrenceRange,
    ReviewedResource,
    ReviewersChanged,
    ReviewerScope,
    ReviewSettings,
    ReviewStatus,
    StageSettings,
)
from shared.contracts.roster import RosterKind
from shared.messaging.decision import Circumstances

NOW = datetime(2026, 7, 3, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
PEOPLE = {name: f"{n:08d}-0000-4000-8000-000000000000" for n, name in enumerate(("ana", "ben", "eva", "max"), 1)}
SCOPES = {name: ReviewerScope(query=f"/users/{id}") for name, id in PEOPLE.items()}
MONTHLY = Recurrence(
    pattern=RecurrencePattern(type="absoluteMonthly"), range=RecurrenceRange(start_date=date(2026, 7, 1))
)


def running(recurrence: Recurrence | None = None) -> Instance:
    """Reviewed by Ana; Ben stands by."""
    settings = StageSettings(duration_in_days=7, reviewers=(SCOPES["ana"],), fallback_reviewers=(SCOPES["ben"],))
    definition = DefinitionState(
        id="d", display_name="Review", scope={}, settings=ReviewSettings(recurrence=recurrence), stages=(settings,),
        created_at=NOW, modified_at=NOW,
    )  # fmt: skip
    stage = Stage(
        id="s", settings=settings, status=ReviewStatus.IN_PROGRESS, starts_at=NOW, ends_at=NOW + timedelta(days=7),
        reviewers=(PEOPLE["ana"],), fallback=(PEOPLE["ben"],),
    )  # fmt: skip
    return Instance(
        id="i", definition=definition, number=1, resource=ReviewedResource(kind=RosterKind.GROUP, id="g"), scope={},
        status=ReviewStatus.IN_PROGRESS, starts_at=datetime(2026, 7, 1, tzinfo=UTC), ends_at=NOW + timedelta(days=7),
        stages=(stage,), cause=CAUSE,
    )  # fmt: skip


def at() -> Circumstances[Look]:
    resolved = {scope: (PEOPLE[name],) for name, one in SCOPES.items() for scope in named([one])}
    return Circumstances(NOW, 1, CAUSE, Look({"i": resolved}))


@pytest.mark.spec("REV-13")
def test_other_reviewers_are_of_this_run_alone_and_a_fallback_can_join() -> None:
    before = running()
    asked = ChangeReviewers("i", None, (SCOPES["eva"],), (SCOPES["ben"], SCOPES["max"]))
    decision = instances.change_reviewers(before, asked, at())
    after = decision.state
    assert after is not None
    assert after.stage.reviewers == (PEOPLE["eva"],)
    assert after.stage.fallback == (PEOPLE["ben"], PEOPLE["max"])
    (told,) = decision.transitions
    assert isinstance(told, ReviewersChanged)
    assert (told.added, told.removed) == ((PEOPLE["eva"],), (PEOPLE["ana"],))
    assert after.definition == before.definition, "coming runs are reviewed as the series says"


@pytest.mark.spec("REV-13")
def test_a_fallback_reviewer_is_not_taken_away() -> None:
    before = running()
    decision = instances.change_reviewers(before, ChangeReviewers("i", None, None, (SCOPES["max"],)), at())
    assert decision.state is before
    assert decision.refusal is not None
    assert decision.refusal.code == "fallbackReviewersRemoved"


@pytest.mark.spec("REV-13")
def test_nobody_is_replaced_once_the_review_is_stopped() -> None:
    stopped = instances.act(running(), instances.Act("i", "stop"), at()).state
    decision = instances.change_reviewers(stopped, ChangeReviewers("i", None, (SCOPES["eva"],), None), at())
    assert decision.state is stopped
    assert decision.refusal is not None
    again = instances.act(stopped, instances.Act("i", "stop"), at())
    assert again.refusal is not None, "stopped is final"


def test_who_stood_by_and_left_is_not_called_upon_when_the_reviewer_leaves_too() -> None:
    alone = instances.reviewer_left(running(), instances.ReviewerLeft("i", PEOPLE["ben"]), at())
    assert alone.transitions == ()
    assert alone.state is not None
    nobody = instances.reviewer_left(alone.state, instances.ReviewerLeft("i", PEOPLE["ana"]), at()).state
    assert nobody is not None
    assert nobody.stage.reviewers == ()


def test_a_rule_gives_nothing_back_until_the_next_occurrence_asks_anew() -> None:
    assert applying.excluded_until(running(MONTHLY), NOW) == datetime(2026, 8, 1, tzinfo=UTC)
    assert applying.excluded_until(running(), NOW) == NOW + EXCLUDED_FOR
    late = NOW + timedelta(days=60)
    assert applying.excluded_until(running(MONTHLY), late) == late + EXCLUDED_FOR
