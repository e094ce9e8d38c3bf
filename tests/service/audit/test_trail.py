"""The trail on real Kafka and MongoDB: everything is recorded once and in order, whoever dies; and it answers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.read_concern import ReadConcern

from deploy.cli.audit_commands import proven
from deploy.embedded import Servers
from services.audit import sealing
from services.audit.sealing import Sealer
from services.audit.service import assemble
from services.audit.store.checkpoints import Checkpoints
from services.audit.store.trail import AnotherLog, Trail
from shared.clock import SystemClock
from shared.contracts.audit import Checkpoint
from shared.contracts.base import Lane
from shared.contracts.topics import TRAIL_HEADS
from shared.messaging.admin import create_topics
from shared.messaging.envelope import Outgoing
from shared.messaging.failpoints import Failpoints
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.storage import connect
from shared.web.app import make_app
from tests.unit.audit.said import (
    ANA,
    SALES,
    SALES_GROUP,
    START,
    added,
    cause,
    ended,
    hr_change,
    person,
    received,
    story,
)
from tests.waiting import until


@dataclass
class Running:
    """Audit, hosted, with its HTTP API and its database in sight."""

    settings: Settings
    http: httpx.AsyncClient
    producer: AIOKafkaProducer
    database: Any
    host: Host

    async def publish(self, records: Iterable[Outgoing], partition: int | None = None) -> None:
        for one in records:
            headers = [(name, value.encode()) for name, value in one.headers]
            await self.producer.send(
                self.settings.topic(one.topic), one.value, key=one.key, headers=headers, partition=partition
            )
        await self.producer.flush()

    async def recorded(self, count: int) -> None:
        await until(lambda: self._has(count))

    async def _has(self, count: int) -> bool:
        return int(await self.database.trail.count_documents({})) >= count

    async def sealed(self) -> None:
        """Once everything is under a checkpoint: the writer knows a little later than the database."""

        async def all_of_it() -> bool:
            assert (await self.http.post("/v1.0/tenure/audit/seal")).is_success
            return bool((await self.get("audit/verify"))["afterLastCheckpoint"] == 0)

        await until(all_of_it)

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1.0/tenure/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture
def settings(servers: Servers, tmp_path: Path) -> Settings:
    return Settings(
        kafka=servers.endpoints.kafka,
        mongo=servers.endpoints.mongo,
        namespace=f"a{uuid.uuid4().hex[:8]}",
        data_dir=tmp_path,
        partitions=2,
        audit_checkpoint_s=600,
        read_wait_s=0.2,
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    host = Host(settings, {"audit": assemble})
    await create_topics(settings, groups_of(list(host.services.values())))
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    motor: Any = AsyncIOMotorClient(settings.mongo.get_secret_value())
    app = make_app("audit", host.services["audit"].routers, hosts=None)
    try:
        async with (
            host,
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://audit", timeout=30) as http,
        ):
            # As the service reads: on a slow disk a majority has a record a good while after the server does.
            database = motor.get_database(settings.database("audit"), read_concern=ReadConcern("majority"))
            yield Running(settings, http, producer, database, host)
    finally:
        await producer.stop()
        motor.close()


async def test_it_records_all_that_is_said_and_says_why_and_when(settings: Settings) -> None:
    async with running(settings) as audit:
        await audit.publish(story())
        urgent = person(3, START + timedelta(days=2), cause("c3", lane=Lane.URGENT), "Legal", "Support")
        ben = person(1, START, cause("c4"), "Legal", id="person-ben")
        garbage = Outgoing("hr.attribute-changes", b"10001", b"\xffnot json", (("ce_id", "\x01"),))
        await audit.publish([urgent, garbage, ben])
        await audit.recorded(len(story()) + 3)

        await audit.sealed()
        proof = await audit.get("audit/verify")
        assert proof["sound"]
        assert proof["records"] == len(story()) + 3
        stored = await audit.database.checkpoints.count_documents({})
        assert proof["checkpoints"] == 2 * stored > 0  # in the database, and in the file
        assert proof["afterLastCheckpoint"] == 0
        assert any(head["chain"].startswith("directory.people.urgent/") for head in proof["heads"])

        async def answered() -> bool:
            return bool((await audit.get("explain", person=ANA, package="Sales"))["value"])

        await until(answered)
        never = await audit.get("explain", person="person-ben", package="Sales")
        assert never["answer"] == "never"
        assert {line["actor"] for line in never["value"]} == {"file:catalog.yaml"}
        for name in (ANA, f"{ANA}@EXAMPLE.com"):
            why = await audit.get("explain", person=name, package="Sales")
            assert why["answer"] == "had"
        kinds = [line["kind"] for line in why["value"]]
        assert set(kinds) == {"catalog", "hr", "person", "assignment", "grant", "membership"}
        assert all(line["actor"] for line in why["value"])
        assert (await audit.get("explain", person=ANA))["value"] == []

        by_date = await audit.get("access", package="Sales", at="1996-01-01", basis="effective")
        assert [(row["employeeId"], row["effectiveFrom"]) for row in by_date["value"]] == [
            ("10001", "1995-06-01T00:00:00Z")
        ]
        assert (await audit.get("access", group="Sales team", at="1996-01-01", basis="effective"))["value"]
        assert not (await audit.get("access", package=SALES, at="1997-02-01", basis="effective"))["value"]
        moment = (START + timedelta(hours=1)).isoformat()
        mine = (await audit.get("access", person=ANA, at=moment))["value"]
        assert [(row["packageId"], row["groupId"]) for row in mine] == [(None, SALES_GROUP), (SALES, None)]
        the_day = await audit.get("access", package="Sales", at=START.date().isoformat())
        assert (len(the_day["value"]), the_day["atMeans"]) == (1, f"the end of {START.date()}, UTC")
        early = await audit.get("access", package="Sales", at="1996-01-01")
        assert early["value"] == []
        assert "effective" in early["hint"]

        assert (await audit.http.get("/v1.0/tenure/explain", params={"person": "nobody"})).status_code == 404
        assert (await audit.http.get("/v1.0/tenure/access", params={"at": "1996-01-01"})).status_code == 400
        assert (await audit.http.get("/v1.0/tenure/access", params={"person": "x", "at": "?"})).status_code == 400


async def test_every_touch_of_the_database_is_found_where_it_is(settings: Settings) -> None:
    async with running(settings) as audit:
        facts = [person(n, START + timedelta(seconds=n), cause(f"c{n}"), f"D{n}", "D") for n in range(1, 9)]
        await audit.publish(facts, partition=0)
        await audit.recorded(8)
        await audit.sealed()
        trail = audit.database.trail
        place = "directory.people/0/%012d"
        kept = {n: await trail.find_one({"_id": place % n}) for n in range(1, 9)}

        async def found() -> list[tuple[int, str]]:
            proof = await audit.get("audit/verify")
            return [(one["sequence"], one["kind"]) for one in proof["problems"]]

        assert await found() == []
        await trail.update_one({"_id": place % 3}, {"$set": {"actor": "nobody"}})
        await trail.update_one({"_id": place % 4}, {"$set": {"personal.body": "{}"}})
        await trail.delete_one({"_id": place % 6})
        await trail.delete_one({"_id": place % 8})
        assert await found() == [(3, "changed"), (4, "personalChanged"), (6, "removed"), (8, "cut")]
        for one in kept.values():
            await trail.replace_one({"_id": one["_id"]}, one, upsert=True)
        assert await found() == []
        await audit.database.checkpoints.delete_many({})
        await trail.delete_one({"_id": place % 8})
        assert await found() == [(8, "cut")]  # the file knows still


async def test_a_person_can_be_erased_and_the_chain_still_verifies(settings: Settings) -> None:
    async with running(settings) as audit:
        other = person(1, START, cause("c8"), "Sales", id="person-ben")
        await audit.publish([*story(), other])
        await audit.recorded(len(story()) + 1)
        done = await audit.http.post(f"/v1.0/tenure/audit/people/{ANA}/erase", json={"reason": "asked"})
        assert done.status_code == 200, done.text
        assert done.json()["records"] == len(story()) - 3  # all but catalog and group
        proof = await audit.get("audit/verify")
        assert proof["sound"]
        assert proof["erased"] == len(story()) - 3
        text = "".join([str(one) async for one in audit.database.trail.find({"_id": {"$not": {"$regex": "ben"}}})])
        left = [str(one) async for one in audit.database.people.find({"_id": ANA})]
        assert "Kovač" not in "".join(left)
        assert text.count("Kovač") == 1  # Ben's, who was made of the same wood
        why = await audit.get("explain", person=ANA, package="Sales")
        assert why["answer"] == "had"
        assert any("erased" in line["what"] for line in why["value"])
        again = (await audit.http.post(f"/v1.0/tenure/audit/people/{ANA}/erase")).json()
        assert again["records"] == 0
        assert (await audit.get("audit/verify"))["sound"]
        # Parts that vanish without a word are no erasure.
        await audit.database.trail.update_one({"person": "person-ben"}, {"$unset": {"personal": "", "salt": ""}})
        assert [one["kind"] for one in (await audit.get("audit/verify"))["problems"]] == ["personalMissing"]


async def test_a_kafka_that_was_emptied_is_not_skipped_but_said_until_an_operator_accepts_it(
    settings: Settings,
) -> None:
    facts = [person(n, START + timedelta(seconds=n), cause(f"c{n}"), f"D{n}", "D") for n in range(1, 9)]
    async with running(settings) as audit:
        await audit.publish(facts, partition=0)
        await audit.recorded(8)
        refused = await audit.http.post("/v1.0/tenure/audit/newLog", json={"reason": "none"})
        assert refused.status_code == 409, refused.text
    await emptied(settings)
    async with running(settings) as audit:
        await audit.publish([person(n, START, cause(f"d{n}"), f"E{n}", "E") for n in range(1, 4)], partition=0)

        async def said() -> bool:
            return "tenure audit new-log" in str(audit.host.troubles())

        await until(said)
        assert "directory.people/0/" in str(audit.host.troubles())
        assert await audit.database.trail.count_documents({}) == 8
        done = await audit.http.post("/v1.0/tenure/audit/newLog", json={"reason": "the disk is gone"})
        assert done.status_code == 200, done.text
        assert done.json()["proof"] == ["directory.people/0/000000000009"]
        await audit.recorded(8 + 1 + 3)
        await until(lambda: ready(audit.host))
        proof = await audit.get("audit/verify")
        assert proof["sound"], proof
        (word,) = [one async for one in audit.database.trail.find({"transitions.type": "LogBegunAnew"})]
        assert (word["actor"], word["transitions"][0]["reason"]) == ("operator:local", "the disk is gone")


async def emptied(settings: Settings) -> None:
    """Take all topics away, as if Kafka's disk had been lost; `running` makes them anew."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        mine = [name for name in await admin.list_topics() if name.startswith(settings.topic(""))]
        await admin.delete_topics(mine)

        async def gone() -> bool:
            return not set(mine) & set(await admin.list_topics())

        await until(gone)
    finally:
        await admin.close()


