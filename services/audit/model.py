"""The words of the trail: what was heard, a chain and its head, a problem, a span, a line of an explanation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

Document = dict[str, Any]

GENESIS = "0" * 64
"""What the first record of a chain follows."""
RECORD_MARK = b"\x01"
"""Tells a record's hash from any other use of SHA-256 (RFC 6962 sets leaves and nodes apart likewise)."""
ERASURES = "tenure/erasures"
"""The chain that says who was erased, when and by whom."""
NEW_LOG = "LogBegunAnew"
"""Type of the transition by which an operator said that Kafka was lost: offsets begin again behind it."""
BESIDE = frozenset({"_id", "previous", "hash", "salt", "personal"})
"""Fields of a stored record that its canonical form leaves out: where it lies, the chain's own, what may be erased."""


def canonical(value: Mapping[str, Any]) -> bytes:
    """RFC 8785 of a value without floats whose keys are ASCII.

    Sorted orjson says the very same bytes for such values at a seventieth of the price; a test holds it against the
    `rfc8785` package. Raises TypeError (orjson's JSONEncodeError) for what is no JSON or an integer beyond 2**53."""
    return orjson.dumps(
        value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATETIME
    )


def hash_of(previous: str, record: Mapping[str, Any]) -> str:
    """SHA-256(0x01 || previous || RFC 8785(record)), hex. `previous` is hex."""
    return hashlib.sha256(RECORD_MARK + bytes.fromhex(previous) + canonical(record)).hexdigest()


def commitment_of(salt: str, personal: Mapping[str, Any]) -> str:
    """SHA-256(salt || RFC 8785(personal)), hex. `salt` is hex."""
    return hashlib.sha256(bytes.fromhex(salt) + canonical(personal)).hexdigest()


def place_of(chain: str, sequence: int) -> str:
    """A record's `_id`: sorts by chain, then by sequence."""
    return f"{chain}/{sequence:012d}"


@dataclass(slots=True)
class Heard:
    """One record of the log as it was received. (Not frozen: ten fields, a million times.)"""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    time: str
    """`ce_time` if the sender gave it, else the broker's; ISO 8601."""
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] | None = None
    """The body if it is a JSON object; a structured CloudEvent's data."""

    @property
    def chain(self) -> str:
        return f"{self.topic}/{self.partition}"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain."""

    sequence: int = 0
    hash: str = GENESIS
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Problem:
    """One place at which the trail is not what it was."""

    chain: str
    sequence: int
    kind: str
    message: str

    def body(self) -> Document:
        return {"chain": self.chain, "sequence": self.sequence, "kind": self.kind, "message": self.message}


@dataclass(slots=True)
class Verdict:
    """What a verification found. `problems` holds the first thousand of `problem_count`."""

    chains: int = 0
    records: int = 0
    checkpoints: int = 0
    erased: int = 0
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)
    unconfirmed: int = 0
    """Records after the last checkpoint of their chain: a cut there would not be seen yet."""

    @property
    def sound(self) -> bool:
        return self.problem_count == 0

    def body(self) -> Document:
        return {
            "sound": self.sound,
            "chains": self.chains,
            "records": self.records,
            "checkpoints": self.checkpoints,
            "erased": self.erased,
            "afterLastCheckpoint": self.unconfirmed,
            "problemCount": self.problem_count,
            "problems": [problem.body() for problem in self.problems],
            "heads": [
                {"chain": chain, "sequence": head.sequence, "head": head.hash}
                for chain, head in sorted(self.heads.items())
            ],
        }


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when something was so: in Tenure, and by the effective dates of its causes. Ends are exclusive."""

    person: str
    since: datetime
    until: datetime | None
    effective_since: datetime
    effective_until: datetime | None
    package: str | None = None
    group: str | None = None
    assignment: str | None = None
    policy: str | None = None
    actor: str = ""
    correlation: str = ""
    end_actor: str | None = None
    end_reason: str | None = None

    def holds_at(self, at: datetime, *, effective: bool) -> bool:
        since, until = (self.effective_since, self.effective_until) if effective else (self.since, self.until)
        return since <= at and (until is None or at < until)


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of an explanation, and what it is about."""

    at: str
    actor: str
    what: str
    id: str
    kind: str
    effective_at: str | None = None
    correlation: str | None = None
    package: str | None = None
    policy: str | None = None
    assignment: str | None = None
    role: str | None = None
    group: str | None = None
    request: str | None = None
    properties: frozenset[str] | None = None
    """Of a person: what changed; None for whatever may have changed all."""
    origins: frozenset[str] = frozenset()
    """Of an HR change: the names under which it may be the correlation of what followed."""
    hold: tuple[str, bool] | None = None
    """A source that suspends the person (True), or does no longer."""
    of_denied_guest: bool = False
    """What a review had done to somebody as a guest, whatever they hold."""


@dataclass(frozen=True, slots=True)
class Names:
    """How ids are read by people: person, package, group and policy names as last heard."""

    people: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)

    def actor(self, actor: str) -> str | None:
        """The name behind 'person:<id>' or 'policy:<id>'; None if it has none or speaks for itself."""
        kind, _, id = actor.partition(":")
        return {"person": self.people, "policy": self.policies}.get(kind, {}).get(id)


def key_id_of(public: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(public).hexdigest()[:16]
