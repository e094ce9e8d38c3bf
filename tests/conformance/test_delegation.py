"""Delegated administration over HTTP: every operation within a catalog, by every role, in a catalog of theirs and in
another; and who becomes what."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.docs import documents
from deploy.embedded import Servers
from shared.security.operations import EM, IGA, RM, TENURE
from shared.security.permissions import DIRECTORY_ROLES
from shared.security.roles import CatalogRole, scope_of
from tests.conformance.ground import running
from tests.conformance.making import Asks, Makes
from tests.conformance.who_may import (
    ASSIGNMENTS,
    AT_ROLES,
    BY_DIRECTORY_ROLE,
    CREATOR,
    EVERYBODY,
    METHODS,
    OWNER,
    PACKAGES,
    READER,
    WHO_MAY,
    Answer,
    who_may,
)

ROLES_AT = f"{AT_ROLES}/roleAssignments"
EXTENSION = {
    "@odata.type": "#microsoft.graph.accessPackageAssignmentRequestWorkflowExtension",
    "displayName": "Tell the desk",
    "endpointConfiguration": {
        "@odata.type": "#microsoft.graph.logicAppTriggerEndpointConfiguration",
        "subscriptionId": "38ab2ccc-3747-4567-b36b-9478f5602f0d",
        "resourceGroupName": "desk",
        "logicAppWorkflowName": "tell",
    },
    "authenticationConfiguration": {"@odata.type": "#microsoft.graph.azureAdPopTokenAuthentication"},
}
STALE = {"If-Match": 'W/"0"'}
NOWHERE = '(user.department -eq "Nowhere")'
DOCUMENT = json.loads((Path(documents.__file__).parent / "openapi.json").read_text())
OPERATIONS = sorted(
    {f"{method.upper()} {path}" for path, item in DOCUMENT["paths"].items() for method in item if method in METHODS}
)
IN_CATALOGS = [one for one in OPERATIONS if one.partition(" ")[2].startswith((f"{EM}/", f"{AT_ROLES}/"))]
MAY_BE_MISSING = (
    f"{EM}/availableAccessPackages/{{id}}",
    f"{EM}/catalogs/{{id}}/resources/{{resource}}/environment",
    f"{EM}/resources/{{id}}/environment",
    f"{EM}/subjects/{{id}}/connectedOrganization",
)
"""What not everybody has."""


@dataclass
class Site:
    """A catalog with one of everything in it."""

    catalog: str = ""
    package: str = ""
    policy: str = ""
    resource: str = ""
    extension: str = ""
    brought: str = ""
    """The request that brought the resource."""
    role_scope: str = ""
    request: str = ""
    """Delivered."""
    assignment: str = ""
    ended: str = ""
    pending: str = ""
    stage: str = ""
    """In which the pending one waits."""
    ownership: str = ""
    spare: str = ""


@dataclass
class World:
    asks: Asks
    makes: Makes
    people: dict[str, str] = field(default_factory=dict)
    mine: Site = field(default_factory=Site)
    other: Site = field(default_factory=Site)
    holder: str = ""
    boss: str = ""
    organization: str = ""
    guest: str = ""
    population: str = ""

    async def send(
        self, who: str | None, method: str, path: str, body: Any = None, *roles: str, **headers: str
    ) -> httpx.Response:
        """`who`: a person, an ordinary one but for the directory `roles`; else the operator."""
        client = self.asks.client
        signed = client.callers.person(who, *roles) if who else {}
        return await client.request(method, path, json=body, headers={**headers, **signed})

    async def made(self, who: str | None, path: str, body: Any) -> str:
        answer = await self.send(who, "POST", path, body)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    async def give(self, role: CatalogRole, principal: str, catalog: str | None) -> str:
        body = {"principalId": principal, "roleDefinitionId": role.value, "appScopeId": scope_of(catalog)}
        return await self.made(None, ROLES_AT, body)

    async def site(self) -> Site:
        makes, one = self.makes, Site()
        one.catalog = await makes.catalog({})
        one.package = await makes.package({}, one.catalog)
        one.policy = await makes.policy({}, one.package)
        group = await makes.group({})
        one.resource = await makes.resource(one.catalog, group, "AadGroup")
        one.extension = await self.made(None, f"{EM}/catalogs/{one.catalog}/customWorkflowExtensions", EXTENSION)
        found = f"{EM}/resourceRequests?$filter=resource/id eq '{one.resource}'"
        one.brought = (await self.send(None, "GET", found)).json()["value"][0]["id"]
        role = {"role": {"originId": f"Member_{group}", "resource": {"id": one.resource}}}
        one.role_scope = await self.made(None, f"{EM}/accessPackages/{one.package}/resourceRoleScopes", role)
        asked = await makes.policy({"displayName": "asked", **makes.approved_by(self.boss)}, one.package)
        wanted = {"targetId": self.holder, "assignmentPolicyId": one.policy, "accessPackageId": one.package}
        one.request = await makes.request({"requestType": "adminAdd", "assignment": wanted})
        said = await makes.request_is(one.request, "delivered")
        one.assignment = said["assignment"]["id"]
        one.ended = await makes.assignment(await makes.user({}), one.package, one.policy)
        someone = await makes.user({})
        wanted = {"assignmentPolicyId": asked, "accessPackageId": one.package}
        one.pending = await makes.request({"requestType": "userAdd", "assignment": wanted}, by=someone)
        await makes.request_is(one.pending, "pendingApproval")
        stages = f"{EM}/accessPackageAssignmentApprovals/{one.pending}/stages"
        one.stage = (await self.send(None, "GET", stages)).json()["value"][0]["id"]
        one.ownership = await self.give(CatalogRole.OWNER, self.boss, one.catalog)
        one.spare = await self.give(CatalogRole.READER, self.boss, one.catalog)
        return one


ROLES = {
    OWNER: CatalogRole.OWNER,
    PACKAGES: CatalogRole.PACKAGE_MANAGER,
    ASSIGNMENTS: CatalogRole.ASSIGNMENT_MANAGER,
    READER: CatalogRole.READER,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Servers) -> AsyncIterator[World]:
    async with running(servers.endpoints) as client:
        asks = Asks(client)
        makes = Makes(asks)
        asks.admin = await makes.user({})
        here = World(asks, makes)
        here.holder, here.boss = await makes.user({}), await makes.user({})
        for name in (*EVERYBODY, "member"):
            here.people[name] = await makes.user({})
        here.organization = await makes.organization({})
        here.guest = await makes.user({"userType": "Guest"})
        population = {"displayName": uuid.uuid4().hex, "membershipRule": NOWHERE}
        here.population = await here.made(None, f"{TENURE}/populations", population)
        here.mine, here.other = await here.site(), await here.site()
        for name, role in ROLES.items():
            await here.give(role, here.people[name], here.mine.catalog)
        await here.give(CatalogRole.CREATOR, here.people["creator"], None)
        yield here


def body_of(operation: str, at: Site, world: World) -> Any:
    """A body that is understood; what it asks for need not be possible."""
    package = {"accessPackage": {"id": at.package}, "displayName": uuid.uuid4().hex}
    target = {"targetId": world.holder, "assignmentPolicyId": at.policy, "accessPackageId": at.package}
    itself = {"@odata.id": f"https://tenure.example{EM}/accessPackages/{at.package}"}
    group = {"@odata.id": f"https://tenure.example/v1.0/groups/{uuid.uuid4()}"}
    person = {"@odata.id": f"https://tenure.example/v1.0/users/{world.boss}"}
    domain = {"@odata.type": "#microsoft.graph.domainIdentitySource", "domainName": f"{uuid.uuid4().hex}.example"}
    owner = {"principalId": world.boss, "roleDefinitionId": CatalogRole.OWNER.value, "appScopeId": scope_of(at.catalog)}
    removed = {"requestType": "adminRemove", "catalog": {"id": at.catalog}, "resource": {"id": str(uuid.uuid4())}}
    bodies = {
        f"PATCH {EM}/catalogs/{{id}}": {"description": uuid.uuid4().hex},
        f"POST {EM}/catalogs/{{id}}/customWorkflowExtensions": EXTENSION,
        f"PUT {EM}/catalogs/{{id}}/customWorkflowExtensions/{{extension}}": {"description": uuid.uuid4().hex},
        f"POST {EM}/accessPackages": {"displayName": uuid.uuid4().hex, "catalog": {"id": at.catalog}},
        f"PATCH {EM}/accessPackages/{{id}}": {"description": uuid.uuid4().hex},
        f"POST {EM}/accessPackages/{{id}}/resourceRoleScopes": {"role": {"originId": "Member_none"}},
        f"POST {EM}/accessPackages/{{id}}/incompatibleAccessPackages/$ref": itself,
        f"POST {EM}/accessPackages/{{id}}/incompatibleGroups/$ref": group,
        f"POST {EM}/assignmentPolicies": package,
        f"PUT {EM}/assignmentPolicies/{{id}}": package,
        f"POST {EM}/resourceRequests": removed,
        f"POST {EM}/assignmentRequests": {"requestType": "adminAdd", "assignment": target},
        f"POST {EM}/assignmentRequests/{{id}}/resume": {},
        f"POST {TENURE}/assignments": {"personId": world.holder, "packageId": at.package, "policyId": at.policy},
        f"POST {ROLES_AT}": owner,
        f"POST {EM}/catalogs": {"displayName": uuid.uuid4().hex},
        f"POST {EM}/accessPackages/{{id}}/getApplicablePolicyRequirements": {},
        f"PATCH {EM}/accessPackageAssignmentApprovals/{{id}}/stages/{{stage_id}}": {"reviewResult": "Approve"},
        f"PATCH {EM}/subjects(objectId='{{id}}')": {"subjectLifecycle": "governed"},
        f"PATCH {EM}/settings": {"durationUntilExternalUserDeletedAfterBlocked": "P30D"},
        f"PATCH {EM}/controlConfigurations/{{id}}": {"showApproverDetailsToMembers": True},
        f"POST {EM}/connectedOrganizations": {"displayName": uuid.uuid4().hex, "identitySources": [domain]},
        f"PATCH {EM}/connectedOrganizations/{{id}}": {"description": uuid.uuid4().hex},
        f"POST {EM}/connectedOrganizations/{{id}}/internalSponsors/$ref": person,
        f"POST {EM}/connectedOrganizations/{{id}}/externalSponsors/$ref": person,
        f"POST {TENURE}/populations": {"displayName": uuid.uuid4().hex, "membershipRule": NOWHERE},
        f"PATCH {TENURE}/populations/{{id}}": {"description": uuid.uuid4().hex},
        f"POST {TENURE}/catalog:apply": {"changes": []},
    }
    return bodies.get(operation)


def path_of(operation: str, at: Site, world: World) -> str:
    """The declared path with ids of that catalog's things."""
    path = operation.partition(" ")[2]
    if who_may(operation).by_package:
        return f"{path}?$filter=accessPackage/id eq '{at.package}'"
    if path.startswith(f"{EM}/resourceEnvironments"):
        return f"{path}?$filter=originSystem eq 'SharePointOnline'"
    ids = {
        f"{EM}/catalogs/": at.catalog,
        f"{EM}/accessPackages/": at.package,
        f"{EM}/availableAccessPackages/": at.package,
        f"{EM}/assignmentPolicies/": at.policy,
        f"{EM}/assignmentRequests/": at.request if operation.endswith("/cancel") else at.pending,
        f"{EM}/accessPackageAssignmentApprovals/": at.pending,
        f"{EM}/assignments/": at.assignment,
        f"{EM}/resources/": at.resource,
        f"{EM}/resourceRequests/": at.brought,
        f"{EM}/accessPackageCatalogs/": at.catalog,
        f"{EM}/connectedOrganizations/": world.organization,
        f"{EM}/controlConfigurations/": "endUserSettings",
        f"{EM}/subjects": world.guest,
        f"{TENURE}/assignments/": at.ended,
        f"{TENURE}/packages/": at.package,
        f"{TENURE}/populations/": world.population,
        f"{ROLES_AT}/": at.spare if operation.startswith("DELETE ") else at.ownership,
        f"{AT_ROLES}/roleDefinitions/": CatalogRole.OWNER.value,
    }
    for start, id in ids.items():
        if path.startswith(start):
            path = path.replace("{id}", id)
    for name in ("{role_scope}", "{other}", "{group}", "{b}", "{sponsor}"):
        path = path.replace(name, str(uuid.uuid4()))
    path = path.replace("{a}", at.package).replace("{resource}", at.resource).replace("{extension}", at.extension)
    path = path.replace("{stage_id}", at.stage).replace("{person_id}", world.holder).replace("{package_id}", at.package)
    path = path.replace("{on}", next((on for start, on in ON.items() if path.startswith(start)), "{on}"))
    assert "{" not in path, f"{operation}: say with which ids it is tried"
    return path


