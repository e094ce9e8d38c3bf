"""Users and groups as Graph shows them, and what may be asked of their lists."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, field_validator, model_validator
from pydantic import Field as Described

from services.directory import properties
from services.directory.model import Person, load_person
from services.directory.properties import Type
from services.directory.timeline import from_ms
from shared.contracts.directory import DYNAMIC
from shared.rules import MAX_CHARACTERS, RuleError, parse
from shared.web.graph_model import GraphBody, GraphInput, GraphModel, NotBlank, graph_time, not_null
from shared.web.odata import (
    BOOLEAN,
    DATE_TEXT,
    DATETIME,
    GUID,
    STRING,
    EntitySet,
    Enumeration,
    Expand,
    Field,
    Many,
    Shape,
)

Document = dict[str, Any]

_KINDS = {Type.TEXT: STRING, Type.BOOLEAN: BOOLEAN, Type.DATE: DATE_TEXT}
_SORTED_BY = frozenset({"city", "companyName", "country", "department", "givenName", "jobTitle", "mail", "surname"})
_USER_FIELDS: dict[str, Field | Many] = {
    "id": Field("_id", GUID),
    **{
        name: Field(f"state.attributes.{name}", _KINDS[kind], sortable=name in _SORTED_BY)
        for name, kind in properties.TYPES.items()
        if kind in _KINDS and name not in properties.NOT_OF_USERS
    },
    **{
        f"{parent}/{name}": Field(f"state.attributes.{parent}.{name}")
        for parent, names in properties.NESTED.items()
        for name in sorted(names)
    },
    **{
        name: Many(f"state.attributes.{name}") for name, kind in properties.TYPES.items() if kind is Type.TEXTS
    },
    "displayName": Field("state.attributes.displayName", sortable=True, folded="state.label"),
    "userPrincipalName": Field("state.attributes.userPrincipalName", sortable=True, folded="state.name"),
    "employeeId": Field("state.attributes.employeeId", sortable=True, folded="state.number"),
    "createdDateTime": Field("state.created_at", DATETIME, sortable=True),
    # Nobody has any here, so that nobody is found by them.
    "assignedLicenses": Many("state.attributes.assignedLicenses", {"skuId": Field("skuId")}),
    "imAddresses": Many("state.attributes.imAddresses"),
    # That of the userPrincipalName is found by that name, as in Graph.
    "identities": Many("state.attributes.identities", {
        name: Field(name) for name in ("issuer", "issuerAssignedId", "signInType")
    }),
}  # fmt: skip
_OF_OTHERS: Document = {
    **dict.fromkeys(
        (
            "authorizationInfo", "createdDateTime", "deletedDateTime", "externalUserStateChangeDateTime",
            "isManagementRestricted", "isResourceAccount", "lastPasswordChangeDateTime", "legalAgeGroupClassification",
            "onPremisesLastSyncDateTime", "passwordProfile", "preferredDataLocation", "securityIdentifier",
            "showInAddressList", "signInSessionsValidFromDateTime",
        )
    ),
    **{
        name: []
        for name in (
            "assignedLicenses", "imAddresses", "licenseAssignmentStates", "onPremisesProvisioningErrors",
            "provisionedPlans", "serviceProvisioningErrors",
        )
    },
}  # fmt: skip
"""What Graph knows of a user by itself. Passwords, sessions and licences are not ours, and stay empty."""
_SELECTABLE = (frozenset(properties.TYPES) | frozenset(_OF_OTHERS)) - properties.NOT_OF_USERS

USERS = EntitySet(
    "user",
    _USER_FIELDS,
    selectable=_SELECTABLE,
    also=properties.extension,
    searchable=("displayName", "mail", "userPrincipalName", "mailNickname", "givenName", "surname", "jobTitle"),
)
_BASIC = ("id", "displayName", "givenName", "mail", "surname", "userPrincipalName")
BASIC_USERS = EntitySet(
    "user",
    {name: _USER_FIELDS[name] for name in _BASIC},
    default=frozenset(_BASIC),
    searchable=tuple(name for name in _BASIC if name != "id"),
)
"""What User.ReadBasic.All lets an application see of people, and ask for."""
SIGN_IN_ACTIVITY = "signInActivity"
"""Shown only if selected, as in Graph."""
USER_RELATIONS = ("memberOf", "transitiveMemberOf", "sponsors", "ownedObjects", "appRoleAssignments")
"""Those that have routes of their own, which `$expand` reads."""
USERS_RELATED: EntitySet = replace(
    USERS,
    selectable=_SELECTABLE | {SIGN_IN_ACTIVITY},
    expandable={
        "manager": lambda: USERS_RELATED,
        "directReports": lambda: USERS,
        **dict.fromkeys(USER_RELATIONS, lambda: OBJECTS),
        "appRoleAssignments": lambda: APP_ROLES_OF,
    },
    one_at_a_time=True,
    levelled=frozenset({"manager"}),
)
"""The same where `$expand` is answered, and when somebody last signed in."""
PEOPLE = EntitySet(
    "person",
    {
        **_USER_FIELDS,
        "status": Field("state.status", Enumeration(("expected", "active", "suspended", "left"))),
        "managerId": Field("state.manager_id", GUID),
    },
    selectable=frozenset(
        {"attributes", "identities", "suspendedBy", "waitsForManager", "linkedTo", "nextChangeDateTime"}
    ),
)
IDENTITIES = EntitySet(
    "identity",
    {"personId": Field("_id", GUID)},
    selectable=frozenset({"source", "id", "status", "candidates"}),
    id_path="state.identities",
)
MEMBERS = EntitySet("user", {"id": Field("_id", GUID)}, selectable=_SELECTABLE)
GROUP_RELATIONS = ("members", "owners", "memberOf", "transitiveMembers", "transitiveMemberOf")
_GROUP_SELECTABLE = frozenset(
    {
        "allowExternalSenders", "assignedLabels", "assignedLicenses", "autoSubscribeNewMembers", "creationOptions",
        "deletedDateTime", "expirationDateTime", "infoCatalogs", "isManagementRestricted",
        "hideFromAddressLists", "hideFromOutlookClients", "isSubscribedByMail", "mail", "onPremisesDomainName",
        "onPremisesLastSyncDateTime", "onPremisesNetBiosName",
        "onPremisesProvisioningErrors", "onPremisesSamAccountName", "onPremisesSecurityIdentifier",
        "onPremisesSyncEnabled", "preferredDataLocation", "preferredLanguage", "proxyAddresses", "renewedDateTime",
        "resourceBehaviorOptions", "resourceProvisioningOptions", "securityIdentifier", "serviceProvisioningErrors",
        "theme", "uniqueName", "unseenCount",
    }
)  # fmt: skip
GROUPS: EntitySet = EntitySet(
    "group",
    {
        "id": Field("_id", GUID),
        "displayName": Field("state.display_name", sortable=True, folded="state.label"),
        "description": Field("state.description"),
        "mailNickname": Field("state.mail_nickname"),
        "mailEnabled": Field("state.mail_enabled", BOOLEAN),
        "securityEnabled": Field("state.security_enabled", BOOLEAN),
        "createdDateTime": Field("state.created_at", DATETIME),
        "groupTypes": Many("state.group_types"),
        "membershipRule": Field("state.membership_rule"),
        "membershipRuleProcessingState": Field("state.membership_rule_processing_state", Enumeration(("On", "Paused"))),
        "visibility": Field("state.visibility"),
        "isAssignableToRole": Field("state.is_assignable_to_role", BOOLEAN),
        "classification": Field("state.classification"),
        # No group has licences here, so that none is found by their errors.
        "hasMembersWithLicenseErrors": Field("state.license_errors", BOOLEAN),
        "assignedLicenses": Many("state.licenses", {"skuId": Field("skuId")}),
        # Nor has one a mailbox, or an end.
        "proxyAddresses": Many("state.proxyAddresses"),
        "resourceProvisioningOptions": Many("state.resource_provisioning_options"),
        "mail": Field("state.mail"),
        "expirationDateTime": Field("state.expires_at", DATETIME),
        "renewedDateTime": Field("state.created_at", DATETIME),
        "uniqueName": Field("state.unique_name"),
    },
    selectable=_GROUP_SELECTABLE,
    expandable={name: lambda: OBJECTS for name in GROUP_RELATIONS},
    one_at_a_time=True,
    searchable=("displayName", "description", "mailNickname"),
)
_SINCE = {"deletedDateTime": Field("state.deleted_at", DATETIME, sortable=True)}
DELETED_USERS = replace(USERS, fields={**USERS.fields, **_SINCE})
DELETED_GROUPS = replace(GROUPS, fields={**GROUPS.fields, **_SINCE})
"""Of those that can be restored it can be asked since when."""
APP_ROLES_OF: EntitySet = EntitySet(
    "appRoleAssignment",
    {},
    selectable=frozenset(
        {
            "appRoleId", "createdDateTime", "deletedDateTime", "id", "principalDisplayName", "principalId",
            "principalType", "resourceDisplayName", "resourceId",
        }
    ),
)  # fmt: skip
"""The roles of applications that a person has."""
OBJECTS: EntitySet = EntitySet(
    "directoryObject",
    {},
    selectable=frozenset(
        {"id", "deletedDateTime", "appId", *USERS.selected_names.values(), *GROUPS.selected_names.values()}
    ),
)
"""People and groups together."""


def typed(shown: Document, kind: str) -> Document:
    """Of a list or relation that holds several kinds, or a more general one."""
    return {"@odata.type": f"#microsoft.graph.{kind}", **shown}


def user(document: Mapping[str, Any]) -> Document:
    """A Graph user from a person's document: what is set, and what is always shown."""
    shown = {"id": document["_id"], **_ALWAYS_SHOWN, "accountEnabled": True, **document["state"]["attributes"]}
    for name in properties.NOT_OF_USERS:
        shown.pop(name, None)
    return shown


