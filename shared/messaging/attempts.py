"""Trying again: what may pass is tried with growing pauses, within sight of operators, for as long as is allowed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from shared.messaging.errors import GivenUp, MayPass
from shared.messaging.health import Health
from shared.messaging.loop import Attempts
from shared.telemetry.metrics import RETRIES

R = TypeVar("R")
log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.05


class PatientAttempts(Attempts):
    """Tries a step until it succeeds or `within_s` have passed since this object was made."""

    def __init__(self, health: Health, where: str, *, within_s: float, longest_pause_s: float) -> None:
        self._health = health
        self._where = where
        self._deadline = time.monotonic() + within_s
        self._longest = longest_pause_s

    async def __call__(self, step: str, operation: Callable[[], Awaitable[R]]) -> R:
        pause = FIRST_PAUSE_S
        failed = False
        while True:
            try:
                result = await operation()
            except MayPass as problem:
                failed = True
                self._health.trouble(self._where, f"{step}: {problem}")
                RETRIES.add(service=self._health.service, step=step)
                if time.monotonic() + pause > self._deadline:
                    raise GivenUp(f"{self._where}: {step}: {problem}") from problem
                if pause > 1:
                    log.warning("a step fails and is tried again", where=self._where, step=step, problem=str(problem))
                # Jitter, so that replicas that lost the same server do not come back in step.
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(pause * 2, self._longest)
            else:
                if failed:
                    self._health.well(self._where)
                return result
