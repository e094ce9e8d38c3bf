"""Where Graph's JSON meets the aggregates: bodies read into things and changes, and things written as bodies.

What a policy says of those who ask is in `asking`, of reviews in `reviewing`; of custom extensions, in `extensions`:
they are kept and said back, with a note that nothing calls them yet.
Source: reference/graph-api-operations.md 2.1, 2.2, 2.6, 2.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from services.catalog import asking, extensions, reviewing
from services.catalog.attributes import attribute_said
from services.catalog.bodies import Body, checked_rule, duration_of
from services.catalog.model import (
    GENERAL,
    Catalog,
    Extension,
    Kept,
    OriginSystem,
    Package,
    Policy,
    Population,
    Resource,
)
from services.catalog.store import Versioned
from shared import durations
from shared.contracts.catalog import Life, ResourceRole
from shared.contracts.policy import SubjectSet, TargetScope
from shared.web.conditional import etag
from shared.web.errors import BadRequest
from shared.web.expiration import END_SAID, ends
from shared.web.graph_model import ODATA_TYPE, GraphInput, Moment, NotBlank, graph_time, odata_type_of
from shared.web.odata import BOOLEAN, DATETIME, GUID, EntitySet, Enumeration, Through
from shared.web.odata import Field as Asked
from shared.web.questions import question_said
from shared.web.role_scopes import role_said, scope_said

NAME_MAX, DESCRIPTION_MAX = 256, 10_000
LONGEST = timedelta(days=3660)
"""That a policy gives access for (EXP-1)."""
_GUID = re.compile(r"(?<![0-9A-Za-z-])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")
_ID_AT_END = re.compile(r"(?:/|\(')([^/()']+)'?\)?/?$")


# What may be asked of the lists


def _entities(
    type_name: str,
    expandable: Iterable[str] = (),
    selectable: Iterable[str] = (),
    through: Mapping[str, Through] | None = None,
    **fields: Any,
) -> EntitySet:
    return EntitySet(
        type_name,
        {
            "id": Asked("_id", GUID),
            "displayName": Asked("state.display_name", sortable=True, folded="state.folded"),
            "description": Asked("state.description"),
            "createdDateTime": Asked("state.created_at", DATETIME, sortable=True),
            "modifiedDateTime": Asked("state.modified_at", DATETIME, sortable=True),
            **{name.replace("__", "/"): field for name, field in fields.items()},
        },
        selectable=frozenset(selectable),
        expandable=frozenset(expandable),
        through=through or {},
        searchable=("displayName", "description"),
        order="displayName",
    )


CATALOG_TYPE = Enumeration(
    ("userManaged", "serviceDefault", "serviceManaged"), kept_as={"userManaged": False, "serviceDefault": True}
)
CATALOGS = _entities(
    "accessPackageCatalog",
    ["accessPackages", "customWorkflowExtensions", "resourceRoles", "resourceScopes", "resources"],
    catalogType=Asked("state.is_built_in", CATALOG_TYPE),
    state=Asked("state.state", Enumeration(("published", "unpublished"))),
    isExternallyVisible=Asked("state.is_externally_visible", BOOLEAN),
)
PACKAGES = _entities(
    "accessPackage",
    [
        "catalog",
        "assignmentPolicies",
        "resourceRoleScopes",
        "incompatibleAccessPackages",
        "accessPackagesIncompatibleWith",
        "incompatibleGroups",
    ],
    through={"catalog": Through("state.catalog_id", lambda: CATALOGS, "catalogs")},
    isHidden=Asked("state.is_hidden", BOOLEAN),
    catalog__id=Asked("state.catalog_id", GUID),
)
POLICIES = _entities(
    "accessPackageAssignmentPolicy",
    ["accessPackage", "catalog", "customExtensionStageSettings", "questions"],
    [
        "customExtensionStageSettings",
        "specificAllowedTargets",
        "automaticRequestSettings",
        "expiration",
        "requestorSettings",
        "requestApprovalSettings",
        "reviewSettings",
        "notificationSettings",
        "questions",
    ],
    through={
        "accessPackage": Through("state.package_id", lambda: PACKAGES, "packages"),
        "catalog": Through("state.package_id", lambda: PACKAGES, "packages", behind=("catalog",)),
    },
    accessPackage__id=Asked("state.package_id", GUID),
    allowedTargetScope=Asked("state.target_scope", Enumeration(tuple(TargetScope))),
)
RESOURCES = _entities(
    "accessPackageResource",
    ["environment", "roles", "scopes"],
    ["attributes"],
    originId=Asked("state.origin_id"),
    originSystem=Asked("state.origin_system"),
)
EXTENSIONS = _entities(
    "customCalloutExtension",
    [],
    [
        "authenticationConfiguration",
        "callbackConfiguration",
        "clientConfiguration",
        "createdBy",
        "endpointConfiguration",
        "lastModifiedBy",
        "lastModifiedDateTime",
    ],
)
POPULATIONS = _entities("population", [], ["membershipRule"])


# Bodies read


class Named(Body):
    display_name: NotBlank = Field(min_length=1, max_length=NAME_MAX)
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)


class Reference(Body):
    id: Annotated[str, AfterValidator(str.lower)]
    """Of ours, which are kept in lower case."""

    model_config = ConfigDict(extra="ignore")


class CatalogIn(Named):
    state: Literal["published", "unpublished"] = "published"
    is_externally_visible: bool = True


class CatalogPatch(Body):
    display_name: NotBlank | None = Field(None, min_length=1, max_length=NAME_MAX)
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)
    state: Literal["published", "unpublished"] | None = None
    is_externally_visible: bool | None = None


class PackageIn(Named):
    is_hidden: bool = False
    catalog: Reference | None = None
    catalog_bind: str | None = Field(None, alias="catalog@odata.bind")


class PackagePatch(Body):
    display_name: NotBlank | None = Field(None, min_length=1, max_length=NAME_MAX)
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)
    is_hidden: bool | None = None


class LinkIn(GraphInput):
    """`{"@odata.id": "https://…/accessPackages/{id}"}`"""

    link: str = Field(alias="@odata.id")


def _ours(origin: str | None) -> str | None:
    """An origin's id, or a role on it, as the directory has it: guids in small letters. The address of a site is
    spelt in many ways, and found in any of them."""
    return _GUID.sub(lambda found: found[0].lower(), origin) if origin else origin


OriginId = Annotated[str, AfterValidator(_ours)]


class RoleResourceIn(Body):
    id: Annotated[str, AfterValidator(str.lower)] | None = None
    origin_id: OriginId | None = None
    origin_system: OriginSystem = "AadGroup"

    model_config = ConfigDict(extra="ignore")


class RoleIn(Body):
    origin_id: OriginId
    origin_system: OriginSystem = "AadGroup"
    display_name: str | None = None
    resource: RoleResourceIn | None = None

    model_config = ConfigDict(extra="ignore")


class ScopeIn(Body):
    origin_id: OriginId | None = None
    origin_system: OriginSystem = "AadGroup"

    model_config = ConfigDict(extra="ignore")


class RoleScopeIn(Body):
    role: RoleIn
    scope: ScopeIn | None = None


class ResourceIn(Body):
    id: Annotated[str, AfterValidator(str.lower)] | None = None
    origin_id: OriginId | None = None
    origin_system: OriginSystem = "AadGroup"
    display_name: str | None = None
    description: str | None = None
    attributes: list[dict[str, Any]] | None = None

    model_config = ConfigDict(extra="ignore")


class ResourceRequestIn(Body):
    request_type: Literal["adminAdd", "adminUpdate", "adminRemove"]
    catalog: Reference
    resource: ResourceIn


class ExpirationIn(Body):
    type: Literal["noExpiration", "afterDateTime", "afterDuration", "notSpecified"] = "noExpiration"
    duration: str | None = None
    end_date_time: Moment | None = None


class AutomaticIn(Body):
    request_access_for_allowed_targets: bool | None = None
    remove_access_when_target_leaves_allowed_targets: bool | None = None
    grace_period_before_access_removal: str | None = None


class PolicyIn(Named):
    access_package: Reference | None = None
    access_package_bind: str | None = Field(None, alias="accessPackage@odata.bind")
    allowed_target_scope: str | None = None
    specific_allowed_targets: list[dict[str, Any]] = Field(default_factory=list)
    expiration: ExpirationIn | None = None
    automatic_request_settings: AutomaticIn | None = None
    requestor_settings: asking.RequestorSettingsIn | None = None
    request_approval_settings: asking.ApprovalSettingsIn | None = None
    review_settings: dict[str, Any] | None = None
    notification_settings: asking.NotificationSettingsIn | None = None
    questions: list[dict[str, Any]] = Field(default_factory=list)
    custom_extension_stage_settings: list[extensions.StageSettingIn] = Field(default_factory=list)
    catalog: Any = None


class PopulationIn(Named):
    membership_rule: str


class PopulationPatch(Body):
    display_name: NotBlank | None = Field(None, min_length=1, max_length=NAME_MAX)
    description: str | None = Field(None, max_length=DESCRIPTION_MAX)
    membership_rule: str | None = None


def catalog_of(body: CatalogIn, id: str, now: datetime) -> Catalog:
    return Catalog(
        id=id,
        display_name=body.display_name,
        description=body.description or "",
        state=body.state,
        is_externally_visible=body.is_externally_visible,
        created_at=now,
        modified_at=now,
    )


def package_of(body: PackageIn, id: str, now: datetime) -> Package:
    catalog = GENERAL
    if body.catalog is not None:
        catalog = body.catalog.id
    elif body.catalog_bind is not None:
        catalog = _bound(body.catalog_bind, "catalog")
    return Package(
        id=id,
        catalog_id=catalog,
        display_name=body.display_name,
        description=body.description or "",
        is_hidden=body.is_hidden,
        created_at=now,
        modified_at=now,
    )


def policy_of(body: PolicyIn, id: str, now: datetime) -> Policy:
    _refuse_what_is_not_honoured(body)
    if body.access_package is None and body.access_package_bind is None:
        raise BadRequest("A policy is that of an access package: accessPackage/id.", target="accessPackage")
    automatic = body.automatic_request_settings
    rule, population = _target(body)
    after, end = _expiration(body.expiration)
    if automatic is not None and (after or end):
        raise BadRequest("An automatic policy has no expiration: access ends with the rule.", target="expiration")
    scope, targets = _scope(body)
    approval = asking.approval_settings_of(body.request_approval_settings)
    if scope is TargetScope.ALL_EXTERNAL and not approval.is_approval_required_for_add:
        raise BadRequest(
            "Where anybody from outside may ask, somebody has to approve.",
            target="requestApprovalSettings/isApprovalRequiredForAdd",
        )
    return Policy(
        id=id,
        package_id=body.access_package.id if body.access_package else _bound(body.access_package_bind, "accessPackage"),
        display_name=body.display_name,
        description=body.description or "",
        rule=rule,
        population_id=population,
        gives_access=automatic is None or automatic.request_access_for_allowed_targets is not False,
        takes_access=automatic is None or automatic.remove_access_when_target_leaves_allowed_targets is not False,
        grace_period=_grace(automatic),
        expires_after=after,
        expires_at=end,
        target_scope=scope,
        targets=targets,
        requestor_settings=asking.requestor_settings_of(body.requestor_settings),
        approval_settings=approval,
        questions=asking.questions_of(body.questions, id),
        review=reviewing.review_of(body.review_settings),
        review_settings=reviewing.as_graph_writes(asking.kept_as_said(body.review_settings, "reviewSettings")),
        notification_settings=asking.notification_settings_of(body.notification_settings),
        extensions=extensions.stage_settings_of(body.custom_extension_stage_settings),
        created_at=now,
        modified_at=now,
    )


def population_of(body: PopulationIn, id: str, now: datetime) -> Population:
    return Population(
        id=id,
        display_name=body.display_name,
        description=body.description or "",
        rule=checked_rule(body.membership_rule, "membershipRule"),
        created_at=now,
        modified_at=now,
    )


def changes_of(body: Body, renamed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a PATCH sets, by the aggregate's names. A description of null is no description."""
    names = renamed or {}
    values = {name: getattr(body, name) for name in body.model_fields_set}
    if values.get("description", "") is None:
        values["description"] = ""
    if "membership_rule" in values:
        values["membership_rule"] = checked_rule(values["membership_rule"] or "", "membershipRule")
    for name, value in values.items():
        if value is None:
            raise BadRequest(f"'{to_camel(name)}' cannot be null.", target=to_camel(name))
    return {names.get(name, name): value for name, value in values.items()}


