"""Whose fact it is: the message's, unless the decision names what was said before and comes true now."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from shared.contracts.base import Cause
from shared.messaging.decision import AggregateKind, Circumstances, Decision, Due
from shared.messaging.loop import Work
from tests.unit.messaging.world import NOTHING, NOW, Parts, Process, World, remember

TIMER = Cause(id="timer:1", correlation="timer:1", actor="system:directory")
SAID = Cause(id="timer:1", correlation="hr-1", actor="source:hr", effective_at=NOW - timedelta(days=1))


def finished(work: Coroutine[Any, Any, Any]) -> None:
    """Every step of it, one after the other."""
    answer = None
    try:
        while True:
            answer = work.send(answer).do()
    except StopIteration:
        pass


@pytest.mark.parametrize(("named", "expected"), [(None, TIMER), (SAID, SAID)], ids=["the message", "the decision"])
def test_a_decision_may_name_the_cause_of_its_fact(named: Cause | None, expected: Cause) -> None:
    def ring(state: Any, _message: Due, at: Circumstances[int]) -> Decision[Any]:
        return replace(remember(state or NOTHING, "due", at), cause=named)

    world = World(rule_may_change=False)
    process = Process(world, Parts(), "a")
    work = Work(Due("x", NOW), TIMER, now=NOW)
    finished(process.loop.run([work], process.handler(ring)))
    (record,) = world.log
    assert Cause.model_validate(orjson.loads(record.value or b"")["cause"]) == expected
    assert dict(record.headers)["correlation"] == expected.correlation


def test_only_a_kind_with_dates_has_something_for_a_timer() -> None:
    dateless: AggregateKind[dict[str, Any]] = AggregateKind(name="note", owner="toy", dump=dict, load=dict)
    assert not dateless.has_dates
    assert replace(dateless, due_at=lambda _state: NOW).has_dates
