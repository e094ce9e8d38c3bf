"""What catalog says: catalogs, access packages with their role sets, policies and populations.

How a policy lets people ask and who approves stands in `shared.contracts.policy`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Command, Contract, Fact, Refusal, Transition
from shared.contracts.policy import (
    ApprovalSettings,
    Question,
    RequestorSettings,
    ResourceAttribute,
    StageExtension,
    SubjectSet,
    TargetScope,
)
from shared.contracts.policy_review import PolicyReview
from shared.ids import derived_id


class Life(StrEnum):
    """Deletion is two-phase: `deleting` allows no new use while those who may still use it are asked."""

    ACTIVE = "active"
    DELETING = "deleting"
    DELETED = "deleted"


class Created(Transition):
    type: Literal["Created"] = "Created"


class Changed(Transition):
    type: Literal["Changed"] = "Changed"
    properties: tuple[str, ...]


class DeletionAsked(Transition):
    """Whoever may still use it answers on its own topic; no new use from now on."""

    type: Literal["DeletionAsked"] = "DeletionAsked"


class DeletionRefused(Transition):
    type: Literal["DeletionRefused"] = "DeletionRefused"
    reason: Refusal


class Deleted(Transition):
    type: Literal["Deleted"] = "Deleted"


CatalogTransition = Annotated[
    Created | Changed | DeletionAsked | DeletionRefused | Deleted, Field(discriminator="type")
]


class CatalogState(Contract):
    """A container of resources and access packages. `managed_by` names the file that `tenure apply` keeps it by."""

    id: str
    display_name: str
    description: str = ""
    state: Literal["published", "unpublished"] = "published"
    is_externally_visible: bool = False
    is_built_in: bool = Field(False, description="General: there from the start, never deleted.")
    first_owner: str | None = Field(None, description="Who made it without being an administrator, and so owns it.")
    first_owner_kind: Literal["user", "servicePrincipal"] = Field("user", description="What kind of principal that is.")
    life: Life = Life.ACTIVE
    managed_by: str | None = None
    created_at: datetime
    modified_at: datetime


class CatalogFact(Fact):
    """Key: the catalog's id."""

    ce_type: ClassVar[str] = "tenure.catalog.catalog.v1"
    transitions: tuple[CatalogTransition, ...]
    state: CatalogState


class ResourceRole(Contract):
    """A role on a resource: what a package brings and a grant gives.

    `key` names it in holdings and deliveries: '<originSystem>/<originId>/<role>', such as 'AadGroup/3f…/Member'.
    """

    origin_system: Literal["AadGroup", "AadApplication", "SharePointOnline"] = "AadGroup"
    origin_id: str = Field(description="The group's (application's, site's) id in the directory.")
    role: str = "Member"
    display_name: str = Field("", description="The resource's name when it was added; for people to read.")

    @property
    def key(self) -> str:
        return f"{self.origin_system}/{self.origin_id}/{self.role}"


def resource_id(catalog_id: str, origin_system: str, origin_id: str) -> str:
    """The id that a thing has as a resource of a catalog."""
    return derived_id("resource", catalog_id, origin_system, origin_id)


class ResourceState(Contract):
    """A resource that a catalog's packages may bring. Id derived from catalog and origin."""

    id: str
    catalog_id: str
    origin_system: Literal["AadGroup", "AadApplication", "SharePointOnline"] = "AadGroup"
    origin_id: str
    display_name: str
    description: str = ""
    attributes: tuple[ResourceAttribute, ...] = Field((), description="Asked of whoever wants a package with it.")
    life: Life = Life.ACTIVE
    managed_by: str | None = None
    created_at: datetime
    modified_at: datetime


class ResourceFact(Fact):
    """Key: the resource's id."""

    ce_type: ClassVar[str] = "tenure.catalog.resource.v1"
    transitions: tuple[CatalogTransition, ...]
    state: ResourceState


class PackageState(Contract):
    """A bundle of resource roles that is given and taken as one."""

    id: str
    catalog_id: str
    display_name: str
    description: str = ""
    is_hidden: bool = False
    roles: tuple[ResourceRole, ...] = ()
    incompatible_packages: tuple[str, ...] = Field((), description="Whoever holds one of these cannot get this one.")
    incompatible_groups: tuple[str, ...] = Field((), description="Nor can whoever is in one of these groups.")
    life: Life = Life.ACTIVE
    managed_by: str | None = None
    created_at: datetime
    modified_at: datetime


