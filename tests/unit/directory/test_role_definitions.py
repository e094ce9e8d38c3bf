"""Definitions of directory roles: those made here come and go, the built-in ones stay as they are."""

from datetime import UTC, datetime

import pytest

from services.directory.decide.role_definitions import ChangeRole, DefineRole, DeleteRole, RoleCommand, wish
from services.directory.resources.builtin import READERS_ID, built_in_roles
from services.directory.resources.store import dump_role, load_role
from shared.contracts.base import Cause
from shared.contracts.roles import RoleDefinitionState, RolePermission
from shared.messaging.decision import Circumstances, Decision
from shared.security.permissions import DIRECTORY_ROLES
from tests.unit.directory.people import types

AT = Circumstances(datetime(2026, 3, 1, tzinfo=UTC), 1, Cause(id="c", correlation="c", actor="system:api"), None)
READS = (RolePermission(allowed_resource_actions=("microsoft.directory/applications/standard/read",)),)
DEFINE = DefineRole("r", {"display_name": "Desk", "is_enabled": True, "role_permissions": READS})


def after(*commands: RoleCommand) -> tuple[RoleDefinitionState, Decision[RoleDefinitionState]]:
    state: RoleDefinitionState | None = None
    decision: Decision[RoleDefinitionState] = Decision(None)
    for command in commands:
        decision = wish(state, command, AT)
        state = decision.state
    assert state is not None
    return state, decision


def test_a_role_is_defined_with_its_own_id_as_template_and_changed() -> None:
    state, decision = after(DEFINE)
    assert (state.is_built_in, state.template_id, types(decision)) == (False, "r", ["RoleDefinitionCreated"])
    assert load_role(dump_role(state)) == state
    state, decision = after(DEFINE, ChangeRole("r", {"is_enabled": False}))
    assert (state.is_enabled, types(decision)) == (False, ["RoleDefinitionChanged"])
    assert after(DEFINE, ChangeRole("r", {"is_enabled": True}))[1].transitions == ()


def test_a_deleted_role_stays_as_a_tombstone() -> None:
    state, decision = after(DEFINE, DeleteRole("r"))
    assert types(decision) == ["RoleDefinitionDeleted"]
    assert wish(state, DeleteRole("r"), AT).transitions == ()
    refusal = wish(state, ChangeRole("r", {"is_enabled": False}), AT).refusal
    assert refusal is not None
    assert refusal.code == "ResourceNotFound"


@pytest.mark.parametrize("command", [ChangeRole("x", {"is_enabled": False}), DeleteRole("x")])
def test_a_built_in_role_is_neither_changed_nor_deleted(command: RoleCommand) -> None:
    refusal = wish(built_in_roles()[0], command, AT).refusal
    assert refusal is not None
    assert refusal.code == "builtIn"


def test_every_directory_role_is_defined_permits_something_and_reads_as_all_do() -> None:
    roles = {one.id: one for one in built_in_roles()}
    assert set(roles) == {READERS_ID, *DIRECTORY_ROLES.values()}
    assert all(one.role_permissions[0].allowed_resource_actions for one in roles.values())
    assert {one.inherits_permissions_from for id, one in roles.items() if id != READERS_ID} == {(READERS_ID,)}
