"""The two servers as child processes: started, watched, stopped, killed."""

import asyncio
import contextlib
import os
import platform
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import jars, kafka, mongo
from deploy.embedded.errors import CannotRunHere, StartFailed
from deploy.embedded.folder import Folder, held

_GUARD = Path(__file__).with_name("guard.py")
# After the run's death its servers get this long to end in order; then they are killed, so that five seconds suffice.
_AFTERLIFE_S = 3.0
_START_S = 120.0
_STOP_S = 15.0
_ASK_AGAIN_S = 0.05


@dataclass(frozen=True)
class Endpoints:
    """Where clients connect."""

    kafka: str
    """Bootstrap server, `127.0.0.1:PORT`."""
    mongo: str
    """Connection string with the replica set; for one host, so the driver does not look for others."""


class Server:
    """One server, which may be stopped or killed and started again on the same port and data."""

    def __init__(
        self,
        name: str,
        folder: Folder,
        port: int,
        command: Callable[[], Awaitable[list[str]]],
        is_up: Callable[[], Awaitable[bool]],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`cwd`, `env`: where it is started, and with which environment. None: as this process."""
        self.name = name
        self.port = port
        self.log = folder.logs / f"{name}.log"
        self.pid: int | None = None
        self._folder = folder
        self._command = command
        self._is_up = is_up
        self._cwd = cwd
        self._env = env
        self._guard: asyncio.subprocess.Process | None = None

    @property
    def guard_pid(self) -> int | None:
        """The process that ends the server when this process is gone."""
        return self._guard.pid if self._guard else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._guard is not None and self._guard.returncode is None

    async def start(self) -> None:
        """Start and wait until it answers; nothing to do if it runs. Raises StartFailed."""
        if self.running:
            return
        self._drop_long_log()
        command = await self._command()
        lock = await self._folder.server_lock(self.name)
        try:
            self._guard = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), str(_AFTERLIFE_S), str(lock)),
                *(str(self.log), *command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(lock,),
                cwd=self._cwd,
                env=self._env,
                start_new_session=True,  # Ctrl-C is for us: we stop the servers after their clients
            )
        finally:
            os.close(lock)
        try:
            await asyncio.wait_for(self._wait_until_up(self._guard), _START_S)
        except TimeoutError:
            await self.kill()
            raise StartFailed(self.name, f"did not answer within {_START_S:.0f} s", self.log) from None
        except BaseException:
            await self.kill()
            raise

    async def stop(self, patience: float = _STOP_S) -> None:
        """End it in order (SIGTERM), or by force after `patience` seconds. Returns when it is gone."""
        await self._end(signal.SIGTERM, patience)

    async def kill(self) -> None:
        """`kill -9`. Returns when it is gone."""
        await self._end(signal.SIGKILL, _STOP_S)

    async def wait(self) -> int:
        """Wait for its end, whoever brings it about. Returns the exit code, 128 + n after signal n."""
        return await self._guard.wait() if self._guard else 0

    async def _wait_until_up(self, guard: asyncio.subprocess.Process) -> None:
        assert guard.stdout is not None
        self.pid = int(await guard.stdout.readline() or 0) or None
        while not await self._is_up():
            if guard.returncode is not None:
                raise StartFailed(self.name, f"ended at once (exit code {guard.returncode})", self.log)
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _end(self, how: signal.Signals, patience: float) -> None:
        guard = self._guard
        if guard is None:
            return
        if self.pid is None:  # we never heard of a server: the guard's pipe closes, and it sees to it
            assert guard.stdin is not None
            guard.stdin.close()
        elif guard.returncode is None:
            self._signal(how)
        try:
            await asyncio.wait_for(guard.wait(), patience)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await guard.wait()
        self._guard = None
        self.pid = None

    def _signal(self, what: signal.Signals) -> None:
        # While the guard lives it has not reaped the server, so the pid cannot have become somebody else's.
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, what)

    def _drop_long_log(self) -> None:
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > 10_000_000:
                self.log.replace(self.log.with_suffix(".log.1"))


@dataclass(frozen=True)
class Servers:
    """Both servers of one data folder."""

    folder: Path
    kafka: Server
    mongo: Server

    @property
    def endpoints(self) -> Endpoints:
        """Where clients connect; the same for the life of this object."""
        return Endpoints(kafka=f"127.0.0.1:{self.kafka.port}", mongo=mongo.uri(self.mongo.port))


def check_machine() -> None:
    """Raises CannotRunHere, before anything is written or downloaded, if the servers cannot run on this machine."""
    if not hasattr(os, "pidfd_open"):
        raise CannotRunHere(f"The embedded servers run on Linux 5.3 or later, and this is {platform.platform()}.")
    mongo.binary()
    kafka.java()


def _silent(_: str) -> None:
    pass


@asynccontextmanager
async def servers(
    data_dir: Path,
    *,
    kafka_heap_mb: int = 512,
    mongo_cache_mb: int = 512,
    kafka_port: int | None = None,
    mongo_port: int | None = None,
    progress: Callable[[str], None] = _silent,
) -> AsyncIterator[Servers]:
    """Both servers, started and answering, with a handle on each; stopped at the end.

    Ports are free ones unless given, and the same as last time in this folder if they still are free. Missing jars
    are downloaded first. Raises CannotRunHere, FolderInUse, StartFailed, BadDownload."""
    check_machine()
    async with held(data_dir) as folder:
        await asyncio.to_thread(jars.fetch, progress)
        both = _assemble(folder, kafka_heap_mb, mongo_cache_mb, kafka_port, mongo_port)
        try:
            progress("Starting Kafka and MongoDB")
            await _both(both.kafka.start(), both.mongo.start())
            progress(f"Kafka at {both.endpoints.kafka}, MongoDB at 127.0.0.1:{both.mongo.port}")
            yield both
        finally:
            await _both(both.kafka.stop(), both.mongo.stop())


def _assemble(folder: Folder, heap_mb: int, cache_mb: int, kafka_port: int | None, mongo_port: int | None) -> Servers:
    ports = folder.choose_ports({"kafka": kafka_port, "controller": None, "mongo": mongo_port})

    async def kafka_command() -> list[str]:
        settings = kafka.configure(folder, ports["kafka"], ports["controller"])
        await kafka.format_storage(folder, ports["kafka"], ports["controller"], folder.logs / "kafka.log")
        return kafka.command(folder, settings, heap_mb)

    async def mongo_command() -> list[str]:
        return mongo.command(folder, ports["mongo"], cache_mb)

    return Servers(
        folder.path,
        Server(
            "kafka",
            folder,
            ports["kafka"],
            kafka_command,
            lambda: kafka.is_up(ports["kafka"]),
            cwd=folder.kafka,
            env=kafka.environment(),
        ),
        Server("mongo", folder, ports["mongo"], mongo_command, lambda: mongo.is_up(ports["mongo"])),
    )


async def _both(*starts: Awaitable[None]) -> None:
    """Wait for all, and only then raise what went wrong with the first that failed: nothing is left half done."""
    for outcome in await asyncio.gather(*starts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
