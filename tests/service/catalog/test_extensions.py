"""Custom extensions on real servers: kept by a catalog, named by its policies, gone with it."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx

EM = "/v1.0/identityGovernance/entitlementManagement"
REQUEST = "#microsoft.graph.accessPackageAssignmentRequestWorkflowExtension"
ENDING = "#microsoft.graph.accessPackageAssignmentWorkflowExtension"


def body(kind: str = REQUEST, name: str = "Tell the desk") -> dict[str, Any]:
    return {
        "@odata.type": kind,
        "displayName": name,
        "endpointConfiguration": {
            "@odata.type": "#microsoft.graph.logicAppTriggerEndpointConfiguration",
            "subscriptionId": "38ab2ccc-3747-4567-b36b-9478f5602f0d",
            "resourceGroupName": "desk",
            "logicAppWorkflowName": "tell",
            "url": "https://logic.example/desk?sig=secret",
        },
        "authenticationConfiguration": {"@odata.type": "#microsoft.graph.azureAdPopTokenAuthentication"},
    }


async def made(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> str:
    answer = await client.post(f"{EM}/{path}", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def a_catalog(client: httpx.AsyncClient) -> str:
    return await made(client, "catalogs", {"displayName": f"Catalog {uuid.uuid4()}"})


def policy(package: str, *named: tuple[str, str]) -> dict[str, Any]:
    settings = [{"stage": stage, "customExtension": {"id": id}} for stage, id in named]
    return {"displayName": "P", "accessPackage": {"id": package}, "customExtensionStageSettings": settings}


async def test_a_catalog_keeps_extensions(world: Any) -> None:
    client, catalog, other = world.client, await a_catalog(world.client), await a_catalog(world.client)
    at = f"catalogs/{catalog}/customWorkflowExtensions"
    first, second = await made(client, at, body()), await made(client, at, body(ENDING))
    listed = (await client.get(f"{EM}/{at}")).json()["value"]
    assert {one["id"]: one["@odata.type"] for one in listed} == {first: REQUEST, second: ENDING}
    put = await client.put(f"{EM}/{at}/{first}", json={"@odata.type": REQUEST, "displayName": "Ask the desk"})
    assert put.status_code == 200
    found = (await client.get(f"{EM}/{at}/{first}")).json()
    assert found["displayName"] == put.json()["displayName"] == "Ask the desk"
    assert found["endpointConfiguration"] == body()["endpointConfiguration"]
    assert (await client.get(f"{EM}/catalogs/{other}/customWorkflowExtensions/{first}")).status_code == 404
    expanded = (await client.get(f"{EM}/catalogs/{catalog}?$expand=customWorkflowExtensions")).json()
    assert {one["id"] for one in expanded["customWorkflowExtensions"]} == {first, second}
    named = "$filter=displayName eq 'Ask the desk'&$select=id"
    assert [one["id"] for one in (await client.get(f"{EM}/{at}?{named}")).json()["value"]] == [first]
    assert (await client.delete(f"{EM}/{at}/{second}")).status_code == 204
    assert (await client.get(f"{EM}/{at}/{second}")).status_code == 404
    facts = await world.facts("catalog.extensions")
    assert {fact["subject"] for fact in facts} >= {first, second}
    assert "secret" not in str(facts)
    # What lies in a catalog goes with it.
    assert (await client.delete(f"{EM}/catalogs/{catalog}")).status_code == 204
    for _ in range(200):
        if await world_has_no(world, first):
            break
        await asyncio.sleep(0.05)
    assert await world_has_no(world, first)


async def world_has_no(world: Any, extension: str) -> bool:
    facts = await world.facts("catalog.extensions")
    return any(fact["subject"] == extension and fact["state"]["life"] == "deleted" for fact in facts)


async def test_policies_name_extensions_of_their_catalog_by_stage(world: Any) -> None:
    client, catalog, other = world.client, await a_catalog(world.client), await a_catalog(world.client)
    at = f"catalogs/{catalog}/customWorkflowExtensions"
    asked, ending = await made(client, at, body()), await made(client, at, body(ENDING))
    foreign = await made(client, f"catalogs/{other}/customWorkflowExtensions", body())
    package = await made(client, "accessPackages", {"displayName": "Sales", "catalog": {"id": catalog}})

    async def refused(stage: str, extension: str) -> str:
        answer = await client.post(f"{EM}/assignmentPolicies", json=policy(package, (stage, extension)))
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"]["target"])

    settings = "customExtensionStageSettings/0"
    assert await refused("assignmentRequestCreated", foreign) == f"{settings}/customExtension/id"
    assert await refused("assignmentRequestCreated", str(uuid.uuid4())) == f"{settings}/customExtension/id"
    assert await refused("assignmentRequestCreated", ending) == f"{settings}/stage"
    assert await refused("assignmentOneDayBeforeExpiration", asked) == f"{settings}/stage"
    both = [("assignmentRequestGranted", asked), ("assignmentFourteenDaysBeforeExpiration", ending)]
    id = await made(client, "assignmentPolicies", policy(package, *both))
    expand = "$expand=customExtensionStageSettings($expand=customExtension)"
    found = (await client.get(f"{EM}/assignmentPolicies/{id}?{expand}")).json()["customExtensionStageSettings"]
    assert [(one["stage"], one["customExtension"]["displayName"]) for one in found] == [
        ("assignmentRequestGranted", "Tell the desk"),
        ("assignmentFourteenDaysBeforeExpiration", "Tell the desk"),
    ]
    assert {one["@tenure.isCalled"] for one in found} == {False}
    # What a policy names stays, until it names it no more.
    needed = await client.delete(f"{EM}/{at}/{asked}")
    assert (needed.status_code, needed.json()["error"]["code"]) == (409, "InUse")
    assert (await client.put(f"{EM}/assignmentPolicies/{id}", json=policy(package, both[1]))).status_code == 200
    assert (await client.delete(f"{EM}/{at}/{asked}")).status_code == 204


async def test_a_file_that_says_nothing_of_extensions_leaves_them_as_they_are(world: Any) -> None:
    client, catalog = world.client, await a_catalog(world.client)
    extension = await made(client, f"catalogs/{catalog}/customWorkflowExtensions", body())
    package = await made(client, "accessPackages", {"displayName": "Sales", "catalog": {"id": catalog}})
    id = await made(client, "assignmentPolicies", policy(package, ("assignmentRequestCreated", extension)))
    changed = {"displayName": "Q", "accessPackage": {"id": package}}

    async def applied(body: dict[str, Any]) -> dict[str, Any]:
        changes = [{"op": "update", "kind": "policy", "id": id, "body": body}]
        answer = await client.post("/v1.0/tenure/catalog:apply", json={"managedBy": "file", "changes": changes})
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["results"][0])

    assert (await applied(changed))["status"] == "done"
    found = (await client.get(f"{EM}/assignmentPolicies/{id}")).json()
    assert found["displayName"] == "Q"
    assert [one["customExtension"]["id"] for one in found["customExtensionStageSettings"]] == [extension]
    assert (await applied(policy(package)))["status"] == "done"
    assert (await client.get(f"{EM}/assignmentPolicies/{id}")).json()["customExtensionStageSettings"] == []
    named = policy(package, ("assignmentRequestCreated", extension))
    assert (await applied(named))["status"] == "done"
    elsewhere = await made(client, f"catalogs/{await a_catalog(client)}/customWorkflowExtensions", body())
    refused = await applied(policy(package, ("assignmentRequestCreated", elsewhere)))
    assert refused["error"]["target"] == "customExtensionStageSettings/0/customExtension/id"
