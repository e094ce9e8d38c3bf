"""Deliveries of one person: what is wanted at each resource, how far it has come, and what is known to be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from shared.contracts.base import Lane, Refusal
from shared.contracts.catalog import ResourceRole
from shared.contracts.provisioning import DeliveriesState, DeliveryState, DeliveryStatus

SETTLED = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.REMOVED})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One resource role for one person."""

    role: ResourceRole
    wanted: bool
    version: int
    """The grant version being obeyed."""
    status: DeliveryStatus
    changed_at: datetime
    said_in: int
    """Version of the first fact that has this status, or will have it."""
    command_id: str = ""
    """Of the last command; its answer settles this delivery."""
    tries: int = 0
    """Commands made for this version: 1 for the first, one more for each repair."""
    attempts: int = 0
    """How often the last command was sent without an answer."""
    due_at: datetime | None = None
    """When it is sent again, or looked at again."""
    found: bool = False
    problem: Refusal | None = None
    final: bool = False
    """Refused: sending it again is of no use."""
    withheld: int | None = None
    """Version of a removal that waits until no message about this person lies in the dead letters."""
    lane: Lane = Lane.ORDINARY
    correlation: str = ""

    @property
    def settled(self) -> bool:
        return self.status in SETTLED


@dataclass(frozen=True, slots=True)
class Membership:
    """How the directory last said that this person stands to one group, or to one role."""

    member: bool
    by_hand: bool
    by_grant: bool
    obeyed: int
    repairs: int


NO_MEMBER = Membership(member=False, by_hand=False, by_grant=False, obeyed=0, repairs=0)
"""Of a group or role that the directory does not speak of."""

RoleName = tuple[str, str, str]
"""(system, origin id, role)"""


def name_of(role: ResourceRole) -> RoleName:
    return role.origin_system, role.origin_id, role.role


@dataclass(frozen=True, slots=True)
class Deliveries:
    """All of one person."""

    person_id: str
    holding_version: int = 0
    """The newest holding that was obeyed; a holding says everything, so older ones say nothing."""
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    """By the role's key; nothing is ever taken out."""
    memberships_version: int = 0
    memberships: Mapping[str, Membership] = field(default_factory=dict)
    """By group id, as of that version of the directory's; a group that is not there is none they are in."""
    held_version: int = 0
    held: Mapping[RoleName, Membership] = field(default_factory=dict)
    """The same of all roles that are no memberships."""

    def standing(self, role: ResourceRole) -> Membership:
        """How they stand to it by the newest that is known."""
        if role.origin_system == "AadGroup" and role.role == "Member":
            return self.memberships.get(role.origin_id, NO_MEMBER)
        return self.held.get(name_of(role), NO_MEMBER)

    @property
    def due_at(self) -> datetime | None:
        return min((one.due_at for one in self.deliveries.values() if one.due_at is not None), default=None)


@dataclass(frozen=True, slots=True)
class Repair:
    """An operator asks that this person's drift be put right. Once that is under way, asking again does nothing."""

    person_id: str


def public(state: Deliveries) -> DeliveriesState:
    """As others see it."""
    return DeliveriesState.model_construct(
        person_id=state.person_id, deliveries=tuple(shown(one) for one in state.deliveries.values())
    )


def shown(one: Delivery) -> DeliveryState:
    """One delivery as others see it."""
    return DeliveryState.model_construct(
        role=one.role,
        wanted=one.wanted,
        version=one.version,
        status=one.status,
        found=one.found,
        attempts=one.attempts,
        problem=one.problem,
        changed_at=one.changed_at,
        said_in=one.said_in,
    )


def dump(state: Deliveries) -> dict[str, Any]:
    """To a document. Deliveries are a list, so that their group can be indexed."""
    return {
        "person_id": state.person_id,
        "holding_version": state.holding_version,
        "deliveries": [_dumped(one) for one in state.deliveries.values()],
        "memberships_version": state.memberships_version,
        "memberships": {
            group: [m.member, m.by_hand, m.by_grant, m.obeyed, m.repairs] for group, m in state.memberships.items()
        },
        **({"held_version": state.held_version, "held": _dumped_held(state)} if state.held_version else {}),
    }


def _dumped_held(state: Deliveries) -> list[list[Any]]:
    # A list, for the name of a role may be an address.
    return [[*name, m.member, m.by_hand, m.by_grant, m.obeyed, m.repairs] for name, m in state.held.items()]


def load(document: Mapping[str, Any]) -> Deliveries:
    """Back from a document."""
    found = [_loaded(one) for one in document["deliveries"]]
    return Deliveries(
        document["person_id"],
        document["holding_version"],
        {one.role.key: one for one in found},
        document["memberships_version"],
        {group: Membership(*values) for group, values in document["memberships"].items()},
        document.get("held_version", 0),
        {(system, id, role): Membership(*values) for system, id, role, *values in document.get("held", ())},
    )


def _dumped(one: Delivery) -> dict[str, Any]:
    document: dict[str, Any] = {
        "system": one.role.origin_system,
        "resource": one.role.origin_id,
        "role": one.role.role,
        "name": one.role.display_name,
        "wanted": one.wanted,
        "version": one.version,
        "status": one.status.value,
        "changed_at": one.changed_at,
        "said_in": one.said_in,
        "command_id": one.command_id,
        "tries": one.tries,
        "lane": one.lane.value,
        "correlation": one.correlation,
    }
    # Settled deliveries are the great mass: what most of them do not have is left out.
    rare = {
        "attempts": one.attempts,
        "due_at": one.due_at,
        "found": one.found,
        "final": one.final,
        "withheld": one.withheld,
        "problem": one.problem and {"code": one.problem.code, "message": one.problem.message},
    }
    document.update({name: value for name, value in rare.items() if value})
    return document


def _loaded(document: Mapping[str, Any]) -> Delivery:
    problem = document.get("problem")
    return Delivery(
        role=_role(document["system"], document["resource"], document["role"], document["name"]),
        wanted=document["wanted"],
        version=document["version"],
        status=DeliveryStatus(document["status"]),
        changed_at=document["changed_at"],
        said_in=document["said_in"],
        command_id=document["command_id"],
        tries=document["tries"],
        attempts=document.get("attempts", 0),
        due_at=document.get("due_at"),
        found=document.get("found", False),
        problem=Refusal(**problem) if problem else None,
        final=document.get("final", False),
        withheld=document.get("withheld"),
        lane=Lane(document["lane"]),
        correlation=document["correlation"],
    )


@lru_cache(maxsize=4096)
def _role(
    system: Literal["AadGroup", "AadApplication", "SharePointOnline"], id: str, role: str, name: str
) -> ResourceRole:
    """Few roles, many deliveries: each is made once."""
    return ResourceRole.model_construct(origin_system=system, origin_id=id, role=role, display_name=name)
