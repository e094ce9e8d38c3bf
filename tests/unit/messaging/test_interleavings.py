"""The delivery guarantee over all interleavings (DESIGN section 4), and each guard's proof that it is needed."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime

import pytest

from shared.messaging.envelope import Outgoing
from shared.messaging.loop import Loop
from shared.messaging.ports import Write, Written
from tests.unit.messaging.explore import Broken, Scenario, explore
from tests.unit.messaging.world import NOTHING, Actor, FakeCommitted, FakeStore, Parts, Process, remember


def http(id: str) -> Actor:
    return lambda process: process.command(id, "x")


def in_a_row(*ids: str) -> Actor:
    """One process that is asked several times, and remembers what it wrote the last time."""

    async def act(process: Process) -> None:
        for id in ids:
            await process.command(id, "x")

    return act


def timer(process: Process) -> Coroutine[None, None, None]:
    return process.timer("x")


ONE = (("m1", "x"),)
TWO = (("m1", "x"), ("m2", "x"))

TWO_REPLICAS = Scenario(TWO, {"a": Process.consume, "b": Process.consume}, kills=1, lost_replies=1)
WITH_HTTP = Scenario(ONE, {"a": Process.consume, "http": http("c1")}, kills=1, lost_replies=1)
WITH_TIMER = Scenario(ONE, {"a": Process.consume, "timer": timer}, kills=1)
HTTP_AND_SWEEPER = Scenario(
    (),
    {"http": http("c1"), "two": http("c2"), "sweeper": Process.sweep},
    kills=1,
)
WITH_RULE = Scenario(ONE, {"a": Process.consume, "rule": Process.change_rule}, kills=1)
HTTP_AND_RULE = Scenario((), {"http": http("c1"), "rule": Process.change_rule}, kills=1)
RULE_AND_TWO = Scenario(ONE, {"a": Process.consume, "b": Process.consume, "rule": Process.change_rule}, kills=0)
RULE_AND_TWO_PEOPLE = Scenario(
    (("m1", "x"), ("m2", "y")),
    {"a": Process.consume, "other": Process.interfere, "rule": Process.change_rule},
    kills=0,
)
ALL = Scenario(
    ONE,
    {
        "a": Process.consume,
        "b": Process.consume,
        "timer": timer,
        "http": http("c1"),
    },
    kills=1,
)
REMEMBERING = Scenario(ONE, {"a": Process.consume, "http": in_a_row("c1", "c2", "c1")}, kills=1, lost_replies=1)
REMEMBERING_WITH_RULE = Scenario((), {"http": in_a_row("c1", "c1"), "rule": Process.change_rule}, kills=1)
EVERY = {
    "two replicas, a kill, a lost reply": TWO_REPLICAS,
    "a replica, HTTP, a kill, a lost reply": WITH_HTTP,
    "a replica, a timer, a kill": WITH_TIMER,
    "two HTTP writes, the sweeper, a kill": HTTP_AND_SWEEPER,
    "a replica, a rule change, a kill": WITH_RULE,
    "HTTP, a rule change, a kill": HTTP_AND_RULE,
    "two replicas, a rule change": RULE_AND_TWO,
    "two people, of whom one is decided twice, and a rule change": RULE_AND_TWO_PEOPLE,
    "two replicas, a timer, HTTP, a kill": ALL,
    "a replica, three HTTP writes in a row, a kill, a lost reply": REMEMBERING,
    "two HTTP writes in a row, a rule change, a kill": REMEMBERING_WITH_RULE,
}


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_lost_reordered_or_invented(name: str, record_property: Callable[[str, object], None]) -> None:
    # The largest reads what is carried in one step with the loading, or it would take a minute: the others tell them
    # apart.
    found = explore(EVERY[name], Parts(store=CarriedAtOnce) if EVERY[name] is ALL else None)
    record_property("states", found.states)
    assert found.schedules > 10


class CarriedAtOnce(FakeStore):
    async def carried(self, revisions: Mapping[str, int]) -> list[Outgoing]:
        return self.carried_now(revisions)


class Unguarded(FakeStore):
    def guarded(self, write: Write) -> bool:
        return True


class NeverLost(FakeStore):
    """Whoever lost the race is not told."""

    async def write(self, writes, stamp):  # type: ignore[no-untyped-def]
        await super().write(writes, stamp)
        return Written()


class Overwriting(Loop):  # type: ignore[type-arg]
    """The outbox of what was loaded is forgotten."""

    async def _publish_carried(self, documents, attempt):  # type: ignore[no-untyped-def]
        return None


class ClearingAnything(FakeStore):
    def may_clear(self, id: str, revision: int) -> bool:
        return True


class NeverPending(FakeStore):
    """HTTP and timers leave no trace that somebody has to publish for them."""

    async def pending(self, before, limit):  # type: ignore[no-untyped-def]
        return []


class NeverDue(FakeStore):
    """Whoever publishes for the dead leaves it at that."""

    async def published(self, revisions: dict[str, int], look_at: datetime | None = None) -> None:
        await super().published(revisions)


class BelievesAll(FakeCommitted):
    """Takes every outbox for published."""

    def covers(self, position):  # type: ignore[no-untyped-def]
        return True


class LastRoundOnly(Loop):  # type: ignore[type-arg]
    """Asks about everybody in the context of the last round."""

    async def _moved(self, handler, touched):  # type: ignore[no-untyped-def]
        last = max(touched.values(), key=lambda one: one.round)
        return sorted(await handler.look_again(last.context, {id: one.state for id, one in touched.items()}))


def apply_always(state, message, at):  # type: ignore[no-untyped-def]
    """Does not know a message that it has handled."""
    return remember(state or NOTHING, message.id, at)


GUARDS = {
    "the version guard of the write": (Parts(store=Unguarded), WITH_HTTP, "invented|lost|twice"),
    "the stamp that tells who lost": (Parts(store=NeverLost), WITH_HTTP, "invented|lost"),
    "publishing what a loaded document carries": (Parts(loop=Overwriting), WITH_HTTP, "lost"),
    "asking whether the cause is committed": (Parts(committed=BelievesAll), TWO_REPLICAS, "lost"),
    "the version guard of clearing": (Parts(store=ClearingAnything), HTTP_AND_SWEEPER, "lost"),
    "the sweeper": (Parts(store=NeverPending), WITH_HTTP, "lost"),
    "the look after the sweeper": (Parts(store=NeverDue), HTTP_AND_RULE, "missed"),
    "commit after publish": (Parts(commit_first=True), TWO_REPLICAS, "lost"),
    "knowing what was handled": (Parts(decide=apply_always), TWO_REPLICAS, "twice"),
    "each decision's own context": (Parts(loop=LastRoundOnly), RULE_AND_TWO_PEOPLE, "missed"),
    "the second look at the epoch": (Parts(second_look=False, job=True), WITH_RULE, "missed"),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_without_this_guard_the_exploration_finds_the_fault(guard: str) -> None:
    parts, scenario, fault = GUARDS[guard]
    with pytest.raises(Broken, match=fault):
        explore(scenario, parts)
