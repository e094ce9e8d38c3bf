"""What a process remembers of an aggregate spares it a read, and never stands in for what another has written since."""

from __future__ import annotations

from typing import Any

import pytest

from shared.messaging.decision import Circumstances, Decision
from shared.messaging.loop import Loop
from shared.messaging.ports import Stored
from shared.messaging.recent import Recent
from tests.unit.messaging.explore import _advance, _finish, _start
from tests.unit.messaging.world import NOTHING, Parts, Process, Say, World, read_fact, remember

STEPS_THAT_READ = {"load", "carried"}


class Unasked(Loop):  # type: ignore[type-arg]
    """Believes what it remembers."""

    async def _outdated(self, drafts, attempt):  # type: ignore[no-untyped-def]
        return set()


def turn(state: dict[str, Any] | None, message: Say, at: Circumstances[int]) -> Decision[dict[str, Any]]:
    """A switch: 'on' and 'off' do nothing to what is so already."""
    state = state or NOTHING
    now = state["applied"][-1] if state["applied"] else "off"
    return Decision(state) if message.id == now else remember(state, message.id, at)


def told(world: World, process: Process, id: str) -> list[str]:
    """The steps that it took to say so."""
    running = _start(world, Parts(), process.name, lambda _: process.command(id, "x"))
    steps: list[str] = []
    while running.step is not None:
        steps.append(running.step.name)
        _advance(running)
    return steps


def two(parts: Parts) -> tuple[World, Process, Process]:
    world = World()
    return world, Process(world, parts, "one"), Process(world, parts, "other")


def test_what_was_just_written_is_not_read_again() -> None:
    world, one, _ = two(Parts())
    assert STEPS_THAT_READ & {*told(world, one, "c1")}
    assert not STEPS_THAT_READ & {*told(world, one, "c2")}
    assert world.documents["x"]["state"]["applied"] == ["c1", "c2"]


def test_what_another_has_written_since_is_written_upon() -> None:
    world, one, other = two(Parts())
    for process, id in ((one, "c1"), (other, "c2"), (one, "c3"), (other, "c4")):
        told(world, process, id)
    assert world.documents["x"]["state"]["applied"] == ["c1", "c2", "c3", "c4"]


def test_what_was_said_is_not_said_again_because_somebody_asked_for_another_look() -> None:
    world, one, other = two(Parts())
    for act in (one.command("c1", "x"), other.interfere(), one.command("c2", "x")):
        _finish(act)
    assert world.documents["x"]["state"]["applied"] == ["c1", "c2"]
    assert [read_fact(record.value or b"") for record in world.log] == [("x", 1), ("x", 2)]


def test_what_was_published_is_known_to_be_although_somebody_asked_for_another_look() -> None:
    world, one, other = two(Parts())
    running = _start(world, Parts(), "one", lambda _: one.command("c1", "x"))
    while running.step is not None and running.step.name != "clear":
        _advance(running)
    _finish(other.interfere())
    while running.step is not None:
        _advance(running)
    assert not world.documents["x"]["pending"]


def test_nothing_is_taken_for_so_that_another_has_changed() -> None:
    world, one, other = two(Parts(decide=turn))
    for process, id in ((one, "on"), (other, "off"), (one, "on")):
        told(world, process, id)
    assert world.documents["x"]["state"]["applied"] == ["on", "off", "on"]


def test_without_being_asked_for_its_revision_it_would_be() -> None:
    world, one, other = two(Parts(decide=turn, loop=Unasked))
    for process, id in ((one, "on"), (other, "off"), (one, "on")):
        told(world, process, id)
    assert world.documents["x"]["state"]["applied"] == ["on", "off"]


def test_the_latest_are_remembered() -> None:
    recent: Recent[str] = Recent(2)
    for id in ("a", "b", "a", "c"):
        recent.remember(Stored(id, revision=1), id)
    assert recent.of(["a", "b", "c", "d"]).keys() == {"a", "c"}


@pytest.mark.parametrize(("revision", "kept"), [(0, "new"), (1, "new"), (3, "newer")])
def test_nothing_older_replaces_what_is_known(revision: int, kept: str) -> None:
    recent: Recent[str] = Recent()
    recent.remember(Stored("a", revision=2), "new")
    recent.remember(Stored("a", revision=revision), "newer")
    assert recent.of(["a"])["a"].state == kept


def test_what_was_forgotten_is_read() -> None:
    recent: Recent[str] = Recent()
    recent.remember(Stored("a", revision=1), "a")
    recent.forget(["a", "b"])
    assert recent.of(["a"]) == {}
