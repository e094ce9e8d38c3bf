"""Tokens at the door: who sends a good one is who it says, who sends a bad one is told why, whatever is asked."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Request

from shared.security.development import DevelopmentIssuer
from shared.security.keys import KeySet
from shared.web.app import make_app
from shared.web.authentication import Authenticator, Trusted
from shared.web.batch import batch_router
from shared.web.caller import Asking, actor_of
from shared.web.guard import Guard


class Door:
    """An application behind an authenticator, and an issuer that it trusts."""

    def __init__(self, folder: Path, *, required: bool = True, trusts: bool = True) -> None:
        self.issuer = DevelopmentIssuer.made(folder)
        self.now = time.time()
        self.away = False
        trusted = Trusted(self.issuer.rules("tenure", 60), KeySet(self._fetch)) if trusts else None
        authenticator = Authenticator(trusted, required=required, clock=lambda: self.now)
        self.app = make_app("Test", [_routes(), batch_router()], authenticator=authenticator)
        self.ana = self.issuer.for_person("tenure", "8a1f", "ana@example.com")

    async def _fetch(self) -> Any:
        if self.away:
            raise OSError("away")
        return self.issuer.jwks()

    async def get(self, path: str = "/v1.0/who", *sent: str, **headers: str) -> httpx.Response:
        return await self.call("GET", path, [*(("Authorization", one) for one in sent), *headers.items()])

    async def call(self, method: str, path: str, headers: Any, json: Any = None) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(method, path, headers=headers, json=json)


def _routes() -> APIRouter:
    routes = APIRouter(prefix="/v1.0")

    @routes.get("/who")
    async def who(caller: Asking) -> dict[str, Any]:
        return {"actor": caller.actor, "operator": caller.is_operator, "roles": sorted(caller.directory_roles)}

    @routes.get("/users/{id}")
    async def user(id: str) -> dict[str, str]:
        return {"id": id}

    @routes.get("/tenure/reviewHistory/{id}/{instance_id}", dependencies=[Depends(Guard())])
    async def file(caller: Asking) -> str:
        return caller.actor

    @routes.get("/named")
    async def named(request: Request) -> str:
        return actor_of(request)

    return routes


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


async def test_who_sends_a_token_is_whom_it_names(door: Door) -> None:
    assert (await door.get("/v1.0/who", f"Bearer {door.ana}")).json() == {
        "actor": "person:8a1f",
        "operator": False,
        "roles": [],
    }
    app = door.issuer.for_app("tenure", ["Global Reader"])
    assert (await door.get("/v1.0/who", f"bearer  {app} ")).json()["roles"] == ["Global Reader"]
    assert (await door.get("/v1.0/me", f"Bearer {door.ana}")).json() == {"id": "8a1f"}
    assert (await door.get("/v1.0/me", f"Bearer {app}")).status_code == 400


@pytest.mark.parametrize("path", ["/v1.0/who", "/v1.0/nothing", "/V1.0/Who", "/", "/metrics/x"])
async def test_without_a_token_nothing_is_told(door: Door, path: str) -> None:
    refused = await door.get(path, **{"Tenure-Actor": "person:8a1f"})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="tenure"')
    error = refused.json()["error"]
    assert (error["code"], error["innerError"]["request-id"]) == (
        "InvalidAuthenticationToken",
        refused.headers["request-id"],
    )


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/openapi.json"])
async def test_how_it_is_and_how_it_is_asked_anybody_may_read(door: Door, path: str) -> None:
    assert (await door.get(path)).status_code == 200


async def test_a_file_is_opened_by_its_link_alone_and_nothing_beside_it(door: Door) -> None:
    file = "/v1.0/tenure/reviewHistory/a/b?link=secret"
    assert (await door.get(file)).json() == "system:nobody"
    assert (await door.get(file, f"Bearer {door.ana}")).json() == "person:8a1f"
    for beside in ("/v1.0/tenure/reviewHistory", "/v1.0/tenure/reviewEvidence/a", "/V1.0/tenure/reviewHistory/a/b"):
        assert (await door.get(beside)).status_code == 401


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("sent", ["Basic YTpi", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "x", ""])
async def test_a_token_that_is_sent_has_to_hold(tmp_path: Path, required: bool, sent: str) -> None:
    refused = await Door(tmp_path, required=required).get("/v1.0/who", sent)
    assert refused.status_code == 401
    challenge = refused.headers["www-authenticate"]
    assert challenge.startswith('Bearer realm="tenure", error="invalid_token", error_description="')
    assert refused.json()["error"]["message"] in challenge


async def test_two_tokens_are_none(door: Door) -> None:
    assert (await door.get("/v1.0/who", f"Bearer {door.ana}", f"Bearer {door.ana}")).status_code == 401


async def test_a_token_ends(door: Door) -> None:
    door.now += 13 * 3600
    ended = await door.get("/v1.0/who", f"Bearer {door.ana}")
    assert ended.json()["error"]["message"] == "Access token has expired or is not yet valid."


async def test_another_folders_issuer_is_a_stranger(door: Door, tmp_path: Path) -> None:
    stranger = DevelopmentIssuer.made(tmp_path / "other").for_app("tenure")
    refused = await door.get("/v1.0/who", f"Bearer {stranger}")
    assert (refused.status_code, "does not have" in refused.text) == (401, True)


async def test_without_the_issuers_keys_no_token_can_be_judged(door: Door) -> None:
    door.away = True
    away = await door.get("/v1.0/who", f"Bearer {door.ana}")
    assert (away.status_code, away.headers["retry-after"]) == (503, "2")


async def test_a_batch_asks_with_its_own_token(door: Door) -> None:
    parts = {"requests": [{"id": "1", "method": "GET", "url": "/who"}]}
    answer = await door.call("POST", "/v1.0/$batch", {"Authorization": f"Bearer {door.ana}"}, parts)
    assert answer.json()["responses"][0]["body"]["actor"] == "person:8a1f"
    assert (await door.call("POST", "/v1.0/$batch", {}, parts)).status_code == 401


async def test_while_tokens_are_not_required_this_machine_is_believed(tmp_path: Path) -> None:
    door = Door(tmp_path, required=False)
    assert (await door.get()).json()["operator"]
    named = {"Tenure-Actor": "person:boss", "Tenure-Roles": "Global Administrator"}
    assert (await door.get(**named)).json()["roles"] == ["Global Administrator"]
    beside = await door.get("/v1.0/who", f"Bearer {door.ana}", **named)
    assert beside.json() == {"actor": "person:8a1f", "operator": False, "roles": []}


async def test_an_application_may_say_which_file_it_follows_and_nobody_else_may(door: Door) -> None:
    app, file = door.issuer.for_app("tenure"), {"Tenure-Actor": "file:m%C3%BCller.yaml"}
    itself = (await door.get("/v1.0/named", f"Bearer {app}")).json()
    assert (await door.get("/v1.0/named", f"Bearer {app}", **file)).json() == f"{itself} file:müller.yaml"
    for claimed in ("person:boss", "system:api", "file:", "file:a%0Ab"):
        assert (await door.get("/v1.0/named", f"Bearer {app}", **{"Tenure-Actor": claimed})).json() == itself
    assert (await door.get("/v1.0/named", f"Bearer {door.ana}", **file)).json() == "person:8a1f"


async def test_where_no_issuer_is_trusted_no_token_counts(tmp_path: Path) -> None:
    door = Door(tmp_path, required=False, trusts=False)
    assert (await door.get()).status_code == 200
    assert (await door.get("/v1.0/who", f"Bearer {door.ana}")).status_code == 401
    with pytest.raises(ValueError, match="no issuer"):
        Door(tmp_path, trusts=False)
