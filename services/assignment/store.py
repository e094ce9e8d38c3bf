"""Assignment's collections, and how a rule change and a person change never miss each other.

Whoever changes a rule, role set or population 1. writes its document, marked as not yet in any epoch, 2. raises the
epoch, 3. starts the job, 4. writes the epoch into the document. Whoever decides reads the epoch first and loads what is
marked or newer than what it knows; so what has seen an epoch has seen all that was written before it was raised. After
its write it reads the epoch again, and decides again if it moved.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import structlog

from services.assignment.decide.look import Look, Memberships
from services.assignment.decide.membership import memberships_in
from services.assignment.history import History
from services.assignment.model import Holding, RuleJob
from services.assignment.rulebook import (
    Policy,
    Rulebook,
    package_of,
    parsed,
    policy_of,
    population_of,
)
from shared.catalogs import asked_of
from shared.clock import Clock
from shared.contracts.assignment import AssignmentStatus
from shared.contracts.base import Refusal
from shared.contracts.catalog import Life, PackageFact, PackageState, PolicyFact, PolicyState, PopulationFact
from shared.contracts.directory import MembershipsFact
from shared.contracts.policy import TargetScope
from shared.contracts.roster import RosterAbout, RosterEntry, RosterKind
from shared.contracts.topics import PACKAGE_FACTS, PERSON_FACTS, POLICY_FACTS
from shared.hearing import About, Hearing
from shared.rosters import Read, Reader
from shared.rules import to_mongo
from shared.rules.properties import HIRE_DATE
from shared.storage import Database, Documents, Index, MongoAggregates, Replica
from shared.web.odata import (
    BOOLEAN,
    DATE_TEXT,
    DATETIME,
    GUID,
    EntitySet,
    Enumeration,
    Field,
    ListQuery,
    Through,
)

log = structlog.get_logger(__name__)

PARSE_TURN = 20
"""Rules parsed before others get their turn on the event loop: some milliseconds."""
RECENT_S = 0.05
"""A rulebook that was the present one so many seconds ago does for a decision that is looked at again."""

RULES: About = dict.fromkeys((PACKAGE_FACTS, POLICY_FACTS))
"""What says which package is given how."""

NOBODY: dict[str, Any] = {"_id": {"$in": []}}
MATCHING = {"state.status": {"$in": ["active", "suspended"]}}


def holdings(database: Database) -> MongoAggregates:
    """One document a person."""
    return MongoAggregates(
        database,
        "holdings",
        (
            Index("state.assignments.package_id", "_id"),
            Index("state.assignments.policy_id", "_id"),
            Index("state.assignments.id"),
            # What rules ask for most; others find their people by reading all holdings once, in the background.
            Index("state.facets.department", "_id"),
            Index("state.facets.jobTitle", "_id"),
            Index("state.facets.manager", "_id", partial={"state.facets.manager": {"$exists": True}}),
            Index("state.facets.memberOf", "_id", partial={"state.facets.memberOf": {"$exists": True}}),
            Index("state.facets.userPrincipalName"),
            Index("state.exclusions.package_id", "_id", partial={"state.exclusions": {"$exists": True}}),
        ),
    )


def rule_jobs(database: Database) -> MongoAggregates:
    """One document a policy, package or population that has changed."""
    return MongoAggregates(database, "rule_jobs", (Index("-state.started_at", "_id"),))


def roster_reader(people: MongoAggregates, rules: RuleStore, hearing: Hearing) -> Reader:
    """Who holds an access package: what a review asks. Not before what was said until then is known."""

    async def read(about: RosterAbout, after: str | None, limit: int) -> Read:
        if about.kind is not RosterKind.PACKAGE:
            reason = Refusal(code="notKept", message=f"Assignment does not know who has: {about.kind.value}.")
            return Read((), None, True, reason)
        if after is None:
            await hearing.abreast({PERSON_FACTS: None, **RULES})
            if amiss := await missing(about):
                return Read((), None, True, amiss)
        held: dict[str, Any] = {"package_id": about.id, "status": {"$ne": "scheduled"}}
        if about.policy_id is not None:
            held["policy_id"] = about.policy_id
        query: dict[str, Any] = {"state.assignments": {"$elemMatch": held}}
        if after is not None:
            query["_id"] = {"$gt": after}
        found = await people.states(query, limit=limit)
        entries = [entry for one in found for entry in _entries(one, about)]
        return Read(entries, found[-1]["_id"] if found else None, len(found) < limit)

    async def missing(about: RosterAbout) -> Refusal | None:
        if not _there(await rules.packages.get([about.id])):
            return Refusal(code="notFound", message=f"There is no access package {about.id}.")
        if about.policy_id is not None and not _there(await rules.policies.get([about.policy_id])):
            return Refusal(code="notFound", message=f"There is no assignment policy {about.policy_id}.")
        return None

    return read


def _there(found: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(one["life"] != Life.DELETED.value for one in found.values())


def _entries(holding: Mapping[str, Any], about: RosterAbout) -> Iterator[RosterEntry]:
    facets = holding["facets"]
    guest = facets.get("userType") == "guest"
    if about.guests_only and not guest:
        return
    for one in holding["assignments"]:
        wanted = one["package_id"] == about.id and about.policy_id in {None, one["policy_id"]}
        if wanted and one["status"] != "scheduled":
            yield RosterEntry(
                person_id=holding["_id"],
                user_type="Guest" if guest else "Member",
                manager_id=facets.get("manager"),
                role="",
                assignment_id=one["id"],
                policy_id=one["policy_id"],
                since=one["assigned_at"],
                by_rule=one["kind"] == "automatic",
            )


class MembershipStore:
    """Who is in which groups, for the day a rule names one; holdings carry only groups that rules name."""

    def __init__(self, database: Database) -> None:
        self.replica: Replica[MembershipsFact] = Replica(
            database,
            "memberships",
            lambda fact: {"groups": sorted(memberships_in(fact).groups)},
            (Index("groups", "_id"),),
        )

    async def ensure_indexes(self) -> None:
        await self.replica.ensure_indexes()

    async def of(self, people: Collection[str]) -> dict[str, Memberships]:
        """By person, of those who are known to be, or to have been, in a group."""
        found = await self.replica.get(people) if people else {}
        return {person: Memberships(one["version"], frozenset(one["groups"])) for person, one in found.items()}

    async def groups_of(self, person: str) -> Collection[str]:
        """Ids of the groups that a person is in."""
        found = await self.replica.get([person])
        return found[person]["groups"] if person in found else ()

    async def members(self, groups: Collection[str], after: str | None, limit: int) -> list[str]:
        """People in any of these groups, by id, at most `limit` beyond `after`."""
        if not groups:
            return []
        query: dict[str, Any] = {"groups": {"$in": sorted(groups)}}
        if after is not None:
            query["_id"] = {"$gt": after}
        return [one["_id"] for one in await self.replica.find(query, limit=limit)]


def _shown(state: PackageState | PolicyState) -> dict[str, Any]:
    """What only people read, in Graph's names."""
    return {
        "description": state.description,
        "createdDateTime": state.created_at,
        "modifiedDateTime": state.modified_at,
    }


