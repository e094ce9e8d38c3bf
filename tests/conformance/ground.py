"""Something to send examples to: all services on Kafka and mongod of their own, until the block ends."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from deploy.embedded import Endpoints
from deploy.embedded import servers as run_servers
from deploy.run.registry import assemblies
from shared.clock import Clock
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from shared.web.server import HttpServer


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an embedded run in `folder`."""
    async with run_servers(folder, kafka_heap_mb=384, mongo_cache_mb=256) as servers, running(servers.endpoints) as one:
        yield one


@asynccontextmanager
async def running(where: Endpoints, clock: Clock | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of all services on these servers, in a namespace of their own; they decide by `clock`."""
    settings = Settings(
        kafka=where.kafka, mongo=where.mongo, namespace=f"conf{uuid.uuid4().hex[:8]}", timer_poll_s=0.1, partitions=2
    )
    host = Host(settings, assemblies(without=("audit",)), clock)
    await create_topics(settings, groups_of(list(host.services.values())))
    async with host:
        routers = [router for service in host.services.values() for router in service.routers]
        server = HttpServer(make_app("tenure", routers))
        await server.start()
        try:
            async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
                yield client
        finally:
            await server.stop()
