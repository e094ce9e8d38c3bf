"""The made company: the same for the same seed, in five files of the known shape, and rough where real data is."""

import csv
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from deploy.demo import company
from deploy.demo.history import STILL_TRUE, Company, Spell, last_day, manager_terms, read_company, several_at_once


@pytest.fixture(scope="module")
def people(made: Path) -> Company:
    return read_company(made)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        company.make(tmp_path / name, people=300, seed=seed)
    for file in company.COLUMNS:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    assert (tmp_path / "one" / "title.csv").read_bytes() != (tmp_path / "other" / "title.csv").read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(company.COLUMNS)


@pytest.mark.parametrize("people", [1, 2, 20])
def test_a_tiny_company_is_one_too(people: int, tmp_path: Path) -> None:
    company.make(tmp_path, people=people, seed=1)
    assert len(read_company(tmp_path).people) == people


def test_a_company_without_people_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        company.make(tmp_path, people=0)


def test_everybody_is_employed_within_the_years_and_never_in_two_places(people: Company, made: Path) -> None:
    assert len(people.people) == 3_000
    assert last_day(made) <= company.LAST_DAY
    for person in people.people.values():
        assert person.departments[0].begins >= max(person.hired, company.FIRST_DAY)
        assert not several_at_once(person.departments)
        assert not several_at_once(person.titles)
        for title in person.titles:
            assert _covered(title, person.departments), f"{person} has a title while not employed"


def _covered(title: Spell, departments: tuple[Spell, ...]) -> bool:
    days = {title.begins, *(spell.ends for spell in departments if title.covers(spell.ends))}
    return title.begins == title.ends or all(any(spell.covers(day) for spell in departments) for day in days)


def test_people_move_rise_leave_and_come_back(people: Company) -> None:
    moves = rises = leavers = returns = titleless = 0
    for person in people.people.values():
        lasting = [spell for spell in person.departments if spell.begins < spell.ends]
        pairs = list(pairwise(lasting))
        moves += any(one.ends == other.begins for one, other in pairs)
        returns += any(one.ends < other.begins for one, other in pairs)
        leavers += all(spell.ends < STILL_TRUE for spell in person.departments)
        rises += len({spell.name for spell in person.titles}) > 1
        employed = {day for spell in lasting for day in (spell.begins, spell.ends - timedelta(days=1))}
        ends = {spell.ends for spell in person.titles} & {day for day in employed if day < company.LAST_DAY}
        gaps = pairwise(person.titles)
        titleless += bool(ends) or any(
            one.ends < other.begins and any(spell.covers(one.ends) for spell in lasting) for one, other in gaps
        )
    assert min(moves, rises, leavers) > 300
    assert returns > 50
    assert titleless > 5


def test_spells_of_zero_length_stand_beside_others_and_alone(people: Company) -> None:
    def zero(spells: tuple[Spell, ...]) -> list[Spell]:
        return [spell for spell in spells if spell.begins == spell.ends]

    by_person = [(zero(person.departments), person) for person in people.people.values()]
    assert any(found and len(person.departments) > len(found) for found, person in by_person)
    assert any(found and len(person.departments) == len(found) for found, person in by_person)
    titled = [(zero(person.titles), person.titles) for person in people.people.values()]
    assert any(
        title.begins == other.begins and title is not other for found, of in titled for title in found for other in of
    )


def test_managers_change_work_crosswise_and_may_come_after_their_term_began(people: Company, made: Path) -> None:
    terms = list(manager_terms(made))
    assert any(len(of) > 1 for of in people.terms_in.values())
    assert any(term.begins < people.people[term.emp_no].departments[0].begins for term in terms)
    today = date(2002, 7, 31)
    manager_of = {
        emp_no: people.manager_of(spell.name, today)
        for emp_no in people.terms_of
        for spell in people.people[emp_no].departments
        if spell.covers(today)
    }
    cycles = [one for one, other in manager_of.items() if other != one and manager_of.get(other or 0) == one]
    assert cycles


def test_rows_come_in_no_order_and_names_from_many_languages(made: Path) -> None:
    with (made / "employee.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    numbers = [row["emp_no"] for row in rows]
    assert numbers != sorted(numbers)
    names = "\n".join(f"{row['first_name']} {row['last_name']}" for row in rows)
    assert "O'Brien" in names
    assert '"' in names
    assert any(letter in names for letter in "łžçåğ")
    assert any("а" <= letter <= "я" for letter in names)


def test_a_file_is_shuffled_within_a_window_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    company.make(tmp_path / "at-once", people=400, seed=5)
    monkeypatch.setattr(company, "_WINDOW", 50)
    company.make(tmp_path / "windowed", people=400, seed=5)
    for file in company.COLUMNS:
        at_once, windowed = ((tmp_path / name / file).read_text().splitlines() for name in ("at-once", "windowed"))
        assert sorted(at_once) == sorted(windowed)
