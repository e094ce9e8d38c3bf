"""The script of those who ask, and how what came out is held against it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from deploy.cli.applying.document import document_of
from deploy.demo import onrequest
from deploy.demo.outcomes import NOT_ASKED, Asked, Found, compare, counted, outcome_of, wanted
from deploy.demo.script import EXTENDING, LAST_DAY, LONG, ROOM, Outcome, Package, Script, What, script

BOSS = 1
PEOPLE = {BOSS: None, **dict.fromkeys(range(2, 101), BOSS)}


@pytest.fixture
def play() -> Script:
    return script(PEOPLE, 48)


def as_it_should_be(play: Script, day: float = LAST_DAY) -> Found:
    outcomes = {
        (wish.person, wish.package.value): wish.outcome_on(day).value
        for wish in play.wishes
        if wish.outcome is not Outcome.REFUSED
    }
    members = {
        package.value: frozenset(w.person for w in play.wishes if w.package is package and w.outcome_on(day).holds)
        for package in Package
    }
    return Found(outcomes, members)


def test_the_same_people_play_the_same_and_another_seed_another() -> None:
    assert script(PEOPLE, 30) == script(dict(reversed(PEOPLE.items())), 30)
    assert script(PEOPLE, 30, seed=2) != script(PEOPLE, 30)


def test_everything_that_can_come_of_a_wish_does(play: Script) -> None:
    assert set(wanted(play, LAST_DAY)) == {one.value for one in Outcome}


def test_nobody_asks_twice_for_the_same_and_nobody_decides_for_themself(play: Script) -> None:
    assert max(Counter((wish.person, wish.package) for wish in play.wishes).values()) == 1
    for wish in play.wishes:
        deciding = {act.by for act in wish.acts if act.what in {What.APPROVE, What.DENY}}
        asking = {act.by for act in wish.acts if act.what not in {What.APPROVE, What.DENY}}
        assert wish.person not in deciding
        assert not asking & deciding
        assert [act.day for act in wish.acts] == sorted(act.day for act in wish.acts)


def test_whoever_has_no_manager_is_decided_for_by_the_owner() -> None:
    play = script(dict.fromkeys(range(1, 41)), 20)

    deciding = {act.by for wish in play.wishes for act in wish.acts if act.what in {What.APPROVE, What.DENY}}
    assert deciding == {play.owner}


@pytest.mark.parametrize(("people", "asking"), [({}, 9), ({1: None}, 9), (PEOPLE, 0)])
def test_with_nobody_to_ask_or_to_decide_nobody_asks(people: dict[int, int | None], asking: int) -> None:
    assert script(people, asking).wishes == ()


def test_what_is_given_for_a_time_runs_out_after_it(play: Script) -> None:
    outcome = {wish.story: wish for wish in play.wishes}
    month, two = outcome["given for a month"], outcome["given for a month, and for another"]

    assert [month.outcome_on(day) for day in (EXTENDING, ROOM)] == [Outcome.HELD, Outcome.RAN_OUT]
    assert [two.outcome_on(day) for day in (LAST_DAY, 2 * ROOM)] == [Outcome.EXTENDED, Outcome.RAN_OUT]
    assert outcome["the manager approves"].outcome_on(LONG) is Outcome.RAN_OUT


@pytest.mark.parametrize("day", [LAST_DAY, LONG])
def test_what_came_out_as_written_is_no_difference(play: Script, day: int) -> None:
    assert compare(play, as_it_should_be(play, day), day) == []


def test_every_wish_that_came_out_otherwise_is_named(play: Script) -> None:
    right = as_it_should_be(play)
    key = next(key for key, outcome in right.outcomes.items() if outcome == Outcome.DENIED)
    assert [one.person for one in compare(play, replace(right, outcomes={**right.outcomes, key: "x"}), LAST_DAY)] == [
        key[0]
    ]

    unasked = replace(right, outcomes={k: v for k, v in right.outcomes.items() if k != key})
    assert [one.found for one in compare(play, unasked, LAST_DAY)] == [NOT_ASKED]

    refused = next(wish for wish in play.wishes if wish.outcome is Outcome.REFUSED)
    taken = replace(right, outcomes={**right.outcomes, (refused.person, refused.package.value): Outcome.HELD.value})
    assert [one.wanted for one in compare(play, taken, LAST_DAY)] == [Outcome.REFUSED]


def test_a_member_too_many_and_one_too_few_are_named(play: Script) -> None:
    right = as_it_should_be(play)
    room = right.members[Package.ROOM]
    wrong = replace(right, members={**right.members, Package.ROOM.value: (room - {min(room)}) | {BOSS}})

    found = compare(play, wrong, LAST_DAY)

    assert {(one.person, one.wanted) for one in found} == {(min(room), "a member"), (BOSS, "no member")}


def test_before_anybody_has_asked_only_what_is_to_be_refused_has_come_out(play: Script) -> None:
    assert set(counted(play, Found({}, {}))) == {NOT_ASKED, Outcome.REFUSED}


@pytest.mark.parametrize(
    ("asked", "holds", "outcome"),
    [
        (Asked(), False, NOT_ASKED),
        (Asked("1", "pendingApproval"), False, "pendingApproval"),
        (Asked("1", "denied"), False, Outcome.DENIED),
        (Asked("1", "denied", expired=True), False, Outcome.TIMED_OUT),
        (Asked("1", "canceled"), False, Outcome.CANCELED),
        (Asked("1", "delivered"), True, Outcome.HELD),
        (Asked("1", "delivered"), False, Outcome.RAN_OUT),
        (Asked("1", "delivered", later_states={"userUpdate": "delivered"}), True, Outcome.EXTENDED),
        (Asked("1", "delivered", later_states={"userUpdate": "denied"}), True, Outcome.HELD),
        (Asked("1", "delivered", later_states={"userRemove": "delivered"}), False, Outcome.GIVEN_BACK),
        (Asked("1", "delivered", later_states={"userRemove": "delivered"}), True, Outcome.HELD),
    ],
)
def test_requests_and_holding_say_what_has_come_of_it(asked: Asked, holds: bool, outcome: str) -> None:
    assert outcome_of(asked, holds) == outcome


def test_the_packages_on_request_are_a_catalog_file_that_can_be_applied() -> None:
    contents = document_of(onrequest.document("owner@company.example"), "on request").contents

    (catalog,) = contents.catalogs
    assert [one.name for one in catalog.packages] == [package.value for package in Package]
    assert all(onrequest.has_group({"displayName": group.name}) for group in contents.groups)
