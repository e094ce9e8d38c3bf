"""What of a message goes into the chain, and what lies beside it.

The chain takes an allow-list of fields: ids, types, statuses, dates. Everything else (attribute values, names, texts,
whatever a later contract adds) is in the body, which lies beside the chain under a commitment and can be erased.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from services.audit.decide.spans import things_in
from services.audit.model import Document, Heard
from shared.contracts.hr import hr_correlation
from shared.contracts.topics import (
    ASSIGNMENT_ROSTERS,
    CATALOG_ROSTERS,
    DIRECTORY_ROSTERS,
    GROUP_COMMANDS,
    GUEST_COMMANDS,
    HOLDING_FACTS,
    HR_CHANGES,
    HR_REJECTED,
    HR_URGENT,
    MEMBERSHIP_COMMANDS,
    MEMBERSHIP_FACTS,
    NOTIFICATIONS,
    REVIEW_INSTANCE_FACTS,
    REVIEW_ITEM_FACTS,
    ROLE_ASSIGNMENT_COMMANDS,
    SIGN_INS,
    TABLE,
    TWO_LANES,
    USE_ANSWERS,
)

LARGEST_INT = 2**53 - 1
BY_SOURCE_IDENTITY = frozenset({HR_CHANGES.name, HR_URGENT.name, HR_REJECTED.name, SIGN_INS.name})
"""Keyed by the source's own name for a person: key and body say who it is, so both lie beside the chain."""
BY_PERSON = frozenset(topic.name for topic in TABLE if topic.key.endswith("person id"))
_BASE = {topic.urgent.name: topic.name for topic in TWO_LANES}

# fmt: off
ALLOWED = frozenset(
    {
        "type", "id", "assignment", "assignmentId", "packageId", "policyId", "kind", "status", "startsAt",
        "endsAt", "assignedAt", "cause", "correlation", "actor", "effectiveAt", "before", "after", "reason",
        "code", "originSystem", "originId", "role", "version", "suspended", "wanted", "found", "leftInPlace",
        "final", "expected", "repaired", "commandId", "grantVersion", "already", "properties", "personId",
        "groupId", "member", "returned", "source", "event", "askedVersion", "inUse", "requestId", "stageId", "number",
        "result", "by", "outcome", "approvers", "added", "removed", "expiresAt", "deletesAt", "until",
        "roleAssignmentId", "exclusion", "since", "byHand",
    }
)
# fmt: on


def base_topic(topic: str) -> str:
    """The ordinary twin of an urgent topic."""
    return _BASE.get(topic, topic)


def described(heard: Heard) -> tuple[Document, Document]:
    """The chained part (without commitment and place in the chain) and the personal part of one message.

    What is no JSON is recorded too: its bytes as base64 in the personal part, its place and key in the chain."""
    topic = _BASE.get(heard.topic, heard.topic)
    data = heard.data or _NOTHING
    headers = heard.headers
    cause = data.get("cause")
    cause = cause if isinstance(cause, dict) else _NOTHING
    by_identity = topic in BY_SOURCE_IDENTITY
    record: Document = {
        "topic": heard.topic,
        "partition": heard.partition,
        "offset": heard.offset,
        "time": heard.time,
        "actor": _text(cause.get("actor")) or _speaker(topic, data),
        "transitions": _transitions(topic, data),
    }
    for name, value in (
        # A source's own id of a change may be made of an employee number, so it stays in the body.
        ("id", None if by_identity else headers.get("ce_id") or data.get("id")),
        ("type", headers.get("ce_type")),
        ("subject", data.get("subject") or headers.get("ce_subject")),
        ("at", data.get("at")),
        ("effectiveAt", cause.get("effectiveAt") or data.get("effectiveAt")),
        ("correlation", headers.get("correlation") or cause.get("correlation")),
        ("causation", headers.get("causation") or cause.get("id")),
        ("traceparent", headers.get("traceparent")),
    ):
        if isinstance(value, str):
            record[name] = value
    version = data.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and abs(version) <= LARGEST_INT:
        record["version"] = version
    if not by_identity and (key := _key(heard)) is not None:
        record["key"] = key
        if topic in BY_PERSON:
            record["person"] = key
    if topic in _OF_SPANS and (things := things_in(record["transitions"])):
        record["things"] = things
    if (review := _review(topic, data)) is not None:
        record["review"] = review
    if heard.data is None:
        record["readable"] = False
    return record, _personal(heard, topic, data)


def _review(topic: str, data: Mapping[str, Any]) -> str | None:
    """The run of a review that this is about: what its evidence is found by."""
    if topic == REVIEW_ITEM_FACTS.name:
        return _text(_mapping(data.get("state")).get("instanceId"))
    return _text(data.get("subject")) if topic in _OF_RUNS else None


