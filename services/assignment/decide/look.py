"""What a decision may look at besides the holding and the message."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.assignment.rulebook import Rulebook


@dataclass(frozen=True, slots=True)
class Memberships:
    """All groups, in small letters, of which one person is a member in this version of the directory's."""

    version: int
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Look:
    """The present rules, and what the messages of a batch refer to."""

    rules: Rulebook
    epoch: int
    """As of the look; the rulebook may be newer by the time of a decision, which is then made again."""
    ended: frozenset[str] = frozenset()
    """Ids, of those that commands would create, that the history has."""
    memberships: Mapping[str, Memberships] = field(default_factory=dict)
    """By person, where a job brings what rules name newly, or something is to be given by hand."""
    concerned: Collection[str] = ()
    """People of whom the batch says that they came into, or left, a group that a rule names."""
