"""Makes up a company's history, 1985 to 2002, as five CSV files, with the rough edges of real HR data.

    python -m deploy.demo.company DIR [--people 10000] [--seed 1]

Moves, promotions, leavers who come back, spells of zero length, days without a title, managers who change, who work
in each other's departments, or are hired after their term began; rows in no order. Never two departments or two
titles at once, and no title beyond the last department, as in real data we looked at. Same arguments and release of
mimesis, same bytes. People are made one by one and written at once: memory does not grow with their number.
"""

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, TextIO

from deploy.demo.history import STILL_TRUE
from deploy.demo.names import CAREERS, DEPARTMENTS, Names, names_by_language

FIRST_DAY = date(1985, 1, 1)
LAST_DAY = date(2002, 7, 31)
FIRST_EMP_NO = 10_001
_DAYS = (LAST_DAY - FIRST_DAY).days
_WINDOW = 20_000
"""Rows held back of each file, to write them in no order."""

Row = tuple[Any, ...]

COLUMNS = {
    "department.csv": ("dept_no", "dept_name"),
    "dept_manager.csv": ("emp_no", "dept_no", "from_date", "to_date"),
    "employee.csv": ("emp_no", "birth_date", "first_name", "last_name", "gender", "hire_date"),
    "dept_emp.csv": ("emp_no", "dept_no", "from_date", "to_date"),
    "title.csv": ("emp_no", "title", "from_date", "to_date"),
}

_DEPT_NOS = tuple(f"d{number:03}" for number in range(1, len(DEPARTMENTS) + 1))
_DEPT_WEIGHTS = tuple(weight for _, weight in DEPARTMENTS)
_CAREERS, _CAREER_WEIGHTS = zip(*CAREERS, strict=True)


@dataclass(frozen=True, slots=True)
class Planned:
    """What is settled of a manager before their own history is made up. Whoever `stays` never moves nor leaves."""

    dept_no: str | None = None
    hired: date | None = None
    stays: bool = False


@dataclass(frozen=True, slots=True)
class Stint:
    """One unbroken employment. It may last zero days."""

    begins: date
    ends: date

    def days_inside(self, rng: Random, count: int) -> list[date]:
        """At most `count` different days strictly inside, in order."""
        length = (min(self.ends, LAST_DAY) - self.begins).days
        inside = {rng.randint(1, length - 1) for _ in range(count)} if length > 1 else set()
        return [self.begins + timedelta(days=day) for day in sorted(inside)]


def make(folder: Path, people: int = 10_000, seed: int = 1) -> None:
    """Writes the five files into `folder`; each appears only when all are complete, and replaces an older one."""
    if people < 1:
        raise ValueError(f"A company of {people} people has no history: ask for at least one.")
    folder.mkdir(parents=True, exist_ok=True)
    rng = Random(seed)  # noqa: S311 - a made company, no secrets
    with ExitStack() as open_files:
        files = {name: _Shuffled(open_files, folder / f"{name}.part", f"{seed} {name}") for name in COLUMNS}
        for dept_no, (name, _) in zip(_DEPT_NOS, DEPARTMENTS, strict=True):
            files["department.csv"].add((dept_no, name))
        terms, planned = _managers(rng, people)
        for term in terms:
            files["dept_manager.csv"].add(term)
        languages = names_by_language()
        for emp_no in range(FIRST_EMP_NO, FIRST_EMP_NO + people):
            for file, row in _person(rng, emp_no, planned.get(emp_no, Planned()), languages):
                files[file].add(row)
        for shuffled in files.values():
            shuffled.flush()
    for name in COLUMNS:
        (folder / f"{name}.part").replace(folder / name)


def _managers(rng: Random, people: int) -> tuple[list[Row], dict[int, Planned]]:
    """Each department has one to four managers, one after the other; and what their own histories must fit."""
    terms: list[Row] = []
    planned: dict[int, Planned] = {}
    free = rng.sample(range(people), min(people, 4 * len(_DEPT_NOS)))
    for i, dept_no in enumerate(_DEPT_NOS):
        changes = Stint(FIRST_DAY, LAST_DAY).days_inside(rng, rng.randint(0, 3))
        for begins, ends in zip([FIRST_DAY, *changes], [*changes, STILL_TRUE], strict=True):
            # A small company runs out of people: then some manage several departments.
            emp_no = FIRST_EMP_NO + (free.pop() if free else rng.randrange(people))
            terms.append((emp_no, dept_no, begins, ends))
            if emp_no not in planned:
                planned[emp_no] = _plan(rng, i, begins, ends)
    return terms, planned


def _plan(rng: Random, department: int, begins: date, ends: date) -> Planned:
    early = min(begins, FIRST_DAY + timedelta(days=rng.randint(0, 60)))
    if ends == STILL_TRUE and department < 4:
        # The first four departments' present heads work in each other's department, two by two.
        return Planned(_DEPT_NOS[department ^ 1], early, stays=True)
    luck = rng.random()
    if luck < 0.5:
        return Planned(_DEPT_NOS[department], early)
    if luck < 0.7:
        return Planned(_DEPT_NOS[(department + 1) % len(_DEPT_NOS)], early)
    if luck < 0.9:
        return Planned(hired=min(begins + timedelta(days=rng.randint(1, 900)), LAST_DAY))
    return Planned()  # someone from anywhere, who may be gone long before


