"""The wiring of catalog."""

from __future__ import annotations

import asyncio

from services.catalog.acts import Acts
from services.catalog.api import router
from services.catalog.messages import subscriptions, timers
from services.catalog.store import Shelves
from shared.messaging.service import Platform, Service


def assemble(platform: Platform) -> Service:
    shelves = Shelves(platform.database)
    acts = Acts(platform, shelves)

    async def built_in_catalog() -> None:
        await acts.make_general()
        await asyncio.Event().wait()

    return Service(
        platform.service,
        stores=[*(shelf.store for shelf in shelves.all()), shelves.groups.replica, *acts.origins.replicas],
        subscriptions=subscriptions(platform, acts),
        timers=timers(acts),
        loops=list(acts.loops.values()),
        routers=[router(acts)],
        background=[built_in_catalog],
    )
