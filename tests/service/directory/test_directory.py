"""The directory on real Kafka and MongoDB: HR changes in, facts and answers out, Graph's pages over HTTP."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.embedded import Servers
from services.directory.decide.people import Heard
from services.directory.service import assemble
from services.directory.store import members_of, person_id_of
from shared.clock import TurnableClock
from shared.contracts import topics
from shared.contracts.base import Cause, Lane
from shared.contracts.directory import MembershipWish, SetMemberships
from shared.contracts.hr import HrChange
from shared.contracts.topics import Topic
from shared.messaging.admin import create_topics
from shared.messaging.host import Host, groups_of
from shared.settings import Settings
from shared.web.app import make_app
from tests.waiting import PATIENCE_S

HEARD = (
    topics.PERSON_FACTS, topics.PERSON_FACTS.urgent, topics.MEMBERSHIP_FACTS, topics.GROUP_FACTS, topics.HR_REJECTED,
    topics.SIGN_IN_FACTS,
)  # fmt: skip


class World:
    """The service under test, and HR and provisioning as the test plays them."""

    def __init__(
        self, host: Host, clock: TurnableClock, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer
    ) -> None:
        self.host, self.clock = host, clock
        self._producer, self._consumer = producer, consumer
        self.said: list[tuple[str, Any]] = []
        app = make_app("directory", host.services["directory"].routers)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")

    async def hr(self, *changes: dict[str, Any], topic: Topic = topics.HR_CHANGES) -> None:
        name = self.host.settings.topic(topic.name)
        for change in changes:
            body = {"effectiveAt": "2020-01-01", "kind": "joined"} | change
            body.setdefault("changeId", f"{body['employeeId']}:{body['kind']}:{body['effectiveAt']}")
            await self._producer.send_and_wait(name, orjson.dumps(body), key=body["employeeId"].encode())

    async def send(self, topic: Topic, key: str, value: bytes) -> None:
        await self._producer.send_and_wait(self.host.settings.topic(topic.name), value, key=key.encode())

    async def until(self, there: Callable[[], Any]) -> Any:
        """Read until it holds; returns what it says then."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := there()):
                for records in (await self._consumer.getmany(timeout_ms=100)).values():
                    self.said += [(r.topic.partition(".")[2], orjson.loads(r.value)) for r in records]
        return found

    def facts(self, employee: str, topic: Topic = topics.PERSON_FACTS) -> list[Any]:
        id = person_id_of("hr", employee)
        return [fact for name, fact in self.said if name == topic.name and fact["subject"] == id]

    def person(self, employee: str, **expected: Any) -> Any:
        """The newest state of a person, if it is as expected."""
        for fact in reversed(self.facts(employee) + self.facts(employee, topics.PERSON_FACTS.urgent)):
            if all(fact["state"].get(name) == value for name, value in expected.items()):
                return fact["state"]
        return None

    async def who_wait(self) -> dict[str, str | None]:
        """By number, with the manager that they wait for; as many as the status says."""
        said = (await self.http.get("/v1.0/tenure/people", params={"waiting": "true"})).json()["value"]
        waits = (await self.host.wellbeing())["directory"]["waits"]
        assert sum(waits.values()) == len(said)
        return {one["identities"][0]["id"]: one["waitsForManager"] for one in said}

    def rejected(self, code: str) -> list[Any]:
        return [one for name, one in self.said if name == topics.HR_REJECTED.name and one["reason"]["code"] == code]