class RuleStore:
    """Packages, policies, populations and the epoch; and the rulebook of this process made of them."""

    def __init__(self, database: Database) -> None:
        epoch = (Index("epoch"),)
        self.packages: Replica[PackageFact] = Replica(
            database,
            "packages",
            lambda fact: {
                "name": fact.state.display_name,
                "roles": [[r.origin_system, r.origin_id, r.role, r.display_name] for r in fact.state.roles],
                "incompatible": list(fact.state.incompatible_packages),
                "incompatible_groups": [group.lower() for group in fact.state.incompatible_groups],
                "catalog_id": fact.state.catalog_id,
                "life": fact.state.life.value,
                "shown": {**_shown(fact.state), "isHidden": fact.state.is_hidden},
                "epoch": None,
            },
            epoch,
        )
        self.policies: Replica[PolicyFact] = Replica(
            database,
            "policies",
            lambda fact: {
                "package_id": fact.state.package_id,
                "name": fact.state.display_name,
                "rule": fact.state.rule,
                "population_id": fact.state.population_id,
                "expires_after_s": fact.state.expires_after.total_seconds() if fact.state.expires_after else None,
                "expires_at": fact.state.expires_at,
                "gives_access": fact.state.gives_access,
                "takes_access": fact.state.takes_access,
                "grace_period_s": fact.state.grace_period.total_seconds() if fact.state.grace_period else None,
                "accepts_by_hand": (
                    fact.state.requestor_settings.accept_requests
                    or fact.state.target_scope is not TargetScope.NOT_SPECIFIED
                ),
                "life": fact.state.life.value,
                "created_at": fact.state.created_at,
                "shown": _shown(fact.state),
                "epoch": None,
            },
            epoch,
        )
        self.populations: Replica[PopulationFact] = Replica(
            database,
            "populations",
            lambda fact: {"rule": fact.state.rule, "life": fact.state.life.value, "epoch": None},
            epoch,
        )
        self._epoch = Documents(database, "epoch")
        self._stamps = {
            replica.name: Documents(database, replica.name)
            for replica in (self.packages, self.policies, self.populations)
        }
        self.book = Rulebook()
        self._loading = asyncio.Lock()
        self._asked_at = -math.inf

    async def ensure_indexes(self) -> None:
        for replica in (self.packages, self.policies, self.populations):
            await replica.ensure_indexes()

    async def epoch(self) -> int:
        """As it is now, from the primary."""
        asked_at = time.monotonic()
        document = await self._epoch.get("rules")
        epoch = int(document["epoch"]) if document else 0
        self._asked_at = max(self._asked_at, asked_at) if epoch == self.book.epoch else -math.inf
        return epoch

    async def raise_epoch(self) -> int:
        epoch = await self._epoch.raise_number("rules", "epoch")
        self._asked_at = -math.inf
        return epoch

    async def stamped(self, replica: Replica[Any], versions: Mapping[str, int], epoch: int) -> None:
        """Their change is part of `epoch`, and its jobs have been started."""
        for id, version in versions.items():
            await self._stamps[replica.name].set(id, {"epoch": epoch}, only_if={"version": version, "epoch": None})

    async def recent(self) -> Rulebook:
        """The rulebook as it was some hundredths of a second ago at most: for decisions that are looked at again by the
        epoch after they are written, which is the one question that cannot be spared."""
        return self.book if time.monotonic() - self._asked_at < RECENT_S else await self.present()

    async def present(self) -> Rulebook:
        """The rulebook, brought up to the epoch as it was when asked."""
        epoch = await self.epoch()
        if epoch > self.book.epoch:
            async with self._loading:
                epoch = await self.epoch()
                if epoch > self.book.epoch:
                    await self._load(epoch)
        return self.book

    async def _load(self, epoch: int) -> None:
        newer = {"$or": [{"epoch": None}, {"epoch": {"$gt": self.book.epoch}}]}
        packages = [package_of(one) for one in await self.packages.find(newer)]
        populations = [population_of(one) for one in await self.populations.find(newer)]
        policies = [policy_of(one) for one in await self.policies.find(newer)]
        texts = [
            text for text in (*(one.rule for one in policies), *(one.rule for one in populations)) if text is not None
        ]
        for number, text in enumerate(texts):
            if parsed(text) is None:
                log.error("a rule cannot be read here; it neither gives nor takes")
            if number % PARSE_TURN == PARSE_TURN - 1:
                await asyncio.sleep(0)
        # In one go: a rulebook that is half there would take access away.
        self.book.put(packages, policies, populations)
        self.book.epoch = epoch


