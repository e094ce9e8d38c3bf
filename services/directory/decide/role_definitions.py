"""What follows from a wish about the definition of a directory role: made, changed, deleted. Built-in ones stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.contracts.base import Refusal
from shared.contracts.roles import (
    RoleDefinitionChanged,
    RoleDefinitionCreated,
    RoleDefinitionDeleted,
    RoleDefinitionState,
)
from shared.messaging.decision import Circumstances, Decision

NO_SUCH_ROLE = Refusal(code="ResourceNotFound", message="There is no such role definition.")
BUILT_IN = Refusal(code="builtIn", message="A built-in role is the same in every tenant: it cannot be changed.")


@dataclass(frozen=True, slots=True)
class DefineRole:
    """Under an id that is taken: nothing happens."""

    id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeRole:
    id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeleteRole:
    """It stays as a tombstone: its versions must not restart."""

    id: str


RoleCommand = DefineRole | ChangeRole | DeleteRole


def wish(  # noqa: PLR0911 - a refusal or a command each
    state: RoleDefinitionState | None, command: RoleCommand, at: Circumstances[Any]
) -> Decision[RoleDefinitionState]:
    if isinstance(command, DefineRole):
        if state is not None:
            return Decision(state)
        properties = {"template_id": command.id, **command.properties}
        made = RoleDefinitionState(id=command.id, created_at=at.now, **properties)
        return Decision(made, (RoleDefinitionCreated(),))
    if state is None or state.deleted_at is not None:
        gone = state is not None and isinstance(command, DeleteRole)
        return Decision(state) if gone else Decision(state, refusal=NO_SUCH_ROLE)
    if state.is_built_in:
        return Decision(state, refusal=BUILT_IN)
    if isinstance(command, DeleteRole):
        return Decision(state.model_copy(update={"deleted_at": at.now}), (RoleDefinitionDeleted(),))
    changed = tuple(name for name, value in command.properties.items() if getattr(state, name) != value)
    if not changed:
        return Decision(state)
    update = {name: command.properties[name] for name in changed}
    return Decision(state.model_copy(update=update), (RoleDefinitionChanged(properties=changed),))
