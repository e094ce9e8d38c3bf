"""Groups that a rule fills, on real Kafka and MongoDB: people come and go with what is true of them."""

from typing import Any

from tests.waiting import until

from .test_resources import World, world

__all__ = ["world"]  # a fixture of both files


async def made(world: World, name: str, **attributes: Any) -> str:
    body = {
        "accountEnabled": True, "displayName": name, "mailNickname": name, "userPrincipalName": f"{name}@y.example",
        "passwordProfile": {"password": "not kept 1"}, **attributes,
    }  # fmt: skip
    return str((await world.ask("POST", "/users", body, status=201))["id"])


async def filled(world: World, group: str, *people: str) -> None:
    async def are_there() -> bool:
        return set(await world.ids(f"/groups/{group}/members")) == set(people)

    await until(are_there, f"the members are {people}")


def dynamic(name: str, rule: str, **more: Any) -> dict[str, Any]:
    return {"displayName": name, "groupTypes": ["DynamicMembership"], "membershipRule": rule, **more}


async def test_a_group_follows_its_rule_and_its_people(world: World) -> None:
    ana, bob = await made(world, "ana", department="Sales"), await made(world, "bob", department="IT")
    rule = 'user.department -eq "Sales"'
    sales = (await world.ask("POST", "/groups", dynamic("Sales", rule), status=201))["id"]
    await filled(world, sales, ana)
    await world.ask("PATCH", f"/users/{bob}", {"department": "Sales"}, status=204)
    await filled(world, sales, ana, bob)
    await world.ask("PATCH", f"/users/{ana}", {"department": "Board"}, status=204)
    await filled(world, sales, bob)

    of_it = f"user.memberof -any (group.objectId -in ['{sales}'])"
    also = (await world.ask("POST", "/groups", dynamic("Also", of_it), status=201))["id"]
    await filled(world, also, bob)
    await world.ask("PATCH", f"/groups/{sales}", {"membershipRule": 'user.department -eq "Board"'}, status=204)
    await filled(world, sales, ana)
    await filled(world, also, ana)

    paused = {"membershipRuleProcessingState": "Paused"}
    await world.ask("PATCH", f"/groups/{sales}", paused, status=204)
    await world.ask("PATCH", f"/users/{bob}", {"department": "Board"}, status=204)
    other = (await world.ask("POST", "/groups", dynamic("Board", 'user.department -eq "board"'), status=201))["id"]
    await filled(world, other, ana, bob)
    assert await world.ids(f"/groups/{sales}/members") == [ana], "paused"
    await world.ask("PATCH", f"/groups/{sales}", {"membershipRuleProcessingState": "On"}, status=204)
    await filled(world, sales, ana, bob)

    await world.ask("POST", f"/tenure/people/{bob}/suspend")
    await filled(world, sales, ana)
    reference = {"@odata.id": f"https://graph.example/v1.0/users/{bob}"}
    refused = await world.ask("POST", f"/groups/{sales}/members/$ref", reference, status=400)
    assert "A rule says" in refused["error"]["message"]
    await world.ask("DELETE", f"/groups/{sales}/members/{ana}/$ref", status=400)
    shown = await world.ask(
        "GET", f"/groups/{also}", params={"$select": "membershipRule,membershipRuleProcessingState"}
    )
    assert (shown["membershipRule"], shown["membershipRuleProcessingState"]) == (of_it, "On")
    found = await world.ids("/groups", filter="groupTypes/any(t:t eq 'DynamicMembership')")
    assert set(found) == {sales, also, other}


async def test_whose_group_is_deleted_is_in_it_no_longer_until_it_is_restored(world: World) -> None:
    eva = await made(world, "eva")
    team = (await world.ask("POST", "/groups", {"displayName": "Team", "groupTypes": ["Unified"]}, status=201))["id"]
    reference = {"@odata.id": f"https://graph.example/v1.0/users/{eva}"}
    await world.ask("POST", f"/groups/{team}/members/$ref", reference, status=204)
    ruled = {**dynamic("Ruled", 'user.displayName -eq "eva"'), "groupTypes": ["DynamicMembership", "Unified"]}
    filled_by_rule = (await world.ask("POST", "/groups", ruled, status=201))["id"]
    of_both = [
        (await world.ask("POST", "/groups", dynamic(f"Of {one}", rule), status=201))["id"]
        for one in (team, filled_by_rule)
        for rule in [f"user.memberof -any (group.objectId -in ['{one}'])"]
    ]
    for one in of_both:
        await filled(world, one, eva)
    for one in (team, filled_by_rule):
        await world.ask("DELETE", f"/groups/{one}", status=204)
    for one in of_both:
        await filled(world, one)
    for one in (team, filled_by_rule):
        await world.ask("POST", f"/directory/deletedItems/{one}/restore")
    for one in (*of_both, team, filled_by_rule):
        await filled(world, one, eva)


async def test_a_rule_that_cannot_be_followed_is_refused(world: World) -> None:
    for rule in ('user.departmint -eq "x"', "user.employeeHireDate -ge system.now -minus p1d"):
        refused = await world.ask("POST", "/groups", dynamic("x", rule), status=400)
        assert refused["error"]["target"] == "membershipRule"
