"""What follows from a wish about a connected organisation, or about how entitlement management is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.contracts.base import Refusal, Transition
from shared.contracts.organizations import (
    OrganizationChanged,
    OrganizationCreated,
    OrganizationDeleted,
    OrganizationState,
    SettingsChanged,
    SettingsState,
    Side,
    SponsorAdded,
    SponsorRemoved,
)
from shared.messaging.decision import Circumstances, Decision

MOST_SPONSORS = 100
"""On each side."""
NO_SUCH_ORGANIZATION = Refusal(code="ResourceNotFound", message="There is no such connected organization.")


@dataclass(frozen=True, slots=True)
class CreateOrganization:
    """Under an id that is taken: nothing happens."""

    id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeOrganization:
    id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeleteOrganization:
    """It stays as a tombstone: its versions must not restart."""

    id: str


@dataclass(frozen=True, slots=True)
class SetSponsor:
    """Add a person or a group to the sponsors of one side, or take them out."""

    id: str
    side: Side
    sponsor_id: str
    present: bool


OrganizationCommand = CreateOrganization | ChangeOrganization | DeleteOrganization | SetSponsor


def wish(  # noqa: PLR0911 - a command each
    state: OrganizationState | None, command: OrganizationCommand, at: Circumstances[None]
) -> Decision[OrganizationState]:
    if isinstance(command, CreateOrganization):
        if state is not None:
            return Decision(state)
        made = OrganizationState(id=command.id, created_at=at.now, modified_at=at.now, **command.properties)
        return Decision(made, (OrganizationCreated(),))
    if state is None or state.deleted_at is not None:
        if isinstance(command, DeleteOrganization) and state is not None:
            return Decision(state)
        return Decision(state, refusal=NO_SUCH_ORGANIZATION)
    match command:
        case ChangeOrganization(properties=properties):
            changed = tuple(name for name, value in properties.items() if getattr(state, name) != value)
            update = {name: properties[name] for name in changed}
            return _with(state, update, OrganizationChanged(properties=changed), at) if changed else Decision(state)
        case DeleteOrganization():
            return _with(state, {"deleted_at": at.now}, OrganizationDeleted(), at)
        case SetSponsor():
            return _sponsor(state, command, at)


def _sponsor(state: OrganizationState, command: SetSponsor, at: Circumstances[None]) -> Decision[OrganizationState]:
    before = state.sponsors(command.side)
    if command.present is (command.sponsor_id in before):
        if command.present:
            return Decision(state)
        text = f"{command.sponsor_id} is not among the {command.side.value} of this organization."
        return Decision(state, refusal=Refusal(code="ResourceNotFound", message=text))
    if command.present and len(before) >= MOST_SPONSORS:
        text = f"A connected organization has at most {MOST_SPONSORS} {command.side.value}."
        return Decision(state, refusal=Refusal(code="tooMany", message=text))
    after = (*before, command.sponsor_id) if command.present else tuple(s for s in before if s != command.sponsor_id)
    field_name = "internal_sponsors" if command.side is Side.INTERNAL else "external_sponsors"
    kind = SponsorAdded if command.present else SponsorRemoved
    return _with(state, {field_name: after}, kind(side=command.side, sponsor_id=command.sponsor_id), at)


def _with(
    state: OrganizationState, update: dict[str, Any], transition: Transition, at: Circumstances[None]
) -> Decision[OrganizationState]:
    return Decision(state.model_copy(update={**update, "modified_at": at.now}), (transition,))


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """The settings that are named, by their names in `SettingsState`."""

    properties: dict[str, Any]


def settings(state: SettingsState | None, command: ChangeSettings, at: Circumstances[None]) -> Decision[SettingsState]:
    before = state or SettingsState()
    changed = tuple(name for name, value in command.properties.items() if getattr(before, name) != value)
    if not changed:
        return Decision(state)
    update = {name: command.properties[name] for name in changed}
    return Decision(before.model_copy(update={**update, "modified_at": at.now}), (SettingsChanged(properties=changed),))
