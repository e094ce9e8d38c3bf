"""What the parts stand on: servers, Tenures on them as child processes, bulk publishing, knowing when all is done."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil  # type: ignore[import-untyped]
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.partitioner import DefaultPartitioner

from deploy.cli.endpoints import FILE, Endpoints
from deploy.demo.callers import Callers
from deploy.embedded import Servers
from deploy.run import registry
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.catalog import Created, PackageFact, PackageState, PolicyFact, PolicyState, ResourceRole
from shared.messaging.admin import create_topics
from shared.messaging.envelope import outgoing
from shared.messaging.host import groups_of
from shared.messaging.service import Service
from shared.settings import Settings
from tests.bench.company import Company, Record
from tests.issuer import issuing

Batches = dict[str, tuple[float, float, float]]
READY_S = 120.0
DRAINED_S = 400.0
LOOK_S = 0.04


class Failed(Exception):
    """A part could not be measured; the message says why."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    partitions: int = 6
    people: int = 10_000
    together: int = 2_000
    """People where all services run. Ten thousand would take most of the twelve minutes to join: `--times 5`."""
    rules: int = 1_000
    bare: int = 40_000
    changes: int = 10_000
    beside: int = 3_000
    """Changes with every service running."""
    rule_counts: tuple[int, ...] = (10, 1_000, 10_000)
    decisions: int = 2_000
    """A round of the rules part."""
    quiet: int = 40
    rate: int = 100
    rate_s: float = 20.0
    backlog: int = 100_000
    leavers: int = 60
    leavers_per_s: float = 5.0
    move_rules: tuple[int, ...] = (10, 1_000)
    movers: int = 64
    moves: int = 240
    """By several clients; a quarter of them by one."""
    requests: int = 200
    listed: int = 100_000
    lists: int = 200
    writes: int = 25
    """Of each kind, looked for in every service."""
    reviewed: int = 2_000
    """A hundred thousand would not end within the twelve minutes of all parts: `--only review --times 50`."""
    beside_review: int = 2_000
    beside_review_rate: int = 20
    beside_review_s: float = 20.0
    """Before the review begins; then on until it is applied."""
    one_run: bool = False
    """The parts that measure all services share one process: for whoever does not ask how fast they are."""

    def times(self, factor: float) -> Sizes:
        """As much of people and changes as `factor` says; rules, rate and the number of samples stay."""
        much = ("people", "together", "bare", "changes", "beside", "backlog", "listed", "reviewed")
        values: dict[str, Any] = {name: max(100, int(getattr(self, name) * factor)) for name in much}
        return replace(self, **values)


SMALLEST = Sizes(
    partitions=2, people=60, together=60, rules=24, bare=3000, changes=120, beside=60, rule_counts=(10, 40),
    decisions=40, quiet=3, rate=10, rate_s=0.5, backlog=300, leavers=3, move_rules=(10,), movers=16, moves=8,
    requests=4, listed=400, lists=3, writes=2, reviewed=120, beside_review=60, beside_review_rate=10,
    beside_review_s=0.5, one_run=True,
)  # fmt: skip


