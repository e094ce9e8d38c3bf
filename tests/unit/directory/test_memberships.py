"""Tenure's bookkeeping takes away only what it gave, and obeys the newest version it has heard."""

from datetime import UTC, datetime
from typing import Any

from services.directory.decide.memberships import Groups, SetByHand, by_hand, command
from shared.contracts.base import Cause
from shared.contracts.directory import MembershipState, SetMembership
from shared.messaging.decision import Circumstances, Decision
from tests.unit.directory.people import types

CAUSE = Cause(id="c", correlation="c", actor="system:provisioning")
AT = Circumstances(datetime(2026, 3, 1, tzinfo=UTC), 1, CAUSE, Groups({"sales"}))


def asked(version: int, member: bool, group: str = "sales") -> SetMembership:
    return SetMembership(
        id=f"{group}:{version}", cause=CAUSE, group_id=group, person_id="ana", member=member, grant_version=version
    )


def after(*wishes: SetMembership | SetByHand) -> tuple[MembershipState, Decision[MembershipState]]:
    state: MembershipState | None = None
    decision: Decision[MembershipState] = Decision(None)
    for wish in wishes:
        decision = command(state, wish, AT) if isinstance(wish, SetMembership) else by_hand(state, wish, AT)
        state = decision.state
    assert state is not None
    return state, decision


def last(decision: Decision[Any]) -> Any:
    return decision.transitions[-1]


ADD, REMOVE = SetByHand("sales", "ana", True), SetByHand("sales", "ana", False)


def test_a_grant_gives_and_takes() -> None:
    state, decision = after(asked(1, True))
    assert (state.member, state.by_grant, types(decision)) == (True, True, ["MemberAdded", "MembershipObeyed"])
    state, decision = after(asked(1, True), asked(2, False))
    assert (state.member, state.obeyed, types(decision)) == (False, 2, ["MemberRemoved", "MembershipObeyed"])


def test_who_was_added_by_hand_is_left_alone() -> None:
    state, decision = after(ADD, asked(1, True), asked(2, False))
    assert state.member
    assert (types(decision), last(decision).already) == (["MembershipObeyed"], True)
    state, _ = after(asked(1, True), ADD, asked(2, False))
    assert state.member


def test_an_older_command_is_ignored_and_answered() -> None:
    state, decision = after(asked(5, False), asked(3, True))
    assert (state.member, state.obeyed) == (False, 5)
    assert (types(decision), last(decision).already, last(decision).grant_version) == (["MembershipObeyed"], True, 3)


def test_a_repeat_is_answered_again_by_a_version_of_its_own() -> None:
    before, _ = after(asked(1, True))
    decision = command(before, asked(1, True), AT)
    assert decision.state == before
    assert decision.state is not before
    assert types(decision) == ["MembershipObeyed"]


def test_a_group_that_is_not_there_is_refused_and_may_be_asked_for_again() -> None:
    state, decision = after(asked(1, True, "gone"))
    assert (state.member, state.obeyed, last(decision).reason.code) == (False, 0, "unknownGroup")
    _, decision = after(asked(2, False, "gone"))
    assert (types(decision), last(decision).already) == (["MembershipObeyed"], True)


def test_by_hand_twice_is_once() -> None:
    before, _ = after(ADD)
    assert by_hand(before, ADD, AT).state is before
    state, decision = after(ADD, REMOVE)
    assert (state.member, types(decision)) == (False, ["MemberRemoved"])
    refusal = by_hand(None, SetByHand("gone", "ana", True), AT).refusal
    assert refusal is not None
    assert refusal.code == "ResourceNotFound"