ON = {
    f"{EM}/accessPackages/": "allowedRequestor",
    f"{EM}/accessPackageAssignmentApprovals/": "approver",
    f"{EM}/accessPackageSuggestions/": "assignmentHistory",
    EM: "target",
}


async def tried(world: World, who: str, operation: str, at: Site) -> httpx.Response:
    method, _, path = operation.partition(" ")
    body = body_of(operation, at, world)
    bodiless = method in {"GET", "DELETE"} or path.endswith(("/cancel", "/reprocess", "/refresh"))
    assert body is not None or bodiless, f"{operation}: say with which body it is tried"
    headers = STALE if method == "DELETE" else {}
    roles = (who,) if who in BY_DIRECTORY_ROLE else ()
    return await world.send(world.people[who], method, path_of(operation, at, world), body, *roles, **headers)


@pytest.mark.spec("ROL-1", "ROL-2", "ROL-3")
@pytest.mark.parametrize("operation", sorted({*IN_CATALOGS, *WHO_MAY}))
async def test_every_operation_by_everybody_in_ones_own_catalog_and_in_another(world: World, operation: str) -> None:
    may = who_may(operation)
    every = [(who, at) for who in EVERYBODY for at in (world.mine, world.other)]
    expected = {(who, at is world.mine): may.answer(who, in_own=at is world.mine) for who, at in every}
    strangers = [(who, at) for who, at in every if expected[who, at is world.mine] is Answer.NO]
    answers = await asyncio.gather(*(tried(world, who, operation, at) for who, at in strangers))
    refused = {(who, at is world.mine): one for (who, at), one in zip(strangers, answers, strict=True)}
    let_in = {  # one after the other: they may change what is there
        (who, at is world.mine): await tried(world, who, operation, at)
        for who, at in every
        if (who, at) not in strangers
    }
    wrong = {one: said.status_code for one, said in refused.items() if said.status_code != 403}
    assert wrong == {}, "refused"
    reads = {200, 204, 404} if operation.removeprefix("GET ").startswith(MAY_BE_MISSING) else {200}
    wrong = {
        one: (said.status_code, said.text[:200])
        for one, said in let_in.items()
        if (operation.startswith("GET ") and said.status_code not in reads)
        or said.status_code in {401, 403}
        or said.status_code >= 500
    }
    assert wrong == {}, "let in"


