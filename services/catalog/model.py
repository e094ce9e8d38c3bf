"""What a catalog consists of, each an aggregate of its own: so 20,000 packages do not share one document's fate."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, PlainSerializer

from shared.contracts.base import Cause
from shared.contracts.catalog import (
    CatalogState,
    Life,
    PackageState,
    PolicyState,
    PopulationState,
    ResourceRole,
    ResourceState,
    RoleAssignmentState,
    resource_id,
)
from shared.contracts.extensions import ExtensionState
from shared.contracts.policy import (
    ApprovalSettings,
    Question,
    RequestorSettings,
    ResourceAttribute,
    Span,
    StageExtension,
    SubjectSet,
    TargetScope,
)
from shared.contracts.policy_review import PolicyReview
from shared.ids import derived_id
from shared.security.roles import DEFINITIONS, CatalogRole, scope_of

Seconds = Annotated[timedelta, PlainSerializer(timedelta.total_seconds)]
"""A duration, kept as a number of seconds."""

V = TypeVar("V", bound=BaseModel)
AsJson = Annotated[V, PlainSerializer(lambda value: value.model_dump(mode="json"))]
"""A value kept as JSON: it has dates without time, which BSON lacks."""

OriginSystem = Literal["AadGroup", "AadApplication", "SharePointOnline"]

GENERAL = derived_id("catalog", "General")
"""Id of the built-in catalog: packages that name no catalog go there (CAT-1)."""

NOT_CONTENT = frozenset(
    {"id", "life", "deletion", "made_as", "kept_because", "created_at", "modified_at", "role_dates"}
)


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Deletion(Value):
    """A deletion under way: the question put to whoever may still use the thing, kept so that it can be put again."""

    asked_at: datetime
    version: int
    """Of the fact that asked; an answer to another one is about an earlier deletion."""
    cause: Cause
    again_at: datetime
    times: int = 1


class Kept(Value):
    """What all of a catalog's things have in common."""

    noun: ClassVar[str]

    id: str
    display_name: str
    description: str = ""
    life: Life = Life.ACTIVE
    deletion: Deletion | None = None
    managed_by: str | None = None
    """The file that `tenure apply` keeps it by."""
    made_as: str = ""
    """Fingerprint of what it was created as: tells a repeated creation from another one under the same id."""
    kept_because: str = ""
    """Why its last deletion was refused."""
    created_at: datetime
    modified_at: datetime

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of what has to be there for this to be there."""
        return ()

    @property
    def named(self) -> tuple[str, ...]:
        """Ids of what has to be there when it is named here, and may go later without taking this along."""
        return ()

    def content(self) -> dict[str, Any]:
        """What its maker decided."""
        return {name: value for name, value in self if name not in NOT_CONTENT}

    def as_made(self) -> Self:
        """The same, with the fingerprint of its content."""
        content = self.model_dump(mode="json", exclude=set(NOT_CONTENT))
        made_as = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        return self.model_copy(update={"made_as": made_as})

    def public(self) -> Any:
        """The state as others see it."""
        raise NotImplementedError


K = TypeVar("K", bound=Kept)


class Catalog(Kept):
    """A container of resources and access packages. Unique by name."""

    noun = "catalog"

    state: Literal["published", "unpublished"] = "published"
    is_externally_visible: bool = True
    """A new catalog is open to external people (CAT-2)."""
    is_built_in: bool = False
    first_owner: str | None = None
    """Who made it without being an administrator (CAT-5)."""
    first_owner_kind: Literal["user", "servicePrincipal"] = "user"

    def public(self) -> CatalogState:
        return CatalogState.model_construct(**_said(self, CatalogState))


class Resource(Kept):
    """A group (application, site) that packages of one catalog may bring. Its name is the one it was added under."""

    noun = "resource"

    catalog_id: str
    origin_system: OriginSystem = "AadGroup"
    origin_id: str
    attributes: tuple[ResourceAttribute, ...] = ()

    @staticmethod
    def id_of(catalog_id: str, origin_system: str, origin_id: str) -> str:
        return resource_id(catalog_id, origin_system, origin_id)

    @property
    def parents(self) -> tuple[str, ...]:
        return (self.catalog_id,)

    def public(self) -> ResourceState:
        return ResourceState.model_construct(**_said(self, ResourceState))


class RoleDate(Value):
    """Since when a package brings a role."""

    key: str
    """The role's."""
    at: datetime


class Package(Kept):
    """A bundle of resource roles that is given and taken as one. Unique by name in its catalog, which never changes."""

    noun = "access package"

    catalog_id: str
    is_hidden: bool = False
    roles: tuple[ResourceRole, ...] = ()
    role_dates: tuple[RoleDate, ...] = ()
    """Of its roles; what was brought before dates were kept has none."""
    incompatible_packages: tuple[str, ...] = ()
    incompatible_groups: tuple[str, ...] = ()

    @property
    def parents(self) -> tuple[str, ...]:
        return (self.catalog_id,)

    def since(self, role: ResourceRole) -> datetime | None:
        """Since when it brings that role, if that is known."""
        return next((one.at for one in self.role_dates if one.key == role.key), None)

    def dated(self, before: Package | None, now: datetime) -> Package:
        """The same, with `now` as the date of every role that it did not bring before."""
        known = {role.key: before.since(role) for role in before.roles} if before else {}
        dates = {role.key: known.get(role.key, now) for role in self.roles}
        return self.model_copy(update={"role_dates": tuple(RoleDate(key=k, at=at) for k, at in dates.items() if at)})

    def public(self) -> PackageState:
        return PackageState.model_construct(**_said(self, PackageState))


