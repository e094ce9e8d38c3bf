"""A batch is committed as far as it goes, or read again; then nobody holds it: no memory waits for the collector, which
comes by seldom."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from faststream.kafka.message import KafkaAckableMessage

from shared.contracts import topics
from shared.messaging.envelope import Incoming
from shared.messaging.errors import MayPass
from shared.messaging.kafka import Bus
from shared.messaging.subscriber import CommittedOffsets, Raw, Subscriber, Take
from shared.settings import Settings

PLACE = TopicPartition(topics.PERSON_FACTS.name, 0)


class Consumer:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.committed: list[dict[TopicPartition, int]] = []
        self.rewound: list[tuple[TopicPartition, int]] = []

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed.append(offsets)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.rewound.append((partition, offset))


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def brought(offsets: Sequence[int], consumer: Consumer) -> KafkaAckableMessage:
    """As the library hands a batch over: decoded, which it remembers."""
    records = [ConsumerRecord(*PLACE, offset, 0, 0, b"key", b"value", None, 3, 5, ()) for offset in offsets]
    message = KafkaAckableMessage(raw_message=records, body=[b"value"], consumer=consumer)  # type: ignore[arg-type]
    message.set_decoder(Raw().decode_batch)
    await message.decode()
    return message


def subscriber(take: Take) -> Subscriber:
    bus = Bus(Settings(retry_max_s=0.1))
    return bus.subscribe([topics.PERSON_FACTS.name], "toy.facts", take, CommittedOffsets())


async def test_a_batch_that_is_taken_is_committed_and_let_go() -> None:
    taken: list[int] = []
    consumer = Consumer()

    async def take(records: Sequence[Incoming]) -> None:
        taken.append(len(records))

    message = await brought([4, 5, 7], consumer)
    records = message.raw_message
    await subscriber(take).consume(message)

    assert taken == [3]
    assert consumer.committed == [{PLACE: 8}]
    assert records == []
    gone = weakref.ref(message)
    del message
    assert gone() is None, "the message lies in a cycle"


async def test_a_batch_that_is_read_again_is_let_go_too() -> None:
    consumer = Consumer()

    async def take(_records: Sequence[Incoming]) -> None:
        raise MayPass("MongoDB is away")

    message = await brought([4, 5], consumer)
    await subscriber(take).consume(message)

    assert (consumer.committed, consumer.rewound) == ([], [(PLACE, 4)])
    assert message.raw_message == []
