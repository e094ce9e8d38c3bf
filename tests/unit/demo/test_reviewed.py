"""The script of the demo's reviews."""

from __future__ import annotations

from collections import Counter

import pytest

from deploy.cli.applying.document import document_of
from deploy.demo import reviewed
from deploy.demo.reviewed import Cast, Employee, Review, Say, cast

BOSS, OTHER_BOSS = 1, 2
PEOPLE = {
    BOSS: Employee("Sales", "Head", None),
    OTHER_BOSS: Employee("Harbour", "Head", None),
    **{n: Employee("Sales", "Seller", BOSS) for n in range(10, 40)},
    **{n: Employee("Harbour", "Pilot", OTHER_BOSS) for n in range(50, 90)},
}


@pytest.fixture
def play() -> Cast:
    found = cast(PEOPLE)
    assert found is not None
    return found


def test_the_same_people_play_the_same_and_too_few_play_nothing(play: Cast) -> None:
    assert cast(dict(reversed(PEOPLE.items()))) == play
    assert cast({n: one for n, one in PEOPLE.items() if n < 20}) is None


def test_every_recommendation_is_there_with_both_outcomes_and_everything_is_said(play: Cast) -> None:
    made = Counter(line.advice for line in play.lines)

    advice = {one for one in vars(reviewed).values() if isinstance(one, reviewed.Advice)}
    assert made.keys() == advice
    figures = {one for one in vars(reviewed).values() if isinstance(one, reviewed.Figure)}
    assert {line.figure for line in play.lines} - {None} == figures, "of signs that never approve by themselves"
    assert {line.say for line in play.lines} == set(Say)
    assert {line.review for line in play.lines} == set(Review)


def test_nobody_decides_about_themself_and_each_about_everything_once(play: Cast) -> None:
    assert not [line for line in play.lines if line.who == line.by]
    assert max(Counter((line.review, line.thing, line.who) for line in play.lines).values()) == 1


def test_whoever_is_far_reports_to_nobody_whom_the_team_reports_to(play: Cast) -> None:
    (far,) = [line.who for line in play.lines if line.advice is reviewed.FAR]
    assert isinstance(far, int)
    assert not {*reviewed.above(PEOPLE, far)} & {*reviewed.above(PEOPLE, play.team[0])}


@pytest.mark.parametrize("jobs", [1, 2, 5, 12, 30])
def test_nobody_is_recommended_to_keep_what_none_of_their_peers_has(jobs: int) -> None:
    people = {BOSS: Employee("Sales", "Head", None), OTHER_BOSS: Employee("Harbour", "Head", None)}
    people |= {n: Employee("Sales", f"Seller {n * n % jobs}", BOSS) for n in range(10, 40)}
    people |= {n: Employee("Harbour", f"Pilot {n * n % jobs}", OTHER_BOSS) for n in range(50, 90)}
    play = cast(people)
    assert play is not None

    kept = [line for line in play.lines if line.advice in {reviewed.USED, reviewed.CLOSE}]
    assert {line.review for line in kept} >= {Review.APPLICATION}
    for line in kept:
        having = play.users if line.review is Review.APPLICATION else play.team
        same = [one for one in people if people[one] == people[_number(line.who)]]
        assert len(same) <= reviewed.FEW or len([one for one in same if one in having]) > 1


def _number(who: reviewed.Who) -> int:
    assert isinstance(who, int)
    return who


def test_superiors_in_a_circle_come_once() -> None:
    people = {1: Employee("A", None, 2), 2: Employee("B", None, 1)}
    assert list(reviewed.above(people, 1)) == [2, 1]


def test_what_is_reviewed_can_be_applied_and_is_known_again(play: Cast) -> None:
    values = reviewed.document(play)
    document_of(values, "under review")  # raises what is wrong with it

    (catalog,) = values["catalogs"]
    assert [one["name"] for one in catalog["packages"]] == list(play.packages)
    assert all(reviewed.has_group({"displayName": one["name"]}) for one in values["groups"])
    assert reviewed.has_package({"catalog": {"displayName": catalog["name"]}})
