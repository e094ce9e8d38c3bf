"""What a review can be about and who reviews it, beyond the members of one group: all services on real Kafka and
MongoDB."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.directory.signins.store import SignIns
from shared.contracts import topics
from shared.contracts.signins import SignIn
from shared.messaging.envelope import Outgoing
from shared.storage import Replica
from tests.system.test_requests import EM, until
from tests.system.test_reviews import AR, Reviewing, company

__all__ = ["company"]

GRAPH = "MicrosoftGraph"
OWNER = "ae79f266-94d4-4dab-b730-feca7e132178"
SLOW_S = 2.5
"""What taking a batch costs a slow machine: longer than anything waits for a fact that may not be there."""
GUESTS = "/microsoft.graph.user/?$filter=(userType eq 'Guest')"


async def guest(company: Reviewing, name: str, *sponsors: str) -> str:
    """Somebody from outside, whom an administrator has made."""
    made = await company.call(
        "POST", "/v1.0/users", status=201, accountEnabled=True, displayName=name, mailNickname=name, userType="Guest",
        userPrincipalName=f"{name}@guests.example", passwordProfile={"password": uuid.uuid4().hex},
    )  # fmt: skip
    for sponsor in sponsors:
        await company.refer(f"/v1.0/users/{made['id']}/sponsors", sponsor)
    return str(made["id"])


async def defined(company: Reviewing, scope: dict[str, Any], reviewer: str, **more: Any) -> str:
    """The definition's id."""
    made = await company.call(
        "POST", AR, status=201, displayName="A review", scope=scope, settings={"instanceDurationInDays": 7},
        reviewers=[{"query": f"/users/{reviewer}", "queryType": GRAPH}], **more,
    )  # fmt: skip
    return str(made["id"])


@pytest.mark.spec("REV-5")
async def test_whoever_answers_for_a_guest_reviews_the_guest(company: Reviewing) -> None:
    ana, ben, cy = [await company.person(f"v-{name}") for name in ("ana", "ben", "cy")]
    team = await company.group(ben)
    eva, fay, ida = (
        await guest(company, "v-eva", ana),
        await guest(company, "v-fay", team),
        await guest(company, "v-ida"),
    )
    group = await company.group(eva, fay, ida)
    run = await company.review(
        f"/groups/{group}/transitiveMembers{GUESTS}",
        [{"query": "./sponsors", "queryType": GRAPH, "queryRoot": "decisions"}],
        fallbackReviewers=[{"query": f"/users/{cy}", "queryType": GRAPH}],
    )
    assert [set(await company.items(run, one)) for one in (ana, ben, cy)] == [{eva}, {fay}, {ida}]
    at = f"{run}/decisions/{(await company.items(run, ben))[fay]['id']}"
    await company.call("PATCH", at, ana, 403, decision="Approve", justification="Not mine.")
    await company.call("PATCH", at, ben, 204, decision="Approve", justification="Ours.")
    # What others review is read by them and by administrators, and decided by nobody else: not in silence either.
    await company.call("GET", at, ana, 403)
    assert (await company.call("GET", at, ben))["justification"] == "Ours."
    await company.call("POST", f"{run}/batchRecordDecisions", ana, 403, decision="Deny", principalId=fay)
    await company.call("POST", f"{run}/batchRecordDecisions", ana, 204, decision="Deny", principalId=eva)


@pytest.mark.spec("REV-5")
async def test_what_the_last_reviewer_has_goes_to_the_fallbacks_when_the_others_leave(company: Reviewing) -> None:
    ana, cy = await company.person("x-ana"), await company.person("x-cy")
    ben = await guest(company, "x-ben")
    group = await company.group(ana, ben)
    run = await company.review(
        f"/groups/{group}/members",
        [{"query": f"/users/{one}", "queryType": GRAPH} for one in (ana, ben)],
        fallbackReviewers=[{"query": f"/users/{cy}", "queryType": GRAPH}],
    )
    assert [set(await company.items(run, one)) for one in (ana, ben)] == [{ben}, {ana}]
    await company.call("DELETE", f"/v1.0/users/{ben}", status=204)

    async def handed_over() -> bool:
        answer = await company.client.get(
            f"{run}/decisions/filterByCurrentUser(on='reviewer')", headers={"Tenure-Actor": f"person:{cy}"}
        )
        return answer.is_success and [one["principal"]["id"] for one in answer.json()["value"]] == [ana]

    await until(handed_over, "nobody decides about themself")


