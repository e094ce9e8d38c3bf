"""A date inside a holding has come: a start, an end, a reminder, or a moment at which time alone turns a rule."""

from __future__ import annotations

from services.assignment.decide.look import Look
from services.assignment.decide.settle import settle
from services.assignment.model import Holding
from shared.messaging.decision import Circumstances, Decision, Due


def date_has_come(holding: Holding | None, _due: Due, at: Circumstances[Look]) -> Decision[Holding]:
    """Settle as of that date."""
    return Decision(holding) if holding is None else settle(holding, at, known=holding)
