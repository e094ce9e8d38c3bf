"""Requests submitted -> delivered, through two approvals, a second."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from statistics import median
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from deploy.run import registry
from shared.contracts import topics
from tests.bench import rewriting
from tests.bench.calls import EM, Body, Calls, by_clients, calls
from tests.bench.ground import Failed, Ground, Tenure
from tests.bench.latency import LONGEST_S, percentile
from tests.bench.rewriting import Sample

CLIENTS = 16
OF_REQUEST = (("request", "requests"), ("approval", "approvals"))
OF_PERSON = (("assignment", "holdings"), ("provisioning", "deliveries"), ("directory", "memberships"))


async def approvals(ground: Ground) -> dict[str, Any]:
    """Each client asks, has both stages approved as soon as they begin, and waits for the delivery."""
    sizes = ground.sizes
    async with ground.tenure("approve", registry.built()) as tenure, calls(tenure) as client:
        ground.say("approvals: people and a package with two stages")
        first, second = [await client.person(name) for name in ("first", "second")]
        catalog = await client.made(f"{EM}/catalogs", {"displayName": "Approved"})
        package = await client.package("Package", catalog, _policy(first, second))
        await client.role_added(package, catalog, await client.group("group"))
        people = [await client.person(f"asker{number}") for number in range(sizes.requests + CLIENTS)]
        await tenure.drained()
        async with heard(tenure) as facts:
            asking = Asking(client, facts, package, (first, second))
            await by_clients(CLIENTS, [partial(asking.one, one) for one in people[:CLIENTS]])  # not measured
            asking.took_ms.clear()
            ground.say(f"approvals: {sizes.requests} requests")
            begun = time.perf_counter()
            await by_clients(CLIENTS, [partial(asking.one, one) for one in people[CLIENTS:]])
            rate = sizes.requests / (time.perf_counter() - begun)
        await tenure.drained()
        written = await _written(tenure, asking.last, people[-1])
        bare = await rewriting.per_second(ground, sizes.requests, CLIENTS, written)
    return {
        "per_s": round(rate, 1),
        "p50_ms": round(median(asking.took_ms), 1),
        "p99_ms": percentile(asking.took_ms, 99),
        "clients": CLIENTS,
        "writes": sum(one.times for one in written),
        "bare_per_s": round(bare, 1),
        "ratio": round(rate / bare, 3),
    }


async def _written(tenure: Tenure, request: str, person: str) -> list[Sample]:
    return [
        *await rewriting.samples(tenure, request, OF_REQUEST),
        *await rewriting.samples(tenure, person, OF_PERSON),
    ]


def _policy(*approvers: str) -> Body:
    stages = [
        {
            "durationBeforeAutomaticDenial": "P14D",
            "primaryApprovers": [{"@odata.type": "#microsoft.graph.singleUser", "userId": one}],
        }
        for one in approvers
    ]
    return {
        "allowedTargetScope": "allMemberUsers",
        "expiration": {"type": "noExpiration"},
        "requestorSettings": {"enableTargetsToSelfAddAccess": True},
        "requestApprovalSettings": {"isApprovalRequiredForAdd": True, "stages": stages},
    }


class Heard:
    """Transitions of requests and approvals as they are said, by request and type."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], asyncio.Queue[dict[str, Any]]] = defaultdict(asyncio.Queue)
        self._facts: set[str] = set()

    def take(self, value: bytes) -> None:
        fact = orjson.loads(value)
        if fact["id"] in self._facts:
            return  # what took seconds to be published may be published twice
        self._facts.add(fact["id"])
        for said in fact["transitions"]:
            self._said[fact["state"]["id"], said["type"]].put_nowait(said)

    async def next(self, request: str, type: str) -> dict[str, Any]:
        """Raises Failed if it is not said for long."""
        try:
            return await asyncio.wait_for(self._said[request, type].get(), LONGEST_S)
        except TimeoutError:
            raise Failed(f"{type} of {request} was not said within {LONGEST_S:.0f} s") from None


@asynccontextmanager
async def heard(tenure: Tenure) -> AsyncIterator[Heard]:
    names = [tenure.settings.topic(topic.name) for topic in (topics.REQUEST_FACTS, topics.APPROVAL_FACTS)]
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=tenure.ground.kafka, auto_offset_reset="latest")
    await consumer.start()
    for place in consumer.assignment():
        await consumer.position(place)
    facts = Heard()

    async def listen() -> None:
        while True:
            facts.take((await consumer.getone()).value)

    task = asyncio.create_task(listen())
    try:
        yield facts
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()


class Asking:
    """One request after another, from asking to delivery."""

    def __init__(self, client: Calls, facts: Heard, package: str, approvers: tuple[str, str]) -> None:
        self.client, self.facts, self.package, self.approvers = client, facts, package, approvers
        self.took_ms: list[float] = []
        self.last = ""

    async def one(self, person: str) -> None:
        begun = time.perf_counter()
        body = {"requestType": "userAdd", "assignment": {"accessPackageId": self.package}}
        request = await self.client.made(f"{EM}/assignmentRequests", body, person)
        for approver in self.approvers:
            stage = (await self.facts.next(request, "StageStarted"))["stageId"]
            path = f"{EM}/accessPackageAssignmentApprovals/{request}/stages/{stage}"
            await self.client.call("PATCH", path, {"reviewResult": "Approve"}, approver)
        await self.facts.next(request, "RequestDelivered")
        self.took_ms.append((time.perf_counter() - begun) * 1000)
        self.last = request
