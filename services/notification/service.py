"""The wiring of notification."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from services.notification import api, messages
from services.notification.channels import Outlet
from services.notification.channels.mail import MailOutlet
from services.notification.channels.topic import TopicOutlet
from services.notification.model import Channel
from services.notification.render import Renderer
from services.notification.store import Messages, Names
from services.notification.worker import Worker
from shared.messaging.callers import Callers
from shared.messaging.service import Platform, Service
from shared.web.guard import Guard

FORGET_EVERY_S = 3600.0


def assemble(platform: Platform) -> Service:
    """Connects nothing and starts nothing."""
    records = Messages(platform.database)
    names = Names(platform.database)
    renderer = Renderer(platform.settings.api_url)
    outlets: dict[Channel, Outlet] = {
        Channel.TOPIC: TopicOutlet(platform.bus, platform.clock, platform.failpoints),
        Channel.MAIL: MailOutlet(platform.settings),
    }
    workers = [
        Worker(
            channel,
            outlet,
            records,
            names,
            renderer,
            clock=platform.clock,
            health=platform.health,
            longest_pause_s=platform.settings.retry_max_s,
        )
        for channel, outlet in outlets.items()
    ]

    def wake() -> None:
        for worker in workers:
            worker.wake()

    async def forget() -> None:
        while True:
            await names.forget(platform.clock.now())
            platform.health.well("forget")
            await asyncio.sleep(FORGET_EVERY_S)

    callers = Callers(platform.database, platform.hearing)
    guard = Guard(callers)
    return Service(
        name="notification",
        stores=[
            records.documents,
            names.people,
            names.groups,
            names.packages,
            names.policies,
            names.reasons,
            names.endings,
            *callers.stores,
        ],
        subscriptions=[
            *messages.holdings(platform, records, names, wake),
            *messages.requests(platform, records, wake),
            *messages.access_reviews(platform, records, wake),
            *messages.people(platform, names),
            *messages.catalog(platform, names),
            *callers.subscriptions(platform),
        ],
        background=[*(_named(worker.name, worker.run) for worker in workers), forget],
        routers=[api.router(platform, records, guard)],
        guard=guard,
        under_way=[records.under_way],
    )


def _named(name: str, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """The name under which the host reports its troubles, and under which `work` says that all is well."""

    async def run() -> None:
        await work()

    run.__name__ = name
    return run