@dataclass
class Ground:
    """The servers, a folder for everything else, and what to say to whoever watches."""

    servers: Servers
    folder: Path
    sizes: Sizes
    say: Callable[[str], None]
    profile: bool = False
    _number: int = field(default=0)
    _shared: AsyncExitStack = field(default_factory=AsyncExitStack)
    _whole: Tenure | None = None

    @property
    def kafka(self) -> str:
        return self.servers.endpoints.kafka

    @property
    def mongo(self) -> str:
        return self.servers.endpoints.mongo

    def namespace(self, name: str) -> str:
        """A new one, so that no part sees another's."""
        self._number += 1
        return f"b{os.getpid() % 10_000}-{name}{self._number}"

    @asynccontextmanager
    async def sharing(self) -> AsyncIterator[None]:
        """While inside, with `one_run`, whoever asks for all services is given the same ones."""
        try:
            async with AsyncExitStack() as self._shared:
                yield
        finally:
            self._whole = None

    @asynccontextmanager
    async def tenure(self, name: str, services: Sequence[str], *, separate: bool = False) -> AsyncIterator[Tenure]:
        """These services, up and idle: together in one process, or each in its own."""
        if not (self.sizes.one_run and tuple(services) == registry.built()):
            async with self._up(name, services, separate=separate) as tenure:
                yield tenure
            return
        if self._whole is None:
            self._whole = await self._shared.enter_async_context(self._up("whole", services))
        await self._whole.drained()
        yield self._whole

    @asynccontextmanager
    async def _up(self, name: str, services: Sequence[str], *, separate: bool = False) -> AsyncIterator[Tenure]:
        namespace = self.namespace(name)
        settings = Settings(
            kafka=self.kafka,
            mongo=self.mongo,
            namespace=namespace,
            data_dir=self.folder,
            partitions=self.sizes.partitions,
        )
        assembled = registry.assembled(settings)
        await create_topics(settings, groups_of(list(assembled.values())))
        environment = {
            "TENURE_KAFKA": self.kafka,
            "TENURE_MONGO": self.mongo,
            "TENURE_NAMESPACE": namespace,
            "TENURE_PARTITIONS": str(settings.partitions),
        }
        if separate:
            folders = {service: ["service", service] for service in services}
        else:
            others = [other for other in registry.built() if other not in services]
            folders = {"run": ["run", *(word for other in others for word in ("--without", other))]}
        children: list[Child] = []
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, linger_ms=0, max_batch_size=512 * 1024)
        reader = AIOKafkaConsumer(bootstrap_servers=self.kafka)
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        async with issuing(self.folder / namespace) as issuer:
            environment |= issuer.environment
            try:
                for part, command in folders.items():
                    folder = self.folder / namespace / part
                    if not separate:
                        command += ["--data-dir", str(folder)]
                    children.append(await Child.started(command, folder, environment, self.profile))
                for child in children:
                    await child.ready(alone=separate)
                await asyncio.gather(producer.start(), reader.start(), admin.start())
                yield Tenure(
                    self,
                    settings,
                    {name: assembled[name] for name in services},
                    children,
                    producer,
                    reader,
                    admin,
                    issuer.callers,
                )
            finally:
                await asyncio.gather(*(child.stop() for child in children))
                await asyncio.gather(producer.stop(), reader.stop(), admin.close(), return_exceptions=True)


class Child:
    """A `tenure` process."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, profile: Path | None) -> None:
        self.pid = process.pid
        self.folder = folder
        self.profile = profile
        self.api = ""
        self.kafka = ""
        self._process = process

    @classmethod
    async def started(
        cls, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, profile: bool = False
    ) -> Child:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "profile" if profile else None
        with (folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.bench.child", *command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith("TENURE_")},
                    **(environment or {}),
                    **({"BENCH_PROFILE": str(file)} if file else {}),
                },
                start_new_session=True,
            )
        return cls(process, folder, file)

    async def ready(self, *, alone: bool = False) -> None:
        """Wait until it answers, `alone` if it is one service. Raises Failed if it does not come up."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self._process.returncode is not None:
                raise Failed(f"tenure ended with {self._process.returncode}: {self._last_words()}")
            if alone and (said := re.search(r"is ready at (\S+)", (self.folder / "log").read_text())):
                self.api = said[1]
                return
            if not alone and (self.folder / FILE).exists():
                found = Endpoints(**orjson.loads((self.folder / FILE).read_bytes()))
                if found.pid == self.pid:
                    self.api, self.kafka = found.api, found.kafka
                    return
            await asyncio.sleep(LOOK_S)
        raise Failed(f"tenure was not ready after {READY_S:.0f} s: {self._last_words()}")

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 30)
            except TimeoutError:
                self._process.kill()
        await self._process.wait()

    def memory_mb(self) -> float:
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6

    def cpu_s(self) -> tuple[float, float]:
        """Of the main thread, which runs the event loop, and of the others, which talk to MongoDB."""
        main = others = 0.0
        for thread in psutil.Process(self.pid).threads():
            if thread.id == self.pid:
                main += thread.user_time + thread.system_time
            else:
                others += thread.user_time + thread.system_time
        return main, others

    def signal(self, number: signal.Signals) -> None:
        if self.profile is not None:
            self._process.send_signal(number)

    def _last_words(self) -> str:
        return (self.folder / "log").read_bytes()[-1500:].decode("utf-8", "replace")


