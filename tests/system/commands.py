"""`tenure` as its users start it: processes that a test waits for, talks to and kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import eventually

TENURE = (sys.executable, "-m", "deploy.cli")
ROOT = Path(__file__).resolve().parents[2]
START_S = 90.0


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without Tenure's settings, and `more`. Half as many partitions as usual: each costs
    something at every start."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}
    return ours | {"TENURE_PARTITIONS": "3"} | more


def tenure(*arguments: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*TENURE, *arguments],
        cwd=ROOT,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextmanager
def started(
    command: tuple[str, ...], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes to `log`, stopped in the end (SIGTERM, then by force)."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment or clean_environment(), stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(45)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(what: Callable[[], Any], process: subprocess.Popen[bytes], log: Path, within: float = START_S) -> Any:
    """What `what` gives as soon as that is something; fails at once if the process ends before."""

    def said() -> str:
        return log.read_text()[-3000:]

    def find() -> Any:
        found = what()
        assert found or process.poll() is None, said()
        return found

    return eventually(find, said, within)


def endpoints(data_dir: Path) -> dict[str, Any] | None:
    """What endpoints.json says, None as long as there is none."""
    try:
        found: dict[str, Any] = json.loads((data_dir / "endpoints.json").read_text())
        return found
    except FileNotFoundError:
        return None


def answers(url: str, headers: Mapping[str, str] | None = None) -> bool:
    """Whether it answers with 200."""
    try:
        return httpx.get(url, headers=headers, timeout=30, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
