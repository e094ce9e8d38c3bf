"""What directory says of connected organisations, and of how entitlement management is set up for the tenant."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Contract, Fact, Transition
from shared.contracts.policy import Span


class SourceKind(StrEnum):
    """Which of Graph's types derived from identitySource it is."""

    TENANT = "azureActiveDirectoryTenant"
    OTHER_CLOUD = "crossCloudAzureActiveDirectoryTenant"
    DOMAIN = "domainIdentitySource"
    FEDERATION = "externalDomainFederation"
    SOCIAL = "socialIdentitySource"


class IdentitySource(Contract):
    """How people of an organisation are known. Each kind has its own properties; the others are null."""

    kind: SourceKind
    display_name: str | None = None
    tenant_id: str | None = None
    cloud_instance: str | None = None
    domain_name: str | None = None
    issuer_uri: str | None = None
    social_identity_source_type: str | None = None


class OrganizationStanding(StrEnum):
    """Whether policies for all configured organisations mean it."""

    CONFIGURED = "configured"
    PROPOSED = "proposed"


class Side(StrEnum):
    """On which side of the border a sponsor stands."""

    INTERNAL = "internalSponsors"
    EXTERNAL = "externalSponsors"


class OrganizationState(Contract):
    """A connected organisation. Sponsors are people or groups of the directory, by id."""

    id: str
    display_name: str
    description: str | None = None
    identity_sources: tuple[IdentitySource, ...] = ()
    state: OrganizationStanding = OrganizationStanding.CONFIGURED
    internal_sponsors: tuple[str, ...] = ()
    external_sponsors: tuple[str, ...] = ()
    created_at: datetime
    modified_at: datetime
    deleted_at: datetime | None = None

    def sponsors(self, side: Side) -> tuple[str, ...]:
        return self.internal_sponsors if side is Side.INTERNAL else self.external_sponsors

    @property
    def domains(self) -> frozenset[str]:
        """Mail domains, folded, whose people are of this organisation. A tenant has none: the same domain without
        having signed in to that tenant does not match (ORG-2)."""
        named = (one.domain_name for one in self.identity_sources)
        return frozenset(name.casefold() for name in named if name)


class OrganizationCreated(Transition):
    type: Literal["OrganizationCreated"] = "OrganizationCreated"


class OrganizationChanged(Transition):
    type: Literal["OrganizationChanged"] = "OrganizationChanged"
    properties: tuple[str, ...]


class OrganizationDeleted(Transition):
    type: Literal["OrganizationDeleted"] = "OrganizationDeleted"


class SponsorAdded(Transition):
    type: Literal["SponsorAdded"] = "SponsorAdded"
    side: Side
    sponsor_id: str


class SponsorRemoved(Transition):
    type: Literal["SponsorRemoved"] = "SponsorRemoved"
    side: Side
    sponsor_id: str


OrganizationTransition = Annotated[
    OrganizationCreated | OrganizationChanged | OrganizationDeleted | SponsorAdded | SponsorRemoved,
    Field(discriminator="type"),
]


class OrganizationFact(Fact):
    """A connected organisation was made, changed or deleted, or has other sponsors. Key: the organisation's id."""

    ce_type: ClassVar[str] = "tenure.directory.organization.v1"
    transitions: tuple[OrganizationTransition, ...]
    state: OrganizationState


SETTINGS_ID = "singleton"
"""Graph's id of the settings: a tenant has one."""


class GuestLifecycle(StrEnum):
    """What becomes of a governed guest whose last assignment has ended (EXU-2)."""

    NOTHING = "none"
    BLOCK = "blockSignIn"
    BLOCK_AND_DELETE = "blockSignInAndDelete"


class PeopleInsight(StrEnum):
    """What suggestions tell of the people they come from."""

    DISABLED = "disabled"
    COUNT = "count"
    NAMES = "countAndNames"


class RolesShownTo(StrEnum):
    """Who is shown which roles a package on offer brings (PKG-5)."""

    NOBODY = "nobody"
    MEMBERS = "members"
    EVERYONE = "everyone"


class SettingsState(Contract):
    """How entitlement management is set up; the defaults are the documented ones."""

    external_user_lifecycle_action: GuestLifecycle = GuestLifecycle.BLOCK_AND_DELETE
    duration_until_external_user_deleted_after_blocked: Span = timedelta(days=30)
    show_approver_details_to_members: bool = False
    related_people_insight_level: PeopleInsight = PeopleInsight.DISABLED
    resource_roles_shown_to: RolesShownTo = RolesShownTo.EVERYONE
    modified_at: datetime | None = None


class SettingsChanged(Transition):
    type: Literal["SettingsChanged"] = "SettingsChanged"
    properties: tuple[str, ...]


class SettingsFact(Fact):
    """The tenant's entitlement management is set up otherwise. Key: 'singleton'."""

    ce_type: ClassVar[str] = "tenure.directory.settings.v1"
    transitions: tuple[SettingsChanged, ...]
    state: SettingsState
