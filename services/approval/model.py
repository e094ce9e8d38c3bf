"""An approval: the stages that decide one request, under that request's id."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from shared.contracts.approval import ApprovalState, Outcome, ReviewResult, StageState, StageStatus
from shared.contracts.policy import Answer, ApprovalStageSettings, SubjectKind

LAST_DAY = timedelta(days=1)


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def having(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)


class Stage(Value):
    """One stage. Dates and approvers are set when it begins; what they were when it ended stays."""

    id: str
    settings: ApprovalStageSettings
    status: StageStatus = StageStatus.INITIALIZING
    result: ReviewResult = ReviewResult.NOT_REVIEWED
    approvers: tuple[str, ...] = ()
    escalated: bool = False
    escalates_at: datetime | None = None
    expires_at: datetime | None = None
    reminded: int = 0
    """How many of its reminders have been said."""
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    justification: str | None = None

    @property
    def open(self) -> bool:
        return self.status is StageStatus.IN_PROGRESS

    @property
    def reminders(self) -> tuple[datetime, ...]:
        """When whoever may decide is reminded: at half of its time, and as its last day begins (our choice)."""
        if self.expires_at is None:
            return ()
        time = self.settings.duration_before_automatic_denial
        half, last_day = self.expires_at - time / 2, self.expires_at - LAST_DAY
        return (half, last_day) if half < last_day else (half,)


class Approval(Value):
    """What is to be decided, and how far that has come. `outcome` is set once and for all."""

    id: str
    person_id: str
    requestor_id: str | None
    changes: bool = False
    """An assignment that is there is to be extended or changed."""
    package_id: str
    policy_id: str
    stages: tuple[Stage, ...]
    justification: str | None = None
    """The requestor's."""
    answers: tuple[Answer, ...] = ()
    asked_at: datetime
    outcome: Outcome | None = None
    watched: tuple[str, ...] = ()
    """People on whom it depends who is asked, and groups that answer for somebody as sponsors."""
    told: tuple[str, ...] = ()
    """People who were told how a stage of it ended."""

    @property
    def stage(self) -> Stage | None:
        """The one that is open."""
        return next((stage for stage in self.stages if stage.open), None)

    def with_stage(self, stage: Stage) -> Self:
        """The same with this stage in the place of the one of its id."""
        return self.having(stages=tuple(stage if one.id == stage.id else one for one in self.stages))

    @property
    def due_at(self) -> datetime | None:
        stage = self.stage
        if stage is None or self.outcome is not None:
            return None
        dates = [stage.expires_at, None if stage.escalated else stage.escalates_at, *stage.reminders[stage.reminded :]]
        return min((date for date in dates if date is not None), default=None)


def public(approval: Approval) -> ApprovalState:
    """As others see it."""
    return ApprovalState(
        id=approval.id,
        person_id=approval.person_id,
        requestor_id=approval.requestor_id,
        changes=approval.changes,
        package_id=approval.package_id,
        policy_id=approval.policy_id,
        stages=tuple(
            StageState(
                id=stage.id,
                status=stage.status,
                result=stage.result,
                approvers=stage.approvers,
                escalated=stage.escalated,
                expires_at=stage.expires_at,
                reviewed_by=stage.reviewed_by,
                reviewed_at=stage.reviewed_at,
                justification=stage.justification,
            )
            for stage in approval.stages
        ),
        justification=approval.justification,
        outcome=approval.outcome,
    )


def dump(approval: Approval) -> dict[str, Any]:
    """To a document, with what an open one is found by: who is asked, and the groups on whose members that depends."""
    document = approval.model_dump(by_alias=False)  # contracts inside would use the names of the wire
    if stage := approval.stage:
        document["waits_for"] = list(stage.approvers)
        groups = {one.id for one in stage.settings.everybody if one.kind is SubjectKind.GROUP_MEMBERS and one.id}
        if groups:
            document["groups"] = sorted(groups)
    return document


def load(document: dict[str, Any]) -> Approval:
    """Back from a document."""
    return Approval.model_validate(document)