SHOWN = {
    f"{EM}/catalogs": "catalog",
    f"{EM}/accessPackages": "package",
    f"{EM}/assignmentPolicies": "policy",
    f"{EM}/resources": "resource",
    f"{EM}/resourceRequests": "brought",
    f"{EM}/resourceRoleScopes": "role_scope",
    ROLES_AT: "ownership",
}
"""Lists of what lies in many catalogs, and what of a site each shows."""


@pytest.mark.spec("ROL-2")
@pytest.mark.parametrize("path", sorted({one.partition(" ")[2] for one, may in WHO_MAY.items() if may.is_list}))
async def test_lists_show_and_count_what_one_may_see_and_no_more(world: World, path: str) -> None:
    mine, other = getattr(world.mine, SHOWN[path]), getattr(world.other, SHOWN[path])
    may = who_may(f"GET {path}")
    for who in EVERYBODY:
        if may.answer(who, in_own=True) is Answer.NO:
            continue
        roles = (who,) if who in BY_DIRECTORY_ROLE else ()

        async def asked(path: str, who: str = who, roles: tuple[str, ...] = roles) -> httpx.Response:
            return await world.send(world.people[who], "GET", path, None, *roles)

        shown = {one["id"] for one in (await asked(f"{path}?$top=999")).json()["value"]}
        assert (mine in shown, other in shown) == (who != CREATOR, who in may.anywhere), who
        assert int((await asked(f"{path}/$count")).text) == len(shown), who
        # Nothing of what is out of bounds comes in by an option, either.
        found = (await asked(f"{path}?$filter=id eq '{other}'&$count=true")).json()
        assert (len(found["value"]), found["@odata.count"]) == ((1, 1) if who in may.anywhere else (0, 0)), who


