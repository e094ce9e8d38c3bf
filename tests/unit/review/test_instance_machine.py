"""One review through random lives: reviewers decide in any order, leave, are replaced; stages end, somebody stops it,
answers come late or twice. After each step the invariants hold, whatever happened before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.review.decide import applying, instances, items
from services.review.decide.reviewers import Resolved, named
from services.review.model import (
    OVER,
    Instance,
    Item,
    dump_instance,
    dump_item,
    load_instance,
    load_item,
    public_instance,
    public_item,
)
from shared.contracts.base import Cause, Transition
from shared.contracts.review import (
    Advice,
    ApplyResult,
    DefaultDecision,
    DefinitionState,
    ItemApplying,
    ReviewCommand,
    ReviewedResource,
    ReviewerScope,
    ReviewSettings,
    ReviewStatus,
    StageSettings,
    StartInstance,
    Verdict,
)
from shared.contracts.roster import (
    RosterAbout,
    RosterEnded,
    RosterEntry,
    RosterFact,
    RosterKind,
    RosterPage,
    RosterState,
)
from shared.messaging.decision import Circumstances, Decision, Due

START = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
ID = {name: f"{number:08d}-0000-4000-8000-000000000000" for number, name in enumerate(("ana", "ben", "eva", "max"), 1)}
PEOPLE = tuple(ID.values())
MANAGERS = {ID["ana"]: ID["max"], ID["ben"]: ID["ana"], ID["eva"]: None}
GROUP = "a0000000-0000-4000-8000-000000000000"
RESOURCE = ReviewedResource(kind=RosterKind.GROUP, id=GROUP)

reviewer_scopes = st.lists(
    st.sampled_from(
        [
            *(ReviewerScope(query=f"/users/{id}") for id in PEOPLE),
            ReviewerScope(query=f"/groups/{GROUP}/owners"),
            ReviewerScope(query="./manager"),
        ]
    ),
    max_size=2,
).map(tuple)
stages = st.builds(
    StageSettings,
    durationInDays=st.integers(1, 5),
    reviewers=reviewer_scopes,
    fallback_reviewers=st.lists(
        st.sampled_from([ReviewerScope(query=f"/users/{id}") for id in PEOPLE]), max_size=2
    ).map(tuple),
    moves_on=st.sampled_from([None, ("Approve",), ("NotReviewed", "DontKnow"), ("Recommendation",)]),
)
review_settings = st.builds(
    ReviewSettings,
    justification_required_on_approval=st.booleans(),
    default_decision_enabled=st.booleans(),
    default_decision=st.sampled_from(list(DefaultDecision)),
    auto_apply_decisions_enabled=st.booleans(),
    reminder_notifications_enabled=st.booleans(),
)


@dataclass
class World:
    """The instance and its items, as a database would have them."""

    instance: Instance
    items: dict[str, Item] = field(default_factory=dict)
    said: list[Transition] = field(default_factory=list)
    commanded: list[str] = field(default_factory=list)


class OneReview(RuleBasedStateMachine):
    @initialize(settings_=review_settings, stages_=st.lists(stages, min_size=1, max_size=3), advice=st.data())
    def begin(self, settings_: ReviewSettings, stages_: list[StageSettings], advice: st.DataObject) -> None:
        self.now = START
        self.gone: set[str] = set()
        self.version = 0
        days = sum(one.duration_in_days for one in stages_)
        definition = DefinitionState(
            id="d",
            display_name="Review",
            scope={},
            settings=settings_,
            stages=tuple(stages_),
            staged=len(stages_) > 1,
            created_at=START,
            modified_at=START,
        )
        order = StartInstance(
            definition=definition,
            number=1,
            resource=RESOURCE,
            scope={"query": f"/groups/{GROUP}/members"},
            starts_at=START,
            ends_at=START + timedelta(days=days),
        )
        self.command = ReviewCommand(id="c", cause=CAUSE, instance_id="i", order=order)
        scopes = [*stages_[0].reviewers, *stages_[0].fallback_reviewers]
        look = instances.Look({"i": self.resolved(scopes)}, {GROUP: "Sales"})
        decision = instances.obey(None, self.command, self.at(look))
        assert decision.state is not None
        assert len(decision.messages) == 1, "the owner is asked"
        self.world = World(decision.state)
        entries = tuple(
            RosterEntry(person_id=id, manager_id=manager, role="Member") for id, manager in MANAGERS.items()
        )
        for entry in entries:
            id = items.item_id("i", entry)
            advised = items.Advise(id, advice.draw(st.sampled_from(list(Advice)), label="recommended"), "Why.", {})
            enter = items.Enter(id, "i", entry)
            look_at_items = items.Look({"i": self.world.instance}, self.gone)
            entered = items.enter(None, enter, self.at(look_at_items))
            assert entered.state is not None
            assert items.enter(entered.state, enter, self.at(look_at_items)).state is entered.state, "once"
            with_advice = items.advise(entered.state, advised, self.at(look_at_items)).state
            assert with_advice is not None
            self.world.items[id] = with_advice
        fact = RosterFact(
            id="r",
            cause=CAUSE,
            subject="i",
            version=1,
            at=self.now,
            transitions=(RosterPage(number=1, entries=entries), RosterEnded(pages=1, entries=3)),
            state=RosterState(id="i", about=RosterAbout(kind=RosterKind.GROUP, id=GROUP)),
        )
        self.told = instances.RosterTold(fact, len(entries))
        self.take(instances.roster_told(self.world.instance, self.told, self.at(instances.Look())))
        assert self.world.instance.is_open

    def at(self, look: Any) -> Circumstances[Any]:
        return Circumstances(now=self.now, version=1, cause=CAUSE, context=look)

    def resolved(self, scopes: Any) -> Resolved:
        """Owners are ana; whoever has left is nobody."""
        return {
            one: tuple(id for id in ((one.id,) if one.who == "user" else (ID["ana"],)) if id and id not in self.gone)
            for one in named(scopes)
            if one.who in {"user", "owners"}
        }

    def look(self) -> instances.Look:
        scopes = [
            scope
            for stage in self.world.instance.stages
            for scope in (*stage.settings.reviewers, *stage.settings.fallback_reviewers)
        ]
        return instances.Look({"i": self.resolved(scopes)}, steps={"i": self.step()})

    def step(self) -> instances.Step:
        """What the service does before it moves the instance on."""
        one = self.world.instance
        match one.status:
            case ReviewStatus.IN_PROGRESS if one.moving:
                self.each(items.Advance, items.advance)
            case ReviewStatus.AUTO_REVIEWING:
                self.each(items.Settle, items.settle)
            case ReviewStatus.APPLYING if one.moving:
                self.each(items.Apply, items.apply)
        waiting = any(not item.settled for item in self.world.items.values())
        return instances.Step(over=True, waiting=one.status is ReviewStatus.APPLYING and waiting)

    def each(self, message: Any, decide: Any) -> None:
        for id in self.world.items:
            self.decide(id, decide, message(id))

    def decide(self, id: str, decide: Any, message: Any) -> Decision[Item]:
        before = self.world.items[id]
        look = items.Look({"i": self.world.instance}, self.gone)
        decision: Decision[Item] = decide(before, message, self.at(look))
        assert decision.state is not None
        if decision.state is before:
            assert not decision.transitions
        assert load_item(dump_item(decision.state)) == decision.state, "it survives the database"
        public_item(decision.state)
        self.world.items[id] = decision.state
        self.world.commanded += [one.command_id for one in decision.transitions if isinstance(one, ItemApplying)]
        return decision

    def take(self, decision: Decision[Instance]) -> Decision[Instance]:
        assert decision.state is not None
        assert load_instance(dump_instance(decision.state)) == decision.state, "it survives the database"
        public_instance(decision.state)
        if decision.state is self.world.instance:
            assert not decision.transitions
        self.world.instance = decision.state
        self.world.said += decision.transitions
        return decision

    @rule(
        by=st.sampled_from(PEOPLE),
        number=st.integers(0, 2),
        verdict=st.sampled_from(list(Verdict)),
        why=st.sampled_from([None, "Because."]),
        advised=st.booleans(),
    )
    def somebody_decides(self, by: str, number: int, verdict: Verdict, why: str | None, advised: bool) -> None:
        id = list(self.world.items)[number]
        before, instance = self.world.items[id], self.world.instance
        decision = self.decide(id, items.judge, items.Judge(id, by, verdict, why, only_open=advised, advised=advised))
        after = self.world.items[id]
        if decision.refusal is None and not advised:
            whose = None if verdict is Verdict.NOT_REVIEWED else by
            assert (after.decision, after.decided_by) == (verdict, whose), "of several the last one counts"
        if decision.transitions:
            assert instance.is_open
            assert before.stage == instance.current
            assert by != before.person_id or instance.stage.self_review
            assert (after.decisions[-1].by, len(after.decisions)) == (by, len(before.decisions) + 1)
            if after.decision is Verdict.APPROVE and not advised:
                assert why or not instance.definition.settings.justification_required_on_approval

    @rule(id=st.sampled_from(PEOPLE))
    def a_reviewer_leaves(self, id: str) -> None:
        self.gone.add(id)
        left = instances.ReviewerLeft("i", id)
        self.take(instances.reviewer_left(self.world.instance, left, self.at(instances.Look())))
        for item in list(self.world.items):
            self.decide(item, items.hand_over, items.HandOver(item, id))

    @rule(days=st.integers(1, 4))
    def time_passes(self, days: int) -> None:
        until = self.now + timedelta(days=days)
        for _ in range(100):
            due = self.world.instance.due_at
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            self.take(instances.date_has_come(self.world.instance, Due("i", due), self.at(self.look())))
        else:
            raise AssertionError("it is due for ever")
        self.now = until

    @rule(what=st.sampled_from(["stop", "stopStage", "remind", "reset", "apply"]))
    def an_administrator_acts(self, what: Any) -> None:
        before = self.world.instance
        act = instances.Act("i", what, before.stage.id)
        decision = self.take(instances.act(before, act, self.at(self.look())))
        allowed = (
            before.status is ReviewStatus.IN_PROGRESS
            if what != "apply"
            else before.status
            in {ReviewStatus.COMPLETED, ReviewStatus.AUTO_REVIEWED, ReviewStatus.APPLYING, ReviewStatus.APPLIED}
        )
        if what != "stopStage":
            assert (decision.refusal is None) is allowed
        if what == "reset" and decision.refusal is None:
            for id in self.world.items:
                self.decide(id, items.reset, items.Reset(id, None))

    @rule(number=st.integers(0, 2), result=st.sampled_from([ApplyResult.APPLIED, ApplyResult.NOT_SUPPORTED]))
    def an_answer_comes(self, number: int, result: ApplyResult) -> None:
        id = list(self.world.items)[number]
        item = self.world.items[id]
        answer = items.Answered(id, applying.Answer(applying.command_id(item), result, "Done."))
        decision = self.decide(id, items.answered, answer)
        assert bool(decision.transitions) is (item.awaited is not None)
        assert not self.decide(id, items.answered, answer).transitions, "twice is once"
        if self.world.instance.status is ReviewStatus.APPLYING:  # an answer makes it look
            self.take(instances.date_has_come(self.world.instance, Due("i", self.now), self.at(self.look())))

    @rule(number=st.integers(0, 2))
    def a_guest_is_blocked_first(self, number: int) -> None:
        id = list(self.world.items)[number]
        item, until = self.world.items[id], self.now + timedelta(days=30)
        answer = items.Answered(
            id, applying.Answer(applying.command_id(item), ApplyResult.NEW, f"Until {until}.", until)
        )  # fmt: skip
        decision = self.decide(id, items.answered, answer)
        assert bool(decision.transitions) is (item.awaited is not None and item.detail != answer.answer.detail)
        assert self.decide(id, items.answered, answer).state is self.world.items[id], "twice is once"
        assert self.world.items[id].settled is item.settled, "what comes of it is awaited"

    @rule()
    def what_began_it_comes_again(self) -> None:
        before = self.world.instance
        assert instances.obey(before, self.command, self.at(self.look())).state is before
        assert instances.roster_told(before, self.told, self.at(instances.Look())).state is before

    @invariant()
    def stages_go_in_order_and_one_is_open_at_most(self) -> None:
        one = self.world.instance
        assert sum(stage.open for stage in one.stages) <= 1
        begun = [stage.starts_at is not None for stage in one.stages]
        assert begun == sorted(begun, reverse=True)
        assert one.is_open or one.status in OVER or one.moving
        if one.status in OVER:
            assert not any(stage.open for stage in one.stages)
        waits = one.status is ReviewStatus.APPLYING and not one.moving
        at_rest = one.status in {ReviewStatus.COMPLETED, ReviewStatus.AUTO_REVIEWED, ReviewStatus.APPLIED}
        assert (one.due_at is None) is at_rest or waits

    @invariant()
    def only_what_was_denied_is_commanded_and_only_once(self) -> None:
        assert len(self.world.commanded) == len(set(self.world.commanded))
        for item in self.world.items.values():
            commanded = applying.command_id(item) in self.world.commanded
            assert not commanded or item.decision is Verdict.DENY
            assert not commanded or self.world.instance.status in {ReviewStatus.APPLYING, ReviewStatus.APPLIED}

    @invariant()
    def at_the_end_every_item_has_its_result(self) -> None:
        one = self.world.instance
        default = one.definition.settings.default_decision
        if one.status is ReviewStatus.APPLIED:
            assert all(item.settled for item in self.world.items.values())
        settled = {ReviewStatus.AUTO_REVIEWED, ReviewStatus.APPLYING, ReviewStatus.APPLIED}
        enabled = one.definition.settings.default_decision_enabled
        if one.status in settled and enabled and default in {DefaultDecision.APPROVE, DefaultDecision.DENY}:
            assert all(item.decision is not Verdict.NOT_REVIEWED for item in self.world.items.values())

    @invariant()
    def only_those_review_who_are_there(self) -> None:
        one = self.world.instance
        if one.is_open:
            assert not set(one.stage.reviewers) & self.gone
            for item in self.world.items.values():
                if item.stage == one.current and item.reviewers is not None and not one.stage.self_review:
                    assert item.person_id not in item.reviewers
                    assert not set(item.reviewers) & self.gone


TestOneReview = OneReview.TestCase
TestOneReview.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
pytestmark = pytest.mark.spec("REV-8", "REV-9", "REV-10", "REV-14", "REV-15", "REV-17")
