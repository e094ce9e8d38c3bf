"""The numbered features of reference/entra-features.md: which a test covers, from which we deviate, which are open.

A test covers an item by `@pytest.mark.spec("SOD-2")` (several ids in one mark are fine), and only if it fails once the
behaviour is taken out.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rich.console import Console

from tests.conformance.examples import HERE, REFERENCE

TESTS = HERE.parent
FEATURES = REFERENCE / "entra-features.md"
DEVIATIONS = HERE / "DEVIATIONS.md"

_SECTION = re.compile(r"## (?P<number>\d+)\. (?P<title>.+)")
_ITEM = re.compile(r"- (?P<id>[A-Z]{2,3}-\d+) (?P<text>.+)")
_DEVIATION = re.compile(r"\| (?P<id>[A-Z]{2,3}-\d+) \| (?P<why>.+?) \|?$")

AREAS: dict[str, frozenset[int]] = {
    "entitlement": frozenset({*range(1, 15), 17, 18}),
    "reviews": frozenset({15, 16}),
}
PLANNED_SECTIONS = frozenset({12, 14})
PLANNED = frozenset({"APR-12", "APR-13", "REQ-9", "ST-3", "ML-4"})
"""Stored and answered now, acted on later; the last three are about people outside alone, like section 12."""


class Status(StrEnum):
    """How it stands with an item."""

    COVERED = "covered"
    DEVIATING = "deviating"
    PLANNED = "planned"
    OPEN = "open"


@dataclass(frozen=True)
class Item:
    """One numbered feature."""

    id: str
    section: int
    title: str
    """Of the section."""
    text: str


def read_items(text: str) -> Iterator[Item]:
    """The items of the page, in its order."""
    section, title = 0, ""
    for line in text.splitlines():
        if found := _SECTION.fullmatch(line):
            section, title = int(found["number"]), found["title"]
        elif found := _ITEM.match(line):
            yield Item(found["id"], section, title, found["text"])


def read_deviations(text: str) -> dict[str, str]:
    """Id -> why, from the rows of the table."""
    return {found["id"]: found["why"] for line in text.splitlines() if (found := _DEVIATION.match(line))}


def marked(folder: Path = TESTS) -> dict[str, list[str]]:
    """Id -> the tests that are marked with it, as pytest names them."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
        for name, ids in _tests(tree):
            for id in ids:
                found[id].append(f"{file.relative_to(folder.parent)}::{name}")
    return dict(found)


def _tests(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Name and marks of each test of a module: functions, and state machines (`TestX = X.TestCase`)."""
    assigned = {ast.unparse(one.targets[0]): one.value for one in tree.body if isinstance(one, ast.Assign)}
    everywhere = list(_ids(assigned["pytestmark"])) if "pytestmark" in assigned else []
    for name in assigned:
        if re.fullmatch(r"Test\w+", name):
            yield name, everywhere
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, everywhere + [id for one in node.decorator_list for id in _ids(one)]


def _ids(node: ast.expr) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and ast.unparse(one.func) == "pytest.mark.spec":
            yield from (str(id.value) for id in one.args if isinstance(id, ast.Constant))


def status_of(item: Item, tests: Mapping[str, list[str]], deviations: Mapping[str, str]) -> Status:
    """A test counts more than a word about it."""
    if item.id in tests:
        return Status.COVERED
    if item.id in deviations:
        return Status.DEVIATING
    if item.id in PLANNED or item.section in PLANNED_SECTIONS:
        return Status.PLANNED
    return Status.OPEN


def print_items(console: Console, area: str) -> int:
    """0 if none of the area is open and every mark and deviation names an item; 1 otherwise."""
    if not FEATURES.exists():
        console.print(f"{FEATURES} is not here: its items cannot be listed.", markup=False)
        return 0
    every = list(read_items(FEATURES.read_text(encoding="utf-8")))
    tests, deviations = marked(), read_deviations(DEVIATIONS.read_text(encoding="utf-8"))
    count: defaultdict[Status, int] = defaultdict(int)
    title = ""
    for item in every:
        if area != "all" and item.section not in AREAS[area]:
            continue
        if item.title != title:
            title = item.title
            console.print(f"\n{item.section}. {title}", style="bold", markup=False)
        status = status_of(item, tests, deviations)
        count[status] += 1
        told = {Status.COVERED: ", ".join(tests.get(item.id, ())), Status.DEVIATING: deviations.get(item.id, "")}
        console.print(f"{item.id:<8}{status:<10} {told.get(status, item.text[:90])}", markup=False)
    console.print("\n" + ", ".join(f"{count[status]} {status}" for status in Status))
    unknown = sorted({*tests, *deviations} - {item.id for item in every})
    for id in unknown:
        console.print(f"There is no item {id}: a test or a deviation names it.", markup=False)
    return 1 if count[Status.OPEN] or unknown else 0
