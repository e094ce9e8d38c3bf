"""How long a client waits before it tries to connect again.

The library tries ten times a second for as long as it takes, each loop of each consumer on its own: dozens of sockets a
second, and a tenth of a core, from a process whose Kafka is away for the night or for good. So the pause grows with the
outage, and who comes back after a moment is found after a moment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.client import AIOKafkaClient

PART = 0.1
"""Of the time that nobody has answered: a broker that was away for ten seconds is found within another."""
LONGEST_S = 5.0


class Reconnecting:
    """Between the loops of one client and its attempts to connect. As long as any broker answers, nothing waits."""

    def __init__(
        self,
        connect: Callable[..., Awaitable[Any]],
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self._connect = connect
        self._now = now
        self._sleep = sleep
        self._silent_since: float | None = None

    async def __call__(self, *node: Any, **options: Any) -> Any:
        """A connection, or None if there is none now."""
        if self._silent_since is not None:
            await self._sleep(min((self._now() - self._silent_since) * PART, LONGEST_S))
        found = await self._connect(*node, **options)
        if found is not None:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = self._now()
        return found


def reconnects_patiently(client: AIOKafkaClient) -> None:
    """Have it wait so from now on. The library has no setting for it (Kafka's own has `reconnect.backoff.max.ms`)."""
    client._get_conn = Reconnecting(client._get_conn)
