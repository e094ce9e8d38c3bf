"""The wiring of applications, sites and held roles, as a part of the directory's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request

from services.directory.api import Owning, Rooms
from services.directory.decide import applications, held_roles, role_definitions, sites
from services.directory.decide.conditional import conditionally
from services.directory.resources.api import routes
from services.directory.resources.api.rooms import ResourceRooms
from services.directory.resources.objects import object_routes
from services.directory.resources.rosters import roster_reader
from services.directory.resources.store import (
    Applications,
    HeldRoles,
    OwnHolders,
    RoleDefinitions,
    Sites,
    dump_application,
    dump_held,
    dump_role,
    dump_site,
    load_application,
    load_held,
    load_role,
    load_site,
)
from shared.contracts import topics
from shared.contracts.resources import (
    OWNER,
    ApplicationFact,
    ApplicationState,
    HeldRolesFact,
    HeldRolesState,
    RoleAt,
    RoleSystem,
    SetHeldRoles,
    SiteFact,
    SiteState,
)
from shared.contracts.roles import RoleDefinitionFact, RoleDefinitionState
from shared.messaging.decision import AggregateKind, Handler, by
from shared.messaging.loop import Loop
from shared.messaging.service import Platform, Store, Timer
from shared.messaging.subscription import Subscription
from shared.rosters import telling
from shared.web.guard import Guard

APPLICATION = AggregateKind[ApplicationState](
    name="application",
    owner="directory",
    dump=dump_application,
    load=load_application,
    topic=topics.APPLICATION_FACTS,
    fact=ApplicationFact,
    public=lambda application: application,
)
SITE = AggregateKind[SiteState](
    name="site",
    owner="directory",
    dump=dump_site,
    load=load_site,
    topic=topics.SITE_FACTS,
    fact=SiteFact,
    public=lambda site: site,
)
HELD_ROLES = AggregateKind[HeldRolesState](
    name="held-roles",
    owner="directory",
    dump=dump_held,
    load=load_held,
    topic=topics.HELD_ROLE_FACTS,
    fact=HeldRolesFact,
    public=held_roles.shown,
)
ROLE_DEFINITION = AggregateKind[RoleDefinitionState](
    name="role-definition",
    owner="directory",
    dump=dump_role,
    load=load_role,
    topic=topics.ROLE_DEFINITION_FACTS,
    fact=RoleDefinitionFact,
    public=lambda definition: definition,
)


@dataclass(frozen=True)
class Part:
    """What the directory's wiring takes over."""

    stores: list[Store]
    subscriptions: list[Subscription]
    loops: list[Loop[Any]]
    routers: list[APIRouter]
    guard: Guard
    timers: list[Timer] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Resources(Part):
    """And what the routes of groups take over."""

    owning: Owning


def assemble_resources(platform: Platform, directory: Rooms, route_class: type[Any]) -> Resources:
    """Connects nothing and starts nothing."""
    application_store = Applications(platform.database)
    site_store = Sites(platform.database)
    definitions = RoleDefinitions(platform.database)
    held_store = HeldRoles(platform.database, directory.groups, application_store, site_store, definitions)
    held_loop = platform.loop(HELD_ROLES, held_store)
    guard = Guard(OwnHolders(held_store, directory.people))
    rooms = ResourceRooms(
        directory,
        application_store,
        site_store,
        held_store,
        definitions,
        application_loop=platform.loop(APPLICATION, application_store),
        site_loop=platform.loop(SITE, site_store),
        held_loop=held_loop,
        definition_loop=platform.loop(ROLE_DEFINITION, definitions),
        on_application=Handler(conditionally(applications.wish), by(lambda asked: asked.command.id)),
        on_site=Handler(conditionally(sites.wish), by(lambda asked: asked.command.id)),
        on_definition=Handler(conditionally(role_definitions.wish), by(lambda asked: asked.command.id)),
        giving=Handler(held_roles.give, by(lambda asked: asked.person_id), held_store.look),
        taking=Handler(held_roles.take, by(lambda asked: asked.person_id), held_store.look),
    )
    obeying = Handler[HeldRolesState, SetHeldRoles, held_roles.Offered](
        held_roles.command, by(lambda asked: asked.person_id), held_store.look
    )

    async def owning(request: Request, group_id: str, person_id: str) -> None:
        await rooms.give(request, person_id, RoleAt(origin_system=RoleSystem.GROUP, origin_id=group_id, role=OWNER))

    reader = roster_reader(directory.people, directory.groups, directory.memberships, application_store, held_store)
    rosters = telling(platform, topics.DIRECTORY_ROSTER_QUESTIONS, topics.DIRECTORY_ROSTERS, reader)
    return Resources(
        stores=[application_store, site_store, held_store, definitions, rosters.store],
        subscriptions=[
            *(platform.hears(topic, held_loop, obeying) for topic in topics.lanes_of(topics.HELD_ROLE_COMMANDS)),
            rosters.subscription,
        ],
        loops=[rooms.application_loop, rooms.site_loop, held_loop, rooms.definition_loop, rosters.loop],
        timers=[rosters.timer],
        routers=[*routes(rooms, route_class, guard), object_routes(rooms, route_class, guard)],
        guard=guard,
        owning=owning,
    )
