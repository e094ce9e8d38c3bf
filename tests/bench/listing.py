"""A list of 100 of very many assignments, with `$filter` and `$expand`, as a client reads it."""

from __future__ import annotations

import copy
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

from deploy.run import registry
from tests.bench.calls import EM, calls
from tests.bench.ground import Failed, Ground
from tests.bench.latency import percentile

PACKAGES = 100
HOLDERS = 40
"""Of each package, at least."""
PAGE = 100
AT_ONCE = 2_000
Document = dict[str, Any]


async def listing(ground: Ground) -> dict[str, Any]:
    """First pages of one package's holders, by one client, beside the same documents found by motor alone.

    The assignments are copies of one that the services made, put into assignment's own collection."""
    sizes = ground.sizes
    rng = random.Random(1)
    async with ground.tenure("list", registry.built()) as tenure, calls(tenure) as client:
        ground.say(f"list: {sizes.listed} assignments")
        catalog = await client.made(f"{EM}/catalogs", {"displayName": "Listed"})
        policy = {"allowedTargetScope": "allMemberUsers", "expiration": {"type": "noExpiration"}}
        number = max(1, min(PACKAGES, sizes.listed // HOLDERS))
        packages = [await client.package(f"Package {n}", catalog, policy) for n in range(number)]
        holder = await client.person("holder")
        policies = (await client.call("GET", f"{EM}/accessPackages/{packages[0]}?$expand=assignmentPolicies"))[
            "assignmentPolicies"
        ]
        given = {"personId": holder, "packageId": packages[0], "policyId": policies[0]["id"]}
        await client.call("POST", "/v1.0/tenure/assignments", given)
        await tenure.drained()
        motor: AsyncIOMotorClient[Document] = AsyncIOMotorClient(ground.mongo)
        try:
            holdings = motor[tenure.settings.database("assignment")]["holdings"]
            first = await holdings.find_one({"_id": holder})
            if first is None or not first["state"]["assignments"]:
                raise Failed("nobody holds anything to copy")
            copies = _copies(first, packages, sizes.listed)
            while some := [document for document, _ in zip(copies, range(AT_ONCE), strict=False)]:
                await holdings.insert_many(some, ordered=False)
            ground.say(f"list: {sizes.lists} lists")
            took, bare = [], []
            for number in range(sizes.lists + 5):
                package = rng.choice(packages)
                options = {
                    "$filter": f"accessPackage/id eq '{package}' and state eq 'delivered'",
                    "$expand": "target,accessPackage",
                    "$top": str(PAGE),
                }
                begun = time.perf_counter()
                answer = await client.http.get(f"{EM}/assignments", params=options)
                seconds = time.perf_counter() - begun
                if answer.is_error or len(answer.json()["value"]) != min(PAGE, sizes.listed // len(packages)):
                    raise Failed(f"the list is answered {answer.status_code} {answer.text[:200]}")
                begun = time.perf_counter()
                query = {"state.assignments.package_id": package}
                await holdings.find(query).sort("_id", 1).limit(PAGE).to_list(None)
                if number >= 5:  # the first few are not measured
                    took.append(seconds * 1000)
                    bare.append((time.perf_counter() - begun) * 1000)
        finally:
            motor.close()
    return {
        "assignments": sizes.listed,
        "p50_ms": percentile(took, 50),
        "p99_ms": percentile(took, 99),
        "bare_p50_ms": percentile(bare, 50),
        "bare_p99_ms": percentile(bare, 99),
        "ratio": round(percentile(bare, 50) / percentile(took, 50), 3),
    }


def _copies(first: Document, packages: Sequence[str], count: int) -> Iterator[Document]:
    """Holdings of other people, each with one assignment, the packages in turn."""
    bare = {name: value for name, value in first.items() if name not in {"outbox", "pending", "due_at"}}
    for number in range(count):
        one = copy.deepcopy(bare)
        one["_id"] = one["state"]["id"] = str(uuid.uuid4())
        assignment = one["state"]["assignments"][0]
        assignment |= {"id": str(uuid.uuid4()), "package_id": packages[number % len(packages)], "status": "delivered"}
        yield one
