"""Who leaves, and what is deleted, while a review goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from services.review.decide import applying, definitions, items
from services.review.decide.items import Answered, Look
from services.review.decide.reviewers import of_item
from services.review.model import FIRST_RESEND, Awaited, Definition, Instance, Item, Stage, public_instance
from shared.contracts.base import Cause
from shared.contracts.directory import (
    GroupFact,
    GroupState,
    MembershipObeyed,
    MembershipsFact,
    MembershipsState,
    UnnestObeyed,
)
from shared.contracts.review import (
    ApplyResult,
    DefinitionState,
    InstanceCreated,
    InstanceFact,
    ReviewedResource,
    ReviewSettings,
    ReviewStatus,
    StageSettings,
    Verdict,
)
from shared.contracts.roster import GROUP_MEMBER, RosterKind
from shared.contracts.topics import GROUP_COMMANDS, REVIEW_COMMANDS
from shared.messaging.decision import Circumstances

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="review:i", actor="person:olga")
STAGE = StageSettings(duration_in_days=7)
DEFINITION = DefinitionState(
    id="d", display_name="Sales", scope={}, settings=ReviewSettings(mail_notifications_enabled=True), stages=(STAGE,),
    created_at=NOW, modified_at=NOW,
)  # fmt: skip


def instance(status: ReviewStatus) -> Instance:
    return Instance(
        id="i", definition=DEFINITION, number=1, resource=ReviewedResource(kind=RosterKind.GROUP, id="g"), scope={},
        status=status, starts_at=NOW, ends_at=NOW + timedelta(days=7), stages=(Stage(id="s", settings=STAGE),),
        cause=CAUSE,
    )  # fmt: skip


@pytest.mark.spec("REV-19")
@pytest.mark.parametrize(
    ("gone", "result", "words"),
    [
        (None, ApplyResult.APPLIED, "Taken away"),
        ("ana", ApplyResult.NOT_FOUND, "had left"),
        ("g", ApplyResult.NOT_FOUND, "had been deleted"),
    ],
)
def test_that_somebody_had_left_or_the_group_had_been_deleted_by_the_end_is_said_in_the_result(
    gone: str | None, result: ApplyResult, words: str
) -> None:
    denied = Item(
        "x", "i", "d", "ana", None, "Member", None, None, "Member", False, False, decision=Verdict.DENY,
        decided_by="olga", apply_began=True, awaited=Awaited("review-item:x", NOW + FIRST_RESEND),
    )  # fmt: skip
    obeyed = MembershipObeyed(group_id="g", command_id="review-item:x", grant_version=0, already=False)
    state = MembershipsState(person_id="ana")
    fact = MembershipsFact(id="m", cause=CAUSE, subject="ana", version=2, at=NOW, transitions=(obeyed,), state=state)
    [answer] = applying.answers_in(fact)
    look = Look({"i": instance(ReviewStatus.APPLYING)}, frozenset({gone}))
    decision = items.answered(denied, Answered("x", answer), Circumstances(NOW, 3, CAUSE, look))
    assert decision.state is not None
    assert decision.state.result is result
    [told] = decision.transitions
    assert words in told.detail
    assert (told.lost is None) is (gone is not None), "nobody writes of what was gone"


@pytest.mark.spec("REV-4")
def test_a_group_that_is_denied_is_taken_out_and_nobody_written_to() -> None:
    group = Item("x", "i", "d", "inner", None, "Member", None, None, GROUP_MEMBER, False, False, decision=Verdict.DENY)
    applying_ = instance(ReviewStatus.APPLYING)
    commanded = items.apply(group, items.Apply("x"), Circumstances(NOW, 3, CAUSE, Look({"i": applying_})))
    [command] = commanded.messages
    assert (command.topic, command.key) == (GROUP_COMMANDS.name, b"inner")
    assert orjson.loads(command.value or b"")["within"] == "g"
    obeyed = UnnestObeyed(command_id="review-item:x", within="g")
    fact = GroupFact(
        id="g:2", cause=CAUSE, subject="inner", version=2, at=NOW, transitions=(obeyed,),
        state=GroupState(id="inner", display_name="Inner", created_at=NOW),
    )  # fmt: skip
    [answer] = applying.answers_in(fact)
    assert commanded.state is not None
    done = items.answered(
        commanded.state, Answered("x", answer), Circumstances(NOW, 4, CAUSE, Look({"i": applying_}))
    )  # fmt: skip
    assert done.state is not None
    assert (done.state.result, done.transitions[0].lost) == (ApplyResult.APPLIED, None)


def test_nobody_but_the_fallbacks_decides_about_a_group_in_a_self_review() -> None:
    stage = Stage(id="s", settings=STAGE, self_review=True, fallback=("eva",))
    assert of_item("ana", None, stage, ()) == ("ana",)
    assert of_item("inner", None, stage, (), is_group=True) == ("eva",)


def told_of(status: ReviewStatus) -> InstanceFact:
    state = public_instance(instance(status))
    return InstanceFact(
        id="i:1", cause=CAUSE, subject="i", version=1, at=NOW, transitions=(InstanceCreated(),), state=state
    )  # fmt: skip


@pytest.mark.spec("REV-13")
def test_a_run_that_was_only_beginning_as_its_definition_was_deleted_is_ended_too() -> None:
    deleted = Definition(state=DEFINITION, number=1, cause=CAUSE, deleted=True)
    at = Circumstances(NOW, 5, CAUSE, definitions.Look())
    decision = definitions.instance_told(deleted, told_of(ReviewStatus.INITIALIZING), at)
    assert decision.state is deleted
    [command] = decision.messages
    assert (command.topic, command.key) == (REVIEW_COMMANDS.name, b"i")
    assert orjson.loads(command.value or b"")["order"]["type"] == "CloseInstance"
    assert not definitions.instance_told(deleted, told_of(ReviewStatus.COMPLETED), at).messages
