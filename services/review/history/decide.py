"""A history is asked for, runs when its time has come, and is linked to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.review.history.model import LINK_HOLDS, MOST_LINKS, History, HistoryStatus, Link, Run, before
from shared import recurrence
from shared.contracts.base import Refusal
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision, Due
from shared.zones import zone_of

At = Circumstances[None]
_NOT_FOUND = Refusal(code="notFound", message="The resource was not found.")


@dataclass(frozen=True, slots=True)
class Make:
    id: str
    history: History


@dataclass(frozen=True, slots=True)
class Allow:
    """Let whoever knows what `digest` is of download that run's file."""

    id: str
    run_id: str
    digest: str


def make(history: History | None, asked: Make, at: At) -> Decision[History]:
    """One that recurs runs first on its next day; any other at once."""
    if history is not None:
        return Decision(history)  # sent again under its key
    made = asked.history
    if made.schedule is None:
        assert made.begins_at is not None
        assert made.ends_at is not None
        return Decision(made.having(runs=(_run(made, 1, made.begins_at, made.ends_at, at.now),)))
    return Decision(_next(made, at.now))


def date_has_come(history: History | None, _due: Due, at: At) -> Decision[History]:
    """The next occurrence runs; what was asked for is there. Runs that have expired are forgotten."""
    if history is None:
        return Decision(history)
    if history.schedule is not None and history.next_at is not None and history.next_at <= at.now:
        ends = history.next_at
        run = _run(history, history.number + 1, before(ends, history.schedule.report_range), ends, ends)
        history = _next(history.having(runs=(*history.there(at.now), run), number=history.number + 1), ends)
    waiting = [run for run in history.runs if run.status is HistoryStatus.REQUESTED and run.run_at <= at.now]
    for run in waiting:
        history = history.with_run(run.having(status=HistoryStatus.DONE, fulfilled_at=at.now))
    return Decision(history)


def allow(history: History | None, asked: Allow, at: At) -> Decision[History]:
    """Links that were handed out before stay good until their own time is over."""
    run = history.run(asked.run_id, at.now) if history is not None else None
    if history is None or run is None:
        return Decision(history, refusal=_NOT_FOUND)
    if run.status is not HistoryStatus.DONE:
        said = "The list is not there yet: ask again once its status is done."
        return Decision(history, refusal=Refusal(code="notDone", message=said))
    until = min(at.now + LINK_HOLDS, run.expires_at)
    good = [link for link in run.links if link.until > at.now]
    links = (*good, Link(digest=asked.digest, until=until))[-MOST_LINKS:]
    return Decision(history.with_run(run.having(links=links)))


def _run(history: History, number: int, begins_at: datetime, ends_at: datetime, run_at: datetime) -> Run:
    id = derived_id("review-history-run", history.id, number)
    return Run(id=id, begins_at=begins_at, ends_at=ends_at, run_at=run_at)


def _next(history: History, after: datetime) -> History:
    """With the first midnight of its recurrence beyond `after`; none if there is none."""
    assert history.schedule is not None
    series = history.schedule.recurrence
    zone = zone_of(series.range.recurrence_time_zone)
    coming = (recurrence.midnight(day, zone) for day in recurrence.days(series))
    return history.having(next_at=next((one for one in coming if one > after), None))