class Policy(Kept):
    """Who gets a package and how. With `rule` or `population_id`: automatic; else by request or direct assignment.

    Unique by name in its package. That a package may have several automatic policies is our addition (AUT-1: one)."""

    noun = "policy"

    package_id: str
    rule: str | None = None
    population_id: str | None = None
    gives_access: bool = True
    takes_access: bool = True
    grace_period: Seconds | None = None
    expires_after: Seconds | None = None
    expires_at: datetime | None = None
    target_scope: TargetScope = TargetScope.NOT_SPECIFIED
    targets: tuple[SubjectSet, ...] = ()
    requestor_settings: RequestorSettings = RequestorSettings()
    approval_settings: ApprovalSettings = ApprovalSettings()
    questions: tuple[Question, ...] = ()
    review_settings: dict[str, Any] | None = None
    """As Graph's JSON, as it was written."""
    review: AsJson[PolicyReview] | None = None
    """What that comes to; None where it is switched off."""
    notification_settings: dict[str, Any] | None = None
    extensions: tuple[StageExtension, ...] = ()
    """Stored; nothing calls them yet."""

    @property
    def is_assignment_notification_disabled(self) -> bool:
        return (self.notification_settings or {}).get("isAssignmentNotificationDisabled") is True

    @property
    def parents(self) -> tuple[str, ...]:
        return (self.package_id,) if self.population_id is None else (self.package_id, self.population_id)

    @property
    def named(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.extension_id for one in self.extensions))

    @property
    def is_automatic(self) -> bool:
        return self.rule is not None or self.population_id is not None

    def public(self) -> PolicyState:
        return PolicyState.model_construct(**_said(self, PolicyState))


class Population(Kept):
    """An attribute rule with a name, so that it is written once. Unique by name."""

    noun = "population"

    rule: str

    def public(self) -> PopulationState:
        return PopulationState.model_construct(**_said(self, PopulationState))


class Endpoint(Value):
    """Where a custom extension is called; by a logic app's own names, or by an address alone."""

    kind: Literal["logicAppTriggerEndpointConfiguration", "httpRequestEndpoint"]
    url: str | None = None
    subscription_id: str | None = None
    resource_group_name: str | None = None
    logic_app_workflow_name: str | None = None


class Authentication(Value):
    """How Tenure would show who it is: by a token of the kind named, for the resource named."""

    kind: Literal["azureAdPopTokenAuthentication", "azureAdTokenAuthentication"]
    resource_id: str | None = None


class Extension(Kept):
    """A service of others that the catalog's policies may have called (EXT-1). Stored; nothing calls it yet."""

    noun = "custom extension"

    catalog_id: str
    kind: Literal["request", "assignment"]
    endpoint: Endpoint
    authentication: Authentication
    timeout_ms: int = 1000
    maximum_retries: int | None = None
    callback_kind: str | None = None
    """Of the callback's configuration; None: it is not waited for."""
    callback_within: Span | None = None
    created_by: str | None = None
    modified_by: str | None = None

    @property
    def parents(self) -> tuple[str, ...]:
        return (self.catalog_id,)

    def public(self) -> ExtensionState:
        said = {name: getattr(self, name) for name in ExtensionState.model_fields if name != "address"}
        # A signature in the query would let whoever reads the fact call it, too.
        address = urlsplit(self.endpoint.url)._replace(query="", fragment="").geturl() if self.endpoint.url else None
        return ExtensionState.model_construct(**said, address=address)


class RoleAssignment(Kept):
    """A role of entitlement management that somebody has, for one catalog or for all. Made and ended, never changed."""

    noun = "role assignment"

    role: CatalogRole
    principal_id: str
    principal_kind: Literal["user", "group", "servicePrincipal"]
    catalog_id: str | None = None
    """None: for all catalogs."""
    scope: str
    """The same as Graph says it, for lists."""

    @property
    def parents(self) -> tuple[str, ...]:
        return () if self.catalog_id is None else (self.catalog_id,)

    def public(self) -> RoleAssignmentState:
        return RoleAssignmentState.model_construct(
            id=self.id,
            role_definition_id=self.role.value,
            principal_id=self.principal_id,
            principal_kind=self.principal_kind,
            catalog_id=self.catalog_id,
            life=self.life,
            created_at=self.created_at,
        )


def role_assignment(
    id: str, role: CatalogRole, principal_id: str, kind: Any, catalog_id: str | None, now: datetime
) -> RoleAssignment:
    """One that is new."""
    return RoleAssignment(
        id=id,
        display_name=DEFINITIONS[role].display_name,
        role=role,
        principal_id=principal_id,
        principal_kind=kind,
        catalog_id=catalog_id,
        scope=scope_of(catalog_id),
        created_at=now,
        modified_at=now,
    )


def first_ownership(catalog: CatalogState) -> RoleAssignment | None:
    """What makes whoever made the catalog its owner; the same however often it is asked for."""
    if catalog.first_owner is None:
        return None
    id = derived_id("role-assignment", catalog.id, "first-owner")
    owner, kind = catalog.first_owner, catalog.first_owner_kind
    return role_assignment(id, CatalogRole.OWNER, owner, kind, catalog.id, catalog.created_at).as_made()


def _said(kept: Kept, contract: type[BaseModel]) -> dict[str, Any]:
    return {name: getattr(kept, name) for name in contract.model_fields}
