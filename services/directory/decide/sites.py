"""What follows from a wish about a site: made known, changed, gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.contracts.base import Refusal
from shared.contracts.resources import SiteChanged, SiteCreated, SiteDeleted, SiteState
from shared.messaging.decision import Circumstances, Decision


@dataclass(frozen=True, slots=True)
class CreateSite:
    """A site at an address, from which `id` is derived."""

    id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangeSite:
    id: str
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeleteSite:
    """The site stays as a tombstone: its versions must not restart."""

    id: str


SiteCommand = CreateSite | ChangeSite | DeleteSite


def wish(  # noqa: PLR0911 - a refusal or a command each
    state: SiteState | None, command: SiteCommand, at: Circumstances[None]
) -> Decision[SiteState]:
    there = state if state is not None and state.deleted_at is None else None
    if isinstance(command, CreateSite):
        if there is not None:
            text = f"A site at {there.web_url} exists already."
            return Decision(state, refusal=Refusal(code="nameAlreadyExists", message=text))
        return Decision(SiteState(id=command.id, created_at=at.now, **command.properties), (SiteCreated(),))
    if there is None:
        if isinstance(command, DeleteSite) and state is not None:
            return Decision(state)
        return Decision(state, refusal=Refusal(code="ResourceNotFound", message="There is no such site."))
    if isinstance(command, DeleteSite):
        return Decision(there.model_copy(update={"deleted_at": at.now}), (SiteDeleted(),))
    changed = tuple(name for name, value in command.properties.items() if getattr(there, name) != value)
    if not changed:
        return Decision(state)
    update = {name: command.properties[name] for name in changed}
    return Decision(there.model_copy(update=update), (SiteChanged(properties=changed),))
