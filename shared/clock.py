"""What time it is. Whoever needs the time is given a clock, so that tests can turn it.

For business dates only; leases and tokens use the real clock, for a turned one would lose them.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present, aware, in UTC, cut to whole milliseconds; see `milliseconds`."""
        ...


def milliseconds(moment: datetime) -> datetime:
    """`moment` in UTC, cut (not rounded) to what BSON keeps, so that it reads back equal.

    Raises ValueError if it has no time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone.")
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def zoned(moment: datetime) -> datetime:
    """The same; in UTC if it names no zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def not_before(moment: datetime) -> datetime:
    """The first moment at or after `moment` that BSON can keep, in UTC: what is due then has really come."""
    cut = milliseconds(moment)
    return cut if cut == moment else cut + timedelta(milliseconds=1)


class SystemClock:
    """The machine's time, plus a fixed `offset` (setting `clock_offset_s`, for tests of whole processes).

    A run in a folder has `deploy.run.clock.RunClock`, which its operator may put forward."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return milliseconds(datetime.now(UTC) + self._offset)


class TurnableClock:
    """Stands still until it is turned. May be turned back, as a machine's clock may."""

    def __init__(self, start: datetime) -> None:
        self._now = milliseconds(start)

    def now(self) -> datetime:
        return self._now

    def turn(self, to: datetime | timedelta) -> datetime:
        """Set to a moment, or move by a span. Returns the new present."""
        self._now = milliseconds(self._now + to if isinstance(to, timedelta) else to)
        return self._now
