"""What the routes of applications, sites and held roles work with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Response

from services.directory.api import Rooms
from services.directory.decide.applications import (
    ApplicationCommand,
)
from services.directory.decide.conditional import STALE, Conditional
from services.directory.decide.held_roles import GiveByHand, Offered, TakeByHand
from services.directory.decide.role_definitions import RoleCommand
from services.directory.decide.sites import SiteCommand
from services.directory.resources.store import (
    LIVING,
    Applications,
    Document,
    HeldRoles,
    RoleDefinitions,
    Scope,
    Sites,
    principals_of,
)
from services.directory.store import page_of
from shared.contracts.base import Refusal
from shared.contracts.resources import (
    ApplicationState,
    HeldRolesState,
    RoleAt,
    SiteState,
)
from shared.contracts.roles import RoleDefinitionState
from shared.messaging.decision import Handler
from shared.messaging.loop import Loop
from shared.web.caller import cause_of
from shared.web.errors import BadRequest, Conflict, NotFound, PreconditionFailed


@dataclass(frozen=True)
class ResourceRooms:
    """What these routes work with."""

    directory: Rooms
    applications: Applications
    sites: Sites
    held: HeldRoles
    definitions: RoleDefinitions
    application_loop: Loop[ApplicationState]
    site_loop: Loop[SiteState]
    held_loop: Loop[HeldRolesState]
    definition_loop: Loop[RoleDefinitionState]
    on_application: Handler[ApplicationState, Conditional[ApplicationCommand], None]
    on_site: Handler[SiteState, Conditional[SiteCommand], None]
    on_definition: Handler[RoleDefinitionState, Conditional[RoleCommand], None]
    giving: Handler[HeldRolesState, GiveByHand, Offered]
    taking: Handler[HeldRolesState, TakeByHand, Offered]

    async def application(self, id: str) -> Document:
        """By the application object's id. Raises NotFound."""
        return first(await page_of(self.applications, {"state.registration_id": id.lower(), **LIVING}, limit=1), id)

    async def principal(self, id: str) -> Document:
        """Raises NotFound."""
        there = await principals_of(self.applications, [id.lower()])
        return first(list(there.values()), id)

    async def site(self, id: str) -> Document:
        """Raises NotFound."""
        return first(await page_of(self.sites, {"_id": id.lower(), **LIVING}, limit=1), id)

    async def person(self, principal_id: str) -> str:
        """The id of the person that a `principalId` names. Raises BadRequest for a group or a service principal, to
        which no role can be given here."""
        id = principal_id.lower()
        if await self.directory.groups.there([id]):
            raise BadRequest("Roles are given to people here, and this is a group.", target="principalId")
        if await principals_of(self.applications, [id]):
            raise BadRequest("Roles are given to people here, and this is a service principal.", target="principalId")
        person: str = (await self.directory.user(principal_id))["_id"]
        return person

    async def change_application(
        self, request: Request, command: ApplicationCommand, version: int | None = None
    ) -> None:
        """`version`, here as below: only if it has this one."""
        run = self.directory.platform.run_one
        asked = Conditional(command, version)
        outcome = await run(self.application_loop, self.on_application, asked, cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def change_site(self, request: Request, command: SiteCommand, version: int | None = None) -> None:
        run = self.directory.platform.run_one
        asked = Conditional(command, version)
        outcome = await run(self.site_loop, self.on_site, asked, cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def change_definition(self, request: Request, command: RoleCommand, version: int | None = None) -> None:
        run = self.directory.platform.run_one
        asked = Conditional(command, version)
        outcome = await run(self.definition_loop, self.on_definition, asked, cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def offers_scope(self, id: str) -> bool:
        """Whether that is an application or a service principal, to which a directory role can be limited."""
        either = [{"_id": id.lower()}, {"state.registration_id": id.lower()}]
        return bool(await self.applications.ids({"$or": either, **LIVING}, limit=1))

    async def give(self, request: Request, person_id: str, role: RoleAt) -> None:
        run = self.directory.platform.run_one
        outcome = await run(self.held_loop, self.giving, GiveByHand(person_id, role), cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def take(self, request: Request, person_id: str, role: RoleAt) -> None:
        run = self.directory.platform.run_one
        outcome = await run(self.held_loop, self.taking, TakeByHand(person_id, role), cause_of(request))
        _refuse(outcome.decision.refusal if outcome.decision else None)

    async def held_role(self, id: str, scope: Scope) -> Document:
        """Raises NotFound."""
        found = await self.held.of_id(id.lower(), scope)
        return first([found] if found else [], id)

    async def take_held(self, request: Request, id: str, scope: Scope) -> Response:
        """Take the held role of that id."""
        found = await self.held_role(id, scope)
        await self.take(request, found["_id"], _role_of(found))
        return Response(status_code=204)

    async def with_people(self, found: Sequence[Document]) -> list[Document]:
        """Held roles, each with the person who holds it."""
        ids = sorted({one["_id"] for one in found})
        people = {one["_id"]: one for one in await page_of(self.directory.people, {"_id": {"$in": ids}})}
        return [{**one, "person": people.get(one["_id"])} for one in found]

    async def with_applications(self, found: Sequence[Document]) -> list[Document]:
        """App role assignments, each with the person and the application."""
        ids = {one["state"]["roles"]["origin_id"] for one in found}
        states = {id: one["state"] for id, one in (await principals_of(self.applications, ids)).items()}
        gone = {"display_name": None}
        return [
            {**one, "application": states.get(one["state"]["roles"]["origin_id"], gone)}
            for one in await self.with_people(found)
        ]


def first(found: Sequence[Document], id: str) -> Document:
    """The first. Raises NotFound, in Graph's words, if there is none."""
    if not found:
        raise NotFound(
            f"Resource '{id[:100]}' does not exist or one of its queried reference-property objects are not present.",
            code="Request_ResourceNotFound",
        )
    return found[0]


def _role_of(document: Document) -> RoleAt:
    held = document["state"]["roles"]
    return RoleAt(origin_system=held["origin_system"], origin_id=held["origin_id"], role=held["role"])


def _refuse(refusal: Refusal | None) -> None:
    if refusal is None:
        return
    match refusal.code:
        case STALE.code:
            raise PreconditionFailed(refusal.message, target="If-Match")
        case "ResourceNotFound" | "unknownResource":
            raise NotFound(refusal.message, code="Request_ResourceNotFound")
        case "nameAlreadyExists" | "Request_MultipleObjectsWithSameKeyValue":
            raise Conflict(refusal.message, code=refusal.code)
        case "CannotDeleteOrUpdateEnabledEntitlement":
            raise BadRequest(refusal.message, code=refusal.code, target="appRoles")
    raise BadRequest(refusal.message, code="Request_BadRequest")


def location(request: Request, path: str) -> str:
    return f"{str(request.base_url).rstrip('/')}/v1.0/{path}"
