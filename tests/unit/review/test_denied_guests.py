"""A denied guest in a review that blocks and deletes: what is commanded, and what each answer makes of the item."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from services.review.decide import applying, items
from services.review.decide.items import Answered, Apply, Look
from services.review.model import FIRST_RESEND, Instance, Item, Stage, dump_item, load_item
from shared.contracts.base import Cause, Refusal
from shared.contracts.directory import (
    GuestBlocked,
    GuestDeleted,
    GuestKept,
    GuestRefused,
    PersonFact,
    PersonLeft,
    PersonState,
    PersonStatus,
)
from shared.contracts.review import (
    ApplyResult,
    DefinitionState,
    ReviewedResource,
    ReviewSettings,
    ReviewStatus,
    StageSettings,
    Verdict,
)
from shared.contracts.roster import NESTED, RosterKind
from shared.contracts.topics import GUEST_COMMANDS
from shared.messaging.decision import Circumstances, Decision, Due

NOW = datetime(2026, 3, 1, tzinfo=UTC)
THEN = NOW + timedelta(days=30)
CAUSE = Cause(id="c", correlation="review:i", actor="person:olga")
pytestmark = pytest.mark.spec("REV-20", "REV-19")


def instance(*, mails: bool = True) -> Instance:
    settings = ReviewSettings(disable_and_delete=True, mail_notifications_enabled=mails)
    stage = StageSettings(duration_in_days=7)
    definition = DefinitionState(
        id="d", display_name="Guests", scope={}, settings=settings, stages=(stage,), created_at=NOW, modified_at=NOW
    )
    return Instance(
        id="i",
        definition=definition,
        number=1,
        resource=ReviewedResource(kind=RosterKind.GROUP, id="g", display_name="Visitors"),
        scope={},
        status=ReviewStatus.APPLYING,
        starts_at=NOW,
        ends_at=NOW,
        stages=(Stage(id="s", settings=stage),),
        cause=CAUSE,
    )


class Denied:
    """One guest, denied by Olga."""

    def __init__(self, role: str = "Member", *, mails: bool = True) -> None:
        self.instance = instance(mails=mails)
        self.now = NOW
        self.item = Item(
            "x", "i", "d", "eva", None, role, None, None, "Guest", False, False,
            decision=Verdict.DENY, decided_by="olga", justification="Gone.",
        )  # fmt: skip
        self.commands: list[dict[str, Any]] = []

    def decide(self, decide: Any, message: Any) -> Decision[Item]:
        at = Circumstances(self.now, 1, CAUSE, Look({"i": self.instance}))
        decision: Decision[Item] = decide(self.item, message, at)
        assert decision.state is not None
        assert load_item(dump_item(decision.state)) == decision.state, "it survives the database"
        self.item = decision.state
        for one in decision.messages:
            assert (one.topic, one.key) == (GUEST_COMMANDS.name, b"eva")
            self.commands.append(orjson.loads(one.value or b""))
        return decision

    def hears(self, *transitions: Any) -> Decision[Item]:
        state = PersonState(id="eva", status=PersonStatus.ACTIVE)
        fact = PersonFact(
            id="person:eva:2", cause=CAUSE, subject="eva", version=2, at=NOW, transitions=transitions, state=state
        )
        [answer] = applying.answers_in(fact)
        return self.decide(items.answered, Answered("x", answer))


def blocked() -> GuestBlocked:
    return GuestBlocked(command_id="review-item:x", deletes_at=THEN, detail="Denied.")


@pytest.mark.parametrize("role", ["Member", NESTED])
def test_the_directory_is_asked_to_block_whatever_way_the_guest_came_in(role: str) -> None:
    one = Denied(role)
    assert [said.type for said in one.decide(items.apply, Apply("x")).transitions] == ["ItemApplying"]
    [command] = one.commands
    assert (command["id"], command["personId"], command["deleteAfter"]) == ("review-item:x", "eva", "P30D")
    assert command["detail"] == 'Denied in the review "Guests": Gone.'
    assert command["cause"]["actor"] == "person:olga"


def test_a_blocked_guest_is_told_and_the_item_waits_for_what_comes_of_it() -> None:
    one = Denied()
    one.decide(items.apply, Apply("x"))
    [said] = one.hears(blocked()).transitions
    assert said.type == "ItemBlocked"
    assert (said.until, said.lost.reason, said.lost.resource.display_name) == (THEN, "Gone.", "Visitors")
    assert (one.item.settled, one.item.result) == (False, ApplyResult.NEW)
    assert one.item.detail == "Blocked from signing in; deleted on 2026-03-31, unless enabled again before."
    assert not one.hears(blocked()).transitions, "told once"
    assert Denied(mails=False).item.detail is None


def test_without_mails_nobody_is_told() -> None:
    one = Denied(mails=False)
    one.decide(items.apply, Apply("x"))
    [said] = one.hears(blocked()).transitions
    assert said.lost is None


@pytest.mark.parametrize(
    ("answer", "result", "words"),
    [
        (GuestDeleted(command_id="review-item:x"), ApplyResult.APPLIED, "deleted when the time was over"),
        (
            GuestKept(command_id="review-item:x", reason=Refusal(code="enabledAgain", message="Enabled.")),
            ApplyResult.APPLIED,
            "not deleted: Enabled.",
        ),
    ],
)
def test_its_end_is_the_result(answer: Any, result: ApplyResult, words: str) -> None:
    one = Denied()
    one.decide(items.apply, Apply("x"))
    one.hears(blocked())
    [said] = one.hears(PersonLeft(), answer).transitions
    assert (one.item.settled, one.item.result) == (True, result)
    assert words in (one.item.detail or "")
    assert said.lost is None, "they were told when they were blocked"
    assert one.item.awaited is None


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("noGuest", ApplyResult.NOT_SUPPORTED),
        ("knownToSource", ApplyResult.NOT_SUPPORTED),
        ("notAuthoritative", ApplyResult.NOT_SUPPORTED),
        ("personNotFound", ApplyResult.NOT_FOUND),
        ("tooMany", ApplyResult.FAILED),
    ],
)
def test_a_refusal_is_the_result_with_its_reason(code: str, result: ApplyResult) -> None:
    one = Denied()
    one.decide(items.apply, Apply("x"))
    one.hears(GuestRefused(command_id="review-item:x", reason=Refusal(code=code, message="Why.")))
    assert (one.item.settled, one.item.result, one.item.detail) == (True, result, "Why.")


def test_it_is_asked_again_until_the_first_answer_and_after_the_date_until_the_last() -> None:
    one = Denied()
    one.decide(items.apply, Apply("x"))
    one.now += FIRST_RESEND
    one.decide(items.send_again, Due("x", one.now))
    assert [command["id"] for command in one.commands] == ["review-item:x"] * 2
    one.hears(blocked())
    one.now += timedelta(days=3)
    assert not one.decide(items.send_again, Due("x", one.now)).messages, "nothing is asked while the guest is blocked"
    one.now = THEN + FIRST_RESEND
    one.decide(items.send_again, Due("x", one.now))
    assert len(one.commands) == 3
