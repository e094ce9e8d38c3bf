"""What the spells alone say: who must hold what on a day, straight from the CSV rows.

It shares nothing with the feed or any service but the reader of rows and the wish list in `packages`. A spell counts
when `from_date <= day < to_date`. Whoever no department spell covers on that day is not there (not yet, left, or
between two jobs) and holds nothing, even if a title or a manager's term runs on.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from deploy.demo.history import Spell, department_spells, manager_terms, title_spells
from deploy.demo.packages import Facts, Package


def facts_on(folder: Path, day: date) -> dict[int, Facts]:
    """By number, everyone employed on that day with what is true of them."""
    departments, titles = _true_on(day, department_spells(folder)), _true_on(day, title_spells(folder))
    managers = {term.emp_no for term in manager_terms(folder) if term.covers(day)}
    return {
        emp_no: Facts(frozenset(names), frozenset(titles.get(emp_no, ())), emp_no in managers)
        for emp_no, names in departments.items()
    }


def holders_on(folder: Path, packages: Iterable[Package], day: date) -> dict[str, set[int]]:
    """By package name (its group's too), who must hold it on that day; a package nobody holds is there, empty."""
    facts = facts_on(folder, day)
    return {package.name: {emp_no for emp_no, of in facts.items() if package.is_for(of)} for package in packages}


def _true_on(day: date, spells: Iterable[tuple[int, Spell]]) -> dict[int, set[str]]:
    held: dict[int, set[str]] = defaultdict(set)
    for emp_no, spell in spells:
        if spell.covers(day):
            held[emp_no].add(spell.name)
    return held
