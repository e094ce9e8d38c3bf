"""The HR feed: one change for whatever moved on a day, in order; folded it is the truth, rough or smooth."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.demo import catalog, hr_feed
from deploy.demo.history import last_day, read_company
from deploy.demo.packages import packages_of
from deploy.demo.truth import facts_on, holders_on
from tests.unit.demo.folding import fold, matches

Write = Callable[..., Path]


def feed(folder: Path) -> list[tuple[str, str, str, dict[str, Any]]]:
    return [(c["employeeId"], c["kind"], c["effectiveAt"], c["attributes"]) for c in hr_feed.changes(folder)]


def test_the_sample_stays_short() -> None:
    assert len(Path(hr_feed.__file__).read_text().splitlines()) < 150


def test_someone_joins_moves_and_rises_on_one_day_loses_the_title_leaves_and_returns(write: Write) -> None:
    folder = write(
        ["1,d1,1985-01-01,1990-01-01", "1,d2,1990-01-01,1995-01-01", "1,d1,1996-01-01,9999-01-01"],
        ["1,Staff,1985-01-01,1990-01-01", "1,Senior Staff,1990-01-01,1994-01-01", "1,Staff,1996-01-01,9999-01-01"],
    )
    joined, risen, untitled, left, returned = feed(folder)
    assert joined[1:3] == ("joined", "1985-01-01")
    assert joined[3] == {
        "displayName": "Ana Kovač",
        "givenName": "Ana",
        "surname": "Kovač",
        "userPrincipalName": "ana.kovac.1@company.example",
        "mail": "ana.kovac.1@company.example",
        "userType": "Member",
        "employeeHireDate": "1985-01-01T00:00:00Z",
        "employeeLeaveDateTime": None,
        "department": "Sales",
        "jobTitle": "Staff",
        "managerEmployeeId": None,
        "onPremisesExtensionAttributes": {
            "extensionAttribute1": None,
            "extensionAttribute2": None,
            "extensionAttribute3": None,
        },
    }
    assert risen == ("1", "changed", "1990-01-01", {"department": "Research", "jobTitle": "Senior Staff"})
    assert untitled == ("1", "changed", "1994-01-01", {"jobTitle": None})
    assert left == ("1", "left", "1995-01-01", {"employeeLeaveDateTime": "1995-01-01T00:00:00Z"})
    assert returned == ("1", "joined", "1996-01-01", joined[3])


def test_spells_of_zero_length_change_nothing_but_are_on_record_if_they_are_all_there_is(write: Write) -> None:
    folder = write(
        ["1,d2,1985-01-01,1985-01-01", "1,d1,1985-01-01,1990-01-01", "2,d2,1986-01-01,1986-01-01"],
        ["1,Staff,1990-01-01,1990-01-01", "2,Staff,1986-01-01,1986-01-01"],
    )
    changes = list(hr_feed.changes(folder))
    assert [(c["employeeId"], c["kind"], c.get("sequence")) for c in changes] == [
        ("1", "joined", None),
        ("2", "joined", 1),
        ("2", "left", 2),
        ("1", "left", None),
    ]
    assert changes[0]["attributes"]["department"] == "Sales"
    assert (changes[1]["attributes"]["department"], changes[1]["attributes"]["jobTitle"]) == ("Research", "Staff")


def test_the_manager_is_the_departments_on_that_day_hired_or_not_and_nobody_is_their_own(write: Write) -> None:
    folder = write(
        ["1,d1,1985-01-01,9999-01-01", "2,d1,1992-01-01,9999-01-01", "3,d2,1985-01-01,1988-01-01"],
        dept_manager=["3,d1,1980-01-01,1990-01-01", "2,d1,1990-01-01,1995-01-01", "1,d2,1986-01-01,1987-01-01"],
    )
    said = [(no, kind, at, a["managerEmployeeId"]) for no, kind, at, a in feed(folder) if "managerEmployeeId" in a]
    assert said == [
        ("1", "joined", "1985-01-01", "3"),
        ("3", "joined", "1985-01-01", None),
        ("3", "changed", "1986-01-01", "1"),
        ("3", "changed", "1987-01-01", None),
        ("1", "changed", "1990-01-01", "2"),
        ("2", "joined", "1992-01-01", None),
        ("1", "changed", "1995-01-01", None),
    ]
    marked = [
        (no, at, a["onPremisesExtensionAttributes"]["extensionAttribute1"])
        for no, kind, at, a in feed(folder)
        if kind == "changed" and "onPremisesExtensionAttributes" in a
    ]
    assert marked == [("1", "1986-01-01", "manager"), ("1", "1987-01-01", None), ("2", "1995-01-01", None)]


def test_of_several_departments_at_once_the_latest_begun_is_the_department_and_all_are_listed(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,9999-01-01", "1,d2,1986-01-01,1987-01-01"])
    said = [
        (at, a["department"], a["onPremisesExtensionAttributes"]["extensionAttribute2"]) for *_, at, a in feed(folder)
    ]
    assert said == [
        ("1985-01-01", "Sales", None),
        ("1986-01-01", "Research", "|Research|Sales|"),
        ("1987-01-01", "Sales", None),
    ]


def test_any_number_of_departments_at_once_fits_into_an_attribute(write: Write) -> None:
    names = [f"{number}" * 250 for number in range(8)]
    folder = write(
        [f"1,d{number},1985-01-01,9999-01-01" for number in range(8)],
        department=[f"d{number},{name}" for number, name in enumerate(names)],
    )
    ((*_, attributes),) = feed(folder)
    assert len(attributes["onPremisesExtensionAttributes"]["extensionAttribute2"]) < 1024
    assert differences(folder, date(1990, 1, 1), rough=None) == []


def test_changes_come_by_date_up_to_and_including_until(made: Path) -> None:
    until = date(1993, 5, 4)
    everything = list(hr_feed.changes(made))
    days = [change["effectiveAt"] for change in everything]
    assert days == sorted(days)
    assert list(hr_feed.changes(made, until)) == [c for c in everything if c["effectiveAt"] <= "1993-05-04"]
    assert list(hr_feed.changes(made, last_day(made))) == everything


def test_ids_and_addresses_are_unique_and_addresses_plain(made: Path) -> None:
    changes = list(hr_feed.changes(made))
    assert len({change["changeId"] for change in changes}) == len(changes)
    addresses = {c["employeeId"]: c["attributes"]["mail"] for c in changes if c["kind"] == "joined"}
    assert len(set(addresses.values())) == len(addresses) == len(read_company(made).people)
    assert all(address.isascii() and address.count("@") == 1 for address in addresses.values())


def differences(folder: Path, until: date, rough: int | None) -> list[str]:
    """Where the folded feed, matched against the catalog's rules, is not what the spells say."""
    people = fold(hr_feed.changes(folder, until, rough))
    present = {int(no): attributes for no, attributes in people.items() if attributes is not None}
    truth, found = holders_on(folder, packages_of(folder), until), []
    (described,) = catalog.document(folder)["catalogs"]
    assert [package["name"] for package in described["packages"]] == list(truth)
    if present.keys() != facts_on(folder, until).keys():
        found.append(f"employed: {present.keys() ^ facts_on(folder, until).keys()}")
    for package in described["packages"]:
        rules = [policy["automatic"] for policy in package["policies"]]
        holders = {no for no, attributes in present.items() if any(matches(rule, attributes) for rule in rules)}
        if holders != truth[package["name"]]:
            found.append(f"{package['name']}: {holders ^ truth[package['name']]}")
    return found


