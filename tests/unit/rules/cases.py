"""cases.yaml as values, for the unit tests and for those on a real MongoDB."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from shared.rules import facets
from tests.unit.rules.reference import Person

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    rule: str
    people: dict[str, Person]
    matches: set[str]
    now: datetime = NOW

    def __str__(self) -> str:
        return self.rule[:60]


def _load() -> list[Case]:
    written: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text("utf-8"))
    return [
        Case(
            case["rule"],
            {name: Person.of(person) for name, person in case["people"].items()},
            set(case["matches"]),
            case.get("now", NOW),
        )
        for case in written
    ]


CASES = _load()


def facets_of(person: Person) -> dict[str, Any]:
    return facets(person.user, memberships=person.groups, manager_id=person.manager)
