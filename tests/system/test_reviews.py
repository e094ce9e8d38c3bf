"""Somebody is asked who still needs what, and what they deny is taken away: all services on real Kafka and MongoDB."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.embedded import Servers
from deploy.run.registry import assemblies
from shared.clock import TurnableClock
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from shared.web.server import HttpServer
from tests.system.test_requests import EM, Company, until
from tests.waiting import untroubled

AR = "/v1.0/identityGovernance/accessReviews/definitions"


class Reviewing(Company):
    """The same company, with reviews and a clock that can be put forward."""

    def __init__(self, host: Host, client: httpx.AsyncClient, clock: TurnableClock) -> None:
        super().__init__(host, client)
        self.clock = clock

    async def group(self, *members: str, owner: str | None = None) -> str:
        name = f"g{uuid.uuid4().hex[:6]}"
        group = await self.call(
            "POST", "/v1.0/groups", displayName=name, mailNickname=name, mailEnabled=False, securityEnabled=True
        )
        for member in members:
            await self.refer(f"/v1.0/groups/{group['id']}/members", member)
        if owner is not None:
            await self.refer(f"/v1.0/groups/{group['id']}/owners", owner)
        return str(group["id"])

    async def refer(self, path: str, person: str) -> None:
        target = {"@odata.id": f"{self.client.base_url}/v1.0/directoryObjects/{person}"}
        answer = await self.client.post(f"{path}/$ref", json=target)
        assert answer.is_success, answer.text

    async def review(self, query: str, reviewers: list[dict[str, str]], **settings: Any) -> str:
        """A path of the instance, once reviewers may decide."""
        scope = {"@odata.type": "#microsoft.graph.accessReviewQueryScope", "query": query}
        more = {name: settings.pop(name) for name in ("fallbackReviewers", "stageSettings") if name in settings}
        definition = await self.call(
            "POST",
            AR,
            status=201,
            displayName="A review",
            scope=scope | {"queryType": "MicrosoftGraph"},
            reviewers=reviewers,
            settings={"instanceDurationInDays": 7, **settings},
            **more,
        )
        assert definition["status"] == "NotStarted"
        return await self.running(definition["id"])

    async def running(self, definition: str) -> str:
        async def there() -> str | None:
            found = (await self.call("GET", f"{AR}/{definition}/instances"))["value"]
            return found[0]["id"] if found and found[0]["status"] == "InProgress" else None

        return f"{AR}/{definition}/instances/{await until(there, 'the review is in progress')}"

    async def is_(self, run: str, status: str) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            said: dict[str, Any] = await self.call("GET", run)
            return said if said["status"] == status else None

        found: dict[str, Any] = await until(there, f"the review is {status}")
        return found

    async def contacted(self, run: str, wanted: dict[str, list[str]]) -> None:
        """Who was told, in the order of the occasions."""

        async def there() -> bool:
            found = (await self.call("GET", f"{run}/contactedReviewers"))["value"]
            return {one["id"]: [it["occasion"] for it in one["@tenure.told"]] for one in found} == wanted

        await until(there, f"contacted: {wanted}")

    async def told(self, person: str, wanted: set[str]) -> None:
        async def there() -> bool:
            found = (await self.call("GET", f"/v1.0/tenure/notifications?recipient={person}"))["value"]
            return wanted <= {one["event"] for one in found if one["channel"] == "topic" and one["status"] == "sent"}

        await until(there, f"{person} is told {wanted}")

    async def items(self, run: str, by: str | None = None) -> dict[str, dict[str, Any]]:
        """By person."""
        path = f"{run}/decisions" + ("/filterByCurrentUser(on='reviewer')" if by else "")
        return {one["principal"]["id"]: one for one in (await self.call("GET", path, by))["value"]}

    async def unreviewed(self, among: set[str]) -> dict[str, str | None]:
        """When each of those that lack a review was last reviewed."""
        lacking = (await self.call("GET", "/v1.0/tenure/reviewCoverage?$top=999"))["value"]
        return {one["id"]: one["lastReviewedAt"] for one in lacking if one["id"] in among}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def company(servers: Servers) -> AsyncIterator[Reviewing]:
    where = servers.endpoints
    settings = Settings(
        kafka=where.kafka, mongo=where.mongo, namespace=f"rev{uuid.uuid4().hex[:8]}", timer_poll_s=0.1, partitions=2
    )
    clock = TurnableClock(datetime(2026, 3, 1, tzinfo=UTC))
    host = Host(settings, assemblies(without=("audit",)), clock=clock)
    await create_topics(settings, groups_of(list(host.services.values())))
    async with host:
        routers = [router for service in host.services.values() for router in service.routers]
        server = HttpServer(make_app("tenure", routers))
        await server.start()
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            yield Reviewing(host, client, clock)
        await server.stop()
        await untroubled(host)


@pytest.mark.spec("REV-10", "REV-18", "REV-19", "REV-21", "REV-22")
async def test_a_member_whom_the_owner_denies_is_taken_out_of_the_group(company: Reviewing) -> None:
    owner, ana, ben = [await company.person(name) for name in ("r-olga", "r-ana", "r-ben")]
    group = await company.group(ana, ben, owner, owner=owner)
    run = await company.review(
        f"/groups/{group}/transitiveMembers",
        [{"query": f"/groups/{group}/owners", "queryType": "MicrosoftGraph"}],
        justificationRequiredOnApproval=True,
        autoApplyDecisionsEnabled=True,
        mailNotificationsEnabled=True,
        reminderNotificationsEnabled=True,
    )
    assert set(await company.items(run)) == {ana, ben, owner}
    mine = await company.items(run, owner)
    assert set(mine) == {ana, ben}, "nobody decides about themself"

    whole = await company.call("GET", f"{run}?$expand=decisions($select=id),contactedReviewers,stages")
    assert {one["id"] for one in whole["decisions"]} == {one["id"] for one in (await company.items(run)).values()}
    assert {name for one in whole["decisions"] for name in one if "@" not in name} == {"id"}
    assert whole["stages"] == []
    definition = run.rpartition("/instances/")[0]
    (listed,) = (await company.call("GET", f"{definition}?$expand=instances"))["instances"]
    assert listed["id"] == whole["id"]
    await company.call("GET", f"{run}?$expand=decisions", owner, 200)
    await company.call("GET", f"{definition}?$expand=instances", ana, 403)

    at = f"{run}/decisions"
    await company.call("PATCH", f"{at}/{mine[ana]['id']}", owner, 400, decision="Approve")
    await company.call("PATCH", f"{at}/{mine[ana]['id']}", owner, 204, decision="Approve", justification="She sells.")
    await company.call("PATCH", f"{at}/{mine[ben]['id']}", owner, 204, decision="DontKnow")
    await company.call("PATCH", f"{at}/{mine[ben]['id']}", owner, 204, decision="Deny", justification="He left Sales.")
    await company.call("PATCH", f"{at}/{mine[ben]['id']}", ana, 403, decision="Approve", justification="No.")
    assert ben in await company.members(group), "nothing happens before the end"
    await company.call("POST", f"{run}/applyDecisions", status=400)

    await company.contacted(run, {owner: ["start"]})
    company.clock.turn(timedelta(days=4))
    await company.contacted(run, {owner: ["start", "halfTime"]})
    await company.call("POST", f"{run}/sendReminder", status=204)
    await company.contacted(run, {owner: ["start", "halfTime", "reminder"]})
    # Before the end: nobody is asked any more for what cannot be done.
    await company.told(owner, {"reviewAsked", "reviewReminded"})
    company.clock.turn(timedelta(days=4))
    applied = await company.is_(run, "Applied")
    await company.told(ben, {"reviewTaken"})
    assert applied["@tenure.figures"] == {"Approve": 1, "Deny": 1, "NotReviewed": 1}
    assert await company.members(group) == {ana, owner}
    items = await company.items(run)
    assert {p: i["applyResult"] for p, i in items.items()} == dict.fromkeys((ana, ben, owner), "AppliedSuccessfully")
    assert items[ben]["@tenure.result"] == "Taken away."
    assert items[ben]["reviewedBy"]["id"] == owner
    await company.call("PATCH", f"{at}/{mine[ben]['id']}", owner, 400, decision="Approve", justification="Late.")


@pytest.mark.spec("REV-12", "REV-17", "PKR-6")
async def test_an_assignment_that_the_manager_denies_ends_and_silence_denies(company: Reviewing) -> None:
    boss = await company.person("r-boss")
    eve, fay, gil = [await company.person(name, "r-boss") for name in ("r-eve", "r-fay", "r-gil")]
    package, policy, group = await company.package()
    for person in (eve, fay, gil):
        await company.becomes(await company.asked(person, package, policy), "delivered")
    query = f"{EM.removeprefix('/v1.0')}/accessPackageAssignments?$filter=(accessPackageId eq '{package}' and "
    run = await company.review(
        f"{query}assignmentPolicyId eq '{policy}')",
        [{"query": "./manager", "queryType": "MicrosoftGraph", "queryRoot": "decisions"}],
        fallbackReviewers=[{"query": f"/users/{eve}", "queryType": "MicrosoftGraph"}],
        defaultDecisionEnabled=True,
        defaultDecision="Deny",
        recommendationsEnabled=True,
    )
    mine = await company.items(run, boss)
    assert set(mine) == {eve, fay, gil}
    assert all(one["recommendation"] == "NoInfoAvailable" and one["@tenure.reason"] for one in mine.values())

    async def contacted() -> list[str]:
        return [one["id"] for one in (await company.call("GET", f"{run}/contactedReviewers"))["value"]]

    assert await until(contacted, "the manager is told") == [boss]
    batch = {"decision": "Approve", "principalId": eve}
    await company.call("POST", f"{run}/batchRecordDecisions", boss, 204, **batch)
    await company.call("POST", f"{run}/batchRecordDecisions", fay, 403, decision="Approve")
    await company.call("PATCH", f"{run}/decisions/{mine[fay]['id']}", boss, 204, decision="Deny", justification="No.")

    # He gives it back himself meanwhile: that is settled, and said so.
    assignment = mine[fay]["@tenure.assignmentId"]
    leaving = {"requestType": "userRemove", "assignment": {"id": assignment}}
    removal = await company.call("POST", f"{EM}/assignmentRequests", fay, 201, **leaving)
    await company.becomes(removal["id"], "delivered")

    await company.call("POST", f"{run}/stop", status=204)
    await company.is_(run, "AutoReviewed")
    assert {p: i["decision"] for p, i in (await company.items(run)).items()} == {
        eve: "Approve", fay: "Deny", gil: "Deny",
    }  # fmt: skip
    await company.call("POST", f"{run}/applyDecisions", status=204)
    await company.is_(run, "Applied")
    items = await company.items(run)
    assert items[fay]["applyResult"] == "AppliedSuccessfullyButObjectNotFound"
    assert items[gil]["applyResult"] == "AppliedSuccessfully"

    async def out() -> bool:
        return await company.members(group) == {eve}

    await until(out, "only she is in the group")


@pytest.mark.spec("PKR-1", "PKR-3", "PKR-6")
async def test_a_policy_brings_its_own_review_and_a_denial_in_it_ends_the_assignment(company: Reviewing) -> None:
    boss = await company.person("p-boss")
    ida, jan, kim = [await company.person(name, "p-boss") for name in ("p-ida", "p-jan", "p-kim")]
    start = company.clock.now() + timedelta(days=10)
    package, policy, group = await company.package(
        reviewSettings={
            "isEnabled": True,
            "expirationBehavior": "keepAccess",
            "primaryReviewers": [{"@odata.type": "#microsoft.graph.targetManager", "managerLevel": 1}],
            "fallbackReviewers": [{"@odata.type": "#microsoft.graph.singleUser", "userId": boss}],
            "schedule": {
                "startDateTime": start.isoformat(),
                "expiration": {"type": "afterDuration", "duration": "P14D"},
                "recurrence": {"pattern": {"type": "absoluteMonthly", "interval": 3}, "range": {"type": "noEnd"}},
            },
        }
    )
    read = await company.call("GET", f"{EM}/assignmentPolicies/{policy}?$expand=accessPackage")
    other = await company.call(
        "POST",
        f"{EM}/assignmentPolicies",
        displayName="Not reviewed",
        allowedTargetScope="allMemberUsers",
        requestorSettings={"enableTargetsToSelfAddAccess": True},
        accessPackage={"id": package},
    )
    for person, under in ((ida, policy), (jan, policy), (kim, other["id"])):
        await company.becomes(await company.asked(person, package, under), "delivered")

    async def followed() -> dict[str, Any] | None:
        found = (await company.call("GET", AR))["value"]
        return next((one for one in found if policy in one["scope"]["query"]), None)

    definition = await until(followed, "a definition follows the policy")
    assert definition["settings"]["recurrence"]["pattern"]["interval"] == 3
    assert read["reviewSettings"]["isEnabled"] is True
    await company.call("DELETE", f"{AR}/{definition['id']}", status=409)
    assert await company.unreviewed({package, group}) == {package: None, group: None}

    company.clock.turn(timedelta(days=11))
    run = await company.running(definition["id"])
    mine = await company.items(run, boss)
    assert set(mine) == {ida, jan}, "what was assigned under another policy is not reviewed"
    await company.call("PATCH", f"{run}/decisions/{mine[ida]['id']}", boss, 204, decision="Deny", justification="No.")
    company.clock.turn(timedelta(days=15))
    await company.is_(run, "Applied")
    items = await company.items(run)
    assert items[ida]["applyResult"] == "AppliedSuccessfully"
    assert items[jan]["decision"] == "NotReviewed"

    async def out() -> bool:
        return await company.members(group) == {jan, kim}

    await until(out, "only she whom the manager denied is out")
    assert await company.unreviewed({package, group}) == {group: None}, "the package has been reviewed"
    body = {name: value for name, value in read.items() if name not in {"@odata.context", "reviewSettings"}}
    await company.call("PUT", f"{EM}/assignmentPolicies/{policy}", **body, reviewSettings=None)

    async def over() -> bool:
        return bool((await company.call("GET", f"{AR}/{definition['id']}"))["status"] == "Completed")

    await until(over, "nothing begins any more")


async def test_whoever_is_blocked_is_nobody_in_every_service_until_they_return(company: Reviewing) -> None:
    boss = await company.person("r-blocked")
    mine = (f"{AR}/filterByCurrentUser(on='reviewer')", f"/v1.0/users/{boss}")

    async def answers(status: int) -> None:
        async def there() -> bool:
            headers = {"Tenure-Actor": f"person:{boss}"}
            found = [(await company.client.get(path, headers=headers)).status_code for path in mine]
            return found == [status] * len(mine)

        await until(there, f"every service answers {status}")

    await answers(200)
    await company.call("POST", f"/v1.0/tenure/people/{boss}/suspend")
    await answers(401)
    await company.call("POST", f"/v1.0/tenure/people/{boss}/return")
    await answers(200)


@pytest.mark.spec("REV-4", "REV-19")
async def test_members_of_a_group_inside_are_reviewed_under_transitive_members_alone(company: Reviewing) -> None:
    owner, lea, mia = [await company.person(name) for name in ("n-owner", "n-lea", "n-mia")]
    inner = await company.group(mia)
    group = await company.group(lea, inner)
    reviewer = [{"query": f"/users/{owner}", "queryType": "MicrosoftGraph"}]
    direct = await company.review(f"/groups/{group}/members", reviewer)
    mine = await company.items(direct, owner)
    assert set(mine) == {lea, inner}, "a group inside is one item"
    assert mine[inner]["principal"]["@odata.type"] == "#microsoft.graph.identity"
    run = await company.review(f"/groups/{group}/transitiveMembers", reviewer, autoApplyDecisionsEnabled=True)
    mine = await company.items(run, owner)
    assert set(mine) == {lea, mia}
    await company.call("PATCH", f"{run}/decisions/{mine[mia]['id']}", owner, 204, decision="Deny", justification="No.")
    await company.call("POST", f"{run}/stop", status=204)
    await company.is_(run, "Applied")
    items = await company.items(run)
    assert items[mia]["applyResult"] == "ApplyNotSupported"
    assert items[mia]["@tenure.result"].startswith("Held through a group")
    at = f"{direct}/decisions/{(await company.items(direct))[inner]['id']}"
    await company.call("PATCH", at, owner, 204, decision="Deny", justification="No.")
    await company.call("POST", f"{direct}/stop", status=204)
    await company.is_(direct, "Completed")
    await company.call("POST", f"{direct}/applyDecisions", status=204)
    await company.is_(direct, "Applied")
    assert (await company.items(direct))[inner]["applyResult"] == "AppliedSuccessfully"
    assert await company.members(group) == {lea}


@pytest.mark.spec("REV-12", "REV-15", "REV-22")
async def test_whoever_decides_what_a_reset_brings_back_is_told(company: Reviewing) -> None:
    first = await company.person("y-first")
    bosses = [await company.person(f"y-boss{number}") for number in range(2)]
    ana, ben = [await company.person(f"y-{name}", f"y-boss{number}") for number, name in enumerate(("ana", "ben"))]
    group = await company.group(ana, ben)
    manager = {"query": "./manager", "queryType": "MicrosoftGraph", "queryRoot": "decisions"}
    run = await company.review(
        f"/groups/{group}/members",
        [],
        stageSettings=[
            {
                "stageId": "1", "durationInDays": 3, "reviewers": [{"query": f"/users/{first}"}],
                "decisionsThatWillMoveToNextStage": ["Approve"],
            },
            {"stageId": "2", "dependsOn": ["1"], "durationInDays": 3, "reviewers": [manager]},
        ],
    )  # fmt: skip
    mine = await company.items(run, first)
    for person, decision in ((ana, "Deny"), (ben, "Approve")):
        await company.call(
            "PATCH", f"{run}/decisions/{mine[person]['id']}", first, 204, decision=decision, justification="So."
        )
    [stage] = (await company.call("GET", f"{run}/stages"))["value"]
    await company.call("POST", f"{run}/stages/{stage['id']}/stop", status=204)
    await company.contacted(run, {first: ["start"], bosses[1]: ["start"]})
    await company.call("POST", f"{run}/resetDecisions", status=204)
    await company.contacted(run, {first: ["start"], bosses[0]: ["start"], bosses[1]: ["start"]})
    at = f"{run}/decisions/{mine[ana]['id']}"
    await company.call("PATCH", at, bosses[0], 204, decision="Deny", justification="Again.")
