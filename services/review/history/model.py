"""A history definition, its runs, and the links by which a run's file is downloaded."""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from services.review.model import Value
from shared.contracts.review import Recurrence
from shared.messaging.decision import AggregateKind

KEPT = timedelta(days=30)
"""A run, and a definition that does not recur, is there for as long."""
LINK_HOLDS = timedelta(hours=24)
MOST_LINKS = 20
"""Of one run at a time; the oldest gives way."""
CHOSEN = ("approve", "deny", "dontKnow", "notReviewed", "notNotified")
"""Graph's accessReviewHistoryDecisionFilter."""


class HistoryStatus(StrEnum):
    """Graph's accessReviewHistoryStatus, of which runs here are no others: nothing is made beforehand."""

    REQUESTED = "requested"
    DONE = "done"


class Link(Value):
    """Somebody may download until then. What is kept of the link does not open it."""

    digest: str
    until: datetime


class Run(Value):
    """One list. Reviews that started from `begins_at` until before `ends_at` are in it."""

    id: str
    begins_at: datetime
    ends_at: datetime
    run_at: datetime
    status: HistoryStatus = HistoryStatus.REQUESTED
    fulfilled_at: datetime | None = None
    links: tuple[Link, ...] = ()

    @property
    def expires_at(self) -> datetime:
        return self.run_at + KEPT


class Schedule(Value):
    """Graph's accessReviewHistoryScheduleSettings."""

    report_range: str
    recurrence: Recurrence
    written: dict[str, Any]
    """As the caller wrote it, to be answered so."""


class History(Value):
    """What is to be listed, and its runs, the oldest first."""

    id: str
    display_name: str
    created_by: str | None = None
    created_at: datetime
    scopes: tuple[dict[str, Any], ...]
    decisions: tuple[str, ...] = CHOSEN
    without_roles: bool = False
    """Who asked for it may not read reviews of directory roles."""
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    schedule: Schedule | None = None
    runs: tuple[Run, ...] = ()
    number: int = 0
    """Of the last occurrence that has run, of one that recurs."""
    next_at: datetime | None = None

    @property
    def status(self) -> HistoryStatus:
        return self.runs[-1].status if self.runs else HistoryStatus.REQUESTED

    @property
    def due_at(self) -> datetime | None:
        waiting = [run.run_at for run in self.runs if run.status is HistoryStatus.REQUESTED]
        return min([*waiting, *([self.next_at] if self.next_at else [])], default=None)

    @property
    def expires_at(self) -> datetime | None:
        """None while it goes on."""
        if self.next_at is not None:
            return None
        return max((run.expires_at for run in self.runs), default=self.created_at + KEPT)

    def run(self, id: str, now: datetime) -> Run | None:
        """None, too, of one that has expired."""
        return next((run for run in self.there(now) if run.id == id), None)

    def there(self, now: datetime) -> tuple[Run, ...]:
        """Those that have not expired."""
        return tuple(run for run in self.runs if run.expires_at > now)

    def with_run(self, changed: Run) -> History:
        return self.having(runs=tuple(changed if run.id == changed.id else run for run in self.runs))


_RANGE = re.compile(r"P(?=\d)(?:(\d{1,3})Y)?(?:(\d{1,3})M)?(?:(\d{1,3})W)?(?:(\d{1,4})D)?")


def before(at: datetime, report_range: str) -> datetime:
    """The moment that lies P1M, P2W, P90D before `at`; a day that the month lacks is its last one.

    Raises ValueError for what is no span of years, months, weeks and days, or none at all."""
    match = _RANGE.fullmatch(report_range)
    years, months, weeks, days = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    if not years + months + weeks + days:
        raise ValueError(f"{report_range[:32]!r} is no span like P1M, P2W or P90D")
    month = at.year * 12 + at.month - 1 - 12 * years - months
    if month < 12:
        raise ValueError(f"{report_range[:32]!r} reaches too far back")
    year, number = divmod(month, 12)
    day = date(year, number + 1, min(at.day, calendar.monthrange(year, number + 1)[1]))
    return datetime.combine(day, at.timetz()) - timedelta(weeks=weeks, days=days)


def _dump(one: History) -> dict[str, Any]:
    document = one.model_dump(mode="python")
    if one.schedule is not None:
        # Dates without time are none that BSON has.
        document["schedule"] = one.schedule.model_dump(mode="json")
    document["status"] = one.status.value
    document["expires_at"] = one.expires_at
    return document


HISTORY = AggregateKind[History](
    name="review-history",
    owner="review",
    dump=_dump,
    load=History.model_validate,
    due_at=lambda history: history.due_at,
)
"""Nobody else has a use for it, so nothing is said of it."""
