"""`tenure status`: what counts as unwell."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.cli.status_command import troubles
from deploy.run.registry import NAMES, built

WELL: dict[str, Any] = {
    "running": True,
    "ready": True,
    "troubles": {},
    "lag": {"hr.attribute-changes": 5},
    "oldestUnsettledS": 1.0,
    "pendingOutbox": 1,
    "oldestPendingS": 0.5,
    "overdueTimersS": 0.2,
    "parkedTimers": 0,
    "markedByDeadLetters": 0,
}


def status(rejections: dict[str, int] | None = None, letters: dict[str, int] | None = None, **one: Any) -> Any:
    rejected = {"total": 7, "refused": 0, "refusedRecently": 0} | (rejections or {})
    return {"services": {"directory": WELL | one}, "deadLetters": letters or {}, "rejections": rejected}


def test_work_under_way_and_changes_that_wait_are_no_trouble() -> None:
    assert troubles(status()) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (status(running=False), "directory is not running"),
        (status(troubles={"mongo": "away"}), "directory: mongo: away"),
        (status(oldestUnsettledS=300.0), "5 messages behind, the oldest 300 s old"),
        (status(oldestPendingS=20.0), "1 facts to publish"),
        (status(overdueTimersS=60.0), "overdue by 60 s"),
        (status(parkedTimers=2), "parked 2 timers"),
        (status(letters={"directory.x": 1}), "1 dead letters"),
        (status(rejections={"refusedRecently": 3}), "3 HR changes were refused"),
    ],
)
def test_what_is_unwell_is_said(said: Any, words: str) -> None:
    (line,) = troubles(said)
    assert words in line


def test_every_service_of_the_registry_is_in_the_checkout() -> None:
    assert built() == NAMES
