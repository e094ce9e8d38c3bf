"""A guest whom a review denied: blocked at once, deleted thirty days later, unless somebody enables them before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.directory import decide
from services.directory.decide import guests
from services.directory.model import Person
from services.directory.sources import API, Sources, sources_of
from services.directory.timeline import FOLD_ABOVE, from_ms
from shared.contracts.base import Cause
from shared.contracts.directory import BlockGuest, GuestBlocked, PersonStatus
from shared.messaging.decision import Decision, Due

from .people import NOW, Ana, types

REVIEW = Cause(id="review-item:i", correlation="review:r", actor="person:olga")
MONTH = timedelta(days=30)
pytestmark = pytest.mark.spec("REV-20")


class Guest(Ana):
    def __init__(self, sources: Sources | None = None, **attributes: Any) -> None:
        super().__init__(sources or sources_of({"sources": {"hr": None}}))
        self.states("joined", userType="Guest", **attributes)

    def states(self, kind: str = "changed", **attributes: Any) -> Decision[Person]:
        """As callers over HTTP do: what they say is true from now on."""
        said = {"source": API, "employeeId": "ana", "effectiveAt": self.now.isoformat(), "kind": kind}
        return self.hears(**said, changeId=f"w{self.offset}", attributes=attributes)

    def denied(self, command: str = "review-item:i") -> Decision[Person]:
        block = BlockGuest(id=command, cause=REVIEW, person_id="ana", detail="Denied.")
        return self._keep(guests.obey(self.state, block, self.at()))

    def rung(self) -> Decision[Person]:
        """Its next date has come."""
        assert self.state is not None
        assert self.state.due_at is not None
        self.now = self.state.due_at
        return self._keep(decide.people.due(self.state, Due("ana", self.now), self.at()))


def answers(decision: Decision[Person]) -> list[tuple[str, str]]:
    """(what, of which command)."""
    return [(one.type, one.command_id) for one in decision.transitions if hasattr(one, "command_id")]


def reason(decision: Decision[Person]) -> str:
    [one] = [one for one in decision.transitions if hasattr(one, "reason")]
    code: str = one.reason.code
    return code


def test_a_denied_guest_is_blocked_at_once_and_deleted_after_thirty_days() -> None:
    ana = Guest()
    decision = ana.denied()
    assert types(decision) == ["PersonChanged", "GuestBlocked"]
    said = decision.transitions[1]
    assert isinstance(said, GuestBlocked)
    assert (said.deletes_at, said.detail, said.already) == (NOW + MONTH, "Denied.", False)
    assert ana.state is not None
    assert (ana.status, ana.attributes["accountEnabled"]) == ("active", False), "what they hold stays until then"
    assert ana.state.due_at == NOW + MONTH
    over = ana.rung()
    assert types(over) == ["PersonLeft", "GuestDeleted"]
    assert over.cause is not None
    assert (over.cause.correlation, over.cause.actor) == ("review:r", "person:olga"), "the review is behind it"
    assert (ana.state.deleted, ana.state.due_at) == (True, None)


def test_enabled_again_in_time_a_guest_is_not_deleted() -> None:
    ana = Guest()
    ana.denied()
    ana.now += timedelta(days=29)
    decision = ana.states(accountEnabled=True)
    assert types(decision) == ["PersonChanged", "GuestKept"]
    assert reason(decision) == "enabledAgain"
    assert ana.state is not None
    assert (ana.status, ana.state.due_at) == ("active", None)


def test_other_changes_do_not_stop_it() -> None:
    ana = Guest()
    ana.denied()
    assert types(ana.states(city="Oslo")) == ["PersonChanged"]
    assert types(ana.states("suspended")) == ["PersonSuspended"]
    assert types(ana.rung()) == ["PersonLeft", "GuestDeleted"]


@pytest.mark.parametrize("then", ["nothing", "enabled", "deleted", "folded away"])
def test_asked_again_the_same_command_does_nothing_and_is_answered_by_what_is_true(then: str) -> None:
    ana = Guest()
    ana.denied()
    expected = "GuestBlocked"
    match then:
        case "enabled":
            ana.states(accountEnabled=True)
            expected = "GuestKept"
        case "deleted":
            ana.rung()
            expected = "GuestDeleted"
        case "folded away":
            for _ in range(FOLD_ABOVE + 1):
                ana.now += timedelta(minutes=1)
                ana.states(city=ana.now.isoformat())
            assert ana.state is not None
            assert ana.state.timeline.find(API, "blocked:review-item:i") is None
    before = ana.state
    ana.now += timedelta(hours=1)
    assert answers(again := ana.denied()) == [(expected, "review-item:i")]
    assert len(again.transitions) == 1
    assert ana.state == before, "nobody is blocked once more"


def test_two_reviews_have_one_date_and_both_hear_how_it_ends() -> None:
    ana = Guest()
    ana.denied("review-item:i")
    ana.now += timedelta(days=10)
    decision = ana.denied("review-item:j")
    assert types(decision) == ["GuestBlocked"]
    assert decision.transitions[0].deletes_at == NOW + MONTH  # type: ignore[attr-defined]
    assert answers(ana.rung()) == [("GuestDeleted", "review-item:i"), ("GuestDeleted", "review-item:j")]


def test_whom_an_administrator_deletes_or_makes_a_member_before_is_answered_then() -> None:
    ana = Guest()
    ana.denied()
    assert answers(ana.states("left")) == [("GuestDeleted", "review-item:i")]
    eva = Guest()
    eva.denied()
    assert reason(eva.states(userType="Member")) == "noGuest"
    assert eva.state is not None
    assert (eva.status, eva.attributes["accountEnabled"], eva.state.due_at) == ("active", False, None)


def test_restored_they_are_blocked_and_not_deleted_again() -> None:
    ana = Guest()
    ana.denied()
    ana.rung()
    assert ana.state is not None
    ana.states("joined", **ana.state.attributes)
    assert (ana.status, ana.attributes["accountEnabled"], ana.state.due_at) == ("active", False, None)
    assert types(ana.denied("review-item:j"))[-1] == "GuestBlocked", "until another review denies them"


@pytest.mark.parametrize(
    ("about", "code"),
    [
        ("a member", "noGuest"),
        ("nobody", "personNotFound"),
        ("somebody who left", "personNotFound"),
        ("whom a source knows", "knownToSource"),
        ("accounts that a source enables", "notAuthoritative"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_done(about: str, code: str) -> None:
    said = {"sources": {"hr": None}, **({"authority": {"accountEnabled": ["hr"]}} if "accounts" in about else {})}
    ana = Guest(sources_of(said))
    match about:
        case "a member":
            ana.states(userType="Member")
        case "nobody":
            ana.state = None
        case "somebody who left":
            ana.states("left")
        case "whom a source knows":
            ana.hears(kind="joined", changeId="hired")
    status = ana.state.status if ana.state else PersonStatus.EXPECTED
    decision = ana.denied()
    assert (types(decision), reason(decision)) == (["GuestRefused"], code)
    assert ana.state is not None
    assert (ana.state.status, ana.state.countdown) == (status, None)


def test_whom_a_source_has_by_the_date_is_not_deleted() -> None:
    ana = Guest()
    ana.denied()
    ana.hears(kind="joined", changeId="hired", attributes={"department": "Sales"})
    decision = ana.rung()
    assert (types(decision), reason(decision)) == (["GuestKept"], "knownToSource")
    assert ana.state is not None
    assert (ana.status, ana.state.due_at) == ("active", None), "and no timer rings for ever"


def test_the_countdown_survives_the_database_and_counts_from_the_blocking() -> None:
    ana = Guest()
    ana.denied()
    assert ana.state is not None
    one = ana.state.countdown
    assert one is not None
    assert (from_ms(one.since), from_ms(one.deletes_at), one.commands) == (NOW, NOW + MONTH, ("review-item:i",))
