"""The HTTP application of a process: its services' routes, and the way to those that run elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from deploy.run import peers, registry
from deploy.run.backlog import WatchApart
from deploy.run.clock import RunClock, clock_router
from deploy.run.identity import authenticator, keys_router
from deploy.run.status import looking, status_router
from shared.messaging.host import Host
from shared.messaging.service import Service
from shared.security.development import DevelopmentIssuer
from shared.settings import Settings
from shared.web.app import LOCAL_HOSTS, make_app
from shared.web.batch import batch_router
from shared.web.errors import Unavailable
from shared.web.guard import Guard

# Headers that belong to one connection, not to what travels over it (RFC 9110, 7.6.1).
_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
        *("transfer-encoding", "upgrade", "content-length"),
    }
)
# Ours are given anew by the outermost layer; passing the peer's on would send them twice.
_OURS = frozenset({"request-id", "client-request-id", "server", "date"})
PEER_TIMEOUT_S = 60.0


def application(
    settings: Settings,
    host: Host,
    elsewhere: Mapping[str, Service],
    data_dir: Path | None,
    own_issuer: DevelopmentIssuer | None = None,
    own_clock: RunClock | None = None,
) -> FastAPI:
    """All routes of `host`'s services; those of the services that run `elsewhere` lead to their processes.

    `own_issuer`, `own_clock`: the embedded run's."""

    async def readiness() -> list[str]:
        return [
            f"{service}: {where}: {what}" for service, found in host.troubles().items() for where, what in found.items()
        ]

    watch = WatchApart(settings, [one for service in host.services.values() for one in service.subscriptions])
    look = looking(watch, host, tuple(elsewhere), data_dir)
    peer_client = httpx.AsyncClient(timeout=PEER_TIMEOUT_S, trust_env=False, limits=httpx.Limits(max_connections=50))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.gather(watch.close(), peer_client.aclose())

    ways = {name: [_way_to(name, one.routers, data_dir, peer_client)] for name, one in elsewhere.items()}
    routers = {**ways, **{name: service.routers for name, service in host.services.items()}}
    # Any service knows who holds which directory roles; where none runs, tokens alone tell.
    guard = next((service.guard for service in host.services.values() if service.guard), Guard())
    name = next(iter(host.services)) if len(host.services) == 1 else "tenure"
    app = make_app(
        "Tenure",
        [
            *_behind(guard, status_router(look), clock_router(host.clock, look, own_clock), batch_router()),
            *([keys_router(own_issuer)] if own_issuer else []),
        ],
        service=name,
        readiness=readiness,
        lifespan=lifespan,
        authenticator=authenticator(settings, own_issuer),
        # A page in somebody's browser has no token, so it may call us by what name it likes.
        hosts=None if settings.auth == "on" else LOCAL_HOSTS,
    )
    for one in registry.in_order(routers):
        for router in routers[one]:
            app.include_router(router)
    return app


def _behind(guard: Guard, *routers: APIRouter) -> list[APIRouter]:
    door = APIRouter(dependencies=[Depends(guard)])
    for router in routers:
        door.include_router(router)
    return [door]


def _way_to(name: str, routers: Iterable[APIRouter], data_dir: Path | None, client: httpx.AsyncClient) -> APIRouter:
    """The paths of a service that runs in another process, or 503 and how to start it."""
    way = APIRouter(include_in_schema=False)

    async def pass_on(request: Request) -> Response:
        answer = await _answered(name, request, data_dir, client)
        passed = StreamingResponse(answer.aiter_raw(), answer.status_code, background=_closing(answer))
        # As they came, repeated ones too; the body goes on as it is, compressed or not.
        passed.raw_headers = [
            (k, v) for k, v in answer.headers.raw if k.decode("latin-1").lower() not in _HOP_BY_HOP | _OURS
        ]
        return passed

    for context in iter_route_contexts([route for router in routers for route in router.routes]):
        if context.path and context.methods:
            way.add_api_route(context.path, pass_on, methods=sorted(context.methods))
    return way


async def _answered(name: str, request: Request, data_dir: Path | None, client: httpx.AsyncClient) -> httpx.Response:
    """By the first process of the service that takes it. Raises Unavailable."""
    # With the name that the front was asked by: links in the answer lead back here, not into the peer's process.
    headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP]
    content = await request.body()
    unheard: httpx.ConnectError | None = None
    for peer in peers.living(data_dir, name) if data_dir else ():
        url = httpx.URL(peer.url + request.url.path, query=request.url.query.encode())
        asked = client.build_request(request.method, url, headers=headers, content=content)
        try:
            return await client.send(asked, stream=True)
        except httpx.ConnectError as problem:
            unheard = problem  # it is stopping, and took nothing: another may be there
        except httpx.TransportError as problem:
            raise silent(name, problem) from problem
    raise silent(name, unheard) if unheard else not_running(name, data_dir)


def _closing(answer: httpx.Response) -> BackgroundTask:
    return BackgroundTask(answer.aclose)


def silent(name: str, problem: httpx.TransportError) -> Unavailable:
    """503: it runs, and says nothing."""
    return Unavailable(f"The service '{name}' does not answer: {type(problem).__name__}.", target=name)


def not_running(name: str, data_dir: Path | None) -> Unavailable:
    """503: this run was started without the service, and nobody runs it."""
    where = f" --data-dir {data_dir}" if data_dir else ""
    return Unavailable(
        f"The service '{name}' is not running: this run was started without it. "
        f"Start it with `tenure service {name}{where}`.",
        target=name,
    )