def concerned(book: Rulebook, job: RuleJob, clock: Clock) -> tuple[dict[str, Any], set[str]]:
    """Whom the present rules make this job ask about: a filter over holdings, and groups whose members come besides."""
    policies: list[Policy]
    held: dict[str, Any]
    match job.subject:
        case "package":
            policies = book.policies_of_package(job.id)
            held = {"state.assignments.package_id": job.id}
        case "population":
            policies = book.policies_of_population(job.id)
            held = {"state.assignments.policy_id": {"$in": [policy.id for policy in policies]}}
        case "policy":
            policies = [book.policies[job.id]] if job.id in book.policies else []
            held = {"state.assignments.policy_id": job.id}
    ways: list[dict[str, Any]] = [held]
    groups: set[str] = set()
    for text in {book.rule_text(policy) for policy in policies if policy.id in book.rules.index}:
        rule = parsed(text) if text is not None else None
        if rule is None:
            continue
        if rule.references.uses_clock:
            # Whoever will match by time alone needs the date noted today.
            ways.append({**MATCHING, f"state.facets.{HIRE_DATE.name}": {"$exists": True}})
        ways.append({"$and": [MATCHING, to_mongo(rule, clock.now(), "state.facets.").filter]})
        groups |= {group.lower() for group in rule.references.groups}
    for policy in policies:
        if policy.automatic and (package := book.packages.get(policy.package_id)):
            # Whoever comes to match later has to be known as a member by then.
            groups |= package.incompatible_groups
    return ({"$or": ways} if len(ways) > 1 else held), groups


