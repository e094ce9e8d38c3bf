"""What follows from a wish about an application: registered, given a service principal, changed, deleted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.contracts.base import Refusal
from shared.contracts.resources import (
    ApplicationChanged,
    ApplicationCreated,
    ApplicationDeleted,
    ApplicationState,
    AppRole,
)
from shared.messaging.decision import Circumstances, Decision

NO_SUCH_APPLICATION = Refusal(code="ResourceNotFound", message="There is no such application.")


@dataclass(frozen=True, slots=True)
class Register:
    """An application object. `id` is that of the service principal it may get. The same again: nothing happens."""

    id: str
    app_id: str
    registration_id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MakePrincipal:
    """A service principal of a registered application, or of one that is registered elsewhere."""

    id: str
    app_id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeApplication:
    id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unregister:
    """The application object goes, and its service principal with it. A tombstone stays."""

    id: str


@dataclass(frozen=True, slots=True)
class EndPrincipal:
    """The service principal goes; a registered application stays."""

    id: str


ApplicationCommand = Register | MakePrincipal | ChangeApplication | Unregister | EndPrincipal
Outcome = Decision[ApplicationState]


def wish(  # noqa: PLR0911 - a command each
    state: ApplicationState | None, command: ApplicationCommand, at: Circumstances[None]
) -> Outcome:
    there = state if state is not None and state.deleted_at is None else None
    match command:
        case Register():
            return _register(state, there, command, at)
        case MakePrincipal():
            return _make_principal(state, there, command, at)
    if there is None:
        gone = state is not None and not isinstance(command, ChangeApplication)
        return Decision(state) if gone else Decision(state, refusal=NO_SUCH_APPLICATION)
    match command:
        case ChangeApplication(properties=properties):
            return _change(there, properties)
        case Unregister():
            went = ApplicationDeleted(registered=there.registration_id is not None, principal=there.is_principal)
            return Decision(
                there.model_copy(update={"registration_id": None, "is_principal": False, "deleted_at": at.now}), (went,)
            )
        case EndPrincipal():
            if not there.is_principal:
                return Decision(there)
            update = {"is_principal": False, "deleted_at": None if there.registration_id else at.now}
            return Decision(there.model_copy(update=update), (ApplicationDeleted(principal=True),))


def _register(
    state: ApplicationState | None, there: ApplicationState | None, command: Register, at: Circumstances[None]
) -> Outcome:
    if there is not None and there.registration_id == command.registration_id:
        return Decision(there)
    if there is not None:
        return Decision(state, refusal=_taken("An application", command.app_id))
    made = ApplicationState(
        id=command.id,
        app_id=command.app_id,
        registration_id=command.registration_id,
        created_at=at.now,
        **command.properties,
    )
    return Decision(made, (ApplicationCreated(registered=True),))


def _make_principal(
    state: ApplicationState | None, there: ApplicationState | None, command: MakePrincipal, at: Circumstances[None]
) -> Outcome:
    if there is not None and there.is_principal:
        return Decision(state, refusal=_taken("A service principal", command.app_id))
    said = ApplicationCreated(principal=True)
    if there is not None:
        return Decision(there.model_copy(update={**command.properties, "is_principal": True}), (said,))
    properties = {"display_name": command.app_id, **command.properties}
    made = ApplicationState(id=command.id, app_id=command.app_id, is_principal=True, created_at=at.now, **properties)
    return Decision(made, (said,))


def _change(state: ApplicationState, properties: dict[str, Any]) -> Outcome:
    if "app_roles" in properties and (lost := _enabled_and_lost(state.app_roles, properties["app_roles"])):
        text = f"The app role '{lost.display_name}' is enabled: disable it before it is taken out."
        return Decision(state, refusal=Refusal(code="CannotDeleteOrUpdateEnabledEntitlement", message=text))
    changed = tuple(name for name, value in properties.items() if getattr(state, name) != value)
    if not changed:
        return Decision(state)
    update = {name: properties[name] for name in changed}
    return Decision(state.model_copy(update=update), (ApplicationChanged(properties=changed),))


def _enabled_and_lost(before: tuple[AppRole, ...], after: tuple[AppRole, ...]) -> AppRole | None:
    kept = {role.id for role in after}
    return next((role for role in before if role.is_enabled and role.id not in kept), None)


def _taken(what: str, app_id: str) -> Refusal:
    text = f"{what} with the appId {app_id} exists already."
    return Refusal(code="Request_MultipleObjectsWithSameKeyValue", message=text)
