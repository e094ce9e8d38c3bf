"""What has come of the wishes, read through the API as any client would, and how it differs from the script."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from deploy.demo import onrequest
from deploy.demo.reading import EM, listed
from deploy.demo.script import Outcome, Package, Script, What, Wish

Key = tuple[int, str]
"""Person and package."""
NOT_ASKED = "has not asked"


@dataclass(slots=True)
class Asked:
    """The requests of one person for one package, by id."""

    add: str | None = None
    state: str | None = None
    expired: bool = False
    """Denied because nobody decided in time."""
    later: dict[str, str] = field(default_factory=dict)
    """To extend, to give back: by type."""
    later_states: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """How things are: what became of each wish, and who is in the group of each package."""

    outcomes: Mapping[Key, str]
    members: Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One wish that has not come out as the script says, or one group."""

    story: str
    package: str
    person: int
    wanted: str
    found: str

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


async def packages_by_name(client: httpx.AsyncClient) -> dict[str, str]:
    """Ids of the packages on request."""
    options = {"$select": "id,displayName", "$expand": "catalog"}
    found = [one async for one in listed(client, f"{EM}/accessPackages", options)]
    return {one["displayName"]: one["id"] for one in found if onrequest.has_package(one)}


async def read_asked(
    client: httpx.AsyncClient, packages: Mapping[str, str], people: Mapping[int, str]
) -> dict[Key, Asked]:
    """Every request for these packages, by whom it is for."""
    numbers = {id: number for number, id in people.items()}
    found: dict[Key, Asked] = {}
    for name, id in packages.items():
        options = {"$filter": f"accessPackage/id eq '{id}'", "$expand": "assignment($expand=target)"}
        async for one in listed(client, f"{EM}/assignmentRequests", options):
            person = numbers.get(one["assignment"]["target"]["id"])
            if person is None:
                continue
            asked = found.setdefault((person, name), Asked())
            if one["requestType"] in {What.ASK.value, What.ASK_FOR_ANOTHER.value}:
                asked.add, asked.state = one["id"], one["state"]
                asked.expired = one["status"] == "Expired"
            else:
                asked.later[one["requestType"]] = one["id"]
                asked.later_states[one["requestType"]] = one["state"]
    return found


async def read_found(client: httpx.AsyncClient, packages: Mapping[str, str], people: Mapping[int, str]) -> Found:
    """Everything that the check looks at."""
    numbers = {id: number for number, id in people.items()}
    asked = await read_asked(client, packages, people)
    groups = [one async for one in listed(client, "/v1.0/groups", {"$select": "id,displayName"})]
    ids = {one["displayName"]: one["id"] for one in groups if onrequest.has_group(one)}

    async def holders(package: str) -> set[int]:
        options = {"$filter": f"accessPackage/id eq '{package}' and state eq 'delivered'", "$expand": "target"}
        return {numbers.get(one["target"]["objectId"], 0) async for one in listed(client, f"{EM}/assignments", options)}

    async def members(name: str) -> frozenset[int]:
        if (group := ids.get(onrequest.group_of(name))) is None:
            return frozenset()
        found = listed(client, f"/v1.0/groups/{group}/members", {"$select": "id"})
        return frozenset([numbers.get(one["id"], 0) async for one in found])

    held = dict(zip(packages, await asyncio.gather(*map(holders, packages.values())), strict=True))
    within = dict(zip(packages, await asyncio.gather(*map(members, packages)), strict=True))
    outcomes = {key: outcome_of(one, key[0] in held[key[1]]) for key, one in asked.items()}
    return Found(outcomes, within)


def outcome_of(asked: Asked, holds: bool) -> str:
    """One of `Outcome`, or the state of the request if it has come to nothing yet."""
    match asked.state:
        case None:
            return NOT_ASKED
        case "denied":
            return Outcome.TIMED_OUT if asked.expired else Outcome.DENIED
        case "canceled":
            return Outcome.CANCELED
        case "delivered" if holds:
            extended = asked.later_states.get(What.EXTEND.value) == "delivered"
            return Outcome.EXTENDED if extended else Outcome.HELD
        case "delivered":
            given_back = asked.later_states.get(What.GIVE_BACK.value) == "delivered"
            return Outcome.GIVEN_BACK if given_back else Outcome.RAN_OUT
        case other:
            return other


def compare(script: Script, found: Found, day: float) -> list[Difference]:
    """Every wish and every group that is not as the script says it must be on that day."""
    wrong = []
    holders: dict[str, set[int]] = {package.value: set() for package in Package}
    for wish in script.wishes:
        wanted = wish.outcome_on(day)
        outcome = _found(wish, found)
        if wanted.holds:
            holders[wish.package].add(wish.person)
        if outcome != wanted:
            wrong.append(Difference(wish.story, wish.package, wish.person, wanted, outcome))
    for name, people in holders.items():
        there = found.members.get(name, frozenset())
        wrong += [Difference("in the group", name, one, "a member", "none") for one in sorted(people - there)]
        wrong += [Difference("in the group", name, one, "no member", "a member") for one in sorted(there - people)]
    return wrong


def counted(script: Script, found: Found) -> Counter[str]:
    """How many wishes have come to what so far."""
    return Counter(_found(wish, found) for wish in script.wishes)


def wanted(script: Script, day: float) -> Counter[str]:
    """How many wishes must have come to what on that day."""
    return Counter(wish.outcome_on(day).value for wish in script.wishes)


def _found(wish: Wish, found: Found) -> str:
    nothing = Outcome.REFUSED.value if wish.outcome is Outcome.REFUSED else NOT_ASKED
    return found.outcomes.get((wish.person, wish.package), nothing)
