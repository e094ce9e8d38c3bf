"""Applications, sites, owners and directory roles on real Kafka and MongoDB: Graph's pages, commands, answers."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.embedded import Servers
from services.directory.service import assemble
from services.directory.store import person_id_of
from shared.clock import TurnableClock
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.resources import OWNER, HeldRoleWish, RoleAt, RoleSystem, SetHeldRoles
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from tests.waiting import PATIENCE_S, until

APPROVER, AUDITOR = str(uuid.uuid4()), str(uuid.uuid4())
READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
ANA, BOB = person_id_of("hr", "E1"), person_id_of("hr", "E2")


class World:
    """The service under test, with two people in it, and provisioning as the test plays it."""

    def __init__(self, host: Host, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> None:
        self._settings, self._producer, self._consumer = host.settings, producer, consumer
        app = make_app("directory", host.services["directory"].routers)
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int = 200,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        answer = await self._http.request(method, f"/v1.0{path}", json=body, params=params, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> int:
        """The status, whatever it is."""
        return (await self._http.request(method, f"/v1.0{path}", json=body, headers=headers)).status_code

    async def ids(self, path: str, **options: str) -> list[str]:
        found = await self.ask("GET", path, params={f"${name}": value for name, value in options.items()})
        return [one["id"] for one in found["value"]]

    async def hire(self, *employees: str) -> None:
        for id in employees:
            attributes = {"displayName": f"Person {id}", "userPrincipalName": f"{id}@x.example"}
            body = {"changeId": id, "employeeId": id, "kind": "joined", "effectiveAt": "2020-01-01"}
            value = orjson.dumps(body | {"attributes": attributes})
            await self._producer.send_and_wait(self._settings.topic(topics.HR_CHANGES.name), value, key=id.encode())

        async def are_there() -> bool:
            return len(await self.ids("/users")) >= len(employees)

        await until(are_there, "all are hired")

    async def obeyed(self, person: str, role: RoleAt, version: int, *, held: bool) -> dict[str, Any]:
        """Provisioning asks; returns the fact that answers."""
        id = f"{person}:{role.key}:{version}"
        wish = HeldRoleWish(**role.model_dump(by_alias=False), id=id, held=held, grant_version=version)
        cause = Cause(id="c", correlation="c", actor="system:provisioning")
        command = SetHeldRoles(id=id, cause=cause, person_id=person, wishes=(wish,))
        topic = self._settings.topic(topics.HELD_ROLE_COMMANDS.name)
        await self._producer.send_and_wait(topic, command.json_bytes(), key=person.encode())
        async with asyncio.timeout(PATIENCE_S):
            async for record in self._consumer:
                fact: dict[str, Any] = orjson.loads(record.value)
                if any(one.get("commandId") == id for one in fact["transitions"]):
                    return fact
        raise AssertionError("the topic ended")


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    settings = Settings(
        kafka=servers.endpoints.kafka,
        mongo=servers.endpoints.mongo,
        namespace=f"res{uuid.uuid4().hex[:8]}",
        partitions=2,
    )
    host = Host(settings, {"directory": assemble}, TurnableClock(datetime(2026, 3, 1, 9, tzinfo=UTC)))
    await create_topics(settings, groups_of(list(host.services.values())))
    async with (
        host,
        AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer,
        AIOKafkaConsumer(
            settings.topic(topics.HELD_ROLE_FACTS.name),
            bootstrap_servers=settings.kafka,
            auto_offset_reset="earliest",
        ) as consumer,
    ):
        world = World(host, producer, consumer)
        await world.hire("E1", "E2")
        yield world


def app_role(id: str, name: str, *, enabled: bool = True) -> dict[str, Any]:
    return {
        "id": id, "displayName": name, "value": name.lower(), "description": name, "isEnabled": enabled,
        "allowedMemberTypes": ["User"],
    }  # fmt: skip


async def application(world: World) -> tuple[str, str]:
    """Ids of an application and its service principal."""
    roles = [app_role(APPROVER, "Approver"), app_role(AUDITOR, "Auditor", enabled=False)]
    registered = await world.ask("POST", "/applications", {"displayName": "Expenses", "appRoles": roles}, status=201)
    principal = await world.ask("POST", "/servicePrincipals", {"appId": registered["appId"]}, status=201)
    assert [role["id"] for role in principal["appRoles"]] == [APPROVER, AUDITOR]
    return registered["id"], principal["id"]


async def test_an_application_and_its_service_principal_are_one_record_with_two_faces(world: World) -> None:
    registered, principal = await application(world)
    other = await world.ask("POST", "/servicePrincipals", {"appId": str(uuid.uuid4())}, status=201)
    await world.ask("POST", "/servicePrincipals", {"appId": other["appId"]}, status=409)
    assert await world.ids("/applications") == [registered]
    assert set(await world.ids("/servicePrincipals")) == {principal, other["id"]}
    found = await world.ids("/servicePrincipals", filter="appRoles/any(r:r/value eq 'Approver')", count="true")
    assert found == [principal]
    assert await world.ids("/servicePrincipals", search='"displayName:expen"') == [principal]
    await world.ask("PATCH", f"/applications/{registered}", {"displayName": "Costs", "tags": ["x"]}, status=204)
    shown = await world.ask("GET", f"/servicePrincipals/{principal}", params={"$select": "displayName,tags"})
    assert {name: value for name, value in shown.items() if "@" not in name} == {"displayName": "Costs", "tags": ["x"]}
    refused = await world.ask("PATCH", f"/applications/{registered}", {"appRoles": []}, status=400)
    assert refused["error"]["code"] == "CannotDeleteOrUpdateEnabledEntitlement"
    await world.ask("PATCH", f"/applications/{registered}", {"displyName": "x"}, status=400)
    await world.ask("DELETE", f"/applications/{registered}", status=204)
    await world.ask("GET", f"/servicePrincipals/{principal}", status=404)
    await world.ask("GET", f"/applications/{registered}", status=404)


async def test_app_roles_are_given_and_taken_by_hand_and_listed_from_both_sides(world: World) -> None:
    _, principal = await application(world)
    to = f"/servicePrincipals/{principal}/appRoleAssignedTo"
    body = {"principalId": ANA, "resourceId": principal, "appRoleId": APPROVER}
    given = await world.ask("POST", to, body, status=201)
    assert (given["principalDisplayName"], given["resourceDisplayName"]) == ("Person E1", "Expenses")
    assert (await world.ask("POST", to, body, status=400))["error"]["code"] == "Request_BadRequest"
    await world.ask("POST", to, body | {"appRoleId": AUDITOR}, status=400)
    await world.ask("POST", to, body | {"principalId": str(uuid.uuid4())}, status=404)
    of = f"/users/{BOB}/appRoleAssignments"
    bobs = await world.ask("POST", of, body | {"principalId": BOB}, status=201)
    await world.ask("POST", of, body, status=400)
    assert set(await world.ids(to)) == {given["id"], bobs["id"]}
    assert await world.ids(to, filter=f"principalId eq '{BOB}'", count="true") == [bobs["id"]]
    first = await world.ask("GET", to, params={"$top": "1", "$count": "true"})
    assert first["@odata.count"] == 2
    second = await world._http.get(first["@odata.nextLink"])
    assert {one["id"] for one in [*first["value"], *second.json()["value"]]} == {given["id"], bobs["id"]}
    assert await world.ids(of) == [bobs["id"]]
    bob = await world.ask("GET", f"/users/{BOB}?$select=imAddresses&$expand=appRoleAssignments($select=id,resourceId)")
    assert (bob["imAddresses"], [one["id"] for one in bob["appRoleAssignments"]]) == ([], [bobs["id"]])
    assert (await world.ask("GET", f"{of}/{bobs['id']}"))["appRoleId"] == APPROVER
    await world.ask("GET", f"{of}/{given['id']}", status=404)
    await world.ask("DELETE", f"{of}/{bobs['id']}", status=204)
    await world.ask("DELETE", f"{of}/{bobs['id']}", status=404)
    await world.ask("DELETE", f"{to}/{given['id']}", status=204)
    assert await world.ids(to) == []


async def test_provisioning_is_answered_and_leaves_what_hands_gave(world: World) -> None:
    _, principal = await application(world)
    to = f"/servicePrincipals/{principal}/appRoleAssignedTo"
    role = RoleAt(origin_system=RoleSystem.APPLICATION, origin_id=principal, role=APPROVER)
    fact = await world.obeyed(BOB, role, 1, held=True)
    assert [one["type"] for one in fact["transitions"]] == ["RoleGiven", "RoleObeyed"]
    assert (fact["state"]["roles"][0]["byGrant"], fact["subject"]) == (True, BOB)
    (bobs,) = (await world.ask("GET", to))["value"]
    assert (bobs["principalId"], bobs["appRoleId"]) == (BOB, APPROVER)
    await world.ask("POST", to, {"principalId": ANA, "resourceId": principal, "appRoleId": APPROVER}, status=201)
    for person in (ANA, BOB):
        await world.obeyed(person, role, 2, held=True)
        await world.obeyed(person, role, 3, held=False)
        late = await world.obeyed(person, role, 1, held=True)
        assert late["transitions"][0]["already"]
    assert [one["principalId"] for one in (await world.ask("GET", to))["value"]] == [ANA], "given by hand, so it stays"
    refused = await world.obeyed(BOB, role.model_copy(update={"role": AUDITOR}), 1, held=True)
    assert refused["transitions"][0]["reason"]["code"] == "unknownRole"


async def test_sites_are_made_known_and_their_roles_given(world: World) -> None:
    url = "https://x.example/sites/Sales"
    site = await world.ask("POST", "/tenure/sites", {"displayName": "Sales", "webUrl": url}, status=201)
    assert [role["id"] for role in site["roles"]] == ["3", "4", "5"]
    await world.ask("POST", "/tenure/sites", {"displayName": "S", "webUrl": f"{url.lower()}/"}, status=409)
    await world.ask("POST", "/tenure/sites", {"displayName": "S", "webUrl": "ftp://x"}, status=400)
    assert (await world.ask("GET", "/sites", params={"search": "sal"}))["value"][0]["webUrl"] == url
    assert (await world.ask("GET", "/sites", params={"search": "("}))["value"] == []
    path = f"/tenure/sites/{site['id']}"
    given = await world.ask("POST", f"{path}/assignments", {"principalId": ANA, "roleId": "5"}, status=201)
    assert given["roleDisplayName"] == "Sales Members"
    await world.ask("POST", f"{path}/assignments", {"principalId": ANA, "roleId": "9"}, status=400)
    await world.obeyed(BOB, RoleAt(origin_system=RoleSystem.SITE, origin_id=url, role="4"), 1, held=True)
    assert {one["roleId"] for one in (await world.ask("GET", f"{path}/assignments"))["value"]} == {"4", "5"}
    await world.ask("DELETE", f"{path}/assignments/{given['id']}", status=204)
    await world.ask("PATCH", path, {"displayName": "Selling"}, status=204)
    assert (await world.ask("GET", f"/sites/{site['id']}"))["displayName"] == "Selling"
    await world.ask("DELETE", path, status=204)
    await world.ask("GET", f"/sites/{site['id']}", status=404)


async def test_owners_of_groups_and_applications(world: World) -> None:
    group = (await world.ask("POST", "/groups", {"displayName": "Ops"}, status=201))["id"]
    registered, principal = await application(world)
    reference = {"@odata.id": f"https://graph.example/v1.0/directoryObjects/{ANA}"}
    for thing in (f"/groups/{group}", f"/applications/{registered}", f"/servicePrincipals/{principal}"):
        assert await world.ids(f"{thing}/owners") == []
        await world.ask("POST", f"{thing}/owners/$ref", reference, status=204)
        await world.ask("POST", f"{thing}/owners/$ref", reference, status=400)
        assert await world.ids(f"{thing}/owners", filter="startswith(displayName,'Person')") == [ANA]
    assert await world.ids(f"/servicePrincipals/{principal}/appRoleAssignedTo") == [], "an owner has no app role"
    shown = await world.ask("GET", f"/applications/{registered}", params={"$expand": "owners($select=id)"})
    assert [one["id"] for one in shown["owners"]] == [ANA]
    last = await world.ask("DELETE", f"/groups/{group}/owners/{ANA}/$ref", status=400)
    assert "at least one owner" in last["error"]["message"]
    await world.ask("DELETE", f"/applications/{registered}/owners/{ANA}/$ref", status=204)
    owning = RoleAt(origin_system=RoleSystem.GROUP, origin_id=group, role=OWNER)
    await world.obeyed(BOB, owning, 1, held=True)
    assert set(await world.ids(f"/groups/{group}/owners")) == {ANA, BOB}
    await world.ask("DELETE", f"/groups/{group}/owners/{ANA}/$ref", status=204)


async def test_directory_roles_are_listed_given_and_taken(world: World) -> None:
    at = "/roleManagement/directory"
    names = [one["displayName"] for one in (await world.ask("GET", f"{at}/roleDefinitions"))["value"]]
    assert {"Global Administrator", "Global Reader", "Identity Governance Administrator"} <= set(names)
    found = await world.ids(f"{at}/roleDefinitions", filter="displayName eq 'global reader'")
    assert found == [READER]
    assert (await world.ask("GET", f"{at}/roleDefinitions/{READER}"))["isBuiltIn"]
    body = {"principalId": ANA, "roleDefinitionId": READER, "directoryScopeId": "/"}
    made = await world.ask("POST", f"{at}/roleAssignments", body, status=201)
    await world.ask("POST", f"{at}/roleAssignments", body, status=400)
    await world.ask("POST", f"{at}/roleAssignments", body | {"roleDefinitionId": str(uuid.uuid4())}, status=400)
    await world.ask("POST", f"{at}/roleAssignments", body | {"directoryScopeId": "/x"}, status=404)
    _, principal = await application(world)
    group = await world.ask("POST", "/groups", {"displayName": "Sales"}, status=201)
    for other in (group["id"], principal):
        refused = await world.ask("POST", f"{at}/roleAssignments", body | {"principalId": other}, status=400)
        assert refused["error"]["target"] == "principalId"
    await world.ask("POST", f"{at}/roleAssignments", body | {"directoryScopeId": "x y"}, status=400)
    options = {"$filter": f"principalId eq '{ANA}'", "$expand": "principal($select=id),roleDefinition"}
    (one,) = (await world.ask("GET", f"{at}/roleAssignments", params=options))["value"]
    assert (one["principal"]["id"], one["roleDefinition"]["displayName"]) == (ANA, "Global Reader")
    assert await world.ids(f"{at}/roleAssignments", filter=f"roleDefinitionId eq '{AUDITOR}'") == []
    await world.ask("DELETE", f"{at}/roleAssignments/{made['id']}", status=204)
    await world.ask("GET", f"{at}/roleAssignments/{made['id']}", status=404)


async def test_an_ordinary_person_reads_and_writes_nothing(world: World) -> None:
    registered, _ = await application(world)
    ordinary = {"Tenure-Actor": f"person:{ANA}"}
    await world.ask("GET", f"/applications/{registered}", headers=ordinary)
    itself = {"principalId": ANA, "roleDefinitionId": READER}
    refused = await world.ask("POST", "/roleManagement/directory/roleAssignments", itself, status=403, headers=ordinary)
    assert refused["error"]["code"] == "Authorization_RequestDenied"
    await world.ask("DELETE", f"/applications/{registered}", status=403, headers=ordinary)
    assigner = ordinary | {"Tenure-Roles": "Privileged Role Administrator"}
    await world.ask("POST", "/roleManagement/directory/roleAssignments", itself, status=201, headers=assigner)
    await world.ask("DELETE", f"/applications/{registered}", status=403, headers=assigner)


async def test_directory_objects_are_found_by_id_whatever_they_are(world: World) -> None:
    group = (await world.ask("POST", "/groups", {"displayName": "Ops"}, status=201))["id"]
    mail = {"displayName": "News", "securityEnabled": False, "mailEnabled": True, "groupTypes": ["Unified"]}
    news = (await world.ask("POST", "/groups", mail, status=201))["id"]
    registered, principal = await application(world)
    ids = [principal, group, ANA.upper(), str(uuid.uuid4()), registered]

    async def kinds(*types: str) -> list[str]:
        found = await world.ask("POST", "/directoryObjects/getByIds", {"ids": ids, "types": types})
        return [one["@odata.type"].removeprefix("#microsoft.graph.") for one in found["value"]]

    assert await kinds() == ["servicePrincipal", "group", "user", "application"]
    assert await kinds("user", "group") == ["group", "user"]
    assert await kinds("device") == []
    await world.ask("POST", "/directoryObjects/getByIds", {"ids": ["x"] * 1001}, status=400)
    assert (await world.ask("GET", f"/directoryObjects/{group}"))["@odata.type"] == "#microsoft.graph.group"
    await world.ask("GET", f"/directoryObjects/{uuid.uuid4()}", status=404)

    reference = {"@odata.id": f"https://graph.example/v1.0/directoryObjects/{ANA}"}
    for id in (group, news):
        await world.ask("POST", f"/groups/{id}/members/$ref", reference, status=204)
    body: dict[str, Any] = {"securityEnabledOnly": False}
    assert set((await world.ask("POST", f"/users/{ANA}/getMemberGroups", body))["value"]) == {group, news}
    body["securityEnabledOnly"] = True
    assert (await world.ask("POST", f"/users/{ANA}/getMemberGroups", body))["value"] == [group]
    checked = {"groupIds": [news.upper(), str(uuid.uuid4())]}
    assert (await world.ask("POST", f"/users/{ANA}/checkMemberGroups", checked))["value"] == [news]
    await world.ask("POST", f"/groups/{group}/owners/$ref", reference, status=204)
    assert [one["id"] for one in (await world.ask("GET", f"/users/{ANA}/ownedObjects"))["value"]] == [group]


@pytest.mark.spec("PPL-2")
async def test_a_user_who_was_made_here_is_deleted_and_restored(world: World) -> None:
    body = {
        "accountEnabled": True, "displayName": "Eva", "mailNickname": "eva", "userPrincipalName": "eva@x.example",
        "city": "Rome", "passwordProfile": {"password": "not kept 1"},
    }  # fmt: skip
    eva = (await world.ask("POST", "/users", body, status=201))["id"]
    refused = await world.ask("DELETE", f"/users/{ANA}", status=400)
    assert "'hr'" in refused["error"]["message"]
    await world.ask("DELETE", "/users/eva@x.example", status=204)
    await world.ask("GET", f"/users/{eva}", status=404)
    assert eva not in await world.ids("/users")
    assert (await world.ask("POST", "/directoryObjects/getByIds", {"ids": [eva]}))["value"] == []
    assert await world.ids("/directory/deletedItems/microsoft.graph.user") == [eva]
    other = (await world.ask("POST", "/users", body, status=201))["id"]
    await world.ask("POST", f"/directory/deletedItems/{eva}/restore", status=400)
    await world.ask("DELETE", f"/users/{other}", status=204)
    asked = "?$orderby=deletedDateTime desc&$select=id,deletedDateTime"
    gone = (await world.ask("GET", f"/directory/deletedItems/microsoft.graph.user{asked}"))["value"]
    since = "2026-03-01T09:00:00Z"
    assert sorted(gone, key=lambda one: one["id"]) == [
        {"id": id, "deletedDateTime": since} for id in sorted((eva, other))
    ]
    for operator, found in (("ge", {eva, other}), ("gt", set())):
        at = "/directory/deletedItems/microsoft.graph.user"
        assert set(await world.ids(at, filter=f"deletedDateTime {operator} {since}")) == found
    restored = await world.ask("POST", f"/directory/deletedItems/{eva}/restore")
    assert restored["id"] == eva
    assert (await world.ask("GET", f"/users/{eva}?$select=city"))["city"] == "Rome"
    assert (await world.ask("GET", "/users/eva@x.example"))["id"] == eva
    await world.ask("GET", f"/directory/deletedItems/{eva}", status=404)
    assert (await world.ask("GET", f"/directory/deletedItems/{other}"))["id"] == other


DESK: dict[str, Any] = {
    "displayName": "Application desk",
    "isEnabled": True,
    "rolePermissions": [{"allowedResourceActions": ["microsoft.directory/applications/basic/update"]}],
}


async def test_roles_of_our_own_are_defined_assigned_within_an_application_and_deleted(world: World) -> None:
    at = "/roleManagement/directory/roleDefinitions"
    made = await world.ask("POST", at, DESK, status=201)
    assert (made["isBuiltIn"], made["templateId"], made["inheritsPermissionsFrom"]) == (False, made["id"], [])
    await world.ask("PATCH", f"{at}/{made['id']}", {"description": "Helps with applications."}, status=204)
    found = await world.ask("GET", f"{at}/{made['id']}")
    assert found["description"] == "Helps with applications."
    assert found["rolePermissions"][0]["allowedResourceActions"] == ["microsoft.directory/applications/basic/update"]
    assert await world.ids(at, filter="isBuiltIn eq false") == [made["id"]]
    built_in = await world.ask("GET", f"{at}/{READER}", params={"$expand": "inheritsPermissionsFrom"})
    assert [one["displayName"] for one in built_in["inheritsPermissionsFrom"]] == ["Directory Readers"]
    await world.ask("PATCH", f"{at}/{READER}", {"isEnabled": False}, status=400)
    await world.ask("DELETE", f"{at}/{READER}", status=400)

    registered, _ = await application(world)
    assign = {"principalId": ANA, "roleDefinitionId": made["id"], "directoryScopeId": f"/{registered}"}
    given = await world.ask("POST", "/roleManagement/directory/roleAssignments", assign, status=201)
    assert given["directoryScopeId"] == f"/{registered}"
    nowhere = assign | {"directoryScopeId": f"/{uuid.uuid4()}"}
    await world.ask("POST", "/roleManagement/directory/roleAssignments", nowhere, status=404)
    of_ana = {"filter": f"principalId eq '{ANA}'"}
    assert await world.ids("/roleManagement/directory/roleAssignments", **of_ana) == [given["id"]]
    # It is no role over the whole tenant.
    roles = await world.ask("POST", f"/users/{ANA}/checkMemberObjects", {"ids": [made["id"]]})
    assert roles["value"] == []

    await world.ask("DELETE", f"{at}/{made['id']}", status=400)
    await world.ask("DELETE", f"/roleManagement/directory/roleAssignments/{given['id']}", status=204)
    await world.ask("DELETE", f"{at}/{made['id']}", status=204)
    await world.ask("GET", f"{at}/{made['id']}", status=404)
    await world.ask("POST", "/roleManagement/directory/roleAssignments", assign, status=400)


async def test_who_is_invited_is_a_guest_at_once_and_the_same_one_again(world: World) -> None:
    body = {"invitedUserEmailAddress": "Zoe@partner.example", "inviteRedirectUrl": "https://apps.company.example"}
    said = await world.ask("POST", "/invitations", body | {"invitedUserSponsors": [reference(ANA)]}, status=201)
    guest = said["invitedUser"]["id"]
    assert said["status"] == "PendingAcceptance"
    found = await world.ask("GET", f"/users/{guest}?$select=userType,externalUserState")
    assert (found["userType"], found["externalUserState"]) == ("Guest", "PendingAcceptance")
    assert await world.ids(f"/users/{guest}/sponsors") == [ANA]
    named = body | {"invitedUserEmailAddress": "yan@partner.example", "invitedUserSponsors": [{"id": BOB}]}
    other = (await world.ask("POST", "/invitations", named, status=201))["invitedUser"]["id"]
    assert await world.ids(f"/users/{other}/sponsors") == [BOB], "an object of the collection may be named by its id"
    await world.ask("POST", "/invitations", body | {"invitedUserSponsors": [{}]}, status=400)

    await world.ask("PATCH", f"/users/{guest}", {"externalUserState": "Accepted"}, status=204)
    again = await world.ask("POST", "/invitations", body, status=201)
    assert (again["invitedUser"]["id"], again["status"]) == (guest, "Completed")
    anew = await world.ask("POST", "/invitations", body | {"resetRedemption": True}, status=201)
    assert anew["status"] == "PendingAcceptance"
    await world.ask("POST", "/invitations", body | {"invitedUserEmailAddress": "E1@x.example"}, status=400)
    ordinary = {"Tenure-Actor": f"person:{BOB}"}
    await world.ask("POST", "/invitations", body, status=403, headers=ordinary)


async def test_of_two_who_read_one_version_of_an_application_only_one_changes_it(world: World) -> None:
    registered, _ = await application(world)
    etags = {"If-Match": 'W/"2"'}
    asked = (world.send("PATCH", f"/applications/{registered}", {"description": str(n)}, etags) for n in range(5))
    assert sorted(await asyncio.gather(*asked)) == [204, *[412] * 4]


async def test_a_schema_extension_of_a_user_is_kept_and_selected(world: World) -> None:
    name = "ext55gb1l09_courses"
    await world.ask("PATCH", f"/users/{ANA}", {name: {"level": 2, "kind": "Admin"}}, status=204)
    found = await world.ask("GET", f"/users/{ANA}", params={"$select": f"id,{name}"})
    assert found[name] == {"level": 2, "kind": "Admin"}
    await world.ask("PATCH", f"/users/{ANA}", {name: {"nested": {"no": 1}}}, status=400)
    said = await world.ask("GET", f"/users/{ANA}", params={"$select": "id,colour"}, status=400)
    assert said["error"]["target"] == "colour"


def reference(id: str) -> dict[str, str]:
    return {"@odata.id": f"https://graph.example/v1.0/directoryObjects/{id}"}


async def test_names_of_a_group_are_fit_if_they_are_well_formed(world: World) -> None:
    group = await world.ask("POST", "/groups", {"displayName": "Team"}, status=201)
    fit = {"entityType": "Group", "displayName": "Team of Rome", "mailNickname": "rome"}
    for path in ("/directoryObjects/validateProperties", f"/groups/{group['id']}/validateProperties"):
        await world.ask("POST", path, fit, status=204)
        await world.ask("POST", path, fit | {"mailNickname": "team of rome"}, status=400)
    await world.ask("POST", f"/groups/{uuid.uuid4()}/validateProperties", fit, status=404)
