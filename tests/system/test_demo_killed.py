"""The demo, killed in the middle and started again."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import httpx
import pytest

from deploy.cli.common import credentials
from deploy.cli.endpoints import CommandFailed
from deploy.demo.reading import EM
from deploy.demo.script import Outcome
from tests.system.commands import TENURE, endpoints, started, wait_for
from tests.system.playing import ASKING, PLAYED, demo


@pytest.mark.timeout(600)
def test_killed_twice_on_its_way_and_run_again_it_ends_the_same(tmp_path: Path) -> None:
    """While the changes come in, and while people ask."""
    run = tmp_path / "run"
    for reached in (some_changes_taken, some_requests_made):
        log = tmp_path / f"until-{reached.__name__}"
        with started((*TENURE, "demo", "--once", *PLAYED, "--data-dir", str(run)), log) as process:
            wait_for(partial(reached, run), process, log, within=200)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    again = demo(run, tmp_path / "again.json", *PLAYED)

    assert again["mismatches"] == []
    assert sum(map(len, again["packages"].values())) > 100
    assert again["requests"]["outcomes"].keys() == {outcome.value for outcome in Outcome}
    assert (again["requests"]["differences"], again["requests"]["surprises"]) == ([], [])
    assert again["reviews"]["differences"] == []


def some_changes_taken(run: Path) -> bool:
    if (found := endpoints(run)) is None:
        return False
    try:
        answer = httpx.get(f"{found['api']}/v1.0/tenure/status", headers=credentials(run), timeout=30, trust_env=False)
        said = answer.json()
    except (httpx.HTTPError, CommandFailed):
        return False
    return bool(said["hrChanges"]["taken"] > 0)


def some_requests_made(run: Path) -> bool:
    """Some, while the others ask: the file with how far they are is there from the first on."""
    if not (run / "asked.json").exists() or (found := endpoints(run)) is None:
        return False
    try:
        path = f"{EM}/assignmentRequests/$count"
        said = httpx.get(f"{found['api']}{path}", headers=credentials(run), timeout=30, trust_env=False)
    except (httpx.HTTPError, CommandFailed):
        return False
    return said.is_success and int(said.text) > ASKING // 4
