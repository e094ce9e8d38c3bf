"""What is said of a database that cannot be reached."""

from __future__ import annotations

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import AutoReconnect

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


def test_what_the_driver_gave_up_by_itself_is_said_in_words() -> None:
    """As of a server that hangs, where the driver says 'operation cancelled'."""
    with pytest.raises(MayPass) as told, telling_errors():
        raise AutoReconnect("operation cancelled")
    assert str(told.value) == "MongoDB: the server does not answer"
