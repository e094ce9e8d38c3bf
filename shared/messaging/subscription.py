"""A consumer group: its topics, and what happens with a batch of them.

Every group costs a consumer of its own: connections, fetches and heartbeats even when nothing happens. So whatever
only keeps up with facts shares one group a service and pace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.topics import Topic
from shared.messaging.envelope import Incoming
from shared.messaging.pace import Pace
from shared.messaging.subscriber import Take


@dataclass(frozen=True)
class Subscription:
    """One consumer group: its topics and what happens with a batch."""

    topics: tuple[Topic, ...]
    take: Take
    group: str
    decides: bool = True
    """Its messages are causes of writes, so its commits tell what has been published."""
    pace: Pace = Pace.EVEN


def together(subscriptions: Sequence[Subscription]) -> list[Subscription]:
    """The same with one subscription a group, in the order in which groups first appear.

    Raises LookupError for two of one group whose messages lead to decisions: what a commit proves of one is not true
    of the other."""
    groups: dict[str, list[Subscription]] = {}
    for one in subscriptions:
        groups.setdefault(one.group, []).append(one)
    return [members[0] if len(members) == 1 else _joined(group, members) for group, members in groups.items()]


def _joined(group: str, members: Sequence[Subscription]) -> Subscription:
    if any(one.decides for one in members) or len({one.pace for one in members}) > 1:
        raise LookupError(f"Consumer group {group} has two subscriptions: give one of them a name of its own.")
    topics = tuple(dict.fromkeys(topic for one in members for topic in one.topics))
    heard = [(frozenset(topic.name for topic in one.topics), one.take) for one in members]

    async def take(records: Sequence[Incoming]) -> None:
        for names, member in heard:
            if mine := [record for record in records if record.position.topic in names]:
                await member(mine)

    return Subscription(topics, take, group, decides=False, pace=members[0].pace)
