"""Request's collections: requests, and its own copies of what a request is decided by."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from services.request.decide.scene import Gone, Held, Package, Person, Policy, Scene
from services.request.decide.submit import Ask
from services.request.model import ADDS, Request
from shared.catalogs import asked_of, catalog_said, shown_of
from shared.contracts.assignment import AssignmentStatus, HoldingFact
from shared.contracts.catalog import (
    CatalogFact,
    Life,
    PackageFact,
    PolicyFact,
    PolicyState,
    PopulationFact,
    ResourceFact,
    ResourceRole,
)
from shared.contracts.directory import MembershipsFact, PersonFact, PersonStatus
from shared.contracts.organizations import SETTINGS_ID, PeopleInsight, RolesShownTo, SettingsFact
from shared.contracts.policy import ResourceAttribute, SubjectKind
from shared.contracts.request import RequestStatus, RequestType
from shared.contracts.resources import NO_ROLE, ApplicationFact, SiteFact
from shared.storage import Database, Documents, Index, MongoAggregates, Replica
from shared.subjects import Subjects
from shared.web.odata import BOOLEAN, DATETIME, GUID, EntitySet, Enumeration, Expand, Field, Shape, Through

THERE = {"state.deleted": False}
"""Deleted requests stay, for their versions never restart; nobody is shown them."""
PENDING = {"state.status": RequestStatus.PENDING_APPROVAL.value}


def requests(database: Database) -> MongoAggregates:
    """One document a request. `holds_place`: of one person and package at most one is open."""
    return MongoAggregates(
        database,
        "requests",
        (
            Index("state.holds_place", unique=True, partial={"state.holds_place": {"$exists": True}}),
            Index("state.person_id", "-state.created_at"),
            Index("state.requestor_id", "-state.created_at"),
            Index("state.package_id", "-state.created_at"),
            Index("state.status", "-state.created_at"),
            Index("-state.created_at", "_id"),
            Index("state.listens", "state.person_id", partial={"state.listens": True}),
            Index("state.package_id", partial=PENDING),
            Index("state.policy_id", partial=PENDING),
            Index("state.approvers", partial={"state.approvers.0": {"$exists": True}}),
        ),
    )


async def listening(store: MongoAggregates, people: Collection[str]) -> dict[str, list[str]]:
    """Requests about these people for which a change of the holding may mean something: person -> ids."""
    found: dict[str, list[str]] = {}
    query = {"state.listens": True, "state.person_id": {"$in": list(people)}}
    for id, person in await store.pairs(query, "state.person_id"):
        found.setdefault(person, []).append(id)
    return found


async def pending(store: MongoAggregates, field: str, ids: Collection[str]) -> list[tuple[str, str]]:
    """Requests that wait for approval and name one of these in their `field`: (id, what it names)."""
    return await store.pairs({**PENDING, f"state.{field}": {"$in": list(ids)}}, f"state.{field}")


async def taken_back(store: MongoAggregates, people: Collection[str], assignments: Collection[str]) -> list[str]:
    """Those of these people's assignments that a canceled request had brought: they are being taken away."""
    query = {
        "state.person_id": {"$in": list(people)},
        "state.status": RequestStatus.CANCELED.value,
        "state.type": {"$in": [one.value for one in ADDS]},
        "state.assignment_id": {"$in": list(assignments)},
    }
    return [assignment for _, assignment in await store.pairs(query, "state.assignment_id")]


class Memberships:
    """Who is in which groups, by person."""

    def __init__(self, database: Database) -> None:
        self.replica: Replica[MembershipsFact] = Replica(
            database, "memberships", lambda fact: {"groups": fact.state.member_of}
        )

    async def groups_of(self, people: Collection[str]) -> dict[str, frozenset[str]]:
        """Person -> ids of the groups they are in."""
        return {person: frozenset(row["groups"]) for person, row in (await self.replica.get(people)).items()}

    async def groups_of_one(self, person: str) -> frozenset[str]:
        return (await self.groups_of([person])).get(person, frozenset())


