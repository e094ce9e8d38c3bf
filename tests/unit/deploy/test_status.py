"""`tenure status`: what counts as unwell."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from deploy.cli.status_command import told_of_waiting, troubles
from deploy.run.registry import NAMES, built
from deploy.run.status import not_measured, together
from shared.messaging import admin
from shared.messaging.errors import MayPass

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
        (status(degraded={"mail": "no answer"}), "directory: mail: no answer"),
        (status(oldestUnsettledS=300.0), "5 messages behind, the oldest 300 s old"),
        (status(oldestPendingS=20.0), "1 facts to publish"),
        (status(overdueTimersS=60.0), "overdue by 60 s"),
        (status(parkedTimers=2), "parked 2 timers"),
        (status(markedByDeadLetters=2), "takes nothing away from 2"),
        (status(letters={"directory.x": 1}, markedByDeadLetters=1), "1 dead letters"),
        (status(letters={"directory.x": 1}), "1 dead letters"),
        (status(waits={"managerUnknown": 5, "ambiguousIdentity": 2}), "2 identities wait"),
        (status(rejections={"refusedRecently": 3}), "3 HR changes were refused"),
    ],
)
def test_what_is_unwell_is_said(said: Any, words: str) -> None:
    (line,) = troubles(said)
    assert words in line


def test_who_waits_now_is_told_apart_from_who_was_told_not_yet() -> None:
    assert told_of_waiting(status()) == "nobody waits any more"
    assert told_of_waiting(status(waits={"managerUnknown": 5, "notJoined": 0, "ambiguousIdentity": 2})) == (
        "people who wait now: 5 for a manager, 2 for a human's word"
    )


def test_every_service_of_the_registry_is_in_the_checkout() -> None:
    assert built() == NAMES


def test_a_status_that_cannot_be_measured_says_why_and_each_thing_once() -> None:
    away = {"kafka": "no answer within 3 s"}
    told = not_measured(MayPass("Kafka: TimeoutError"), {"directory": away, "audit": away | {"x": "y"}})
    assert told == (
        "How far everything is cannot be measured: Kafka: TimeoutError. "
        "kafka: no answer within 3 s (directory, audit). x: y (audit)."
    )
    assert not_measured(TimeoutError(), {}).endswith("measured: no answer in time.")


async def test_a_group_whose_broker_is_not_ready_for_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "_ASK_AGAIN_S", 0.0)
    one, other = TopicPartition("a.topic", 0), TopicPartition("a.topic", 1)
    never, there = OffsetAndMetadata(-1, ""), OffsetAndMetadata(7, "")

    class Admin:
        answers: ClassVar = [{}, {one: there}, {one: there, other: never}]

        async def list_consumer_group_offsets(self, group: str, *, partitions: list[TopicPartition]) -> Any:
            assert (group, partitions) == ("a.group", [one, other])
            return self.answers.pop(0)

    found = await admin.committed_offsets(cast(Any, Admin()), "a.group", [one, other])
    assert found == {one: there, other: never}


def test_of_several_processes_each_trouble_is_told_and_what_is_one_for_all_once() -> None:
    other = WELL | {"ready": False, "troubles": {"kafka": "away"}}
    silent = {"running": False, "ready": False}

    said = together([WELL, other, silent])

    assert said == WELL | {
        "ready": False,
        "troubles": {"kafka": "away", "processes": "1 of 3 do not answer"},
        "degraded": {},
        "processes": 3,
    }
    assert together([WELL])["ready"]
    assert together([silent]) == together([]) == {"running": False, "ready": False, "processes": 0}
