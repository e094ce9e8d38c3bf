"""Which packages may be worth asking for: what those around somebody have, and what they had themself before.

Source: reference/graph-model.md, accessPackageSuggestion. Who is related is ours to say: one's manager, one's direct
reports, and whoever has the same manager.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.request.decide.scene import Held
from services.request.model import ADDS, Request
from shared.contracts.request import RequestStatus


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One package, and why."""

    package_id: str
    held_by: tuple[str, ...] = ()
    """Related people who have it, by id."""
    had: int = 0
    """How often the person was given it on request."""
    last_had: datetime | None = None


def by_related_people(
    offered: Collection[str], own: Collection[Held], related: Mapping[str, Iterable[Held]]
) -> list[Suggestion]:
    """Of what is `offered` and not held yet, what related people have: what most of them have comes first."""
    open_ = set(offered) - {one.package_id for one in own}
    holders: dict[str, set[str]] = {}
    for person, holdings in related.items():
        for one in holdings:
            if one.package_id in open_:
                holders.setdefault(one.package_id, set()).add(person)
    found = [Suggestion(id, held_by=tuple(sorted(people))) for id, people in holders.items()]
    return sorted(found, key=lambda one: (-len(one.held_by), one.package_id))


def by_history(offered: Collection[str], own: Collection[Held], asked: Iterable[Request]) -> list[Suggestion]:
    """Of what is `offered` and not held any more, what was delivered before: the latest comes first."""
    open_ = set(offered) - {one.package_id for one in own}
    dates: dict[str, list[datetime]] = {}
    for one in asked:
        given = one.type in ADDS and one.status is RequestStatus.DELIVERED and one.completed_at is not None
        if given and one.completed_at is not None and one.package_id in open_:
            dates.setdefault(one.package_id, []).append(one.completed_at)
    found = [Suggestion(id, had=len(when), last_had=max(when)) for id, when in dates.items()]
    return sorted(found, key=lambda one: (-(one.last_had.timestamp() if one.last_had else 0), one.package_id))
