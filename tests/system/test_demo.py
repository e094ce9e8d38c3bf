"""The demo as its users start it: a slice of it, twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo import reviewed
from deploy.demo.reviewed import CLOSE, FAR, NEVER_USED, NO_PEER, NOT_SIGNED_IN, SIGNED_IN, SPONSOR_LEFT, USED, Say
from deploy.demo.script import Outcome, Package
from tests.system.commands import endpoints, tenure
from tests.system.playing import ASKING, PLAYED, demo


@pytest.mark.timeout(1100)
def test_a_rough_history_becomes_just_the_access_it_calls_for_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
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


def kept_mails(run: Path) -> dict[str, bytes]:
    """What the mail catcher has on disk."""
    return {file.name: file.read_bytes() for file in (run / "mails").iterdir()}


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
