"""User-to-group affiliation: a member who stands far from all other members in the reporting tree.

Source: Entra, review recommendations (REC-2): the mean distance to the other members; who is statistically far is
denied. It needs managers, is for groups only, and not for those of more than 600 people. What "statistically far" means
is not documented; here it is **Tukey's upper fence**: further away than the third quartile of all members' mean
distances plus one and a half times the distance between the quartiles. It asks nothing of how distances are
distributed, and nearly a quarter of the members may be far without hiding one another. The quartiles count as at least
one step apart: in a team that sits closely together, one step more is not yet far.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from statistics import quantiles

from services.review.recommend.advice import Recommendation, counted
from services.review.recommend.reporting import Managers, mean_distances

MOST_MEMBERS = 600
FEWEST_MEMBERS = 5
"""With a place in the reporting tree: quartiles of fewer mean nothing."""
FENCE = 1.5
LEAST_SPREAD = 1.0


@dataclass(frozen=True, slots=True)
class Affiliation:
    """How the members of one group stand to one another. Made once for an instance of a review, by `affiliation_of`."""

    members: int
    distances: dict[str, float]
    """Mean distance to the other members, of those who have a place in the reporting tree."""
    usual: float = 0.0
    far: float = 0.0
    """Beyond it somebody is far."""

    @classmethod
    def of(cls, members: int, distances: dict[str, float]) -> Affiliation:
        """Where the fence stands, if there are enough to say."""
        if len(distances) < FEWEST_MEMBERS:
            return cls(members, distances)
        lower, middle, upper = quantiles(distances.values(), n=4, method="inclusive")
        return cls(members, distances, middle, upper + FENCE * max(upper - lower, LEAST_SPREAD))

    def to(self, member: str) -> Recommendation:
        """`closeToOthers`, `farFromOthers`; without information `groupTooLarge`, `groupTooSmall`, `managerUnknown`."""
        if self.members > MOST_MEMBERS:
            words = (
                f"The group has {self.members} members; beyond {MOST_MEMBERS} it is not compared who is close to whom."
            )
            return Recommendation("noInfoAvailable", "groupTooLarge", words, {"members": self.members})
        if (distance := self.distances.get(member)) is None:
            words = "It is not known whom they report to, so not who in the group is close to them."
            return Recommendation("noInfoAvailable", "managerUnknown", words)
        if len(self.distances) < FEWEST_MEMBERS:
            words = (
                f"Of only {counted(len(self.distances), 'member')} it is known whom they report to: too few to compare."
            )
            return Recommendation("noInfoAvailable", "groupTooSmall", words, {"members": self.members})
        figures = {
            "members": self.members,
            "meanDistance": round(distance, 2),
            "usualDistance": round(self.usual, 2),
            "farBeyond": round(self.far, 2),
        }
        steps = f"{distance:.1f} steps in the reporting tree from the other members on average (usual: {self.usual:.1f}"
        if distance > self.far:
            return Recommendation("deny", "farFromOthers", f"{steps}; far: more than {self.far:.1f}).", figures)
        return Recommendation("approve", "closeToOthers", f"{steps}).", figures)


def affiliation_of(members: Collection[str], managers: Managers) -> Affiliation:
    """Needs: who is in the group, and `manager_id` of these and of everybody above them (PERSON_FACTS; a query for each
    level). Groups too large to be compared cost nothing."""
    if len(members) > MOST_MEMBERS:
        return Affiliation(len(members), {})
    return Affiliation.of(len(members), mean_distances(members, managers))
