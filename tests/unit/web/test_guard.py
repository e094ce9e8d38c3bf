"""The door of operations: when what a caller holds is looked at, when a role is waited for, what is said of it."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest
from fastapi import APIRouter, Depends

from shared.security.authority import NOTHING, Held
from shared.security.caller import Caller
from shared.security.operations import ADMINISTER, EM
from shared.security.roles import CatalogRole
from shared.storage import Answers
from shared.storage.answers import Kept, Turn
from shared.web.app import make_app
from shared.web.guard import Admitted, Guard
from shared.web.idempotency import answering_once

OWNER = Held(at={CatalogRole.OWNER: frozenset({"mine"})})


class Known:
    """What is known of a caller: `held`, or `coming` once all is known that was said; `away` who is no longer."""

    def __init__(self, held: Held = NOTHING, coming: Held | None = None, away: frozenset[str] = frozenset()) -> None:
        self.looks = 0
        self.waits = 0
        self._held = held
        self._coming = coming
        self._away = {"gone", *away}

    async def held(self, caller: Caller) -> Held:
        self.looks += 1
        return self._held

    async def is_away(self, person_id: str) -> bool:
        return person_id in self._away

    async def abreast(self, caller: Caller) -> None:
        self.waits += 1
        self._away = {"gone"}
        self._held = self._coming or self._held


def door(known: Known) -> httpx.AsyncClient:
    routes = APIRouter(dependencies=[Depends(Guard(known))])

    @routes.get(f"{EM}/catalogs/{{id}}")
    async def catalog(id: str, admitted: Admitted) -> dict[str, Any]:
        await admitted.at(id)
        return {"id": id}

    @routes.post(f"{EM}/assignmentRequests")
    async def request(admitted: Admitted) -> dict[str, Any]:
        return {"own": admitted.standing.only_own}

    @routes.get(f"{EM}/assignmentRequests/{{id}}")
    async def one_request(admitted: Admitted) -> dict[str, Any]:
        return {"administers": await admitted.meets(ADMINISTER)}

    @routes.get("/v1.0/users")
    async def users() -> dict[str, Any]:
        return {"value": []}

    @routes.get("/v1.0/whatHasNoRule")
    async def ruleless() -> dict[str, Any]:
        return {}

    transport = httpx.ASGITransport(make_app("Test", [routes]), client=("127.0.0.1", 5))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")


ANA = {"Tenure-Actor": "person:ana"}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", f"{EM}/catalogs/mine", {}),
        ("GET", f"{EM}/catalogs/mine", {**ANA, "Tenure-Roles": "Global Reader"}),
        ("GET", "/v1.0/users", ANA),
        ("POST", f"{EM}/assignmentRequests", ANA),
    ],
)
async def test_nothing_is_looked_up_where_the_token_answers_or_everybody_may(
    method: str, path: str, headers: dict[str, str]
) -> None:
    known = Known()
    async with door(known) as client:
        assert (await client.request(method, path, headers=headers)).status_code == 200
    assert (known.looks, known.waits) == (0, 0)


@pytest.mark.parametrize("path", [f"{EM}/catalogs/mine", "/v1.0/users"])
async def test_whoever_has_left_or_is_blocked_is_nobody_whatever_the_token_says(path: str) -> None:
    known = Known(OWNER)
    headers = {"Tenure-Actor": "person:gone", "Tenure-Roles": "Global Administrator"}
    async with door(known) as client:
        refused = await client.get(path, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert known.looks == 0


async def test_whoever_is_back_is_let_in_before_everybody_else_knows() -> None:
    known = Known(OWNER, coming=OWNER, away=frozenset({"ana"}))
    async with door(known) as client:
        assert (await client.get(f"{EM}/catalogs/mine", headers=ANA)).status_code == 200


async def test_a_role_on_its_way_is_waited_for() -> None:
    known = Known(coming=OWNER)
    async with door(known) as client:
        assert (await client.get(f"{EM}/catalogs/mine", headers=ANA)).status_code == 200
    assert (known.looks, known.waits) == (2, 1)


async def test_who_holds_nothing_by_all_that_was_said_is_refused() -> None:
    known = Known()
    async with door(known) as client:
        refused = await client.get(f"{EM}/catalogs/mine", headers=ANA)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "UnAuthorized")
    assert (known.looks, known.waits) == (2, 1)


async def test_whether_another_rule_is_met_is_looked_up_and_waited_for() -> None:
    administrator = Held(directory=frozenset({"Identity Governance Administrator"}))
    for known, administers in ((Known(coming=administrator), True), (Known(OWNER), False)):
        async with door(known) as client:
            assert (await client.get(f"{EM}/assignmentRequests/1", headers=ANA)).json() == {"administers": administers}


async def test_another_catalog_is_refused_in_the_words_of_entitlement_management() -> None:
    async with door(Known(OWNER)) as client:
        other = await client.get(f"{EM}/catalogs/other", headers=ANA)
        assert (other.status_code, other.json()["error"]["code"]) == (403, "UnAuthorized")
        ruleless = await client.get("/v1.0/whatHasNoRule", headers=ANA)
        assert (ruleless.status_code, ruleless.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
        assert (await client.get("/v1.0/whatHasNoRule")).status_code == 200


class Left(Known):
    """Of whoever asks."""

    async def is_away(self, person_id: str) -> bool:
        return True


class Remembered:
    """Stands for `Answers`, of one request."""

    kept: Kept | None = None

    async def begin(self, key: str, fingerprint: str) -> Kept | Turn:
        return self.kept or Turn(key, "one")

    async def answered(self, turn: Turn, answer: Kept) -> None:
        self.kept = answer

    async def given_up(self, turn: Turn) -> None:
        return None


@pytest.mark.parametrize(
    ("present", "status"),
    [(Known(OWNER), 201), (Known(), 403), (Left(OWNER), 401)],
    ids=["as before", "the role taken away", "has left"],
)
async def test_an_answer_that_was_kept_is_given_to_those_alone_who_are_let_in_now(present: Known, status: int) -> None:
    before = Known(OWNER)
    guard = Guard(before)
    routes = APIRouter(route_class=answering_once(cast(Answers, Remembered())), dependencies=[Depends(guard)])

    @routes.post(f"{EM}/accessPackages", status_code=201)
    async def create() -> dict[str, Any]:
        return {"id": "made"}

    transport = httpx.ASGITransport(make_app("Test", [routes]), client=("127.0.0.1", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        keyed = {**ANA, "Idempotency-Key": "k"}
        assert (await client.post(f"{EM}/accessPackages", headers=keyed)).status_code == 201
        guard.holders = present
        again = await client.post(f"{EM}/accessPackages", headers=keyed)
        assert (again.status_code, "idempotent-replayed" in again.headers) == (status, status == 201)
