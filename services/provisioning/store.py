"""Collections of provisioning: `deliveries` (one a person) and `groups` (whether they are there)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.provisioning.decide import Groups
from services.provisioning.model import Deliveries, load
from shared.contracts.directory import GroupFact
from shared.storage import Database, Index, MongoAggregates, Replica

TURN = 50
"""People read before others get their turn on the event loop."""


class DeliveryStore:
    """The questions that provisioning asks of its own documents."""

    def __init__(self, database: Database) -> None:
        self.aggregates = MongoAggregates(database, "deliveries", indexes=(Index("state.deliveries.resource"),))

    async def of(self, person_id: str) -> Deliveries | None:
        """One person's, None if nothing was ever due or found."""
        document = await self.aggregates.state(person_id)
        return load(document) if document else None

    async def everyone(self) -> AsyncIterator[Deliveries]:
        """All people, by id, a thousand in memory at a time."""
        number = 0
        async for document in self.aggregates.walk({}):
            number += 1
            if number % TURN == 0:
                await asyncio.sleep(0)  # the driver hands out a thousand without letting anybody else run
            yield load(document)

    async def poke_group(self, group_id: str, now: datetime) -> int:
        """Have everyone with a delivery to this group looked at again; by index."""
        return await self.aggregates.poke({"state.deliveries.resource": group_id}, now)


class GroupStore:
    """Which groups are there, as the directory last said."""

    def __init__(self, database: Database) -> None:
        self.replica: Replica[GroupFact] = Replica(
            database, "groups", lambda fact: {"deleted": fact.state.deleted_at is not None}
        )

    async def known(self, states: Collection[Deliveries | None]) -> Groups:
        """What is known of all groups these people have deliveries to."""
        ids = {one.role.origin_id for state in states if state for one in state.deliveries.values()}
        found: Mapping[str, Mapping[str, Any]] = await self.replica.get(sorted(ids)) if ids else {}
        return Groups(
            deleted=frozenset(id for id, group in found.items() if group["deleted"]),
            alive=frozenset(id for id, group in found.items() if not group["deleted"]),
        )


def now_or_gone(facts: Sequence[GroupFact]) -> list[str]:
    """Groups that came or went in these facts: whoever waits for them is looked at again."""
    return sorted({f.subject for f in facts if any(t.type in {"GroupCreated", "GroupDeleted"} for t in f.transitions)})
