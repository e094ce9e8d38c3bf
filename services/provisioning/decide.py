"""From what is due to what is asked of the resources, and from their answers to how far it has come. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from services.provisioning.connectors import Ask, Connector, connector_for
from services.provisioning.connectors.directory_groups import DirectoryGroups
from services.provisioning.connectors.directory_roles import DirectoryRoles
from services.provisioning.model import NO_MEMBER, Deliveries, Delivery, Membership, Repair, name_of
from shared.contracts.assignment import GrantGiven, GrantTaken, HoldingFact
from shared.contracts.base import Lane, Refusal, Transition
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import MembershipObeyed, MembershipRefused, MembershipsFact
from shared.contracts.provisioning import (
    Delivered,
    DeliveryFailed,
    DeliveryStarted,
    DeliveryStatus,
    DriftFound,
    Removed,
)
from shared.contracts.resources import HeldRolesFact, RoleAt, RoleObeyed, RoleRefused
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision, Due
from shared.messaging.envelope import Outgoing

CONNECTORS: tuple[Connector, ...] = (DirectoryGroups(), DirectoryRoles())

FIRST_RESEND = timedelta(minutes=15)
"""A command waits behind a mass import like everything else: resending early would only lengthen the queue."""
LONGEST_RESEND = timedelta(hours=1)
FAILS_AFTER = 5
"""Unanswered sendings, over some four hours, after which the delivery is said to have failed; it goes on slowly."""
LOOK_AGAIN = timedelta(minutes=1)
"""Pause between two looks whether a withheld removal may go on."""


def follow_holding(state: Deliveries | None, fact: HoldingFact, at: Circumstances[Any]) -> Decision[Deliveries]:
    """What the newest holding wants is given and taken. An older holding, or the same again, changes nothing."""
    before = state or Deliveries(fact.subject)
    if fact.version <= before.holding_version:
        return Decision(state)
    work = _Work(before, at)
    due = {grant.role.key: grant for grant in fact.state.grants}
    taken = {one.role.key: one.version for one in fact.transitions if isinstance(one, GrantTaken)}
    for grant in due.values():
        work.want(grant.role, grant.deliver, grant.version)
    for key, one in before.deliveries.items():
        if key not in due:
            work.want(one.role, False, max(taken.get(key, fact.version), one.version + 1))
    if not work.moved and not any(isinstance(one, GrantGiven | GrantTaken) for one in fact.transitions):
        # Most holdings only tell that an assignment got on. Not to remember them saves a write, and opens no way for
        # an older one: what that gave, this one would still show, or a later one has taken and is remembered for it.
        return Decision(state)
    return work.decision(state, holding_version=fact.version)


def follow_memberships(state: Deliveries | None, fact: MembershipsFact, at: Circumstances[Any]) -> Decision[Deliveries]:
    """Remember what the directory says is there, and settle the deliveries whose asks it answers.

    An older fact, come by the other lane, says nothing of what is there now; what it answers is answered."""
    before = state or Deliveries(fact.subject)
    there = {
        one.group_id: Membership(one.member, one.by_hand, one.by_grant, one.obeyed, one.repairs)
        for one in fact.state.groups
    }
    newer = fact.version > before.memberships_version
    now = there if newer else before.memberships
    work = _Work(before, at)
    for one in fact.transitions:
        if isinstance(one, MembershipObeyed):
            work.obeyed(one.command_id, there.get(one.group_id, NO_MEMBER))
        elif isinstance(one, MembershipRefused):
            work.refused(one.command_id, one.reason, now.get(one.group_id, NO_MEMBER))
    return work.decision(state, memberships_version=fact.version, memberships=there) if newer else work.decision(state)


def follow_held_roles(state: Deliveries | None, fact: HeldRolesFact, at: Circumstances[Any]) -> Decision[Deliveries]:
    """The same of roles of applications and sites, and of ownership."""
    before = state or Deliveries(fact.subject)
    there = {
        _named(one): Membership(one.held, one.by_hand, one.by_grant, one.obeyed, one.repairs)
        for one in fact.state.roles
    }
    newer = fact.version > before.held_version
    now = there if newer else before.held
    work = _Work(before, at)
    for one in fact.transitions:
        if isinstance(one, RoleObeyed):
            work.obeyed(one.command_id, there.get(_named(one.role), NO_MEMBER))
        elif isinstance(one, RoleRefused):
            work.refused(one.command_id, one.reason, now.get(_named(one.role), NO_MEMBER))
    return work.decision(state, held_version=fact.version, held=there) if newer else work.decision(state)


def _named(role: RoleAt) -> tuple[str, str, str]:
    return role.origin_system.value, role.origin_id, role.role


@dataclass(frozen=True, slots=True)
class Resources:
    """What is known of the groups, applications and sites that a timer's deliveries are about, by their ids there."""

    deleted: frozenset[str] = frozenset()
    alive: frozenset[str] = frozenset()


