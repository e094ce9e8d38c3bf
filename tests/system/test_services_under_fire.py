"""All services as processes of their own, killed, stopped, multiplied and robbed of their servers; the ledger holds.

One run and one company for the whole module, fed in portions: each test plays on from where the one before it left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
import pytest_asyncio

from deploy.run.registry import NAMES
from shared.contracts import topics
from tests.system.commands import tenure
from tests.system.fire import ledger
from tests.system.fire.asking import Asking
from tests.system.fire.ground import PROBE, Ground, ground_in, until

pytestmark = pytest.mark.timeout(300)
POINTS = ("before-write", "after-write", "after-publish", "before-commit")
AT_PASS = {"before-write": 1, "after-write": 2, "after-publish": 1, "before-commit": 2}
FIRE_S = 130.0

EFFECTS = {
    # What shows it: a topic that grows (or the mails); by whom; and who has to be up for it, if Kafka and the
    # catalog's or the directory's word are there. The two causes, a move and a turned rule, come by either of those.
    "a person has changed": (topics.PERSON_FACTS, {"directory"}),
    "a policy has changed": (topics.POLICY_FACTS, {"catalog"}),
    "a holding has changed": (topics.HOLDING_FACTS, {"assignment"}),
    "a membership is asked for": (topics.MEMBERSHIP_COMMANDS, {"assignment", "provisioning"}),
    "a membership has changed": (topics.MEMBERSHIP_FACTS, {"assignment", "provisioning", "directory"}),
    "a delivery has got on": (topics.DELIVERY_FACTS, {"assignment", "provisioning", "directory"}),
    "somebody was told": (topics.NOTIFICATIONS, {"assignment", "notification"}),
    "the trail has grown": (topics.TRAIL_HEADS, {"audit"}),
}
OWN_PATHS = {
    "directory": "/v1.0/users",
    "catalog": "/v1.0/identityGovernance/entitlementManagement/accessPackages",
    "request": "/v1.0/identityGovernance/entitlementManagement/assignmentRequests",
    "approval": "/v1.0/identityGovernance/entitlementManagement/accessPackageAssignmentApprovals/nobodys",
    "assignment": "/v1.0/identityGovernance/entitlementManagement/assignments",
    "provisioning": "/v1.0/tenure/reconciliation",
    "notification": "/v1.0/tenure/notifications/summary",
    "audit": "/v1.0/tenure/audit/key",
}
REPLICATED = {"assignment": topics.PERSON_FACTS.name, "directory": topics.HR_CHANGES.name}
POISON = (b"", b"\xff\xfe no JSON", b"[1, 2, 3]", b'{"changeId": "x", "employeeId": "1", "kind": "promoted"}')


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def the_ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """Everything up, with the movers there."""
    async with ground_in(tmp_path_factory.mktemp("fire")) as found:
        await found.move(24)
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def ground(the_ground: Ground) -> Ground:
    """With all services up, whatever became of the test before."""
    await the_ground.restore()
    return the_ground


def figure(capsys: pytest.CaptureFixture[str], *lines: str) -> None:
    """For whoever reads the run's output."""
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")


# Killed between any two steps


