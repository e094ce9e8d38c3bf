"""Collections of connected organisations and of the one document of settings."""

from __future__ import annotations

from typing import Any

from shared.contracts.organizations import SETTINGS_ID, OrganizationState, SettingsState
from shared.durations import iso
from shared.storage import Database, Index, MongoAggregates

Document = dict[str, Any]

LIVING: Document = {"state.deleted_at": None}


class Organizations(MongoAggregates):
    """`organizations`, by id. Deleted ones stay."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "organizations", [Index("state.label", "_id")])


class SettingsStore(MongoAggregates):
    """`settings`: one document, there once anything was set otherwise than it is by default."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "settings", [])

    async def present(self) -> tuple[SettingsState, int]:
        """With its version; 0 while nothing was ever set."""
        found = await self.state(SETTINGS_ID)
        return (load_settings(found), int(found["version"])) if found else (SettingsState(), 0)


def dump_organization(one: OrganizationState) -> Document:
    """As a document, with the name folded for finding it."""
    said = one.model_dump(by_alias=False)
    sources = [{**source, "kind": source["kind"].value} for source in said["identity_sources"]]
    return {**said, "identity_sources": sources, "state": one.state.value, "label": one.display_name.casefold()}


def load_organization(document: Document) -> OrganizationState:
    return OrganizationState.model_validate(document)


def dump_settings(one: SettingsState) -> Document:
    return {
        **one.model_dump(by_alias=False),
        "external_user_lifecycle_action": one.external_user_lifecycle_action.value,
        "related_people_insight_level": one.related_people_insight_level.value,
        "resource_roles_shown_to": one.resource_roles_shown_to.value,
        "duration_until_external_user_deleted_after_blocked": iso(
            one.duration_until_external_user_deleted_after_blocked
        ),
    }


def load_settings(document: Document) -> SettingsState:
    return SettingsState.model_validate(document)
