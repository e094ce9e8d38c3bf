"""The process dies between any two steps, by message, command, timer and replica, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from deploy.embedded import Servers
from tests.system.messaging.world import Nursery, Toy, World, figure, until, world_of

POINTS = ("before-write", "after-write", "after-publish", "before-commit")
PATHS = {"message": "toy:{}", "command": "toy:{}", "timer": "toy:{}:2", "replica": "mirror:{}"}
# A command and a timer have no offset to commit, a replica publishes nothing.
NONE = {("command", "before-commit"), ("timer", "before-commit"), ("replica", "after-publish")}
CASES = [(path, point) for path in PATHS for point in POINTS if (path, point) not in NONE]
fired: dict[tuple[str, str], int] = {}

Runs = Mapping[tuple[str, str], "asyncio.Task[None]"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def runs(servers: Servers, home: Nursery) -> AsyncIterator[Runs]:
    """All cases, several at a time: most of each is waiting for the place of the dead."""
    several = asyncio.Semaphore(5)

    async def run(path: str, point: str) -> None:
        async with several, world_of(servers, home) as around:
            await dies_and_comes_back(around, path, point)

    tasks = {case: asyncio.create_task(run(*case)) for case in CASES}
    yield tasks
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def provoke(around: World, toy: Toy, path: str) -> None:
    if path == "command":
        await around.command(toy, "p1", "c1")
    elif path == "timer":
        await around.send("p1", ring=0)
    else:
        await around.load(30, people=5)


async def dies_and_comes_back(around: World, path: str, point: str) -> None:
    spec = PATHS[path].format(point)
    doomed = await around.ready_toy(failpoint=spec)
    await provoke(around, doomed, path)
    await around.flush()

    assert await doomed.ended() == 137
    assert f"failpoint {point} in {spec.split(':')[0]}" in doomed.said()
    fired[path, point] = fired.get((path, point), 0) + 1

    again = await around.toy()
    if path == "command":  # whoever got no answer asks again
        await until(again.ready, "the toy is back")
        assert (await around.command(again, "p1", "c1"))["version"] == 1
    await around.holds()
    assert await again.stop() == 0


@pytest.mark.parametrize(("path", "point"), CASES)
async def test_death_at_a_point(runs: Runs, path: str, point: str) -> None:
    await runs[path, point]


def test_every_point_fired(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        figure(f"{'failpoint':<16}" + "".join(f"{path:>9}" for path in PATHS))
        for point in POINTS:
            counts = ["-" if (path, point) in NONE else fired.get((path, point), 0) for path in PATHS]
            figure(f"{point:<16}" + "".join(f"{count:>9}" for count in counts))
    assert all(fired.get(case) for case in CASES)


async def test_what_a_command_wrote_before_its_death_is_published_by_the_sweeper(around: World) -> None:
    doomed = await around.ready_toy(failpoint="toy:after-write")
    await around.command(doomed, "p1", "c1")
    assert await doomed.ended() == 137

    await around.toy()

    async def said() -> bool:
        return len(await around.records("directory.people")) > 0

    await until(said, "nobody asks again, and the fact is published", 8)
    await around.holds()


async def test_what_a_command_published_is_not_published_again_after_a_stop(around: World) -> None:
    toy = await around.ready_toy()
    await around.command(toy, "p1", "c1")
    assert await toy.stop() == 0

    assert [id for id, found in (await around.documents()).items() if "pending" in found] == []
