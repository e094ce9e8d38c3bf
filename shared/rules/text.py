"""How texts and instants are made comparable: once for all three readers, so that they cannot disagree."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, time, timedelta

MILLISECOND = timedelta(milliseconds=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC, microsecond=999_000)


def fold(text: str) -> str:
    """`text` without case and in one Unicode form: "STRASSE" equals "Straße", composed equals decomposed."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def instant(value: datetime) -> datetime:
    """`value` in UTC, cut to the millisecond, as MongoDB keeps it. Without an offset it counts as UTC."""
    if value.tzinfo is None:  # what pymongo hands back unless told to be tz_aware
        value = value.replace(tzinfo=UTC)
    elif value.tzinfo is not UTC:
        try:
            value = value.astimezone(UTC)
        except OverflowError:
            return _EARLIEST if value.year < 2 else _LATEST
    beyond = value.microsecond % 1000
    return value.replace(microsecond=value.microsecond - beyond) if beyond else value


def parse_instant(text: str) -> datetime:
    """An ISO 8601 date or instant; a date is its midnight in UTC. Raises ValueError."""
    return instant(datetime.fromisoformat(text.strip().upper()))


def as_instant(value: object) -> datetime | None:
    """An instant out of what a Graph mapping may hold (text, date, datetime); None for anything else."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if isinstance(value, str):
        try:
            return parse_instant(value)
        except ValueError:
            return None
    return None


def shifted(value: datetime, by: timedelta) -> datetime:
    """`value` moved by `by`, held within the years that Python and MongoDB know."""
    try:
        return instant(value) + by
    except OverflowError:
        return _LATEST if by > timedelta() else _EARLIEST
