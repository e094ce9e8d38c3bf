"""Decisions that are taken back, by the reviewer or all of them by an administrator; and those that nobody made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.review.decide import applying, items
from services.review.decide.items import Judge, Look, Reset
from services.review.model import Instance, Item, Recorded, Stage
from shared.contracts.base import Cause
from shared.contracts.review import (
    DefaultDecision,
    DefinitionState,
    ItemDecided,
    ItemReset,
    ReviewedResource,
    ReviewSettings,
    ReviewStatus,
    StageSettings,
    Verdict,
)
from shared.contracts.roster import RosterKind
from shared.messaging.decision import Circumstances, Decision

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="review:i", actor="app:x")


def stage(id: str, reviewer: str, status: ReviewStatus) -> Stage:
    settings = StageSettings(duration_in_days=3, moves_on=("Approve",))
    return Stage(id=id, settings=settings, reviewers=(reviewer,), status=status)


FIRST = stage("s1", "olga", ReviewStatus.COMPLETED)
SECOND = stage("s2", "paul", ReviewStatus.IN_PROGRESS)


def instance(*stages: Stage) -> Instance:
    definition = DefinitionState(
        id="d", display_name="Sales", scope={}, settings=ReviewSettings(),
        stages=tuple(one.settings for one in stages), created_at=NOW, modified_at=NOW,
    )  # fmt: skip
    return Instance(
        id="i", definition=definition, number=1, resource=ReviewedResource(kind=RosterKind.GROUP, id="g"), scope={},
        status=ReviewStatus.IN_PROGRESS, starts_at=NOW, ends_at=NOW + timedelta(days=6), stages=stages,
        current=len(stages) - 1, cause=CAUSE,
    )  # fmt: skip


IN_SECOND = instance(FIRST, SECOND)
DENIED = Item(
    "x", "i", "d", "ana", None, "Member", None, None, "Member", False, False,
    decision=Verdict.DENY, decided_by="olga", decided_at=NOW, justification="Gone.",
    decisions=(Recorded(stage=0, decision=Verdict.DENY, by="olga", at=NOW, justification="Gone."),),
)  # fmt: skip


def decided(item: Item, decide: Any, message: Any, among: Instance) -> Decision[Item]:
    decision: Decision[Item] = decide(item, message, Circumstances(NOW, 1, CAUSE, Look({"i": among})))
    assert decision.refusal is None
    return decision


@pytest.mark.spec("REV-12", "REV-15")
def test_what_a_reset_takes_back_from_an_earlier_stage_is_decided_in_the_one_in_progress() -> None:
    assert not items.goes_on(DENIED, IN_SECOND), "it had left the review with the decision it had"
    decision = decided(DENIED, items.reset, Reset("x", None), IN_SECOND)
    item = decision.state
    assert item is not None
    assert (item.decision, item.decided_by, item.decided_at) == (Verdict.NOT_REVIEWED, None, None)
    assert (item.stage, decision.transitions) == (1, (ItemReset(by=None),))
    again = decided(item, items.judge, Judge("x", "paul", Verdict.DENY, "Still gone."), IN_SECOND)
    assert again.state is not None
    assert (again.state.decision, again.state.decided_by) == (Verdict.DENY, "paul")


@pytest.mark.spec("REV-15")
def test_a_reset_brings_nothing_along_that_it_takes_nothing_from() -> None:
    left = DENIED.having(decision=Verdict.NOT_REVIEWED, decided_by=None, decided_at=None)
    assert decided(left, items.reset, Reset("x", None), IN_SECOND).state is left


@pytest.mark.spec("REV-10")
def test_a_decision_that_its_reviewer_takes_back_is_nobodys() -> None:
    open_ = instance(FIRST.having(status=ReviewStatus.IN_PROGRESS))
    taking_back = Judge("x", "olga", Verdict.NOT_REVIEWED)
    decision = decided(DENIED, items.judge, taking_back, open_)
    item = decision.state
    assert item is not None
    assert (item.decision, item.decided_by, item.decided_at, item.justification) == (
        Verdict.NOT_REVIEWED,
        None,
        None,
        None,
    )
    assert [(one.decision, one.by) for one in item.decisions] == [
        (Verdict.DENY, "olga"),
        (Verdict.NOT_REVIEWED, "olga"),
    ]
    assert decision.transitions == (
        ItemDecided(decision=Verdict.NOT_REVIEWED, by="olga", stage=1, justification=None),
    ), "that it was taken back, and by whom, stays on record"
    assert decided(item, items.judge, taking_back, open_).state is item, "there is nothing to take back"


@pytest.mark.spec("REV-17")
@pytest.mark.parametrize(
    ("by", "default", "said"),
    [
        ("olga", DefaultDecision.DENY, 'Denied in the review "Sales": Gone.'),
        (None, DefaultDecision.DENY, 'Nobody decided in the review "Sales", which denies by default.'),
        (
            None,
            DefaultDecision.RECOMMENDATION,
            'Nobody decided in the review "Sales", which then denies as advised.',
        ),
    ],
)
def test_what_nobody_decided_is_not_said_to_have_been_denied_by_somebody(
    by: str | None, default: DefaultDecision, said: str
) -> None:
    among = instance(FIRST)
    settings = ReviewSettings(default_decision_enabled=True, default_decision=default)
    definition = among.definition.model_copy(update={"settings": settings})
    resource = ReviewedResource(kind=RosterKind.PACKAGE, id="p", display_name="Sales")
    item = DENIED.having(decided_by=by, justification="Gone." if by else None)
    command = applying.command(item, among.having(definition=definition, resource=resource), NOW)
    assert orjson.loads(command.value or b"")["order"]["detail"] == said
