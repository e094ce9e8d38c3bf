"""What is due to a person: the assignments that rules and dates call for, the grants these need, the next date.

Every act ends here, so one holding is always the outcome of the same rules, whatever set it off:

1. who has left keeps nothing; what has run out ends, what has begun is held;
2. rules give and take, the latter after the policy's grace period or never: a package is held once; a direct
   assignment wins, and a rule takes over when it ends; no rule gives against separation of duties, nor what a review
   keeps from this person for a time;
3. a grant exists exactly while an assignment needs it, and is delivered exactly while the person is active;
4. an assignment is as far as the deliveries of its grants are.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from datetime import datetime, timedelta

from services.assignment.decide.look import Look
from services.assignment.decide.separation import separated
from services.assignment.model import MOST_ENDED, Assignment, Grant, Holding, public_assignment
from services.assignment.rulebook import Rulebook
from shared.contracts.assignment import (
    AssignmentAdded,
    AssignmentBegan,
    AssignmentEnded,
    AssignmentEndsSoon,
    AssignmentKind,
    AssignmentMoved,
    AssignmentProgressed,
    AssignmentRefused,
    AssignmentStatus,
    EndReason,
    ExclusionLifted,
    ExclusionState,
    GrantGiven,
    GrantTaken,
)
from shared.contracts.base import Transition, made
from shared.contracts.catalog import Life, ResourceRole
from shared.contracts.directory import PersonStatus
from shared.contracts.provisioning import DeliveryStatus
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision

REMIND_BEFORE = (timedelta(days=14), timedelta(days=1))
"""An end is announced this long before. Source: entra-features, EXP-3."""
LOOK_AGAIN_AFTER = timedelta(minutes=1)
"""While a dead letter forbids removals, the person is looked at again after this time."""

Said = list[Transition]


def settle(holding: Holding, at: Circumstances[Look], said: Said | None = None, *, known: Holding) -> Decision[Holding]:
    """Bring `holding` in line with the present rules and dates.

    `said` is what the act before has already done to it, `known` the state that came in: if all is as it was, that very
    object is returned."""
    said = [] if said is None else said
    rules = at.context.rules
    assignments = dict(holding.assignments)
    exclusions = _in_force(holding.exclusions, at.now, said) if holding.exclusions else holding.exclusions
    held_back, withheld = False, holding.withheld
    if holding.status is PersonStatus.LEFT:
        withheld = ()
        for one in holding.assignments.values():
            end(assignments, one, EndReason.LEFT, said)
    else:
        _by_date(assignments, at.now, said)
        held_back, withheld = _by_rules(holding, assignments, exclusions, at, said)
    grants = _grants(holding, assignments, rules, at.version, said)
    _progress(holding, assignments, grants, rules, said)
    due_at = _next_date(holding, assignments, exclusions, rules, at.now)
    if held_back:
        retry = at.now + LOOK_AGAIN_AFTER
        due_at = min(due_at, retry) if due_at else retry
    if (
        holding is known
        and not said
        and assignments == known.assignments
        and grants == known.grants
        and withheld == known.withheld
        and exclusions == known.exclusions
        and due_at == known.due_at
    ):
        return Decision(known)
    ended = holding.ended
    if by_hand := [t.assignment.id for t in said if t.__class__ is AssignmentEnded and _was_by_hand(t)]:
        ended = (*ended, *by_hand)[-MOST_ENDED:]
    settled = Holding(
        holding.id,
        holding.status,
        holding.person_version,
        holding.facets,
        holding.about,
        holding.memberships_version,
        holding.groups,
        at.context.epoch,
        assignments,
        grants,
        ended,
        due_at,
        withheld,
        exclusions,
    )
    return Decision(settled, tuple(said))


def _in_force(exclusions: dict[str, ExclusionState], now: datetime, said: Said) -> dict[str, ExclusionState]:
    """Those whose time is not over."""
    over = [one for one in exclusions.values() if one.until <= now]
    said += [ExclusionLifted(exclusion=one) for one in over]
    return {id: one for id, one in exclusions.items() if one not in over} if over else exclusions


def _was_by_hand(ended: Transition) -> bool:
    assert isinstance(ended, AssignmentEnded)
    return ended.assignment.kind is not AssignmentKind.AUTOMATIC


def end(assignments: dict[str, Assignment], one: Assignment, reason: EndReason, said: Said, detail: str = "") -> None:
    """Take `one` out of `assignments` and say so."""
    del assignments[one.id]
    over = public_assignment(one, AssignmentStatus.EXPIRED)
    said.append(made(AssignmentEnded, type="AssignmentEnded", assignment=over, reason=reason, detail=detail))


def add(assignments: dict[str, Assignment], one: Assignment, said: Said) -> None:
    """Put `one` into `assignments` and say so."""
    assignments[one.id] = one
    said.append(made(AssignmentAdded, type="AssignmentAdded", assignment=public_assignment(one)))


# Dates


def _by_date(assignments: dict[str, Assignment], now: datetime, said: Said) -> None:
    for one in list(assignments.values()):
        if one.scheduled:
            if one.ends_at is not None and one.ends_at <= now:
                end(assignments, one, EndReason.EXPIRED, said)
            elif one.starts_at <= now:
                _begin(assignments, one, said)
        elif one.ends_at is not None and not one.automatic:  # whether a grace period still matters, the rules say
            if one.ends_at <= now:
                end(assignments, one, EndReason.EXPIRED, said)
            else:
                _remind(assignments, one, now, said)


def _begin(assignments: dict[str, Assignment], one: Assignment, said: Said) -> None:
    """Its start has come; an automatic assignment of the same package makes way."""
    make_way(assignments, one.package_id, one.id, said)
    begun = assignments[one.id] = replace(one, status=AssignmentStatus.DELIVERING)
    said.append(made(AssignmentBegan, type="AssignmentBegan", assignment=public_assignment(begun)))


def make_way(assignments: dict[str, Assignment], package_id: str, for_id: str, said: Said) -> None:
    """A package is held once, and a direct assignment wins."""
    for other in list(assignments.values()):
        if other.package_id == package_id and other.automatic:
            end(assignments, other, EndReason.REMOVED, said, f"The direct assignment {for_id} takes its place.")


def _remind(assignments: dict[str, Assignment], one: Assignment, now: datetime, said: Said) -> None:
    due = reminders_past(one.ends_at, now)
    if due > one.reminded:
        # Several at once (the clock jumped) are one reminder.
        one = assignments[one.id] = replace(one, reminded=due)
        said.append(made(AssignmentEndsSoon, type="AssignmentEndsSoon", assignment=public_assignment(one)))


def reminders_past(ends_at: datetime | None, now: datetime) -> int:
    """How many of the reminders before `ends_at` lie behind `now`."""
    return 0 if ends_at is None else sum(ends_at - before <= now for before in REMIND_BEFORE)


def _next_date(
    holding: Holding,
    assignments: dict[str, Assignment],
    exclusions: dict[str, ExclusionState],
    rules: Rulebook,
    now: datetime,
) -> datetime | None:
    dates = [one.until for one in exclusions.values()]
    for one in assignments.values():
        if one.scheduled:
            dates.append(one.starts_at)
        if one.ends_at is not None:
            dates.append(one.ends_at)
            dates += [one.ends_at - before for before in REMIND_BEFORE[one.reminded :] if not one.scheduled]
    if rules.clocked and holding.matches_rules:
        turn = rules.rules.next_change(holding.facets, now)
        if turn is not None:
            dates.append(turn)
    # The end of a grace period may have passed, where a dead letter or an unreadable rule forbids to act on it.
    return min((date for date in dates if date > now), default=None)


# Rules


def _by_rules(  # noqa: PLR0912 (one a case, in the order in which they win)
    holding: Holding,
    assignments: dict[str, Assignment],
    excluded: Container[str],
    at: Circumstances[Look],
    said: Said,
) -> tuple[bool, tuple[str, ...]]:
    """Give and take by rule. Returns whether something was not taken because a dead letter may speak against it, and
    the packages not given for separation of duties."""
    rules = at.context.rules
    matching, undecided = _matching(holding, rules, at.now)
    held: set[str] = set()
    held_back = False
    for one in list(assignments.values()):
        package = rules.packages.get(one.package_id)
        if package is not None and package.life is Life.DELETED:
            end(assignments, one, EndReason.POLICY_DELETED, said, "The access package was deleted.")
        elif not one.automatic:
            if not one.scheduled:
                held.add(one.package_id)
        elif one.policy_id in undecided:
            held.add(one.package_id)
        elif one.policy_id in matching:
            _keep(assignments, one, one.policy_id, None, at.now, said)
            held.add(one.package_id)
        else:
            other = _first(matching, one.package_id, rules)
            ends_at = _kept_until(holding, one, rules, at.now)
            if other is not None:
                _keep(assignments, one, other, None, at.now, said)
            elif ends_at is None or ends_at > at.now:
                _keep(assignments, one, one.policy_id, ends_at, at.now, said)
            elif at.degraded:
                held_back = True
            else:
                _take(assignments, one, rules, said)
                continue
            held.add(one.package_id)
    withheld: tuple[str, ...] = ()
    for policy_id in sorted(matching, key=rules.order) if len(matching) > 1 else matching:
        package_id = rules.policies[policy_id].package_id
        if package_id in held or package_id in excluded or not rules.may_add(policy_id):
            continue
        held.add(package_id)
        reason = separated(holding.id, assignments, holding.groups, rules.packages[package_id], rules)
        if reason is None:
            add(assignments, _given(holding, package_id, policy_id, at), said)
            continue
        withheld = (*withheld, package_id)
        if package_id not in holding.withheld:
            said.append(AssignmentRefused(package_id=package_id, policy_id=policy_id, reason=reason))
    return held_back, withheld


def _matching(holding: Holding, rules: Rulebook, now: datetime) -> tuple[set[str], set[str]]:
    """Policies whose rule matches, and those of which it cannot be told: they neither give nor take."""
    if not holding.matches_rules:
        return set(), rules.undecidable
    too_slow: set[str] = set()
    matching = rules.rules.matches(holding.facets, now, too_slow)
    return matching, rules.undecidable | too_slow if too_slow else rules.undecidable


def called_for(holding: Holding, one: Assignment, at: Circumstances[Look]) -> bool:
    """Whether a rule holds this automatic assignment now: taken by hand it would come back at once."""
    rules = at.context.rules
    matching, undecided = _matching(holding, rules, at.now)
    return (
        one.policy_id in matching or one.policy_id in undecided or _first(matching, one.package_id, rules) is not None
    )


def would_be_given(holding: Holding, package_id: str, at: Circumstances[Look]) -> bool:
    """Whether a rule gives this package to the person now, were it not held."""
    matching, _ = _matching(holding, at.context.rules, at.now)
    return _first(matching, package_id, at.context.rules) is not None


def _first(matching: set[str], package_id: str, rules: Rulebook) -> str | None:
    """Of the matching rules the one that would give this package, were it not held."""
    giving = [id for id in matching if rules.policies[id].package_id == package_id and rules.policies[id].gives_access]
    return min(giving, key=rules.order, default=None)


def _kept_until(holding: Holding, one: Assignment, rules: Rulebook, now: datetime) -> datetime | None:
    """When access that no rule calls for any more ends; None: its rule never takes it.

    A date that has been set stays, whatever becomes of the grace period, as long as there is one."""
    policy = rules.policies.get(one.policy_id)
    if policy is None or policy.life is Life.DELETED or not holding.matches_rules:
        return now
    if not policy.takes_access:
        return None
    if policy.grace_period is None:
        return now
    return one.ends_at or now + policy.grace_period


def _keep(
    assignments: dict[str, Assignment],
    one: Assignment,
    policy_id: str,
    ends_at: datetime | None,
    now: datetime,
    said: Said,
) -> None:
    """Held on; perhaps by another rule of the same package, or with a grace period that has begun or is off."""
    if one.ends_at == ends_at and one.policy_id == policy_id:
        if ends_at is not None:
            _remind(assignments, one, now, said)
        return
    moved = replace(one, policy_id=policy_id, ends_at=ends_at, reminded=reminders_past(ends_at, now))
    assignments[one.id] = moved
    said.append(
        made(AssignmentMoved, type="AssignmentMoved", before=public_assignment(one), after=public_assignment(moved))
    )


def _take(assignments: dict[str, Assignment], one: Assignment, rules: Rulebook, said: Said) -> None:
    policy = rules.policies.get(one.policy_id)
    if policy is None or policy.life is Life.DELETED:
        end(assignments, one, EndReason.POLICY_DELETED, said, f"Policy {one.policy_id} was deleted.")
    else:
        over = " and the grace period is over" if one.ends_at is not None else ""
        detail = f"The rule of policy {policy.id} matches no longer{over}."
        end(assignments, one, EndReason.NO_LONGER_MATCHES, said, detail)


def _given(holding: Holding, package_id: str, policy_id: str, at: Circumstances[Look]) -> Assignment:
    # The version makes it the same again after a crash, and another one the next time.
    return Assignment(
        derived_id("assignment", holding.id, package_id, at.version),
        package_id,
        policy_id,
        AssignmentKind.AUTOMATIC,
        AssignmentStatus.DELIVERING,
        at.now,
        None,
        at.now,
        at.cause,
    )


# Grants


def _grants(  # noqa: PLR0912 (the three ways a grant can go)
    holding: Holding, assignments: dict[str, Assignment], rules: Rulebook, version: int, said: Said
) -> dict[str, Grant]:
    needs: dict[str, list[str]] = {}
    roles: dict[str, ResourceRole] = {}
    for one in assignments.values():
        if one.scheduled:
            continue
        for key, role in rules.packages[one.package_id].roles:
            roles[key] = role
            needs.setdefault(key, []).append(one.id)
    before = holding.grants
    deliver = holding.delivers
    grants: dict[str, Grant] = {}
    for key, grant in before.items():
        if key not in needs:
            if grant.deliver:
                said.append(made(GrantTaken, type="GrantTaken", role=grant.role, version=version, suspended=False))
            continue
        ids = tuple(needs[key])
        if grant.deliver is not deliver:
            grants[key] = Grant(key, roles[key], ids, deliver, version)
            if deliver:
                said.append(made(GrantGiven, type="GrantGiven", role=roles[key], version=version))
            else:
                said.append(made(GrantTaken, type="GrantTaken", role=roles[key], version=version, suspended=True))
        elif grant.assignments != ids:
            grants[key] = replace(grant, assignments=ids)
        else:
            grants[key] = grant
    for key, ids_now in needs.items():
        if key not in before:
            grants[key] = Grant(key, roles[key], tuple(ids_now), deliver, version)
            if deliver:
                said.append(made(GrantGiven, type="GrantGiven", role=roles[key], version=version))
    return grants


def _progress(
    holding: Holding,
    assignments: dict[str, Assignment],
    grants: dict[str, Grant],
    rules: Rulebook,
    said: Said,
) -> None:
    if not holding.delivers:
        return
    for one in list(assignments.values()):
        if one.scheduled:
            continue
        status = _status([grants[key].delivery for key, _ in rules.packages[one.package_id].roles])
        if status is not one.status:
            assignments[one.id] = replace(one, status=status)
            said.append(_progressed(one, status))


def _status(deliveries: list[DeliveryStatus | None]) -> AssignmentStatus:
    """How far an assignment is whose grants are so far. A package without roles has nothing left to deliver."""
    done = sum(one is DeliveryStatus.DELIVERED for one in deliveries)
    if done == len(deliveries):
        return AssignmentStatus.DELIVERED
    failed = sum(one is DeliveryStatus.FAILED for one in deliveries)
    if done + failed < len(deliveries):
        return AssignmentStatus.DELIVERING
    return AssignmentStatus.PARTIALLY_DELIVERED if done else AssignmentStatus.DELIVERY_FAILED


def _progressed(one: Assignment, status: AssignmentStatus) -> AssignmentProgressed:
    return made(
        AssignmentProgressed,
        type="AssignmentProgressed",
        assignment_id=one.id,
        package_id=one.package_id,
        before=one.status,
        after=status,
    )
