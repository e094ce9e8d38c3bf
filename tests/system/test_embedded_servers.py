"""Kafka and mongod as child processes: they start, stop, come back with their data, and never outlive the run."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import AsyncMongoClient
from pymongo.write_concern import WriteConcern

from deploy.embedded import Endpoints, FolderInUse, Servers
from deploy.embedded import servers as run_servers

GONE_WITHIN_S = 5.0


async def test_a_killed_broker_comes_back_on_its_port_with_its_data(servers: Servers) -> None:
    await write_message(servers.endpoints, "killed-broker", b"before")
    endpoints = servers.endpoints

    await servers.kafka.kill()
    assert not servers.kafka.running
    await servers.kafka.start()

    assert servers.endpoints == endpoints
    assert await read_message(endpoints, "killed-broker") == b"before"


async def test_a_killed_mongod_comes_back_on_its_port_with_its_data(servers: Servers) -> None:
    await write_document(servers.endpoints, "before")

    await servers.mongo.kill()
    assert not servers.mongo.running
    await servers.mongo.start()

    assert "before" in await read_documents(servers.endpoints)


async def test_a_topic_that_nobody_made_is_not_made_by_using_it(servers: Servers) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.endpoints.kafka)
    await admin.start()
    try:
        described = await admin.describe_topics(["nobody-made-this"])
    finally:
        await admin.close()
    assert described[0]["error_code"] == 3  # unknown topic or partition


async def test_both_listen_on_this_machine_alone(servers: Servers) -> None:
    for server in (servers.kafka, servers.mongo):
        listening = [c for c in psutil.Process(server.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert {str(c.laddr.ip).removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}, server.name


async def test_a_second_start_on_a_folder_in_use_names_the_process(servers: Servers) -> None:
    with pytest.raises(FolderInUse, match=rf"process {os.getpid()}\b"):
        async with run_servers(servers.folder):
            pass


async def test_a_killed_guard_takes_its_server_along(servers: Servers) -> None:
    server = psutil.Process(servers.mongo.pid)

    os.kill(present(servers.mongo.guard_pid), signal.SIGKILL)

    await becomes_true(lambda: gone(server))
    await servers.mongo.wait()
    await servers.mongo.start()
    await write_document(servers.endpoints, "after the guard")


async def test_nothing_outlives_a_killed_run_and_its_folder_serves_the_next_whatever_it_is_called(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "Jürgen's, 研究 #1"
    async with another_run(folder, LC_ALL="C") as (run, endpoints):
        await write_message(endpoints, "outlives", b"kept")
        await write_document(endpoints, "kept")
        descendants = run.children(recursive=True)
        assert len(descendants) == 4  # two guards, two servers
        run.kill()
        killed_at = time.monotonic()
        await becomes_true(lambda: all(map(gone, descendants)))
        assert time.monotonic() - killed_at < GONE_WITHIN_S

    async with run_servers(folder) as both:
        assert both.endpoints == endpoints
        assert await read_message(endpoints, "outlives") == b"kept"
        assert "kept" in await read_documents(endpoints)


async def test_a_start_waits_for_what_a_killed_run_left_behind(tmp_path: Path) -> None:
    async with another_run(tmp_path) as (run, _):
        left_behind = run.children(recursive=True)
        for process in left_behind:
            if "mongod" in process.name():
                process.suspend()  # cannot end in order: its guard has to use force
        run.kill()

        async with run_servers(tmp_path) as both:
            assert all(map(gone, left_behind))
            await write_document(both.endpoints, "works")


# -- steps ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def another_run(folder: Path, **environment: str) -> AsyncIterator[tuple[psutil.Process, Endpoints]]:
    """`python -m deploy.embedded run` in a process of its own, ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.embedded", "run", "--data-dir", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        said: dict[str, str] = {}
        while "TENURE_MONGO" not in said:
            line = (await process.stdout.readline()).decode()
            assert line, "the run ended before it was ready"
            name, _, value = line.strip().partition("=")
            said[name] = value
        yield psutil.Process(process.pid), Endpoints(kafka=said["TENURE_KAFKA"], mongo=said["TENURE_MONGO"])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def write_message(endpoints: Endpoints, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=endpoints.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=endpoints.kafka, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value)


async def read_message(endpoints: Endpoints, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=endpoints.kafka, auto_offset_reset="earliest")
    async with consumer:
        message = await asyncio.wait_for(consumer.getone(), 20)
    return message.value


async def write_document(endpoints: Endpoints, name: str) -> None:
    async with AsyncMongoClient[dict[str, str]](endpoints.mongo) as client:
        things = client.get_database("embedded", write_concern=WriteConcern("majority", j=True)).things
        await things.update_one({"_id": name}, {"$set": {"_id": name}}, upsert=True)


async def read_documents(endpoints: Endpoints) -> list[str]:
    async with AsyncMongoClient[dict[str, str]](endpoints.mongo) as client:
        return [thing["_id"] async for thing in client.embedded.things.find()]


async def becomes_true(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.02)


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def present(pid: int | None) -> int:
    assert pid is not None
    return pid
