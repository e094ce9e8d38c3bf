"""What may be worth asking for: by those around somebody, and by what they had before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.request.decide.scene import Held
from services.request.decide.suggestions import Suggestion, by_history, by_related_people
from services.request.model import Request, Terms
from shared.contracts.assignment import AssignmentStatus
from shared.contracts.base import Cause
from shared.contracts.request import RequestStatus, RequestType

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def held(package: str) -> Held:
    return Held(f"of {package}", package, "policy", "direct", AssignmentStatus.DELIVERED, NOW, None)


def asked(package: str, status: RequestStatus, days_ago: int, type: RequestType = RequestType.USER_ADD) -> Request:
    when = NOW - timedelta(days=days_ago)
    return Request(
        id=f"{package}{days_ago}",
        type=type,
        status=status,
        person_id="ana",
        requestor_id="ana",
        package_id=package,
        policy_id="policy",
        terms=Terms(),
        assignment_id="assignment",
        created_at=when,
        completed_at=when,
        cause=Cause(id="c", correlation="c", actor="person:ana"),
    )


def test_what_most_related_people_have_comes_first_and_what_is_held_or_not_offered_not_at_all() -> None:
    related = {
        "ben": (held("few"), held("many"), held("mine")),
        "cid": (held("many"), held("secret")),
        "dan": (),
    }
    assert by_related_people({"few", "many", "mine", "unknown"}, (held("mine"),), related) == [
        Suggestion("many", held_by=("ben", "cid")),
        Suggestion("few", held_by=("ben",)),
    ]


def test_what_was_delivered_before_and_is_held_no_more_is_suggested_the_latest_first() -> None:
    every = [
        asked("once", RequestStatus.DELIVERED, 30),
        asked("twice", RequestStatus.DELIVERED, 90),
        asked("twice", RequestStatus.DELIVERED, 10),
        asked("twice", RequestStatus.DELIVERED, 5, RequestType.USER_REMOVE),
        asked("denied", RequestStatus.DENIED, 5),
        asked("mine", RequestStatus.DELIVERED, 5),
        asked("gone", RequestStatus.DELIVERED, 5),
    ]
    assert by_history({"once", "twice", "denied", "mine"}, (held("mine"),), every) == [
        Suggestion("twice", had=2, last_had=NOW - timedelta(days=10)),
        Suggestion("once", had=1, last_had=NOW - timedelta(days=30)),
    ]
