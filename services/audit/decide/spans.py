"""From when to when: what a fact says about holding a package or being in a group.

What is written of one fact never depends on what is there already: every fact sets fields of its own (a span's start,
its end, a version's entry), so repeats and any order end the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from services.audit.decide.record import base_topic
from services.audit.model import Document, Heard, Span
from shared.contracts.topics import HOLDING_FACTS, MEMBERSHIP_FACTS


def moment(text: Any) -> datetime | None:
    """An ISO 8601 time with zone, in whole milliseconds; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


LAST_OF_A_DAY = timedelta(days=1) - timedelta(milliseconds=1)


def asked_for(at: date | datetime | None, now: datetime) -> tuple[datetime, str | None]:
    """The moment that is meant, and how a date alone was read: as the end of that day (UTC), or now on the day itself.

    At its beginning, what came on that day would be missing, which nobody expects who asks for a day."""
    if at is None:
        return now, None
    if isinstance(at, datetime):
        return at, None
    begin = datetime.combine(at, time(), UTC)
    if begin <= now < begin + timedelta(days=1):
        return now, f"now, for {at} is not over"
    return begin + LAST_OF_A_DAY, f"the end of {at}, UTC"


def holdings_said(heard: Heard) -> dict[str, Document]:
    """Fields to set, by assignment id, for a holding fact; nothing for other messages."""
    data = heard.data
    if data is None or base_topic(heard.topic) != HOLDING_FACTS.name:
        return {}
    person, version = data["subject"], f"{data['version']:08d}"
    said: dict[str, Document] = {}
    for transition in data["transitions"]:
        kind = transition["type"]
        if kind == "AssignmentAdded":
            assignment = transition["assignment"]
            said.setdefault(assignment["id"], {}).update(_begun(person, assignment, data))
        elif kind == "AssignmentEnded":
            assignment = transition["assignment"]
            ended = _ended(data, transition.get("reason"))
            said.setdefault(assignment["id"], {}).update(**_whose(person, assignment), **ended)
        elif kind == "AssignmentMoved":
            before, after = transition["before"], transition["after"]
            if before["id"] == after["id"]:
                moves = {f"moves.{version}": {"at": moment(data["at"]), "policy": after["policyId"]}}
                said.setdefault(after["id"], {}).update(**_whose(person, after), **moves)
            else:
                said.setdefault(before["id"], {}).update(**_whose(person, before), **_ended(data, "moved"))
                said.setdefault(after["id"], {}).update(_begun(person, after, data))
    return said


def memberships_said(heard: Heard) -> dict[str, Document]:
    """Fields to set, by group and person, for a memberships fact; nothing for other messages."""
    data = heard.data
    if data is None or base_topic(heard.topic) != MEMBERSHIP_FACTS.name:
        return {}
    person, cause = data["subject"], data["cause"]
    entry = {
        "at": moment(data["at"]),
        "effective": moment(cause.get("effectiveAt")) or moment(data["at"]),
        "actor": cause["actor"],
        "correlation": cause["correlation"],
    }
    said: dict[str, Document] = {}
    for transition in data["transitions"]:
        into = _MOVES.get(transition["type"])
        if into is not None:
            group = transition["groupId"]
            said[f"{group}:{person}"] = {"person": person, "group": group, f"{into}.{data['version']:08d}": entry}
    return said


_MOVES = {"MemberAdded": "added", "MemberRemoved": "removed"}


def _whose(person: str, assignment: Mapping[str, Any]) -> Document:
    return {"person": person, "package": assignment["packageId"]}


def _begun(person: str, assignment: Mapping[str, Any], data: Mapping[str, Any]) -> Document:
    at, starts = moment(data["at"]), moment(assignment["startsAt"])
    assert at is not None
    since = max(at, starts) if starts else at
    cause = {**data["cause"], **assignment.get("cause", {})}
    return {
        **_whose(person, assignment),
        "policy": assignment["policyId"],
        "kind": assignment["kind"],
        "since": since,
        "effectiveSince": moment(cause.get("effectiveAt")) or starts or since,
        "actor": cause["actor"],
        "correlation": cause["correlation"],
    }


def _ended(data: Mapping[str, Any], reason: Any) -> Document:
    cause = data["cause"]
    return {
        "until": moment(data["at"]),
        "effectiveUntil": moment(cause.get("effectiveAt")) or moment(data["at"]),
        "endActor": cause["actor"],
        "endReason": str(reason),
        "endCorrelation": cause["correlation"],
    }


def holding_span(document: Mapping[str, Any]) -> Span | None:
    """The span of one assignment; None while only its end has been heard."""
    if "since" not in document:
        return None
    moves = document.get("moves") or {}
    return Span(
        person=document["person"],
        package=document["package"],
        assignment=document["_id"],
        policy=moves[max(moves)]["policy"] if moves else document["policy"],
        since=document["since"],
        until=document.get("until"),
        effective_since=document["effectiveSince"],
        effective_until=document.get("effectiveUntil"),
        actor=document["actor"],
        correlation=document["correlation"],
        end_actor=document.get("endActor"),
        end_reason=document.get("endReason"),
    )


def membership_spans(document: Mapping[str, Any]) -> list[Span]:
    """The spans of one person in one group, the earliest first: each addition up to the next removal by version."""
    added = {int(version): entry for version, entry in (document.get("added") or {}).items()}
    removed = {int(version): entry for version, entry in (document.get("removed") or {}).items()}
    spans: list[Span] = []
    open_at: Mapping[str, Any] | None = None
    for version in sorted({*added, *removed}):
        if version in added:
            open_at = open_at or added[version]
        elif open_at is not None:
            spans.append(_membership(document, open_at, removed[version]))
            open_at = None
    if open_at is not None:
        spans.append(_membership(document, open_at, None))
    return spans


def _membership(document: Mapping[str, Any], start: Mapping[str, Any], end: Mapping[str, Any] | None) -> Span:
    return Span(
        person=document["person"],
        group=document["group"],
        since=start["at"],
        until=end["at"] if end else None,
        effective_since=start["effective"],
        effective_until=end["effective"] if end else None,
        actor=start["actor"],
        correlation=start["correlation"],
        end_actor=end["actor"] if end else None,
    )
