"""What a rule means, as plainly as it can be said: straight from the Graph user, slow, and sharing no code with the
readers but the syntax tree's classes. The readers are held against it."""

import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import regex  # type: ignore[import-untyped]

from shared.rules.ast import And, Compare, DirectReports, MemberOf, Not, Now, Op, Or, Quantified, Quantifier

ENTRA = {
    "user.mobile": "mobilePhone",
    "user.physicalDeliveryOfficeName": "officeLocation",
    "user.facsimileTelephoneNumber": "faxNumber",
    "user.objectId": "id",
    "user.mailNickName": "mailNickname",
    "user.dirSyncEnabled": "onPremisesSyncEnabled",
}


@dataclass
class Person:
    """A case's person: a Graph user, and what else a rule can see."""

    user: dict[str, Any]
    groups: list[str] = field(default_factory=list)
    manager: str | None = None

    @classmethod
    def of(cls, written: dict[str, Any]) -> "Person":
        user = dict(written)
        return cls(user, user.pop("memberOf", []), user.pop("managerId", None))


def matches(expr: Any, person: Person, now: datetime) -> bool:
    return holds(expr, person, None, now)


def holds(expr: Any, person: Person, item: Any, now: datetime) -> bool:
    if isinstance(expr, And):
        return all(holds(term, person, item, now) for term in expr.terms)
    if isinstance(expr, Or):
        return any(holds(term, person, item, now) for term in expr.terms)
    if isinstance(expr, Not):
        return not holds(expr.term, person, item, now)
    if isinstance(expr, MemberOf):
        return any(same(mine, listed) for mine in person.groups for listed in expr.groups)
    if isinstance(expr, DirectReports):
        return person.manager is not None and same(person.manager, expr.manager)
    if isinstance(expr, Quantified):
        verdicts = [holds(expr.body, person, each, now) for each in look_up(expr.subject.label, person, None) or []]
        return any(verdicts) if expr.quantifier is Quantifier.ANY else all(verdicts)
    assert isinstance(expr, Compare)
    present = look_up(expr.subject.label, person, item)
    if isinstance(present, list):
        some = expr.value is None and not present
        some = some or (expr.value is not None and any(positive(expr.op, one, expr.value, now) for one in present))
    else:
        some = positive(expr.op, present, expr.value, now)
    return not some if expr.op.value.startswith(("not", "ne")) else some


def look_up(label: str, person: Person, item: Any) -> Any:
    user = person.user
    if label == "_":
        return item
    if label.startswith("assignedPlan."):
        return item.get(label.split(".")[1])
    name = label.removeprefix("user.")
    if name in ("costCenter", "division"):
        return either((user.get("employeeOrgData") or {}).get(name), user.get(name))
    if name.startswith("extensionAttribute"):
        return either((user.get("onPremisesExtensionAttributes") or {}).get(name), user.get(name))
    if name.startswith("extension_"):
        return next((user[key] for key in user if key.lower() == name.lower()), None)
    if name == "telephoneNumber":
        return next(iter(user.get("businessPhones") or []), None)
    if name in ("otherMails", "proxyAddresses", "assignedPlans"):
        return user.get(name) or []
    if name == "userType":
        return user.get(name) or "Member"
    if name == "accountEnabled":
        return user.get(name) is not False
    value = user.get(ENTRA.get(label, name))
    return to_instant(value) if name == "employeeHireDate" and value is not None else value


def either(nested: Any, flat: Any) -> Any:
    return flat if nested is None else nested


def positive(op: Op, present: Any, value: Any, now: datetime) -> bool:
    """The operator without its `not`."""
    word = op.value.lower().removeprefix("not").replace("ne", "eq")
    if value is None:
        return present is None
    if present is None:
        return False
    if isinstance(value, Now):
        value = now + value.shift
    match word:
        case "eq":
            return same(present, value)
        case "in":
            return any(same(present, listed) for listed in value)
        case "startswith":
            return plain(present).startswith(plain(value))
        case "endswith":
            return plain(present).endswith(plain(value))
        case "contains":
            return plain(value) in plain(present)
        case "match":
            # The dialect is that of `regex`: to `re`, [a-s] also matches a dotless i, which no other operator does.
            flags = regex.IGNORECASE | (0 if value.isascii() else regex.FULLCASE)
            return regex.search(unicodedata.normalize("NFC", value), plain(present), flags) is not None
        case "le":
            return bool(present <= value)
        case "ge":
            return bool(present >= value)
        case "lt":
            return bool(present < value)
        case "gt":
            return bool(present > value)
    raise AssertionError(word)


def same(one: Any, other: Any) -> bool:
    return bool(plain(one) == plain(other))


def plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", value).casefold())


def to_instant(value: Any) -> datetime:
    found = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)
