"""`tenure reconcile`: what should be against what is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deploy.cli.common import DEFAULT_DIR, Api, AsJson, DataDir, asked, client, complain, console, print_json

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
            table.add_row(*(str(one.get(title, "")) for title in titles))
        console().print(table)
    judged = f" {said['judged']} deliveries judged." if "judged" in said else ""
    found = "no differences" if not drift else f"{len(drift)} differences"
    complain(f"{found[0].upper()}{found[1:]}{', being repaired' if drift and repair else ''}.{judged}")
