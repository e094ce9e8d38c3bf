"""What approval hears."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.approval.decide import stages
from services.approval.decide.approvers import Directory, Wish, finds_nobody
from services.approval.model import Approval
from services.approval.store import Surroundings, poke
from shared.contracts import topics
from shared.contracts.approval import ApprovalCommand, StageStatus, StartApproval
from shared.contracts.directory import MOVES, MembershipsFact, PersonFact
from shared.contracts.policy import ApprovalStageSettings
from shared.hearing import Hearing
from shared.messaging.decision import Handler, by
from shared.messaging.loop import Loop
from shared.messaging.pace import Pace
from shared.messaging.service import Platform, Timer
from shared.messaging.subscription import Subscription
from shared.storage import MongoAggregates


class Looks:
    """What decisions look at: everybody whom the stages of the approvals in hand may lead to.

    Where a stage is about to begin and its approvers are nobody, what was said of people until now is waited for: whom
    it would ask instead is told of a request that is not theirs."""

    def __init__(self, around: Surroundings, hearing: Hearing) -> None:
        self._around = around
        self._hearing = hearing

    async def __call__(self, messages: Sequence[Any], states: Mapping[str, Approval | None]) -> Directory:
        orders = [one.order for one in messages if isinstance(one, ApprovalCommand)]
        starting = [one for one in orders if isinstance(one, StartApproval)]
        there = [one for one in states.values() if one is not None]
        wishes: list[Wish] = [*starting, *there]
        people = {id for one in wishes for id in (one.person_id, one.requestor_id) if id}
        stages = [one for order in starting for one in order.stages]
        stages += [one.settings for approval in there for one in approval.stages]
        named = [one for settings in stages for one in settings.everybody]
        found = await self._around.directory(people, named)
        if any(finds_nobody(settings, wish, found) for wish, settings in _beginning(starting, there)):
            await self._hearing.abreast({topics.PERSON_FACTS: None, topics.MEMBERSHIP_FACTS: None})
            found = await self._around.directory(people, named)
        return found


def _beginning(
    starting: Sequence[StartApproval], there: Sequence[Approval]
) -> Iterator[tuple[Wish, ApprovalStageSettings]]:
    """Of each approval the stage that begins next."""
    for order in starting:
        yield from ((order, settings) for settings in order.stages[:1])
    for approval in there:
        waiting = [one for one in approval.stages if one.status is StageStatus.INITIALIZING]
        yield from ((approval, one.settings) for one in waiting[:1])


def commands(platform: Platform, loop: Loop[Approval], look: Looks) -> Subscription:
    """Begin, withdraw."""
    handler = Handler[Approval, ApprovalCommand, Directory](stages.obey, by(lambda one: one.request_id), look)
    return platform.hears(topics.APPROVAL_COMMANDS, loop, handler)


def people(platform: Platform, store: MongoAggregates, around: Surroundings) -> Subscription:
    """Somebody left, or has another manager: who is asked follows."""

    async def handle(facts: Sequence[PersonFact]) -> None:
        await around.people.apply(facts)
        await poke(store, platform.clock.now(), people={fact.subject for fact in facts})

    return platform.takes(tuple(topics.lanes_of(topics.PERSON_FACTS)), handle, pace=Pace.PATIENT)


def memberships(platform: Platform, store: MongoAggregates, around: Surroundings) -> Subscription:
    """A group of approvers has other members."""

    async def handle(facts: Sequence[MembershipsFact]) -> None:
        await around.memberships.replica.apply(facts)
        await poke(store, platform.clock.now(), groups={group for fact in facts for group in fact.moved})

    return platform.takes(tuple(topics.lanes_of(topics.MEMBERSHIP_FACTS)), handle, pace=Pace.PATIENT, only=MOVES)


def timer(loop: Loop[Approval], look: Looks) -> Timer:
    """Escalation, the end of a stage's time, and whatever was poked."""
    return Timer(loop, Handler(stages.date_has_come, by(lambda due: due.id), look))
