"""A package bundles roles of groups, applications and sites."""

import uuid
from typing import Any

import pytest

from shared.contracts.resources import (
    NO_ROLE,
    AppRole,
)

from .saying import Directory
from .test_over_http import EM, a_catalog, a_group, code, made


def resource(catalog: str, system: str, origin: str, *, take: bool = False) -> dict[str, Any]:
    asked = {"originId": origin, "originSystem": system}
    kind = "adminRemove" if take else "adminAdd"
    return {"requestType": kind, "catalog": {"id": catalog}, "resource": asked}


def role_scope(system: str, origin: str, role: str) -> dict[str, Any]:
    return {
        "role": {"originId": role, "originSystem": system, "resource": {"originSystem": system}},
        "scope": {"originId": origin, "originSystem": system},
    }


@pytest.mark.spec("RES-1")
async def test_a_package_bundles_roles_of_groups_applications_and_sites(world: Any, directory: Directory) -> None:
    approver, auditor = str(uuid.uuid4()), str(uuid.uuid4())
    url = f"https://x.example/sites/Sales-{uuid.uuid4().hex[:6]}"
    group, catalog = await a_group(world, "Staff"), await a_catalog(world)
    application = await directory.application(
        AppRole(id=approver, display_name="Approver"), AppRole(id=auditor, display_name="Auditor", is_enabled=False)
    )
    await directory.site(url)
    for system, origin in (("AadGroup", group), ("AadApplication", application), ("SharePointOnline", url.lower())):
        await made(world.client, f"{EM}/resourceRequests", resource(catalog, system, origin))
    listed = (await world.client.get(f"{EM}/catalogs/{catalog}/resources", params={"$expand": "roles,scopes"})).json()
    said = {one["originSystem"]: one for one in listed["value"]}
    assert (said["AadApplication"]["displayName"], said["SharePointOnline"]["originId"]) == ("Expenses", url)
    assert [(one["displayName"], one["originId"]) for one in said["AadApplication"]["roles"]] == [
        ("Approver", approver)
    ]
    assert [one["originId"] for one in said["SharePointOnline"]["roles"]] == ["4", "5"]
    assert [one["originId"] for one in said["AadGroup"]["roles"]] == [f"Member_{group}", f"Owner_{group}"]

    body = {"displayName": "Sales", "catalog": {"id": catalog}}
    package = (await made(world.client, f"{EM}/accessPackages", body))["id"]
    at = f"{EM}/accessPackages/{package}/resourceRoleScopes"
    await made(world.client, at, role_scope("AadGroup", group, f"Owner_{group}"))
    added = await made(world.client, at, role_scope("AadApplication", application, approver))
    assert (added["role"]["displayName"], added["role"]["originId"]) == ("Approver", approver)
    by_id = {
        "role": {
            "originId": "5",
            "originSystem": "SharePointOnline",
            "resource": {"id": said["SharePointOnline"]["id"]},
        }
    }
    site = await made(world.client, at, by_id)
    assert (site["role"]["displayName"], site["scope"]["originId"]) == ("Sales Members", url)
    for system, origin, role in (("AadApplication", application, auditor), ("SharePointOnline", url, "9")):
        refused = await world.client.post(at, json=role_scope(system, origin, role))
        assert (refused.status_code, code(refused)) == (404, "RoleNotFound")
    other = await world.client.post(at, json=role_scope("AadApplication", str(uuid.uuid4()), approver))
    assert (other.status_code, code(other)) == (404, "ResourceNotFound")
    expand = {"$expand": "resourceRoleScopes($expand=role,scope)"}
    found = (await world.client.get(f"{EM}/accessPackages/{package}", params=expand)).json()["resourceRoleScopes"]
    assert [one["role"]["displayName"] for one in found] == ["Owner", "Approver", "Sales Members"]
    (fact,) = [one for one in await world.facts("catalog.packages") if one["subject"] == package][-1:]
    assert [(one["originSystem"], one["role"]) for one in fact["state"]["roles"]] == [
        ("AadGroup", "Owner"), ("AadApplication", approver), ("SharePointOnline", "5")
    ]  # fmt: skip

    kept = await world.client.post(
        f"{EM}/resourceRequests", json=resource(catalog, "AadApplication", application, take=True)
    )
    assert (kept.status_code, code(kept)) == (400, "InvalidDeleteResourceHasEntitlements"), "a package brings it"
    assert (await world.client.delete(f"{at}/{added['id']}")).status_code == 204
    await made(world.client, f"{EM}/resourceRequests", resource(catalog, "AadApplication", application, take=True))


@pytest.mark.spec("RES-1")
async def test_an_application_without_roles_has_default_access_and_none_that_is_gone(
    world: Any, directory: Directory
) -> None:
    catalog, application = await a_catalog(world), await directory.application()
    await made(world.client, f"{EM}/resourceRequests", resource(catalog, "AadApplication", application))
    body = {"displayName": "All", "catalog": {"id": catalog}}
    package = (await made(world.client, f"{EM}/accessPackages", body))["id"]
    at = f"{EM}/accessPackages/{package}/resourceRoleScopes"
    added = await made(world.client, at, role_scope("AadApplication", application, NO_ROLE))
    assert added["role"]["displayName"] == "Default Access"
    gone = await directory.application(there=False)
    refused = await world.client.post(f"{EM}/resourceRequests", json=resource(catalog, "AadApplication", gone))
    assert (refused.status_code, code(refused)) == (404, "ResourceNotFound")


