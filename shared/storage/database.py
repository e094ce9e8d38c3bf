"""One service's database: connection, concerns, indexes, and driver errors told apart.

Concerns are set here and not in a URI that an operator can forget: majority and journalled writes, majority reads
from the primary. A server that is no replica set is refused, for it cannot give them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ReadPreference
from pymongo.errors import BulkWriteError, ConnectionFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.messaging.errors import MayPass
from shared.settings import Settings

DUPLICATE_KEY = 11000
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, tzinfo=UTC)


class NotAReplicaSet(Exception):
    """The MongoDB server named in the settings cannot journal by majority."""


class WrongAddress(Exception):
    """TENURE_MONGO is nothing that the driver can connect by. Quotes nothing of it, for a password may be in it."""


@dataclass(frozen=True)
class Index:
    """An index, by field names; a leading '-' sorts downwards."""

    fields: tuple[str, ...]
    unique: bool = False
    partial: dict[str, Any] = field(default_factory=dict)
    """Only documents that match; keeps the index of a rare state small."""
    ends: bool = False
    """The field is a date, and MongoDB deletes a document when it has come, within a minute or so."""

    def __init__(
        self, *fields: str, unique: bool = False, partial: dict[str, Any] | None = None, ends: bool = False
    ) -> None:
        object.__setattr__(self, "fields", fields)
        object.__setattr__(self, "unique", unique)
        object.__setattr__(self, "partial", partial or {})
        object.__setattr__(self, "ends", ends)

    @property
    def name(self) -> str:
        """Clashes are told by it: the fields, joined by '+'."""
        return "+".join(self.fields)

    @property
    def keys(self) -> list[tuple[str, int]]:
        return [(name.removeprefix("-"), -1 if name.startswith("-") else 1) for name in self.fields]


class Client:
    """A connection to the deployment; one a process, shared by its services."""

    def __init__(self, settings: Settings) -> None:
        try:
            self._motor: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
                settings.mongo.get_secret_value(),
                tz_aware=True,
                retryWrites=True,
                serverSelectionTimeoutMS=5_000,
                connectTimeoutMS=5_000,
                socketTimeoutMS=60_000,
                appname="tenure",
            )
        except (PyMongoError, ValueError) as problem:
            raise WrongAddress(
                f"TENURE_MONGO is no connection string that MongoDB's driver takes ({type(problem).__name__}). "
                "One is mongodb://host:27017/?replicaSet=name; in a user's name or password everything but letters, "
                "digits and -._~ is percent-encoded."
            ) from problem
        self._settings = settings

    async def check(self) -> None:
        """Raises MayPass while the server is away, NotAReplicaSet if it is no replica set."""
        with telling_errors():
            hello = await self._motor.admin.command("hello")
        if "setName" not in hello and hello.get("msg") != "isdbgrid":
            raise NotAReplicaSet(
                "MongoDB at TENURE_MONGO is not a replica set, so it cannot promise that a write survives. "
                "Start mongod with --replSet and run rs.initiate() once; one node is enough to begin with."
            )

    def database(self, service: str) -> Database:
        return Database(self._motor[self._settings.database(service)])

    def close(self) -> None:
        self._motor.close()


def connect(settings: Settings) -> Client:
    """Does not wait for the server; see `Client.check`. Raises WrongAddress."""
    return Client(settings)


class Database:
    """What one service owns. Nobody else reads or writes it."""

    def __init__(self, motor: AsyncIOMotorDatabase[dict[str, Any]]) -> None:
        self._motor = motor
        self.name = motor.name

    async def is_new(self) -> bool:
        """Whether no service has ever used it: even one that has stored nothing has its collections."""
        with telling_errors():
            return not await self._motor.list_collection_names()

    def collection(self, name: str) -> AsyncIOMotorCollection[dict[str, Any]]:
        """For the classes of this package; services use those."""
        return self._motor.get_collection(
            name,
            codec_options=CODEC,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(w="majority", j=True, wtimeout=30_000),
        )

    async def among(
        self,
        documents: Sequence[Mapping[str, Any]],
        query: Mapping[str, Any],
        *,
        sort: Sequence[tuple[str, int]] = (),
        skip: int = 0,
        limit: int = 0,
    ) -> list[dict[str, Any]]:
        """Those of `documents` that match, as MongoDB reads a query: for short lists that are made and not stored."""
        steps: list[dict[str, Any]] = [
            {"$documents": {"$literal": [dict(one) for one in documents]}},
            {"$match": query},
        ]
        if sort:
            steps.append({"$sort": dict(sort)})
        if skip:
            steps.append({"$skip": skip})
        if limit:
            steps.append({"$limit": limit})
        with telling_errors():
            return [one async for one in self._motor.aggregate(steps)]

    def watch(self, steps: Sequence[Mapping[str, Any]], after: Mapping[str, Any] | None, wait_ms: int) -> Any:
        """The change stream of this database, behind the resume token `after` or from now on; for this package."""
        majority = self._motor.with_options(
            codec_options=CODEC, read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern("majority")
        )
        return majority.watch(list(steps), resume_after=after, max_await_time_ms=wait_ms)

    async def ensure_indexes(self, name: str, indexes: Sequence[Index]) -> None:
        """Makes what is missing; never drops one. Safe from several replicas at once."""
        collection = self.collection(name)
        for index in indexes:
            options: dict[str, Any] = {"name": index.name}
            if index.unique:
                options["unique"] = True
            if index.partial:
                options["partialFilterExpression"] = index.partial
            if index.ends:
                options["expireAfterSeconds"] = 0
            with telling_errors():
                await collection.create_index(index.keys, **options)


@contextmanager
def telling_errors() -> Iterator[None]:
    """Driver errors become MayPass, except a bulk write's own, which say something about single documents.

    What the driver refuses to send (an unencodable document) is a fault of ours and stays as it is."""
    try:
        yield
    except BulkWriteError:
        raise
    except (ConnectionFailure, PyMongoError) as problem:
        raise MayPass(f"MongoDB: {_said(problem)}") from problem


def _said(problem: Exception) -> str:
    """What the driver says, unless that leads astray."""
    said = str(problem)
    if said == "operation cancelled":
        # Its watch over the server heard nothing in time, and gave up what was asked on all other connections.
        return "the server does not answer"
    # Asked for one host of a replica set (as embedded runs are), it takes whoever does not answer for a stranger.
    said = "the server does not answer" if "belongs to a set named 'None'" in said else said[:200]
    return f"{type(problem).__name__}: {said}"


def duplicates(problem: BulkWriteError, what: str) -> list[dict[str, Any]]:
    """The single errors of a bulk write, if all of them are duplicate keys: `index`, `keyPattern`.

    Anything else means that the outcome is not known: raises MayPass, with `what` was being done."""
    details = problem.details or {}
    errors: list[dict[str, Any]] = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(error.get("code") != DUPLICATE_KEY for error in errors):
        raise MayPass(f"MongoDB: {what}: {str(errors or details)[:300]}") from problem
    return errors
