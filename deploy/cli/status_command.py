"""`tenure status`: how the run is, for people, for machines, and as an exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from deploy.cli.common import DEFAULT_DIR, Api, AsJson, DataDir, asked, client, complain, console, joining, print_json

BEHIND_S = 60.0
"""A message that waits longer than this is trouble; a mass import on its way may well be it."""
PENDING_S = 10.0
"""The sweeper publishes what is pending after two seconds."""
OVERDUE_S = 30.0


def status(data_dir: DataDir = DEFAULT_DIR, api: Api = None, as_json: AsJson = False) -> None:
    """Lag, oldest unsettled change, pending outbox, overdue timers, dead letters, rejections.

    Exit code 0 if all is well, 1 if something is not, 3 if nothing is running there."""
    with client(data_dir, api) as http:
        said = asked(http, "GET", "/v1.0/tenure/status")
    unwell = troubles(said, DEFAULT_DIR if api else data_dir)
    if as_json:
        print_json(said | {"well": not unwell, "unwell": unwell})
    else:
        _show(said)
        for line in unwell:
            complain(line)
    if unwell:
        raise typer.Exit(1)


def troubles(said: dict[str, Any], data_dir: Path = DEFAULT_DIR) -> list[str]:
    """What is not well, in words; empty if all is. What only waits (a manager not hired yet) is no trouble."""
    found: list[str] = []
    for name, one in said["services"].items():
        if not one["running"]:
            found.append(f"{name} is not running: start it with `{joining(name, data_dir)}`.")
            continue
        unwell = one["troubles"] | one.get("degraded", {})  # a peer of an earlier version says nothing of the latter
        found += [f"{name}: {where}: {what}" for where, what in unwell.items()]
        if one["oldestUnsettledS"] > BEHIND_S:
            behind = sum(one["lag"].values())
            found.append(f"{name} is {behind} messages behind, the oldest {one['oldestUnsettledS']:.0f} s old.")
        if one["oldestPendingS"] > PENDING_S:
            found.append(f"{name} has {one['pendingOutbox']} facts to publish, since {one['oldestPendingS']:.0f} s.")
        if one["overdueTimersS"] > OVERDUE_S:
            found.append(f"{name} has timers overdue by {one['overdueTimersS']:.0f} s.")
        if one["parkedTimers"]:
            found.append(f"{name} has parked {one['parkedTimers']} timers that failed again and again: see its log.")
        letters = any(group.startswith(f"{name}.") for group in said["deadLetters"])
        if (marked := one.get("markedByDeadLetters", 0)) and not letters:
            found.append(
                f"{name} takes nothing away from {marked} that a dead letter marked, and the letter is settled or gone."
            )
    for group, count in said["deadLetters"].items():
        found.append(f"{group}: {count} dead letters; see `tenure dead-letters list`.")
    if doubted := waiting(said).get("ambiguousIdentity"):
        found.append(
            f"{doubted} identities wait without access until a human says whose they are; see "
            "/v1.0/tenure/identities?unlinked=true."
        )
    if recent := said["rejections"]["refusedRecently"]:
        found.append(f"{recent} HR changes were refused in the last 24 hours; see `tenure hr rejected list`.")
    return found


def waiting(said: dict[str, Any]) -> dict[str, int]:
    """How many people wait now, by what their sources were answered; of a run that says so."""
    found: dict[str, int] = {}
    for one in said["services"].values():
        found |= one.get("waits", {})  # neither a service that is down nor a peer of an earlier version says it
    return found


_WAIT = {"managerUnknown": "for a manager", "notJoined": "for their joining", "ambiguousIdentity": "for a human's word"}


def told_of_waiting(said: dict[str, Any]) -> str:
    """Who waits now, in words."""
    found = [f"{count} {_WAIT.get(code, code)}" for code, count in waiting(said).items() if count]
    return f"people who wait now: {', '.join(found)}" if found else "nobody waits any more"


def _show(said: dict[str, Any]) -> None:
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("service", no_wrap=True)
    for title in ("lag", "oldest s", "to publish", "overdue s", "parked", "dead letters"):
        table.add_column(title, justify="right")
    table.add_column("state", no_wrap=True)
    for name, one in said["services"].items():
        if not one["running"]:
            table.add_row(name, *["-"] * 6, "[red]not running[/red]")
            continue
        letters = sum(count for group, count in said["deadLetters"].items() if group.startswith(f"{name}."))
        table.add_row(
            name,
            str(sum(one["lag"].values())),
            f"{one['oldestUnsettledS']:.1f}",
            str(one["pendingOutbox"]),
            f"{one['overdueTimersS']:.1f}",
            str(one["parkedTimers"]),
            str(letters),
            _state(one),
        )
    out = console()
    out.print(table)
    rejected = said["rejections"]
    not_yet = rejected["total"] - rejected["refused"]
    out.print(f"Oldest unsettled change: {said['oldestUnsettledS']:.1f} s", style="dim")
    out.print(f"HR changes answered as rejected: {rejected['refused']} refused, {not_yet} 'not yet'", style="dim")
    if not_yet:
        out.print(f"Of the latter {told_of_waiting(said)}", style="dim")


def _state(one: dict[str, Any]) -> str:
    said = "[green]ready[/green]" if one["ready"] else "[red]not ready[/red]"
    processes = one.get("processes", 1)  # a front of an earlier version does not say
    return f"{said} x{processes}" if processes > 1 else said
