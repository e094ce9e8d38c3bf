"""Ways out: each takes rendered messages and says what became of each."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.notification.decide import Result
from services.notification.model import Message, Person
from services.notification.render import Text

Results = MutableMapping[str, Result | None]
"""By message id. None: begun, and nobody knows how it ended. Missing: not begun."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to go out, and to whom."""

    message: Message
    to: Person
    text: Text


class Away(Exception):
    """The server behind a channel cannot be used: nothing is wrong with the messages. Tried again with a pause."""


class Outlet(Protocol):
    """One channel."""

    async def deliver(self, letters: Sequence[Letter], results: Results) -> None:
        """Send all of them, noting in `results` as it goes, so that a stop in between loses nothing.

        Raises Away, with what was not begun missing in `results`."""

    async def close(self) -> None:
        """Let go of connections."""
