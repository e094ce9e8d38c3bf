"""Which access packages the demo wants, and for whom: one value that `catalog` writes as rules and `truth` counts by.

A package is named exactly as its department or job title. Where a department and a title share a name there is one
package of that name with a policy for each, so either way in gives it. The combined ones are chosen by size from
whatever the folder holds, and step aside (` (combined)`) if their name, or one too like it for rules, is taken.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.history import department_names, department_spells, title_spells
from shared.rules.text import fold

LONGEST_NAME = 256
"""Characters that Graph gives the name of a group, a package or a policy."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the spells say of one employed person on one day."""

    departments: frozenset[str]
    titles: frozenset[str]
    manages: bool


@dataclass(frozen=True, slots=True)
class InDepartment:
    """Works in one of these departments."""

    names: tuple[str, ...]

    def holds_for(self, facts: Facts) -> bool:
        return not facts.departments.isdisjoint(self.names)


@dataclass(frozen=True, slots=True)
class WithTitle:
    """Has one of these job titles."""

    names: tuple[str, ...]

    def holds_for(self, facts: Facts) -> bool:
        return not facts.titles.isdisjoint(self.names)


@dataclass(frozen=True, slots=True)
class Manages:
    """Manages a department, whichever, theirs or not."""

    def holds_for(self, facts: Facts) -> bool:
        return facts.manages


@dataclass(frozen=True, slots=True)
class Both:
    left: "Who"
    right: "Who"

    def holds_for(self, facts: Facts) -> bool:
        return self.left.holds_for(facts) and self.right.holds_for(facts)


@dataclass(frozen=True, slots=True)
class Either:
    left: "Who"
    right: "Who"

    def holds_for(self, facts: Facts) -> bool:
        return self.left.holds_for(facts) or self.right.holds_for(facts)


@dataclass(frozen=True, slots=True)
class Not:
    whom: "Who"

    def holds_for(self, facts: Facts) -> bool:
        return not self.whom.holds_for(facts)


Who = InDepartment | WithTitle | Manages | Both | Either | Not


@dataclass(frozen=True, slots=True)
class Package:
    """One access package and its group of the same name; each policy alone gives it."""

    name: str
    description: str
    policies: tuple[tuple[str, Who], ...]

    def is_for(self, facts: Facts) -> bool:
        return any(who.holds_for(facts) for _, who in self.policies)


def packages_of(folder: Path) -> list[Package]:
    """Every department, every job title, then some that combine them, then managers; in that order, by name."""
    departments, titles = set(department_names(folder).values()), {spell.name for _, spell in title_spells(folder)}
    found = [_named(name, name in departments, name in titles) for name in sorted(departments | titles)]
    taken = {fold(package.name) for package in found}
    for name, description, who in _combined(*_by_size(folder)):
        aside = ""
        while fold(free := _cut(name, aside)) in taken:
            aside += " (combined)"
        taken.add(fold(free))
        found.append(Package(free, description, ((_policy_of(free, "by rule"), who),)))
    return found


def _cut(name: str, aside: str) -> str:
    room = LONGEST_NAME - len(aside)
    return (name if len(name) <= room else f"{name[: room - 1]}…") + aside


def _policy_of(package: str, way: str) -> str:
    whole = f"{package}, {way}"
    return whole if len(whole) <= LONGEST_NAME else way


def _named(name: str, is_department: bool, is_title: bool) -> Package:
    ways: list[tuple[str, str, Who]] = []
    if is_department:
        ways.append(("by department", "works in that department", InDepartment((name,))))
    if is_title:
        ways.append(("by job title", "has that job title", WithTitle((name,))))
    description = f"For everyone who {' or '.join(whom for _, whom, _ in ways)}."
    return Package(name, description, tuple((_policy_of(name, way), who) for way, _, who in ways))


def _by_size(folder: Path) -> tuple[list[str], list[str]]:
    """Departments and titles, those with the most spells first, then by name: the same for the same folder."""

    def ranked(sizes: Counter[str]) -> list[str]:
        return sorted(sizes, key=lambda name: (-sizes[name], name))

    return (
        ranked(Counter(spell.name for _, spell in department_spells(folder))),
        ranked(Counter(spell.name for _, spell in title_spells(folder))),
    )


def _combined(departments: list[str], titles: list[str]) -> Iterator[tuple[str, str, Who]]:
    """(name, description, for whom). A folder too small for a combination goes without it."""
    match departments, titles:
        case [largest, *_], [usual, *_]:
            here, so = InDepartment((largest,)), WithTitle((usual,))
            yield f"{usual} in {largest}", "Department and job title together.", Both(here, so)
            yield f"{largest} without {usual}", "A department without one job title.", Both(here, Not(so))
    match departments, titles:
        case [_, second, *_], [_, *_, rarest]:
            rare = WithTitle((rarest,))
            yield f"{second} or {rarest}", "Either way in is enough.", Either(InDepartment((second,)), rare)
    if len(departments) > 2:
        three = tuple(departments[:3])
        yield f"{three[0]}, {three[1]} and {three[2]}", "Any of three departments.", InDepartment(three)
        if len(titles) > 1:
            some = Both(WithTitle(tuple(titles[:2])), Not(InDepartment(three)))
            yield f"{titles[0]} and {titles[1]} elsewhere", "Two job titles outside three departments.", some
    yield "Managers", "Everyone who manages a department.", Manages()