def role_named(body: RoleScopeIn) -> tuple[OriginSystem, str, str]:
    """(system, resource's origin id, role) of the role that is to be brought; the origin id may be empty if the body
    names the resource by its id alone. A group's role is `Member_<group id>`, an application's its id, a site's its
    number. Raises BadRequest."""
    role, resource = body.role, body.role.resource or RoleResourceIn()
    if role.origin_system != "AadGroup":
        return role.origin_system, (body.scope and body.scope.origin_id) or resource.origin_id or "", role.origin_id
    name, _, origin = role.origin_id.partition("_")
    if name not in {"Member", "Owner"} or not origin:
        raise BadRequest(
            "A group's role is named 'Member_<group id>' or 'Owner_<group id>'.",
            code="RoleNotFound",
            status=404,
            target="role/originId",
        )
    return "AadGroup", origin, name


def linked(body: LinkIn, collection: str) -> str:
    """The id that a link into that collection ends in. Directory objects may be linked as such."""
    match = _ID_AT_END.search(body.link)
    before = body.link[: match.start()].rsplit("/", 1)[-1].lower() if match else ""
    if match is None or before not in {collection.lower(), "directoryobjects"}:
        raise BadRequest(f"'@odata.id' ends in {collection}/{{id}}.", target="@odata.id")
    return match[1].lower()


