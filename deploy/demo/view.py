"""What the demo shows: a live table while changes flow and people ask, the outcomes at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.demo.asking import Result
from deploy.demo.checking import Mismatch
from deploy.demo.reviewing import Result as Reviewed
from deploy.demo.script import Script
from deploy.demo.settling import Progress

_NAMED = 10
"""People named for each difference; the report has them all."""


def live(progress: Progress, stage: str) -> RenderableType:
    """One frame."""
    table = Table.grid(padding=(0, 2))
    sent = f" of {progress.sent:,}" if progress.sent else ""
    table.add_row("HR changes", f"{progress.changes:,}{sent}", f"{progress.rate:,.0f}/s")
    table.add_row("assignments", _number(progress.assignments))
    table.add_row("group members", _number(progress.members))
    waiting = f"{progress.mails_waiting:,} waiting" if progress.mails_waiting else ""
    table.add_row("mails", _number(progress.mails), waiting)
    lag = Table.grid(padding=(0, 2))
    lag.add_row("lag", *(Text(f"{name} {behind:,}", style="dim") for name, behind in progress.lag.items()))
    return Group(Text(stage, style="bold"), table, lag)


def plain(progress: Progress, stage: str) -> str:
    """The same as a line, where nobody sits at a terminal."""
    behind = sum(progress.lag.values())
    return (
        f"{stage}: {progress.changes:,} changes, {progress.rate:,.0f}/s, lag {behind:,}, "
        f"{_number(progress.assignments)} assignments, {_number(progress.members)} members, "
        f"{_number(progress.mails)} mails"
    )


def outcome(
    console: Console,
    packages: Mapping[str, Sequence[int]],
    groups: Mapping[str, Sequence[int]],
    unjudged: Sequence[str],
) -> None:
    """Packages and holders."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("package")
    table.add_column("holders", justify="right")
    table.add_column("group members", justify="right")
    for name, holders in packages.items():
        members = f"{len(groups[name]):,}" if name in groups else "-"
        mark = Text(name + (" (not judged)" if name in unjudged else ""))
        table.add_row(mark, f"{len(holders):,}", members)
    console.print(table)


def verdict(
    console: Console, mismatches: Sequence[Mismatch], names: Mapping[int, str], judged: int, people: int
) -> None:
    """What the check said; people by name."""
    if not mismatches:
        console.print(
            f"[bold green]Check passed:[/bold green] {judged} packages and their groups hold exactly "
            f"the people that the spells call for, of {people:,} employed on that day."
        )
        return
    console.print(f"[bold red]Check failed:[/bold red] {len(mismatches)} differences.")
    for one in mismatches:
        what = "there is none" if one.absent else ""
        missing = _named("missing", one.missing, names)
        surplus = _named("too many", one.surplus, names)
        console.print(Text(f"  {one.kind} {one.name}: " + "; ".join(part for part in (what, missing, surplus) if part)))


def showing_wishes(
    stack: ExitStack | AsyncExitStack, console: Console, script: Script, say: Callable[[str], None]
) -> Callable[[str, Mapping[str, int]], None]:
    """What shows, until the stack is left, how many wishes have come to what: a table, or a line a scene where nobody
    sits at a terminal."""
    of = len(script.wishes)
    if not console.is_terminal:
        said: set[str] = set()

        def line(stage: str, found: Mapping[str, int]) -> None:
            if stage not in said:
                said.add(stage)
                say(f"{stage}: {', '.join(f'{count} {name}' for name, count in found.items())}")

        return line
    frames = stack.enter_context(Live(console=console, refresh_per_second=4, transient=True))

    def table(stage: str, found: Mapping[str, int]) -> None:
        rows = Table.grid(padding=(0, 2))
        for name, count in sorted(found.items()):
            rows.add_row(name, f"{count:,}")
        frames.update(Group(Text(f"{stage}: {of:,} wishes", style="bold"), rows))

    return table


def wishes(console: Console, result: Result, names: Mapping[int, str], seconds: float) -> None:
    """What came of those who asked, beside what the script says."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("\nwhoever asked")
    table.add_column("came\nout", justify="right")
    table.add_column("should\nhave", justify="right")
    for name in sorted({*result.wanted, *result.found}):
        table.add_row(name, f"{result.found[name]:,}", f"{result.wanted[name]:,}")
    console.print(table)
    console.print(f"\n{result.asked:,} wishes, five weeks of the run's clock in {seconds:.1f} s.")
    if result.is_right:
        console.print("[bold green]Check passed:[/bold green] every wish came out as the script says.")
        return
    console.print(f"[bold red]Check failed:[/bold red] {len(result.differences)} wishes came out otherwise.")
    for one in result.differences:
        who = f"{names.get(one.person, '?')} ({one.person})"
        console.print(Text(f"  {who}, {one.package}, {one.story}: should be {one.wanted!r}, is {one.found!r}"))
    for line in result.surprises:
        console.print(Text(f"  {line}"))


def reviews(console: Console, result: Reviewed, seconds: float, evidence: Path) -> None:
    """What was decided in the reviews, whether it came out as the script says, and where its evidence is."""
    said = ", ".join(f"{count:,} {name}" for name, count in sorted(result.decisions.items()))
    console.print(f"\n{result.items:,} items reviewed and applied in {seconds:.1f} s: {said}.")
    console.print(f"Evidence of each, signed and as a page to read: {evidence}", markup=False)
    if result.is_right:
        console.print("[bold green]Check passed:[/bold green] every item came out as the script says.")
        return
    console.print(f"[bold red]Check failed:[/bold red] {len(result.differences)} items came out otherwise.")
    for line in result.differences:
        console.print(Text(f"  {line}"))


def _named(how: str, people: Sequence[int], names: Mapping[int, str]) -> str:
    if not people:
        return ""
    shown = ", ".join(f"{names.get(number, '?')} ({number})" for number in people[:_NAMED])
    more = f" and {len(people) - _NAMED:,} more" if len(people) > _NAMED else ""
    return f"{how}: {shown}{more}"


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