@pytest.mark.parametrize("until", [date(1985, 1, 1), date(1990, 7, 15), date(1997, 2, 28), date(2002, 8, 1)])
def test_smooth_or_rough_the_feed_and_the_rules_give_what_the_spells_say(until: date, made: Path) -> None:
    assert differences(made, until, rough=None) == []
    assert differences(made, until, rough=11) == []


@pytest.mark.needs_shared
def test_the_same_holds_for_the_real_history(shared_folder: Path) -> None:
    employees = shared_folder / "data" / "employees"
    rng = Random(5)
    for until in [date(2002, 8, 1), date(rng.randint(1985, 2002), rng.randint(1, 12), 1)]:
        assert differences(employees, until, rough=rng.randint(1, 99)) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rough_feed_says_the_same_of_everyone_in_the_end(seed: int, made: Path) -> None:
    smooth, rough = list(hr_feed.changes(made)), list(hr_feed.changes(made, rough=seed))
    assert fold(rough) == fold(smooth)
    assert rough == list(hr_feed.changes(made, rough=seed))
    ids = [change["changeId"] for change in rough]
    days = [change["effectiveAt"] for change in rough]
    assert len(ids) > len(set(ids)) > len(smooth)
    assert days != sorted(days)
    assert any(change["kind"] == "rescinded" for change in rough)
    by_id: dict[str, list[Any]] = {}
    for change in rough:
        by_id.setdefault(change["changeId"], []).append(change)
    assert any(said[0] != said[-1] for said in by_id.values())
    first_said: dict[str, str] = {}
    for change in rough:
        first_said.setdefault(change["employeeId"], change["kind"])
    assert set(first_said.values()) > {"joined"}, "someone's first change should come before their joining"


DAYS = st.integers(min_value=1, max_value=12).map(lambda day: f"1990-01-{day:02}")
SPELL = st.tuples(st.integers(1, 4), DAYS, DAYS | st.just("9999-01-01")).map(lambda s: (s[0], *sorted(s[1:])))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    dept_emp=st.lists(st.tuples(SPELL, st.sampled_from(["d1", "d2", "d3"])), max_size=9),
    title=st.lists(st.tuples(SPELL, st.sampled_from(["Staff", "Lead|Staff", "Sales", 'Say "hi"'])), max_size=9),
    dept_manager=st.lists(st.tuples(SPELL, st.sampled_from(["d1", "d2", "d3"])), max_size=4),
    day=st.integers(1, 13),
    rough=st.none() | st.integers(0, 99),
)
def test_any_spells_at_all_even_several_at_once_come_out_as_they_are(
    dept_emp: list[Any], title: list[Any], dept_manager: list[Any], day: int, rough: int | None, write: Write
) -> None:
    def rows(spells: list[Any]) -> list[str]:
        return [f'{no},"{what.replace(chr(34), chr(34) * 2)}",{begins},{ends}' for (no, begins, ends), what in spells]

    folder = write(
        rows(dept_emp),
        rows(title),
        rows(dept_manager),
        department=["d1,Sales", "d2,Research|Sales", "d3,O'Brien's\\"],
        employee=[f"{no},1960-01-01,Ana,Kovač,F,1985-01-01" for no in range(1, 5)],
    )
    assert differences(folder, date(1990, 1, day), rough) == []
