"""Takes queued messages and sends them, one worker a channel and process."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from services.notification import decide, reviews
from services.notification.channels import Away, Letter, Outlet, Results
from services.notification.decide import Not, Result, Untried
from services.notification.model import Channel, Message, Person
from services.notification.render import Renderer
from services.notification.store import REAL_TIME, Messages, Names
from shared.clock import Clock
from shared.messaging.health import Health

log = structlog.get_logger(__name__)

BATCH = 200
LEASE = timedelta(seconds=30)
"""After a crash nobody else tries sooner. Longer than a batch may take (see `channels.mail`)."""
POLL_S = 1.0
"""Pause between two looks when nobody calls: for what was put off, and for leases that ran out."""
FIRST_PAUSE_S = 1.0


class Worker:
    """Sends over one channel. Safe to run in several processes at once: a lease is taken by one."""

    def __init__(
        self,
        channel: Channel,
        outlet: Outlet,
        messages: Messages,
        names: Names,
        renderer: Renderer,
        *,
        clock: Clock,
        health: Health,
        longest_pause_s: float,
    ) -> None:
        self._channel = channel
        self._outlet = outlet
        self._messages = messages
        self._names = names
        self._renderer = renderer
        self._clock = clock
        self._health = health
        self._longest_pause_s = longest_pause_s
        self._called = asyncio.Event()

    @property
    def name(self) -> str:
        return f"sender.{self._channel.value}"

    def wake(self) -> None:
        """There is something to send."""
        self._called.set()

    async def run(self) -> None:
        """Until cancelled. Raises MayPass if the database is away; whoever runs it starts it again."""
        pause = FIRST_PAUSE_S
        try:
            while True:
                self._called.clear()
                try:
                    taken = await self.step()
                except Away as problem:
                    # Consuming goes on and the queue grows: degraded, not unready.
                    self._health.degrade(self.name, str(problem))
                    log.warning("a channel is away", channel=self._channel.value, next_try_s=pause)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, self._longest_pause_s)
                    continue
                if taken:
                    pause = FIRST_PAUSE_S
                    self._health.recovered(self.name)
                self._health.well(self.name)
                if taken < BATCH:
                    await self._wait()
        finally:
            await self._outlet.close()

    async def step(self) -> int:
        """Claim, render, send, note. Returns how many were claimed; raises Away once all that is known is noted."""
        claim = uuid.uuid4().hex
        now = REAL_TIME.now()
        claimed = await self._messages.claim(self._channel, now, now + LEASE, claim, BATCH)
        if not claimed:
            return 0
        results: Results = {}
        refused: dict[str, Not] = {}
        within: dict[str, str] = {}
        try:
            apart, within = reviews.together(claimed)
            letters = await self._letters(apart, refused)
            if letters:
                await self._outlet.deliver(letters, results)
        finally:
            _share(within, refused, results)
            # Also when we are stopped in the middle: what was sent is noted as sent, and what was not begun is given
            # back at once. Only what is in doubt waits for the lease.
            await self._messages.settle(_settled(claimed, refused, results), claim)
        return len(claimed)

    async def _letters(self, claimed: Sequence[Message], refused: dict[str, Not]) -> list[Letter]:
        known = await self._names.known(claimed)
        now = self._clock.now()
        letters: list[Letter] = []
        waits: set[str] = set()
        for message in claimed:
            # What happened to somebody later waits for what happened to them before.
            why_not = Not.YET if message.recipient in waits else decide.may_send(message, known, now)
            if why_not is not None:
                refused[message.id] = why_not
                if why_not is Not.YET:
                    waits.add(message.recipient)
                continue
            to = known.people.get(message.recipient) or Person(message.recipient)
            html = self._channel is Channel.MAIL
            letters.append(Letter(message, to, self._renderer.render(message, known, now, html=html)))
        return letters

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._called.wait()
        except TimeoutError:
            pass


def _share(within: Mapping[str, str], refused: dict[str, Not], results: Results) -> None:
    """What went out in another message is as far as that one."""
    for id, head in within.items():
        if head in refused:
            refused[id] = refused[head]
        elif head in results:
            results[id] = results[head]


def _settled(claimed: Sequence[Message], refused: dict[str, Not], results: Results) -> list[Message]:
    now = REAL_TIME.now()
    settled: list[Message] = []
    for message in claimed:
        result: Result | Not | None = refused.get(message.id) or results.get(message.id, Untried())
        if result is not None:
            settled.append(decide.after(message, result, now))
    return settled
