"""What of held roles lets a caller do something, and who is nobody any more."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.directory import (
    PersonChanged,
    PersonFact,
    PersonJoined,
    PersonLeft,
    PersonReturned,
    PersonState,
    PersonStatus,
    PersonSuspended,
    ValueChange,
)
from shared.contracts.resources import OWNER, TENANT, HeldRoleState, RoleSystem
from shared.messaging.callers import held_of, is_away, says_who_is_away
from shared.messaging.envelope import Incoming, Position
from shared.security.permissions import DIRECTORY_ROLES, GLOBAL_ADMINISTRATOR

ROLE = DIRECTORY_ROLES[GLOBAL_ADMINISTRATOR]


def held(system: RoleSystem, origin: str, role: str, *, holds: bool = True) -> HeldRoleState:
    return HeldRoleState(id="h", origin_system=system, origin_id=origin, role=role, held=holds)


@pytest.mark.parametrize("scope", ["/administrativeUnits/5d107bba", "/661e1310"])
def test_a_directory_role_within_a_part_of_the_tenant_is_none_over_all_of_it(scope: str) -> None:
    assert held_of([held(RoleSystem.DIRECTORY, TENANT, ROLE)])["directory"] == [GLOBAL_ADMINISTRATOR]
    assert held_of([held(RoleSystem.DIRECTORY, scope, ROLE)])["directory"] == []


def test_what_is_held_no_more_and_roles_of_our_own_give_nothing() -> None:
    roles = [held(RoleSystem.DIRECTORY, TENANT, ROLE, holds=False), held(RoleSystem.DIRECTORY, TENANT, "own")]
    assert held_of(roles)["directory"] == []


def test_what_is_owned_is_named_by_its_kind() -> None:
    assert held_of([held(RoleSystem.GROUP, "g", OWNER)])["owns"] == ["AadGroup/g"]


def person_fact(transition: Any, status: PersonStatus, **attributes: Any) -> Incoming:
    state = PersonState(id="ana", status=status, attributes={"displayName": "Ana", **attributes})
    fact = PersonFact(
        id="person:ana:1", cause=Cause(id="c", correlation="c", actor="source:hr"), subject="ana", version=1,
        at=datetime(2026, 3, 1, tzinfo=UTC), transitions=(transition,), state=state,
    )  # fmt: skip
    return Incoming(Position(topics.PERSON_FACTS.name, 0, 0), b"ana", fact.json_bytes(), (), 0)


@pytest.mark.parametrize(
    ("transition", "status", "heard"),
    [
        (PersonLeft(), PersonStatus.LEFT, True),
        (PersonSuspended(source="hr"), PersonStatus.SUSPENDED, True),
        (PersonReturned(source="hr"), PersonStatus.ACTIVE, True),
        (PersonJoined(returned=True), PersonStatus.ACTIVE, True),
        (PersonJoined(), PersonStatus.ACTIVE, False),
        (PersonChanged(changes={}), PersonStatus.ACTIVE, False),
    ],
)
def test_of_people_only_who_comes_or_goes_is_read(transition: Any, status: PersonStatus, heard: bool) -> None:
    assert says_who_is_away(person_fact(transition, status)) is heard


@pytest.mark.spec("PPL-1")
def test_whoever_is_blocked_or_enabled_is_read_and_nobody_else_who_has_an_account() -> None:
    blocked = PersonChanged(changes={"accountEnabled": ValueChange(before=True, after=False)})
    enabled = PersonChanged(changes={"accountEnabled": ValueChange(before=False, after=True)})
    moved = PersonChanged(changes={"city": ValueChange(before=None, after="Oslo")})
    assert says_who_is_away(person_fact(blocked, PersonStatus.ACTIVE, accountEnabled=False))
    assert says_who_is_away(person_fact(enabled, PersonStatus.ACTIVE, accountEnabled=True))
    assert says_who_is_away(person_fact(PersonJoined(), PersonStatus.ACTIVE, accountEnabled=False))
    assert not says_who_is_away(person_fact(moved, PersonStatus.ACTIVE, accountEnabled=True))
    assert is_away(PersonStatus.ACTIVE, {"accountEnabled": False})
    assert not is_away(PersonStatus.ACTIVE, {"accountEnabled": True})
    assert not is_away(PersonStatus.ACTIVE, {})
