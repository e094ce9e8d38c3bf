"""All services as processes of their own, killed, multiplied and robbed of their servers; the ledger holds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from functools import partial

import pytest

from deploy.run.registry import NAMES
from shared.contracts import topics
from tests.system.commands import tenure
from tests.system.fire import ledger
from tests.system.fire.asking import Asking
from tests.system.fire.ground import PACKAGES, PROBE, Ground, until

pytestmark = pytest.mark.timeout(480)
POINTS = ("before-write", "after-write", "after-publish", "before-commit")
AT_PASS = {"before-write": 1, "after-write": 2, "after-publish": 1, "before-commit": 2}
FIRE_S = 200.0

REPLICATED = {"assignment": topics.PERSON_FACTS.name, "directory": topics.HR_CHANGES.name}
POISON = (b"", b"\xff\xfe no JSON", b"[1, 2, 3]", b'{"changeId": "x", "employeeId": "1", "kind": "promoted"}')


def figure(capsys: pytest.CaptureFixture[str], *lines: str) -> None:
    """For whoever reads the run's output."""
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")


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
            return await ground.ids(PACKAGES)
        await asyncio.sleep(0.2)


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