_OF_SPANS = frozenset({HOLDING_FACTS.name, MEMBERSHIP_FACTS.name})
ROSTERS = frozenset({DIRECTORY_ROSTERS.name, ASSIGNMENT_ROSTERS.name, CATALOG_ROSTERS.name})
"""Topics by which the owners of access say who has what is reviewed."""
_OF_RUNS = ROSTERS | {REVIEW_INSTANCE_FACTS.name}
_NOTHING: dict[str, Any] = {}


def _personal(heard: Heard, topic: str, data: Mapping[str, Any]) -> Document:
    personal: Document = {}
    if heard.value is not None:
        try:
            personal["body"] = heard.value.decode()
        except UnicodeDecodeError:
            personal["bodyBase64"] = base64.b64encode(heard.value).decode()
    if topic in BY_SOURCE_IDENTITY:
        if (key := _key(heard)) is not None:
            personal["key"] = key
        personal["identity"] = _identity(data, key)
        personal["origins"] = _origins(data)
    return personal


def _identity(data: Mapping[str, Any], key: str | None) -> str:
    """'source:employeeId', by which a person's HR changes are found again. The key, if the body says nothing."""
    employee = _text(data.get("employeeId"))
    if employee is None:
        return key if key and ":" in key else f"hr:{key or ''}"
    return f"{_text(data.get('source')) or 'hr'}:{employee}"


def _origins(data: Mapping[str, Any]) -> list[str]:
    """The correlation of what follows from this change, by which `explain` finds it. None of what is no change."""
    change, employee = _text(data.get("changeId")), _text(data.get("employeeId"))
    if change is None or employee is None:
        return []
    return [hr_correlation(_text(data.get("source")) or "hr", employee, change)]


def _speaker(topic: str, data: Mapping[str, Any]) -> str:
    if topic in (HR_CHANGES.name, HR_URGENT.name):
        return f"source:{_text(data.get('source')) or 'hr'}"
    if topic == SIGN_INS.name:
        return "source:sign-ins"
    return f"system:{topic.partition('.')[0]}" if topic not in _OWNERS else f"system:{_OWNERS[topic]}"


_OWNERS = {topic.name: topic.owner for topic in TABLE}


def _transitions(topic: str, data: Mapping[str, Any]) -> list[Document]:
    said = data.get("transitions")
    if isinstance(said, list):
        return [_allowed(one) for one in said if isinstance(one, dict)]
    kind, source, fields = _SAID.get(topic, ("", None, ()))
    if not kind:
        return []
    told = data.get(source) if source else data
    return [{"type": kind, **_only(_mapping(one), *fields)} for one in (told if isinstance(told, list) else (told,))]


_SAID: dict[str, tuple[str, str | None, tuple[str, ...]]] = {
    MEMBERSHIP_COMMANDS.name: ("MembershipWish", "wishes", ("id", "groupId", "member", "grantVersion")),
    GUEST_COMMANDS.name: ("BlockGuest", None, ("id", "personId")),
    GROUP_COMMANDS.name: ("UnnestGroup", None, ("id", "groupId")),
    ROLE_ASSIGNMENT_COMMANDS.name: ("EndRoleAssignment", None, ("id", "roleAssignmentId")),
    USE_ANSWERS.name: ("UseAnswer", None, ("kind", "askedVersion", "inUse")),
    NOTIFICATIONS.name: ("Notification", None, ("event",)),
    HR_REJECTED.name: ("HrRejection", "reason", ("code",)),
    HR_CHANGES.name: ("HrChange", None, ("kind",)),
    HR_URGENT.name: ("HrChange", None, ("kind",)),
    SIGN_INS.name: ("SignIn", None, ()),
}
"""What is said of messages that are no facts: a word, where to look (once an item if that is a list), which fields."""


def _only(data: Mapping[str, Any], *names: str) -> Document:
    return _allowed({name: data[name] for name in names if data.get(name) is not None})


def _allowed(value: Mapping[str, Any]) -> Document:
    """The allow-listed fields, at every depth. Of changed attributes only the names."""
    kept: Document = {}
    for name, inner in value.items():
        if name in ALLOWED:
            kind = type(inner)
            if kind is str or kind is bool:
                kept[name] = inner
            elif kind is dict:
                kept[name] = _allowed(inner)
            elif kind is list:
                kept[name] = [_allowed(one) if isinstance(one, dict) else _plain(one) for one in inner]
            elif inner is not None:
                kept[name] = _plain(inner)
        elif name == "changes" and isinstance(inner, dict):
            kept["properties"] = sorted(str(key) for key in inner)
    return kept


def _plain(value: Any) -> Any:
    """No floats and no integers that JSON readers disagree on: they become text."""
    if isinstance(value, str | bool):
        return value
    return value if isinstance(value, int) and abs(value) <= LARGEST_INT else str(value)


def _key(heard: Heard) -> str | None:
    if heard.key is None:
        return None
    try:
        return heard.key.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(heard.key).decode()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
