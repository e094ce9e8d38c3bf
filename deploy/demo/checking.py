"""What came out against what the spells say: pure, by package and by group."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

Found = Mapping[str, Collection[int]]
"""By package or group name, the numbers of those who hold it or are in it."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One package or group that is not as the spells say."""

    kind: str
    """'package' or 'group'."""
    name: str
    missing: tuple[int, ...]
    """Who should be there and is not."""
    surplus: tuple[int, ...]
    """Who is there and should not be."""
    absent: bool = False
    """There is no package (group) of that name at all."""

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "missing": list(self.missing),
            "surplus": list(self.surplus),
            **({"absent": True} if self.absent else {}),
        }


def compare(kind: str, expected: Mapping[str, set[int]], found: Found) -> list[Mismatch]:
    """Every name in `expected` whose people differ, in that order. Names that only `found` has are not judged."""
    wrong: list[Mismatch] = []
    for name, people in expected.items():
        there = set(found.get(name, ()))
        if name not in found or there != people:
            wrong.append(
                Mismatch(kind, name, tuple(sorted(people - there)), tuple(sorted(there - people)), name not in found)
            )
    return wrong


def judged(made: Mapping[str, Any], given: Mapping[str, Any]) -> set[str]:
    """Names of packages that `given` describes just as the document `made` from the history does.

    Of others (a file of the operator's own) the spells cannot say who should hold them."""
    ours, theirs = _by_name(made), _by_name(given)
    return {name for name, package in ours.items() if theirs.get(name) == package}


def _by_name(document: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for catalog in document.get("catalogs") or ():
        for package in catalog.get("packages") or ():
            roles = sorted((r.get("group"), r.get("role", "Member")) for r in package.get("roles") or ())
            rules = sorted(str(policy.get("automatic")) for policy in package.get("policies") or ())
            found[package.get("name")] = (tuple(roles), tuple(rules))
    return found
