"""What assignment hears, and which decision each message leads to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from services.assignment.askings import Askings
from services.assignment.decide import command, delivery, expiry, membership, person, rules
from services.assignment.decide.look import Look
from services.assignment.model import Holding, RuleJob, Subject
from services.assignment.rulebook import Rulebook
from services.assignment.store import RULES, Looks, MembershipStore, RuleStore, concerned
from shared.contracts import topics
from shared.contracts.approval import ApprovalFact
from shared.contracts.assignment import AddAssignment, AssignmentCommand, UseAnswer
from shared.contracts.base import Cause
from shared.contracts.catalog import Life, PackageFact, PolicyFact, PopulationFact
from shared.contracts.directory import MOVES, MembershipsFact
from shared.contracts.request import RequestFact
from shared.ids import derived_id
from shared.messaging.decision import Decision, Due, Handler, by
from shared.messaging.envelope import outgoing
from shared.messaging.loop import Loop, Work
from shared.messaging.pace import Pace
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription
from shared.storage import MongoAggregates, Replica

STEP = 500
"""People that one step of a rule job decides."""

NOT_OURS = ""
"""Where people are located of whom nothing is said that a rule names: nobody, so one read for all of them."""


def person_facts(platform: Platform, loop: Loop[Holding], looks: Looks) -> list[Subscription]:
    """Rules start and end automatic assignments; access follows suspension and leaving."""
    handler = Handler(
        person.person_changed, by(lambda fact: fact.subject), looks.look, looks.look_again, person.second_look
    )
    return [platform.hears(topic, loop, handler) for topic in topics.lanes_of(topics.PERSON_FACTS)]


def delivery_facts(platform: Platform, loop: Loop[Holding], looks: Looks) -> list[Subscription]:
    """Assignments get on with the deliveries of their grants."""
    handler = Handler(
        delivery.deliveries_told, by(lambda fact: fact.subject), looks.look, looks.look_again, person.second_look
    )
    only = delivery.TELLING
    return [
        platform.hears(topic, loop, handler, only=only, pace=Pace.CALM)
        for topic in topics.lanes_of(topics.DELIVERY_FACTS)
    ]


def membership_facts(
    platform: Platform, loop: Loop[Holding], looks: Looks, memberships: MembershipStore
) -> list[Subscription]:
    """All go to the replica; what touches a group that a rule names goes on to the holding."""

    async def locate(facts: Sequence[MembershipsFact]) -> Sequence[str]:
        # First kept, then the rules read: a rule that comes to name the group later finds it kept.
        await memberships.replica.apply(facts)
        named = (await looks.rules.present()).groups
        # All facts of a person or none, so that `look` can tell whom they concern.
        concerned = {fact.subject for fact in facts if not named.keys().isdisjoint(map(str.lower, fact.moved))}
        return [fact.subject if fact.subject in concerned else NOT_OURS for fact in facts]

    handler = Handler(
        membership.memberships_changed, locate, looks.look_for_memberships, looks.look_again, person.second_look
    )
    return [
        platform.hears(topic, loop, handler, only=MOVES, pace=Pace.CALM)
        for topic in topics.lanes_of(topics.MEMBERSHIP_FACTS)
    ]


def commands(platform: Platform, loop: Loop[Holding], holdings: MongoAggregates, looks: Looks) -> Subscription:
    """What requests ask for. Request may have heard of a person or a policy before us: what was just made is waited
    for, in time for nobody to be refused what is there."""

    async def locate(asked: Sequence[AssignmentCommand]) -> Sequence[str]:
        people = {one.person_id for one in asked if isinstance(one.order, AddAssignment)}
        known = {"_id": {"$in": sorted(people)}, "state.status": {"$ne": None}}
        if people:
            await platform.hearing.once(lambda: holdings.ids(known), enough=lambda found: len(found) == len(people))
        return [one.person_id for one in asked]

    async def heard_of(orders: Sequence[AddAssignment]) -> None:
        await platform.hearing.once(
            looks.rules.present,
            enough=lambda book: all(
                one.package_id in book.packages and one.policy_id in book.policies for one in orders
            ),
            about=RULES if orders else None,
        )

    async def look(asked: Sequence[AssignmentCommand], _states: Mapping[str, Holding | None]) -> Look:
        await heard_of([one.order for one in asked if isinstance(one.order, AddAssignment)])
        return await looks.look_for_adding([one.order.assignment_id for one in asked], {one.person_id for one in asked})

    handler = Handler(command.obey, locate, look, looks.look_again, person.second_look)
    return platform.hears(topics.ASSIGNMENT_COMMANDS, loop, handler)


def askings(platform: Platform, kept: Askings) -> list[Subscription]:
    """What was asked and decided, for whoever asks why somebody holds something."""

    async def requests(facts: Sequence[RequestFact]) -> None:
        await kept.requests.apply(facts)

    async def approvals(facts: Sequence[ApprovalFact]) -> None:
        await kept.approvals.apply(facts)

    return [
        platform.takes([topics.REQUEST_FACTS], requests, pace=Pace.PATIENT),
        platform.takes([topics.APPROVAL_FACTS], approvals, pace=Pace.PATIENT),
    ]


CatalogThing = PackageFact | PolicyFact | PopulationFact


def catalog_facts(
    platform: Platform, jobs: Loop[RuleJob], holdings: MongoAggregates, store: RuleStore
) -> list[Subscription]:
    """Written, epoch raised, jobs started, questions answered, stamped: in this order (see `store`)."""

    def heard(topic: topics.Topic, replica: Replica[Any], subject: Subject) -> Subscription:
        async def take(facts: Sequence[CatalogThing]) -> None:
            before = await replica.get({fact.subject for fact in facts})
            newest = await replica.apply(facts)
            epoch = await store.raise_epoch()
            kept = await replica.get([fact.subject for fact in newest])
            book = await store.present()
            changed = [
                fact
                for fact in newest
                if _matters(before.get(fact.subject), kept[fact.subject])
                and not (before.get(fact.subject) is None and _concerns_nobody(fact, book))
            ]
            await _start_jobs(jobs, changed, subject, epoch)
            await _answer(platform, holdings, store, facts, subject)
            await store.stamped(replica, {fact.subject: kept[fact.subject]["version"] for fact in newest}, epoch)

        return platform.takes((topic,), take)

    return [
        heard(topics.PACKAGE_FACTS, store.packages, "package"),
        heard(topics.POLICY_FACTS, store.policies, "policy"),
        heard(topics.POPULATION_FACTS, store.populations, "population"),
    ]


_WORDS_ONLY = frozenset({"name", "shown", "version", "epoch", "expires_after_s", "expires_at", "accepts_by_hand"})


def _matters(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> bool:
    """Whether anybody's access may depend on what changed; yes, too, if the last attempt may have died half-way."""
    if before is None or before["epoch"] is None:
        return True
    return any(before.get(name) != value for name, value in now.items() if name not in _WORDS_ONLY)


