"""Services that look at facts beside their aggregates: what they cannot handle is set aside all the same."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

import services.directory.service
import services.request.service
from deploy.embedded import Servers
from deploy.run.backlog import bounds, read
from services.directory.decide import dynamic
from services.request.model import Request, Terms, dump
from shared.clock import TurnableClock
from shared.contracts import topics
from shared.contracts.assignment import CommandObeyed, HoldingFact, HoldingState
from shared.contracts.base import Cause
from shared.contracts.directory import GroupCreated, GroupFact, GroupState, PersonFact, PersonState, PersonStatus
from shared.contracts.request import RequestStatus, RequestType
from shared.messaging import deadletters
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from tests.waiting import until

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="source:hr")


class Ground:
    """One service, what is said to it, and what it sets aside."""

    def __init__(self, host: Host, producer: AIOKafkaProducer, group: str) -> None:
        self.host, self.producer, self.group = host, producer, group
        (platform,) = host.platforms.values()
        self.database = platform.database

    async def say(self, topic: topics.Topic, body: bytes, key: str = "x") -> None:
        await self.producer.send_and_wait(self.host.settings.topic(topic.name), body, key=key.encode(), partition=0)

    async def letters(self) -> list[str]:
        """Codes of all dead letters of the group."""
        found = await self.records(deadletters.topic_of(self.group))
        return [dict(record.headers)[deadletters.CODE].decode() for record in found]

    async def records(self, topic: str) -> list[Any]:
        """All that lies there."""
        name = self.host.settings.topic(topic)
        async with AIOKafkaConsumer(bootstrap_servers=self.host.settings.kafka) as consumer:
            begins, ends = await bounds(consumer, [TopicPartition(name, 0)])
            missing = {one: begin for one, begin in begins.items() if begin < ends[one]}
            return [record async for record in read(consumer, missing, ends)]


@asynccontextmanager
async def ground(servers: Servers, assemble: Any, service: str, topic: topics.Topic) -> AsyncIterator[Ground]:
    where = servers.endpoints
    settings = Settings(
        kafka=where.kafka, mongo=where.mongo, namespace=f"poi{uuid.uuid4().hex[:8]}", partitions=1, retry_max_s=0.2
    )
    host = Host(settings, {service: assemble}, TurnableClock(NOW))
    await create_topics(settings, groups_of(list(host.services.values())))
    async with host, AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        group = next(one.group for one in host.services[service].subscriptions if topic in one.topics)
        yield Ground(host, producer, group)


def obeyed(person: str) -> bytes:
    return HoldingFact(
        id=f"holding:{person}:1",
        cause=CAUSE,
        subject=person,
        version=1,
        at=NOW,
        transitions=(CommandObeyed(command_id=f"command-{person}", request_id=f"r-{person}", assignment_id="a"),),
        state=HoldingState(person_id=person),
    ).json_bytes()


async def test_a_request_that_cannot_follow_a_holding_does_not_lose_the_fact_nor_hold_the_others(
    servers: Servers,
) -> None:
    async with ground(servers, services.request.service.assemble, "request", topics.HOLDING_FACTS) as it:
        requests = it.database.collection("requests")
        for person in ("ana", "ben"):
            waiting = Request(
                id=f"r-{person}", type=RequestType.USER_REMOVE, status=RequestStatus.DELIVERING, person_id=person,
                requestor_id=person, package_id="p", policy_id="o", terms=Terms(), assignment_id="a", created_at=NOW,
                cause=CAUSE, awaited={"command_id": f"command-{person}", "again_at": NOW.replace(year=2027)},
            )  # fmt: skip
            state = dump(waiting) | ({"status": "nonsense"} if person == "ana" else {})
            await requests.insert_one({"_id": waiting.id, "version": 1, "revision": 1, "state": state})
        for person in ("ana", "ben"):
            await it.say(topics.HOLDING_FACTS, obeyed(person), person)

        async def delivered() -> bool:
            return (await requests.find_one({"_id": "r-ben"}) or {})["state"]["status"] == "delivered"

        await until(delivered, "the next request goes on")
        assert await it.letters() == ["bug"]


def person(id: str, department: str) -> bytes:
    state = PersonState(id=id, status=PersonStatus.ACTIVE, attributes={"department": department})
    return PersonFact(
        id=f"person:{id}:1", cause=CAUSE, subject=id, version=1, at=NOW, transitions=(), state=state
    ).json_bytes()


async def test_a_fact_that_is_none_does_not_hold_the_groups_that_a_rule_fills(
    servers: Servers, monkeypatch: Any
) -> None:
    looked: list[str] = []
    decide = dynamic.follow

    def follow(state: Any, asked: dynamic.FollowRules, at: Any) -> Any:
        looked.append(asked.person_id)
        if asked.person_id == "odd":
            raise ArithmeticError("nobody thought of this")
        return decide(state, asked, at)

    monkeypatch.setattr("services.directory.dynamic.follow", follow)
    async with ground(servers, services.directory.service.assemble, "directory", topics.PERSON_FACTS) as it:
        group = GroupState(
            id="g", display_name="Sales", created_at=NOW, group_types=("DynamicMembership",),
            membership_rule='user.department -eq "Sales"', membership_rule_processing_state="On",
        )  # fmt: skip
        await it.database.collection("groups").insert_one(
            {
                "_id": "g",
                "version": 1,
                "revision": 1,
                "state": group.model_dump(by_alias=False) | {"filled_by": group.filled_by},
            }
        )
        made = GroupFact(
            id="group:g:1", cause=CAUSE, subject="g", version=1, at=NOW, transitions=(GroupCreated(),), state=group
        )
        await it.say(topics.GROUP_FACTS, made.json_bytes())
        for body in (person("ana", "IT"), b"no fact", person("odd", "IT"), person("ben", "Sales")):
            await it.say(topics.PERSON_FACTS, body)

        async def went_on() -> bool:
            return "ben" in looked and len(await it.letters()) >= 2

        await until(went_on, "whoever comes after it is looked at")
        assert sorted(await it.letters()) == ["bug", "invalid"]


def change(number: int, **attributes: object) -> bytes:
    said = {"changeId": str(number), "employeeId": "E1", "kind": "joined", "effectiveAt": "2026-01-01"}
    return orjson.dumps(said | {"attributes": attributes})


async def test_whatever_a_source_sends_too_much_of_is_answered_to_it_and_no_letter_to_ourselves(
    servers: Servers,
) -> None:
    heaps = [
        change(number, **{f"extension_{'a' * 32}_p{number}_{n}": "x" * 1000 for n in range(240)}) for number in range(3)
    ]
    sent: list[tuple[bytes, list[str]]] = [
        (b"\0" * 1_000_000, ["tooLarge"]),
        (b"[" * 900 + b"]" * 900, ["notJson"]),
        (change(8, **{f"p{n}": 1 for n in range(3000)}), ["unknownProperty"] * 16 + ["moreProblems"]),
        *((heap, []) for heap in heaps[:-1]),
        (heaps[-1], ["tooLarge"]),  # a fact of the person would be larger than Kafka takes
        (change(9), []),
    ]
    async with ground(servers, services.directory.service.assemble, "directory", topics.HR_CHANGES) as it:
        for body, _ in sent:
            await it.say(topics.HR_CHANGES, body, "E1")

        async def last_was_taken() -> bool:
            document = await it.database.collection("people").find_one({}) or {"state": {"timeline": ""}}
            return '"9"' in document["state"]["timeline"]

        async def answered() -> list[list[str]]:
            answers: dict[int, list[str]] = {offset: [] for offset in range(len(sent))}
            for record in await it.records(topics.HR_REJECTED.name):
                said = orjson.loads(record.value)
                answers[said["offset"]].append(said["reason"]["code"])
            return list(answers.values())

        async def all_were_answered() -> bool:
            return await answered() == [codes for _, codes in sent]

        await until(last_was_taken, "whatever comes after them is taken")
        await until(all_were_answered, "each is answered in its own words")
        answers = [orjson.loads(one.value) for one in await it.records(topics.HR_REJECTED.name)]
        assert [base64.b64decode(one["original"]) for one in answers if one["offset"] == 0] == [sent[0][0]]
        assert await it.letters() == []
