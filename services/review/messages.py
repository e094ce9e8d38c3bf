"""What review hears, and which decision each message leads to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from services.review.advising import Holder, Measured
from services.review.asking import Telling
from services.review.decide import applying, definitions, following, instances, items
from services.review.decide.reviewers import named
from services.review.model import OVER, Definition, Instance, Item
from services.review.recommend import Asked
from services.review.scope import NotUnderstood, read_scope
from services.review.store import Runs, Surroundings
from shared.contracts import topics
from shared.contracts.base import Cause, Fact
from shared.contracts.catalog import PolicyFact
from shared.contracts.directory import GroupFact, PersonFact, PersonLeft
from shared.contracts.review import (
    Advice,
    ReviewCommand,
    ReviewedResource,
    ReviewerScope,
    ReviewStatus,
    StartInstance,
    Verdict,
)
from shared.contracts.roster import GROUP_MEMBER, RosterFact, RosterKind, RosterPage
from shared.messaging.decision import Due, Handler, by
from shared.messaging.decoding import saying
from shared.messaging.loop import Loop, Work
from shared.messaging.pace import Pace
from shared.messaging.service import Platform, Timer
from shared.messaging.subscription import Subscription
from shared.storage import Replica

log = structlog.get_logger(__name__)

STEP = 1000
"""Items that one step of an instance goes through."""
_ADVICE = {"approve": Advice.APPROVE, "deny": Advice.DENY, "noInfoAvailable": Advice.NO_INFO}
AT_ONCE = 8
"""Instances that are worked on side by side in one process."""
MEASURED_AT_MOST = 100
"""Measurements that are kept between steps; forgetting one costs another. Those whose last step another replica does
would else stay for ever."""
FROM_OUTSIDE = dict.fromkeys((topics.HR_URGENT, topics.HR_CHANGES, topics.SIGN_INS))
"""What reviews rest on comes from there, by way of the directory."""
RESTS_ON = dict.fromkeys(
    (
        topics.PERSON_FACTS,
        topics.MEMBERSHIP_FACTS,
        topics.HELD_ROLE_FACTS,
        topics.GROUP_FACTS,
        topics.APPLICATION_FACTS,
        topics.PACKAGE_FACTS,
        topics.SIGN_IN_FACTS,
    )
)
"""What is said of whom reviews are about, who reviews, and what is recommended."""
BEHIND_AT_MOST_S = 30.0
"""So long a review waits for what was said before it; then something is amiss, and it begins with what is known."""
GROUPS = 100
"""Instances that one step of a definition begins."""


class Desk:
    """What subscriptions, timers and routes have in common: the three loops, and what their decisions look at."""

    def __init__(
        self,
        platform: Platform,
        definition_loop: Loop[Definition],
        instance_loop: Loop[Instance],
        item_loop: Loop[Item],
        runs: Runs,
        around: Surroundings,
        telling: Telling,
    ) -> None:
        self.platform = platform
        self.definitions = definition_loop
        self.instances = instance_loop
        self.items = item_loop
        self.runs = runs
        self.around = around
        self.telling = telling
        self._measured: dict[tuple[str, int], tuple[Asked, Measured]] = {}
        """By instance and stage, of those that are being advised. Another replica may have done a stage's last steps:
        what is kept of it says nothing of a later stage, which may ask for other signs."""

    # Items

    def about_items(self, decide: Any) -> Handler[Item, Any, items.Look]:
        """A decision about items, with their instances to look at."""
        return Handler(decide, by(lambda one: one.id), self.look_at_items)

    async def look_at_items(self, messages: Sequence[Any], states: Mapping[str, Item | None]) -> items.Look:
        wanted = {one.instance_id for one in states.values() if one is not None}
        wanted |= {one.instance_id for one in messages if isinstance(one, items.Enter)}
        found = await self.runs.of(wanted)
        asked = {one.manager_id for one in states.values() if one is not None and one.manager_id}
        asked |= {one.entry.manager_id for one in messages if isinstance(one, items.Enter) and one.entry.manager_id}
        asked |= {id for one in found.values() for id in one.stage.fallback}
        answered = {one.id for one in messages if isinstance(one, items.Answered)}
        asked |= {one.person_id for id in answered if (one := states.get(id)) is not None}
        sponsors: Mapping[str, tuple[str, ...]] = {}
        if any(one.asks_sponsors for one in found.values()):
            about = {one.person_id for one in states.values() if one is not None}
            about |= {one.entry.person_id for one in messages if isinstance(one, items.Enter)}
            sponsors = await self.around.sponsors(about)
            asked |= {id for several in sponsors.values() for id in several}
            asked |= {id for one in states.values() if one is not None for id in one.sponsors}
        gone = await self.around.gone(asked)
        if answered:
            gone |= await self.around.deleted([one.resource for one in found.values()])
        return items.Look(found, gone, sponsors)

    async def through(self, messages: Sequence[Any], decide: Any, cause: Cause) -> list[Any]:
        """Decide about these items, `STEP` at a time. Returns the decisions' refusals, None for what went well."""
        handler = self.about_items(decide)
        refusals: list[Any] = []
        for begin in range(0, len(messages), STEP):
            works = [Work(one, cause) for one in messages[begin : begin + STEP]]
            for outcome in await self.items.run(works, handler, self.platform.patience("review.items")):
                if outcome.error is not None:
                    log.error("an item could not be decided", item=outcome.subject, exc_info=outcome.error)
                refusals.append(outcome.decision.refusal if outcome.decision else None)
        return refusals

    # Instances

    def about_instances(self, decide: Any) -> Handler[Instance, Any, instances.Look]:
        """A decision about instances, with the reviewers of their stages to look at."""
        return Handler(decide, by(lambda one: one.id), self.look_at_instances)

    async def look_at_instances(self, messages: Sequence[Any], states: Mapping[str, Instance | None]) -> instances.Look:
        """Whom the reviewer scopes lead to of those that change reviewers or begin a stage."""
        wanted: dict[str, tuple[Any, list[ReviewerScope]]] = {}
        for one in messages:
            state = states.get(one.id) if not isinstance(one, ReviewCommand) else None
            if isinstance(one, ReviewCommand) and isinstance(order := one.order, StartInstance):
                first = order.definition.stages[0]
                wanted[one.instance_id] = (order.resource, [*first.reviewers, *first.fallback_reviewers])
            elif state is not None:
                scopes = [
                    scope for stage in state.stages[state.current : state.current + 2]
                    for scope in (*stage.settings.reviewers, *stage.settings.fallback_reviewers)
                ]  # fmt: skip
                if isinstance(one, instances.ChangeReviewers):
                    scopes += [*(one.reviewers or ()), *(one.fallback_reviewers or ())]
                wanted[one.id] = (state.resource, scopes)
        if any(_names_reviewers(one) for one in messages):
            await self.platform.hearing.abreast(RESTS_ON)
        resolved = {id: await self.around.resolved(named(s), resource) for id, (resource, s) in wanted.items()}
        things = [resource for resource, _ in wanted.values()]
        return instances.Look(resolved, await self.around.names(things), await self.around.role_names(things))

    async def heard(self) -> None:
        """Wait until all that was said until now is known here: who is asked, and what is recommended, is as it was
        when a run, or a stage of it, began. Raises MayPass while Kafka is away."""
        hearing = self.platform.hearing
        for about in (FROM_OUTSIDE, RESTS_ON):
            if not await hearing.caught_up(about, BEHIND_AT_MOST_S):
                names = [topic.name for topic in about]
                log.warning("a review goes on although not all that was said before is known", topics=names)

    async def steps(self, dues: Sequence[Due], states: Mapping[str, Instance | None]) -> instances.Look:
        """Do the next step of each instance that is due, then let it be moved on."""
        going = [one for one in states.values() if one is not None]
        now = self.platform.clock.now()
        ends = [due for due in dues if (one := states.get(due.id)) is not None and one.goes_on_at(now)]
        if ends:
            await self.heard()
        done = await asyncio.gather(*(self._step(one) for one in going))
        look = await self.look_at_instances(ends, states)
        return replace(look, steps={one.id: step for one, step in zip(going, done, strict=True) if step})

    async def _step(self, one: Instance) -> instances.Step | None:  # noqa: PLR0911 (one a kind)
        match one.status:
            case ReviewStatus.STARTING:
                return await self._advised(one)
            case ReviewStatus.IN_PROGRESS if one.moving and one.advises_anew:
                # Reviewers of this stage are to see its own recommendations from the first moment on.
                step = await self._each(one, items.Advance, items.advance)
                advised = await self._advised(one)
                return instances.Step(step.last, step.over and advised.over)
            case ReviewStatus.IN_PROGRESS if one.moving:
                return await self._each(one, items.Advance, items.advance)
            case ReviewStatus.IN_PROGRESS if one.asking is not None:
                told = await self.telling.step(one)
                return instances.Step(
                    told.last,
                    told.over,
                    people=told.people,
                    open=told.open,
                    unattended=told.unattended,
                    answerable=told.answerable,
                )
            case ReviewStatus.COMPLETING:
                return instances.Step(
                    figures=await self._tally(one, "decision"), people=await self.telling.recipients(one)
                )
            case ReviewStatus.AUTO_REVIEWING:
                step = await self._each(one, items.Settle, items.settle, decision=Verdict.NOT_REVIEWED.value)
                figures = await self._tally(one, "decision") if step.over else {}
                return instances.Step(step.last, step.over, figures=figures)
            case ReviewStatus.APPLYING if one.moving:
                return await self._each(one, items.Apply, items.apply)
            case ReviewStatus.APPLYING:
                if await self.runs.next_items(one.id, None, 1, waits=True):
                    return instances.Step(waiting=True)
                return instances.Step(results=await self._tally(one, "result"))
        return None

    async def _each(self, one: Instance, message: Any, decide: Any, **only: Any) -> instances.Step:
        ids = await self.runs.next_items(one.id, one.after, STEP, **only)
        await self.through([message(id) for id in ids], decide, caused_by(one))
        return instances.Step(ids[-1] if ids else one.after, len(ids) < STEP)

    async def _advised(self, one: Instance) -> instances.Step:
        """What is recommended about the next items. What they are compared with is measured once a process."""
        place = (one.id, one.current)
        if (known := self._measured.get(place)) is None:
            asked = await self.around.asked(one)
            known = self._measured[place] = asked, await self.around.advisor.measure(asked, self._holders(one))
            while len(self._measured) > MEASURED_AT_MOST:
                self._measured.pop(next(iter(self._measured)))
        asked, measured = known
        query = {"state.instance_id": one.id, **({"_id": {"$gt": one.after}} if one.after else {})}
        found = await self.runs.items.states(query, limit=STEP)
        # What has not come to this stage keeps what was recommended before.
        here = [it for it in found if it["stage"] == one.current and it["user_type"] != GROUP_MEMBER]
        holders = [Holder(it["_id"], it["person_id"], it.get("since")) for it in here]
        advice = await self.around.advisor.advise(asked, measured, one.starts_at, holders)
        advised = [items.Advise(id, _ADVICE[a.decision], a.words, dict(a.figures)) for id, a in advice.items()]
        await self.through(advised, items.advise, caused_by(one))
        over = len(found) < STEP
        if over:
            self._measured.pop(place, None)
        return instances.Step(found[-1]["_id"] if found else one.after, over)

    async def _holders(self, one: Instance) -> AsyncIterator[list[str]]:
        """Ids of all who have it, each once, in portions: everybody in a group; of all else who is on the review."""
        query = {"state.instance_id": one.id}
        after: str | None = None
        if one.resource.kind is RosterKind.GROUP:
            while people := await self.around.members(one.resource, after, STEP):
                yield people
                after = people[-1]
            return
        if one.resource.kind in {RosterKind.APPLICATION, RosterKind.DIRECTORY_ROLE, RosterKind.GOVERNANCE_ROLE}:
            # Somebody may have several roles.
            while found := await self.runs.items.distinct(query, "state.person_id", after=after, limit=STEP):
                yield found
                after = found[-1]
            return
        while rows := await self.runs.items.states({**query, **({"_id": {"$gt": after}} if after else {})}, limit=STEP):
            yield [row["person_id"] for row in rows]
            after = rows[-1]["_id"]

    async def _tally(self, one: Instance, field: str) -> dict[str, int]:
        return await self.runs.items.tally({"state.instance_id": one.id}, f"state.{field}")

    # Definitions

    def about_definitions(self, decide: Any) -> Handler[Definition, Any, definitions.Look]:
        return Handler(decide, by(lambda one: one.id), self.look_at_definitions)

    async def look_at_definitions(
        self, messages: Sequence[Any], states: Mapping[str, Definition | None]
    ) -> definitions.Look:
        """Groups that the next step is about; what runs of those that are deleted; names of packages."""
        due = [states.get(one.id) for one in messages if isinstance(one, Due)]
        if any(one is not None and one.begins for one in due):
            await self.heard()
        targets = {one.id: await self._targets(one) for one in due if one is not None}
        told = [one for one in messages if isinstance(one, PolicyFact)]
        touched = {one.id for one in messages if isinstance(one, definitions.Delete | definitions.Write)}
        touched |= states.keys() & {following.definition_id(one.subject) for one in told}
        running = {id: await self.runs.running(id) for id in touched if states.get(id) is not None}
        names = await self._packages_called({one.state.package_id for one in told})
        return definitions.Look(targets, running, names, self.platform.clock.now())

    async def _packages_called(self, ids: Collection[str]) -> Mapping[str, str]:
        """A policy is mostly told of right after its package, whose name its review has."""
        packages = [ReviewedResource(kind=RosterKind.PACKAGE, id=id) for id in ids]
        names = await self.around.names(packages) if packages else {}
        if len(names) < len(packages):
            await self.platform.hearing.abreast({topics.PACKAGE_FACTS: ids})
            names = await self.around.names(packages)
        return names

    async def _targets(self, one: Definition) -> definitions.Targets:
        try:
            scope = read_scope(one.state.scope, one.state.enumeration)
        except NotUnderstood:
            return definitions.Targets()
        if one.deleted or not scope.every_group:
            return definitions.Targets()
        among = None
        if scope.guests_only:
            among = await self.around.groups_with_guests(direct=scope.direct)
        after = one.beginning.after if one.beginning else None
        groups = await self.around.groups_after(after, GROUPS, among, teams=scope.teams_only)
        return definitions.Targets(tuple(groups), len(groups) < GROUPS)


