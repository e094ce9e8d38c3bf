"""What directory says of applications and sites, and of the roles that people hold there, and what it is asked to do.

A held role is one person's role at one thing other than membership of a group: a role of an application or a site, the
ownership of a group or an application, a directory role. All of a person are one aggregate, keyed by person.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from shared.contracts.base import Command, Contract, Fact, Refusal, Transition
from shared.contracts.directory import MOST_WISHES
from shared.ids import derived_id

OWNER = "Owner"
"""The role of whoever owns a group or an application."""
TENANT = "/"
"""The resource at which directory roles are held."""
NO_ROLE = "00000000-0000-0000-0000-000000000000"
"""Graph's id of access to an application that declares no roles for people."""


def principal_id_of(app_id: str) -> str:
    """Id of an application's service principal, also while there is none."""
    return derived_id("service-principal", app_id.lower())


class RoleSystem(StrEnum):
    """Of what kind the thing is at which a role is held."""

    GROUP = "AadGroup"  # ownership only: memberships are told by themselves
    APPLICATION = "AadApplication"  # a service principal: its app roles, and its owners
    REGISTRATION = "Application"  # an application object: its owners
    SITE = "SharePointOnline"
    DIRECTORY = "Directory"  # directory roles, such as Global Administrator


class AppRole(Contract):
    """A role that an application declares. Ids are the application's own."""

    id: str
    display_name: str
    value: str | None = Field(None, description="What the application reads in its tokens.")
    description: str | None = None
    is_enabled: bool = True
    allowed_member_types: tuple[Literal["User", "Application"], ...] = ("User",)

    @property
    def is_for_people(self) -> bool:
        return "User" in self.allowed_member_types


class ApplicationState(Contract):
    """An application: what is registered (`registration_id`), what acts and is assigned to (`id`), or both.

    In Graph these are an application object and a service principal of one appId."""

    id: str = Field(description="The service principal's id; derived from the appId, also while there is none.")
    app_id: str
    registration_id: str | None = Field(None, description="The application object's id.")
    is_principal: bool = Field(False, description="There is a service principal, so roles can be given.")
    display_name: str
    description: str | None = None
    app_roles: tuple[AppRole, ...] = ()
    account_enabled: bool = True
    app_role_assignment_required: bool = False
    sign_in_audience: str = "AzureADMyOrg"
    identifier_uris: tuple[str, ...] = ()
    homepage: str | None = None
    tags: tuple[str, ...] = ()
    created_at: datetime
    deleted_at: datetime | None = None


class ApplicationCreated(Transition):
    """Registered, or given a service principal."""

    type: Literal["ApplicationCreated"] = "ApplicationCreated"
    registered: bool = False
    principal: bool = False


class ApplicationChanged(Transition):
    type: Literal["ApplicationChanged"] = "ApplicationChanged"
    properties: tuple[str, ...]


class ApplicationDeleted(Transition):
    """With the registration the service principal goes; the latter may also go alone."""

    type: Literal["ApplicationDeleted"] = "ApplicationDeleted"
    registered: bool = False
    principal: bool = False


ApplicationTransition = Annotated[
    ApplicationCreated | ApplicationChanged | ApplicationDeleted, Field(discriminator="type")
]


class ApplicationFact(Fact):
    """An application was made, changed or deleted. Key: the service principal's id."""

    ce_type: ClassVar[str] = "tenure.directory.application.v1"
    transitions: tuple[ApplicationTransition, ...]
    state: ApplicationState


class SiteRole(Contract):
    """A role of a site, by the number that the site gave it."""

    id: str
    display_name: str


class SiteState(Contract):
    """A SharePoint site. Known by its address, from which the id is derived."""

    id: str
    web_url: str
    display_name: str
    description: str | None = None
    roles: tuple[SiteRole, ...] = ()
    created_at: datetime
    deleted_at: datetime | None = None


class SiteCreated(Transition):
    type: Literal["SiteCreated"] = "SiteCreated"


class SiteChanged(Transition):
    type: Literal["SiteChanged"] = "SiteChanged"
    properties: tuple[str, ...]


