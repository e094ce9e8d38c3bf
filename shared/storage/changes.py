"""Which documents have changed since a moment, in the order of the writes: for delta queries.

Read from MongoDB's change stream, which tells of a write once a majority has it, in an order that all agree on. So
nothing is missed, whoever writes at the same time and whatever their clocks say; no write is dearer for it, and no
index is needed. How far back it reaches is how long the server keeps its log of writes
(`storage.oplogMinRetentionHours`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from pymongo.errors import OperationFailure

from shared.storage.database import Database, telling_errors

WAIT_MS = 50
"""For one look at the log, if there is nothing new in it."""


_SETTLED = {"updateDescription.updatedFields": {}, "updateDescription.removedFields": ["pending"]}
"""Only noted that the change before it was published (`aggregates`)."""


class TokenLost(Exception):
    """The log does not reach back to it any more, or it was never one of ours."""


@dataclass(frozen=True)
class Changed:
    """Up to so many documents, each once, as (collection, id)."""

    documents: tuple[tuple[str, str], ...]
    token: str
    """Where to go on. Nothing before it is left out."""
    more: bool
    """There may be more that was written before this was asked."""


class Changes:
    """The writes to some collections of one database."""

    def __init__(self, database: Database, *collections: str) -> None:
        self._database = database
        # A write that lost leaves no trace; documents are never taken out, for tombstones stay.
        kinds = {"operationType": {"$in": ["insert", "update", "replace"]}, "ns.coll": {"$in": list(collections)}}
        self._steps: list[dict[str, Any]] = [
            {"$match": {**kinds, "$nor": [_SETTLED]}},
            {"$project": {"documentKey": 1, "ns": 1}},
        ]

    async def now(self) -> str:
        """The token of this moment: whatever is acknowledged later comes after it, or is in what is read later."""
        with telling_errors():
            async with self._database.watch(self._steps, None, WAIT_MS) as stream:
                await stream.try_next()
                return _text(stream.resume_token)

    async def since(self, token: str, *, most: int, within_s: float = 2.0) -> Changed:
        """What was written since. Raises TokenLost."""
        found: dict[tuple[str, str], None] = {}
        # A stream that begins now begins behind the last write.
        deadline, last = monotonic() + within_s, _time(await self.now()) - 1
        more = True
        with telling_errors(), _telling_lost():
            async with self._database.watch(self._steps, {"_data": token}, WAIT_MS) as stream:
                while more and len(found) < most and monotonic() < deadline:
                    event = await stream.try_next()
                    token = _text(stream.resume_token)
                    if event is not None:
                        found[event["ns"]["coll"], event["documentKey"]["_id"]] = None
                    elif _time(token) >= last:
                        more = False
        return Changed(tuple(found), token, more)


@contextmanager
def _telling_lost() -> Iterator[None]:
    """A server that is there and does not take the token: being away is something else."""
    try:
        yield
    except OperationFailure as problem:
        if problem.has_error_label("ResumableChangeStreamError"):
            raise
        raise TokenLost from problem


def _text(token: Any) -> str:
    return str(token["_data"])


def _time(token: str) -> int:
    """The time of the write that a token stands at: behind a byte that says so, in eight. They sort as they are read,
    which the routers of a cluster rely on to merge their streams."""
    return int(token[2:18], 16)
