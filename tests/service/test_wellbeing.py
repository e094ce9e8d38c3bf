"""What a look at a collection of aggregates tells, on a real mongod."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from deploy.embedded import Servers
from shared.messaging.envelope import Outgoing
from shared.messaging.ports import Outbox, Stored, Write
from shared.settings import Settings
from shared.storage.aggregates import MongoAggregates
from shared.storage.database import connect

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOTHING = {"pending": 0, "oldest_pending_s": 0.0, "overdue_s": 0.0, "parked": 0, "dead_letters": 0}


def at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest_asyncio.fixture(loop_scope="session")
async def things(servers: Servers) -> AsyncIterator[MongoAggregates]:
    where = servers.endpoints
    client = connect(Settings(kafka=where.kafka, mongo=where.mongo, namespace=f"well{uuid.uuid4().hex[:8]}"))
    found = MongoAggregates(client.database("toy"), "things")
    await found.ensure_indexes()
    yield found
    client.close()


async def put(things: MongoAggregates, *documents: dict[str, Any]) -> None:
    for number, document in enumerate(documents):
        await things._collection.insert_one({"_id": f"{uuid.uuid4()}-{number}", "revision": 1, "state": {}, **document})


async def test_where_nothing_is_there_all_is_well(things: MongoAggregates) -> None:
    assert await things.health(NOW) == NOTHING
    assert await things.next_due(NOW) is None


async def test_each_trouble_is_counted_and_the_oldest_is_told(things: MongoAggregates) -> None:
    await put(
        things,
        {},
        {"pending": at(-7)},
        {"pending": at(-3), "due_at": at(60)},
        {"due_at": at(-5)},
        {"due_at": at(-90), "timer": {"failures": 8, "parked": at(-50)}},
        {"dead_letters": ["a", "b"]},
    )

    said = {"pending": 2, "oldest_pending_s": 7.0, "overdue_s": 5.0, "parked": 1, "dead_letters": 1}
    assert await things.health(NOW) == said
    assert await things.next_due(NOW) == at(-5)


async def test_what_rests_after_a_failure_is_next_due_when_it_has_rested(things: MongoAggregates) -> None:
    await put(
        things,
        {"due_at": at(-90), "timer": {"failures": 8, "parked": at(-50)}},
        {"due_at": at(-5), "timer": {"failures": 2, "until": at(4)}},
        {"due_at": at(60)},
    )

    assert await things.next_due(NOW) == at(4)
    assert await things.next_due(at(5)) == at(-5)
    assert (await things.health(NOW))["overdue_s"] == 5.0


async def test_a_poke_moves_the_document_and_leaves_the_outbox_what_it_was(things: MongoAggregates) -> None:
    said = Outgoing("toy.facts", b"one", b"{}", ())
    outbox = Outbox((said,), (), revision=1)
    await things.write([Write(Stored("one"), 1, {"a": 1}, outbox, pending_since=NOW, due_at=None)], "first")
    await things.poke({"_id": "one"}, NOW)

    stored = (await things.load(["one"]))["one"]
    assert (stored.revision, stored.pending, stored.outbox) == (2, True, Outbox((), (), revision=1))
    assert await things.carried({"one": 1}) == [said]
    assert await things.carried({"one": 2}) == []

    await things.published({"one": 2})
    assert (await things.load(["one"]))["one"].pending, "that is no outbox of this document"
    await things.published({"one": 1})
    assert not (await things.load(["one"]))["one"].pending