@pytest.mark.spec("REV-3")
async def test_of_inactive_people_the_new_the_active_and_the_deleted_are_left_out(company: Reviewing) -> None:
    owner, ana, ben, never = [await company.person(f"w-{name}") for name in ("owner", "ana", "ben", "never")]
    new, gone = await guest(company, "w-new"), await guest(company, "w-gone")
    for name, days in (("w-ana", 1), ("w-ben", 45)):
        at = (company.clock.now() - timedelta(days=days)).isoformat()
        await company.call("POST", "/v1.0/tenure/signIns", employeeId=name, at=at)
    group = await company.group(ana, ben, never, new, gone)
    await company.call("DELETE", f"/v1.0/users/{gone}", status=204)
    scope = {
        "@odata.type": "#microsoft.graph.accessReviewInactiveUsersQueryScope", "inactiveDuration": "P30D",
        "query": f"/groups/{group}/transitiveMembers", "queryType": GRAPH,
    }  # fmt: skip
    run = await company.running(await defined(company, scope, owner))
    assert set(await company.items(run)) == {ben, never}
    everybody = {"query": f"/groups/{group}/transitiveMembers", "queryType": GRAPH}
    run = await company.running(await defined(company, everybody, owner))
    assert set(await company.items(run)) == {ana, ben, never, new}


@pytest.mark.spec("REV-19")
async def test_who_keeps_a_catalog_is_reviewed_and_a_denied_role_is_taken(company: Reviewing) -> None:
    boss = await company.person("k-boss")
    ana, ben, cy = await company.person("k-ana", "k-boss"), await company.person("k-ben"), await company.person("k-cy")
    catalog, other = [(await company.call("POST", f"{EM}/catalogs", displayName=f"k-{n}"))["id"] for n in range(2)]
    team = await company.group(ben)
    at = "/v1.0/roleManagement/entitlementManagement/roleAssignments"
    for principal, where in ((ana, catalog), (team, catalog), (cy, other)):
        scope = f"/AccessPackageCatalog/{where}"
        await company.call(
            "POST", at, status=201, principalId=principal, roleDefinitionId=OWNER, appScopeId=scope
        )  # fmt: skip
    only = f"roleDefinitionId eq '{OWNER}' and appScopeId eq '/AccessPackageCatalog/{catalog}'"
    run = await company.review(
        f"{at.removeprefix('/v1.0')}?$filter={only}",
        [{"query": "./manager", "queryType": GRAPH, "queryRoot": "decisions"}],
        fallbackReviewers=[{"query": f"/users/{boss}", "queryType": GRAPH}],
        autoApplyDecisionsEnabled=True,
        mailNotificationsEnabled=True,
    )
    mine = await company.items(run, boss)
    assert set(mine) == {ana, ben}
    assert mine[ana]["resource"]["displayName"] == "Catalog owner"
    for one in mine.values():
        await company.call("PATCH", f"{run}/decisions/{one['id']}", boss, 204, decision="Deny", justification="No.")
    await company.call("POST", f"{run}/stop", status=204)
    await company.is_(run, "Applied")
    items = await company.items(run)
    assert (items[ana]["applyResult"], items[ben]["applyResult"]) == ("AppliedSuccessfully", "ApplyNotSupported")
    assert items[ben]["@tenure.result"].startswith("Held by a group that has the role")
    left = (await company.call("GET", f"{at}?$filter=roleDefinitionId eq '{OWNER}'"))["value"]
    assert {team, cy} <= {one["principalId"] for one in left}
    assert ana not in {one["principalId"] for one in left}
    await company.told(ana, {"reviewTaken"})


