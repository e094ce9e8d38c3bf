"""Peer outlier by job: who has the same department and title, and how many of them have it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.review.recommend.peers import FEWEST, Colleague, Peers, jobs_of, peer_outlier


def team(size: int, *, department: str | None = "Sales", title: str | None = "Manager") -> list[Colleague]:
    return [Colleague(f"{department}-{title}-{number}", department, title) for number in range(size)]


@pytest.mark.parametrize(
    ("others", "having", "decision", "reason"),
    [
        (FEWEST, 0, "deny", "noPeerHasIt"),
        (40, 0, "deny", "noPeerHasIt"),
        (FEWEST - 1, 0, "noInfoAvailable", "fewPeers"),
        (0, 0, "noInfoAvailable", "fewPeers"),
        (FEWEST, 1, "approve", "peersHaveIt"),
        (40, 1, "approve", "peersHaveIt"),
    ],
)
def test_nobody_else_having_it_speaks_against_it(others: int, having: int, decision: str, reason: str) -> None:
    said = peer_outlier(Peers(others, having))
    assert (said.decision, said.reason, said.figures["peers"]) == (decision, reason, others)


def test_the_share_of_peers_is_a_number() -> None:
    said = peer_outlier(Peers(8, 6))
    assert said.figures == {"peers": 8, "peersHavingIt": 6, "shareOfPeers": 0.75}
    assert said.words == "6 of 8 others in the same department with the same title (75%) have it."
    assert peer_outlier(Peers(0, 0)).figures["shareOfPeers"] == 0


def test_whose_job_is_not_stated_has_no_peers() -> None:
    assert jobs_of(team(9), ()).peers_of(Colleague("ana", "Sales", None)) is None
    assert jobs_of(team(9), ()).peers_of(Colleague("ana", " ", "Manager")) is None
    said = peer_outlier(None)
    assert (said.decision, said.reason) == ("noInfoAvailable", "jobUnknown")


def test_jobs_are_the_same_without_regard_to_case_and_only_with_both_department_and_title() -> None:
    people = [
        *team(2),
        *team(3, department="sales ", title="MANAGER"),
        *team(5, department="IT"),
        *team(4, title="Clerk"),
        *team(2, title=None),
    ]
    jobs = jobs_of(people, {people[0].person_id, people[2].person_id, people[5].person_id})
    assert jobs.peers_of(people[0]) == Peers(4, 1)
    assert jobs.peers_of(people[5]) == Peers(4, 0)


PEOPLE = st.lists(st.tuples(st.sampled_from(["a", "A", "b", None]), st.sampled_from(["x", "y", None])), max_size=30)


@given(PEOPLE, st.sets(st.integers(0, 29)))
def test_each_holder_is_compared_with_all_others_of_their_job(
    stated: Sequence[tuple[str | None, str | None]], having: set[int]
) -> None:
    people = [Colleague(str(number), *job) for number, job in enumerate(stated)]
    holders = [one for one in people if int(one.person_id) in having]
    jobs = jobs_of(people, {one.person_id for one in holders})
    for one in holders:
        others = [other for other in people if other is not one and other.job == one.job]
        found = jobs.peers_of(one)
        if one.job is None:
            assert found is None
        else:
            assert found == Peers(len(others), sum(other in holders for other in others))
            assert 0 <= found.share <= 1