async def test_every_service_dies_at_every_point_and_the_ledger_holds(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    await ground.settled()
    fired: dict[tuple[str, str], int] = {(name, point): 0 for name in NAMES for point in POINTS}
    began = time.monotonic()

    async def under_fire(name: str) -> None:
        for point in POINTS:
            await ground.services[name].stop()
            doomed = ground.start(name, f"{name}:{point}:{AT_PASS[point]}")
            while (code := await doomed.ended(FIRE_S - (time.monotonic() - began))) != 137:
                raise AssertionError(f"{name} ended with {code} instead of dying {point}: {doomed.said()}")
            assert f"failpoint {point} in {name}" in doomed.said()
            fired[name, point] += 1
        ground.start(name)

    feeding = asyncio.create_task(_keep_moving(ground, await Asking.begun(ground, "Asked for under fire")))
    portion = asyncio.create_task(ground.feed_portion(rate=3))
    try:
        results = await asyncio.gather(*(under_fire(name) for name in NAMES), return_exceptions=True)
    finally:
        feeding.cancel()
        await asyncio.wait({feeding, portion})
        figure(
            capsys,
            f"{'fired':<14}" + "".join(f"{point:>15}" for point in POINTS),
            *(f"{name:<14}" + "".join(f"{fired[name, point]:>15}" for point in POINTS) for name in NAMES),
            f"in {time.monotonic() - began:.0f} s",
        )
    wrong = [result for result in results if isinstance(result, BaseException)]
    assert not wrong, wrong
    assert all(fired.values()), fired
    await ground.ready()
    await ground.apply()
    balance = await ledger.holds(ground)
    figure(capsys, f"{balance} after {time.monotonic() - began:.0f} s")
    assert balance.repeated > 0, "somebody died after publishing"


async def _keep_moving(ground: Ground, asking: Asking | None = None) -> None:
    """There is something to do for each service, always: people move and ask, and the catalog is edited."""
    package = (await _ids_when_up(ground))[PROBE]
    number = 0
    async with ground.client() as client:
        while True:
            number += 1
            await ground.move(2)
            await ground.describe(client, package, f"Edited {number} times.")
            if asking:
                await asking.once(client)
            await asyncio.sleep(0.3)


async def _ids_when_up(ground: Ground) -> dict[str, str]:
    while True:
        with contextlib.suppress(Exception):
            return await ground.ids(OWN_PATHS["catalog"])
        await asyncio.sleep(0.2)


# Stopped, one after another


@pytest.mark.parametrize("name", NAMES)
async def test_without_one_service_nothing_of_its_part_happens_and_all_else_does_and_later_all_of_it(
    ground: Ground, name: str
) -> None:
    await ground.settled()
    policy = await _probe_policy(ground)
    await ground.services[name].stop()
    watched = {what: topic.name for what, (topic, _) in EFFECTS.items()}
    before = await ledger.counted(ground.settings, *watched.values())
    mails = await _mails(ground)
    blocked = {what for what, (_, needs) in EFFECTS.items() if name in needs}

    await ground.move(2)
    turned = await _turn_rule(ground, policy)
    assert turned == (name != "catalog")

    async def happened() -> set[str]:
        now = await ledger.counted(ground.settings, *watched.values())
        return {what for what, topic in watched.items() if now[topic] > before[topic]}

    async def all_else() -> bool:
        return await happened() >= set(EFFECTS) - blocked

    await until(all_else, lambda: f"without {name} all else goes on")
    await ground.settled(without=[name])
    assert await happened() == set(EFFECTS) - blocked
    assert (await _mails(ground) > mails) == ("somebody was told" not in blocked)
    async with ground.client() as client:
        for other, path in OWN_PATHS.items():
            assert ((await client.get(path)).status_code == 503) == (other == name), other

    ground.start(name)
    await ground.ready(name)
    if not turned:
        assert await _turn_rule(ground, policy)

    async def everything() -> bool:
        return await happened() == set(EFFECTS)

    await until(everything, f"with {name} back all of it happens")
    await ledger.holds(ground)


async def _probe_policy(ground: Ground) -> str:
    return (await ground.ids("/v1.0/identityGovernance/entitlementManagement/assignmentPolicies"))[f"{PROBE}, by rule"]


async def _turn_rule(ground: Ground, policy: str) -> bool:
    """Whether catalog took it."""
    path = f"/v1.0/identityGovernance/entitlementManagement/assignmentPolicies/{policy}"
    async with ground.client() as client:
        found = await client.get(path)
        if found.status_code == 503:
            return False
        city = ground.other_city
        body = {
            "displayName": found.json()["displayName"],
            "accessPackage": {"id": (await ground.ids(OWN_PATHS["catalog"]))[PROBE]},
            "description": found.json().get("description") or "",
            "allowedTargetScope": "specificDirectoryUsers",
            "specificAllowedTargets": [
                {"@odata.type": "#microsoft.graph.attributeRuleMembers", "membershipRule": f'(user.city -eq "{city}")'}
            ],
            "automaticRequestSettings": found.json()["automaticRequestSettings"],
        }
        answer = await client.put(path, json=body)
        assert answer.is_success, answer.text
        ground.rule_city = city
        return True


async def _mails(ground: Ground) -> int:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        return int((await client.get(f"{ground.mail}/status")).json()["mails"])


# One replica, three, one


async def test_replicas_come_and_go_under_load_and_the_ledger_holds(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    feeding = asyncio.create_task(_keep_moving(ground))
    portion = asyncio.create_task(ground.feed_portion(rate=4))
    try:
        first = {name: ground.url(name) for name in REPLICATED}
        more = {name: [ground.start_another(name) for _ in range(2)] for name in REPLICATED}
        for name, topic in REPLICATED.items():
            urls = [first[name]] + [await until(one.url, f"another {name} is ready") for one in more[name]]
            before = [await ledger.taken(url, name, topic) for url in urls[:1]] + [0, 0]
            for url, count in zip(urls, before, strict=True):
                await until(partial(_took_more, url, name, topic, count), f"each of three {name} has its share")
        for name in REPLICATED:
            await more[name][0].kill()
            assert await more[name][1].stop() == 0, more[name][1].said()
        moved = ground.movers.said
        await until(partial(_moved_on, ground, moved + 12), "people move on")
    finally:
        feeding.cancel()
        await asyncio.wait({feeding, portion})
    figure(capsys, f"{await ledger.holds(ground)}")


async def _took_more(url: str, name: str, topic: str, before: int) -> bool:
    return await ledger.taken(url, name, topic) > before


async def _moved_on(ground: Ground, number: int) -> bool:
    return ground.movers.said >= number


# Servers killed, poison between


async def test_servers_die_and_poison_comes_between_and_the_ledger_holds(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ground.settings
    rejected, letters = topics.HR_REJECTED.name, "provisioning.assignment.holdings.dead-letters"
    before = await ledger.counted(settings, rejected, letters)
    feeding = asyncio.create_task(_keep_moving(ground))
    portion = asyncio.create_task(ground.feed_portion(rate=4))
    try:
        producer = await ground.producer()
        for garbage in POISON:
            await producer.send_and_wait(topics.HR_CHANGES.name, garbage, key=b"10001")
            await producer.send_and_wait(topics.HOLDING_FACTS.name, garbage, key=b"nobody")
        for server in ("kafka.Kafka", "mongod"):
            began = time.monotonic()
            old = ground.kill_server(server)
            await until(partial(_is_back, ground, server, old), f"{server} is back")
            moved = ground.movers.said
            await until(partial(_moved_on, ground, moved + 4), f"people move after {server}'s death")
            figure(capsys, f"{server} was killed, and people move again after {time.monotonic() - began:.1f} s")
    finally:
        feeding.cancel()
        await asyncio.wait({feeding, portion})
    await ground.ready()
    await ledger.holds(ground)

    now = await ledger.counted(settings, rejected, letters)
    assert now[rejected] - before[rejected] >= len(POISON)
    assert now[letters] - before[letters] >= len(POISON)
    listed = tenure("dead-letters", "list", "--json", "--data-dir", str(ground.data_dir))
    by_group = [one["group"] for one in json.loads(listed.stdout)]
    assert by_group.count("provisioning.assignment.holdings") == len(POISON)
    assert by_group.count("notification.assignment.holdings") == len(POISON)
    assert set(by_group) == {"provisioning.assignment.holdings", "notification.assignment.holdings"}


async def _is_back(ground: Ground, server: str, old: int) -> bool:
    with contextlib.suppress(AssertionError):
        return ground.server(server) != old
    return False
