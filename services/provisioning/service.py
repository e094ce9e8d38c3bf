"""The wiring of provisioning."""

from __future__ import annotations

from services.provisioning import api, messages
from services.provisioning.model import Deliveries, dump, load, public
from services.provisioning.store import DeliveryStore, ResourceStore
from shared.contracts import topics
from shared.contracts.provisioning import DeliveriesFact
from shared.messaging.callers import Callers
from shared.messaging.decision import AggregateKind
from shared.messaging.service import Platform, Service
from shared.web.guard import Guard

DELIVERIES = AggregateKind[Deliveries](
    name="deliveries",
    owner="provisioning",
    dump=dump,
    load=load,
    topic=topics.DELIVERY_FACTS,
    fact=DeliveriesFact,
    public=public,
    key=lambda state, _id: state.person_id,
    due_at=lambda state: state.due_at,
)


def assemble(platform: Platform) -> Service:
    """Connects nothing and starts nothing."""
    deliveries = DeliveryStore(platform.database)
    resources = ResourceStore(platform.database)
    loop = platform.loop(DELIVERIES, deliveries.aggregates)
    callers = Callers(platform.database, platform.hearing)
    guard = Guard(callers)
    return Service(
        name="provisioning",
        stores=[deliveries.aggregates, *resources.by_topic.values(), *callers.stores],
        subscriptions=[
            *messages.memberships(platform, loop),
            *messages.holdings(platform, loop),
            *messages.held_roles(platform, loop),
            *messages.resources(platform, resources, deliveries),
            *callers.subscriptions(platform),
        ],
        timers=[messages.timer(loop, resources)],
        loops=[loop],
        routers=[api.router(platform, deliveries, loop, guard)],
        guard=guard,
    )
