"""Distances in the reporting tree: how many steps from one person to another, up to a common superior and down again.

Two who have no superior in common are joined one step above the highest superior of each. Managers in a circle, which
two sources can bring about, are cut above the one whose id is the smallest, wherever the counting began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

Managers = Mapping[str, str | None]
"""Person -> manager, of the people in question and of all above them. Left out or None: nobody is known to be above."""


def mean_distances(people: Collection[str], managers: Managers) -> dict[str, float]:
    """Mean distance of each to the others. Who has no manager and is nobody's superior has no place in the tree: they
    are left out of it all. Empty if fewer than two have a place.

    One pass up and one down over those who are above `people`, so its cost grows with the people and not with pairs."""
    above = _superiors(people, managers)
    superiors = frozenset(above.values())
    placed = {one for one in people if above[one] is not None or one in superiors}
    if len(placed) < 2:
        return {}
    below_first = _below_first(above)
    inside = Counter(placed)
    """How many of `placed` are at or below somebody."""
    for one in below_first:
        if (boss := above[one]) is not None:
            inside[boss] += inside[one]
    # Down again: a step towards somebody brings those below them nearer, and takes all others further away.
    depth: dict[str | None, int] = {None: 0}
    for one in reversed(below_first):
        depth[one] = depth[above[one]] + 1
    total: dict[str | None, int] = {None: sum(depth[one] for one in placed)}
    for one in reversed(below_first):
        total[one] = total[above[one]] + len(placed) - 2 * inside[one]
    return {one: total[one] / (len(placed) - 1) for one in placed}


def _superiors(people: Collection[str], managers: Managers) -> dict[str, str | None]:
    """Of the people and everybody above them, who is above them. No circles."""
    above: dict[str, str | None] = {}
    for start in people:
        one: str | None = start
        path: list[str] = []
        while one is not None and one not in above:
            path.append(one)
            above[one] = managers.get(one)
            one = above[one]
        if one is not None and one in path:
            above[min(path[path.index(one) :])] = None
    return above


def _below_first(above: Mapping[str, str | None]) -> list[str]:
    """Everybody, each before who is above them."""
    reports = Counter(boss for boss in above.values() if boss is not None)
    order = [one for one in above if not reports[one]]
    for one in order:
        if (boss := above[one]) is not None:
            reports[boss] -= 1
            if not reports[boss]:
                order.append(boss)
    return order
