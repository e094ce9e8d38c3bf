"""Time zones by the names that clients of Graph have for them: IANA's (`Europe/Zurich`) and those of Windows, which
Outlook and PowerShell write (`W. Europe Standard Time`), by Unicode's table of both.

Source: Graph, resources/recurrencerange (recurrenceTimeZone) and dateTimeTimeZone."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

_OF_WINDOWS = {name.casefold(): zone for name, zone in win_tz.items()}


def zone_of(name: str | None) -> ZoneInfo:
    """UTC without a name. Raises KeyError (ZoneInfoNotFoundError), ValueError or OSError for what is no time zone."""
    return ZoneInfo(_OF_WINDOWS.get(name.casefold(), name) if name else "UTC")
