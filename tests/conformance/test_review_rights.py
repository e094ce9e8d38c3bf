"""Who may define, see and stop reviews: administrators all; who keeps a catalog, those of its packages; nobody else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from deploy.embedded import Servers
from shared.security.operations import AR, EM, RM
from shared.security.permissions import DIRECTORY_ROLES
from shared.security.roles import CatalogRole, scope_of
from tests.conformance.ground import running
from tests.conformance.making import Asks, Makes

AT = f"{AR}/definitions"
NOWHERE = "0b0b0b0b-0000-4000-8000-000000000000"


def review_of(package: str, reviewer: str) -> dict[str, Any]:
    path = f"{EM.removeprefix('/v1.0')}/accessPackageAssignments?$filter=(accessPackageId eq '{package}')"
    return {
        "displayName": "Who still needs it?",
        "scope": {"query": path, "queryType": "MicrosoftGraph"},
        "reviewers": [{"query": f"/users/{reviewer}", "queryType": "MicrosoftGraph"}],
        "settings": {"instanceDurationInDays": 7},
    }


@pytest.mark.spec("REV-1")
async def test_package_managers_review_the_packages_of_their_catalog_and_no_others(servers: Servers) -> None:
    async with running(servers.endpoints) as client:

        async def send(who: str | None, method: str, path: str, body: Any = None) -> httpx.Response:
            return await client.request(method, path, json=body, headers=client.callers.person(who) if who else None)

        makes = Makes(Asks(client))
        makes.asks.admin = await makes.user({})
        manager, reader, both = await makes.user({}), await makes.user({}), await makes.user({})
        mine, other = await makes.catalog({}), await makes.catalog({})
        package, foreign = await makes.package({}, mine), await makes.package({}, other)
        for role, principal, catalog in (
            (CatalogRole.PACKAGE_MANAGER, manager, mine),
            (CatalogRole.READER, reader, mine),
            (CatalogRole.OWNER, both, mine),
        ):
            given = {"principalId": principal, "roleDefinitionId": role.value, "appScopeId": scope_of(catalog)}
            path = f"{RM}/entitlementManagement/roleAssignments"
            assert (await send(None, "POST", path, given)).is_success

        made = await send(manager, "POST", AT, review_of(package, both))
        assert made.status_code == 201, made.text
        theirs = made.json()["id"]
        hers = (await send(None, "POST", AT, review_of(foreign, both))).json()["id"]
        group = await makes.group({})
        of_group = review_of(package, both) | {"scope": {"query": f"/groups/{group}/transitiveMembers"}}
        for who, body in ((manager, review_of(foreign, both)), (manager, of_group), (reader, review_of(package, both))):
            assert (await send(who, "POST", AT, body)).status_code == 403

        assert (await send(both, "GET", f"{AT}/{theirs}")).status_code == 200, "another keeper of the same catalog"
        assert [one["id"] for one in (await send(both, "GET", AT)).json()["value"]] == [theirs]
        assert (await send(manager, "GET", f"{AT}/{hers}")).status_code == 403
        # Reviewing something elsewhere lets nobody administer it.
        assert (await send(both, "POST", f"{AT}/{hers}/stop")).status_code == 403
        assert (await send(manager, "PUT", f"{AT}/{theirs}", review_of(foreign, both))).status_code == 403
        assert (await send(reader, "DELETE", f"{AT}/{theirs}")).status_code == 403
        assert (await send(both, "DELETE", f"{AT}/{theirs}")).status_code == 204


async def test_a_review_of_what_is_not_there_says_so_and_whoever_was_only_just_made_is_named(servers: Servers) -> None:
    async with running(servers.endpoints) as client:
        makes = Makes(Asks(client))
        makes.asks.admin = await makes.user({})
        group = await makes.group({})
        nothing = {"scope": {"query": f"/groups/{NOWHERE}/transitiveMembers"}}
        id = (await client.post(AT, json=review_of("0", makes.asks.admin) | nothing)).json()["id"]

        async def said() -> Any:
            runs = (await client.get(f"{AT}/{id}/instances")).json()["value"]
            return runs and runs[0]["@tenure.refused"]

        assert await makes.asks.until("the run says that there is nothing to review", said)
        body = review_of("0", makes.asks.admin) | {"scope": {"query": f"/groups/{group}/transitiveMembers"}}
        maker = await makes.user({"displayName": "Only Just"})
        made = await client.post(AT, json=body, headers=client.callers.person(maker, "User Administrator"))
        assert made.json()["createdBy"]["displayName"] == "Only Just"
        await client.delete(f"/v1.0/groups/{group}")
        again = body | {"displayName": "The same, of a group that is gone since"}
        assert (await client.put(f"{AT}/{made.json()['id']}", json=again)).status_code == 204


@pytest.mark.spec("REV-1")
async def test_reviews_of_roles_are_led_by_those_whom_the_documents_name(servers: Servers) -> None:
    async with running(servers.endpoints) as client:
        makes = Makes(Asks(client))
        makes.asks.admin = await makes.user({})
        people: dict[str, str] = {}
        for role in ("User Administrator", "Privileged Role Administrator", "Identity Governance Administrator"):
            people[role] = await makes.user({})
            given = {"principalId": people[role], "roleDefinitionId": DIRECTORY_ROLES[role], "directoryScopeId": "/"}
            assert (await client.post(f"{RM}/directory/roleAssignments", json=given)).status_code == 201
        power = {"displayName": "Power", "mailNickname": "power", "mailEnabled": False, "securityEnabled": True}
        gives = (await client.post("/v1.0/groups", json={**power, "isAssignableToRole": True})).json()["id"]
        plain = (await client.post("/v1.0/groups", json=power)).json()["id"]

        async def define(who: str, query: str) -> httpx.Response:
            body = review_of("0", people[who]) | {"scope": {"query": query, "queryType": "MicrosoftGraph"}}
            return await client.post(AT, json=body, headers=client.callers.person(people[who]))

        readers = f"/roleManagement/directory/roleDefinitions/{DIRECTORY_ROLES['Global Reader']}"
        keepers = f"/roleManagement/entitlementManagement/roleDefinitions/{CatalogRole.OWNER.value}"
        user, privileged, governance = people
        for query, may in (
            (f"/groups/{plain}/transitiveMembers", {user, governance}),
            (f"/groups/{gives}/transitiveMembers", {privileged}),
            (readers, {privileged, governance}),
            (keepers, {governance}),
        ):
            found = {who: (await define(who, query)).status_code for who in people}
            assert found == {who: 201 if who in may else 403 for who in people}, query
        theirs = (await define(privileged, readers)).json()["id"]
        stopped = await client.post(f"{AT}/{theirs}/stop", headers=client.callers.person(people[user]))
        assert stopped.status_code == 403, "nor led by anybody else"

        # Of directory roles the documents name other readers than of groups and applications.
        plainly = (await define(user, f"/groups/{plain}/transitiveMembers")).json()["id"]
        for who, sees in ((user, False), (privileged, True), (governance, True)):
            headers = client.callers.person(people[who])
            for path in (f"{AT}/{theirs}", f"{AT}/{theirs}/instances"):
                assert (await client.get(path, headers=headers)).status_code == (200 if sees else 403), (who, path)
            listed = {one["id"] for one in (await client.get(f"{AT}?$top=100", headers=headers)).json()["value"]}
            assert listed >= {plainly}, who
            assert (theirs in listed) is sees, who
