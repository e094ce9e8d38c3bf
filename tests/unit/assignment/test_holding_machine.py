"""One person's holding through random lives: facts in any order and twice, rules that change, dates that come, crashes
that repeat a batch. After each step the invariants of a holding are compared with a plain reckoning."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.assignment.decide.delivery import deliveries_told
from services.assignment.decide.direct import AssignDirectly, EndAssignment, assign_directly, end_assignment
from services.assignment.decide.expiry import date_has_come
from services.assignment.decide.look import Look, Memberships
from services.assignment.decide.membership import memberships_changed
from services.assignment.decide.person import person_changed, second_look
from services.assignment.decide.rules import Decide, decide_person
from services.assignment.model import Grant, Holding, dump, load, public, role_of
from services.assignment.rulebook import Package, Policy, Rulebook
from shared.contracts.assignment import (
    AssignmentAdded,
    AssignmentEnded,
    AssignmentKind,
    AssignmentMoved,
    EndReason,
    GrantGiven,
    GrantTaken,
    HoldingState,
)
from shared.contracts.base import Cause
from shared.contracts.catalog import Life
from shared.contracts.directory import PersonStatus
from shared.contracts.provisioning import DeliveryStatus
from shared.messaging.decision import Again, Circumstances, Decision, Due
from shared.rules import compile, parse
from tests.service.assignment import said

START = datetime(2026, 1, 1, tzinfo=UTC)
DEPARTMENTS = ("sales", "it", "law")
CITIES = ("oslo", "rome")
GROUPS = ("G1", "g2", "g3")
RULES = (
    'user.department -eq "Sales"',
    'user.department -in ["it", "law"]',
    '(user.city -eq "Oslo") -and (user.department -ne "law")',
    "user.memberOf -any (group.objectId -in ['g1'])",
    "user.memberOf -any (group.objectId -in ['g1', 'G2'])",
    "user.employeeHireDate -le system.now -minus p20d",
)
ROLES = [(f"AadGroup/r{n}/Member", role_of("AadGroup", f"r{n}", "Member", "")) for n in range(4)]
PACKAGES = ("p0", "p1", "p2")
POLICIES = tuple(f"a{n}" for n in range(4))
ME = "me"

role_sets = st.lists(st.sampled_from(ROLES), max_size=3, unique_by=lambda role: role[0]).map(tuple)


GRACES = (None, timedelta(days=2), timedelta(days=20))


def _policy(
    id: str,
    package: str,
    rule: str | None,
    life: Life,
    *,
    gives: bool = True,
    takes: bool = True,
    grace: timedelta | None = None,
) -> Policy:
    made = START + timedelta(seconds=int(id[1:]) % 2)
    return Policy(id, package, id, rule, None, None, life, made, None, gives, takes, grace)


class OnePerson(RuleBasedStateMachine):
    """`decide` against what is known of the world: the newest fact of each kind that was delivered."""

    @initialize(roles=st.tuples(role_sets, role_sets, role_sets), grace=st.sampled_from(GRACES))
    def begin(self, roles: tuple[tuple[tuple[str, object], ...], ...], grace: timedelta | None) -> None:
        self.now = START
        self.book = Rulebook(epoch=1)
        self.book.put(
            [Package(id, id, set_, Life.ACTIVE) for id, set_ in zip(PACKAGES, roles, strict=True)],  # type: ignore[arg-type]
            [_policy(f"d{n}", package, None, Life.ACTIVE) for n, package in enumerate(PACKAGES)],
        )
        self.book.put((), [_policy("a0", PACKAGES[0], RULES[0], Life.ACTIVE, grace=grace)])
        self.state: Holding | None = None
        self.version = 0
        self.person_version = 0
        self.sent: list[said.PersonFact] = []
        self.newest: said.PersonFact | None = None
        self.member_of: set[str] = set()
        self.memberships: list[said.MembershipsFact] = []
        self.waiting: list[said.MembershipsFact] = []
        """Said, and not yet heard by anyone."""
        self.replica: Memberships | None = None
        self.asked: list[AssignDirectly] = []
        self.deliveries: list[said.DeliveriesFact] = []
        self.delivering: dict[str, said.DeliveryState] = {}
        """Role -> what provisioning says last of it."""
        self.heard: dict[tuple[str, int], said.DeliveryState] = {}
        """(role, grant version) -> the newest of it that was heard, in whatever order it came."""
        self.numbers = itertools.count(1)
        self.due: dict[str, bool] = {}
        """Role -> delivered, by the transitions alone: what whoever follows the facts believes."""

    def _at(self) -> Circumstances[Look]:
        return Circumstances(
            now=self.now,
            version=self.version + 1,
            cause=Cause(id="c", correlation="c", actor="source:test"),
            context=Look(
                self.book,
                self.book.epoch,
                memberships={ME: self.replica} if self.replica is not None else {},
                concerned={ME},
            ),
        )

    def _keep(self, decision: Decision[Holding]) -> None:
        """Write, read back, and follow the fact."""
        if decision.transitions:
            self.version += 1
        for transition in decision.transitions:
            if isinstance(transition, GrantGiven):
                assert not self.due.get(transition.role.key), "given twice"
                assert transition.version == self.version
                self.due[transition.role.key] = True
            elif isinstance(transition, GrantTaken):
                assert self.due[transition.role.key], "taken twice"
                assert transition.version == self.version
                self.due[transition.role.key] = False
            elif isinstance(transition, AssignmentAdded):
                assert decision.state is not None
                guarded = self.book.packages[transition.assignment.package_id]
                before = self.state.assignments if self.state else {}
                stays = {one.package_id for id, one in before.items() if id in decision.state.assignments}
                assert not stays & guarded.incompatible, "given against separation of duties"
                assert not set(decision.state.groups) & guarded.incompatible_groups
                if transition.assignment.kind is AssignmentKind.AUTOMATIC:
                    assert self.book.policies[transition.assignment.policy_id].gives_access
            elif isinstance(transition, AssignmentMoved) and transition.after.ends_at is not None:
                grace = self.book.policies[transition.after.policy_id].grace_period
                assert grace is not None
                assert transition.before.ends_at is None, "an end that was set stays"
                assert transition.after.ends_at == self.now + grace, "a grace period begins when the rule lets go"
            elif isinstance(transition, AssignmentEnded) and transition.reason is EndReason.NO_LONGER_MATCHES:
                policy = self.book.policies[transition.assignment.policy_id]
                if decision.state is not None and decision.state.status is not PersonStatus.EXPECTED:
                    assert policy.takes_access, "this rule takes nothing"
                    until = transition.assignment.ends_at
                    assert policy.grace_period is None or (until is not None and until <= self.now)
        if decision.state is not None:
            self.state = load(dump(decision.state))
            assert self.state == decision.state
            HoldingState.model_validate_json(public(self.state).json_bytes())

    def _deliver(self, fact: said.PersonFact) -> None:
        self._keep(person_changed(self.state, fact, self._at()))
        if self.newest is None or fact.version > self.newest.version:
            self.newest = fact

    @rule(
        department=st.sampled_from(DEPARTMENTS),
        city=st.sampled_from(CITIES),
        status=st.sampled_from([*[PersonStatus.ACTIVE] * 4, *PersonStatus]),
        arrives=st.booleans(),
        hired=st.integers(-30, 30),
    )
    def hr_changes(self, department: str, city: str, status: PersonStatus, arrives: bool, hired: int) -> None:
        self.person_version += 1
        day = (START + timedelta(days=hired)).isoformat()
        fact = said.person(ME, self.person_version, status, department=department, city=city, employeeHireDate=day)
        self.sent.append(fact)
        if arrives:
            self._deliver(fact)

    @precondition(lambda self: self.newest is not None and self.newest.state.status is PersonStatus.ACTIVE)
    @rule(departments=st.permutations(DEPARTMENTS), days=st.integers(0, 3))
    def somebody_moves_about(self, departments: list[str], days: int) -> None:
        """Nothing else changes: so rules let go of people, and take hold of them again, or do not."""
        for department in departments:
            self._move_to(department)
            self._pass(days)

    def _move_to(self, department: str) -> None:
        assert self.newest is not None
        self.person_version += 1
        attributes = {**self.newest.state.attributes, "department": department}
        state = self.newest.state.model_copy(update={"attributes": attributes})
        version = self.person_version
        fact = self.newest.model_copy(update={"id": f"person:{ME}:{version}", "version": version, "state": state})
        self.sent.append(fact)
        self._deliver(fact)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def an_old_or_late_fact_arrives(self, data: st.DataObject) -> None:
        fact = data.draw(st.sampled_from(self.sent))
        old = self.newest is not None and fact.version <= self.newest.version
        before = self.state
        self._deliver(fact)
        if old and before is not None and before.epoch == self.book.epoch:
            assert self.state == before, "a repeat changes nothing"

    @rule(groups=st.sets(st.sampled_from(GROUPS), min_size=1), arrives=st.booleans())
    def memberships_change(self, groups: set[str], arrives: bool) -> None:
        left = sorted(self.member_of & groups)
        self.member_of ^= groups
        fact = said.memberships(ME, len(self.memberships) + 1, *sorted(self.member_of), left=left)
        # Of those in which they stay nothing happens.
        news = tuple(one for one in fact.transitions if one.group_id in groups)
        self.memberships.append(fact.model_copy(update={"transitions": news}))
        self.waiting.append(self.memberships[-1])
        if arrives:
            self._hear_of_memberships(self.memberships[-1])

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def a_late_membership_fact_arrives(self, data: st.DataObject) -> None:
        self._hear_of_memberships(data.draw(st.sampled_from(self.waiting)))

    @precondition(lambda self: self.memberships)
    @rule(data=st.data())
    def a_membership_fact_comes_again(self, data: st.DataObject) -> None:
        fact = data.draw(st.sampled_from(self.memberships))
        if fact not in self.waiting:
            before = self.state
            self._hear_of_memberships(fact)
            assert self.state == before, "a repeat changes nothing"

    def _hear_of_memberships(self, fact: said.MembershipsFact) -> None:
        """First kept; then, if a rule names a group that it touches, decided."""
        if fact in self.waiting:
            self.waiting.remove(fact)
        if self.replica is None or self.replica.version < fact.version:
            groups = frozenset(one.group_id.lower() for one in fact.state.groups)
            self.replica = Memberships(fact.version, groups)
        if any(one.group_id.lower() in self.book.groups for one in fact.transitions):
            self._keep(memberships_changed(self.state, fact, self._at()))

    @rule(
        id=st.sampled_from(POLICIES),
        package=st.sampled_from(PACKAGES),
        text=st.sampled_from(RULES),
        life=st.sampled_from([*[Life.ACTIVE] * 4, *Life]),
        gives=st.sampled_from([True, True, True, False]),
        takes=st.sampled_from([True, True, True, False]),
        grace=st.sampled_from(GRACES),
    )
    def a_rule_changes(
        self, id: str, package: str, text: str, life: Life, gives: bool, takes: bool, grace: timedelta | None
    ) -> None:
        known = self.book.policies.get(id)
        if known is not None and known.life is Life.DELETED:
            return
        its = known.package_id if known else package
        self.book.put((), [_policy(id, its, text, life, gives=gives, takes=takes, grace=grace)])
        self._rules_moved()

    @rule(id=st.sampled_from(PACKAGES), roles=role_sets)
    def a_role_set_changes(self, id: str, roles: tuple[tuple[str, object], ...]) -> None:
        self.book.put([replace(self.book.packages[id], roles=roles)])  # type: ignore[arg-type]
        self._rules_moved()

    @rule(
        id=st.sampled_from(PACKAGES),
        packages=st.sets(st.sampled_from(PACKAGES), max_size=2),
        groups=st.sets(st.sampled_from(("g1", "g3")), max_size=1),
    )
    def duties_are_separated(self, id: str, packages: set[str], groups: set[str]) -> None:
        others = frozenset(packages - {id})
        self.book.put([replace(self.book.packages[id], incompatible=others, incompatible_groups=frozenset(groups))])
        self._rules_moved()

    def _separated(self, package: str) -> bool:
        """By a plain reckoning, as things are now."""
        guarded = self.book.packages[package]
        held = {one.package_id for one in self.state.assignments.values()} if self.state else set()
        groups = set(self.state.groups) if self.state else set()
        return bool(held & guarded.incompatible or groups & guarded.incompatible_groups)

    def _rules_moved(self) -> None:
        """The epoch is raised, and the job comes by."""
        self.book.epoch += 1
        self._keep(decide_person(self.state, Decide(ME), self._at()))

    @rule(package=st.integers(0, 2), starts=st.integers(-1, 20), lasts=st.none() | st.integers(1, 40))
    def an_administrator_assigns(self, package: int, starts: int, lasts: int | None) -> None:
        starts_at = self.now + timedelta(days=starts)
        asked = AssignDirectly(
            f"direct-{next(self.numbers)}",
            ME,
            PACKAGES[package],
            f"d{package}",
            starts_at,
            max(starts_at, self.now) + timedelta(days=lasts) if lasts else None,
        )
        self.asked.append(asked)
        self._keep(assign_directly(self.state, asked, self._at()))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def a_command_comes_again(self, data: st.DataObject) -> None:
        asked = data.draw(st.sampled_from(self.asked))
        if self.state is None or not (asked.id in self.state.assignments or asked.id in self.state.ended):
            return
        assert assign_directly(self.state, asked, self._at()).state is self.state

    @precondition(lambda self: self.state is not None and self.state.assignments)
    @rule(data=st.data())
    def an_administrator_ends_one(self, data: st.DataObject) -> None:
        assert self.state is not None
        id = data.draw(st.sampled_from(sorted(self.state.assignments)))
        self._keep(end_assignment(self.state, EndAssignment(id, ME), self._at()))

    @precondition(lambda self: self._delivered())
    @rule(status=st.sampled_from(list(DeliveryStatus)), arrives=st.booleans(), data=st.data())
    def provisioning_tells(self, status: DeliveryStatus, arrives: bool, data: st.DataObject) -> None:
        grant = data.draw(st.sampled_from(self._delivered()))
        version = data.draw(st.sampled_from([grant.version, grant.version - 1]))
        number = len(self.deliveries) + 1
        self.delivering[grant.key] = said.delivery(grant.role, version, status, number)
        self.deliveries.append(said.deliveries(ME, number, *self.delivering.values()))
        if arrives:
            self._hear(self.deliveries[-1])

    def _delivered(self) -> list[Grant]:
        """Provisioning is told of no others."""
        return [grant for grant in self.state.grants.values() if grant.deliver] if self.state is not None else []

    @precondition(lambda self: self.deliveries)
    @rule(data=st.data())
    def an_old_or_late_delivery_fact_arrives(self, data: st.DataObject) -> None:
        self._hear(data.draw(st.sampled_from(self.deliveries)))

    def _hear(self, fact: said.DeliveriesFact) -> None:
        self._keep(deliveries_told(self.state, fact, self._at()))
        for one in fact.state.deliveries:
            known = self.heard.get((one.role.key, one.version))
            if known is None or known.said_in < one.said_in:
                self.heard[one.role.key, one.version] = one
        assert deliveries_told(self.state, fact, self._at()).state is self.state, "a repeat changes nothing"

    @rule(days=st.integers(1, 15))
    def time_passes(self, days: int) -> None:
        self._pass(days)

    def _pass(self, days: int) -> None:
        """What is due is taken one by one, each with its own date."""
        until = self.now + timedelta(days=days)
        while self.state is not None and self.state.due_at is not None and self.state.due_at <= until:
            self.now = max(self.now, self.state.due_at)
            before = self.state.due_at
            self._keep(date_has_come(self.state, Due(ME, before), self._at()))
            assert self.state.due_at is None or self.state.due_at > before, "a date comes once"
        self.now = until

    @invariant()
    def a_second_look_finds_nothing_to_do(self) -> None:
        decision = second_look(self.state, Again(), self._at())
        assert decision.state is self.state
        assert not decision.transitions

    @invariant()
    def rules_see_the_groups_that_they_name(self) -> None:
        state = self.state
        assert state is None or state.facets.get("memberOf", []) == sorted(state.groups)
        if self.replica is None or any(one.version < self.replica.version for one in self.waiting):
            return
        named = {*self.book.groups}
        assert (set(state.groups) if state else set()) & named == self.replica.groups & named

    @invariant()
    def a_package_is_held_once(self) -> None:
        every = list(self.state.assignments.values()) if self.state else []
        held = [one.package_id for one in every if not one.scheduled]
        assert len(held) == len(set(held))
        direct = [one.package_id for one in every if not one.automatic]
        assert len(direct) == len(set(direct))

    @invariant()
    def rules_give_exactly_what_a_plain_reckoning_says(self) -> None:
        state = self.state
        if state is None:
            return
        held = {one.package_id: one for one in state.assignments.values() if not one.scheduled}
        matching: dict[str, set[str]] = {}
        if state.status in (PersonStatus.ACTIVE, PersonStatus.SUSPENDED):
            for policy in self.book.policies.values():
                alive = policy.rule is not None and policy.life is not Life.DELETED
                if alive and compile(parse(policy.rule or ""))(state.facets, self.now):
                    matching.setdefault(policy.package_id, set()).add(policy.id)
        for package in PACKAGES:
            one = held.get(package)
            if one is not None and one.kind is AssignmentKind.AUTOMATIC:
                policy = self.book.policies[one.policy_id]
                if one.policy_id in matching.get(package, ()) or not policy.takes_access:
                    assert one.ends_at is None
                else:
                    assert policy.grace_period is not None, "the rule lets go and leaves no time"
                    assert one.ends_at is not None
                assert policy.life is not Life.DELETED
            giving = {id for id in matching.get(package, ()) if self.book.may_add(id)}
            if giving:
                assert (one is None) is (package in state.withheld), "a rule matches and nothing is held"
            else:
                assert package not in state.withheld
            if package in state.withheld:
                assert self._separated(package), "withheld for nothing"
        if state.status is PersonStatus.LEFT:
            assert not state.assignments

    @invariant()
    def a_grant_exists_exactly_while_an_assignment_needs_it(self) -> None:
        state = self.state
        if state is None:
            return
        needed: dict[str, set[str]] = {}
        for one in state.assignments.values():
            if not one.scheduled:
                for key, _ in self.book.packages[one.package_id].roles:
                    needed.setdefault(key, set()).add(one.id)
        assert {key: set(grant.assignments) for key, grant in state.grants.items()} == needed
        for grant in state.grants.values():
            assert grant.deliver is (state.status is PersonStatus.ACTIVE)
        assert {key for key, due in self.due.items() if due} == {g.key for g in state.grants.values() if g.deliver}

    @invariant()
    def a_grant_has_come_as_far_as_the_newest_that_was_heard_of_it(self) -> None:
        for grant in self.state.grants.values() if self.state else ():
            known = self.heard.get((grant.key, grant.version))
            if grant.deliver:
                assert grant.delivery is (known.status if known else None)

    @invariant()
    def no_date_is_forgotten(self) -> None:
        for one in self.state.assignments.values() if self.state else ():
            for date in (one.ends_at, one.starts_at if one.scheduled else None):
                if date is not None:
                    assert date > self.now
                    assert self.state is not None
                    assert self.state.due_at is not None
                    assert self.state.due_at <= date


TestOnePerson = OnePerson.TestCase
TestOnePerson.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
pytestmark = pytest.mark.spec("RES-6", "RES-9", "EXP-2", "AUT-5", "SOD-3")
