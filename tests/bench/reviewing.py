"""A review of very many: opened, decided in batches, closed and applied, while HR changes go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson

from deploy.run import registry
from services.directory.store import person_id_of
from shared.contracts import topics
from tests.bench import rewriting
from tests.bench.calls import EM, Calls, by_clients, calls
from tests.bench.company import START, Company, Record
from tests.bench.ground import DRAINED_S, Failed, Ground, Tenure
from tests.bench.latency import groups_made, percentile, sender, settle, watching
from tests.bench.pipeline import profiles
from tests.bench.rewriting import Sample

AR = "/v1.0/identityGovernance/accessReviews/definitions"
TEAM = 100
"""People under one manager, who decides about them all in one batch."""
DENYING = 10
"""Each tenth manager denies."""
REVIEWERS = 4
"""Managers who decide at the same time."""
RULE = 'user.companyName -eq "Reviewed"'
RULES_BESIDE = 24
LOOK_S = 0.1
OVER_S = 1800.0


async def review(ground: Ground) -> dict[str, Any]:
    """The people reviewed have a package by rule, which brings them into a group; others change departments beside."""
    sizes = ground.sizes
    beside = Company(sizes.beside_review, RULES_BESIDE, "beside-")
    async with ground.tenure("review", registry.built()) as tenure, calls(tenure) as client:
        ground.say(f"review: {sizes.reviewed} people with a package")
        package = await _package(client)
        groups = await groups_made(tenure, [rule.name for rule in beside.rules])
        await tenure.rules_loaded(beside, groups)
        await settle(tenure, beside, groups)
        await tenure.publish(topics.HR_CHANGES.name, _reviewed(sizes.reviewed))
        await _holders(client, package, sizes.reviewed)
        await tenure.drained()
        async with Beside(tenure, beside, groups).running() as changes:
            await asyncio.sleep(sizes.beside_review_s)
            before, changes.took_ms = await changes.caught_up(), []
            ground.say("review: it begins")
            tenure.profiling(on=True)
            async with _memory(tenure) as memory:
                reviewing = Reviewing(client, package, sizes.reviewed)
                took = {
                    "open": await _timed(reviewing.open()),
                    "decide": await _timed(reviewing.decide()),
                    "close": await _timed(reviewing.close()),
                }
            tenure.profiling(on=False)
            during = await changes.caught_up()
        await reviewing.check()
        await tenure.drained()
        written = await _written(tenure, reviewing)
        bare = await rewriting.in_bulk_per_second(ground, sizes.reviewed, written)
        shown = {"profiles": profiles(tenure)} if ground.profile else {}
    rate = sizes.reviewed / sum(took.values())
    return {
        "items": sizes.reviewed,
        "per_s": round(rate),
        **{f"{name}_per_s": round(sizes.reviewed / seconds) for name, seconds in took.items()},
        "bare_per_s": round(bare),
        "writes": sum(one.times for one in written),
        "ratio": round(rate / bare, 3),
        "memory_mb": memory.highest,
        "memory_before_mb": memory.before,
        "latency_before_p99_ms": percentile(before, 99),
        "latency_during_p99_ms": percentile(during, 99),
        "latency_during_p50_ms": percentile(during, 50),
        **shown,
    }


async def _package(client: Calls) -> str:
    catalog = await client.made(f"{EM}/catalogs", {"displayName": "Reviewed"})
    policy = {
        "allowedTargetScope": "specificDirectoryUsers",
        "specificAllowedTargets": [{"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": RULE}],
        "automaticRequestSettings": {"requestAccessForAllowedTargets": True},
    }
    package = await client.package("Reviewed", catalog, policy)
    await client.role_added(package, catalog, await client.group("reviewed"))
    return package


def _reviewed(people: int) -> Iterator[Record]:
    """Teams whose first one manages the others, and is managed by the very first of all."""
    for n in range(people):
        manager = n - n % TEAM if n % TEAM else 0
        body = {
            "changeId": f"reviewed-{n}",
            "employeeId": f"R{n}",
            "kind": "joined",
            "effectiveAt": START.isoformat(),
            "attributes": {
                "displayName": f"Reviewed {n}",
                "userPrincipalName": f"reviewed{n}@bench.example",
                "companyName": "Reviewed",
                "managerEmployeeId": f"R{manager}" if n else None,
            },
        }
        yield f"R{n}".encode(), orjson.dumps(body)


async def _holders(client: Calls, package: str, count: int) -> None:
    """Wait until so many have it. Raises Failed."""
    path = f"{EM}/assignments?$count=true&$top=1&$filter=accessPackage/id eq '{package}' and state eq 'delivered'"
    deadline = time.monotonic() + DRAINED_S + count / 50
    while (there := (await client.call("GET", path))["@odata.count"]) < count:
        if time.monotonic() > deadline:
            raise Failed(f"only {there} of {count} have the package")
        await asyncio.sleep(5 * LOOK_S)


class Reviewing:
    """One review of one package by managers."""

    def __init__(self, client: Calls, package: str, people: int) -> None:
        self.client, self.package, self.people = client, package, people
        self.run = ""

    async def open(self) -> None:
        """Until reviewers may decide."""
        first = {"query": f"/users/{_person(0)}", "queryType": "MicrosoftGraph"}
        scope = f"{EM.removeprefix('/v1.0')}/accessPackageAssignments?$filter=(accessPackageId eq '{self.package}')"
        body = {
            "displayName": "Everybody",
            "scope": {
                "@odata.type": "#microsoft.graph.accessReviewQueryScope", "query": scope, "queryType": "MicrosoftGraph",
            },
            "reviewers": [{"query": "./manager", "queryType": "MicrosoftGraph", "queryRoot": "decisions"}],
            "fallbackReviewers": [first],
            "settings": {
                "instanceDurationInDays": 14, "recommendationsEnabled": True, "autoApplyDecisionsEnabled": True,
            },
        }  # fmt: skip
        definition = await self.client.made(AR, body)
        at = f"{AR}/{definition}/instances"
        while not (found := (await self.client.call("GET", at))["value"]):
            await asyncio.sleep(LOOK_S)
        self.run = f"{at}/{found[0]['id']}"
        await self._until("InProgress")

    async def decide(self) -> None:
        """Each manager about all of their team in one batch."""
        managers = range(0, self.people, TEAM)
        await by_clients(REVIEWERS, [partial(self._batch, n) for n in managers])

    async def _batch(self, manager: int) -> None:
        decision = "Deny" if _denies(manager) else "Approve"
        body = {"decision": decision, "justification": "After a look."}
        await self.client.call("POST", f"{self.run}/batchRecordDecisions", body, _person(manager))

    async def close(self) -> None:
        """Stopped, applied, every answer there."""
        await self.client.call("POST", f"{self.run}/stop")
        await self._until("Applied")

    async def _until(self, status: str) -> None:
        deadline = time.monotonic() + OVER_S
        while (said := (await self.client.call("GET", self.run))["status"]) != status:
            if time.monotonic() > deadline:
                raise Failed(f"the review is {said}, not {status}, after {OVER_S:.0f} s")
            await asyncio.sleep(LOOK_S)

    async def check(self) -> None:
        """Raises Failed if it came out otherwise than decided."""
        said = (await self.client.call("GET", self.run))["@tenure.figures"]
        denied = sum(_denies(_manager(n)) for n in range(1, self.people))
        wanted = {"Approve": self.people - 1 - denied, "Deny": denied, "NotReviewed": 1}
        if said != {name: count for name, count in wanted.items() if count}:
            raise Failed(f"decided was {wanted}, and the review says {said}")
        path = f"{self.run}/decisions?$top=1&$filter=applyResult ne 'AppliedSuccessfully'"
        if failed := (await self.client.call("GET", path))["@odata.count"]:
            raise Failed(f"{failed} items are not applied")

    async def item(self, person: int) -> str:
        """The id of their item."""
        path = f"{self.run}/decisions?$filter=principal/id eq '{_person(person)}'"
        return str((await self.client.call("GET", path))["value"][0]["id"])


async def _written(tenure: Tenure, reviewing: Reviewing) -> list[Sample]:
    """An item that was approved, as often as it was written: few are denied, and cost more."""
    approved = next(n for n in range(reviewing.people - 1, 0, -1) if not _denies(_manager(n)))
    return await rewriting.samples(tenure, await reviewing.item(approved), (("review", "items"),))


def _manager(n: int) -> int:
    return n - n % TEAM if n % TEAM else 0


def _denies(manager: int) -> bool:
    return manager // TEAM % DENYING == DENYING - 1


def _person(n: int) -> str:
    return person_id_of("hr", f"R{n}")


async def _timed(work: Any) -> float:
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


class _Memory:
    before = highest = 0.0


@asynccontextmanager
async def _memory(tenure: Tenure) -> AsyncIterator[_Memory]:
    """Of the process, before and at most while this goes on."""
    child = tenure.children[0]
    found = _Memory()
    found.before = found.highest = round(child.memory_mb(), 1)

    async def look() -> None:
        while True:
            found.highest = max(found.highest, round(child.memory_mb(), 1))
            await asyncio.sleep(LOOK_S)

    task = asyncio.create_task(look())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Beside:
    """HR changes at a steady rate, of people who are not reviewed, until the group each brings its person into."""

    def __init__(self, tenure: Tenure, company: Company, groups: dict[str, str]) -> None:
        self.tenure, self.company, self.groups = tenure, company, groups
        self.took_ms: list[float] = []
        self._due: dict[tuple[str, str], float] = {}
        self._awaited: dict[tuple[str, str], float] = {}
        """Being waited for: in a long run they would come into the same group once more meanwhile."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Beside]:
        async with watching(self.tenure, topics.MEMBERSHIP_FACTS.name, "MemberAdded") as self._watch:
            task = asyncio.create_task(self._run())
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        rate = self.tenure.ground.sizes.beside_review_rate
        topic = self.tenure.settings.topic(topics.HR_CHANGES.name)
        begun, number = time.perf_counter(), 0
        async with sender(self.tenure) as producer:
            while True:
                for change in self.company.changed(self.company.people):
                    at = begun + number / rate
                    number += 1
                    if (ahead := at - time.perf_counter()) > 0:
                        await asyncio.sleep(ahead)
                    key, body = change.record
                    expected = person_id_of("hr", change.employee), self.groups[change.group]
                    if expected in self._awaited:
                        continue
                    # They come into the same group again, later.
                    self._watch.seen.pop(expected, None)
                    self._due[expected] = at
                    await producer.send(topic, key=key, value=body)

    async def caught_up(self) -> list[float]:
        """How long (ms) each took that was sent since the last time this was asked. Raises Failed."""
        self._awaited, self._due = self._due, {}
        await self._watch.until(self._awaited)
        took = [(self._watch.seen[one] - at) * 1000 for one, at in self._awaited.items()]
        self._awaited = {}
        return took