class Looks:
    """What the decisions of a batch look at, before and after."""

    def __init__(self, rules: RuleStore, history: History, memberships: MembershipStore) -> None:
        self.rules = rules
        self.history = history
        self.memberships = memberships

    async def look(self, _messages: Sequence[Any], _states: Mapping[str, Any]) -> Look:
        """The rules."""
        book = await self.rules.recent()
        return Look(book, book.epoch)

    async def look_for_commands(self, messages: Sequence[Any], states: Mapping[str, Any]) -> Look:
        """And which of the assignments to be made have ended already, and in which groups these people are."""
        return await self.look_for_adding(
            [message.id for message in messages], {message.person_id for message in messages}
        )

    async def look_for_adding(self, ids: Collection[str], people: Collection[str]) -> Look:
        """For assignments to be made under these ids, for these people."""
        ended = await self.history.which(ids)
        book = await self.rules.present()
        known = await self.memberships.of(people) if book.groups else {}
        return Look(book, book.epoch, ended=ended, memberships=known)

    async def look_for_jobs(self, messages: Sequence[Any], states: Mapping[str, Any]) -> Look:
        """And whose memberships may tell more by now, for rules may name other groups than they did."""
        book = await self.rules.present()
        known = await self.memberships.of([message.person_id for message in messages]) if book.groups else {}
        return Look(book, book.epoch, memberships=known)

    async def look_for_memberships(self, messages: Sequence[Any], states: Mapping[str, Any]) -> Look:
        """And whom the batch was found to be about."""
        book = await self.rules.present()
        return Look(book, book.epoch, concerned=states.keys())

    async def look_again(self, context: Look, states: Mapping[str, Holding | None]) -> Collection[str]:
        """Everyone in the batch whose holding was decided under an older epoch than the present one."""
        epoch = await self.rules.epoch()
        if epoch == context.epoch:
            return ()
        return [id for id, holding in states.items() if holding is not None and holding.epoch < epoch]


# Lists as Graph has them

ITEMS = "state.assignments"
_STATES = Enumeration(
    tuple(dict.fromkeys(status.in_graph for status in AssignmentStatus)),
    besides={AssignmentStatus.SCHEDULED.in_graph: (AssignmentStatus.SCHEDULED.value,)},
)
_EXPANDABLE = frozenset({"target", "accessPackage", "assignmentPolicy"})
_SELECTABLE = frozenset({"id", "state", "status", "expiredDateTime", "schedule"})

