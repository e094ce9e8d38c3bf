"""Who had what when, and why: pure, from messages and stored records."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.decide.chain import extended
from services.audit.decide.explain import explained, of_denied_guest, told
from services.audit.decide.spans import asked_for, holding_spans, membership_spans
from services.audit.model import Document, Names, Span
from shared.contracts.approval import ApprovalFact, ApprovalState, ApproversChanged
from shared.contracts.assignment import ExclusionLifted, ExclusionState, PackageExcluded
from shared.contracts.base import Cause, Refusal
from shared.contracts.directory import (
    GuestBlocked,
    GuestKept,
    MemberAdded,
    MemberRemoved,
    MembershipObeyed,
    MembershipRefused,
    MembershipState,
    MembershipWish,
    PersonChanged,
    PersonReturned,
    PersonSuspended,
    SetMemberships,
    ValueChange,
)
from shared.contracts.request import RequestCanceled
from shared.contracts.topics import APPROVAL_FACTS, MEMBERSHIP_COMMANDS
from shared.messaging.envelope import outgoing
from tests.unit.audit.said import (
    ANA,
    SALES,
    SALES_GROUP,
    SALES_POLICY,
    START,
    added,
    asking,
    canceled,
    cause,
    ended,
    fact,
    holding_said,
    hr_change,
    member,
    memberships,
    moved,
    person,
    person_said,
    received,
    said,
    story,
)

NAMES = Names(
    packages={SALES: "Sales"}, groups={SALES_GROUP: "Sales team"}, policies={SALES_POLICY: "Everyone in Sales"}
)


def stored(records: list[Any]) -> list[Document]:
    batch = received(records)
    return extended({}, batch, ["00" * 16] * len(batch))[0]


def span_of(records: list[Any]) -> Span:
    (span,) = holding_spans(stored(records))
    return span


def test_a_span_has_a_record_time_and_an_effective_time() -> None:
    span = span_of(story())
    assert span.since.date() == START.date()
    assert span.effective_since == datetime(1995, 6, 1, tzinfo=UTC)
    assert span.effective_until == datetime(1997, 2, 1, tzinfo=UTC)
    assert span.holds_at(datetime(1996, 1, 1, tzinfo=UTC), effective=True)
    assert not span.holds_at(datetime(1996, 1, 1, tzinfo=UTC), effective=False)
    assert not span.holds_at(datetime(1997, 2, 1, tzinfo=UTC), effective=True)


@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_spans_are_the_same_whatever_the_order_and_however_often(rng: random.Random, repeats: int) -> None:
    first, second = cause("c1", "1995-06-01"), cause("c2", "1997-02-01")
    day = timedelta(days=1)
    said = [
        added(1, START, first),
        ended(2, START + day, second, first),
        added(3, START + 2 * day, second, "assignment-2"),
        member(1, START, first, True),
        member(2, START + day, second, False),
        member(3, START + 2 * day, second, True),
    ]
    records = stored([*said, *(rng.choice(said) for _ in range(repeats))])
    rng.shuffle(records)
    twice = [(START, START + day), (START + 2 * day, None)]
    assert [(span.since, span.until) for span in holding_spans(records)] == twice
    assert [(span.since, span.until) for span in membership_spans(records)] == twice
    assert {thing for one in records for thing in one["things"]} == {SALES, SALES_GROUP}


def test_one_fact_begins_and_ends_several_memberships_each_with_its_span_and_its_line() -> None:
    moved = cause("c2")
    later = START + timedelta(days=1)
    there = (MembershipState(group_id="support", member=True), MembershipState(group_id="vpn", member=True))
    happened = [
        MemberRemoved(group_id=SALES_GROUP),
        MemberAdded(group_id="support"),
        MembershipObeyed(group_id="vpn", command_id="x", grant_version=2, already=True),
    ]
    records = [member(1, START, cause("c1"), True), memberships(2, later, moved, happened, there)]
    spans = {span.group: (span.since, span.until) for span in membership_spans(stored(records))}
    assert spans == {SALES_GROUP: (START, later), "support": (later, None)}
    lines = [line for one in stored(records) for line in told(one, NAMES)]
    assert [(line.group, line.what) for line in lines] == [
        (SALES_GROUP, 'became a member of "Sales team"'),
        (SALES_GROUP, 'is no longer a member of "Sales team"'),
        ("support", 'became a member of "support"'),
    ]


def test_a_command_is_told_wish_by_wish() -> None:
    wishes = tuple(
        MembershipWish(id=f"w-{group}", group_id=group, member=group == "support", grant_version=2)
        for group in ("support", SALES_GROUP)
    )
    asked = SetMemberships(id="c", cause=cause("c2"), person_id=ANA, wishes=wishes)
    record = outgoing(MEMBERSHIP_COMMANDS, ANA, asked, source="provisioning", at=START, subject=ANA)
    (document,) = stored([record])
    assert document["transitions"] == [
        {"type": "MembershipWish", "id": "w-support", "groupId": "support", "member": True, "grantVersion": 2},
        {
            "type": "MembershipWish",
            "id": f"w-{SALES_GROUP}",
            "groupId": SALES_GROUP,
            "member": False,
            "grantVersion": 2,
        },
    ]


def test_an_end_alone_is_no_span_yet() -> None:
    assert holding_spans(stored([ended(2, START, cause("c2"), cause("c1"))])) == []


def test_what_is_no_fact_of_ours_spoils_no_answer() -> None:
    came, stranger = stored([member(1, START, cause("c1"), True)] * 2)
    stranger |= {"version": 2, "transitions": [{"type": "MemberRemoved", "groupId": SALES_GROUP}]}
    del stranger["at"]
    (span,) = membership_spans([came, stranger])
    assert (span.since, span.until) == (START, None)


def test_what_hr_says_of_nested_properties_is_told_by_their_own_names() -> None:
    badge = {"onPremisesExtensionAttributes": {"extensionAttribute1": "blue", "extensionAttribute2": None}}
    records = [*story()[:3], hr_change("c1", "1995-06-01", {"department": "Sales", **badge}), *story()[4:]]
    told = [line.what for line in explained([span_of(records)], stored(records), NAMES) if line.kind == "hr"]
    assert 'hr said "changed": department "Sales", extensionAttribute1 "blue", extensionAttribute2 nothing' in told


def test_why_goes_from_the_hr_change_to_the_membership_and_names_every_actor() -> None:
    lines = explained([span_of(story())], stored(story()), NAMES)
    first_day = [
        line.kind for line in lines if line.at.startswith("2026-03-01") and line.correlation != cause("c2").correlation
    ]
    assert [kind for kind in first_day if kind != "hr"] == [
        "catalog",
        "catalog",
        "person",
        "assignment",
        "grant",
        "membership",
    ]
    assert {(line.kind, line.actor) for line in lines if line.kind in ("hr", "catalog")} == {
        ("hr", "source:hr"),
        ("catalog", "file:catalog.yaml"),
    }
    sentences = [line.what for line in lines]
    assert 'hr said "changed": department "Sales"' in sentences
    assert 'policy "Everyone in Sales" of package "Sales" was created: (user.department -eq "Sales")' in sentences
    assert 'package "Sales" was assigned: the rule of policy "Everyone in Sales" matches' in sentences
    assert 'Member of "Sales team" is due from now on' in sentences
    assert 'became a member of "Sales team"' in sentences
    why = 'The rule of policy "Everyone in Sales" matches no longer.'
    assert f'package "Sales" ended: the rule matches no longer ({why})' in sentences
    assert 'changed: department from "Sales" to "Support"' in sentences
    assert all(line.actor and line.at and line.id for line in lines)
    hr = next(line for line in lines if line.kind == "hr")
    assert hr.effective_at is not None
    assert hr.effective_at.startswith("1995-06-01")


@pytest.mark.parametrize(("kind", "how"), [("requested", "on request"), ("direct", "directly")])
def test_why_tells_a_request_from_an_administrators_hand(kind: str, how: str) -> None:
    record = added(1, START, cause("c1"))
    assert record.value is not None
    brought = replace(record, value=record.value.replace(b'"automatic"', f'"{kind}"'.encode()))
    lines = explained([span_of([brought])], stored([brought]), NAMES)
    assert f'package "Sales" was assigned {how} under policy "Everyone in Sales"' in [line.what for line in lines]


def test_why_tells_of_a_grace_period_and_of_its_end_being_called_off() -> None:
    lapsed, back = cause("c2"), cause("c3")
    records = [
        added(1, START, cause("c1")),
        moved(2, START + timedelta(days=1), lapsed, None, START + timedelta(days=8)),
        moved(3, START + timedelta(days=2), back, START + timedelta(days=8), None),
    ]
    said = [line.what for line in explained([span_of(records)], stored(records), NAMES) if line.kind == "assignment"]
    until = "2026-03-09T09:00:00Z"
    assert said[1:] == [
        f'package "Sales" stays until {until}, for the grace period: the rule of policy "Everyone in Sales" matches '
        "no longer",
        f'package "Sales" stays: the rule of policy "Everyone in Sales" ends it no more on {until}, for it matches '
        "again or takes nothing",
    ]


def test_why_keeps_to_the_assignment_asked_for() -> None:
    other = cause("c9", "1999-01-01")
    elsewhere = [
        person(3, START + timedelta(days=9), other, "Sales", "Support"),
        added(3, START, other, "assignment-2"),
    ]
    lines = explained([span_of(story())], stored([*story(), *elsewhere]), NAMES)
    assert other.correlation not in {line.correlation for line in lines}
    assert {line.assignment for line in lines if line.kind == "assignment"} == {"assignment-1"}


def test_for_an_assignment_that_a_rule_brought_why_says_what_made_the_rule_match() -> None:
    applied = cause("apply:2")
    records = [one for one in story() if "assignment.holdings" not in one.topic]
    brought = added(1, START + timedelta(hours=1), applied)
    lines = explained([span_of([brought])], stored([*records, brought]), NAMES)
    assert "joined" in [line.what for line in lines]
    assert [line.id for line in lines if line.kind == "hr"] == ["c1"]


def test_a_change_that_the_rule_does_not_name_is_no_reason_that_it_matched() -> None:
    """Two changes at once are decided together, and the later one stands as the cause."""
    later = cause("c8")
    manager = PersonChanged(changes={"manager": ValueChange(before=None, after="boss")})
    records = [one for one in story() if "assignment.holdings" not in one.topic]
    at = START + timedelta(milliseconds=2)
    together = [*records, person_said(2, at, later, manager), added(1, at, later)]
    lines = [line.what for line in explained([span_of(together)], stored(together), NAMES)]
    assert "joined" in lines
    assert 'changed: manager from nothing to "boss"' in lines, "what was the cause is told as well"


def test_why_tells_of_suspensions_that_withhold_it() -> None:
    hour = timedelta(hours=1)
    why, leave, back = cause("c1"), cause("c2"), cause("c3")
    records = [
        person_said(2, START - 3 * hour, leave, PersonSuspended(source="old")),
        person_said(3, START - 2 * hour, leave, PersonReturned(source="old")),
        person_said(4, START - hour, leave, PersonSuspended(source="hr")),
        added(1, START, why),
        person_said(5, START + hour, back, PersonSuspended(source="api")),
        person_said(6, START + 2 * hour, back, PersonReturned(source="hr")),
        ended(2, START + 3 * hour, cause("c4"), why),
        person_said(7, START + 4 * hour, back, PersonReturned(source="api")),
    ]
    said = [line.what for line in explained([span_of(records)], stored(records), NAMES) if line.kind == "person"]
    assert said == ["was suspended by hr", "was suspended by api", "returned: hr lifted its hold"]


def test_a_removal_that_was_refused_is_no_membership_that_was_refused() -> None:
    why = Refusal(code="givenByPackage", message="A package gives it.")
    removal, wish = (
        MembershipRefused(group_id=SALES_GROUP, command_id="x", grant_version=version, reason=why) for version in (0, 3)
    )
    records = [memberships(2, START, cause("c"), [removal, wish], ())]
    assert [line.what for one in stored(records) for line in told(one, NAMES)] == [
        'stays a member of "Sales team", for the removal was refused: A package gives it.',
        'the membership of "Sales team" was refused: A package gives it.',
    ]


def test_why_tells_that_others_came_to_decide() -> None:
    change = ApproversChanged(stage_id="s", added=("eva",), removed=("boss",))
    only = ApproversChanged(stage_id="s", added=(), removed=("boss",))
    state = ApprovalState(id="r1", person_id=ANA, package_id=SALES, policy_id=SALES_POLICY, stages=())
    facts = [
        said(APPROVAL_FACTS, "r1", fact(ApprovalFact, "approval", "r1", n, START, cause("c"), [one], state))
        for n, one in enumerate((change, only), 1)
    ]
    who = Names(people={"boss": "Bo Boss", "eva": "Eva"})
    assert [line.what for one in stored(facts) for line in told(one, who)] == [
        "Eva may decide from now on, and Bo Boss no longer",
        "Bo Boss may decide no longer",
    ]


def test_what_was_erased_is_told_as_far_as_the_chain_goes() -> None:
    documents = [{k: v for k, v in one.items() if k not in ("personal", "salt")} for one in stored(story())]
    lines = [line for one in documents for line in told(one, NAMES)]
    assert "changed: department (values erased)" in [line.what for line in lines]
    assert any("erased" in line.what for line in lines if line.kind == "hr")
    assert ANA not in " ".join(line.what for line in lines)


def test_a_date_alone_is_the_end_of_its_day_and_today_is_now() -> None:
    now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert asked_for(None, now) == (now, None)
    moment = now - timedelta(days=400)
    assert asked_for(moment, now) == (moment, None)
    at, read_as = asked_for(date(2026, 2, 28), now)
    assert (at, read_as) == (datetime(2026, 2, 28, 23, 59, 59, 999_000, UTC), "the end of 2026-02-28, UTC")
    assert asked_for(date(2026, 3, 1), now) == (now, "now, for 2026-03-01 is not over")
    assert asked_for(date(2026, 3, 2), now)[0] > now, "what is known of days to come"


def test_what_was_asked_is_told_with_its_answers_the_decisions_and_the_extension() -> None:
    tom = Names(
        people={"boss": "Bo Boss", "eva": "Eva"}, packages={SALES: "Sales"}, policies={SALES_POLICY: "By request"}
    )
    records = stored(asking())
    lines = [line.what for line in explained([span_of(asking())], records, tom)]
    expected = [
        'package "Sales" was asked for under policy "By request", version 7: "I sell."; Why? "Because."',
        'the request for package "Sales" went to approval, stages: 1',
        "stage 1 began: Bo Boss, Eva may decide until 2026-03-15T09:00:00Z",
        'stage 1 was approved by Bo Boss: "She does."',
        'the request for package "Sales" was approved',
        'package "Sales" was assigned on request under policy "By request"',
        'package "Sales" was asked to go on under policy "By request", version 8, until 2027-01-01T00:00:00Z',
    ]
    assert [line for line in lines if line in expected] == expected, lines
    erased = [{**one, "personal": {}} for one in records]
    said = [line.what for one in erased for line in told(one, tom)]
    assert "stage 1 was approved by Bo Boss" in said, "that it was decided, and by whom, is in the chain"
    assert not any("I sell" in one or "She does" in one for one in said)


def test_why_the_service_canceled_a_request_is_told_and_of_what_somebody_took_back_that_they_did() -> None:
    gone = Refusal(code="packageNotFound", message="The package is there no longer.")
    records = stored([canceled("r1", RequestCanceled(reason=gone)), canceled("r2", RequestCanceled())])
    ended, taken_back = (line.what for record in records for line in told(record, NAMES))
    assert ended == 'the request for package "Sales" was canceled: The package is there no longer.'
    assert taken_back == 'the request for package "Sales" was canceled'


@pytest.mark.spec("REV-20")
def test_what_reviews_did_with_a_guest_is_told_whatever_they_hold_and_once() -> None:
    review = Cause(id="review-item:x", correlation="review:i", actor="person:boss")
    blocked = GuestBlocked(command_id="review-item:x", deletes_at=START + timedelta(days=30), detail="Denied.")
    kept = GuestKept(command_id="review-item:x", reason=Refusal(code="enabledAgain", message="Enabled again."))
    records = [
        person_said(2, START, review, PersonChanged(changes={"accountEnabled": ValueChange(after=False)}), blocked),
        person_said(3, START + timedelta(hours=1), review, blocked.model_copy(update={"already": True})),
        person_said(4, START + timedelta(days=3), review, kept),
    ]
    lines = of_denied_guest(stored(records), NAMES)
    assert [line.what for line in lines] == [
        "was blocked from signing in, to be deleted on 2026-03-31: Denied.",
        "is not deleted after a review: Enabled again.",
    ]
    assert {line.actor for line in lines} == {"person:boss"}
    erased = [{**one, "personal": {}} for one in stored(records)]
    said = [line.what for line in of_denied_guest(erased, NAMES)]
    assert said == [
        "was blocked from signing in, to be deleted on 2026-03-31",
        "is not deleted after a review: enabledAgain",
    ]


def test_why_tells_of_a_review_that_keeps_rules_from_giving_it_again_and_of_its_end() -> None:
    until, review = START + timedelta(days=90), Cause(id="review-item:x", correlation="review:i", actor="person:boss")
    denied = ExclusionState(
        package_id=SALES, until=until, since=START, assignment_id="assignment-1", cause=review, detail="Denied."
    )
    records = [
        added(1, START, cause("c1")),
        holding_said(2, START + timedelta(days=1), review, PackageExcluded(exclusion=denied)),
        holding_said(3, START + timedelta(days=2), review, ExclusionLifted(exclusion=denied, by_hand=True)),
        holding_said(4, until, review, ExclusionLifted(exclusion=denied)),
    ]
    span = span_of(records)

    def said(documents: list[Document]) -> list[str]:
        return [line.what for line in explained([span], documents, NAMES) if line.kind == "assignment"][1:]

    again = 'rules give package "Sales" again where they match: '
    assert said(stored(records)) == [
        'no rule gives package "Sales" again until 2026-05-30T09:00:00Z: Denied.',
        f"{again}the exclusion was taken back",
        f"{again}the exclusion is over",
    ]
    erased = said([{**one, "personal": {}} for one in stored(records)])
    assert erased[0] == 'no rule gives package "Sales" again until 2026-05-30T09:00:00Z', "its date is in the chain"
