"""All interleavings of a few processes, with at most one kill: depth first, no state twice."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.messaging.errors import MayPass
from shared.messaging.loop import Loop
from tests.unit.messaging.world import Actor, Parts, Process, Step, World, read_fact


@dataclass
class Scenario:
    """Who runs. `kills` of the processes may be killed, each after any of its steps."""

    messages: tuple[tuple[str, str], ...]
    actors: Mapping[str, Actor]
    kills: int = 1
    lost_replies: int = 0


@dataclass
class Running:
    """One actor on its way: the coroutine, the step it stopped before, and what it has been answered.

    Each round of the loop begins with loading, and what was heard before then lives on only in `loop.run`'s own
    variables, so that is all two equal states have to share."""

    process: Process
    coroutine: Coroutine[Any, Any, None]
    step: Step | None
    heard: list[str] = field(default_factory=list)

    def hear(self, step: str, answer: str) -> None:
        if step == "load":
            self.heard.clear()
        self.heard.append(answer)

    def key(self) -> tuple[Any, ...]:
        """What this actor knows and where it stands; nothing more of a finished one matters."""
        if self.step is None:
            return ()
        places: list[Any] = []
        at: Any = self.coroutine
        while at is not None and hasattr(at, "cr_frame"):
            places.append((at.cr_code.co_qualname, at.cr_frame.f_lasti))
            if at.cr_code is Loop.run.__code__:
                known = at.cr_frame.f_locals
                places.append(repr([known.get(name) for name in ("remaining", "again", "clashes")]))
                places.append(repr(sorted((id, one.context) for id, one in known.get("touched", {}).items())))
            at = at.cr_await
        loop = self.process.loop
        stamp = f"{self.process.name}{self.process.stamps}"
        mine = [id for id, found in self.process.world.documents.items() if found["stamp"] == stamp]
        known = (repr(loop._acknowledged), repr(loop._settled), repr(loop._recent._known))
        return (*places, tuple(self.heard), *known, self.process.committed.next, mine)


class Broken(AssertionError):
    """The guarantee does not hold; `schedule` leads there."""

    def __init__(self, what: str, schedule: Sequence[str]) -> None:
        super().__init__(f"{what}\n  " + "\n  ".join(schedule))
        self.what = what


@dataclass
class Found:
    """How much was explored."""

    schedules: int = 0
    states: int = 0


def explore(scenario: Scenario, parts: Parts | None = None, limit: int = 2_000_000) -> Found:
    """Run every schedule of `scenario`. Raises Broken for the first that loses, reorders or invents something."""
    parts = parts or Parts()
    seen: set[int] = set()
    found = Found()
    stack: list[list[int]] = [[]]
    while stack:
        prefix = stack.pop()
        _run(scenario, parts, prefix, seen, stack)
        found.schedules += 1
        if len(seen) > limit:
            raise RuntimeError(f"More than {limit} states: make the scenario smaller.")
    found.states = len(seen)
    return found


def _run(scenario: Scenario, parts: Parts, prefix: list[int], seen: set[int], stack: list[list[int]]) -> None:
    """Follow `prefix`, then always the first choice, leaving the others on the stack."""
    world = World(messages=scenario.messages, rule_may_change="rule" in scenario.actors)
    running = {name: _start(world, parts, name, actor) for name, actor in scenario.actors.items()}
    kills = scenario.kills
    lost = scenario.lost_replies
    taken: list[int] = []
    story: list[str] = []
    while True:
        choices = _choices(running, kills, lost)
        if not choices:
            break
        if len(taken) >= len(prefix):
            # Actors that do the same are interchangeable: who of them is where does not matter.
            places = sorted((repr(scenario.actors[name]), repr(runner.key())) for name, runner in running.items())
            key = hash((world.key(), kills, lost, tuple(places)))
            if key in seen:
                _close(running)
                return
            seen.add(key)
            stack.extend([*taken, other] for other in range(1, len(choices)))
            choice = 0
        else:
            choice = prefix[len(taken)]
        taken.append(choice)
        name, act = choices[choice]
        runner = running[name]
        story.append(f"{name}: {act}" + (f" {runner.step.name}" if runner.step and act != "kill" else ""))
        if act == "kill":
            kills -= 1
            runner.coroutine.close()
            runner.step = None
        elif act == "lose":
            lost -= 1
            assert runner.step is not None
            runner.step.do()
            _advance(runner, error=True)
        else:
            _advance(runner)
    _check(world, scenario, parts, story)


def _choices(running: Mapping[str, Running], kills: int, lost: int) -> list[tuple[str, str]]:
    alive = [name for name, runner in running.items() if runner.step is not None]
    choices = [(name, "does") for name in alive]
    if kills:
        choices += [(name, "kill") for name in alive]
    if lost:
        choices += [(name, "lose") for name in alive if running[name].step.name == "write"]  # type: ignore[union-attr]
    return choices


def _start(world: World, parts: Parts, name: str, actor: Actor) -> Running:
    process = Process(world, parts, name)
    runner = Running(process, actor(process), None)
    try:
        runner.step = runner.coroutine.send(None)
    except StopIteration:
        pass
    return runner


def _advance(runner: Running, *, error: bool = False) -> None:
    assert runner.step is not None
    try:
        if error:
            runner.hear(runner.step.name, "lost")
            runner.step = runner.coroutine.throw(MayPass("the reply was lost"))
        else:
            answer = runner.step.do()
            runner.hear(runner.step.name, repr(answer))
            runner.step = runner.coroutine.send(answer)
    except StopIteration:
        runner.step = None


def _close(running: Mapping[str, Running]) -> None:
    for runner in running.values():
        runner.coroutine.close()


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to its end without interruption."""
    try:
        step = coroutine.send(None)
        while True:
            step = coroutine.send(step.do())
    except StopIteration:
        pass


def _check(world: World, scenario: Scenario, parts: Parts, story: Sequence[str]) -> None:
    """After the storm a fresh replica reads what is not committed, job and sweeper run: then all must be well."""
    recovery: list[Actor] = [Process.consume, Process.sweep, Process.look_at_due]
    if "rule: kill" in {line.strip() for line in story}:
        recovery.insert(1, Process.job)  # a job that was killed is due still, and goes on elsewhere
    for actor in recovery:
        _finish(actor(Process(world, parts, "recovery")))
    facts: dict[str, list[int]] = {}
    for record in world.log:
        subject, version = read_fact(record.value or b"")
        if world.written.get((subject, version)) != record.value:
            raise Broken(f"invented: fact {version} of {subject} was published and never stored so", story)
        versions = facts.setdefault(subject, [])
        if version not in versions:
            versions.append(version)
    for id, document in world.documents.items():
        applied = document["state"]["applied"]
        if len(applied) != len(set(applied)):
            raise Broken(f"applied twice: {applied}", story)
        if document["state"]["rule"] != world.epoch:
            raise Broken(f"missed by the rule: {id} is decided under {document['state']['rule']}", story)
        versions = facts.get(id, [])
        if sorted(versions) != list(range(1, document["version"] + 1)):
            raise Broken(f"lost: facts {versions} of {document['version']} were published", story)
        if versions != sorted(versions):
            raise Broken(f"reordered: {versions}", story)
    for id, subject in [*scenario.messages, *((c, "x") for c in world.acknowledged)]:
        if id not in world.documents.get(subject, {"state": {"applied": []}})["state"]["applied"]:
            raise Broken(f"lost: {id} was never applied", story)


Explore = Callable[[Scenario], Found]
