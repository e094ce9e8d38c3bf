"""The course of an approval: stage after stage begins, is decided, is escalated, or runs out of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.approval.decide.approvers import Directory, asked
from services.approval.model import Approval, Stage
from shared.contracts.approval import (
    ApprovalCommand,
    ApprovalEnded,
    ApproversChanged,
    ApproversReminded,
    Outcome,
    ReviewResult,
    StageDecided,
    StageEscalated,
    StageStarted,
    StageStatus,
    StageTimedOut,
    StartApproval,
    WithdrawApproval,
)
from shared.contracts.base import Refusal, Transition
from shared.ids import derived_id
from shared.messaging.decision import Circumstances, Decision, Due

At = Circumstances[Directory]
Said = list[Transition]


@dataclass(frozen=True, slots=True)
class Judge:
    """An approver decides a stage."""

    id: str
    stage_id: str
    by: str
    result: ReviewResult
    justification: str | None = None


def obey(approval: Approval | None, command: ApprovalCommand, at: At) -> Decision[Approval]:
    """Begin, or end without a decision. A repeat finds it begun or ended."""
    match command.order:
        case StartApproval() as order:
            return Decision(approval) if approval is not None else _start(command.request_id, order, at)
        case WithdrawApproval():
            if approval is None or approval.outcome is not None:
                return Decision(approval)
            said: Said = []
            return _decided(_end(approval, Outcome.WITHDRAWN, said), said)


def _start(id: str, order: StartApproval, at: At) -> Decision[Approval]:
    stages = tuple(
        Stage(id=derived_id("approval-stage", id, number), settings=settings)
        for number, settings in enumerate(order.stages, 1)
    )
    approval = Approval(
        id=id,
        person_id=order.person_id,
        requestor_id=order.requestor_id,
        changes=order.changes,
        package_id=order.package_id,
        policy_id=order.policy_id,
        stages=stages,
        justification=order.justification,
        answers=order.answers,
        asked_at=order.asked_at,
    )
    said: Said = []
    return _decided(_next(approval, at, said), said)


def judge(approval: Approval | None, judgement: Judge, at: At) -> Decision[Approval]:
    """The first decision of a stage counts. A denial ends it all; approval of the last stage lets the request go on."""
    stage = next((one for one in approval.stages if one.id == judgement.stage_id), None) if approval else None
    if approval is None or stage is None:
        return Decision(approval, refusal=Refusal(code="notFound", message="The resource was not found."))
    if stage.reviewed_by == judgement.by and stage.result is judgement.result:
        return Decision(approval)  # said again
    if refusal := _not_to_judge(approval, stage, judgement, at):
        return Decision(approval, refusal=refusal)
    now_asked = asked(approval, stage, at.context)
    decided = stage.having(
        status=StageStatus.COMPLETED,
        result=judgement.result,
        approvers=now_asked.approvers,
        reviewed_by=judgement.by,
        reviewed_at=at.now,
        justification=judgement.justification,
    )
    number = _number(approval, stage)
    ends = judgement.result is ReviewResult.DENIED or number == len(approval.stages)
    concerned = _concerned(approval, approval.stages[:number] if ends else (stage,), at)
    said: Said = [
        StageDecided(
            stage_id=stage.id,
            number=number,
            result=judgement.result,
            by=judgement.by,
            justification=judgement.justification,
            concerned=concerned,
        )
    ]
    after = _having_told(approval.with_stage(decided), concerned)
    if judgement.result is ReviewResult.APPROVED:
        return _decided(_next(after, at, said, judgement), said)
    return _decided(_end(after, Outcome.DENIED, said, judgement), said)


def _not_to_judge(approval: Approval, stage: Stage, judgement: Judge, at: At) -> Refusal | None:
    now_asked = asked(approval, stage, at.context).approvers if stage.open else ()
    if judgement.by not in {*stage.approvers, *now_asked}:
        return Refusal(code="notApprover", message="Only an approver of this stage decides it.")
    if refusal := _not_open(approval, stage, at):
        return refusal
    if judgement.by not in now_asked:
        return Refusal(code="notApprover", message="You are an approver of this stage no longer.")
    if stage.settings.is_approver_justification_required and not (judgement.justification or "").strip():
        return Refusal(code="justificationRequired", message="The policy asks for a justification of the decision.")
    return None


def _not_open(approval: Approval, stage: Stage, at: At) -> Refusal | None:
    if stage.result is not ReviewResult.NOT_REVIEWED:
        return Refusal(code="alreadyDecided", message=f"Another approver has decided this stage: {stage.result.value}.")
    if approval.outcome is not None or (stage.expires_at is not None and stage.expires_at <= at.now):
        return Refusal(code="notOpen", message="This approval is over.")
    if not stage.open:
        return Refusal(code="notOpen", message="The stage before this one is not decided yet.")
    return None


def date_has_come(approval: Approval | None, _due: Due, at: At) -> Decision[Approval]:
    """Silence denies, or the alternates are asked as well; or somebody on whom it depends has changed."""
    stage = approval.stage if approval else None
    if approval is None or stage is None or approval.outcome is not None:
        return Decision(approval)
    said: Said = []
    if stage.expires_at is not None and stage.expires_at <= at.now:
        concerned = _concerned(approval, (stage,), at)
        said.append(StageTimedOut(stage_id=stage.id, number=_number(approval, stage), concerned=concerned))
        expired = _having_told(approval.with_stage(stage.having(status=StageStatus.EXPIRED)), concerned)
        return _decided(_end(expired, Outcome.EXPIRED, said), said)
    if not stage.escalated and stage.escalates_at is not None and stage.escalates_at <= at.now:
        stage = stage.having(escalated=True)
        besides = set(asked(approval, stage, at.context).approvers) - set(stage.approvers)
        said.append(
            StageEscalated(stage_id=stage.id, number=_number(approval, stage), approvers=tuple(sorted(besides)))
        )
    past = sum(date <= at.now for date in stage.reminders)
    if past > stage.reminded:
        # Several at once (nobody looked for long) are one reminder; who is asked only now needs none.
        stage = stage.having(reminded=past)
        still = tuple(sorted(set(stage.approvers) & set(asked(approval, stage, at.context).approvers)))
        if still:
            said.append(ApproversReminded(stage_id=stage.id, number=_number(approval, stage), approvers=still))
    return _decided(_asking(approval, stage, at, said), said)


def _concerned(approval: Approval, stages: Sequence[Stage], at: At) -> tuple[str, ...]:
    """Approvers and alternates of these stages: who was asked, and whoever would have been."""
    people: set[str] = set()
    for stage in stages:
        alternates = stage.having(escalated=stage.escalated or stage.settings.is_escalation_enabled)
        people.update(stage.approvers, asked(approval, alternates, at.context).approvers)
    return tuple(sorted(people))


def _having_told(approval: Approval, people: tuple[str, ...]) -> Approval:
    """Whoever is told of a decision may read it, alternates too whom nobody had asked."""
    return approval.having(told=tuple(sorted({*approval.told, *people})))


def _asking(approval: Approval, stage: Stage, at: At, said: Said) -> Approval:
    """Whom the rules lead to now is asked, nobody else."""
    now_asked = asked(approval, stage, at.context)
    added, removed = set(now_asked.approvers) - set(stage.approvers), set(stage.approvers) - set(now_asked.approvers)
    if any(isinstance(one, StageEscalated) for one in said):
        added = set()  # they have been told of already
    if added or removed:
        said.append(ApproversChanged(stage_id=stage.id, added=tuple(sorted(added)), removed=tuple(sorted(removed))))
    watched = tuple(sorted(now_asked.watched))
    return approval.with_stage(stage.having(approvers=now_asked.approvers)).having(watched=watched)


def _next(approval: Approval, at: At, said: Said, judgement: Judge | None = None) -> Approval:
    """The first stage that has not begun begins; if there is none, all have approved."""
    stage = next((one for one in approval.stages if one.status is StageStatus.INITIALIZING), None)
    if stage is None:
        return _end(approval, Outcome.APPROVED, said, judgement)
    settings = stage.settings
    begun = stage.having(
        status=StageStatus.IN_PROGRESS,
        expires_at=at.now + settings.duration_before_automatic_denial,
        escalates_at=at.now + settings.duration_before_escalation if settings.is_escalation_enabled else None,
    )
    now_asked = asked(approval, begun, at.context)
    begun = begun.having(approvers=now_asked.approvers)
    assert begun.expires_at is not None
    said.append(
        StageStarted(
            stage_id=stage.id,
            number=_number(approval, stage),
            approvers=now_asked.approvers,
            expires_at=begun.expires_at,
        )
    )
    return approval.with_stage(begun).having(watched=tuple(sorted(now_asked.watched)))


def _end(approval: Approval, outcome: Outcome, said: Said, judgement: Judge | None = None) -> Approval:
    by, why = (judgement.by, judgement.justification) if judgement else (None, None)
    said.append(ApprovalEnded(outcome=outcome, by=by, justification=why))
    stages = tuple(one.having(status=StageStatus.COMPLETED) if one.open else one for one in approval.stages)
    return approval.having(stages=stages, outcome=outcome, watched=())


def _number(approval: Approval, stage: Stage) -> int:
    return 1 + next(number for number, one in enumerate(approval.stages) if one.id == stage.id)


def _decided(approval: Approval, said: Said) -> Decision[Approval]:
    return Decision(approval, tuple(said))
