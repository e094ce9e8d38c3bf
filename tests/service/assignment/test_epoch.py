"""How often the epoch of the rules is asked for, on a real mongod."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.embedded import Servers
from services.assignment import store as stores
from services.assignment.store import RuleStore
from shared.settings import Settings
from shared.storage import Database
from shared.storage.database import connect


class Counted(RuleStore):
    """Counts how often it asks."""

    asked = 0

    async def epoch(self) -> int:
        self.asked += 1
        return await super().epoch()


@pytest_asyncio.fixture(loop_scope="session")
async def database(servers: Servers) -> AsyncIterator[Database]:
    where = servers.endpoints
    client = connect(Settings(kafka=where.kafka, mongo=where.mongo, namespace=f"epo{uuid.uuid4().hex[:8]}"))
    yield client.database("assignment")
    client.close()


@pytest.fixture(autouse=True)
def an_hour_is_recent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "RECENT_S", 3600.0)


async def test_what_was_asked_a_moment_ago_is_not_asked_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Counted(database)
    await rules.recent()
    await rules.recent()
    assert rules.asked == 1
    monkeypatch.setattr(stores, "RECENT_S", 0.0)
    await rules.recent()
    assert rules.asked == 2


async def test_what_this_process_has_changed_is_known_at_once(database: Database) -> None:
    rules = Counted(database)
    await rules.recent()
    epoch = await rules.raise_epoch()
    assert (await rules.recent()).epoch == epoch


async def test_what_another_has_changed_is_known_once_it_was_met(database: Database) -> None:
    rules, other = Counted(database), Counted(database)
    before = (await rules.recent()).epoch
    epoch = await other.raise_epoch()
    assert (await rules.recent()).epoch == before
    assert await rules.epoch() == epoch
    assert (await rules.recent()).epoch == epoch