def _names_reviewers(message: Any) -> bool:
    """Whether somebody gives a stage other reviewers, or has the next one begin."""
    return isinstance(message, instances.ChangeReviewers) or getattr(message, "what", None) == "stopStage"


def caused_by(one: Instance) -> Cause:
    """What an instance does by itself."""
    return Cause(id=f"review-instance:{one.id}", correlation=one.cause.correlation, actor="system:review")


def commands(desk: Desk) -> Subscription:
    """A definition begins or closes an instance."""
    handler = Handler[Instance, ReviewCommand, instances.Look](
        instances.obey, by(lambda one: one.instance_id), desk.look_at_instances
    )
    return desk.platform.hears(topics.REVIEW_COMMANDS, desk.instances, handler)


def rosters(desk: Desk) -> list[Subscription]:
    """Each page becomes items; then the instance hears of it. A crash in between repeats harmlessly."""
    telling = Handler[Instance, instances.RosterTold, Any](instances.roster_told, by(lambda told: told.fact.subject))

    async def handle(facts: Sequence[RosterFact]) -> None:
        known = await desk.runs.of({fact.subject for fact in facts})
        entered: list[items.Enter] = []
        told: list[Work] = []
        for fact in facts:
            instance = known.get(fact.subject)
            if instance is None or instance.status is not ReviewStatus.INITIALIZING:
                continue
            pages = [one for one in fact.transitions if isinstance(one, RosterPage)]
            entries = await desk.around.wanted(instance, [entry for page in pages for entry in page.entries])
            entered += [items.Enter(items.item_id(instance.id, entry), instance.id, entry) for entry in entries]
            told.append(Work(instances.RosterTold(fact, len(entries)), fact.follow_up))
        await desk.through(entered, items.enter, Cause(id="roster", correlation="roster", actor="system:review"))
        await _run(desk, desk.instances, told, telling, "review.rosters")

    owners = (topics.DIRECTORY_ROSTERS, topics.ASSIGNMENT_ROSTERS, topics.CATALOG_ROSTERS)
    return [desk.platform.takes((topic,), handle) for topic in owners]


