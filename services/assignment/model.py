"""A holding: all access of one person, in one document; and the job that carries a rule change to everyone.

Values: whoever changes one makes another. Plain slotted classes and not pydantic, because every HR change loads one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from shared.contracts.assignment import (
    AssignmentKind,
    AssignmentState,
    AssignmentStatus,
    ExclusionState,
    GrantState,
    HoldingFact,
    HoldingState,
    RuleJobFact,
    RuleJobState,
)
from shared.contracts.base import Cause, Lane, made
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import PersonStatus
from shared.contracts.provisioning import DeliveryStatus
from shared.contracts.topics import HOLDING_FACTS, RULE_JOB_FACTS
from shared.messaging.decision import AggregateKind

MOST_ENDED = 32
"""Ids of ended direct assignments that a holding remembers itself, until the history certainly has them."""


@dataclass(slots=True)
class Assignment:
    """One package, held under one policy. Of a package at most one is held, and at most one more is scheduled."""

    id: str
    package_id: str
    policy_id: str
    kind: AssignmentKind
    status: AssignmentStatus
    starts_at: datetime
    ends_at: datetime | None
    assigned_at: datetime
    cause: Cause
    justification: str | None = None
    reminded: int = 0
    """How many of the reminders before its end have been said, or were past when it began."""
    request_id: str | None = None
    """The request that brought it."""

    @property
    def scheduled(self) -> bool:
        return self.status is AssignmentStatus.SCHEDULED

    @property
    def automatic(self) -> bool:
        return self.kind is AssignmentKind.AUTOMATIC


@dataclass(slots=True)
class Grant:
    """One resource role that is due because at least one assignment needs it."""

    key: str
    role: ResourceRole
    assignments: tuple[str, ...]
    deliver: bool
    version: int
    delivery: DeliveryStatus | None = None
    """What provisioning says of this very version; None: nothing yet."""
    said_in: int = 0
    """Version of the fact that said so."""


@dataclass(slots=True)
class Holding:
    """Everything about one person's access that a decision may need."""

    id: str
    status: PersonStatus | None = None
    """None: no person fact has come yet."""
    person_version: int = 0
    facets: dict[str, Any] = field(default_factory=dict)
    """The person as rules see them (shared.rules.facets), `memberOf` and `manager` included."""
    about: dict[str, str] = field(default_factory=dict)
    """What a list of assignments shows of its target: displayName, userPrincipalName, mail."""
    memberships_version: int = 0
    groups: tuple[str, ...] = ()
    """Groups that some rule or separation of duties names, in small letters, and that the person was in in that
    version."""
    epoch: int = 0
    """State of the rules under which all this was decided."""
    assignments: dict[str, Assignment] = field(default_factory=dict)
    """By id, the oldest first."""
    grants: dict[str, Grant] = field(default_factory=dict)
    """By resource role."""
    ended: tuple[str, ...] = ()
    due_at: datetime | None = None
    withheld: tuple[str, ...] = ()
    """Packages that a rule would give, were it not for separation of duties; said once, when it began."""
    exclusions: dict[str, ExclusionState] = field(default_factory=dict)
    """By package: what no rule gives to this person for a time."""

    def having(self, **changes: Any) -> Holding:
        return replace(self, **changes)

    @property
    def delivers(self) -> bool:
        """Suspended and expected people keep their assignments, and have nothing delivered."""
        return self.status is PersonStatus.ACTIVE

    @property
    def matches_rules(self) -> bool:
        """Rules speak of the suspended too (their assignments follow, undelivered); never of whoever has left."""
        return self.status is PersonStatus.ACTIVE or self.status is PersonStatus.SUSPENDED

    def held(self, package_id: str) -> Assignment | None:
        """The assignment by which the package is held now."""
        return next((a for a in self.assignments.values() if a.package_id == package_id and not a.scheduled), None)


@lru_cache(maxsize=1 << 16)
def role_of(origin_system: Any, origin_id: str, role: str, display_name: str) -> ResourceRole:
    """The same few roles stand in very many holdings."""
    return made(ResourceRole, origin_system=origin_system, origin_id=origin_id, role=role, display_name=display_name)


_STATUS = {status.value: status for status in AssignmentStatus}
_KIND = {kind.value: kind for kind in AssignmentKind}
_DELIVERY = {status.value: status for status in DeliveryStatus}
_PERSON = {status.value: status for status in PersonStatus}


def dump(holding: Holding) -> dict[str, Any]:
    """As MongoDB keeps it; indexes are made over these names."""
    document = {
        "status": holding.status.value if holding.status else None,
        "person_version": holding.person_version,
        "facets": holding.facets,
        "about": holding.about,
        "memberships_version": holding.memberships_version,
        "groups": holding.groups,
        "epoch": holding.epoch,
        "assignments": [dump_assignment(a) for a in holding.assignments.values()],
        "grants": [
            {
                "role": [g.role.origin_system, g.role.origin_id, g.role.role, g.role.display_name],
                "assignments": list(g.assignments),
                "deliver": g.deliver,
                "version": g.version,
                "delivery": g.delivery.value if g.delivery else None,
                "said_in": g.said_in,
            }
            for g in holding.grants.values()
        ],
        "ended": list(holding.ended),
        "due_at": holding.due_at,
        "id": holding.id,
    }
    if holding.withheld:
        document["withheld"] = list(holding.withheld)
    if holding.exclusions:
        document["exclusions"] = [one.model_dump(by_alias=False) for one in holding.exclusions.values()]
    return document


