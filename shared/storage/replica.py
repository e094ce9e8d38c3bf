"""A local copy of what another service says: the highest version of each subject, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from shared.contracts.base import Fact
from shared.storage.database import Database, Index, duplicates, telling_errors

F = TypeVar("F", bound=Fact)


class Replica(Generic[F]):
    """Documents `{_id: subject, version, **keep(fact)}`. `keep` says which fields this service needs.

    A deleted subject is kept as what `keep` makes of it: versions never restart."""

    def __init__(
        self, database: Database, name: str, keep: Callable[[F], dict[str, Any]], indexes: Sequence[Index] = ()
    ) -> None:
        self.name = name
        self._database = database
        self._indexes = indexes
        self._keep = keep
        self._collection = database.collection(name)

    async def ensure_indexes(self) -> None:
        await self._database.ensure_indexes(self.name, self._indexes)

    async def apply(self, facts: Sequence[F]) -> list[F]:
        """Take over what is newer than what is known. Returns the newest of each subject in the batch; repeating is
        harmless. Raises MayPass."""
        newest: dict[str, F] = {}
        for fact in facts:
            if fact.subject not in newest or newest[fact.subject].version < fact.version:
                newest[fact.subject] = fact
        operations = [
            UpdateOne({"_id": subject}, _unless_newer(fact.version, self._keep(fact)), upsert=True)
            for subject, fact in newest.items()
        ]
        if not operations:
            return []
        try:
            with telling_errors():
                await self._collection.bulk_write(operations, ordered=False)
        except BulkWriteError as problem:
            # A duplicate `_id` is the upsert of what another replica inserted meanwhile: the same facts reach both.
            duplicates(problem, f"replica {self.name}")
        return list(newest.values())

    async def get(self, ids: Collection[str]) -> dict[str, dict[str, Any]]:
        with telling_errors():
            found = await self._collection.find({"_id": {"$in": list(ids)}}).to_list(None)
        return {document["_id"]: document for document in found}

    async def find(self, query: dict[str, Any], *, limit: int = 0) -> list[dict[str, Any]]:
        with telling_errors():
            return await self._collection.find(query).sort("_id", 1).to_list(limit or None)

    async def ids(self, query: Mapping[str, Any], *, limit: int = 0) -> list[str]:
        """Of those that match."""
        with telling_errors():
            found = await self._collection.find(query, {"_id": 1}).sort("_id", 1).to_list(limit or None)
        return [document["_id"] for document in found]

    async def aggregate(self, stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What a pipeline makes of them. Like queries, stages are made by stores and never by outsiders."""
        with telling_errors():
            return await self._collection.aggregate(list(stages)).to_list(None)


def _unless_newer(version: int, kept: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Take over what is kept of a version; of what is there in this version or a higher one nothing changes.

    In the update and not in the query, for the reason that aggregates have (see `aggregates`)."""
    taken = {"$mergeObjects": ["$$ROOT", {"$literal": {"version": version, **kept}}]}
    older = {"$lt": [{"$ifNull": ["$version", -1]}, version]}
    return [{"$replaceWith": {"$cond": [older, taken, "$$ROOT"]}}]
