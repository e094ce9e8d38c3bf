"""What a decision may look at besides the holding and the message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.assignment.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Look:
    """The present rules, and what the messages of a batch refer to."""

    rules: Rulebook
    epoch: int
    """As of the look; the rulebook may be newer by the time of a decision, which is then made again."""
    ended: frozenset[str] = frozenset()
    """Ids, of those that commands would create, that the history has."""
    memberships: Mapping[str, tuple[tuple[str, int, bool], ...]] = field(default_factory=dict)
    """Person -> (group, version, member), where a job brings what rules name newly."""
