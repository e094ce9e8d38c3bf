"""Collections of applications, sites, held roles and the definitions of directory roles."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.directory.decide.held_roles import GiveByHand, Offered, Place, TakeByHand
from services.directory.resources.builtin import built_in_roles
from services.directory.store import GroupStore, page_of
from shared.contracts.resources import (
    NO_ROLE,
    OWNER,
    ApplicationState,
    HeldRolesState,
    RoleAt,
    RoleSystem,
    SetHeldRoles,
    SiteState,
    principal_id_of,
)
from shared.contracts.roles import RoleDefinitionState
from shared.ids import derived_id
from shared.messaging.callers import AWAY, held_of
from shared.security.authority import Held
from shared.security.caller import Caller
from shared.storage import Database, Documents, Index, MongoAggregates
from shared.web.odata import ListQuery

Document = dict[str, Any]

LIVING: Document = {"state.deleted_at": None}


def site_id_of(web_url: str) -> str:
    """A site is known by its address, whatever its case and whether or not a slash ends it."""
    return derived_id("site", web_url.rstrip("/").casefold())


class Applications(MongoAggregates):
    """`applications`, by the service principal's id. Deleted ones stay."""

    def __init__(self, database: Database) -> None:
        super().__init__(
            database,
            "applications",
            [
                Index("state.label", "_id"),
                Index("state.app_id"),
                Index("state.registration_id", partial={"state.registration_id": {"$type": "string"}}),
            ],
        )

    async def offered(self, ids: Collection[str], registrations: Collection[str]) -> dict[Place, Collection[str]]:
        """Which roles people can be given at these service principals and applications."""
        either = [{"_id": {"$in": list(ids)}}, {"state.registration_id": {"$in": list(registrations)}}]
        offered: dict[Place, Collection[str]] = {}
        for one in await self.states({"$or": either, **LIVING}) if ids or registrations else ():
            if one["is_principal"]:
                offered[RoleSystem.APPLICATION, one["_id"]] = {OWNER, *_app_roles(one)}
            if one["registration_id"]:
                offered[RoleSystem.REGISTRATION, one["registration_id"]] = {OWNER}
        return offered


def _app_roles(application: Mapping[str, Any]) -> list[str]:
    for_people = [
        role["id"] for role in application["app_roles"] if role["is_enabled"] and "User" in role["allowed_member_types"]
    ]
    return for_people or [NO_ROLE]


class Sites(MongoAggregates):
    """`sites`, by an id derived from the address. Deleted ones stay."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "sites", [Index("state.label", "_id")])

    async def offered(self, urls: Collection[str]) -> dict[Place, Collection[str]]:
        by_id = {site_id_of(url): url for url in urls}
        found = await self.states({"_id": {"$in": list(by_id)}, **LIVING}) if by_id else ()
        return {(RoleSystem.SITE, by_id[one["_id"]]): {role["id"] for role in one["roles"]} for one in found}


class OwnHolders:
    """Who holds which directory roles and owns what, from where it is decided. Implements `shared.web.guard.Holders`.

    Roles for catalogs open nothing here; where they do, `organizations.holders` adds them."""

    def __init__(self, held: HeldRoles, people: MongoAggregates) -> None:
        self._held = held
        self._people = people

    async def abreast(self, caller: Caller) -> None:
        return None

    async def is_away(self, person_id: str) -> bool:
        away = [{"state.status": {"$in": [one.value for one in AWAY]}}, {"state.attributes.accountEnabled": False}]
        return bool(await self._people.ids({"_id": person_id, "$or": away}, limit=1))

    async def held(self, caller: Caller) -> Held:
        principal = caller.person_id or (principal_id_of(caller.app_id) if caller.app_id else None)
        found = await self._held.state(principal) if principal else None
        own = held_of(load_held(found).roles) if found else {}
        return Held(directory=frozenset(own.get("directory", ())), owns=frozenset(own.get("owns", ())))


@dataclass(frozen=True, slots=True)
class Scope:
    """Some of all held roles."""

    narrowed: Document
    """A filter on whole people, by index."""
    where: Document
    """A filter on single roles."""


class HeldRoles(MongoAggregates):
    """`held_roles`, by person id. What is over stays as far as a grant spoke of it: `obeyed` must not restart."""

    def __init__(
        self,
        database: Database,
        groups: GroupStore,
        applications: Applications,
        sites: Sites,
        definitions: RoleDefinitions,
    ) -> None:
        super().__init__(
            database, "held_roles", [Index("state.roles.key"), Index("state.roles.at"), Index("state.roles.id")]
        )
        self._groups = groups
        self._applications = applications
        self._sites = sites
        self._definitions = definitions

    async def look(
        self, messages: Sequence[SetHeldRoles | GiveByHand | TakeByHand], _states: Mapping[str, HeldRolesState | None]
    ) -> Offered:
        """Which of the roles that the messages name there are; which are the person's alone."""
        named: dict[RoleSystem, set[str]] = {system: set() for system in RoleSystem}
        sole: set[tuple[str, str]] = set()
        for message in messages:
            roles: Sequence[RoleAt] = message.wishes if isinstance(message, SetHeldRoles) else (message.role,)
            for role in roles:
                named[role.origin_system].add(role.origin_id)
            if isinstance(message, TakeByHand) and not await self._others(message):
                sole.add((message.person_id, message.role.key))
        groups = await self._groups.there(named[RoleSystem.GROUP]) if named[RoleSystem.GROUP] else ()
        offered: dict[Place, Collection[str]] = {(RoleSystem.GROUP, id): {OWNER} for id in groups}
        offered |= await self._applications.offered(named[RoleSystem.APPLICATION], named[RoleSystem.REGISTRATION])
        offered |= await self._sites.offered(named[RoleSystem.SITE])
        if scopes := named[RoleSystem.DIRECTORY]:
            # At the whole tenant or within a part of it: whether there is such a part, the route asks.
            assignable = await self._definitions.assignable()
            offered |= {(RoleSystem.DIRECTORY, scope): assignable for scope in scopes}
        return Offered(offered, sole)

    async def _others(self, asked: TakeByHand) -> bool:
        wanted = {"key": asked.role.key, "held": True}
        query = {
            "_id": {"$ne": asked.person_id},
            "state.roles": {"$elemMatch": wanted},
            "state.roles.key": wanted["key"],
        }
        return bool(await self.ids(query, limit=1))

    async def holders(self, role: RoleAt) -> list[str]:
        """Ids of the people who hold the role, in order."""
        holding = {"state.roles": {"$elemMatch": {"key": role.key, "held": True}}, "state.roles.key": role.key}
        return await self.ids(holding)

    async def page(self, query: ListQuery, scope: Scope) -> list[Document]:
        """One document a held role, which `state.roles` then is."""
        return await self.unwound(
            "state.roles",
            query.mongo_filter(scope.where),
            narrowed=scope.narrowed,
            sort=query.sort,
            skip=query.skip,
            limit=query.limit,
        )

    async def total(self, query: ListQuery, scope: Scope) -> int:
        return await self.count_unwound("state.roles", query.total_filter(scope.where), narrowed=scope.narrowed)

    async def of_id(self, id: str, scope: Scope) -> Document | None:
        """The held role of that id within the scope."""
        found = await self.unwound(
            "state.roles",
            {**scope.where, "state.roles.id": id},
            narrowed={**scope.narrowed, "state.roles.id": id},
            limit=1,
        )
        return found[0] if found else None


