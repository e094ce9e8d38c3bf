"""Graph's expirationPattern, as bodies of policies and requests say it."""

from __future__ import annotations

from datetime import datetime

END_SAID = "afterDuration has a duration and afterDateTime an endDateTime, never both; without a type there is neither."


def ends(duration: str | None, end: datetime | None) -> bool:
    """Whether an end is said, whatever the type says: one that is dropped would be access for good. Clients write a
    duration of nothing where they mean none."""
    return end is not None or duration not in {None, "", "PT0S", "P0D"}
