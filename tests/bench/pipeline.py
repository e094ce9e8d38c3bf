"""HR change -> holding fact, at full speed, beside the bare loop on the same messages."""

from __future__ import annotations

import pstats
import time
from typing import Any

from deploy.run import registry
from shared.contracts import topics
from tests.bench import bare
from tests.bench.company import Company
from tests.bench.ground import Batches, Failed, Ground, Tenure

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
            measured = await changes_per_second(tenure, company, sizes.changes)
            found |= {f"{name}{figure}": value for figure, value in measured.items()}
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
) -> dict[str, Any]:
    """From the first being published to the last committed by assignment; who used how much processor time meanwhile,
    and in what batches.

    Raises Failed if it said fewer facts than there were changes: then something else was measured."""
    records = [change.record for change in company.changed(count, among)]
    facts = topics.HOLDING_FACTS.name
    said, cpu, batches = (await tenure.ends([facts]))[facts], tenure.cpu(), await tenure.batches()
    tenure.profiling(on=True)
    begun = time.perf_counter()
    await tenure.publish(topics.HR_CHANGES.name, records)
    await tenure.followed(*WAY)
    seconds = time.perf_counter() - begun
    tenure.profiling(on=False)
    used = {name: round(value - cpu[name], 1) for name, value in tenure.cpu().items()} | {"of": round(seconds, 1)}
    taken = since(batches, await tenure.batches())
    more = (await tenure.ends([facts]))[facts] - said
    if more < count:
        raise Failed(f"{count} changes led to {more} holding facts only")
    return {"per_s": round(count / seconds), "cpu_s": used, "batches": taken}


def since(before: Batches, after: Batches) -> dict[str, str]:
    """'number x messages in seconds', the seconds summed, of what was taken in between."""
    said = {}
    for name, now in after.items():
        number, messages, seconds = (b - a for a, b in zip(before.get(name, (0, 0, 0)), now, strict=True))
        if number:
            said[name] = f"{number:.0f} x {messages / number:.0f} in {seconds:.1f} s"
    return said


async def all_beside(ground: Ground, tenure: Tenure, company: Company) -> dict[str, Any]:
    """The same with every service running: how fast assignment is, and how fast all of them."""
    ground.say("directory and assignment, every service running beside")
    await tenure.drained()
    begun = time.perf_counter()
    measured = await changes_per_second(tenure, company, ground.sizes.beside)
    await tenure.drained()
    return {
        **{f"all_{figure}": value for figure, value in measured.items()},
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
            stats.sort_stats("cumulative").print_stats(r"/(services|shared)/", 60)
            files.append(str(child.profile))
    return files