def look_again(state: Deliveries | None, due: Due, at: Circumstances[Resources]) -> Decision[Deliveries]:
    """Send again what was not answered; settle what a deleted resource leaves; go on with what had been withheld."""
    if state is None:
        return Decision(state)
    work = _Work(state, at)
    for one in state.deliveries.values():
        resource = one.role.origin_id
        if resource in at.context.deleted:
            work.resource_is_gone(one)
        elif one.final and one.withheld is None and resource in at.context.alive:
            work.ask_anew(one)
        elif one.due_at is not None and one.due_at <= at.now:
            work.go_on(one)
    return work.decision(state)


def repair(state: Deliveries | None, ask: Repair, at: Circumstances[Any]) -> Decision[Deliveries]:
    """Command again what drifted: what is missing and a grant wants, what is there by a grant that is no more."""
    if state is None:
        return Decision(state)
    work = _Work(state, at)
    for drift in drift_of(state):
        work.repair(drift)
    return work.decision(state)


@dataclass(frozen=True, slots=True)
class Drift:
    """A membership or held role that is not as it should be. `version`: of the grant that wants or wanted it last."""

    role: ResourceRole
    expected: bool
    version: int


def drift_of(state: Deliveries) -> list[Drift]:
    """What differs from what is wanted, in the order of the roles' keys.

    Judged are settled deliveries only: what is under way will be answered, and is told from drift by that. Both sides
    lie in one document, so nothing moves between looking at one and at the other."""
    found: list[Drift] = []
    for one in state.deliveries.values():
        if not one.settled or one.withheld is not None or connector_for(one.role, CONNECTORS) is None:
            continue
        there = state.standing(one.role)
        missing = one.wanted and not there.member
        too_many = not one.wanted and there.member and there.by_grant
        if missing or too_many:
            found.append(Drift(one.role, one.wanted, one.version))
    for group, there in state.memberships.items():
        role = ResourceRole(origin_id=group)
        if there.member and there.by_grant and role.key not in state.deliveries:
            found.append(Drift(role, False, there.obeyed))
    known = {name_of(one.role) for one in state.deliveries.values()}
    for (system, id, name), there in state.held.items():
        if there.member and there.by_grant and (system, id, name) not in known:
            role = ResourceRole.model_validate({"originSystem": system, "originId": id, "role": name})
            found.append(Drift(role, False, there.obeyed))
    return sorted(found, key=lambda drift: drift.role.key)


def found_access_of(state: Deliveries) -> list[str]:
    """Groups the person is in though no grant explains it, by id. Listed, and never taken away."""
    wanted = {one.role.key for one in state.deliveries.values() if one.wanted}
    return sorted(
        group
        for group, there in state.memberships.items()
        if there.member and not there.by_grant and ResourceRole(origin_id=group).key not in wanted
    )


def unsettled_in(state: Deliveries) -> int:
    """Deliveries that are under way or have failed: not judged."""
    return sum(not one.settled for one in state.deliveries.values())


