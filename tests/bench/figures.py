"""Which parts there are, what they share, and how the figures look."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Any

from rich.table import Table

from deploy.run import registry
from tests.bench import bare
from tests.bench.approving import approvals
from tests.bench.company import Company
from tests.bench.ground import Ground
from tests.bench.knowing import known
from tests.bench.latency import groups_made, latency, settle
from tests.bench.listing import listing
from tests.bench.moving import http_move
from tests.bench.pipeline import all_beside, pipeline
from tests.bench.reviewing import review
from tests.bench.roles import role_added
from tests.bench.rules import rules
from tests.bench.start import start

NAMES = (
    *("rules", "pipeline", "http_move", "approvals", "list", "review"),
    *("all", "memory", "known", "role_added", "latency", "start"),
)
WITH_ALL = frozenset({"all", "memory", "latency", "known", "role_added"})
Figures = dict[str, Any]

TARGETS = {
    "pipeline.ratio": ">= 0.25",
    "pipeline.all_ratio": ">= 0.12",
    "rules.ratio": "<= 1.5",
    "latency.quiet_p50_ms": "<= 40",
    "latency.p99_ms": "< 500",
    "latency.urgent_p99_ms": "<= 2000",
    "known.p99_ms": "<= 1000",
    "review.ratio": ">= 0.3",
    "memory_mb": "<= 300",
    "start_s": "<= 20",
}


async def measure(ground: Ground, names: Collection[str] = NAMES) -> Figures:
    """The parts named, in the order of NAMES."""
    begun = time.monotonic()
    found: Figures = {}
    async with ground.sharing():
        if "rules" in names:
            found["rules"] = await rules(ground)
        if "pipeline" in names:
            found["pipeline"] = await pipeline(ground)
        for name, part in {"http_move": http_move, "approvals": approvals, "list": listing, "review": review}.items():
            if name in names:
                found[name] = await part(ground)
        if WITH_ALL.intersection(names):
            await _with_all(ground, names, found)
    if "start" in names:
        found |= await start(ground)
    return found | {"seconds": round(time.monotonic() - begun)}


async def _with_all(ground: Ground, names: Collection[str], found: Figures) -> None:
    """What is measured on one process with all services, after everyone has joined."""
    company = Company(ground.sizes.together, ground.sizes.rules)
    async with AsyncExitStack() as stack:
        ground.say("all services in one process: groups, rules, everyone joins")
        tenure = await stack.enter_async_context(ground.tenure("all", registry.built()))
        groups = await groups_made(tenure, [rule.name for rule in company.rules])
        await tenure.rules_loaded(company, groups)
        joined = await settle(tenure, company, groups)
        if {"all", "memory"}.intersection(names):
            beside = joined | await all_beside(ground, tenure, company)
            if "all" in names:
                pipeline = found.setdefault("pipeline", {})
                if "bare_per_s" not in pipeline:
                    records = [change.record for change in Company(company.people, 1000).changed(ground.sizes.bare)]
                    pipeline["bare_per_s"] = round(await bare.per_second(ground, records))
                pipeline |= beside
                for name in ("all", "all_through"):
                    pipeline[f"{name}_ratio"] = round(beside[f"{name}_per_s"] / (pipeline["bare_per_s"] or 1), 3)
        if "memory" in names:
            found["memory_mb"] = round(tenure.children[0].memory_mb(), 1)
        if "known" in names:
            found["known"] = await known(ground, tenure)
        if "role_added" in names:
            found["role_added"] = await role_added(ground, tenure, ground.sizes.together)
        # The last: the mass import that it leaves behind is not waited for.
        if "latency" in names:
            found["latency"] = await latency(ground, tenure, company, groups)
            found["memory_after_backlog_mb"] = round(tenure.children[0].memory_mb(), 1)


def table(found: Figures) -> Table:
    """All figures, one a line, with what they should be where DESIGN says so."""
    shown = Table("figure", "measured", "should be", title="Tenure bench", title_justify="left")
    for name, value in _flat(found):
        shown.add_row(name, value, TARGETS.get(name, ""))
    return shown


def _flat(found: Figures, before: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for name, value in found.items():
        if isinstance(value, dict) and not before:
            lines += _flat(value, f"{name}.")
        elif isinstance(value, dict):
            lines.append(
                (
                    f"{before}{name}",
                    "\n".join(f"{key}: {one if isinstance(one, str) else f'{one:,}'}" for key, one in value.items()),
                )
            )
        elif isinstance(value, list):
            lines.append((f"{before}{name}", ", ".join(map(str, value))))
        else:
            plain = isinstance(value, str | bool)
            lines.append((f"{before}{name}", str(value) if plain else f"{value:,}"))
    return lines
