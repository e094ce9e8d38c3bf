"""The run under fire: servers and front in one process, each service in its own; a company fed to it in portions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.cli import plan as planning
from deploy.cli.common import credentials, settings_of
from deploy.cli.endpoints import NothingRunning, endpoints
from deploy.demo import company, hr_feed, settling
from deploy.demo.callers import Callers
from deploy.demo.catalog import document
from deploy.demo.reading import EM, listed
from deploy.demo.rough import roughen
from deploy.run import peers
from deploy.run.registry import NAMES
from deploy.run.status import PATH as STATUS
from shared.contracts import topics
from shared.settings import Settings
from tests import waiting
from tests.system.fire.processes import Command, start
from tests.waiting import What

PEOPLE = 60
PORTIONS = 4
SEED = 7
MOVERS = 12
FIRST_MOVER = 900_001
PROBE = "Probe"
PACKAGES = "/v1.0/identityGovernance/entitlementManagement/accessPackages"
CITIES = ("Oslo", "Rome")
PATIENCE_S = 120.0
ENVIRONMENT = {
    "TENURE_PARTITIONS": "3",
    "TENURE_KAFKA_HEAP_MB": "384",
    "TENURE_MONGO_CACHE_MB": "256",
    "TENURE_TIMER_POLL_S": "0.2",
    "TENURE_SWEEP_AFTER_S": "2",
    "TENURE_RETRY_MAX_S": "1",
    "TENURE_AUDIT_CHECKPOINT_S": "1",
    "TENURE_LOG_FORMAT": "json",
}


async def until(find: Callable[[], Awaitable[Any]], what: What, within_s: float = PATIENCE_S) -> Any:
    """With the patience that a dozen processes need, who are all asked at each look."""
    return await waiting.until(find, what, within_s, first_s=waiting.LONGEST_S)


@dataclass
class Movers:
    """People outside the history who move between two cities without end: there is always something to do.

    One package, `PROBE`, is for those in one of the cities; whoever holds it in the end is known exactly."""

    city: dict[int, str] = field(default_factory=dict)
    said: int = 0

    def next_change(self) -> dict[str, Any]:
        """The next one joins or moves."""
        number = FIRST_MOVER + self.said % MOVERS
        known = self.city.get(number)
        self.city[number] = CITIES[0] if known is None else CITIES[1 - CITIES.index(known)]
        self.said += 1
        attributes = {"city": self.city[number]}
        if known is None:
            address = f"mover.{number}@company.example"
            attributes |= {"displayName": f"Mover {number}", "userPrincipalName": address, "mail": address}
        return {
            "changeId": f"mover:{self.said}",
            "employeeId": str(number),
            "source": "hr",
            "kind": "changed" if known else "joined",
            "effectiveAt": (date(2003, 1, 1) + timedelta(days=self.said)).isoformat(),
            "attributes": attributes,
        }

    def living_in(self, city: str) -> set[int]:
        return {number for number, where in self.city.items() if where == city}


@dataclass
class Ground:
    """What is up, and what it has been told."""

    folder: Path
    front: Command
    services: dict[str, Command] = field(default_factory=dict)
    more: list[Command] = field(default_factory=list)
    movers: Movers = field(default_factory=Movers)
    rule_city: str = CITIES[0]
    fed_until: date | None = None
    times_started: int = 0
    lost: str = ""
    """Why the services did not come up any more."""
    _portions: list[list[dict[str, Any]]] = field(default_factory=list)
    _producer: AIOKafkaProducer | None = None

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def history(self) -> Path:
        return self.folder / "company"

    @property
    def settings(self) -> Settings:
        return settings_of(self.data_dir)

    @property
    def api(self) -> str:
        return endpoints(self.data_dir).api

    @property
    def mail(self) -> str:
        return str(endpoints(self.data_dir).mail)

    def client(self) -> httpx.AsyncClient:
        """Signed as the commands are."""
        headers = credentials(self.data_dir)
        return httpx.AsyncClient(base_url=self.api, timeout=30, trust_env=False, headers=headers)

    @property
    def callers(self) -> Callers:
        return Callers.of(endpoints(self.data_dir), self.data_dir)

    # Processes

    def start(self, name: str, failpoint: str | None = None) -> Command:
        """The service in a process of its own; does not wait until it is ready."""
        environment = ENVIRONMENT | ({"TENURE_FAILPOINT": failpoint} if failpoint else {})
        arguments = ("service", name, "--data-dir", str(self.data_dir))
        self.services[name] = start(arguments, self._log(name), environment)
        return self.services[name]

    def start_another(self, name: str) -> Command:
        """A further replica, which knows the servers alone and not the run, nor whose tokens count."""
        found = endpoints(self.data_dir)
        servers = {"TENURE_KAFKA": found.kafka, "TENURE_MONGO": found.mongo, "TENURE_NAMESPACE": found.namespace or ""}
        servers["TENURE_AUTH"] = "off"
        known = {key: value for key, value in servers.items() if value}
        self.more.append(start(("service", name), self._log(name), ENVIRONMENT | known))
        return self.more[-1]

    async def restore(self) -> None:
        """Start what does not run, and end further replicas."""
        for one in self.more:
            await one.kill()
        for name in NAMES:
            if not self.services[name].runs:
                self.start(name)
        await self.ready()

    def _log(self, name: str) -> Path:
        self.times_started += 1
        return self.folder / f"{self.times_started:03}-{name}.log"

    async def ready(self, *names: str) -> None:
        """Wait for these services (all of them by default)."""
        for name in names or NAMES:
            await until(lambda n=name: self._answers(n), f"{name} is ready: {self.services[name].said()}")  # type: ignore[misc]

    async def _answers(self, name: str) -> bool:
        assert self.services[name].runs, self.services[name].said()
        peer = peers.find(self.data_dir, name)
        if peer is None or peer.pid != self.services[name].pid:
            return False
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
                return (await client.get(f"{peer.url}/health/ready")).status_code == 200
        return False

    def url(self, name: str) -> str:
        """Where the service itself answers."""
        found = peers.find(self.data_dir, name)
        assert found is not None, name
        return found.url

    def server(self, word: str) -> int:
        """The pid of the embedded server whose command has this word."""
        found = [
            process.pid
            for process in psutil.Process(self.front.pid).children(recursive=True)
            if word in (command := _command_of(process)) and "guard" not in command
        ]
        assert len(found) == 1, f"{word}: {found}"
        return found[0]

    def kill_server(self, word: str) -> int:
        pid = self.server(word)
        os.kill(pid, signal.SIGKILL)
        return pid

    # Feeding

    async def feed_portion(self, rate: float | None = None) -> None:
        """The next years of the history, roughened; all that was disturbed is put right within them."""
        portion = self._portions.pop(0)
        number = PORTIONS - len(self._portions)
        await hr_feed.publish(roughen(iter(portion), SEED + number), self.settings.kafka, topics.HR_CHANGES.name, rate)
        self.fed_until = date.fromisoformat(portion[-1]["effectiveAt"])

    async def move(self, times: int = 1) -> None:
        """So many movers move. While Kafka is away it is said again: a repeat is harmless."""
        producer = await self.producer()
        for _ in range(times):
            change = self.movers.next_change()
            body, key = orjson.dumps(change), change["employeeId"].encode()
            while True:
                try:
                    await producer.send_and_wait(topics.HR_CHANGES.name, body, key=key)
                    break
                except KafkaError:
                    await asyncio.sleep(0.2)

    async def producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka, enable_idempotence=True)
            await self._producer.start()
        return self._producer

    async def describe(self, client: httpx.AsyncClient, package: str, words: str) -> bool:
        """Edit a package. Whether that was answered well."""
        try:
            return (await client.patch(f"{EM}/accessPackages/{package}", json={"description": words})).is_success
        except httpx.HTTPError:
            return False

    @property
    def other_city(self) -> str:
        """Whom the package for movers is not for."""
        return CITIES[1 - CITIES.index(self.rule_city)]

    def document(self) -> dict[str, Any]:
        """The history's catalog, and the package for movers."""
        made = document(self.history)
        rule = f'(user.city -eq "{self.rule_city}")'
        probe = {
            "name": PROBE,
            "description": "For whoever lives in one city.",
            "roles": [{"group": PROBE, "role": "Member"}],
            "policies": [{"name": f"{PROBE}, by rule", "automatic": rule}],
        }
        made["groups"].append({"name": PROBE})
        made["catalogs"][0]["packages"].append(probe)
        return made

    async def apply(self) -> None:
        """Make the catalog as it should be."""
        headers = credentials(self.data_dir)
        plan = await planning.plan(self.api, self.document(), headers=headers)
        result = await planning.apply(self.api, plan, headers=headers)
        assert result.is_complete, planning.render_result(result)

    async def ids(self, path: str) -> dict[str, str]:
        """By displayName."""
        async with self.client() as client:
            return {one["displayName"]: one["id"] async for one in listed(client, path, {"$select": "id,displayName"})}

    # Rest

    async def settled(self, without: Iterable[str] = (), within_s: float = PATIENCE_S) -> None:
        """Wait until nothing is on its way: no lag, nothing pending, due or unsent."""
        left_out = set(without)
        last: dict[str, Any] = {}
        async with self.client() as client:

            async def quiet() -> bool:
                with contextlib.suppress(httpx.HTTPError, settling.NoAnswer, ValueError, KeyError):
                    said = (await client.get(STATUS)).raise_for_status().json()
                    found = {name: one for name, one in said["services"].items() if name not in left_out}
                    last.clear()
                    last.update(found)
                    return (
                        all(one["running"] and one["ready"] for one in found.values())
                        and not any(any(one["lag"].values()) for one in found.values())
                        and not any(one["pendingOutbox"] or one["overdueTimersS"] for one in found.values())
                        and (left_out & {"provisioning", "directory"} or await settling.nothing_under_way(client))
                        and ("notification" in left_out or await settling._mails_waiting(client) == 0)
                    )
                return False

            async def twice() -> bool:
                return await quiet() and await quiet()

            await until(twice, lambda: f"settled: {_unsettled(last)}", within_s)

    async def close(self) -> None:
        """Stop everything."""
        if self._producer:
            await self._producer.stop()
        everything = [*self.more, *self.services.values()]
        await asyncio.gather(*(one.stop() for one in everything))
        await self.front.stop()


