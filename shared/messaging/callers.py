"""Who holds which roles, as far as a service has heard: the directory's roles, catalog's, and membership in groups; and
who of them has left, is suspended or may not sign in (`accountEnabled`), whom nothing that they hold helps any more.

Read by key or index, and only for callers whose token does not answer the question.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.contracts import topics
from shared.contracts.catalog import Life, RoleAssignmentFact
from shared.contracts.directory import (
    PersonChanged,
    PersonFact,
    PersonJoined,
    PersonLeft,
    PersonReturned,
    PersonStatus,
    PersonSuspended,
    PersonUnjoined,
)
from shared.contracts.resources import OWNER, TENANT, HeldRolesFact, HeldRoleState, RoleSystem, principal_id_of
from shared.hearing import Hearing
from shared.messaging.decoding import of_its_topic, saying
from shared.messaging.envelope import Incoming
from shared.messaging.pace import Pace
from shared.messaging.service import Platform, Store
from shared.messaging.subscription import Subscription
from shared.security.authority import Held
from shared.security.caller import Caller
from shared.security.permissions import NAMES_OF_ROLES
from shared.security.roles import CatalogRole
from shared.storage import Database, Index, Replica

GroupsOf = Callable[[str], Awaitable[Collection[str]]]
"""Ids of the groups that a person is in."""
Assigned = tuple[str, str | None]
"""(role definition, catalog; None for all)."""
AssignedTo = Callable[[Collection[str]], Awaitable[Sequence[Assigned]]]
"""What is assigned to these principals."""

_SAYS_SOMETHING = (b'"Directory"', b'"Owner"')
"""Most held roles are those of applications and sites, which give nobody a right here."""
_GOES = frozenset(one.__name__.encode() for one in (PersonUnjoined, PersonLeft, PersonSuspended, PersonReturned))
_COMES_OR_GOES = _GOES | {PersonJoined.__name__.encode(), PersonChanged.__name__.encode()}
AWAY = frozenset({PersonStatus.LEFT, PersonStatus.SUSPENDED, PersonStatus.EXPECTED})
_SAYS_WHO_SIGNS_IN = (b'"returned":true', b'"accountEnabled":{', b'"accountEnabled":false')
"""Back, enabled or blocked just now (`PersonChanged.changes`), or there without an account."""


class CatalogRoles:
    """Which roles for catalogs are assigned to whom, as catalog has said."""

    def __init__(self, database: Database) -> None:
        self.kept: Replica[RoleAssignmentFact] = Replica(
            database, "role_assignments", _kept_of_assignment, (Index("principal_id"),)
        )

    def subscription(self, platform: Platform) -> Subscription:
        """What feeds it by itself."""
        return platform.keeps((topics.ROLE_ASSIGNMENT_FACTS,), self.kept)

    async def assigned_to(self, principals: Collection[str]) -> list[Assigned]:
        found = await self.kept.find({"principal_id": {"$in": list(principals)}, "active": True})
        return [(one["role"], one["catalog_id"]) for one in found]


def with_catalog_roles(held: Held, assigned: Sequence[Assigned]) -> Held:
    """`held`, and these."""
    everywhere: set[CatalogRole] = set()
    at: dict[CatalogRole, set[str]] = {}
    for definition, catalog in assigned:
        role = CatalogRole(definition)
        if catalog is None:
            everywhere.add(role)
        else:
            at.setdefault(role, set()).add(catalog)
    return replace(
        held,
        everywhere=frozenset(everywhere),
        at={role: frozenset(catalogs) for role, catalogs in at.items()},
    )


class Callers:
    """Implements `shared.web.guard.Holders`."""

    def __init__(
        self,
        database: Database,
        hearing: Hearing,
        *,
        groups_of: GroupsOf | None = None,
        assigned_to: AssignedTo | None = None,
    ) -> None:
        """`groups_of`: given where roles for catalogs count. `assigned_to`: by catalog itself, which keeps them."""
        self._hearing = hearing
        self._held: Replica[HeldRolesFact] = Replica(database, "caller_roles", _kept_of_held)
        self._away: Replica[PersonFact] = Replica(
            database, "callers_away", lambda fact: {"away": is_away(fact.state.status, fact.state.attributes)}
        )
        self._assigned: CatalogRoles | None = None
        self._groups_of = groups_of
        self._assigned_to = assigned_to
        if groups_of is not None and assigned_to is None:
            self._assigned = CatalogRoles(database)
            self._assigned_to = self._assigned.assigned_to

    @property
    def stores(self) -> list[Store]:
        return [self._held, self._away, *([self._assigned.kept] if self._assigned else [])]

    def subscriptions(self, platform: Platform) -> list[Subscription]:
        """What feeds it: roles at once, for whoever was given one may be waiting; people when there is time."""
        heard = [*topics.lanes_of(topics.HELD_ROLE_FACTS)]
        if self._assigned is not None:
            heard.append(topics.ROLE_ASSIGNMENT_FACTS)
        saying_something = saying(*_SAYS_SOMETHING)

        def decode(record: Incoming) -> Any:
            every = record.position.topic == topics.ROLE_ASSIGNMENT_FACTS.name
            return of_its_topic(record) if every else saying_something(record)

        async def keep(facts: Sequence[Any]) -> None:
            if held := [fact for fact in facts if isinstance(fact, HeldRolesFact)]:
                await self._held.apply(held)
            if self._assigned and (assigned := [fact for fact in facts if isinstance(fact, RoleAssignmentFact)]):
                await self._assigned.kept.apply(assigned)

        def person(record: Incoming) -> Any:
            return of_its_topic(record) if says_who_is_away(record) else None

        async def keep_away(facts: Sequence[PersonFact | None]) -> None:
            if away := [fact for fact in facts if fact is not None]:
                await self._away.apply(away)

        return [
            platform.takes(tuple(reversed(heard)), keep, decode=decode),
            platform.takes(tuple(topics.lanes_of(topics.PERSON_FACTS)), keep_away, decode=person, pace=Pace.PATIENT),
        ]

    async def abreast(self, caller: Caller) -> None:
        if (principal := _principal(caller)) is None:
            return
        about: dict[topics.Topic, Sequence[str] | None] = {
            topics.PERSON_FACTS: [principal],
            topics.HELD_ROLE_FACTS: [principal],
        }
        if self._groups_of is not None:
            about[topics.MEMBERSHIP_FACTS] = [principal]
        if self._assigned is not None:
            about[topics.ROLE_ASSIGNMENT_FACTS] = None
        await self._hearing.abreast(about)

    async def is_away(self, person_id: str) -> bool:
        """Whether they have left or are blocked. Of whom nothing was heard it is not so."""
        return bool((await self._away.get([person_id])).get(person_id, {}).get("away"))

    async def held(self, caller: Caller) -> Held:
        """What a person or, by its service principal, an application holds."""
        if (principal := _principal(caller)) is None:
            return Held()
        own = (await self._held.get([principal])).get(principal, {})
        held = Held(directory=frozenset(own.get("directory", ())), owns=frozenset(own.get("owns", ())))
        return with_catalog_roles(held, await self._roles_of(principal, is_person=caller.is_person))

    async def _roles_of(self, principal: str, *, is_person: bool) -> Sequence[Assigned]:
        if self._groups_of is None or self._assigned_to is None:
            return ()
        groups = await self._groups_of(principal) if is_person else ()
        return await self._assigned_to([principal, *groups])


def _principal(caller: Caller) -> str | None:
    """Who or, of an application, what holds the caller's roles."""
    return caller.person_id or (principal_id_of(caller.app_id) if caller.app_id else None)


