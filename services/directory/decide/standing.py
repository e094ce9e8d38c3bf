"""The bookkeeping that memberships and held roles have in common.

It takes away only what it gave; a grant's version that is older than the highest one obeyed is ignored and answered all
the same; a repair of the same version is obeyed once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Obeyed(Protocol):
    """What stands, and the highest grant version that it obeyed."""

    @property
    def by_hand(self) -> bool: ...
    @property
    def since(self) -> datetime | None: ...
    @property
    def obeyed(self) -> int: ...
    @property
    def repairs(self) -> int: ...


class Wish(Protocol):
    """What a grant of some version asks for."""

    @property
    def grant_version(self) -> int: ...
    @property
    def repair(self) -> int: ...


def obeyed_already(before: Obeyed, wish: Wish) -> bool:
    """Whether this wish, or a newer one, has been obeyed."""
    return (wish.grant_version, wish.repair) <= (before.obeyed, before.repairs)


def standing(before: Obeyed, *, stood: bool, wanted: bool, now: datetime) -> tuple[bool, datetime | None]:
    """Whether it stands once the wish is obeyed, and since when: what is there by hand stays."""
    stands = wanted or (stood and before.by_hand)
    return stands, (before.since or now) if stands else None
