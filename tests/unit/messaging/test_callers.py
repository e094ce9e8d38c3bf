"""What of held roles lets a caller do something."""

import pytest

from shared.contracts.resources import OWNER, TENANT, HeldRoleState, RoleSystem
from shared.messaging.callers import held_of
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
