"""Somebody asks, somebody decides, and access follows: all services on real Kafka and MongoDB, by HTTP alone."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.embedded import Servers
from deploy.run.registry import assemblies
from shared.contracts import topics
from shared.contracts.hr import ChangeKind, HrChange
from shared.messaging.admin import create_topics
from shared.messaging.envelope import Outgoing
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from shared.web.server import HttpServer
from tests.waiting import until, untroubled

EM = "/v1.0/identityGovernance/entitlementManagement"


class Company:
    """A running Tenure, asked over HTTP by whoever is named."""

    def __init__(self, host: Host, client: httpx.AsyncClient) -> None:
        self.host = host
        self.client = client

    async def call(self, method: str, path: str, by: str | None = None, status: int | None = None, **body: Any) -> Any:
        """The answer's body; fails if the status is another one than `status` (any success if None)."""
        headers = {"Tenure-Actor": f"person:{by}"} if by else {}
        answer = await self.client.request(method, path, json=body or None, headers=headers)
        right = answer.is_success if status is None else answer.status_code == status
        assert right, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def person(self, name: str, manager: str | None = None) -> str:
        """Somebody whom the HR system says to have joined; `manager`: their employee id, which is the name."""
        attributes = {
            "displayName": name,
            "employeeId": name,
            "userPrincipalName": f"{name}@company.example",
            "managerEmployeeId": manager,
        }
        await self.hr(name, ChangeKind.JOINED, attributes)

        async def there() -> str | None:
            found = await self.call("GET", f"/v1.0/users?$filter=employeeId eq '{name}'&$select=id")
            return found["value"][0]["id"] if found["value"] else None

        return str(await until(there, f"{name} has joined"))

    async def hr(self, name: str, kind: ChangeKind, attributes: dict[str, Any] | None = None) -> None:
        """What the HR system says of somebody."""
        month = 1 if kind is ChangeKind.JOINED else 2
        change = HrChange(
            change_id=f"{name}-{kind.value}",
            employee_id=name,
            kind=kind,
            effective_at=datetime(2026, month, 1, tzinfo=UTC),
            attributes=attributes or {},
        )
        record = Outgoing(topics.HR_CHANGES.name, name.encode(), change.json_bytes())
        await self.host.platforms["directory"].bus.publish([record])

    async def package(self, **policy: Any) -> tuple[str, str, str]:
        """Ids of a package that brings a group, of a policy to request it by, and of the group."""
        name = f"Sales {uuid.uuid4().hex[:6]}"
        group = await self.call(
            "POST", "/v1.0/groups", displayName=name, mailNickname="sales", mailEnabled=False, securityEnabled=True
        )
        catalog = await self.call("POST", f"{EM}/catalogs", displayName=name)
        resource = {"originId": group["id"], "originSystem": "AadGroup"}
        await self.call(
            "POST", f"{EM}/resourceRequests", requestType="adminAdd", catalog={"id": catalog["id"]}, resource=resource
        )
        package = await self.call("POST", f"{EM}/accessPackages", displayName=name, catalog={"id": catalog["id"]})
        role = {"originId": f"Member_{group['id']}", "originSystem": "AadGroup", "displayName": "Member"}
        await self.call("POST", f"{EM}/accessPackages/{package['id']}/resourceRoleScopes", role=role, scope=resource)
        return package["id"], await self.policy(package["id"], **policy), group["id"]

    async def policy(self, package: str, **policy: Any) -> str:
        """Id of a policy to request the package by."""
        body = {
            "displayName": f"By request {uuid.uuid4().hex[:6]}",
            "allowedTargetScope": "allMemberUsers",
            "expiration": {"type": "afterDuration", "duration": "P90D"},
            "requestorSettings": {"enableTargetsToSelfAddAccess": True, "enableTargetsToSelfRemoveAccess": True},
            "accessPackage": {"id": package},
        }
        made = await self.call("POST", f"{EM}/assignmentPolicies", **(body | policy))
        return str(made["id"])

    async def close(self, policy: str) -> None:
        """To new requests; those that there are go on."""
        said = await self.call("GET", f"{EM}/assignmentPolicies/{policy}?$expand=accessPackage")
        settings = said["requestorSettings"] | {"acceptRequests": False}
        await self.call("PUT", f"{EM}/assignmentPolicies/{policy}", **(said | {"requestorSettings": settings}))

    async def asked(self, by: str, package: str, policy: str, **more: Any) -> str:
        body = {"requestType": "userAdd", "assignment": {"accessPackageId": package, "assignmentPolicyId": policy}}
        made = await self.call("POST", f"{EM}/assignmentRequests", by, 201, **(body | more))
        assert (made["state"], made["status"]) == ("submitted", "Accepted")
        return str(made["id"])

    async def state(self, request: str) -> dict[str, Any]:
        said: dict[str, Any] = await self.call("GET", f"{EM}/assignmentRequests/{request}?$expand=assignment")
        return said

    async def becomes(self, request: str, state: str) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            said = await self.state(request)
            return said if said["state"] == state else None

        found: dict[str, Any] = await until(there, f"the request is {state}")
        return found

    async def waiting_for(self, person: str) -> list[str]:
        path = f"{EM}/accessPackageAssignmentApprovals/filterByCurrentUser(on='approver')"
        return [one["id"] for one in (await self.call("GET", path, person))["value"]]

    async def stage(self, request: str, by: str, number: int = 0) -> str:
        """Its URL, once it waits for them."""

        async def there() -> str | None:
            path = f"{EM}/accessPackageAssignmentApprovals/{request}/stages"
            stages = (await self.call("GET", path, by))["value"]
            mine = stages[number]
            return f"{path}/{mine['id']}" if mine["assignedToMe"] else None

        return str(await until(there, "the stage is theirs to decide"))

    async def told(self, person: str, event: str) -> bool:
        path = f"/v1.0/tenure/notifications?recipient={person}"
        return event in {one["event"] for one in (await self.call("GET", path))["value"]}

    async def members(self, group: str) -> set[str]:
        return {one["id"] for one in (await self.call("GET", f"/v1.0/groups/{group}/members"))["value"]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def company(servers: Servers) -> AsyncIterator[Company]:
    where = servers.endpoints
    settings = Settings(
        kafka=where.kafka, mongo=where.mongo, namespace=f"req{uuid.uuid4().hex[:8]}", timer_poll_s=0.1, partitions=2
    )
    host = Host(settings, assemblies(without=("audit",)))
    await create_topics(settings, groups_of(list(host.services.values())))
    async with host:
        routers = [router for service in host.services.values() for router in service.routers]
        server = HttpServer(make_app("tenure", routers))
        await server.start()
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            yield Company(host, client)
        await server.stop()
        await untroubled(host)


def approved_by_manager(**more: Any) -> dict[str, Any]:
    manager = {"@odata.type": "#microsoft.graph.requestorManager", "managerLevel": 1}
    stage = {"durationBeforeAutomaticDenial": "P14D", "primaryApprovers": [manager], **more}
    return {"requestApprovalSettings": {"isApprovalRequiredForAdd": True, "stages": [stage]}}


async def test_a_request_that_the_manager_approves_brings_the_group(company: Company) -> None:
    boss, ana = await company.person("eva"), await company.person("ana", "eva")
    package, policy, group = await company.package(**approved_by_manager())

    request = await company.asked(ana, package, policy, justification="I sell.")
    await company.becomes(request, "pendingApproval")
    stage = await company.stage(request, boss)
    assert request in await company.waiting_for(boss)
    assert request not in await company.waiting_for(ana)
    await company.call("PATCH", stage, ana, 403, reviewResult="Approve")
    await company.call("PATCH", stage, boss, 204, reviewResult="Approve", justification="Yes.")
    await company.call("PATCH", stage, boss, 409, reviewResult="Deny")

    said = await company.becomes(request, "delivered")
    assert said["status"] == "Delivered"
    assert ana in await company.members(group)
    assignment = await company.call("GET", f"{EM}/assignments/{said['assignment']['id']}?$expand=target,accessPackage")
    assert (assignment["state"], assignment["target"]["id"]) == ("delivered", ana)
    assert assignment["schedule"]["expiration"]["type"] == "afterDateTime"
    for on, by in (("target", ana), ("createdBy", ana), ("targetManager", boss)):
        path = f"{EM}/assignments/filterByCurrentUser(on='{on}')"
        assert [one["id"] for one in (await company.call("GET", path, by))["value"]] == [assignment["id"]], on
    seen = await company.call("GET", stage, boss)
    assert (seen["status"], seen["reviewResult"], seen["reviewedBy"]["id"]) == ("Completed", "Approved", boss)

    async def told() -> Any:
        (held,) = (await company.call("GET", f"/v1.0/tenure/people/{ana}/access"))["assignments"]
        done = [one for one in held["requests"] if one["status"] == "delivered" and one["stages"]]
        return done and done[0]["stages"][0]["decidedBy"] and done[0]

    why = await until(told, "the request and its approval are known where the access is shown")
    assert (why["id"], why["justification"], why["policyVersion"]) == (request, "I sell.", 1)
    assert [(one["result"], one["decidedBy"], one["justification"]) for one in why["stages"]] == [
        ("Approved", boss, "Yes.")
    ]
    assert (await company.call("GET", f"{EM}/assignmentRequests/{request}", boss))["justification"] == "I sell."

    leaving = {"requestType": "userRemove", "assignment": {"id": said["assignment"]["id"]}}
    removal = await company.call("POST", f"{EM}/assignmentRequests", ana, 201, **leaving)
    await company.becomes(removal["id"], "delivered")

    async def out() -> bool:
        return ana not in await company.members(group)

    await until(out, "she is out of the group")


@pytest.mark.spec("APR-2")
async def test_of_a_group_that_sponsors_somebody_the_members_are_asked_as_they_come_and_go(company: Company) -> None:
    liv, max_, noa = [await company.person(name) for name in ("liv", "max", "noa")]
    sponsors = {"@odata.type": "#microsoft.graph.targetUserSponsors"}
    stage = {"durationBeforeAutomaticDenial": "P14D", "primaryApprovers": [sponsors]}
    approved = {"isApprovalRequiredForAdd": True, "stages": [stage]}
    package, policy, team = await company.package(requestApprovalSettings=approved)

    def of(path: str) -> dict[str, Any]:
        return {"@odata.id": f"https://graph.microsoft.com/v1.0/{path}"}

    await company.call("POST", f"/v1.0/groups/{team}/members/$ref", **of(f"users/{max_}"))
    await company.call("POST", f"/v1.0/users/{liv}/sponsors/$ref", **of(f"groups/{team}"))
    request = await company.asked(liv, package, policy)

    async def waits_for(person: str) -> None:
        async def there() -> bool:
            return request in await company.waiting_for(person)

        await until(there, "the request waits for them")

    await waits_for(max_)
    await company.call("DELETE", f"/v1.0/groups/{team}/members/{max_}/$ref")
    await company.call("POST", f"/v1.0/groups/{team}/members/$ref", **of(f"users/{noa}"))
    await waits_for(noa)
    await company.call("PATCH", await company.stage(request, noa), noa, 204, reviewResult="Approve")
    await company.becomes(request, "delivered")


async def test_whoever_came_a_moment_ago_decides_at_once(company: Company) -> None:
    """Approval may not have heard of them when their stage begins."""
    asker = await company.person("early")
    package, _, _ = await company.package()
    new = {"accountEnabled": True, "passwordProfile": {"password": "Unused-1234"}}
    for number in range(3):
        name = f"late{number}"
        upn = f"{name}@company.example"
        made = await company.call(
            "POST", "/v1.0/users", displayName=name, mailNickname=name, userPrincipalName=upn, **new
        )
        approver = {"@odata.type": "#microsoft.graph.singleUser", "userId": made["id"]}
        stage = {"durationBeforeAutomaticDenial": "P14D", "primaryApprovers": [approver]}
        settings = {"isApprovalRequiredForAdd": True, "stages": [stage]}
        policy = await company.policy(package, requestApprovalSettings=settings)
        request = await company.asked(asker, package, policy)
        stages = f"{EM}/accessPackageAssignmentApprovals/{request}/stages"
        (mine,) = (await company.call("GET", stages, made["id"]))["value"]
        await company.call("PATCH", f"{stages}/{mine['id']}", made["id"], 204, reviewResult="Deny")


@pytest.mark.spec("REQ-4")
async def test_a_request_that_the_manager_denies_brings_nothing(company: Company) -> None:
    boss, ben = await company.person("fay"), await company.person("ben", "fay")
    package, policy, group = await company.package(**approved_by_manager(isApproverJustificationRequired=True))

    request = await company.asked(ben, package, policy)
    again = {"requestType": "userAdd", "assignment": {"accessPackageId": package, "assignmentPolicyId": policy}}
    await company.call("POST", f"{EM}/assignmentRequests", ben, 409, **again)
    stage = await company.stage(request, boss)
    await company.call("PATCH", stage, boss, 400, reviewResult="Deny")
    await company.call("PATCH", stage, boss, 204, reviewResult="Deny", justification="Not in your team.")

    said = await company.becomes(request, "denied")
    assert (said["status"], said["@tenure.reason"]["message"]) == ("Denied", "Not in your team.")
    assert await company.members(group) == set()
    await until(lambda: company.told(boss, "approvalAsked"), "the approver is told that they are waited for")
    await until(lambda: company.told(ben, "requestDenied"), "the requestor is told")
    await company.asked(ben, package, policy)  # who was denied may ask again


@pytest.mark.spec("REQ-4")
async def test_a_request_that_is_canceled_is_withdrawn_from_its_approvers(company: Company) -> None:
    boss, cid = await company.person("gus"), await company.person("cid", "gus")
    package, policy, _ = await company.package(**approved_by_manager())

    request = await company.asked(cid, package, policy)
    stage = await company.stage(request, boss)
    for on, by in (("target", cid), ("createdBy", cid), ("approver", boss), ("targetManager", boss)):
        path = f"{EM}/assignmentRequests/filterByCurrentUser(on='{on}')"

        async def listed(path: str = path, by: str = by) -> bool:
            return [one["id"] for one in (await company.call("GET", path, by))["value"]] == [request]

        await until(listed, f"it is listed for the {on}")
    found = await company.call("GET", f"{EM}/assignmentRequests?$filter=state eq 'PendingApproval'&$expand=requestor")
    assert cid in {one["requestor"]["id"] for one in found["value"]}
    await company.call("GET", f"{EM}/assignmentRequests", cid, 403)
    await company.call("POST", f"{EM}/assignmentRequests/{request}/cancel", boss, 403)
    await company.call("POST", f"{EM}/assignmentRequests/{request}/cancel", cid, 200)
    assert (await company.state(request))["state"] == "canceled"

    async def gone() -> bool:
        return request not in await company.waiting_for(boss)

    await until(gone, "nobody is asked any more")
    await company.call("PATCH", stage, boss, 409, reviewResult="Approve")


async def test_what_waits_for_approval_ends_once_the_person_the_package_or_the_policy_is_gone(company: Company) -> None:
    boss = await company.person("roy")
    ida, jon, kim, lea, mia = [
        await company.person(name, "roy") for name in ("ida-r", "jon-r", "kim-r", "lea-r", "mia-r")
    ]
    package, policy, _ = await company.package(**approved_by_manager())
    other_package, under_other, _ = await company.package(**approved_by_manager())
    by_another = await company.policy(package, **approved_by_manager())
    closing = await company.policy(package, **approved_by_manager())
    leaving = await company.asked(ida, package, policy)
    of_package = await company.asked(jon, other_package, under_other)
    of_policy = await company.asked(kim, package, by_another)
    staying = await company.asked(lea, package, closing)
    suspended = await company.asked(mia, package, policy)
    for one in (leaving, of_package, of_policy, staying, suspended):
        await company.stage(one, boss)

    await company.hr("ida-r", ChangeKind.LEFT)
    await company.hr("mia-r", ChangeKind.SUSPENDED)
    await company.call("DELETE", f"{EM}/accessPackages/{other_package}")  # 202 where it takes long
    await company.call("DELETE", f"{EM}/assignmentPolicies/{by_another}")  # 202 where it takes long
    await company.close(closing)
    for request, code in ((leaving, "personLeft"), (of_package, "packageNotFound"), (of_policy, "policyNotFound")):
        said = await company.becomes(request, "canceled")
        assert said["@tenure.reason"]["code"] == code

    async def two_are_left() -> bool:
        return set(await company.waiting_for(boss)) == {staying, suspended}

    await until(two_are_left, "nobody is asked about the others any more")
    for person in (jon, kim):
        await until(lambda who=person: company.told(who, "requestFailed"), "whoever asked is told")  # type: ignore[misc]
    assert not await company.told(ida, "requestFailed")
    again = {"requestType": "userAdd", "assignment": {"accessPackageId": package, "assignmentPolicyId": by_another}}
    await company.call("POST", f"{EM}/assignmentRequests", kim, 404, **again)
    await company.asked(kim, package, policy)
    for one in (staying, suspended):
        assert (await company.state(one))["state"] == "pendingApproval"


@pytest.mark.spec("REQ-4")
async def test_whoever_cancels_before_the_start_may_ask_again_at_once(company: Company) -> None:
    zoe = await company.person("zoe")
    settings = {"enableTargetsToSelfAddAccess": True, "enableTargetsToSelfUpdateAccess": True}
    package, policy, group = await company.package(
        requestorSettings={**settings, "allowCustomAssignmentSchedule": True},
        requestApprovalSettings={
            "isApprovalRequiredForUpdate": True,
            "stages": [{"primaryApprovers": [{"@odata.type": "#microsoft.graph.singleUser", "userId": zoe}]}],
        },
    )
    start = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    for _ in range(3):
        request = await company.asked(zoe, package, policy, schedule={"startDateTime": start})
        await company.becomes(request, "scheduled")
        await company.call("POST", f"{EM}/assignmentRequests/{request}/cancel", zoe, 200)
    await company.becomes(await company.asked(zoe, package, policy), "delivered")
    held = f"{EM}/assignments?$filter=target/objectId eq '{zoe}' and state ne 'expired'"
    (assignment,) = (await company.call("GET", held))["value"]
    assert await company.members(group) == {zoe}

    update = {"requestType": "userUpdate", "assignment": {"id": assignment["id"]}}
    changing = await company.call("POST", f"{EM}/assignmentRequests", zoe, 201, **update)
    await company.call("POST", f"{EM}/assignmentRequests/{changing['id']}/cancel", zoe, 200)
    body = {"requestType": "userAdd", "assignment": {"accessPackageId": package}}
    await company.call("POST", f"{EM}/assignmentRequests", zoe, 409, **body)


@pytest.mark.timeout(400)
async def test_an_administrator_names_somebody_by_their_address(company: Company) -> None:
    package, policy, group = await company.package()
    made = await company.call(
        "POST",
        "/v1.0/users",
        status=201,
        displayName="Zora",
        userPrincipalName="zora@company.example",
        mailNickname="zora",
        mail="Zora@post.example",
        accountEnabled=True,
        passwordProfile={"password": uuid.uuid4().hex},
    )
    asked = {"accessPackageId": package, "assignmentPolicyId": policy}

    def by(address: str) -> dict[str, Any]:
        return {"requestType": "adminAdd", "assignment": {**asked, "target": {"email": address}}}

    refused = await company.call("POST", f"{EM}/assignmentRequests", None, 400, **by("nobody@post.example"))
    assert refused["error"]["target"] == "assignment/target/email"
    assert "invite them first" in refused["error"]["message"]
    request = await company.call("POST", f"{EM}/assignmentRequests", None, 201, **by("zora@POST.example"))
    await company.becomes(request["id"], "delivered")
    assert await company.members(group) == {made["id"]}


async def test_whoever_makes_a_policy_and_asks_at_once_is_heard_500_times(company: Company) -> None:
    """A service that has not heard of the policy yet waits for it, whatever else is going on."""
    people = await asyncio.gather(*(company.person(f"dan{number}") for number in range(20)))
    packages = [package for package, _, _ in [await company.package() for _ in range(25)]]
    turn = asyncio.Semaphore(8)

    async def make_and_ask(person: str, package: str) -> None:
        body = {
            "displayName": f"For {person}",
            "allowedTargetScope": "allMemberUsers",
            "expiration": {"type": "noExpiration"},
            "requestorSettings": {"enableTargetsToSelfAddAccess": True},
            "accessPackage": {"id": package},
        }
        async with turn:
            policy = await company.call("POST", f"{EM}/assignmentPolicies", status=201, **body)
            await company.asked(person, package, policy["id"])

    await asyncio.gather(*(make_and_ask(person, package) for person in people for package in packages))

    async def delivered() -> bool:
        of_them = f"requestor/id in ({', '.join(repr(person) for person in people)})"
        path = f"{EM}/assignmentRequests/$count?$filter=state eq 'delivered' and {of_them}"
        return bool(await company.call("GET", path) == len(people) * len(packages) == 500)

    await until(delivered, "all 500 are delivered", within_s=200)


async def test_whoever_was_just_let_in_asks_at_once_and_whoever_is_not_let_any_more_is_refused(
    company: Company,
) -> None:
    """Memberships are heard when there is time, and nobody is refused by those before; a policy is what it is now."""
    team = await company.call(
        "POST", "/v1.0/groups", displayName="Let in", mailNickname="in", mailEnabled=False, securityEnabled=True
    )
    targets = [{"@odata.type": "#microsoft.graph.groupMembers", "groupId": team["id"]}]
    scope = {"allowedTargetScope": "specificDirectoryUsers", "specificAllowedTargets": targets}
    package, policy, _ = await company.package(**scope)
    people = [await company.person(f"ida{number}") for number in range(8)]
    for number, person in enumerate(people):
        member = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{person}"}
        await company.call("POST", f"/v1.0/groups/{team['id']}/members/$ref", status=204, **member)
        if number % 2:
            path = f"{EM}/accessPackages/{package}/getApplicablePolicyRequirements"
            assert (await company.call("POST", path, person, 200))["value"]
        await company.asked(person, package, policy)
    for _ in range(8):
        closed, its_policy, _ = await company.package()
        await company.close(its_policy)
        asking = {"requestType": "userAdd", "assignment": {"accessPackageId": closed, "assignmentPolicyId": its_policy}}
        await company.call("POST", f"{EM}/assignmentRequests", people[0], 403, **asking)


@pytest.mark.spec("SOD-4")
async def test_whoever_holds_what_is_incompatible_cannot_ask_and_who_held_both_before_is_listed(
    company: Company,
) -> None:
    jon, kim = await company.person("jon"), await company.person("kim")
    one, one_policy, _ = await company.package()
    other, other_policy, _ = await company.package()
    for person, package, policy in ((jon, one, one_policy), (kim, one, one_policy), (kim, other, other_policy)):
        await company.becomes(await company.asked(person, package, policy), "delivered")
    link = {
        "@odata.id": f"https://graph.microsoft.com/v1.0/identityGovernance/entitlementManagement/accessPackages/{one}"
    }
    await company.call("POST", f"{EM}/accessPackages/{other}/incompatibleAccessPackages/$ref", status=204, **link)

    async def both() -> list[str]:
        path = f"{EM}/assignments/additionalAccess(accessPackageId='{one}',incompatibleAccessPackageId='{other}')"
        found = await company.call("GET", f"{path}?$expand=target,accessPackage")
        assert {said["accessPackage"]["id"] for said in found["value"]} <= {one}
        return [said["target"]["id"] for said in found["value"]]

    assert await both() == [kim]
    refused = {"requestType": "userAdd", "assignment": {"accessPackageId": other, "assignmentPolicyId": other_policy}}

    async def heard() -> bool:
        packages = company.host.platforms["request"].database.collection("packages")
        return one in (await packages.find_one({"_id": other}) or {})["incompatible_packages"]

    await until(heard, "request has heard of it")
    said = await company.call("POST", f"{EM}/assignmentRequests", jon, 400, **refused)
    assert said["error"]["code"] == "incompatibleAccessPackage"
    assert await both() == [kim], "who held both before keeps both"


@pytest.mark.spec("PKG-2", "PKG-4", "PKG-5")
async def test_somebody_sees_what_they_may_ask_for_and_what_is_asked_of_them(company: Company) -> None:
    hal, ida = await company.person("hal"), await company.person("ida")
    question = {"@odata.type": "#microsoft.graph.accessPackageTextInputQuestion", "text": "Why?", "isRequired": True}
    some = {
        "allowedTargetScope": "specificDirectoryUsers",
        "specificAllowedTargets": [{"@odata.type": "#microsoft.graph.singleUser", "userId": hal}],
        "questions": [question],
    }
    package, policy, group = await company.package(**some)
    offered = f"{EM}/accessPackages/filterByCurrentUser(on='allowedRequestor')"
    wanted = f"{EM}/accessPackages/{package}/getApplicablePolicyRequirements"

    async def listed() -> bool:
        return package in {one["id"] for one in (await company.call("GET", offered, hal))["value"]}

    await until(listed, "the package is offered")
    assert package not in {one["id"] for one in (await company.call("GET", offered, ida))["value"]}
    (with_catalog,) = (await company.call("GET", f"{offered}?$filter=id eq '{package}'&$expand=catalog", hal))["value"]
    plain = await company.call("GET", f"{EM}/accessPackages/{package}?$expand=catalog")
    assert with_catalog["catalog"] == {name: it for name, it in plain["catalog"].items() if "@" not in name}
    (asked,) = (await company.call("POST", wanted, hal))["value"]
    assert (asked["policyId"], asked["isApprovalRequiredForAdd"]) == (policy, False)
    assert (await company.call("POST", wanted, ida))["value"] == []
    available = f"{EM}/availableAccessPackages"
    for person in (hal, ida):  # who is not meant is shown it, too
        assert package in {one["id"] for one in (await company.call("GET", available, person))["value"]}
    roles = f"{available}/{package}/resourceRoleScopes?$expand=role"
    (brings,) = (await company.call("GET", roles, ida))["value"]
    assert (brings["role"]["displayName"], brings["role"]["originId"]) == ("Member", f"Member_{group}")
    assert (await company.call("GET", f"{roles}&$filter=id eq '{brings['id']}'", ida))["value"] == [brings]
    assert (await company.call("GET", f"{roles}&$filter=id eq 'another'", ida))["value"] == []
    expand = "$expand=resourceRoleScopes($expand=role)"
    whole = await company.call("GET", f"{available}/{package}?{expand}", ida)
    (one,) = (await company.call("GET", f"{available}?$filter=id eq '{package}'&{expand}", ida))["value"]
    assert whole["resourceRoleScopes"] == one["resourceRoleScopes"] == [brings]
    assert "resourceRoleScopes" not in await company.call("GET", f"{available}/{package}", ida)

    async def nobody_is_shown() -> bool:
        answer = await company.client.get(roles, headers={"Tenure-Actor": f"person:{hal}"})
        return answer.status_code == 403

    await company.call("PATCH", f"{EM}/settings", status=204, resourceRolesShownTo="nobody")
    await until(nobody_is_shown, "the tenant shows nobody what packages bring")
    await company.call("GET", f"{available}?{expand}", hal, 403)
    await company.call("PATCH", f"{EM}/accessPackages/{package}", status=204, isHidden=True)

    async def hidden() -> bool:
        listed = [
            *(await company.call("GET", available, hal))["value"],
            *(await company.call("GET", offered, hal))["value"],
        ]
        return package not in {one["id"] for one in listed}

    await until(hidden, "it is not listed any more")
    body = {"requestType": "userAdd", "assignment": {"accessPackageId": package}}
    await company.call("POST", f"{EM}/assignmentRequests", ida, 403, **body)
    await company.call("POST", f"{EM}/assignmentRequests", hal, 400, **body)
    answer = {
        "@odata.type": "#microsoft.graph.accessPackageAnswerString",
        "value": "I sell.",
        "answeredQuestion": {"id": asked["questions"][0]["id"]},
    }
    await company.becomes(await company.asked(hal, package, policy, answers=[answer]), "delivered")


@pytest.mark.spec("CAT-6")
async def test_what_a_resource_asks_becomes_a_property_that_goes_with_the_access_and_feeds_no_rule(
    company: Company,
) -> None:
    kim = await company.person("kim")
    package, policy, group = await company.package()
    text = {"@odata.type": "#microsoft.graph.accessPackageTextInputQuestion", "text": "Your job?", "isRequired": True}
    source = {"@odata.type": "#microsoft.graph.accessPackageResourceAttributeQuestion", "question": text}
    resource = {"originId": group, "originSystem": "AadGroup"}
    catalog = (await company.call("GET", f"{EM}/accessPackages/{package}?$expand=catalog"))["catalog"]["id"]
    await company.call(
        "POST",
        f"{EM}/resourceRequests",
        requestType="adminUpdate",
        catalog={"id": catalog},
        resource={**resource, "attributes": [{"name": "jobTitle", "source": source}]},
    )
    rule = {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": 'user.jobTitle -eq "Diver"'}
    divers, _, _ = await company.package(
        allowedTargetScope="specificDirectoryUsers",
        specificAllowedTargets=[rule],
        automaticRequestSettings={"requestAccessForAllowedTargets": True},
        expiration={"type": "noExpiration"},
        requestorSettings={},
    )

    async def asked_for() -> Any:
        path = f"{EM}/accessPackages/{package}/getApplicablePolicyRequirements"
        (one,) = (await company.call("POST", path, kim))["value"]
        return one["questions"]

    (question,) = await until(asked_for, "the resource's question is asked")
    answer = {
        "@odata.type": "#microsoft.graph.accessPackageAnswerString",
        "value": "Diver",
        "answeredQuestion": {"id": question["id"]},
    }
    request = await company.asked(kim, package, policy, answers=[answer])
    assignment = (await company.becomes(request, "delivered"))["assignment"]["id"]

    async def job() -> str | None:
        said: str | None = (await company.call("GET", f"/v1.0/users/{kim}?$select=jobTitle"))["jobTitle"]
        return said

    async def written() -> bool:
        return await job() == "Diver"

    async def taken_back() -> bool:
        return await job() is None

    await until(written, "the answer is a property")
    removal = {"requestType": "userRemove", "assignment": {"id": assignment}}
    await company.call("POST", f"{EM}/assignmentRequests", kim, 201, **removal)
    await until(taken_back, "it went with the access")
    held = await company.call("GET", f"{EM}/assignments?$filter=accessPackage/id eq '{divers}'")
    ended = await company.call("GET", f"{EM}/assignments?$filter=accessPackage/id eq '{divers}' and state eq 'expired'")
    assert (held["value"], ended["value"]) == ([], []), "no rule has read it"


async def test_reprocessing_gives_back_what_somebody_took_away_by_hand(company: Company) -> None:
    ann = await company.person("ann")
    package, policy, group = await company.package()
    said = await company.becomes(await company.asked(ann, package, policy), "delivered")
    assignment = f"{EM}/assignments/{said['assignment']['id']}"
    await company.call("DELETE", f"/v1.0/groups/{group}/members/{ann}/$ref", status=204)

    async def out() -> bool:
        return ann not in await company.members(group)

    await until(out, "taken out by hand")
    assert (await company.call("GET", assignment))["state"] == "delivered", "nobody has looked (RES-10)"
    await company.call("POST", f"{assignment}/reprocess", ann, 403)
    await company.call("POST", f"{assignment}/reprocess", status=202)

    async def back() -> bool:
        there = ann in await company.members(group)
        return there and (await company.call("GET", assignment))["state"] == "delivered"

    await until(back, "she is a member again")
    assert (await company.state(said["id"]))["state"] == "delivered"
    await company.call("POST", f"{EM}/assignments/no-id/reprocess", status=400)
    await company.call("POST", f"{EM}/assignments/{uuid.uuid4()}/reprocess", status=404)
