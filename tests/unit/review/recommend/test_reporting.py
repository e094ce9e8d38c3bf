"""Distances in the reporting tree, against walking it from each person to each other."""

from collections import deque
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.review.recommend.reporting import mean_distances

COMPANY: dict[str, str | None] = {
    "ceo": None, "sales": "ceo", "it": "ceo", "s1": "sales", "s2": "sales", "i1": "it", "i2": "it", "i11": "i1",
}  # fmt: skip


def test_steps_go_up_to_a_common_superior_and_down_again() -> None:
    assert mean_distances(["s1", "s2"], COMPANY) == {"s1": 2, "s2": 2}
    assert mean_distances(["s1", "sales"], COMPANY) == {"s1": 1, "sales": 1}
    assert mean_distances(["s1", "i11"], COMPANY) == {"s1": 5, "i11": 5}
    assert mean_distances(["s1", "s2", "i1"], COMPANY) == {"s1": 3, "s2": 3, "i1": 4}


def test_who_has_no_superior_in_common_is_joined_above_the_highest() -> None:
    other: dict[str, str | None] = {**COMPANY, "boss": None, "o1": "boss"}
    assert mean_distances(["s1", "o1"], other) == {"s1": 5, "o1": 5}


def test_who_has_neither_manager_nor_reports_has_no_place() -> None:
    assert mean_distances(["s1", "s2", "stray"], COMPANY) == {"s1": 2, "s2": 2}
    assert mean_distances(["s1", "stray"], COMPANY) == {}
    assert mean_distances([], COMPANY) == {}
    assert mean_distances(["ceo", "s1"], COMPANY) == {"ceo": 2, "s1": 2}, "who is above somebody has one"


def test_a_manager_whom_nobody_knows_is_a_superior_all_the_same() -> None:
    assert mean_distances(["a", "b"], {"a": "gone", "b": "gone"}) == {"a": 2, "b": 2}


@pytest.mark.parametrize("people", [("a", "b", "c", "x"), ("x", "c", "b", "a")])
def test_a_circle_is_cut_at_the_same_place_wherever_one_begins(people: tuple[str, ...]) -> None:
    circle = {"a": "b", "b": "c", "c": "a", "x": "b"}
    # Cut above a: c reports to a, b to c, x to b.
    assert mean_distances(people, circle) == {"a": 2, "b": 4 / 3, "c": 4 / 3, "x": 2}


def test_a_deep_line_is_no_trouble() -> None:
    line: dict[str, str | None] = {f"p{n}": f"p{n + 1}" for n in range(50_000)}
    assert mean_distances(["p0", "p50000"], line) == {"p0": 50_000, "p50000": 50_000}


def walked(people: set[str], managers: Mapping[str, str | None]) -> dict[str, float]:
    """The same by definition: from each to each by breadth-first search, in a forest without circles."""
    top = "(above all)"
    everybody = set(people)
    while more := {boss for one in everybody if (boss := managers.get(one)) is not None} - everybody:
        everybody |= more
    neighbours: dict[str, set[str]] = {one: set() for one in (*everybody, top)}
    for one in everybody:
        boss = managers.get(one) or top
        neighbours[one].add(boss)
        neighbours[boss].add(one)
    bosses = {managers.get(one) for one in everybody}
    placed = {one for one in people if managers.get(one) is not None or one in bosses}

    def distances(start: str) -> dict[str, int]:
        found, queue = {start: 0}, deque([start])
        while queue:
            here = queue.popleft()
            for there in neighbours[here] - found.keys():
                found[there] = found[here] + 1
                queue.append(there)
        return found

    if len(placed) < 2:
        return {}
    return {one: sum(distances(one)[other] for other in placed) / (len(placed) - 1) for one in placed}


@st.composite
def forests(draw: st.DrawFn) -> dict[str, str | None]:
    size = draw(st.integers(1, 25))
    # Above each only who has a higher number: no circles.
    return {
        str(n): draw(st.sampled_from([None, *map(str, range(n + 1, size + 2))]), label=f"above {n}")
        for n in range(size)
    }


@given(forests(), st.data())
def test_one_pass_up_and_down_says_what_walking_says(managers: dict[str, str | None], data: st.DataObject) -> None:
    people = data.draw(st.sets(st.sampled_from([*managers, "stranger"])))
    assert mean_distances(people, managers) == pytest.approx(walked(people, managers))


ANY = st.dictionaries(st.sampled_from("abcdefgh"), st.none() | st.sampled_from("abcdefgh"))


@given(ANY, st.permutations("abcdefgh"))
def test_whatever_sources_say_of_managers_the_answer_does_not_depend_on_the_order(
    managers: dict[str, str | None], order: list[str]
) -> None:
    found = mean_distances(order, managers)
    assert found == mean_distances(sorted(order), managers)
    assert all(distance >= 1 for distance in found.values())
