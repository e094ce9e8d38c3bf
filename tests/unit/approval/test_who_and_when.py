"""Who is asked, until when, who is asked besides, and what each of them is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.approval.api import _concerns, _stage_said
from services.approval.decide.approvers import Directory, Person
from services.approval.decide.stages import Judge, date_has_come, judge, obey
from services.approval.model import Approval
from shared.contracts.approval import (
    ApprovalCommand,
    ApprovalEnded,
    ApproversReminded,
    Outcome,
    ReviewResult,
    StageDecided,
    StageEscalated,
    StageStatus,
    StageTimedOut,
    StartApproval,
)
from shared.contracts.base import Cause
from shared.contracts.directory import PersonStatus
from shared.contracts.policy import ApprovalStageSettings, SubjectKind, SubjectSet
from shared.messaging.decision import Circumstances, Due
from shared.security.caller import Caller

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:ana")
MANAGER = SubjectSet(kind=SubjectKind.REQUESTOR_MANAGER)
SECOND = SubjectSet(kind=SubjectKind.REQUESTOR_MANAGER, level=2)
SPONSORS = SubjectSet(kind=SubjectKind.TARGET_SPONSORS)
FAY = SubjectSet(kind=SubjectKind.SINGLE_USER, id="fay")
TEAM = SubjectSet(kind=SubjectKind.GROUP_MEMBERS, id="team")
PEOPLE = {
    "ana": Person("ana", PersonStatus.ACTIVE, "boss", ("spo",)),
    "boss": Person("boss", PersonStatus.ACTIVE, "chief"),
    **{id: Person(id, PersonStatus.ACTIVE) for id in ("chief", "fay", "spo", "tim", "tom")},
}
EVERYBODY = Directory(PEOPLE, {"team": frozenset({"tim", "tom", "ana"})})


def at(days: float = 0, around: Directory = EVERYBODY) -> Circumstances[Directory]:
    return Circumstances(now=NOW + timedelta(days=days), version=1, cause=CAUSE, context=around)


def stage(*primary: SubjectSet, **more: Any) -> ApprovalStageSettings:
    return ApprovalStageSettings(primary_approvers=primary, **more)


def starting(*stages: ApprovalStageSettings) -> ApprovalCommand:
    order = StartApproval(
        person_id="ana", requestor_id="ana", package_id="p", policy_id="o", stages=stages, asked_at=NOW
    )
    return ApprovalCommand(id="start", cause=CAUSE, request_id="r", order=order)


def begun(*stages: ApprovalStageSettings, around: Directory = EVERYBODY) -> Approval:
    decision = obey(None, starting(*stages), at(around=around))
    assert decision.state is not None
    return decision.state


def asked(approval: Approval) -> set[str]:
    assert approval.stage is not None
    return set(approval.stage.approvers)


@pytest.mark.spec("APR-2")
@pytest.mark.parametrize(
    ("approvers", "who"),
    [
        (FAY, {"fay"}),
        (TEAM, {"tim", "tom"}),
        (MANAGER, {"boss"}),
        (SECOND, {"chief"}),
        (SubjectSet(kind=SubjectKind.TARGET_MANAGER), {"boss"}),
        (SPONSORS, {"spo"}),
    ],
)
def test_each_way_to_name_approvers_leads_to_these(approvers: SubjectSet, who: set[str]) -> None:
    assert asked(begun(stage(approvers))) == who


@pytest.mark.spec("APR-2")
def test_of_a_group_that_sponsors_somebody_each_member_is_asked_and_its_members_are_watched() -> None:
    ana = Person("ana", PersonStatus.ACTIVE, "boss", ("spo", "team"))
    approval = begun(stage(SPONSORS), around=Directory({**PEOPLE, "ana": ana}, EVERYBODY.members))
    assert asked(approval) == {"spo", "tim", "tom"}, "nobody about themself"
    assert {"ana", "spo", "team"} <= set(approval.watched)


@pytest.mark.spec("APR-3")
@pytest.mark.parametrize("primary", [MANAGER, SPONSORS])
def test_where_there_is_no_manager_or_sponsor_the_fallback_of_that_stage_is_asked(primary: SubjectSet) -> None:
    alone = Directory({**PEOPLE, "ana": Person("ana", PersonStatus.ACTIVE)}, {})
    both = stage(primary, fallback_primary_approvers=(FAY,)), stage(primary, fallback_primary_approvers=(TEAM,))
    assert asked(begun(*both, around=alone)) == {"fay"}
    assert asked(begun(*both)) == ({"boss"} if primary is MANAGER else {"spo"})


@pytest.mark.spec("APR-3")
@pytest.mark.parametrize(
    "away",
    [Person("boss", PersonStatus.ACTIVE, "chief", blocked=True), Person("boss", PersonStatus.SUSPENDED, "chief")],
)
def test_who_cannot_sign_in_to_decide_is_not_asked_and_others_are(away: Person) -> None:
    settings = stage(MANAGER, fallback_primary_approvers=(FAY,))
    blocked = Directory({**PEOPLE, "boss": away}, {})
    assert asked(begun(settings, around=blocked)) == {"fay"}
    assert asked(begun(stage(SECOND), around=blocked)) == {"chief"}, "still somebody's manager"
    since = date_has_come(begun(settings), Due("r", NOW), at(1, blocked)).state
    assert since is not None
    assert asked(since) == {"fay"}


@pytest.mark.spec("APR-6")
def test_a_stage_in_which_nobody_decides_ends_it_all_when_its_days_are_over() -> None:
    approval = begun(stage(FAY, duration_before_automatic_denial=timedelta(days=5)), stage(TEAM))
    assert approval.stages[0].expires_at == NOW + timedelta(days=5)
    assert date_has_come(approval, Due("r", NOW), at(4.99)).state is not None
    over = date_has_come(approval, Due("r", NOW), at(5))
    assert over.state is not None
    assert over.state.outcome is Outcome.EXPIRED
    assert [one.status for one in over.state.stages] == [StageStatus.EXPIRED, StageStatus.INITIALIZING]
    assert [one.outcome for one in over.transitions if isinstance(one, ApprovalEnded)] == [Outcome.EXPIRED]
    late = judge(approval, Judge("r", approval.stages[0].id, "fay", ReviewResult.APPROVED), at(5))
    assert late.refusal is not None


ESCALATING: dict[str, Any] = {"is_escalation_enabled": True, "duration_before_escalation": timedelta(days=7)}


@pytest.mark.spec("APR-7")
def test_after_its_time_a_stage_also_goes_to_the_alternates_and_each_of_them_may_decide() -> None:
    approval = begun(stage(MANAGER, escalation_approvers=(FAY,), **ESCALATING))
    id = approval.stages[0].id
    early = judge(approval, Judge("r", id, "fay", ReviewResult.APPROVED), at(6))
    assert early.refusal is not None
    escalated = date_has_come(approval, Due("r", NOW), at(7))
    assert [one.approvers for one in escalated.transitions if isinstance(one, StageEscalated)] == [("fay",)]
    assert escalated.state is not None
    assert asked(escalated.state) == {"boss", "fay"}
    for who in ("boss", "fay"):
        decided = judge(escalated.state, Judge("r", id, who, ReviewResult.APPROVED), at(8))
        assert decided.state is not None
        assert decided.state.outcome is Outcome.APPROVED


@pytest.mark.spec("APR-8")
def test_the_managers_manager_can_be_the_alternate_with_a_fallback_of_their_own() -> None:
    settings = stage(MANAGER, escalation_approvers=(SECOND,), fallback_escalation_approvers=(FAY,), **ESCALATING)
    there = date_has_come(begun(settings), Due("r", NOW), at(7)).state
    assert there is not None
    assert asked(there) == {"boss", "chief"}
    headless = Directory({**PEOPLE, "boss": Person("boss", PersonStatus.ACTIVE)}, {})
    alone = date_has_come(begun(settings, around=headless), Due("r", NOW), at(7, headless)).state
    assert alone is not None
    assert asked(alone) == {"boss", "fay"}


@pytest.mark.spec("APR-9", "APR-10")
def test_a_justification_can_be_asked_for_and_is_seen_by_the_other_approvers_and_the_requestor() -> None:
    approval = begun(stage(TEAM, is_approver_justification_required=True))
    id = approval.stages[0].id
    refused = judge(approval, Judge("r", id, "tim", ReviewResult.DENIED, " "), at(1)).refusal
    assert refused is not None
    assert refused.code == "justificationRequired"
    decided = judge(approval, Judge("r", id, "tim", ReviewResult.DENIED, "Not your team."), at(1)).state
    assert decided is not None
    for who, sees in (("tom", True), ("ana", True), ("boss", False)):
        caller = Caller(actor=f"person:{who}", person_id=who)
        assert _concerns(decided, who) is sees
        said = _stage_said(decided.stages[0], caller, {"tim": {"name": "Tim"}})
        assert (said["justification"], said["reviewResult"]) == ("Not your team.", "Denied")
        assert said["reviewedBy"] == {"id": "tim", "displayName": "Tim"}
        assert said["@tenure.expiresDateTime"] == "2026-03-15T00:00:00Z"


@pytest.mark.spec("ML-1")
def test_each_decision_names_approvers_and_alternates_and_the_last_one_those_of_all_stages() -> None:
    approval = begun(stage(MANAGER, escalation_approvers=(FAY,), **ESCALATING), stage(TEAM))
    first, second = approval.stages
    approved = judge(approval, Judge("r", first.id, "boss", ReviewResult.APPROVED), at(1))
    (decided,) = [one for one in approved.transitions if isinstance(one, StageDecided)]
    assert decided.concerned == ("boss", "fay")
    last = judge(approved.state, Judge("r", second.id, "tim", ReviewResult.APPROVED), at(2))
    (decided,) = [one for one in last.transitions if isinstance(one, StageDecided)]
    assert decided.concerned == ("boss", "fay", "tim", "tom")
    assert last.state is not None
    assert _concerns(last.state, "fay"), "whoever is told of a decision may read it"
    over = date_has_come(approval, Due("r", NOW), at(14))
    assert [one.concerned for one in over.transitions if isinstance(one, StageTimedOut)] == [("boss", "fay")]


def test_whoever_may_decide_is_reminded_at_half_time_and_on_the_last_day() -> None:
    approval, reminded = begun(stage(TEAM, duration_before_automatic_denial=timedelta(days=10))), []
    while approval.outcome is None:
        assert approval.due_at is not None
        decision = date_has_come(approval, Due("r", approval.due_at), at((approval.due_at - NOW) / timedelta(days=1)))
        assert decision.state is not None
        reminded += [
            (approval.due_at, one.approvers) for one in decision.transitions if isinstance(one, ApproversReminded)
        ]
        approval = decision.state
    assert reminded == [(NOW + timedelta(days=days), ("tim", "tom")) for days in (5, 9)]


def test_a_jump_over_both_reminders_is_one_and_a_short_stage_has_one() -> None:
    approval = begun(stage(TEAM))
    late = date_has_come(approval, Due("r", NOW), at(13.5))
    assert len([one for one in late.transitions if isinstance(one, ApproversReminded)]) == 1
    assert late.state is not None
    assert late.state.due_at == NOW + timedelta(days=14)
    assert begun(stage(TEAM, duration_before_automatic_denial=timedelta(hours=8))).stages[0].reminders == (
        NOW + timedelta(hours=4),
    )
