"""User-to-group affiliation: REC-2, who is far from the others in the reporting tree."""

from collections import UserDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.review.recommend.affiliation import FEWEST_MEMBERS, MOST_MEMBERS, Affiliation, affiliation_of

Managers = dict[str, str | None]


def departments(*sizes: int) -> Managers:
    """A company: a head for each department, teams of ten under a lead each, all heads under one."""
    managers: Managers = {"ceo": None}
    for number, size in enumerate(sizes):
        managers[f"head{number}"] = "ceo"
        for one in range(size):
            lead = f"lead{number}-{one // 10}"
            managers[lead] = f"head{number}"
            managers[f"p{number}-{one}"] = lead
    return managers


def people(managers: Managers, department: int, count: int) -> list[str]:
    return [one for one in managers if one.startswith(f"p{department}-")][:count]


@pytest.mark.spec("REC-2")
def test_whoever_is_far_from_all_others_is_denied_and_the_others_are_approved() -> None:
    managers = departments(20, 20)
    team, stranger = people(managers, 0, 9), people(managers, 1, 1)[0]
    group = affiliation_of([*team, stranger], managers)
    said = group.to(stranger)
    assert (said.decision, said.reason, said.figures["meanDistance"]) == ("deny", "farFromOthers", 6)
    assert said.words.startswith("6.0 steps in the reporting tree from the other members on average (usual: 2.4; far:")
    assert {group.to(one).decision for one in team} == {"approve"}
    figures = group.to(team[0]).figures
    assert (figures["meanDistance"], figures["usualDistance"], figures["farBeyond"]) == (2.44, 2.44, 3.94)


@pytest.mark.spec("REC-2")
def test_several_who_are_far_do_not_hide_one_another() -> None:
    managers = departments(100, 20, 20)
    strangers = [*people(managers, 1, 4), *people(managers, 2, 4)]
    group = affiliation_of([*people(managers, 0, 40), *strangers], managers)
    assert {group.to(one).decision for one in strangers} == {"deny"}
    assert group.to("p0-0").decision == "approve"


@pytest.mark.spec("REC-2")
def test_where_all_are_equally_far_nobody_is() -> None:
    managers = departments(10, 10, 10)
    group = affiliation_of([one for d in range(3) for one in people(managers, d, 10)], managers)
    assert {group.to(one).decision for one in group.distances} == {"approve"}


def test_one_step_more_in_a_close_team_is_not_far() -> None:
    managers: Managers = {**departments(10), "deputy": "p0-0"}
    group = affiliation_of([*people(managers, 0, 8), "lead0-0", "deputy"], managers)
    assert {group.to(one).decision for one in group.distances} == {"approve"}


@pytest.mark.spec("REC-2")
def test_it_needs_managers() -> None:
    managers = departments(20)
    group = affiliation_of([*people(managers, 0, 9), "stray"], managers)
    said = group.to("stray")
    assert (said.decision, said.reason) == ("noInfoAvailable", "managerUnknown")
    assert group.to("p0-0").decision == "approve", "the others are compared without them"


@pytest.mark.spec("REC-2")
def test_groups_above_six_hundred_people_are_not_compared() -> None:
    managers = departments(MOST_MEMBERS, 10)
    stranger = people(managers, 1, 1)
    full = affiliation_of([*people(managers, 0, MOST_MEMBERS - 1), *stranger], managers)
    assert full.to(stranger[0]).decision == "deny"
    larger = affiliation_of([*people(managers, 0, MOST_MEMBERS), *stranger], managers)
    said = larger.to(stranger[0])
    assert (said.decision, said.reason, said.figures["members"]) == ("noInfoAvailable", "groupTooLarge", 601)


def test_of_a_handful_nothing_is_said() -> None:
    managers = departments(20, 20)
    few = [*people(managers, 0, FEWEST_MEMBERS - 2), *people(managers, 1, 1)]
    assert affiliation_of(few, managers).to(few[-1]).reason == "groupTooSmall"
    enough = [*people(managers, 0, FEWEST_MEMBERS - 1), *people(managers, 1, 1)]
    assert affiliation_of(enough, managers).to(enough[-1]).decision == "deny"


class Counting(UserDict[str, str | None]):
    """Notes how often somebody's manager is asked for."""

    asked = 0

    def __getitem__(self, key: str) -> str | None:
        self.asked += 1
        return super().__getitem__(key)


def test_a_member_of_a_full_group_costs_what_one_of_a_small_group_does() -> None:
    """Each group is measured once, in one pass, and each item looked up: so 100,000 items are far below what one
    instance may take."""
    managers = departments(*[600] * 5)
    asked = []
    for size in (20, MOST_MEMBERS // 5):
        counting = Counting(managers)
        group = [one for d in range(5) for one in people(managers, d, size)]
        found = affiliation_of(group, counting)
        measuring = counting.asked
        assert len([found.to(one) for one in group]) == 5 * size
        assert counting.asked == measuring
        asked.append(measuring / len(group))
    assert 0 < asked[1] <= asked[0]


@given(st.lists(st.floats(1, 30), min_size=FEWEST_MEMBERS, max_size=60))
def test_never_more_than_a_quarter_is_far(distances: list[float]) -> None:
    group = measured({str(number): distance for number, distance in enumerate(distances)})
    far = [one for one in group.distances if group.to(one).decision == "deny"]
    assert len(far) <= len(distances) / 4
    assert all(group.distances[one] > group.usual + 1 for one in far)


def measured(distances: dict[str, float]) -> Affiliation:
    return Affiliation.of(len(distances), distances)
