"""Collections of provisioning: `deliveries` (one a person), and whether `groups`, `applications`, `sites` are there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any

from services.provisioning.decide import Resources
from services.provisioning.model import Deliveries, load
from shared.contracts import topics
from shared.contracts.base import Fact, Transition
from shared.contracts.directory import GroupFact
from shared.contracts.resources import ApplicationFact, SiteFact
from shared.contracts.topics import Topic
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

    async def poke(self, resource: str, now: datetime) -> int:
        """Have everyone with a delivery to this resource looked at again; by index."""
        return await self.aggregates.poke({"state.deliveries.resource": resource}, now)


class ResourceStore:
    """Which groups, applications and sites are there, as the directory last said."""

    def __init__(self, database: Database) -> None:
        self._groups = Replica[GroupFact](database, "groups", _whether_deleted)
        self._applications = Replica[ApplicationFact](database, "applications", _whether_gives_roles)
        self._sites = Replica[SiteFact](database, "sites", _address, (Index("url"),))
        self.by_topic: dict[Topic, Replica[Any]] = {
            topics.GROUP_FACTS: self._groups,
            topics.APPLICATION_FACTS: self._applications,
            topics.SITE_FACTS: self._sites,
        }

    async def known(self, states: Collection[Deliveries | None]) -> Resources:
        """What is known of everything these people have deliveries to."""
        asked: dict[str, set[str]] = {}
        for state in states:
            for one in state.deliveries.values() if state else ():
                asked.setdefault(one.role.origin_system, set()).add(one.role.origin_id)
        deleted: dict[str, bool] = {}
        for system, replica in (("AadGroup", self._groups), ("AadApplication", self._applications)):
            if ids := asked.get(system):
                deleted |= {id: one["deleted"] for id, one in (await replica.get(sorted(ids))).items()}
        if urls := asked.get("SharePointOnline"):
            found = await self._sites.find({"url": {"$in": sorted(urls)}})
            deleted |= {one["url"]: one["deleted"] for one in found}
        return Resources(
            deleted=frozenset(id for id, gone in deleted.items() if gone),
            alive=frozenset(id for id, gone in deleted.items() if not gone),
        )


def now_otherwise(facts: Sequence[Fact]) -> list[str]:
    """Resources that came, went or changed their roles in these facts, by their ids in deliveries: whoever waits for
    them is looked at again."""
    return sorted({_resource(fact) for fact in facts if any(map(_matters, fact.transitions))})


def _matters(transition: Transition) -> bool:
    if transition.type.endswith("Changed"):
        return not {"app_roles", "roles"}.isdisjoint(getattr(transition, "properties", ()))
    return transition.type.endswith(("Created", "Deleted"))


def _resource(fact: Fact) -> str:
    return fact.state.web_url if isinstance(fact, SiteFact) else fact.subject


def _whether_deleted(fact: GroupFact) -> dict[str, Any]:
    return {"deleted": fact.state.deleted_at is not None}


def _whether_gives_roles(fact: ApplicationFact) -> dict[str, Any]:
    return {"deleted": not fact.state.is_principal}


def _address(fact: SiteFact) -> dict[str, Any]:
    return {"url": fact.state.web_url, "deleted": fact.state.deleted_at is not None}
