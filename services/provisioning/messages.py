"""What provisioning hears."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from services.provisioning import decide
from services.provisioning.decide import Resources
from services.provisioning.model import Deliveries
from services.provisioning.store import DeliveryStore, ResourceStore, now_otherwise
from shared.contracts import topics
from shared.contracts.assignment import GrantGiven, GrantTaken, HoldingFact
from shared.contracts.base import Fact
from shared.contracts.directory import MembershipsFact
from shared.contracts.resources import HeldRolesFact
from shared.messaging.decision import Due, Handler, by
from shared.messaging.loop import Loop
from shared.messaging.pace import Pace
from shared.messaging.service import Platform, Timer
from shared.messaging.subscription import Subscription
from shared.storage import Replica


def holdings(platform: Platform, loop: Loop[Deliveries]) -> list[Subscription]:
    """What is due, in both lanes."""
    handler = Handler[Deliveries, HoldingFact, Any](decide.follow_holding, by(lambda fact: fact.subject))
    only = (GrantGiven, GrantTaken)
    return [platform.hears(topic, loop, handler, only=only) for topic in topics.lanes_of(topics.HOLDING_FACTS)]


def memberships(platform: Platform, loop: Loop[Deliveries]) -> list[Subscription]:
    """Answers to the commands, and whatever else becomes of memberships, in both lanes."""
    handler = Handler[Deliveries, MembershipsFact, Any](decide.follow_memberships, by(lambda fact: fact.subject))
    return [platform.hears(topic, loop, handler, pace=Pace.CALM) for topic in topics.lanes_of(topics.MEMBERSHIP_FACTS)]


def held_roles(platform: Platform, loop: Loop[Deliveries]) -> list[Subscription]:
    """The same of the roles that people hold."""
    handler = Handler[Deliveries, HeldRolesFact, Any](decide.follow_held_roles, by(lambda fact: fact.subject))
    return [platform.hears(topic, loop, handler, pace=Pace.CALM) for topic in topics.lanes_of(topics.HELD_ROLE_FACTS)]


def resources(platform: Platform, store: ResourceStore, deliveries: DeliveryStore) -> list[Subscription]:
    """Groups, applications and sites that come, go or change their roles: their deliveries are looked at again by the
    timer."""

    def kept(replica: Replica[Any]) -> Callable[[Sequence[Fact]], Awaitable[None]]:
        async def handle(facts: Sequence[Fact]) -> None:
            await replica.apply(facts)
            for resource in now_otherwise(facts):
                await deliveries.poke(resource, platform.clock.now())

        return handle

    return [platform.takes([topic], kept(replica)) for topic, replica in store.by_topic.items()]


def timer(loop: Loop[Deliveries], store: ResourceStore) -> Timer:
    """Resending, and whatever was poked."""

    async def look(_due: Sequence[Due], states: Mapping[str, Deliveries | None]) -> Resources:
        return await store.known(states.values())

    return Timer(loop, Handler[Deliveries, Due, Resources](decide.look_again, by(lambda due: due.id), look))