def whole_user(document: Mapping[str, Any]) -> Document:
    """The same with every property that can be selected, whether it is set or not."""
    created = document["state"].get("created_at")
    shown = {**_UNSET, **user(document), "createdDateTime": graph_time(created) if created else None}
    stated = [one for one in shown["identities"] or () if one.get("signInType") != BY_NAME]
    return {**shown, "identities": [*stated, *_by_principal_name(shown["userPrincipalName"])]}


BY_NAME = "userPrincipalName"


def _by_principal_name(name: str | None) -> list[Document]:
    """The identity by which everybody signs in who has such a name."""
    if not name:
        return []
    return [{"signInType": BY_NAME, "issuer": name.rpartition("@")[2], "issuerAssignedId": name}]


def deleted_user(document: Mapping[str, Any], asked: Shape | None = None) -> Document:
    """A user who can be restored."""
    at = document["state"].get("deleted_at")
    shown = user_for(document, asked) if asked is not None else user(document)
    return {**shown, "deletedDateTime": graph_time(at) if at else None}


def user_for(document: Mapping[str, Any], asked: Shape | Expand) -> Document:
    """A user as somebody asks to see it."""
    return user(document) if asked.select is None else whole_user(document)


def sign_in_activity(last_at: datetime | None) -> Document | None:
    """Graph's `signInActivity`; null if no sign-in is known. Only those that somebody made are reported here."""
    if last_at is None:
        return None
    last = graph_time(last_at)
    return {
        "lastSignInDateTime": last,
        "lastSuccessfulSignInDateTime": last,
        # Of which nobody told here.
        "lastNonInteractiveSignInDateTime": None,
        "lastNonInteractiveSignInRequestId": None,
        "lastSignInRequestId": None,
        "lastSuccessfulSignInRequestId": None,
    }


