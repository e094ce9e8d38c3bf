"""A rule, a role set or a population changed: everyone it can concern is decided again, some hundreds at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.assignment.decide.look import Look
from services.assignment.decide.membership import knowing
from services.assignment.decide.settle import settle
from services.assignment.model import Holding, RuleJob, Subject
from shared.contracts.assignment import RuleJobFinished, RuleJobProgressed, RuleJobStarted
from shared.contracts.base import Transition
from shared.messaging.decision import Circumstances, Decision, Due


@dataclass(frozen=True, slots=True)
class Decide:
    """Decide this person again by the present rules."""

    person_id: str


def decide_person(holding: Holding | None, message: Decide, at: Circumstances[Look]) -> Decision[Holding]:
    """First learn the memberships that rules have newly come to name, then settle."""
    said = at.context.memberships.get(message.person_id)
    if said is None:
        return Decision(None) if holding is None else settle(holding, at, known=holding)
    before = holding if holding is not None else Holding(message.person_id)
    return settle(knowing(before, said, at.context.rules), at, known=before)


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """The policy, package or population `id` changed, and `epoch` was raised for it."""

    id: str
    subject: Subject
    epoch: int


def start(job: RuleJob | None, changed: RulesChanged, at: Circumstances[None]) -> Decision[RuleJob]:
    """Begin with the first person. A newer change resets target and cursor; an older one is part of it already."""
    if job is not None and changed.epoch <= job.target_epoch:
        return Decision(job)
    started = RuleJob(changed.id, changed.subject, changed.epoch, at.cause, started_at=at.now, due_at=at.now)
    return Decision(started, (RuleJobStarted(),))


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a job has done, before the job itself is moved on."""

    last: str | None
    """The last person decided, if there was one."""
    decided: int
    changed: int
    expected: int
    over: bool
    """Nobody is left."""


@dataclass(slots=True)
class Tally:
    """What has been written for one job since its timer rang, under which state of the rules."""

    due: Due
    decided: dict[str, int] = field(default_factory=dict)
    """By person, the latest epoch they were decided under."""
    changed: dict[str, int] = field(default_factory=dict)
    """Likewise of those whose access it changed, second looks included."""

    def take(self, decisions: Mapping[str, Sequence[Decision[Holding]]]) -> None:
        """Add what became of these people."""
        for person, made in decisions.items():
            for decision in made:
                if decision.state is not None:
                    self.decided[person] = decision.state.epoch
                    if decision.transitions:
                        self.changed[person] = decision.state.epoch

    def step(self, job: RuleJob, people: Sequence[str], expected: int, *, over: bool) -> Step:
        """As `job` counts it: what was decided under rules before its target is none of its own."""
        decided = {*people, *(person for person, epoch in self.decided.items() if epoch >= job.target_epoch)}
        return Step(
            people[-1] if people else None,
            len(decided),
            sum(epoch >= job.target_epoch for epoch in self.changed.values()),
            max(expected, len(decided)),
            over,
        )


def move_on(job: RuleJob | None, _due: Due, at: Circumstances[Mapping[str, Step]]) -> Decision[RuleJob]:
    """Put the cursor behind the people just decided."""
    step = at.context.get(job.id) if job is not None else None
    if job is None or job.done or step is None:
        return Decision(job)
    moved = replace(
        job,
        cursor=step.last or job.cursor,
        decided=job.decided + step.decided,
        changed=job.changed + step.changed,
        expected=step.expected if job.expected is None else job.expected,
        due_at=at.now,
    )
    if not step.over:
        return Decision(moved, (RuleJobProgressed(),))
    said: tuple[Transition, ...] = (RuleJobFinished(),)
    return Decision(replace(moved, done=True, finished_at=at.now, due_at=None), said)
