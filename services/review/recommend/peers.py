"""Peer outlier by job: access that nobody else in the same department and with the same title has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from services.review.recommend.advice import Recommendation, counted

FEWEST = 3
"""Peers: what one or two others have says nothing about the job."""

Job = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Colleague:
    """Needs: `department` and `jobTitle` of everybody who works here now (PERSON_FACTS, active and suspended)."""

    person_id: str
    department: str | None
    job_title: str | None

    @property
    def job(self) -> Job | None:
        """What makes two people peers, without regard to case; None if either is not stated."""
        department, title = (self.department or "").strip(), (self.job_title or "").strip()
        return (department.casefold(), title.casefold()) if department and title else None


@dataclass(frozen=True, slots=True)
class Peers:
    """The others in somebody's department with their title, and how many of these have what is reviewed."""

    others: int
    having: int

    @property
    def share(self) -> float:
        """From 0 to 1; 0 if there are no others."""
        return self.having / self.others if self.others else 0.0


@dataclass(frozen=True, slots=True)
class Jobs:
    """How many people do each job, and how many of them hold one thing. Made once for an instance of a review, by
    `jobs_of`; then each item is looked up."""

    doing: Mapping[Job, int]
    having: Mapping[Job, int]

    def peers_of(self, holder: Colleague) -> Peers | None:
        """Of somebody who holds it; None if their department or title is not stated."""
        if (job := holder.job) is None:
            return None
        return Peers(max(self.doing.get(job, 0) - 1, 0), max(self.having.get(job, 0) - 1, 0))


def jobs_of(people: Iterable[Colleague], holders: Collection[str]) -> Jobs:
    """One pass over `people`, the holders among them."""
    held_by = frozenset(holders)
    doing: Counter[Job] = Counter()
    having: Counter[Job] = Counter()
    for person in people:
        if (job := person.job) is not None:
            doing[job] += 1
            having[job] += person.person_id in held_by
    return Jobs(doing, having)


def peer_outlier(peers: Peers | None) -> Recommendation:
    """`peersHaveIt`, `noPeerHasIt`; without information `jobUnknown`, `fewPeers`. The share of peers who have it is a
    figure of each that knows the peers."""
    if peers is None:
        return Recommendation("noInfoAvailable", "jobUnknown", "Their department or title is not stated.")
    figures = {"peers": peers.others, "peersHavingIt": peers.having, "shareOfPeers": round(peers.share, 4)}
    same = f"{counted(peers.others, 'other')} in the same department with the same title"
    if peers.others < FEWEST:
        return Recommendation("noInfoAvailable", "fewPeers", f"There are only {same}.", figures)
    if peers.having == 0:
        return Recommendation("deny", "noPeerHasIt", f"None of the {same} has it.", figures)
    return Recommendation("approve", "peersHaveIt", f"{peers.having} of {same} ({peers.share:.0%}) have it.", figures)
