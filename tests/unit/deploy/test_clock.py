"""A run's clock: put forward only, followed by every process, from date to date, each once all is quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends

from deploy.cli.endpoints import CannotStart
from deploy.run.clock import FILE, LOOK_EVERY_S, MOST_STEPS, PATH, RunClock, Traveller, clock_router, unrest
from shared.clock import SystemClock
from shared.web.app import make_app
from shared.web.graph_model import graph_time
from shared.web.guard import Guard

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SOON = timedelta(seconds=5)
QUIET: dict[str, Any] = {"running": True, "lag": {"t": 0}, "pendingOutbox": 0, "underWay": 0, "nextDue": None}


class World:
    """A run with dates ahead of it, in order; each is done at the first look after it has come. Remembers when."""

    def __init__(self, clock: RunClock, *dates: datetime) -> None:
        self.clock, self.dates, self.done = clock, list(dates), [datetime.min.replace(tzinfo=UTC)]

    async def look(self, _token: str | None) -> dict[str, Any]:
        first = min(self.dates, default=None)
        said = {"services": {"assignment": {**QUIET, "nextDue": graph_time(first) if first else None}}}
        now = self.clock.now()
        come = [one for one in self.dates if one <= now]
        self.dates = self.dates[len(come) :]
        self.done += [now] * len(come)
        return said


async def test_it_stops_at_every_date_on_the_way_and_nowhere_else(tmp_path: Path) -> None:
    clock = RunClock(tmp_path)
    start = clock.now()
    days = [start + timedelta(days=n) for n in (3, 17, 29, 40)]
    world = World(clock, *days)
    stops = await Traveller(clock, world.look).travel(start + timedelta(days=31), None)
    assert stops == [*days[:3], start + timedelta(days=31)]
    for day, done in zip(days, world.done[1:], strict=False):
        assert timedelta() <= done - day < SOON
    assert world.dates == days[3:]


async def test_dates_close_together_are_passed_in_steps_of_a_fair_size(tmp_path: Path) -> None:
    clock = RunClock(tmp_path)
    start = clock.now()
    world = World(clock, *(start + timedelta(minutes=n) for n in range(1, 2000)))
    stops = await Traveller(clock, world.look).travel(start + timedelta(days=31), None)
    assert len(stops) < MOST_STEPS / 10
    assert world.dates == []


def test_every_process_of_a_run_follows_it_and_a_restart_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = RunClock(tmp_path), RunClock(tmp_path, timedelta(days=1))
    one.put_forward(one.now() + timedelta(days=10))
    monkeypatch.setattr("deploy.run.clock.time.monotonic", lambda: LOOK_EVERY_S * 1e9)
    for clock, days in ((one, 10), (other, 11), (RunClock(tmp_path), 10)):
        assert abs(clock.now() - SystemClock().now() - timedelta(days=days)) < SOON
    one.put_forward(one.now() - timedelta(days=1))
    assert one.ahead > timedelta(days=9), "it does not go back"
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(CannotStart, match="delete it"):
        RunClock(tmp_path)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"lag": {"t": 2}}, "2 messages behind"),
        ({"pendingOutbox": 1}, "1 facts to publish"),
        ({"underWay": 3}, "3 messages to send"),
        ({"nextDue": graph_time(NOW)}, "timers that are due"),
        ({"nextDue": graph_time(NOW + SOON)}, None),
        ({"running": False, "lag": {"t": 2}}, None),
    ],
)
def test_what_is_under_way_is_said(service: dict[str, Any], words: str | None) -> None:
    found = unrest({"services": {"x": QUIET | service}}, NOW)
    assert [words in one for one in found] == [True] if words else found == []


def app(clock: RunClock, own: RunClock | None) -> httpx.AsyncClient:
    routes = APIRouter(dependencies=[Depends(Guard())])
    routes.include_router(clock_router(clock, World(clock).look, own))
    transport = httpx.ASGITransport(make_app("t", [routes]), client=("127.0.0.1", 5))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")


AHEAD = {"by": "P1D"}


@pytest.mark.parametrize(
    ("body", "headers", "embedded", "status"),
    [
        (AHEAD, {}, True, 200),
        (AHEAD, {}, False, 403),
        (AHEAD, {"Tenure-Actor": "person:ana"}, True, 403),
        (AHEAD, {"Tenure-Actor": "person:ana", "Tenure-Roles": "Global Administrator"}, True, 200),
        ({"by": "P1M"}, {}, True, 400),
        ({"by": "P9999999D"}, {}, True, 400),
        ({"to": "2020-01-01T00:00:00Z"}, {}, True, 400),
        ({"to": "2030-01-01T00:00:00"}, {}, True, 400),
        ({}, {}, True, 400),
        ({"by": "P1D", "to": "2030-01-01T00:00:00Z"}, {}, True, 400),
    ],
)
async def test_who_may_put_it_forward_and_how_far(
    tmp_path: Path, body: dict[str, Any], headers: dict[str, str], embedded: bool, status: int
) -> None:
    clock = RunClock(tmp_path)
    async with app(clock, clock if embedded else None) as client:
        answer = await client.post(PATH, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        shown = (await client.get(PATH)).json()
    assert shown["canBeTurned"] is embedded
    assert (clock.ahead > timedelta()) is (status == 200)


async def test_a_service_that_joined_a_run_says_how_far_its_clock_is_ahead_too(tmp_path: Path) -> None:
    joined = RunClock(tmp_path)
    one = RunClock(tmp_path)
    one.put_forward(one.now() + timedelta(days=10))
    async with app(joined, None) as client:
        said = (await client.get(PATH)).json()
    assert timedelta(seconds=said["aheadSeconds"]) == one.ahead
    assert not said["canBeTurned"]