async def _run(desk: Desk, loop: Loop[Any], works: Sequence[Work], handler: Any, where: str) -> None:
    for outcome in await loop.run(works, handler, desk.platform.patience(where)) if works else ():
        if outcome.error is not None:
            log.error("a review could not follow", subject=outcome.subject, where=where, exc_info=outcome.error)


def answers(desk: Desk) -> list[Subscription]:
    """Who is in and who owns what, where that has moved; and what became of what was commanded."""
    around = desk.around
    return [
        _answering(desk, topics.HOLDING_FACTS, None, ()),
        _answering(desk, topics.ROLE_ASSIGNMENT_FACTS, None, ()),
        _answering(desk, topics.MEMBERSHIP_FACTS, around.memberships, (b'"MemberAdded"', b'"MemberRemoved"')),
        _answering(desk, topics.HELD_ROLE_FACTS, around.owners, (b'"RoleGiven"', b'"RoleTaken"')),
    ]


def _answering(desk: Desk, topic: topics.Topic, replica: Replica[Any] | None, telling: Sequence[bytes]) -> Subscription:
    words = (applying.PREFIX.encode(), *telling)

    async def handle(heard: Sequence[Any]) -> None:
        facts = [fact for fact in heard if fact is not None]
        if replica is not None:
            await replica.apply(facts)
        await _take_answers(desk, facts)

    # Owners are seldom told of, and are to be known when a review begins; memberships are many.
    pace = {topics.MEMBERSHIP_FACTS: Pace.PATIENT, topics.HOLDING_FACTS: Pace.CALM}.get(topic, Pace.EVEN)
    # Holdings apart: in a mass import there are very many.
    name = topic.name if topic is topics.HOLDING_FACTS else None
    return desk.platform.takes(tuple(topics.lanes_of(topic)), handle, name=name, decode=saying(*words), pace=pace)


