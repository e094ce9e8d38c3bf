"""What people, packages, groups and policies are called: facts as last heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.audit.decide.record import base_topic
from services.audit.model import Document, Heard, Names
from shared.contracts.base import Fact
from shared.contracts.topics import GROUP_FACTS, PACKAGE_FACTS, PERSON_FACTS, POLICY_FACTS
from shared.storage import Database, Documents, Index, Replica


@dataclass(frozen=True, slots=True)
class _Newest:
    """What a replica reads of a fact; the rest of it is not worth decoding for a name."""

    subject: str
    version: int
    state: Document


class Directory:
    """Names for answers: people, packages, groups and policies as last heard."""

    def __init__(self, database: Database) -> None:
        self._people: Replica[Fact] = Replica(database, "people", _of_person, (Index("upn"), Index("employee")))
        self._packages: Replica[Fact] = Replica(database, "packages", _of_package, (Index("name"),))
        self._groups: Replica[Fact] = Replica(database, "groups", _named, (Index("name"),))
        self._policies: Replica[Fact] = Replica(database, "policies", _of_policy, (Index("package"),))
        self._by_topic = {
            PERSON_FACTS.name: self._people,
            PACKAGE_FACTS.name: self._packages,
            GROUP_FACTS.name: self._groups,
            POLICY_FACTS.name: self._policies,
        }
        self._erased = Documents(database, "people")

    async def ensure_indexes(self) -> None:
        for replica in self._by_topic.values():
            await replica.ensure_indexes()

    async def follow(self, batch: Sequence[Heard]) -> None:
        """Keep the newest names. Raises MayPass."""
        facts: dict[str, list[Fact]] = {}
        for heard in batch:
            topic = base_topic(heard.topic)
            data = heard.data
            if topic in self._by_topic and data is not None and _is_fact(data):
                fact: Fact = _Newest(data["subject"], data["version"], data["state"])  # type: ignore[assignment]
                facts.setdefault(topic, []).append(fact)
        for topic, some in facts.items():
            await self._by_topic[topic].apply(some)

    async def forget(self, person: str) -> None:
        """Take a person's names out."""
        await self._erased.unset({"_id": person}, ("name", "upn", "employee", "shownUpn"))

    async def people_called(self, name: str) -> list[Document]:
        """By id, user principal name (without regard to case) or employee id: the first of these that fits."""
        if found := await self._people.get([name]):
            return list(found.values())
        return await self._people.find({"upn": name.lower()}) or await self._people.find({"employee": name})

    async def packages_called(self, name: str) -> list[Document]:
        """By id or exact name; of several with one name those that are not deleted."""
        return await _called(self._packages, name)

    async def groups_called(self, name: str) -> list[Document]:
        return await _called(self._groups, name)

    async def policies_of(self, package: str) -> list[Document]:
        return await self._policies.find({"package": package})

    async def people(self, ids: Sequence[str]) -> dict[str, Document]:
        return await self._people.get(ids)

    async def called(self, ids: Sequence[str]) -> dict[str, Document]:
        """People, and groups of the ids that are nobody's."""
        people = await self.people(ids)
        return {**await self._groups.get(set(ids) - people.keys()), **people}

    async def package_docs(self, ids: Sequence[str]) -> dict[str, Document]:
        return await self._packages.get(ids)

    async def names(
        self, *, people: Sequence[str] = (), packages: Sequence[str] | None = (), policies: Sequence[str] | None = ()
    ) -> Names:
        """Names for these ids, groups all; None asks for all of a kind."""

        async def some(replica: Replica[Fact], ids: Sequence[str] | None) -> dict[str, str]:
            found = await replica.find({}) if ids is None else (await replica.get(ids)).values() if ids else ()
            return {one["_id"]: one["name"] for one in found if one.get("name")}

        return Names(
            people=await some(self._people, people),
            packages=await some(self._packages, packages),
            groups=await some(self._groups, None),
            policies=await some(self._policies, policies),
        )


async def _called(replica: Replica[Fact], name: str) -> list[Document]:
    if found := await replica.get([name]):
        return list(found.values())
    named = await replica.find({"name": name})
    return [one for one in named if not one.get("deleted")] or named


def _is_fact(data: Mapping[str, Any]) -> bool:
    return (
        isinstance(data.get("subject"), str)
        and isinstance(data.get("version"), int)
        and isinstance(data.get("state"), dict)
    )


def _of_person(fact: Fact) -> Document:
    attributes = fact.state.get("attributes") or {}
    upn = attributes.get("userPrincipalName")
    return {
        "name": attributes.get("displayName"),
        "upn": upn.lower() if isinstance(upn, str) else None,
        "shownUpn": upn,
        "employee": attributes.get("employeeId"),
    }


def _named(fact: Fact) -> Document:
    return {"name": fact.state.get("displayName"), "deleted": bool(fact.state.get("deletedAt"))}


def _of_package(fact: Fact) -> Document:
    roles = [f"{r.get('originSystem')}/{r.get('originId')}/{r.get('role')}" for r in fact.state.get("roles") or ()]
    return {
        "name": fact.state.get("displayName"),
        "deleted": fact.state.get("life") == "deleted",
        "roles": roles,
    }


def _of_policy(fact: Fact) -> Document:
    return {
        "name": fact.state.get("displayName"),
        "package": fact.state.get("packageId"),
        "rule": fact.state.get("rule"),
        "population": fact.state.get("populationId"),
        "deleted": fact.state.get("life") == "deleted",
    }
