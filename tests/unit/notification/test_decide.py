"""Who hears of what, when it may be said, and what becomes of an attempt: rule by rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification import decide
from services.notification.decide import Not, PutOff, Refused, Result, Sent, Untried
from services.notification.model import Channel, Ending, Event, Known, Message, Person, Reviewed, Status, dump, load
from shared.contracts.assignment import (
    AssignmentAdded,
    AssignmentBegan,
    AssignmentEnded,
    AssignmentEndsSoon,
    AssignmentKind,
    AssignmentMoved,
    AssignmentProgressed,
    AssignmentState,
    AssignmentStatus,
    EndReason,
    GrantTaken,
    HoldingFact,
    HoldingState,
)
from shared.contracts.base import Cause, Transition
from shared.contracts.catalog import ResourceRole
from shared.contracts.directory import PersonChanged, PersonFact, PersonJoined, PersonState, PersonStatus, ValueChange

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
CAUSE = Cause(id="person:ana:4", correlation="hr-1", actor="source:hr")
NOBODY = Known({}, {}, {}, {}, {})
ANA = Person("ana", 4, "Ana", "ana@example.com", "ana@corp.example")
ALL = Known({"ana": ANA}, {"p1": "Sales", "p2": "Support"}, {"rule": "Everyone in Sales"}, {}, {})


def assignment(package: str, **changes: Any) -> AssignmentState:
    values: dict[str, Any] = {
        "id": f"a-{package}",
        "package_id": package,
        "policy_id": "rule",
        "kind": AssignmentKind.AUTOMATIC,
        "status": AssignmentStatus.DELIVERING,
        "starts_at": NOW - timedelta(days=1),
        "assigned_at": NOW,
        "cause": CAUSE,
    }
    return AssignmentState(**values | changes)


def holding(*transitions: Transition, version: int = 7, live: tuple[AssignmentState, ...] = ()) -> HoldingFact:
    return HoldingFact(
        id=f"holding:ana:{version}",
        cause=CAUSE,
        subject="ana",
        version=version,
        at=NOW,
        transitions=transitions,  # type: ignore[arg-type]
        state=HoldingState(person_id="ana", assignments=live),
    )


def given_(package: str, **changes: Any) -> AssignmentAdded:
    return AssignmentAdded(assignment=assignment(package, **changes))


def taken(package: str, **changes: Any) -> AssignmentEnded:
    return AssignmentEnded(assignment=assignment(package, **changes), reason=EndReason.NO_LONGER_MATCHES)


def soon(ends_at: datetime) -> Message:
    (_, mail) = decide.messages_of(holding(AssignmentEndsSoon(assignment=assignment("p1", ends_at=ends_at))), NOW)
    return mail


def mail_of(*transitions: Transition) -> Message:
    (_, mail) = decide.messages_of(holding(*transitions), NOW)
    assert mail.channel is Channel.MAIL
    return mail


@pytest.mark.parametrize(
    ("transitions", "event"),
    [
        ((given_("p1"), given_("p2")), Event.GIVEN),
        ((taken("p1"),), Event.TAKEN),
        ((given_("p1"), taken("p2")), Event.CHANGED),
    ],
)
def test_one_message_a_channel_lists_all_that_a_cause_did(transitions: tuple[Transition, ...], event: Event) -> None:
    messages = decide.messages_of(holding(*transitions), NOW)
    assert [one.channel for one in messages] == [Channel.TOPIC, Channel.MAIL]
    assert {one.event for one in messages} == {event}
    assert all(len(one.items) == len(transitions) for one in messages)
    assert len({one.id for one in messages}) == 2


def test_the_same_fact_gives_the_same_ids_at_any_time() -> None:
    first, again = (decide.messages_of(holding(given_("p1")), now) for now in (NOW, NOW + timedelta(days=3)))
    assert [one.id for one in first] == [one.id for one in again]
    assert decide.messages_of(holding(given_("p1"), version=8), NOW)[0].id != first[0].id


def test_what_starts_later_is_told_when_it_starts_and_not_missed_if_it_never_does() -> None:
    ahead = {"status": AssignmentStatus.SCHEDULED, "starts_at": NOW + timedelta(days=2)}
    assert decide.messages_of(holding(given_("p1", **ahead)), NOW) == []
    assert decide.messages_of(holding(taken("p1", **ahead)), NOW) == []
    started = AssignmentBegan(assignment=assignment("p1"))
    (message, _) = decide.messages_of(holding(started, live=(assignment("p1"),)), NOW)
    assert message.event is Event.GIVEN


def test_progress_moves_and_suspension_are_nothing_to_write_about() -> None:
    before = assignment("p1")
    delivered = AssignmentProgressed(
        assignment_id="a-p1",
        package_id="p1",
        before=AssignmentStatus.DELIVERING,
        after=AssignmentStatus.DELIVERED,
    )
    suspended = GrantTaken(role=ResourceRole(origin_id="g"), version=7, suspended=True)
    moved = AssignmentMoved(before=before, after=before)
    assert decide.messages_of(holding(delivered, suspended, moved, live=(before,)), NOW) == []


@pytest.mark.spec("ML-3")
def test_what_makes_way_for_another_assignment_of_the_package_is_no_loss() -> None:
    direct = assignment("p1", id="by-hand", kind=AssignmentKind.DIRECT)
    assert decide.messages_of(holding(taken("p1"), AssignmentAdded(assignment=direct), live=(direct,)), NOW) == []
    later = assignment("p1", id="by-hand", status=AssignmentStatus.SCHEDULED)
    found = decide.messages_of(holding(taken("p1"), AssignmentAdded(assignment=later), live=(later,)), NOW)
    assert {one.event for one in found} == {Event.TAKEN}


def test_whoever_was_assigned_directly_is_not_told_so_but_of_its_end() -> None:
    by_hand = {"kind": AssignmentKind.DIRECT}
    assert decide.messages_of(holding(given_("p1", **by_hand)), NOW) == []
    assert decide.messages_of(holding(AssignmentBegan(assignment=assignment("p1", **by_hand))), NOW) == []
    assert mail_of(given_("p1", kind=AssignmentKind.REQUESTED)).event is Event.GIVEN
    assert mail_of(taken("p1", **by_hand)).event is Event.TAKEN


@pytest.mark.spec("ML-2")
def test_a_policy_may_keep_quiet_about_what_is_given_ends_soon_and_has_ended() -> None:
    quiet = replace(ALL, policies={"rule": "Loud", "hush": "Quiet"}, silent=frozenset({"hush"}))
    under = {"policy_id": "hush"}
    limited = assignment("p1", ends_at=NOW + timedelta(days=1), **under)
    for one in (given_("p1", **under), taken("p1", **under), AssignmentEndsSoon(assignment=limited)):
        for message in decide.messages_of(holding(one), NOW):
            assert decide.may_send(message, quiet, NOW) is Not.SILENCED
            assert decide.may_send(message, replace(quiet, silent=frozenset()), NOW) is None
    both = mail_of(given_("p1", **under), taken("p2"))
    assert decide.may_send(both, quiet, NOW) is None
    assert [one.package_id for one in decide.current_items(both, quiet, NOW)] == ["p2"]
    waiting = replace(mail_of(given_("p1", **under)), event=Event.APPROVAL_ASKED)
    assert decide.may_send(waiting, quiet, NOW) is None, "approvers are told all the same"


class TestMaySend:
    """Guards before a message goes out."""

    def test_names_are_waited_for_and_then_done_without(self) -> None:
        mail = mail_of(given_("p1"))
        assert decide.may_send(mail, NOBODY, NOW) is Not.YET
        assert decide.may_send(mail, replace(ALL, packages={}), NOW) is Not.YET
        assert decide.may_send(mail, replace(ALL, policies={}), NOW) is Not.YET
        assert decide.may_send(mail, replace(ALL, packages={}), NOW + decide.WAIT_FOR_NAMES) is None

    def test_the_change_that_caused_it_is_waited_for(self) -> None:
        mail = mail_of(given_("p1"))
        behind = replace(ALL, people={"ana": replace(ANA, version=3)})
        assert decide.may_send(mail, behind, NOW) is Not.YET
        assert decide.may_send(mail, replace(behind, reasons={"person:ana:4": "…"}), NOW) is None
        assert decide.may_send(mail, ALL, NOW) is None

    def test_without_an_address_there_is_no_mail_and_still_a_public_message(self) -> None:
        topic, mail = decide.messages_of(holding(given_("p1")), NOW)
        known = replace(ALL, people={"ana": replace(ANA, mail="")})
        assert decide.may_send(mail, known, NOW) is Not.NO_ADDRESS
        assert decide.may_send(topic, known, NOW) is None

    def test_a_reminder_is_silent_once_its_end_has_come_or_moved(self) -> None:
        ends_at = NOW + timedelta(days=7)
        reminder = soon(ends_at)
        assert decide.may_send(reminder, ALL, NOW) is None
        assert decide.may_send(reminder, ALL, ends_at) is Not.STALE
        for version, other, expected in (
            (8, None, Not.STALE),
            (8, ends_at + timedelta(days=30), Not.STALE),
            (8, ends_at, None),
            (6, None, None),  # what was said before it does not count
        ):
            known = replace(ALL, endings={"a-p1": (Ending("a-p1", version, other),)})
            assert decide.may_send(reminder, known, NOW) is expected

    @pytest.mark.parametrize("event", sorted(decide.TO_DO))
    def test_nobody_is_asked_for_what_cannot_be_done_any_more(self, event: Event) -> None:
        """As after a night in which nothing ran."""
        until = NOW + timedelta(days=7)
        message = replace(soon(until), event=event)
        if event in {Event.REVIEW_ASKED, Event.REVIEW_REMINDED}:
            message = replace(message, items=(), reviews=(Reviewed("d", "i", "Review", "Group", until),))
        assert decide.may_send(message, ALL, NOW) is None
        assert decide.may_send(message, ALL, until) is Not.STALE
        assert decide.may_send(replace(message, event=Event.APPROVAL_EXPIRED), ALL, until) is not Not.STALE

    def test_ends_of_limited_assignments_are_kept_for_that(self) -> None:
        limited = assignment("p1", ends_at=NOW)
        later = assignment("p1", ends_at=NOW + timedelta(days=1))
        ended = AssignmentEnded(assignment=limited, reason=EndReason.EXPIRED)
        moved = AssignmentMoved(before=limited, after=later)
        assert decide.endings_of(holding(ended, taken("p2"))) == [Ending("a-p1", 7, None)]
        assert decide.endings_of(holding(moved)) == [Ending("a-p1", 7, later.ends_at)]


class TestAttempts:
    """What becomes of an attempt."""

    def test_a_refusal_is_the_end_and_an_outage_is_nothing(self) -> None:
        mail = mail_of(given_("p1"))
        refused = decide.after(mail, Refused("recipient:550"), NOW)
        assert (refused.status, refused.next_at, refused.problem) == (Status.FAILED, None, "recipient:550")
        untried = decide.after(mail, Untried(), NOW)
        assert (untried.status, untried.attempts, untried.next_at) == (Status.QUEUED, 0, NOW)

    def test_what_is_put_off_comes_later_and_later_and_at_last_fails(self) -> None:
        mail, pauses = mail_of(given_("p1")), []
        while mail.status is not Status.FAILED:
            mail = decide.after(mail, PutOff("recipient:452"), NOW)
            if mail.next_at:
                pauses.append(mail.next_at - NOW)
        assert pauses[0] == timedelta(seconds=30)
        assert pauses == sorted(pauses)
        assert timedelta(hours=12) < sum(pauses, timedelta()) < timedelta(days=2)

    @given(
        st.lists(
            st.sampled_from([Sent(), PutOff("x"), Refused("x"), Untried(), Not.YET, Not.STALE, Not.NO_ADDRESS]),
            min_size=1,
            max_size=30,
        )
    )
    def test_whatever_happens_it_waits_or_it_is_done_and_reads_back(self, results: list[Result | Not]) -> None:
        mail = mail_of(given_("p1"))
        for result in results:
            mail = decide.after(mail, result, NOW)
            assert (mail.next_at is not None) == (mail.status is Status.QUEUED)
            assert load(dump(mail)) == mail
            if mail.status is not Status.QUEUED:
                break


class TestReasons:
    """A person fact in words for the person."""

    def fact(self, *transitions: Transition) -> PersonFact:
        return PersonFact(
            id="person:ana:4",
            cause=CAUSE,
            subject="ana",
            version=4,
            at=NOW,
            transitions=transitions,  # type: ignore[arg-type]
            state=PersonState(id="ana", status=PersonStatus.ACTIVE),
        )

    def changed(self, **values: tuple[Any, Any]) -> PersonChanged:
        return PersonChanged(changes={name: ValueChange(before=b, after=a) for name, (b, a) in values.items()})

    def test_changes_are_named_as_people_call_them(self) -> None:
        both = self.changed(department=("Support", "Sales"), jobTitle=("Agent", None), mobilePhone=("1", "2"))
        assert decide.reason_in_words(self.fact(both)) == (
            "your department is now Sales and your job title is no longer set"
        )

    def test_nested_properties_too(self) -> None:
        nested = self.changed(
            employeeOrgData=({"division": "A", "costCenter": "1"}, {"division": "B", "costCenter": "1"})
        )
        assert decide.reason_in_words(self.fact(nested)) == "your division is now B"

    def test_joining_says_enough(self) -> None:
        assert decide.reason_in_words(self.fact(PersonJoined(returned=True))) == "you are back"
        assert decide.reason_in_words(self.fact(self.changed(mobilePhone=("1", "2")))) == ""