_ALWAYS_SHOWN: Document = {
    "businessPhones": [],
    "imAddresses": [],
    "otherMails": [],
    "proxyAddresses": [],
    **dict.fromkeys(
        (
            "displayName", "givenName", "jobTitle", "mail", "mailNickname", "mobilePhone", "officeLocation",
            "preferredLanguage", "surname", "userPrincipalName",
        )
    ),
}  # fmt: skip
"""Graph's default properties of a user, and those that documented lists show: there without a value, too."""

_UNSET: Document = {
    **{
        name: [] if kind in {Type.TEXTS, Type.PLANS, Type.IDENTITIES} else None
        for name, kind in properties.TYPES.items()
        if name not in properties.NOT_OF_USERS
    },
    **_OF_OTHERS,
}
"""Every property, as it is of whom nobody has stated it."""


def person(document: Mapping[str, Any]) -> Document:
    """A person as Tenure knows them: status, identities, holds, and the Graph properties in `attributes`."""
    found = load_person(document["state"])
    return {
        "id": found.id,
        "status": found.status.value,
        "attributes": found.attributes,
        "managerId": found.manager_id,
        "waitsForManager": found.waits_for,
        "suspendedBy": list(found.holds),
        "identities": identities(found),
        "linkedTo": found.linked_to,
        "nextChangeDateTime": graph_time(from_ms(found.next_at)) if found.next_at is not None else None,
        "deletion": deletion(found),
    }


