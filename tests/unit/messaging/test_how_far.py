"""How far a consumer group is: what this member knows by itself, and what only Kafka can say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from shared.contracts import topics
from shared.messaging.envelope import Incoming
from shared.messaging.kafka import Bus
from shared.messaging.subscriber import CommittedOffsets, Subscriber
from shared.settings import Settings
from tests.unit.messaging.test_batch_in_hand import Consumer, brought

NAME = topics.PERSON_FACTS.name
MINE, OTHERS, NOT_HEARD = TopicPartition(NAME, 0), TopicPartition(NAME, 1), TopicPartition(topics.POLICY_FACTS.name, 0)


class Kafka:
    """What the group has committed, and where partitions begin; notes what is asked of it."""

    def __init__(self, committed: dict[TopicPartition, int], begins: int = 0) -> None:
        self.committed = committed
        self.asked: list[TopicPartition] = []
        self._begins = begins

    async def fetch_committed_offsets(self, places: Collection[TopicPartition]) -> dict[TopicPartition, Any]:
        self.asked += places
        return {one: OffsetAndMetadata(self.committed[one], "") for one in places if one in self.committed}

    async def begins_of(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self._begins)


def subscriber(kafka: Kafka, seen: list[bool] | None = None) -> Subscriber:
    async def take(_records: Sequence[Incoming]) -> None:
        if seen is not None:
            seen.append(await has_taken(made, kafka, {MINE: 6}))

    made = Bus(Settings()).subscribe([NAME], "toy.facts", take, CommittedOffsets())
    made._subscriber.consumer = SimpleNamespace(_coordinator=kafka)  # type: ignore[assignment]
    return made


async def has_taken(one: Subscriber, kafka: Any, ends: dict[TopicPartition, int]) -> bool:
    return await one.has_taken(ends, kafka)


async def test_a_batch_in_hand_has_not_been_taken_and_then_it_has() -> None:
    kafka, seen = Kafka({}), list[bool]()
    one = subscriber(kafka, seen)
    await one.consume(await brought([4, 5], Consumer()))
    assert seen == [False]
    assert await has_taken(one, kafka, {MINE: 6})
    assert not await has_taken(one, kafka, {MINE: 7})
    assert kafka.asked == [], "this member knows by itself"


async def test_what_others_take_is_as_far_as_they_have_committed() -> None:
    kafka = Kafka({OTHERS: 3})
    one = subscriber(kafka)
    assert not await has_taken(one, kafka, {OTHERS: 4})
    kafka.committed = {OTHERS: 4}
    assert await has_taken(one, kafka, {OTHERS: 4})
    kafka.asked.clear()
    assert await has_taken(one, kafka, {OTHERS: 4})
    assert kafka.asked == [], "what was committed stays so"


async def test_what_nobody_ever_committed_begins_with_what_is_kept() -> None:
    assert not await has_taken(subscriber(Kafka({})), Kafka({}), {MINE: 1})
    emptied = Kafka({}, begins=9)
    assert await has_taken(subscriber(emptied), emptied, {MINE: 9})


async def test_a_topic_that_is_not_heard_is_not_waited_for() -> None:
    kafka = Kafka({})
    assert await has_taken(subscriber(kafka), kafka, {NOT_HEARD: 100, MINE: 0})
    assert kafka.asked == []


class Outside:
    """A looker: where a topic from outside ends, and how far its owner is."""

    def __init__(self) -> None:
        self.reached = 2
        self.asked: list[str] = []

    async def ends_of(self, about: Collection[str]) -> dict[TopicPartition, int]:
        return {TopicPartition(topic, 0): 3 for topic in about}

    async def committed_by(self, group: str, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked.append(group)
        return dict.fromkeys(places, self.reached)


async def test_what_comes_from_outside_is_taken_once_its_owner_has_taken_it() -> None:
    bus, looker = Bus(Settings(namespace="n")), Outside()
    bus._looker = looker  # type: ignore[assignment]
    taken = await bus.said_so_far({topics.SIGN_INS.name: None, NAME: None})
    assert not await taken()
    looker.reached = 3
    assert await taken()
    assert set(looker.asked) == {"n.directory.hr.sign-ins"}