def is_away(status: PersonStatus, attributes: Mapping[str, Any]) -> bool:
    """Whether whoever stands so signs in nowhere."""
    return status in AWAY or attributes.get("accountEnabled") is False


def says_who_is_away(record: Incoming) -> bool:
    """Not of those who join for the first time: they are many, and nobody's token is older."""
    if not record.tells_of(_COMES_OR_GOES):
        return False
    value = record.value or b""
    return any(word in value for word in _SAYS_WHO_SIGNS_IN) or any(b'"' + word + b'"' in value for word in _GOES)


def held_of(roles: Sequence[HeldRoleState]) -> dict[str, list[str]]:
    """`directory`: names of directory roles over the whole tenant, for those within a part of it suffice for nothing
    here; `owns`: what is owned."""
    held = [one for one in roles if one.held]
    return {
        "directory": [
            NAMES_OF_ROLES[one.role]
            for one in held
            if one.origin_system is RoleSystem.DIRECTORY and one.origin_id == TENANT and one.role in NAMES_OF_ROLES
        ],
        "owns": [
            f"{one.origin_system.value}/{one.origin_id}"
            for one in held
            if one.role == OWNER and one.origin_system is not RoleSystem.SITE
        ],
    }


def _kept_of_held(fact: HeldRolesFact) -> dict[str, Any]:
    return dict(held_of(fact.state.roles))


def _kept_of_assignment(fact: RoleAssignmentFact) -> dict[str, Any]:
    state = fact.state
    return {
        "role": state.role_definition_id,
        "principal_id": state.principal_id,
        "catalog_id": state.catalog_id,
        "active": state.life is not Life.DELETED,
    }
