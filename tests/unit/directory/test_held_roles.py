"""Held roles obey provisioning as memberships do, and hands besides."""

from datetime import UTC, datetime

import pytest

from services.directory.decide.held_roles import (
    GiveByHand,
    Offered,
    TakeByHand,
    command,
    give,
    held_role_id,
    shown,
    take,
)
from shared.contracts.base import Cause
from shared.contracts.resources import (
    OWNER,
    HeldRolesState,
    HeldRoleWish,
    RoleAt,
    RoleObeyed,
    RoleRefused,
    RoleSystem,
    SetHeldRoles,
)
from shared.messaging.decision import Circumstances, Decision
from tests.unit.directory.people import types

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="system:provisioning")
APPROVER = RoleAt(origin_system=RoleSystem.APPLICATION, origin_id="expenses", role="approver")
VISITOR = RoleAt(origin_system=RoleSystem.SITE, origin_id="https://x.example/sites/sales", role="4")
OWNING = RoleAt(origin_system=RoleSystem.GROUP, origin_id="sales", role=OWNER)
OFFERED = Offered(
    {
        (RoleSystem.APPLICATION, "expenses"): {"approver"},
        (RoleSystem.SITE, VISITOR.origin_id): {"3", "4", "5"},
        (RoleSystem.GROUP, "sales"): {OWNER},
    }
)
AT = Circumstances(NOW, 1, CAUSE, OFFERED)


def wish(version: int, held: bool, role: RoleAt = APPROVER, repair: int = 0) -> HeldRoleWish:
    return HeldRoleWish(
        **role.model_dump(by_alias=False),
        id=f"{role.key}:{version}:{repair}",
        held=held,
        grant_version=version,
        repair=repair,
    )


def asked(*wishes: HeldRoleWish) -> SetHeldRoles:
    return SetHeldRoles(id="c1", cause=CAUSE, person_id="ana", wishes=wishes)


def after(
    *messages: SetHeldRoles | GiveByHand | TakeByHand, at: Circumstances[Offered] = AT
) -> tuple[HeldRolesState, Decision[HeldRolesState]]:
    state: HeldRolesState | None = None
    decision: Decision[HeldRolesState] = Decision(None)
    for message in messages:
        match message:
            case SetHeldRoles():
                decision = command(state, message, at)
            case GiveByHand():
                decision = give(state, message, at)
            case TakeByHand():
                decision = take(state, message, at)
        state = decision.state
    assert state is not None
    return state, decision


GIVE, TAKE = GiveByHand("ana", APPROVER), TakeByHand("ana", APPROVER)


def test_a_grant_gives_and_takes() -> None:
    state, decision = after(asked(wish(1, True)))
    (one,) = state.roles
    assert (one.held, one.by_grant, one.since, one.id) == (True, True, NOW, held_role_id("ana", APPROVER))
    assert types(decision) == ["RoleGiven", "RoleObeyed"]
    state, decision = after(asked(wish(1, True)), asked(wish(2, False)))
    (one,) = state.roles
    assert (one.held, one.obeyed, one.since, types(decision)) == (False, 2, None, ["RoleTaken", "RoleObeyed"])
    assert shown(state).roles == (), "what is over is nobody else's business"


def test_one_command_is_answered_wish_by_wish() -> None:
    missing = RoleAt(origin_system=RoleSystem.SITE, origin_id=VISITOR.origin_id, role="9")
    state, decision = after(asked(wish(1, True), wish(1, True, VISITOR), wish(1, True, missing)))
    assert [one.key for one in state.roles] == [APPROVER.key, VISITOR.key]
    assert types(decision) == ["RoleGiven", "RoleObeyed", "RoleGiven", "RoleObeyed", "RoleRefused"]
    refused = decision.transitions[-1]
    assert isinstance(refused, RoleRefused)
    assert (refused.reason.code, refused.command_id) == ("unknownRole", wish(1, True, missing).id)


def test_what_was_given_by_hand_is_left_alone() -> None:
    state, decision = after(GIVE, asked(wish(1, True)), asked(wish(2, False)))
    assert state.roles[0].held
    assert types(decision) == ["RoleObeyed"]
    state, _ = after(asked(wish(1, True)), GIVE, asked(wish(2, False)))
    assert state.roles[0].held


def test_an_older_command_is_ignored_and_answered() -> None:
    state, decision = after(asked(wish(5, False)), asked(wish(3, True)))
    assert (state.roles[0].held, state.roles[0].obeyed) == (False, 5)
    (answer,) = decision.transitions
    assert isinstance(answer, RoleObeyed)
    assert (answer.already, answer.grant_version) == (True, 3)


def test_a_repeat_is_answered_again_by_a_version_of_its_own() -> None:
    state, _ = after(asked(wish(1, True)))
    decision = command(state, asked(wish(1, True)), AT)
    assert decision.state == state
    assert decision.state is not state
    assert types(decision) == ["RoleObeyed"]


def test_a_repair_of_the_same_version_is_obeyed_once() -> None:
    state, _ = after(asked(wish(1, True)), TAKE)
    assert not state.roles[0].held
    decision = command(state, asked(wish(1, True)), AT)
    assert types(decision) == ["RoleObeyed"], "the version alone was obeyed already"
    decision = command(state, asked(wish(1, True, repair=1)), AT)
    assert types(decision) == ["RoleGiven", "RoleObeyed"]
    assert types(command(decision.state, asked(wish(1, True, repair=1)), AT)) == ["RoleObeyed"]


def test_what_is_gone_can_still_be_taken() -> None:
    state, _ = after(asked(wish(1, True)))
    decision = command(state, asked(wish(2, False)), Circumstances(NOW, 2, CAUSE, Offered()))
    assert types(decision) == ["RoleTaken", "RoleObeyed"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (GiveByHand("ana", RoleAt(origin_system=RoleSystem.SITE, origin_id="x", role="3")), "unknownResource"),
        (GiveByHand("ana", APPROVER.model_copy(update={"role": "auditor"})), "unknownRole"),
        (TAKE, "ResourceNotFound"),
    ],
)
def test_hands_are_told_what_is_wrong(message: GiveByHand | TakeByHand, code: str) -> None:
    decision = give(None, message, AT) if isinstance(message, GiveByHand) else take(None, message, AT)
    assert decision.state is None
    assert decision.refusal is not None
    assert decision.refusal.code == code


def test_nobody_is_given_what_they_have_by_hand() -> None:
    state, decision = after(GIVE, GIVE)
    assert decision.refusal is not None
    assert decision.refusal.code == "alreadyHeld"
    assert len(state.roles) == 1


def test_a_hand_leaves_nothing_behind_of_what_no_grant_spoke_of() -> None:
    state, decision = after(GIVE, TAKE)
    assert state.roles == ()
    assert types(decision) == ["RoleTaken"]


def test_a_group_keeps_its_last_owner_against_hands_and_not_against_grants() -> None:
    alone = Circumstances(NOW, 1, CAUSE, Offered(OFFERED.roles, {("ana", OWNING.key)}))
    state, decision = after(GiveByHand("ana", OWNING), TakeByHand("ana", OWNING), at=alone)
    assert decision.refusal is not None
    assert decision.refusal.code == "lastOwner"
    assert state.roles[0].held
    state, _ = after(asked(wish(1, True, OWNING)), asked(wish(2, False, OWNING)), at=alone)
    assert not state.roles[0].held