async def _take_answers(desk: Desk, facts: Sequence[Fact]) -> None:
    """Items learn what became of what was commanded, and their instances look whether that was the last of it."""
    works = [
        Work(items.Answered(one.command_id.removeprefix(applying.PREFIX), one), fact.follow_up)
        for fact in facts
        for one in applying.answers_in(fact)
    ]
    if not works:
        return
    await _run(desk, desk.items, works, desk.about_items(items.answered), "review.answers")
    said = await desk.runs.items.states({"_id": {"$in": [work.message.id for work in works]}})
    waiting = {"_id": {"$in": list({one["instance_id"] for one in said})}, "state.status": "Applying"}
    await desk.runs.instances.poke(waiting, desk.platform.clock.now())


def people(desk: Desk) -> Subscription:
    """Names and managers; whoever leaves is replaced where they review; and what became of guests who were denied."""

    async def handle(facts: Sequence[PersonFact]) -> None:
        await desk.around.people.apply(facts)
        await _take_answers(desk, facts)
        for fact in facts:
            if any(isinstance(one, PersonLeft) for one in fact.transitions):
                await _left(desk, fact)

    return desk.platform.takes(tuple(topics.lanes_of(topics.PERSON_FACTS)), handle, pace=Pace.PATIENT)


async def _left(desk: Desk, fact: PersonFact) -> None:
    over = [status.value for status in OVER]
    among = [{"state.reviewers": fact.subject}, {"state.stands_by": fact.subject}]
    reviewing = await desk.runs.instances.ids({"$or": among, "state.status": {"$nin": over}})
    works = [Work(instances.ReviewerLeft(id, fact.subject), fact.follow_up) for id in reviewing]
    await _run(desk, desk.instances, works, Handler(instances.reviewer_left, by(lambda one: one.id)), "review.people")
    touched = set(reviewing) | set(
        await desk.runs.items.distinct({"state.reviewers": fact.subject}, "state.instance_id")
    )
    after: str | None = None
    while ids := await desk.runs.items.ids({"state.reviewers": fact.subject}, after=after, limit=STEP):
        await desk.through([items.HandOver(id, fact.subject) for id in ids], items.hand_over, fact.follow_up)
        after = ids[-1]
    await _not_left_to_themself(desk, reviewing, fact)
    telling = [Work(instances.TellNew(id), fact.follow_up) for id in sorted(touched)]
    await _run(desk, desk.instances, telling, Handler(instances.tell_new, by(lambda one: one.id)), "review.people")


