"""Catalog's collections: one a kind of thing, and a replica of the directory's groups."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from services.catalog.model import Catalog, Extension, K, Kept, Package, Policy, Population, Resource, RoleAssignment
from shared.contracts.base import Fact
from shared.contracts.catalog import (
    CatalogFact,
    Life,
    PackageFact,
    PolicyFact,
    PopulationFact,
    ResourceFact,
    RoleAssignmentFact,
)
from shared.contracts.directory import GroupFact, PersonFact, PersonStatus
from shared.contracts.extensions import ExtensionFact
from shared.contracts.topics import (
    CATALOG_FACTS,
    EXTENSION_FACTS,
    GROUP_FACTS,
    PACKAGE_FACTS,
    POLICY_FACTS,
    POPULATION_FACTS,
    RESOURCE_FACTS,
    ROLE_ASSIGNMENT_FACTS,
    Topic,
)
from shared.hearing import Hearing
from shared.messaging.decision import AggregateKind
from shared.storage import Database, Index, MongoAggregates, Replica

LIVING = {"state.life": {"$ne": Life.DELETED.value}}
"""Tombstones stay in the collections, for versions never restart; nobody is shown them."""


@dataclass(frozen=True)
class Versioned(Generic[K]):
    """A thing and the number of its last fact: its ETag."""

    item: K
    version: int
    document: Mapping[str, Any]
    """As stored, by the names that lists are asked by."""


class Shelf(Generic[K]):
    """All things of one kind."""

    def __init__(
        self,
        database: Database,
        name: str,
        model: type[K],
        topic: Topic,
        fact: type[Fact],
        unique: tuple[str, ...] | None,
        indexes: Sequence[Index] = (),
    ) -> None:
        """`unique`: fields of the state within which names are unique; None: two may have the same name."""
        self.model = model
        self.kind = AggregateKind[K](
            name=model.__name__.lower(),
            owner="catalog",
            dump=_dumped,
            load=model.model_validate,
            topic=topic,
            fact=fact,
            public=lambda item: item.public(),
            due_at=lambda item: item.deletion.again_at if item.deletion else None,
        )
        # A tombstone has no folded name, so its name is free again.
        named = {"state.folded": {"$exists": True}}
        if unique is not None:
            of_its_name = Index(*(f"state.{field}" for field in unique), "state.folded", unique=True, partial=named)
            indexes = (of_its_name, *indexes)
        self.store = MongoAggregates(database, name, indexes)

    async def get(self, id: str) -> Versioned[K] | None:
        """The one of that id, unless it is deleted."""
        found = await self.find({"_id": id, **LIVING}, limit=1)
        return found[0] if found else None

    async def find(
        self,
        query: Mapping[str, Any],
        *,
        sort: Sequence[tuple[str, int]] = (("_id", 1),),
        skip: int = 0,
        limit: int = 0,
    ) -> list[Versioned[K]]:
        """All that match, tombstones too unless the query says otherwise."""
        found = await self.store.states(dict(query), sort=sort, skip=skip, limit=limit)
        return [self._versioned(state) for state in found]

    async def count(self, query: Mapping[str, Any]) -> int:
        return await self.store.count(dict(query))

    async def lives(self, ids: Collection[str]) -> dict[str, Life]:
        """How things are with these; those that were never made are left out."""
        if not ids:
            return {}
        found = await self.store.pairs({"_id": {"$in": list(ids)}}, "state.life")
        return {id: Life(life) for id, life in found if life is not None}

    def _versioned(self, state: dict[str, Any]) -> Versioned[K]:
        id, version = state.pop("_id"), state.pop("version")
        state.pop("revision")
        return Versioned(self.model.model_validate(state), version, {"_id": id, "state": state})


def _dumped(item: Kept) -> dict[str, Any]:
    document = item.model_dump(by_alias=False)  # contracts inside would use the names of the wire
    if item.life is not Life.DELETED:
        document["folded"] = item.display_name.casefold()
    return document


class Shelves:
    """Everything this service keeps."""

    def __init__(self, database: Database) -> None:
        self.catalogs = Shelf(database, "catalogs", Catalog, CATALOG_FACTS, CatalogFact, ())
        self.resources = Shelf(
            database, "resources", Resource, RESOURCE_FACTS, ResourceFact, ("catalog_id", "origin_system", "origin_id")
        )
        self.packages = Shelf(
            database,
            "packages",
            Package,
            PACKAGE_FACTS,
            PackageFact,
            ("catalog_id",),
            (Index("state.folded"), Index("state.roles.origin_id"), Index("state.incompatible_packages")),
        )
        self.policies = Shelf(
            database,
            "policies",
            Policy,
            POLICY_FACTS,
            PolicyFact,
            ("package_id",),
            (Index("state.folded"), Index("state.population_id"), Index("state.extensions.extension_id")),
        )
        self.populations = Shelf(database, "populations", Population, POPULATION_FACTS, PopulationFact, ())
        self.extensions = Shelf(
            database,
            "extensions",
            Extension,
            EXTENSION_FACTS,
            ExtensionFact,
            None,
            (Index("state.catalog_id", "state.folded"),),
        )
        self.role_assignments = Shelf(
            database,
            "role_assignments",
            RoleAssignment,
            ROLE_ASSIGNMENT_FACTS,
            RoleAssignmentFact,
            ("principal_id", "scope"),
            (Index("state.catalog_id"),),
        )
        self.groups = Groups(database)
        self.people = People(database)

    def all(self) -> tuple[Shelf[Any], ...]:
        return (
            self.catalogs,
            self.resources,
            self.packages,
            self.policies,
            self.populations,
            self.extensions,
            self.role_assignments,
        )

    async def parents_of(self, items: Iterable[Kept]) -> dict[str, Life]:
        """How things are with everything that these lie in, refer to or name."""
        return await self.lives({id for item in items for id in (*item.parents, *item.named)})

    async def lives(self, ids: Collection[str]) -> dict[str, Life]:
        """How things are with these, whatever they are of what others lie in, refer to or name."""
        if not ids:
            return {}
        places = (self.catalogs, self.packages, self.populations, self.extensions)
        found = await asyncio.gather(*(shelf.lives(ids) for shelf in places))
        return {id: life for lives in found for id, life in lives.items()}

    async def uses_of(self, items: Iterable[Kept]) -> dict[str, str]:
        """What of these (catalogs, resources, populations, extensions) is still needed, and by what, in words."""
        used: dict[str, str] = {}
        for item in items:
            count, by = 0, ""
            if isinstance(item, Catalog):
                count, by = await self.packages.count({"state.catalog_id": item.id, **LIVING}), "access packages"
            elif isinstance(item, Population):
                count, by = await self.policies.count({"state.population_id": item.id, **LIVING}), "policies"
            elif isinstance(item, Extension):
                count, by = await self.policies.count({"state.extensions.extension_id": item.id, **LIVING}), "policies"
            elif isinstance(item, Resource):
                query = {"state.catalog_id": item.catalog_id, "state.roles.origin_id": item.origin_id, **LIVING}
                count, by = await self.packages.count(query), "access packages"
            if count:
                used[item.id] = f"The {item.noun} {item.display_name!r} is needed by {count} {by}: delete them first."
        return used

    async def catalog_of_package(self, id: str) -> str | None:
        """Where a package lies; None for one that is not there."""
        found = await self.packages.get(id)
        return found.item.catalog_id if found else None

    async def ids_of(self, kept: str, where: Mapping[str, Any], limit: int) -> list[str]:
        """Of catalogs or packages that are there, by the names that lists have for them."""
        shelves: Mapping[str, Shelf[Any]] = {"catalogs": self.catalogs, "packages": self.packages}
        return await shelves[kept].store.ids({"$and": [dict(where), LIVING]}, limit=limit)

    async def packages_in(self, catalogs: Iterable[str]) -> list[str]:
        """Ids of the packages of these catalogs."""
        return await self.packages.store.ids({"state.catalog_id": {"$in": sorted(catalogs)}, **LIVING})

    async def names_of(self, ids: Collection[str], shelf: Shelf[Any]) -> dict[str, Versioned[Any]]:
        """Those of `ids` that are there, by id."""
        found = await shelf.find({"_id": {"$in": list(ids)}, **LIVING})
        return {one.item.id: one for one in found}


class Groups:
    """The directory's groups, as far as its facts have been heard."""

    def __init__(self, database: Database) -> None:
        self.replica = Replica[GroupFact](database, "groups", _kept_of_group)

    async def there(self, ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """What is kept of those that are there."""
        found = await self.replica.get(ids)
        return {id: group for id, group in found.items() if not group["deleted"]}

    async def names(self, ids: Collection[str]) -> dict[str, str]:
        """Names of those that are there."""
        return {id: group["name"] for id, group in (await self.there(ids)).items()}

    async def is_unified(self, id: str) -> bool:
        """Whether it is a Microsoft 365 group."""
        return bool((await self.replica.get([id])).get(id, {}).get("unified"))

    async def names_once_heard(self, ids: Collection[str], hearing: Hearing) -> dict[str, str]:
        """The same as it is now, waiting for groups that were just made or deleted and not heard of yet."""
        return await hearing.once(
            lambda: self.names(ids), enough=lambda found: len(found) == len(set(ids)), about={GROUP_FACTS: ids}
        )


class People:
    """Who is in the directory, as far as its facts have been heard."""

    def __init__(self, database: Database) -> None:
        self.replica = Replica[PersonFact](
            database,
            "people",
            lambda fact: {
                "left": fact.state.status is PersonStatus.LEFT,
                "name": fact.state.attributes.get("displayName"),
                "user_principal_name": fact.state.attributes.get("userPrincipalName"),
            },
        )

    async def there(self, ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """What is kept of those who have joined and not left."""
        found = await self.replica.get(ids)
        return {id: person for id, person in found.items() if not person["left"]}


def _kept_of_group(fact: GroupFact) -> dict[str, Any]:
    state = fact.state
    return {
        "name": state.display_name,
        "deleted": state.deleted_at is not None,
        "by_rule": state.is_dynamic,
        "only_mail": state.mail_enabled and not state.security_enabled and "Unified" not in state.group_types,
        "unified": "Unified" in state.group_types,
        "shown": {
            "description": state.description,
            "groupTypes": list(state.group_types),
            "mailEnabled": state.mail_enabled,
            "mailNickname": state.mail_nickname,
            "securityEnabled": state.security_enabled,
            "visibility": state.visibility,
            "createdDateTime": state.created_at,
        },
    }
