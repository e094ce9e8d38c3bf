"""Aggregates as this process last knew them: what changes several times in a row is not read again in between.

Others write, too, so what is remembered may be out of date. That is harmless: a write is guarded by the revision that
it rests on, and of what is not written the revision is asked for before anything is made of it (`Loop.run`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.messaging.ports import Stored

S = TypeVar("S")

MOST = 256
"""Aggregates of one kind that are remembered: those of some seconds at a hundred messages a second, some megabytes in
all kinds together."""


@dataclass(frozen=True, slots=True)
class Known(Generic[S]):
    """One of them. Nothing that its document carried is unpublished."""

    stored: Stored
    """Without the state as a document, and without its outbox."""
    state: S


class Recent(Generic[S]):
    """The latest of one kind, by id. States are values: whoever decides makes new ones and changes none."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[str, Known[S]] = OrderedDict()

    def of(self, ids: Collection[str]) -> dict[str, Known[S]]:
        """Those of `ids` that are remembered."""
        return {id: self._known[id] for id in ids if id in self._known}

    def remember(self, stored: Stored, state: S) -> None:
        """Unless something newer is known, or it never was stored. `stored`: without state and outbox, for all that it
        carried is published."""
        known = self._known.get(stored.id)
        if not stored.revision or (known is not None and known.stored.revision > stored.revision):
            return
        self._known[stored.id] = Known(stored, state)
        self._known.move_to_end(stored.id)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def forget(self, ids: Collection[str]) -> None:
        """They are read when they are next needed."""
        for id in ids:
            self._known.pop(id, None)