async def _not_left_to_themself(desk: Desk, among: Collection[str], fact: PersonFact) -> None:
    """What the only reviewer who is left has goes to the fallbacks: nobody decides about themself."""
    for one in (await desk.runs.of(among)).values():
        if len(one.stage.reviewers) == 1:
            own = {"state.instance_id": one.id, "state.person_id": one.stage.reviewers[0]}
            ids = await desk.runs.items.ids(own, limit=STEP)
            await desk.through([items.Advance(id) for id in ids], items.advance, fact.follow_up)


def replicas(desk: Desk) -> list[Subscription]:
    """Names of what is reviewed."""

    kept: Mapping[topics.Topic, Replica[Any]] = {
        topics.APPLICATION_FACTS: desk.around.applications,
        topics.PACKAGE_FACTS: desk.around.packages,
        topics.RESOURCE_FACTS: desk.around.resources,
        topics.SIGN_IN_FACTS: desk.around.advisor.sign_ins,
    }
    return [desk.platform.keeps((topic,), replica, pace=Pace.PATIENT) for topic, replica in kept.items()]


def policies(desk: Desk) -> Subscription:
    """A definition follows each policy that says how its assignments are reviewed."""
    handler = Handler[Definition, PolicyFact, definitions.Look](
        following.policy_told, by(lambda fact: following.definition_id(fact.subject)), desk.look_at_definitions
    )
    return desk.platform.hears(topics.POLICY_FACTS, desk.definitions, handler)


def own(desk: Desk) -> Subscription:
    """How far a definition is follows from its instances."""
    handler = Handler(definitions.instance_told, by(lambda fact: fact.state.definition_id))
    return desk.platform.hears(topics.REVIEW_INSTANCE_FACTS, desk.definitions, handler)


def groups(desk: Desk) -> Subscription:
    """Their names, what lies in them; and what became of those that were denied as members of others."""

    async def handle(facts: Sequence[GroupFact]) -> None:
        await desk.around.groups.apply(facts)
        await _take_answers(desk, facts)

    return desk.platform.takes((topics.GROUP_FACTS,), handle, pace=Pace.PATIENT)


def timers(desk: Desk) -> list[Timer]:
    """Occurrences that begin, and commands that nobody has answered."""
    return [
        Timer(desk.definitions, desk.about_definitions(definitions.date_has_come), limit=AT_ONCE),
        Timer(desk.items, desk.about_items(items.send_again)),
    ]


def steps(desk: Desk) -> Timer:
    """Instances that something is to be done about."""
    handler = Handler(instances.date_has_come, by(lambda due: due.id), desk.steps)
    return Timer(desk.instances, handler, limit=AT_ONCE, steady=True)
