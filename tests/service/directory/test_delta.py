"""Delta queries on real servers: everything once, then what has changed, and no change missed among many writers."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from services.directory.delta import Token
from tests.service.directory.test_directory import World, world

__all__ = ["world"]


async def a_user(world: World, name: str) -> str:
    body = {
        "accountEnabled": True,
        "displayName": name,
        "mailNickname": name,
        "userPrincipalName": f"{name}.{uuid.uuid4().hex}@example.com",
        "passwordProfile": {"password": "x" * 12},
    }
    answer = await world.http.post("/v1.0/users", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def a_group(world: World, name: str) -> str:
    answer = await world.http.post("/v1.0/groups", json={"displayName": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def round_of(world: World, link: str) -> tuple[list[dict[str, Any]], str]:
    """All pages, and the link of the next round."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await world.http.get(link)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += body["value"]
        if delta := body.get("@odata.deltaLink"):
            return found, str(delta)
        link = body["@odata.nextLink"]


async def test_users_who_changed_and_who_left(world: World) -> None:
    ana, ben = await a_user(world, "Ana"), await a_user(world, "Ben")
    latest = (await world.http.get("/v1.0/users/delta?$deltatoken=latest")).json()
    assert latest["value"] == []
    found, link = await round_of(world, "/v1.0/users/delta?$select=displayName,manager")
    assert {one["id"]: one["displayName"] for one in found} == {ana: "Ana", ben: "Ben"}
    nothing, link = await round_of(world, link)
    assert nothing == []
    await world.http.patch(f"/v1.0/users/{ana}", json={"displayName": "Anna"})
    await world.http.put(f"/v1.0/users/{ana}/manager/$ref", json={"@odata.id": f"http://127.0.0.1/v1.0/users/{ben}"})
    (changed,), link = await round_of(world, link)
    assert changed["displayName"] == "Anna"
    assert changed["manager@delta"] == [{"@odata.type": "#microsoft.graph.user", "id": ben}]
    await world.http.delete(f"/v1.0/users/{ben}")
    found, link = await round_of(world, link)
    assert {"id": ben, "@removed": {"reason": "changed"}} in found
    since, _ = await round_of(world, latest["@odata.deltaLink"])
    assert {one["id"] for one in since} == {ana, ben}
    one, _ = await round_of(world, f"/v1.0/users/delta?$filter=id eq '{ana}'")
    assert [it["id"] for it in one] == [ana]


async def test_no_change_is_missed_among_many_writers(world: World) -> None:
    people = [await a_user(world, f"Person{number}") for number in range(6)]
    _, link = await round_of(world, "/v1.0/users/delta")
    seen: dict[str, str] = {}
    writing = True

    async def write(person: str) -> None:
        for number in range(15):
            answer = await world.http.patch(f"/v1.0/users/{person}", json={"jobTitle": f"Title {number}"})
            assert answer.status_code == 204

    async def follow() -> str:
        following = link
        while True:
            last = not writing
            found, following = await round_of(world, following)
            seen.update({one["id"]: one.get("jobTitle") for one in found})
            if last:
                return following

    reader = asyncio.create_task(follow())
    await asyncio.gather(*map(write, people))
    writing = False
    await reader
    assert seen == dict.fromkeys(people, "Title 14")


async def test_groups_with_who_came_and_who_left(world: World) -> None:
    ana, sales, all_staff = await a_user(world, "Ana"), await a_group(world, "Sales"), await a_group(world, "All")
    there = {"@odata.id": f"http://127.0.0.1/v1.0/directoryObjects/{ana}"}
    nested = {"@odata.id": f"http://127.0.0.1/v1.0/directoryObjects/{sales}"}
    assert (await world.http.post(f"/v1.0/groups/{sales}/members/$ref", json=there)).status_code == 204
    found, link = await round_of(world, "/v1.0/groups/delta")
    assert {one["id"] for one in found} == {sales, all_staff}

    def members(found: list[dict[str, Any]], group: str) -> dict[str, bool]:
        """By id: whether they are in."""
        said = [it for one in found if one["id"] == group for it in one.get("members@delta", ())]
        return {it["id"]: "@removed" not in it for it in said}

    assert members(found, sales) == {ana: True}
    assert (await world.http.post(f"/v1.0/groups/{all_staff}/members/$ref", json=nested)).status_code == 204
    assert (await world.http.delete(f"/v1.0/groups/{sales}/members/{ana}/$ref")).status_code == 204
    found, link = await round_of(world, link)
    assert (members(found, sales), members(found, all_staff)) == ({ana: False}, {sales: True})
    assert (await world.http.delete(f"/v1.0/groups/{all_staff}/members/{sales}/$ref")).status_code == 204
    found, link = await round_of(world, link)
    assert members(found, all_staff) == {sales: False}
    assert (await world.http.delete(f"/v1.0/groups/{sales}")).status_code == 204
    found, link = await round_of(world, link)
    assert {"id": sales, "@removed": {"reason": "deleted"}} in found
    names, _ = await round_of(world, "/v1.0/groups/delta?$select=displayName")
    assert names == [{"id": all_staff, "displayName": "All"}]


async def test_a_token_that_is_lost_says_where_to_begin_again(world: World) -> None:
    async def asked(token: str) -> tuple[int, str, str]:
        answer = await world.http.get("/v1.0/users/delta", params={"$deltatoken": token})
        return answer.status_code, answer.json()["error"]["code"], answer.headers.get("Location", "")

    fresh = "http://127.0.0.1/v1.0/users/delta?$deltatoken="
    assert await asked(Token("users", "82", 1).text()) == (410, "syncStateNotFound", fresh)
    assert await asked(Token("users", "82", int(time.time())).text()) == (410, "syncStateNotFound", fresh)
    assert (await asked(Token("groups", "82", 1).text()))[0] == 400
    assert (await world.http.get(fresh)).status_code == 200
