"""An issuer's keys over HTTP: by its metadata (OpenID Connect Discovery, RFC 8414) or straight from an address."""

from typing import Any
from urllib.parse import urlsplit

import httpx

from shared.security.keys import Fetch

_TIMEOUT_S = 5.0
_MOST_BYTES = 512 * 1024
_METADATA = "/.well-known/openid-configuration"


def keys_of(issuer: str, jwks_url: str | None = None) -> Fetch:
    """Fetches the keys of `issuer`, from `jwks_url` if given. Raises ValueError for an address that is not https (plain
    http is for this machine only)."""
    _checked(jwks_url or issuer)

    async def fetch() -> dict[str, Any]:
        # Never by redirects: who may vouch for people stands in the settings.
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
            address = jwks_url
            if address is None:
                metadata = await _json(client, issuer.rstrip("/") + _METADATA)
                if metadata.get("issuer") != issuer:
                    raise ValueError("The metadata found at the issuer's address names another issuer.")
                address = _checked(str(metadata.get("jwks_uri")))
            return await _json(client, address)

    return fetch


def _checked(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}):
        return address
    raise ValueError(f"'{address[:200]}': an issuer's keys are fetched over https.")


async def _json(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    try:
        async with client.stream("GET", address, headers={"Accept": "application/json"}) as answer:
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _MOST_BYTES:
                    raise ValueError("What the issuer answers is too long.")
            if answer.status_code != 200:
                raise ValueError(f"The issuer answers {answer.status_code}.")
            document = httpx.Response(200, content=body).json()
    except httpx.HTTPError as problem:
        raise OSError(f"{type(problem).__name__}: {problem}") from problem
    if not isinstance(document, dict):
        raise ValueError("What the issuer answers is no JSON object.")
    return document
