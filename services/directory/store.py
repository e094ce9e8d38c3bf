"""The directory's collections, indexes and queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from services.directory.decide.memberships import Groups, SetByHand
from services.directory.decide.people import Around, Heard
from services.directory.model import Person
from services.directory.properties import MANAGER
from services.directory.sources import API, Sources
from shared.clock import Clock
from shared.contracts.directory import MembershipState, SetMembership
from shared.ids import derived_id
from shared.messaging.decision import Due
from shared.storage import Database, Index, MongoAggregates

Document = dict[str, Any]


@lru_cache(maxsize=1 << 16)
def person_id_of(source: str, id: str) -> str:
    """The id of whoever is first known under this identity."""
    return derived_id("person", source, id)


def correlation_keys(heard: Heard, sources: Sources) -> tuple[str, ...]:
    """What links an identity to a person of another source, the strongest first."""
    said = heard.change
    number = said.attributes.get("employeeId")
    if sources.by_name[said.source].employee_ids:
        number = said.employee_id
    keys = [f"employeeId:{number}"] if isinstance(number, str) and number else []
    stated = ((name, said.attributes.get(name)) for name in sources.correlate)
    keys += [f"{name}:{value.casefold()}" for name, value in stated if isinstance(value, str) and value]
    return tuple(keys)


def new_person_id(heard: Heard, sources: Sources) -> str:
    """The id of somebody whom nobody has spoken of before."""
    if not heard.keys:
        return person_id_of(heard.change.source, heard.change.employee_id)
    name, _, value = heard.keys[0].partition(":")
    return person_id_of(sources.primary if name == "employeeId" else name, value)


async def page_of(store: MongoAggregates, query: Mapping[str, Any], **options: Any) -> list[Document]:
    """Documents as `shared.web` reads them: the state under `state`, beside `_id` and `version`."""
    found = await store.states(dict(query), **options)
    return [{"_id": one["_id"], "version": one["version"], "state": one} for one in found]


class People(MongoAggregates):
    """`people`, by person id."""

    def __init__(self, database: Database, sources: Sources, clock: Clock) -> None:
        super().__init__(
            database,
            "people",
            [
                Index("state.identities", unique=True, partial={"state.identities": {"$exists": True}}),
                Index("state.keys", unique=True, partial={"state.keys": {"$exists": True}}),
                Index("state.name", unique=True, partial={"state.name": {"$exists": True}}),
                Index("state.waits_for", partial={"state.waits_for": {"$exists": True}}),
                Index("state.manager_id", partial={"state.manager_id": {"$type": "string"}}),
                Index("state.number", "_id"),
                Index("state.label", "_id"),
            ],
        )
        self._sources = sources
        self._clock = clock

    async def locate(self, messages: Sequence[Heard]) -> Sequence[str]:
        """Whom each change is about: by its identity, then by employee id, then by the correlation rules in order; else
        somebody new, whose id derives from the first of these keys. Sets `person_id` and `keys` in each.

        Two sources that say 'joined' at once clash on a key, and the loser, asked again, finds the winner here."""
        spoken = [heard for heard in messages if heard.change.source != API]
        if not self._sources.several:
            # No query: whoever has one source is found by what the id derives from.
            for heard in spoken:
                heard.person_id = person_id_of(heard.change.source, heard.change.employee_id)
            return [heard.person_id for heard in messages]
        known = await self._by("state.identities", {heard.identity for heard in spoken})
        strangers = [heard for heard in spoken if heard.identity not in known]
        for heard in strangers:
            heard.keys = correlation_keys(heard, self._sources)
        linked = await self._by("state.keys", {key for heard in strangers for key in heard.keys})
        for heard in spoken:
            found = known.get(heard.identity) or next((linked[key] for key in heard.keys if key in linked), None)
            heard.person_id = found or new_person_id(heard, self._sources)
        return [heard.person_id for heard in messages]

    async def _by(self, field: str, values: Collection[str]) -> dict[str, str]:
        """Value of the unique field -> person id."""
        if not values:
            return {}
        found = await self.pairs({field: {"$in": list(values)}}, field)
        return {value: id for id, several in found for value in several}

    async def look(self, messages: Sequence[Heard | Due], states: Mapping[str, Person | None]) -> Around:
        """Managers and names that the batch refers to: at most one query each."""
        references: set[str] = set()
        names: set[str] = set()
        for heard in messages:
            if not isinstance(heard, Heard):
                continue
            said = heard.change
            if isinstance(manager := said.attributes.get(MANAGER), str):
                references.add(f"{said.source}:{manager}")
            if isinstance(name := said.attributes.get("userPrincipalName"), str):
                state = states.get(heard.person_id)
                if state is None or state.user_principal_name != name.casefold():
                    names.add(name.casefold())
        calling: list[Person] = []
        for state in states.values():
            if state is not None:
                references.update(state.unresolved())
                if state.calls is not None:
                    calling.append(state)
        # Before the decision that ends the calling: if this process dies in between, it is called again.
        await self._call(calling)
        return Around(self._sources, await self._managers(references), await self._holders(names))

    async def look_again(self, around: Around, states: Mapping[str, Person | None]) -> Collection[str]:
        """Who waits for a manager that has turned up since. Those who wait for anyone of the batch are poked, for they
        may be thousands: the timer comes to them in batches."""
        await self._call([state for state in states.values() if state is not None and state.joined])
        waiting = {id: state.waits_for for id, state in states.items() if state is not None and state.waits_for}
        if not waiting:
            return ()
        there = await self._managers({reference for reference in waiting.values() if reference})
        return [id for id, reference in waiting.items() if reference in there]

    async def _call(self, people: Sequence[Person]) -> None:
        """Poke those who wait for any of these as their manager."""
        references = [one for person in people for one in person.identities]
        if references:
            await self.poke({"state.waits_for": {"$in": references}}, self._clock.now())

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

    async def by_name_or_id(self, key: str) -> Document | None:
        """By person id or user principal name, whoever has ever joined or is spoken of."""
        found = await self.states({"$or": [{"_id": key.lower()}, {"state.name": key.casefold()}]}, limit=1)
        return found[0] if found else None

    async def known(self, person_id: str) -> bool:
        return bool(await self.ids({"_id": person_id, "state.joined": True}, limit=1))


class GroupStore(MongoAggregates):
    """`groups`, by group id. Deleted ones stay."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "groups", [Index("state.label", "_id"), Index("state.owners")])

    async def there(self, ids: Collection[str]) -> frozenset[str]:
        """Those of `ids` that are groups and not deleted."""
        return frozenset(await self.ids({"_id": {"$in": list(ids)}, "state.deleted_at": None}))


