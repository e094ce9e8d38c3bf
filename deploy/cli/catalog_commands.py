"""`tenure plan FILE`, `tenure apply FILE` and `tenure export`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

import deploy.cli.plan as planning
from deploy.cli.common import DEFAULT_DIR, Api, AsJson, DataDir, credentials
from deploy.cli.endpoints import CommandFailed, api_url

app = typer.Typer(help="Catalogs by file.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="YAML: groups, populations, catalogs.", show_default=False)]

COLOURS = {"+": "green", "~": "yellow", "-": "red", "#": "dim", "!": "red"}


@app.command("plan")
def plan_command(file: File, data_dir: DataDir = DEFAULT_DIR, api: Api = None, as_json: AsJson = False) -> None:
    """Show what `tenure apply` would change, and change nothing."""
    _run(_planned(file, data_dir, api, as_json))


@app.command("apply")
def apply_command(
    file: File,
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    as_json: AsJson = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", "--auto-approve", help="Do not ask first.")] = False,
) -> None:
    """Make it as FILE says, after showing what that changes. Exit code 1 if something was refused."""
    result = _run(_applied(file, data_dir, api, as_json=as_json, yes=yes))
    if result is not None and not result.is_complete:
        raise typer.Exit(1)


@app.command("export")
def export_command(
    data_dir: DataDir = DEFAULT_DIR,
    api: Api = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Whose work it is to be; else the file's that keeps things so far.")
    ] = None,
) -> None:
    """Write catalogs with all that lies in them, populations and roles as they are, as the YAML that `tenure apply`
    reads."""
    typer.echo(_run(planning.export(api_url(data_dir, api), name, headers=credentials(data_dir, api))), nl=False)


async def _planned(file: Path, data_dir: Path, api: str | None, as_json: bool) -> None:
    document = planning.read_file(file)
    found = await planning.plan(api_url(data_dir, api), document, headers=credentials(data_dir, api))
    if as_json:
        _print_json(planning.plan_as_json(found))
    else:
        _show(planning.render(found))


async def _applied(file: Path, data_dir: Path, api: str | None, *, as_json: bool, yes: bool) -> planning.Result | None:
    document = planning.read_file(file)
    url, headers = api_url(data_dir, api), credentials(data_dir, api)
    found = await planning.plan(url, document, headers=headers)
    if not as_json:
        _show(planning.render(found))
    if not found.is_empty and not yes:
        if as_json:
            raise CommandFailed("With --json nobody can be asked: say --yes.")
        # A line of its own in a thread: the event loop has nothing else to do here.
        if not await asyncio.to_thread(typer.confirm, "Apply these changes?"):
            _show("Nothing was changed.")
            raise typer.Exit(1)
    result = planning.Result() if found.is_empty else await planning.apply(url, found, document, headers=headers)
    if as_json:
        _print_json({"plan": planning.plan_as_json(found), "result": planning.result_as_json(result)})
    elif not found.is_empty:
        _show(planning.render_result(result))
    return result


def _run(work: Any) -> Any:
    try:
        return asyncio.run(work)
    except CommandFailed as problem:
        Console(stderr=True, soft_wrap=True).print(Text(str(problem)))
        raise typer.Exit(problem.exit_code) from problem


def _show(text: str) -> None:
    console = Console(soft_wrap=True)
    for line in text.splitlines():
        console.print(Text(line, style=COLOURS.get(line.strip()[:1], "")))


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
