"""Review's collections: definitions, instances, items; and its own copies of whom and what these refer to."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from services.review.advising import GUEST, HERE, Advisor, people_kept
from services.review.decide.reviewers import Resolved
from services.review.model import OVER, Instance, load_instance
from services.review.recommend import Asked, asked_of
from services.review.scope import Reviewers, Who
from shared.contracts.catalog import Life, PackageFact, ResourceFact
from shared.contracts.directory import GroupFact, MembershipsFact, PersonFact, PersonStatus
from shared.contracts.resources import NO_ROLE, OWNER, ApplicationFact, HeldRolesFact, RoleSystem
from shared.contracts.review import Advice, ReviewedResource, ReviewStatus, Verdict
from shared.contracts.roster import RosterEntry, RosterKind
from shared.security.permissions import DIRECTORY_ROLES
from shared.security.roles import DEFINITIONS as CATALOG_ROLES
from shared.security.roles import CatalogRole
from shared.storage import Database, Index, MongoAggregates, Replica
from shared.web.odata import DATETIME, GUID, EntitySet, Enumeration, Field

THERE = {"state.deleted": False}
"""Deleted definitions stay, for their versions never restart; nobody is shown them."""
NOBODY: dict[str, Any] = {"_id": {"$in": []}}


def definitions(database: Database) -> MongoAggregates:
    """One document a campaign."""
    return MongoAggregates(
        database,
        "definitions",
        (
            Index("-state.state.created_at", "_id"),
            Index("state.folded", "_id"),
            Index("state.state.policy_id"),
            Index("state.packages"),
        ),
    )


def instances(database: Database) -> MongoAggregates:
    """One document a run over one resource."""
    return MongoAggregates(
        database,
        "instances",
        (
            Index("state.definition_id", "-state.starts_at", "_id"),
            Index("state.reviewers", "_id"),
            Index("state.stands_by", "_id"),
            Index("state.resource.id", "state.status", "state.ends_at"),
            Index("-state.starts_at", "_id"),
        ),
    )


def items(database: Database) -> MongoAggregates:
    """One document a person and thing. `reviewers`: where they are this item's own. `waits`: until applied."""
    return MongoAggregates(
        database,
        "items",
        (
            Index("state.instance_id", "_id"),
            Index("state.reviewers", "state.instance_id", "_id", partial={"state.reviewers": {"$exists": True}}),
            Index("state.instance_id", "state.waits", partial={"state.waits": True}),
            Index("state.recommendation", "_id", partial={"state.decision": "Approve", "state.recommendation": "Deny"}),
        ),
    )


class Runs:
    """Questions to instances and items."""

    def __init__(self, instances: MongoAggregates, items: MongoAggregates) -> None:
        self.instances = instances
        self.items = items

    async def of(self, ids: Collection[str]) -> dict[str, Instance]:
        """Instances by id."""
        found = await self.instances.states({"_id": {"$in": list(ids)}}) if ids else []
        return {one["_id"]: load_instance(one) for one in found}

    async def running(self, definition_id: str, *, in_progress: bool = False) -> list[str]:
        """Ids of instances of a definition that are not over; with `in_progress` those that can be stopped."""
        status: Any = {"$nin": [one.value for one in OVER]}
        if in_progress:
            status = ReviewStatus.IN_PROGRESS.value
        return await self.instances.ids({"state.definition_id": definition_id, "state.status": status})

    async def next_items(self, instance_id: str, after: str | None, limit: int, **more: Any) -> list[str]:
        """Ids of its items beyond `after`, in order."""
        query: dict[str, Any] = {"state.instance_id": instance_id}
        query |= {f"state.{name}": value for name, value in more.items()}
        return await self.items.ids(query, after=after, limit=limit)

    async def reviewed_by(self, person_id: str) -> dict[str, Any]:
        """A filter on instances: those in which the person reviews something."""
        own = await self.items.distinct({"state.reviewers": person_id}, "state.instance_id")
        return {"$or": [{"state.reviewers": person_id}, {"_id": {"$in": own}}]}

    async def reviewers_of(self, instance: Instance, after: str | None, limit: int) -> list[str]:
        """People who review single items of it, in order of their ids."""
        query = {
            "state.instance_id": instance.id,
            "state.reviewers": {"$exists": True},
            "state.stage": instance.current,
        }
        return await self.items.distinct(query, "state.reviewers", after=after, limit=limit)


