"""One recommendation for one item, of all signs that were asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.review.recommend.advice import Recommendation
from services.review.recommend.affiliation import Affiliation
from services.review.recommend.inactive import LOOK_BACK, Activity, inactive
from services.review.recommend.peers import Colleague, Jobs, peer_outlier
from services.review.recommend.sponsors import Sponsors, sponsor_left
from services.review.recommend.unused import Use, never_used


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one item as the instance starts. Left out: that sign is not asked, because the review's
    settings do not name it, or because it says nothing of such a thing.

    Graph's `userLastSignInRecommendationInsightSetting` asks for `activity` (with `signInScope` application: of that
    application), `groupPeerOutlierRecommendationInsightSettings` for `affiliation`. What Graph has no setting for is
    asked whenever recommendations are: `use` of applications, `jobs`, `sponsors` of guests."""

    person: Colleague
    activity: Activity | None = None
    use: Use | None = None
    affiliation: Affiliation | None = None
    jobs: Jobs | None = None
    sponsors: Sponsors | None = None


def recommend(evidence: Evidence, starts_at: datetime, look_back: timedelta = LOOK_BACK) -> Recommendation:
    """Deny if any sign says so, with all of these in words and the first's code. Else approve if the person signs in,
    uses it or is close to the others. Else there is no information: that a sponsor is there, or that peers have it too,
    is no reason to keep what may not be needed.

    Figures of all signs are there whatever is recommended, so that reviewers see the share of peers beside an approval.
    """
    every = list(_signs(evidence, starts_at, look_back))
    figures = {name: value for one, _ in every for name, value in one.figures.items()}
    against = [one for one, _ in every if one.decision == "deny"]
    speaking_for = [one for one, may in every if may and one.decision == "approve"]
    silent = [one for one, _ in every if one.decision == "noInfoAvailable"]
    if chosen := against or speaking_for:
        words = " ".join(one.words for one in chosen)
        return Recommendation(chosen[0].decision, chosen[0].reason, words, figures)
    reason, words = (silent[0].reason, silent[0].words) if silent else ("nothingKnown", "Nothing is known of its use.")
    return Recommendation("noInfoAvailable", reason, words, figures)


def _signs(evidence: Evidence, starts_at: datetime, look_back: timedelta) -> Iterator[tuple[Recommendation, bool]]:
    """Each sign that is asked, the weightiest first, and whether it may speak for keeping the access."""
    if evidence.sponsors is not None:
        yield sponsor_left(evidence.sponsors), False
    if evidence.activity is not None:
        yield inactive(evidence.activity, starts_at, look_back), True
    if evidence.use is not None:
        yield never_used(evidence.use, starts_at), True
    if evidence.affiliation is not None:
        yield evidence.affiliation.to(evidence.person.person_id), True
    if evidence.jobs is not None:
        yield peer_outlier(evidence.jobs.peers_of(evidence.person)), False
