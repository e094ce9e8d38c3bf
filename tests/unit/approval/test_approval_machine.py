"""One approval through random lives: people leave and change managers, decide in any order and twice, time passes, the
request is withdrawn. After each step the invariants hold, whatever happened before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from services.approval.decide.approvers import Directory, Person
from services.approval.decide.stages import Judge, date_has_come, judge, obey
from services.approval.model import Approval, dump, load, public
from shared.contracts.approval import (
    ApprovalCommand,
    ApprovalEnded,
    Outcome,
    ReviewResult,
    StageDecided,
    StageStatus,
    StartApproval,
    WithdrawApproval,
)
from shared.contracts.base import Cause
from shared.contracts.directory import PersonStatus
from shared.contracts.policy import ApprovalStageSettings, SubjectKind, SubjectSet
from shared.messaging.decision import Circumstances, Decision, Due

START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = ("ana", "boss", "chief", "dan", "eva")
ASKER, TARGET = "ana", "dan"
CAUSE = Cause(id="c", correlation="c", actor="person:ana")

sets = st.lists(
    st.sampled_from(
        [
            *(SubjectSet(kind=SubjectKind.SINGLE_USER, id=id) for id in PEOPLE),
            SubjectSet(kind=SubjectKind.GROUP_MEMBERS, id="g"),
            SubjectSet(kind=SubjectKind.REQUESTOR_MANAGER, level=1),
            SubjectSet(kind=SubjectKind.REQUESTOR_MANAGER, level=2),
            SubjectSet(kind=SubjectKind.TARGET_MANAGER, level=1),
        ]
    ),
    max_size=2,
).map(tuple)
stage_settings = st.builds(
    ApprovalStageSettings,
    duration_before_automatic_denial=st.just(timedelta(days=14)),
    is_approver_justification_required=st.booleans(),
    is_escalation_enabled=st.booleans(),
    duration_before_escalation=st.just(timedelta(days=7)),
    primary_approvers=sets,
    fallback_primary_approvers=sets,
    escalation_approvers=sets,
    fallback_escalation_approvers=sets,
)


class OneApproval(RuleBasedStateMachine):
    @initialize(stages=st.lists(stage_settings, min_size=1, max_size=3))
    def begin(self, stages: list[ApprovalStageSettings]) -> None:
        self.now = START
        self.status = dict.fromkeys(PEOPLE, PersonStatus.ACTIVE)
        self.managers: dict[str, str | None] = {"ana": "boss", "boss": "chief", "dan": "boss"}
        self.members = frozenset({"eva", "dan"})
        self.ended: list[ApprovalEnded] = []
        self.decided: list[StageDecided] = []
        self.command = ApprovalCommand(
            id="start",
            cause=CAUSE,
            request_id="r",
            order=StartApproval(
                person_id=TARGET,
                requestor_id=ASKER,
                package_id="p",
                policy_id="o",
                stages=tuple(stages),
                asked_at=START,
            ),
        )
        self.approval: Approval | None = None
        self._take(obey(None, self.command, self.at))

    @property
    def at(self) -> Circumstances[Directory]:
        people = {id: Person(id, self.status[id], self.managers.get(id)) for id in PEOPLE}
        return Circumstances(now=self.now, version=1, cause=CAUSE, context=Directory(people, {"g": self.members}))

    def _take(self, decision: Decision[Approval]) -> Decision[Approval]:
        assert decision.state is not None
        if decision.state is self.approval:
            assert not decision.transitions
        self.approval = load(dump(decision.state))
        assert self.approval == decision.state, "it survives the database"
        self.ended += [one for one in decision.transitions if isinstance(one, ApprovalEnded)]
        self.decided += [one for one in decision.transitions if isinstance(one, StageDecided)]
        return decision

    @rule()
    def the_command_comes_again(self) -> None:
        before = self.approval
        assert obey(before, self.command, self.at).state is before

    @rule(
        by=st.sampled_from(PEOPLE),
        number=st.integers(0, 2),
        result=st.sampled_from([ReviewResult.APPROVED, ReviewResult.DENIED]),
        why=st.sampled_from([None, "Because."]),
    )
    def somebody_decides(self, by: str, number: int, result: ReviewResult, why: str | None) -> None:
        approval = self.approval
        assert approval is not None
        stage = approval.stages[min(number, len(approval.stages) - 1)]
        decision = self._take(judge(approval, Judge("r", stage.id, by, result, why), self.at))
        said_again = stage.reviewed_by == by and stage.result is result
        if decision.refusal is None and not said_again:
            assert stage.open
            assert by not in {ASKER, TARGET}
            assert self.status[by] is PersonStatus.ACTIVE
            assert why or not stage.settings.is_approver_justification_required
        if stage.result is not ReviewResult.NOT_REVIEWED and not said_again:
            assert decision.refusal is not None
            if by in stage.approvers:
                assert decision.refusal.code == "alreadyDecided"
        # The very same decision again is heard as the one it repeats.
        if decision.refusal is None:
            again = judge(self.approval, Judge("r", stage.id, by, result, why), self.at)
            assert again.state is self.approval
            assert again.refusal is None

    @rule(id=st.sampled_from(PEOPLE), status=st.sampled_from([PersonStatus.ACTIVE, PersonStatus.LEFT]))
    def somebody_leaves_or_returns(self, id: str, status: PersonStatus) -> None:
        self.status[id] = status
        self._look_again_if_watched(id)

    @rule(id=st.sampled_from(PEOPLE), manager=st.sampled_from([None, *PEOPLE]))
    def somebody_has_another_manager(self, id: str, manager: str | None) -> None:
        self.managers[id] = manager
        self._look_again_if_watched(id)

    @rule(members=st.frozensets(st.sampled_from(PEOPLE)))
    def the_group_has_other_members(self, members: frozenset[str]) -> None:
        self.members = members
        self._take(date_has_come(self.approval, Due("r", self.now), self.at))

    def _look_again_if_watched(self, id: str) -> None:
        assert self.approval is not None
        if id in self.approval.watched:
            self._take(date_has_come(self.approval, Due("r", self.now), self.at))

    @rule(days=st.integers(1, 20))
    def time_passes(self, days: int) -> None:
        until = self.now + timedelta(days=days)
        while self.approval is not None and (due := self.approval.due_at) is not None and due <= until:
            self.now = max(self.now, due)
            self._take(date_has_come(self.approval, Due("r", due), self.at))
        self.now = until

    @rule()
    def the_request_is_withdrawn(self) -> None:
        order = ApprovalCommand(id="withdraw", cause=CAUSE, request_id="r", order=WithdrawApproval())
        self._take(obey(self.approval, order, self.at))

    @invariant()
    def it_ends_once_and_stages_go_in_order(self) -> None:
        approval = self.approval
        if approval is None:
            return
        assert len(self.ended) == (1 if approval.outcome else 0)
        assert public(approval).outcome == approval.outcome
        open_ones = [stage for stage in approval.stages if stage.open]
        assert len(open_ones) == (0 if approval.outcome else 1)
        assert (approval.due_at is None) is (approval.outcome is not None)
        results = [stage.result for stage in approval.stages]
        reached = [stage.status is not StageStatus.INITIALIZING for stage in approval.stages]
        assert reached == sorted(reached, reverse=True)
        match approval.outcome:
            case Outcome.APPROVED:
                assert all(result is ReviewResult.APPROVED for result in results)
            case Outcome.DENIED:
                assert results.count(ReviewResult.DENIED) == 1
            case _:
                assert ReviewResult.DENIED not in results

    @invariant()
    def one_decision_a_stage(self) -> None:
        ids = [one.stage_id for one in self.decided]
        assert len(ids) == len(set(ids))

    @invariant()
    def only_those_are_asked_who_may_decide(self) -> None:
        if self.approval is None:
            return
        for stage in self.approval.stages:
            assert not {ASKER, TARGET} & set(stage.approvers)
            if stage.open:
                assert all(self.status[id] is PersonStatus.ACTIVE for id in stage.approvers)


TestOneApproval = OneApproval.TestCase
TestOneApproval.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
pytestmark = pytest.mark.spec("APR-1", "APR-5")
