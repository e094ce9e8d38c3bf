"""The wiring of approval."""

from __future__ import annotations

from services.approval import api, messages
from services.approval.model import Approval, dump, load, public
from services.approval.store import Surroundings, approvals
from shared.contracts import topics
from shared.contracts.approval import ApprovalFact
from shared.messaging.callers import Callers
from shared.messaging.decision import AggregateKind
from shared.messaging.service import Platform, Service
from shared.storage import Answers
from shared.web.guard import Guard

APPROVAL = AggregateKind[Approval](
    name="approval",
    owner="approval",
    dump=dump,
    load=load,
    topic=topics.APPROVAL_FACTS,
    fact=ApprovalFact,
    public=public,
    due_at=lambda state: state.due_at,
)


def assemble(platform: Platform) -> Service:
    """Connects nothing and starts nothing."""
    store = approvals(platform.database)
    answers = Answers(platform.database)
    around = Surroundings(platform.database)
    look = messages.Looks(around, platform.hearing)
    loop = platform.loop(APPROVAL, store)
    callers = Callers(platform.database, platform.hearing)
    guard = Guard(callers)
    return Service(
        name="approval",
        stores=[store, answers, around.people, around.memberships.replica, *callers.stores],
        subscriptions=[
            messages.commands(platform, loop, look),
            messages.people(platform, store, around),
            messages.memberships(platform, store, around),
            *callers.subscriptions(platform),
        ],
        timers=[messages.timer(loop, look)],
        loops=[loop],
        routers=[api.router(platform, loop, store, around, look, answers, guard)],
        guard=guard,
    )
