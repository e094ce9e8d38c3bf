"""Connected organisations and settings as Graph shows them, and the bodies it is given.

Source: reference/graph-api-operations.md 2.8, 2.9; graph-model.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, field_validator, model_validator
from pydantic import Field as Described

from services.directory.graph import GROUPS, USERS
from shared.contracts.organizations import (
    SETTINGS_ID,
    GuestLifecycle,
    IdentitySource,
    OrganizationStanding,
    PeopleInsight,
    RolesShownTo,
    SettingsState,
    SourceKind,
)
from shared.durations import duration, iso
from shared.ids import derived_id
from shared.web.graph_model import ODATA_TYPE, GraphBody, NotBlank, graph_time, lowered, not_null, odata_type_of
from shared.web.odata import DATETIME, GUID, EntitySet, Enumeration, Field, Many

Document = dict[str, Any]

MOST_SOURCES = 100
_OWN: Mapping[SourceKind, tuple[str, ...]] = {
    SourceKind.TENANT: ("tenantId",),
    SourceKind.OTHER_CLOUD: ("tenantId", "cloudInstance"),
    SourceKind.DOMAIN: ("domainName",),
    SourceKind.FEDERATION: ("domainName", "issuerUri"),
    SourceKind.SOCIAL: ("socialIdentitySourceType",),
}
"""What each kind has beside a name."""
_BY_TYPE = {kind.value.lower(): kind for kind in SourceKind}

SETTINGS = EntitySet(
    "entitlementManagementSettings",
    {},
    selectable=frozenset(
        {
            "id",
            "externalUserLifecycleAction",
            "durationUntilExternalUserDeletedAfterBlocked",
            "resourceRolesShownTo",
        }
    ),
)
CONFIGURATIONS = EntitySet(
    "controlConfiguration",
    {},
    selectable=frozenset(
        {
            "id",
            "isEnabled",
            "createdBy",
            "createdDateTime",
            "modifiedBy",
            "modifiedDateTime",
            "showApproverDetailsToMembers",
            "relatedPeopleInsightLevel",
        }
    ),
)
SPONSORS = EntitySet(
    "directoryObject", {}, selectable=frozenset((*USERS.selected_names.values(), *GROUPS.selected_names.values()))
)
ORGANIZATIONS = EntitySet(
    "connectedOrganization",
    {
        "id": Field("_id", GUID),
        "displayName": Field("state.display_name", sortable=True, folded="state.label"),
        "description": Field("state.description"),
        "state": Field("state.state", Enumeration(tuple(one.value for one in OrganizationStanding))),
        "createdDateTime": Field("state.created_at", DATETIME),
        "modifiedDateTime": Field("state.modified_at", DATETIME),
        "identitySources": Many(
            "state.identity_sources",
            {
                "displayName": Field("display_name"),
                "tenantId": Field("tenant_id"),
                "cloudInstance": Field("cloud_instance"),
                "domainName": Field("domain_name"),
                "issuerUri": Field("issuer_uri"),
                "socialIdentitySourceType": Field("social_identity_source_type"),
            },
        ),
    },
    expandable={"internalSponsors": lambda: SPONSORS, "externalSponsors": lambda: SPONSORS},
    one_at_a_time=True,
    searchable=("displayName", "description"),
)


Name = Annotated[NotBlank, Described(min_length=1, max_length=256)]
Text = Annotated[str, Described(max_length=1024)]


class SourceIn(GraphBody):
    """One identity source; which of its properties it has, `@odata.type` says."""

    kind: SourceKind
    display_name: Text | None = None
    tenant_id: Text | None = None
    cloud_instance: Text | None = None
    domain_name: Annotated[str, Described(max_length=253, pattern=r"^[^\s@/]+$")] | None = None
    issuer_uri: Text | None = None
    social_identity_source_type: Annotated[Literal["facebook"], BeforeValidator(lowered)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _kind_of_type(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        kind = _BY_TYPE.get((odata_type_of(body) or "").lower())
        if kind is None:
            raise ValueError(f"'{ODATA_TYPE}' is one of {', '.join(f'#microsoft.graph.{one}' for one in SourceKind)}")
        return {**body, "kind": kind}

    @model_validator(mode="after")
    def _has_its_own(self) -> SourceIn:
        said = self.model_dump(by_alias=True, exclude_none=True, exclude={"kind", "display_name"})
        own = _OWN[self.kind]
        if strange := sorted(said.keys() - set(own)):
            raise ValueError(f"{self.kind.value} has no '{strange[0]}'")
        if own[0] not in said:
            raise ValueError(f"{self.kind.value} has a '{own[0]}'")
        return self

    def source(self) -> IdentitySource:
        return IdentitySource(**self.model_dump(by_alias=False))


class OrganizationPatch(GraphBody):
    """What is to change; what is left out stays. Identity sources are replaced as a whole."""

    read_only = GraphBody.read_only | {"internalSponsors", "externalSponsors"}

    display_name: Name | None = None
    description: Text | None = None
    identity_sources: Annotated[tuple[SourceIn, ...], Described(min_length=1, max_length=MOST_SOURCES)] | None = None
    state: Annotated[OrganizationStanding, BeforeValidator(lowered)] | None = None

    _stays = field_validator("display_name", "identity_sources", "state")(not_null)

    def properties(self) -> Document:
        """What it sets, by names in `OrganizationState`."""
        said: Document = {name: getattr(self, name) for name in self.model_fields_set - {"identity_sources"}}
        if "identity_sources" in self.model_fields_set:
            said["identity_sources"] = tuple(one.source() for one in self.identity_sources or ())
        return said


class OrganizationIn(OrganizationPatch):
    """An organisation to be connected: `configured` unless it says otherwise."""

    display_name: Name
    identity_sources: Annotated[tuple[SourceIn, ...], Described(min_length=1, max_length=MOST_SOURCES)]


def organization(document: Mapping[str, Any]) -> Document:
    """A connectedOrganization, without its sponsors."""
    state = document["state"]
    return {
        "id": document["_id"],
        "displayName": state["display_name"],
        "description": state["description"],
        "createdDateTime": graph_time(state["created_at"]),
        "modifiedDateTime": graph_time(state["modified_at"]),
        "state": state["state"],
        "identitySources": [_source(one) for one in state["identity_sources"]],
    }


def _source(one: Mapping[str, Any]) -> Document:
    kind = SourceKind(one["kind"])
    values = IdentitySource(**one).model_dump(by_alias=True)
    said = {name: values[name] for name in ("displayName", *_OWN[kind])}
    return {ODATA_TYPE: f"#microsoft.graph.{kind.value}", **said}


# Settings

_Span = Annotated[str, Described(max_length=64)]
LONGEST_BLOCK_DAYS = 3660


class SettingsPatch(GraphBody):
    """What becomes of governed guests whose last assignment has ended, and who is shown what packages bring."""

    external_user_lifecycle_action: Annotated[GuestLifecycle, BeforeValidator(lowered)] | None = None
    duration_until_external_user_deleted_after_blocked: _Span | None = None
    resource_roles_shown_to: RolesShownTo | None = None
    """Graph has no name for this setting of the tenant (PKG-5): ours."""

    _stays = field_validator("*")(not_null)

    @field_validator("duration_until_external_user_deleted_after_blocked")
    @classmethod
    def _a_span(cls, text: str) -> str:
        if duration(text).days > LONGEST_BLOCK_DAYS:
            raise ValueError(f"is at most P{LONGEST_BLOCK_DAYS}D")
        return text

    def properties(self) -> Document:
        """What it sets, by names in `SettingsState`."""
        said: Document = {name: getattr(self, name) for name in self.model_fields_set}
        span = "duration_until_external_user_deleted_after_blocked"
        return {**said, span: duration(said[span])} if span in said else said


class EndUserSettingsPatch(GraphBody):
    """What people see of one another when they ask for access."""

    read_only = GraphBody.read_only | {"createdBy", "modifiedBy", "isEnabled"}

    show_approver_details_to_members: bool | None = None
    related_people_insight_level: Annotated[PeopleInsight, BeforeValidator(lowered)] | None = None

    _stays = field_validator("*")(not_null)

    def properties(self) -> Document:
        """What it sets, by names in `SettingsState`."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def settings(state: SettingsState) -> Document:
    return {
        "id": SETTINGS_ID,
        "externalUserLifecycleAction": state.external_user_lifecycle_action.value,
        "durationUntilExternalUserDeletedAfterBlocked": iso(state.duration_until_external_user_deleted_after_blocked),
        "resourceRolesShownTo": state.resource_roles_shown_to.value,
    }


END_USER_SETTINGS_ID = derived_id("control-configuration", "endUserSettings")
"""Of the one control configuration there is."""


def end_user_settings(state: SettingsState) -> Document:
    return {
        ODATA_TYPE: "#microsoft.graph.endUserSettings",
        "id": END_USER_SETTINGS_ID,
        "isEnabled": True,
        "createdBy": None,
        "createdDateTime": None,
        "modifiedBy": None,
        "modifiedDateTime": graph_time(state.modified_at) if state.modified_at else None,
        "showApproverDetailsToMembers": state.show_approver_details_to_members,
        "relatedPeopleInsightLevel": state.related_people_insight_level.value,
    }