def deletion(found: Person) -> Document | None:
    """Of a guest whom a review denied: since when they are blocked, and when they are deleted."""
    if (one := found.countdown) is None:
        return None
    return {"since": graph_time(from_ms(one.since)), "dateTime": graph_time(from_ms(one.deletes_at))}


def identities(found: Person) -> list[Document]:
    return [{"source": source, "id": id} for source, _, id in (one.partition(":") for one in found.identities)]


def doubt(document: Mapping[str, Any]) -> Document:
    """One identity (unwound), the person it stands in, and who else that may be."""
    state = document["state"]
    source, _, id = state["identities"].partition(":")
    rules: dict[str, list[str]] = {}
    for person_id, rule in state.get("candidates", ()):
        rules.setdefault(person_id, []).append(rule)
    return {
        "source": source,
        "id": id,
        "personId": document["_id"],
        "status": "waiting" if state.get("waiting") else "listed" if rules else "settled",
        "candidates": [{"personId": person_id, "rules": said} for person_id, said in rules.items()],
    }


def timeline(found: Person) -> list[Document]:
    """What sources stated, by the moment it is about; what was merged long ago is not listed."""
    return [
        {
            "changeId": s.id,
            "source": s.source,
            "kind": s.kind,
            "effectiveAt": graph_time(from_ms(s.effective)),
            "sequence": s.sequence,
            "attributes": s.attributes,
            "rescinds": s.rescinds,
            "receivedFrom": "{}/{}".format(*s.seen[-1][:2]) if s.seen else None,
        }
        for s in found.timeline.statements
    ]


def group(document: Mapping[str, Any]) -> Document:
    """A Graph group, with all that Graph shows of one by default."""
    state = document["state"]
    created = graph_time(state["created_at"])
    return {
        "id": document["_id"],
        **_GROUP_WITHOUT,
        "displayName": state["display_name"],
        "description": state["description"],
        "uniqueName": state.get("unique_name"),
        "mailNickname": state["mail_nickname"],
        "mailEnabled": state["mail_enabled"],
        "securityEnabled": state["security_enabled"],
        "groupTypes": list(state["group_types"]),
        # Groups that were made before these were kept do not have them.
        "membershipRule": state.get("membership_rule"),
        "membershipRuleProcessingState": state.get("membership_rule_processing_state"),
        "visibility": state.get("visibility"),
        "isAssignableToRole": state.get("is_assignable_to_role"),
        "classification": state.get("classification"),
        "theme": state.get("theme"),
        "resourceProvisioningOptions": list(state.get("resource_provisioning_options") or ()),
        "assignedLabels": [
            {"labelId": one["label_id"], "displayName": one.get("display_name")}
            for one in state.get("assigned_labels") or ()
        ],
        "resourceBehaviorOptions": list(state.get("resource_behavior_options") or ()),
        "preferredLanguage": state.get("preferred_language"),
        "preferredDataLocation": state.get("preferred_data_location"),
        "createdDateTime": created,
        "renewedDateTime": created,
        "deletedDateTime": graph_time(state["deleted_at"]) if state["deleted_at"] else None,
    }


_GROUP_WITHOUT: Document = {
    **dict.fromkeys(
        (
            "expirationDateTime", "mail", "onPremisesDomainName",
            "onPremisesLastSyncDateTime", "onPremisesNetBiosName", "onPremisesSamAccountName",
            "isManagementRestricted", "onPremisesSecurityIdentifier", "onPremisesSyncEnabled", "securityIdentifier",
        )
    ),
    **{
        name: []
        for name in (
            "creationOptions", "infoCatalogs", "onPremisesProvisioningErrors", "proxyAddresses",
            "serviceProvisioningErrors",
        )
    },
}  # fmt: skip
"""What Graph shows of every group and ours do not have: none expires, has a mailbox or comes from another system."""

