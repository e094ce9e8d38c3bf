"""Plain documents, for what is neither an aggregate nor a replica: a trail, a counter, a checkpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pymongo import ReturnDocument, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError

from shared.messaging.errors import MayPass
from shared.storage.database import Database, Index, duplicates, telling_errors


class Documents:
    """One collection, majority and journalled. Queries are dicts made by stores, never by outsiders."""

    def __init__(self, database: Database, name: str, indexes: Sequence[Index] = ()) -> None:
        self.name = name
        self._database = database
        self._indexes = indexes
        self._collection = database.collection(name)

    async def ensure_indexes(self) -> None:
        await self._database.ensure_indexes(self.name, self._indexes)

    async def insert(self, documents: Sequence[Mapping[str, Any]], *, ordered: bool = True) -> list[int]:
        """Insert; returns the places of those whose `_id` or unique key was there already.

        Ordered: stops at the first of them, so that a chain has no gap."""
        if not documents:
            return []
        try:
            with telling_errors():
                await self._collection.insert_many([dict(document) for document in documents], ordered=ordered)
        except BulkWriteError as problem:
            return [error["index"] for error in duplicates(problem, self.name)]
        return []

    async def get(self, id: Any) -> dict[str, Any] | None:
        with telling_errors():
            return await self._collection.find_one({"_id": id})

    async def find(
        self,
        query: Mapping[str, Any],
        *,
        sort: Sequence[tuple[str, int]] = (("_id", 1),),
        skip: int = 0,
        limit: int = 0,
        fields: Mapping[str, int] | None = None,
    ) -> list[dict[str, Any]]:
        with telling_errors():
            return await self._collection.find(query, fields).sort(list(sort)).skip(skip).to_list(limit or None)

    async def walk(
        self, query: Mapping[str, Any], *, sort: Sequence[tuple[str, int]] = (("_id", 1),), batch: int = 1000
    ) -> AsyncIterator[dict[str, Any]]:
        """All that match, in order, without holding them."""
        with telling_errors():
            async for document in self._collection.find(query, batch_size=batch).sort(list(sort)):
                yield document

    async def count(self, query: Mapping[str, Any]) -> int:
        with telling_errors():
            return int(await self._collection.count_documents(query))

    async def set(self, id: Any, values: Mapping[str, Any], *, only_if: Mapping[str, Any] | None = None) -> bool:
        """Set fields of one document, made if it is missing (not with `only_if`). True if it matched or was made."""
        with telling_errors():
            result = await self._collection.update_one(
                {**(only_if or {}), "_id": id}, {"$set": dict(values)}, upsert=only_if is None
            )
        return bool(result.matched_count or result.upserted_id is not None)

    async def set_many(self, values: Mapping[Any, Mapping[str, Any]]) -> None:
        """Set fields of several documents at once, each made if it is missing."""
        if not values:
            return
        operations: list[Any] = [UpdateOne({"_id": id}, {"$set": dict(v)}, upsert=True) for id, v in values.items()]
        try:
            with telling_errors():
                await self._collection.bulk_write(operations, ordered=False)
        except BulkWriteError as problem:
            raise MayPass(f"MongoDB: {self.name}: {str(problem.details)[:300]}") from problem

    async def change(self, changes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> int:
        """Pairs of a query and an update with operators (`$set`, `$unset`), each on all that match, in one bulk write
        in no order. Never makes a document. Returns how many were changed."""
        if not changes:
            return 0
        operations: list[Any] = [UpdateMany(dict(query), dict(update)) for query, update in changes]
        try:
            with telling_errors():
                result = await self._collection.bulk_write(operations, ordered=False)
        except BulkWriteError as problem:
            raise MayPass(f"MongoDB: {self.name}: {str(problem.details)[:300]}") from problem
        return int(result.modified_count)

    async def raise_number(self, id: Any, field: str, by: int = 1) -> int:
        """Add to a number, made 0 if missing; returns the new one."""
        with telling_errors():
            document = await self._collection.find_one_and_update(
                {"_id": id}, {"$inc": {field: by}}, upsert=True, return_document=ReturnDocument.AFTER
            )
        return int(document[field])

    async def unset(self, query: Mapping[str, Any], fields: Sequence[str]) -> int:
        """Take fields out of all documents that match; returns how many that changed."""
        with telling_errors():
            result = await self._collection.update_many(dict(query), {"$unset": dict.fromkeys(fields, "")})
        return int(result.modified_count)

    async def delete(self, query: Mapping[str, Any]) -> int:
        with telling_errors():
            return int((await self._collection.delete_many(query)).deleted_count)
