"""A definition is as far as its series, also where no run says so: changed between two of them, or made too late."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.review.decide import definitions
from services.review.decide.definitions import Look, Write
from services.review.model import Definition
from shared.contracts.base import Cause
from shared.contracts.review import (
    DefinitionState,
    Recurrence,
    RecurrencePattern,
    RecurrenceRange,
    ReviewSettings,
    ReviewStatus,
    StageSettings,
)
from shared.messaging.decision import Circumstances

NOW = datetime(2026, 7, 3, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
DONE, GOING, NOT_YET = ReviewStatus.COMPLETED, ReviewStatus.IN_PROGRESS, ReviewStatus.NOT_STARTED


def series(start: date, times: int | None, name: str = "Sales", status: ReviewStatus = NOT_YET) -> DefinitionState:
    """Weekly, two days each; `times` None: once, now."""
    weekly = Recurrence(
        pattern=RecurrencePattern(type="weekly", interval=1),
        range=RecurrenceRange(type="numbered", start_date=start, number_of_occurrences=times or 1),
    )
    settings = ReviewSettings(recurrence=weekly if times is not None else None, instance_duration_in_days=2)
    return DefinitionState(
        id="d", display_name=name, scope={}, settings=settings, stages=(StageSettings(duration_in_days=2),),
        created_at=NOW, modified_at=NOW, status=status,
    )  # fmt: skip


def at(*running: str) -> Circumstances[Look]:
    return Circumstances(NOW, 1, CAUSE, Look(running={"d": running} if running else {}))


@pytest.mark.spec("REV-9")
@pytest.mark.parametrize(
    ("start", "times", "status"),
    [(date(2026, 1, 1), 2, DONE), (date(2026, 8, 1), 2, NOT_YET), (date(2026, 7, 3), None, NOT_YET)],
)
def test_a_series_that_is_over_as_it_is_made_says_so(start: date, times: int | None, status: ReviewStatus) -> None:
    made = definitions.write(None, Write("d", series(start, times), new=True), at()).state
    assert made is not None
    assert made.state.status is status


@pytest.mark.spec("REV-9", "REV-13")
@pytest.mark.parametrize(
    ("before", "times", "running", "after"),
    [
        (GOING, 1, (), DONE),  # the series was ended between two runs
        (GOING, 1, ("i",), GOING),  # the last run is still going, and says how it ends
        (GOING, 9, (), GOING),
        (DONE, 9, (), GOING),  # more occurrences come
        (ReviewStatus.APPLIED, 9, (), GOING),
        (ReviewStatus.APPLIED, 1, (), ReviewStatus.APPLIED),
        (ReviewStatus.INITIALIZING, 1, (), ReviewStatus.INITIALIZING),  # its run is just being made
    ],
)
def test_a_series_that_is_changed_between_its_runs_is_over_or_goes_on(
    before: ReviewStatus, times: int, running: tuple[str, ...], after: ReviewStatus
) -> None:
    there = Definition(state=series(date(2026, 6, 29), 3, status=before), number=1, cause=CAUSE)
    asked = Write("d", series(date(2026, 6, 29), times, "Other"), new=False)
    moved = definitions.write(there.having(before=0), asked, at(*running)).state
    assert moved is not None
    assert (moved.next_at is not None) is (times > 1)
    assert moved.state.status is after
