"""The wiring of request."""

from __future__ import annotations

from services.request import api, available, messages, suggesting
from services.request.model import Request, dump, load, public
from services.request.store import Surroundings, requests
from shared.contracts import topics
from shared.contracts.request import RequestFact
from shared.messaging.callers import Callers
from shared.messaging.decision import AggregateKind
from shared.messaging.service import Platform, Service
from shared.storage import Answers
from shared.web.guard import Guard

REQUEST = AggregateKind[Request](
    name="request",
    owner="request",
    dump=dump,
    load=load,
    topic=topics.REQUEST_FACTS,
    fact=RequestFact,
    public=public,
    key=lambda state, _id: state.person_id,
    due_at=lambda state: state.due_at,
)


def assemble(platform: Platform) -> Service:
    """Connects nothing and starts nothing."""
    store = requests(platform.database)
    answers = Answers(platform.database)
    around = Surroundings(platform.database)
    loop = platform.loop(REQUEST, store)
    callers = Callers(platform.database, platform.hearing, groups_of=around.memberships.groups_of_one)
    guard = Guard(callers)
    return Service(
        name="request",
        stores=[store, answers, *around.replicas, *callers.stores],
        subscriptions=[
            *messages.replicas(platform, around),
            *messages.needed(platform, loop, store, around),
            messages.holdings(platform, loop, store, around),
            messages.approvals(platform, loop),
            *callers.subscriptions(platform),
        ],
        timers=[messages.timer(loop)],
        loops=[loop],
        routers=[
            api.router(platform, loop, store, around, answers, guard),
            available.router(platform, around, guard),
            suggesting.router(platform, store, around, guard),
        ],
        guard=guard,
    )
