"""Assignments that have ended: moved to a collection of their own as their facts are published.

An outbox is published before anything may replace it. What goes the same way therefore cannot be lost, and whoever
decides on a holding finds in the history all that had ended in it before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import orjson

from shared.contracts.topics import HOLDING_FACTS, lanes_of
from shared.messaging.envelope import Outgoing
from shared.messaging.ports import Publisher
from shared.storage import Database, Documents, Index

_OURS = frozenset(topic.name for topic in lanes_of(HOLDING_FACTS))


class History:
    """Ended assignments, by id."""

    def __init__(self, database: Database) -> None:
        self.documents = Documents(
            database,
            "ended_assignments",
            (Index("person_id", "_id"), Index("package_id", "person_id", "_id"), Index("ended_at", "_id")),
        )

    async def ensure_indexes(self) -> None:
        await self.documents.ensure_indexes()

    async def keep(self, ended: Sequence[dict[str, Any]]) -> None:
        """Twice is harmless."""
        await self.documents.insert(ended, ordered=False)

    async def which(self, ids: Collection[str]) -> frozenset[str]:
        """Those of `ids` that have ended."""
        if not ids:
            return frozenset()
        found = await self.documents.find({"_id": {"$in": list(ids)}}, fields={"_id": 1})
        return frozenset(document["_id"] for document in found)


class KeepingHistory:
    """Publishes, and keeps what the records say has ended; implements `shared.messaging.ports.Publisher`."""

    def __init__(self, publisher: Publisher, history: History) -> None:
        self._publisher = publisher
        self._history = history

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Returns when both are done; if either fails, both are done again, which harms neither."""
        ended = [one for record in records for one in ended_in(record)]
        if not ended:
            await self._publisher.publish(records)
            return
        outcomes = await asyncio.gather(
            self._publisher.publish(records), self._history.keep(ended), return_exceptions=True
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome


def ended_in(record: Outgoing) -> list[dict[str, Any]]:
    """The assignments that a holding fact says have ended, as documents of the history."""
    if record.topic not in _OURS or record.value is None or b'"AssignmentEnded"' not in record.value:
        return []
    fact = orjson.loads(record.value)
    return [
        {
            "_id": t["assignment"]["id"],
            "person_id": fact["subject"],
            "package_id": t["assignment"]["packageId"],
            "policy_id": t["assignment"]["policyId"],
            "ended_at": datetime.fromisoformat(fact["at"]),
            "reason": t["reason"],
            "detail": t.get("detail", ""),
            "cause": fact["cause"],
            "assignment": t["assignment"],
        }
        for t in fact["transitions"]
        if t["type"] == "AssignmentEnded"
    ]
