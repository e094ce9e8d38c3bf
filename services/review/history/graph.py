"""Bodies of history definitions as Graph writes and reads them.

Source: reference/graph-api-operations.md 4.5; graph-model.md (accessReviewHistory types).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError

from services.review.graph import Names, Rendered
from services.review.history.model import CHOSEN, History, HistoryStatus, Run, Schedule, before
from services.review.history.report import sought
from shared.clock import zoned
from shared.web.errors import BadRequest
from shared.web.graph_model import ODATA_TYPE, GraphBody, NotBlank, graph_time
from shared.web.odata import GUID, EntitySet, Enumeration
from shared.web.odata import Field as Column
from shared.web.recurrence import RecurrenceIn, recurrence_of

SCOPE = "#microsoft.graph.accessReviewQueryScope"

HISTORIES = EntitySet(
    "accessReviewHistoryDefinition",
    {
        "id": Column("_id", GUID),
        "displayName": Column("state.display_name"),
        "status": Column("state.status", Enumeration(tuple(HistoryStatus))),
    },
    selectable=frozenset(
        {
            "id", "displayName", "status", "createdDateTime", "createdBy", "decisions", "scopes", "scheduleSettings",
            "reviewHistoryPeriodStartDateTime", "reviewHistoryPeriodEndDateTime",
        }
    ),
    expandable=frozenset({"instances"}),
)  # fmt: skip


class ScheduleIn(GraphBody):
    report_range: str = Field(max_length=32)
    recurrence: RecurrenceIn


class HistoryIn(GraphBody):
    """Graph's accessReviewHistoryDefinition, as far as callers write it."""

    display_name: NotBlank = Field(min_length=1, max_length=256)
    scopes: list[dict[str, Any]] = Field(min_length=1, max_length=50)
    decisions: list[Literal["approve", "deny", "dontKnow", "notReviewed", "notNotified"]] | None = None
    review_history_period_start_date_time: datetime | None = None
    review_history_period_end_date_time: datetime | None = None
    schedule_settings: dict[str, Any] | None = None

    read_only: ClassVar[frozenset[str]] = frozenset({"id", "status", "createdBy", "createdDateTime", "instances"})


def history_of(body: HistoryIn, id: str, created_by: str | None, now: datetime) -> History:
    """Checked as a whole. Raises BadRequest that says what, where and how to fix it."""
    for number, scope in enumerate(body.scopes):
        _check_scope(scope, f"scopes/{number}")
    begins, ends = body.review_history_period_start_date_time, body.review_history_period_end_date_time
    schedule = _schedule(body.schedule_settings, now) if body.schedule_settings is not None else None
    if schedule is None:
        where = "reviewHistoryPeriodStartDateTime"
        if begins is None or ends is None:
            said = "say the period with reviewHistoryPeriodEndDateTime, or scheduleSettings"
            raise BadRequest(f"{where}: {said}.", target=where)
        begins, ends = map(zoned, (begins, ends))
        if begins >= ends:
            raise BadRequest(f"{where}: the period ends before it begins.", target=where)
    elif begins is not None or ends is not None:
        raise BadRequest("scheduleSettings: a period of its own is for a list that does not recur.")
    return History(
        id=id,
        display_name=body.display_name,
        created_by=created_by,
        created_at=now,
        scopes=tuple({ODATA_TYPE: SCOPE, "queryRoot": None, **one} for one in body.scopes),
        decisions=tuple(one for one in CHOSEN if not body.decisions or one in body.decisions),
        begins_at=begins,
        ends_at=ends,
        schedule=schedule,
    )


def _check_scope(scope: dict[str, Any], where: str) -> None:
    if scope.get(ODATA_TYPE, SCOPE) != SCOPE or scope.get("queryType", "MicrosoftGraph") != "MicrosoftGraph":
        raise BadRequest(f"{where}: is an accessReviewQueryScope of queryType MicrosoftGraph.", target=where)
    try:
        sought(str(scope.get("query", "")))
    except ValueError as problem:
        form = "/identityGovernance/accessReviews/definitions?$filter=contains(scope/query, '/groups')"
        raise BadRequest(f"{where}/query: {problem}; it is like {form}.", target=f"{where}/query") from None


def _schedule(written: dict[str, Any], now: datetime) -> Schedule:
    where = "scheduleSettings"
    try:
        said = ScheduleIn.model_validate(written)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = "/".join([where, *map(str, first["loc"])])
        raise BadRequest(f"{place}: {first['msg']}.", target=place) from None
    read = recurrence_of(said.recurrence, f"{where}/recurrence")
    try:
        before(now, said.report_range)
    except ValueError as problem:
        raise BadRequest(f"{where}/reportRange: {problem}.", target=f"{where}/reportRange") from None
    return Schedule(report_range=said.report_range, recurrence=read, written=written)


def history_said(one: History, names: Names, now: datetime) -> Rendered:
    return {
        "id": one.id,
        "displayName": one.display_name,
        "reviewHistoryPeriodStartDateTime": graph_time(one.begins_at) if one.begins_at else None,
        "reviewHistoryPeriodEndDateTime": graph_time(one.ends_at) if one.ends_at else None,
        "scheduleSettings": one.schedule.written if one.schedule else None,
        "decisions": list(one.decisions),
        "status": one.status.value,
        "createdDateTime": graph_time(one.created_at),
        "createdBy": names.person(one.created_by),
        "scopes": list(one.scopes),
        "instances": [run_said(run) for run in one.there(now)],
    }


def run_said(run: Run, download_uri: str | None = None) -> Rendered:
    """`download_uri`: only whoever asked for a link is told it."""
    return {
        ODATA_TYPE: "#microsoft.graph.accessReviewHistoryInstance",
        "id": run.id,
        "reviewHistoryPeriodStartDateTime": graph_time(run.begins_at),
        "reviewHistoryPeriodEndDateTime": graph_time(run.ends_at),
        "status": run.status.value,
        "runDateTime": graph_time(run.run_at),
        "fulfilledDateTime": graph_time(run.fulfilled_at) if run.fulfilled_at else None,
        "expirationDateTime": graph_time(run.expires_at),
        "downloadUri": download_uri,
    }