class Surroundings:
    """Replicas of what others say, and the scene for a decision made of them."""

    def __init__(self, database: Database) -> None:
        self.packages: Replica[PackageFact] = Replica(
            database,
            "packages",
            lambda fact: {
                "name": fact.state.display_name,
                "folded": fact.state.display_name.casefold(),
                "description": fact.state.description,
                "is_hidden": fact.state.is_hidden,
                "created_at": fact.state.created_at,
                "modified_at": fact.state.modified_at,
                "catalog_id": fact.state.catalog_id,
                "life": fact.state.life.value,
                "resources": sorted(
                    {_place(fact.state.catalog_id, one.origin_system, one.origin_id) for one in fact.state.roles}
                ),
                "roles": [one.model_dump(mode="json", by_alias=False) for one in fact.state.roles],
                "incompatible_packages": list(fact.state.incompatible_packages),
                "incompatible_groups": list(fact.state.incompatible_groups),
            },
        )
        self.resources: Replica[ResourceFact] = Replica(
            database,
            "resources",
            lambda fact: {
                "place": _place(fact.state.catalog_id, fact.state.origin_system, fact.state.origin_id),
                "attributes": [one.model_dump(mode="json", by_alias=False) for one in fact.state.attributes],
            },
            (Index("place"),),
        )
        self.policies: Replica[PolicyFact] = Replica(
            database,
            "policies",
            lambda fact: {
                "package_id": fact.state.package_id,
                "state": fact.state.model_dump(mode="json", by_alias=False),
                "requestable": (
                    fact.state.life is Life.ACTIVE and fact.state.requestor_settings.enable_targets_to_self_add_access
                ),
            },
            (Index("package_id"), Index("requestable", partial={"requestable": True})),
        )
        self.populations: Replica[PopulationFact] = Replica(
            database,
            "populations",
            lambda fact: {"rule": fact.state.rule if fact.state.life is not Life.DELETED else None},
        )
        self.catalogs: Replica[CatalogFact] = Replica(
            database,
            "catalogs",
            lambda fact: {
                "published": fact.state.state == "published" and fact.state.life is Life.ACTIVE,
                "external": fact.state.is_externally_visible,
                "shown": shown_of(fact.state),
            },
        )
        self.people: Replica[PersonFact] = Replica(
            database,
            "people",
            lambda fact: {
                "status": fact.state.status.value,
                "manager_id": fact.state.manager_id,
                "attributes": fact.state.attributes,
                "answered": list(fact.state.answered),
                "mail": str(fact.state.attributes.get("mail") or "").casefold() or None,
            },
            (Index("manager_id"), Index("mail", partial={"mail": {"$type": "string"}})),
        )
        self.holdings: Replica[HoldingFact] = Replica(
            database,
            "holdings",
            lambda fact: {
                "assignments": [
                    [
                        one.id,
                        one.package_id,
                        one.policy_id,
                        one.kind.value,
                        one.status.value,
                        one.starts_at,
                        one.ends_at,
                    ]
                    for one in fact.state.assignments
                ],
                "assignment_ids": [one.id for one in fact.state.assignments],
            },
            (Index("assignment_ids"),),
        )
        self.memberships = Memberships(database)
        self.applications: Replica[ApplicationFact] = Replica(
            database,
            "applications",
            lambda fact: {"roles": [[one.id, one.display_name] for one in fact.state.app_roles]},
        )
        self.sites: Replica[SiteFact] = Replica(
            database,
            "sites",
            lambda fact: {
                "url": fact.state.web_url,
                "roles": [[one.id, one.display_name] for one in fact.state.roles],
            },
            (Index("url"),),
        )
        self.settings: Replica[SettingsFact] = Replica(
            database,
            "settings",
            lambda fact: {
                "roles_shown_to": fact.state.resource_roles_shown_to.value,
                "people_insight": fact.state.related_people_insight_level.value,
            },
        )
        self.subjects = Subjects(database)
        self.package_documents = Documents(database, self.packages.name)
        """The same documents, for lists."""

    @property
    def replicas(self) -> Sequence[Replica[Any]]:
        return (
            self.packages,
            self.resources,
            self.policies,
            self.populations,
            self.catalogs,
            self.people,
            self.holdings,
            self.memberships.replica,
            self.applications,
            self.sites,
            self.settings,
            self.subjects.organizations,
        )

    async def gone_from(self, _messages: Sequence[Any], states: Mapping[str, Request | None]) -> Scene:
        """No more than what is gone of what these requests are about."""
        return Scene(gone=await self.gone([one for one in states.values() if one is not None]))

    async def gone(self, requests: Sequence[Request]) -> Gone:
        """What is gone of what they are about."""
        if not requests:
            return Gone()
        people, packages, policies = await asyncio.gather(
            self.people.find({"_id": _in(one.person_id for one in requests), "status": PersonStatus.LEFT.value}),
            self.packages.find({"_id": _in(one.package_id for one in requests), "life": Life.DELETED.value}),
            self.policies.find({"_id": _in(one.policy_id for one in requests), "state.life": Life.DELETED.value}),
        )
        return Gone(
            frozenset(one["_id"] for one in people),
            {one["_id"]: one["name"] for one in packages},
            {one["_id"]: one["state"]["display_name"] for one in policies},
        )

    async def scene(self, asks: Sequence[Ask], _states: Mapping[str, Any]) -> Scene:
        """Everything that these ask about."""
        people = {id for ask in asks for id in (ask.person_id, ask.requestor_id) if id}
        asked = {ask.package_id for ask in asks}
        persons, held, policies = await asyncio.gather(
            self.persons(people), self.held(people), self.policies.find({"package_id": {"$in": list(asked)}})
        )
        named = {one.package_id for holding in held.values() for one in holding}
        packages = await self.packages_of(asked | named)
        states = _policies(policies)
        populations, catalogs, attributes = await asyncio.gather(
            self._populations_in(states),
            self.catalogs.get({one.catalog_id for one in packages.values()}),
            self._attributes_of([packages[id] for id in asked if id in packages]),
        )
        published, external = _published(catalogs.values())
        return Scene(
            packages=packages,
            policies=states,
            people=persons,
            held=held,
            populations=populations,
            attributes=attributes,
            published=published,
            external=external,
        )

    async def requestable(self) -> Scene:
        """All policies by which anybody may ask for themself, their packages, and the published catalogs."""
        policies, catalogs = await asyncio.gather(
            self.policies.find({"requestable": True}), self.catalogs.find({"published": True})
        )
        states = _policies(policies)
        published, external = _published(catalogs)
        packages, populations = await asyncio.gather(
            self.packages_of({one.state.package_id for one in states.values()}), self._populations_in(states)
        )
        return Scene(
            packages=packages,
            policies=states,
            populations=populations,
            published=published,
            external=external,
        )

    async def _populations_in(self, policies: Mapping[str, Policy]) -> dict[str, str]:
        """Their rules, of all populations that these policies are for."""
        named = [one for policy in policies.values() for one in policy.state.targets]
        found = await self.populations.get({one.id for one in named if one.kind is SubjectKind.POPULATION and one.id})
        return {id: one["rule"] for id, one in found.items() if one["rule"]}

    async def _attributes_of(self, packages: Iterable[Package]) -> dict[str, tuple[ResourceAttribute, ...]]:
        """What the resources of each package want to know."""
        places = {place for one in packages for place in one.resources}
        found = await self.resources.find({"place": {"$in": sorted(places)}, "attributes.0": {"$exists": True}})
        asking = {one["place"]: tuple(map(ResourceAttribute.model_validate, one["attributes"])) for one in found}
        return {
            package.id: tuple(one for place in package.resources for one in asking.get(place, ()))
            for package in packages
        }

    async def catalogs_said(self, ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """What everybody who may ask for something in them may know of these catalogs, by id."""
        found = await self.catalogs.get(ids)
        return {id: catalog_said(id, one["shown"]) for id, one in found.items() if "shown" in one}

    async def with_catalogs(
        self, packages: Collection[dict[str, Any]], asked: Expand | Shape | None
    ) -> list[dict[str, Any]]:
        """These documents, with the catalog beside if that is asked."""
        if asked is None or all(one.name != "catalog" for one in asked.expand):
            return list(packages)
        catalogs = await self.catalogs_said({one["catalog_id"] for one in packages})
        return [{**one, "catalog": catalogs.get(one["catalog_id"])} for one in packages]

    async def role_names(self, roles: Collection[ResourceRole]) -> dict[str, str]:
        """Key of a role -> its name, of those whose role is an id; a group's roles are names already."""
        ids = {one.origin_id for one in roles if one.origin_system == "AadApplication"}
        urls = sorted({one.origin_id for one in roles if one.origin_system == "SharePointOnline"})
        applications, sites = await asyncio.gather(
            self.applications.get(ids), self.sites.find({"url": {"$in": urls}} if urls else {"_id": ""})
        )
        known = {id: dict(one["roles"]) for id, one in applications.items()}
        known |= {one["url"]: dict(one["roles"]) for one in sites}
        names = {one.key: known.get(one.origin_id, {}).get(one.role) for one in roles}
        names |= {one.key: "Default Access" for one in roles if one.role == NO_ROLE}
        return {key: name for key, name in names.items() if name}

    async def roles_shown_to(self) -> RolesShownTo:
        """Who is shown what packages bring."""
        found = (await self.settings.get([SETTINGS_ID])).get(SETTINGS_ID)
        return RolesShownTo(found["roles_shown_to"]) if found else RolesShownTo.EVERYONE

    async def people_insight(self) -> PeopleInsight:
        """How much is said of others to whom something is suggested."""
        found = (await self.settings.get([SETTINGS_ID])).get(SETTINGS_ID, {})
        return PeopleInsight(found.get("people_insight", PeopleInsight.DISABLED))

    async def packages_of(self, ids: Collection[str]) -> dict[str, Package]:
        found = await self.packages.get(ids)
        return {
            id: Package(
                id,
                one["name"],
                one["catalog_id"],
                Life(one["life"]),
                one["is_hidden"],
                frozenset(one["incompatible_packages"]),
                frozenset(one["incompatible_groups"]),
                tuple(one.get("resources", ())),
            )
            for id, one in found.items()
        }

    async def persons(self, ids: Collection[str]) -> dict[str, Person]:
        found, groups = await asyncio.gather(self.people.get(ids), self.memberships.groups_of(ids))
        return {
            id: Person(
                id,
                PersonStatus(one["status"]),
                one["manager_id"],
                one["attributes"],
                groups.get(id, frozenset()),
                frozenset(one.get("answered", ())),
            )
            for id, one in found.items()
        }

    async def held(self, people: Collection[str]) -> dict[str, tuple[Held, ...]]:
        found = await self.holdings.get(people)
        return {id: tuple(_held(parts) for parts in one["assignments"]) for id, one in found.items()}

    async def ids_of(self, kept: str, where: Mapping[str, Any], limit: int) -> list[str]:
        """Of packages, policies, catalogs or people, by the names that lists have for them."""
        replicas: Mapping[str, Replica[Any]] = {
            "packages": self.packages,
            "policies": self.policies,
            "catalogs": self.catalogs,
            "people": self.people,
        }
        return await replicas[kept].ids(where, limit=limit)

    async def holder_of(self, assignment_id: str) -> tuple[str, Held] | None:
        """Whose assignment that is."""
        for one in await self.holdings.find({"assignment_ids": assignment_id}, limit=1):
            return one["_id"], next(held for held in map(_held, one["assignments"]) if held.id == assignment_id)
        return None

    async def of_mail(self, mail: str) -> list[str]:
        """Ids of those who are here and have this address, in any case; two are enough to know that it says nothing."""
        here = {"mail": mail.strip().casefold(), "status": {"$ne": PersonStatus.LEFT.value}}
        return [one["_id"] for one in await self.people.find(here, limit=2)]

    async def reports_of(self, manager_id: str) -> list[str]:
        return [one["_id"] for one in await self.people.find({"manager_id": manager_id})]


def _in(ids: Iterable[str]) -> dict[str, list[str]]:
    return {"$in": sorted(set(ids))}


def _place(catalog_id: str, origin_system: str, origin_id: str) -> str:
    """Names a resource of a catalog."""
    return f"{catalog_id}/{origin_system}/{origin_id}"


def _held(parts: Sequence[Any]) -> Held:
    id, package_id, policy_id, kind, status, starts_at, ends_at = parts
    return Held(id, package_id, policy_id, kind, AssignmentStatus(status), starts_at, ends_at)


def _published(catalogs: Iterable[Mapping[str, Any]]) -> tuple[frozenset[str], frozenset[str]]:
    """Which are published, and which of these are open to people outside."""
    published = [one for one in catalogs if one["published"]]
    external = frozenset(one["_id"] for one in published if one.get("external"))
    return frozenset(one["_id"] for one in published), external


def _policies(found: Iterable[Mapping[str, Any]]) -> dict[str, Policy]:
    return {one["_id"]: Policy(one["version"], PolicyState.model_validate(one["state"])) for one in found}


# Lists as Graph has them

REQUESTS: EntitySet = EntitySet(
    "accessPackageAssignmentRequest",
    {
        "id": Field("_id", GUID),
        "requestType": Field("state.type", Enumeration(tuple(RequestType))),
        "state": Field("state.status", Enumeration(tuple(RequestStatus))),
        "createdDateTime": Field("state.created_at", DATETIME, sortable=True),
        "completedDateTime": Field("state.completed_at", DATETIME, sortable=True),
        "justification": Field("state.justification"),
        "accessPackage/id": Field("state.package_id", GUID),
        "requestor/id": Field("state.requestor_id", GUID),
        "requestor/objectId": Field("state.requestor_id", GUID),
        "schedule/startDateTime": Field("state.starts_at", DATETIME),
        "schedule/expiration/endDateTime": Field("state.ends_at", DATETIME),
        "assignment/id": Field("state.assignment_id", GUID),
        "assignment/accessPackage/id": Field("state.package_id", GUID),
        "assignment/target/id": Field("state.person_id", GUID),
        "assignment/target/objectId": Field("state.person_id", GUID),
        "assignment/assignmentPolicy/id": Field("state.policy_id", GUID),
    },
    selectable=frozenset(
        {
            "id",
            "requestType",
            "state",
            "status",
            "createdDateTime",
            "completedDateTime",
            "schedule",
            "justification",
            "answers",
            "customExtensionCalloutInstances",
        }
    ),
    expandable=frozenset({"accessPackage", "requestor", "assignment"}),
    through={
        "accessPackage": Through("state.package_id", lambda: PACKAGES, "packages"),
        "requestor": Through("state.requestor_id", lambda: SUBJECTS, "people"),
        "assignment/accessPackage": Through("state.package_id", lambda: PACKAGES, "packages"),
        "assignment/assignmentPolicy": Through("state.policy_id", lambda: POLICIES, "policies"),
        "assignment/target": Through("state.person_id", lambda: SUBJECTS, "people"),
    },
    order="createdDateTime",
)


PACKAGES: EntitySet = EntitySet(
    "accessPackage",
    {
        "id": Field("_id", GUID),
        "displayName": Field("name", sortable=True, folded="folded"),
        "description": Field("description"),
        "createdDateTime": Field("created_at", DATETIME, sortable=True),
        "modifiedDateTime": Field("modified_at", DATETIME, sortable=True),
        "isHidden": Field("is_hidden", BOOLEAN),
        "catalog/id": Field("catalog_id", GUID),
    },
    expandable=frozenset({"catalog"}),
    through={"catalog": Through("catalog_id", lambda: CATALOGS, "catalogs")},
    searchable=("displayName", "description"),
    order="displayName",
)


CATALOGS: EntitySet = asked_of("shown.")
POLICIES: EntitySet = EntitySet(
    "accessPackageAssignmentPolicy",
    {"id": Field("_id", GUID), "displayName": Field("state.display_name"), "description": Field("state.description")},
)
SUBJECTS: EntitySet = EntitySet(
    "accessPackageSubject",
    {
        "displayName": Field("attributes.displayName"),
        "email": Field("attributes.mail", folded="mail"),
        "principalName": Field("attributes.userPrincipalName"),
    },
)
"""What people are asked by, where they ask or are asked for."""


AVAILABLE = EntitySet(
    "availableAccessPackage",
    {name: PACKAGES.fields[name] for name in ("id", "displayName", "description")},
    selectable=frozenset({"id", "displayName", "description"}),
    expandable=frozenset({"resourceRoleScopes"}),
    searchable=("displayName", "description"),
    order="displayName",
)


def visible(request: Request, person_id: str) -> bool:
    """Whether it is theirs: asked by them, for them, or theirs to decide, now or before."""
    return person_id in {request.requestor_id, request.person_id, *request.approvers, *request.asked}
