"""HR change -> holding fact, at full speed, beside the bare loop on the same messages."""

from __future__ import annotations

import pstats
import time
from typing import Any

from deploy.run import registry
from shared.contracts import topics
from tests.bench import bare
from tests.bench.company import Company
from tests.bench.ground import Failed, Ground, Tenure

ALONE = ("directory", "assignment")
WAY = ("directory.hr.attribute-changes", "assignment.directory.people")
"""The consumer groups on the way, in its order."""
TOO_BUSY = 5_000


async def pipeline(ground: Ground) -> dict[str, Any]:
    """Both variants between two runs of the bare loop."""
    sizes = ground.sizes
    records = [change.record for change in Company(sizes.people, sizes.rules).changed(sizes.bare)]
    ground.say("bare loop")
    before = await bare.per_second(ground, records)
    found: dict[str, Any] = {}
    for name, separate in (("", False), ("separate_", True)):
        ground.say(f"directory and assignment, {'each in its own process' if separate else 'in one process'}")
        company = Company(sizes.people, sizes.rules)
        async with ground.tenure("pipe", ALONE, separate=separate) as tenure:
            await tenure.rules_loaded(company)
            await everyone_joins(tenure, company)
            per_s, cpu = await changes_per_second(tenure, company, sizes.changes)
            found |= {f"{name}per_s": round(per_s), f"{name}cpu_s": cpu}
            if ground.profile:
                found.setdefault("profiles", []).extend(profiles(tenure))
    ground.say("bare loop again")
    after = await bare.per_second(ground, records)
    reference = (before + after) / 2 or 1.0
    found |= {
        "bare_per_s": round(reference),
        "bare_runs_per_s": [round(before), round(after)],
        "ratio": round(found["per_s"] / reference, 3),
        "separate_ratio": round(found["separate_per_s"] / reference, 3),
        "too_busy_to_judge": reference < TOO_BUSY,
    }
    return found


async def everyone_joins(tenure: Tenure, company: Company) -> float:
    """Seconds until they have what they should have."""
    begun = time.perf_counter()
    await tenure.publish(topics.HR_CHANGES.name, [change.record for change in company.joined()])
    await tenure.followed(*WAY)
    return time.perf_counter() - begun


async def changes_per_second(
    tenure: Tenure, company: Company, count: int, among: range | None = None
) -> tuple[float, dict[str, float]]:
    """From the first being published to the last committed by assignment; and who used how much processor time.

    Raises Failed if it said fewer facts than there were changes: then something else was measured."""
    records = [change.record for change in company.changed(count, among)]
    facts = topics.HOLDING_FACTS.name
    said, cpu = (await tenure.ends([facts]))[facts], tenure.cpu()
    tenure.profiling(on=True)
    begun = time.perf_counter()
    await tenure.publish(topics.HR_CHANGES.name, records)
    await tenure.followed(*WAY)
    seconds = time.perf_counter() - begun
    tenure.profiling(on=False)
    used = {name: round(value - cpu[name], 1) for name, value in tenure.cpu().items()} | {"of": round(seconds, 1)}
    more = (await tenure.ends([facts]))[facts] - said
    if more < count:
        raise Failed(f"{count} changes led to {more} holding facts only")
    return count / seconds, used


async def all_beside(ground: Ground, tenure: Tenure, company: Company) -> dict[str, Any]:
    """The same with every service running: how fast assignment is, and how fast all of them."""
    ground.say("directory and assignment, every service running beside")
    await tenure.drained()
    begun = time.perf_counter()
    per_s, cpu = await changes_per_second(tenure, company, ground.sizes.beside)
    await tenure.drained()
    return {
        "all_per_s": round(per_s),
        "all_cpu_s": cpu,
        "all_through_per_s": round(ground.sizes.beside / (time.perf_counter() - begun)),
        "all_services": list(registry.built()),
    }


def profiles(tenure: Tenure) -> list[str]:
    """Files for `pstats`; what stands highest is printed."""
    files = []
    for child in tenure.children:
        deadline = time.monotonic() + 20
        while child.profile and not child.profile.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        if child.profile and child.profile.exists():
            stats = pstats.Stats(str(child.profile))
            stats.sort_stats("tottime").print_stats(45)
            stats.sort_stats("cumulative").print_stats(r"(main/services|main/shared|tenure)", 40)
            files.append(str(child.profile))
    return files
