"""Which properties of a Graph user a source may set, and of what type each is.

Source: Graph `user` (reference/graph-model.md), plus what membership rules can name (shared.rules).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from shared.clock import zoned

LONGEST_TEXT = 1024
"""Characters. Graph's own limits are lower, and differ by property; this one keeps a fact publishable."""
MOST_ITEMS = 250
MOST_TOLD = 16
"""Problems of one change that are answered one by one."""
MANAGER = "managerEmployeeId"
"""Not a Graph property: the source's own name for the manager, resolved to a person."""
SPONSORS = "sponsors"
"""In Graph a relation: who answers for a guest. Ids of people and groups, as this directory gave them."""

LIFECYCLE = "subjectLifecycle"
"""In Graph a property of the person as a subject of entitlement management, not of the user."""
LIFECYCLES = ("notDefined", "notGoverned", "governed")
NOT_OF_USERS = frozenset({MANAGER, SPONSORS, LIFECYCLE})
"""What sources and callers state that no user is shown with."""


class Type(Enum):
    """What values a property has."""

    TEXT = "a text"
    BOOLEAN = "true or false"
    DATE = "an ISO 8601 date or date-time"
    TEXTS = "a list of texts"
    NESTED = "an object of texts"
    REFERENCES = "a list of ids of people and groups"
    PLANS = "a list of objects with servicePlanId, service, capabilityStatus"
    IDENTITIES = "a list of objects with signInType, issuer, issuerAssignedId"
    EXTENSION = "a text, a number, true or false"
    SCHEMA = "an object of texts, numbers, true or false"


_TEXTS = (
    "ageGroup", "city", "companyName", "consentProvidedForMinor", "country", "creationType", "department",
    "displayName", "employeeId", "employeeType", "externalUserState", "faxNumber", "givenName", "jobTitle", "mail",
    "mailNickname", "mobilePhone", "officeLocation", "onPremisesDistinguishedName", "onPremisesDomainName",
    "onPremisesImmutableId", "onPremisesSamAccountName", "onPremisesSecurityIdentifier",
    "onPremisesUserPrincipalName", "passwordPolicies", "postalCode", "preferredLanguage", "sipProxyAddress", "state",
    "streetAddress", "surname", "usageLocation", "userPrincipalName", "userType", MANAGER, LIFECYCLE,
)  # fmt: skip

NESTED: Mapping[str, frozenset[str]] = {
    "onPremisesExtensionAttributes": frozenset(f"extensionAttribute{n}" for n in range(1, 16)),
    "employeeOrgData": frozenset({"costCenter", "division"}),
}
"""Nested properties: a change states some of their keys, and the others stay."""

DATES = ("employeeHireDate", "employeeLeaveDateTime")

TYPES: Mapping[str, Type] = {
    **dict.fromkeys(_TEXTS, Type.TEXT),
    **dict.fromkeys(("accountEnabled", "onPremisesSyncEnabled"), Type.BOOLEAN),
    **dict.fromkeys(DATES, Type.DATE),
    **dict.fromkeys(("businessPhones", "otherMails", "proxyAddresses"), Type.TEXTS),
    **dict.fromkeys(NESTED, Type.NESTED),
    SPONSORS: Type.REFERENCES,
    "assignedPlans": Type.PLANS,
    "identities": Type.IDENTITIES,
}

ANSWERABLE = frozenset(
    {
        "city", "companyName", "country", "department", "employeeType", "faxNumber", "givenName", "jobTitle",
        "mobilePhone", "officeLocation", "postalCode", "preferredLanguage", "state", "streetAddress", "surname",
        "usageLocation",
    }
)  # fmt: skip
"""What people may say of themselves when they ask for access, beside extensions: never who they are, nor where mail to
them goes."""

_EXTENSION = re.compile(r"extension_[0-9a-fA-F]{32}_[A-Za-z0-9_]{1,128}", re.ASCII)
_SCHEMA = re.compile(r"ext[a-z0-9]{8}_[A-Za-z][A-Za-z0-9_]{0,127}", re.ASCII)


@lru_cache(maxsize=4096)
def extension(name: str) -> Type | None:
    """Of what type a property is that is none of Graph's own: of an application, or a schema extension. Rules read the
    former only."""
    if _EXTENSION.fullmatch(name):
        return Type.EXTENSION
    return Type.SCHEMA if _SCHEMA.fullmatch(name) else None


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_PARTS: Mapping[Type, frozenset[str]] = {
    Type.PLANS: frozenset({"servicePlanId", "service", "capabilityStatus"}),
    Type.IDENTITIES: frozenset({"signInType", "issuer", "issuerAssignedId"}),
}
_OF_SOME_TEXTS = frozenset({"userType", LIFECYCLE, MANAGER})
_USER_TYPES = {"member": "Member", "guest": "Guest"}


class Unfit(Exception):
    """A value that its property cannot have."""


Problem = tuple[str, str, str]
"""Property, code and message."""