async def ready(host: Host) -> bool:
    return host.ready


async def test_heads_are_signed_published_and_filed_when_it_stops_and_prove_an_export(
    settings: Settings, tmp_path: Path
) -> None:
    async with running(settings) as audit:
        await audit.publish(story())
        await audit.recorded(len(story()))
    consumer = AIOKafkaConsumer(
        settings.topic(TRAIL_HEADS.name), bootstrap_servers=settings.kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        filed = [Checkpoint.model_validate_json(line) for line in (tmp_path / "audit-checkpoints.ndjson").open()]
        published = [Checkpoint.model_validate_json((await consumer.getone()).value) for _ in filed]
    finally:
        await consumer.stop()
    assert filed
    assert {one.id for one in filed} == {one.id for one in published}
    async with running(settings) as audit:
        key = await audit.get("audit/key")
        assert {one.key_id for one in filed} == {key["keyId"]}
        proof = await audit.get("audit/verify")
        assert proof["sound"]
        assert proof["afterLastCheckpoint"] == 0
        lines = (await audit.http.get("/v1.0/tenure/audit/export")).text.splitlines()
    assert [json.loads(line)["kind"] for line in lines].count("record") == len(story())
    kept = [one.json_bytes().decode() for one in filed]
    alone = [line for line in lines if '"kind":"checkpoint"' not in line]
    assert proven(lines).sound
    assert proven(alone, kept, key["publicKey"]).sound
    assert [one.kind for one in proven(alone[:-1], kept, key["publicKey"]).problems] == ["cut"]
    assert {one.kind for one in proven(lines, (), "00" * 32).problems} == {"unknownKey"}
    broken = [line.replace('"actor":"source:hr"', '"actor":"source:xy"', 1) for line in lines]
    assert {one.kind for one in proven(broken).problems} == {"changed"}


async def test_a_batch_in_hand_when_it_stops_is_written_and_signed_before_the_end(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()
    append = Trail.append

    async def slowly(trail: Trail, *batch: Any) -> int:
        begun.set()
        await asyncio.sleep(1.0)
        return await append(trail, *batch)

    monkeypatch.setattr(Trail, "append", slowly)
    async with running(settings) as audit:
        await audit.publish(story()[:1])
        await begun.wait()
    filed = [Checkpoint.model_validate_json(line) for line in (tmp_path / "audit-checkpoints.ndjson").open()]
    assert [one.sequence for one in filed] == [1]


async def test_a_batch_whose_writer_died_halfway_leaves_no_gap_and_nothing_twice(settings: Settings) -> None:
    client = connect(settings)
    try:
        batch = received([person(n, START, cause(f"c{n}"), f"D{n}", "D") for n in range(1, 31)])
        first, second = Trail(client.database("audit")), Trail(client.database("audit"))
        await first.ensure_indexes()
        assert await first.append(batch[:10]) == 10
        assert await second.append(batch[:20]) == 10  # has read the head; the first one now is a zombie
        assert await first.append(batch[5:15]) == 0
        assert await first.append(batch[10:30]) == 10
        assert await asyncio.gather(first.append(batch), second.append(batch)) == [0, 0]
        documents = [one async for one in first.walk()]
        assert [one["offset"] for one in documents] == list(range(30))
        assert [one["sequence"] for one in documents] == list(range(1, 31))
    finally:
        client.close()


async def test_replicas_tell_repeats_from_a_log_that_begins_anew(settings: Settings) -> None:
    client = connect(settings)
    try:

        def trail() -> Trail:
            return Trail(client.database("audit"))

        old = received([person(n, START, cause(f"c{n}"), f"D{n}", "D") for n in range(1, 21)])
        new = received([person(n, START, cause(f"d{n}"), f"E{n}", "E") for n in range(31, 51)])
        first, second = trail(), trail()
        await first.ensure_indexes()
        assert await first.append(old) == 20
        for _ in range(2):
            with pytest.raises(AnotherLog, match=r"directory\.people/0/2 "):
                await second.append(new[:3])
        assert second.another_log == "directory.people/0/2"
        assert await second.append(old[5:12]) == 0, "Kafka has its data back"
        assert second.another_log is None
        assert len(await second.record_new_log(actor="x", at=START.isoformat(), reason="lost")) == 1
        assert await first.append(new[:3]) == 3, "it knew only the old log"
        # Places in a log may be empty: offsets grow by more than one.
        gaps = [replace(one, offset=3 * place) for place, one in enumerate(new[3:], start=1)]
        assert await second.append(gaps) == len(gaps)
        for some in (new[:3], gaps[:4], gaps[3:9], gaps):
            assert await trail().append(some) == 0
        assert await trail().append([replace(old[0], offset=13)]) == 0, "set aside by audit, so not in the trail"
        with pytest.raises(AnotherLog):
            await trail().append([replace(old[11], offset=12)])
    finally:
        client.close()


async def test_two_writers_racing_for_one_chain_make_one_chain(settings: Settings) -> None:
    client = connect(settings)
    try:
        batch = received([person(n, START, cause(f"c{n}"), f"D{n}", "D") for n in range(1, 201)])
        trails = [Trail(client.database("audit")) for _ in range(3)]
        await trails[0].ensure_indexes()

        async def write(trail: Trail) -> None:
            for start in range(0, 200, 20):
                await trail.append(batch[start : start + 20])

        await asyncio.gather(*map(write, trails))
        assert [one["offset"] async for one in trails[0].walk()] == list(range(200))
    finally:
        client.close()


class Heard:
    """A publisher that takes everything."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        pass


async def test_what_a_killed_replica_left_unsigned_is_signed_by_another(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(settings)
    try:
        database = client.database("audit")
        checkpoints = Checkpoints(database, settings.data_dir)
        killed, other = Trail(database), Trail(database)
        await killed.ensure_indexes()
        sealer = Sealer(other, checkpoints, Heard(), SystemClock(), settings, Failpoints(None))
        batch = received([person(n, START, cause(f"c{n}"), f"D{n}", "D") for n in range(1, 9)])
        await killed.append(batch[:3])
        assert [one.sequence for one in await sealer.seal()] == [3]
        await killed.append(batch[3:])
        assert await sealer.seal() == [], "the one that wrote it will sign it, as a rule"
        monkeypatch.setattr(sealing, "LOOK_EVERY_S", 0.0)
        assert [one.sequence for one in await sealer.seal()] == [8]
        assert await sealer.seal() == []
    finally:
        client.close()


async def test_killed_between_the_write_and_the_commit_it_goes_on_without_a_repeat(
    settings: Settings, tmp_path: Path
) -> None:
    host = Host(settings, {"audit": assemble})
    await create_topics(settings, groups_of(list(host.services.values())))
    program = (
        "import asyncio, sys\n"
        "from services.audit.service import assemble\n"
        "from shared.messaging.host import Host\n"
        "from shared.settings import Settings\n"
        "async def main():\n"
        "    async with Host(Settings(), {'audit': assemble}):\n"
        "        await asyncio.sleep(30)\n"
        "asyncio.run(main())\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "TENURE_KAFKA": settings.kafka,
        "TENURE_MONGO": settings.mongo.get_secret_value(),
        "TENURE_NAMESPACE": settings.namespace or "",
        "TENURE_DATA_DIR": str(tmp_path),
        "TENURE_FAILPOINT": "audit:after-write",
    }
    moved = cause("c5", "1999-01-01")
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=environment, cwd=Path(__file__).resolve().parents[3]
    )
    try:
        later = [added(3, START, moved, "assignment-2"), ended(4, START, cause("c6"), moved, "assignment-2")]
        for one in [*story(), *later, hr_change("c5", "1999-01-01", {})]:
            await producer.send_and_wait(settings.topic(one.topic), one.value, key=one.key)
        assert await asyncio.wait_for(killed.wait(), 25) != 0
    finally:
        if killed.returncode is None:
            killed.kill()
        await producer.stop()
    async with running(settings) as audit:
        count = len(story()) + 3
        await audit.recorded(count)

        async def held(year: int) -> list[str]:
            found = await audit.get("access", person=ANA, basis="effective", at=f"{year}-06-01")
            return [row["package"] for row in found["value"] if row["package"]]

        async def named() -> bool:  # what is recorded has a name a little later
            return await held(1996) == ["Sales"]

        await until(named)
        assert (await held(1998), await held(1999)) == ([], ["Sales"])
        proof = await audit.get("audit/verify")
        assert proof["sound"]
        assert proof["records"] == count
