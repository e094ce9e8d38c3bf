"""Makes an orderly stream of HR changes as disorderly as real ones, without changing what it says in the end.

Some changes come twice, some late (so out of order, a joining even after what builds on it), some wrong at first
(other content or date under the same changeId, corrected later), and now and then one is stated that never was, and
rescinded later. Whoever lets the last statement about a moment win ends where the orderly stream ends.
"""

import heapq
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

Change = dict[str, Any]
_LONGEST_DELAY = 1_000


def roughen(changes: Iterable[Change], seed: int) -> Iterator[Change]:
    """About one change in ten treated so, followed up within 1,000 changes or at the end. Same seed, same stream."""
    rng = Random(seed)  # noqa: S311 - disorder, not secrecy
    later: list[tuple[int, int, Change]] = []
    for position, change in enumerate(changes):
        at_once, follow_up = _disturbed(change, rng)
        yield from at_once
        if follow_up:
            # The position breaks ties, so that changes themselves are never compared.
            heapq.heappush(later, (position + rng.randint(1, _LONGEST_DELAY), position, follow_up))
        while later and later[0][0] <= position:
            yield heapq.heappop(later)[-1]
    while later:
        yield heapq.heappop(later)[-1]


def _disturbed(change: Change, rng: Random) -> tuple[list[Change], Change | None]:
    """What is sent now, and what follows later."""
    luck = rng.random()
    if luck < 0.03:
        return [change, change] if rng.random() < 0.2 else [change], change
    if luck < 0.06:
        return [], change
    if luck < 0.09:
        return [_wrong(change, rng)], change
    if luck < 0.10:
        mistake, taken_back = _mistake(change, rng)
        return [change, mistake] if rng.random() < 0.5 else [mistake, change], taken_back
    return [change], None


def _wrong(change: Change, rng: Random) -> Change:
    if "jobTitle" in change["attributes"] and rng.random() < 0.5:
        return change | {"attributes": change["attributes"] | {"jobTitle": "Trainee", "department": "Nowhere"}}
    # Only ever too early: a date beyond --until would not have been sent.
    early = date.fromisoformat(change["effectiveAt"]) - timedelta(days=rng.randint(1, 40))
    return change | {"effectiveAt": early.isoformat()}


def _mistake(change: Change, rng: Random) -> tuple[Change, Change]:
    """Something that never happened, dated like `change`, and what takes it back."""
    never = {name: change[name] for name in ("employeeId", "source", "effectiveAt")}
    never["changeId"] = f"{change['changeId']}:mistake"
    if rng.random() < 0.5:
        never |= {"kind": "left", "attributes": {}}
    else:
        never |= {"kind": "changed", "attributes": {"jobTitle": "Trainee", "department": None}}
    back = {"kind": "rescinded", "rescinds": never["changeId"], "changeId": f"{change['changeId']}:rescinded"}
    return never, never | back | {"attributes": {}}
