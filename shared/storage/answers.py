"""What callers were answered, so that a request that is sent again under its key is answered alike."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pymongo.errors import DuplicateKeyError

from shared.storage.database import Database, Index, telling_errors

KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=60)
"""A request that has not been answered after that time was lost with its process, and may be tried again."""
LARGEST = 8 * 1024 * 1024
"""Bytes of an answer that are kept; MongoDB's documents end at 16 MiB."""


@dataclass(frozen=True)
class Kept:
    """An answer as it was given."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Turn:
    """It is this request's turn to act: `answered` or `given_up` ends it."""

    key: str
    holder: str


class OtherRequest(Exception):
    """The key was used for something else."""


class UnderWay(Exception):
    """A request with this key is being answered now."""


def real_now() -> datetime:
    """Keys end by the real clock, whatever the business clock says."""
    return datetime.now(UTC)


class Answers:
    """Answers by key, for a day. A key belongs to one request: whoever made it adds caller and path.

    The first to come gets a turn; who comes again before it ends is told that it is under way, after it the answer."""

    def __init__(self, database: Database, name: str = "answers", now: Callable[[], datetime] = real_now) -> None:
        self.name = name
        self._database = database
        self._collection = database.collection(name)
        self._now = now

    async def ensure_indexes(self) -> None:
        await self._database.ensure_indexes(self.name, [Index("ends_at", ends=True)])

    async def begin(self, key: str, fingerprint: str) -> Turn | Kept:
        """A turn, or what was answered before. Raises OtherRequest, UnderWay, MayPass."""
        now = self._now()
        mine = {
            "fingerprint": fingerprint,
            "holder": uuid.uuid4().hex,
            "leased_until": now + LEASE,
            "ends_at": now + KEPT,
        }
        with telling_errors():
            try:
                # Takes what is not there, what has ended but is not deleted yet, and what its holder left behind.
                free = {
                    "$or": [{"ends_at": {"$lte": now}}, {"leased_until": {"$lte": now}, "fingerprint": fingerprint}]
                }
                await self._collection.replace_one({"_id": key, **free}, mine, upsert=True)
                return Turn(key, str(mine["holder"]))
            except DuplicateKeyError:
                found = await self._collection.find_one({"_id": key})
        if found is None:  # given up a moment ago
            return await self.begin(key, fingerprint)
        if found["fingerprint"] != fingerprint:
            raise OtherRequest
        if "status" not in found:
            raise UnderWay
        return Kept(found["status"], tuple((name, value) for name, value in found["headers"]), found["body"])

    async def answered(self, turn: Turn, answer: Kept) -> None:
        """Keep what the turn led to. One that is too large is not kept: the key is free again. Raises MayPass."""
        if len(answer.body) > LARGEST:
            await self.given_up(turn)
            return
        said = {"status": answer.status, "headers": [list(one) for one in answer.headers], "body": answer.body}
        with telling_errors():
            await self._collection.update_one(
                {"_id": turn.key, "holder": turn.holder}, {"$set": said, "$unset": {"leased_until": ""}}
            )

    async def given_up(self, turn: Turn) -> None:
        """The turn led to nothing: the key is free again. Raises MayPass."""
        with telling_errors():
            await self._collection.delete_one({"_id": turn.key, "holder": turn.holder})