def _bound(link: str | None, name: str) -> str:
    match = _ID_AT_END.search(link or "")
    if not match:
        raise BadRequest(f"'{name}@odata.bind' ends in {name}s/{{id}}.", target=f"{name}@odata.bind")
    return match[1].lower()


def _refuse_what_is_not_honoured(body: PolicyIn) -> None:
    if body.automatic_request_settings is None:
        return
    # Nobody asks, so there is nobody to be asked anything and nothing to approve (AUT-8).
    approval = body.request_approval_settings or asking.ApprovalSettingsIn()
    asked = {
        "requestorSettings": any(value is True for _, value in body.requestor_settings or ()),
        "requestApprovalSettings": approval.is_approval_required_for_add or approval.is_approval_required_for_update,
        "questions": body.questions,
    }
    for name, wanted in asked.items():
        if wanted:
            raise BadRequest(f"'{name}' is not supported for automatic policies.", target=name)


def _target(body: PolicyIn) -> tuple[str | None, str | None]:
    """(rule, population id) of an automatic policy; neither of another."""
    targets = body.specific_allowed_targets
    if body.automatic_request_settings is None:
        return None, None
    if body.allowed_target_scope not in {None, "specificDirectoryUsers"} or len(targets) != 1:
        raise BadRequest(
            "An automatic policy has allowedTargetScope specificDirectoryUsers and exactly one target.",
            target="specificAllowedTargets",
        )
    kind = odata_type_of(targets[0])
    if kind == "attributeRuleMembers":
        where = "specificAllowedTargets/0/membershipRule"
        return checked_rule(str(targets[0].get("membershipRule") or ""), where), None
    if kind == "tenure.populationMembers" and targets[0].get("populationId"):
        return None, str(targets[0]["populationId"])
    raise BadRequest(
        "The target of an automatic policy is #microsoft.graph.attributeRuleMembers with a membershipRule, or "
        "#tenure.populationMembers with a populationId.",
        target="specificAllowedTargets/0/@odata.type",
    )


