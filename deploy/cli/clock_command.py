"""`tenure clock`: the clock of an embedded run, shown and put forward."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import typer

from deploy.cli.common import DEFAULT_DIR, Api, AsJson, DataDir, asked, client, console, print_json

PATH = "/v1.0/tenure/clock"

clock = typer.Typer(
    no_args_is_help=True,
    help="The clock by which a run decides. An embedded run's can be put forward, to see what time brings: expiry, "
    "reminders, escalation. Tokens, logs and Kafka keep the machine's time. It stays ahead over restarts, and never "
    "goes back.",
)


@clock.command()
def show(data_dir: DataDir = DEFAULT_DIR, api: Api = None, as_json: AsJson = False) -> None:
    """What time it is for decisions, and when something happens next by itself."""
    with client(data_dir, api) as http:
        _print(asked(http, "GET", PATH), as_json)


@clock.command()
def advance(
    by: Annotated[str, typer.Argument(metavar="DURATION", help="ISO 8601: P31D, P2W, PT12H.")],
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    as_json: AsJson = False,
) -> None:
    """Put the clock forward, from one due date to the next; returns when all that follows is done."""
    _turn({"by": by}, data_dir, api, as_json)


@clock.command("set")
def set_(
    to: Annotated[str, typer.Argument(metavar="MOMENT", help="ISO 8601 with a zone: 2027-01-31T09:00:00Z.")],
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    as_json: AsJson = False,
) -> None:
    """Put the clock forward to a moment, from one due date to the next; returns when all that follows is done."""
    _turn({"to": to}, data_dir, api, as_json)


def _turn(body: dict[str, str], data_dir: DataDir, api: str | None, as_json: bool) -> None:
    with client(data_dir, api) as http:
        http.timeout = None  # as long as it takes: the run itself gives up when it does not come to rest
        _print(asked(http, "POST", PATH, json=body), as_json)


def _print(said: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(said)
        return
    out = console()
    ahead = timedelta(seconds=round(said["aheadSeconds"]))
    out.print(f"{said['now']}, {ahead} ahead of the machine" if ahead else f"{said['now']}, as on the machine")
    if "stops" in said:
        out.print(f"{len(said['stops'])} stops on the way", style="dim")
    elif said["nextDue"]:
        out.print(f"Something happens next at {said['nextDue']}", style="dim")
