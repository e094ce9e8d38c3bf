"""`tenure reconcile`: what should be against what is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deploy.cli.common import DEFAULT_DIR, Api, AsJson, DataDir, asked, client, complain, console, plain, print_json

PATH = "/v1.0/tenure/reconciliation"
_LONG_S = 600.0


def reconcile(
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what is found.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the grants with what their resources say; report the differences, or repair them.

    Exit code 1 if there are differences that were not repaired."""
    with client(data_dir, api, _LONG_S) as http:
        said = asked(http, "POST", f"{PATH}/repair") if repair else asked(http, "GET", PATH)
    drift = said.get("drift", said.get("value", []))
    if as_json:
        print_json(said)
    else:
        _show(said, drift, repair)
    if drift and not repair:
        raise typer.Exit(1)


def _show(said: dict[str, Any], drift: list[dict[str, Any]], repair: bool) -> None:
    if drift:
        from rich.table import Table  # noqa: PLC0415

        table = Table(box=None, pad_edge=False, header_style="bold")
        titles = sorted({name for one in drift for name in one})
        for title in titles:
            table.add_column(title, overflow="fold")
        for one in drift:
            table.add_row(*(plain(one.get(title)) for title in titles))
        console().print(table)
    found = "No differences" if not drift else f"{len(drift)} differences"
    complain(f"{found}{', being repaired' if drift and repair else ''}; {reach(said)}.")


def reach(said: dict[str, Any]) -> str:
    """Of whom that holds, and of what it does not: no differences among nobody is no good news."""
    parts = [f"{said['people']} people compared"]
    if said["unsettled"]:
        parts.append(f"{said['unsettled']} deliveries under way or failed and not judged")
    if said["foundCount"]:
        parts.append(f"{said['foundCount']} memberships that no grant explains left as they are")
    return ", ".join(parts)