def _concerns_nobody(fact: CatalogThing, book: Rulebook) -> bool:
    """Of what is new: a package without policies, a policy for direct assignment, a population without policies."""
    match fact:
        case PackageFact():
            return not book.policies_of_package(fact.subject)
        case PolicyFact():
            return not fact.state.is_automatic
        case _:
            return not book.policies_of_population(fact.subject)


async def _start_jobs(jobs: Loop[RuleJob], changed: Sequence[CatalogThing], subject: Subject, epoch: int) -> None:
    works = [
        Work(
            rules.RulesChanged(fact.subject, subject, epoch),
            Cause(id=fact.id, correlation=fact.cause.correlation, actor=fact.cause.actor),
        )
        for fact in changed
    ]
    if works:
        await jobs.run(works, Handler(rules.start, by(lambda changed: changed.id)))


async def _answer(
    platform: Platform,
    holdings: MongoAggregates,
    store: RuleStore,
    facts: Sequence[CatalogThing],
    subject: Subject,
) -> None:
    asked = [
        fact
        for fact in facts
        if fact.state.life is Life.DELETING and any(t.type == "DeletionAsked" for t in fact.transitions)
    ]
    book = await store.present() if asked else store.book
    for fact in asked:
        match subject:
            case "package":
                query: dict[str, Any] = {"state.assignments.package_id": fact.subject}
            case "policy":
                query = _directly(fact.subject)
            case "population":
                ids = [policy.id for policy in book.policies_of_population(fact.subject) if policy.life is Life.ACTIVE]
                query = {"state.assignments.policy_id": {"$in": ids}}
        answer = UseAnswer(
            id=derived_id("use-answer", fact.id),
            cause=Cause(id=fact.id, correlation=fact.cause.correlation, actor="system:assignment"),
            subject=fact.subject,
            kind=subject,
            asked_version=fact.version,
            in_use=await holdings.count(query),
        )
        await platform.bus.publish(
            [outgoing(topics.USE_ANSWERS, fact.subject, answer, source="assignment", at=platform.clock.now())]
        )


