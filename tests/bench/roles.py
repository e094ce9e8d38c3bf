"""A resource role added to a package that very many hold, until the last of them is a member."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.bench import rewriting
from tests.bench.calls import EM, Calls, calls
from tests.bench.ground import DRAINED_S, Failed, Ground, Tenure

LOOK_S = 0.1
WRITTEN = (("assignment", "holdings"), ("provisioning", "deliveries"), ("directory", "memberships"))
EVERYONE = 'user.country -eq "Norway"'


async def role_added(ground: Ground, tenure: Tenure, people: int) -> dict[str, Any]:
    """On a Tenure whose `people` have joined. The bare loop writes the same documents in bulk."""
    async with calls(tenure) as client:
        ground.say(f"role_added: a package for {people} people")
        catalog = await client.made(f"{EM}/catalogs", {"displayName": "For everyone"})
        rule = {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": EVERYONE}
        policy = {
            "allowedTargetScope": "specificDirectoryUsers",
            "specificAllowedTargets": [rule],
            "automaticRequestSettings": {"requestAccessForAllowedTargets": True},
        }
        first, second = [await client.group(name) for name in ("everyone-first", "everyone-second")]
        package = await client.package("Everyone", catalog, policy)
        await client.role_added(package, catalog, first)
        await _members(client, first, people)
        await tenure.drained()
        ground.say("role_added: a second role")
        begun = time.perf_counter()
        await client.role_added(package, catalog, second)
        await _members(client, second, people)
        seconds = time.perf_counter() - begun
        somebody = (await client.call("GET", f"/v1.0/groups/{second}/members?$top=1"))["value"][0]["id"]
    written = await rewriting.samples(tenure, somebody, WRITTEN, times=1)
    bare = await rewriting.in_bulk_per_second(ground, people, written)
    rate = people / seconds
    return {
        "members_per_s": round(rate),
        "holders": people,
        "seconds": round(seconds, 2),
        "bare_per_s": round(bare),
        "ratio": round(rate / bare, 3),
    }


async def _members(client: Calls, group: str, count: int) -> None:
    """Wait until there are as many. Raises Failed."""
    deadline = time.monotonic() + DRAINED_S
    while (there := int(await client.call("GET", f"/v1.0/groups/{group}/members/$count"))) < count:
        if time.monotonic() > deadline:
            raise Failed(f"only {there} of {count} are members after {DRAINED_S:.0f} s")
        await asyncio.sleep(LOOK_S)
