"""What audit hears: every topic of the table but its own, the urgent ones in a group of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from services.audit.model import Heard
from services.audit.store.names import Directory
from services.audit.store.trail import Trail
from shared.contracts.base import Lane
from shared.contracts.topics import TABLE, TRAIL_HEADS
from shared.messaging.envelope import Incoming
from shared.messaging.pace import Pace
from shared.messaging.service import Platform
from shared.messaging.subscription import Subscription

KEPT_HEADERS = frozenset({"ce_id", "ce_type", "ce_time", "ce_subject", "correlation", "causation", "traceparent"})


def heard(record: Incoming) -> Heard:
    """Never raises: what is no JSON is recorded too, as the bytes it is."""
    headers = {
        name: value.decode("utf-8", "replace")
        for name, value in record.headers
        if value is not None and name in KEPT_HEADERS
    }
    data: Any = None
    if record.value is not None:
        try:
            data = orjson.loads(record.value)
        except orjson.JSONDecodeError:
            data = None
    if isinstance(data, dict) and "specversion" in data and isinstance(data.get("data"), dict):
        headers = {"ce_id": str(data.get("id")), "ce_type": str(data.get("type")), **headers}
        data = data["data"]
    position = record.position
    time = headers.get("ce_time") or datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).isoformat()
    return Heard(
        topic=position.topic,
        partition=position.partition,
        offset=position.offset,
        key=record.key,
        value=record.value,
        time=time,
        headers=headers,
        data=data if isinstance(data, dict) else None,
    )


def subscriptions(platform: Platform, trail: Trail, directory: Directory) -> list[Subscription]:
    """One for each lane."""

    async def record(batch: Sequence[Heard]) -> None:
        # All of the whole batch, whatever of it is new: a crash may have come between them. None depends on another,
        # and the server works on one while the next is made.
        await asyncio.gather(directory.follow(batch), trail.append(batch))

    every = [topic for topic in TABLE if topic.owner != TRAIL_HEADS.owner]
    return [
        platform.takes(
            [t for t in every if t.lane is lane], record, name=name, decode=heard, pace=Pace.LAST, everything=True
        )
        for lane, name in ((Lane.URGENT, "urgent-trail"), (Lane.ORDINARY, "trail"))
    ]
