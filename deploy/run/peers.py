"""Services that joined a run as processes of their own: each says in `DIR/services/NAME.json` where it answers.

A service may have several: they take the seats NAME, NAME-2, NAME-3, …, each the first that is free.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.cli.endpoints import CannotStart, is_held
from deploy.files import write_whole
from deploy.run.lock import PATIENCE_S, hold

MOST = 64
"""Processes of one service in one folder."""
_GLANCE_S = 0.1
"""Longer than anybody holds a seat who only looks whether it is taken."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A service that runs alone. `url` without a slash at the end."""

    name: str
    url: str
    pid: int


def living(data_dir: Path, name: str) -> Iterator[Peer]:
    """The processes that run this service for the run of this folder and are ready, in the order of their seats."""
    for file in _seats(data_dir, name):
        if (peer := _read(file, name)) is not None and is_held(file.with_suffix(".lock")):
            yield peer


def find(data_dir: Path, name: str) -> Peer | None:
    """The first of them, if there is one."""
    return next(living(data_dir, name), None)


@contextmanager
def seat(data_dir: Path, name: str, *, another: bool = False) -> Iterator[int]:
    """Run this service for this folder: as the one process that does, or as `another` beside those that do already.
    Yields the number of the seat. Raises CannotStart if there is none."""
    for number in range(1, MOST + 1 if another else 2):
        file = _file(data_dir, name, number)
        with hold(file.with_suffix(".lock"), _GLANCE_S if another else PATIENCE_S) as held:
            if not held or not (another or _is_alone(data_dir, name)):
                continue
            try:
                yield number
            finally:
                file.unlink(missing_ok=True)
            return
    peer = find(data_dir, name)
    where = f", as process {peer.pid}" if peer else ", in another process"
    raise CannotStart(f"{name} already runs for {data_dir}{where}. With --another it runs once more beside it.")


def _is_alone(data_dir: Path, name: str) -> bool:
    """Whether nobody has a seat behind the first: those who joined stay when the first has ended."""
    for file in _seats(data_dir, name, 2):
        with hold(file.with_suffix(".lock")) as is_free:
            if not is_free:
                return False
    return True


def register(data_dir: Path, name: str, url: str, number: int = 1) -> None:
    """Say where it answers. Call it inside `seat`, once it is ready."""
    write_whole(_file(data_dir, name, number), json.dumps({"url": url, "pid": os.getpid()}) + "\n")


def _seats(data_dir: Path, name: str, first: int = 1) -> Iterator[Path]:
    """Files of the seats from the first of these on that anybody has had."""
    for number in range(first, MOST + 1):
        file = _file(data_dir, name, number)
        if not file.with_suffix(".lock").exists():
            return
        yield file


def _file(data_dir: Path, name: str, number: int) -> Path:
    return data_dir / "services" / (f"{name}.json" if number == 1 else f"{name}-{number}.json")


def _read(file: Path, name: str) -> Peer | None:
    try:
        said = json.loads(file.read_text())
        return Peer(name, said["url"], said["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
