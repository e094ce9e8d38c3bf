"""The wiring of catalog."""

from __future__ import annotations

import asyncio

from services.catalog.acts import Acts
from services.catalog.api import routes_of
from services.catalog.api.edge import Edge
from services.catalog.api.extensions import extension_routes
from services.catalog.api.roles import role_routes
from services.catalog.delegation import Delegates
from services.catalog.messages import subscriptions, timers
from services.catalog.rosters import roster_reader
from services.catalog.store import Shelves
from shared.contracts import topics
from shared.messaging.service import Platform, Service
from shared.rosters import telling
from shared.web.guard import Guard


def assemble(platform: Platform) -> Service:
    shelves = Shelves(platform.database)
    acts = Acts(platform, shelves)
    delegates = Delegates(platform.database, shelves, platform.hearing)
    edge, guard = Edge(acts), Guard(delegates.callers)
    routes = routes_of(edge, guard)
    extension_routes(routes, edge)
    role_routes(routes, edge, delegates)

    rosters = telling(
        platform,
        topics.CATALOG_ROSTER_QUESTIONS,
        topics.CATALOG_ROSTERS,
        roster_reader(shelves, delegates, platform.hearing),
    )

    async def built_in_catalog() -> None:
        await acts.make_general()
        await asyncio.Event().wait()

    return Service(
        platform.service,
        stores=[
            *(shelf.store for shelf in shelves.all()),
            shelves.groups.replica,
            *acts.origins.replicas,
            *delegates.stores,
            rosters.store,
        ],
        subscriptions=[*subscriptions(platform, acts), *delegates.subscriptions(platform), rosters.subscription],
        timers=[*timers(acts), rosters.timer],
        loops=[*acts.loops.values(), rosters.loop],
        routers=[routes],
        guard=guard,
        background=[built_in_catalog],
    )
