"""Reads a company's history: five CSV files of people, spells and terms (see `company` for a made one).

A spell is true on a day when `begins <= day < ends`; so one of zero length never is. Rows come in any order. What is
not of this shape raises `HistoryError` with the file and line. Reading is streamed; only `read_company` keeps people.
"""

import csv
import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

STILL_TRUE = date(9999, 1, 1)
"""The end of what has not ended. Any date in its year is read so."""


class HistoryError(ValueError):
    """The folder is not a history; the message says file, line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Spell:
    """One department or job title, by its name, from a day until the day before `ends`."""

    name: str
    begins: date
    ends: date

    def covers(self, day: date) -> bool:
        return self.begins <= day < self.ends


@dataclass(frozen=True, slots=True)
class Term:
    """Someone heading one department for a time. They need not work there, nor be hired yet."""

    emp_no: int
    department: str
    begins: date
    ends: date

    def covers(self, day: date) -> bool:
        return self.begins <= day < self.ends


@dataclass(frozen=True, slots=True)
class Person:
    """One row of employee.csv with that person's spells, each list by the day it begins."""

    emp_no: int
    first_name: str
    last_name: str
    hired: date
    departments: tuple[Spell, ...]
    titles: tuple[Spell, ...]


@dataclass(frozen=True, slots=True)
class Company:
    """All people by number, and the managers' terms (by department, by manager) in the order they begin."""

    people: dict[int, Person]
    terms_in: dict[str, tuple[Term, ...]]
    terms_of: dict[int, tuple[Term, ...]]

    def manager_of(self, department: str, day: date) -> int | None:
        """Who manages it on that day, hired or not; of several the one whose term began last."""
        heads = [term.emp_no for term in self.terms_in.get(department, ()) if term.covers(day)]
        return heads[-1] if heads else None

    def manages_something(self, emp_no: int, day: date) -> bool:
        return any(term.covers(day) for term in self.terms_of.get(emp_no, ()))

    def turning_points(self) -> dict[date, set[int]]:
        """On which days anything may change, and for whom: own spells, own terms, those of the own department."""
        days: dict[date, set[int]] = defaultdict(set)
        for emp_no, person in self.people.items():
            own: tuple[Spell | Term, ...] = (*person.departments, *person.titles, *self.terms_of.get(emp_no, ()))
            for one in own:
                days[one.begins].add(emp_no)
                days[one.ends].add(emp_no)
            for spell in person.departments:
                for term in self.terms_in.get(spell.name, ()):
                    for day in (term.begins, term.ends):
                        if spell.covers(day):
                            days[day].add(emp_no)
        days.pop(STILL_TRUE, None)  # what is still true has no last day
        return days


def read_company(folder: Path) -> Company:
    """The whole history in memory: about 1 KB a person."""
    departments, titles = _by_person(department_spells(folder)), _by_person(title_spells(folder))
    people: dict[int, Person] = {}
    for where, row in _rows(folder, "employee.csv", ("emp_no", "first_name", "last_name", "hire_date")):
        emp_no = _number(where, row[0])
        if emp_no in people:
            raise HistoryError(f"{where}: {emp_no} stands in this file twice.")
        spells = departments.pop(emp_no, ()), titles.pop(emp_no, ())
        # Few names are many people's: interned, a million people fit in about 1 GB.
        first_name, last_name = sys.intern(row[1]), sys.intern(row[2])
        people[emp_no] = Person(emp_no, first_name, last_name, _date(where, row[3]), *spells)
    for file, strangers in (("dept_emp.csv", departments), ("title.csv", titles)):
        for emp_no in strangers:
            raise HistoryError(f"{folder / file}: {emp_no} has spells but no row in employee.csv.")
    terms_in: dict[str, list[Term]] = defaultdict(list)
    terms_of: dict[int, list[Term]] = defaultdict(list)
    for term in sorted(manager_terms(folder), key=lambda term: (term.begins, term.emp_no)):
        terms_in[term.department].append(term)
        terms_of[term.emp_no].append(term)
    return Company(
        people,
        {department: tuple(terms) for department, terms in terms_in.items()},
        {emp_no: tuple(terms) for emp_no, terms in terms_of.items()},
    )


def department_names(folder: Path) -> dict[str, str]:
    """Department name by number. Two numbers may share a name: they are one department to whoever reads names."""
    return {row[0]: row[1] for _, row in _rows(folder, "department.csv", ("dept_no", "dept_name")) if row[1].strip()}


