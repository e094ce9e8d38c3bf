"""What request hears."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.request.decide import in_vain, progress
from services.request.model import Request
from services.request.store import Surroundings, listening, pending
from shared.contracts import topics
from shared.contracts.assignment import HoldingFact
from shared.contracts.catalog import Life, PackageFact, PolicyFact
from shared.contracts.directory import MOVES, PersonFact, PersonStatus
from shared.messaging.decision import Handler, by
from shared.messaging.decoding import saying
from shared.messaging.errors import WillNotPass
from shared.messaging.loop import Loop, Outcome, Work
from shared.messaging.pace import Pace
from shared.messaging.service import Isolating, Platform, Timer, Unhandled
from shared.messaging.subscription import Subscription
from shared.storage import MongoAggregates, Replica

_MEANS_SOMETHING = (b'"AssignmentAdded"', b'"AssignmentEnded"', b'"AssignmentMoved"', b'"requestId"')
"""Most holdings only tell that a rule's assignment got on: neither who holds what nor any request changes by it."""

STEP = 500
"""Requests that one write ends: a package may have thousands that wait."""


def replicas(platform: Platform, around: Surroundings) -> list[Subscription]:
    """What a request is decided by, beside what it cannot do without (`needed`)."""

    kept: Mapping[topics.Topic, Replica[Any]] = {
        topics.RESOURCE_FACTS: around.resources,
        topics.POPULATION_FACTS: around.populations,
        topics.CATALOG_FACTS: around.catalogs,
        topics.APPLICATION_FACTS: around.applications,
        topics.SITE_FACTS: around.sites,
        topics.SETTINGS_FACTS: around.settings,
    }
    return [
        *(platform.keeps(tuple(topics.lanes_of(topic)), replica) for topic, replica in kept.items()),
        around.subjects.facts(platform),
        platform.keeps(
            tuple(topics.lanes_of(topics.MEMBERSHIP_FACTS)), around.memberships.replica, pace=Pace.PATIENT, only=MOVES
        ),
    ]


def needed(platform: Platform, loop: Loop[Request], store: MongoAggregates, around: Surroundings) -> list[Subscription]:
    """People, packages and policies; and once one of them is gone, what waits for approval in vain ends."""
    handler = Handler[Request, in_vain.Look, Any](in_vain.look, by(lambda one: one.id), around.gone_from)

    def kept(
        topic: topics.Topic, replica: Replica[Any], field: str, is_gone: Callable[[Any], bool], pace: Pace = Pace.EVEN
    ) -> Subscription:
        isolating = Isolating()

        async def handle(facts: Sequence[Any]) -> Unhandled:
            # Kept before anything is looked for: what is submitted from here on is decided by it.
            await replica.apply(facts)
            gone = {fact.subject: place for place, fact in enumerate(facts) if is_gone(fact)}
            waiting = await pending(store, field, gone) if gone else []
            unhandled: dict[int, WillNotPass] = {}
            for start in range(0, len(waiting), STEP):
                some = waiting[start : start + STEP]
                places = [gone[subject] for _, subject in some]
                works = [
                    Work(in_vain.Look(id), facts[place].follow_up) for (id, _), place in zip(some, places, strict=True)
                ]
                outcomes = await isolating.run(loop, works, handler, lambda: platform.patience(f"request.{topic.name}"))
                unhandled |= _errors(places, outcomes)
            return unhandled

        return platform.takes(tuple(topics.lanes_of(topic)), handle, pace=pace)

    return [
        kept(topics.PACKAGE_FACTS, around.packages, "package_id", _is_deleted),
        kept(topics.POLICY_FACTS, around.policies, "policy_id", _is_deleted),
        kept(topics.PERSON_FACTS, around.people, "person_id", _has_left, Pace.PATIENT),
    ]


def _is_deleted(fact: PackageFact | PolicyFact) -> bool:
    return fact.state.life is Life.DELETED


def _has_left(fact: PersonFact) -> bool:
    return fact.state.status is PersonStatus.LEFT


def holdings(platform: Platform, loop: Loop[Request], store: MongoAggregates, around: Surroundings) -> Subscription:
    """Who holds what; and the requests that wait for it get on."""
    handler = Handler[Request, progress.HoldingTold, Any](progress.holding_told, by(lambda told: told.request_id))
    ending = Handler[Request, progress.EndedByTime, Any](progress.ended_by_time, by(lambda ended: ended.id))
    isolating = Isolating()

    async def handle(heard: Sequence[HoldingFact | None]) -> Unhandled:
        facts = {place: fact for place, fact in enumerate(heard) if fact is not None}
        if not facts:
            return {}
        await around.holdings.apply(list(facts.values()))
        waiting = await listening(store, {fact.subject for fact in facts.values()})
        told = [(place, id) for place, fact in facts.items() for id in waiting.get(fact.subject, ())]
        works = [Work(progress.HoldingTold(id, facts[place]), facts[place].follow_up) for place, id in told]
        outcomes = await isolating.run(loop, works, handler, lambda: platform.patience("request.holdings"))
        ends = [(place, one) for place, fact in facts.items() for one in progress.ends_by_time(fact)]
        works = [Work(one, one.fact.follow_up) for _, one in ends]
        outcomes += await isolating.run(loop, works, ending, lambda: platform.patience("request.holdings"))
        places = [place for place, _ in (*told, *ends)]
        return _errors(places, outcomes)

    # Apart from what it keeps up with otherwise: in a mass import there are very many.
    return platform.takes(
        tuple(topics.lanes_of(topics.HOLDING_FACTS)),
        handle,
        name=topics.HOLDING_FACTS.name,
        decode=saying(*_MEANS_SOMETHING),
        pace=Pace.CALM,
    )


def _errors(places: Sequence[int], outcomes: Sequence[Outcome[Request]]) -> dict[int, WillNotPass]:
    """Of the facts in these places, those that could not be followed, and why."""
    return {place: outcome.error for place, outcome in zip(places, outcomes, strict=True) if outcome.error is not None}


def approvals(platform: Platform, loop: Loop[Request]) -> Subscription:
    """Who may decide, and what they decided."""
    return platform.hears(topics.APPROVAL_FACTS, loop, Handler(progress.approval_told, by(lambda fact: fact.subject)))


def timer(loop: Loop[Request]) -> Timer:
    """Commands that nobody has answered are sent again."""
    return Timer(loop, Handler(progress.send_again, by(lambda due: due.id)))
