"""Provisioning and a directory, whatever is repeated, overtaken, lost in a crash or done by hand in between.

The rules play assignment (grants come and go), Kafka (facts and commands are delivered in order within a lane, any of
them again at any time, the two lanes past each other) and the directory, by a few lines of its own. In the end, when
all has been delivered, the members are whom the last holding wants and whom somebody added by hand: nobody else; and
whoever heard what provisioning said, in whatever order, knows how far each delivery has come.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.provisioning import decide
from services.provisioning.decide import Resources, drift_of
from services.provisioning.model import Deliveries, Repair, dump, load, public
from shared.contracts.assignment import GrantGiven, GrantState, GrantTaken, HoldingFact, HoldingState
from shared.contracts.base import Cause, Lane
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import (
    MembershipObeyed,
    MembershipsFact,
    MembershipsState,
    MembershipState,
    SetMemberships,
)
from shared.contracts.provisioning import DeliveryState
from shared.messaging.decision import Circumstances, Due

START = datetime(2026, 3, 1, tzinfo=UTC)
GROUPS = ("a", "b", "c")
ROLES = {group: ResourceRole(origin_id=group) for group in GROUPS}
LANES = (Lane.ORDINARY, Lane.URGENT)


class AnyOrder(RuleBasedStateMachine):
    """One person, three groups, two lanes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        # assignment
        self.grants: dict[str, GrantState] = {}
        self.holding_version = 0
        self.holdings: dict[Lane, list[HoldingFact]] = {lane: [] for lane in LANES}
        self.last_holding: HoldingFact | None = None
        # directory
        self.members = {group: MembershipState(group_id=group, member=False) for group in GROUPS}
        self.members_version = 0
        self.commands: dict[Lane, list[SetMemberships]] = {lane: [] for lane in LANES}
        self.answers: dict[Lane, list[MembershipsFact]] = {lane: [] for lane in LANES}
        self.past: list[tuple[str, Lane, Any]] = []
        # provisioning
        self.state: Deliveries | None = None
        self.version = 0
        self.told: list[DeliveryState] = []
        """Of every delivery, as each fact told it."""
        self.settled_versions: list[tuple[str, int]] = []

    # Assignment

    @rule(groups=st.sets(st.sampled_from(GROUPS), min_size=1), lane=st.sampled_from(LANES))
    def grant_or_take(self, groups: set[str], lane: Lane) -> None:
        self.holding_version += 1
        version = self.holding_version
        changes: list[GrantGiven | GrantTaken] = []
        for group in sorted(groups):
            if group in self.grants:
                del self.grants[group]
                changes.append(GrantTaken(role=ROLES[group], version=version))
            else:
                self.grants[group] = GrantState(role=ROLES[group], assignments=("x",), deliver=True, version=version)
                changes.append(GrantGiven(role=ROLES[group], version=version))
        fact = HoldingFact(
            id=f"holding:ana:{version}",
            cause=Cause(id="hr", correlation="hr", actor="source:hr", lane=lane),
            subject="ana",
            version=version,
            at=self.now,
            transitions=tuple(changes),
            state=HoldingState(person_id="ana", grants=tuple(self.grants.values())),
        )
        self.holdings[lane].append(fact)

    # Provisioning

    @rule(lane=st.sampled_from(LANES), crash=st.booleans())
    def hear_holding(self, lane: Lane, crash: bool) -> None:
        if self.holdings[lane]:
            fact = self.holdings[lane][0]
            self._decide(decide.follow_holding, fact, lane)
            if not crash:  # after a crash before the commit it comes again
                self.past.append(("holding", lane, self.holdings[lane].pop(0)))

    @rule(lane=st.sampled_from(LANES), crash=st.booleans())
    def hear_answer(self, lane: Lane, crash: bool) -> None:
        if self.answers[lane]:
            self._decide(decide.follow_memberships, self.answers[lane][0], lane)
            if not crash:
                self.past.append(("answer", lane, self.answers[lane].pop(0)))

    @rule(minutes=st.sampled_from([1, 5, 120]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        while self.state is not None and self.state.due_at is not None and self.state.due_at <= self.now:
            due = self.state.due_at
            self._decide(decide.look_again, Due("ana", due), Lane.ORDINARY, now=due, context=Resources())
            assert self.state.due_at is None or self.state.due_at > due

    @rule(data=st.data())
    def something_old_again(self, data: st.DataObject) -> None:
        if self.past:
            kind, lane, message = data.draw(st.sampled_from(self.past))
            if kind == "command":
                self._obey(message, lane)
            else:
                follow: Any = decide.follow_holding if kind == "holding" else decide.follow_memberships
                self._decide(follow, message, lane)

    @rule()
    def repair(self) -> None:
        self._decide(decide.repair, Repair("ana"), Lane.ORDINARY)

    def _decide(
        self, decision: Any, message: Any, lane: Lane, now: datetime | None = None, context: Any = None
    ) -> None:
        cause = Cause(id="m", correlation="hr", actor="source:hr", lane=lane)
        before = self.state
        made = decision(before, message, Circumstances(now or self.now, self.version + 1, cause, context))
        self.state = load(dump(made.state)) if made.state is not None else None
        if made.transitions:
            self.version += 1
            self.told += public(made.state).deliveries
        for record in made.messages:
            command = SetMemberships.model_validate_json(record.value or b"")
            self.commands[Lane.URGENT if record.topic.endswith(".urgent") else Lane.ORDINARY].append(command)
        # The very same again changes nothing and says nothing new.
        if decision is not decide.look_again:
            again = decision(self.state, message, Circumstances(now or self.now, self.version + 1, cause, context))
            assert again.transitions == ()
            assert again.messages == ()

    # Directory

    @rule(lane=st.sampled_from(LANES), crash=st.booleans())
    def obey_command(self, lane: Lane, crash: bool) -> None:
        if self.commands[lane]:
            command = self.commands[lane][0]
            self._obey(command, lane)
            if not crash:
                self.past.append(("command", lane, self.commands[lane].pop(0)))

    @rule(group=st.sampled_from(GROUPS), member=st.booleans())
    def by_hand(self, group: str, member: bool) -> None:
        self.members[group] = self.members[group].model_copy(update={"member": member, "by_hand": member})
        self._say((), Lane.ORDINARY)

    def _obey(self, command: SetMemberships, lane: Lane) -> None:
        for wish in command.wishes:
            there = self.members[wish.group_id]
            if (wish.grant_version, wish.repair) > (there.obeyed, there.repairs):
                self.members[wish.group_id] = MembershipState(
                    group_id=wish.group_id,
                    member=wish.member or (there.member and there.by_hand),
                    by_hand=there.by_hand,
                    by_grant=wish.member,
                    obeyed=wish.grant_version,
                    repairs=wish.repair,
                )
        answers = [
            MembershipObeyed(group_id=wish.group_id, command_id=wish.id, grant_version=wish.grant_version)
            for wish in command.wishes
        ]
        self._say(answers, lane)

    def _say(self, transitions: Sequence[MembershipObeyed], lane: Lane) -> None:
        self.members_version += 1
        there = tuple(one for one in self.members.values() if one.member or one.by_grant)
        fact = MembershipsFact(
            id=f"memberships:ana:{self.members_version}",
            cause=Cause(id="c", correlation="hr", actor="source:hr", lane=lane),
            subject="ana",
            version=self.members_version,
            at=self.now,
            transitions=tuple(transitions),
            state=MembershipsState(person_id="ana", groups=there),
        )
        self.answers[lane].append(fact)

    # What holds

    @invariant()
    def what_somebody_added_by_hand_stays(self) -> None:
        assert all(there.member for there in self.members.values() if there.by_hand)

    @invariant()
    def versions_only_grow(self) -> None:
        now = [(key, one.version) for key, one in (self.state.deliveries if self.state else {}).items()]
        before = dict(self.settled_versions)
        assert all(version >= before.get(key, 0) for key, version in now)
        self.settled_versions = now

    def teardown(self) -> None:
        """Everything is delivered, then repaired once and delivered again: it is as it should be."""
        self._settle()
        if self.state is not None:
            assert all(one.settled for one in self.state.deliveries.values())
        self._decide(decide.repair, Repair("ana"), Lane.ORDINARY)
        self._settle()
        for group, there in self.members.items():
            assert there.member == (group in self.grants or there.by_hand), group
        assert self.state is None or drift_of(self.state) == []
        self._whoever_listened_knows()

    def _whoever_listened_knows(self) -> None:
        random.Random(len(self.told)).shuffle(self.told)
        heard: dict[str, DeliveryState] = {}
        for one in self.told:
            if one.role.key not in heard or heard[one.role.key].said_in < one.said_in:
                heard[one.role.key] = one
        known = {key: (one.version, one.status) for key, one in heard.items()}
        deliveries = self.state.deliveries if self.state is not None else {}
        assert known == {key: (one.version, one.status) for key, one in deliveries.items()}

    def _settle(self) -> None:
        for lane in LANES:
            while self.holdings[lane]:
                self.hear_holding(lane=lane, crash=False)
        while any(self.commands[lane] or self.answers[lane] for lane in LANES):
            for lane in LANES:
                self.obey_command(lane=lane, crash=False)
                self.hear_answer(lane=lane, crash=False)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
