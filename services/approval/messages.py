"""What approval hears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.approval.decide import stages
from services.approval.decide.approvers import Directory
from services.approval.model import Approval
from services.approval.store import Surroundings, poke
from shared.contracts import topics
from shared.contracts.approval import ApprovalCommand, StartApproval
from shared.contracts.directory import MOVES, MembershipsFact, PersonFact
from shared.contracts.policy import SubjectSet
from shared.messaging.decision import Handler, by
from shared.messaging.loop import Loop
from shared.messaging.pace import Pace
from shared.messaging.service import Platform, Timer
from shared.messaging.subscription import Subscription
from shared.storage import MongoAggregates


class Looks:
    """What decisions look at: everybody whom the stages of the approvals in hand may lead to."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def __call__(self, messages: Sequence[Any], states: Mapping[str, Approval | None]) -> Directory:
        people: set[str | None] = set()
        named: list[SubjectSet] = []
        for approval in filter(None, states.values()):
            people |= {approval.person_id, approval.requestor_id}
            named += [one for stage in approval.stages for one in stage.settings.everybody]
        for message in messages:
            if isinstance(message, ApprovalCommand) and isinstance(order := message.order, StartApproval):
                people |= {order.person_id, order.requestor_id}
                named += [one for settings in order.stages for one in settings.everybody]
        return await self._around.directory({id for id in people if id}, named)


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
