"""A run that cannot start says why in a line."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from fastapi import FastAPI

from deploy.cli.endpoints import CannotStart
from deploy.run.process import _telling_why, all_in_one, alone
from shared.messaging import host
from shared.messaging.errors import MayPass
from shared.settings import Settings
from shared.storage.database import Client
from shared.web.server import HttpServer


async def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    there = tmp_path / "a-file"
    there.write_text("")
    for folder in (there, there / "below"):
        with pytest.raises(CannotStart, match=r"a-file.*: .*--data-dir"):
            async with all_in_one(Settings(data_dir=folder), (), print):
                pass


@pytest.mark.parametrize("address", ["foo://bar", "mongodb://", "mongodb://u:se/cret@h/", "mongodb://h:se-cret/"])
async def test_a_connection_string_that_is_none_is_said_without_quoting_it(address: str) -> None:
    settings = Settings(kafka="127.0.0.1:1", mongo=address, auth="off")  # type: ignore[arg-type]
    with pytest.raises(CannotStart, match="TENURE_MONGO") as told:
        async with alone(settings, "audit", None):
            pass
    assert "cret" not in str(told.value)


async def test_servers_that_stay_away_and_topics_that_are_missing_are_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(_: object) -> None:
        raise MayPass("Kafka has no topic hr.urgent: `tenure topics` makes what is missing.")

    monkeypatch.setattr(Client, "check", away)
    monkeypatch.setattr(host, "START_S", 0.0)
    settings = Settings(kafka="127.0.0.1:1", mongo="mongodb://127.0.0.1:1/", auth="off")  # type: ignore[arg-type]
    with pytest.raises(CannotStart) as told:
        async with alone(settings, "audit", None):
            pass
    said = "Kafka has no topic hr.urgent: `tenure topics` makes what is missing."
    assert str(told.value) == f"A server does not answer as it should. {said}"


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"127.0.0.1:{port}.*TENURE_HTTP_PORT"), _telling_why():
            await HttpServer(FastAPI(), port=port).start()
