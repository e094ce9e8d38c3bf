"""The demo as its users start it: a slice of it, killed on its way, played to its end, and once more."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.cli.common import credentials
from deploy.cli.endpoints import CommandFailed
from deploy.demo import reviewed
from deploy.demo.reading import EM
from deploy.demo.reviewed import CLOSE, FAR, NEVER_USED, NO_PEER, NOT_SIGNED_IN, SIGNED_IN, SPONSOR_LEFT, USED, Say
from deploy.demo.script import Outcome, Package
from tests.system.commands import TENURE, endpoints, started, tenure, wait_for

ASKING = 16
PLAYED = ("--people", "150", "--asking", str(ASKING), "--rough", "3")


@pytest.mark.timeout(1100)
def test_a_rough_history_killed_twice_becomes_just_the_access_it_calls_for_and_a_second_run_changes_nothing(
    tmp_path: Path,
) -> None:
    """Killed while the changes come in, and while people ask."""
    for reached in (some_changes_taken, some_requests_made):
        log = tmp_path / f"until-{reached.__name__}"
        with started((*TENURE, "demo", "--once", *PLAYED, "--data-dir", str(tmp_path / "run")), log) as process:
            wait_for(partial(reached, tmp_path / "run"), process, log, within=200)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    first = demo(tmp_path / "run", tmp_path / "first.json", *PLAYED)

    assert first["mismatches"] == []
    assert first["until"] == "2002-07-31"
    assert set(first) == {
        "until",
        "people",
        "packages",
        "groups",
        "changes",
        "seconds",
        "mismatches",
        "requests",
        "reviews",
    }
    assert first["changes"] > 300
    assert first["packages"] == first["groups"]
    assert sum(map(len, first["packages"].values())) > 100
    assert not {package.value for package in Package} & first["packages"].keys()
    assert first["requests"]["asked"] == ASKING + 1, "one of sixteen people asks for two packages"
    assert first["requests"]["outcomes"].keys() == {outcome.value for outcome in Outcome}
    assert (first["requests"]["differences"], first["requests"]["surprises"]) == ([], [])
    assert first["reviews"]["differences"] == []
    assert first["reviews"]["decisions"].keys() == {one.value for one in Say}
    every = (SIGNED_IN, NOT_SIGNED_IN, SPONSOR_LEFT, NO_PEER, USED, NEVER_USED, CLOSE, FAR)
    figures = (one for one in vars(reviewed).values() if isinstance(one, reviewed.Figure))
    assert first["reviews"]["recommendations"].keys() == {
        *(f"{one.decision}: {one.words}" for one in every),
        *(f"Figure: {one.words}" for one in figures),
    }

    evidence = {file.stem: file for file in (tmp_path / "evidence").glob("*.json")}
    assert len(evidence) == 5, "two packages, guests, a team, an application"
    assert {file.stem for file in (tmp_path / "evidence").glob("*.html")} == evidence.keys()
    assert "The bundle is whole" in tenure("audit", "verify", "--bundle", str(evidence["visitors"])).stdout

    mails = kept_mails(tmp_path / "run")
    assert mails
    second = demo(tmp_path / "run", tmp_path / "second.json", *PLAYED)

    assert {**second, "seconds": 0} == {**first, "seconds": 0}
    assert kept_mails(tmp_path / "run") == mails
    assert endpoints(tmp_path / "run") is None, "a run that has ended answers nowhere"


def demo(data_dir: Path, report: Path, *more: str) -> dict[str, Any]:
    """Play it to its end; the report."""
    done = tenure("demo", "--once", "--data-dir", str(data_dir), "--report", str(report), *more, timeout=500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def kept_mails(run: Path) -> dict[str, bytes]:
    """What the mail catcher has on disk."""
    return {file.name: file.read_bytes() for file in (run / "mails").iterdir()}


def some_changes_taken(run: Path) -> bool:
    if (found := endpoints(run)) is None:
        return False
    try:
        answer = httpx.get(f"{found['api']}/v1.0/tenure/status", headers=credentials(run), timeout=30, trust_env=False)
        said = answer.raise_for_status().json()  # it is none yet while the services start
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


@pytest.mark.needs_shared
@pytest.mark.timeout(1100)
def test_the_real_companys_first_years_become_just_the_access_they_call_for(
    shared_folder: Path, tmp_path: Path
) -> None:
    history = shared_folder / "data" / "employees"
    played = ("--data", str(history), "--until", "1986-01-01", "--asking", "0")
    report = demo(tmp_path / "run", tmp_path / "report.json", *played)

    assert report["mismatches"] == []
    assert report["packages"] == report["groups"]


def test_what_is_no_history_is_said_in_a_line(tmp_path: Path) -> None:
    done = tenure(
        "demo", "--once", "--data", str(tmp_path / "nowhere"), "--data-dir", str(tmp_path / "run"), timeout=100
    )

    assert done.returncode == 2
    assert "A history is five CSV files" in done.stderr
    assert "Traceback" not in done.stderr