def _person(rng: Random, emp_no: int, plan: Planned, languages: Sequence[Names]) -> Iterator[tuple[str, Row]]:
    gender = rng.choice("MF")
    names = languages[0] if rng.random() < 0.4 else rng.choice(languages)
    # More were hired in the early years than in the late ones.
    hired = plan.hired or FIRST_DAY + timedelta(days=int(_DAYS * rng.random() ** 1.6))
    born = hired - timedelta(days=rng.randint(18 * 365, 45 * 365))
    first_name, last_name = rng.choice(names.first[gender]), rng.choice(names.last[gender])
    yield "employee.csv", (emp_no, born, first_name, last_name, gender, hired)

    career = rng.choices(_CAREERS, _CAREER_WEIGHTS)[0]
    rank = 0 if rng.random() < 0.7 else rng.randrange(len(career))
    dept_no = plan.dept_no or _department(rng)
    for stint in _stints(rng, hired, plan):
        moves = [] if plan.stays else stint.days_inside(rng, rng.choices((0, 1, 2), (80, 17, 3))[0])
        for begins, ends in zip([stint.begins, *moves], [*moves, stint.ends], strict=True):
            yield "dept_emp.csv", (emp_no, dept_no, begins, ends)
            dept_no = _department(rng, other_than=dept_no)
        promotions = _promotions(rng, stint, moves, len(career) - 1 - rank)
        for begins, ends in zip([stint.begins, *promotions], [*promotions, stint.ends], strict=True):
            yield "title.csv", (emp_no, career[rank], begins, _with_a_gap(rng, begins, ends, stint))
            rank = min(rank + 1, len(career) - 1)
        yield from _of_zero_length(rng, emp_no, stint, dept_no, career[rank])


def _stints(rng: Random, hired: date, plan: Planned) -> list[Stint]:
    """From the first day at work, which may come later than the hiring; a fifth leave, a fifth of them return."""
    starts = hired + timedelta(days=rng.randint(1, 900) if plan.hired is None and rng.random() < 0.15 else 0)
    begins = min(starts, LAST_DAY)
    stints: list[Stint] = []
    while True:
        if plan.stays or rng.random() > 0.25:
            return [*stints, Stint(begins, STILL_TRUE)]
        # Now and then someone never comes back after the first day.
        ends = begins + timedelta(days=rng.randint(1, 5_000) if rng.random() > 0.004 else 0)
        if ends > LAST_DAY:
            return [*stints, Stint(begins, STILL_TRUE)]
        stints.append(Stint(begins, ends))
        begins = ends + timedelta(days=1 if rng.random() < 0.1 else rng.randint(2, 1_200))
        if begins > LAST_DAY or rng.random() > 0.2:
            return stints


def _promotions(rng: Random, stint: Stint, moves: list[date], steps: int) -> list[date]:
    """Days strictly inside the stint, at most `steps`; a move often brings a title with it."""
    days = {move for move in moves if rng.random() < 0.4}
    day = stint.begins + timedelta(days=rng.randint(500, 3_500))
    while day < min(stint.ends, LAST_DAY):
        days.add(day)
        day += timedelta(days=rng.randint(500, 3_500))
    return sorted(days)[:steps]


def _with_a_gap(rng: Random, begins: date, ends: date, stint: Stint) -> date:
    """The title's end; in one of a hundred it lapses some days before the next one, for HR forgot."""
    if ends == stint.ends or rng.random() > 0.01:
        return ends
    return max(begins, ends - timedelta(days=rng.randint(1, 20)))


def _of_zero_length(rng: Random, emp_no: int, stint: Stint, dept_no: str, title: str) -> Iterator[tuple[str, Row]]:
    """For one stint in a hundred, spells entered and taken back on the same day, at its start or end."""
    if rng.random() > 0.01:
        return
    day = stint.begins if stint.ends == STILL_TRUE or rng.random() < 0.5 else stint.ends
    what = rng.choice(("department", "title", "both"))
    if what != "title":
        yield "dept_emp.csv", (emp_no, dept_no, day, day)
    if what != "department":
        yield "title.csv", (emp_no, title, day, day)


def _department(rng: Random, other_than: str | None = None) -> str:
    while (dept_no := rng.choices(_DEPT_NOS, _DEPT_WEIGHTS)[0]) == other_than:
        pass
    return dept_no


class _Shuffled:
    """A CSV file whose rows come out in no order, with at most `_WINDOW` of them in memory."""

    def __init__(self, open_files: ExitStack, path: Path, seed: str) -> None:
        file: TextIO = open_files.enter_context(path.open("w", encoding="utf-8", newline=""))
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(COLUMNS[path.stem])
        self._held: list[Row] = []
        self._rng = Random(seed)  # noqa: S311 - as above

    def add(self, row: Row) -> None:
        if len(self._held) < _WINDOW:
            self._held.append(row)
            return
        at = int(self._rng.random() * _WINDOW)
        self._writer.writerow(self._held[at])
        self._held[at] = row

    def flush(self) -> None:
        self._rng.shuffle(self._held)
        self._writer.writerows(self._held)
        self._held.clear()


def main() -> None:
    parser = argparse.ArgumentParser(prog="company", description="Make up a company's history as five CSV files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    make(asked.folder, asked.people, asked.seed)
    sys.stdout.write(f"{asked.people} people, 1985 to 2002, in {asked.folder}\n")


if __name__ == "__main__":
    main()
