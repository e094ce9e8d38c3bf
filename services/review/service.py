"""The wiring of review."""

from __future__ import annotations

from services.review import api, exceptions, messages
from services.review.asking import Contacts, Telling
from services.review.history.api import archive
from services.review.messages import Desk
from services.review.model import DEFINITION, INSTANCE, ITEM
from services.review.store import Runs, Surroundings, definitions, instances, items
from shared.messaging.callers import Callers
from shared.messaging.service import Platform, Service
from shared.storage import Answers
from shared.web.guard import Guard


def assemble(platform: Platform) -> Service:
    """Connects nothing and starts nothing."""
    database = platform.database
    campaigns, runs = definitions(database), Runs(instances(database), items(database))
    answers, around = Answers(database), Surroundings(database)
    telling = Telling(runs, around, Contacts(database))
    desk = Desk(
        platform,
        platform.loop(DEFINITION, campaigns),
        platform.loop(INSTANCE, runs.instances),
        platform.loop(ITEM, runs.items),
        runs,
        around,
        telling,
    )
    steps = messages.steps(desk)
    history = archive(platform, database, campaigns, runs, around)
    rules = exceptions.ruled(database)
    callers = Callers(database, platform.hearing, groups_of=around.groups_of)
    guard = Guard(callers)

    return Service(
        name="review",
        stores=[
            campaigns,
            runs.instances,
            runs.items,
            history.store,
            rules,
            telling.contacts.documents,
            answers,
            *around.replicas,
            *callers.stores,
        ],
        subscriptions=[
            messages.commands(desk),
            *messages.rosters(desk),
            *messages.answers(desk),
            messages.people(desk),
            *messages.replicas(desk),
            messages.groups(desk),
            exceptions.subscription(platform, rules),
            messages.policies(desk),
            messages.own(desk),
            *callers.subscriptions(platform),
        ],
        timers=[*messages.timers(desk), steps, history.timer],
        loops=[desk.definitions, desk.instances, desk.items, history.loop],
        routers=[api.router(desk, campaigns, answers, guard, history, rules)],
        guard=guard,
    )