@asynccontextmanager
async def ground_in(folder: Path) -> AsyncIterator[Ground]:
    """Everything up, the catalog applied, nothing fed yet."""
    history = folder / "company"
    company.make(history, PEOPLE, SEED)
    left_out = [word for name in NAMES for word in ("--without", name)]
    data_dir = folder / "data"
    front = start(("run", "--data-dir", str(data_dir), *left_out), folder / "000-front.log", ENVIRONMENT)
    ground = Ground(folder, front, _portions=_in_portions(list(hr_feed.changes(history))))
    try:
        await until(lambda: _is_up(ground), lambda: f"the run is up: {front.said()}", 90)
        for name in NAMES:
            ground.start(name)
        await ground.ready()
        await ground.apply()
        yield ground
    finally:
        await ground.close()


async def _is_up(ground: Ground) -> bool:
    assert ground.front.runs, ground.front.said()
    with contextlib.suppress(NothingRunning):
        endpoints(ground.data_dir)
        return True
    return False


def _in_portions(changes: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """About equal ones, cut between days."""
    portions: list[list[dict[str, Any]]] = [[]]
    for _, of_day in groupby(changes, key=lambda change: change["effectiveAt"]):
        if len(portions[-1]) >= len(changes) / PORTIONS:
            portions.append([])
        portions[-1] += of_day
    return portions


def _unsettled(services: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "running": one["running"],
            "troubles": one.get("troubles"),
            "lag": {topic: n for topic, n in one.get("lag", {}).items() if n},
            "pending": one.get("pendingOutbox"),
            "overdue": one.get("overdueTimersS"),
        }
        for name, one in services.items()
    }


def _command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