MAILBOX: Document = {
    "allowExternalSenders": False,
    "assignedLicenses": [],
    "autoSubscribeNewMembers": False,
    "hideFromAddressLists": False,
    "hideFromOutlookClients": False,
    "isSubscribedByMail": False,
    "unseenCount": 0,
}
"""The same of the properties that are shown only if selected."""


Name = Annotated[NotBlank, Described(min_length=1, max_length=256)]
PrincipalName = Annotated[
    str, Described(max_length=113, pattern=r"^[^@\s]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$")
]


class PasswordIn(GraphInput):
    """Read for its form and forgotten: nobody signs in here with a password."""

    password: Annotated[str, Described(min_length=1, max_length=256)] | None = None
    force_change_password_next_sign_in: bool | None = None
    force_change_password_next_sign_in_with_mfa: bool | None = None


class UserPatch(GraphBody):
    """What is to change of a user; null clears. The properties that a source of people can state, too."""

    model_config = ConfigDict(extra="allow")

    company_name: Annotated[str, Described(max_length=64)] | None = None
    employee_id: Annotated[str, Described(max_length=16)] | None = None

    account_enabled: bool = True
    display_name: Name | None = None
    mail_nickname: Annotated[str, Described(min_length=1, max_length=64)] | None = None
    user_principal_name: PrincipalName | None = None
    password_profile: PasswordIn | None = None

    _stays = field_validator("display_name", "user_principal_name")(not_null)

    def stated(self) -> Document:
        """As the source `api` states it."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude={"password_profile"})


class UserIn(UserPatch):
    """A user to be made. With `identities` of other issuers the account is enabled, and its name is made up."""

    account_enabled: bool
    display_name: Name
    mail_nickname: Annotated[str, Described(min_length=1, max_length=64)]
    user_principal_name: PrincipalName
    password_profile: PasswordIn

    @model_validator(mode="before")
    @classmethod
    def _named_by_an_identity(cls, body: Any) -> Any:
        identities = body.get("identities") if isinstance(body, dict) else None
        if not isinstance(identities, list) or not identities or not isinstance(identities[0], dict):
            return body
        made = str(uuid.uuid4())
        unsaid = {"accountEnabled": True, "mailNickname": made, "passwordProfile": {}}
        return {**unsaid, "userPrincipalName": f"{made}@{identities[0].get('issuer')}", **body}


MOST_BOUND = 20
"""Members and owners that come with a group."""
_NICKNAME = r"""^[^@()\\\[\]";:.<>, ]*$"""
"""Source: reference/graph-api-operations.md 5.2."""


class PropertiesIn(GraphBody):
    """Names that a group is to have."""

    entity_type: Literal["Group"] = "Group"
    display_name: Annotated[str, Described(max_length=256)] | None = None
    mail_nickname: Annotated[str, Described(max_length=64, pattern=_NICKNAME)] | None = None
    on_behalf_of_user_id: Annotated[str, Described(max_length=64)] | None = None


class LabelIn(GraphModel):
    """A sensitivity label of a group. What it means is known where labels are made."""

    label_id: Annotated[str, Described(min_length=1, max_length=64)]
    display_name: Annotated[str, Described(max_length=256)] | None = None


class _GroupBody(GraphBody):
    """What a group can be made with and changed to. `…@odata.bind` adds, at most 20 at once."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {*GraphBody.read_only, "deletedDateTime", "renewedDateTime", *_GROUP_WITHOUT}
    )

    description: Annotated[str, Described(max_length=1024)] | None = None
    mail_nickname: Annotated[str, Described(max_length=64, pattern=_NICKNAME)] | None = None
    visibility: Literal["Public", "Private", "HiddenMembership"] | None = None
    membership_rule: Annotated[str, Described(max_length=MAX_CHARACTERS)] | None = None
    membership_rule_processing_state: Literal["On", "Paused"] | None = None
    classification: Annotated[str, Described(max_length=256)] | None = None
    theme: Annotated[str, Described(max_length=64)] | None = None
    resource_provisioning_options: tuple[Literal["Team"], ...] = ()
    preferred_language: Annotated[str, Described(max_length=64)] | None = None
    preferred_data_location: Annotated[str, Described(max_length=64)] | None = None
    assigned_labels: tuple[LabelIn, ...] = Described((), max_length=MOST_BOUND)
    members: tuple[Annotated[str, Described(max_length=512)], ...] = Described(
        (), alias="members@odata.bind", max_length=MOST_BOUND
    )

    @field_validator("membership_rule")
    @classmethod
    def _can_be_followed(cls, text: str | None) -> str | None:
        if text is None:
            return None
        try:
            rule = parse(text)
        except RuleError as problem:
            raise ValueError(str(problem)) from None
        if rule.references.uses_clock:
            raise ValueError("a rule that reads the present date cannot fill a group")
        return text

    @property
    def people(self) -> tuple[str, ...]:
        """Ids of the members to add."""
        return tuple(id_at(one) for one in self.members)


class GroupIn(_GroupBody):
    """A group to be made. `mailEnabled`, `securityEnabled` and `mailNickname` may be left out, unlike in Graph."""

    display_name: Name
    mail_enabled: bool = False
    security_enabled: bool = True
    group_types: tuple[Literal["Unified", "DynamicMembership"], ...] = ()
    is_assignable_to_role: bool | None = None
    resource_behavior_options: tuple[Annotated[str, Described(max_length=64)], ...] = Described((), max_length=20)
    """Kept as they are said: they are for Exchange and Teams."""
    owners: tuple[Annotated[str, Described(max_length=512)], ...] = Described(
        (), alias="owners@odata.bind", max_length=MOST_BOUND
    )

    @model_validator(mode="after")
    def _filled_by_a_rule_or_by_hand(self) -> GroupIn:
        dynamic = DYNAMIC in self.group_types
        if dynamic is (self.membership_rule is None):
            raise ValueError("a DynamicMembership group has a membershipRule, and no other has one")
        if dynamic and self.members:
            raise ValueError("a rule says who is in a DynamicMembership group: name no members")
        if len(self.members) + len(self.owners) > MOST_BOUND:
            raise ValueError(f"at most {MOST_BOUND} owners and members together; add more afterwards")
        return self

    @property
    def owned_by(self) -> tuple[str, ...]:
        """Ids of the owners to add."""
        return tuple(id_at(one) for one in self.owners)

    def properties(self) -> Document:
        """By their names in `GroupState`."""
        said = self.model_dump(by_alias=False, exclude={"members", "owners"})
        if self.membership_rule is not None and self.membership_rule_processing_state is None:
            said["membership_rule_processing_state"] = "On"
        if self.visibility is None and "Unified" in self.group_types:
            said["visibility"] = "Public"
        return said


class GroupPatch(_GroupBody):
    """What is to change; what is left out stays."""

    read_only: ClassVar[frozenset[str]] = _GroupBody.read_only | {"resourceBehaviorOptions"}

    display_name: Name | None = None
    mail_enabled: bool | None = None
    security_enabled: bool | None = None
    group_types: tuple[str, ...] | None = None
    is_assignable_to_role: bool | None = None

    _stays = field_validator(
        "display_name", "mail_enabled", "security_enabled", "group_types", "membership_rule",
        "membership_rule_processing_state",
    )(not_null)  # fmt: skip

    def properties(self) -> Document:
        """What was said, by names in `GroupState`."""
        return self.model_dump(by_alias=False, exclude_unset=True, exclude={"members"})


class IdentityIn(GraphInput):
    """A source's name for one person."""

    source: Annotated[str, Described(min_length=1, max_length=64)]
    id: Annotated[str, Described(min_length=1, max_length=256)]


class LinkIn(IdentityIn):
    """And who that is."""

    person_id: Annotated[str, Described(min_length=1, max_length=64)]


class Reference(GraphInput):
    """`{"@odata.id": "https://…/v1.0/directoryObjects/{id}"}`."""

    odata_id: str = Described(alias="@odata.id", max_length=512)

    @property
    def id(self) -> str:
        """The id at the end of the address."""
        return id_at(self.odata_id)


def id_at(address: str) -> str:
    """The id at the end of an address, also as `users('id')`."""
    last = address.rstrip("/").rsplit("/", 1)[-1]
    keyed = re.fullmatch(r"\w+\('([^']+)'\)", last)
    return keyed[1] if keyed else last