class SiteDeleted(Transition):
    type: Literal["SiteDeleted"] = "SiteDeleted"


SiteTransition = Annotated[SiteCreated | SiteChanged | SiteDeleted, Field(discriminator="type")]


class SiteFact(Fact):
    """A site was made known, changed or is gone. Key: the site's id."""

    ce_type: ClassVar[str] = "tenure.directory.site.v1"
    transitions: tuple[SiteTransition, ...]
    state: SiteState


class RoleAt(Contract):
    """A role at a thing, whoever holds it."""

    origin_system: RoleSystem
    origin_id: str = Field(description="Id of the group or application, address of the site, '/' for the tenant.")
    role: str = Field(description="Id of an app role, number of a site's role, 'Owner', or id of a directory role.")

    @property
    def key(self) -> str:
        """As `ResourceRole.key`."""
        return f"{self.origin_system.value}/{self.origin_id}/{self.role}"


class HeldRoleState(RoleAt):
    """How a person stands to one role."""

    id: str = Field(description="Graph's id of the assignment; derived from the person and the role.")
    held: bool
    by_hand: bool = Field(False, description="Given by a person or there before; Tenure's bookkeeping leaves it alone.")
    by_grant: bool = Field(False, description="A grant wants it.")
    since: datetime | None = None
    obeyed: int = Field(0, description="The highest grant version obeyed, even where there was nothing to do.")
    repairs: int = Field(0, description="The highest repair obeyed under that version.")


class HeldRolesState(Contract):
    """The roles that a person holds, or that a grant wants them to hold. To all others they are nothing, whatever they
    were."""

    person_id: str
    roles: tuple[HeldRoleState, ...] = ()


class RoleGiven(Transition):
    type: Literal["RoleGiven"] = "RoleGiven"
    role: RoleAt


class RoleTaken(Transition):
    type: Literal["RoleTaken"] = "RoleTaken"
    role: RoleAt


class RoleObeyed(Transition):
    """The answer to a wish. `already` says that the wanted state was found and nothing was done."""

    type: Literal["RoleObeyed"] = "RoleObeyed"
    role: RoleAt
    command_id: str = Field(description="Id of the wish.")
    grant_version: int
    already: bool = False


class RoleRefused(Transition):
    """A wish that cannot be obeyed, such as one about a role that the application does not have."""

    type: Literal["RoleRefused"] = "RoleRefused"
    role: RoleAt
    command_id: str = Field(description="Id of the wish.")
    grant_version: int
    reason: Refusal


HeldRoleTransition = Annotated[RoleGiven | RoleTaken | RoleObeyed | RoleRefused, Field(discriminator="type")]


class HeldRolesFact(Fact):
    """Someone was given roles or lost them, or a command was answered. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.directory.held-roles.v1"
    transitions: tuple[HeldRoleTransition, ...]
    state: HeldRolesState


class HeldRoleWish(RoleAt):
    """Have the person hold the role, or not, as the grant of this version wants."""

    id: str = Field(description="Named by the answer, and the same again when it is asked again.")
    held: bool
    grant_version: int
    repair: int = Field(
        0,
        description="Above 0: drift under this version is put right, and each higher number is obeyed once more.",
    )


class HeldRoleRemoval(RoleAt):
    """Take the role, whoever gave it by hand: a review has denied it. What an access package gives is refused."""

    id: str = Field(description="Named by the answer, `RoleObeyed` or `RoleRefused`.")


class SetHeldRoles(Command):
    """Give a person roles, or take them. One fact answers every wish. Key: the person's id."""

    ce_type: ClassVar[str] = "tenure.directory.set-held-roles.v1"
    person_id: str
    wishes: tuple[HeldRoleWish, ...] = Field((), max_length=MOST_WISHES, description="At most one for a role.")
    removals: tuple[HeldRoleRemoval, ...] = Field((), max_length=MOST_WISHES)

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not self.wishes and not self.removals:
            raise ValueError("say at least one wish or removal")
        return self