@pytest.mark.spec("RES-2")
async def test_distribution_lists_libraries_and_applications_for_personal_accounts_come_into_no_catalog(
    world: Any, directory: Directory
) -> None:
    """Groups that another directory masters there are none: Tenure's own directory masters all of them."""
    catalog = await a_catalog(world)
    mails = await a_group(world, "Announcements", mailEnabled=True, securityEnabled=False)
    personal = await directory.application(audience="PersonalMicrosoftAccount")
    for system, origin in (("AadGroup", mails), ("AadApplication", personal)):
        refused = await world.client.post(f"{EM}/resourceRequests", json=resource(catalog, system, origin))
        assert (refused.status_code, refused.json()["error"]["target"]) == (400, "resource/originId")
    site = f"https://x.example/sites/{uuid.uuid4().hex[:6]}"
    await directory.site(site)
    library = await world.client.post(
        f"{EM}/resourceRequests", json=resource(catalog, "SharePointOnline", f"{site}/Shared Documents")
    )
    assert library.status_code == 404
    team = await a_group(world, "Team", mailEnabled=True, securityEnabled=False, groupTypes=["Unified"])
    await made(world.client, f"{EM}/resourceRequests", resource(catalog, "AadGroup", team))
    body = {"displayName": "By file", "catalog": {"id": catalog}, "roles": [{"originId": mails}]}
    change = {"op": "create", "kind": "package", "id": str(uuid.uuid4()), "body": body}
    applied = await world.client.post("/v1.0/tenure/catalog:apply", json={"managedBy": "f", "changes": [change]})
    assert "no catalog takes it" in applied.text


@pytest.mark.spec("RES-3")
async def test_of_a_group_that_a_rule_fills_only_the_ownership_can_be_handed_out(world: Any) -> None:
    catalog = await a_catalog(world)
    rule = {"groupTypes": ["DynamicMembership"], "membershipRule": 'user.department -eq "Sales"'}
    group = await a_group(world, "Sales by rule", **rule)
    await made(world.client, f"{EM}/resourceRequests", resource(catalog, "AadGroup", group))
    (said,) = (await world.client.get(f"{EM}/catalogs/{catalog}/resources", params={"$expand": "roles"})).json()[
        "value"
    ]
    assert [one["displayName"] for one in said["roles"]] == ["Owner"]
    package = (await made(world.client, f"{EM}/accessPackages", {"displayName": "P", "catalog": {"id": catalog}}))["id"]
    at = f"{EM}/accessPackages/{package}/resourceRoleScopes"
    refused = await world.client.post(at, json=role_scope("AadGroup", group, f"Member_{group}"))
    assert (refused.status_code, code(refused)) == (404, "RoleNotFound")
    await made(world.client, at, role_scope("AadGroup", group, f"Owner_{group}"))


async def test_a_resource_is_taken_as_it_is_now(world: Any, directory: Directory) -> None:
    """What was said of it until then is waited for, though something is known of it already."""
    catalog = await a_catalog(world)
    for number in range(5):
        first, second = (AppRole(id=str(uuid.uuid4()), display_name=name) for name in ("First", "Second"))
        application = await directory.application(first)
        await made(world.client, f"{EM}/resourceRequests", resource(catalog, "AadApplication", application))
        body = {"displayName": f"Package {number}", "catalog": {"id": catalog}}
        at = f"{EM}/accessPackages/{(await made(world.client, f'{EM}/accessPackages', body))['id']}/resourceRoleScopes"
        await directory.application(first, second, id=application, version=2)
        await made(world.client, at, role_scope("AadApplication", application, second.id))
        gone = resource(await a_catalog(world), "AadApplication", application)
        await directory.application(first, second, id=application, version=3, there=False)
        refused = await world.client.post(f"{EM}/resourceRequests", json=gone)
        assert (refused.status_code, code(refused)) == (404, "ResourceNotFound")


@pytest.mark.spec("RES-8")
async def test_a_package_brings_several_roles_of_one_application(world: Any, directory: Directory) -> None:
    roles = [AppRole(id=str(uuid.uuid4()), display_name=name) for name in ("Approver", "Author")]
    catalog, application = await a_catalog(world), await directory.application(*roles)
    await made(world.client, f"{EM}/resourceRequests", resource(catalog, "AadApplication", application))
    package = (await made(world.client, f"{EM}/accessPackages", {"displayName": "P", "catalog": {"id": catalog}}))["id"]
    at = f"{EM}/accessPackages/{package}/resourceRoleScopes"
    for role in roles:
        await made(world.client, at, role_scope("AadApplication", application, role.id))
    (fact,) = [one for one in await world.facts("catalog.packages") if one["subject"] == package][-1:]
    assert [one["role"] for one in fact["state"]["roles"]] == [role.id for role in roles]
