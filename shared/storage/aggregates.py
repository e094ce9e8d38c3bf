"""Aggregates as documents: state, revision, stamp and outbox in one, so that one write is all or nothing.

Document: `_id`, `revision` (guards the write), `version` (of the last fact), `stamp` (of the attempt that wrote it),
`state`, `outbox` (`records`, `causes`, and the `revision` it was written as), `pending` (date; only where no offset
brings the cause back), `due_at`, `timer` (back-off of a failing timer), `dead_letters`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from shared.clock import not_before
from shared.messaging.envelope import Outgoing, Position
from shared.messaging.errors import MayPass
from shared.messaging.ports import Outbox, Stored, Write, Written
from shared.storage.database import Database, Index, duplicates, telling_errors

PARK_AFTER = 8
"""Failures of one timer, over some four minutes, after which only a human helps."""

KIT_INDEXES = (
    Index("pending", partial={"pending": {"$exists": True}}),
    Index("due_at", partial={"due_at": {"$exists": True}}),
    Index("timer.parked", partial={"timer.parked": {"$exists": True}}),
    Index("dead_letters", partial={"dead_letters": {"$exists": True}}),
)


class MongoAggregates:
    """The documents of one kind of aggregate; implements `shared.messaging.ports.AggregateStore`."""

    def __init__(self, database: Database, name: str, indexes: Sequence[Index] = ()) -> None:
        self.name = name
        self._database = database
        self._indexes = (*KIT_INDEXES, *indexes)
        self._index_names = {index.name for index in indexes if index.unique}
        self._collection = database.collection(name)
        self.when_poked: Callable[[], None] = lambda: None
        """Called when something became due by no decision."""

    async def ensure_indexes(self) -> None:
        await self._database.ensure_indexes(self.name, self._indexes)

    # What the kit asks

    async def load(self, ids: Collection[str]) -> dict[str, Stored]:
        with telling_errors():
            found = await self._collection.find({"_id": {"$in": list(ids)}}, {"outbox.records": 0}).to_list(None)
        return {document["_id"]: _stored(document) for document in found}

    async def revisions(self, ids: Collection[str]) -> dict[str, int]:
        with telling_errors():
            found = await self._collection.find({"_id": {"$in": list(ids)}}, {"revision": 1}).to_list(None)
        return {document["_id"]: document["revision"] for document in found}

    async def carried(self, revisions: Mapping[str, int]) -> list[Outgoing]:
        query = {"_id": {"$in": list(revisions)}, "outbox": {"$exists": True}}
        with telling_errors():
            found = await self._collection.find(query, {"outbox.revision": 1, "outbox.records": 1}).to_list(None)
        those = [one["outbox"] for one in found if revisions[one["_id"]] == _revision(one["outbox"])]
        return [record for outbox in those for record in _records(outbox)]

    async def write(self, writes: Sequence[Write], stamp: str) -> Written:
        operations = [_operation(write, stamp) for write in writes]
        clashed: dict[str, str] = {}
        done = 0
        try:
            with telling_errors():
                result = await self._collection.bulk_write(operations, ordered=False)
            done = result.modified_count + result.inserted_count
        except BulkWriteError as problem:
            clashed = self._clashes(problem, writes)
        if done == len(writes):
            return Written()
        ids = [write.read.id for write in writes]
        with telling_errors():
            ours = await self._collection.find({"_id": {"$in": ids}, "stamp": stamp}, {"_id": 1}).to_list(None)
        lost = set(ids) - {document["_id"] for document in ours}
        return Written(lost - clashed.keys(), {id: index for id, index in clashed.items() if id in lost})

    def _clashes(self, problem: BulkWriteError, writes: Sequence[Write]) -> dict[str, str]:
        """Duplicate keys other than `_id`; any other error means that the outcome is not known."""
        clashed: dict[str, str] = {}
        for error in duplicates(problem, "bulk write"):
            fields = "+".join(error.get("keyPattern", {}))
            if fields != "_id":
                clashed[writes[error["index"]].read.id] = fields
        return clashed

    async def published(self, revisions: dict[str, int], look_at: datetime | None = None) -> None:
        update: dict[str, Any] = {"$unset": {"pending": ""}} | ({"$min": {"due_at": look_at}} if look_at else {})
        operations: list[Any] = [
            UpdateOne({"_id": id, "outbox.revision": revision}, update) for id, revision in revisions.items()
        ]
        try:
            with telling_errors():
                await self._collection.bulk_write(operations, ordered=False)
        except BulkWriteError as problem:
            raise MayPass(f"MongoDB: clearing the outbox: {str(problem.details)[:300]}") from problem
        if look_at is not None:
            self.when_poked()

    async def pending(self, before: datetime, limit: int) -> list[Stored]:
        with telling_errors():
            found = await self._collection.find({"pending": {"$lt": before}}).sort("pending", 1).to_list(limit)
        return [_stored(document) for document in found]

    async def due(self, now: datetime, limit: int) -> list[tuple[str, datetime]]:
        query = {"due_at": {"$lte": now}, "timer.parked": {"$exists": False}, "$or": [
            {"timer.until": {"$exists": False}}, {"timer.until": {"$lte": now}}]}  # fmt: skip
        with telling_errors():
            found = await self._collection.find(query, {"due_at": 1}).sort("due_at", 1).to_list(limit)
        return [(document["_id"], document["due_at"]) for document in found]

    async def back_off(self, id: str, due_at: datetime, now: datetime, reason: str) -> None:
        # In one update: the timer of another replica must not see that it failed and not yet until when it rests.
        failures = {"$add": [{"$ifNull": ["$timer.failures", 0]}, 1]}
        rest = {"until": {"$add": [now, {"$multiply": [1000, {"$pow": [2, "$timer.failures"]}]}]}}
        outcome = {"$cond": [{"$gte": ["$timer.failures", PARK_AFTER]}, {"parked": now}, rest]}
        steps: list[dict[str, Any]] = [
            {"$set": {"timer.failures": failures, "timer.reason": {"$literal": reason[:500]}}},
            {"$set": {"timer": {"$mergeObjects": ["$timer", outcome]}}},
        ]
        with telling_errors():
            await self._collection.update_one({"_id": id, "due_at": due_at}, steps)

    async def mark_dead_letter(self, id: str, letter: str) -> None:
        # The revision grows, so that a decision in flight that knew nothing of it loses and is made again.
        update = {"$addToSet": {"dead_letters": letter}, "$inc": {"revision": 1}, "$setOnInsert": {"version": 0}}
        with telling_errors():
            await self._collection.update_one({"_id": id}, update, upsert=True)

    async def clear_dead_letter(self, id: str | None, letter: str, look_at: datetime | None = None) -> None:
        marked: dict[str, Any] = {"dead_letters": letter} if id is None else {"_id": id, "dead_letters": letter}
        with telling_errors():
            ids = [one["_id"] for one in await self._collection.find(marked, {"_id": 1}).to_list(None)]
            if not ids:
                return
            those = {"_id": {"$in": ids}}
            cleared: dict[str, Any] = {"$pull": {"dead_letters": letter}, "$inc": {"revision": 1}}
            if look_at is not None:
                # Not the blank ones: there is nothing to decide, so nothing would ever take the date away again.
                decided = {**those, **marked, "state": {"$exists": True}}
                await self._collection.update_many(decided, {**cleared, "$min": {"due_at": look_at}})
            await self._collection.update_many({**those, **marked}, cleared)
            await self._collection.update_many({**those, "dead_letters": []}, {"$unset": {"dead_letters": ""}})
        if look_at is not None:
            self.when_poked()

    # What a service asks

    async def poke(self, query: dict[str, Any], now: datetime) -> int:
        """Make everything that matches due at once: its timer takes another look. Returns how many."""
        with telling_errors():
            result = await self._collection.update_many(query, {"$min": {"due_at": now}, "$inc": {"revision": 1}})
        if result.modified_count:
            self.when_poked()
        return result.modified_count

    async def states(
        self, query: dict[str, Any], *, sort: Sequence[tuple[str, int]] = (("_id", 1),), skip: int = 0, limit: int = 0
    ) -> list[dict[str, Any]]:
        """States that match, each with its `_id`, `version` and `revision`."""
        cursor = self._collection.find(query, {"outbox": 0}).sort(list(sort)).skip(skip)
        with telling_errors():
            found = await cursor.to_list(limit or None)
        return [_with_id(document) for document in found if document.get("state") is not None]

    async def state(self, id: str) -> dict[str, Any] | None:
        found = await self.states({"_id": id}, limit=1)
        return found[0] if found else None

    async def ids(self, query: dict[str, Any], *, after: str | None = None, limit: int = 0) -> list[str]:
        """Ids that match, in order, beyond `after`: how jobs and rosters page."""
        beyond = {"$and": [query, {"_id": {"$gt": after}}]} if after is not None else query
        with telling_errors():
            found = await self._collection.find(beyond, {"_id": 1}).sort("_id", 1).to_list(limit or None)
        return [document["_id"] for document in found]

    async def unwound(
        self,
        array: str,
        where: dict[str, Any],
        *,
        narrowed: dict[str, Any] | None = None,
        sort: Sequence[tuple[str, int]] = (("_id", 1),),
        skip: int = 0,
        limit: int = 0,
    ) -> list[dict[str, Any]]:
        """One document an item of the list at `array` (dotted), which then holds the item alone, that match `where`.

        `narrowed`: a filter on whole documents that leaves out none that `where` could find an item in: by index."""
        stages = _unwinding(array, where, narrowed)
        stages.append({"$sort": dict(sort)})
        stages += [{"$skip": skip}] * bool(skip) + [{"$limit": limit}] * bool(limit)
        with telling_errors():
            return await self._collection.aggregate(stages).to_list(None)

    async def count_unwound(self, array: str, where: dict[str, Any], *, narrowed: dict[str, Any] | None = None) -> int:
        """How many items `unwound` finds in all."""
        stages = [*_unwinding(array, where, narrowed), {"$count": "n"}]
        with telling_errors():
            found = await self._collection.aggregate(stages).to_list(None)
        return int(found[0]["n"]) if found else 0

    async def pairs(self, query: dict[str, Any], field: str) -> list[tuple[str, Any]]:
        """(`_id`, value of the dotted `field`) of all that match."""
        with telling_errors():
            found = await self._collection.find(query, {field: 1}).to_list(None)
        return [(document["_id"], _at(document, field)) for document in found]

    async def tally(self, query: dict[str, Any], field: str) -> dict[str, int]:
        """How many documents that match have each value of the dotted `field`."""
        stages: list[dict[str, Any]] = [{"$match": query}, {"$group": {"_id": f"${field}", "n": {"$sum": 1}}}]
        with telling_errors():
            found = await self._collection.aggregate(stages).to_list(None)
        return {str(one["_id"]): int(one["n"]) for one in found}

    async def gathered(
        self, query: dict[str, Any], by: str, values: Collection[str], listed: str, most: int
    ) -> dict[str, tuple[int, list[str]]]:
        """Of those of `values` that the dotted `by`, a text or a list, has: how many match, and what the first
        `most` of them have at the dotted `listed`."""
        those = {by: {"$in": list(values)}}
        first = {"$firstN": {"input": f"${listed}", "n": most}}
        stages: list[dict[str, Any]] = [
            {"$match": {**query, **those}},
            {"$unwind": f"${by}"},
            {"$match": those},
            {"$group": {"_id": f"${by}", "n": {"$sum": 1}, "first": first}},
        ]
        with telling_errors():
            found = await self._collection.aggregate(stages).to_list(None)
        return {str(one["_id"]): (int(one["n"]), list(one["first"])) for one in found}

    async def latest(self, query: dict[str, Any], of: str, field: str) -> dict[str, Any]:
        """By value of the dotted `of`: the greatest value of `field` among the documents that match."""
        stages: list[dict[str, Any]] = [{"$match": query}, {"$group": {"_id": f"${of}", "last": {"$max": f"${field}"}}}]
        with telling_errors():
            found = await self._collection.aggregate(stages).to_list(None)
        return {str(one["_id"]): one["last"] for one in found}

    async def distinct(
        self, query: dict[str, Any], field: str, *, after: str | None = None, limit: int = 0
    ) -> list[str]:
        """Values of the dotted `field`, a text or a list of them, in order, beyond `after`."""
        stages: list[dict[str, Any]] = [{"$match": query}, {"$unwind": f"${field}"}, {"$group": {"_id": f"${field}"}}]
        stages += [{"$match": {"_id": {"$gt": after}}}] * (after is not None)
        stages += [{"$sort": {"_id": 1}}, *([{"$limit": limit}] if limit else [])]
        with telling_errors():
            found = await self._collection.aggregate(stages).to_list(None)
        return [str(one["_id"]) for one in found]

    async def count(self, query: dict[str, Any] | None = None) -> int:
        with telling_errors():
            if not query:
                return int(await self._collection.estimated_document_count())
            return int(await self._collection.count_documents(query))

    async def walk(self, query: dict[str, Any], batch: int = 1000) -> AsyncIterator[dict[str, Any]]:
        """All states that match, in the order of their ids, without holding them."""
        cursor = self._collection.find(query, {"outbox": 0}, batch_size=batch).sort("_id", 1)
        with telling_errors():
            async for document in cursor:
                if document.get("state") is not None:
                    yield _with_id(document)

    async def next_due(self, now: datetime) -> datetime | None:
        """When a timer next has something to do, past moments too; None if nothing is dated. Without what is parked."""
        alive: dict[str, Any] = {"timer.parked": {"$exists": False}}
        waits: dict[str, Any] = {"due_at": {"$lte": now}, "timer.until": {"$gt": now}}
        found = await self._united(
            _earliest("due_at", {"due_at": {"$exists": True}, **alive, "$nor": [waits]}),
            _earliest("timer.until", {**waits, **alive}),
        )
        return min((one["at"] for one in found), default=None)

    async def health(self, now: datetime) -> dict[str, float]:
        """For status: pending, oldest pending and overdue in seconds, parked timers, dead letters."""
        overdue: dict[str, Any] = {"due_at": {"$lte": now}, "timer.parked": {"$exists": False}}
        counted = ("pending", "timer.parked", "dead_letters")
        united = await self._united(_earliest("due_at", overdue), *map(_counted, counted))
        found = {one["_id"]: one for one in united}
        number = {field: found[field]["number"] if field in found else 0 for field in counted}
        return {
            "pending": number["pending"],
            "oldest_pending_s": (now - found["pending"]["at"]).total_seconds() if number["pending"] else 0.0,
            "overdue_s": max(0.0, (now - found["due_at"]["at"]).total_seconds()) if "due_at" in found else 0.0,
            "parked": number["timer.parked"],
            "dead_letters": number["dead_letters"],
        }

    async def _united(self, first: list[dict[str, Any]], *others: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What these pipelines find, each by its own index, in one question: a look at a run asks every collection."""
        steps = [*first, *({"$unionWith": {"coll": self.name, "pipeline": other}} for other in others)]
        with telling_errors():
            found: list[dict[str, Any]] = await self._collection.aggregate(steps).to_list(None)
        return found