def _scope(body: PolicyIn) -> tuple[TargetScope, tuple[SubjectSet, ...]]:
    """Who may have the package; of an automatic policy the rule says it."""
    if body.automatic_request_settings is not None:
        return TargetScope.SPECIFIC_USERS, ()
    return asking.scope_of(body.allowed_target_scope, body.specific_allowed_targets)


def _grace(automatic: AutomaticIn | None) -> timedelta | None:
    if automatic is None or not automatic.grace_period_before_access_removal:
        return None
    where = "automaticRequestSettings/gracePeriodBeforeAccessRemoval"
    return duration_of(automatic.grace_period_before_access_removal, where) or None


def _expiration(given: ExpirationIn | None) -> tuple[timedelta | None, datetime | None]:
    if given is None:
        return None, None
    if given.type in {"noExpiration", "notSpecified"} and not ends(given.duration, given.end_date_time):
        return None, None
    if given.type == "afterDuration" and given.duration and given.end_date_time is None:
        span = duration_of(given.duration, "expiration/duration")
        if span <= timedelta():
            raise BadRequest("A duration of nothing would end access at once.", target="expiration/duration")
        if span > LONGEST:
            raise BadRequest(
                f"Access lasts at most {LONGEST.days} days; or say noExpiration.", target="expiration/duration"
            )
        return span, None
    if given.type == "afterDateTime" and given.end_date_time is not None and given.duration is None:
        return None, given.end_date_time
    raise BadRequest(END_SAID, target="expiration")


# Bodies written