INSIDE = "assignmentPolicies,resourceRoleScopes,catalog($expand=customWorkflowExtensions,resources)"


@pytest.mark.spec("ROL-2", "SOD-1")
async def test_what_is_incompatible_in_another_catalog_is_shown_by_name_and_no_further(world: World) -> None:
    near, far = [await world.makes.catalog({}) for _ in range(2)]
    one, other, beside = [await world.makes.package({}, catalog) for catalog in (near, far, near)]
    third, unrelated = [await world.makes.package({}, far) for _ in range(2)]
    await world.makes.policy({}, other)
    manager, reader = await world.makes.user({}), await world.makes.user({})
    await world.give(CatalogRole.PACKAGE_MANAGER, manager, near)
    at = f"{EM}/accessPackages/{one}"
    for listing, listed in ((one, other), (one, beside), (third, one), (beside, one)):
        link = {"@odata.id": world.asks.url(f"{EM}/accessPackages/{listed}")}
        answer = await world.send(None, "POST", f"{EM}/accessPackages/{listing}/incompatibleAccessPackages/$ref", link)
        assert answer.status_code == 204

    async def shown(who: str, path: str, *roles: str) -> Any:
        answer = await world.send(who, "GET", path, None, *roles)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(found: list[dict[str, Any]]) -> set[str]:
        return {one["id"] for one in found}

    named = (await shown(manager, f"{at}/incompatibleAccessPackages?$expand={INSIDE}"))["value"]
    assert ids(named) == {other, beside}
    by_id = {found["id"]: found for found in named}
    assert not by_id[other].keys() & {"assignmentPolicies", "resourceRoleScopes", "catalog"}
    assert by_id[beside]["catalog"]["id"] == near
    # Expanded as behind its path, and wherever the package is expanded itself.
    relations = "incompatibleAccessPackages,accessPackagesIncompatibleWith"
    for path in (
        f"{at}?$expand={relations}",
        f"{EM}/accessPackages?$filter=id eq '{one}'&$expand={relations}",
        f"{EM}/catalogs/{near}/accessPackages?$filter=id eq '{one}'&$expand={relations}",
        f"{EM}/catalogs?$filter=id eq '{near}'&$expand=accessPackages($expand={relations})",
    ):
        for who, roles, all_of_it in ((manager, (), False), (reader, ("Global Reader",), True)):
            body = await shown(who, path, *roles)
            (found,) = body.get("value") or [body]
            found = next((it for it in found.get("accessPackages", [found]) if it["id"] == one), found)
            assert ids(found["incompatibleAccessPackages"]) == {other, beside}, path
            assert ids(found["accessPackagesIncompatibleWith"]) == ({third, beside} if all_of_it else {beside}), path
    both = f"{EM}/assignments/additionalAccess(accessPackageId='{one}',incompatibleAccessPackageId='{{}}')"
    for second, status in ((other, 200), (third, 200), (beside, 200), (unrelated, 403)):

        async def answered(path: str = both.format(second), status: int = status) -> bool:
            return (await world.send(manager, "GET", path)).status_code == status

        await world.asks.until("assignment has heard of both packages", answered)
        assert (await world.send(reader, "GET", both.format(second), None, "Global Reader")).status_code == 200


