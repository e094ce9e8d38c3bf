"""How a wanted delivery reaches its resource: one connector a kind of resource.

The seam is a message. A connector turns the asks of one decision into commands to whoever has the resource, as few as
it can, and the answers come back in facts that name each ask. The decision stays pure this way, and resending, versions
and repair are the same for all.
A connector that has to call a foreign system (SCIM, HTTP) asks a worker of its own over a command topic; the worker
does the call, idempotent by the command's id and version, keeps what it needs to take the access back, and answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.contracts.base import Cause
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import MOST_WISHES
from shared.messaging.envelope import Outgoing


@dataclass(frozen=True, slots=True)
class Ask:
    """Have `role` (`wanted`) or have it no longer, as grant `version` says. Doing it twice is harmless."""

    command_id: str
    """What the answer names."""
    role: ResourceRole
    wanted: bool
    version: int
    repair: int
    """0, or the number of this attempt to put drift right under the same version: obeyed once each."""


def portions(asks: Sequence[Ask]) -> Iterator[Sequence[Ask]]:
    """As many at a time as one command to the directory takes."""
    for first in range(0, len(asks), MOST_WISHES):
        yield asks[first : first + MOST_WISHES]


class Connector(Protocol):
    """Gives and takes one kind of resource role."""

    def serves(self, role: ResourceRole) -> bool:
        """Whether this is the connector for `role`."""

    def commands(self, person_id: str, asks: Sequence[Ask], cause: Cause, at: datetime) -> Sequence[Outgoing]:
        """Ask for all of it, in the lane of `cause`. The same asks again are the same commands again."""


def connector_for(role: ResourceRole, connectors: Sequence[Connector]) -> Connector | None:
    """The first that serves `role`; None if nobody does."""
    return next((one for one in connectors if one.serves(role)), None)
