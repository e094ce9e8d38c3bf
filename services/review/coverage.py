"""Coverage: resources and packages that nobody has reviewed, ever or for long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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


def uncovered(things: Iterable[Reviewable], now: datetime, long: timedelta = LONG) -> list[Reviewable]:
    """Those never reviewed first, then by how long ago it was; the same in the order of their names."""
    lacking = [
        one
        for one in things
        if not one.under_review and (one.last_reviewed_at is None or now - one.last_reviewed_at > long)
    ]
    return sorted(lacking, key=_longest_ago)


def _longest_ago(one: Reviewable) -> tuple[bool, datetime | None, str, str]:
    # None never meets a date: the first place settles it.
    return (one.last_reviewed_at is not None, one.last_reviewed_at, one.display_name.casefold(), one.id)