@pytest.mark.spec("ROL-3")
async def test_lists_of_requests_and_assignments_are_asked_by_one_package(world: World) -> None:
    for path in (f"{EM}/assignmentRequests", f"{EM}/assignments"):
        for given in ("", f"?$filter=accessPackage/id ne '{world.other.package}'", "?$filter=state eq 'delivered'"):
            assert (await world.send(world.people["owner"], "GET", path + given)).status_code == 403, path + given
        two = f"?$filter=accessPackage/id eq '{world.mine.package}' or accessPackage/id eq '{world.other.package}'"
        assert (await world.send(world.people["owner"], "GET", path + two)).status_code == 403
        one = await world.send(
            world.people["reader"], "GET", f"{path}?$filter=accessPackage/id eq '{world.mine.package}'"
        )
        assert len(one.json()["value"]) >= 1


@pytest.mark.spec("CAT-5", "ROL-2")
async def test_who_makes_a_catalog_owns_it_and_says_who_else_does(world: World) -> None:
    creator, member = await world.makes.user({}), world.people["member"]
    await world.give(CatalogRole.CREATOR, creator, None)
    catalog = await world.made(creator, f"{EM}/catalogs", {"displayName": f"Mine {uuid.uuid4()}"})
    assert [one["id"] for one in (await world.send(creator, "GET", f"{EM}/catalogs")).json()["value"]] == [catalog]
    owned = await world.send(creator, "GET", f"{ROLES_AT}?$filter=principalId eq '{creator}'&$expand=principal")
    (owner,) = owned.json()["value"]
    assert owner["roleDefinitionId"] == CatalogRole.OWNER
    assert owner["appScopeId"] == f"/AccessPackageCatalog/{catalog}"
    assert owner["principal"]["@odata.type"] == "#microsoft.graph.user"
    package = await world.made(creator, f"{EM}/accessPackages", {"displayName": "P", "catalog": {"id": catalog}})
    assert (await world.send(member, "GET", f"{EM}/accessPackages/{package}")).status_code == 403
    # The members of a group have the roles of the group.
    group = await world.makes.group({})
    body = {"principalId": group, "roleDefinitionId": CatalogRole.READER, "appScopeId": scope_of(catalog)}
    await world.made(creator, ROLES_AT, body)
    await world.makes.refer(f"/v1.0/groups/{group}/members", f"/v1.0/directoryObjects/{member}")

    async def readable() -> bool:
        return (await world.send(member, "GET", f"{EM}/accessPackages/{package}")).status_code == 200

    await world.asks.until("a member of the group reads", readable)
    assert (await world.send(member, "PATCH", f"{EM}/accessPackages/{package}", {"isHidden": True})).status_code == 403
    # Nobody gives what counts for all catalogs but administrators.
    tenant = {"principalId": member, "roleDefinitionId": CatalogRole.CREATOR, "appScopeId": "/"}
    assert (await world.send(creator, "POST", ROLES_AT, tenant)).status_code == 403
    assert (await world.send(creator, "DELETE", f"{ROLES_AT}/{owner['id']}")).status_code == 204
    assert (await world.send(creator, "GET", f"{EM}/catalogs/{catalog}")).status_code == 403
    # An administrator who makes one owns none.
    answer = await world.send(creator, "POST", f"{EM}/catalogs", {"displayName": f"A {uuid.uuid4()}"}, IGA)
    scope = scope_of(answer.json()["id"])
    found = await world.send(None, "GET", f"{ROLES_AT}?$filter=appScopeId eq '{scope}'")
    assert found.json()["value"] == []


