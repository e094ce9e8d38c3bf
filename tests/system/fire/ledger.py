"""What must be true whatever was killed: everybody holds what the history says, and everything was said once."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from aiokafka import ConsumerRecord, TopicPartition

from deploy.cli.common import credentials
from deploy.demo import checking, reading, truth
from deploy.demo.packages import packages_of
from deploy.run.backlog import bounds, clients, read
from shared.contracts import topics
from shared.contracts.base import Fact
from shared.settings import Settings
from tests.system.fire.ground import PROBE, Ground

FACT_TOPICS = tuple(topic for topic in topics.TABLE if issubclass(topic.contract, Fact))
LATE_S = 5.0
MESSAGES_METRIC = "tenure_messages_total"


@dataclass
class Balance:
    """What the ledger counted."""

    facts: int = 0
    repeated: int = 0
    mails: int = 0
    mails_repeated: int = 0
    holders: int = 0
    by_topic: dict[str, int] = field(default_factory=dict)


async def holds(ground: Ground) -> Balance:
    """Wait for rest, then check all of it."""
    await ground.settled()
    balance = Balance()
    await _access_is_right(ground, balance)
    await _facts_are_sound(ground.settings, balance)
    await _mails_are_sound(ground, balance)
    await _trail_is_sound(ground)
    return balance


def expected(ground: Ground) -> dict[str, set[int]]:
    """Who must hold what, by package (and group) name."""
    day = ground.fed_until
    wanted = truth.holders_on(ground.history, packages_of(ground.history), day) if day else {}
    return wanted | {PROBE: ground.movers.living_in(ground.rule_city)}


async def _access_is_right(ground: Ground, balance: Balance) -> None:
    wanted = expected(ground)
    deadline = time.monotonic() + LATE_S
    while True:
        outcome = await reading.read_outcome(ground.api, credentials(ground.data_dir))
        wrong = checking.compare("package", wanted, outcome.packages)
        wrong += checking.compare("group", wanted, outcome.groups)
        if not wrong or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    assert not wrong, [one.as_json() for one in wrong]
    assert not outcome.strangers
    balance.holders = sum(map(len, outcome.packages.values()))


async def _facts_are_sound(settings: Settings, balance: Balance) -> None:
    """Versions without a gap, first said in their order, one body for each id; over both lanes of a topic."""
    versions: dict[tuple[str, str], set[int]] = defaultdict(set)
    for topic, records in (await records_of(settings, *(topic.name for topic in FACT_TOPICS))).items():
        bodies: dict[str, bytes] = {}
        latest: dict[str, int] = {}
        for record in records:
            if (fact := parsed(record)) is None:
                continue
            if (known := bodies.setdefault(fact["id"], record.value)) is not record.value:
                assert known == record.value, f"{topic}: two bodies of {fact['id']}"
                balance.repeated += 1
                continue
            subject, version = fact["subject"], fact["version"]
            assert version > latest.get(subject, 0), f"{topic}: {subject} said {version} after {latest[subject]}"
            latest[subject] = version
            kind = fact["id"].split(":", 1)[0]
            versions[kind, subject].add(version)
        balance.by_topic[topic] = len(bodies)
    for (kind, subject), said in versions.items():
        assert said == set(range(1, len(said) + 1)), f"{kind} {subject}: facts of versions {sorted(said)}"
    balance.facts = sum(map(len, versions.values()))


async def _mails_are_sound(ground: Ground, balance: Balance) -> None:
    """No id twice, in the topic and in the mail; whoever was told by the one was told by the other."""
    said: dict[str, bytes] = {}
    found = await records_of(ground.settings, topics.NOTIFICATIONS.name)
    for record in found[topics.NOTIFICATIONS.name]:
        one = orjson.loads(record.value)
        assert said.setdefault(one["id"], record.value) == record.value, f"two notifications {one['id']}"
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        mails = (await client.get(f"{ground.mail}/messages")).raise_for_status().json()
    async with ground.client() as client:
        summary = (await client.get("/v1.0/tenure/notifications/summary")).raise_for_status().json()
    ids = [mail["messageId"] for mail in mails]
    assert len(ids) == len(set(ids)), "two different mails of one id"
    sent = {channel: one.get("sent", 0) for channel, one in summary["channels"].items()}
    assert sent == {"topic": len(said), "mail": len(mails)}, "as many are noted as sent as there are"
    assert not any(one.get("failed", 0) for one in summary["channels"].values()), summary
    balance.mails, balance.mails_repeated = len(mails), sum(mail.get("repeats", 0) for mail in mails)


async def _trail_is_sound(ground: Ground) -> None:
    async with ground.client() as client:
        verdict = (await client.get("/v1.0/tenure/audit/verify", timeout=60)).raise_for_status().json()
    assert verdict["sound"], verdict


def parsed(record: ConsumerRecord) -> dict[str, Any] | None:
    """The fact in it; None for what is none, which only poison is."""
    try:
        found = orjson.loads(record.value)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and {"id", "subject", "version"} <= set(found) else None


async def records_of(settings: Settings, *names: str) -> dict[str, list[ConsumerRecord]]:
    """All records of these topics, each partition in its order."""
    found: dict[str, list[ConsumerRecord]] = {name: [] for name in names}
    full = {settings.topic(name): name for name in names}
    async with clients(settings) as (admin, consumer):
        described = await admin.describe_topics(list(full))
        partitions = [TopicPartition(one["topic"], p["partition"]) for one in described for p in one["partitions"]]
        begins, ends = await bounds(consumer, partitions)
        missing = {one: begins[one] for one in partitions if begins[one] < ends[one]}
        async for record in read(consumer, missing, ends):
            found[full[record.topic]].append(record)
    return found


async def counted(settings: Settings, *names: str) -> dict[str, int]:
    """How many records each of these topics has."""
    async with clients(settings) as (admin, consumer):
        described = await admin.describe_topics([settings.topic(name) for name in names])
        of = {
            name: [TopicPartition(one["topic"], p["partition"]) for p in one["partitions"]]
            for one in described
            for name in names
            if one["topic"] == settings.topic(name)
        }
        _, ends = await bounds(consumer, [place for places in of.values() for place in places])
        return {name: sum(ends[place] for place in places) for name, places in of.items()}


async def taken(url: str, service: str, topic: str) -> int:
    """How many messages of this topic the process at `url` has taken."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        text = (await client.get(f"{url}/metrics")).raise_for_status().text
    labels = {f'service="{service}"', f'topic="{topic}"'}
    for line in text.splitlines():
        name, _, rest = line.partition("{")
        said, _, value = rest.partition("} ")
        if name == MESSAGES_METRIC and labels <= set(said.split(",")):
            return int(float(value))
    return 0