def _directly(policy_id: str) -> dict[str, Any]:
    """Who holds something under this policy by hand: what a rule gave goes with the rule."""
    return {"state.assignments": {"$elemMatch": {"policy_id": policy_id, "kind": {"$ne": "automatic"}}}}


def dates(looks: Looks) -> Handler[Holding, Due, Any]:
    """Starts, ends, reminders, and moments at which time alone turns a rule."""
    return Handler(expiry.date_has_come, by(lambda due: due.id), looks.look, looks.look_again, person.second_look)


def job_steps(
    platform: Platform, loop: Loop[Holding], holdings: MongoAggregates, looks: Looks
) -> Handler[RuleJob, Due, Any]:
    """Decide the next people of each job that is due, then move the jobs on. A crash in between repeats harmlessly."""
    decide = Handler(
        rules.decide_person,
        by(lambda message: message.person_id),
        looks.look_for_jobs,
        looks.look_again,
        person.second_look,
    )

    tallies: dict[str, rules.Tally] = {}

    async def look(messages: Sequence[Due], jobs: Mapping[str, RuleJob | None]) -> Mapping[str, rules.Step]:
        # Asked again with the very same message if the job's own write has lost a race: what was written for it before
        # counts all the same, for whoever has lost what the job takes is not found a second time.
        kept = {one.id: tallies[one.id] for one in messages if one.id in tallies and tallies[one.id].due is one}
        tallies.clear()
        tallies.update({one.id: kept.get(one.id) or rules.Tally(one) for one in messages})
        going = [job for job in jobs.values() if job is not None and not job.done]
        book = await looks.rules.present()
        chosen = await asyncio.gather(*(choose(job, book) for job in going))
        # Whom several jobs concern is decided once, in the name of the first.
        works = {
            id: Work(rules.Decide(id), job.cause)
            for job, (people, _) in reversed([*zip(going, chosen, strict=True)])
            for id in people
        }
        decisions: dict[str, list[Decision[Holding]]] = {}
        every = list(works.values())
        for begin in range(0, len(every), STEP):
            for one in await loop.run(every[begin : begin + STEP], decide):
                decisions[one.subject] = [*([one.decision] if one.decision else []), *one.again]
        for job, (people, _) in zip(going, chosen, strict=True):
            tallies[job.id].take({id: decisions.get(id, []) for id in people})
        return {
            job.id: tallies[job.id].step(job, people, expected, over=len(people) < STEP)
            for job, (people, expected) in zip(going, chosen, strict=True)
        }

    async def choose(job: RuleJob, book: Rulebook) -> tuple[list[str], int]:
        query, groups = concerned(book, job, platform.clock)
        people = await holdings.ids(query, after=job.cursor, limit=STEP)
        if groups:
            people = sorted({*people, *await looks.memberships.members(groups, job.cursor, STEP)})[:STEP]
        if job.expected is not None:
            return people, job.expected
        return people, len(people) if len(people) < STEP else await holdings.count(query)

    return Handler(rules.move_on, by(lambda due: due.id), look)