class Memberships(MongoAggregates):
    """`memberships`, by '<group>:<person>'. Those who are members no longer stay: `obeyed` must not restart."""

    def __init__(self, database: Database, groups: GroupStore) -> None:
        super().__init__(
            database,
            "memberships",
            [Index("state.group_id", "state.member", "state.person_id"), Index("state.person_id", "state.member")],
        )
        self._groups = groups

    async def look(
        self, messages: Sequence[SetMembership | SetByHand], _states: Mapping[str, MembershipState | None]
    ) -> Groups:
        return Groups(await self._groups.there({message.group_id for message in messages}))

    async def members(self, group_id: str, after: str | None, limit: int) -> list[str]:
        """Ids of the members, in order, at most `limit` beyond `after`."""
        query: Document = {"state.group_id": group_id, "state.member": True}
        if after is not None:
            query["state.person_id"] = {"$gt": after}
        found = await self.states(query, sort=[("state.person_id", 1)], limit=limit)
        return [one["person_id"] for one in found]

    async def member_count(self, group_id: str) -> int:
        return await self.count({"state.group_id": group_id, "state.member": True})

    async def groups_of(self, person_id: str) -> list[str]:
        """Ids of the groups the person is a member of."""
        return [one["group_id"] for one in await self.states({"state.person_id": person_id, "state.member": True})]
