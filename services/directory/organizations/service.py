"""The wiring of connected organisations and settings, as a part of the directory's."""

from __future__ import annotations

from typing import Any

from services.directory.api import Rooms
from services.directory.decide import organizations
from services.directory.decide.conditional import conditionally
from services.directory.organizations.api import OrganizationRooms, organization_routes, settings_routes
from services.directory.organizations.holders import CatalogHolders
from services.directory.organizations.store import (
    Organizations,
    SettingsStore,
    dump_organization,
    dump_settings,
    load_organization,
    load_settings,
)
from services.directory.organizations.subjects import subject_routes
from services.directory.resources.service import Part
from shared.contracts import topics
from shared.contracts.organizations import (
    SETTINGS_ID,
    OrganizationFact,
    OrganizationState,
    SettingsFact,
    SettingsState,
)
from shared.messaging.callers import CatalogRoles
from shared.messaging.decision import AggregateKind, Handler, by
from shared.messaging.service import Platform
from shared.web.guard import Guard

ORGANIZATION = AggregateKind[OrganizationState](
    name="organization",
    owner="directory",
    dump=dump_organization,
    load=load_organization,
    topic=topics.ORGANIZATION_FACTS,
    fact=OrganizationFact,
    public=lambda organization: organization,
)
SETTINGS = AggregateKind[SettingsState](
    name="settings",
    owner="directory",
    dump=dump_settings,
    load=load_settings,
    topic=topics.SETTINGS_FACTS,
    fact=SettingsFact,
    public=lambda settings: settings,
)


def assemble_organizations(platform: Platform, directory: Rooms, route_class: type[Any], guard: Guard) -> Part:
    """Connects nothing and starts nothing."""
    store, settings = Organizations(platform.database), SettingsStore(platform.database)
    roles = CatalogRoles(platform.database)
    keepers = Guard(CatalogHolders(guard.holders, roles, directory.memberships, platform.hearing))
    rooms = OrganizationRooms(
        directory,
        store,
        settings,
        organization_loop=platform.loop(ORGANIZATION, store),
        settings_loop=platform.loop(SETTINGS, settings),
        on_organization=Handler(conditionally(organizations.wish), by(lambda asked: asked.command.id)),
        on_settings=Handler(conditionally(organizations.settings), by(lambda _asked: SETTINGS_ID)),
    )
    return Part(
        stores=[store, settings, roles.kept],
        subscriptions=[roles.subscription(platform)],
        loops=[rooms.organization_loop, rooms.settings_loop],
        routers=[
            organization_routes(rooms, route_class, guard),
            settings_routes(rooms, route_class, keepers),
            subject_routes(directory, store, route_class, keepers),
        ],
        guard=guard,
    )
