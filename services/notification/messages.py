"""What notification hears."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.notification import asked, decide, reviews
from services.notification.model import Message
from services.notification.store import Messages, Names
from shared.contracts import topics
from shared.contracts.approval import ApprovalFact
from shared.contracts.assignment import HoldingFact
from shared.contracts.directory import PersonFact
from shared.contracts.request import RequestFact
from shared.contracts.review import InstanceFact, ItemApplied, ItemBlocked, ItemFact
from shared.messaging.pace import Pace
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription


def holdings(platform: Platform, messages: Messages, names: Names, wake: Callable[[], None]) -> list[Subscription]:
    """What happened to somebody's access, in both lanes."""

    async def handle(facts: Sequence[HoldingFact]) -> None:
        now = platform.clock.now()
        # First what makes older messages untrue, then the new ones.
        await names.record_endings([one for fact in facts for one in decide.endings_of(fact)], now)
        new = [one for fact in facts for one in decide.messages_of(fact, now)]
        if new:
            await messages.record(new)
            wake()

    return [
        platform.takes([topic], handle, name=topics.HOLDING_FACTS.name, pace=Pace.LAST, only=decide.TELLING)
        for topic in topics.lanes_of(topics.HOLDING_FACTS)
    ]


def requests(platform: Platform, messages: Messages, wake: Callable[[], None]) -> list[Subscription]:
    """Who is asked to approve, and how requests ended."""

    async def record(new: list[Message]) -> None:
        if new:
            await messages.record(new)
            wake()

    async def approvals(facts: Sequence[ApprovalFact]) -> None:
        now = platform.clock.now()
        await record([one for fact in facts for one in asked.to_approvers(fact, now)])

    async def outcomes(facts: Sequence[RequestFact]) -> None:
        now = platform.clock.now()
        await record([one for fact in facts for one in asked.to_requestor(fact, now)])

    return [platform.takes([topics.APPROVAL_FACTS], approvals), platform.takes([topics.REQUEST_FACTS], outcomes)]


def access_reviews(platform: Platform, messages: Messages, wake: Callable[[], None]) -> list[Subscription]:
    """Who reviews, how reviews ended, and what they took away."""

    async def record(new: list[Message]) -> None:
        if new:
            await messages.record(new, reviews.COLLECTING)
            wake()

    async def instances(facts: Sequence[InstanceFact]) -> None:
        now = platform.clock.now()
        await record([one for fact in facts for one in reviews.of_instance(fact, now)])

    async def items(facts: Sequence[ItemFact]) -> None:
        now = platform.clock.now()
        await record([one for fact in facts for one in reviews.of_item(fact, now)])

    return [
        platform.takes([topics.REVIEW_INSTANCE_FACTS], instances, pace=Pace.LAST),
        platform.takes([topics.REVIEW_ITEM_FACTS], items, pace=Pace.LAST, only=(ItemApplied, ItemBlocked)),
    ]


def people(platform: Platform, names: Names) -> list[Subscription]:
    """Whom to tell, and what changed about them, in both lanes."""

    async def handle(facts: Sequence[PersonFact]) -> None:
        # First the reasons: whoever sees a person in this version may rely on finding what it changed.
        reasons = [(fact.id, words) for fact in facts if (words := decide.reason_in_words(fact))]
        await names.record_reasons(reasons, platform.clock.now())
        await names.people.apply(facts)

    return [platform.takes([topic], handle, pace=Pace.PATIENT) for topic in topics.lanes_of(topics.PERSON_FACTS)]


def catalog(platform: Platform, names: Names) -> list[Subscription]:
    """Names of packages, policies and groups."""

    async def groups(facts: Sequence[Any]) -> None:
        await names.groups.apply(facts)

    async def packages(facts: Sequence[Any]) -> None:
        await names.packages.apply(facts)

    async def policies(facts: Sequence[Any]) -> None:
        await names.policies.apply(facts)

    return [
        platform.takes([topics.PACKAGE_FACTS], packages),
        platform.takes([topics.POLICY_FACTS], policies),
        platform.takes([topics.GROUP_FACTS], groups, pace=Pace.PATIENT),
    ]
