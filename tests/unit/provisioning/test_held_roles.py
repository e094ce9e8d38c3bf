"""Roles of applications and sites, and ownership, are delivered as memberships are, by commands of their own."""

from typing import Any

import orjson
import pytest

from services.provisioning import decide
from services.provisioning.decide import Resources, drift_of, found_access_of
from services.provisioning.model import Deliveries, Repair, dump, load
from shared.contracts import topics
from shared.contracts.base import Cause, Lane, Refusal, Transition
from shared.contracts.catalog import ResourceRole
from shared.contracts.provisioning import DeliveryFailed, Removed
from shared.contracts.resources import (
    HeldRolesFact,
    HeldRolesState,
    HeldRoleState,
    RoleAt,
    RoleObeyed,
    RoleRefused,
    RoleSystem,
)
from shared.messaging.decision import Due

from .test_decide import NOW, SALES, at, holding, membership, told

APPROVER = ResourceRole(origin_system="AadApplication", origin_id="expenses", role="approver")
VISITOR = ResourceRole(origin_system="SharePointOnline", origin_id="https://x.example/sites/a.b", role="4")
OWNER = ResourceRole(origin_id="sales", role="Owner")


def place(role: ResourceRole) -> dict[str, Any]:
    return {"origin_system": RoleSystem(role.origin_system), "origin_id": role.origin_id, "role": role.role}


def wishes(decision: Any) -> list[tuple[str, bool, int, int]]:
    """Topic, wanted, version and repair of all that is asked for."""
    said = []
    for record in decision.messages:
        for wish in orjson.loads(record.value)["wishes"]:
            wanted = wish.get("held", wish.get("member"))
            said.append((record.topic, wanted, wish["grantVersion"], wish["repair"]))
    return said


def held(version: int, *said: Transition, role: ResourceRole | None = None, **how: Any) -> HeldRolesFact:
    roles = (HeldRoleState(id="r", **place(role), **{"held": True, **how}),) if role else ()
    return HeldRolesFact(
        id=f"held-roles:ana:{version}",
        cause=Cause(id="x", correlation="hr-1", actor="source:hr"),
        subject="ana",
        version=version,
        at=NOW,
        transitions=said,
        state=HeldRolesState(person_id="ana", roles=roles),
    )


def asked(role: ResourceRole, *, version: int = 1, tries: int = 1) -> str:
    return decide.command_id("ana", role, version, tries)


def obeyed(role: ResourceRole, *, version: int = 1, tries: int = 1) -> RoleObeyed:
    return RoleObeyed(
        role=RoleAt(**place(role)), command_id=asked(role, version=version, tries=tries), grant_version=version
    )


def delivered(role: ResourceRole, **how: Any) -> Deliveries:
    state = decide.follow_holding(None, holding(1, (role, True, 1)), at()).state
    fact = held(1, obeyed(role), role=role, by_grant=True, obeyed=1, **how)
    state = decide.follow_held_roles(state, fact, at()).state
    assert state is not None
    return state


@pytest.mark.parametrize("role", [APPROVER, VISITOR, OWNER], ids=lambda role: role.origin_system)
def test_a_role_is_asked_for_answered_and_taken(role: ResourceRole) -> None:
    first = decide.follow_holding(None, holding(1, (role, True, 1)), at())
    assert wishes(first) == [(topics.HELD_ROLE_COMMANDS.name, True, 1, 0)]
    answered = decide.follow_held_roles(first.state, held(1, obeyed(role), role=role, by_grant=True, obeyed=1), at())
    assert told(answered) == ["Delivered"]
    gone = decide.follow_holding(answered.state, holding(2, taken=(role,)), at(version=2))
    assert wishes(gone) == [(topics.HELD_ROLE_COMMANDS.name, False, 2, 0)]
    removed = decide.follow_held_roles(gone.state, held(2, obeyed(role, version=2)), at(version=3))
    assert told(removed) == ["Removed"]
    assert removed.state is not None
    assert load(dump(removed.state)) == removed.state


