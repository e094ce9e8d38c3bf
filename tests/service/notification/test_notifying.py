"""Notification on real Kafka and MongoDB, with a real mail server: holdings in, mails and public messages out."""

import asyncio
import email
import email.policy
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiosmtpd.controller import Controller

from deploy.embedded import Servers
from deploy.mailcatcher import MailCatcher
from services.notification.service import assemble
from services.notification.store import Messages
from shared.contracts import topics
from shared.contracts.approval import ApprovalFact, ApprovalState, StageStarted, StageState, StageStatus
from shared.contracts.assignment import (
    AssignmentAdded,
    AssignmentEnded,
    AssignmentEndsSoon,
    AssignmentKind,
    AssignmentState,
    AssignmentStatus,
    EndReason,
    HoldingFact,
    HoldingState,
)
from shared.contracts.base import Cause, Fact, Transition
from shared.contracts.catalog import Created, PackageFact, PackageState, PolicyFact, PolicyState
from shared.contracts.directory import PersonChanged, PersonFact, PersonState, PersonStatus, ValueChange
from shared.contracts.notification import Notification
from shared.contracts.review import (
    InstanceFact,
    InstanceState,
    OpenItems,
    ReviewedResource,
    ReviewersAsked,
    ReviewStatus,
)
from shared.contracts.roster import RosterKind
from shared.contracts.topics import Topic
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from tests.waiting import PATIENCE_S, until

NOW = datetime.now(UTC).replace(microsecond=0)
MANY = 600


