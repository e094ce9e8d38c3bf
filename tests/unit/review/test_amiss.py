"""What is amiss with a run is told to whoever made it while there is time to mend it, and shown on the run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.review import graph
from services.review.decide import instances
from services.review.model import Asking, Instance, dump_instance, load_instance, public_instance
from shared.contracts.base import Cause, Refusal
from shared.contracts.review import (
    DefaultDecision,
    DefinitionState,
    ItemsUnattended,
    NothingToReview,
    OpenItems,
    ReviewCommand,
    ReviewedResource,
    ReviewerScope,
    ReviewSettings,
    ReviewStatus,
    StageSettings,
    StartInstance,
)
from shared.contracts.roster import RosterAbout, RosterFact, RosterKind, RosterRefused, RosterState
from shared.messaging.decision import Circumstances, Decision, Due

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
TWO = OpenItems(count=2, people=("ana", "ben"))


def at(context: Any = None) -> Circumstances[Any]:
    return Circumstances(now=NOW, version=1, cause=CAUSE, context=context)


def begun(*, default: bool = True) -> Instance:
    """Owners review a group that has none."""
    settings = ReviewSettings(default_decision_enabled=default, default_decision=DefaultDecision.DENY)
    owners = StageSettings(duration_in_days=7, reviewers=(ReviewerScope(query="./owners"),))
    definition = DefinitionState(
        id="d", display_name="One", scope={}, settings=settings, stages=(owners,), created_at=NOW, modified_at=NOW
    )
    resource = ReviewedResource(kind=RosterKind.GROUP, id="g")
    order = StartInstance(
        definition=definition, number=1, resource=resource, scope={}, starts_at=NOW, ends_at=NOW + timedelta(days=7)
    )
    command = ReviewCommand(id="c", cause=CAUSE, instance_id="i", order=order)
    started = instances.obey(None, command, at(instances.Look())).state
    assert started is not None
    stage = started.stage.having(status=ReviewStatus.IN_PROGRESS, starts_at=NOW, ends_at=NOW + timedelta(days=7))
    return started.with_stage(0, stage).having(
        status=ReviewStatus.IN_PROGRESS, asking=Asking(occasion="start", at=NOW), items=5
    )


def step(one: Instance, unattended: OpenItems | None, *, over: bool = True) -> Decision[Instance]:
    done = instances.Step(over=over, unattended=unattended, answerable=("maker",))
    return instances.date_has_come(one, Due(one.id, NOW), at(instances.Look(steps={one.id: done})))


@pytest.mark.spec("REV-5")
@pytest.mark.parametrize("default", [True, False])
def test_what_nobody_can_decide_is_told_once_with_what_becomes_of_it(default: bool) -> None:
    decision = step(begun(default=default), TWO)
    moved = decision.state
    assert moved is not None
    otherwise = DefaultDecision.DENY if default else DefaultDecision.NONE
    assert decision.transitions == (
        ItemsUnattended(stage_id=moved.stage.id, items=TWO, otherwise=otherwise, told=("maker",)),
    )
    assert graph.instance_said(moved)["@tenure.unattended"] == public_instance(moved).unattended == 2
    assert load_instance(dump_instance(moved)) == moved
    again = moved.having(asking=Asking(occasion="start", at=NOW))
    assert step(again, TWO).transitions == (), "somebody else was told: nothing is new"
    mended = step(again, None).state
    assert mended is not None
    assert mended.unattended == 0
    more = OpenItems(count=3, people=("ana",))
    assert [one.type for one in step(again, more).transitions] == ["ItemsUnattended"], "somebody left meanwhile"


def test_reminders_say_nothing_of_it() -> None:
    reminding = begun().having(asking=Asking(occasion="halfTime", at=NOW), unattended=2)
    decision = step(reminding, None)
    assert decision.transitions == ()
    assert decision.state is not None
    assert decision.state.unattended == 2


def test_a_run_about_what_is_not_there_says_so_once() -> None:
    waiting = begun().having(status=ReviewStatus.INITIALIZING, asking=None, items=0)
    state = RosterState(id="i", about=RosterAbout(kind=RosterKind.GROUP, id="g"), done=True)
    refused = RosterRefused(reason=Refusal(code="notFound", message="There is no group g."))
    fact = RosterFact(
        id="roster:i:1", cause=CAUSE, subject="i", version=1, at=NOW, transitions=(refused,), state=state
    )  # fmt: skip
    started = instances.roster_told(waiting, instances.RosterTold(fact, 0), at()).state
    assert started is not None
    assert graph.instance_said(started)["@tenure.refused"] == "There is no group g."

    decision = step(started, None)

    assert decision.transitions == (NothingToReview(reason="There is no group g.", told=("maker",)),)
    assert decision.state is not None
    assert step(decision.state.having(asking=Asking(occasion="start", at=NOW)), None).transitions == ()


def acted(one: Instance, what: Any) -> Instance:
    after = instances.act(one, instances.Act(one.id, what), at(instances.Look())).state
    assert after is not None
    return after


@pytest.mark.spec("REV-21")
def test_a_reminder_waits_until_all_are_told_of_what_they_are_just_told_of() -> None:
    reminding = acted(begun(), "remind")
    assert reminding.asking == Asking(occasion="start", at=NOW, reminds=True)
    decision = step(reminding, TWO)
    assert [one.type for one in decision.transitions] == ["ItemsUnattended"], "nor is that passed over"
    assert decision.state is not None
    assert decision.state.asking == Asking(occasion="reminder", at=NOW)
    over = step(decision.state, None).state
    assert over is not None
    assert over.asking is None


def test_a_reminder_does_not_get_lost_as_others_take_over_or_the_next_stage_begins() -> None:
    reminding = acted(begun().having(asking=None), "remind")
    telling = instances.tell_new(reminding, instances.TellNew("i"), at(instances.Look())).state
    assert telling is not None
    assert telling.asking == Asking(occasion="start", at=NOW, reminds=True)
    between = acted(begun().having(asking=None, moving=True), "remind")
    opened = step(between, None).state
    assert opened is not None
    assert opened.asking == Asking(occasion="start", at=NOW, reminds=True)
