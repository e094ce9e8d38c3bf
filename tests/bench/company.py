"""A made company: people who move between departments and titles, and rules that follow them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

import orjson

from shared.ids import derived_id

Record = tuple[bytes, bytes]
"""Key and value."""

START = datetime(2025, 1, 1, tzinfo=UTC)
BY_DEPARTMENT, BY_TITLE = 0.1, 0.05
"""Parts of the rules that ask for one value. The others combine two: a person has two or three packages."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An access package and the rule that gives it."""

    name: str
    text: str

    @property
    def package_id(self) -> str:
        return derived_id("bench-package", self.name)

    @property
    def policy_id(self) -> str:
        return derived_id("bench-policy", self.name)


@dataclass(frozen=True, slots=True)
class Change:
    """One HR change, and the group that the person comes into by it."""

    employee: str
    group: str
    body: bytes

    @property
    def record(self) -> Record:
        return self.employee.encode(), self.body


class Company:
    """`people` of them under `rules` rules. Every change moves at least one package of its person.

    Of two with different `name`s on one Tenure neither has to do with the other."""

    def __init__(self, people: int, rules: int, name: str = "") -> None:
        self.people = people
        self._name = name
        self.departments = max(5, round(rules * BY_DEPARTMENT))
        self.titles = max(2, round(rules * BY_TITLE))
        self.cities = 20
        self.rules = [*islice(self._rules(), rules)]
        self._count = 0
        self._departments = {n: n * 7 % self.departments for n in range(people)}
        self._titles = {n: n % self.titles for n in range(people)}

    def _rules(self) -> Iterator[Rule]:
        for n in range(self.departments):
            yield Rule(self.department(n), f'user.department -eq "{self.department(n)}"')
        for n in range(self.titles):
            yield Rule(self.title(n), f'user.jobTitle -eq "{self.title(n)}"')
        for n in count():
            first, second = n % self.departments, (n + 1) % self.departments
            kind = n % 16
            if kind < 9:
                told = self.title(n // self.departments % self.titles)
                text = f'(user.department -eq "{self.department(first)}") -and (user.jobTitle -eq "{told}")'
            elif kind < 14:
                text = (
                    f'(user.department -in ["{self.department(first)}", "{self.department(second)}"]) '
                    f'-and (user.city -eq "{city(n % self.cities)}")'
                )
            else:
                told = self.title(1)  # and all that begin so
                text = f'(user.department -eq "{self.department(first)}") -and (user.jobTitle -startsWith "{told}")'
            yield Rule(f"{self._name}Combined {n}", text)

    def joined(self) -> Iterator[Change]:
        """Everyone, once."""
        for n in range(self.people):
            attributes = {
                "displayName": f"Person {n}",
                "givenName": "Person",
                "surname": f"Number{n}",
                "userPrincipalName": f"{self._name}person{n}@bench.example",
                "mail": f"{self._name}person{n}@bench.example",
                "department": self.department(self._departments[n]),
                "jobTitle": self.title(self._titles[n]),
                "city": city(n % self.cities),
                "country": "Norway",
                "employeeHireDate": "2024-06-01",
            }
            yield self._change(n, "joined", attributes, self.department(self._departments[n]))

    def changed(self, count: int, among: range | None = None) -> Iterator[Change]:
        """`count` moves of the people in `among` in turn: three to another department, then two to another title."""
        among = among or range(self.people)
        for number in range(count):
            n = among[number % len(among)]
            if (number + number // len(among)) % 5 < 3:
                to = self._departments[n] = (self._departments[n] + 1 + number % 3) % self.departments
                yield self._change(n, "changed", {"department": self.department(to)}, self.department(to))
            else:
                to = self._titles[n] = (self._titles[n] + 1) % self.titles
                yield self._change(n, "changed", {"jobTitle": self.title(to)}, self.title(to))

    def left(self, among: range) -> Iterator[Change]:
        for n in among:
            yield self._change(n, "left", {}, self.department(self._departments[n]))

    def _change(self, n: int, kind: str, attributes: dict[str, Any], group: str) -> Change:
        self._count += 1
        id = f"{self._name}bench-{self._count}"
        body = {
            "changeId": id,
            "employeeId": self.employee(n),
            "kind": kind,
            "effectiveAt": (START + timedelta(seconds=self._count)).isoformat(),
            "attributes": attributes,
        }
        return Change(self.employee(n), group, orjson.dumps(body))

    def employee(self, n: int) -> str:
        return f"{self._name}E{n}"

    def department(self, n: int) -> str:
        return f"{self._name}Department {n}"

    def title(self, n: int) -> str:
        return f"{self._name}Title {n}"


def city(n: int) -> str:
    return f"City {n}"
