"""What the embedded servers decide before any server starts: ports, folders, checksums, and what a machine lacks."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from deploy.embedded import BadDownload, CannotRunHere, FolderInUse, jars, kafka, mongo
from deploy.embedded.folder import Folder, free_port, held

ANY = {"kafka": None, "mongo": None}


def test_ports_are_remembered_by_the_folder(tmp_path: Path) -> None:
    first = Folder(tmp_path).choose_ports(ANY)
    assert len(set(first.values())) == 2
    assert Folder(tmp_path).choose_ports(ANY) == first


def test_a_remembered_port_that_somebody_else_took_is_replaced(tmp_path: Path) -> None:
    first = Folder(tmp_path).choose_ports(ANY)
    with socket.create_server(("127.0.0.1", first["kafka"])):
        second = Folder(tmp_path).choose_ports(ANY)
    assert second["kafka"] != first["kafka"]
    assert second["mongo"] == first["mongo"]


def test_a_wanted_port_goes_before_the_remembered_one(tmp_path: Path) -> None:
    Folder(tmp_path).choose_ports(ANY)
    wanted = free_port()
    assert Folder(tmp_path).choose_ports({**ANY, "mongo": wanted})["mongo"] == wanted


def test_no_other_name_is_given_a_wanted_port(tmp_path: Path) -> None:
    remembered = Folder(tmp_path).choose_ports(ANY)["kafka"]
    chosen = Folder(tmp_path).choose_ports({"kafka": None, "mongo": remembered})
    assert chosen["mongo"] == remembered
    assert chosen["kafka"] != remembered


def test_a_damaged_memory_of_ports_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    assert len(Folder(tmp_path).choose_ports(ANY)) == 2


async def test_a_folder_is_held_by_one_run_and_free_after_it(tmp_path: Path) -> None:
    async with held(tmp_path):
        with pytest.raises(FolderInUse) as refused:
            async with held(tmp_path):
                pass
    assert refused.value.pid == os.getpid()
    assert str(tmp_path) in str(refused.value)
    async with held(tmp_path):
        pass


def test_every_pin_names_one_jar_of_kafka_or_what_it_needs() -> None:
    pinned = jars.pinned()
    assert ("org.apache.kafka", "kafka_2.13", jars.KAFKA) in {jar.coordinate for jar in pinned}
    assert len({jar.name for jar in pinned}) == len(pinned)
    assert all(len(jar.sha256) == 64 and jar.path.endswith(".jar") for jar in pinned)


def test_a_jar_with_another_checksum_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = jars.Jar(hashlib.sha256(b"genuine").hexdigest(), "org/example/thing/1.0/thing-1.0.jar")
    pins = tmp_path / "pins"
    pins.write_text(f"{genuine.sha256}  {genuine.path}\n")
    at_hand = tmp_path / "repository" / genuine.path  # jgo looks here before it asks a server
    at_hand.parent.mkdir(parents=True)
    at_hand.write_bytes(b"forged")
    monkeypatch.setattr(jars, "PINS", pins)
    monkeypatch.setenv("TENURE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "repository"))

    with pytest.raises(BadDownload, match=r"thing-1\.0\.jar"):
        jars.fetch(lambda _: None)
    assert list((tmp_path / "cache").rglob("*.jar")) == []

    at_hand.write_bytes(b"genuine")
    (fetched,) = jars.fetch(lambda _: None)
    assert fetched.read_bytes() == b"genuine"


def test_jars_that_are_not_here_yet_are_no_mystery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_CACHE", str(tmp_path))
    with pytest.raises(CannotRunHere, match="make setup"):
        jars.class_path()


def test_a_named_mongod_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENURE_MONGOD", "/nowhere/mongod")
    with pytest.raises(CannotRunHere, match="TENURE_MONGOD names /nowhere/mongod"):
        mongo.binary()


def test_a_machine_without_mongod_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TENURE_MONGOD", raising=False)
    monkeypatch.setattr(mongo, "_packaged", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRunHere) as lacking:
        mongo.binary()
    for way_out in ("Linux x86-64", "TENURE_MONGOD", "docker compose up", "TENURE_KAFKA"):
        assert way_out in str(lacking.value)


def test_a_named_mongod_goes_before_the_packaged_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = tmp_path / "mongod"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.setenv("TENURE_MONGOD", str(mine))
    assert mongo.binary() == mine


async def test_storage_that_was_not_formatted_ahead_is_formatted_as_it_would_have_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = kafka.formatted_storage()
    async with held(tmp_path / "copied") as folder:
        await kafka.format_storage(folder, 9001, 9002, tmp_path / "log")
        copied = kafka.data(folder)
    monkeypatch.setattr(kafka, "formatted_storage", lambda: tmp_path / "nowhere")
    async with held(tmp_path / "made") as folder:
        await kafka.format_storage(folder, 9001, 9002, tmp_path / "log")
        made = kafka.data(folder)

    assert ahead.is_dir(), "`make setup` sees to it"
    assert said_in(copied) == said_in(made)
    assert {file.name for file in copied.iterdir()} == {file.name for file in made.iterdir()}


def said_in(storage: Path) -> list[str]:
    """What differs from one folder to the next left out."""
    lines = (storage / "meta.properties").read_text().splitlines()
    return sorted(line for line in lines if not line.startswith(("#", "directory.id")))
