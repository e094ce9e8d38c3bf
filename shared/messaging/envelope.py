"""Records on their way in and out: CloudEvents 1.0 in binary mode (Kafka headers `ce_…`, JSON body).

Source: CloudEvents Kafka protocol binding, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.base import Cause, Fact, Lane, Message
from shared.contracts.topics import Topic, in_lane

LARGEST_REQUEST = 4 * 1024 * 1024
"""Bytes that a producer sends at once, and so more than the largest record that anybody may keep."""
CONTENT_TYPE = ("content-type", "application/json")
TRANSITIONS = "transitions"
"""Header of a fact: what it tells of, so that whoever cares for none of it need not read the body."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record lies in the log."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record as it was received: nothing is decoded yet. Headers that are not text keep their bytes."""

    position: Position
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0
    marked: bool = True
    """False: none of the headers is the kit's own (`deadletters.OURS`), as with nearly all records."""

    def header(self, name: str) -> str | None:
        """The last header of that name as text, None if there is none or it is no UTF-8."""
        for key, value in reversed(self.headers):
            if key == name and value is not None:
                try:
                    return value.decode()
                except UnicodeDecodeError:
                    return None
        return None

    def tells_of(self, transitions: frozenset[bytes]) -> bool:
        """Whether it may be a fact that tells of any of these; true of what does not say."""
        for name, value in reversed(self.headers):
            if name == TRANSITIONS and value is not None:
                return not transitions.isdisjoint(value.split(b","))
        return True

    @property
    def key_text(self) -> str | None:
        return self.key.decode("utf-8", "replace") if self.key is not None else None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be published. `topic` is its name in the table, without the namespace."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, str], ...] = ()


def outgoing(
    topic: Topic,
    key: str,
    message: Message,
    *,
    source: str,
    at: datetime,
    subject: str = "",
) -> Outgoing:
    """`message` in its envelope, in the lane of its cause."""
    cause = message.cause
    fact = message if isinstance(message, Fact) else None
    return enveloped(
        in_lane(topic, cause.lane),
        key,
        message.json_bytes(),
        ce_id=message.id,
        ce_type=message.ce_type,
        source=source,
        at=at,
        subject=fact.subject if fact else subject,
        cause=cause,
        transitions=[one.type for one in fact.transitions] if fact else (),
    )


def enveloped(
    topic: Topic,
    key: str,
    body: bytes,
    *,
    ce_id: str,
    ce_type: str,
    source: str,
    at: datetime,
    subject: str = "",
    cause: Cause | None = None,
    transitions: Sequence[str] = (),
) -> Outgoing:
    """A body of any contract in its envelope."""
    headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", ce_id),
        ("ce_type", ce_type),
        ("ce_source", f"tenure/{source}"),
        ("ce_time", at.isoformat()),
        CONTENT_TYPE,
    ]
    if subject:
        headers.append(("ce_subject", subject))
    if cause is not None:
        headers.append(("correlation", cause.correlation))
        headers.append(("causation", cause.id))
        if cause.lane is Lane.URGENT:
            headers.append(("lane", "urgent"))
    if transitions:
        headers.append((TRANSITIONS, ",".join(dict.fromkeys(transitions))))
    return Outgoing(topic.name, key.encode(), body, tuple(headers))
