"""Histories: when they run, who may download, and what stands in the file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.review.history.decide import Allow, Make, allow, date_has_come, make
from services.review.history.graph import HistoryIn, history_of
from services.review.history.model import HISTORY, History, HistoryStatus, before
from services.review.history.report import COLUMNS, filter_of, kind_of, row, sought, table
from services.review.model import Instance, Item, Stage
from shared.contracts.base import Cause
from shared.contracts.review import DefinitionState, ReviewedResource, ReviewSettings, StageSettings, Verdict
from shared.contracts.roster import RosterKind
from shared.messaging.decision import Circumstances, Due
from shared.web.errors import BadRequest

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
GROUPS = {
    "queryType": "MicrosoftGraph",
    "query": "/identityGovernance/accessReviews/definitions?$filter=contains(scope/query, '/groups')",
}
MONTHLY = {
    "reportRange": "P1M",
    "recurrence": {
        "pattern": {"type": "monthly", "interval": 1},
        "range": {"type": "noEnd", "startDate": "2025-01-31T21:02:30Z"},
    },
}


def at(now: datetime) -> Circumstances[None]:
    return Circumstances(now, 1, Cause(id="c", correlation="c", actor="person:a"), None)


def asked(**body: Any) -> History:
    said = {"displayName": "Q1", "scopes": [GROUPS], **body}
    return history_of(HistoryIn.model_validate(said), "h", "a", NOW)


def period() -> dict[str, str]:
    return {
        "reviewHistoryPeriodStartDateTime": "2026-01-01T00:00:00Z",
        "reviewHistoryPeriodEndDateTime": "2026-04-01T00:00:00Z",
    }


def kept(one: History | None) -> History:
    """Through the database's form and back."""
    assert one is not None
    return HISTORY.load(HISTORY.dump(one))


def test_one_of_a_period_is_done_at_once_and_gone_after_thirty_days() -> None:
    made = kept(make(None, Make("h", asked(**period())), at(NOW)).state)
    assert (made.status, made.due_at) == (HistoryStatus.REQUESTED, NOW)
    done = kept(date_has_come(made, Due("h", NOW), at(NOW)).state)
    assert (done.status, done.due_at, done.expires_at) == (HistoryStatus.DONE, None, NOW + timedelta(days=30))
    assert done.runs[0].begins_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert done.there(NOW + timedelta(days=30)) == ()
    assert make(done, Make("h", asked(**period())), at(NOW)).state is done, "sent again under its key"


def test_one_that_recurs_lists_the_month_before_each_day_and_forgets_old_runs() -> None:
    made = kept(make(None, Make("h", asked(scheduleSettings=MONTHLY)), at(NOW)).state)
    assert made.runs == ()
    assert made.next_at == datetime(2026, 3, 31, tzinfo=UTC)
    periods = []
    for _ in range(4):
        assert made.due_at is not None
        made = kept(date_has_come(made, Due("h", made.due_at), at(made.due_at)).state)
        periods.append((made.runs[-1].begins_at.date().isoformat(), made.runs[-1].ends_at.date().isoformat()))
        assert made.status is HistoryStatus.DONE
    assert periods == [
        ("2026-02-28", "2026-03-31"), ("2026-03-30", "2026-04-30"),
        ("2026-04-30", "2026-05-31"), ("2026-05-30", "2026-06-30"),
    ]  # fmt: skip
    assert len({run.id for run in made.runs}) == len(made.runs) == 1
    assert made.expires_at is None


