"""What remains of a review: history as CSV, exceptions, signed evidence, and guests who are gone.

All services, on real Kafka and MongoDB."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.cli.audit_commands import bundle_proven
from deploy.embedded import Servers
from deploy.run.registry import assemblies
from shared.clock import TurnableClock
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from shared.web.server import HttpServer
from tests.system.test_requests import until
from tests.system.test_reviews import AR, Reviewing
from tests.waiting import untroubled

HISTORY = "/v1.0/identityGovernance/accessReviews/historyDefinitions"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def company(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Reviewing]:
    where = servers.endpoints
    settings = Settings(
        kafka=where.kafka, mongo=where.mongo, namespace=f"prf{uuid.uuid4().hex[:8]}", timer_poll_s=0.1, partitions=2,
        data_dir=Path(tmp_path_factory.mktemp("audit")),
    )  # fmt: skip
    clock = TurnableClock(datetime(2026, 3, 1, tzinfo=UTC))
    host = Host(settings, assemblies(), clock=clock)
    await create_topics(settings, groups_of(list(host.services.values())))
    async with host:
        routers = [router for service in host.services.values() for router in service.routers]
        server = HttpServer(make_app("tenure", routers))
        await server.start()
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            yield Reviewing(host, client, clock)
        await server.stop()
        await untroubled(host)


@pytest.mark.spec("REV-22", "REV-10")
async def test_a_review_is_listed_its_exceptions_named_and_its_evidence_proven(company: Reviewing) -> None:
    ana, ben = [await company.person(name) for name in ("p-ana", "p-ben")]
    owner = await company.person("p-olga")
    group = await company.group(ana, ben, owner=owner)
    for person_named, days in (("p-ana", 60), ("p-ben", 60)):
        at = (company.clock.now() - timedelta(days=days)).isoformat()
        await company.call("POST", "/v1.0/tenure/signIns", employeeId=person_named, at=at)  # right before the review
    run = await company.review(
        f"/groups/{group}/transitiveMembers",
        [{"query": f"/groups/{group}/owners", "queryType": "MicrosoftGraph"}],
        recommendationsEnabled=True,
    )
    mine = await company.items(run, owner)
    await company.call(
        "PATCH", f"{run}/decisions/{mine[ana]['id']}", owner, 204, decision="Approve", justification="On leave."
    )
    await company.call("POST", f"{run}/stop", status=204)
    ended = await company.is_(run, "Completed")

    listed = await company.call(
        "POST", HISTORY, status=201, displayName="Q1",
        reviewHistoryPeriodStartDateTime="2026-02-01T00:00:00Z", reviewHistoryPeriodEndDateTime="2026-04-01T00:00:00Z",
        scopes=[{"query": HISTORY.removeprefix("/v1.0").replace("historyDefinitions", "definitions")
                 + "?$filter=contains(scope/query, '/groups')"}],
    )  # fmt: skip
    assert listed["status"] == "requested"

    async def done() -> Any:
        runs = (await company.call("GET", f"{HISTORY}/{listed['id']}/instances"))["value"]
        return runs[0] if runs and runs[0]["status"] == "done" else None

    made = await until(done, "the list is done")
    linked = await company.call("POST", f"{HISTORY}/{listed['id']}/instances/{made['id']}/generateDownloadUri")
    file = await company.client.get(linked["downloadUri"])
    rows = {row["PrincipalId"]: row for row in csv.DictReader(io.StringIO(file.text))}
    assert (rows[ana]["Decision"], rows[ana]["Justification"]) == ("Approve", "On leave.")
    assert rows[ben]["Decision"] == "NotReviewed"
    assert [rows[one]["Recommendation"] for one in (ana, ben)] == ["Deny", "Deny"], "their sign-ins were heard of"
    assert (await company.client.get(linked["downloadUri"] + "x")).status_code == 404
    company.clock.turn(timedelta(hours=25))
    assert (await company.client.get(linked["downloadUri"])).status_code == 404, "the link no longer holds"

    exceptions = (await company.call("GET", "/v1.0/tenure/exceptions"))["value"]
    assert [(one["personId"], one["reason"], one["ownerId"]) for one in exceptions] == [(ana, "On leave.", owner)]

    async def evidence() -> Any:
        answer = await company.client.get(f"/v1.0/tenure/reviewEvidence/{ended['id']}")
        said = answer.json() if answer.is_success else {"instance": {}}
        whole = said["instance"].get("status") == "Completed" and said["items"] and said["asked"]
        return said if whole else None

    bundle = await until(evidence, "the evidence is there")
    key = (await company.call("GET", "/v1.0/tenure/audit/key"))["publicKey"]
    assert bundle_proven(bundle, key)["problems"] == []
    assert [one["personId"] for one in bundle["items"]] == [ana]
    assert [one["personId"] for one in bundle["undecided"]] == [ben]
    assert any(owner in (one["reviewers"] or ()) for one in bundle["asked"])
    bundle["items"][0]["decision"] = "Deny"
    assert f"items/{bundle['items'][0]['id']}/decision" in {p["where"] for p in bundle_proven(bundle, key)["problems"]}
    page = await company.client.get(f"/v1.0/tenure/reviewEvidence/{ended['id']}/page")
    assert page.is_success
    assert "On leave." in page.text


@pytest.mark.spec("REV-20", "REV-19", "PPL-1")
async def test_denied_guests_are_blocked_at_once_and_deleted_after_a_month_unless_enabled_before(
    company: Reviewing,
) -> None:
    owner, known = await company.person("g-olga"), await company.person("g-gil")
    await company.call("PATCH", f"/v1.0/users/{known}", status=204, userType="Guest")
    eva, fay, ida = [await guest(company, name) for name in ("g-eva", "g-fay", "g-ida")]
    group = await company.group(eva, fay, ida, known, owner, owner=owner)
    run = await company.review(
        f"/groups/{group}/transitiveMembers/microsoft.graph.user/?$filter=(userType eq 'Guest')",
        [{"query": f"/groups/{group}/owners", "queryType": "MicrosoftGraph"}],
        applyActions=[{"@odata.type": "#microsoft.graph.disableAndDeleteUserApplyAction"}],
        autoApplyDecisionsEnabled=True,
        mailNotificationsEnabled=True,
    )
    mine = await company.items(run, owner)
    assert set(mine) == {eva, fay, ida, known}
    for person, decision in ((eva, "Deny"), (fay, "Deny"), (ida, "Approve"), (known, "Deny")):
        path, why = f"{run}/decisions/{mine[person]['id']}", "The project is over."
        await company.call("PATCH", path, owner, 204, decision=decision, justification=why)
    me = {"headers": {"Tenure-Actor": f"person:{eva}"}}
    assert (await company.client.get(f"/v1.0/users/{eva}", **me)).status_code == 200
    await company.call("POST", f"{run}/stop", status=204)

    async def blocked() -> bool:
        items = await company.items(run)
        return all(str(items[one]["@tenure.result"]).startswith("Blocked from") for one in (eva, fay))

    await until(blocked, "both are blocked")
    applying = await company.call("GET", run)
    assert applying["status"] == "Applying", "until the month is over"
    assert (await company.call("GET", f"/v1.0/users/{eva}?$select=accountEnabled"))["accountEnabled"] is False

    async def out() -> bool:
        paths = (f"/v1.0/users/{eva}", AR + "/filterByCurrentUser(on='reviewer')")
        return {(await company.client.get(path, **me)).status_code for path in paths} == {401}

    await until(out, "no service knows them any more")
    assert await company.members(group) == {eva, fay, ida, known, owner}, "what they hold stays meanwhile"
    items = await company.items(run)
    assert (items[known]["applyResult"], items[ida]["@tenure.result"]) == ("ApplyNotSupported", "Not needed: approved.")
    assert "'hr'" in items[known]["@tenure.result"]
    await company.told(eva, {"reviewBlocked"})
    shown = await company.call("GET", f"/v1.0/tenure/people/{eva}")
    assert shown["deletion"]["dateTime"] > shown["deletion"]["since"]

    async def explained(person: str, words: str) -> bool:
        said = await company.call("GET", f"/v1.0/tenure/explain?person={person}")
        return words in said["summary"] and words in said["value"][-1]["what"]

    async def because() -> bool:
        return await explained(eva, "was blocked from signing in, to be deleted on ")

    await until(because, "it is explained")
    said = await company.call("GET", f"/v1.0/tenure/explain?person={eva}")
    assert 'Denied in the review "A review": The project is over.' in said["summary"]
    assert said["value"][-1]["actorName"] == "g-olga"

    company.clock.turn(timedelta(days=20))
    await company.call("PATCH", f"/v1.0/users/{fay}", status=204, accountEnabled=True)

    async def kept() -> bool:
        return str((await company.items(run))[fay]["@tenure.result"]).startswith(
            "Blocked from signing in, and not deleted"
        )

    await until(kept, "she is not deleted")
    assert (await company.call("GET", run))["status"] == "Applying", "the other one is still to be deleted"
    company.clock.turn(timedelta(days=11))
    applied = await company.is_(run, "Applied")
    assert applied["@tenure.results"] == {"AppliedSuccessfully": 3, "ApplyNotSupported": 1}
    assert (await company.items(run))[eva]["@tenure.result"].endswith("and deleted when the time was over.")
    await company.call("GET", f"/v1.0/users/{eva}", status=404)
    await company.call("GET", f"/v1.0/directory/deletedItems/{eva}", status=200)
    assert (await company.call("GET", f"/v1.0/users/{fay}?$select=accountEnabled"))["accountEnabled"] is True

    async def evidence() -> Any:
        answer = await company.client.get(f"/v1.0/tenure/reviewEvidence/{run.rpartition('/')[2]}")
        found = answer.json() if answer.is_success else {"instance": {}}
        return found if found["instance"].get("status") == "Applied" else None

    bundle = await until(evidence, "the evidence is there")
    assert bundle_proven(bundle)["problems"] == []
    done = {one["personId"]: [said["type"] for said in one["history"]] for one in bundle["items"]}
    assert done[eva] == ["ItemDecided", "ItemApplying", "ItemBlocked", "ItemApplied"]
    await until(lambda: explained(eva, "was deleted as a guest whom a review had denied"), "the deletion is explained")


async def guest(company: Reviewing, name: str) -> str:
    """Somebody from outside, whom an administrator has made."""
    made = await company.call(
        "POST", "/v1.0/users", status=201, accountEnabled=True, displayName=name, mailNickname=name, userType="Guest",
        userPrincipalName=f"{name}@guests.example", passwordProfile={"password": uuid.uuid4().hex},
    )  # fmt: skip
    return str(made["id"])
