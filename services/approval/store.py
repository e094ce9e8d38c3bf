"""Approval's collections: approvals, and whom rules about approvers lead to."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Set
from datetime import datetime
from typing import Any

from services.approval.decide.approvers import Directory, Person
from shared.contracts.directory import MembershipsFact, PersonFact, PersonStatus
from shared.contracts.policy import SubjectKind, SubjectSet
from shared.storage import Database, Index, MongoAggregates, Replica
from shared.web.odata import GUID, EntitySet, Field

HIGHEST_MANAGER = 2
"""Levels above somebody that a policy may name (APR-2)."""


def approvals(database: Database) -> MongoAggregates:
    """One document an approval. `waits_for`, `watched` and `groups` are there while it is open."""
    return MongoAggregates(
        database,
        "approvals",
        (
            Index("state.waits_for", partial={"state.waits_for": {"$exists": True}}),
            Index("state.watched", partial={"state.watched.0": {"$exists": True}}),
            Index("state.groups", partial={"state.groups": {"$exists": True}}),
            Index("state.person_id"),
            Index("state.requestor_id"),
        ),
    )


class Memberships:
    """Who is in which groups, by person."""

    def __init__(self, database: Database) -> None:
        self.replica: Replica[MembershipsFact] = Replica(
            database, "memberships", lambda fact: {"groups": fact.state.member_of}, (Index("groups"),)
        )

    async def members_of(self, groups: Set[str]) -> dict[str, frozenset[str]]:
        """Group -> ids of its members."""
        found: dict[str, set[str]] = {}
        if groups:
            for row in await self.replica.find({"groups": {"$in": list(groups)}}):
                for group in groups & set(row["groups"]):
                    found.setdefault(group, set()).add(row["_id"])
        return {group: frozenset(members) for group, members in found.items()}


class Surroundings:
    """Replicas of people and memberships, and the directory for a decision made of them."""

    def __init__(self, database: Database) -> None:
        self.people: Replica[PersonFact] = Replica(
            database,
            "people",
            lambda fact: {
                "status": fact.state.status.value,
                "manager_id": fact.state.manager_id,
                "sponsors": _ids(fact.state.attributes.get("sponsors")),
                "blocked": fact.state.attributes.get("accountEnabled") is False,
                "name": fact.state.attributes.get("displayName"),
                "user_principal_name": fact.state.attributes.get("userPrincipalName"),
            },
        )
        self.memberships = Memberships(database)

    async def directory(self, people: Collection[str], sets: Iterable[SubjectSet]) -> Directory:
        """Everybody these sets lead to from these people, their managers included."""
        named = list(sets)
        groups = {one.id for one in named if one.kind is SubjectKind.GROUP_MEMBERS and one.id}
        members = await self.memberships.members_of(groups)
        users = {one.id for one in named if one.kind is SubjectKind.SINGLE_USER and one.id}
        wanted = {*people, *users, *(id for ids in members.values() for id in ids)}
        known: dict[str, Person] = {}
        for _ in range(1 + HIGHEST_MANAGER):
            found = await self._persons(wanted - known.keys())
            if not found:
                break
            known |= found
            wanted = {id for one in found.values() for id in (one.manager_id, *one.sponsors) if id}
        if any(one.kind is SubjectKind.TARGET_SPONSORS for one in named):
            sponsors = {id for one in known.values() for id in one.sponsors} - known.keys()
            groups_of_sponsors = await self.memberships.members_of(sponsors)
            known |= await self._persons({id for ids in groups_of_sponsors.values() for id in ids} - known.keys())
            members = {**members, **groups_of_sponsors}
        return Directory(known, members)

    async def _persons(self, ids: Collection[str]) -> dict[str, Person]:
        if not ids:
            return {}
        return {
            id: Person(
                id,
                PersonStatus(one["status"]),
                one["manager_id"],
                tuple(one["sponsors"]),
                blocked=one.get("blocked", False),
            )
            for id, one in (await self.people.get(ids)).items()
        }


def _ids(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


async def poke(
    store: MongoAggregates, now: datetime, *, people: Collection[str] = (), groups: Collection[str] = ()
) -> None:
    """Have every open approval looked at again for which these decide who is asked."""
    async with asyncio.TaskGroup() as tasks:
        if people:
            tasks.create_task(store.poke({"state.watched": {"$in": list(people)}}, now))
        if groups:
            tasks.create_task(store.poke({"state.groups": {"$in": list(groups)}}, now))
            tasks.create_task(store.poke({"state.watched": {"$in": list(groups)}}, now))


def of_person(on: str, person_id: str) -> dict[str, Any] | None:
    """Approvals that are somebody's, by Graph's approvalFilterByCurrentUserOptions; None for what is no such option."""
    place = _WHOSE.get(on.lower())
    return {place: person_id} if place else None


def of_person_at_all(person_id: str) -> dict[str, Any]:
    """The same, by any of these."""
    return {"$or": [{place: person_id} for place in _WHOSE.values()]}


_WHOSE = {"approver": "state.waits_for", "target": "state.person_id", "createdby": "state.requestor_id"}


APPROVALS = EntitySet(
    "approval", {"id": Field("_id", GUID)}, selectable=frozenset({"id"}), expandable=frozenset({"stages"})
)
