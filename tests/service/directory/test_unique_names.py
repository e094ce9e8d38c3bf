"""Groups found by a name of the caller's, and made under it."""

from __future__ import annotations

from tests.service.directory.test_directory import World, world

__all__ = ["world"]


async def test_a_group_is_made_and_changed_by_its_unique_name(world: World) -> None:
    at, make = "/v1.0/groups(uniqueName='golf''s')", {"Prefer": "create-if-missing"}
    body = {"displayName": "Golf", "mailEnabled": False, "mailNickname": "golf", "securityEnabled": True}
    assert (await world.http.patch(at, json=body)).status_code == 404
    unfinished = await world.http.patch(at, json={"description": "x"}, headers=make)
    assert (unfinished.status_code, unfinished.json()["error"]["target"]) == (400, "displayName")
    made = await world.http.patch(at, json=body, headers=make)
    assert made.status_code == 201, made.text
    assert (made.json()["displayName"], made.json()["uniqueName"]) == ("Golf", "golf's")
    again = await world.http.patch(at, json={"description": "On Fridays"}, headers=make)
    assert again.status_code == 204, again.text
    group = f"/v1.0/groups/{made.json()['id']}"
    assert (await world.http.get(group)).json()["description"] == "On Fridays"
    assert (await world.http.delete(group)).status_code == 204
    anew = await world.http.patch(at, json=body, headers=make)
    assert anew.status_code == 201
    assert anew.json()["id"] != made.json()["id"]
