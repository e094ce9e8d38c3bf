"""Recommendations: what to do with an item of a review, with the reason in words and the figures that it rests on.

Pure functions, one sign a module; each says in its `Needs:` where what it gets comes from.

- `inactive`: has not signed in for the look-back (REC-1)
- `affiliation`: far from the other members of the group in the reporting tree (REC-2), by `reporting`
- `unused`: never used since it was given
- `peers`: nobody else in the same department with the same title has it
- `sponsors`: a guest whose sponsors have left
- `combine`: `recommend`, one answer of them all; `asked`: which of them a review wants

An instance makes `Affiliation` and `Jobs` once and then asks `recommend` item by item, each in constant time. They are
fixed as the instance starts: look everything up then, and keep decision, reason, words and figures with the item.
`services.review.advising` does the looking up.
"""

from services.review.recommend.advice import Decision, Figure, Recommendation
from services.review.recommend.affiliation import Affiliation, affiliation_of
from services.review.recommend.asked import Asked, asked_of
from services.review.recommend.combine import Evidence, recommend
from services.review.recommend.inactive import LONGEST_FOR_APPLICATIONS, LOOK_BACK, Activity
from services.review.recommend.peers import Colleague, Jobs, Peers, jobs_of
from services.review.recommend.sponsors import Sponsors
from services.review.recommend.unused import Use

__all__ = [
    "LONGEST_FOR_APPLICATIONS",
    "LOOK_BACK",
    "Activity",
    "Affiliation",
    "Asked",
    "Colleague",
    "Decision",
    "Evidence",
    "Figure",
    "Jobs",
    "Peers",
    "Recommendation",
    "Sponsors",
    "Use",
    "affiliation_of",
    "asked_of",
    "jobs_of",
    "recommend",
]
