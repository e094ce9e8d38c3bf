"""The clock of a run: decisions and timers go by it, and in an embedded run it can be put forward.

So expiry, escalation and recurrence can be tried by hand. A file in the run's folder says how far it is ahead, and all
processes of the run follow it. Tokens, leases, logs and Kafka keep the machine's time.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import AwareDatetime

from deploy.cli.endpoints import CannotStart
from deploy.files import write_whole
from deploy.run.status import Look
from shared import durations
from shared.clock import Clock, milliseconds
from shared.web.errors import BadRequest, Conflict, Forbidden, Unavailable
from shared.web.graph_model import GraphInput, graph_time

PATH = "/v1.0/tenure/clock"
FILE = "clock.json"
LOOK_EVERY_S = 0.05
"""How soon the other processes of a run notice that the clock was turned."""
FARTHEST = timedelta(days=20 * 365)
MOST_STEPS = 1000
"""Dates that are closer together than this part of the way are passed together, each still decided as of itself."""
QUIET_S = 120.0
"""What is not done after that time is waiting for something else than us."""


class RunClock:
    """The machine's time and what the run is ahead of it; implements `shared.clock.Clock`."""

    def __init__(self, folder: Path, offset: timedelta = timedelta()) -> None:
        """`offset`: ahead of that by so much more (setting `clock_offset_s`). Raises CannotStart."""
        self._file = folder / FILE
        self._offset = offset
        self._ahead = timedelta()
        self._seen = 0
        self._look_at = 0.0
        self.when_turned: Callable[[], None] | None = None
        """Called in this process; the others look at their dates by themselves, a little later."""
        try:
            self._read()
        except (ValueError, KeyError, TypeError):
            raise CannotStart(f"{self._file} does not say how far the clock is ahead: delete it.") from None

    @property
    def ahead(self) -> timedelta:
        """Of the machine's time, without the setting's offset."""
        return self._ahead

    def now(self) -> datetime:
        tick = time.monotonic()
        if tick >= self._look_at:
            self._look_at = tick + LOOK_EVERY_S
            self._read()
        return milliseconds(datetime.now(UTC) + self._offset + self._ahead)

    def put_forward(self, to: datetime) -> None:
        """For this and every other process of the run. A moment that has passed changes nothing."""
        if (by := to - self.now()) <= timedelta():
            return
        self._ahead += by
        write_whole(self._file, json.dumps({"aheadSeconds": self._ahead.total_seconds()}) + "\n")
        if self.when_turned is not None:
            self.when_turned()

    def _read(self) -> None:
        try:
            changed = self._file.stat().st_mtime_ns
            if changed != self._seen:
                self._ahead = timedelta(seconds=json.loads(self._file.read_text())["aheadSeconds"])
                self._seen = changed
        except FileNotFoundError:
            pass


class Traveller:
    """Puts a run's clock forward from date to date, so that one thing happens after the other."""

    def __init__(self, clock: RunClock, look: Look) -> None:
        self._clock = clock
        self._look = look
        self._one = asyncio.Lock()

    async def travel(self, to: datetime, token: str | None) -> list[datetime]:
        """Every moment that the clock was put to; returns when it has reached `to` and all is quiet.

        Raises Conflict if it is being turned already, Unavailable if the run does not come to rest."""
        if self._one.locked():
            raise Conflict("The clock is being put forward already: wait until it has arrived.")
        async with self._one:
            stride = (to - self._clock.now()) / MOST_STEPS
            stops: list[datetime] = []
            while True:
                due = await self._rest(token)
                now = self._clock.now()
                if now >= to:
                    return stops
                stops.append(to if due is None else min(to, max(due, now + stride)))
                self._clock.put_forward(stops[-1])

    async def _rest(self, token: str | None) -> datetime | None:
        """Wait until nothing is under way; returns the next date at which something happens by itself."""
        deadline = time.monotonic() + QUIET_S
        calm = 0
        while True:
            said = await self._look(token)
            busy = unrest(said, self._clock.now())
            calm = 0 if busy else calm + 1
            # The second look tells that what the first saw coming to an end has led to nothing new.
            if calm == 2:
                return next_due(said)
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"The clock stands at {graph_time(self._clock.now())}, for the run does not come to rest: "
                    f"{'; '.join(busy)}. See `tenure status`; call again to go on."
                )
            if busy:
                await asyncio.sleep(LOOK_EVERY_S)


def unrest(said: dict[str, Any], now: datetime) -> list[str]:
    """What is under way, in words, of a status document. A service that does not run is nobody's to wait for."""
    found: list[str] = []
    for name, one in said["services"].items():
        if not one["running"]:
            continue
        if behind := sum(one["lag"].values()):
            found.append(f"{name} is {behind} messages behind")
        if one["pendingOutbox"]:
            found.append(f"{name} has {one['pendingOutbox']} facts to publish")
        if one["underWay"]:
            found.append(f"{name} has {one['underWay']} messages to send")
        if one["nextDue"] and datetime.fromisoformat(one["nextDue"]) <= now:
            found.append(f"{name} has timers that are due")
    return found


def next_due(said: dict[str, Any]) -> datetime | None:
    """The earliest date inside any aggregate of any service that runs."""
    dates = [one["nextDue"] for one in said["services"].values() if one["running"] and one["nextDue"]]
    return min(map(datetime.fromisoformat, dates), default=None)


class TurnIn(GraphInput):
    """By how much, or to when: one of them."""

    by: str | None = None
    to: AwareDatetime | None = None


def clock_router(clock: Clock, look: Look, own: RunClock | None) -> APIRouter:
    """The routes. `own`: the embedded run's clock, which can be turned; any other is refused."""
    router = APIRouter(tags=["tenure"])
    traveller = Traveller(own, look) if own else None

    @router.get(PATH)
    async def show(request: Request) -> dict[str, Any]:
        """What time it is for decisions, and the next date at which something happens by itself."""
        due = next_due(await look(request.headers.get("authorization")))
        return {**_told(clock, own), "nextDue": graph_time(due) if due else None}

    @router.post(PATH)
    async def turn(request: Request, body: TurnIn) -> dict[str, Any]:
        """Put the clock of an embedded run forward, `by` a duration or `to` a moment, from due date to due date.

        Answers when it is there and nothing is under way any more, with every moment it stopped at."""
        if traveller is None:
            raise Forbidden("Only the clock of an embedded run can be turned, at that run's own address.")
        stops = await traveller.travel(_target(body, clock.now()), request.headers.get("authorization"))
        return {**_told(clock, own), "stops": [graph_time(one) for one in stops]}

    return router


def _target(body: TurnIn, now: datetime) -> datetime:
    if (body.by is None) is (body.to is None):
        raise BadRequest("Say either by how much, such as P31D, or to which moment.", target="by")
    try:
        to = body.to or now + durations.duration(body.by or "")
    except ValueError as problem:
        raise BadRequest(f"{problem}.", target="by") from None
    except OverflowError:
        to = None
    if to is None or to - now > FARTHEST:
        raise BadRequest("The clock is put forward by 20 years at most.", target="to" if body.to else "by")
    if to < now:
        raise BadRequest(f"It is {graph_time(now)} already, and the clock only goes forward.", target="to")
    return milliseconds(to)


def _told(clock: Clock, own: RunClock | None) -> dict[str, Any]:
    now = clock.now()  # looked at first: another process of the run may have turned it
    ahead = clock.ahead.total_seconds() if isinstance(clock, RunClock) else 0.0
    return {"now": graph_time(now), "aheadSeconds": ahead, "canBeTurned": own is not None}
