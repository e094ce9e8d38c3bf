"""Catalogs, packages, policies and populations over HTTP, as Graph's callers speak."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import httpx
import pytest

EM = "/v1.0/identityGovernance/entitlementManagement"
RULE = 'user.department -eq "Sales"'


async def made(client: httpx.AsyncClient, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await client.post(path, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def a_catalog(world: Any) -> str:
    return str((await made(world.client, f"{EM}/catalogs", {"displayName": f"Catalog {uuid.uuid4()}"}))["id"])


async def a_package(world: Any, catalog: str | None = None, name: str = "Sales") -> str:
    body = {"displayName": name, "catalog": {"id": catalog or await a_catalog(world)}}
    return str((await made(world.client, f"{EM}/accessPackages", body))["id"])


async def a_policy(world: Any, package: str, name: str = "by rule", rule: str = RULE) -> str:
    return str((await made(world.client, f"{EM}/assignmentPolicies", automatic(package, name, rule)))["id"])


async def a_group(world: Any, name: str, **more: Any) -> str:
    return str((await made(world.client, "/v1.0/groups", {"displayName": name, **more}))["id"])


def automatic(package: str, name: str = "by rule", rule: str = RULE) -> dict[str, Any]:
    return {
        "displayName": name,
        "accessPackage": {"id": package},
        "allowedTargetScope": "specificDirectoryUsers",
        "specificAllowedTargets": [{"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": rule}],
        "automaticRequestSettings": {
            "requestAccessForAllowedTargets": True,
            "removeAccessWhenTargetLeavesAllowedTargets": True,
            "gracePeriodBeforeAccessRemoval": "P0D",
        },
    }


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


async def test_a_package_with_role_and_policy_is_read_back_as_graph_writes_it(world: Any) -> None:
    group, catalog = await a_group(world, "Sales staff"), await a_catalog(world)
    asked = {"requestType": "adminAdd", "catalog": {"id": catalog}, "resource": {"originId": group}}
    await made(world.client, f"{EM}/resourceRequests", asked)
    bind = {"displayName": "Sales", "catalog@odata.bind": f"https://graph.example/v1.0/x/catalogs/{catalog}"}
    package = (await made(world.client, f"{EM}/accessPackages", bind))["id"]
    scope = {
        "role": {"originId": f"Member_{group}", "originSystem": "AadGroup", "resource": {"id": "any"}},
        "scope": {"originId": group, "originSystem": "AadGroup", "isRootScope": True},
    }
    role = await made(world.client, f"{EM}/accessPackages/{package}/resourceRoleScopes", scope)
    assert role["createdDateTime"]
    policy = await a_policy(world, package)

    expand = "catalog,assignmentPolicies,resourceRoleScopes($expand=role,scope)"
    found = (await world.client.get(f"{EM}/accessPackages('{package}')", params={"$expand": expand})).json()

    assert found["catalog"]["id"] == catalog
    (scope_said,) = found["resourceRoleScopes"]
    assert scope_said["id"] == role["id"] == f"{scope_said['role']['id']}_{scope_said['scope']['id']}"
    assert scope_said["createdDateTime"] == role["createdDateTime"]
    assert scope_said["role"]["originId"] == f"Member_{group}"
    assert scope_said["role"]["resource"]["displayName"] == "Sales staff"
    (policy_said,) = found["assignmentPolicies"]
    assert policy_said["id"] == policy
    assert policy_said["specificAllowedTargets"][0]["membershipRule"] == RULE
    assert policy_said["automaticRequestSettings"]["gracePeriodBeforeAccessRemoval"] == "PT0S"

    at = f"{EM}/accessPackages/{package}/resourceRoleScopes/{role['id']}"
    for path in (f"{at}/role/resource", f"{at}/scope/resource"):
        assert (await world.client.get(path)).json()["originId"] == group
        assert len((await world.client.get(f"{path}/roles")).json()["value"]) == 2
    assert (await world.client.get(at)).json()["createdDateTime"] == role["createdDateTime"]

    gone = await world.client.delete(f"{EM}/accessPackages/{package}/resourceRoleScopes/{role['id']}")
    assert gone.status_code == 204
    listed = (await world.client.get(f"{EM}/accessPackages/{package}/resourceRoleScopes")).json()
    assert listed["value"] == []


async def test_a_role_of_a_group_outside_the_catalog_is_not_found(world: Any) -> None:
    package, group = await a_package(world), await a_group(world, "Elsewhere")
    answer = await world.client.post(
        f"{EM}/accessPackages/{package}/resourceRoleScopes", json={"role": {"originId": f"Member_{group}"}}
    )
    assert (answer.status_code, code(answer)) == (404, "ResourceNotFound")


@pytest.mark.spec("AUT-3")
async def test_a_rule_that_does_not_parse_says_where(world: Any) -> None:
    package = await a_package(world)
    body = automatic(package, rule='(user.city -eq "Rome") -and\n(user.departmint -eq "Sales")')
    answer = await world.client.post(f"{EM}/assignmentPolicies", json=body)
    assert (answer.status_code, code(answer)) == (400, "InvalidMembershipRule")
    (detail,) = answer.json()["error"]["details"]
    assert (detail["line"], detail["column"]) == ("2", "2")
    assert "user.departmint" in detail["snippet"]
    assert answer.json()["error"]["target"] == "specificAllowedTargets/0/membershipRule"


@pytest.mark.spec("CAT-1")
async def test_the_general_catalog_is_there_from_the_start_takes_packages_and_stays(world: Any) -> None:
    found = (await world.client.get(f"{EM}/catalogs", params={"$filter": "displayName eq 'general'"})).json()
    (general,) = found["value"]
    assert general["catalogType"] == "serviceDefault"
    own = await made(world.client, f"{EM}/catalogs", {"displayName": f"Catalog {uuid.uuid4()}"})
    for type, one, other in (("serviceDefault", general, own), ("userManaged", own, general)):
        listed = await world.client.get(f"{EM}/catalogs", params={"$filter": f"catalogType eq '{type}'"})
        ids = {it["id"] for it in listed.json()["value"]}
        assert one["id"] in ids
        assert other["id"] not in ids
    package = await made(world.client, f"{EM}/accessPackages", {"displayName": "Without a catalog"})
    said = (await world.client.get(f"{EM}/accessPackages/{package['id']}", params={"$expand": "catalog"})).json()
    assert said["catalog"]["id"] == general["id"]
    assert (await world.client.delete(f"{EM}/catalogs/{general['id']}")).status_code == 409
    renamed = await world.client.patch(f"{EM}/catalogs/{general['id']}", json={"displayName": "Special"})
    assert (renamed.status_code, code(renamed)) == (409, "BuiltIn")


async def test_what_is_expanded_is_expanded_inside_too_or_refused(world: Any) -> None:
    catalog = await a_catalog(world)
    package = await a_package(world, catalog)
    policy, other = await a_policy(world, package), await a_package(world, catalog, "Other")
    ref = {"@odata.id": f"https://graph.example/accessPackages/{other}"}
    await world.client.post(f"{EM}/accessPackages/{package}/incompatibleAccessPackages/$ref", json=ref)

    async def read(path: str, expand: str) -> Any:
        answer = await world.client.get(f"{EM}/{path}", params={"$expand": expand})
        return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["error"]["target"])

    inner = "accessPackages($select=id;$expand=assignmentPolicies($select=id;$expand=catalog($select=displayName)))"
    found = {one["id"]: one for one in (await read(f"catalogs/{catalog}", inner))["accessPackages"]}
    assert found[other]["assignmentPolicies"] == []
    (said,) = found[package]["assignmentPolicies"]
    assert (said["id"], set(said["catalog"]) - {"@odata.etag"}) == (policy, {"displayName"})
    assert (await read(f"assignmentPolicies/{policy}", "accessPackage($expand=catalog)"))["accessPackage"]["catalog"]
    inner = "incompatibleAccessPackages($expand=assignmentPolicies)"
    assert await read(f"accessPackages/{package}", inner) == (400, "$expand")
    single = await world.client.get(f"{EM}/accessPackages/{package}", params={"$filter": "displayName eq 'x'"})
    assert single.status_code == 400, "one object is not filtered"


async def test_lists_are_asked_by_what_their_relations_lead_to(world: Any) -> None:
    catalog = await a_catalog(world)
    package = await a_package(world, catalog)
    policy = await a_policy(world, package)
    name = (await world.client.get(f"{EM}/catalogs/{catalog}")).json()["displayName"]
    named = (await world.client.get(f"{EM}/accessPackages/{package}")).json()["displayName"]

    async def found(path: str, wanted: str) -> list[str]:
        answer = await world.client.get(f"{EM}/{path}", params={"$filter": wanted, "$select": "id"})
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["value"]]

    here = f"catalog/id eq '{catalog}'"
    for wanted in (f"catalog/displayName eq '{name.upper()}'", "catalog/state eq 'published' and isHidden eq false"):
        assert await found("accessPackages", f"{here} and {wanted}") == [package]
    for wanted in (f"catalog/displayName ne '{name}'", "startswith(catalog/displayName,'another')"):
        assert await found("accessPackages", f"{here} and {wanted}") == []
    for wanted in (
        f"accessPackage/catalog/id eq '{catalog}'",
        f"accessPackage/displayName eq '{named}'",
        f"startswith(catalog/displayName,'{name}') and allowedTargetScope eq 'SpecificDirectoryUsers'",
    ):
        assert await found("assignmentPolicies", f"{here} and {wanted}") == [policy], wanted
    assert await found("assignmentPolicies", f"{here} and accessPackage/displayName eq 'another'") == []
    count = await world.client.get(f"{EM}/assignmentPolicies/$count", params={"$filter": here})
    assert count.text == "1"


async def test_relations_are_read_by_their_own_paths_as_well(world: Any) -> None:
    catalog = await a_catalog(world)
    package = await a_package(world, catalog)
    policy, other = await a_policy(world, package), await a_package(world, catalog, "Other")

    async def read(path: str, **options: str) -> Any:
        answer = await world.client.get(f"{EM}/{path}", params=options)
        return answer.json() if answer.status_code == 200 else answer.status_code

    found = await read(f"accessPackages/{package}/catalog", **{"$select": "id"})
    assert found["@odata.context"].endswith(f"$metadata#accessPackages('{package}')/catalog(id)/$entity")
    assert {name: value for name, value in found.items() if "@" not in name} == {"id": catalog}
    assert (await read(f"assignmentPolicies/{policy}/accessPackage"))["displayName"] == "Sales"
    assert (await read(f"assignmentPolicies/{policy}/accessPackage/catalog"))["id"] == catalog
    assert (await read(f"assignmentPolicies/{policy}/questions"))["value"] == []
    assert (await read(f"catalogs/{catalog}/accessPackages/{package}"))["id"] == package
    assert (await read(f"catalogs/{catalog}/accessPackages/{package}/catalog"))["id"] == catalog
    assert await read(f"catalogs/{await a_catalog(world)}/accessPackages/{package}") == 404
    assert await read(f"accessPackages/{uuid.uuid4()}/catalog") == 404
    assert await read(f"accessPackages/{package}/catalog/secret") == 404
    assert await read(f"accessPackages/{package}/catalog", **{"$top": "1"}) == 400

    listed = await read(f"accessPackages/{package}/assignmentPolicies", **{"$filter": "displayName eq 'BY RULE'"})
    assert [one["id"] for one in listed["value"]] == [policy]
    assert (await read(f"accessPackages/{package}/assignmentPolicies/{policy}/catalog"))["id"] == catalog
    assert (await read(f"accessPackages/{other}/assignmentPolicies", **{"$count": "true"}))["@odata.count"] == 0


async def test_roles_take_nothing_from_other_roles_and_say_so_when_asked(world: Any) -> None:
    at = "/v1.0/roleManagement/entitlementManagement/roleDefinitions"
    plain = (await world.client.get(at)).json()["value"]
    expanded = (await world.client.get(at, params={"$expand": "inheritsPermissionsFrom"})).json()["value"]
    assert expanded == [{**one, "inheritsPermissionsFrom": []} for one in plain]
    one = (await world.client.get(f"{at}/{plain[0]['id']}", params={"$expand": "inheritsPermissionsFrom"})).json()
    assert one["inheritsPermissionsFrom"] == []


@pytest.mark.spec("CAT-1")
async def test_a_package_cannot_be_moved_to_another_catalog(world: Any) -> None:
    package, other = await a_package(world, await a_catalog(world)), await a_catalog(world)
    bind = f"https://graph.example/v1.0/x/catalogs/{other}"
    for change in ({"catalog": {"id": other}}, {"catalogId": other}, {"catalog@odata.bind": bind}):
        refused = await world.client.patch(f"{EM}/accessPackages/{package}", json=change)
        assert refused.status_code == 400, refused.text
    said = (await world.client.get(f"{EM}/accessPackages/{package}", params={"$expand": "catalog"})).json()
    assert said["catalog"]["id"] != other


@pytest.mark.spec("CAT-2")
async def test_a_catalog_has_a_name_of_its_own_and_is_published_and_open_to_people_outside_at_first(world: Any) -> None:
    name = f"Catalog {uuid.uuid4()}"
    catalog = await made(world.client, f"{EM}/catalogs", {"displayName": name, "description": "Shown to all."})
    assert (catalog["state"], catalog["isExternallyVisible"]) == ("published", True)
    assert catalog["description"] == "Shown to all."
    taken = await world.client.post(f"{EM}/catalogs", json={"displayName": name.upper()})
    assert (taken.status_code, code(taken)) == (409, "DuplicateKey")
    change = {"state": "unpublished", "isExternallyVisible": False}
    path = f"{EM}/catalogs/{catalog['id']}"
    assert (await world.client.patch(path, json=change)).status_code == 204
    found = (await world.client.get(path)).json()
    assert (found["state"], found["isExternallyVisible"]) == ("unpublished", False)
    (*_, said) = [fact["state"] for fact in await world.facts("catalog.catalogs") if fact["subject"] == catalog["id"]]
    assert (said["state"], said["isExternallyVisible"]) == ("unpublished", False), "request goes by it"


async def test_names_are_unique_where_they_have_to_be_and_free_again_after_a_deletion(world: Any) -> None:
    one, other = await a_catalog(world), await a_catalog(world)
    first = await a_package(world, one, "Straße")
    taken = await world.client.post(f"{EM}/accessPackages", json={"displayName": "STRASSE", "catalog": {"id": one}})
    assert (taken.status_code, code(taken)) == (409, "DuplicateAccessPackage")
    await a_package(world, other, "Straße")
    assert (await world.client.delete(f"{EM}/accessPackages/{first}")).status_code == 204
    second = await a_package(world, one, "Strasse")
    await a_policy(world, second)
    again = await world.client.post(f"{EM}/assignmentPolicies", json=automatic(second, "By Rule"))
    assert (again.status_code, code(again)) == (409, "DuplicateKey")


async def test_many_creations_of_one_name_at_once_make_one(world: Any) -> None:
    catalog = await a_catalog(world)
    body = {"displayName": "Contended", "catalog": {"id": catalog}}
    answers = await asyncio.gather(*(world.client.post(f"{EM}/accessPackages", json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_repeat_under_the_same_idempotency_key_makes_nothing_new(world: Any) -> None:
    body, key = {"displayName": f"Keyed {uuid.uuid4()}"}, {"Idempotency-Key": str(uuid.uuid4())}
    first = await made(world.client, f"{EM}/catalogs", body, **key)
    assert (await made(world.client, f"{EM}/catalogs", body, **key))["id"] == first["id"]
    other = await world.client.post(f"{EM}/catalogs", json={"displayName": "Other"}, headers=key)
    assert (other.status_code, code(other)) == (409, "IdempotencyKeyReused")


async def test_a_stale_change_is_refused_and_a_fresh_one_taken(world: Any) -> None:
    package = f"{EM}/accessPackages/{await a_package(world)}"
    tag = (await world.client.get(package)).headers["ETag"]
    fresh = await world.client.patch(package, json={"description": "First"}, headers={"If-Match": tag})
    assert fresh.status_code == 204
    stale = await world.client.patch(package, json={"description": "Second"}, headers={"If-Match": tag})
    assert stale.status_code == 412
    for none in ('W/"' + "9" * 900 + '"', '"\u0663"'):
        never = await world.client.patch(package, json={"description": "Third"}, headers={"If-Match": none.encode()})
        assert never.status_code == 412
    long = await world.client.patch(package, json={"description": "Third"}, headers={"If-Match": "9" * 5000})
    assert long.status_code == 400
    assert (await world.client.get(package)).json()["description"] == "First"


async def test_what_is_not_honoured_yet_is_refused_and_not_ignored(world: Any) -> None:
    package = await a_package(world)
    stages = {"requestApprovalSettings": {"isApprovalRequiredForAdd": True}}
    answer = await world.client.post(f"{EM}/assignmentPolicies", json={**automatic(package), **stages})
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "requestApprovalSettings")


async def test_a_policy_to_request_by_is_kept_and_said_whole(world: Any) -> None:
    package = await a_package(world)
    manager = {"@odata.type": "#microsoft.graph.requestorManager", "managerLevel": 1}
    body = {
        "displayName": "By request",
        "accessPackage": {"id": package},
        "allowedTargetScope": "allMemberUsers",
        "expiration": {"type": "afterDuration", "duration": "P90D"},
        "requestorSettings": {"enableTargetsToSelfAddAccess": True},
        "requestApprovalSettings": {
            "isApprovalRequiredForAdd": True,
            "stages": [{"durationBeforeAutomaticDenial": "P14D", "primaryApprovers": [manager]}],
        },
        "questions": [{"@odata.type": "#microsoft.graph.accessPackageTextInputQuestion", "text": "Why?"}],
        "reviewSettings": {
            "isEnabled": True,
            "isSelfReview": True,
            "schedule": {
                "startDateTime": "2026-07-01T00:00:00Z",
                "expiration": {"type": "afterDuration", "duration": "P14D"},
                "recurrence": {"pattern": {"type": "absoluteMonthly", "interval": 3}, "range": {"type": "noEnd"}},
            },
        },
    }
    policy = await made(world.client, f"{EM}/assignmentPolicies", body)
    read = (await world.client.get(f"{EM}/assignmentPolicies/{policy['id']}?$expand=questions")).json()
    assert read["requestApprovalSettings"]["stages"][0]["primaryApprovers"] == [manager]
    assert read["requestorSettings"]["enableTargetsToSelfAddAccess"] is True
    assert [one["text"] for one in read["questions"]] == ["Why?"]
    assert read["reviewSettings"] == body["reviewSettings"]
    (said,) = [fact["state"] for fact in await world.facts("catalog.policies") if fact["subject"] == policy["id"]]
    assert said["targetScope"] == "allMemberUsers"
    assert said["approvalSettings"]["stages"][0]["durationBeforeAutomaticDenial"] == "P14D"
    assert said["review"]["recurrence"]["range"]["startDate"] == "2026-07-01"
    assert said["review"]["selfReview"] is True
    assert said["review"]["durationInDays"] == 14


@pytest.mark.spec("SOD-1")
async def test_separation_of_duties_is_listed_on_one_package_and_seen_from_the_other(world: Any) -> None:
    sales, audit = await a_package(world), await a_package(world)
    path = f"{EM}/accessPackages/{audit}/incompatibleAccessPackages"
    link = {
        "@odata.id": f"https://graph.microsoft.com/v1.0/identityGovernance/entitlementManagement/accessPackages/{sales}"
    }
    for _ in range(2):  # twice is once
        assert (await world.client.post(f"{path}/$ref", json=link)).status_code == 204
    assert [one["id"] for one in (await world.client.get(path)).json()["value"]] == [sales]
    seen = await world.client.get(f"{EM}/accessPackages/{sales}/accessPackagesIncompatibleWith")
    assert [one["id"] for one in seen.json()["value"]] == [audit]
    itself = {"@odata.id": link["@odata.id"].replace(sales, audit)}
    assert (await world.client.post(f"{path}/$ref", json=itself)).status_code == 400
    assert (await world.client.post(f"{path}/$ref", json={"@odata.id": "nothing"})).status_code == 400
    said = [fact["state"] for fact in await world.facts("catalog.packages") if fact["subject"] == audit]
    assert said[-1]["incompatiblePackages"] == [sales]
    assert (await world.client.delete(f"{path}/{sales}/$ref")).status_code == 204
    assert (await world.client.delete(f"{path}/{sales}/$ref")).status_code == 404


async def test_entitlement_management_itself_is_there(world: Any) -> None:
    answer = await world.client.get(EM)
    assert (answer.status_code, answer.json()["id"]) == (200, "entitlementManagement")
    assert (await world.client.get(f"{EM}/nothing")).status_code == 404
    assert (await world.client.get(f"{EM}/id")).json()["value"] == "entitlementManagement"


@pytest.mark.spec("SOD-1")
async def test_an_incompatible_group_has_to_be_there(world: Any) -> None:
    package = await a_package(world)
    group = (await world.client.post("/v1.0/groups", json={"displayName": "Auditors"})).json()["id"]
    path = f"{EM}/accessPackages/{package}/incompatibleGroups"
    link = {"@odata.id": f"https://graph.microsoft.com/v1.0/groups/{group}"}
    assert (await world.client.post(f"{path}/$ref", json=link)).status_code == 204
    (said,) = (await world.client.get(path)).json()["value"]
    assert (said["id"], said["displayName"]) == (group, "Auditors")
    assert (said["groupTypes"], said["mailEnabled"], said["securityEnabled"]) == ([], False, True)
    assert said["createdDateTime"].endswith("Z")
    (brief,) = (await world.client.get(path, params={"$select": "id,description"})).json()["value"]
    assert brief.keys() - {"@odata.type"} == {"id", "description"}
    missing = {"@odata.id": "https://graph.microsoft.com/v1.0/groups/none"}
    assert (await world.client.post(f"{path}/$ref", json=missing)).status_code == 404
    assert (await world.client.delete(f"{path}/{group}/$ref")).status_code == 204


async def test_a_direct_policy_is_replaced_whole_and_keeps_its_package(world: Any) -> None:
    package = await a_package(world)
    body = {"displayName": "By hand", "accessPackage": {"id": package}, "allowedTargetScope": "notSpecified"}
    policy = await made(world.client, f"{EM}/assignmentPolicies", body)
    path = f"{EM}/assignmentPolicies/{policy['id']}"
    whole = {**policy, **body, "expiration": {"type": "afterDuration", "duration": "P2W"}}
    replaced = await world.client.put(path, json=whole)
    assert replaced.status_code == 200, replaced.text
    assert replaced.json()["expiration"] == {"type": "afterDuration", "duration": "P14D", "endDateTime": None}
    elsewhere = {**body, "accessPackage": {"id": await a_package(world)}}
    assert (await world.client.put(path, json=elsewhere)).status_code == 400


@pytest.mark.spec("CAT-4", "PKG-6")
async def test_a_package_in_use_stays_and_one_that_is_not_goes_with_its_policies(world: Any) -> None:
    catalog = await a_catalog(world)
    package = await a_package(world, catalog)
    policy = await a_policy(world, package)
    assert (await world.client.delete(f"{EM}/catalogs/{catalog}")).status_code == 409

    world.in_use[package] = 2
    refused = await world.client.delete(f"{EM}/accessPackages/{package}")
    assert (refused.status_code, code(refused)) == (409, "InUse")
    assert "2 assignments" in refused.json()["error"]["message"]
    found = (await world.client.get(f"{EM}/accessPackages/{package}")).json()
    assert "@tenure.life" not in found

    world.in_use[package] = 0
    assert (await world.client.delete(f"{EM}/accessPackages/{package}")).status_code == 204
    await until_gone(world, f"{EM}/assignmentPolicies/{policy}")
    assert (await world.client.delete(f"{EM}/catalogs/{catalog}")).status_code == 204
    assert (await world.client.get(f"{EM}/catalogs/{catalog}")).status_code == 404
    said = [fact for fact in await world.facts("catalog.packages") if fact["subject"] == package]
    assert [t["type"] for fact in said for t in fact["transitions"]] == [
        "Created",
        "DeletionAsked",
        "DeletionRefused",
        "DeletionAsked",
        "Deleted",
    ]
    assert [fact["version"] for fact in said] == [1, 2, 3, 4, 5]


async def test_a_deletion_that_nobody_answers_goes_on_by_itself(world: Any) -> None:
    package = await a_package(world)
    world.answering = False
    answer = await world.client.delete(f"{EM}/accessPackages/{package}")
    assert (answer.status_code, answer.json()["@tenure.life"]) == (202, "deleting")
    change = await world.client.patch(f"{EM}/accessPackages/{package}", json={"description": "New"})
    assert (change.status_code, code(change)) == (409, "BeingDeleted")
    world.answering = True
    shelf = world.host.services["catalog"].loops[2].store
    await shelf.poke({"_id": package}, world.host.clock.now())  # the timer's date, without the wait
    await until_gone(world, f"{EM}/accessPackages/{package}")
    asked = [fact for fact in await world.facts("catalog.packages") if fact["subject"] == package]
    # The question was put again under the same id.
    ids = [fact["id"] for fact in asked if fact["transitions"][0]["type"] == "DeletionAsked"]
    assert len(ids) >= 2
    assert len(set(ids)) == 1


async def test_a_population_that_a_policy_names_stays(world: Any) -> None:
    path = "/v1.0/tenure/populations"
    population = (await made(world.client, path, {"displayName": "Berlin", "membershipRule": RULE}))["id"]
    body = automatic(await a_package(world))
    body["specificAllowedTargets"] = [{"@odata.type": "#tenure.populationMembers", "populationId": population}]
    policy = (await made(world.client, f"{EM}/assignmentPolicies", body))["id"]
    refused = await world.client.delete(f"{path}/{population}")
    assert (refused.status_code, code(refused)) == (409, "InUse")
    assert (await world.client.patch(f"{path}/{population}", json={"membershipRule": "nonsense"})).status_code == 400
    assert (await world.client.delete(f"{EM}/assignmentPolicies/{policy}")).status_code == 204
    assert (await world.client.delete(f"{path}/{population}")).status_code == 204


@pytest.mark.spec("CAT-4")
async def test_a_resource_leaves_its_catalog_only_unused_and_may_come_back(world: Any) -> None:
    group, catalog = await a_group(world, "Comes and goes"), await a_catalog(world)
    asked = {"catalog": {"id": catalog}, "resource": {"originId": group, "originSystem": "AadGroup"}}
    add, remove = {"requestType": "adminAdd", **asked}, {"requestType": "adminRemove", **asked}
    for _ in range(2):
        await made(world.client, f"{EM}/resourceRequests", add)
    package = await a_package(world, catalog)
    role = {"role": {"originId": f"Owner_{group}"}}
    scope = await made(world.client, f"{EM}/accessPackages/{package}/resourceRoleScopes", role)
    kept = await world.client.post(f"{EM}/resourceRequests", json=remove)
    assert (kept.status_code, code(kept)) == (400, "InvalidDeleteResourceHasEntitlements")
    await world.client.delete(f"{EM}/accessPackages/{package}/resourceRoleScopes/{scope['id']}")
    await made(world.client, f"{EM}/resourceRequests", remove)
    assert (await world.client.get(f"{EM}/catalogs/{catalog}/resources")).json()["value"] == []
    await made(world.client, f"{EM}/resourceRequests", add)
    (found,) = (await world.client.get(f"{EM}/catalogs/{catalog}/resources")).json()["value"]
    assert found["originId"] == group


@pytest.mark.spec("CAT-6")
async def test_a_resource_says_what_it_wants_to_know_of_whoever_asks_for_it(world: Any) -> None:
    group, catalog = await a_group(world, "Licensed"), await a_catalog(world)
    question = {
        "@odata.type": "#microsoft.graph.accessPackageMultipleChoiceQuestion",
        "text": "Which licence?",
        "isRequired": True,
        "localizations": [{"languageCode": "de", "text": "Welche Lizenz?"}],
        "choices": [{"actualValue": "full"}, {"actualValue": "light"}],
    }
    attribute = {
        "name": "extension_licence",
        "isEditable": False,
        "isPersistedOnAssignmentRemoval": True,
        "destination": {"@odata.type": "#microsoft.graph.accessPackageUserDirectoryAttributeStore"},
        "source": {"@odata.type": "#microsoft.graph.accessPackageResourceAttributeQuestion", "question": question},
    }
    asked = {"originId": group, "originSystem": "AadGroup"}
    add = {"requestType": "adminAdd", "catalog": {"id": catalog}, "resource": {**asked, "attributes": [attribute]}}
    await made(world.client, f"{EM}/resourceRequests", add)

    async def attributes() -> Any:
        (found,) = (await world.client.get(f"{EM}/catalogs/{catalog}/resources")).json()["value"]
        (fact,) = [one for one in await world.facts("catalog.resources") if one["subject"] == found["id"]][-1:]
        assert len(fact["state"]["attributes"]) == len(found["attributes"]), "request goes by it"
        return found["attributes"]

    (said,) = await attributes()
    assert {**said, "source": ""} == {**attribute, "source": ""}
    assert said["source"]["question"].items() >= {"text": "Which licence?", "isRequired": True}.items()
    assert said["source"]["question"]["localizations"] == question["localizations"]
    for wrong in (
        [attribute, attribute],
        [{**attribute, "source": {}}],
        [{**attribute, "destination": {"@odata.type": "x"}}],
    ):
        update = {**add, "requestType": "adminUpdate", "resource": {**asked, "attributes": wrong}}
        assert (await world.client.post(f"{EM}/resourceRequests", json=update)).status_code == 400
    await made(world.client, f"{EM}/resourceRequests", {**add, "resource": asked})
    assert len(await attributes()) == 1, "nothing was said of them"
    none = {**add, "requestType": "adminUpdate", "resource": {**asked, "attributes": []}}
    await made(world.client, f"{EM}/resourceRequests", none)
    assert await attributes() == []


async def test_the_trail_names_who_edited(world: Any) -> None:
    name = f"Traced {uuid.uuid4()}"
    headers = {"Tenure-Actor": "person:8a1f", "Tenure-Roles": "Identity Governance Administrator"}
    catalog = (await made(world.client, f"{EM}/catalogs", {"displayName": name}, **headers))["id"]
    (fact,) = [fact for fact in await world.facts("catalog.catalogs") if fact["subject"] == catalog]
    assert fact["cause"]["actor"] == "person:8a1f"
    bad = await world.client.post(f"{EM}/catalogs", json={"displayName": "x"}, headers={"Tenure-Actor": "me"})
    assert bad.status_code == 400


async def until_gone(world: Any, path: str) -> None:
    deadline = time.monotonic() + 10
    while (await world.client.get(path)).status_code != 404:
        assert time.monotonic() < deadline, f"{path} is still there"
        await asyncio.sleep(0.02)


async def test_a_policy_names_who_is_there_and_says_who_is_not(world: Any) -> None:
    package = await a_package(world)
    ana, nobody = ({"@odata.type": "#microsoft.graph.singleUser", "userId": id} for id in ("u-1", "u-2"))
    body = {
        "displayName": "By request",
        "accessPackage": {"id": package},
        "allowedTargetScope": "specificDirectoryUsers",
    }
    made = await world.client.post(f"{EM}/assignmentPolicies", json={**body, "specificAllowedTargets": [ana]})
    assert made.status_code == 201, made.text
    more = {**body, "specificAllowedTargets": [ana, nobody]}
    for refused in (
        await world.client.post(f"{EM}/assignmentPolicies", json=more | {"displayName": "Another"}),
        await world.client.put(f"{EM}/assignmentPolicies/{made.json()['id']}", json=more),
    ):
        error = refused.json()["error"]
        assert (refused.status_code, error["message"]) == (400, "There is no user u-2.")
        assert error["target"] == "specificAllowedTargets/1/userId"
