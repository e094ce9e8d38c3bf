"""`GET /v1.0/tenure/reviewCoverage`: resources of catalogs, and packages, that nobody has reviewed, ever or for long.

They are gone through some hundreds at a time; of each portion one indexed query says when it was last reviewed. Sites
are left out: reviews are not about them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from services.review.coverage import LONG, Coverage, Reviewable
from services.review.graph import Rendered
from services.review.messages import Desk
from services.review.model import OVER
from services.review.store import Runs, Surroundings
from shared.contracts.roster import RosterKind
from shared.storage import Replica
from shared.web.graph_model import graph_time
from shared.web.paging import only_its_options

AT = "/v1.0/tenure/reviewCoverage"
PORTION = 500
_OVER = sorted(status.value for status in OVER)


async def portions(runs: Runs, around: Surroundings) -> AsyncIterator[list[Reviewable]]:
    """All that can be reviewed, each once."""
    told: set[str] = set()
    async for rows in _rows(around.resources):
        fresh = {row["origin_id"]: row for row in rows if row["origin_id"] not in told}
        told |= fresh.keys()
        yield await _reviewables(runs, {id: (row["kind"], row["name"]) for id, row in fresh.items()})
    async for rows in _rows(around.packages):
        yield await _reviewables(runs, {row["_id"]: (RosterKind.PACKAGE.value, row["name"]) for row in rows})


async def _rows(replica: Replica[Any]) -> AsyncIterator[list[dict[str, Any]]]:
    query: dict[str, Any] = {"there": True}
    while rows := await replica.find(query, limit=PORTION):
        yield rows
        query["_id"] = {"$gt": rows[-1]["_id"]}


async def _reviewables(runs: Runs, things: dict[str, tuple[str, str]]) -> list[Reviewable]:
    of: dict[str, Any] = {"state.resource.id": {"$in": list(things)}}
    going = await runs.instances.distinct({**of, "state.status": {"$nin": _OVER}}, "state.resource.id")
    # A run that was closed with its definition has confirmed nothing.
    done = {**of, "state.status": {"$in": _OVER}, "state.closed": False}
    last: dict[str, datetime] = await runs.instances.latest(done, "state.resource.id", "state.ends_at")
    return [Reviewable(kind, id, name, last.get(id), id in going) for id, (kind, name) in things.items()]


def add_routes(routes: APIRouter, desk: Desk) -> None:
    """To a router that has the guard."""

    @routes.get(AT, dependencies=[Depends(only_its_options)])
    async def coverage(
        days: Annotated[int, Query(ge=1, le=3650, description="A review is long ago after so many.")] = LONG.days,
        top: Annotated[int, Query(alias="$top", ge=1, le=999)] = 100,
    ) -> Rendered:
        """Resources and packages that nobody has reviewed: first those never reviewed, then the longest ago."""
        seen = Coverage(desk.platform.clock.now(), top, timedelta(days=days))
        async for things in portions(desk.runs, desk.around):
            seen.see(things)
        return {
            "reviewable": seen.things,
            "neverReviewed": seen.never,
            "longNotReviewed": seen.long_ago,
            "value": [
                {
                    "id": one.id,
                    "resourceType": one.kind,
                    "displayName": one.display_name,
                    "lastReviewedAt": graph_time(one.last_reviewed_at) if one.last_reviewed_at else None,
                }
                for one in seen.worst
            ],
        }
