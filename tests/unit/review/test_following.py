"""A definition follows its policy: made once, changed, ended, taken up again, gone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.review.decide import definitions
from services.review.decide.definitions import Look
from services.review.decide.following import definition_id, policy_told
from services.review.model import Definition, dump_definition, load_definition
from services.review.scope import read_scope
from shared.contracts.base import Cause
from shared.contracts.catalog import Created, Life, PolicyFact, PolicyState
from shared.contracts.policy import SubjectKind, SubjectSet
from shared.contracts.policy_review import PolicyReview, Unanswered
from shared.contracts.review import (
    CloseInstance,
    DefaultDecision,
    Recurrence,
    RecurrencePattern,
    RecurrenceRange,
    ReviewChanged,
    ReviewCommand,
    ReviewDefined,
    ReviewDeleted,
    ReviewStatus,
)
from shared.messaging.decision import Circumstances, Decision, Due

NOW = datetime(2026, 6, 1, tzinfo=UTC)
POLICY, PACKAGE, ANA = (f"{n:08d}-0000-4000-8000-000000000000" for n in (1, 2, 3))
ID = definition_id(POLICY)
QUARTERLY = Recurrence(
    pattern=RecurrencePattern(type="absoluteMonthly", interval=3),
    range=RecurrenceRange(start_date=date(2026, 7, 1)),
)
REVIEW = PolicyReview(
    recurrence=QUARTERLY,
    duration_in_days=14,
    reviewers=(SubjectSet(kind=SubjectKind.TARGET_MANAGER),),
    fallback_reviewers=(SubjectSet(kind=SubjectKind.SINGLE_USER, id=ANA),),
)


def fact(review: PolicyReview | None = REVIEW, *, version: int = 1, life: Life = Life.ACTIVE) -> PolicyFact:
    return PolicyFact(
        id=f"policy:{POLICY}:{version}",
        cause=Cause(id="c", correlation="c", actor=f"person:{ANA}"),
        subject=POLICY,
        version=version,
        at=NOW,
        transitions=(Created(),),
        state=PolicyState(
            id=POLICY, package_id=PACKAGE, display_name="By request", review=review, life=life,
            created_at=NOW, modified_at=NOW,
        ),
    )  # fmt: skip


def at(now: datetime = NOW, running: tuple[str, ...] = ()) -> Circumstances[Look]:
    look = Look(running={ID: running}, names={PACKAGE: "Sales"})
    return Circumstances(now, 1, Cause(id="c", correlation="c", actor="system:review"), look)


def told(definition: Definition | None, said: PolicyFact, **when: Any) -> tuple[Definition | None, list[type]]:
    decision = policy_told(definition, said, at(**when))
    return decision.state, [type(one) for one in decision.transitions]


def followed(said: PolicyFact | None = None) -> Definition:
    definition, _ = told(None, said or fact())
    assert definition is not None
    return definition


def begun(definition: Definition) -> Definition:
    assert definition.next_at is not None
    state = definitions.date_has_come(definition, Due(definition.id, definition.next_at), at(definition.next_at)).state
    assert state is not None
    return state


@pytest.mark.spec("PKR-1", "PKR-2", "PKR-3", "PKR-5", "PKR-6")
def test_the_definition_says_what_the_policy_does() -> None:
    definition, said = told(None, fact())
    assert definition is not None
    assert said == [ReviewDefined]
    state = definition.state
    assert (state.id, state.policy_id, state.created_by) == (ID, POLICY, ANA)
    assert state.display_name == "Sales: By request"
    (resource,) = read_scope(state.scope).resources
    assert (resource.id, resource.policy_id) == (PACKAGE, POLICY)
    assert definition.next_at == datetime(2026, 7, 1, tzinfo=UTC)
    (stage,) = state.stages
    assert [one.query for one in stage.reviewers] == ["./manager"]
    assert [one.query for one in stage.fallback_reviewers] == [f"/users/{ANA}"]
    settings = state.settings
    assert settings.auto_apply_decisions_enabled
    assert settings.reminder_notifications_enabled
    assert settings.recommendations_enabled
    assert settings.justification_required_on_approval
    assert load_definition(dump_definition(definition)) == definition


@pytest.mark.spec("PKR-4")
@pytest.mark.parametrize(
    ("unanswered", "default", "enabled"),
    [
        (Unanswered.KEEP, DefaultDecision.NONE, False),
        (Unanswered.REMOVE, DefaultDecision.DENY, True),
        (Unanswered.RECOMMENDATION, DefaultDecision.RECOMMENDATION, True),
    ],
)
def test_silence_means_what_the_policy_says(unanswered: Unanswered, default: DefaultDecision, enabled: bool) -> None:
    review = REVIEW.model_copy(update={"unanswered": unanswered, "recommendations_enabled": False})
    settings = followed(fact(review)).state.settings
    assert (settings.default_decision, settings.default_decision_enabled) == (default, enabled)
    assert settings.recommendations_enabled is (unanswered is Unanswered.RECOMMENDATION), "there is one to be taken"


def test_self_reviews_have_no_reviewers() -> None:
    own = PolicyReview(recurrence=QUARTERLY, duration_in_days=14, self_review=True)
    assert followed(fact(own)).state.stages[0].reviewers == ()


def test_a_fact_heard_again_makes_nothing_new_and_an_older_one_changes_nothing_back() -> None:
    longer = fact(REVIEW.model_copy(update={"duration_in_days": 30}), version=2)
    definition, said = told(followed(), longer)
    assert said == [ReviewChanged]
    assert told(definition, longer) == (definition, [])
    assert told(definition, fact()) == (definition, [])
    assert told(None, fact(None)) == (None, []), "a policy without a review has no definition"


def test_another_schedule_counts_on_and_begins_no_occurrence_of_the_past() -> None:
    definition = begun(followed())
    assert (definition.number, definition.next_at) == (1, datetime(2026, 10, 1, tzinfo=UTC))
    monthly = QUARTERLY.model_copy(update={"pattern": RecurrencePattern(type="absoluteMonthly", interval=1)})
    changed, _ = told(
        definition,
        fact(REVIEW.model_copy(update={"recurrence": monthly}), version=2),
        now=datetime(2026, 7, 5, tzinfo=UTC),
    )
    assert changed is not None
    assert changed.next_at == datetime(2026, 8, 1, tzinfo=UTC)
    assert changed.next_number > 1
    following = begun(changed)
    assert following.number > definition.number
    assert following.next_at == datetime(2026, 9, 1, tzinfo=UTC)


def test_without_review_settings_nothing_begins_until_there_are_some_again() -> None:
    definition = begun(followed())
    ended, said = told(definition, fact(None, version=2), running=("a run",), now=NOW + timedelta(days=40))
    assert ended is not None
    assert said == [ReviewChanged]
    assert ended.due_at is None
    assert ended.state.status is definition.state.status, "what runs goes on to its end"
    again, said = told(ended, fact(version=3), now=datetime(2026, 11, 1, tzinfo=UTC))
    assert again is not None
    assert said == [ReviewChanged]
    assert again.next_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert again.next_number > definition.number


def test_a_policy_that_was_never_reviewed_ends_completed_and_a_deleted_one_takes_its_runs_along() -> None:
    ended, _ = told(followed(), fact(None, version=2))
    assert ended is not None
    assert ended.state.status is ReviewStatus.COMPLETED
    decision: Decision[Definition] = policy_told(
        begun(followed()), fact(version=2, life=Life.DELETED), at(running=("a run",))
    )
    assert decision.state is not None
    assert decision.state.deleted
    assert [type(one) for one in decision.transitions] == [ReviewDeleted]
    (order,) = decision.messages
    assert isinstance(ReviewCommand.model_validate_json(order.value or b"").order, CloseInstance)


def test_nobody_writes_or_deletes_by_hand_what_follows_a_policy() -> None:
    definition = followed()
    written = definitions.write(definition, definitions.Write(ID, definition.state, new=False), at())
    removed = definitions.delete(definition, definitions.Delete(ID), at())
    for decision in (written, removed):
        assert decision.state is definition
        assert decision.refusal is not None
        assert decision.refusal.code == "followsPolicy"
        assert POLICY in decision.refusal.message