@pytest.mark.spec("RES-4", "RES-5")
async def test_only_who_has_power_over_a_resource_brings_it_into_a_catalog(world: World) -> None:
    group = await world.makes.group({})
    asked = {"catalog": {"id": world.mine.catalog}, "resource": {"originId": group, "originSystem": "AadGroup"}}

    async def brought(who: str, *roles: str, kind: str = "adminAdd") -> tuple[int, str]:
        body = {"requestType": kind, **asked}
        answer = await world.send(world.people[who], "POST", f"{EM}/resourceRequests", body, *roles)
        return answer.status_code, answer.json().get("error", {}).get("code", "")

    assert await brought("owner") == (400, "CallerNotResourceOwner")
    assert (await brought("packages"))[0] == 403
    await world.makes.refer(f"/v1.0/groups/{group}/owners", f"/v1.0/users/{world.people['packages']}")
    assert (await brought("packages"))[0] == 403, "not even a group of their own"
    assert await brought("nobody", IGA) == (400, "CallerNotResourceOwner")
    assert await brought("nobody", "Groups Administrator") == (403, "UnAuthorized")
    assert (await brought("owner", "Groups Administrator"))[0] == 201
    assert await brought("owner", kind="adminRemove") == (400, "CallerNotResourceOwner")
    await world.makes.refer(f"/v1.0/groups/{group}/owners", f"/v1.0/users/{world.people['owner']}")
    assert (await brought("owner", kind="adminRemove"))[0] == 201
    application = await world.makes.service_principal({})
    asked["resource"] = {"originId": application, "originSystem": "AadApplication"}
    assert await brought("owner") == (400, "CallerNotResourceOwner")
    assert (await brought("nobody", IGA))[0] == 201


