"""Whose place in a consumer group may be given up: of processes of this machine that have ended, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shared.messaging import places
from shared.messaging.places import client_id, is_gone

NAME = "tenure-directory"
ASK = "from shared.messaging.places import client_id; print(client_id('tenure-directory'), flush=True); input()"


@pytest.fixture
def other() -> subprocess.Popen[str]:
    """Another process of this machine, which has said its client id."""
    return subprocess.Popen([sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ended(other: subprocess.Popen[str]) -> str:
    """Its client id, now that it is over."""
    with other:
        assert other.stdout
        id = other.stdout.readline().strip()
        assert not is_gone(id)
        other.kill()
    return id


def test_a_process_is_gone_once_it_has_ended(other: subprocess.Popen[str]) -> None:
    assert is_gone(ended(other))


def test_we_ourselves_are_not_gone_but_whoever_had_our_number_before_us_is() -> None:
    mine = client_id(NAME)
    assert not is_gone(mine)
    assert is_gone(f"{mine.rpartition('.')[0]}.1")


def test_of_other_machines_containers_and_clients_nobody_is_known_to_be_gone(other: subprocess.Popen[str]) -> None:
    id = ended(other)
    name, space, pid, began = id.rsplit(".", 3)
    assert is_gone(id)
    assert not is_gone(f"{name}x.{space}.{pid}.{began}")
    assert not is_gone(f"{name}.{space}0.{pid}.{began}")
    for client in (
        NAME,
        "",
        f"{name}.{space}",
        f"{name}.{space}.{pid}.",
        f"{name}.{space}.x.{began}",
        "aiokafka-0.14.0",
    ):
        assert not is_gone(client), client


def test_where_the_system_does_not_tell_nobody_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_began", lambda _pid: "")
    assert not is_gone(client_id(NAME))
    assert client_id(NAME).endswith(f".{os.getpid()}.")