class World:
    """The service with a mail catcher, and the others played by the test."""

    def __init__(self, settings: Settings, host: Host, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> None:
        self.settings, self.host = settings, host
        self._producer, self._consumer = producer, consumer
        self.heard: list[Notification] = []
        app = make_app("notification", host.services["notification"].routers)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")

    async def say(self, topic: Topic, *facts: Fact) -> None:
        for fact in facts:
            key = fact.subject.encode()
            await self._producer.send(self.settings.topic(topic.name), fact.json_bytes(), key=key)
        await self._producer.flush()

    async def until(self, there: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not there():
                for records in (await self._consumer.getmany(timeout_ms=50)).values():
                    self.heard += [Notification.model_validate_json(record.value) for record in records]

    async def records(self, recipient: str) -> dict[str, dict[str, Any]]:
        answer = await self.http.get("/v1.0/tenure/notifications", params={"recipient": recipient})
        return {one["channel"]: one for one in answer.raise_for_status().json()["value"]}

    async def until_settled(self, recipient: str) -> dict[str, dict[str, Any]]:
        """Its newest records, once none of them is under way."""

        async def settled() -> dict[str, dict[str, Any]] | None:
            found = await self.records(recipient)
            under_way = {one["status"] for one in found.values()} & {"queued", "sending"}
            return None if under_way else found

        found: dict[str, dict[str, Any]] = await until(settled, f"{recipient} is told")
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def catcher(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MailCatcher]:
    catcher = MailCatcher()
    await catcher.start(tmp_path_factory.mktemp("mails"))
    yield catcher
    await catcher.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(servers: Servers, catcher: MailCatcher) -> AsyncIterator[World]:
    host, port = catcher.smtp
    async for world in a_world(servers, host, port):
        yield world


async def a_world(servers: Servers, host: str, port: int, namespace: str = "") -> AsyncIterator[World]:
    settings = Settings(
        kafka=servers.endpoints.kafka,
        mongo=servers.endpoints.mongo,
        namespace=namespace or f"note-{uuid.uuid4().hex[:8]}",
        smtp_host=host,
        smtp_port=port,
        smtp_sender="Tenure <tenure@example.com>",
        retry_max_s=1,
        api_url="https://tenure.example.com",
    )
    service = Host(settings, {"notification": assemble})
    await create_topics(settings, groups_of(list(service.services.values())))
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=5)
    heard = settings.topic(topics.NOTIFICATIONS.name)
    consumer = AIOKafkaConsumer(heard, bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        async with service:
            world = World(settings, service, producer, consumer)
            await world.say(topics.POLICY_FACTS, policy())
            yield world
    finally:
        await consumer.stop()
        await producer.stop()


def cause(id: str = "change") -> Cause:
    return Cause(id=id, correlation="hr-1", actor="source:hr")


def person(id: str, version: int = 1, mail: str | None = "", department: str = "Sales") -> PersonFact:
    address = f"{id}@example.com" if mail == "" else mail
    return PersonFact(
        id=f"person:{id}:{version}",
        cause=cause(),
        subject=id,
        version=version,
        at=NOW,
        transitions=(PersonChanged(changes={"department": ValueChange(before="Support", after=department)}),),
        state=PersonState(id=id, status=PersonStatus.ACTIVE, attributes={"displayName": "Žofia", "mail": address}),
    )


def package(id: str, name: str) -> PackageFact:
    state = PackageState(id=id, catalog_id="c", display_name=name, created_at=NOW, modified_at=NOW)
    return PackageFact(
        id=f"package:{id}:1", cause=cause(), subject=id, version=1, at=NOW, transitions=(Created(),), state=state
    )


def policy() -> PolicyFact:
    state = PolicyState(id="rule", package_id="p", display_name="By rule", created_at=NOW, modified_at=NOW)
    return PolicyFact(
        id="policy:rule:1", cause=cause(), subject="rule", version=1, at=NOW, transitions=(Created(),), state=state
    )


def assignment(id: str, package_id: str, ends_at: datetime | None = None) -> AssignmentState:
    return AssignmentState(
        id=id,
        package_id=package_id,
        policy_id="rule",
        kind=AssignmentKind.AUTOMATIC,
        status=AssignmentStatus.DELIVERING,
        starts_at=NOW - timedelta(days=1),
        ends_at=ends_at,
        assigned_at=NOW,
        cause=cause(),
    )


def holding(person_id: str, version: int, *transitions: Transition, why: str = "change") -> HoldingFact:
    return HoldingFact(
        id=f"holding:{person_id}:{version}",
        cause=cause(why),
        subject=person_id,
        version=version,
        at=NOW,
        transitions=transitions,  # type: ignore[arg-type]
        state=HoldingState(person_id=person_id),
    )


def added(package_id: str) -> AssignmentAdded:
    return AssignmentAdded(assignment=assignment(f"a-{package_id}", package_id))


def ended(package_id: str) -> AssignmentEnded:
    gone = assignment(f"a-{package_id}", package_id)
    return AssignmentEnded(assignment=gone, reason=EndReason.NO_LONGER_MATCHES)


async def mails(catcher: MailCatcher, to: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=catcher.url) as client:
        found: list[dict[str, Any]] = (await client.get("/messages", params={"to": to})).raise_for_status().json()
    return found


async def test_one_mail_and_one_public_message_list_all_that_a_cause_gave_and_took(
    world: World, catcher: MailCatcher
) -> None:
    await world.say(topics.PACKAGE_FACTS, package("new", "Łódź <Sales>"), package("old", "Support desk"))
    await world.say(topics.PERSON_FACTS, person("ana"))
    change = holding("ana", 1, added("new"), ended("old"), why="person:ana:1")
    await world.say(topics.HOLDING_FACTS, change, change)  # it comes twice
    settled = await world.until_settled("ana")
    assert {channel: one["status"] for channel, one in settled.items()} == {"mail": "sent", "topic": "sent"}
    await world.until(lambda: [one for one in world.heard if one.recipient.id == "ana"])
    (said,) = (one for one in world.heard if one.recipient.id == "ana")
    assert (said.id, said.event) == (settled["topic"]["id"], "accessChanged")
    assert said.recipient.mail == "ana@example.com"
    assert {one["change"] for one in said.about["packages"]} == {"given", "taken"}
    assert "Your department is now Sales" in said.text

    (mail,) = await mails(catcher, "ana@example.com")
    assert mail["subject"] == "Your access has changed: 1 given, 1 ended"
    assert "Łódź <Sales>" in mail["text"]
    assert "Łódź &lt;Sales&gt;" in mail["html"]
    assert settled["mail"]["id"] in str(mail)


async def test_what_happens_to_somebody_at_once_is_told_in_its_order(world: World, catcher: MailCatcher) -> None:
    await world.say(topics.PACKAGE_FACTS, *(package(f"q{number}", f"Q{number}") for number in range(20)))
    await world.say(topics.PERSON_FACTS, person("una"), person("val"))
    # Whoever is told of all has waited for all names.
    await world.say(topics.HOLDING_FACTS, holding("val", 1, *(added(f"q{number}") for number in range(20))))
    await world.until_settled("val")
    await world.say(topics.HOLDING_FACTS, *(holding("una", number + 1, added(f"q{number}")) for number in range(20)))
    told = [f"You have access to Q{number}" for number in range(20)]

    def heard() -> list[str]:
        return [one.subject for one in world.heard if one.recipient.id == "una"]

    await world.until(lambda: len(heard()) == 20)
    assert heard() == told
    await world.until_settled("una")
    assert [mail["subject"] for mail in await mails(catcher, "una@example.com")] == told


async def test_a_name_not_heard_of_yet_is_waited_for(world: World, catcher: MailCatcher) -> None:
    await world.say(topics.HOLDING_FACTS, holding("bob", 1, added("late")))

    async def waiting() -> bool:
        return (await world.records("bob")).get("mail", {}).get("nextAttemptAt") is not None

    await until(waiting, "the mail waits")
    await world.say(topics.PERSON_FACTS, person("bob"))
    await world.say(topics.PACKAGE_FACTS, package("late", "Late package"))
    await world.until_settled("bob")
    (mail,) = await mails(catcher, "bob@example.com")
    assert mail["subject"] == "You have access to Late package"


async def test_an_approver_reads_the_names_of_who_asks_and_for_whom(world: World, catcher: MailCatcher) -> None:
    def named(id: str, name: str) -> PersonFact:
        fact = person(id)
        attributes = {**fact.state.attributes, "displayName": name}
        return fact.model_copy(update={"state": fact.state.model_copy(update={"attributes": attributes})})

    await world.say(topics.PACKAGE_FACTS, package("crm", "CRM"))
    await world.say(topics.PERSON_FACTS, named("fay", "Fay"), named("gil", "Gil"), named("hal", "Hal"))
    until = NOW + timedelta(days=14)
    stage = StageState(id="s", status=StageStatus.IN_PROGRESS, approvers=("hal",), expires_at=until)
    state = ApprovalState(
        id="r", person_id="fay", requestor_id="gil", package_id="crm", policy_id="rule", stages=(stage,)
    )
    asked = StageStarted(stage_id="s", number=1, approvers=("hal",), expires_at=until)
    fact = ApprovalFact(
        id="approval:r:1", cause=cause(), subject="r", version=1, at=NOW, transitions=(asked,), state=state
    )
    await world.say(topics.APPROVAL_FACTS, fact)
    await world.until_settled("hal")
    (mail,) = await mails(catcher, "hal@example.com")
    assert mail["subject"].endswith(": Gil asks for CRM for Fay")


async def test_without_an_address_the_topic_alone_carries_it(world: World) -> None:
    await world.say(topics.PACKAGE_FACTS, package("new", "Sales"))
    await world.say(topics.PERSON_FACTS, person("cyd", mail=None))
    await world.say(topics.HOLDING_FACTS, holding("cyd", 1, added("new")))
    settled = await world.until_settled("cyd")
    assert (settled["mail"]["status"], settled["mail"]["problem"]) == ("skipped", "noAddress")
    assert settled["topic"]["status"] == "sent"
    await world.until(lambda: [one for one in world.heard if one.recipient.id == "cyd"])
    (said,) = (one for one in world.heard if one.recipient.id == "cyd")
    assert orjson.loads(said.json_bytes())["recipient"] == {"id": "cyd", "userPrincipalName": None, "mail": None}


async def test_an_end_that_came_before_its_reminder_silences_it(world: World, catcher: MailCatcher) -> None:
    await world.say(topics.PACKAGE_FACTS, package("short", "Project"))
    await world.say(topics.PERSON_FACTS, person("dan"))
    limited = assignment("limited", "short", NOW + timedelta(days=7))
    await world.say(
        topics.HOLDING_FACTS.urgent,
        holding("dan", 3, AssignmentEnded(assignment=limited, reason=EndReason.REMOVED)),
    )
    await world.until_settled("dan")
    await world.say(topics.HOLDING_FACTS, holding("dan", 2, AssignmentEndsSoon(assignment=limited)))

    async def skipped() -> Any:
        params = {"recipient": "dan", "$filter": "status eq 'skipped'"}
        return (await world.http.get("/v1.0/tenure/notifications", params=params)).json()["value"]

    silent = await until(skipped, "what is stale is skipped")
    assert {one["problem"] for one in silent} == {"stale"}
    assert [one["subject"] for one in await mails(catcher, "dan@example.com")] == ["Your access to Project has ended"]


async def test_hundreds_of_mails_go_out_each_once(world: World, catcher: MailCatcher) -> None:
    people = [f"p{number}" for number in range(MANY)]
    await world.say(topics.PACKAGE_FACTS, package("new", "Sales"))
    await world.say(topics.PERSON_FACTS, *(person(id) for id in people))
    before = catcher.count
    facts = [holding(id, 1, added("new")) for id in people]
    await world.say(topics.HOLDING_FACTS, *facts)

    async def all_came() -> bool:
        return catcher.count >= before + MANY

    await until(all_came, "all mails go out")
    assert catcher.count == before + MANY


async def test_a_message_whose_sender_died_goes_out_again_after_its_lease_under_the_same_id(
    world: World, catcher: MailCatcher
) -> None:
    await world.say(topics.PACKAGE_FACTS, package("new", "Sales"))
    await world.say(topics.PERSON_FACTS, person("eve"))
    await world.say(topics.HOLDING_FACTS, holding("eve", 1, added("new")))
    sent = (await world.until_settled("eve"))["mail"]
    records = Messages(world.host.platforms["notification"].database)
    # As a process leaves it that was killed between the mail server's answer and the note of it.
    left = {"status": "sending", "next_at": datetime.now(UTC), "claim": "of the dead"}
    await records.documents.change([({"_id": sent["id"]}, {"$set": left, "$unset": {"sent_at": ""}})])
    again = (await world.until_settled("eve"))["mail"]
    assert (again["status"], again["id"]) == ("sent", sent["id"])
    assert len(await mails(catcher, "eve@example.com")) == 1  # the same Message-ID: known as the same mail


class Difficult:
    """A mail server that refuses some."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def handle_RCPT(self, _s: Any, _session: Any, envelope: Any, address: str, _o: Sequence[str]) -> str:  # noqa: N802
        if address.startswith("nobody"):
            return "550 5.1.1 No such user"
        if address.startswith("full"):
            return "452 4.2.2 Mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _s: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.got.append(envelope.original_content)
        return "250 OK"


async def test_a_mail_server_that_is_away_or_refuses_some_holds_nobody_else(servers: Servers) -> None:
    handler = Difficult()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async for world in a_world(servers, "127.0.0.1", port):
        await world.say(topics.PACKAGE_FACTS, package("new", "Sales"))
        await world.say(topics.PERSON_FACTS, *(person(id) for id in ("nobody", "full", "ana")))
        await world.say(topics.HOLDING_FACTS, *(holding(id, 1, added("new")) for id in ("nobody", "full", "ana")))

        async def degraded() -> Any:
            return (await world.http.get("/v1.0/tenure/notifications/summary")).json()["degraded"]  # noqa: B023

        assert list(await until(degraded, "the mail server is away")) == ["sender.mail"]
        assert world.host.ready  # consuming goes on
        again = Controller(handler, hostname="127.0.0.1", port=port)
        again.start()
        try:
            assert (await world.until_settled("ana"))["mail"]["status"] == "sent"
            refused = (await world.until_settled("nobody"))["mail"]
            assert (refused["status"], refused["problem"]) == ("failed", "recipient:550")
            full = (await world.records("full"))["mail"]
            assert (full["status"], full["problem"], full["attempts"]) == ("queued", "recipient:452", 1)
        finally:
            again.stop()
    (raw,) = handler.got
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] is not None
    body = mail.get_body(("plain",))
    assert body is not None
    assert "https://tenure.example.com/" in body.get_content()
    assert not mail.defects


@pytest.mark.spec("REV-21")
async def test_who_reviews_several_groups_is_mailed_once_with_all_of_them(world: World, catcher: MailCatcher) -> None:
    boss = f"boss-{uuid.uuid4().hex[:6]}"
    await world.say(topics.PERSON_FACTS, person(boss, mail=f"{boss}@example.com"))
    await world.say(topics.REVIEW_INSTANCE_FACTS, *(asked_to_review(group, boss) for group in ("North", "South")))
    address = f"{boss}@example.com"

    async def mailed() -> Any:
        return await mails(catcher, address)

    await until(mailed, "a mail comes")
    await world.until_settled(boss)
    (mail,) = await mails(catcher, address)
    assert all(f"Quarterly: {group}" in mail[body] for group in ("North", "South") for body in ("text", "html"))
    assert mail["subject"].endswith("Quarterly and 1 more")


def asked_to_review(group: str, reviewer: str) -> InstanceFact:
    id = f"{group}-{reviewer}"
    state = InstanceState(
        id=id, definition_id="d", definition_name="Quarterly", number=1, status=ReviewStatus.IN_PROGRESS,
        resource=ReviewedResource(kind=RosterKind.GROUP, id=group, display_name=group), starts_at=NOW,
        ends_at=NOW + timedelta(days=7), stages=(), mails=True, items=1,
    )  # fmt: skip
    told = ReviewersAsked(occasion="start", reviewers=(reviewer,), open={reviewer: OpenItems(count=1, people=("x",))})
    return InstanceFact(
        id=f"review-instance:{id}:1", cause=cause(), subject=id, version=1, at=NOW, transitions=(told,), state=state
    )
