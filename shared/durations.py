"""ISO 8601 durations of fixed length: weeks, days, hours, minutes, seconds; months and years vary and are refused.

None is so long that what begins now could end after the last date there is.

msgraph-sdk for Python writes a timedelta as Python prints it (30 days, 0:00:00); that is read, too.
"""

import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(
    r"P(?=\d|T\d)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_PRINTED = re.compile(r"(?:(?P<days>\d+) days?, )?(?P<hours>\d{1,2}):(?P<minutes>\d\d):(?P<seconds>\d\d)")
LONGEST = timedelta(days=36_525)
"""A century."""
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)


def duration(text: str) -> timedelta:
    """The span that `text` (P90D, P2W, PT12H) says. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip()) or _PRINTED.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:64]!r} is no duration like P90D, P2W or PT12H (no months or years)")
    try:
        span = timedelta(**{unit: int(number) for unit, number in match.groupdict().items() if number})
    except (OverflowError, ValueError):  # of a number with more digits than Python reads
        span = timedelta.max
    if span > LONGEST:
        raise ValueError(f"{text[:64]!r} is longer than a century")
    return span


def later(moment: datetime, span: timedelta) -> datetime:
    """`moment` and `span` more; the last moment there is, if that would be after it."""
    return moment + span if span <= _LAST - moment else _LAST


def iso(span: timedelta) -> str:
    """`span` as Graph writes it, weeks as days: P90D, PT12H, P1DT30M; PT0S for nothing. Not for negative ones."""
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    days = f"{span.days}D" if span.days else ""
    return f"P{days}{'T' + time if time else ''}" if days or time else "PT0S"
