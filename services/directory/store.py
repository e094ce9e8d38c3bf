"""The directory's collections, indexes and queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from services.directory.decide.people import Around, Heard
from services.directory.model import Person
from services.directory.properties import MANAGER
from services.directory.sources import Sources
from shared.contracts.hr import ChangeKind
from shared.ids import derived_id
from shared.messaging.decision import Due
from shared.storage import Database, Index, MongoAggregates


@lru_cache(maxsize=1 << 16)
def person_id_of(source: str, id: str) -> str:
    """The id of whoever is first known under this identity."""
    return derived_id("person", source, id)


class People(MongoAggregates):
    """`people`, by person id."""

    def __init__(self, database: Database, sources: Sources) -> None:
        super().__init__(
            database,
            "people",
            [
                Index("state.identities", unique=True, partial={"state.identities": {"$exists": True}}),
                Index("state.keys", unique=True, partial={"state.keys": {"$exists": True}}),
                Index("state.name", unique=True, partial={"state.name": {"$exists": True}}),
                Index("state.waits_for", partial={"state.waits_for": {"$exists": True}}),
                Index("state.manager_id", partial={"state.manager_id": {"$type": "string"}}),
                Index("state.attributes.employeeId"),
                Index("state.attributes.displayName"),
            ],
        )
        self._sources = sources

    async def locate(self, messages: Sequence[Heard]) -> Sequence[str]:
        """Whom each change is about. Sets `person_id` in each."""
        for heard in messages:
            if not heard.person_id:
                heard.person_id = person_id_of(heard.change.source, heard.change.employee_id)
        return [heard.person_id for heard in messages]

    async def look(self, messages: Sequence[Heard | Due], states: Mapping[str, Person | None]) -> Around:
        """Managers and names that the batch refers to: at most one query each."""
        references: set[str] = set()
        names: set[str] = set()
        joining: set[str] = set()
        for heard in messages:
            if not isinstance(heard, Heard):
                continue
            said = heard.change
            if said.kind is ChangeKind.JOINED:
                joining.add(heard.person_id)
            if (manager := said.attributes.get(MANAGER)) is not None and isinstance(manager, str):
                references.add(f"{said.source}:{manager}")
            if isinstance(name := said.attributes.get("userPrincipalName"), str):
                state = states.get(heard.person_id)
                if state is None or state.user_principal_name != name.casefold():
                    names.add(name.casefold())
        for state in states.values():
            if state is not None and state.waits_for is not None:
                references.add(state.waits_for)
        return Around(self._sources, await self._managers(references), await self._holders(names), frozenset(joining))

    async def look_again(self, around: Around, states: Mapping[str, Person | None]) -> Collection[str]:
        """Who waits for a manager that has turned up since."""
        waiting = {id: state.waits_for for id, state in states.items() if state is not None and state.waits_for}
        if not waiting:
            return ()
        there = await self._managers({reference for reference in waiting.values() if reference})
        return [id for id, reference in waiting.items() if reference in there]

    async def _managers(self, references: Collection[str]) -> dict[str, str]:
        """Identity -> person id of those who have joined."""
        if not references:
            return {}
        wanted = {"state.identities": {"$in": list(references)}, "state.joined": True}
        return {one: id for id, identities in await self.pairs(wanted, "state.identities") for one in identities}

    async def _holders(self, names: Collection[str]) -> dict[str, str]:
        if not names:
            return {}
        found = await self.pairs({"state.name": {"$in": list(names)}}, "state.name")
        return {name: id for id, name in found}

    async def call(self, people: Mapping[str, Person], now: datetime) -> None:
        """Poke those who wait for any of these as their manager."""
        references = [one for person in people.values() for one in person.identities]
        if references:
            await self.poke({"state.waits_for": {"$in": references}}, now)
