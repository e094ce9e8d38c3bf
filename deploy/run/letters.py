"""Dead letters as values: read from the records of a `<group>.dead-letters` topic, folded, and sent on their way again.

Nothing here talks to Kafka. See `shared.messaging.deadletters` for what the headers mean.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from shared.messaging.deadletters import (
    AT,
    BINARY,
    CODE,
    DISCARD_OF,
    ORIGIN,
    OURS,
    REASON,
    REPLAY_FOR,
    REPLAY_OF,
    SETTLED,
    SETTLES,
)
from shared.messaging.envelope import Incoming

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One message that was set aside, as it came, and why."""

    id: str
    """Where it came from: 'topic/partition/offset'."""
    code: str
    reason: str
    at: datetime | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    """The message's own."""
    noted: int
    """The offset, on the dead-letter topic, of the record that last set it aside."""
    times: int = 1
    """How often it was set aside: a replayed one that fails again is the same letter."""
    settled: str | None = None
    """'replayed', or 'discarded' with the operator's words; None while it is open."""

    @property
    def topic(self) -> str:
        return self.id.rsplit("/", 2)[0]

    @property
    def partition(self) -> int:
        return int(self.id.rsplit("/", 2)[1])

    def as_json(self) -> dict[str, Any]:
        """For people and machines: bodies that are JSON as JSON, other bytes as base64."""
        return {
            "id": self.id,
            "topic": self.topic,
            "code": self.code,
            "reason": self.reason,
            "at": self.at.isoformat() if self.at else None,
            "key": _shown(self.key),
            "headers": {name: _shown(value) for name, value in self.headers},
            "body": _body(self.value),
            "times": self.times,
            "settled": self.settled,
        }


@dataclass
class Letters:
    """A group's dead-letter topic, folded record by record in its order."""

    all: dict[str, Letter] = field(default_factory=dict)

    @property
    def open(self) -> list[Letter]:
        """Those that nobody has replayed or discarded since they were last set aside, oldest first."""
        return [letter for letter in self.all.values() if letter.settled is None]

    def add(self, record: Incoming) -> None:
        """The next record. What is no dead letter at all (somebody else wrote here) is passed over."""
        id = record.header(ORIGIN)
        if id is None or not _is_place(id):
            return
        before = self.all.get(id)
        if (settled := record.header(SETTLED)) is not None:
            if before is not None and record.header(SETTLES) == str(before.noted):
                self.all[id] = replace(before, settled=settled)
            return
        letter = parsed(record, id)
        if before is not None:
            letter = replace(letter, times=before.times + 1)
        self.all[id] = letter


def parsed(record: Incoming, id: str) -> Letter:
    """The letter that this record of a dead-letter topic is."""
    binary = set((record.header(BINARY) or "").split(","))
    at = record.header(AT)
    return Letter(
        id=id,
        code=record.header(CODE) or "unknown",
        reason=record.header(REASON) or "",
        at=_moment(at) if at else None,
        key=record.key,
        value=record.value,
        headers=tuple(
            (name, _bytes_of(value or b"") if name in binary else value or b"")
            for name, value in record.headers
            if name not in OURS
        ),
        noted=record.position.offset,
    )


def _is_place(id: str) -> bool:
    topic, _, place = id.partition("/")
    partition, _, offset = place.partition("/")
    return bool(topic) and partition.isdecimal() and offset.isdecimal()


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _bytes_of(text: bytes) -> bytes:
    """What a header stood for; as it is if it is no base64, for whoever wrote here may have written anything."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text


def replayed(letter: Letter, group: str) -> Headers:
    """Headers under which the letter's bytes go to its origin topic again, for that one group."""
    return (*letter.headers, (REPLAY_OF, letter.id.encode()), (REPLAY_FOR, group.encode()))


def discarded(letter: Letter, group: str) -> Headers:
    """Headers of the control record, under the letter's key, that takes the mark off its aggregate."""
    return ((DISCARD_OF, letter.id.encode()), (REPLAY_FOR, group.encode()))


def settled(letter: Letter, how: str) -> Headers:
    """Headers of the record that goes to the dead-letter topic, so that the topic tells the whole story."""
    return ((ORIGIN, letter.id.encode()), (SETTLED, how.encode()), (SETTLES, str(letter.noted).encode()))


def _shown(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(value).decode()


def _body(value: bytes | None) -> Any:
    if value is None:
        return None
    try:
        body = orjson.loads(value)
        orjson.dumps([[[body]]])  # deeper than it writes, it reads: such a body is shown as the text it is
    except (ValueError, TypeError):
        return _shown(value)
    return body
