"""Provisioning and a directory, whatever is repeated, overtaken, lost in a crash or done by hand in between.

The rules play assignment (grants come and go), Kafka (facts and commands are delivered in order within a lane, any of
them again at any time, the two lanes past each other) and the directory, by a few lines of its own. In the end, when
all has been delivered, the members are whom the last holding wants and whom somebody added by hand: nobody else.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.provisioning import decide
from services.provisioning.decide import Groups, drift_of
from services.provisioning.model import Deliveries, Repair, dump, load
from shared.contracts.assignment import GrantGiven, GrantState, GrantTaken, HoldingFact, HoldingState
from shared.contracts.base import Cause, Lane
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import MembershipFact, MembershipObeyed, MembershipState
from shared.messaging.decision import Circumstances, Due

START = datetime(2026, 3, 1, tzinfo=UTC)
GROUPS = ("a", "b")
ROLES = {group: ResourceRole(origin_id=group) for group in GROUPS}
LANES = (Lane.ORDINARY, Lane.URGENT)


class AnyOrder(RuleBasedStateMachine):
    """One person, two groups, two lanes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        # assignment
        self.grants: dict[str, GrantState] = {}
        self.holding_version = 0
        self.holdings: dict[Lane, list[HoldingFact]] = {lane: [] for lane in LANES}
        self.last_holding: HoldingFact | None = None
        # directory
        self.members = {
            group: MembershipState(id=f"{group}:ana", group_id=group, person_id="ana", member=False) for group in GROUPS
        }
        self.member_versions = dict.fromkeys(GROUPS, 0)
        self.commands: dict[Lane, list[dict[str, Any]]] = {lane: [] for lane in LANES}
        self.answers: dict[Lane, list[MembershipFact]] = {lane: [] for lane in LANES}
        self.past: list[tuple[str, Lane, Any]] = []
        # provisioning
        self.state: Deliveries | None = None
        self.settled_versions: list[tuple[str, int]] = []

    # Assignment

    @rule(group=st.sampled_from(GROUPS), lane=st.sampled_from(LANES))
    def grant_or_take(self, group: str, lane: Lane) -> None:
        self.holding_version += 1
        version = self.holding_version
        change: GrantGiven | GrantTaken
        if group in self.grants:
            del self.grants[group]
            change = GrantTaken(role=ROLES[group], version=version)
        else:
            self.grants[group] = GrantState(role=ROLES[group], assignments=("x",), deliver=True, version=version)
            change = GrantGiven(role=ROLES[group], version=version)
        fact = HoldingFact(
            id=f"holding:ana:{version}",
            cause=Cause(id="hr", correlation="hr", actor="source:hr", lane=lane),
            subject="ana",
            version=version,
            at=self.now,
            transitions=(change,),
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
            self._decide(decide.follow_membership, self.answers[lane][0], lane)
            if not crash:
                self.past.append(("answer", lane, self.answers[lane].pop(0)))

    @rule(minutes=st.sampled_from([1, 5, 120]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        while self.state is not None and self.state.due_at is not None and self.state.due_at <= self.now:
            due = self.state.due_at
            self._decide(decide.look_again, Due("ana", due), Lane.ORDINARY, now=due, context=Groups())
            assert self.state.due_at is None or self.state.due_at > due

    @rule(data=st.data())
    def something_old_again(self, data: st.DataObject) -> None:
        if self.past:
            kind, lane, message = data.draw(st.sampled_from(self.past))
            if kind == "command":
                self._obey(message, lane)
            else:
                follow: Any = decide.follow_holding if kind == "holding" else decide.follow_membership
                self._decide(follow, message, lane)

    @rule()
    def repair(self) -> None:
        self._decide(decide.repair, Repair("ana"), Lane.ORDINARY)

    def _decide(
        self, decision: Any, message: Any, lane: Lane, now: datetime | None = None, context: Any = None
    ) -> None:
        cause = Cause(id="m", correlation="hr", actor="source:hr", lane=lane)
        before = self.state
        made = decision(before, message, Circumstances(now or self.now, 1, cause, context))
        self.state = load(dump(made.state)) if made.state is not None else None
        for record in made.messages:
            command = orjson.loads(record.value or b"")
            self.commands[Lane.URGENT if record.topic.endswith(".urgent") else Lane.ORDINARY].append(command)
        # The very same again changes nothing and says nothing new.
        if decision is not decide.look_again:
            again = decision(self.state, message, Circumstances(now or self.now, 1, cause, context))
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
        self._say(group, {"member": member, "by_hand": member}, (), Lane.ORDINARY)

    def _obey(self, command: dict[str, Any], lane: Lane) -> None:
        group = command["groupId"]
        there = self.members[group]
        answer = MembershipObeyed(command_id=command["id"], grant_version=command["grantVersion"])
        changes: dict[str, Any] = {}
        if (command["grantVersion"], command["repair"]) > (there.obeyed, there.repairs):
            changes = {
                "member": command["member"] or (there.member and there.by_hand),
                "by_grant": command["member"],
                "obeyed": command["grantVersion"],
                "repairs": command["repair"],
            }
        self._say(group, changes, (answer,), lane)

    def _say(self, group: str, changes: dict[str, Any], transitions: tuple[Any, ...], lane: Lane) -> None:
        self.members[group] = self.members[group].model_copy(update=changes)
        self.member_versions[group] += 1
        version = self.member_versions[group]
        fact = MembershipFact(
            id=f"membership:{group}:ana:{version}",
            cause=Cause(id="c", correlation="hr", actor="source:hr", lane=lane),
            subject=f"{group}:ana",
            version=version,
            at=self.now,
            transitions=transitions,
            state=self.members[group],
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
