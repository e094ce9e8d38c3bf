"""An issuer of tokens for a Tenure on servers of a test's own, which has none by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.demo.callers import Callers
from deploy.run.identity import keys_router
from shared.security.development import DevelopmentIssuer
from shared.web.app import make_app
from shared.web.server import HttpServer

AUDIENCE = "tenure"


@dataclass(frozen=True)
class Issuer:
    """Its tokens, and what has a `tenure` process believe them."""

    callers: Callers
    environment: dict[str, str]


@asynccontextmanager
async def issuing(folder: Path) -> AsyncIterator[Issuer]:
    """Its keys lie in `folder`, and are shown to whoever checks tokens until the block ends."""
    own = DevelopmentIssuer.made(folder)
    server = HttpServer(make_app("Issuer", [keys_router(own)]))
    await server.start()
    try:
        environment = {
            "TENURE_AUTH_ISSUER": own.name,
            "TENURE_AUTH_JWKS_URL": f"{server.url}/.well-known/jwks.json",
            "TENURE_AUTH_AUDIENCE": AUDIENCE,
            "TENURE_AUTH_TOKEN_ROLES": "true",
        }
        yield Issuer(Callers(own, AUDIENCE), environment)
    finally:
        await server.stop()
