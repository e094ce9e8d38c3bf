"""An issuer's keys: fetched once, again when a new one appears, and not by whoever makes up key ids."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.responses import JSONResponse, RedirectResponse

from shared.security.discovery import keys_of
from shared.security.keys import FRESH_S, LONGEST_S, PAUSE_S, KeysAway, KeySet, UnknownKey, public_keys
from shared.web.server import HttpServer


def public(kid: str) -> dict[str, Any]:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"}, private=False).as_dict(private=False)


class Issuer:
    """What an issuer answers, and how often it was asked."""

    def __init__(self, *ids: str) -> None:
        self.document: Any = {"keys": [public(id) for id in ids]}
        self.away = False
        self.asked = 0
        self.now = 1000.0
        self.keys = KeySet(self.fetch, lambda: self.now)

    async def fetch(self) -> Mapping[str, Any]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise OSError("away")
        document: Mapping[str, Any] = self.document
        return document

    async def has(self, id: str) -> bool:
        try:
            return (await self.keys.key(id)).kid == id
        except UnknownKey:
            return False


async def test_keys_are_fetched_once_by_however_many() -> None:
    issuer = Issuer("a", "b")
    assert await asyncio.gather(*(issuer.has(id) for id in "abab" * 5)) == [True] * 20
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "odd", [{"kty": ["EC"]}, {"kty": None}, {"use": ["sig"]}, {"alg": {}}, {"x": 5}, {"crv": ["P-256"]}, {"kid": None}]
)
def test_an_odd_key_keeps_no_other_from_counting(odd: dict[str, Any]) -> None:
    assert set(public_keys({"keys": [{**public("odd"), **odd}, public("good")]})) == {"good"}


def test_what_an_issuer_does_not_say_may_be_null() -> None:
    assert set(public_keys({"keys": [{**public("a"), "use": None, "alg": None, "x5c": None, "key_ops": None}]})) == {
        "a"
    }


async def test_a_new_key_is_found_and_one_that_was_withdrawn_ends() -> None:
    issuer = Issuer("a")
    assert await issuer.has("a")
    issuer.document = {"keys": [public("b")]}
    issuer.now += PAUSE_S
    assert await issuer.has("b")
    assert not await issuer.has("a")
    assert issuer.asked == 2


async def test_made_up_key_ids_do_not_drive_the_fetching() -> None:
    issuer = Issuer("a")
    for number in range(100):
        assert not await issuer.has(f"made up {number}")
        issuer.now += 1
    assert issuer.asked <= 1 + 100 / PAUSE_S
    assert await issuer.has("a")


async def test_keys_are_looked_at_again_when_they_are_old() -> None:
    issuer = Issuer("a")
    assert await issuer.has("a")
    issuer.document = {"keys": []}
    issuer.now += FRESH_S
    assert await issuer.has("a")
    issuer.now += 1
    assert not await issuer.has("a")


async def test_known_keys_count_while_the_issuer_is_away_but_not_for_ever() -> None:
    issuer = Issuer("a")
    assert await issuer.has("a")
    issuer.away = True
    issuer.now += LONGEST_S
    assert await issuer.has("a")
    assert not await issuer.has("b")
    issuer.now += 1
    with pytest.raises(KeysAway):
        await issuer.keys.key("a")
    issuer.away = False
    issuer.now += PAUSE_S
    assert await issuer.has("a")


async def test_an_issuer_that_never_answered_is_away() -> None:
    issuer = Issuer("a")
    issuer.document = {"keys": "none"}
    with pytest.raises(KeysAway):
        await issuer.keys.key("a")


def test_only_public_signature_keys_are_taken() -> None:
    rsa = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
    document = {
        "keys": [
            public("ec"),
            {**rsa.as_dict(private=False), "alg": "RS256"},
            {**public("for encryption"), "use": "enc"},
            {**public("another algorithm"), "alg": "HS256"},
            OctKey.import_key("a secret that both sides share", {"kid": "secret"}).as_dict(),
            {"kty": "EC", "kid": "broken", "crv": "P-256"},
            {name: value for name, value in public("x").items() if name != "kid"},
            "nonsense",
        ]
    }
    assert set(public_keys(document)) == {"ec", "rsa"}


@pytest.mark.parametrize("address", ["http://issuer.example", "ftp://issuer.example", "file:///etc/passwd", "x"])
def test_keys_come_over_https_only(address: str) -> None:
    with pytest.raises(ValueError, match="over https"):
        keys_of(address)
    with pytest.raises(ValueError, match="over https"):
        keys_of("https://issuer.example", address)


async def test_keys_are_found_by_the_issuers_metadata() -> None:
    app, keys = FastAPI(), {"keys": [public("a")]}
    http = HttpServer(app)

    @app.get("/{tenant}/.well-known/openid-configuration")
    async def metadata(tenant: str) -> dict[str, str]:
        issuer = "https://another.example" if tenant == "other" else f"{http.url}/{tenant}"
        away = "http://issuer.example/keys" if tenant == "plain" else f"{http.url}/keys"
        return {"issuer": issuer, "jwks_uri": away}

    @app.get("/keys")
    async def jwks() -> dict[str, Any]:
        return keys

    @app.get("/moved")
    async def moved() -> RedirectResponse:
        return RedirectResponse("/keys")

    @app.get("/long")
    async def long() -> JSONResponse:
        return JSONResponse({"x": "y" * 600_000})

    @app.get("/list")
    async def wrong() -> list[int]:
        return [1]

    await http.start()
    try:
        assert await keys_of(f"{http.url}/mine")() == keys
        assert await keys_of("https://issuer.example", f"{http.url}/keys")() == keys
        for tenant in ("other", "plain"):
            with pytest.raises(ValueError):  # noqa: PT011 - why is for the log
                await keys_of(f"{http.url}/{tenant}")()
        for page in ("moved", "long", "list", "nothing"):
            with pytest.raises(ValueError):  # noqa: PT011
                await keys_of("https://issuer.example", f"{http.url}/{page}")()
    finally:
        await http.stop()
    with pytest.raises(OSError, match="Connect"):
        await keys_of("https://issuer.example", f"{http.url}/keys")()
