"""Services that joined a run as processes of their own: each says in `DIR/services/NAME.json` where it answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.cli.endpoints import CannotStart, is_held
from deploy.run.lock import hold


@dataclass(frozen=True, slots=True)
class Peer:
    """A service that runs alone. `url` without a slash at the end."""

    name: str
    url: str
    pid: int


def find(data_dir: Path, name: str) -> Peer | None:
    """The living process that runs this service for the run of this folder, if there is one."""
    file = data_dir / "services" / f"{name}.json"
    try:
        said = json.loads(file.read_text())
        peer = Peer(name, said["url"], said["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return peer if is_held(file.with_suffix(".lock")) else None


@contextmanager
def seat(data_dir: Path, name: str) -> Iterator[None]:
    """Be the one process that runs this service for this folder. Raises CannotStart if another one does."""
    folder = data_dir / "services"
    folder.mkdir(parents=True, exist_ok=True)
    with hold(folder / f"{name}.lock") as held:
        if not held:
            peer = find(data_dir, name)
            raise CannotStart(
                f"{name} already runs for {data_dir}"
                + (f", as process {peer.pid}." if peer else ", in another process.")
            )
        try:
            yield
        finally:
            (folder / f"{name}.json").unlink(missing_ok=True)


def register(data_dir: Path, name: str, url: str) -> None:
    """Say where it answers. Call it inside `seat`, once it is ready."""
    file = data_dir / "services" / f"{name}.json"
    written = file.with_suffix(".new")
    written.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    written.replace(file)
