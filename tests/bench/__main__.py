"""`python -m tests.bench`: see the package for what each figure means."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from deploy.embedded import servers
from tests.bench.figures import NAMES, Figures, measure, table
from tests.bench.ground import SMALLEST, Ground, Sizes

NOTES = Console(stderr=True, highlight=False)


def main(arguments: list[str] | None = None) -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    asked.add_argument("--only", default="", metavar="NAME,…", help=f"of {', '.join(NAMES)}")
    asked.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    asked.add_argument(
        "--profile", action="store_true", help="show what the services' own threads do in `pipeline`, `review`"
    )
    asked.add_argument("--times", type=float, default=1.0, metavar="N", help="N times as many people and changes")
    asked.add_argument("--smallest", action="store_true", help="a few of everything: says only whether it works")
    options = asked.parse_args(arguments)
    names = [name.strip() for name in options.only.split(",") if name.strip()] or list(NAMES)
    if unknown := sorted(set(names) - set(NAMES)):
        asked.error(f"no such part: {', '.join(unknown)}. There are: {', '.join(NAMES)}")
    # A topic that was just made has no leader for a moment, and the client says so of each partition.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    sizes = SMALLEST if options.smallest else Sizes().times(options.times)
    found = asyncio.run(_run(names, sizes, profile=options.profile))
    Console(highlight=False).print(table(found))
    if found.get("pipeline", {}).get("too_busy_to_judge"):
        NOTES.print("[bold]The bare loop made less than 5,000 messages a second: too busy a machine to judge.[/bold]")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


async def _run(names: Collection[str], sizes: Sizes, *, profile: bool) -> Figures:
    begun = time.monotonic()

    def say(what: str) -> None:
        NOTES.print(f"[dim]{time.monotonic() - begun:5.0f} s[/dim]  {what}")

    with tempfile.TemporaryDirectory(prefix="tenure-bench-", ignore_cleanup_errors=True) as folder:
        async with servers(Path(folder) / "servers", progress=say) as both:
            found = await measure(Ground(both, Path(folder), sizes, say, profile), names)
    say("done")
    return found


if __name__ == "__main__":
    sys.exit(main())
