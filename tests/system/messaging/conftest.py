"""A nursery a session, a world a test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.embedded import Servers
from tests.system.messaging.world import Nursery, World, nursery, world_of


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home() -> AsyncIterator[Nursery]:
    async with nursery() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def around(servers: Servers, home: Nursery) -> AsyncIterator[World]:
    async with world_of(servers, home) as found:
        yield found
