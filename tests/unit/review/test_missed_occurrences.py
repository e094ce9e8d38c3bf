"""Occurrences whose whole time passed while nothing ran."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.review.decide import definitions
from services.review.decide.definitions import Look, Write
from services.review.graph import DefinitionIn, definition_of
from services.review.model import Definition
from shared.contracts.base import Cause
from shared.contracts.review import OccurrencesMissed, ReviewBegan, ReviewOver, ReviewStatus
from shared.messaging.decision import Circumstances, Decision, Due

START = datetime(2026, 3, 2, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
WEEK = timedelta(weeks=1)
pytestmark = pytest.mark.spec("REV-6", "REV-17")


def once() -> Definition:
    """As `weekly`, but only once."""
    return reviewing(None, START)


def weekly(**range_: Any) -> Definition:
    return reviewing(
        {
            "pattern": {"type": "weekly", "interval": 1},
            "range": {"type": "noEnd", "startDate": "2026-03-02", **range_},
        },
        START - timedelta(days=1),
    )


def reviewing(recurrence: dict[str, Any] | None, now: datetime) -> Definition:
    body = {
        "displayName": "Sales",
        "scope": {"query": "/groups/a0000000-0000-4000-8000-000000000000/members"},
        "settings": {
            "instanceDurationInDays": 3,
            "defaultDecisionEnabled": True,
            "defaultDecision": "Deny",
            "autoApplyDecisionsEnabled": True,
            "recurrence": recurrence,
        },
    }
    state = definition_of(DefinitionIn.model_validate(body), "d", None, now)
    made = definitions.write(None, Write("d", state, new=True), Circumstances(now, 1, CAUSE, Look())).state
    assert made is not None
    assert made.next_at == START
    return made


def rings(definition: Definition, really: datetime) -> Decision[Definition]:
    """Its date has come; it is decided as of that date, whatever time it is by now."""
    due = definition.due_at
    assert due is not None
    return definitions.date_has_come(definition, Due("d", due), Circumstances(due, 2, CAUSE, Look(now=really)))


def test_what_nobody_could_decide_does_not_begin_and_so_denies_nobody() -> None:
    late = rings(weekly(), START + 2 * WEEK + timedelta(days=1))
    assert (late.transitions, late.messages) == ((OccurrencesMissed(first=1, last=2),), ())
    assert late.state is not None
    assert (late.state.next_at, late.state.next_number) == (START + 2 * WEEK, 3), "there are two days left of the third"
    begun = rings(late.state, START + 2 * WEEK + timedelta(days=1))
    assert ReviewBegan(number=3, starts_at=START + 2 * WEEK) in begun.transitions
    assert len(begun.messages) == 1


def test_what_is_only_late_begins() -> None:
    begun = rings(weekly(), START + timedelta(days=2))
    assert ReviewBegan(number=1, starts_at=START) in begun.transitions


def test_a_series_that_passed_wholly_is_over() -> None:
    over = rings(weekly(type="numbered", numberOfOccurrences=3), START + 8 * WEEK)
    assert over.transitions == (OccurrencesMissed(first=1, last=3), ReviewOver())
    assert over.state is not None
    assert (over.state.due_at, over.state.state.status) == (None, ReviewStatus.COMPLETED)


def test_what_was_to_be_reviewed_once_and_passed_is_over_and_says_so() -> None:
    over = rings(once(), START + timedelta(days=3))
    assert over.transitions == (OccurrencesMissed(first=1, last=1), ReviewOver())
    assert over.messages == ()
    assert over.state is not None
    assert (over.state.due_at, over.state.state.status) == (None, ReviewStatus.COMPLETED)
    assert ReviewBegan(number=1, starts_at=START) in rings(once(), START + timedelta(days=2)).transitions