def held_at(system: RoleSystem, origin_id: str, *, but: str | None = None) -> Scope:
    """All that are held at this thing. `but`: other than this role."""
    at = {"state.roles.at": place(system, origin_id)}
    where = {**at, "state.roles.held": True}
    return Scope(at, {**where, "state.roles.role": {"$ne": but}} if but else where)


def held_anywhere(system: RoleSystem) -> Scope:
    """All that are held at things of one kind."""
    at = {"state.roles.at": {"$regex": f"^{re.escape(system.value)}/"}}
    return Scope(at, {"state.roles.held": True, "state.roles.origin_system": system.value})


def held_by(person_id: str, system: RoleSystem, origin_ids: Collection[str] | None = None, *, but: str) -> Scope:
    """All that a person holds at things of one kind. `but`: other than this role."""
    where: Document = {
        "state.roles.held": True, "state.roles.origin_system": system.value, "state.roles.role": {"$ne": but}
    }  # fmt: skip
    if origin_ids is not None:
        where["state.roles.origin_id"] = {"$in": list(origin_ids)}
    return Scope({"_id": person_id}, where)


def place(system: RoleSystem, origin_id: str) -> str:
    return f"{system.value}/{origin_id}"


class RoleDefinitions(MongoAggregates):
    """`role_definitions`: the built-in directory roles, which are put there at the start, and those made here."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "role_definitions", [Index("state.label", "_id")])
        self._plain = Documents(database, "role_definitions")

    async def ensure_indexes(self) -> None:
        await super().ensure_indexes()
        # No version: nothing was ever said of them, and nothing changes them.
        await self._plain.set_many(
            {one.id: {"revision": 0, "version": 0, "state": dump_role(one)} for one in built_in_roles()}
        )

    async def assignable(self) -> frozenset[str]:
        """Ids of the roles that can be given."""
        return frozenset(await self.ids({**LIVING, "state.is_enabled": True}))

    async def of(self, ids: Collection[str]) -> dict[str, Document]:
        """Those of `ids` that are there."""
        found = await page_of(self, {"_id": {"$in": sorted(set(ids))}, **LIVING})
        return {one["_id"]: one for one in found}


async def principals_of(applications: Applications, ids: Collection[str]) -> dict[str, Document]:
    """Service principals that are there, by id."""
    found = await page_of(applications, {"_id": {"$in": list(ids)}, "state.is_principal": True, **LIVING})
    return {one["_id"]: one for one in found}


def dump_application(one: ApplicationState) -> Document:
    """As a document, with the name folded for finding it."""
    return {**one.model_dump(by_alias=False), "label": one.display_name.casefold()}


def load_application(document: Document) -> ApplicationState:
    return ApplicationState.model_validate(document)


def dump_role(one: RoleDefinitionState) -> Document:
    """As a document, with the name folded for finding it."""
    return {**one.model_dump(by_alias=False), "label": one.display_name.casefold()}


def load_role(document: Document) -> RoleDefinitionState:
    return RoleDefinitionState.model_validate(document)


def dump_site(one: SiteState) -> Document:
    return {**one.model_dump(by_alias=False), "label": one.display_name.casefold()}


def load_site(document: Document) -> SiteState:
    return SiteState.model_validate(document)


def dump_held(state: HeldRolesState) -> Document:
    """As a document, with what roles are found by."""
    roles = [
        {
            **one.model_dump(by_alias=False, mode="python"),
            "origin_system": one.origin_system.value,
            "key": one.key,
            "at": place(one.origin_system, one.origin_id),
        }
        for one in state.roles
    ]
    return {"person_id": state.person_id, "roles": roles}


def load_held(document: Document) -> HeldRolesState:
    return HeldRolesState.model_validate(document)
