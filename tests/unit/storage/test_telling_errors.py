"""What is said of a database that cannot be reached."""

from __future__ import annotations

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from deploy.embedded import mongo
from deploy.embedded.folder import free_port
from shared.messaging.errors import MayPass
from shared.storage.database import telling_errors


async def test_an_embedded_server_that_is_away_is_not_said_to_belong_to_another_replica_set() -> None:
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(
        mongo.uri(free_port()), serverSelectionTimeoutMS=50
    )
    with pytest.raises(MayPass) as told, telling_errors():
        await client.admin.command("ping")
    client.close()
    assert str(told.value) == "MongoDB: ServerSelectionTimeoutError: the server does not answer"
