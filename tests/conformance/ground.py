"""Something to send examples to: all services on Kafka and mongod of their own, until the block ends."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from deploy.demo.callers import Callers
from deploy.embedded import Endpoints
from deploy.embedded import servers as run_servers
from deploy.run.front import application
from deploy.run.registry import assemblies
from shared.clock import Clock
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.security.development import DevelopmentIssuer
from shared.settings import Settings
from shared.web.caller import ACTOR_HEADER
from shared.web.server import HttpServer
from tests.issuer import AUDIENCE


class Client(httpx.AsyncClient):
    """Of one Tenure, as its operator; `callers` has the headers of everybody else."""

    def __init__(self, url: str, callers: Callers) -> None:
        super().__init__(
            base_url=url,
            timeout=30,
            headers=callers.operator,
            event_hooks={"request": [_says_who_by_token]},
        )
        self.callers = callers


async def _says_who_by_token(request: httpx.Request) -> None:
    # It would be answered as if nothing were said.
    assert ACTOR_HEADER not in request.headers, "who asks is said by a token: `client.callers`"


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Client]:
    """A client of an embedded run in `folder`."""
    async with run_servers(folder, kafka_heap_mb=384, mongo_cache_mb=256) as servers, running(servers.endpoints) as one:
        yield one


@asynccontextmanager
async def running(where: Endpoints, clock: Clock | None = None) -> AsyncIterator[Client]:
    """A client of all services on these servers, in a namespace of their own; they decide by `clock`."""
    settings = Settings(
        kafka=where.kafka,
        mongo=where.mongo,
        namespace=f"conf{uuid.uuid4().hex[:8]}",
        timer_poll_s=0.1,
        partitions=2,
        auth_audience=AUDIENCE,
    )
    host = Host(settings, assemblies(without=("audit",)), clock)
    await create_topics(settings, groups_of(list(host.services.values())))
    with TemporaryDirectory(prefix="tenure-issuer-") as folder:
        issuer = DevelopmentIssuer.made(Path(folder))
    async with host:
        server = HttpServer(application(settings, host, {}, None, issuer))
        await server.start()
        try:
            async with Client(server.url, Callers(issuer, AUDIENCE)) as client:
                yield client
        finally:
            await server.stop()
