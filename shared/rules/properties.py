"""What a rule may name: each property's Entra name, Graph name, place in a Graph user and kind."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What values a property has, and with that which operators make sense."""

    TEXT = "text"
    TEXTS = "collection of texts"
    BOOLEAN = "true or false"
    INSTANT = "date and time"
    PLANS = "collection of plans"
    GROUPS = "collection of groups"


@dataclass(frozen=True, slots=True)
class Property:
    """`name` is the key in the facets (Graph's own name), `label` how a rule spells it."""

    name: str
    label: str
    kind: Kind


# Entra's word for it where that differs from Graph's.
GRAPH_NAMES = {
    "dirSyncEnabled": "onPremisesSyncEnabled",
    "facsimileTelephoneNumber": "faxNumber",
    "mailNickName": "mailNickname",
    "mobile": "mobilePhone",
    "objectId": "id",
    "physicalDeliveryOfficeName": "officeLocation",
    "telephoneNumber": "businessPhones",
}
_TEXTS = (
    "city", "companyName", "country", "department", "displayName", "employeeId", "facsimileTelephoneNumber",
    "givenName", "jobTitle", "mail", "mailNickName", "mobile", "objectId", "onPremisesDistinguishedName",
    "onPremisesSecurityIdentifier", "passwordPolicies", "physicalDeliveryOfficeName", "postalCode",
    "preferredLanguage", "sipProxyAddress", "state", "streetAddress", "surname", "telephoneNumber",
    "usageLocation", "userPrincipalName", "userType",
)  # fmt: skip
EXTENSION_ATTRIBUTES = tuple(f"extensionAttribute{n}" for n in range(1, 16))
ORG_DATA = ("costCenter", "division")  # ours: Entra's rules do not know them

MEMBER_OF = Property("memberOf", "user.memberOf", Kind.GROUPS)
HIRE_DATE = Property("employeeHireDate", "user.employeeHireDate", Kind.INSTANT)
ITEM = Property("_", "_", Kind.TEXT)
GROUP_ID = Property("objectId", "group.objectId", Kind.TEXT)
PLAN_FIELDS = tuple(
    Property(name, f"assignedPlan.{name}", Kind.TEXT) for name in ("servicePlanId", "service", "capabilityStatus")
)
MANAGER = "manager"  # the facet that `Direct Reports for` reads

_EXTENSION = re.compile(r"extension_[0-9a-f]{32}_\w+", re.ASCII)


def _user_properties() -> Iterable[Property]:
    for name in (*_TEXTS, *EXTENSION_ATTRIBUTES, *ORG_DATA):
        yield Property(GRAPH_NAMES.get(name, name), f"user.{name}", Kind.TEXT)
    for name in ("accountEnabled", "dirSyncEnabled"):
        yield Property(GRAPH_NAMES.get(name, name), f"user.{name}", Kind.BOOLEAN)
    for name in ("otherMails", "proxyAddresses"):
        yield Property(name, f"user.{name}", Kind.TEXTS)
    yield Property("assignedPlans", "user.assignedPlans", Kind.PLANS)
    yield HIRE_DATE
    yield MEMBER_OF


USER_PROPERTIES = tuple(_user_properties())
_BY_SPELLING = {prop.label.lower(): prop for prop in (*USER_PROPERTIES, ITEM, GROUP_ID, *PLAN_FIELDS)}
_BY_SPELLING |= {f"user.{prop.name}".lower(): prop for prop in USER_PROPERTIES}
_BY_SPELLING |= {
    f"user.{parent}.{name}".lower(): _BY_SPELLING[f"user.{name}".lower()]
    for parent, names in (("onPremisesExtensionAttributes", EXTENSION_ATTRIBUTES), ("employeeOrgData", ORG_DATA))
    for name in names
}


def extension_key(name: str) -> str | None:
    """The facet of a directory extension `extension_<32 hex>_<name>`; None if it is not one."""
    key = name.lower()
    return key if _EXTENSION.fullmatch(key) else None


def find(spelling: str) -> Property | None:
    """The property a rule spells so, in any case and by its Entra or Graph name; None if there is none."""
    key = spelling.lower()
    if found := _BY_SPELLING.get(key):
        return found
    if (name := extension_key(key.removeprefix("user."))) and key.startswith("user."):
        return Property(name, f"user.{name}", Kind.TEXT)
    return None


def nearest(spelling: str) -> str | None:
    """The known spelling most like an unknown one, to suggest it."""
    close = difflib.get_close_matches(spelling.lower(), _BY_SPELLING, n=1, cutoff=0.6)
    return _BY_SPELLING[close[0]].label if close else None
