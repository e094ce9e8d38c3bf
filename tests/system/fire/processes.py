"""`tenure` commands as processes that start at once: forked from one that has imported everything already."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from deploy.run.registry import NAMES
from tests.system.commands import ROOT

_PR_SET_PDEATHSIG = 1
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(
    ["deploy.cli.app", "deploy.cli.run_commands", "deploy.run.process", *(f"services.{name}.service" for name in NAMES)]
)


@dataclass
class Command:
    """A command on its way; `log` has all that it says."""

    process: ForkServerProcess
    log: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def runs(self) -> bool:
        return self.process.is_alive()

    async def ended(self, within_s: float) -> int:
        """Its exit code, negative for a signal."""
        deadline = time.monotonic() + within_s
        while self.process.is_alive():
            assert time.monotonic() < deadline, f"it still runs: {self.said()}"
            await asyncio.sleep(0.02)
        assert self.process.exitcode is not None
        return self.process.exitcode

    async def stop(self) -> int:
        """As Ctrl-C does, in order."""
        if self.runs:
            os.kill(self.pid, signal.SIGTERM)
        return await self.ended(45)

    async def kill(self) -> None:
        if self.runs:
            os.kill(self.pid, signal.SIGKILL)
        await self.ended(10)

    async def url(self) -> str | None:
        """Where a service says that it is ready; None as long as it does not."""
        assert self.runs, self.said()
        found = re.search(r"is ready at (http://\S+)", self.log.read_text(errors="replace"))
        return found[1] if found else None

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""


def start(arguments: tuple[str, ...], log: Path, environment: Mapping[str, str]) -> Command:
    """`tenure` with these arguments, its settings from `environment` alone. It dies with the tests."""
    log.touch()
    process = _forking.Process(target=_tenure, args=(arguments, str(log), dict(environment)), daemon=True)
    process.start()
    return Command(process, log)


def _tenure(arguments: tuple[str, ...], log: str, environment: dict[str, str]) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(ROOT)
    for name in [name for name in os.environ if name.startswith("TENURE_")]:
        del os.environ[name]
    os.environ.update(environment)
    sys.argv = ["tenure", *arguments]
    from deploy.cli.app import main  # noqa: PLC0415

    main()
