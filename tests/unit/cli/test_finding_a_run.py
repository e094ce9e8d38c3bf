"""Every command finds its run in the same way, and names only ways that it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from deploy.cli import run_commands
from deploy.cli.app import COMMANDS, app
from deploy.cli.common import joining
from deploy.cli.endpoints import NothingRunning
from deploy.cli.token_command import token

NO_API = {"run", "demo", "service", "token"}
"""These begin a run or join one, ask nobody, or sign with the key in its folder."""


def commands() -> Iterator[tuple[str, Any]]:
    """All that take --data-dir, with those within others."""
    group = typer.main.get_command(app)
    context = click.Context(click.Command("tenure"))
    waiting = [(name, group.get_command(context, name)) for name in COMMANDS]  # type: ignore[attr-defined]
    while waiting:
        name, command = waiting.pop()
        waiting += [(f"{name} {inner}", one) for inner, one in getattr(command, "commands", {}).items()]
        if option(command, "data_dir") is not None:
            yield name, command


def option(command: Any, name: str) -> Any:
    return next((one for one in command.params if one.name == name), None)


def test_commands_find_their_run_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["tenure", "status"])  # without words, commands are only listed
    found = dict(commands())
    assert {"topics", "token", "explain", "audit verify", "plan", "hr send"} <= found.keys()
    for name, command in found.items():
        if name not in {"demo", "service"}:  # a folder of its own; without one, servers that are named
            data_dir = option(command, "data_dir")
            said = (data_dir.envvar, str(data_dir.default), data_dir.help)
            assert said == ("TENURE_DATA_DIR", ".tenure", "Folder of the run."), name
        api = option(command, "api")
        assert (api is None) is (name in NO_API), name
        assert api is None or api.help == "Base address of a run's HTTP API, instead of --data-dir.", name


def test_a_service_joins_the_run_of_the_folder_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(run_commands, "set_up_logs", lambda settings: None)
    with pytest.raises(NothingRunning, match=str(tmp_path)):
        run_commands.service("review", None)


def test_what_starts_a_service_names_the_folder_unless_it_is_found_without() -> None:
    assert joining("review", Path(".tenure")) == "tenure service review"
    assert joining("review", Path("/srv/run")) == "tenure service review --data-dir /srv/run"


def test_a_command_that_needs_the_folder_does_not_send_anybody_to_the_api(tmp_path: Path) -> None:
    with pytest.raises(NothingRunning, match=r"with --data-dir\.$"):
        token(tmp_path, None, True, None)
