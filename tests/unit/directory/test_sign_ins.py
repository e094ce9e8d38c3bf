"""Sign-ins: which of them are worth telling, and an answer for whatever is none."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.directory.decide.sign_ins import AHEAD, MOST_APPS, SPAN, HeardSignIn, signed_in, who_signed_in
from services.directory.messages import answered
from services.directory.signins.messages import cause_of, decode
from services.directory.signins.store import dump_sign_ins, load_sign_ins
from shared.clock import TurnableClock
from shared.contracts.base import Cause
from shared.contracts.signins import SignIn, SignInsState
from shared.contracts.topics import HR_REJECTED
from shared.messaging.decision import Circumstances, Decision
from shared.messaging.envelope import Incoming, Position
from shared.messaging.errors import WillNotPass

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Ana:
    """Somebody who signs in; NOON is the present."""

    def __init__(self) -> None:
        self.state: SignInsState | None = None
        self.facts = 0

    def signs_in(self, at: datetime, app: str | None = None, *, topic: bool = True) -> Decision[SignInsState]:
        position = Position("hr.sign-ins", 0, 7) if topic else None
        heard = HeardSignIn(SignIn(employee_id="E1", at=at, app_id=app), b"{}", "E1", "ana")
        decision = signed_in(self.state, heard, Circumstances(NOON, 1, CAUSE, None, position))
        self.facts += len(decision.transitions)
        assert (decision.state is self.state) == (not decision.transitions), "what is not told is not written"
        if decision.state is not None:
            self.state = load_sign_ins(dump_sign_ins(decision.state))
        return decision

    @property
    def last(self) -> datetime | None:
        return self.state.last_at if self.state else None

    def use(self, app: str) -> tuple[datetime, datetime] | None:
        return (
            next(((one.first_at, one.last_at) for one in self.state.apps if one.app_id == app), None)
            if self.state
            else None
        )


CAUSE = Cause(id="c", correlation="c", actor="source:sign-ins")


def test_the_first_sign_in_is_told_and_a_repeat_is_not() -> None:
    ana = Ana()
    for _ in range(2):
        ana.signs_in(NOON - DAY)
    assert (ana.last, ana.facts) == (NOON - DAY, 1)


@pytest.mark.parametrize(
    ("later", "told"),
    [(-DAY, False), (SPAN - timedelta(seconds=1), False), (SPAN, True), (DAY, True)],
)
def test_only_what_moves_the_day_or_comes_an_hour_later_is_told(later: timedelta, told: bool) -> None:
    ana = Ana()
    ana.signs_in(NOON - 2 * DAY)
    ana.signs_in(NOON - 2 * DAY + later)
    assert ana.facts == 1 + told


def test_a_minute_past_midnight_is_another_day() -> None:
    ana = Ana()
    midnight = NOON - 12 * HOUR
    ana.signs_in(midnight - timedelta(minutes=1))
    ana.signs_in(midnight)
    assert (ana.last, ana.facts) == (midnight, 2)


def test_each_application_has_its_own_last_use() -> None:
    ana = Ana()
    ana.signs_in(NOON - DAY, "Mail")
    ana.signs_in(NOON - DAY + timedelta(minutes=1), "crm")
    ana.signs_in(NOON, "crm")
    assert ana.use("mail") == (NOON - DAY, NOON - DAY)
    assert ana.use("crm") == (NOON - DAY + timedelta(minutes=1), NOON)
    assert (ana.last, ana.facts) == (NOON, 3)


def test_an_older_use_moves_the_first_back_by_whole_days_and_nothing_else() -> None:
    ana = Ana()
    ana.signs_in(NOON, "mail")
    ana.signs_in(NOON - HOUR, "mail")
    assert (ana.use("mail"), ana.facts) == ((NOON, NOON), 1)
    ana.signs_in(NOON - 9 * DAY, "mail")
    assert (ana.use("mail"), ana.last, ana.facts) == ((NOON - 9 * DAY, NOON), NOON, 2)


def test_of_very_many_applications_those_used_longest_ago_are_forgotten() -> None:
    ana = Ana()
    for number in range(MOST_APPS + 1):
        ana.signs_in(NOON - DAY * (MOST_APPS + 1 - number), f"app-{number}")
    assert ana.state is not None
    assert (len(ana.state.apps), ana.use("app-0")) == (MOST_APPS, None)
    facts = ana.facts
    ana.signs_in(NOON - DAY * (MOST_APPS + 1), "app-0")
    assert ana.facts == facts, "what would be forgotten at once is not told again and again"


def test_nobody_has_signed_in_in_the_future() -> None:
    ana = Ana()
    assert ana.signs_in(NOON + AHEAD).transitions
    decision = ana.signs_in(NOON + AHEAD + timedelta(seconds=1))
    (answer,) = decision.messages
    assert (answer.topic, orjson.loads(answer.value or b"")["reason"]["code"]) == (HR_REJECTED.name, "inFuture")
    over_http = ana.signs_in(NOON + 2 * AHEAD, topic=False)
    assert over_http.refusal is not None
    assert (over_http.refusal.code, over_http.messages) == ("inFuture", ())


APPS = st.sampled_from([None, "mail", "crm"])
MOMENTS = st.integers(0, 3 * 24 * 60).map(lambda minutes: NOON - timedelta(minutes=minutes))


@given(st.lists(st.tuples(MOMENTS, APPS), min_size=1, max_size=40))
def test_the_days_are_exact_and_the_time_within_an_hour_whatever_the_order(said: Sequence[Any]) -> None:
    ana = Ana()
    for moment, app in said:
        ana.signs_in(moment, app)
    newest = max(moment for moment, _ in said)
    assert ana.last is not None
    assert ana.last.date() == newest.date()
    assert timedelta() <= newest - ana.last < SPAN
    for app in {app for _, app in said if app is not None}:
        moments = [moment for moment, other in said if other == app]
        first, last = ana.use(app) or (None, None)
        assert (first and first.date(), last and last.date()) == (min(moments).date(), max(moments).date())
    facts = ana.facts
    for moment, app in said:
        ana.signs_in(moment, app)
    assert ana.facts == facts, "sending all of it again tells nothing"


@pytest.mark.parametrize(
    ("number", "people", "named", "expected"),
    [
        ("E1", ["ana"], None, ("ana", None)),
        ("E1", [], "bob", ("", "unknownPerson")),
        ("E1", ["ana", "bob"], None, ("ana", "ambiguousPerson")),
        (None, [], "ana", ("ana", None)),
        (None, [], None, ("", "unknownPerson")),
    ],
)
def test_whose_it_is(
    number: str | None, people: list[str], named: str | None, expected: tuple[str, str | None]
) -> None:
    heard = HeardSignIn(SignIn(employee_id=number, user_principal_name="ana@x.example", at=NOON))
    who_signed_in(heard, people, named)
    assert (heard.person_id, heard.unknown.code if heard.unknown else None) == expected


def record(value: bytes | None) -> Incoming:
    return Incoming(Position("hr.sign-ins", 2, 7), b"E1", value, (), 1)


def test_a_sign_in_comes_bare_or_in_a_cloud_event() -> None:
    body = {"employeeId": "E1", "at": "2026-03-01T09:00:00+02:00", "appId": "A"}
    event = {"specversion": "1.0", "id": "1", "type": "x", "source": "y", "data": body}
    bare, inside = (decode(record(orjson.dumps(one))).said for one in (body, event))
    assert bare == inside == SignIn(employee_id="E1", at=datetime(2026, 3, 1, 7, tzinfo=UTC), app_id="A")


def test_a_repeat_has_the_same_cause() -> None:
    body = orjson.dumps({"employeeId": "E1", "at": "2026-03-01"})
    again = orjson.dumps({"at": "2026-03-01T00:00:00Z", "employeeId": "E1"})
    causes = {cause_of(decode(one), one).id for one in (record(body), record(again))}
    assert len(causes) == 1
    assert "E1" not in causes.pop()


INVALID = {
    "empty": None,
    "notJson": b"{",
    "notASignIn": b"[1]",
    "personMissing": b'{"at": "2026-03-01"}',
    "atMissing": b'{"employeeId": "E1"}',
    "invalidDate": b'{"employeeId": "E1", "at": "yesterday"}',
    "invalid": b'{"employeeId": "", "at": "2026-03-01"}',
}


@pytest.mark.parametrize("code", INVALID)
def test_what_is_no_sign_in_is_answered_with_a_code_and_the_original(code: str) -> None:
    received = record(INVALID[code])
    with pytest.raises(WillNotPass) as refused:
        decode(received)
    assert refused.value.code == code
    answer = answered(TurnableClock(NOON))(received, refused.value)
    said = orjson.loads(answer.value)
    assert (answer.topic, said["topic"], said["reason"]["code"]) == (HR_REJECTED.name, "hr.sign-ins", code)
    assert said["reason"]["message"].endswith(".")
