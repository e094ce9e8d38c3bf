"""Who may see the tenant's settings and say whose stay is governed: whoever keeps or reads a catalog, too."""

from __future__ import annotations

from services.directory.store import MembershipStore
from shared.contracts.resources import principal_id_of
from shared.contracts.topics import ROLE_ASSIGNMENT_FACTS
from shared.hearing import Hearing
from shared.messaging.callers import CatalogRoles, with_catalog_roles
from shared.security.authority import Held
from shared.security.caller import Caller
from shared.web.guard import Holders


class CatalogHolders:
    """What `own` knows of a caller, and the roles for catalogs that they or their groups have. Implements
    `shared.web.guard.Holders`."""

    def __init__(self, own: Holders, roles: CatalogRoles, memberships: MembershipStore, hearing: Hearing) -> None:
        self._own = own
        self._roles = roles
        self._memberships = memberships
        self._hearing = hearing

    async def abreast(self, caller: Caller) -> None:
        await self._hearing.abreast({ROLE_ASSIGNMENT_FACTS: None})

    async def is_away(self, person_id: str) -> bool:
        return await self._own.is_away(person_id)

    async def held(self, caller: Caller) -> Held:
        held = await self._own.held(caller)
        if caller.person_id is not None:
            mine = await self._memberships.state(caller.person_id)
            principals = [caller.person_id, *(mine["member_of"] if mine else ())]
        else:
            principals = [principal_id_of(caller.app_id)] if caller.app_id else []
        return with_catalog_roles(held, await self._roles.assigned_to(principals))