def _earliest(field: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """The earliest date in `field` of what matches, as `at`; nothing if there is none."""
    return [
        {"$match": query},
        {"$sort": {field: 1}},
        {"$limit": 1},
        {"$project": {"_id": {"$literal": field}, "at": f"${field}"}},
    ]


def _counted(field: str) -> list[dict[str, Any]]:
    """How many have `field`, and the least in it; nothing if none has."""
    one = {"_id": {"$literal": field}, "number": {"$sum": 1}, "at": {"$min": f"${field}"}}
    return [{"$match": {field: {"$exists": True}}}, {"$group": one}]


def _unwinding(array: str, where: dict[str, Any], narrowed: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [{"$match": narrowed or {}}, {"$project": {"outbox": 0}}, {"$unwind": f"${array}"}, {"$match": where}]


def _at(document: dict[str, Any], field: str) -> Any:
    value: Any = document
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _with_id(document: dict[str, Any]) -> dict[str, Any]:
    return {
        **document["state"],
        "_id": document["_id"],
        "version": document["version"],
        "revision": document["revision"],
    }


def _operation(write: Write, stamp: str) -> Any:
    read = write.read
    document: dict[str, Any] = {
        "_id": read.id,
        "revision": read.revision + 1,
        "version": write.version,
        "stamp": stamp,
        "state": write.state,
    }
    if write.outbox is not None:
        document["outbox"] = {
            "records": [
                # One text, for headers as arrays within arrays would cost as much as all the rest of the document.
                {"topic": r.topic, "key": r.key, "value": r.value, "headers": orjson.dumps(r.headers).decode()}
                for r in write.outbox.records
            ],
            "causes": [[p.topic, p.partition, p.offset] for p in write.outbox.causes],
            "revision": write.outbox.revision,
        }
    if write.pending_since is not None:
        document["pending"] = write.pending_since
    if write.due_at is not None:
        # Cut like other dates, half a millisecond would be missing for ever: the timer rings, nothing is due, it rings.
        document["due_at"] = not_before(write.due_at)
    if read.dead_letters:
        document["dead_letters"] = list(read.dead_letters)
    if read.revision == 0:
        return InsertOne(document)
    # The guard stands in the update and not in the query: a query for the `_id` alone is not planned, at a third of the
    # price of the whole write. Whoever has lost replaces the document by itself, which writes nothing.
    ours = {"$eq": ["$revision", read.revision]}
    return UpdateOne({"_id": read.id}, [{"$replaceWith": {"$cond": [ours, {"$literal": document}, "$$ROOT"]}}])


def _stored(document: dict[str, Any]) -> Stored:
    outbox = document.get("outbox")
    return Stored(
        id=document["_id"],
        revision=document["revision"],
        version=document["version"],
        state=document.get("state"),
        outbox=_outbox(outbox) if outbox else None,
        pending="pending" in document,
        dead_letters=tuple(document.get("dead_letters", ())),
    )


def _outbox(outbox: dict[str, Any]) -> Outbox:
    return Outbox(
        tuple(_records(outbox)),
        tuple(Position(*cause) for cause in outbox["causes"]),
        _revision(outbox),
    )


def _revision(outbox: Mapping[str, Any]) -> int:
    return int(outbox.get("revision", 0))  # what was stored before it was kept has none, and is published once more


def _records(outbox: Mapping[str, Any]) -> Iterator[Outgoing]:
    for r in outbox.get("records", ()):
        yield Outgoing(r["topic"], r["key"], r["value"], tuple(map(tuple, orjson.loads(r["headers"]))))