@pytest.fixture
async def world(servers: Servers, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    settings = Settings(
        kafka=servers.endpoints.kafka,
        mongo=servers.endpoints.mongo,
        namespace=f"dir{uuid.uuid4().hex[:8]}",
        partitions=2,
        timer_poll_s=0.05,
        sources_file=getattr(request, "param", None) and _file(request),
    )
    clock = TurnableClock(datetime(2026, 3, 1, 9, tzinfo=UTC))
    host = Host(settings, {"directory": assemble}, clock)
    await create_topics(settings, groups_of(list(host.services.values())))
    async with (
        host,
        AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer,
        AIOKafkaConsumer(
            *(settings.topic(topic.name) for topic in HEARD),
            bootstrap_servers=settings.kafka,
            auto_offset_reset="earliest",
        ) as consumer,
    ):
        yield World(host, clock, producer, consumer)


def _file(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue("tmp_path")
    path = folder / "sources.yaml"
    path.write_text(request.param)
    return path


async def test_from_joining_to_leaving(world: World) -> None:
    hired = {"employeeId": "E1", "attributes": {"displayName": "Ana", "userPrincipalName": "Ana@x.example"}}
    await world.hr(
        {"employeeId": "E1", "kind": "changed", "effectiveAt": "2021-01-01", "attributes": {"department": "IT"}},
        hired,
        hired,
    )
    await world.until(lambda: world.person("E1"))  # whose name it is depends on who came first
    await world.hr(
        {"employeeId": "E2", "attributes": {"userPrincipalName": "ana@x.example", "managerEmployeeId": "E3"}},
        {"employeeId": "E2", "kind": "left", "effectiveAt": "2026-03-02"},
    )
    await world.until(lambda: world.person("E1") and world.rejected("managerUnknown"))
    assert world.person("E1")["attributes"]["department"] == "IT"
    assert world.rejected("notJoined")[0]["original"]["kind"] == "changed"
    await world.until(lambda: world.rejected("userPrincipalNameTaken"))
    await world.hr({"employeeId": "E4", "kind": "changed"})
    await world.until(lambda: len(world.rejected("notJoined")) == 2)
    assert await world.who_wait() == {"E2": "hr:E3", "E4": None}
    # The manager joins later: the reference is resolved without anybody sending it again.
    await world.hr({"employeeId": "E3"})
    await world.until(lambda: world.person("E2", managerId=person_id_of("hr", "E3")))
    assert await world.who_wait() == {"E4": None}
    world.clock.turn(timedelta(days=2))
    await world.until(lambda: world.person("E2", status="left"))
    assert [fact["version"] for fact in world.facts("E1")] == [1]

    user = (await world.http.get("/v1.0/users/ana@X.example?$select=id,department")).json()
    assert (user["id"], user["department"]) == (person_id_of("hr", "E1"), "IT")
    wanted = {"$filter": "employeeId eq 'e2'", "$count": "true", "$select": "employeeId"}
    found = (await world.http.get("/v1.0/users", params=wanted)).json()
    assert (found["@odata.count"], found["value"][0]["employeeId"]) == (1, "E2")
    manager = await world.http.get(f"/v1.0/users/{person_id_of('hr', 'E2')}/manager?$select=employeeId")
    assert manager.json()["employeeId"] == "E3"
    known = (await world.http.get("/v1.0/tenure/people", params={"$filter": "status eq 'left'"})).json()["value"]
    assert [one["identities"] for one in known] == [[{"source": "hr", "id": "E2"}]]
    person = (await world.http.get(f"/v1.0/tenure/people/{person_id_of('hr', 'E1')}")).json()
    assert [one["kind"] for one in person["timeline"]] == ["joined", "changed"]


async def test_what_is_no_change_is_answered_and_blocks_nothing(world: World) -> None:
    await world.send(topics.HR_CHANGES, "E1", b"\xff no")
    await world.send(topics.HR_CHANGES, "E1", b'{"employeeId": "E1", "kind": "joined"}')
    await world.hr({"employeeId": "E1"})
    await world.until(lambda: world.person("E1"))
    await world.until(lambda: world.rejected("notJson") and world.rejected("changeIdMissing"))


async def test_the_urgent_lane_suspends_and_facts_stay_in_it(world: World) -> None:
    await world.hr({"employeeId": "E1"})
    await world.until(lambda: world.person("E1"))
    await world.hr({"employeeId": "E1", "kind": "suspended", "effectiveAt": "2026-02-01"}, topic=topics.HR_URGENT)
    await world.until(lambda: world.facts("E1", topics.PERSON_FACTS.urgent))
    assert world.person("E1", status="suspended")["suspendedBy"] == ["hr"]
    path = f"/v1.0/tenure/people/{person_id_of('hr', 'E1')}"
    held = await world.http.post(f"{path}/suspend")
    assert held.json()["suspendedBy"] == ["api", "hr"]
    await world.hr({"employeeId": "E1", "kind": "returned", "effectiveAt": "2026-02-02"})
    await world.until(lambda: world.person("E1", suspendedBy=["api"]))
    assert (await world.http.post(f"{path}/return")).json()["status"] == "active"
    assert (await world.http.post("/v1.0/tenure/people/nobody/suspend")).status_code == 404


async def test_groups_and_members(world: World) -> None:
    await world.hr({"employeeId": "E1"}, {"employeeId": "E2"})
    await world.until(lambda: world.person("E1") and world.person("E2"))
    ana, bob = person_id_of("hr", "E1"), person_id_of("hr", "E2")
    made = [
        await world.http.post("/v1.0/groups", json={"displayName": "Ops"}, headers={"Idempotency-Key": "ops"})
        for _ in range(2)
    ]
    assert [one.status_code for one in made] == [201, 201]
    group = made[0].json()["id"]
    path = f"/v1.0/groups/{group}"
    assert made[1].content == made[0].content
    other = {"json": {"displayName": "Dev"}, "headers": {"Idempotency-Key": "ops"}}
    assert (await world.http.post("/v1.0/groups", **other)).status_code == 409
    reference = {"@odata.id": f"https://graph.example/v1.0/directoryObjects/{ana}"}
    assert (await world.http.post(f"{path}/members/$ref", json=reference)).status_code == 204
    twice = await world.http.post(f"{path}/members/$ref", json=reference)
    assert (twice.status_code, twice.json()["error"]["code"]) == (400, "Request_BadRequest")
    assert (await world.http.post(f"{path}/owners/$ref", json=reference)).status_code == 204

    cause = Cause(id="c", correlation="c", actor="system:provisioning", lane=Lane.ORDINARY)
    for version, (person, member) in enumerate([(bob, True), (ana, True), (ana, False)], start=1):
        wish = MembershipWish(id=f"m{version}", group_id=group, member=member, grant_version=version)
        asked = SetMemberships(id=f"c{version}", cause=cause, person_id=person, wishes=(wish,))
        await world.send(topics.MEMBERSHIP_COMMANDS, person, asked.json_bytes())
    await world.until(
        lambda: {
            one["commandId"] for name, fact in world.said if name == topics.MEMBERSHIP_FACTS.name
            for one in fact["transitions"] if one["type"] == "MembershipObeyed"
        } == {"m1", "m2", "m3"}
    )  # fmt: skip
    members = (await world.http.get(f"{path}/members", params={"$top": "1", "$count": "true"})).json()
    assert members["@odata.count"] == 2, "ana was added by hand, and stays"
    more = (await world.http.get(members["@odata.nextLink"])).json()
    assert {one["id"] for one in [*members["value"], *more["value"]]} == {ana, bob}
    assert (await world.http.get(f"{path}/members/$count")).text == "2"
    assert [one["id"] for one in (await world.http.get(f"{path}/owners")).json()["value"]] == [ana]
    found = await world.http.get("/v1.0/groups", params={"$filter": "displayName eq 'ops'"})
    assert [one["id"] for one in found.json()["value"]] == [group]
    assert [one["id"] for one in (await world.http.get(f"/v1.0/users/{bob}/memberOf")).json()["value"]] == [group]
    assert (await world.http.delete(f"{path}/members/{ana}/$ref")).status_code == 204
    assert (await world.http.patch(path, json={"description": "Operations"})).status_code == 204
    assert (await world.http.patch(path, json={"displayName": "x"}, headers={"If-Match": 'W/"1"'})).status_code == 412
    assert (await world.http.delete(path)).status_code == 204
    assert (await world.http.get(path)).status_code == 404


async def test_one_command_moves_somebody_between_groups_and_one_fact_tells_it(world: World) -> None:
    await world.hr({"employeeId": "E1"})
    await world.until(lambda: world.person("E1"))
    ana = person_id_of("hr", "E1")
    groups = [(await world.http.post("/v1.0/groups", json={"displayName": name})).json()["id"] for name in "ABC"]
    cause = Cause(id="c", correlation="c", actor="system:provisioning")

    def asked(version: int, **members: bool) -> SetMemberships:
        wishes = tuple(
            MembershipWish(id=f"{name}{version}", group_id=id, member=members[name], grant_version=version)
            for name, id in zip("ABC", groups, strict=True)
            if name in members
        )
        return SetMemberships(id=f"c{version}", cause=cause, person_id=ana, wishes=wishes)

    for command in (asked(1, A=True, B=True), asked(2, A=False, C=True), asked(1, A=True, B=True)):
        await world.send(topics.MEMBERSHIP_COMMANDS, ana, command.json_bytes())
    facts = await world.until(lambda: len(found := world.facts("E1", topics.MEMBERSHIP_FACTS)) == 3 and found)
    assert [[one["type"] for one in fact["transitions"]] for fact in facts] == [
        ["MemberAdded", "MembershipObeyed", "MemberAdded", "MembershipObeyed"],
        ["MemberRemoved", "MembershipObeyed", "MemberAdded", "MembershipObeyed"],
        ["MembershipObeyed", "MembershipObeyed"],
    ]
    assert {one["groupId"] for one in facts[-1]["state"]["groups"]} == {groups[1], groups[2]}
    there = (await world.http.get(f"/v1.0/users/{ana}/memberOf", params={"$count": "true"})).json()
    assert ({one["id"] for one in there["value"]}, there["@odata.count"]) == ({groups[1], groups[2]}, 2)
    assert (await world.http.get(f"/v1.0/groups/{groups[0]}/members")).json()["value"] == []


async def test_members_are_paged_by_person_and_nobody_is_skipped_when_somebody_leaves(world: World) -> None:
    numbers = [f"E{n}" for n in range(9)]
    await world.hr(*({"employeeId": number} for number in numbers))
    await world.until(lambda: all(map(world.person, numbers)))
    people = sorted(person_id_of("hr", number) for number in numbers)
    ops, dev = [(await world.http.post("/v1.0/groups", json={"displayName": name})).json()["id"] for name in "AB"]
    for group, some in ((ops, people), (dev, people[::2])):
        for person in reversed(some):
            reference = {"@odata.id": f"https://graph.example/v1.0/directoryObjects/{person}"}
            assert (await world.http.post(f"/v1.0/groups/{group}/members/$ref", json=reference)).status_code == 204
    first = (await world.http.get(f"/v1.0/groups/{ops}/members", params={"$top": "4"})).json()
    assert [one["id"] for one in first["value"]] == people[:4]
    assert (await world.http.delete(f"/v1.0/groups/{ops}/members/{people[0]}/$ref")).status_code == 204
    rest = (await world.http.get(first["@odata.nextLink"])).json()
    assert [one["id"] for one in rest["value"]] == people[4:8]
    skipped = (await world.http.get(f"/v1.0/groups/{ops}/members", params={"$skip": "6", "$top": "1"})).json()
    assert [one["id"] for one in skipped["value"]] == people[7:8], "the first has left"
    wanted = {"$filter": f"id in ('{people[2]}', '{people[3]}')", "$count": "true"}
    chosen = (await world.http.get(f"/v1.0/groups/{dev}/members", params=wanted)).json()
    assert ([one["id"] for one in chosen["value"]], chosen["@odata.count"]) == ([people[2]], 1)
    assert (await world.http.get(f"/v1.0/groups/{ops}/members/$count")).text == "8"

    memberships = world.host.platforms["directory"].database.collection("memberships")
    others = [{"_id": f"{n % 16:x}{n}", "state": {"member_of": [dev]}} for n in range(2000)]
    await memberships.insert_many(others)
    page = {"$and": [members_of(ops), {"_id": {"$gt": people[3]}}]}
    plan = (await memberships.find(page).sort("_id", 1).explain())["queryPlanner"]["winningPlan"]
    stages = []
    while plan:
        stages.append((plan["stage"], plan.get("indexName")))
        plan = plan.get("inputStage")
    assert stages == [("FETCH", None), ("IXSCAN", "state.member_of+_id")], "found in their order"


TWO_SOURCES = "sources: {hr: {}, agency: {employeeIds: false}}\ncorrelate: [mail]\n"


@pytest.mark.parametrize("world", [TWO_SOURCES], indirect=True)
async def test_two_sources_that_say_joined_at_once_make_one_person(world: World) -> None:
    await asyncio.gather(
        *(
            world.hr(
                {"employeeId": f"E{n}", "attributes": {"mail": f"{n}@x.example", "department": "Sales"}},
                {"employeeId": f"A{n}", "source": "agency", "attributes": {"mail": f"{n}@X.example", "city": "Oslo"}},
            )
            for n in range(8)
        )
    )
    people = world.host.services["directory"].stores[0]

    async def identities() -> list[set[str]]:
        return [set(one["identities"]) for one in await people.states({"state.identities": {"$exists": True}})]  # type: ignore[attr-defined]

    async with asyncio.timeout(PATIENCE_S):
        while sorted(map(sorted, await identities())) != [[f"agency:A{n}", f"hr:E{n}"] for n in range(8)]:
            await world.until(lambda: True)
            await asyncio.sleep(0.05)
    found = (await world.http.get("/v1.0/users", params={"$filter": "city eq 'Oslo' and department eq 'Sales'"})).json()
    assert len(found["value"]) == 8

    # Another identity, and what its batch says besides: the keys of the joining are those of all of it.
    said = [("changed", {}), ("joined", {"mail": "0@x.example"}), ("left", {})]
    batch = [
        Heard(
            HrChange.model_validate(
                {"changeId": kind, "employeeId": "A9", "source": "agency", "kind": kind, "effectiveAt": "2020-01-01"}
                | {"attributes": attributes}
            )
        )
        for kind, attributes in said
    ]
    assert len(set(await people.locate(batch))) == 1  # type: ignore[attr-defined]
    assert {one.person_id for one in batch} == {one["id"] for one in found["value"] if one["mail"] == "0@x.example"}


IN_DOUBT = "sources: {hr: {}, agency: {employeeIds: false}}\ncorrelate: [mail, userPrincipalName]\n"


@pytest.mark.parametrize("world", [IN_DOUBT], indirect=True)
async def test_an_identity_in_doubt_waits_until_a_human_says_whose_it_is(world: World) -> None:
    await world.hr(
        {"employeeId": "E1", "attributes": {"mail": "a@x.example"}},
        {"employeeId": "E2", "attributes": {"userPrincipalName": "b@x.example"}},
    )
    await world.until(lambda: world.person("E1", status="active") and world.person("E2", status="active"))
    both = {"mail": "a@x.example", "userPrincipalName": "b@x.example"}
    for id, city in (("A1", "Oslo"), ("A2", "Rome")):
        await world.hr({"employeeId": id, "source": "agency", "attributes": {**both, "city": city}})
    await world.until(lambda: len(world.rejected("ambiguousIdentity")) == 2)
    found = (await world.http.get("/v1.0/tenure/identities", params={"unlinked": "true"})).json()["value"]
    ana, bob = person_id_of("hr", "E1"), person_id_of("hr", "E2")
    assert [(one["source"], one["id"], one["status"]) for one in found] == [
        ("agency", "A1", "waiting"), ("agency", "A2", "waiting")
    ]  # fmt: skip
    assert found[0]["candidates"] == [
        {"personId": ana, "rules": ["mail"]}, {"personId": bob, "rules": ["userPrincipalName"]}
    ]  # fmt: skip
    assert len((await world.http.get("/v1.0/tenure/identities")).json()["value"]) == 4

    link = {"source": "agency", "id": "A1", "personId": ana}
    for _ in range(2):
        assert (await world.http.post("/v1.0/tenure/identities:link", json=link)).status_code == 200
    state = await world.until(lambda: (one := world.person("E1")) and "city" in one["attributes"] and one)
    assert state["attributes"]["city"] == "Oslo"
    assert {(one["source"], one["id"]) for one in state["identities"]} == {("hr", "E1"), ("agency", "A1")}
    assert world.rejected("userPrincipalNameTaken"), "the name of the other is not taken over by linking"
    await world.hr({"employeeId": "A1", "source": "agency", "changeId": "c", "attributes": {"city": "Bern"}})
    await world.until(lambda: world.person("E1")["attributes"]["city"] == "Bern")

    apart = {"source": "agency", "id": "A2"}
    answer = await world.http.post("/v1.0/tenure/identities:keepApart", json=apart)
    assert (answer.status_code, answer.json()["status"]) == (200, "active")
    assert "userPrincipalName" not in answer.json()["attributes"]
    assert (await world.http.post("/v1.0/tenure/identities:keepApart", json=apart)).status_code == 200
    assert (await world.http.get("/v1.0/tenure/identities", params={"unlinked": "true"})).json()["value"] == []
    assert (await world.http.post("/v1.0/tenure/identities:link", json={**link, "id": "A2"})).status_code == 409
    assert (await world.http.post("/v1.0/tenure/identities:link", json={**link, "id": "A9"})).status_code == 404


async def test_who_was_held_back_by_a_dead_letter_is_looked_at_again(world: World) -> None:
    await world.hr({"employeeId": "E1"})
    await world.until(lambda: world.person("E1"))
    people, ana = world.host.services["directory"].loops[0].store, person_id_of("hr", "E1")
    later = world.clock.now() + timedelta(hours=1)
    for id in (ana, "nobody-yet"):
        await people.mark_dead_letter(id, "letter")
    assert await people.due(later, 10) == []
    await people.clear_dead_letter(None, "letter", later)
    assert await people.due(later, 10) == [(ana, later)], "and of whom nothing is known, nothing is due"


async def test_users_are_written_over_http(world: World) -> None:
    body = {
        "accountEnabled": True, "displayName": "Ana", "mailNickname": "ana", "userPrincipalName": "ana@x.example",
        "department": "IT", "userType": "Guest", "passwordProfile": {"password": "not kept 1"},
    }  # fmt: skip
    made = await world.http.post("/v1.0/users", json=body)
    assert made.status_code == 201
    ana = made.json()["id"]
    assert (made.json()["userType"], made.json()["mobilePhone"]) == ("Guest", None)
    asked = "accountEnabled,ageGroup,createdDateTime,identities,userType"
    whole = (await world.http.get(f"/v1.0/users/{ana}?$select={asked}")).json()
    created = whole.pop("createdDateTime")
    by_name = {"signInType": "userPrincipalName", "issuer": "x.example", "issuerAssignedId": "ana@x.example"}
    expected = {"accountEnabled": True, "ageGroup": None, "identities": [by_name], "userType": "Guest"}
    assert {name: value for name, value in whole.items() if "@" not in name} == expected
    for condition, many in ((f"createdDateTime le {created}", 1), (f"createdDateTime gt {created}", 0)):
        found = await world.http.get("/v1.0/users", params={"$filter": f"id eq '{ana}' and {condition}"})
        assert len(found.json()["value"]) == many, condition
    taken = await world.http.post("/v1.0/users", json=body)
    assert (taken.status_code, taken.json()["error"]["code"]) == (400, "Request_BadRequest")
    assert (await world.http.post("/v1.0/users", json={**body, "userPrincipalName": "no name"})).status_code == 400
    read = (await world.http.get(f"/v1.0/users/{ana}")).headers["ETag"]
    for status in (204, 412):  # the second one has read a version that has passed
        sales = await world.http.patch(
            f"/v1.0/users/{ana}", json={"department": f"Sales {status}"}, headers={"If-Match": read}
        )
        assert sales.status_code == status
    unknown = await world.http.patch(f"/v1.0/users/{ana}", json={"departmnt": "IT"})
    assert (unknown.status_code, "departmnt" in unknown.text) == (400, True)

    eva = (await world.http.post("/v1.0/users", json={**body, "userPrincipalName": "eva@x.example"})).json()["id"]
    manager = f"/v1.0/users/{ana}/manager"
    reference = {"@odata.id": f"https://graph.example/v1.0/users/{eva}"}
    assert (await world.http.put(f"{manager}/$ref", json=reference)).status_code == 204
    assert (await world.http.get(manager)).json()["id"] == eva
    facts = await world.until(lambda: [one for one in world.said if one[1].get("version") == 3])
    assert "not kept 1" not in str(world.said)
    assert facts[0][1]["state"]["managerId"] == eva
    assert (await world.http.delete(f"{manager}/$ref")).status_code == 204
    assert (await world.http.get(manager)).status_code == 404

    group = (await world.http.post("/v1.0/groups", json={"displayName": "Hosts"})).json()["id"]
    sponsors = f"/v1.0/users/{ana}/sponsors"
    for path in (f"users/{eva}", f"groups/{group}"):
        reference = {"@odata.id": f"https://graph.example/v1.0/{path}"}
        assert (await world.http.post(f"{sponsors}/$ref", json=reference)).status_code == 204
    assert (await world.http.post(f"{sponsors}/$ref", json=reference)).status_code == 400, "it is one already"
    found = (await world.http.get(sponsors)).json()["value"]
    assert [(one["@odata.type"], one["id"]) for one in found] == [
        ("#microsoft.graph.user", eva), ("#microsoft.graph.group", group)
    ]  # fmt: skip
    assert "sponsors" not in (await world.http.get(f"/v1.0/users/{ana}")).json(), "in Graph it is a relation"
    assert (await world.http.delete(f"{sponsors}/{eva}/$ref")).status_code == 204
    assert (await world.http.delete(f"{sponsors}/{eva}/$ref")).status_code == 404
    await world.until(lambda: [one for one in world.said if one[1].get("version") == 7])
    told = [fact["state"]["attributes"].get("sponsors") for _, fact in world.said if fact["subject"] == ana]
    assert told[-3:] == [[eva], [eva, group], [group]], "approvals and reviews hear of it in the person"

    ordinary = {"Tenure-Actor": f"person:{ana}"}
    own = await world.http.patch(f"/v1.0/users/{ana}", json={"department": "Board"}, headers=ordinary)
    assert own.status_code == 403, "nobody writes about themself what rules read"


async def test_whoever_signs_in_elsewhere_is_made_by_that_identity_and_found_by_it(world: World) -> None:
    elsewhere = {"signInType": "emailAddress", "issuer": "partner.example", "issuerAssignedId": "gus@post.example"}
    made = await world.http.post("/v1.0/users", json={"displayName": "Gus", "identities": [elsewhere]})
    assert made.status_code == 201, made.text
    assert made.json()["identities"] == [elsewhere]
    name = made.json()["userPrincipalName"]
    assert name.endswith("@partner.example")
    where = "identities/any(one:one/issuerAssignedId eq 'gus@post.example' and one/issuer eq 'partner.example')"
    found = (await world.http.get("/v1.0/users", params={"$filter": where, "$select": "id,identities"})).json()["value"]
    by_name = {"signInType": "userPrincipalName", "issuer": "partner.example", "issuerAssignedId": name}
    assert [(one["id"], one["identities"]) for one in found] == [(made.json()["id"], [elsewhere, by_name])]
    refused = await world.http.post("/v1.0/users", json={"displayName": "Gus", "identities": [{"issuer": 5}]})
    assert refused.status_code == 400, refused.text


async def test_sign_ins_are_kept_by_themselves_and_shown_to_who_may_see_them(world: World) -> None:
    name = {"displayName": "Ana", "userPrincipalName": "ana@x.example"}
    await world.hr({"employeeId": "E1", "attributes": name})
    await world.until(lambda: world.person("E1"))
    ana = person_id_of("hr", "E1")

    async def reported(**said: str) -> None:
        await world.send(topics.SIGN_INS, "E1", orjson.dumps(said))

    await reported(employeeId="E1", at="2026-02-01T08:00:00Z")
    await reported(userPrincipalName="ANA@x.example", at="2026-02-27T08:00:00Z", appId="App-1")
    await reported(employeeId="e1", at="2026-02-27T08:10:00Z")
    await reported(employeeId="E9", at="2026-02-27")
    await reported(employeeId="E1", at="2027-02-27")
    await reported(employeeId="E1")
    facts = await world.until(lambda: len(found := world.facts("E1", topics.SIGN_IN_FACTS)) == 2 and found)
    assert facts[-1]["state"]["lastAt"] == "2026-02-27T08:00:00Z"
    assert [one["appId"] for one in facts[-1]["state"]["apps"]] == ["app-1"]
    for code in ("unknownPerson", "inFuture", "atMissing"):
        (answer,) = await world.until(lambda code=code: world.rejected(code))  # type: ignore[misc]
        assert answer["topic"] == "hr.sign-ins", "so that it can be sent again where it came by"
    assert len(world.facts("E1")) == 1, "it says nothing new of the person"

    shown = {"$select": "id,signInActivity"}
    user = (await world.http.get(f"/v1.0/users/{ana}", params=shown)).json()
    assert user["signInActivity"]["lastSignInDateTime"] == "2026-02-27T08:00:00Z"
    assert "signInActivity" not in (await world.http.get(f"/v1.0/users/{ana}")).json()
    ordinary = {"Tenure-Actor": f"person:{ana}"}
    assert (await world.http.get("/v1.0/users", params=shown, headers=ordinary)).status_code == 403

    signed = {"employeeId": "E1", "at": "2026-03-01T08:00:00Z"}
    path = "/v1.0/tenure/signIns"
    assert (await world.http.post(path, json=signed)).json() == {"accepted": 1, "refused": []}
    several = {"value": [{**signed, "appId": "crm"}, {**signed, "employeeId": "E9"}, {**signed, "at": "2026-03-09"}]}
    answer = (await world.http.post(path, json=several)).json()
    refused = [(one["index"], one["error"]["code"]) for one in answer["refused"]]
    assert (answer["accepted"], refused) == (1, [(1, "unknownPerson"), (2, "inFuture")])
    alone = await world.http.post(path, json={**signed, "employeeId": "E9"})
    assert (alone.status_code, alone.json()["error"]["code"]) == (400, "unknownPerson")
    for unfit in ({"at": "2026-03-01"}, {**signed, "app": "crm"}, {"value": []}, [signed]):
        assert (await world.http.post(path, json=unfit)).status_code == 400, unfit
    assert (await world.http.post(path, json=signed, headers=ordinary)).status_code == 403
    listed = (await world.http.get("/v1.0/users", params=shown)).json()["value"]
    assert listed[0]["signInActivity"]["lastSignInDateTime"] == "2026-03-01T08:00:00Z"
    assert listed[0]["id"], "whose activity it is is said, selected or not"
    await world.until(lambda: len(world.facts("E1", topics.SIGN_IN_FACTS)) == 4)


async def user_made(world: World, name: str) -> str:
    body = {
        "accountEnabled": True, "displayName": name, "mailNickname": name, "userPrincipalName": f"{name}@x.example",
        "passwordProfile": {"password": "once"},
    }  # fmt: skip
    return str((await world.http.post("/v1.0/users", json=body)).json()["id"])


async def test_who_is_deleted_is_in_no_list_of_members_or_owners_until_restored(world: World) -> None:
    ana, bob = [await user_made(world, name) for name in ("Ann", "Ben")]
    group = (await world.http.post("/v1.0/groups", json={"displayName": "Crew"})).json()["id"]
    for path in ("members", "owners"):
        for one in (ana, bob):
            reference = {"@odata.id": f"https://graph.example/v1.0/directoryObjects/{one}"}
            added = await world.http.post(f"/v1.0/groups/{group}/{path}/$ref", json=reference)
            assert added.status_code == 204, added.text

    async def shown() -> list[list[str]]:
        paths = ("members", "members?$orderby=displayName", "transitiveMembers/microsoft.graph.user", "owners")
        lists = [(await world.http.get(f"/v1.0/groups/{group}/{path}")).json()["value"] for path in paths]
        count = (await world.http.get(f"/v1.0/groups/{group}/members/$count")).text
        return [[count], *(sorted(one["id"] for one in listed) for listed in lists)]

    assert await shown() == [["2"], *[sorted((ana, bob))] * 4]
    assert (await world.http.delete(f"/v1.0/users/{ana}")).status_code == 204
    assert await shown() == [["1"], *[[bob]] * 4]
    assert (await world.http.post(f"/v1.0/directory/deletedItems/{ana}/restore")).status_code == 200
    assert (await shown())[0] == ["2"]


async def test_a_group_as_graph_shows_it_and_whom_it_has(world: World) -> None:
    ana, bob, eva = [await user_made(world, name) for name in ("Ana", "Bob", "Eva")]
    members = {"members@odata.bind": [f"https://graph.example/v1.0/directoryObjects/{id}" for id in (ana, bob)]}
    body = {
        "displayName": "Ops", "groupTypes": ["Unified"], "mailEnabled": True, "preferredDataLocation": "EU",
        "resourceBehaviorOptions": ["WelcomeEmailDisabled"],
    }  # fmt: skip
    made = (await world.http.post("/v1.0/groups", json={**body, **members})).json()
    assert (made["visibility"], made["preferredDataLocation"], made["proxyAddresses"]) == ("Public", "EU", [])
    assert (made["resourceBehaviorOptions"], made["assignedLabels"]) == (["WelcomeEmailDisabled"], [])
    group = f"/v1.0/groups/{made['id']}"
    labelled = await world.http.patch(group, json={"assignedLabels": [{"labelId": "secret"}]})
    assert labelled.status_code == 204, labelled.text
    labels = (await world.http.get(group, params={"$select": "assignedLabels"})).json()["assignedLabels"]
    assert labels == [{"labelId": "secret", "displayName": None}]
    mailbox = (await world.http.get(group, params={"$select": "unseenCount"})).json()
    assert (mailbox["unseenCount"], "displayName" in mailbox) == (0, False)

    assert (await world.http.patch(group, json={"groupTypes": ["Unified"], "theme": "Teal"})).status_code == 204
    fixed = await world.http.patch(group, json={"groupTypes": []})
    assert (fixed.status_code, fixed.json()["error"]["code"]) == (400, "Request_BadRequest")
    bind = {"members@odata.bind": [f"https://graph.example/v1.0/users/{eva}"]}
    assert (await world.http.patch(group, json=bind)).status_code == 204

    async def names(**options: str) -> list[str]:
        path = f"{group}/transitiveMembers/microsoft.graph.user"
        return [one["displayName"] for one in (await world.http.get(path, params=options)).json()["value"]]

    assert await names(**{"$orderby": "displayName desc", "$top": "2"}) == ["Eva", "Bob"]
    assert await names(**{"$search": '"displayName:bo"'}) == ["Bob"]
    assert sorted(await names()) == ["Ana", "Bob", "Eva"]

    async def asked(path: str, **body: Any) -> Any:
        answer = await world.http.post(f"/v1.0/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]

    other = (await world.http.post("/v1.0/groups", json={"displayName": "Dev", "securityEnabled": False})).json()["id"]
    assert await asked(f"users/{ana}/checkMemberGroups", groupIds=[other, made["id"]]) == [made["id"]]
    assert await asked(f"directoryObjects/{ana}/getMemberGroups", securityEnabledOnly=False) == [made["id"]]
    assert await asked(f"directoryObjects/{ana}/checkMemberObjects", ids=[other, made["id"]]) == [made["id"]]
    both = await asked("directoryObjects/getByIds", ids=[ana, other, "nobody"])
    assert [one["@odata.type"] for one in both] == ["#microsoft.graph.user", "#microsoft.graph.group"]
    assert [one["id"] for one in await asked("directoryObjects/getByIds", ids=[ana, other], types=["group"])] == [other]
    assert (await world.http.delete(f"/v1.0/directoryObjects/{ana}")).status_code == 403
    assert (await world.http.delete(f"/v1.0/directoryObjects/{other}")).status_code == 204
    assert (await world.http.get(f"/v1.0/directoryObjects/{other}")).status_code == 404


async def test_managers_are_shown_level_by_level_even_in_a_circle(world: World) -> None:
    await world.hr(
        {"employeeId": "E1", "attributes": {"managerEmployeeId": "E2"}},
        {"employeeId": "E2", "attributes": {"managerEmployeeId": "E3"}},
        {"employeeId": "E3", "attributes": {"managerEmployeeId": "E1"}},
    )
    first, second, third = (person_id_of("hr", one) for one in ("E1", "E2", "E3"))
    await world.until(
        lambda: all(world.person(one) and world.person(one).get("managerId") for one in ("E1", "E2", "E3"))
    )
    shown = (await world.http.get(f"/v1.0/users/{first}", params={"$expand": "manager($levels=2;$select=id)"})).json()
    assert shown["manager"]["id"] == second
    assert shown["manager"]["manager"]["id"] == third
    assert "manager" not in shown["manager"]["manager"]
    path = {"$expand": "manager($levels=max;$select=id)", "$filter": "employeeId eq 'E1'"}
    assert (await world.http.get("/v1.0/users", params=path)).status_code == 200
    reports = (await world.http.get(f"/v1.0/users/{first}", params={"$expand": "directReports($select=id)"})).json()
    assert [one["id"] for one in reports["directReports"]] == [third]


async def test_a_manager_who_has_none_is_shown_so_where_theirs_is_asked_for(world: World) -> None:
    await world.hr(
        {"employeeId": "M1", "attributes": {"managerEmployeeId": "M2"}}, {"employeeId": "M2", "attributes": {}}
    )
    first, second = (person_id_of("hr", one) for one in ("M1", "M2"))
    await world.until(lambda: world.person("M1") and world.person("M1").get("managerId"))
    expand = {"$expand": "manager($select=id;$expand=manager($select=id))"}
    shown = (await world.http.get(f"/v1.0/users/{first}", params=expand)).json()
    assert (shown["manager"]["id"], shown["manager"]["manager"]) == (second, None)
    assert "manager" not in (await world.http.get(f"/v1.0/users/{second}", params=expand)).json()
