"""Dates as texts have them."""

from __future__ import annotations

from datetime import datetime

# Not the calendar module's: its names depend on the server's locale.
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def day(moment: datetime) -> str:
    """'1 March 2026, 09:00 UTC'."""
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC"
