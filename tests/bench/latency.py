"""HR change -> member of the group: alone, at a steady rate, and for an urgent leaver behind a mass import."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.directory.store import person_id_of
from shared.contracts import topics
from tests.bench.company import Company
from tests.bench.ground import Failed, Ground, Tenure
from tests.bench.pipeline import WAY

CALM_S = 0.2
"""Between two changes of the quiet part: what follows the one (deliveries, the trail) is over before the next."""
LONGEST_S = 60.0
HR = "directory.hr.attribute-changes"


class Watch:
    """Notes when each membership was first seen to begin or end."""

    def __init__(self, consumer: AIOKafkaConsumer, transition: str) -> None:
        self._consumer = consumer
        self._transition = transition
        self.seen: dict[tuple[str, str], float] = {}
        """(person id, group id) -> when."""
        self._more = asyncio.Event()

    async def run(self) -> None:
        while True:
            record = await self._consumer.getone()
            now = time.perf_counter()
            if self._transition.encode() in record.value:
                fact = orjson.loads(record.value)
                for said in fact["transitions"]:
                    if said["type"] == self._transition:
                        self.seen.setdefault((fact["subject"], said["groupId"]), now)
                self._more.set()

    async def until(self, expected: Iterable[tuple[str, str]]) -> None:
        """Raises Failed if any of them has not been seen after LONGEST_S."""
        left = set(expected)
        deadline = time.monotonic() + LONGEST_S
        while left := left - self.seen.keys():
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), max(0.01, deadline - time.monotonic()))
            except TimeoutError:
                raise Failed(f"{len(left)} memberships did not follow within {LONGEST_S:.0f} s") from None


@asynccontextmanager
async def watching(tenure: Tenure, topic: str, transition: str) -> AsyncIterator[Watch]:
    consumer = AIOKafkaConsumer(
        tenure.settings.topic(topic), bootstrap_servers=tenure.ground.kafka, auto_offset_reset="latest"
    )
    await consumer.start()
    for place in consumer.assignment():
        await consumer.position(place)  # from here on, nothing is missed
    watch = Watch(consumer, transition)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()


@asynccontextmanager
async def sender(tenure: Tenure) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=tenure.ground.kafka, linger_ms=0)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def latency(ground: Ground, tenure: Tenure, company: Company, groups: dict[str, str]) -> dict[str, Any]:
    """On a Tenure whose people have joined and whose services are idle."""
    found = await quiet(ground, tenure, company, groups)
    found |= await steady(ground, tenure, company, groups)
    return found | await urgent(ground, tenure, company)


async def quiet(ground: Ground, tenure: Tenure, company: Company, groups: dict[str, str]) -> dict[str, Any]:
    """One change at a time."""
    ground.say("latency: a quiet system")
    topic = tenure.settings.topic(topics.HR_CHANGES.name)
    seen_ms, readable_ms = [], []
    async with (
        watching(tenure, topics.MEMBERSHIP_FACTS.name, "MemberAdded") as watch,
        sender(tenure) as producer,
        tenure.client() as http,
    ):
        # The first few are not measured: connections are made, code is met for the first time.
        for number, change in enumerate(company.changed(ground.sizes.quiet + 3)):
            await tenure.drained(calm=1)
            await asyncio.sleep(CALM_S)
            key, body = change.record
            person = person_id_of("hr", change.employee)
            expected = (person, groups[change.group])
            begun = time.perf_counter()
            await producer.send(topic, key=key, value=body)
            await watch.until([expected])
            answer = await http.get(f"/v1.0/users/{person}/memberOf")
            answered = time.perf_counter()
            if expected[1] not in {one["id"] for one in answer.json()["value"]}:
                raise Failed("the fact was said, but the membership could not be read")
            if number >= 3:
                seen_ms.append((watch.seen[expected] - begun) * 1000)
                readable_ms.append((answered - begun) * 1000)
    return {
        "quiet_p50_ms": round(median(seen_ms), 1),
        "quiet_p95_ms": percentile(seen_ms, 95),
        "quiet_readable_p50_ms": round(median(readable_ms), 1),
    }


async def steady(ground: Ground, tenure: Tenure, company: Company, groups: dict[str, str]) -> dict[str, Any]:
    """At a rate, whether or not the earlier ones are through."""
    sizes = ground.sizes
    ground.say(f"latency: {sizes.rate} changes a second")
    await tenure.drained()
    topic = tenure.settings.topic(topics.HR_CHANGES.name)
    count = int(sizes.rate * sizes.rate_s)
    changes = list(company.changed(count))
    due: dict[tuple[str, str], float] = {}
    async with watching(tenure, topics.MEMBERSHIP_FACTS.name, "MemberAdded") as watch, sender(tenure) as producer:
        begun = time.perf_counter()
        for number, change in enumerate(changes):
            at = begun + number / sizes.rate
            if (ahead := at - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            key, body = change.record
            due[person_id_of("hr", change.employee), groups[change.group]] = at
            await producer.send(topic, key=key, value=body)
        await watch.until(due)
        took = [(watch.seen[one] - at) * 1000 for one, at in due.items()]
    return {"p50_ms": percentile(took, 50), "p95_ms": percentile(took, 95), "p99_ms": percentile(took, 99)}


async def urgent(ground: Ground, tenure: Tenure, company: Company) -> dict[str, Any]:
    """Leavers on the urgent topic while a mass import waits. They are not in the import."""
    sizes = ground.sizes
    ground.say(f"latency: {sizes.leavers} urgent leavers while {sizes.backlog} changes wait")
    await tenure.drained()
    leavers = range(company.people - sizes.leavers, company.people)
    memberships = await _memberships(tenure, {person_id_of("hr", company.employee(n)) for n in leavers})
    topic = tenure.settings.topic(topics.HR_URGENT.name)
    import_ = [change.record for change in company.changed(sizes.backlog, range(leavers.start))]
    took: list[float] = []
    sent: list[tuple[float, list[tuple[str, str]]]] = []
    async with watching(tenure, topics.MEMBERSHIP_FACTS.urgent.name, "MemberRemoved") as watch, sender(tenure) as hr:
        await tenure.publish(topics.HR_CHANGES.name, import_)
        for change in company.left(leavers):
            key, body = change.record
            begun = time.perf_counter()
            await hr.send(topic, key=key, value=body)
            person = person_id_of("hr", change.employee)
            sent.append((begun, [(person, group) for group in memberships[person]]))
            await asyncio.sleep(1 / sizes.leavers_per_s)
        waiting = await tenure.waiting(HR)
        for begun, expected in sent:
            await watch.until(expected)
            took.append((max(watch.seen[one] for one in expected) - begun) * 1000)
    return {
        "urgent_p50_ms": percentile(took, 50),
        "urgent_p99_ms": percentile(took, 99),
        "urgent_max_ms": percentile(took, 100),
        "urgent_waiting": waiting,
    }


async def _memberships(tenure: Tenure, people: set[str]) -> dict[str, frozenset[str]]:
    """The groups each of them is in now, as the directory answers."""
    found: dict[str, frozenset[str]] = {}
    async with tenure.client() as http:
        for id in people:
            answer = await http.get(f"/v1.0/users/{id}/memberOf")
            found[id] = frozenset(one["id"] for one in answer.json()["value"])
            if not found[id]:
                raise Failed("a leaver is in no group")
    return found


async def settle(tenure: Tenure, company: Company, groups: dict[str, str]) -> dict[str, Any]:
    """Everyone joins; returns how fast, with all services."""
    begun = time.perf_counter()
    await tenure.publish(topics.HR_CHANGES.name, [change.record for change in company.joined()])
    await tenure.followed(*WAY)
    through = time.perf_counter() - begun
    await tenure.drained()
    return {
        "joined_per_s": round(company.people / through),
        "joined_through_per_s": round(company.people / (time.perf_counter() - begun)),
    }


async def groups_made(tenure: Tenure, names: Sequence[str], at_once: int = 16) -> dict[str, str]:
    """A group for each name, made over HTTP; ids by name."""
    made: dict[str, str] = defaultdict(str)
    turn = asyncio.Semaphore(at_once)
    async with tenure.client() as http:

        async def one(number: int, name: str) -> None:
            async with turn:
                answer = await http.post(
                    "/v1.0/groups",
                    json={
                        "displayName": name,
                        "mailEnabled": False,
                        "mailNickname": f"bench-{number}",
                        "securityEnabled": True,
                    },
                )
            if answer.status_code != 201:
                raise Failed(f"POST /v1.0/groups: {answer.status_code} {answer.text[:200]}")
            made[name] = answer.json()["id"]

        await asyncio.gather(*(one(number, name) for number, name in enumerate(names)))
    return dict(made)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of them do not exceed."""
    ranked = sorted(values)
    return round(ranked[max(0, -(-len(ranked) * int(percent) // 100) - 1)], 1)
