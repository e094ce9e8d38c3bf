"""Trying again: what may pass is tried with growing pauses, within sight of operators, for as long as is allowed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from shared.messaging.errors import GivenUp, MayPass
from shared.messaging.loop import Attempts
from shared.telemetry.metrics import RETRIES

R = TypeVar("R")


class Told(Protocol):
    """Who is told how it goes: a service's Health, or several."""

    service: str

    def trouble(self, where: str, what: str) -> None: ...

    def well(self, where: str) -> None: ...


log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.05


class PatientAttempts(Attempts):
    """Tries a step until it succeeds or `within_s` have passed since this object was made.

    With `answering`, somebody waits: a step in hand is broken off as well, and giving up leaves no trouble behind, for
    nobody would come back to clear it (readiness follows the servers themselves, see Host)."""

    def __init__(
        self, health: Told, where: str, *, within_s: float, longest_pause_s: float, answering: bool = False
    ) -> None:
        self._health = health
        self._where = where
        self._deadline = time.monotonic() + within_s
        self._longest = longest_pause_s
        self._answering = answering

    async def __call__(self, step: str, operation: Callable[[], Awaitable[R]]) -> R:
        pause = FIRST_PAUSE_S
        while True:
            try:
                result = await self._one(operation)
            except MayPass as problem:
                self._health.trouble(self._where, f"{step}: {problem}")
                RETRIES.add(service=self._health.service, step=step)
                if time.monotonic() + pause > self._deadline:
                    if self._answering:
                        self._health.well(self._where)
                    raise GivenUp(f"{self._where}: {step}: {problem}") from problem
                if pause > 1:
                    log.warning("a step fails and is tried again", where=self._where, step=step, problem=str(problem))
                # Jitter, so that replicas that lost the same server do not come back in step.
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(pause * 2, self._longest)
            else:
                # Also if it was an earlier batch that had been given up here.
                self._health.well(self._where)
                return result

    async def _one(self, operation: Callable[[], Awaitable[R]]) -> R:
        if not self._answering:
            return await operation()
        try:
            async with asyncio.timeout(max(self._deadline - time.monotonic(), 0.1)):
                return await operation()
        except TimeoutError as problem:
            raise MayPass("no answer in time") from problem
