"""Made, changed, deleted in two phases: given a state, when a message comes, then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.catalog import decide
from services.catalog.decide import Change, Create, Delete, Surroundings, Withdraw
from services.catalog.model import Catalog, Package, Policy, Resource
from shared.contracts.assignment import UseAnswer
from shared.contracts.base import Cause
from shared.contracts.catalog import Life, ResourceRole
from shared.messaging.decision import Again, Circumstances, Decision, Due

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="http:1", correlation="http:1", actor="person:ana")
SALES = Package(id="sales", catalog_id="company", display_name="Sales", created_at=NOW, modified_at=NOW).as_made()
POLICY = Policy(id="rule", package_id="sales", display_name="By rule", rule="x", created_at=NOW, modified_at=NOW)
OPEN = Surroundings(parents={"company": Life.ACTIVE, "sales": Life.ACTIVE})


def at(version: int = 1, context: Surroundings = OPEN, clashes: frozenset[str] = frozenset()) -> Circumstances[Any]:
    return Circumstances(now=NOW, version=version, cause=CAUSE, context=context, clashes=clashes)


def said(decision: Decision[Any]) -> list[str]:
    return [transition.type for transition in decision.transitions]


def refusal(decision: Decision[Any]) -> str | None:
    return decision.refusal.code if decision.refusal else None


def deleting(version: int = 2) -> Package:
    state = decide.delete(SALES, Delete("sales"), at(version)).state
    assert state is not None
    return state


def answer(in_use: int, asked_version: int = 2) -> UseAnswer:
    return UseAnswer(
        id="answer", cause=CAUSE, subject="sales", kind="package", asked_version=asked_version, in_use=in_use
    )


def test_what_is_created_twice_is_made_once() -> None:
    first = decide.create(None, Create(SALES), at())
    assert said(first) == ["Created"]
    again = decide.create(first.state, Create(SALES), at(2))
    assert again.state is first.state
    assert said(again) == []


def test_another_thing_under_the_same_id_is_refused() -> None:
    other = SALES.model_copy(update={"display_name": "Marketing"}).as_made()
    assert refusal(decide.create(SALES, Create(other), at(2))) == "idempotencyKeyReused"


@pytest.mark.parametrize(
    ("parents", "expected"),
    [({}, "parentNotFound"), ({"company": Life.DELETED}, "parentNotFound"), ({"company": Life.DELETING}, "deleting")],
)
def test_a_package_needs_a_living_catalog(parents: dict[str, Life], expected: str) -> None:
    assert refusal(decide.create(None, Create(SALES), at(context=Surroundings(parents)))) == expected


def test_a_name_that_is_taken_is_said_with_its_name() -> None:
    decision = decide.create(None, Create(SALES), at(clashes=frozenset({"state.folded"})))
    assert refusal(decision) == "duplicate"
    assert "'Sales' exists already in this catalog" in decision.refusal.message  # type: ignore[union-attr]


def test_what_was_made_while_its_package_went_goes_too() -> None:
    gone = Surroundings(parents={"sales": Life.DELETED})
    assert said(decide.again(POLICY, Again(), at(2, gone))) == ["Deleted"]
    perhaps = Surroundings(parents={"sales": Life.DELETING})
    assert decide.again(POLICY, Again(), at(2, perhaps)).state is POLICY


def test_a_change_names_what_changed_and_a_repeat_changes_nothing() -> None:
    change = Change("sales", {"description": "New", "is_hidden": False}, version=1)
    decision = decide.change(SALES, change, at(2))
    assert decision.transitions[0].properties == ("description",)  # type: ignore[attr-defined]
    repeat = decide.change(decision.state, change, at(3))
    assert repeat.state is decision.state
    assert refusal(repeat) is None


def test_a_stale_change_is_refused() -> None:
    assert refusal(decide.change(SALES, Change("sales", {"description": "New"}, version=1), at(3))) == "stale"


def test_two_who_add_roles_at_once_both_succeed() -> None:
    first, second = ResourceRole(origin_id="g1"), ResourceRole(origin_id="g2")
    state: Any = SALES
    for role in (first, second, first):
        state = decide.change(state, Change("sales", {}, add_roles=(role,)), at(2)).state
    assert state.roles == (first, second)
    assert (state.since(first), state.since(second)) == (NOW, NOW)
    state = decide.change(state, Change("sales", {}, remove_roles=frozenset({first.key})), at(4)).state
    assert state.roles == (second,)
    assert (state.since(first), state.since(second)) == (None, NOW)


def test_a_role_keeps_the_date_it_came_with_and_one_that_comes_back_gets_a_new_one() -> None:
    first, second = ResourceRole(origin_id="g1"), ResourceRole(origin_id="g2")
    made = decide.create(None, Create(SALES.model_copy(update={"roles": (first,)}).as_made()), at()).state
    later = Circumstances(now=NOW + timedelta(days=1), version=2, cause=CAUSE, context=OPEN)
    both: Any = decide.change(made, Change("sales", {"roles": (first, second)}), later).state
    assert (both.since(first), both.since(second)) == (NOW, later.now)
    unknown = both.model_copy(update={"role_dates": ()})
    kept: Any = decide.change(unknown, Change("sales", {"description": "New"}), later).state
    assert kept.since(first) is None, "nobody knows any more"
    without: Any = decide.change(both, Change("sales", {}, remove_roles=frozenset({first.key})), later).state
    back: Any = decide.change(without, Change("sales", {}, add_roles=(first,)), later).state
    assert back.since(first) == later.now


def test_nothing_new_while_it_is_being_deleted() -> None:
    assert refusal(decide.change(deleting(), Change("sales", {"description": "New"}), at(3))) == "deleting"


def test_the_built_in_catalog_stays() -> None:
    general = Catalog(id="g", display_name="General", is_built_in=True, created_at=NOW, modified_at=NOW)
    assert refusal(decide.delete(general, Delete("g"), at(2))) == "builtIn"
    assert refusal(decide.change(general, Change("g", {"display_name": "Special"}), at(2))) == "builtIn"
    assert refusal(decide.change(general, Change("g", {"display_name": "General", "description": "x"}), at(2))) is None


def test_an_answer_of_nobody_ends_it_and_one_of_somebody_gives_it_back() -> None:
    assert said(decide.answered(deleting(), answer(0), at(3))) == ["Deleted"]
    kept = decide.answered(deleting(), answer(3), at(3))
    assert said(kept) == ["DeletionRefused"]
    assert kept.state is not None
    assert kept.state.life is Life.ACTIVE
    assert "3 assignments" in kept.state.kept_because


def test_an_answer_to_an_earlier_question_changes_nothing() -> None:
    state = deleting(version=4)
    assert decide.answered(state, answer(0, asked_version=2), at(5)).state is state


def test_a_catalog_left_half_way_is_settled_by_its_timer() -> None:
    catalog = Catalog(id="c", display_name="C", created_at=NOW, modified_at=NOW)
    state = decide.delete(catalog, Delete("c"), at(2)).state
    assert said(decide.settle(state, Due("c", NOW), at(3))) == ["Deleted"]
    used = Surroundings(uses={"c": "1 package"})
    assert said(decide.settle(state, Due("c", NOW), at(3, used))) == ["DeletionRefused"]


def test_the_question_is_put_again_ever_more_rarely() -> None:
    state: Any = deleting()
    waits = []
    for _ in range(8):
        state = decide.later(state, at(3))
        waits.append(state.deletion.again_at - NOW)
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=5)


def test_a_resource_that_was_taken_out_comes_back_under_its_id() -> None:
    resource = Resource(
        id="r", catalog_id="company", origin_id="g", display_name="G", created_at=NOW, modified_at=NOW
    ).as_made()
    gone = decide.withdraw(resource, Withdraw("r"), at(2)).state
    assert said(decide.create(gone, Create(resource), at(3))) == ["Created"]


class Deleting(RuleBasedStateMachine):
    """Deletions asked and answered in any order, with repeats and late answers: never gone while someone held it."""

    def __init__(self) -> None:
        super().__init__()
        self.state: Any = SALES
        self.version = 1
        self.answers: list[UseAnswer] = []
        self.lives = [Life.ACTIVE]

    def happens(self, decision: Decision[Any]) -> None:
        if decision.transitions:
            self.version += 1
            self.lives.append(decision.state.life)
        else:
            assert decision.state is self.state
        self.state = decision.state

    @rule(in_use=st.integers(0, 2))
    def delete(self, in_use: int) -> None:
        before = self.version
        self.happens(decide.delete(self.state, Delete("sales"), at(self.version + 1)))
        if self.version > before:
            self.answers.append(answer(in_use, self.version))

    @rule(which=st.integers(0, 20))
    def hears(self, which: int) -> None:
        if not self.answers:
            return
        heard = self.answers[which % len(self.answers)]
        about_now = self.state.deletion is not None and self.state.deletion.version == heard.asked_version
        self.happens(decide.answered(self.state, heard, at(self.version + 1)))
        if about_now:
            assert self.state.life is (Life.ACTIVE if heard.in_use else Life.DELETED)

    @rule()
    def created_again(self) -> None:
        self.happens(decide.create(self.state, Create(SALES), at(self.version + 1)))

    @invariant()
    def gone_is_gone_and_only_a_question_leads_there(self) -> None:
        assert Life.DELETED not in self.lives[:-1]
        assert (self.state.deletion is not None) == (self.state.life is Life.DELETING)


Deleting.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestDeleting = Deleting.TestCase
