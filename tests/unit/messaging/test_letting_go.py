"""A batch that is done with is held by nobody: no memory waits for the collector, which comes by seldom."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence

import pytest
from aiokafka import ConsumerRecord
from faststream.kafka.message import FAKE_CONSUMER, KafkaAckableMessage

from shared.contracts import topics
from shared.messaging.envelope import Incoming
from shared.messaging.errors import MayPass
from shared.messaging.kafka import Bus, CommittedOffsets, Subscriber, Take, _Raw
from shared.settings import Settings


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def brought(count: int) -> KafkaAckableMessage:
    """As the library hands a batch over: decoded, which it remembers."""
    records = [
        ConsumerRecord(topics.PERSON_FACTS.name, 0, offset, 0, 0, b"key", b"value", None, 3, 5, ())
        for offset in range(count)
    ]
    message = KafkaAckableMessage(raw_message=records, body=[b"value"], consumer=FAKE_CONSUMER)
    message.set_decoder(_Raw().decode_batch)
    await message.decode()
    return message


def subscriber(take: Take) -> Subscriber:
    bus = Bus(Settings(retry_max_s=0.1))
    return bus.subscribe([topics.PERSON_FACTS.name], "toy.facts", take, CommittedOffsets())


async def test_a_batch_is_let_go_once_it_is_taken() -> None:
    taken: list[int] = []

    async def take(records: Sequence[Incoming]) -> None:
        taken.append(len(records))

    message = await brought(3)
    records = message.raw_message
    await subscriber(take).consume(message)

    assert taken == [3]
    assert records == []
    gone = weakref.ref(message)
    del message
    assert gone() is None, "the message lies in a cycle"


async def test_a_batch_that_is_read_again_is_let_go_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def take(_records: Sequence[Incoming]) -> None:
        raise MayPass("MongoDB is away")

    rewound: list[tuple[str, int, int]] = []
    monkeypatch.setattr(FAKE_CONSUMER, "seek", lambda place, offset: rewound.append((*place, offset)))
    message = await brought(2)
    await subscriber(take).consume(message)

    assert rewound == [(topics.PERSON_FACTS.name, 0, 0)]
    assert message.raw_message == []
