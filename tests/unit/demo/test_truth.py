"""What the spells say on a day, by cases worked out by hand."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from deploy.demo.packages import Facts, packages_of
from deploy.demo.truth import facts_on, holders_on

Write = Callable[..., Path]


def on(folder: Path, day: str) -> dict[int, tuple[set[str], set[str], bool]]:
    facts = facts_on(folder, date.fromisoformat(day))
    return {emp_no: (set(of.departments), set(of.titles), of.manages) for emp_no, of in facts.items()}


def test_a_spell_holds_from_its_first_day_to_the_day_before_its_end(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,1990-01-01", "1,d2,1990-01-01,1991-01-01"], ["1,Staff,1985-01-01,1990-06-01"])
    assert on(folder, "1984-12-31") == {}
    assert on(folder, "1985-01-01") == {1: ({"Sales"}, {"Staff"}, False)}
    assert on(folder, "1989-12-31") == {1: ({"Sales"}, {"Staff"}, False)}
    assert on(folder, "1990-01-01") == {1: ({"Research"}, {"Staff"}, False)}
    assert on(folder, "1990-06-01") == {1: ({"Research"}, set(), False)}
    assert on(folder, "1991-01-01") == {}


def test_a_spell_of_zero_length_never_holds(write: Write) -> None:
    folder = write(
        ["1,d2,1985-01-01,1985-01-01", "1,d1,1985-01-01,9999-01-01", "2,d1,1986-01-01,1986-01-01"],
        ["1,Staff,1985-01-01,1985-01-01", "1,Engineer,1985-01-01,9999-01-01"],
    )
    assert on(folder, "1985-01-01") == {1: ({"Sales"}, {"Engineer"}, False)}
    assert set(on(folder, "1986-01-01")) == {1}


def test_a_title_or_term_that_runs_on_after_leaving_holds_nothing(write: Write) -> None:
    folder = write(
        ["1,d1,1985-01-01,1990-01-01", "1,d1,1992-01-01,9999-01-01"],
        ["1,Staff,1985-01-01,9999-01-01"],
        ["1,d2,1984-01-01,9999-01-01"],
    )
    assert on(folder, "1989-12-31") == {1: ({"Sales"}, {"Staff"}, True)}
    assert on(folder, "1991-01-01") == {}
    assert on(folder, "1992-01-01") == {1: ({"Sales"}, {"Staff"}, True)}


def test_someone_in_two_departments_at_once_holds_both(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,9999-01-01", "1,d2,1986-01-01,1987-01-01"])
    assert on(folder, "1986-06-01") == {1: ({"Sales", "Research"}, set(), False)}
    assert on(folder, "1987-01-01") == {1: ({"Sales"}, set(), False)}


def test_holders_of_departments_titles_and_what_combines_them(write: Write) -> None:
    folder = write(
        ["1,d1,1985-01-01,9999-01-01", "2,d1,1985-01-01,9999-01-01", "3,d2,1985-01-01,9999-01-01"],
        ["1,Staff,1985-01-01,9999-01-01", "3,Staff,1985-01-01,9999-01-01", "2,Engineer,1985-01-01,9999-01-01"],
        ["3,d1,1985-01-01,9999-01-01"],
    )
    assert holders_on(folder, packages_of(folder), date(1990, 1, 1)) == {
        "Engineer": {2},
        "Research": {3},
        "Sales": {1, 2},
        "Staff": {1, 3},
        "Staff in Sales": {1},
        "Sales without Staff": {2},
        "Research or Engineer": {2, 3},
        "Managers": {3},
    }


def test_a_department_and_a_title_of_one_name_are_one_package_with_two_ways_in(write: Write) -> None:
    folder = write(
        ["1,d1,1985-01-01,9999-01-01", "2,d2,1985-01-01,9999-01-01", "3,d2,1985-01-01,9999-01-01"],
        ["2,Sales,1985-01-01,9999-01-01"],
    )
    (package,) = [package for package in packages_of(folder) if package.name == "Sales"]
    assert [name for name, _ in package.policies] == ["Sales, by department", "Sales, by job title"]
    assert holders_on(folder, [package], date(1990, 1, 1)) == {"Sales": {1, 2}}


def test_a_combined_package_steps_aside_for_a_department_of_its_name(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,9999-01-01"], department=["d1,Managers"])
    names = [package.name for package in packages_of(folder)]
    assert names == ["Managers", "Managers (combined)"]
    assert packages_of(folder)[0].is_for(Facts(frozenset({"Managers"}), frozenset(), manages=False))


@pytest.mark.needs_shared
def test_the_real_history_has_as_many_people_as_its_readme_says(shared_folder: Path) -> None:
    employees = shared_folder / "data" / "employees"
    assert len(facts_on(employees, date(2002, 8, 1))) == 8_064
