"""The list of commands, and what a failing one says.

Each command lives in a module that is imported when the command is asked for: `tenure --help` imports none of them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from deploy.cli.common import take_token
from deploy.cli.endpoints import CommandFailed


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is defined: a function, or a typer application for one with commands of its own."""

    module: str
    name: str
    help: str


COMMANDS: dict[str, Command] = {
    "demo": Command("deploy.demo.run", "demo", "Play a company's history through everything and check the outcome."),
    "run": Command("deploy.cli.run_commands", "run", "Everything up and serving until Ctrl-C."),
    "service": Command("deploy.cli.run_commands", "service", "One service in a process of its own."),
    "topics": Command("deploy.cli.run_commands", "topics", "Make the topics that are missing."),
    "token": Command("deploy.cli.token_command", "token", "A bearer token for an embedded run, for development."),
    "clock": Command("deploy.cli.clock_command", "clock", "An embedded run's clock: show it, put it forward."),
    "status": Command("deploy.cli.status_command", "status", "Lag, pending work, dead letters; exit 1 if unwell."),
    "plan": Command("deploy.cli.catalog_commands", "plan_command", "Show what applying a catalog file would change."),
    "apply": Command("deploy.cli.catalog_commands", "apply_command", "Make the catalog as a file describes it."),
    "export": Command("deploy.cli.catalog_commands", "export_command", "Write the present catalogs as such a file."),
    "explain": Command("deploy.cli.audit_commands", "explain", "Why somebody holds what they hold."),
    "access": Command("deploy.cli.audit_commands", "access", "Who had what on a day."),
    "audit": Command("deploy.cli.audit_commands", "audit", "Verify and export the trail."),
    "reviews": Command("deploy.cli.review_commands", "reviews", "Exceptions and evidence of access reviews."),
    "reconcile": Command("deploy.cli.reconcile_command", "reconcile", "Compare what should be with what is."),
    "hr": Command("deploy.cli.hr_commands", "hr", "Send HR changes; see which were rejected."),
    "sources": Command("deploy.cli.hr_commands", "sources", "The sources of people and what each may set."),
    "dead-letters": Command("deploy.cli.deadletter_commands", "dead_letters", "What was set aside; replay or discard."),
    "asyncapi": Command("deploy.cli.docs_commands", "asyncapi", "The AsyncAPI 3 document of all topics."),
    "openapi": Command("deploy.cli.docs_commands", "openapi", "The OpenAPI document of the HTTP API."),
    "docs": Command("deploy.cli.docs_commands", "docs", "Write or check the generated documents."),
}


class Commands(TyperGroup):
    """`COMMANDS`, loaded one by one."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if (found := COMMANDS.get(cmd_name)) is None:
            return None
        if _only_listing():
            return typer.main.get_command(_stub(cmd_name, found.help))
        made = getattr(import_module(found.module), found.name)
        if not isinstance(made, typer.Typer):
            only = typer.Typer(add_completion=False)
            only.command(cmd_name, help=None)(made)
            made = only
        command = typer.main.get_command(made)
        command.name = cmd_name
        take_token(command)
        return command


def _only_listing() -> bool:
    # A shell that completes calls without arguments, too, and wants the real options.
    return "_TENURE_COMPLETE" not in os.environ and (len(sys.argv) < 2 or sys.argv[1] in {"--help", "-h"})


def _stub(name: str, text: str) -> typer.Typer:
    stub = typer.Typer(add_completion=False)
    stub.command(name, help=text)(lambda: None)
    return stub


app = typer.Typer(
    cls=Commands,
    name="tenure",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Open-source identity governance: HR changes become access, and can always say why.",
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tenure {version('tenure')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line. A failure we know is one line on standard error and its own exit code.

    Letters that an output has none for, as in an old locale, are written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except CommandFailed as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_code)