@pytest.mark.spec("AUT-1")
async def test_only_administrators_have_access_given_by_rules(world: World) -> None:
    rule = {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": '(user.department -eq "Nowhere")'}
    body = {
        "displayName": uuid.uuid4().hex,
        "accessPackage": {"id": world.mine.package},
        "allowedTargetScope": "specificDirectoryUsers",
        "specificAllowedTargets": [rule],
        "automaticRequestSettings": {"requestAccessForAllowedTargets": True},
    }
    path = f"{EM}/assignmentPolicies"
    for who in ("owner", "packages"):
        assert (await world.send(world.people[who], "POST", path, body)).status_code == 403
    made = await world.send(world.people["nobody"], "POST", path, body, IGA)
    assert made.status_code == 201, made.text
    policy = f"{path}/{made.json()['id']}"
    assert (await world.send(world.people["owner"], "PUT", policy, body)).status_code == 403
    assert (await world.send(world.people["owner"], "PUT", f"{path}/{world.mine.policy}", body)).status_code == 403
    assert (await world.send(world.people["owner"], "GET", policy)).status_code == 200


async def test_held_directory_roles_count_and_end(world: World) -> None:
    reader = await world.makes.user({})
    assert (await world.send(reader, "GET", f"{EM}/accessPackages")).status_code == 403
    role = DIRECTORY_ROLES["Global Reader"]
    body = {"principalId": reader, "roleDefinitionId": role, "directoryScopeId": "/"}
    held = await world.made(None, f"{RM}/directory/roleAssignments", body)
    for path in ("accessPackages", "assignmentRequests", "assignments"):
        assert (await world.send(reader, "GET", f"{EM}/{path}")).status_code == 200
    assert (await world.send(reader, "POST", f"{EM}/catalogs", {"displayName": "x"})).status_code == 403
    await world.send(None, "DELETE", f"{RM}/directory/roleAssignments/{held}")

    async def over() -> bool:
        return (await world.send(reader, "GET", f"{EM}/accessPackages")).status_code == 403

    await world.asks.until("the role has ended", over)


async def test_who_owns_a_group_writes_it_and_no_other(world: World) -> None:
    mine, other = await world.makes.group({}), await world.makes.group({})
    owner, someone = await world.makes.user({}), await world.makes.user({})
    await world.makes.refer(f"/v1.0/groups/{mine}/owners", f"/v1.0/users/{owner}")
    link = {"@odata.id": world.asks.url(f"/v1.0/directoryObjects/{someone}")}
    for group, status in ((mine, 204), (other, 403)):
        assert (await world.send(owner, "POST", f"/v1.0/groups/{group}/members/$ref", link)).status_code == status
        assert (await world.send(owner, "PATCH", f"/v1.0/groups/{group}", {"description": "x"})).status_code == status
    assert (await world.send(owner, "POST", "/v1.0/groups", {"displayName": "x"})).status_code == 403
    assert (await world.send(owner, "PATCH", f"/v1.0/users/{owner}", {"department": "IT"})).status_code == 403