def _said(found: Versioned[Any]) -> dict[str, Any]:
    item: Kept = found.item
    said: dict[str, Any] = {"@odata.etag": etag(found.version)}
    if item.managed_by:
        said["@tenure.managedBy"] = item.managed_by
    if item.life is not Life.ACTIVE:
        said["@tenure.life"] = item.life.value
    return {
        **said,
        "id": item.id,
        "displayName": item.display_name,
        "description": item.description,
        "createdDateTime": graph_time(item.created_at),
        "modifiedDateTime": graph_time(item.modified_at),
    }


def catalog_said(found: Versioned[Catalog]) -> dict[str, Any]:
    catalog = found.item
    return {
        **_said(found),
        "catalogType": "serviceDefault" if catalog.is_built_in else "userManaged",
        "state": catalog.state,
        "isExternallyVisible": catalog.is_externally_visible,
    }


def package_said(found: Versioned[Package]) -> dict[str, Any]:
    return {**_said(found), "isHidden": found.item.is_hidden}


def group_said(id: str, known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A group that a package is incompatible with, as far as it is kept here; of one that is gone its id."""
    group = known.get(id, {})
    shown = {
        name: graph_time(value) if isinstance(value, datetime) else value
        for name, value in group.get("shown", {}).items()
    }
    return {ODATA_TYPE: "#microsoft.graph.group", "id": id, "displayName": group.get("name"), **shown}


def policy_said(found: Versioned[Policy]) -> dict[str, Any]:
    policy = found.item
    targets = [asking.subject_set_said(one) for one in policy.targets]
    automatic: dict[str, Any] | None = None
    if policy.is_automatic:
        if policy.rule is not None:
            target = {ODATA_TYPE: "#microsoft.graph.attributeRuleMembers", "membershipRule": policy.rule}
        else:
            target = {ODATA_TYPE: "#tenure.populationMembers", "populationId": policy.population_id or ""}
        targets = [{**target, "description": policy.description}]
        automatic = {
            "requestAccessForAllowedTargets": policy.gives_access,
            "removeAccessWhenTargetLeavesAllowedTargets": policy.takes_access,
            "gracePeriodBeforeAccessRemoval": durations.iso(policy.grace_period or timedelta()),
        }
    return {
        **_said(found),
        "allowedTargetScope": policy.target_scope.value,
        "specificAllowedTargets": targets,
        "automaticRequestSettings": automatic,
        "expiration": _expiration_said(policy),
        "requestorSettings": asking.requestor_settings_said(policy.requestor_settings),
        "requestApprovalSettings": asking.approval_settings_said(policy.approval_settings),
        "reviewSettings": policy.review_settings,
        "notificationSettings": policy.notification_settings or {"isAssignmentNotificationDisabled": False},
        "questions": [question_said(one) for one in policy.questions],
        "customExtensionStageSettings": extensions.stage_settings_said(policy.id, policy.extensions),
    }


def _expiration_said(policy: Policy) -> dict[str, Any]:
    kind = "noExpiration"
    if policy.expires_after:
        kind = "afterDuration"
    elif policy.expires_at:
        kind = "afterDateTime"
    return {
        "type": kind,
        "duration": durations.iso(policy.expires_after) if policy.expires_after else None,
        "endDateTime": graph_time(policy.expires_at) if policy.expires_at else None,
    }


def population_said(found: Versioned[Population]) -> dict[str, Any]:
    return {**_said(found), "membershipRule": found.item.rule}


def extension_said(found: Versioned[Extension]) -> dict[str, Any]:
    said = _said(found)
    said["lastModifiedDateTime"] = said.pop("modifiedDateTime")
    return {ODATA_TYPE: extensions.TYPES[found.item.kind], **said, **extensions.configuration_said(found.item)}


def resource_said(
    found: Versioned[Resource], expand: frozenset[str] = frozenset(), roles: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """`roles`: those it has in the directory, with their names; for `$expand=roles`."""
    resource = found.item
    said = {
        **_said(found),
        "originSystem": resource.origin_system,
        "originId": resource.origin_id,
        "attributes": [attribute_said(one) for one in resource.attributes],
    }
    if "scopes" in expand:
        said["scopes"] = [scope_said(resource.catalog_id, resource.origin_system, resource.origin_id)]
    if "roles" in expand:
        said["roles"] = [
            role_said(
                resource.catalog_id,
                ResourceRole(origin_system=resource.origin_system, origin_id=resource.origin_id, role=role),
                name,
            )
            for role, name in (roles or {}).items()
        ]
    return said