CATALOGS = asked_of()
PACKAGES = EntitySet(
    "accessPackage",
    {
        "displayName": Field("name"),
        "description": Field("shown.description"),
        "isHidden": Field("shown.isHidden", BOOLEAN),
        "createdDateTime": Field("shown.createdDateTime", DATETIME),
        "modifiedDateTime": Field("shown.modifiedDateTime", DATETIME),
        "catalog/id": Field("catalog_id", GUID),
    },
    through={"catalog": Through("catalog_id", lambda: CATALOGS, "catalogs")},
)
POLICIES = EntitySet(
    "accessPackageAssignmentPolicy",
    {"displayName": Field("name"), "description": Field("shown.description")},
)
SUBJECTS = EntitySet(
    "accessPackageSubject",
    {
        "displayName": Field("state.about.displayName"),
        "email": Field("state.about.mail"),
        "principalName": Field("state.about.userPrincipalName"),
    },
)


def _through(package: str, policy: str, person: str) -> dict[str, Through]:
    return {
        "accessPackage": Through(package, lambda: PACKAGES, "packages"),
        "assignmentPolicy": Through(policy, lambda: POLICIES, "policies"),
        "target": Through(person, lambda: SUBJECTS, "people"),
    }


# One list of two collections (`services.assignment.lists`): the same may be asked of both, both are sorted alike.
LIVE = EntitySet(
    "accessPackageAssignment",
    {
        "id": Field(f"{ITEMS}.id", GUID),
        "state": Field(f"{ITEMS}.status", _STATES),
        "accessPackage/id": Field(f"{ITEMS}.package_id", GUID),
        "assignmentPolicy/id": Field(f"{ITEMS}.policy_id", GUID),
        "target/objectId": Field("_id", GUID, sortable=True),
        "target/id": Field("_id", GUID, sortable=True),
        "expiredDateTime": Field(f"{ITEMS}.ended_at", DATETIME, sortable=True),
        "schedule/startDateTime": Field(f"{ITEMS}.starts_at", DATETIME),
        "schedule/expiration/endDateTime": Field(f"{ITEMS}.ends_at", DATETIME),
    },
    selectable=_SELECTABLE,
    expandable=_EXPANDABLE,
    through=_through(f"{ITEMS}.package_id", f"{ITEMS}.policy_id", "_id"),
    order="target/objectId",
    id_path=f"{ITEMS}.id",
)

ENDED = EntitySet(
    "accessPackageAssignment",
    {
        "id": Field("_id", GUID),
        "state": Field("assignment.status", _STATES),
        "accessPackage/id": Field("package_id", GUID),
        "assignmentPolicy/id": Field("policy_id", GUID),
        "target/objectId": Field("person_id", GUID, sortable=True),
        "target/id": Field("person_id", GUID, sortable=True),
        "expiredDateTime": Field("ended_at", DATETIME, sortable=True),
        "schedule/startDateTime": Field("assignment.startsAt", DATE_TEXT),
        "schedule/expiration/endDateTime": Field("assignment.endsAt", DATE_TEXT),
    },
    selectable=_SELECTABLE,
    expandable=_EXPANDABLE,
    through=_through("package_id", "policy_id", "person_id"),
    order="target/objectId",
)


def narrowed(query: ListQuery) -> dict[str, Any]:
    """A filter on whole holdings that is sure to leave in all that `query` asks for: what an index can answer.

    Only equalities that must all hold. Of a list MongoDB says equal if any item is: never too few."""
    found: list[dict[str, Any]] = []
    waiting = [query.where]
    while waiting:
        for name, condition in waiting.pop().items():
            if name == "$and":
                waiting += condition
            elif isinstance(condition, dict) and set(condition) <= {"$eq", "$in"} and not name.startswith("$"):
                found.append({name: condition})
    match query.after:
        case {"$or": [{"$and": [{"_id": {"$gt": person}}]}, *_]}:
            found.append({"_id": {"$gte": person}})
    return {"$and": found} if found else {}
