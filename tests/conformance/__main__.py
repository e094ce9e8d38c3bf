"""`python -m tests.conformance replay | items`: see the package."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from deploy.embedded import EmbeddedError
from tests.conformance.examples import DOCUMENTED, OURS, NoExample, read_examples
from tests.conformance.ground import embedded
from tests.conformance.items import AREAS, print_items
from tests.conformance.replay import Outcome, replay, write_json
from tests.conformance.table import table

console = Console(soft_wrap=True, highlight=False)


def main() -> int:
    """0 if every example passes, or no item is open; 1 if not; 2 for what cannot be read or started."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    replaying = commands.add_parser("replay", help="replay documented requests against an embedded run")
    replaying.add_argument("--examples", type=Path, help=f"a file of examples [{DOCUMENTED.name} beside this checkout]")
    replaying.add_argument("--json", type=Path, help="write passed, of, failed to this file")
    replaying.add_argument("--only", help="only examples whose id contains this")
    listing = commands.add_parser("items", help="say which numbered features are covered, deviating, planned or open")
    listing.add_argument("--area", choices=(*AREAS, "all"), default="all")
    given = parser.parse_args()
    try:
        return print_items(console, given.area) if given.command == "items" else asyncio.run(_replay(given))
    except (OSError, NoExample, EmbeddedError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 2


async def _replay(given: argparse.Namespace) -> int:
    file = given.examples
    if file is None and not DOCUMENTED.exists():
        console.print(f"{DOCUMENTED} is not here: our own examples are replayed.")
        file = OURS
    examples = [one for one in read_examples(file or DOCUMENTED) if (given.only or "") in one.id]
    with tempfile.TemporaryDirectory(prefix="tenure-conformance-") as folder:
        async with embedded(Path(folder)) as client:
            outcomes = await replay(client, examples, _said)
    _print(outcomes)
    if given.json:
        write_json(outcomes, given.json)
    return 0 if all(one.passed for one in outcomes) else 1


def _said(outcome: Outcome) -> None:
    """A line for what does not pass, as soon as that is known."""
    for note in outcome.notes:
        console.print(f"  {outcome.example.id}: {note}", style="dim", markup=False)
    if not outcome.passed:
        console.print(f"✗ {outcome.example.id} ({outcome.operation}): {outcome.why}", markup=False)


def _print(outcomes: list[Outcome]) -> None:
    """The table that stands in the README, and what does not pass, with the reason."""
    for line in table(outcomes):
        console.print(line, markup=False)
    failed = [one for one in outcomes if not one.passed]
    if failed:
        console.print("\nNot as documented:")
    for one in failed:
        console.print(f"- {one.example.id} ({one.operation}): {one.why}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
