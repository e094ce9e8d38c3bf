"""Coverage: resources and packages that nobody has reviewed, ever or for long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

LONG = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Reviewable:
    """A thing that can be reviewed, and the end of the last instance that was completed about it."""

    kind: str
    id: str
    display_name: str
    last_reviewed_at: datetime | None = None
    under_review: bool = False
    """An instance about it is open: it counts as reviewed."""


@dataclass(slots=True)
class Coverage:
    """Counts over all things it is told of, and the `most` things that lack a review most; nothing else is held."""

    now: datetime
    most: int
    long: timedelta = LONG
    things: int = 0
    never: int = 0
    long_ago: int = 0
    worst: list[Reviewable] = field(default_factory=list)

    def see(self, things: Iterable[Reviewable]) -> None:
        """Some more of them."""
        lacking = []
        for one in things:
            self.things += 1
            if lacks(one, self.now, self.long):
                lacking.append(one)
                self.never += one.last_reviewed_at is None
                self.long_ago += one.last_reviewed_at is not None
        self.worst = sorted([*self.worst, *lacking], key=_longest_ago)[: self.most]


def uncovered(things: Iterable[Reviewable], now: datetime, long: timedelta = LONG) -> list[Reviewable]:
    """Those never reviewed first, then by how long ago it was; the same in the order of their names."""
    return sorted((one for one in things if lacks(one, now, long)), key=_longest_ago)


def lacks(one: Reviewable, now: datetime, long: timedelta) -> bool:
    """Whether nobody reviews it, and nobody has for so long."""
    return not one.under_review and (one.last_reviewed_at is None or now - one.last_reviewed_at > long)


def _longest_ago(one: Reviewable) -> tuple[bool, datetime | None, str, str]:
    # None never meets a date: the first place settles it.
    return (one.last_reviewed_at is not None, one.last_reviewed_at, one.display_name.casefold(), one.id)