def test_a_link_holds_for_a_day_and_others_stay_good() -> None:
    made = kept(make(None, Make("h", asked(**period())), at(NOW)).state)
    run = made.runs[0].id
    refusal = allow(made, Allow("h", run, "one"), at(NOW)).refusal
    assert refusal is not None
    assert refusal.code == "notDone"
    done = kept(date_has_come(made, Due("h", NOW), at(NOW)).state)
    done = kept(allow(done, Allow("h", run, "one"), at(NOW)).state)
    later = NOW + timedelta(hours=23)
    done = kept(allow(done, Allow("h", run, "two"), at(later)).state)
    assert [link.digest for link in done.runs[0].links] == ["one", "two"]
    done = kept(allow(done, Allow("h", run, "three"), at(NOW + timedelta(hours=24))).state)
    assert [link.digest for link in done.runs[0].links] == ["two", "three"]
    gone = allow(done, Allow("h", run, "four"), at(NOW + timedelta(days=31))).refusal
    assert gone is not None
    assert gone.code == "notFound"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "reviewHistoryPeriodStartDateTime"),
        ({**period(), "scheduleSettings": MONTHLY}, "scheduleSettings"),
        ({"scheduleSettings": {**MONTHLY, "reportRange": "1 month"}}, "reportRange"),
        ({"scheduleSettings": {"reportRange": "P1M"}}, "scheduleSettings/recurrence"),
        ({**period(), "scopes": [{"query": "/users"}]}, "scopes/0/query"),
        ({**period(), "scopes": [{**GROUPS, "queryType": "ARM"}]}, "scopes/0"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(body: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        asked(**body)


def test_a_span_before_keeps_to_the_calendar() -> None:
    assert before(datetime(2024, 3, 31, 6, tzinfo=UTC), "P1M") == datetime(2024, 2, 29, 6, tzinfo=UTC)
    assert before(datetime(2026, 1, 5, tzinfo=UTC), "P1Y1W2D") == datetime(2024, 12, 27, tzinfo=UTC)
    for wrong in ("P", "P0D", "PT1H", "soon", "P999Y999M"):
        with pytest.raises(ValueError, match="reaches" if "999" in wrong else "no span"):
            before(datetime(900, 1, 1, tzinfo=UTC), wrong)


def test_scopes_choose_reviews_by_what_their_query_contains() -> None:
    assert sought(GROUPS["query"]) == ["/groups"]
    both = GROUPS["query"].replace("'/groups'", "'a'") + " or contains(scope/query, './members')"
    assert sought(both) == ["a", "./members"]
    assert filter_of([GROUPS, {"query": both}]) == {
        "$or": [{"state.query": {"$regex": text}} for text in ("/groups", "a", r"\./members")]
    }
    assert filter_of([GROUPS, {"query": "/identityGovernance/accessReviews/definitions"}]) == {}
    with pytest.raises(ValueError, match="is no query"):
        sought("/users")
    with pytest.raises(ValueError, match="filters by"):
        sought("/identityGovernance/accessReviews/definitions?$filter=status eq 'x'")


def run_of(reviewers: Sequence[str] = ("boss",)) -> Instance:
    definition = DefinitionState(
        id="d", display_name="Quarterly", scope={}, settings=ReviewSettings(), created_at=NOW, modified_at=NOW,
        stages=(StageSettings(duration_in_days=3),),
    )  # fmt: skip
    return Instance(
        id="i", definition=definition, number=1, scope={}, starts_at=NOW, ends_at=NOW + timedelta(days=3),
        resource=ReviewedResource(kind=RosterKind.GROUP, id="g", display_name="=Sales"),
        stages=(Stage(id="s", settings=definition.stages[0], reviewers=tuple(reviewers)),),
        cause=Cause(id="c", correlation="c", actor="person:a"),
    )  # fmt: skip


def item(**more: Any) -> Item:
    return Item("it", "i", "d", "p", None, "Member", None, None, "Guest", False, False, **more)


def test_a_line_says_who_what_and_why_and_no_formula() -> None:
    decided = item(decision=Verdict.DENY, justification="+1, he left", decided_by="boss", decided_at=NOW)
    people = {"p": {"name": "Ana", "user_principal_name": "ana@x"}, "boss": {"name": "Bo"}}
    said = dict(zip(COLUMNS, row(decided, run_of(), people), strict=True))
    assert said["PrincipalDisplayName"] == "Ana"
    assert (said["Decision"], said["ReviewedByDisplayName"]) == ("Deny", "Bo")
    assert table([[said["ResourceName"], said["Justification"], None]]) == b"'=Sales,\"'+1, he left\",\r\n"


def test_who_was_not_reviewed_was_asked_about_or_not() -> None:
    assert kind_of(item(decision=Verdict.DONT_KNOW), run_of()) == "dontKnow"
    assert kind_of(item(), run_of()) == "notReviewed"
    assert kind_of(item(), run_of(())) == "notNotified"
    assert kind_of(item(reviewers=()), run_of()) == "notNotified"