def department_spells(folder: Path) -> Iterator[tuple[int, Spell]]:
    """(person, spell in a department), in the order of the file."""
    names = department_names(folder)
    for where, row in _rows(folder, "dept_emp.csv", ("emp_no", "dept_no", "from_date", "to_date")):
        yield _number(where, row[0]), Spell(_known(where, names, row[1]), _date(where, row[2]), _date(where, row[3]))


def title_spells(folder: Path) -> Iterator[tuple[int, Spell]]:
    """(person, spell with a job title), in the order of the file. A blank title is none."""
    for where, row in _rows(folder, "title.csv", ("emp_no", "title", "from_date", "to_date")):
        if row[1].strip():
            yield _number(where, row[0]), Spell(row[1], _date(where, row[2]), _date(where, row[3]))


def manager_terms(folder: Path) -> Iterator[Term]:
    """Who managed which department, in the order of the file."""
    names = department_names(folder)
    for where, row in _rows(folder, "dept_manager.csv", ("emp_no", "dept_no", "from_date", "to_date")):
        yield Term(_number(where, row[0]), _known(where, names, row[1]), _date(where, row[2]), _date(where, row[3]))


def last_day(folder: Path) -> date:
    """The day of the last thing that happened; from then on nothing changes. An empty history raises HistoryError."""
    spells = (spell for stream in (department_spells(folder), title_spells(folder)) for _, spell in stream)
    days = {day for spell in spells for day in (spell.begins, spell.ends)}
    days |= {day for term in manager_terms(folder) for day in (term.begins, term.ends)}
    if not (dated := [day for day in days if day.year < STILL_TRUE.year]):
        raise HistoryError(f"{folder}: nothing ever happens in this history.")
    return max(dated)


def several_at_once(spells: Sequence[Spell]) -> bool:
    """Whether two spells with different names, given by their beginning, are ever true on the same day."""
    lasting = [spell for spell in spells if spell.begins < spell.ends]
    return len(lasting) > 1 and any(
        one.begins < other.ends and other.begins < one.ends and one.name != other.name
        for i, one in enumerate(lasting)
        for other in lasting[i + 1 :]
    )


def listed(names: Iterable[str]) -> str:
    """Departments or titles held at once, as one text: |One|Other|."""
    return f"|{'|'.join(map(as_listed, names))}|"


def as_listed(name: str) -> str:
    """How a name stands in such a list: as itself, or by its digest if it would blur the list or burst it."""
    return name if len(name) <= _LONGEST_LISTED and "|" not in name else hashlib.sha256(name.encode()).hexdigest()[:16]


_LONGEST_LISTED = 40
"""Characters. An extension attribute has room for 1,024."""


def _by_person(spells: Iterator[tuple[int, Spell]]) -> dict[int, tuple[Spell, ...]]:
    grouped: dict[int, list[Spell]] = defaultdict(list)
    for emp_no, spell in spells:
        grouped[emp_no].append(spell)
    return {
        emp_no: tuple(sorted(of, key=lambda spell: (spell.begins, spell.ends, spell.name)))
        for emp_no, of in grouped.items()
    }


def _rows(folder: Path, name: str, columns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(where, the wanted columns' fields) of each row. Other columns may stand beside them."""
    path = folder / name
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror}. A history is five CSV files.") from error
    with file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            if missing := [column for column in columns if column not in header]:
                raise HistoryError(f"{path}: the first line lacks the column {', '.join(missing)}.")
            at = [header.index(column) for column in columns]
            for row in reader:
                if not row:
                    continue
                where = f"{path} line {reader.line_num}"
                if len(row) != len(header):
                    raise HistoryError(f"{where}: {len(row)} fields under {len(header)} columns.")
                yield where, [row[i] for i in at]
        except (csv.Error, UnicodeDecodeError) as error:
            raise HistoryError(f"{path} line {reader.line_num}: {error}.") from error


def _number(where: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise HistoryError(f"{where}: emp_no {text!r} is not a whole number.")
    return int(text)


def _date(where: str, text: str) -> date:
    try:
        return _iso(text)
    except ValueError as error:
        raise HistoryError(f"{where}: {text!r} is not a date (YYYY-MM-DD).") from error


@lru_cache(maxsize=1 << 16)
def _iso(text: str) -> date:
    # Cached: a history has some 6,000 different dates, which all its spells then share.
    day = date.fromisoformat(text)
    return STILL_TRUE if day.year == STILL_TRUE.year else day


def _known(where: str, names: dict[str, str], dept_no: str) -> str:
    if dept_no not in names:
        raise HistoryError(f"{where}: department {dept_no!r} does not stand in department.csv.")
    return names[dept_no]
