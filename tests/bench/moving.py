"""`PATCH /users/{id}` with a new department, until a read shows the person in the new group and out of the old one."""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import Any

from deploy.run import registry
from shared.contracts import topics
from tests.bench import rewriting
from tests.bench.calls import Calls, by_clients, calls
from tests.bench.company import Company, city
from tests.bench.ground import Failed, Ground, Tenure
from tests.bench.latency import Watch, groups_made, percentile, watching

CLIENTS = (1, 8)
WRITTEN = (("directory", "people"), ("assignment", "holdings"), ("provisioning", "deliveries"),
           ("directory", "memberships"))  # fmt: skip
"""What one move writes, in the order of the way."""


async def http_move(ground: Ground) -> dict[str, Any]:
    """By few and many rules, by one client and by several, beside the bare loop on the same documents."""
    found: dict[str, Any] = {}
    for rules in ground.sizes.move_rules:
        async with ground.tenure("move", registry.built()) as tenure:
            found |= await _at(ground, tenure, rules)
    return found


async def _at(ground: Ground, tenure: Tenure, rules: int) -> dict[str, Any]:
    ground.say(f"http_move: {rules} rules")
    company = Company(0, rules, "moving-")
    groups = await groups_made(tenure, [rule.name for rule in company.rules])
    await tenure.rules_loaded(company, groups)
    found: dict[str, Any] = {}
    async with (
        calls(tenure) as client,
        watching(tenure, topics.MEMBERSHIP_FACTS.name, "MemberAdded") as added,
        watching(tenure, topics.MEMBERSHIP_FACTS.name, "MemberRemoved") as removed,
    ):
        movers = [await _mover(client, company, number) for number in range(ground.sizes.movers)]
        await tenure.drained()
        move = Move(client, company, groups, added, removed)
        for clients in CLIENTS:
            ground.say(f"http_move: {rules} rules, {clients} clients")
            turns = ground.sizes.moves if clients > 1 else max(4, ground.sizes.moves // 4)
            await by_clients(clients, [partial(move.one, one) for one in movers[: 2 * clients]])  # not measured
            move.took_ms.clear()
            begun = time.perf_counter()
            await by_clients(clients, [partial(move.one, movers[turn % len(movers)]) for turn in range(turns)])
            rate = turns / (time.perf_counter() - begun)
            await tenure.drained()
            bare = await rewriting.per_second(
                ground, turns, clients, await rewriting.samples(tenure, movers[0].id, WRITTEN, times=1)
            )
            found[f"at_{rules}_rules_by_{clients}"] = {
                "per_s": round(rate, 1),
                "p50_ms": round(median(move.took_ms), 1),
                "p99_ms": percentile(move.took_ms, 99),
                "bare_per_s": round(bare, 1),
                "ratio": round(rate / bare, 3),
            }
    return found


class Mover:
    """Somebody who moves, one move after the other."""

    def __init__(self, id: str, at: int) -> None:
        self.id = id
        self.at = at
        self.busy = False


class Move:
    """One move after another, and how long each took."""

    def __init__(self, client: Calls, company: Company, groups: dict[str, str], added: Watch, removed: Watch) -> None:
        self.client = client
        self.company = company
        self.groups = groups
        self.added, self.removed = added, removed
        self.took_ms: list[float] = []

    async def one(self, mover: Mover) -> None:
        """To the next department. Raises Failed if the groups do not follow."""
        if mover.busy:
            raise Failed("more clients than people to move")
        mover.busy = True
        old, mover.at = mover.at, (mover.at + 1) % self.company.departments
        out, into = ((mover.id, self.groups[self.company.department(one)]) for one in (old, mover.at))
        self.removed.seen.pop(out, None)
        self.added.seen.pop(into, None)
        begun = time.perf_counter()
        await self.client.call("PATCH", f"/v1.0/users/{mover.id}", {"department": self.company.department(mover.at)})
        await self.added.until([into])
        await self.removed.until([out])
        answer = await self.client.call("GET", f"/v1.0/users/{mover.id}/memberOf")
        self.took_ms.append((time.perf_counter() - begun) * 1000)
        mover.busy = False
        if not {into[1]} <= (there := {one["id"] for one in answer["value"]}) or out[1] in there:
            raise Failed("the facts were said, but a read shows other groups")


async def _mover(client: Calls, company: Company, number: int) -> Mover:
    """Whom only the API speaks of, so that it may say where they work."""
    at = number % company.departments
    told = {
        "department": company.department(at),
        "jobTitle": company.title(number % company.titles),
        "city": city(number % 20),
    }
    return Mover(await client.person(f"mover{number}", **told), at)