def cleaned(stated: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """What can be taken of `stated`, normalised, and the problems.

    null stays null: it clears. Dates become date-times in UTC (midnight, if they have no time)."""
    clean: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in stated.items():
        kind = TYPES.get(name)
        if value is None and (kind is not None or extension(name)):
            clean[name] = None
        elif kind is Type.TEXT and value.__class__ is str and len(value) <= LONGEST_TEXT and name not in _OF_SOME_TEXTS:
            clean[name] = value  # by far the most
        elif (kind := kind or extension(name)) is None:
            # Beyond those that are told nobody reads the text, and to look for what is meant takes a while.
            problems.append((name, "unknownProperty", _unknown(name) if len(problems) < MOST_TOLD else ""))
        else:
            try:
                clean[name] = _CHECKS[kind](name, value)
            except Unfit as problem:
                problems.append((name, "invalidProperty", str(problem)))
    return clean, tuple(problems)


def told(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Those that are told one by one, and the rest in a word: each is answered with all that was received."""
    if len(problems) <= MOST_TOLD:
        return tuple(problems)
    (name, _, _), more = problems[MOST_TOLD], len(problems) - MOST_TOLD
    text = f"{more} more properties could not be taken, '{name[:100]}' first. The rest of the change was taken."
    return (*problems[:MOST_TOLD], ("", "moreProblems", text))


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, TYPES, n=1)
    hint = f" Did you mean {near[0]}?" if near else " Use a Graph user property or extension_<32 hex digits>_<name>."
    return f"'{name[:100]}' is no property of a user that a source can set.{hint} The rest of the change was taken."


def _unfit(name: str, kind: Type) -> Unfit:
    return Unfit(f"{name} must be {kind.value}, or null to clear it. The rest of the change was taken.")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _unfit(name, Type.TEXT)
    if len(value) > LONGEST_TEXT:
        raise Unfit(f"{name} is longer than {LONGEST_TEXT} characters. The rest of the change was taken.")
    if name == "userType":
        if (known := _USER_TYPES.get(value.lower())) is None:
            raise Unfit("userType must be Member or Guest, or null to clear it. The rest of the change was taken.")
        return known
    if name == LIFECYCLE and value not in LIFECYCLES:
        raise Unfit(f"{LIFECYCLE} must be {', '.join(LIFECYCLES)}, or null to clear it. The rest was taken.")
    if name == MANAGER and not value:
        # Nobody ever joins under that name, so the reference would wait for ever.
        raise Unfit(f"{MANAGER} must name somebody, or be null to clear it. The rest of the change was taken.")
    return value


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _unfit(name, Type.BOOLEAN)
    return value


@lru_cache(maxsize=8192)
def _as_date(value: str) -> str:
    moment = datetime.fromisoformat(value.strip())
    moment = zoned(moment).astimezone(UTC)
    text = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def _date(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _unfit(name, Type.DATE)
    try:
        return _as_date(value)
    except (ValueError, OverflowError):
        raise _unfit(name, Type.DATE) from None


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise _unfit(name, Type.TEXTS)
    return [_text(name, item) for item in value]


def _references(name: str, value: Any) -> list[str]:
    """Each id once, in lower case, in the order given."""
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise _unfit(name, Type.REFERENCES)
    if not all(isinstance(id, str) and _ID.fullmatch(id) for id in value):
        raise _unfit(name, Type.REFERENCES)
    return list(dict.fromkeys(id.lower() for id in value))


def _nested(name: str, value: Any) -> dict[str, str | None]:
    if not isinstance(value, dict):
        raise _unfit(name, Type.NESTED)
    known = NESTED[name]
    for key, inner in value.items():
        if key not in known:
            raise Unfit(f"{name} has no '{key[:100]}'. The rest of the change was taken.")
        if inner is not None:
            _text(f"{name}/{key}", inner)
    return value


def _objects(name: str, value: Any) -> list[dict[str, str]]:
    kind = TYPES[name]
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise _unfit(name, kind)
    found = []
    for one in value:
        if not isinstance(one, dict):
            raise _unfit(name, kind)
        parts = {key: inner for key, inner in one.items() if key in _PARTS[kind]}
        if not all(isinstance(inner, str) and len(inner) <= LONGEST_TEXT for inner in parts.values()):
            raise _unfit(name, kind)
        found.append(parts)
    return found


def _extension(name: str, value: Any) -> str | bool | int | float:
    if isinstance(value, str):
        return _text(name, value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and -(2**53) < value < 2**53:
        return value
    if isinstance(value, float) and value - value == 0:  # neither infinite nor NaN, which JSON cannot carry
        return value
    raise _unfit(name, Type.EXTENSION)


def _schema_extension(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > MOST_ITEMS:
        raise _unfit(name, Type.SCHEMA)
    for key in value:
        if not re.fullmatch(r"\w{1,128}", key, re.ASCII):
            raise Unfit(f"{name} has a key that is no name: '{key[:64]}'. The rest of the change was taken.")
    return {key: _extension(f"{name}/{key}", inner) for key, inner in value.items() if inner is not None}


_CHECKS: Mapping[Type, Callable[[str, Any], Any]] = {
    Type.TEXT: _text,
    Type.BOOLEAN: _boolean,
    Type.DATE: _date,
    Type.TEXTS: _texts,
    Type.REFERENCES: _references,
    Type.NESTED: _nested,
    Type.PLANS: _objects,
    Type.IDENTITIES: _objects,
    Type.EXTENSION: _extension,
    Type.SCHEMA: _schema_extension,
}
