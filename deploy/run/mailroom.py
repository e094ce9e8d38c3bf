"""Dead letters on Kafka: read, sent again, given up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from deploy.run import letters
from deploy.run.backlog import as_incoming, bounds, clients, read
from deploy.run.letters import Headers, Letter, Letters
from deploy.run.producing import producing
from shared.messaging.deadletters import topic_of
from shared.messaging.envelope import LARGEST_REQUEST
from shared.settings import Settings

SUFFIX = ".dead-letters"


async def collect(settings: Settings) -> dict[str, Letters]:
    """All letters by consumer group, from whatever dead-letter topics there are; groups without any are left out."""
    async with clients(settings) as (admin, consumer):
        prefix = settings.topic("")
        names = [name for name in await admin.list_topics() if name.startswith(prefix) and name.endswith(SUFFIX)]
        partitions = [TopicPartition(name, 0) for name in names]
        if not partitions:
            return {}
        begins, ends = await bounds(consumer, partitions)
        found: dict[str, Letters] = {}
        async for record in read(consumer, {one: begins[one] for one in partitions if begins[one] < ends[one]}, ends):
            group = record.topic.removeprefix(prefix).removesuffix(SUFFIX)
            found.setdefault(group, Letters()).add(as_incoming(record))
        return {group: one for group, one in found.items() if one.all}


async def replay(settings: Settings, which: Sequence[tuple[str, Letter]]) -> list[tuple[str, Letter]]:
    """Send each (group, letter) to its origin topic again, for that group alone; then note it as replayed.

    A crash in between leaves the letter open though it was sent: replaying once more is harmless. Returns those that
    stay open because their topic does not take them: a replay is larger than what came, by its marks."""
    refused: list[tuple[str, Letter]] = []
    waiting = list(which)
    while waiting:
        try:
            async with _producer(settings) as send:
                while waiting:
                    group, letter = waiting.pop(0)
                    marked = letters.replayed(letter, group)
                    await send(letter.topic, letter.partition, letter.key, letter.value, marked)
                    await send(topic_of(group), None, letter.key, None, letters.settled(letter, "replayed"))
        except MessageSizeTooLargeError:
            # The broker has not counted it and the producer has: whatever it sent next would be out of order.
            refused.append((group, letter))
    return refused


async def discard(settings: Settings, which: Sequence[tuple[str, Letter]], reason: str) -> None:
    """Give each up: the mark on its aggregate is taken off, what it said never happens."""
    async with _producer(settings) as send:
        for group, letter in which:
            await send(letter.topic, letter.partition, letter.key, None, letters.discarded(letter, group))
            await send(topic_of(group), None, letter.key, None, letters.settled(letter, f"discarded: {reason}"))


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    async with producing(settings, max_request_size=LARGEST_REQUEST) as producer:

        async def send(
            topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: Headers
        ) -> None:
            # To the partition it came from: the key may have been none, and its order is that partition's.
            name = settings.topic(topic)
            await producer.send_and_wait(name, value, key=key, partition=partition, headers=list(headers))

        yield send
