"""What provisioning hears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.provisioning import decide
from services.provisioning.decide import Groups
from services.provisioning.model import Deliveries
from services.provisioning.store import DeliveryStore, GroupStore, now_or_gone
from shared.contracts import topics
from shared.contracts.assignment import GrantGiven, GrantTaken, HoldingFact
from shared.contracts.directory import GroupFact, MembershipsFact
from shared.messaging.decision import Due, Handler, by
from shared.messaging.loop import Loop
from shared.messaging.service import Platform, Subscription, Timer


def holdings(platform: Platform, loop: Loop[Deliveries]) -> list[Subscription]:
    """What is due, in both lanes."""
    handler = Handler[Deliveries, HoldingFact, Any](decide.follow_holding, by(lambda fact: fact.subject))
    only = (GrantGiven, GrantTaken)
    return [platform.hears(topic, loop, handler, only=only) for topic in topics.lanes_of(topics.HOLDING_FACTS)]


def memberships(platform: Platform, loop: Loop[Deliveries]) -> list[Subscription]:
    """Answers to the commands, and whatever else becomes of memberships, in both lanes."""
    handler = Handler[Deliveries, MembershipsFact, Any](decide.follow_memberships, by(lambda fact: fact.subject))
    return [platform.hears(topic, loop, handler) for topic in topics.lanes_of(topics.MEMBERSHIP_FACTS)]


def groups(platform: Platform, store: GroupStore, deliveries: DeliveryStore) -> Subscription:
    """Groups that come and go: their deliveries are looked at again by the timer."""

    async def handle(facts: Sequence[GroupFact]) -> None:
        await store.replica.apply(facts)
        for group_id in now_or_gone(facts):
            await deliveries.poke_group(group_id, platform.clock.now())

    return platform.takes([topics.GROUP_FACTS], handle)


def timer(loop: Loop[Deliveries], groups: GroupStore) -> Timer:
    """Resending, and whatever was poked."""

    async def look(_due: Sequence[Due], states: Mapping[str, Deliveries | None]) -> Groups:
        return await groups.known(states.values())

    return Timer(loop, Handler[Deliveries, Due, Groups](decide.look_again, by(lambda due: due.id), look))