@pytest.mark.spec("REV-5", "REV-8", "REC-1")
async def test_what_was_said_just_before_the_start_is_known_however_slow_the_machine(
    company: Reviewing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by the topic and over HTTP, with nothing between the telling and the start of the review."""
    ana, boss = await company.person("j-ana"), await company.person("j-boss")
    eva = await guest(company, "j-eva")
    group = await company.group(ana, eva)
    taken, located = Replica.apply, SignIns.locate

    async def apply(self: Replica[Any], facts: Sequence[Any]) -> list[Any]:
        if self._database.name.endswith("review") and self.name in {"sign_ins", "people"}:
            await asyncio.sleep(SLOW_S)
        return await taken(self, facts)

    async def locate(self: SignIns, messages: Sequence[Any]) -> Sequence[str]:
        await asyncio.sleep(SLOW_S)
        return await located(self, messages)

    monkeypatch.setattr(Replica, "apply", apply)
    monkeypatch.setattr(SignIns, "locate", locate)
    await company.refer(f"/v1.0/users/{eva}/sponsors", boss)
    told = SignIn.model_validate({"employeeId": "j-ana", "at": company.clock.now() - timedelta(days=1)})
    record = Outgoing(topics.SIGN_INS.name, b"j-ana", told.json_bytes())
    await company.host.platforms["directory"].bus.publish([record])
    run = await company.review(
        f"/groups/{group}/transitiveMembers",
        [{"query": "./sponsors", "queryType": GRAPH, "queryRoot": "decisions"}],
        recommendationsEnabled=True,
    )
    items = await company.items(run)
    assert items[ana]["recommendation"] == "Approve"
    assert items[ana]["@tenure.figures"]["lastSignIn"].startswith("2026-")
    assert set(await company.items(run, boss)) == {eva}


async def test_each_stage_recommends_by_its_own_settings(company: Reviewing) -> None:
    first, second, ana = [await company.person(f"q-{name}") for name in ("first", "second", "ana")]
    at = (company.clock.now() - timedelta(days=60)).isoformat()
    await company.call("POST", "/v1.0/tenure/signIns", employeeId="q-ana", at=at)
    group = await company.group(ana)
    stage = {"durationInDays": 3, "recommendationsEnabled": True}
    run = await company.review(
        f"/groups/{group}/transitiveMembers",
        [],
        stageSettings=[
            {"stageId": "1", "reviewers": [{"query": f"/users/{first}"}], **stage},
            {
                "stageId": "2", "dependsOn": ["1"], "reviewers": [{"query": f"/users/{second}"}],
                "recommendationLookBackDuration": "P90D", **stage,
            },
        ],
    )  # fmt: skip
    told = (await company.items(run, first))[ana]
    assert (told["recommendation"], told["@tenure.figures"]["daysSinceSignIn"]) == ("Deny", 60)
    [insight] = (await company.call("GET", f"{run}/decisions?$expand=insights"))["value"][0]["insights"]
    assert insight["lastSignInDateTime"].startswith(at[:10])
    [one] = (await company.call("GET", f"{run}/stages"))["value"]
    await company.call("POST", f"{run}/stages/{one['id']}/stop", status=204)

    async def anew() -> bool:
        return (await company.items(run))[ana]["recommendation"] == "Approve"

    await until(anew, "the second stage recommends otherwise")

    async def begun() -> bool:  # the items come before the stage itself
        stages = (await company.call("GET", f"{run}/stages"))["value"]
        return "InProgress" in {one["status"] for one in stages}

    await until(begun, "the second stage is in progress")
    assert set(await company.items(run, second)) == {ana}


@pytest.mark.spec("REV-2")
async def test_of_every_group_those_with_guests_are_reviewed_each_time_anew(company: Reviewing) -> None:
    owner, ana = await company.person("x-owner"), await company.person("x-ana")
    eva, fay = await guest(company, "x-eva"), await guest(company, "x-fay")
    first, second = [
        (
            await company.call(
                "POST", "/v1.0/groups", status=201, displayName=f"x-{n}", mailNickname=f"x-{n}", mailEnabled=True,
                securityEnabled=False, groupTypes=["Unified"],
            )
        )["id"]
        for n in range(2)
    ]  # fmt: skip
    for group, person in ((first, eva), (first, ana), (second, ana)):
        await company.refer(f"/v1.0/groups/{group}/members", person)
    weekly = {"type": "weekly", "interval": 1, "daysOfWeek": [company.clock.now().strftime("%A").lower()]}
    begins = {"type": "noEnd", "startDate": company.clock.now().date().isoformat()}
    made = await company.call(
        "POST", AR, status=201, displayName="Guests", reviewers=[{"query": f"/users/{owner}", "queryType": GRAPH}],
        scope={"query": "./members/microsoft.graph.user/?$filter=(userType eq 'Guest')", "queryType": GRAPH},
        instanceEnumerationScope={"query": "/groups?$filter=(groupTypes/any(c:c eq 'Unified'))", "queryType": GRAPH},
        settings={"instanceDurationInDays": 3, "recurrence": {"pattern": weekly, "range": begins}},
    )  # fmt: skip
    run = await company.running(made["id"])
    assert set(await company.items(run)) == {eva}
    await company.refer(f"/v1.0/groups/{second}/members", fay)
    company.clock.turn(timedelta(days=7))

    async def both() -> list[str] | None:
        found = (await company.call("GET", f"{AR}/{made['id']}/instances"))["value"]
        runs = [f"{AR}/{made['id']}/instances/{one['id']}" for one in found if one["status"] == "InProgress"]
        return [one for one in runs if one != run] if len(found) > 2 and len(runs) > 1 else None

    people = [set(await company.items(one)) for one in await until(both, "both groups are reviewed")]
    assert sorted(people, key=[{eva}, {fay}].index) == [{eva}, {fay}]


@pytest.mark.spec("REV-13")
async def test_a_run_that_is_only_just_beginning_is_stopped_with_its_review(company: Reviewing) -> None:
    owner, ana = await company.person("y-owner"), await company.person("y-ana")
    group = await company.group(ana)
    made = await company.call(
        "POST", AR, status=201, displayName="A review", reviewers=[{"query": f"/users/{owner}", "queryType": GRAPH}],
        scope={"query": f"/groups/{group}/members", "queryType": GRAPH},
        settings={"instanceDurationInDays": 7, "recommendationsEnabled": True},
    )  # fmt: skip
    at = f"{AR}/{made['id']}"

    async def there() -> Any:
        return (await company.call("GET", f"{at}/instances"))["value"]

    [run] = await until(there, "the run is there")
    assert run["status"] == "Initializing"
    await company.call("POST", f"{at}/stop", status=204)
    await company.is_(f"{at}/instances/{run['id']}", "Completed")
