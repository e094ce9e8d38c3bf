"""What of a message goes into the chain, and what lies beside it.

The chain takes an allow-list of fields: ids, types, statuses, dates. Everything else (attribute values, names, texts,
whatever a later contract adds) is in the body, which lies beside the chain under a commitment and can be erased.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from services.audit.model import Document, Heard
from shared.contracts.topics import (
    HR_CHANGES,
    HR_REJECTED,
    HR_URGENT,
    MEMBERSHIP_COMMANDS,
    NOTIFICATIONS,
    TABLE,
    TWO_LANES,
    USE_ANSWERS,
)

LARGEST_INT = 2**53 - 1
BY_SOURCE_IDENTITY = frozenset({HR_CHANGES.name, HR_URGENT.name, HR_REJECTED.name})
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
        "groupId", "member", "returned", "source", "event", "askedVersion", "inUse",
    }
)
# fmt: on


def base_topic(topic: str) -> str:
    """The ordinary twin of an urgent topic."""
    return _BASE.get(topic, topic)


def described(heard: Heard) -> tuple[Document, Document]:
    """The chained part (without commitment and place in the chain) and the personal part of one message.

    What is no JSON is recorded too: its bytes as base64 in the personal part, its place and key in the chain."""
    topic = base_topic(heard.topic)
    data = heard.data or {}
    cause = _mapping(data.get("cause"))
    headers = heard.headers
    personal_id = topic in BY_SOURCE_IDENTITY  # a source's id of a change may be made of an employee number
    own = {
        "id": None if personal_id else headers.get("ce_id") or _text(data.get("id")),
        "type": headers.get("ce_type"),
        "subject": _text(data.get("subject")) or headers.get("ce_subject"),
        "version": _whole(data.get("version")),
        "at": _text(data.get("at")),
        "effectiveAt": _text(cause.get("effectiveAt")) or _text(data.get("effectiveAt")),
        "actor": _text(cause.get("actor")) or _speaker(topic, data),
        "correlation": headers.get("correlation") or _text(cause.get("correlation")),
        "causation": headers.get("causation") or _text(cause.get("id")),
        "person": _key(heard) if topic in BY_PERSON else None,
        "key": None if topic in BY_SOURCE_IDENTITY else _key(heard),
        "traceparent": headers.get("traceparent"),
    }
    record: Document = {name: value for name, value in own.items() if value is not None}
    record["topic"] = heard.topic
    record["partition"] = heard.partition
    record["offset"] = heard.offset
    record["time"] = heard.time
    record["transitions"] = _transitions(topic, data)
    if heard.data is None:
        record["readable"] = False
    return record, _personal(heard, topic, data)


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
        personal["origins"] = _origins(heard, data)
    return personal


def _identity(data: Mapping[str, Any], key: str | None) -> str:
    """'source:employeeId', by which a person's HR changes are found again. The key, if the body says nothing."""
    employee = _text(data.get("employeeId"))
    if employee is None:
        return key if key and ":" in key else f"hr:{key or ''}"
    return f"{_text(data.get('source')) or 'hr'}:{employee}"


def _origins(heard: Heard, data: Mapping[str, Any]) -> list[str]:
    """The names under which this change may be the correlation of what followed from it."""
    change = _text(data.get("changeId"))
    source = _text(data.get("source")) or "hr"
    names = [
        heard.headers.get("ce_id"),
        change,
        f"{source}:{change}" if change else None,
        f"hr:{source}:{change}" if change else None,
        f"{heard.topic}/{heard.partition}/{heard.offset}",
    ]
    return list(dict.fromkeys(name for name in names if name))


def _speaker(topic: str, data: Mapping[str, Any]) -> str:
    if topic in (HR_CHANGES.name, HR_URGENT.name):
        return f"source:{_text(data.get('source')) or 'hr'}"
    return f"system:{topic.partition('.')[0]}" if topic not in _OWNERS else f"system:{_OWNERS[topic]}"


_OWNERS = {topic.name: topic.owner for topic in TABLE}


def _transitions(topic: str, data: Mapping[str, Any]) -> list[Document]:
    said = data.get("transitions")
    if isinstance(said, list):
        return [_allowed(one) for one in said if isinstance(one, dict)]
    kind, source, fields = _SAID.get(topic, ("", None, ()))
    said_in = _mapping(data.get(source)) if source else data
    return [{"type": kind, **_only(said_in, *fields)}] if kind else []


_SAID: dict[str, tuple[str, str | None, tuple[str, ...]]] = {
    MEMBERSHIP_COMMANDS.name: ("SetMembership", None, ("groupId", "member", "grantVersion")),
    USE_ANSWERS.name: ("UseAnswer", None, ("kind", "askedVersion", "inUse")),
    NOTIFICATIONS.name: ("Notification", None, ("event",)),
    HR_REJECTED.name: ("HrRejection", "reason", ("code",)),
    HR_CHANGES.name: ("HrChange", None, ("kind",)),
    HR_URGENT.name: ("HrChange", None, ("kind",)),
}
"""What is said of messages that are no facts: a word, where to look, and which fields."""


def _only(data: Mapping[str, Any], *names: str) -> Document:
    return _allowed({name: data[name] for name in names if data.get(name) is not None})


def _allowed(value: Mapping[str, Any]) -> Document:
    """The allow-listed fields, at every depth. Of changed attributes only the names."""
    kept: Document = {}
    for name, inner in value.items():
        if name in ALLOWED:
            if isinstance(inner, dict):
                kept[name] = _allowed(inner)
            elif isinstance(inner, list):
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


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_INT else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
