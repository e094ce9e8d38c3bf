"""Delegated administration: who may do what to which catalog, and who of those who add resources has a right to them.

Roles are assigned to people, groups and service principals; members of a group have its roles. Source:
entra-features.md 2 and 13.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.catalog.model import OriginSystem
from services.catalog.origins import Place
from services.catalog.store import LIVING, Shelves
from shared.contracts.directory import MOVES, MembershipsFact, PersonFact, PersonJoined, PersonLeft
from shared.contracts.resources import principal_id_of
from shared.contracts.topics import MEMBERSHIP_FACTS, PERSON_FACTS, lanes_of
from shared.hearing import Hearing
from shared.messaging.callers import Assigned, Callers
from shared.messaging.pace import Pace
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription
from shared.security.authority import Standing
from shared.security.caller import Caller
from shared.security.roles import DEFINITIONS
from shared.storage import Database, Documents, Index, Replica
from shared.web.odata import ListQuery

NOT_OWNER = "CallerNotResourceOwner"

_ADMINISTRATORS: Mapping[OriginSystem, tuple[str, ...]] = {
    "AadGroup": ("Groups Administrator", "Intune Administrator"),
    "AadApplication": (
        "Application Administrator",
        "Cloud Application Administrator",
        "Identity Governance Administrator",
    ),
    "SharePointOnline": ("SharePoint Administrator",),
}
_OF_UNIFIED_GROUPS = ("Exchange Administrator", "SharePoint Administrator")
_PERMISSIONS: Mapping[OriginSystem, str] = {
    "AadGroup": "Group.ReadWrite.All",
    "AadApplication": "Application.ReadWrite.All",
    "SharePointOnline": "Directory.ReadWrite.All",
}


def has_power_over(standing: Standing, place: Place, *, unified: bool = False) -> bool:
    """Whether the caller may have a resource handed out (RES-4). `unified`: it is a Microsoft 365 group."""
    system, id = place
    caller = standing.caller
    if caller.is_operator or standing.has_role(*_ADMINISTRATORS[system], *(_OF_UNIFIED_GROUPS if unified else ())):
        return True
    if not caller.is_person:
        return caller.permits(_PERMISSIONS[system])
    return f"{system}/{id}" in standing.held.owns


def first_owner_of(caller: Caller) -> dict[str, str]:
    """Who owns what a catalog creator makes, in a catalog's properties: the person, or the application's service
    principal."""
    if caller.person_id is not None:
        return {"first_owner": caller.person_id}
    if caller.app_id is not None:
        return {"first_owner": principal_id_of(caller.app_id), "first_owner_kind": "servicePrincipal"}
    return {}


class Delegates:
    """Who holds which roles, and the people who can be given some, as far as they were heard of."""

    def __init__(self, database: Database, shelves: Shelves, hearing: Hearing) -> None:
        self._shelves = shelves
        self.memberships: Replica[MembershipsFact] = Replica(
            database, "memberships", lambda fact: {"groups": fact.state.member_of}, (Index("groups", "_id"),)
        )
        self.people = shelves.people.replica
        self.callers = Callers(database, hearing, groups_of=self._groups_of, assigned_to=self._assigned_to)
        self.definitions = RoleDefinitions(database)

    @property
    def stores(self) -> list[Any]:
        return [self.memberships, self.people, self.definitions, *self.callers.stores]

    def subscriptions(self, platform: Platform) -> list[Subscription]:
        async def memberships(facts: Sequence[MembershipsFact]) -> None:
            await self.memberships.apply(facts)

        async def people(facts: Sequence[PersonFact]) -> None:
            await self.people.apply(facts)

        return [
            *self.callers.subscriptions(platform),
            platform.takes(tuple(lanes_of(MEMBERSHIP_FACTS)), memberships, pace=Pace.PATIENT, only=MOVES),
            # Who there is: what else changes about people means nothing here.
            platform.takes(tuple(lanes_of(PERSON_FACTS)), people, pace=Pace.PATIENT, only=(PersonJoined, PersonLeft)),
        ]

    async def members_of(self, groups: Collection[str]) -> dict[str, list[str]]:
        """Ids of the people in each of these groups."""
        found = await self.memberships.find({"groups": {"$in": list(groups)}}) if groups else []
        return {group: [row["_id"] for row in found if group in row["groups"]] for group in groups}

    async def _groups_of(self, person: str) -> Collection[str]:
        found = await self.memberships.get([person])
        return found[person]["groups"] if person in found else ()

    async def _assigned_to(self, principals: Collection[str]) -> list[Assigned]:
        query = {"state.principal_id": {"$in": list(principals)}, **LIVING}
        return [(one.item.role.value, one.item.catalog_id) for one in await self._shelves.role_assignments.find(query)]


class RoleDefinitions(Documents):
    """`role_definitions`: the roles there are, so that they are listed as all else is."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "role_definitions")

    async def ensure_indexes(self) -> None:
        await super().ensure_indexes()
        await self.set_many(
            {
                role.value: {
                    "state": {
                        "display_name": one.display_name,
                        "folded": one.display_name.casefold(),
                        "is_built_in": True,
                    }
                }
                for role, one in DEFINITIONS.items()
            }
        )

    async def page(self, query: ListQuery) -> list[dict[str, Any]]:
        return await self.find(query.mongo_filter(), sort=query.sort, skip=query.skip, limit=query.limit)
