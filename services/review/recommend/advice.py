"""What all recommendations have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Decision = Literal["approve", "deny", "noInfoAvailable"]
Figure = int | float | datetime


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do with one item, and why."""

    decision: Decision
    reason: str
    """For programs: one of the codes that the module of the sign names."""
    words: str
    """For reviewers: a sentence, or several. Names nobody."""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """What it rests on, by name: shown beside the words."""


def said_day(day: date) -> str:
    """'1 March 2026'."""
    return f"{day.day} {day:%B %Y}"


def counted(number: int, noun: str) -> str:
    """'1 day', '3 days'."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
