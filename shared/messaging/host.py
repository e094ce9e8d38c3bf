"""Runs assembled services in one process: connections, subscriptions, timers, sweepers, lag, readiness.

The all-in-one run and a service on its own are the same host with more or fewer services.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog

from shared.clock import Clock, SystemClock
from shared.messaging.admin import have_read
from shared.messaging.attempts import PatientAttempts
from shared.messaging.errors import GivenUp, MayPass, StateLost
from shared.messaging.failpoints import Failpoints
from shared.messaging.health import Health
from shared.messaging.kafka import Bus
from shared.messaging.lanes import RightOfWay
from shared.messaging.service import Platform, Service, Timer, next_date, ring
from shared.messaging.stopping import each, farewell
from shared.messaging.subscriber import CommittedOffsets, Subscriber
from shared.settings import Settings
from shared.storage.database import Client, connect
from shared.telemetry.metrics import LAG, OUTBOX_OLDEST_SECONDS, OUTBOX_PENDING, TIMER_OVERDUE_SECONDS, TIMERS_PARKED

log = structlog.get_logger(__name__)

Assemble = Callable[[Platform], Service]
START_S = 60.0
HEALTH_EVERY_S = 15.0
PING_EVERY_S = 2.0
PING_S = 3.0
LONGEST_PAUSE_S = 5.0
FAREWELL_S = 5.0
"""For leaving the groups, beside what the batch in hand may take."""
SETTLE_EVERY_S = 0.2
"""What was published of HTTP and timers is noted that often, all of it in one write a kind."""
SETTLE_WITHIN_S = 2.0
ASK_ANEW_S = 5.0
"""Dates that another replica has written are its own to keep, unless it dies: they are asked for that often."""


class Host:
    """Services by name, running in this process. Use as an async context manager."""

    def __init__(self, settings: Settings, assemblies: Mapping[str, Assemble], clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock(timedelta(seconds=settings.clock_offset_s))
        self.right_of_way = RightOfWay()
        # One each: a producer has one request under way at a time, and nine services would wait for one another.
        self.buses = {name: Bus(settings, f"tenure-{name}", self.right_of_way) for name in assemblies}
        self._client: Client = connect(settings)
        self.platforms: dict[str, Platform] = {}
        self.services: dict[str, Service] = {}
        self._subscribers: dict[str, list[Subscriber]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        failpoints = Failpoints(settings.failpoint)
        for name, assemble in assemblies.items():
            platform = Platform(
                service=name,
                settings=settings,
                clock=self.clock,
                bus=self.buses[name],
                database=self._client.database(name),
                right_of_way=self.right_of_way,
                health=Health(name),
                failpoints=failpoints,
            )
            self.platforms[name] = platform
            self.services[name] = assemble(platform)

    async def __aenter__(self) -> Host:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stop()

    @property
    def ready(self) -> bool:
        return all(platform.health.ready for platform in self.platforms.values())

    def troubles(self) -> dict[str, dict[str, str]]:
        """What is wrong, by service."""
        return {name: p.health.troubles for name, p in self.platforms.items() if not p.health.ready}

    def look_at_dates(self) -> None:
        """What is due is looked for now: the clock was turned."""
        for service in self.services.values():
            for timer in service.timers:
                timer.loop.alarm.ring()

    async def wellbeing(self) -> dict[str, dict[str, Any]]:
        """For `tenure status`: pending outbox, overdue and parked timers, the next date, work under way, marked
        aggregates, by service. The lag is of all replicas together, and asked of Kafka."""
        return {
            name: {
                **await self._stored_health(service),
                "next_due": await self._next_due(service),
                "under_way": sum([await count() for count in service.under_way]),
                "waits": dict(await service.waits()) if service.waits else {},
                "ready": self.platforms[name].health.ready,
                "troubles": self.platforms[name].health.troubles,
                "degraded": self.platforms[name].health.degraded,
            }
            for name, service in self.services.items()
        }

    async def _start(self) -> None:
        await self._started("mongo", self._client.check)
        for name, service in self.services.items():
            platform = self.platforms[name]
            self._subscribers[name] = [
                self.buses[name].subscribe(
                    # Only a group whose positions are causes of writes may prove by its commit that they are published.
                    [t.name for t in s.topics],
                    s.group,
                    s.take,
                    platform.committed if s.decides else CommittedOffsets(),
                    s.pace,
                )
                for s in service.subscriptions
            ]
        buses = self.buses.values()
        await self._started("kafka", lambda: _all(bus.connect() for bus in buses))
        await self._started("state", self._require_state)
        stores = [store for service in self.services.values() for store in service.stores]
        await self._started("indexes", lambda: _all(store.ensure_indexes() for store in stores))
        for name, service in self.services.items():
            self._background(name, service)
        self._watched("clock", self._ring_what_is_due, self.settings.timer_poll_s)
        # Timers and sweepers need not wait for it: the place of a member that was killed is kept for ten seconds.
        await self._started("kafka", lambda: _all(bus.start() for bus in buses))
        for platform in self.platforms.values():
            platform.health.well("start")
        first = next(iter(buses))  # what one of them finds is so for all
        self._watched("kafka", lambda: first.ping(PING_S))
        self._watched("mongo", self._client.check)

    async def _require_state(self) -> None:
        """Raises StateLost for services that have worked before and whose database is empty.

        They would say of everybody that there is no such person, and nothing would look wrong."""
        new = [name for name, platform in self.platforms.items() if await platform.database.is_new()]
        groups = {one.group: (name, one.topics) for name in new for one in self.services[name].subscriptions}
        topics = {group: [topic.name for topic in heard] for group, (_, heard) in groups.items()}
        if groups and (read := await have_read(self.settings, topics)):
            raise StateLost({groups[group][0] for group in read})

    async def _started(self, what: str, step: Callable[[], Awaitable[Any]]) -> None:
        """Try until it succeeds, at most START_S, with every service saying what it waits for."""
        every = _Everyone([platform.health for platform in self.platforms.values()])
        await PatientAttempts(every, f"start.{what}", within_s=START_S, longest_pause_s=2.0)(what, step)

    def _watched(self, what: str, ask: Callable[[], Awaitable[Any]], every_s: float = PING_EVERY_S) -> None:
        """Readiness follows what is asked again and again, even while nobody has work for it."""
        every = _Everyone([platform.health for platform in self.platforms.values()])

        async def watch() -> None:
            while True:
                try:
                    await ask()
                except Exception as problem:
                    every.trouble(what, _in_words(problem))
                else:
                    every.well(what)
                await asyncio.sleep(every_s)

        self._tasks.append(asyncio.create_task(watch(), name=f"watch.{what}"))

    def _background(self, name: str, service: Service) -> None:
        platform = self.platforms[name]
        for timer in service.timers:
            self._forever(name, f"timer.{timer.loop.kind.name}", lambda t=timer, p=platform: self._timer(t, p))  # type: ignore[misc]
        if service.loops:
            self._forever(name, "sweeper", lambda s=service, p=platform: self._sweep(s, p))  # type: ignore[misc]
        for number, work in enumerate(service.background):
            self._forever(name, getattr(work, "__name__", f"background-{number}"), work)
        self._forever(name, "measure", lambda n=name: self._measure(n))  # type: ignore[misc]

    def _forever(self, service: str, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Runs `work` until the host stops; if it fails, says so, turns readiness red and starts it again."""

        async def run() -> None:
            pause = 0.1
            health = self.platforms[service].health
            loop = asyncio.get_running_loop()
            while True:
                started = time.monotonic()
                # Work that does not say itself that it is well again: if it has run for a while, it is.
                lasting = loop.call_later(LONGEST_PAUSE_S, health.well, what)
                try:
                    await work()
                except asyncio.CancelledError:
                    raise
                except Exception as problem:
                    expected = isinstance(problem, (MayPass, GivenUp))
                    log.warning("a loop failed and starts again", loop=what, service=service, exc_info=not expected)
                    health.trouble(what, _in_words(problem))
                finally:
                    lasting.cancel()
                if time.monotonic() - started > LONGEST_PAUSE_S:
                    pause = 0.1
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

        self._tasks.append(asyncio.create_task(run(), name=f"{service}.{what}"))

    async def _timer(self, timer: Timer, platform: Platform) -> None:
        while True:
            timer.loop.alarm.set()
            rung = await ring(timer, platform)
            platform.health.well(f"timer.{timer.loop.kind.name}")
            if rung < (1 if timer.steady else timer.limit):
                if (stored := await next_date(timer, platform)) is not None:
                    timer.loop.alarm.expect(stored)
                await timer.loop.alarm.wait(ASK_ANEW_S)

    async def _ring_what_is_due(self) -> None:
        """One look at the clock for all timers. It may be turned at any time, so nobody sleeps by it."""
        now = self.clock.now()
        for service in self.services.values():
            for timer in service.timers:
                timer.loop.alarm.look(now)

    async def _sweep(self, service: Service, platform: Platform) -> None:
        age = timedelta(seconds=self.settings.sweep_after_s)
        while True:
            # `pending` is stamped with the business clock, which tests may turn: compared with the same.
            for loop in service.loops:
                await loop.sweep(self.clock.now() - age, attempts=platform.patience("sweeper"))
            platform.health.well("sweeper")
            until = time.monotonic() + self.settings.sweep_after_s
            while (left := until - time.monotonic()) > 0:
                await asyncio.sleep(min(left, SETTLE_EVERY_S))
                for loop in service.loops:
                    await loop.settle(platform.patience("sweeper"))

    async def _settle(self) -> None:
        """Whatever fails here is published once more by the next process."""
        loops = [loop for service in self.services.values() for loop in service.loops]
        with suppress(TimeoutError):
            await asyncio.wait_for(
                asyncio.gather(*(loop.settle() for loop in loops), return_exceptions=True), SETTLE_WITHIN_S
            )

    async def _measure(self, name: str) -> None:
        while True:
            found = await self._stored_health(self.services[name])
            OUTBOX_PENDING.set(found["pending"], service=name)
            OUTBOX_OLDEST_SECONDS.set(found["oldest_pending_s"], service=name)
            TIMER_OVERDUE_SECONDS.set(found["overdue_s"], service=name)
            TIMERS_PARKED.set(found["parked"], service=name)
            for subscriber in self._subscribers[name]:
                for topic, behind in subscriber.lag().items():
                    LAG.set(behind, service=name, topic=topic)
            self.platforms[name].health.well("measure")
            await asyncio.sleep(HEALTH_EVERY_S)

    async def _stored_health(self, service: Service) -> dict[str, float]:
        found = [await loop.store.health(self.clock.now()) for loop in service.loops]  # type: ignore[attr-defined]
        return {
            "pending": sum(one["pending"] for one in found),
            "oldest_pending_s": max((one["oldest_pending_s"] for one in found), default=0.0),
            "overdue_s": max((one["overdue_s"] for one in found), default=0.0),
            "parked": sum(one["parked"] for one in found),
            "dead_letters": sum(one["dead_letters"] for one in found),
        }

    async def _next_due(self, service: Service) -> datetime | None:
        now = self.clock.now()
        dates = [await loop.store.next_due(now) for loop in service.loops]
        return min((date for date in dates if date is not None), default=None)

    async def _stop(self) -> None:
        """Every step is taken, whatever the ones before it raise; what they raised is raised in the end."""
        for platform in self.platforms.values():
            platform.health.trouble("stop", "stopping")
        begun = time.monotonic()
        try:
            # What is done in the background has its last word on all that was heard: audit signs it.
            await each([bus.hear_no_more() for bus in self.buses.values()])
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._settle()
            left = begun + self.settings.stop_wait_s + FAREWELL_S - time.monotonic()
            try:
                await farewell([bus.stop() for bus in self.buses.values()], max(left, FAREWELL_S))
            finally:
                self._client.close()


def _in_words(problem: Exception) -> str:
    """For operators: what is expected to happen says itself what is the matter."""
    return str(problem) if isinstance(problem, (MayPass, GivenUp)) else f"{type(problem).__name__}: {problem}"


class _Everyone:
    """The health of all services at once: what one connection means to each of them."""

    def __init__(self, healths: Sequence[Health]) -> None:
        self._healths = healths
        self.service = healths[0].service if len(healths) == 1 else "tenure"

    def trouble(self, where: str, what: str) -> None:
        for health in self._healths:
            health.trouble(where, what)

    def well(self, where: str) -> None:
        for health in self._healths:
            health.well(where)


async def _all(steps: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*steps)


def groups_of(services: Sequence[Service]) -> list[str]:
    """Every consumer group, for making their dead-letter topics."""
    return [subscription.group for service in services for subscription in service.subscriptions]
