"""Processes of one service in one run's folder: who has which seat, and who is found."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from deploy.cli.endpoints import CannotStart
from deploy.run import peers, probe


def another(folder: Path) -> AbstractContextManager[int]:
    return peers.seat(folder, "review", another=True)


def urls(folder: Path) -> list[str]:
    return [peer.url for peer in peers.living(folder, "review")]


def test_each_takes_the_first_seat_that_is_free_and_is_found_until_it_leaves(tmp_path: Path) -> None:
    with another(tmp_path) as first:
        assert urls(tmp_path) == [], "it is not ready"
        peers.register(tmp_path, "review", "http://one", first)
        with (
            another(tmp_path) as second,
            another(tmp_path) as last,
        ):
            peers.register(tmp_path, "review", "http://two", second)
            peers.register(tmp_path, "review", "http://three", last)
            assert urls(tmp_path) == ["http://one", "http://two", "http://three"]
            found = peers.find(tmp_path, "review")
            assert found is not None
            assert found.url == "http://one"
        assert urls(tmp_path) == ["http://one"]
    assert urls(tmp_path) == []
    assert peers.find(tmp_path, "review") is None


def test_those_behind_a_seat_that_is_not_ready_are_found(tmp_path: Path) -> None:
    with peers.seat(tmp_path, "review") as first, another(tmp_path) as second:
        peers.register(tmp_path, "review", "http://two", second)
        assert (first, second) == (1, 2)
        assert urls(tmp_path) == ["http://two"]


def test_the_only_one_is_refused_where_another_runs(tmp_path: Path) -> None:
    with peers.seat(tmp_path, "review"), pytest.raises(CannotStart, match="--another"), peers.seat(tmp_path, "review"):
        raise AssertionError("two in one seat")


def test_the_only_one_is_refused_where_one_that_joined_outlived_the_first(tmp_path: Path) -> None:
    with another(tmp_path), another(tmp_path) as second:
        pass
    assert second == 2
    with peers.seat(tmp_path, "review") as first:
        assert first == 1, "both have ended"
    leaving = another(tmp_path)
    leaving.__enter__()
    with another(tmp_path) as left:
        leaving.__exit__(None, None, None)
        peers.register(tmp_path, "review", "http://left", left)
        with pytest.raises(CannotStart, match=rf"as process {os.getpid()}\. With --another"):
            peers.seat(tmp_path, "review").__enter__()
        with another(tmp_path) as first:
            assert first == 1


def test_a_probe_asks_at_the_address_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = tmp_path / "address"
    assert probe.main(str(address)) == 1, "not ready yet"
    address.write_text("http://127.0.0.1:9\n")
    assert probe.main(str(address)) == 1
    assert "http://127.0.0.1:9/health/ready" in capsys.readouterr().err
