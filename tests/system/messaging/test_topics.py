"""Topics as the deploy step makes them, and as those who look at many of them learn where they are."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.messaging.admin import learn
from tests.system.messaging.world import GROUPS, TOPICS, World


async def test_many_topics_are_learned_of_with_one_question(around: World) -> None:
    names = [around.settings.topic(topic.name) for topic in TOPICS]
    names += [around.settings.topic(f"{group}.dead-letters") for group in GROUPS]
    asked: list[int] = []
    async with AIOKafkaConsumer(bootstrap_servers=around.settings.kafka) as consumer:
        ask = consumer._client._metadata_update

        async def counted(cluster: Any, topics: Any) -> Any:
            asked.append(len(topics))
            return await ask(cluster, topics)

        consumer._client._metadata_update = counted
        await learn(consumer, names)
        ends = await consumer.end_offsets([TopicPartition(name, 0) for name in names])

    assert set(ends.values()) == {0}
    assert asked == [len(names)]
