"""The one way to make an HTTP application: Graph's conventions, health and metrics around a service's routers."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response

from shared.telemetry import metrics
from shared.web.authentication import Authenticator
from shared.web.docs import docs_router
from shared.web.errors import add_error_handlers
from shared.web.formats import Formatting
from shared.web.middleware import LOCAL_HOSTS, Outermost
from shared.web.navigation import Navigating
from shared.web.openapi import GraphApp
from shared.web.paths import Paths, Templates
from shared.web.preferences import Preferring

MIB = 1024 * 1024

Readiness = Callable[[], Awaitable[list[str]]]
"""Why a service is not ready, in words; an empty list if it is. Asked on each `/health/ready`: keep it cheap."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


async def _always_ready() -> list[str]:
    return []


def make_app(
    title: str,
    routers: Iterable[APIRouter],
    *,
    lifespan: Lifespan | None = None,
    service: str = "tenure",
    readiness: Readiness = _always_ready,
    version: str = "1.0",
    max_body: int = MIB,
    hosts: frozenset[str] | None = LOCAL_HOSTS,
    authenticator: Authenticator | None = None,
) -> FastAPI:
    """An application with `routers`; beside them `/health/live`, `/health/ready`, `/metrics`, `/openapi.json`, `/docs`.

    `service` labels metrics and logs. `max_body`: bytes a request may bring. `hosts`: names the API is asked by, any if
    None (only with tokens or behind a proxy). `authenticator`: who asks is
    read from tokens; without it, tokens are not looked at. Routers may also be added later, until the first request.
    """
    app: FastAPI = GraphApp(
        title=title,
        version=version,
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # its page loads scripts from a foreign host; ours does not
        redoc_url=None,
        middleware=[
            Middleware(Outermost, service=service, authenticator=authenticator, max_body=max_body, hosts=hosts),
            Middleware(Formatting),
            Middleware(Navigating, paths=Paths(lambda: _templates(app))),
            Middleware(Preferring),
        ],
    )
    add_error_handlers(app)
    app.include_router(health_router(readiness))
    app.include_router(docs_router())
    for router in routers:
        app.include_router(router)
    return app


def _templates(app: FastAPI) -> Templates:
    return [(one.path, one.methods or ()) for one in iter_route_contexts(app.routes) if one.path]


def health_router(readiness: Readiness) -> APIRouter:
    """`/health/live`: the loop turns; asks nobody else, for a restart cures no database. `/health/ready`: 200, or 503
    and why."""
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/health/ready")
    async def ready() -> Response:
        why_not = await readiness()
        return JSONResponse(
            {"status": "not ready" if why_not else "ready", "reasons": why_not}, 503 if why_not else 200
        )

    @router.get("/metrics")
    async def shown() -> Response:
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    return router


__all__ = ["LOCAL_HOSTS", "Lifespan", "Readiness", "health_router", "make_app"]
