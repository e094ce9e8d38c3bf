"""The directory's collections, indexes and queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import count
from typing import Any

from services.directory.decide.links import KeepApart, Link
from services.directory.decide.memberships import Groups, SetByHand, named_by
from services.directory.decide.people import Around, Heard, Purge
from services.directory.decide.sponsors import SetSponsor
from services.directory.model import Memberships, Person, load_person
from services.directory.properties import MANAGER
from services.directory.sources import API, Sources
from services.directory.timeline import had_joined_by, to_ms
from shared.clock import Clock
from shared.contracts.answers import AnswersCommand
from shared.contracts.directory import DYNAMIC, BlockGuest, PersonStatus, SetMemberships
from shared.contracts.hr import ChangeKind
from shared.ids import derived_id
from shared.messaging.decision import Due
from shared.storage import Database, Index, MongoAggregates

Document = dict[str, Any]

JOINED: Document = {"state.joined": True, "state.deleted": {"$exists": False}}
DELETED: Document = {"state.deleted": True}
"""People who were deleted over HTTP: no users any more, until they are restored."""
"""Whom Graph has as a user."""

THERE: Document = {"$exists": True}
WAITING: Mapping[str, Document] = {
    "managerUnknown": {"state.waits_for": THERE, "state.status": {"$ne": PersonStatus.LEFT.value}},
    "notJoined": {"state.unjoined": THERE},
    "ambiguousIdentity": {"state.waiting": THERE},
}
"""By the code that their sources were answered: who waits for a manager, for their joining, for the word of a human."""


@lru_cache(maxsize=1 << 16)
def person_id_of(source: str, id: str) -> str:
    """The id of whoever is first known under this identity."""
    return derived_id("person", source, id)


def correlation_keys(heard: Heard, sources: Sources, *, by_itself: bool = True) -> tuple[str, ...]:
    """What links an identity to a person of another source, the strongest first.

    With `by_itself` the identity is one of them, if its source numbers people by employee id."""
    said = heard.change
    number = said.attributes.get("employeeId")
    if sources.by_name[said.source].employee_ids:
        number = said.employee_id if by_itself else None
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


def put_together(messages: Sequence[Heard], sources: Sources) -> None:
    """Give each message of an identity that nobody has yet the keys that any of them states; of a rule the first word.

    They come in one batch, before any of it is written: a change that states no key would else begin somebody of its
    own, and the joining beside it be in doubt about whose identity it is."""
    stated: dict[str, dict[str, str]] = {}
    for heard in messages:
        for key in heard.keys:
            stated.setdefault(heard.identity, {}).setdefault(key.partition(":")[0], key)
    for heard in messages:
        by_rule = stated.get(heard.identity, {})
        heard.keys = tuple(by_rule[rule] for rule in ("employeeId", *sources.correlate) if rule in by_rule)


def settle(heard: Heard, known: str | None, linked: Mapping[str, str], sources: Sources) -> None:
    """Say in `heard` whose the change is: `known` has its identity already, `linked` says who has which key.

    An employee id settles it. Of the other rules none may contradict another: if they do, the identity begins as a
    person of its own, and `others` tell a human who it may be."""
    found = {key: linked[key] for key in heard.keys if key in linked}
    person = known
    if person is None:
        certain = [id for key, id in found.items() if key.startswith("employeeId:")]
        several = list(dict.fromkeys(certain or found.values()))
        if len(several) == 1:
            (person,) = several
            found = {}
        elif several:
            person = person_id_of(heard.change.source, heard.change.employee_id)
    heard.person_id = person or new_person_id(heard, sources)
    heard.others = tuple((id, key.partition(":")[0]) for key, id in found.items() if id != heard.person_id)
    heard.keys = tuple(key for key in heard.keys if linked.get(key, heard.person_id) == heard.person_id)


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
                Index("state.moved", partial={"state.moved": {"$exists": True}}),
                Index("state.candidates", partial={"state.candidates": {"$exists": True}}),
                Index("state.name", unique=True, partial={"state.name": {"$exists": True}}),
                Index("state.waits_for", partial={"state.waits_for": {"$exists": True}}),
                Index("state.unjoined", partial={"state.unjoined": {"$exists": True}}),
                Index("state.waiting", partial={"state.waiting": {"$exists": True}}),
                Index("state.manager_id", partial={"state.manager_id": {"$type": "string"}}),
                Index("state.deleted", "_id", partial={"state.deleted": {"$exists": True}}),
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
        if len(known) < len(spoken):
            known |= await self._moved({heard.identity for heard in spoken} - known.keys())
        for heard in spoken:
            heard.keys = correlation_keys(heard, self._sources, by_itself=heard.identity not in known)
        put_together([heard for heard in spoken if heard.identity not in known], self._sources)
        linked = await self._by("state.keys", {key for heard in spoken for key in heard.keys})
        for heard in spoken:
            settle(heard, known.get(heard.identity), linked, self._sources)
        if in_doubt := {heard.identity for heard in spoken if heard.others}:
            decided = await self._by("state.moved", in_doubt)
            for heard in spoken:
                if heard.identity in decided:
                    heard.others = ()
        return [heard.person_id for heard in messages]

    async def _moved(self, identities: Collection[str]) -> dict[str, str]:
        """Identity -> person id, of those that a human has linked."""
        found = await self._by("state.moved", identities)
        while found:
            there = {"_id": {"$in": list(found.values())}, "state.linked_to": {"$exists": True}}
            if not (steps := dict(await self.pairs(there, "state.linked_to"))):
                break
            found = {one: steps.get(id, id) for one, id in found.items()}
        return found

    async def _by(self, field: str, values: Collection[str]) -> dict[str, str]:
        """Value of the unique field -> person id."""
        if not values:
            return {}
        found = await self.pairs({field: {"$in": list(values)}}, field)
        return {value: id for id, several in found for value in several}

    async def look(
        self,
        messages: Sequence[Heard | Due | Link | KeepApart | SetSponsor | BlockGuest | Purge | AnswersCommand],
        states: Mapping[str, Person | None],
    ) -> Around:
        """Managers and names that the batch refers to: at most one query each."""
        references: set[str] = set()
        names: set[str] = set()
        may_join: set[str] = set()
        for heard in messages:
            if not isinstance(heard, Heard):
                may_join.update(states)
                continue
            said = heard.change
            state = states.get(heard.person_id)
            # Most are changes of people who are there. A repeated joining counts: its first try may have died.
            if said.kind is not ChangeKind.CHANGED or state is None or not state.joined:
                may_join.add(heard.person_id)
            if isinstance(manager := said.attributes.get(MANAGER), str):
                references.add(f"{said.source}:{manager}")
            name = said.attributes.get("userPrincipalName")
            if isinstance(name, str) and (state is None or state.user_principal_name != name.casefold()):
                names.add(name.casefold())
        calling: list[Person] = []
        for state in states.values():
            if state is not None:
                references.update(state.unresolved())
                if state.calls is not None:
                    calling.append(state)
        # Before the decision that ends the calling: if this process dies in between, it is called again.
        await self._call(calling)
        return Around(self._sources, await self._managers(references), await self._holders(names), frozenset(may_join))

    async def look_again(self, around: Around, states: Mapping[str, Person | None]) -> Collection[str]:
        """Who waits for a manager that has turned up since. Those who wait for anyone of the batch are poked, for they
        may be thousands: the timer comes to them in batches."""
        await self._call(
            [state for id, state in states.items() if id in around.may_join and state is not None and state.joined]
        )
        waiting = {id: state.waits_for for id, state in states.items() if state is not None and state.waits_for}
        if not waiting:
            return ()
        there = await self._managers({reference for reference in waiting.values() if reference})
        return [id for id, reference in waiting.items() if reference in there]

    async def _call(self, people: Sequence[Person]) -> None:
        """Poke those who wait for any of these as their manager."""
        references = [one for person in people for one in (*person.identities, f"{API}:{person.id}")]
        if references:
            await self.poke({"state.waits_for": {"$in": references}}, self._clock.now())

    async def _managers(self, references: Collection[str]) -> dict[str, str]:
        """Identity -> person id of those who have joined."""
        if not references:
            return {}
        wanted = {"state.identities": {"$in": list(references)}, "state.joined": True}
        found = {one: id for id, identities in await self.pairs(wanted, "state.identities") for one in identities}
        # Callers of the API name people by id.
        if ids := [one.partition(":")[2] for one in references if one.startswith(f"{API}:")]:
            found |= {f"{API}:{id}": id for id in await self.ids({"_id": {"$in": ids}, "state.joined": True})}
        return found

    async def _holders(self, names: Collection[str]) -> dict[str, str]:
        if not names:
            return {}
        found = await self.pairs({"state.name": {"$in": list(names)}}, "state.name")
        return {name: id for id, name in found}

    async def by_name_or_id(self, key: str) -> Document | None:
        """By person id or user principal name, whoever has ever joined or is spoken of."""
        found = await self.states({"$or": [{"_id": key.lower()}, {"state.name": key.casefold()}]}, limit=1)
        return found[0] if found else None

    async def bearer_of(self, source: str, id: str) -> str | None:
        """The person in whom an identity stands or stood before it was linked to another."""
        one = f"{source}:{id}"
        # One that has moved is found in both once anything was said of it there: the place it left comes first.
        for field in ("state.moved", "state.identities"):
            if found := await self.ids({field: one}, limit=1):
                return found[0]
        return None

    async def waits(self) -> dict[str, int]:
        """How many people wait now, by the code that their sources were answered."""
        return {code: await self.count(query) for code, query in WAITING.items()}

    async def known(self, person_id: str) -> bool:
        return bool(await self.ids({"_id": person_id, "state.joined": True}, limit=1))


class GroupStore(MongoAggregates):
    """`groups`, by group id. Deleted ones stay."""

    def __init__(self, database: Database) -> None:
        filled = {"state.filled_by": {"$exists": True}}
        super().__init__(
            database,
            "groups",
            [Index("state.label", "_id"), Index("state.filled_by", partial=filled), Index("state.member_of", "_id")],
        )

    async def there(self, ids: Collection[str]) -> frozenset[str]:
        """Those of `ids` that are groups and not deleted."""
        return frozenset(await self.ids({"_id": {"$in": list(ids)}, "state.deleted_at": None})) if ids else frozenset()

    async def place_of(self, unique_name: str) -> tuple[str, Document | None]:
        """Where the group of that name is, or would be made: its id follows from the name, so that two who make it at
        once make one. A deleted one keeps its id, and the next takes another."""
        for generation in count():
            id = derived_id("group", "uniqueName", unique_name.casefold(), str(generation))
            found = await page_of(self, {"_id": id}, limit=1)
            if not found:
                return id, None
            if found[0]["state"]["deleted_at"] is None:
                return id, found[0]
        raise AssertionError

    async def dynamic(self, ids: Collection[str]) -> frozenset[str]:
        """Those of `ids` whose members a rule says."""
        wanted = {"_id": {"$in": list(ids)}, "state.group_types": DYNAMIC}
        return frozenset(await self.ids(wanted)) if ids else frozenset()

    async def types(self, ids: Collection[str]) -> dict[str, Sequence[str]]:
        """Of those of `ids` that are groups and not deleted: their `groupTypes`."""
        wanted = {"_id": {"$in": list(ids)}, "state.deleted_at": None}
        return {id: types or () for id, types in await self.pairs(wanted, "state.group_types")} if ids else {}

    async def within(self, ids: Collection[str]) -> list[str]:
        """These groups and all that lie in them, at any depth; a query a level."""
        met, level = set(ids), set(ids)
        while level:
            level = set(await self.ids({"state.member_of": {"$in": sorted(level)}, "state.deleted_at": None})) - met
            met |= level
        return sorted(met)

    async def around(self, ids: Collection[str]) -> list[str]:
        """Those of these groups that are there, and all groups that they lie in, at any depth; a query a level."""
        met: set[str] = set()
        level = set(ids)
        while level:
            found = await self.pairs({"_id": {"$in": sorted(level)}, "state.deleted_at": None}, "state.member_of")
            met |= {id for id, _ in found}
            level = {id for _, several in found for id in several or ()} - met
        return sorted(met)

    async def filled(self) -> list[tuple[str, str]]:
        """Groups that a rule fills now, with the rule; by index."""
        return await self.pairs({"state.filled_by": {"$exists": True}}, "state.filled_by")


class MembershipStore(MongoAggregates):
    """`memberships`, by person id. Groups that someone has left stay in the document, but not in `member_of`."""

    def __init__(self, database: Database, groups: GroupStore) -> None:
        super().__init__(database, "memberships", [Index("state.member_of", "_id")])
        self._groups = groups

    async def look(
        self, messages: Sequence[SetMemberships | SetByHand], _states: Mapping[str, Memberships | None]
    ) -> Groups:
        types = await self._groups.types(set[str]().union(*map(named_by, messages)))
        return Groups(types.keys(), frozenset(id for id, found in types.items() if DYNAMIC in found))

    async def people_of(self, *group_ids: str) -> list[str]:
        """Ids of all people who are in one of them."""
        return await self.ids(members_of(*group_ids))

    async def groups_of(self, person_id: str) -> list[str]:
        """Ids of the groups the person is a member of."""
        return [group for _, groups in await self.pairs({"_id": person_id}, "state.member_of") for group in groups]


def members_of(*group_ids: str) -> Document:
    """Who is in one of these groups: a filter on memberships, which are found in the order of person ids by index."""
    return {"state.member_of": {"$in": list(group_ids)} if len(group_ids) > 1 else group_ids[0]}


def members_once_of(group_id: str) -> Document:
    """Who is in this group, or was. Found without an index: for what is seldom asked."""
    return {"state.by_group": {"$elemMatch": {"$elemMatch": {"$eq": group_id}}}}


async def people_shown(
    people: People, ids: Collection[str], joined_before: datetime | None = None
) -> dict[str, tuple[str, str | None]]:
    """User type and manager, of those who have ever joined, or had by then, and are not deleted."""
    found = await people.states({"_id": {"$in": list(ids)}, **JOINED})
    if joined_before is not None:
        moment = to_ms(joined_before)
        found = [one for one in found if had_joined_by(load_person(one).timeline, moment)]
    return {one["_id"]: (one["attributes"].get("userType") or "Member", one["manager_id"]) for one in found}
