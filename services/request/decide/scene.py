"""What a decision about a request may look at besides the request: how things are with all that it names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.contracts.assignment import AssignmentStatus
from shared.contracts.catalog import Life, PolicyState
from shared.contracts.directory import PersonStatus
from shared.contracts.policy import ResourceAttribute


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks, or whose access it is about."""

    id: str
    status: PersonStatus
    manager_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Graph user properties."""
    groups: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()
    """Properties that are only what they said of themself: rules do not read them."""

    @property
    def name(self) -> str:
        return str(self.attributes.get("displayName") or self.id)

    @property
    def may_sign_in(self) -> bool:
        """Neither gone nor suspended, nor blocked by hand (PPL-1)."""
        return self.status is PersonStatus.ACTIVE and self.attributes.get("accountEnabled") is not False

    @property
    def is_guest(self) -> bool:
        return str(self.attributes.get("userType") or "").lower() == "guest"


@dataclass(frozen=True, slots=True)
class Package:
    id: str
    name: str
    catalog_id: str
    life: Life
    is_hidden: bool = False
    incompatible_packages: frozenset[str] = frozenset()
    incompatible_groups: frozenset[str] = frozenset()
    resources: tuple[str, ...] = ()
    """Names of the resources that it brings roles of."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy in one of its versions."""

    version: int
    state: PolicyState


@dataclass(frozen=True, slots=True)
class Held:
    """An assignment that somebody has."""

    id: str
    package_id: str
    policy_id: str
    kind: str
    status: AssignmentStatus
    starts_at: datetime
    ends_at: datetime | None

    @property
    def automatic(self) -> bool:
        return self.kind == "automatic"


@dataclass(frozen=True, slots=True)
class Gone:
    """Of what requests are about: what was there once and is no longer. What was never heard of is not among it."""

    people: frozenset[str] = frozenset()
    """Who have left."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Their names, by id."""
    policies: Mapping[str, str] = field(default_factory=dict)
    """Their names, by id."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All by id. What is missing is not known here."""

    packages: Mapping[str, Package] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    """Of all packages asked for, not only the policies that were named."""
    people: Mapping[str, Person] = field(default_factory=dict)
    held: Mapping[str, tuple[Held, ...]] = field(default_factory=dict)
    """By person."""
    populations: Mapping[str, str] = field(default_factory=dict)
    """Their rules."""
    attributes: Mapping[str, tuple[ResourceAttribute, ...]] = field(default_factory=dict)
    """By package: what its resources want to know."""
    published: frozenset[str] = frozenset()
    """Catalogs."""
    external: frozenset[str] = frozenset()
    """Those of them that are open to people outside."""
    gone: Gone = Gone()
    """Of what is named by requests that are there already."""

    def without(self, assignments: Collection[str]) -> Scene:
        """As if nobody held these."""
        left = {id: tuple(one for one in held if one.id not in assignments) for id, held in self.held.items()}
        return replace(self, held=left)
