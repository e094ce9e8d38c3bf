"""Tenure's bookkeeping takes away only what it gave, and obeys the newest version it has heard."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.directory.decide.memberships import Groups, SetByHand, by_hand, command
from services.directory.model import Memberships, dump_memberships, load_memberships
from services.directory.service import shown_memberships
from shared.contracts.base import Cause
from shared.contracts.directory import (
    MOST_WISHES,
    MembershipRemoval,
    MembershipState,
    MembershipWish,
    SetMemberships,
)
from shared.messaging.decision import Circumstances, Decision
from tests.unit.directory.people import types

CAUSE = Cause(id="c", correlation="c", actor="system:provisioning")
AT = Circumstances(datetime(2026, 3, 1, tzinfo=UTC), 1, CAUSE, Groups({"sales", "docs"}))


def wish(version: int, member: bool, group: str = "sales") -> MembershipWish:
    return MembershipWish(id=f"{group}:{version}", group_id=group, member=member, grant_version=version)


def asked(*wishes: MembershipWish) -> SetMemberships:
    return SetMemberships(id="command", cause=CAUSE, person_id="ana", wishes=wishes)


def after(*asks: MembershipWish | SetMemberships | SetByHand) -> tuple[Memberships, Decision[Memberships]]:
    state: Memberships | None = None
    decision: Decision[Memberships] = Decision(None)
    for one in asks:
        if isinstance(one, SetByHand):
            decision = by_hand(state, one, AT)
        else:
            decision = command(state, one if isinstance(one, SetMemberships) else asked(one), AT)
        state = decision.state
    assert state is not None
    assert load_memberships(dump_memberships(state)) == state
    return state, decision


def sales(state: Memberships) -> MembershipState:
    return state.by_group["sales"]


def last(decision: Decision[Any]) -> Any:
    return decision.transitions[-1]


ADD, REMOVE = SetByHand("sales", "ana", True), SetByHand("sales", "ana", False)


def test_a_grant_gives_and_takes() -> None:
    state, decision = after(wish(1, True))
    assert (sales(state).member, sales(state).by_grant) == (True, True)
    assert types(decision) == ["MemberAdded", "MembershipObeyed"]
    state, decision = after(wish(1, True), wish(2, False))
    assert (sales(state).member, sales(state).obeyed) == (False, 2)
    assert types(decision) == ["MemberRemoved", "MembershipObeyed"]


def test_one_decision_answers_every_wish_of_a_command() -> None:
    _, decision = after(wish(1, True), asked(wish(2, False), wish(2, True, "docs"), wish(2, True, "gone")))
    assert [(one.type, one.group_id) for one in decision.transitions] == [  # type: ignore[attr-defined]
        ("MemberRemoved", "sales"),
        ("MembershipObeyed", "sales"),
        ("MemberAdded", "docs"),
        ("MembershipObeyed", "docs"),
        ("MembershipRefused", "gone"),
    ]
    answers = [one.command_id for one in decision.transitions if hasattr(one, "command_id")]
    assert answers == ["sales:2", "docs:2", "gone:2"]


def test_others_see_where_somebody_is_and_the_document_remembers_where_they_were() -> None:
    state, _ = after(asked(wish(1, True), wish(1, True, "docs")), wish(2, False))
    assert [one.group_id for one in shown_memberships(state).groups] == ["docs"]
    assert dump_memberships(state)["member_of"] == ["docs"]
    assert sales(state).obeyed == 2
    removed, _ = after(wish(1, True), REMOVE)
    (shown,) = shown_memberships(removed).groups
    assert (shown.member, shown.by_grant) == (False, True), "a grant wants it still"


def test_who_was_added_by_hand_is_left_alone() -> None:
    state, decision = after(ADD, wish(1, True), wish(2, False))
    assert sales(state).member
    assert (types(decision), last(decision).already) == (["MembershipObeyed"], True)
    state, _ = after(wish(1, True), ADD, wish(2, False))
    assert sales(state).member


def test_an_older_command_is_ignored_and_answered() -> None:
    state, decision = after(wish(5, False), wish(3, True))
    assert (sales(state).member, sales(state).obeyed) == (False, 5)
    assert (types(decision), last(decision).already, last(decision).grant_version) == (["MembershipObeyed"], True, 3)


def test_a_repeat_is_answered_again_by_a_version_of_its_own() -> None:
    before, _ = after(wish(1, True))
    decision = command(before, asked(wish(1, True)), AT)
    assert decision.state == before
    assert decision.state is not before
    assert types(decision) == ["MembershipObeyed"]


def test_a_group_that_is_not_there_is_refused_and_may_be_asked_for_again() -> None:
    state, decision = after(wish(1, True, "gone"))
    assert (state.by_group, last(decision).reason.code) == ({}, "unknownGroup")
    _, decision = after(wish(2, False, "gone"))
    assert (types(decision), last(decision).already) == (["MembershipObeyed"], True)


def test_by_hand_twice_is_once() -> None:
    before, _ = after(ADD)
    again = by_hand(before, ADD, AT)
    assert (again.state is before, again.refusal and again.refusal.code) == (True, "exists")
    state, decision = after(ADD, REMOVE)
    assert (sales(state).member, types(decision)) == (False, ["MemberRemoved"])
    refusal = by_hand(None, SetByHand("gone", "ana", True), AT).refusal
    assert refusal is not None
    assert refusal.code == "ResourceNotFound"


def removal(group: str = "sales") -> SetMemberships:
    one = MembershipRemoval(id="review-item:1", group_id=group)
    return SetMemberships(id="c", cause=asked(wish(1, True)).cause, person_id="ana", removals=(one,))


def test_a_review_takes_out_who_was_added_by_hand_and_is_answered() -> None:
    state, decision = after(ADD, removal())
    assert not sales(state).member
    assert (types(decision), last(decision).group_id) == (["MembershipObeyed", "MemberRemoved"], "sales")
    state, decision = after(ADD, removal(), removal())
    assert (types(decision), last(decision).already) == (["MembershipObeyed"], True)


def test_a_review_does_not_take_what_would_come_back_by_itself() -> None:
    state, decision = after(ADD, wish(1, True), removal())
    assert sales(state).member
    assert (types(decision), last(decision).reason.code) == (["MembershipRefused"], "givenByPackage")
    by_rule = Memberships("ana", {"sales": MembershipState(group_id="sales", member=True)})
    refused = command(by_rule, removal(), replace(AT, context=Groups({"sales"}, {"sales"})))
    assert (types(refused), last(refused).reason.code) == (["MembershipRefused"], "dynamicGroup")


def test_a_command_has_a_wish_and_not_too_many() -> None:
    for wishes in ([], [wish(1, True)] * (MOST_WISHES + 1)):
        with pytest.raises(ValidationError):
            asked(*wishes)


GROUPS = ("sales", "docs", "gone")
ASKS = st.one_of(
    st.dictionaries(st.sampled_from(GROUPS), st.tuples(st.integers(1, 6), st.booleans()), min_size=1).map(
        lambda by_group: asked(*(wish(version, member, group) for group, (version, member) in by_group.items()))
    ),
    st.builds(SetByHand, st.sampled_from(GROUPS[:2]), st.just("ana"), st.booleans()),
)


@given(st.lists(ASKS, max_size=12))
def test_whatever_comes_together_ends_as_if_it_had_come_one_by_one(asks: list[SetMemberships | SetByHand]) -> None:
    """A group's membership is the outcome of what was asked about it alone, and all that was said adds up to it."""
    state, members = None, set()
    alone: dict[str, Memberships | None] = {}
    for one in asks:
        decision = by_hand(state, one, AT) if isinstance(one, SetByHand) else command(state, one, AT)
        state = decision.state
        for said in decision.transitions:
            if said.type in ("MemberAdded", "MemberRemoved"):
                assert (said.group_id in members) == (said.type == "MemberRemoved")  # type: ignore[attr-defined]
                members ^= {said.group_id}  # type: ignore[attr-defined]
        if isinstance(one, SetByHand):
            alone[one.group_id] = by_hand(alone.get(one.group_id), one, AT).state
        else:
            for each in one.wishes:
                alone[each.group_id] = command(alone.get(each.group_id), asked(each), AT).state
    found = state.by_group if state else {}
    expected = {group: one.by_group[group] for group, one in alone.items() if one and group in one.by_group}
    assert found == expected
    assert {group for group, one in found.items() if one.member} == members