def mine(instance: Instance, person_id: str) -> dict[str, Any]:
    """A filter on items: those that the person decides in the stage in progress."""
    ways: list[dict[str, Any]] = [{"state.reviewers": person_id}]
    if person_id in instance.stage.reviewers:
        ways.append({"state.reviewers": {"$exists": False}})
    query: dict[str, Any] = {"state.instance_id": instance.id, "state.stage": instance.current, "$or": ways}
    if not instance.stage.self_review:
        query["state.person_id"] = {"$ne": person_id}
    return query


class Surroundings:
    """Replicas of people, of who is in or owns what, and of names."""

    def __init__(self, database: Database) -> None:
        self.people: Replica[PersonFact] = Replica(
            database,
            "people",
            lambda fact: {
                **people_kept(fact),
                "name": fact.state.attributes.get("displayName"),
                "user_principal_name": fact.state.attributes.get("userPrincipalName"),
            },
            (Index("user_type", partial={"user_type": GUEST}),),
        )
        self.memberships: Replica[MembershipsFact] = Replica(
            database, "memberships", lambda fact: {"groups": fact.state.member_of}, (Index("groups", "_id"),)
        )
        self.owners: Replica[HeldRolesFact] = Replica(
            database,
            "owners",
            lambda fact: {"owns": [one.key for one in fact.state.roles if one.held and one.role == OWNER]},
            (Index("owns"),),
        )
        self.groups: Replica[GroupFact] = Replica(
            database,
            "groups",
            lambda fact: {
                "name": fact.state.display_name,
                "deleted": fact.state.deleted_at is not None,
                "gives_roles": bool(fact.state.is_assignable_to_role),
                "member_of": list(fact.state.member_of),
                "team": fact.state.is_team,
                # Rules and roles decide about others (REV-2).
                "reviewed_together": (
                    "Unified" in fact.state.group_types
                    and not fact.state.is_dynamic
                    and not fact.state.is_assignable_to_role
                    and fact.state.deleted_at is None
                ),
            },
            (Index("reviewed_together", "_id", partial={"reviewed_together": True}), Index("member_of")),
        )
        self.applications: Replica[ApplicationFact] = Replica(
            database,
            "applications",
            lambda fact: {
                "name": fact.state.display_name,
                "app_id": fact.state.app_id,
                "deleted": fact.state.deleted_at is not None,
                "roles": {NO_ROLE: "Default Access"} | {one.id: one.display_name for one in fact.state.app_roles},
            },
        )
        self.packages: Replica[PackageFact] = Replica(
            database,
            "packages",
            lambda fact: {
                "name": fact.state.display_name,
                "catalog": fact.state.catalog_id,
                "there": fact.state.life is not Life.DELETED,
            },
            (Index("there", "_id"), Index("catalog")),
        )
        self.resources: Replica[ResourceFact] = Replica(database, "resources", _resource, (Index("there", "_id"),))
        self.advisor = Advisor(database, self.people, self.groups)

    @property
    def replicas(self) -> Sequence[Replica[Any]]:
        copies = (self.people, self.memberships, self.owners, self.groups, self.applications, self.packages)
        return (*copies, self.resources, self.advisor.sign_ins)

    async def called(self, ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """Names of people, and of groups where an id is no person's."""
        people = await self.people.get(ids)
        others = set(ids) - people.keys()
        return {**(await self.groups.get(others) if others else {}), **people}

    async def names(self, resources: Iterable[ReviewedResource]) -> dict[str, str]:
        """Of these resources, by id, as far as they have been heard of."""
        by_kind: dict[RosterKind, list[str]] = {}
        for one in resources:
            by_kind.setdefault(one.kind, []).append(one.id)
        found = await asyncio.gather(
            self.groups.get(by_kind.get(RosterKind.GROUP, ())),
            self.applications.get(by_kind.get(RosterKind.APPLICATION, ())),
            self.packages.get(by_kind.get(RosterKind.PACKAGE, ())),
        )
        names = {id: str(one["name"]) for those in found for id, one in those.items()}
        names |= {id: CATALOG_ROLES[CatalogRole(id)].display_name for id in by_kind.get(RosterKind.GOVERNANCE_ROLE, ())}
        return names | {
            id: name for name, id in DIRECTORY_ROLES.items() if id in by_kind.get(RosterKind.DIRECTORY_ROLE, ())
        }

    async def role_names(self, resources: Iterable[ReviewedResource]) -> dict[str, dict[str, str]]:
        """Of the roles of these applications, by id; of other things a role has no name besides the thing's."""
        ids = {one.id for one in resources if one.kind is RosterKind.APPLICATION}
        found = await self.applications.get(ids) if ids else {}
        return {id: dict(one.get("roles") or {}) for id, one in found.items()}

    async def groups_of(self, person_id: str) -> Collection[str]:
        """Ids of the groups that a person is in."""
        found = (await self.memberships.get([person_id])).get(person_id)
        return found["groups"] if found else ()

    async def catalog_of(self, packages: Collection[str]) -> str | None:
        """The catalog that all these packages lie in; None if there is no such one."""
        found = await self.packages.get(packages) if packages else {}
        catalogs = {found[id].get("catalog") if id in found else None for id in packages}
        return catalogs.pop() if len(catalogs) == 1 else None

    async def groups_known(self, things: Collection[ReviewedResource]) -> bool | None:
        """True once all groups among these have been heard of; else None."""
        wanted = {one.id for one in things if one.kind is RosterKind.GROUP}
        return True if not wanted or wanted <= (await self.groups.get(wanted)).keys() else None

    async def givers_of(self, things: Collection[ReviewedResource]) -> list[tuple[str, ...]]:
        """Directory roles that lead a review of these, one of each: those whom the documents name, and of groups that
        give roles those who give them, too."""
        groups = await self.groups.get([one.id for one in things if one.kind is RosterKind.GROUP])
        kinds = {one.kind for one in things}
        found: list[tuple[str, ...]] = []
        if any(one.get("gives_roles") for one in groups.values()):
            found.append(("Privileged Role Administrator",))
        elif kinds & {RosterKind.GROUP, RosterKind.APPLICATION}:
            found.append(("User Administrator", "Identity Governance Administrator"))
        if RosterKind.DIRECTORY_ROLE in kinds:
            found.append(("Privileged Role Administrator", "Identity Governance Administrator"))
        if RosterKind.GOVERNANCE_ROLE in kinds:
            found.append(("Identity Governance Administrator",))
        return found

    async def packages_in(self, catalogs: Collection[str]) -> list[str]:
        """Ids of the packages of these catalogs."""
        return [one["_id"] for one in await self.packages.find({"catalog": {"$in": list(catalogs)}})]

    async def gone(self, people: Collection[str]) -> frozenset[str]:
        """Those of them who are known to have left."""
        found = await self.people.get(people) if people else {}
        return frozenset(id for id, one in found.items() if one["status"] == PersonStatus.LEFT.value)

    async def deleted(self, things: Iterable[ReviewedResource]) -> frozenset[str]:
        """Ids of those of these groups and applications that have been deleted."""
        ids = {one.id for one in things if one.kind in {RosterKind.GROUP, RosterKind.APPLICATION}}
        if not ids:
            return frozenset()
        groups, applications = await asyncio.gather(self.groups.get(ids), self.applications.get(ids))
        return frozenset(id for id, one in {**groups, **applications}.items() if one.get("deleted"))

    async def resolved(self, scopes: Collection[Reviewers], resource: ReviewedResource) -> Resolved:
        """Whom these scopes lead to now, without those who have left."""
        found: dict[Reviewers, set[str]] = {
            one: set(await self._such(one, await self._led_to(one, resource))) for one in scopes
        }
        gone = await self.gone({id for people in found.values() for id in people})
        return {one: tuple(sorted(people - gone)) for one, people in found.items()}

    async def _such(self, one: Reviewers, people: list[str]) -> list[str]:
        """Those of them whose properties are as the scope says."""
        if not one.only or not people:
            return people
        rows = await self.people.get(people)
        wanted = [(*_KEPT_AS[name], value.casefold()) for name, value in one.only]
        return [
            id
            for id, row in rows.items()
            if all(str(row.get(name) or unsaid).casefold() == value for name, unsaid, value in wanted)
        ]

    async def _led_to(self, one: Reviewers, resource: ReviewedResource) -> list[str]:
        match one.who:
            case Who.USER:
                return [one.id] if one.id else []
            case Who.MEMBERS:
                return [row["_id"] for row in await self.memberships.find({"groups": one.id})]
            case Who.TRANSITIVE_MEMBERS if one.id:
                within = await self._groups_within(one.id)
                return [row["_id"] for row in await self.memberships.find({"groups": {"$in": within}})]
            case Who.OWNERS | Who.APPLICATION_OWNERS:
                of_application = one.who is Who.APPLICATION_OWNERS or (
                    one.id is None and resource.kind is RosterKind.APPLICATION
                )
                system = RoleSystem.APPLICATION if of_application else RoleSystem.GROUP
                key = f"{system.value}/{one.id or resource.id}/{OWNER}"
                return [row["_id"] for row in await self.owners.find({"owns": key})]
        return []

    async def _groups_within(self, id: str) -> list[str]:
        """A group and all that are in it at any depth: one query for each level of nesting."""
        found, level = {id}, {id}
        while level:
            rows = await self.groups.find({"member_of": {"$in": sorted(level)}, "deleted": False})
            level = {row["_id"] for row in rows} - found
            found |= level
        return sorted(found)

    async def sponsors(self, people: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Who answers for each of these: people, and members of groups; two queries."""
        found = await self.people.get(people)
        named = {id: frozenset(row.get("sponsors") or ()) for id, row in found.items()}
        groups: dict[str, set[str]] = {}
        if every := sorted({id for several in named.values() for id in several}):
            for row in await self.memberships.find({"groups": {"$in": every}}):
                for group in row["groups"]:
                    groups.setdefault(group, set()).add(row["_id"])
        # An id that is no group's is a person's.
        led = {id: {it for one in several for it in groups.get(one, {one})} for id, several in named.items()}
        return {id: tuple(sorted(several)) for id, several in led.items() if several}

    async def asked(self, one: Instance) -> Asked:
        """Which signs its recommendations rest on."""
        app_id = None
        if one.resource.kind is RosterKind.APPLICATION:
            app_id = (await self.applications.get([one.resource.id])).get(one.resource.id, {}).get("app_id")
        return asked_of(
            one.insights,
            one.look_back,
            app_id=app_id,
            of_group=one.resource.kind is RosterKind.GROUP,
            # Of groups it is known who is in them. Of all else no more than the review is about: of a package only
            # who has it by this policy, of an application or role only the guests who have it.
            jobs=one.resource.kind is RosterKind.GROUP or not (one.guests_only or one.resource.policy_id),
        )

    async def members(self, group: ReviewedResource, after: str | None, limit: int) -> list[str]:
        """Everybody in a group, whoever of them is reviewed, in order of their ids."""
        within = [group.id] if group.direct else await self._groups_within(group.id)
        query: dict[str, Any] = {"groups": {"$in": within}, **({"_id": {"$gt": after}} if after is not None else {})}
        return [row["_id"] for row in await self.memberships.find(query, limit=limit)]

    async def wanted(self, one: Instance, entries: Sequence[RosterEntry]) -> list[RosterEntry]:
        """Those that the review is about: of a review of inactive people, who has signed in since is left out."""
        if one.resource.kind is RosterKind.GOVERNANCE_ROLE:
            entries = await self._completed(one, entries)
        if one.inactive_for is None:
            return list(entries)
        since = one.starts_at - one.inactive_for
        seen = await self.advisor.sign_ins.get({entry.person_id for entry in entries})
        active = {id for id, row in seen.items() if row["last_at"] > since}
        return [entry for entry in entries if entry.person_id not in active]

    async def _completed(self, one: Instance, entries: Sequence[RosterEntry]) -> list[RosterEntry]:
        """With what catalog does not know of people; without those who have left."""
        people = await self.people.get({entry.person_id for entry in entries})
        found: list[RosterEntry] = []
        for entry in entries:
            person = people.get(entry.person_id, {})
            user_type = person.get("user_type") or "Member"
            if person.get("status") != PersonStatus.LEFT.value and (user_type == GUEST or not one.guests_only):
                about = {"user_type": user_type, "manager_id": person.get("manager_id")}
                found.append(entry.model_copy(update=about))
        return found

    async def groups_after(
        self, after: str | None, limit: int, among: Collection[str] | None = None, *, teams: bool = False
    ) -> list[str]:
        """Groups that a review over every group is about, by id; with `among` only those of them, or only `teams`."""
        query: dict[str, Any] = {"reviewed_together": True}
        if after is not None:
            query["_id"] = {"$gt": after}
        if teams:
            query["team"] = True
        if among is not None:
            query["_id"] = {"$in": sorted(id for id in among if after is None or id > after)}
        return [one["_id"] for one in await self.groups.find(query, limit=limit)]

    async def groups_with_guests(self, *, direct: bool) -> frozenset[str]:
        """Ids of groups that some guest is in now; without `direct` also through groups within them.

        Read from the guests, who are few: one query, and one more for each level of nesting."""
        stages: list[dict[str, Any]] = [
            {"$match": {"user_type": GUEST, "status": {"$in": HERE}}},
            {
                "$lookup": {
                    "from": self.memberships.name,
                    "localField": "_id",
                    "foreignField": "_id",
                    "as": "memberships",
                }
            },
            {"$unwind": "$memberships"},
            {"$unwind": "$memberships.groups"},
            {"$group": {"_id": "$memberships.groups"}},
        ]
        level = {one["_id"] for one in await self.people.aggregate(stages)}
        found: set[str] = set()
        while level:
            found |= level
            if direct:
                break
            rows = await self.groups.find({"_id": {"$in": sorted(level)}, "deleted": False})
            level = {outer for row in rows for outer in row.get("member_of", ())} - found
        return frozenset(found)


_KEPT_AS = {
    "userType": ("user_type", "Member"),
    "country": ("country", ""),
    "department": ("department", ""),
    "jobTitle": ("job_title", ""),
}
"""By which name a property is kept, and what it is where nothing is said."""


def _resource(fact: ResourceFact) -> dict[str, Any]:
    """A group or application as it stands in a catalog: one of several catalogs comes several times."""
    kind = _REVIEWED.get(fact.state.origin_system)
    return {
        "kind": kind.value if kind else None,
        "origin_id": fact.state.origin_id,
        "name": fact.state.display_name,
        "there": kind is not None and fact.state.life is not Life.DELETED,
    }


_REVIEWED = {"AadGroup": RosterKind.GROUP, "AadApplication": RosterKind.APPLICATION}
"""Resources that a review can be about: sites are none."""


# Lists as Graph has them

_STATUSES = Enumeration(tuple(ReviewStatus))
_QUERIES = ("scope/microsoft.graph.accessReviewQueryScope/query", "scope/query")

DEFINITIONS: EntitySet = EntitySet(
    "accessReviewScheduleDefinition",
    {
        "id": Field("_id", GUID),
        "displayName": Field("state.state.display_name", sortable=True, folded="state.folded"),
        "status": Field("state.state.status", _STATUSES),
        "createdDateTime": Field("state.state.created_at", DATETIME, sortable=True),
        **{name: Field("state.query") for name in _QUERIES},
    },
    selectable=frozenset(
        {
            "id", "displayName", "status", "createdDateTime", "lastModifiedDateTime", "createdBy", "scope",
            "descriptionForAdmins", "descriptionForReviewers", "instanceEnumerationScope", "reviewers",
            "fallbackReviewers", "backupReviewers", "settings", "stageSettings", "additionalNotificationRecipients",
        }
    ),
    expandable={"instances": lambda: INSTANCES},
    order="createdDateTime",
)  # fmt: skip

INSTANCES: EntitySet = EntitySet(
    "accessReviewInstance",
    {
        "id": Field("_id", GUID),
        "status": Field("state.status", _STATUSES),
        "startDateTime": Field("state.starts_at", DATETIME, sortable=True),
        "endDateTime": Field("state.ends_at", DATETIME),
        **{name: Field("state.query") for name in _QUERIES},
    },
    selectable=frozenset({"id", "status", "startDateTime", "endDateTime", "scope", "reviewers", "fallbackReviewers"}),
    expandable={"contactedReviewers": lambda: REVIEWERS, "decisions": lambda: ITEMS, "stages": lambda: STAGES},
    order="startDateTime",
)

ITEMS: EntitySet = EntitySet(
    "accessReviewInstanceDecisionItem",
    {
        "id": Field("_id", GUID),
        "decision": Field("state.decision", Enumeration(tuple(Verdict)), sortable=True),
        "recommendation": Field("state.recommendation", Enumeration(tuple(Advice)), sortable=True),
        "applyResult": Field(
            "state.result",
            Enumeration(
                (
                    "New",
                    "AppliedSuccessfully",
                    "AppliedWithUnknownFailure",
                    "AppliedSuccessfullyButObjectNotFound",
                    "ApplyNotSupported",
                )
            ),
            sortable=True,
        ),
        "principal/id": Field("state.person_id", GUID),
        "reviewedBy/id": Field("state.decided_by", GUID),
        "reviewedDateTime": Field("state.decided_at", DATETIME, sortable=True),
        "appliedDateTime": Field("state.applying.at", DATETIME, sortable=True),
    },
    selectable=frozenset(
        {
            "id", "accessReviewId", "reviewedDateTime", "decision", "justification", "appliedDateTime", "applyResult",
            "recommendation", "principal", "principalLink", "resource", "resourceLink", "reviewedBy", "appliedBy",
            "target",
        }
    ),
    expandable=frozenset({"insights"}),
)  # fmt: skip

ITEMS_OF_THIS_STAGE = replace(
    ITEMS,
    fields={
        **ITEMS.fields,
        "decision": Field("state.here.decision", Enumeration(tuple(Verdict)), sortable=True),
        "reviewedBy/id": Field("state.here.by", GUID),
        "reviewedDateTime": Field("state.here.at", DATETIME, sortable=True),
    },
)
"""For reviewers who are not shown what earlier stages decided: a filter tells no more than the list does (REV-16)."""


def items_as_shown(instance: Instance, *, earlier_hidden: bool) -> EntitySet:
    """What a list of its items is asked by: what it shows. A stage without recommendations shows none, whatever an
    earlier one recommended."""
    shown = ITEMS_OF_THIS_STAGE if earlier_hidden else ITEMS
    if instance.stage.settings.recommendations_enabled:
        return shown
    # Every item has its instance's id, and no other value.
    kept_as = {one.value: instance.id if one is Advice.NO_INFO else "" for one in Advice}
    nothing = Field("state.instance_id", Enumeration(tuple(Advice), kept_as=kept_as), sortable=True)
    return replace(shown, fields={**shown.fields, "recommendation": nothing})


STAGES: EntitySet = EntitySet(
    "accessReviewStage",
    {
        "id": Field("_id", GUID),
        "status": Field("status", _STATUSES),
        "startDateTime": Field("startsAt", DATETIME, sortable=True),
        "endDateTime": Field("endsAt", DATETIME, sortable=True),
    },
    selectable=frozenset({"id", "status", "startDateTime", "endDateTime", "reviewers", "fallbackReviewers"}),
    order="startDateTime",
)
REVIEWERS: EntitySet = EntitySet(
    "accessReviewReviewer",
    {
        "id": Field("_id", GUID),
        "displayName": Field("displayName", sortable=True),
        "userPrincipalName": Field("userPrincipalName", sortable=True),
        "createdDateTime": Field("at", DATETIME, sortable=True),
    },
    selectable=frozenset({"id", "displayName", "userPrincipalName", "createdDateTime"}),
)
