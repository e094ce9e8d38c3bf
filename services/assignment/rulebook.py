"""Rules, role sets and populations as decisions see them: compiled, in memory, at one epoch.

Pure: `store.RuleStore` fills it. Changed in place and in one go, never half; what was decided on an older state is
decided again, because its epoch tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from services.assignment.model import role_of
from shared.contracts.catalog import Life, ResourceRole
from shared.rules import Rule, RuleError, RuleSet, parse


@lru_cache(maxsize=1 << 14)
def parsed(text: str) -> Rule | None:
    """The rule; None for a text that this version cannot read, which catalog should have refused."""
    try:
        return parse(text)
    except RuleError:
        return None


@dataclass(frozen=True, slots=True)
class Package:
    """A role set, and whether it may be given."""

    id: str
    name: str
    roles: tuple[tuple[str, ResourceRole], ...]
    """(key, role)"""
    life: Life
    incompatible: frozenset[str] = frozenset()
    """Packages whose holders cannot be given this one."""
    incompatible_groups: frozenset[str] = frozenset()
    """Groups, in small letters, whose members cannot be given it either."""
    catalog_id: str | None = None
    """None: not told yet."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who gets a package: by rule, by population, or directly."""

    id: str
    package_id: str
    name: str
    rule: str | None
    population_id: str | None
    expires_after: timedelta | None
    life: Life
    created_at: datetime
    expires_at: datetime | None = None
    gives_access: bool = True
    """Whoever begins to match its rule gets the package."""
    takes_access: bool = True
    """Whoever matches no longer loses it, after `grace_period` if there is one."""
    grace_period: timedelta | None = None
    accepts_by_hand: bool = True
    """False: a policy for direct assignment only that takes nothing new (POL-3)."""

    @property
    def automatic(self) -> bool:
        return self.rule is not None or self.population_id is not None


@dataclass(frozen=True, slots=True)
class Population:
    id: str
    rule: str
    life: Life


@dataclass
class Rulebook:
    """All of them at `epoch`."""

    epoch: int = 0
    packages: dict[str, Package] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    populations: dict[str, Population] = field(default_factory=dict)
    rules: RuleSet[str] = field(default_factory=RuleSet)
    """By policy; of those that are not deleted and whose package is known."""
    undecidable: set[str] = field(default_factory=set)
    """Policies whose rule cannot be read here: they neither give nor take."""
    clocked: set[str] = field(default_factory=set)
    _groups: Counter[str] = field(default_factory=Counter)
    _of_package: dict[str, dict[str, None]] = field(default_factory=dict)
    _of_population: dict[str, dict[str, None]] = field(default_factory=dict)

    @property
    def groups(self) -> Counter[str]:
        """Groups (in small letters) that some rule or some separation of duties names, and how many do."""
        return self._groups

    def policies_of_package(self, package_id: str) -> list[Policy]:
        return [self.policies[id] for id in self._of_package.get(package_id, ())]

    def policies_of_population(self, population_id: str) -> list[Policy]:
        return [self.policies[id] for id in self._of_population.get(population_id, ())]

    def rule_text(self, policy: Policy) -> str | None:
        """The policy's own rule, or its population's; None if it has none or the population is not known."""
        if policy.rule is not None:
            return policy.rule
        population = self.populations.get(policy.population_id or "")
        return population.rule if population and population.life is not Life.DELETED else None

    def may_add(self, policy_id: str) -> bool:
        """Nothing new is given by what is being deleted, nor by a rule that is not to give."""
        policy = self.policies[policy_id]
        active = policy.life is Life.ACTIVE and self.packages[policy.package_id].life is Life.ACTIVE
        return active and policy.gives_access

    def order(self, policy_id: str) -> tuple[datetime, str]:
        """Of several policies that match, the first in this order gives."""
        return self.policies[policy_id].created_at, policy_id

    def put(
        self,
        packages: Iterable[Package] = (),
        policies: Iterable[Policy] = (),
        populations: Iterable[Population] = (),
    ) -> None:
        """Take these over in the place of what had their ids."""
        touched: dict[str, None] = {}
        for population in populations:
            self.populations[population.id] = population
            touched.update(self._of_population.get(population.id, {}))
        for package in packages:
            known = self.packages.get(package.id)
            self._groups.subtract(_guarded_by(known))
            self._groups.update(_guarded_by(package))
            self.packages[package.id] = package
            if known is None or known.life is not package.life:
                touched.update(self._of_package.get(package.id, {}))
        for policy in policies:
            self._replace(policy)
            touched[policy.id] = None
        for policy_id in touched:
            self._file(self.policies[policy_id])
        self._groups += Counter()  # drops what nobody names any more

    def _replace(self, policy: Policy) -> None:
        if known := self.policies.get(policy.id):
            self._of_package.get(known.package_id, {}).pop(known.id, None)
            self._of_population.get(known.population_id or "", {}).pop(known.id, None)
        self.policies[policy.id] = policy
        self._of_package.setdefault(policy.package_id, {})[policy.id] = None
        if policy.population_id is not None:
            self._of_population.setdefault(policy.population_id, {})[policy.id] = None

    def _file(self, policy: Policy) -> None:
        if policy.id in self.rules.index:
            self._groups.subtract(self._named(self.rules[policy.id]))
        self.rules.remove(policy.id)
        self.undecidable.discard(policy.id)
        self.clocked.discard(policy.id)
        package = self.packages.get(policy.package_id)
        if policy.life is Life.DELETED or package is None or package.life is Life.DELETED:
            return
        text = self.rule_text(policy)
        if text is None:
            if policy.automatic and (policy.population_id or "") not in self.populations:
                self.undecidable.add(policy.id)  # its population has not arrived yet
            return
        rule = parsed(text)
        if rule is None:
            self.undecidable.add(policy.id)
            return
        self.rules.put(policy.id, rule)
        self._groups.update(self._named(rule))
        if rule.references.uses_clock:
            self.clocked.add(policy.id)

    @staticmethod
    def _named(rule: Rule) -> set[str]:
        return {group.lower() for group in rule.references.groups}


def _guarded_by(package: Package | None) -> frozenset[str]:
    """Groups that an automatic assignment of it has to look at."""
    return package.incompatible_groups if package is not None and package.life is not Life.DELETED else frozenset()


def package_of(document: dict[str, Any]) -> Package:
    roles = tuple(role_of(*parts) for parts in document["roles"])
    keyed = tuple((role.key, role) for role in roles)
    return Package(
        document["_id"],
        document["name"],
        keyed,
        Life(document["life"]),
        frozenset(document.get("incompatible", ())),
        frozenset(document.get("incompatible_groups", ())),
        document.get("catalog_id"),
    )


def policy_of(document: dict[str, Any]) -> Policy:
    return Policy(
        document["_id"],
        document["package_id"],
        document["name"],
        document["rule"],
        document["population_id"],
        _span(document["expires_after_s"]),
        Life(document["life"]),
        document["created_at"],
        document.get("expires_at"),
        document.get("gives_access", True),
        document.get("takes_access", True),
        _span(document.get("grace_period_s")),
        document.get("accepts_by_hand", True),
    )


def _span(seconds: float | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds is not None else None


def population_of(document: dict[str, Any]) -> Population:
    return Population(document["_id"], document["rule"], Life(document["life"]))
