"""What waits for approval ends once the person, the package or the policy is gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from services.request.api import Desk
from services.request.decide.in_vain import Look, look
from services.request.decide.scene import Gone, Scene
from services.request.model import UPDATES, Request, Terms, dump
from services.request.store import Surroundings
from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.request import RequestCanceled, RequestStatus, RequestType
from shared.messaging.decision import Circumstances

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:ana")
ALL = Gone(frozenset({"ana"}), {"p": "Sales"}, {"o": "By request"})
PENDING = Request(
    id="r", type=RequestType.USER_ADD, status=RequestStatus.PENDING_APPROVAL, person_id="ana", requestor_id="boss",
    package_id="p", policy_id="o", terms=Terms(), assignment_id="a", created_at=NOW, cause=CAUSE, approvers=("eva",),
)  # fmt: skip


def at(gone: Gone) -> Circumstances[Scene]:
    return Circumstances(now=NOW, version=2, cause=CAUSE, context=Scene(gone=gone))


@pytest.mark.parametrize(
    ("gone", "code"),
    [
        (Gone(people=ALL.people), "personLeft"),
        (Gone(packages=ALL.packages), "packageNotFound"),
        (Gone(policies=ALL.policies), "policyNotFound"),
        (ALL, "personLeft"),
        (replace(ALL, people=frozenset()), "packageNotFound"),
    ],
)
@pytest.mark.parametrize("type", [RequestType.USER_ADD, RequestType.ADMIN_ADD, *sorted(UPDATES)])
def test_it_ends_and_nobody_is_asked_any_longer(type: RequestType, gone: Gone, code: str) -> None:
    decision = look(PENDING.having(type=type), Look("r"), at(gone))
    ended = decision.state
    assert ended is not None
    assert (ended.status, ended.approvers, ended.completed_at) == (RequestStatus.CANCELED, (), NOW)
    assert ended.reason is not None
    assert ended.reason.code == code
    assert decision.transitions == (RequestCanceled(reason=ended.reason),)
    assert "holds_place" not in dump(ended)
    [told] = decision.messages
    assert told.topic == topics.APPROVAL_COMMANDS.name
    assert orjson.loads(told.value or b"")["order"]["type"] == "WithdrawApproval"
    assert look(ended, Look("r"), at(ALL)).state is ended, "twice is once"


def test_it_goes_on_while_others_are_gone_and_before_it_is_known() -> None:
    others = Gone(frozenset({"boss", "eva"}), {"q": "Other"}, {"x": "Other"})
    for gone in (Gone(), others):
        assert look(PENDING, Look("r"), at(gone)).state is PENDING
    assert look(None, Look("r"), at(ALL)).state is None


@pytest.mark.parametrize("status", sorted(set(RequestStatus) - {RequestStatus.PENDING_APPROVAL}))
def test_what_does_not_wait_for_approval_stays_as_it_is(status: RequestStatus) -> None:
    one = PENDING.having(status=status)
    assert look(one, Look("r"), at(ALL)).state is one


class Kept:
    """A replica: what is there, found by id and the other fields of a query."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows

    async def find(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        (field, value), *_ = ((name, value) for name, value in query.items() if name != "_id")
        return [row for row in self.rows if row["_id"] in query["_id"]["$in"] and _at(row, field) == value]


def _at(row: Any, field: str) -> Any:
    for name in field.split("."):
        row = row[name]
    return row


def desk(person: str = "active", package: str = "active", policy: str = "active") -> Desk:
    around: Any = SimpleNamespace(
        people=Kept({"_id": "ana", "status": person}),
        packages=Kept({"_id": "p", "life": package, "name": "Sales"}),
        policies=Kept({"_id": "o", "state": {"life": policy, "display_name": "By request"}}),
    )

    async def gone(requests: Iterable[Request]) -> Gone:
        return await Surroundings.gone(around, list(requests))

    around.gone = gone
    nothing: Any = None
    return Desk(nothing, nothing, nothing, around)


@pytest.mark.parametrize(
    ("away", "seen"),
    [
        ({"person": "left"}, ["r"]),
        ({"package": "deleted"}, ["r"]),
        ({"policy": "deleted"}, ["r"]),
        ({"person": "suspended"}, []),
        ({"person": "expected"}, []),
        ({"package": "deleting"}, []),
        ({"policy": "deleting"}, []),
        ({}, []),
    ],
)
async def test_who_submits_while_it_is_being_heard_is_looked_at_again(away: dict[str, str], seen: list[str]) -> None:
    """Whoever heard of it looked for requests before this one was there, and the decision before that was heard."""
    one = desk(**away)
    assert await one.submitting.look_again(Scene(), {"r": PENDING}) == seen
    delivering = PENDING.having(status=RequestStatus.DELIVERING)
    assert await one.submitting.look_again(Scene(), {"r": delivering, "s": None}) == []


def test_what_a_second_look_finds_in_vain_ends() -> None:
    nothing: Any = None
    ended = desk().submitting.again(PENDING, nothing, at(Gone(policies=ALL.policies))).state
    assert ended is not None
    assert ended.status is RequestStatus.CANCELED
