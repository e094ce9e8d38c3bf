"""The bare loop of the parts that go over HTTP: the same documents, written and read by motor alone.

The documents are those that the services have made, taken from their own databases; each is written as often as they
wrote it, one after another as they do, durably as they do.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ReplaceOne
from pymongo.write_concern import WriteConcern

from tests.bench.calls import by_clients
from tests.bench.ground import Failed, Ground, Tenure

DURABLE = WriteConcern(w="majority", j=True)
Document = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """A document as a service keeps it, and how often one case writes it."""

    collection: str
    document: Document
    times: int = 1


async def samples(tenure: Tenure, id: str, places: Iterable[tuple[str, str]], times: int | None = None) -> list[Sample]:
    """What the services keep under `id`, each at (service, collection). `times`: None for as often as its revision
    says. Raises Failed if something is not there."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(tenure.ground.mongo)
    try:
        found = []
        for service, collection in places:
            document = await client[tenure.settings.database(service)][collection].find_one({"_id": id})
            if document is None:
                raise Failed(f"{service} keeps nothing at {collection}/{id}")
            found.append(Sample(f"{service}_{collection}", document, times or document["revision"]))
        return found
    finally:
        client.close()


async def per_second(ground: Ground, cases: int, clients: int, written: Collection[Sample]) -> float:
    """Cases a second, by so many clients: all documents written, the last one read."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(ground.mongo)
    database = client[ground.namespace("bare")]
    into = {one.collection: database.get_collection(one.collection, write_concern=DURABLE) for one in written}

    async def case(number: int) -> None:
        id, last = str(number), ""
        for one in written:
            last = one.collection
            for _ in range(one.times):
                await into[last].replace_one({"_id": id}, {**one.document, "_id": id}, upsert=True)
        await into[last].find_one({"_id": id})

    try:
        await by_clients(clients, [partial(case, -number) for number in range(1, 1 + clients)])  # connections are made
        begun = time.perf_counter()
        await by_clients(clients, [partial(case, number) for number in range(cases)])
        return cases / (time.perf_counter() - begun)
    finally:
        await client.drop_database(database.name)
        client.close()


async def in_bulk_per_second(ground: Ground, cases: int, written: Collection[Sample], batch: int = 500) -> float:
    """Cases a second, `batch` of them in one write for each document."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(ground.mongo)
    database = client[ground.namespace("bare")]
    try:
        begun = time.perf_counter()
        for start in range(0, cases, batch):
            ids = [str(number) for number in range(start, min(cases, start + batch))]
            for one in written:
                writes = [ReplaceOne({"_id": id}, {**one.document, "_id": id}, upsert=True) for id in ids]
                into = database.get_collection(one.collection, write_concern=DURABLE)
                for _ in range(one.times):
                    await into.bulk_write(writes, ordered=False)
        return cases / (time.perf_counter() - begun)
    finally:
        await client.drop_database(database.name)
        client.close()
