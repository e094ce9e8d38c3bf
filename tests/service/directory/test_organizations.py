"""Connected organisations, settings and nested groups on real Kafka and MongoDB, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.service.directory.test_resources import World, world

__all__ = ["world"]  # the fixture

EM = "/identityGovernance/entitlementManagement"
AT = f"{EM}/connectedOrganizations"
TYPE = "#microsoft.graph."
SOURCES: list[dict[str, Any]] = [
    {"@odata.type": f"{TYPE}azureActiveDirectoryTenant", "displayName": "Own cloud", "tenantId": "t-1"},
    {"@odata.type": f"{TYPE}crossCloudAzureActiveDirectoryTenant", "displayName": "Other cloud", "tenantId": "t-2",
     "cloudInstance": "login.cloud.example"},
    {"@odata.type": f"{TYPE}domainIdentitySource", "displayName": "By code", "domainName": "partner.example"},
    {"@odata.type": f"{TYPE}externalDomainFederation", "displayName": "Federated", "domainName": "fed.example",
     "issuerUri": "https://fed.example/issuer"},
    {"@odata.type": f"{TYPE}socialIdentitySource", "displayName": "Social", "socialIdentitySourceType": "facebook"},
]  # fmt: skip


def reference(id: str) -> dict[str, str]:
    return {"@odata.id": f"https://graph.example/v1.0/directoryObjects/{id}"}


async def organization(world: World, **more: Any) -> dict[str, Any]:
    body = {"displayName": "Partner", "identitySources": SOURCES[2:3], **more}
    made: dict[str, Any] = await world.ask("POST", AT, body, status=201)
    return made


@pytest.mark.spec("ORG-1")
async def test_an_organization_keeps_identity_sources_of_every_kind(world: World) -> None:
    made = await organization(world, identitySources=SOURCES, description="Who works with us.")
    found = await world.ask("GET", f"{AT}/{made['id']}")
    assert found["identitySources"] == SOURCES
    tenant = "identitySources/any(is:is/microsoft.graph.azureActiveDirectoryTenant/tenantId eq 't-1')"
    assert await world.ids(AT, filter=tenant) == [made["id"]]
    assert await world.ids(AT, filter=tenant.replace("t-1", "t-9")) == []
    without_domain = [{"@odata.type": f"{TYPE}domainIdentitySource", "displayName": "Nothing"}]
    await world.ask("POST", AT, {"displayName": "x", "identitySources": without_domain}, status=400)
    mixed = [{**SOURCES[2], "tenantId": "t-1"}]
    said = await world.ask("POST", AT, {"displayName": "x", "identitySources": mixed}, status=400)
    assert "domainIdentitySource has no 'tenantId'" in said["error"]["message"]


@pytest.mark.spec("ORG-3")
async def test_an_organization_is_configured_switched_and_deleted(world: World) -> None:
    made = await organization(world)
    assert made["state"] == "configured"
    changed = await world.ask("PATCH", f"{AT}/{made['id']}", {"state": "Proposed"}, status=202)
    assert (changed["state"], changed["displayName"]) == ("proposed", "Partner")
    assert await world.ids(AT, filter="state eq 'configured'") == []
    await world.ask("PATCH", f"{AT}/{made['id']}", {"state": "unheard"}, status=400)
    await world.ask("DELETE", f"{AT}/{made['id']}", status=204)
    await world.ask("GET", f"{AT}/{made['id']}", status=404)
    assert await world.ids(AT) == []


@pytest.mark.spec("ORG-4")
async def test_sponsors_are_people_and_groups_on_either_side(world: World) -> None:
    made = await organization(world)
    at = f"{AT}/{made['id']}"
    person = (await world.ids("/users"))[0]
    group = (await world.ask("POST", "/groups", {"displayName": "Partner managers"}, status=201))["id"]
    for id in (person, group):
        await world.ask("POST", f"{at}/internalSponsors/$ref", reference(id), status=204)
    await world.ask("POST", f"{at}/externalSponsors/$ref", reference(person), status=204)
    await world.ask("POST", f"{at}/externalSponsors/$ref", reference("nobody"), status=404)
    inside = await world.ask("GET", f"{at}/internalSponsors")
    kinds = {one["id"]: one["@odata.type"] for one in inside["value"]}
    assert kinds == {person: f"{TYPE}user", group: f"{TYPE}group"}
    shown = await world.ask("GET", at, params={"$expand": "internalSponsors($select=id),externalSponsors"})
    assert {one["id"] for one in shown["internalSponsors"]} == {person, group}
    assert [one["id"] for one in shown["externalSponsors"]] == [person]
    await world.ask("DELETE", f"{at}/internalSponsors/{person}/$ref", status=204)
    await world.ask("DELETE", f"{at}/internalSponsors/{person}/$ref", status=404)
    assert await world.ids(f"{at}/internalSponsors") == [group]


async def test_of_two_who_read_one_version_only_one_changes_it(world: World) -> None:
    """Both requests pass every check before the decision: the version is compared in it."""
    made = await organization(world)
    group = await world.ask("POST", "/groups", {"displayName": "G"}, status=201)
    for path, ok in ((f"{AT}/{made['id']}", 202), (f"/groups/{group['id']}", 204)):
        bodies = [{"description": str(n)} for n in range(6)]
        answers = await asyncio.gather(*(world.send("PATCH", path, body, {"If-Match": 'W/"1"'}) for body in bodies))
        assert sorted(answers) == [ok, *[412] * 5]


async def test_settings_have_the_documented_defaults_and_are_changed(world: World) -> None:
    at = f"{EM}/settings"
    found = await world.ask("GET", at)
    assert found["id"] == "singleton"
    assert found["externalUserLifecycleAction"] == "blockSignInAndDelete"
    assert found["durationUntilExternalUserDeletedAfterBlocked"] == "P30D"
    body = {"externalUserLifecycleAction": "None", "durationUntilExternalUserDeletedAfterBlocked": "P4D"}
    await world.ask("PATCH", at, body, status=204)
    await world.ask("PATCH", at, {"durationUntilExternalUserDeletedAfterBlocked": "a while"}, status=400)
    await world.ask("PATCH", at, {"externalUserLifecycleAction": "none"}, status=412, headers={"If-Match": 'W/"7"'})
    found = await world.ask("GET", at)
    assert found["externalUserLifecycleAction"] == "none"
    assert found["durationUntilExternalUserDeletedAfterBlocked"] == "P4D"
    controls = f"{EM}/controlConfigurations"
    shown = await world.ask("PATCH", f"{controls}/endUserSettings", {"showApproverDetailsToMembers": True})
    assert (await world.ask("GET", f"{controls}?$top=1"))["value"][0]["showApproverDetailsToMembers"] is True
    assert (await world.ask("GET", f"{controls}?$count=true&$select=id"))["@odata.count"] == 1
    assert (await world.ask("GET", f"{controls}/{shown['id']}"))["relatedPeopleInsightLevel"] == "disabled"


async def test_groups_lie_in_groups_and_their_people_are_transitive_members(world: World) -> None:
    people = await world.ids("/users")
    outer, middle, inner = [
        (await world.ask("POST", "/groups", {"displayName": name}, status=201))["id"]
        for name in ("A outer", "B middle", "C inner")
    ]
    await world.ask("POST", f"/groups/{outer}/members/$ref", reference(middle), status=204)
    await world.ask("PATCH", f"/groups/{middle}", {"members@odata.bind": [reference(inner)["@odata.id"]]}, status=204)
    await world.ask("POST", f"/groups/{inner}/members/$ref", reference(outer), status=204)  # a circle
    await world.ask("POST", f"/groups/{inner}/members/$ref", reference(people[0]), status=204)
    await world.ask("POST", f"/groups/{outer}/members/$ref", reference(people[1]), status=204)

    assert set(await world.ids(f"/groups/{outer}/members")) == {middle, people[1]}
    every = await world.ask("GET", f"/groups/{outer}/transitiveMembers", params={"$count": "true", "$top": "2"})
    assert every["@odata.count"] == 4
    ids = [one["id"] for one in every["value"]]
    while link := every.get("@odata.nextLink"):
        every = await world.ask("GET", link.partition("/v1.0")[2])
        ids += [one["id"] for one in every["value"]]
    assert ids == sorted([middle, inner, *people])
    by_name = await world.ids(f"/groups/{outer}/transitiveMembers", orderby="displayName desc")
    assert (set(by_name[:2]), by_name[2:]) == (set(people), [inner, middle])
    assert await world.ids(f"/groups/{outer}/transitiveMembers/microsoft.graph.group") == sorted([inner, middle])
    assert set(await world.ids(f"/groups/{outer}/transitiveMembers/microsoft.graph.user")) == set(people)
    named = {"filter": "startswith(displayName,'B')", "select": "id,securityEnabled"}
    assert await world.ids(f"/groups/{outer}/members", **named) == [middle]
    await world.ask("GET", f"/groups/{outer}/members", params={"$filter": "colour eq 'red'"}, status=400)

    assert set(await world.ids(f"/users/{people[0]}/transitiveMemberOf")) == {outer, middle, inner}
    assert await world.ids(f"/users/{people[0]}/memberOf") == [inner]
    assert await world.ids(f"/groups/{inner}/memberOf") == [middle]
    assert set(await world.ids(f"/groups/{inner}/transitiveMemberOf")) == {outer, middle, inner}
    for at in (f"/users/{people[0]}", f"/directoryObjects/{people[0]}"):
        found = await world.ask("POST", f"{at}/getMemberGroups", {"securityEnabledOnly": False})
        assert set(found["value"]) == {outer, middle, inner}
    found = await world.ask("POST", f"/groups/{middle}/checkMemberGroups", {"groupIds": [outer, people[0]]})
    assert found["value"] == [outer]

    await world.ask("DELETE", f"/groups/{outer}/members/{middle}/$ref", status=204)
    assert await world.ids(f"/groups/{outer}/members") == [people[1]]
    await world.ask("DELETE", f"/groups/{middle}", status=204)
    assert set(await world.ids(f"/users/{people[0]}/transitiveMemberOf")) == {inner}


async def test_a_microsoft_365_group_and_a_group_itself_take_no_group(world: World) -> None:
    unified = await world.ask("POST", "/groups", {"displayName": "Team", "groupTypes": ["Unified"]}, status=201)
    plain = await world.ask("POST", "/groups", {"displayName": "Plain"}, status=201)
    await world.ask("POST", f"/groups/{unified['id']}/members/$ref", reference(plain["id"]), status=400)
    await world.ask("POST", f"/groups/{plain['id']}/members/$ref", reference(plain["id"]), status=400)


async def test_subjects_are_listed_found_and_said_with_the_organization_of_a_guest(world: World) -> None:
    partner = await organization(world, identitySources=[{**SOURCES[2], "domainName": "Guests.example"}])
    person = {"accountEnabled": True, "mailNickname": "x", "passwordProfile": {"password": "x"}}
    ids = {}
    for name, kind in (("gus", "Guest"), ("mia", "Member")):
        mail = f"{name}@guests.example"
        body = {**person, "displayName": name, "userPrincipalName": mail, "mail": mail, "userType": kind}
        ids[name] = (await world.ask("POST", "/users", body, status=201))["id"]
    at = f"{EM}/subjects"
    for where in (f"objectId eq '{ids['gus']}'", "email eq 'GUS@guests.example'", "displayName eq 'gus'"):
        assert await world.ids(at, filter=where) == [ids["gus"]], where
    for path in (f"{at}/{ids['gus']}", f"{at}(objectId='{ids['gus']}')"):
        found = await world.ask("GET", f"{path}?$expand=connectedOrganization")
        assert (found["objectId"], found["connectedOrganization"]["id"]) == (ids["gus"], partner["id"])
    found = await world.ask("GET", f"{at}?$filter=displayName eq 'mia'&$expand=connectedOrganization")
    assert [one["connectedOrganization"] for one in found["value"]] == [None], "who is no guest is of none"
    await world.ask("GET", f"{at}/nobody", status=404)
