"""The toy's surroundings: its processes, the source that feeds it, and the ledger that says whether all is well."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pydantic import SecretStr
from pymongo import AsyncMongoClient

from deploy.embedded import Servers
from shared.contracts import topics
from shared.messaging.admin import create_topics, learn
from shared.settings import PREFIX, Settings
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[3]
TOPICS = (topics.HR_CHANGES, topics.HR_URGENT, topics.PERSON_FACTS, topics.PERSON_FACTS.urgent)
HR_GROUP = "toy.hr.attribute-changes"
GROUPS = {HR_GROUP: topics.HR_CHANGES, "toy.hr.urgent": topics.HR_URGENT, "mirror.facts": topics.PERSON_FACTS}
"""What each hears."""
_numbers = itertools.count(1)


class Nursery:
    """The process that forks toys."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._reading = asyncio.create_task(self._read())
        self._one = asyncio.Lock()

    async def _read(self) -> None:
        assert self._process.stdout
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "started" in said:
                self._ended.setdefault(said["started"], asyncio.get_running_loop().create_future())
                self._started.put_nowait(said["started"])
            else:
                end = self._ended.setdefault(said["ended"], asyncio.get_running_loop().create_future())
                end.set_result(said["code"])

    async def start(self, environment: dict[str, str], out: Path) -> tuple[int, asyncio.Future[int]]:
        async with self._one:
            assert self._process.stdin
            self._process.stdin.write(json.dumps({"environment": environment, "out": str(out)}).encode() + b"\n")
            pid = await asyncio.wait_for(self._started.get(), 60)
            return pid, self._ended[pid]

    async def close(self) -> None:
        for pid, end in self._ended.items():
            if not end.done():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert self._process.stdin
        self._process.stdin.close()
        await self._process.wait()
        self._reading.cancel()


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.messaging.toy", "--nursery"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    home = Nursery(process)
    try:
        yield home
    finally:
        await home.close()


