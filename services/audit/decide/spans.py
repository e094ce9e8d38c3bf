"""From when to when: what the records of the trail say about holding a package or being in a group.

Pure. In any order and however often: a span has its start from one fact and its end from another, each by its own id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from services.audit.model import Document, Span
from shared.clock import zoned


def moment(text: Any) -> datetime | None:
    """An ISO 8601 time with zone, in whole milliseconds; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    at = zoned(at)
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


def things_in(transitions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Packages and groups that somebody begins or ceases to hold by these: what spans are found by."""
    found = {
        assignment.get("packageId")
        for said in transitions
        if said.get("type") in _HOLDING
        for name in ("assignment", "before", "after")
        if isinstance(assignment := said.get(name), dict)
    }
    found |= {said.get("groupId") for said in transitions if said.get("type") in _MOVES}
    return sorted(one for one in found if isinstance(one, str))


_HOLDING = frozenset({"AssignmentAdded", "AssignmentEnded", "AssignmentMoved"})
_MOVES = {"MemberAdded": True, "MemberRemoved": False}


def holding_spans(records: Iterable[Document]) -> list[Span]:
    """The spans of assignments that begin in these records of holding facts, by assignment id."""
    begun: dict[str, Span] = {}
    ended: dict[str, dict[str, Any]] = {}
    policies: dict[str, tuple[int, str]] = {}
    for record, said in _told(records, _HOLDING):
        try:
            version = int(record["version"])
            if said["type"] == "AssignmentAdded":
                begun[said["assignment"]["id"]] = _begun(record, said["assignment"])
            elif said["type"] == "AssignmentEnded":
                ended[said["assignment"]["id"]] = _ended(record, said.get("reason"))
            elif (after := said["after"])["id"] == (before := said["before"]["id"]):
                policies[before] = max(policies.get(before, (0, "")), (version, after["policyId"]))
            else:
                ended[before] = _ended(record, "moved")
                begun[after["id"]] = _begun(record, after)
        except (KeyError, TypeError, ValueError):
            continue  # no fact of ours; it stands in the trail as it came
    for id, (_, policy) in policies.items():
        if id in begun:
            begun[id] = replace(begun[id], policy=policy)
    return [replace(span, **ended.get(id, {})) for id, span in sorted(begun.items())]


def membership_spans(records: Iterable[Document]) -> list[Span]:
    """The spans of people in groups by these records of membership facts: each addition up to the next removal by
    version, the earliest first."""
    moves: dict[tuple[str, str], dict[int, tuple[bool, Span]]] = {}
    for record, said in _told(records, _MOVES):
        try:
            stay = _stay(record, str(said["groupId"]))
            place = str(said["groupId"]), stay.person
            moves.setdefault(place, {})[int(record["version"])] = (_MOVES[said["type"]], stay)
        except (KeyError, TypeError, ValueError):
            continue  # no fact of ours
    return [span for _, every in sorted(moves.items()) for span in _stays(every)]


def _told(records: Iterable[Document], kinds: Collection[str]) -> Iterator[tuple[Document, Mapping[str, Any]]]:
    for record in records:
        for said in record.get("transitions") or ():
            if isinstance(said, dict) and str(said.get("type")) in kinds:
                yield record, said


def _stay(record: Mapping[str, Any], group: str) -> Span:
    """What begins if the person came into the group by this record; its dates and actor end one, if they left by it."""
    at, effective = _moments(record)
    return Span(
        person=str(record["person"]),
        group=group,
        since=at,
        until=None,
        effective_since=effective,
        effective_until=None,
        actor=record["actor"],
        correlation=str(record.get("correlation")),
    )


def _stays(moves: Mapping[int, tuple[bool, Span]]) -> Iterator[Span]:
    begun: Span | None = None
    for _, (into, stay) in sorted(moves.items(), key=lambda move: move[0]):
        if into:
            begun = begun or stay
        elif begun is not None:
            yield replace(begun, until=stay.since, effective_until=stay.effective_since, end_actor=stay.actor)
            begun = None
    if begun is not None:
        yield begun


def _moments(record: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """When it was decided, and from when it was true. Raises ValueError if the record does not say."""
    at = moment(record.get("at"))
    if at is None:
        raise ValueError("a fact without a date")
    return at, moment(record.get("effectiveAt")) or at


def _begun(record: Mapping[str, Any], assignment: Mapping[str, Any]) -> Span:
    at, _ = _moments(record)
    starts = moment(assignment["startsAt"])
    since = max(at, starts) if starts else at
    # An assignment that lies in the future, or was moved, has a cause of its own.
    cause = {**record, **assignment.get("cause", {})}
    return Span(
        person=record["person"],
        package=assignment["packageId"],
        assignment=assignment["id"],
        policy=assignment["policyId"],
        since=since,
        until=None,
        effective_since=moment(cause.get("effectiveAt")) or starts or since,
        effective_until=None,
        actor=cause["actor"],
        correlation=str(cause.get("correlation")),
    )


def _ended(record: Mapping[str, Any], reason: Any) -> dict[str, Any]:
    at, effective = _moments(record)
    return {"until": at, "effective_until": effective, "end_actor": record["actor"], "end_reason": str(reason)}
