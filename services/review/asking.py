"""Who is told that they are to review, what is still open for each of them, and when they were told.

Nobody is told of the same stage twice by the same occasion, however often a step repeats: contacts go by the moment at
which the telling began. Source: entra-features.md REV-21, REV-22."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.review.decide.recipients import read_recipients
from services.review.model import Instance
from services.review.store import Runs, Surroundings
from shared.contracts.review import OpenItems, Verdict
from shared.storage import Database, Documents, Index

TOLD = 200
"""Reviewers that one fact names."""
NAMED = 24
"""Items whose people a mail names before it says how many more there are."""
MOST_RECIPIENTS = 500
"""Additional recipients, so that a fact stays small: who they are is read from groups."""


class Contacts:
    """Collection `contacts`: one document an instance and reviewer, with all that they were or would have been told."""

    def __init__(self, database: Database) -> None:
        self.documents = Documents(database, "contacts", (Index("instance_id", "_id"),))

    async def told(self, instance: Instance, people: Collection[str], occasion: str, at: datetime) -> None:
        """Twice is once."""
        ids = {person: f"{instance.id}:{person}" for person in people}
        new = [
            {"_id": id, "instance_id": instance.id, "person_id": person, "at": at, "told": []}
            for person, id in ids.items()
        ]
        await self.documents.insert(new, ordered=False)
        said = {"stage": instance.stage.id, "occasion": occasion, "at": at}
        await self.documents.change([({"_id": {"$in": list(ids.values())}}, {"$addToSet": {"told": said}})])

    async def before(self, instance: Instance, people: Collection[str], at: datetime) -> set[str]:
        """Those of them who were told of the stage in progress before that moment."""
        ids = [f"{instance.id}:{person}" for person in people]
        said = {"told": {"$elemMatch": {"stage": instance.stage.id, "at": {"$lt": at}}}}
        return {one["person_id"] for one in await self.documents.find({"_id": {"$in": ids}, **said})}

    async def of(self, instance_id: str) -> list[dict[str, Any]]:
        """In the order of their ids."""
        return await self.documents.find({"instance_id": instance_id})


@dataclass(frozen=True, slots=True)
class Told:
    """One step of telling reviewers."""

    people: tuple[str, ...]
    open: dict[str, OpenItems]
    last: str | None
    over: bool
    unattended: OpenItems | None = None
    answerable: tuple[str, ...] = ()


class Telling:
    """Finds out whom the next step of an instance tells, and keeps that they were."""

    def __init__(self, runs: Runs, around: Surroundings, contacts: Contacts) -> None:
        self._runs = runs
        self._around = around
        self.contacts = contacts

    async def step(self, one: Instance) -> Told:
        """The next reviewers beyond the last one told."""
        asking = one.asking
        assert asking is not None
        found = await self._runs.reviewers_of(one, asking.after, TOLD)
        common = [id for id in one.stage.reviewers if asking.after is None or id > asking.after]
        everybody = sorted({*found, *common})
        people, over = everybody[:TOLD], len(everybody) < TOLD
        last = people[-1] if people else asking.after
        if asking.occasion == "start":
            known = await self.contacts.before(one, people, asking.at) if people else set()
            people = [id for id in people if id not in known]
        settings = one.definition.settings
        written = settings.mail_notifications_enabled if asking.occasion == "start" else True
        still = await self._open(one, people) if people and written else {}
        if asking.occasion == "endsSoon":
            people = [id for id in people if id in still]
        if people:
            await self.contacts.told(one, people, asking.occasion, asking.at)
        if not over or asking.occasion != "start":
            return Told(tuple(people), still, last, over)
        unattended = await self._unattended(one)
        amiss = unattended is not None or one.refused is not None
        return Told(tuple(people), still, last, over, unattended, await self.answerable(one) if amiss else ())

    async def _unattended(self, one: Instance) -> OpenItems | None:
        """Items of the stage in progress that nobody can decide: none reviews them, or only whoever they are about."""
        nobody: list[dict[str, Any]] = [{"state.reviewers": []}]
        if len(one.stage.reviewers) < 2:
            # Of those that the stage's reviewers share: all, or what the only one has.
            own = {"state.person_id": one.stage.reviewers[0]} if one.stage.reviewers else {}
            nobody.append({"state.reviewers": {"$exists": False}, **own})
        query = {"state.instance_id": one.id, "state.stage": one.current, "$or": nobody}
        count = await self._runs.items.count(query)
        if not count:
            return None
        first = await self._runs.items.states(query, limit=NAMED)
        return _named(count, [it["person_id"] for it in first])

    async def _open(self, one: Instance, people: Sequence[str]) -> dict[str, OpenItems]:
        """What each of them has still to decide, by two questions for all of them."""
        undecided = {
            "state.instance_id": one.id,
            "state.stage": one.current,
            # What came from a stage before is to be decided again, whatever was decided there (REV-15).
            "state.here.decision": Verdict.NOT_REVIEWED.value,
        }
        items = self._runs.items
        own = await items.gathered(undecided, "state.reviewers", people, "state.person_id", NAMED)
        shared = [id for id in people if id in one.stage.reviewers]
        theirs = {**undecided, "state.reviewers": {"$exists": False}}
        total = await items.count(theirs) if shared else 0
        first = await items.states(theirs, limit=NAMED + 1) if total else []
        mine = await items.tally({**theirs, "state.person_id": {"$in": shared}}, "state.person_id") if total else {}
        still: dict[str, OpenItems] = {}
        for id in people:
            count, names = own.get(id, (0, []))
            if id in one.stage.reviewers:
                # Nobody decides about themself; self-reviews have no common reviewers.
                count += total - mine.get(id, 0)
                names = [*names, *(it["person_id"] for it in first if it["person_id"] != id)]
            if count:
                still[id] = _named(count, names)
        return still

    async def recipients(self, one: Instance) -> tuple[str, ...]:
        """Who hears how it ended, unless its mails are switched off."""
        return await self.answerable(one) if one.definition.settings.mail_notifications_enabled else ()

    async def answerable(self, one: Instance) -> tuple[str, ...]:
        """Who made it, and the additional recipients as they are now."""
        scopes = read_recipients(one.definition.additional_recipients)
        resolved = await self._around.resolved(scopes, one.resource) if scopes else {}
        owner = [one.definition.created_by] if one.definition.created_by else []
        return tuple(dict.fromkeys([*owner, *(id for people in resolved.values() for id in people)]))[:MOST_RECIPIENTS]


def _named(count: int, people: Sequence[str]) -> OpenItems:
    """`people`: whose the first of them are. Somebody may have several."""
    return OpenItems(count=count, people=tuple(dict.fromkeys(people[:NAMED])), further=max(0, count - NAMED))
