"""Never used since it was given: access that somebody has had for a while and not used once.

That no use was reported says something only as far back as uses are reported at all, so both count: when the access was
given, and since when uses of this application are known, by whomever. What was given only lately is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.review.recommend.advice import Figure, Recommendation, counted, said_day

TIME_TO_USE_IT = timedelta(days=30)
"""So long somebody has had the chance, at least."""


@dataclass(frozen=True, slots=True)
class Use:
    """Needs: since when the person holds it (the roster's `since`), and of the directory's sign-ins (SIGN_IN_FACTS) the
    person's last use of the application and the earliest `first_at` of anybody's."""

    given_at: datetime | None
    last_at: datetime | None
    """None: they are not known to have used it, ever."""
    reported_since: datetime | None
    """None: nobody's use of it was ever reported."""


def never_used(use: Use, starts_at: datetime) -> Recommendation:
    """`usedSinceGiven`, `neverUsed`; without information `useNotReported`, `givenUnknown`, `givenLately`.

    Days are compared, in UTC."""
    given, last, reported = use.given_at, use.last_at, use.reported_since
    if last is not None and (given is None or last.date() >= given.date()):
        return Recommendation("approve", "usedSinceGiven", f"Used, last on {said_day(last.date())}.", {"lastUse": last})
    if reported is None:
        return Recommendation("noInfoAvailable", "useNotReported", "Whether it is used is not reported.")
    if given is None:
        return Recommendation("noInfoAvailable", "givenUnknown", "It is not known since when they have it.")
    watched = max(given, reported)
    days = (starts_at.date() - watched.date()).days
    figures: dict[str, Figure] = {"given": given, "daysUnused": max(days, 0)}
    if timedelta(days=days) < TIME_TO_USE_IT:
        return Recommendation("noInfoAvailable", "givenLately", "Too short a time to tell whether it is used.", figures)
    since = "it was given" if watched == given else "its use is reported"
    words = f"Not used since {since}, on {said_day(watched.date())}: {counted(days, 'day')}."
    return Recommendation("deny", "neverUsed", words, figures)