class PackageFact(Fact):
    """Key: the package's id."""

    ce_type: ClassVar[str] = "tenure.catalog.package.v1"
    transitions: tuple[CatalogTransition, ...]
    state: PackageState


class PolicyState(Contract):
    """Who gets a package and how. With `rule` or `population_id`: automatic; else by request of whom `target_scope`
    names, or by direct assignment only."""

    id: str
    package_id: str
    display_name: str
    description: str = ""
    rule: str | None = Field(None, description="A membership rule (shared.rules), already checked by catalog.")
    population_id: str | None = None
    expires_after: timedelta | None = Field(None, description="How long a direct assignment lasts by default.")
    expires_at: datetime | None = Field(None, description="When every direct assignment ends; instead of a duration.")
    gives_access: bool = Field(True, description="Automatic: whoever begins to match gets the package.")
    takes_access: bool = Field(True, description="Automatic: whoever matches no longer loses it.")
    grace_period: timedelta | None = Field(None, description="Automatic: how long access stays after that.")
    target_scope: TargetScope = TargetScope.NOT_SPECIFIED
    targets: tuple[SubjectSet, ...] = Field((), description="With `specificDirectoryUsers`: who may have the package.")
    requestor_settings: RequestorSettings = RequestorSettings()
    approval_settings: ApprovalSettings = ApprovalSettings()
    questions: tuple[Question, ...] = Field((), description="In the order in which they are asked.")
    extensions: tuple[StageExtension, ...] = Field((), description="Stored; nothing calls them yet.")
    is_assignment_notification_disabled: bool = Field(
        False, description="Nobody is told that access under it was given, ends soon or has ended."
    )
    review: PolicyReview | None = Field(None, description="None: nobody reviews what is assigned under it.")
    life: Life = Life.ACTIVE
    managed_by: str | None = None
    created_at: datetime
    modified_at: datetime

    @property
    def is_automatic(self) -> bool:
        return self.rule is not None or self.population_id is not None


class PolicyFact(Fact):
    """Key: the policy's id."""

    ce_type: ClassVar[str] = "tenure.catalog.policy.v1"
    transitions: tuple[CatalogTransition, ...]
    state: PolicyState


class PopulationState(Contract):
    """An attribute rule with a name and an id, so that 'Finance in Berlin' is written once."""

    id: str
    display_name: str
    description: str = ""
    rule: str
    life: Life = Life.ACTIVE
    managed_by: str | None = None
    created_at: datetime
    modified_at: datetime


class PopulationFact(Fact):
    """Key: the population's id."""

    ce_type: ClassVar[str] = "tenure.catalog.population.v1"
    transitions: tuple[CatalogTransition, ...]
    state: PopulationState


class RoleAssignmentState(Contract):
    """A role of entitlement management that somebody has, for one catalog or for all. Never changed, only ended."""

    id: str
    role_definition_id: str = Field(description="One of `shared.security.roles`.")
    principal_id: str
    principal_kind: Literal["user", "group", "servicePrincipal"]
    catalog_id: str | None = Field(None, description="None: for all catalogs.")
    life: Life = Life.ACTIVE
    created_at: datetime


class EndRoleAssignment(Command):
    """Take this role away, and no newer one: a review has denied it. Key: the assignment's id."""

    ce_type: ClassVar[str] = "tenure.catalog.end-role-assignment.v1"
    role_assignment_id: str


class RoleEndObeyed(Transition):
    """The answer. `already`: it had ended before, or there never was such a one."""

    type: Literal["RoleEndObeyed"] = "RoleEndObeyed"
    command_id: str
    already: bool = False


class RoleAssignmentFact(Fact):
    """Key: the assignment's id."""

    ce_type: ClassVar[str] = "tenure.catalog.role-assignment.v1"
    transitions: tuple[
        Annotated[
            Created | Changed | DeletionAsked | DeletionRefused | Deleted | RoleEndObeyed, Field(discriminator="type")
        ],
        ...,
    ]
    state: RoleAssignmentState
