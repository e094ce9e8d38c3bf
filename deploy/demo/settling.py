"""Whether everything that was said has been done: the demo's live figures, and when it may look at the outcome."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import httpx

from deploy.cli.endpoints import CommandFailed
from deploy.demo.reading import EM, listed
from deploy.run.status import PATH as STATUS

_RATE_OVER_S = 5.0


@dataclass
class Progress:
    """How far the run is. `changes`: HR changes taken since the feed began; `rate`: of late, a second."""

    sent: int | None = None
    changes: int = 0
    rate: float = 0.0
    lag: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    overdue_s: float = 0.0
    assignments: int | None = None
    members: int | None = None
    mails: int | None = None
    mails_waiting: int = 0
    dead_letters: int = 0
    _history: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def quiet(self) -> bool:
        """Nothing is on its way between services. Lag is measured so that one look at all of them proves it."""
        return not any(self.lag.values()) and self.pending == 0 and self.overdue_s == 0.0

    def note_rate(self, now: float) -> None:
        """Remember `changes` as of `now`."""
        self._history.append((now, self.changes))
        while len(self._history) > 2 and now - self._history[0][0] > _RATE_OVER_S:
            self._history.popleft()
        began, before = self._history[0]
        self.rate = (self.changes - before) / (now - began) if now > began else 0.0


class NoAnswer(Exception):
    """The run did not say how it is this time; it may the next."""


async def count(client: httpx.AsyncClient, progress: Progress) -> None:
    """How many assignments and members there are; it costs more than a look. Raises NoAnswer."""
    try:
        progress.assignments = await _count(client, f"{EM}/assignments", {"$filter": "state eq 'delivered'"})
        progress.members = await _members(client)
    except (httpx.HTTPError, CommandFailed, ValueError, KeyError) as problem:
        raise NoAnswer from problem


async def look(client: httpx.AsyncClient, mail: str | None, progress: Progress, fed_from: int) -> None:
    """Bring `progress` up to date. `fed_from`: how many HR changes the topic held before the feed. Raises NoAnswer."""
    try:
        said = (await client.get(STATUS)).raise_for_status().json()
        progress.mails_waiting = await _mails_waiting(client)
        if mail:
            progress.mails = (await client.get(f"{mail}/status")).raise_for_status().json()["mails"]
    except (httpx.HTTPError, ValueError, KeyError) as problem:
        raise NoAnswer from problem
    services = said["services"].values()
    progress.lag = {name: sum(one.get("lag", {}).values()) for name, one in said["services"].items()}
    progress.pending = sum(one.get("pendingOutbox", 0) for one in services)
    progress.overdue_s = max((one.get("overdueTimersS", 0.0) for one in services), default=0.0)
    progress.dead_letters = sum(said["deadLetters"].values())
    progress.changes = max(progress.changes, said["hrChanges"]["taken"] - fed_from)
    progress.note_rate(time.monotonic())


async def nothing_under_way(client: httpx.AsyncClient) -> bool:
    """Whether no delivery is on its way or waits to be tried again."""
    answer = await client.get("/v1.0/tenure/reconciliation", params={"foundTop": "0"})
    return not answer.is_error and answer.json()["unsettled"] == 0


async def _count(client: httpx.AsyncClient, path: str, options: dict[str, str]) -> int | None:
    answer = await client.get(path, params={"$count": "true", "$top": "1", **options})
    return None if answer.is_error else answer.json().get("@odata.count")


async def _members(client: httpx.AsyncClient) -> int:
    total = 0
    async for group in listed(client, "/v1.0/groups", {"$select": "id"}):
        answer = await client.get(f"/v1.0/groups/{group['id']}/members/$count")
        total += 0 if answer.is_error else int(answer.text)
    return total


async def _mails_waiting(client: httpx.AsyncClient) -> int:
    answer = await client.get("/v1.0/tenure/notifications/summary")
    if answer.is_error:
        return 0
    said: dict[str, Any] = answer.json()
    return sum(one.get("queued", 0) + one.get("sending", 0) for one in said["channels"].values())
