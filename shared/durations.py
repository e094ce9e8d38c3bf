"""ISO 8601 durations of fixed length: weeks, days, hours, minutes, seconds; months and years vary and are refused.

msgraph-sdk for Python writes a timedelta as Python prints it (30 days, 0:00:00); that is read, too.
"""

import re
from datetime import timedelta

_DURATION = re.compile(
    r"P(?=\d|T\d)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
_PRINTED = re.compile(r"(?:(?P<days>\d+) days?, )?(?P<hours>\d{1,2}):(?P<minutes>\d\d):(?P<seconds>\d\d)")


def duration(text: str) -> timedelta:
    """The span that `text` (P90D, P2W, PT12H) says. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip()) or _PRINTED.fullmatch(text.strip())
    try:
        if match:
            return timedelta(**{unit: int(number) for unit, number in match.groupdict().items() if number})
    except OverflowError:
        pass
    raise ValueError(f"{text[:64]!r} is no duration like P90D, P2W or PT12H (no months or years)")


def iso(span: timedelta) -> str:
    """`span` as Graph writes it, weeks as days: P90D, PT12H, P1DT30M; PT0S for nothing. Not for negative ones."""
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    days = f"{span.days}D" if span.days else ""
    return f"P{days}{'T' + time if time else ''}" if days or time else "PT0S"