# `_value_` because `value` is looked up by a descriptor written in Python, which costs as much as the rest.
def dump_assignment(a: Assignment) -> dict[str, Any]:
    document = {
        "id": a.id,
        "package_id": a.package_id,
        "policy_id": a.policy_id,
        "kind": a.kind._value_,
        "status": a.status._value_,
        "starts_at": a.starts_at,
        "ends_at": a.ends_at,
        "assigned_at": a.assigned_at,
        "cause": dump_cause(a.cause),
        "justification": a.justification,
        "reminded": a.reminded,
    }
    if a.request_id is not None:
        document["request_id"] = a.request_id
    return document


def load(document: dict[str, Any]) -> Holding:
    """What `dump` made."""
    status = document["status"]
    assignments = {one["id"]: load_assignment(one) for one in document["assignments"]}
    grants: dict[str, Grant] = {}
    for one in document["grants"]:
        role = role_of(*one["role"])
        key = f"{role.origin_system}/{role.origin_id}/{role.role}"
        delivery = one["delivery"]
        grants[key] = Grant(
            key,
            role,
            tuple(one["assignments"]),
            one["deliver"],
            one["version"],
            _DELIVERY[delivery] if delivery else None,
            one["said_in"],
        )
    return Holding(
        document["id"],
        _PERSON[status] if status else None,
        document["person_version"],
        document["facets"],
        document["about"],
        document["memberships_version"],
        tuple(document["groups"]),
        document["epoch"],
        assignments,
        grants,
        tuple(document["ended"]),
        document["due_at"],
        tuple(document.get("withheld", ())),
        {one["package_id"]: ExclusionState.model_validate(one) for one in document.get("exclusions", ())},
    )


def load_assignment(one: dict[str, Any]) -> Assignment:
    return Assignment(
        one["id"],
        one["package_id"],
        one["policy_id"],
        _KIND[one["kind"]],
        _STATUS[one["status"]],
        one["starts_at"],
        one["ends_at"],
        one["assigned_at"],
        load_cause(one["cause"]),
        one["justification"],
        one["reminded"],
        one.get("request_id"),
    )


def dump_cause(cause: Cause) -> list[Any]:
    return [cause.id, cause.correlation, cause.actor, cause.effective_at, cause.lane._value_]


def load_cause(parts: list[Any]) -> Cause:
    id, correlation, actor, effective_at, lane = parts
    return made(
        Cause,
        id=id,
        correlation=correlation,
        actor=actor,
        effective_at=effective_at,
        lane=Lane.URGENT if lane == "urgent" else Lane.ORDINARY,
    )


def public_assignment(a: Assignment, status: AssignmentStatus | None = None) -> AssignmentState:
    """The assignment as others see it, or as it is from now on with another status."""
    return made(
        AssignmentState,
        id=a.id,
        package_id=a.package_id,
        policy_id=a.policy_id,
        kind=a.kind,
        status=status or a.status,
        starts_at=a.starts_at,
        ends_at=a.ends_at,
        assigned_at=a.assigned_at,
        cause=a.cause,
        justification=a.justification,
        request_id=a.request_id,
    )


def public(holding: Holding) -> HoldingState:
    """The holding as others see it."""
    return made(
        HoldingState,
        person_id=holding.id,
        assignments=tuple(public_assignment(a) for a in holding.assignments.values()),
        grants=tuple(
            made(GrantState, role=g.role, assignments=g.assignments, deliver=g.deliver, version=g.version)
            for g in holding.grants.values()
        ),
        exclusions=tuple(holding.exclusions.values()),
        suspended=holding.status is PersonStatus.SUSPENDED,
    )


HOLDING = AggregateKind[Holding](
    name="holding",
    owner="assignment",
    dump=dump,
    load=load,
    topic=HOLDING_FACTS,
    fact=HoldingFact,
    public=public,
    due_at=lambda holding: holding.due_at,
)

Subject = Literal["policy", "package", "population"]


@dataclass(frozen=True, slots=True)
class RuleJob:
    """A change of rules or role sets on its way through everyone it can concern. One a policy, package, population."""

    id: str
    subject: Subject
    target_epoch: int
    cause: Cause
    started_at: datetime
    cursor: str | None = None
    """The last person decided; they are taken in the order of their ids."""
    decided: int = 0
    changed: int = 0
    expected: int | None = None
    done: bool = False
    finished_at: datetime | None = None
    due_at: datetime | None = None


def dump_job(job: RuleJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "subject": job.subject,
        "target_epoch": job.target_epoch,
        "cause": dump_cause(job.cause),
        "started_at": job.started_at,
        "cursor": job.cursor,
        "decided": job.decided,
        "changed": job.changed,
        "expected": job.expected,
        "done": job.done,
        "finished_at": job.finished_at,
        "due_at": job.due_at,
    }


def load_job(document: dict[str, Any]) -> RuleJob:
    return RuleJob(**{**document, "cause": load_cause(document["cause"])})


def public_job(job: RuleJob) -> RuleJobState:
    return RuleJobState(
        id=job.id,
        subject=job.subject,
        target_epoch=job.target_epoch,
        done=job.done,
        decided=job.decided,
        expected=job.expected,
        changed=job.changed,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )


RULE_JOB = AggregateKind[RuleJob](
    name="rule-job",
    owner="assignment",
    dump=dump_job,
    load=load_job,
    topic=RULE_JOB_FACTS,
    fact=RuleJobFact,
    public=public_job,
    due_at=lambda job: job.due_at,
)
