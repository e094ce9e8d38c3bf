"""Who hears of access reviews, in how many messages, and what these say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notification import decide, reviews
from services.notification.decide import Not
from services.notification.model import Channel, Event, Known, Person, dump, load
from services.notification.render import Renderer
from shared.contracts.base import Cause
from shared.contracts.review import (
    Advice,
    ApplyResult,
    DefaultDecision,
    InstanceApplied,
    InstanceApplying,
    InstanceAutoReviewing,
    InstanceCompleted,
    InstanceFact,
    InstanceState,
    ItemApplied,
    ItemBlocked,
    ItemFact,
    ItemState,
    ItemsUnattended,
    Lost,
    NothingToReview,
    OpenItems,
    ReviewedResource,
    ReviewersAsked,
    ReviewStageState,
    ReviewStatus,
)
from shared.contracts.roster import RosterKind

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
UNTIL = NOW + timedelta(days=7)
CAUSE = Cause(id="c", correlation="c", actor="system:review")
BOSS, GUEST = Person("boss", 1, "The Boss", "boss@example.com"), Person("eva", 1, "Eva", "eva@x.example", "", True)
NAMES = {"boss": BOSS, "eva": GUEST, "ana": Person("ana", 1, "Ana <b>"), "ben": Person("ben", 1, "Ben")}
KNOWN = Known(NAMES, {}, {}, {}, {})
RENDERER = Renderer("https://tenure.example.com")
OPEN = {"boss": OpenItems(count=30, people=("ben", "ana"), further=28), "eva": OpenItems(count=1, people=("ana",))}


def instance(
    *transitions: Any, status: ReviewStatus = ReviewStatus.IN_PROGRESS, id: str = "i", **more: Any
) -> InstanceFact:
    stage = ReviewStageState(id="s", status=ReviewStatus.IN_PROGRESS, starts_at=NOW, ends_at=UNTIL)
    state = InstanceState(
        **{
            "id": id, "definition_id": "d", "definition_name": "Quarterly", "number": 1, "status": status,
            "resource": ReviewedResource(kind=RosterKind.GROUP, id="g", display_name=f"Group {id}"),
            "starts_at": NOW, "ends_at": UNTIL, "stages": (stage,), "mails": True, "items": 12,
            "recipients": ("owner", "auditor"), "description_for_reviewers": "Think twice. " + "x" * 300, **more,
        }
    )  # fmt: skip
    return InstanceFact(
        id=f"review-instance:{id}:1", cause=CAUSE, subject=id, version=1, at=NOW, transitions=transitions, state=state
    )


def asked(occasion: str = "start", *people: str, **more: Any) -> InstanceFact:
    said = ReviewersAsked(occasion=occasion, reviewers=people or ("boss",), open=OPEN)  # type: ignore[arg-type]
    return instance(said, **more)


@pytest.mark.spec("REV-21")
def test_whoever_is_asked_reads_what_is_open_until_when_and_what_the_maker_says() -> None:
    found = reviews.of_instance(asked(), NOW)
    assert {(one.recipient, one.channel, one.event) for one in found} == {
        ("boss", channel, Event.REVIEW_ASKED) for channel in Channel
    }
    assert [load(dump(one)) for one in found] == found
    text = RENDERER.render(found[0], KNOWN, NOW)
    assert text.subject == "Review access by 8 March 2026, 09:00 UTC: Quarterly"
    for said in (
        "* Quarterly: Group i, until 8 March 2026, 09:00 UTC",
        "    30 to decide: Ana <b>, Ben and 28 more",
        "/definitions/d/instances/i/decisions/filterByCurrentUser(on='reviewer')",
        "All your reviews: https://tenure.example.com/v1.0/identityGovernance/accessReviews/definitions/filterBy",
    ):
        assert said in text.text
    assert "Ana &lt;b&gt;, Ben and 28 more" in text.html
    assert ("Think twice. " + "x" * 300)[:256] in text.text
    assert "x" * 244 not in text.text
    assert text.due_at == UNTIL
    assert text.about["reviews"][0]["instanceId"] == "i"


@pytest.mark.spec("REV-7")
def test_without_mails_a_start_is_not_written_of_and_a_reminder_by_hand_is() -> None:
    assert reviews.of_instance(asked(mails=False), NOW) == []
    assert {one.event for one in reviews.of_instance(asked("reminder", mails=False), NOW)} == {Event.REVIEW_REMINDED}


@pytest.mark.spec("REV-21")
def test_who_has_finished_is_reminded_too_and_reads_that_nothing_is_left() -> None:
    [message, _] = [one for one in reviews.of_instance(asked("halfTime", "boss", "max"), NOW) if one.recipient == "max"]
    text = RENDERER.render(message, KNOWN, NOW)
    assert text.subject.startswith("Reminder: ")
    assert "    Nothing is left to decide" in text.text


def test_somebody_with_two_roles_is_no_two_people_and_a_self_review_is_about_you() -> None:
    def lines(reviewer: str) -> str:
        still = {reviewer: OpenItems(count=2, people=("ana",))}
        said = ReviewersAsked(occasion="start", reviewers=(reviewer,), open=still)
        return RENDERER.render(reviews.of_instance(instance(said), NOW)[0], KNOWN, NOW).text

    assert "    2 to decide: Ana <b>\n" in lines("boss")
    assert "    2 to decide: your own\n" in lines("ana")


def test_who_has_nothing_to_decide_is_not_asked() -> None:
    found = reviews.of_instance(asked("start", "boss", "max"), NOW)
    assert {one.recipient for one in found} == {"boss"}


def unattended(otherwise: DefaultDecision, count: int = 1, **more: Any) -> InstanceFact:
    items = OpenItems(count=count, people=("ana", "ben")[:count])
    return instance(ItemsUnattended(stage_id="s", items=items, otherwise=otherwise, told=("boss", "owner")), **more)


@pytest.mark.parametrize(
    ("otherwise", "said"),
    [
        (DefaultDecision.DENY, "the access is denied"),
        (DefaultDecision.APPROVE, "as if it had been approved"),
        (DefaultDecision.RECOMMENDATION, "the recommendations decide"),
        (DefaultDecision.NONE, "stays as it is"),
    ],
)
def test_whoever_made_a_review_reads_what_nobody_can_decide_and_what_becomes_of_it(
    otherwise: DefaultDecision, said: str
) -> None:
    """Also where its mails are switched off: else the default decision would fall on everybody without a word."""
    found = reviews.of_instance(unattended(otherwise, mails=False, created_by="boss"), NOW)
    assert {(one.recipient, one.event) for one in found} == {
        ("boss", Event.REVIEW_TROUBLED), ("owner", Event.REVIEW_TROUBLED)
    }  # fmt: skip
    assert [load(dump(one)) for one in found] == found
    text = RENDERER.render(found[0], KNOWN, NOW)
    assert text.subject == "Some access has no reviewer: Quarterly"
    assert "* Quarterly: Group i, until 8 March 2026, 09:00 UTC" in text.text
    assert "    1 item has no reviewer: Ana <b>. Unless you name others, " in text.text
    assert said in text.text
    assert said in text.html
    assert "Ana &lt;b&gt;" in text.html
    assert text.text.count(
        "https://tenure.example.com/v1.0/identityGovernance/accessReviews/definitions/d/instances/i\n"
    )
    assert (text.due_at, text.about["reviews"][0]["otherwise"]) == (UNTIL, otherwise.value)
    many = RENDERER.render(reviews.of_instance(unattended(otherwise, 2), NOW)[0], KNOWN, NOW)
    assert "2 items have no reviewer: Ana <b>, Ben. " in many.text


def test_whoever_made_a_review_of_what_is_not_there_reads_that() -> None:
    fact = instance(NothingToReview(reason="There is no group g.", told=("boss",)), items=0)
    text = RENDERER.render(reviews.of_instance(fact, NOW)[0], KNOWN, NOW)
    assert text.subject == "Nothing to review: Quarterly"
    for part in (text.text, text.html):
        assert "What it is about is not there, so nobody&#39;s access" in part.replace("'", "&#39;")
    assert text.due_at is None


def test_what_one_reviewer_is_asked_at_a_time_is_one_message_by_review() -> None:
    queued = [
        one for id in ("i", "j", "k") for one in reviews.of_instance(asked(id=id), NOW) if one.channel is Channel.MAIL
    ]
    [one], within = reviews.together(queued)
    assert set(within) == {it.id for it in queued} - {one.id}
    assert set(within.values()) == {one.id}
    text = RENDERER.render(one, KNOWN, NOW)
    assert all(f"Quarterly: Group {id}" in text.text for id in ("i", "j", "k"))
    assert text.subject.endswith("Quarterly and 2 more")


@pytest.mark.spec("REV-21")
@pytest.mark.parametrize(
    ("transitions", "status", "told"),
    [
        ((InstanceCompleted(),), ReviewStatus.COMPLETED, True),
        ((InstanceCompleted(), InstanceApplying()), ReviewStatus.APPLYING, False),
        ((InstanceCompleted(), InstanceAutoReviewing()), ReviewStatus.AUTO_REVIEWING, False),
        ((InstanceApplied(),), ReviewStatus.APPLIED, True),
    ],
)
def test_owner_and_additional_recipients_hear_the_figures_at_the_end(
    transitions: tuple[Any, ...], status: ReviewStatus, told: bool
) -> None:
    fact = instance(*transitions, status=status, figures={"Approve": 8, "Deny": 4}, results={"AppliedSuccessfully": 4})
    found = [one for one in reviews.of_instance(fact, NOW) if one.channel is Channel.MAIL]
    assert [one.recipient for one in found] == (["owner", "auditor"] if told else [])
    for one in found:
        assert "12 items, 8 approved, 4 denied; carried out: 4 applied" in RENDERER.render(one, KNOWN, NOW).text
    assert not reviews.of_instance(instance(*transitions, status=status, mails=False), NOW)


@pytest.mark.spec("REV-20", "REV-21")
def test_the_end_of_a_review_that_blocks_guests_is_told_before_it_is_applied_weeks_later() -> None:
    fact = instance(InstanceCompleted(), InstanceApplying(), status=ReviewStatus.APPLYING, blocks_guests=True)
    assert {one.event for one in reviews.of_instance(fact, NOW)} == {Event.REVIEW_ENDED}


@pytest.mark.parametrize("occasion", ["start", "halfTime", "endsSoon", "reminder"])
def test_of_a_run_without_items_no_reviewer_is_written_to(occasion: str) -> None:
    assert reviews.of_instance(asked(occasion, items=0), NOW) == []


@pytest.mark.spec("REV-20")
def test_a_guest_who_is_blocked_reads_why_and_when_they_are_deleted() -> None:
    lost = Lost(
        review="Guests", resource=ReviewedResource(kind=RosterKind.GROUP, id="g", display_name="Visitors"),
        reason="The project is over",
    )  # fmt: skip
    until = NOW + timedelta(days=30)
    state = ItemState(id="x", instance_id="i", definition_id="d", person_id="ana", role="Member")

    def fact(transition: Any) -> ItemFact:
        return ItemFact(
            id="review-item:x:3", cause=CAUSE, subject="x", version=3, at=NOW, transitions=(transition,), state=state
        )

    found = reviews.of_item(fact(ItemBlocked(until=until, detail="Blocked.", lost=lost)), NOW)
    assert {(one.recipient, one.channel, one.event) for one in found} == {
        ("ana", channel, Event.REVIEW_BLOCKED) for channel in Channel
    }
    assert [load(dump(one)) for one in found] == found
    text = RENDERER.render(found[0], KNOWN, NOW)
    assert text.subject == "Your account is blocked after a review, and will be deleted on 31 March 2026, 09:00 UTC"
    for said in (
        "you can no longer sign in here",
        '* Visitors, in "Guests": The project is over.',
        "deleted on 31 March",
    ):
        assert said in text.text
    assert "The project is over" in text.html
    assert (text.due_at, text.link) == (until, None)
    assert reviews.of_item(fact(ItemBlocked(until=until, detail="Blocked.")), NOW) == [], "without mails"


def test_who_loses_two_roles_of_an_application_reads_which() -> None:
    crm = ReviewedResource(kind=RosterKind.APPLICATION, id="app", display_name="CRM")
    state = ItemState(id="x", instance_id="i", definition_id="d", person_id="ana", role="r")
    done = ItemApplied(result=ApplyResult.APPLIED, detail="", lost=Lost(review="Apps", resource=crm, role="Reader"))
    fact = ItemFact(id="review-item:x:3", cause=CAUSE, subject="x", version=3, at=NOW, transitions=(done,), state=state)
    text = RENDERER.render(reviews.of_item(fact, NOW)[0], KNOWN, NOW)
    assert '  * CRM (Reader), denied in "Apps"' in text.text


def test_only_whoever_made_a_review_is_sent_a_link_to_its_end() -> None:
    """Additional recipients may hold no role that opens it, and would be answered 403."""
    fact = instance(InstanceApplied(), status=ReviewStatus.APPLIED, created_by="owner", recipients=("owner", "boss"))
    texts = {one.recipient: RENDERER.render(one, KNOWN, NOW) for one in reviews.of_instance(fact, NOW)}
    assert texts["owner"].link is not None
    assert "/definitions/d/instances/i" in texts["owner"].html
    assert texts["boss"].link is None
    for body in (texts["boss"].text, texts["boss"].html):
        assert "12 items" in body
        assert "https://" not in body


def test_of_one_run_the_newest_word_counts() -> None:
    before = instance(InstanceCompleted(), status=ReviewStatus.COMPLETED)
    after = instance(InstanceApplied(), status=ReviewStatus.APPLIED, results={"AppliedSuccessfully": 4})
    queued = [
        *reviews.of_instance(before, NOW),
        *reviews.of_instance(after.model_copy(update={"id": "x", "version": 2}), NOW),
    ]
    mails = [one for one in queued if one.channel is Channel.MAIL and one.recipient == "owner"]
    [one], _ = reviews.together(mails)
    assert [part.results for part in one.reviews] == [{"AppliedSuccessfully": 4}]


def test_whoever_lost_access_is_told_by_which_review_and_why() -> None:
    resource = ReviewedResource(kind=RosterKind.GROUP, id="g", display_name="The group")
    lost = Lost(review="Quarterly", resource=resource, reason="Moved on.")
    state = ItemState(id="it", instance_id="i", definition_id="d", person_id="ana", recommendation=Advice.NO_INFO)

    def fact(one: Lost | None) -> ItemFact:
        applied = ItemApplied(result=ApplyResult.APPLIED, detail="Taken away.", lost=one)
        return ItemFact(
            id="review-item:it:1", cause=CAUSE, subject="ana", version=1, at=NOW, transitions=(applied,), state=state
        )

    found = reviews.of_item(fact(lost), NOW)
    assert {one.recipient for one in found} == {"ana"}
    text = RENDERER.render(found[0], KNOWN, NOW)
    assert text.subject == "Your access to The group has ended after a review"
    assert '* The group, denied in "Quarterly": Moved on.' in text.text
    assert reviews.of_item(fact(None), NOW) == []


@pytest.mark.spec("REV-22")
def test_a_guest_who_has_not_accepted_gets_none() -> None:
    [to_guest, _] = reviews.of_instance(asked("start", "eva"), NOW)
    assert decide.may_send(to_guest, KNOWN, NOW) is Not.NOT_ACCEPTED
    accepted = replace(KNOWN, people={**NAMES, "eva": replace(GUEST, pending=False)})
    assert decide.may_send(to_guest, accepted, NOW) is None
