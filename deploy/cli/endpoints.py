"""Where the run of a data folder answers: what every command needs to find it.

`tenure run` and `tenure demo` write `DIR/endpoints.json` when all is ready and hold `DIR/run.lock` while they live, so
that a file which a killed run left behind is not mistaken for a run.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from deploy.files import write_whole

FILE = "endpoints.json"
LOCK = "run.lock"


class CommandFailed(Exception):
    """A command ends with this message as its one line on standard error, and this exit code."""

    exit_code = 1


class CannotStart(CommandFailed):
    """What was asked for cannot be started as things are."""

    exit_code = 2


class NothingAnswers(CommandFailed):
    """Who was asked does not answer."""

    exit_code = 3


class NothingRunning(CommandFailed):
    """No run answers where it was looked for."""

    exit_code = 3

    def __init__(self, data_dir: Path, *, by_api: bool = True) -> None:
        super().__init__(
            f"Nothing is running in {data_dir}. Start it with `tenure run --data-dir {data_dir}`, "
            f"or name a running one with --data-dir{' or --api' if by_api else ''}."
        )


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What stands in endpoints.json. `api` and `mail` are without a slash at the end."""

    api: str
    kafka: str
    mongo: str
    mail: str | None = None
    pid: int | None = None
    smtp: str | None = None
    """`host:port` of the mail catcher, for services that join."""
    namespace: str | None = None
    issuer: str | None = None
    """Name of the run's own issuer of tokens, for development; None if it has none."""
    audience: str | None = None
    """Whom its tokens are made for."""
    auth: Literal["off", "on"] | None = None
    """Whether it requires tokens."""


def endpoints(data_dir: Path, *, by_api: bool = True) -> Endpoints:
    """Where the run in this folder answers. Raises NothingRunning. `by_api`: the command has --api, too."""
    try:
        said = json.loads((data_dir / FILE).read_text())
        found = Endpoints(**{name: said.get(name) for name in Endpoints.__slots__})
    except (OSError, ValueError, AttributeError):
        raise NothingRunning(data_dir, by_api=by_api) from None
    if not is_held(data_dir / LOCK):
        raise NothingRunning(data_dir, by_api=by_api)
    return found


def api_url(data_dir: Path, api: str | None) -> str:
    """Base of the HTTP API, without a slash at the end: `api` if given, else the run's. Raises NothingRunning."""
    return api.rstrip("/") if api else endpoints(data_dir).api


def write(data_dir: Path, found: Endpoints) -> None:
    """Publish, atomically: whoever sees the file sees all of it."""
    said = {name: value for name, value in asdict(found).items() if value is not None}
    write_whole(data_dir / FILE, json.dumps(said) + "\n")


def is_held(lock: Path) -> bool:
    """Whether a living process holds this lock file."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
