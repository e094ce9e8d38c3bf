"""The data folder: who holds it, which ports it remembers, and whether an earlier run's servers have gone."""

import asyncio
import fcntl
import json
import os
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.embedded.errors import FolderInUse
from deploy.files import write_whole

# Below the range from which Linux takes the near end of connections: a client that tries a stopped server's port
# could otherwise be given that very port and be connected to itself.
_PORTS = range(20_000, 32_000)
_GONE_BY_THEMSELVES_S = 5.0
# A run that was killed a moment ago holds the folder until the kernel has taken it apart.
_DYING_S = 1.0


class Folder:
    """A data folder held by this process. Layout: `kafka/`, `mongo/`, `logs/`, `tmp/`, `ports.json` and locks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kafka = path / "kafka"
        self.mongo = path / "mongo"
        self.logs = path / "logs"
        self.tmp = path / "tmp"
        self._ports_file = path / "ports.json"

    def choose_ports(self, wanted: dict[str, int | None]) -> dict[str, int]:
        """A port for each name: the wanted one, else the one remembered if it is free, else a free one; and remember.

        A wanted port is returned even if it is taken: the server's own message about that is the best one."""
        remembered = self._remembered_ports()
        chosen = {name: port for name, port in wanted.items() if port is not None}
        for name in wanted.keys() - chosen.keys():
            before = remembered.get(name)
            taken = set(chosen.values())
            chosen[name] = (
                before if before is not None and before not in taken and is_free(before) else free_port(taken)
            )
        write_whole(self._ports_file, json.dumps(remembered | chosen))
        return chosen

    def _remembered_ports(self) -> dict[str, int]:
        try:
            known = json.loads(self._ports_file.read_text())
        except (OSError, ValueError):
            return {}
        return {name: port for name, port in known.items() if isinstance(port, int)} if isinstance(known, dict) else {}

    async def server_lock(self, name: str) -> int:
        """A lock that the server `name` and its guard will hold; the caller passes it on and closes its own copy.

        Waits for what a killed run left behind: five seconds for it to go by itself, then kills it."""
        descriptor = os.open(self.path / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            deadline = time.monotonic() + _GONE_BY_THEMSELVES_S
            while not _try_lock(descriptor):
                if time.monotonic() > deadline:
                    _kill_holders(self.path / f"{name}.lock")
                await asyncio.sleep(0.05)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


@asynccontextmanager
async def held(path: Path) -> AsyncIterator[Folder]:
    """Hold the folder (made if it is not there) for this process. Raises FolderInUse if another one holds it."""
    path = path.expanduser().resolve()  # noqa: ASYNC240 - a local folder, once
    path.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + _DYING_S
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise FolderInUse(path, holder(path))
            await asyncio.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        folder = Folder(path)
        for part in (folder.kafka, folder.mongo, folder.logs, folder.tmp):
            part.mkdir(exist_ok=True)
        yield folder
    finally:
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """The process that holds the folder, or None if it says nothing."""
    try:
        return int((path / "lock").read_text())
    except (OSError, ValueError):
        return None


def is_free(port: int) -> bool:
    """Whether a server could listen on the port at 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(avoid: frozenset[int] | set[int] = frozenset()) -> int:
    """A port at 127.0.0.1 that nobody listens on."""
    for port in random.sample(_PORTS, k=200):
        if port not in avoid and is_free(port):
            return port
    raise OSError("no free port at 127.0.0.1")


async def listens(port: int) -> bool:
    """Whether somebody accepts connections at 127.0.0.1."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill_holders(lock: Path) -> None:
    """Kill the processes that have this lock open, other than this one."""
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) != os.getpid() and _has_open(process, lock):
            try:
                os.kill(int(process.name), 9)
            except ProcessLookupError:
                pass


def _has_open(process: Path, file: Path) -> bool:
    try:
        return any(os.path.samefile(descriptor, file) for descriptor in (process / "fd").iterdir())
    except OSError:
        return False