@dataclass
class Tenure:
    """A Tenure of its own on the bench's servers."""

    ground: Ground
    settings: Settings
    services: Mapping[str, Service]
    children: list[Child]
    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    admin: AIOKafkaAdminClient
    callers: Callers

    def __post_init__(self) -> None:
        self.groups = {
            subscription.group: tuple(topic.name for topic in subscription.topics)
            for service in self.services.values()
            for subscription in service.subscriptions
        }
        self._partitions = DefaultPartitioner()

    def group_of(self, service: str, topic: str) -> str:
        """The consumer group by which a service hears a topic."""
        return next(group for group, heard in self.groups.items() if group.startswith(f"{service}.") and topic in heard)

    async def publish(self, topic: str, records: Iterable[Record]) -> None:
        """In bulk and in order per key; acknowledged on return."""
        await bulk(self.producer, self.settings.topic(topic), records)

    async def ends(self, names: Iterable[str]) -> dict[str, int]:
        """Records in each topic."""
        places = {
            name: [TopicPartition(self.settings.topic(name), n) for n in range(self._partitions_of(name))]
            for name in names
        }
        found = await self.reader.end_offsets([place for every in places.values() for place in every])
        return {name: sum(found[place] for place in every) for name, every in places.items()}

    async def committed(self, group: str) -> int:
        """Records that the group has done with, in all its topics."""
        offsets = await self.admin.list_consumer_group_offsets(self.settings.topic(group))
        return sum(max(0, found.offset) for found in offsets.values())

    async def waiting(self, group: str) -> int:
        """Records that the group has still to do."""
        done = await self.committed(group)
        return sum((await self.ends(self.groups[group])).values()) - done

    async def followed(self, *groups: str) -> None:
        """Wait until these groups, each following the one before, have nothing left to do. Raises Failed."""
        deadline = time.monotonic() + DRAINED_S
        for group in groups:
            while left := await self.waiting(group):
                if time.monotonic() > deadline:
                    raise Failed(f"{group} has {left} records left after {DRAINED_S:.0f} s")
                await asyncio.sleep(LOOK_S)

    async def drained(self, calm: int = 2) -> None:
        """Wait until nobody has anything left to do, `calm` times in a row. Raises Failed."""
        found = 0
        while found < calm:
            await self.followed(*self.groups)
            left = sum([await self.waiting(group) for group in self.groups])
            found = 0 if left else found + 1
            await asyncio.sleep(0.1)

    async def rules_loaded(self, company: Company, groups: Mapping[str, str] | None = None) -> None:
        """Packages and policies said as catalog says them, and every job they start done."""
        now = datetime.now(UTC).replace(microsecond=0)
        cause = Cause(id="bench", correlation="bench", actor="system:bench")
        for topic, facts in (
            (topics.PACKAGE_FACTS, [_package(rule, groups, cause, now) for rule in company.rules]),
            (topics.POLICY_FACTS, [_policy(rule, cause, now) for rule in company.rules]),
        ):
            records = [outgoing(topic, fact.subject, fact, source="catalog", at=now) for fact in facts]
            await self.publish(topic.name, [(record.key or b"", record.value or b"") for record in records])
            await self.followed(self.group_of("assignment", topic.name))
        await self._jobs_done({rule.policy_id for rule in company.rules})

    async def _jobs_done(self, policies: set[str]) -> None:
        done: set[str] = set()
        async for fact in self.told(topics.RULE_JOB_FACTS.name):
            if fact["state"]["done"]:
                done.add(fact["subject"])
            else:
                done.discard(fact["subject"])
            if done >= policies:
                return

    async def told(self, *names: str) -> AsyncIterator[dict[str, Any]]:
        """Facts from the beginning and on; ends with Failed if nothing comes for long."""
        consumer = AIOKafkaConsumer(
            *(self.settings.topic(name) for name in names),
            bootstrap_servers=self.ground.kafka,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            while True:
                try:
                    record = await asyncio.wait_for(consumer.getone(), DRAINED_S)
                except TimeoutError:
                    raise Failed(f"nothing more was said on {', '.join(names)}") from None
                yield orjson.loads(record.value)
        finally:
            await consumer.stop()

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time since each process began."""
        found: dict[str, float] = {"loop": 0.0, "drivers": 0.0}
        for child in self.children:
            main, others = child.cpu_s()
            found["loop"] += main
            found["drivers"] += others
        for server in (self.ground.servers.kafka, self.ground.servers.mongo):
            times = psutil.Process(server.pid).cpu_times()
            found[server.name] = times.user + times.system
        return found

    @property
    def api(self) -> str:
        return self.children[0].api

    def client(self) -> httpx.AsyncClient:
        """Of its API, as its operator."""
        return httpx.AsyncClient(base_url=self.api, trust_env=False, timeout=60, headers=self.callers.operator)

    async def batches(self) -> Batches:
        """(Number, messages, seconds) of all batches so far, by service and topic, as the services count them."""
        found: dict[str, tuple[float, float, float]] = {}
        async with httpx.AsyncClient(trust_env=False) as http:
            for child in self.children:
                said = (await http.get(f"{child.api}/metrics")).text
                for labels, number in re.findall(r"^tenure_batches_total\{(.*?)\} (\S+)$", said, re.MULTILINE):
                    sums = [
                        float(re.search(rf"^{name}_sum{{{re.escape(labels)}}} (\S+)$", said, re.MULTILINE)[1])  # type: ignore[index]
                        for name in ("tenure_batch_messages", "tenure_batch_seconds")
                    ]
                    where = dict(re.findall(r'(\w+)="(.*?)"', labels))
                    found[f"{where['service']} {where['topic']}"] = (float(number), *sums)  # type: ignore[assignment]
        return found

    def profiling(self, *, on: bool) -> None:
        for child in self.children:
            child.signal(signal.SIGUSR1 if on else signal.SIGUSR2)

    def _partitions_of(self, name: str) -> int:
        return topics.BY_NAME[name].partitions or self.settings.partitions


async def bulk(producer: AIOKafkaProducer, topic: str, records: Iterable[Record]) -> None:
    """Batches made by hand: a fifth of the price of `send`, so that the clients' core is left to whom we measure."""
    partitions = sorted(await producer.partitions_for(topic))
    choose = DefaultPartitioner()
    batches: dict[int, Any] = {}
    sent: list[Any] = []
    for number, (key, value) in enumerate(records):
        if number % 500 == 499:
            await asyncio.sleep(0)
        partition = choose(key, partitions, partitions)
        batch = batches.get(partition) or batches.setdefault(partition, producer.create_batch())
        if batch.append(key=key, value=value, timestamp=None) is None:
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = batches[partition] = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    for partition, batch in batches.items():
        batch.close()
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


def group_name(rule_name: str) -> str:
    return f"{rule_name} group"


def _package(rule: Any, groups: Mapping[str, str] | None, cause: Cause, now: datetime) -> PackageFact:
    role = ResourceRole(
        origin_id=groups[rule.name] if groups else f"group-of-{rule.package_id}", display_name=rule.name
    )
    state = PackageState(
        id=rule.package_id, catalog_id="bench", display_name=rule.name, roles=(role,), created_at=now, modified_at=now
    )
    return PackageFact(
        id=f"package:{state.id}:1", cause=cause, subject=state.id, version=1, at=now, transitions=(Created(),),
        state=state,
    )  # fmt: skip


def _policy(rule: Any, cause: Cause, now: datetime) -> PolicyFact:
    state = PolicyState(
        id=rule.policy_id, package_id=rule.package_id, display_name="by rule", rule=rule.text, created_at=now,
        modified_at=now,
    )  # fmt: skip
    return PolicyFact(
        id=f"policy:{state.id}:1", cause=cause, subject=state.id, version=1, at=now, transitions=(Created(),),
        state=state,
    )  # fmt: skip
