"""Whether a history has been published in full: a note, and Kafka's word that it still holds what was noted."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.demo.company import COLUMNS
from deploy.files import write_whole


def digest(folder: Path, until: date, rough: int | None) -> str:
    """Names the stream of changes: the same for the same files, day and seed."""
    found = hashlib.sha256(f"{until} {rough}".encode())
    for name in sorted(COLUMNS):
        found.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return found.hexdigest()


async def in_full(note: Path, stream: str, kafka: str, topic: str) -> int | None:
    """How many changes the stream has, if all of them were published to this very log; None if not, or not surely."""
    try:
        said = json.loads(note.read_text())  # noqa: ASYNC240 - a small local file
        noted, changes = {int(number): end for number, end in said["ends"].items()}, int(said["changes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if said.get("stream") != stream:
        return None
    ends = await _ends(kafka, topic)
    # A log that was made anew is shorter, or has other partitions.
    return changes if noted.keys() == ends.keys() and all(ends[one] >= noted[one] for one in noted) else None


async def note_down(note: Path, stream: str, changes: int, kafka: str, topic: str) -> None:
    """Remember that the stream was published, and how long the log was then."""
    write_whole(note, json.dumps({"stream": stream, "changes": changes, "ends": await _ends(kafka, topic)}))


async def _ends(kafka: str, topic: str) -> dict[int, int]:
    async with AIOKafkaConsumer(bootstrap_servers=kafka, retry_backoff_ms=5) as consumer:
        await consumer.topics()
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        return {one.partition: end for one, end in (await consumer.end_offsets(partitions)).items()}