def test_what_a_package_bundles_is_asked_of_each_connector_once() -> None:
    grants = [(role, True, 1) for role in (SALES, APPROVER, VISITOR, OWNER)]
    decision = decide.follow_holding(None, holding(1, *grants), at())
    assert [record.topic for record in decision.messages] == [
        topics.MEMBERSHIP_COMMANDS.name, topics.HELD_ROLE_COMMANDS.name
    ]  # fmt: skip
    assert len(wishes(decision)) == 4


def test_an_urgent_removal_travels_in_its_lane() -> None:
    decision = decide.follow_holding(delivered(APPROVER), holding(2, taken=(APPROVER,)), at(lane=Lane.URGENT))
    assert [record.topic for record in decision.messages] == [topics.HELD_ROLE_COMMANDS.urgent.name]


def test_what_was_there_by_hand_is_found_and_stays() -> None:
    state = delivered(APPROVER, by_hand=True)
    (one,) = state.deliveries.values()
    assert one.found
    state_asked = decide.follow_holding(state, holding(2, taken=(APPROVER,)), at(version=2)).state
    fact = held(2, obeyed(APPROVER, version=2), role=APPROVER, by_hand=True, obeyed=2)
    decision = decide.follow_held_roles(state_asked, fact, at(version=3))
    (said,) = decision.transitions
    assert isinstance(said, Removed)
    assert said.left_in_place


def test_an_older_fact_tells_nothing_of_what_is_there_and_answers_all_the_same() -> None:
    state = decide.follow_holding(None, holding(1, (APPROVER, True, 1)), at()).state
    state = decide.follow_held_roles(state, held(5, role=APPROVER, by_grant=True, obeyed=1), at()).state
    decision = decide.follow_held_roles(state, held(4, obeyed(APPROVER)), at())
    assert told(decision) == ["Delivered"]
    assert decision.state is not None
    assert decision.state.standing(APPROVER).member


def test_a_role_that_is_not_there_fails_until_it_is() -> None:
    state = decide.follow_holding(None, holding(1, (APPROVER, True, 1)), at()).state
    reason = Refusal(code="unknownRole", message="no")
    refused = RoleRefused(role=RoleAt(**place(APPROVER)), command_id=asked(APPROVER), grant_version=1, reason=reason)
    failed = decide.follow_held_roles(state, held(1, refused), at())
    assert told(failed) == ["DeliveryFailed"]
    poked = decide.look_again(failed.state, Due("ana", NOW), at(context=Resources(alive=frozenset({"expenses"}))))
    assert wishes(poked) == [(topics.HELD_ROLE_COMMANDS.name, True, 1, 1)]


def test_a_deleted_site_fails_what_is_wanted_there() -> None:
    gone = Resources(deleted=frozenset({VISITOR.origin_id}))
    decision = decide.look_again(delivered(VISITOR), Due("ana", NOW), at(context=gone))
    (said,) = decision.transitions
    assert isinstance(said, DeliveryFailed)
    assert said.reason.code == "siteDeleted"


def test_drift_of_held_roles_is_found_and_put_right() -> None:
    state = decide.follow_held_roles(delivered(APPROVER), held(2, role=VISITOR, by_grant=True, obeyed=7), at()).state
    assert state is not None
    assert [(one.role.key, one.expected, one.version) for one in drift_of(state)] == [
        (APPROVER.key, True, 1), (VISITOR.key, False, 7)
    ]  # fmt: skip
    decision = decide.repair(state, Repair("ana"), at())
    assert wishes(decision) == [
        (topics.HELD_ROLE_COMMANDS.name, True, 1, 1), (topics.HELD_ROLE_COMMANDS.name, False, 7, 1)
    ]  # fmt: skip


def test_to_own_a_group_explains_no_membership_of_it() -> None:
    state = decide.follow_memberships(delivered(OWNER), membership(1, member=True, by_hand=True), at()).state
    assert state is not None
    assert found_access_of(state) == ["sales"]