@dataclass
class Toy:
    """One process of the toy."""

    pid: int
    end: asyncio.Future[int]
    socket: Path
    out: Path

    async def ask(self, **question: Any) -> Any:
        """Its answer. Raises OSError or EOFError if it is dead."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket), limit=1 << 22)
        try:
            writer.write(json.dumps(question).encode() + b"\n")
            if not (line := await reader.readline()):
                raise EOFError
            return json.loads(line)
        finally:
            writer.close()

    async def ready(self) -> bool:
        try:
            return bool((await self.ask(do="health"))["ready"])
        except (OSError, EOFError):
            assert not self.end.done(), f"the toy ended: {self.said()}"
            return False

    async def troubles(self) -> dict[str, dict[str, str]]:
        try:
            return (await self.ask(do="health"))["troubles"]
        except (OSError, EOFError):
            return {}

    def said(self) -> str:
        """What it wrote to its standard error."""
        return self.out.read_text()[-3000:] if self.out.exists() else ""

    def signal(self, what: signal.Signals) -> None:
        if not self.end.done():
            os.kill(self.pid, what)

    async def ended(self, within_s: float = 30) -> int:
        return await asyncio.wait_for(asyncio.shield(self.end), within_s)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return await self.ended()


@dataclass
class World:
    """One namespace: a source of messages, toys, and the ledger of what was sent."""

    settings: Settings
    folder: Path
    home: Nursery
    sent: Counter[str] = field(default_factory=Counter)
    """How often each message or command was sent, by id."""
    people: dict[str, str] = field(default_factory=dict)
    """Whom each is about."""
    rings: set[str] = field(default_factory=set)
    set_aside: set[str] = field(default_factory=set)
    """Ids that are not to be applied."""
    toys: list[Toy] = field(default_factory=list)
    producer: AIOKafkaProducer | None = None
    in_flight: list[asyncio.Future[Any]] = field(default_factory=list)

    async def toy(self, **settings: str) -> Toy:
        """Start one; does not wait until it is ready."""
        name = f"{len(self.toys)}"
        environment = {
            PREFIX + "KAFKA": self.settings.kafka,
            PREFIX + "MONGO": self.settings.mongo.get_secret_value(),
            PREFIX + "NAMESPACE": self.settings.namespace or "",
            PREFIX + "SWEEP_AFTER_S": "1",
            PREFIX + "TIMER_POLL_S": "0.2",
            "TOY_SOCKET": str(self.folder / f"{name}.sock"),
            **{key if key.isupper() else PREFIX + key.upper(): value for key, value in settings.items()},
        }
        out = self.folder / f"{name}.err"
        pid, end = await self.home.start(environment, out)
        toy = Toy(pid, end, self.folder / f"{name}.sock", out)
        self.toys.append(toy)
        return toy

    async def ready_toy(self, **settings: str) -> Toy:
        toy = await self.toy(**settings)
        await until(toy.ready, "a toy is ready")
        return toy

    async def source(self) -> AIOKafkaProducer:
        if self.producer is None:
            # Patient: what waits longer than its time-out while a broker is away is given up, and the ledger counts it.
            self.producer = AIOKafkaProducer(
                bootstrap_servers=self.settings.kafka, enable_idempotence=True, linger_ms=2, request_timeout_ms=120_000
            )
            await self.producer.start()
        return self.producer

    async def send(
        self, person: str, id: str | None = None, *, topic: str = topics.HR_CHANGES.name, **attributes: Any
    ) -> str:
        """Publish one message about `person`, a known id again if given. Not awaited: see `flush`."""
        id = id or f"m{len(self.sent)}"
        body = {"changeId": id, "employeeId": person, "kind": "changed", "effectiveAt": "2020-01-01"}
        if attributes:
            body["attributes"] = attributes  # type: ignore[assignment]
            if "ring" in attributes:
                self.rings.add(f"ring-{id}")
                self.people[f"ring-{id}"] = person
        self.sent[id] += 1
        self.people[id] = person
        source = await self.source()
        self.in_flight.append(await source.send(self.settings.topic(topic), orjson.dumps(body), key=person.encode()))
        return id

    async def flush(self) -> None:
        """Wait until Kafka has all that was sent. Raises what it refused."""
        in_flight, self.in_flight = self.in_flight, []
        await asyncio.gather(*in_flight)

    async def load(self, messages: int, people: int = 20, per_s: float = 1000.0) -> None:
        """Messages at a rate, every tenth one repeated."""
        start = time.monotonic()
        for number in range(messages):
            id = await self.send(f"p{number % people}")
            if number % 10 == 0:
                await self.send(self.people[id], id)
            if (ahead := start + number / per_s - time.monotonic()) > 0.01:
                await asyncio.sleep(ahead)
        await self.flush()

    async def mass(self, messages: int, people: int = 10_000) -> None:
        """So many messages that it would take long to send them one by one; the ledger does not know them."""
        source = AIOKafkaProducer(bootstrap_servers=self.settings.kafka, max_batch_size=256 * 1024)
        await source.start()
        try:
            topic = self.settings.topic(topics.HR_CHANGES.name)
            batches = [source.create_batch() for _ in range(self.settings.partitions)]
            for number in range(messages):
                person = number % people
                place = person % len(batches)
                body = b'{"changeId":"x%d","employeeId":"x%d","kind":"changed","effectiveAt":"2020-01-01"}' % (
                    number,
                    person,
                )
                while batches[place].append(key=b"x%d" % person, value=body, timestamp=None) is None:
                    await source.send_batch(batches[place], topic, partition=place)
                    batches[place] = source.create_batch()
            for place, batch in enumerate(batches):
                await source.send_batch(batch, topic, partition=place)
            await source.flush()
        finally:
            await source.stop()

    async def command(self, toy: Toy, person: str, id: str | None = None, **attributes: Any) -> Any:
        """A command to `toy`; None if it dies of it."""
        id = id or f"c{len(self.sent)}"
        self.sent[id] += 1
        self.people[id] = person
        try:
            return await toy.ask(do="command", id=id, person=person, attributes=attributes)
        except (OSError, EOFError):
            return None

    # The ledger

    async def documents(self, service: str = "toy") -> dict[str, Any]:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            self.settings.mongo.get_secret_value(), serverSelectionTimeoutMS=5000
        )
        try:
            found = await client[self.settings.database(service)]["people"].find().to_list(None)
        finally:
            await client.close()
        return {document["_id"]: document for document in found}

    async def records(self, *names: str) -> list[Any]:
        """All records of topics, each partition in its order."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka, fetch_max_wait_ms=50)
        await consumer.start()
        try:
            full = [self.settings.topic(name) for name in names]
            await learn(consumer, full)
            places = [
                TopicPartition(name, n)
                for name in full
                for n in (await consumer._client._wait_on_metadata(name))
            ]  # fmt: skip
            ends = await consumer.end_offsets(places)
            consumer.assign(places)
            await consumer.seek_to_beginning()
            found: list[Any] = []
            while any([await consumer.position(place) < ends[place] for place in places]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
            return found
        finally:
            await consumer.stop()

    async def settled(self, within_s: float = PATIENCE_S) -> None:
        """Wait until every group has committed all, and nothing is pending or due."""

        async def quiet() -> bool:
            # Looked at before and after the lag: a fact published in between would be ahead of those who follow it.
            try:
                before = await self.documents()
                return (
                    await self.lag() == 0
                    and before == await self.documents()
                    and not any(
                        "pending" in document or document.get("state", {}).get("rings") for document in before.values()
                    )
                )
            except KafkaError:
                return False

        await until(quiet, f"the toy has settled everything: {[toy.said()[-600:] for toy in self.toys[-2:]]}", within_s)

    async def lag(self) -> int:
        client = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka)
        await asyncio.gather(client.start(), consumer.start())
        try:
            behind = 0
            await learn(consumer, [self.settings.topic(topic.name) for topic in GROUPS.values()])
            for group, topic in GROUPS.items():
                places = [TopicPartition(self.settings.topic(topic.name), n) for n in range(self.settings.partitions)]
                committed = await client.list_consumer_group_offsets(self.settings.topic(group))
                ends = await consumer.end_offsets(places)
                behind += sum(end - (committed[p].offset if p in committed else 0) for p, end in ends.items())
            return behind
        finally:
            await asyncio.gather(client.close(), consumer.stop())

    async def holds(self) -> int:
        """Everything sent is applied exactly once, and said once; returns how many facts were repeated."""
        await self.settled()
        documents, mirrored = await self.documents(), await self.documents("mirror")
        bodies: dict[str, bytes] = {}
        versions: dict[str, list[int]] = {}
        named: Counter[str] = Counter()
        records = await self.records(topics.PERSON_FACTS.name, topics.PERSON_FACTS.urgent.name)
        for record in records:
            fact = orjson.loads(record.value)
            if fact["id"] in bodies:
                assert bodies[fact["id"]] == record.value, f"two bodies of {fact['id']}"
                continue
            bodies[fact["id"]] = record.value
            versions.setdefault(fact["subject"], []).append(fact["version"])
            named.update(id for transition in fact["transitions"] for id in transition["changes"])
        expected = (set(self.sent) | self.rings) - self.set_aside
        assert set(named) == expected, f"lost {sorted(expected - set(named))[:5]}, invented {set(named) - expected}"
        assert set(named.values()) <= {1}, f"twice: {[id for id, n in named.items() if n > 1][:5]}"
        for person, said in versions.items():
            assert said == list(range(1, len(said) + 1)), f"facts of {person}: {said}"
            assert documents[person]["version"] == len(said)
        for person, document in documents.items():
            seen = (document.get("state") or {"seen": []})["seen"]
            assert Counter(seen) == Counter(id for id in expected if self.people[id] == person)
            if document["version"] and all(r.topic.endswith("people") for r in records):
                assert mirrored[person]["version"] == document["version"]
        return len(records) - len(bodies)

    async def close(self) -> None:
        for toy in self.toys:
            if not toy.end.done():
                toy.signal(signal.SIGCONT)
                await toy.kill()
        if self.producer:
            await self.producer.stop()


@asynccontextmanager
async def world_of(servers: Servers, home: Nursery) -> AsyncIterator[World]:
    """A namespace with its topics, and a folder."""
    settings = Settings(
        kafka=servers.endpoints.kafka,
        mongo=SecretStr(servers.endpoints.mongo),
        namespace=f"toy{os.getpid() % 10_000}-{next(_numbers)}",
        partitions=3,
    )
    await make_topics(settings)
    # Not pytest's folder: the path of a Unix socket may have a hundred characters at most.
    with tempfile.TemporaryDirectory(prefix="toy-") as folder:
        around = World(settings, Path(folder), home)
        try:
            yield around
        finally:
            await around.close()


async def make_topics(settings: Settings) -> None:
    await create_topics(settings, GROUPS, TOPICS)  # the others would only cost time


def figure(text: str) -> None:
    """A line for whoever reads the run's output."""
    sys.stdout.write(f"\n{text}\n")


def percentile(values: Iterable[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
