"""Inactive: whoever has not signed in for long hardly needs what is reviewed.

Source: Entra, review recommendations (REC-1): no sign-in within the look-back before the start means deny, one within
it approve, and where none is known there is no information. Of a review of an application its last use counts, of any
other the last sign-in to anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.review.recommend.advice import Figure, Recommendation, counted, said_day

LOOK_BACK = timedelta(days=30)
"""Unless the review says."""
LONGEST_FOR_APPLICATIONS = timedelta(days=30)
"""Whoever takes a review of an application refuses a longer look-back."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Needs: the directory's sign-ins of the person (SIGN_IN_FACTS: `last_at`, or of `apps` the one reviewed)."""

    last_at: datetime | None
    """None: no sign-in of theirs is known."""
    of_application: bool = False
    """It is the last use of the application that is reviewed."""


def inactive(activity: Activity, starts_at: datetime, look_back: timedelta = LOOK_BACK) -> Recommendation:
    """`signedIn`, `notSignedIn` or `signInUnknown`.

    Days are compared, in UTC, for that is how exactly sign-ins are kept; the look-back's first day counts whole."""
    last = activity.last_at
    verb = "used it" if activity.of_application else "signed in"
    if last is None:
        return Recommendation("noInfoAvailable", "signInUnknown", f"It is not known when they last {verb}.")
    days = max((starts_at.date() - last.date()).days, 0)
    figures: dict[str, Figure] = {"lastSignIn": last, "daysSinceSignIn": days}
    ago = f"{counted(days, 'day')} before the review began" if days else "the day the review began"
    words = f"Last {verb} on {said_day(last.date())}, {ago}."
    if last.date() >= (starts_at - look_back).date():
        return Recommendation("approve", "signedIn", words, figures)
    return Recommendation("deny", "notSignedIn", words, figures)