class _Work:
    """One decision in the making: the deliveries so far, what happened, what is to be asked."""

    def __init__(self, state: Deliveries, at: Circumstances[Any]) -> None:
        self.moved = False
        self._at = at
        self._before = state
        self._deliveries = dict(state.deliveries)
        self._transitions: list[Transition] = []
        self._asks: dict[tuple[Connector, Lane, str], list[Ask]] = {}

    def decision(self, stored: Deliveries | None, **known: Any) -> Decision[Deliveries]:
        """The state that came in if nothing has changed. `known`: what else of the state is new."""
        if not self.moved and not known:
            return Decision(stored)
        state = replace(self._before, deliveries=self._deliveries, **known)
        return Decision(state, tuple(self._transitions), tuple(self._commands()))

    def _commands(self) -> Iterator[Outgoing]:
        """All that is asked of one connector at once, by lane and first cause."""
        for (connector, lane, correlation), asks in self._asks.items():
            cause = self._at.cause
            if cause.correlation != correlation or cause.lane is not lane:
                # A timer resends: the first cause and its lane stay what they were.
                cause = cause.model_copy(update={"correlation": correlation, "lane": lane})
            yield from connector.commands(self._before.person_id, asks, cause, self._at.now)

    def want(self, role: ResourceRole, wanted: bool, version: int) -> None:
        """A grant of this version wants the role, or wants it no longer."""
        key = role.key
        current = self._deliveries.get(key)
        if current is None:
            if wanted:
                self._start(role, True, version, found=False)
            return
        if version <= current.version or (not wanted and not current.wanted):
            return
        if wanted or not self._withheld():
            self._start(role, wanted, version, found=current.found)
        elif current.withheld is None or current.withheld < version:
            self._put(replace(current, withheld=version, due_at=self._at.now + LOOK_AGAIN))

    def _withheld(self) -> bool:
        # A lost message may be the one that says why the access is kept. An urgent leaver does not wait for it.
        return self._at.degraded and self._at.cause.lane is not Lane.URGENT

    def _start(self, role: ResourceRole, wanted: bool, version: int, *, found: bool) -> None:
        one = Delivery(
            role=role,
            wanted=wanted,
            version=version,
            status=_under_way(wanted),
            changed_at=self._at.now,
            said_in=self._at.version,
            found=found,
            lane=self._at.cause.lane,
            correlation=self._at.cause.correlation,
        )
        # Not told: the grant and the command say all of it.
        self._ask(one)

    def _ask(self, one: Delivery) -> None:
        """Ask for this delivery once more, under an id of its own."""
        tries = one.tries + 1
        one = replace(
            one,
            tries=tries,
            command_id=command_id(self._before.person_id, one.role, one.version, tries),
            attempts=1,
            due_at=self._at.now + FIRST_RESEND,
            problem=None,
            final=False,
            withheld=None,
        )
        if self._send(one):
            self._put(one)
        else:
            self._fail(one, _no_connector(one.role), final=True)

    def _send(self, one: Delivery) -> bool:
        connector = connector_for(one.role, CONNECTORS)
        if connector is None:
            return False
        asks = self._asks.setdefault((connector, one.lane, one.correlation), [])
        asks.append(Ask(one.command_id, one.role, one.wanted, one.version, one.tries - 1))
        return True

    def obeyed(self, command: str, there: Membership) -> None:
        """`there`: as the answer found or left it."""
        one = self._asked(command)
        if one is None or one.settled:
            return
        if one.wanted:
            self._put(
                self._now(
                    one,
                    DeliveryStatus.DELIVERED,
                    found=there.by_hand,
                    attempts=0,
                    due_at=one.due_at if one.withheld is not None else None,
                    problem=None,
                    final=False,
                )
            )
            self._transitions.append(Delivered.model_construct(role=one.role, version=one.version, found=there.by_hand))
        else:
            self._removed(one, left_in_place=there.member)

    def _removed(self, one: Delivery, *, left_in_place: bool) -> None:
        self._put(
            self._now(
                one,
                DeliveryStatus.REMOVED,
                found=False,
                attempts=0,
                due_at=None,
                problem=None,
                final=False,
            )
        )
        self._transitions.append(
            Removed.model_construct(role=one.role, version=one.version, left_in_place=left_in_place)
        )

    def refused(self, command: str, reason: Refusal, there: Membership) -> None:
        """`there`: as it is by the newest that is known."""
        one = self._asked(command)
        if one is None or one.settled or one.final:
            return
        if not one.wanted and not there.member:
            self._removed(one, left_in_place=False)  # refused, but there is nothing to take away
        else:
            self._fail(one, reason, final=True)

    def go_on(self, one: Delivery) -> None:
        """Its date has come: withheld removals begin, unanswered commands are sent again."""
        if one.withheld is not None:
            if self._withheld():
                self._put(replace(one, due_at=self._at.now + LOOK_AGAIN))
            else:
                self._start(one.role, False, one.withheld, found=one.found)
        elif one.settled or one.final:
            self._put(replace(one, due_at=None))
        elif one.attempts >= FAILS_AFTER and one.status is not DeliveryStatus.FAILED:
            self._send(one)
            self._fail(
                replace(one, attempts=one.attempts + 1),
                Refusal(code="noAnswer", message=f"No answer after {one.attempts} attempts; it goes on slowly."),
                final=False,
            )
        else:
            self._send(one)
            sent = replace(one, attempts=one.attempts + 1)
            self._put(replace(sent, due_at=self._at.now + pause_after(sent.attempts)))

    def resource_is_gone(self, one: Delivery) -> None:
        """Nothing can be given at what was deleted, and nothing is left to take away there."""
        if one.withheld is not None:
            self._removed(replace(one, wanted=False, version=one.withheld, withheld=None), left_in_place=False)
        elif one.wanted and not (one.status is DeliveryStatus.FAILED and one.final):
            self._fail(one, _DELETED[one.role.origin_system], final=True)
        elif not one.wanted and one.status is not DeliveryStatus.REMOVED:
            self._removed(one, left_in_place=False)
        elif one.due_at is not None:
            self._put(replace(one, due_at=None))

    def ask_anew(self, one: Delivery) -> None:
        """The resource that was missing is there (again), or has the role now."""
        self._transitions.append(DeliveryStarted.model_construct(role=one.role, version=one.version, wanted=one.wanted))
        self._ask(self._now(one, _under_way(one.wanted)))

    def repair(self, drift: Drift) -> None:
        one = self._deliveries.get(drift.role.key) or self._somebody_elses(drift)
        self._transitions.append(DriftFound.model_construct(role=one.role, expected=drift.expected, repaired=True))
        self._ask(
            self._now(
                one,
                _under_way(drift.expected),
                lane=self._at.cause.lane,
                correlation=self._at.cause.correlation,
            )
        )

    def _somebody_elses(self, drift: Drift) -> Delivery:
        """A grant's that we know nothing of, as far as it was obeyed: the next repair is a new one."""
        there = self._before.standing(drift.role)
        return Delivery(
            drift.role,
            drift.expected,
            drift.version,
            DeliveryStatus.REMOVED,
            self._at.now,
            self._at.version,
            tries=there.repairs + 1,
        )

    def _fail(self, one: Delivery, reason: Refusal, *, final: bool) -> None:
        due_at = None if final else self._at.now + pause_after(one.attempts)
        self._put(self._now(one, DeliveryStatus.FAILED, problem=reason, final=final, due_at=due_at))
        self._transitions.append(
            DeliveryFailed.model_construct(role=one.role, version=one.version, reason=reason, final=final)
        )

    def _now(self, one: Delivery, status: DeliveryStatus, **changes: Any) -> Delivery:
        return replace(one, status=status, changed_at=self._at.now, said_in=self._at.version, **changes)

    def _asked(self, command: str) -> Delivery | None:
        key = self._by_command.get(command)
        return self._deliveries[key] if key is not None else None

    @cached_property
    def _by_command(self) -> dict[str, str]:
        """Last command of each delivery -> its key; read by decisions on answers, which ask for nothing new."""
        return {one.command_id: key for key, one in self._deliveries.items()}

    def _put(self, one: Delivery) -> None:
        self._deliveries[one.role.key] = one
        self.moved = True


def command_id(person_id: str, role: ResourceRole, version: int, tries: int) -> str:
    """One id a version, and another for each repair: the same id again is the same command again."""
    parts: Sequence[str | int] = (person_id, role.key, version)
    return derived_id("membership-command", *parts, *(("repair", tries) if tries > 1 else ()))


def pause_after(attempts: int) -> timedelta:
    """Until the next sending: a quarter of an hour, doubling, an hour at most."""
    return min(FIRST_RESEND * int(2 ** min(attempts - 1, 16)), LONGEST_RESEND)


_DELETED = {
    "AadGroup": Refusal(code="groupDeleted", message="The group has been deleted."),
    "AadApplication": Refusal(code="applicationDeleted", message="The application has been deleted."),
    "SharePointOnline": Refusal(code="siteDeleted", message="The site has been deleted."),
}


def _under_way(wanted: bool) -> DeliveryStatus:
    return DeliveryStatus.DELIVERING if wanted else DeliveryStatus.REMOVING


def _no_connector(role: ResourceRole) -> Refusal:
    return Refusal(
        code="noConnector", message=f"Nothing here can give the role {role.role} at a resource of {role.origin_system}."
    )
