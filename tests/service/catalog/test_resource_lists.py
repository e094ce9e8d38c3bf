"""What hangs on the resources of catalogs: roles, scopes, requests, environments."""

from typing import Any

from tests.service.assignment.conftest import until

from .saying import Directory
from .test_over_http import EM, a_catalog, a_group, made


async def asked(world: Any, path: str) -> list[dict[str, Any]]:
    answer = await world.client.get(f"{EM}/{path}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["value"])


async def a_resource(world: Any, catalog: str, system: str, origin: str) -> dict[str, Any]:
    body = {
        "requestType": "adminAdd",
        "catalog": {"id": catalog},
        "resource": {"originId": origin, "originSystem": system},
    }
    request = await made(world.client, f"{EM}/resourceRequests", body)
    (found,) = await asked(world, f"catalogs/{catalog}/resources?$filter=originId eq '{origin}'")
    return {**found, "request": request["id"]}


async def test_roles_of_a_catalog_are_asked_as_the_page_about_them_shows(world: Any, directory: Directory) -> None:
    catalog = await a_catalog(world)
    group = await a_resource(world, catalog, "AadGroup", await a_group(world, "Sellers"))
    application = await a_resource(world, catalog, "AadApplication", await directory.application())
    base = f"catalogs/{catalog}/resourceRoles"

    assert sorted(one["displayName"] for one in await asked(world, base)) == ["Default Access", "Member", "Owner"]
    of_group = f"originSystem eq 'AadGroup' and resource/id eq '{group['id']}'"
    member, owner = await asked(world, f"{base}?$filter=({of_group})&$expand=resource")
    assert (member["displayName"], owner["displayName"]) == ("Member", "Owner")
    assert member["originId"] == f"Member_{group['originId']}"
    assert member["resource"]["id"] == group["id"]
    only = await asked(world, f"{base}?$filter={of_group} and displayName eq 'owner'")
    assert only == [{name: value for name, value in owner.items() if name != "resource"}]
    first = await world.client.get(f"{EM}/{base}?$top=2&$count=true")
    rest = await world.client.get(first.json()["@odata.nextLink"])
    assert first.json()["@odata.count"] == 3
    assert len(first.json()["value"] + rest.json()["value"]) == 3
    assert [one["displayName"] for one in await asked(world, f"resources/{application['id']}/roles")] == [
        "Default Access"
    ]
    (scope,) = await asked(world, f"catalogs/{catalog}/resources/{group['id']}/scopes?$filter=isRootScope eq true")
    assert (scope["isRootScope"], scope["originId"]) == (True, group["originId"])
    assert (await world.client.get(f"{EM}/{base}?$filter=colour eq 'red'")).status_code == 400
    assert (await world.client.get(f"{EM}/catalogs/nowhere/resourceRoles")).status_code == 404


async def test_what_packages_bring_is_listed_once_however_many_bring_it(world: Any) -> None:
    catalog = await a_catalog(world)
    resource = await a_resource(world, catalog, "AadGroup", group := await a_group(world, "Sellers"))
    role = {"role": {"originId": f"Member_{group}", "originSystem": "AadGroup"}, "scope": {"originId": group}}
    for name in ("First", "Second"):
        package = await made(
            world.client, f"{EM}/accessPackages", {"displayName": name, "catalog": {"id": catalog}, "isHidden": False}
        )
        brought = await made(world.client, f"{EM}/accessPackages/{package['id']}/resourceRoleScopes", role)
    every = [one["id"] for one in await asked(world, "resourceRoleScopes")]
    assert every.count(brought["id"]) == 1
    (one,) = await asked(world, f"resourceRoleScopes?$filter=id eq '{brought['id']}'&$expand=role($expand=resource)")
    assert (one["role"]["originId"], one["role"]["resource"]["id"]) == (f"Member_{group}", resource["id"])
    at = f"{EM}/resourceRoleScopes"
    assert (await world.client.get(f"{at}/$count")).text == str(len(every))
    assert (await world.client.get(f"{at}('{brought['id']}')")).json()["id"] == brought["id"]
    assert (await world.client.get(f"{at}/{brought['id']}/role/resource")).json()["id"] == resource["id"]
    assert (await world.client.get(f"{at}/{brought['id']}/scope")).json()["isRootScope"] is True
    assert (await world.client.get(f"{at}?$filter=colour eq 'red'")).status_code == 400


async def test_how_a_resource_came_and_went_can_be_read(world: Any) -> None:
    catalog = await a_catalog(world)
    resource = await a_resource(world, catalog, "AadGroup", await a_group(world, "Sellers"))
    path = f"resourceRequests?$filter=catalog/id eq '{catalog}'&$expand=resource,catalog"
    (came,) = await asked(world, path)
    assert (came["id"], came["requestType"], came["state"]) == (resource["request"], "adminAdd", "delivered")
    assert (came["resource"]["id"], came["catalog"]["id"]) == (resource["id"], catalog)
    at = f"{EM}/resourceRequests/{came['id']}"
    one = (await world.client.get(f"{at}?$expand=resource")).json()
    assert one["resource"]["originId"] == resource["originId"]
    assert "resource" not in (await world.client.get(at)).json()
    deep = f"{at}?$expand=resource($expand=roles($expand=resource),scopes),catalog($expand=resources)"
    whole = (await world.client.get(deep)).json()
    assert [one["displayName"] for one in whole["resource"]["roles"]] == ["Member", "Owner"]
    assert whole["resource"]["roles"][0]["resource"]["id"] == resource["id"]
    assert [one["id"] for one in whole["catalog"]["resources"]] == [resource["id"]]
    role = whole["resource"]["roles"][0]["id"]
    for path_of_role in (f"{at}/resource/roles/{role}", f"{EM}/catalogs/{catalog}/resourceRoles/{role}"):
        assert (await world.client.get(path_of_role)).json()["displayName"] == "Member"
        found = (await world.client.get(f"{path_of_role}/resource/scopes")).json()["value"]
        assert [one["originId"] for one in found] == [resource["originId"]]

    body = {"requestType": "adminRemove", "catalog": {"id": catalog}, "resource": {"id": resource["id"]}}
    went = await made(world.client, f"{EM}/resourceRequests", body)
    kinds = {one["requestType"]: one["id"] for one in await asked(world, path)}
    assert kinds == {"adminAdd": came["id"], "adminRemove": went["id"]}


async def test_a_resource_takes_its_name_anew_from_where_it_comes_from(world: Any, directory: Directory) -> None:
    catalog = await a_catalog(world)
    application = await directory.application()
    resource = await a_resource(world, catalog, "AadApplication", application)
    await directory.application(id=application, version=2, name="Expenses 2")
    for path in (
        f"catalogs/{catalog}/resources/{resource['id']}/refresh",
        f"accessPackageCatalogs/{catalog}/accessPackageResources/{resource['id']}/refresh",
    ):
        answer = await world.client.post(f"{EM}/{path}")
        assert (answer.status_code, answer.content) == (200, b"")

    async def renamed() -> Any:
        # Until catalog has heard of the new name there is nothing to take anew.
        await world.client.post(f"{EM}/{path}")
        found = await world.client.get(f"{EM}/catalogs/{catalog}/resources/{resource['id']}")
        return found if found.json()["displayName"] == "Expenses 2" else None

    seen = await until(renamed, "the resource has its new name")
    assert seen.json() == (await world.client.get(f"{EM}/resources/{resource['id']}")).json()


async def test_environments_are_where_sites_lie(world: Any, directory: Directory) -> None:
    await directory.site("https://north.example.com/sites/one")
    await directory.site("https://east.example.com/sites/two")
    assert (await world.client.get(f"{EM}/resourceEnvironments")).status_code == 400

    async def both() -> list[Any] | None:
        found = await asked(world, "resourceEnvironments?$filter=originSystem eq 'SharePointOnline'")
        said = {one["originId"] for one in found}
        return found if {"https://north.example.com", "https://east.example.com"} <= said else None

    found = await until(both, "both environments are known")
    assert [one["isDefaultEnvironment"] for one in found].count(True) == 1
    assert {one["createdDateTime"] for one in found} == {None}, "said, though nobody has noted it"
