"""An issuer's public keys, kept at hand: fetched when needed, seldom, and by one at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

from shared.security.tokens import ALGORITHMS, Key
from shared.telemetry.logs import get_logger

log = get_logger(__name__)

FRESH_S = 600.0
"""Keys of that age are fetched anew: a key that the issuer has withdrawn counts no longer than this."""
LONGEST_S = 24 * 3600.0
"""While the issuer does not answer, the keys that are known go on to count for so long."""
PAUSE_S = 30.0
"""Least time between two attempts, so that tokens with made-up key ids do not make us ask all the time."""

Fetch = Callable[[], Awaitable[Mapping[str, Any]]]
"""Brings the JWKS document. Raises OSError or ValueError (httpx's errors among them are turned into these)."""


class UnknownKey(Exception):
    """The issuer has no such key."""


class KeysAway(Exception):
    """The issuer's keys are not known, and it does not answer."""


class KeySet:
    """The keys of one issuer; an id says nothing about another issuer's keys."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._one = asyncio.Lock()

    async def key(self, id: str) -> Key:
        """Raises UnknownKey, KeysAway."""
        if id not in self._keys or self._age() > FRESH_S:
            async with self._one:
                # Whoever waited may find it done.
                if (id not in self._keys or self._age() > FRESH_S) and self._may_try():
                    await self._refresh()
        if self._age() > LONGEST_S:
            raise KeysAway
        if id not in self._keys:
            raise UnknownKey(id)
        return self._keys[id]

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._clock() - self._fetched

    def _may_try(self) -> bool:
        return self._tried is None or self._clock() - self._tried >= PAUSE_S

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            self._keys = public_keys(await self._fetch())
        except (OSError, ValueError) as problem:
            log.warning("the issuer's keys could not be read", problem=f"{type(problem).__name__}: {problem}"[:200])
        else:
            self._fetched = self._clock()


def public_keys(document: Mapping[str, Any]) -> dict[str, Key]:
    """The signature keys of a JWKS document, by id. Others are left out, such as secrets that both sides would share.

    Raises ValueError for what is no such document."""
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise ValueError("A JWKS document has a list of keys.")
    found: dict[str, Key] = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        if entry.get("use") not in (None, "sig") or entry.get("alg") not in (None, *ALGORITHMS):
            continue
        try:
            # Some write what they do not say as null.
            key = import_key({name: value for name, value in entry.items() if value is not None})
        except (JoseError, ValueError, TypeError, KeyError):
            log.warning("one of the issuer's keys cannot be used", kty=str(entry.get("kty"))[:10])
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey) and isinstance(entry.get("kid"), str):
            found[entry["kid"]] = key
    return found
