"""A review over every group where there is none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.review.decide import definitions
from services.review.decide.definitions import Look, Targets, Write
from services.review.graph import DefinitionIn, definition_of
from services.review.model import Definition
from shared.contracts.base import Cause
from shared.contracts.review import ReviewOver, ReviewStatus
from shared.messaging.decision import Circumstances, Decision, Due

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
pytestmark = pytest.mark.spec("REV-2")


def at(look: Look) -> Circumstances[Look]:
    return Circumstances(NOW, 1, CAUSE, look)


def guests_of_every_group(**settings: Any) -> Definition:
    unified = {"query": "/groups?$filter=(groupTypes/any(c:c eq 'Unified'))", "queryType": "MicrosoftGraph"}
    body = {
        "displayName": "Guests",
        "scope": {"query": "./members/microsoft.graph.user/?$filter=(userType eq 'Guest')"},
        "instanceEnumerationScope": unified,
        "settings": {"instanceDurationInDays": 7, **settings},
    }
    state = definition_of(DefinitionIn.model_validate(body), "d", None, NOW)
    made = definitions.write(None, Write("d", state, new=True), at(Look())).state
    assert made is not None
    return made


def step(definition: Definition, targets: Targets) -> Decision[Definition]:
    return definitions.date_has_come(definition, Due("d", NOW), at(Look({"d": targets})))


def test_where_there_is_no_group_the_review_is_over_at_once() -> None:
    done = step(guests_of_every_group(), Targets((), over=True))
    assert done.messages == ()
    assert any(isinstance(one, ReviewOver) for one in done.transitions)
    assert done.state is not None
    assert (done.state.due_at, done.state.state.status) == (None, ReviewStatus.COMPLETED)
    monthly = {
        "pattern": {"type": "absoluteMonthly", "interval": 1},
        "range": {"type": "noEnd", "startDate": "2026-03-01"},
    }
    again = step(guests_of_every_group(recurrence=monthly), Targets((), over=True)).state
    assert again is not None
    assert again.state.status is ReviewStatus.NOT_STARTED
    assert again.due_at == datetime(2026, 4, 1, tzinfo=UTC)
