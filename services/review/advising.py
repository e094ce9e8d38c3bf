"""Gathers what recommendations need: the only part of them that reads anything.

An instance is measured once, when all its items are there; then it is advised some hundreds of items a step. What is
measured is counts and the distances of one group of at most 600 people, whatever the size of the instance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.review.recommend import (
    Activity,
    Affiliation,
    Asked,
    Colleague,
    Evidence,
    Jobs,
    Recommendation,
    Sponsors,
    Use,
    affiliation_of,
    recommend,
)
from services.review.recommend.affiliation import MOST_MEMBERS
from services.review.recommend.peers import Job
from shared.contracts.directory import GroupFact, PersonFact, PersonStatus
from shared.contracts.signins import SignInsFact
from shared.storage import Database, Index, Replica

Row = dict[str, Any]
HERE = (PersonStatus.ACTIVE.value, PersonStatus.SUSPENDED.value)
GUEST = "Guest"


@dataclass(frozen=True, slots=True)
class Holder:
    """One item: who holds what is reviewed, and since when."""

    item_id: str
    person_id: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the items of one instance are compared with."""

    jobs: Jobs | None = None
    affiliation: Affiliation | None = None
    reported_since: datetime | None = None


class Advisor:
    """Reads replicas of people (`people_kept`), of groups (whether they are `deleted`) and of sign-ins (its own)."""

    def __init__(self, database: Database, people: Replica[PersonFact], groups: Replica[GroupFact]) -> None:
        self.sign_ins: Replica[SignInsFact] = Replica(
            database,
            "sign_ins",
            lambda fact: {
                "last_at": fact.state.last_at,
                "apps": [[one.app_id, one.first_at, one.last_at] for one in fact.state.apps],
                "used": [one.app_id for one in fact.state.apps],
            },
            (Index("used"),),
        )
        self._people = people
        self._groups = groups

    async def measure(self, asked: Asked, holders: AsyncIterable[Sequence[str]]) -> Measured:
        """`holders`: ids of all who hold it, each once, in portions. A portion is one query and is not kept."""
        having: Counter[Job] = Counter()
        members: list[str] = []
        count = 0
        async for portion in holders:
            here = {id: row for id, row in (await self._people.get(portion)).items() if row["status"] in HERE}
            jobs = (_colleague(id, row).job for id, row in here.items())
            having.update(job for job in jobs if job is not None)
            count += len(here)
            if asked.affiliation and count <= MOST_MEMBERS:
                members += here
        return Measured(
            Jobs(await self._doing(), having) if asked.jobs else None,
            await self._affiliation(members, count) if asked.affiliation else None,
            await self._reported_since(asked.app_id) if asked.app_id is not None else None,
        )

    async def advise(
        self, asked: Asked, measured: Measured, starts_at: datetime, holders: Sequence[Holder]
    ) -> dict[str, Recommendation]:
        """By item, as things are now: two queries, and two for the sponsors of guests."""
        ids = {one.person_id for one in holders}
        people = await self._people.get(ids)
        sign_ins = await self.sign_ins.get(ids)
        there = await self._there({id for row in people.values() if _is_guest(row) for id in row["sponsors"]})
        return {
            one.item_id: recommend(
                _evidence(one, asked, measured, people.get(one.person_id, {}), sign_ins.get(one.person_id, {}), there),
                starts_at,
                asked.look_back,
            )
            for one in holders
        }

    async def _doing(self) -> Mapping[Job, int]:
        """Everybody who works here, by job."""
        doing: Counter[Job] = Counter()
        by = {"department": "$department", "job_title": "$job_title"}
        stages: list[Row] = [{"$match": {"status": {"$in": HERE}}}, {"$group": {"_id": by, "people": {"$sum": 1}}}]
        for one in await self._people.aggregate(stages):
            if (job := _colleague("", one["_id"]).job) is not None:
                doing[job] += one["people"]
        return doing

    async def _affiliation(self, members: Sequence[str], count: int) -> Affiliation:
        if count > MOST_MEMBERS:
            return Affiliation(count, {})
        managers: dict[str, str | None] = {}
        level = set(members)
        while level:
            rows = await self._people.get(level)
            managers |= {id: rows.get(id, {}).get("manager_id") for id in level}
            level = {boss for id in level if (boss := managers[id]) is not None} - managers.keys()
        return affiliation_of(members, managers)

    async def _reported_since(self, app_id: str) -> datetime | None:
        """Since when anybody's use of this application is known."""
        wanted = app_id.lower()
        stages: list[Row] = [
            {"$match": {"used": wanted}},
            {"$unwind": "$apps"},
            {"$project": {"app": {"$arrayElemAt": ["$apps", 0]}, "first_at": {"$arrayElemAt": ["$apps", 1]}}},
            {"$match": {"app": wanted}},
            {"$group": {"_id": None, "since": {"$min": "$first_at"}}},
        ]
        found = await self.sign_ins.aggregate(stages)
        since: datetime | None = found[0]["since"] if found else None
        return since

    async def _there(self, sponsors: Collection[str]) -> frozenset[str]:
        """Those of them who still work here, and groups."""
        if not sponsors:
            return frozenset()
        people, groups = await self._people.get(sponsors), await self._groups.get(sponsors)
        here = {id for id, row in people.items() if row["status"] in HERE}
        return frozenset(here | {id for id, row in groups.items() if not row["deleted"]})


def people_kept(fact: PersonFact) -> Row:
    """What a replica of people has to keep of each for this."""
    attributes = fact.state.for_rules  # what somebody says of themself recommends nothing
    return {
        "status": fact.state.status.value,
        "manager_id": fact.state.manager_id,
        "department": attributes.get("department"),
        "job_title": attributes.get("jobTitle"),
        "user_type": attributes.get("userType"),
        "country": attributes.get("country"),
        "sponsors": attributes.get("sponsors") or [],
    }


def _evidence(
    one: Holder, asked: Asked, measured: Measured, person: Row, sign_ins: Row, there: Collection[str]
) -> Evidence:
    use = None
    if asked.app_id is not None:
        uses = [last for app_id, _, last in sign_ins.get("apps", ()) if app_id == asked.app_id.lower()]
        use = Use(one.since, uses[0] if uses else None, measured.reported_since)
    last_at = use.last_at if use is not None and asked.by_application else sign_ins.get("last_at")
    sponsors = None
    if _is_guest(person):
        named = person["sponsors"]
        sponsors = Sponsors(True, len(named), sum(id in there for id in named))
    return Evidence(
        _colleague(one.person_id, person),
        activity=Activity(last_at, of_application=asked.by_application) if asked.activity else None,
        use=use,
        affiliation=measured.affiliation,
        jobs=measured.jobs,
        sponsors=sponsors,
    )


def _colleague(id: str, row: Mapping[str, Any]) -> Colleague:
    return Colleague(id, row.get("department"), row.get("job_title"))


def _is_guest(row: Mapping[str, Any]) -> bool:
    return row.get("user_type") == GUEST
