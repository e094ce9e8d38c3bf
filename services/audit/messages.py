"""What audit hears: every topic of the table but its own, the urgent ones in a group of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from services.audit.model import Heard
from services.audit.store import Directory, Spans, Trail
from shared.contracts.base import Lane
from shared.contracts.topics import TABLE, TRAIL_HEADS
from shared.messaging.envelope import Incoming
from shared.messaging.service import Platform, Subscription

KEPT_HEADERS = frozenset({"ce_id", "ce_type", "ce_time", "ce_subject", "correlation", "causation", "traceparent"})


def heard(record: Incoming) -> Heard:
    """Never raises: what is no JSON is recorded too, as the bytes it is."""
    headers: dict[str, str] = {}
    for name, value in record.headers:
        if name in KEPT_HEADERS and value is not None:
            headers[name] = value.decode("utf-8", "replace")
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


def subscriptions(platform: Platform, trail: Trail, spans: Spans, directory: Directory) -> list[Subscription]:
    """One for each lane."""

    async def record(batch: Sequence[Heard]) -> None:
        await trail.append(batch)
        # Of the whole batch, not only of what was new: a crash may have come between the two.
        await asyncio.gather(spans.follow(batch), directory.follow(batch))

    every = [topic for topic in TABLE if topic.owner != TRAIL_HEADS.owner]
    return [
        platform.takes([t for t in every if t.lane is lane], record, name=name, decode=heard)
        for lane, name in ((Lane.URGENT, "urgent-trail"), (Lane.ORDINARY, "trail"))
    ]
