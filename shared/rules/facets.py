"""A person as rules see them: a Graph user, normalised once, for all rules and for storage.

Facets are a flat dict of plain values under Graph's own names, ready for a MongoDB document:

- texts folded (`fold`), booleans as they are, `employeeHireDate` a datetime in UTC to the millisecond;
- `otherMails`, `proxyAddresses`: lists of folded texts; `assignedPlans`: list of small dicts of folded texts;
- `memberOf`: sorted, folded ids of the groups the person is a direct member of; `manager`: the manager's folded id;
- at the top what Graph nests (it may come in flat, too): `costCenter`, `division`, `extensionAttribute1` … `15`;
- `extension_<hex>_<name>`, in small letters.

What is null, missing or an empty collection has **no key**. An empty text is a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from shared.rules import properties
from shared.rules.properties import EXTENSION_ATTRIBUTES, MANAGER, MEMBER_OF, ORG_DATA, Kind
from shared.rules.text import as_instant, fold

Facets: TypeAlias = Mapping[str, Any]
"""What `facets` returns, or the same read back from MongoDB."""

_EXTENSIONS = "onPremisesExtensionAttributes"
_ORG_DATA = "employeeOrgData"
_NESTED = {_EXTENSIONS: frozenset(EXTENSION_ATTRIBUTES), _ORG_DATA: frozenset(ORG_DATA)}
_KINDS = {prop.name: prop.kind for prop in properties.USER_PROPERTIES if prop.kind is not Kind.GROUPS}
_TEXTS = frozenset(name for name, kind in _KINDS.items() if kind is Kind.TEXT)
_PLAN_FIELDS = tuple(field.name for field in properties.PLAN_FIELDS)


_extension_key = lru_cache(maxsize=4096)(properties.extension_key)  # a directory has few names, and many people


def facets(
    user: Mapping[str, Any], *, memberships: Iterable[str] = (), manager_id: str | None = None
) -> dict[str, Any]:
    """The facets of a person with the properties of the Graph user `user`.

    `memberships` are ids of groups that the person is a direct member of. Unknown properties are left out, and so
    are values of a type that the property cannot have. A person without userType is a Member; one of whom nothing
    says whether the account is enabled has an enabled account. Whoever has left must not be asked about at all.
    """
    out: dict[str, Any] = {"userType": "member", "accountEnabled": True}
    for name, value in user.items():
        if value is None:
            continue
        if name in _TEXTS and value.__class__ is str:  # by far the most
            out[name] = value.lower() if value.isascii() else fold(value)
        elif (kind := _KINDS.get(name)) is not None:
            if (normal := _normal(kind, value)) is not None:
                out[name] = normal
        elif key := _extension_key(name):
            out[key] = fold(str(value))
    for parent, names in _NESTED.items():  # last, so that the nested value wins over one given flat
        if parent in user:
            _add_nested(out, names, user[parent])
    if groups := sorted({fold(group) for group in memberships}):
        out[MEMBER_OF.name] = groups
    if manager_id is not None:
        out[MANAGER] = fold(manager_id)
    return out


def _add_nested(out: dict[str, Any], names: frozenset[str], value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if inner is not None and name in names:
                out[name] = fold(str(inner))


def _normal(kind: Kind, value: Any) -> Any:  # noqa: PLR0911 (one a kind of property)
    match kind:
        case Kind.TEXT:
            if isinstance(value, list | tuple):  # businessPhones: Graph has a list of one, Entra's rules a text
                return next((fold(str(item)) for item in value if item is not None), None)
            return fold(str(value))
        case Kind.BOOLEAN:
            return value if isinstance(value, bool) else None
        case Kind.INSTANT:
            return as_instant(value)
        case Kind.TEXTS:
            items = value if isinstance(value, list | tuple | set | frozenset) else (value,)
            return [fold(str(item)) for item in items if item is not None] or None
        case Kind.PLANS:
            plans = value if isinstance(value, list | tuple) else ()
            return [_plan(plan) for plan in plans if isinstance(plan, Mapping)] or None
        case Kind.GROUPS:
            return None


def _plan(plan: Mapping[str, Any]) -> dict[str, str]:
    return {field: fold(str(plan[field])) for field in _PLAN_FIELDS if plan.get(field) is not None}
