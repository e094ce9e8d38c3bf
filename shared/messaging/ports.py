"""What the five steps need from the world. Real: MongoDB and Kafka; in the exploration tests: fakes, stepped by hand.

Everything here raises `MayPass` for what may pass, and means it: the caller will try again, for ever if need be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.messaging.envelope import Outgoing, Position


@dataclass(frozen=True, slots=True)
class Outbox:
    """The facts of the last write, kept inside the document until they are known to be published."""

    records: tuple[Outgoing, ...]
    causes: tuple[Position, ...] = ()
    """Positions whose commit proves the publication: the last one a partition. Empty: only `pending` tells."""
    revision: int = 0
    """Of the write that it belongs to. The document's own may have moved on since: to be looked at again, it is not
    written anew."""


@dataclass(slots=True)
class Stored:
    """An aggregate's document as read, or the blank one of what does not exist (`revision` 0)."""

    id: str
    revision: int = 0
    """Guards every write; grows with each."""
    version: int = 0
    """Number of the last fact."""
    state: dict[str, Any] | None = None
    outbox: Outbox | None = None
    """None: nothing is carried."""
    pending: bool = False
    dead_letters: tuple[str, ...] = ()
    """Dead letters about this aggregate that nobody has replayed."""


@dataclass(frozen=True, slots=True)
class Write:
    """One guarded write: applies only if the document's revision still is `read.revision`."""

    read: Stored
    version: int
    state: dict[str, Any]
    outbox: Outbox | None
    pending_since: datetime | None
    due_at: datetime | None


@dataclass(slots=True)
class Written:
    """How a bulk of guarded writes ended."""

    lost: set[str] = field(default_factory=set)
    """Ids whose revision had moved, or that somebody else inserted."""
    clashed: dict[str, str] = field(default_factory=dict)
    """Id -> name of the unique index on which it clashed with another aggregate."""


class AggregateStore(Protocol):
    """The documents of one kind of aggregate."""

    async def load(self, ids: Collection[str]) -> dict[str, Stored]:
        """The present documents (majority, from the primary). Ids that do not exist are left out.

        Of the outbox only its causes are read, for they nearly always tell that it is published; see `carried`."""
        ...

    async def revisions(self, ids: Collection[str]) -> dict[str, int]:
        """The present revisions, read as `load` reads."""
        ...

    async def carried(self, revisions: Mapping[str, int]) -> list[Outgoing]:
        """The records in the outboxes of these documents, in version order each, where the outbox still is that of this
        revision: whoever has replaced it has published what it carried."""
        ...

    async def write(self, writes: Sequence[Write], stamp: str) -> Written:
        """One unordered bulk write (majority, journalled). Called again with the same stamp it finds its own work.

        Every document gets `revision` + 1 and `stamp`. An outcome that is unknown raises MayPass."""
        ...

    async def published(self, revisions: dict[str, int], look_at: datetime | None = None) -> None:
        """Unset `pending` where the outbox still is that of this revision. With `look_at` they are due then."""
        ...

    async def pending(self, before: datetime, limit: int) -> list[Stored]:
        """Documents written before then whose outbox nobody has said to be published."""
        ...

    async def due(self, now: datetime, limit: int) -> list[tuple[str, datetime]]:
        """Ids and due dates of what is due and not backing off, the earliest first."""
        ...

    async def next_due(self, now: datetime) -> datetime | None:
        """When something next is due and not backing off, past moments too; None if nothing is dated."""
        ...

    async def back_off(self, id: str, due_at: datetime, now: datetime, reason: str) -> None:
        """The timer of that date failed: leave it alone for a while, doubling; the eighth time park it for a human."""
        ...

    async def mark_dead_letter(self, id: str, letter: str) -> None:
        """Remember in the aggregate that a message about it was set aside (made blank if there is none)."""
        ...

    async def clear_dead_letter(self, id: str | None, letter: str, look_at: datetime | None = None) -> None:
        """It was replayed or discarded. `id` None: whoever is marked with it. With `look_at` they are due then."""
        ...


class Publisher(Protocol):
    """The log, for writing."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Returns when all are acknowledged by all in-sync replicas; order per key is the order given."""
        ...


class Committed(Protocol):
    """What this process knows of committed offsets."""

    def covers(self, position: Position) -> bool:
        """True if the record at `position` is known to be committed by this service's group."""
        ...
