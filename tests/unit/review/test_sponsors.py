"""Whoever answers for a guest reviews what the guest has; where nobody does, or they have left, the fallbacks do."""

from __future__ import annotations

from services.review.decide import items
from services.review.decide.items import Advance, Enter, HandOver, Look
from services.review.decide.reviewers import with_reviewers
from services.review.model import Instance, Item, Stage, dump_item, load_item
from services.review.scope import Reviewers, Who
from shared.contracts.review import ReviewerScope, ReviewStatus, StageSettings
from shared.contracts.roster import RosterEntry
from shared.messaging.decision import Circumstances
from tests.unit.review.test_replacing import CAUSE, NOW, PEOPLE, SCOPES, running

SPONSORS = ReviewerScope(query="./sponsors", query_root="decisions")
BEN = Reviewers(Who.USER, PEOPLE["ben"])


def by_sponsors(*further: ReviewerScope) -> Instance:
    """Ben stands by."""
    settings = StageSettings(duration_in_days=7, reviewers=(SPONSORS, *further), fallback_reviewers=(SCOPES["ben"],))
    stage = with_reviewers(Stage(id="s", settings=settings), {BEN: (PEOPLE["ben"],)})
    return running().having(stages=(stage.having(status=ReviewStatus.IN_PROGRESS),))


def entered(instance: Instance, gone: frozenset[str] = frozenset(), **sponsors: tuple[str, ...]) -> Item:
    look = Look({"i": instance}, gone, sponsors)
    enter = Enter("x", "i", RosterEntry(person_id="guest", user_type="Guest", role="Member"))
    item = items.enter(None, enter, Circumstances(NOW, 1, CAUSE, look)).state
    assert item is not None
    assert load_item(dump_item(item)) == item, "it survives the database"
    return item


def test_every_sponsor_reviews_the_guest_and_nobody_else_does() -> None:
    item = entered(by_sponsors(), guest=(PEOPLE["ana"], PEOPLE["eva"]))
    assert item.reviewers == (PEOPLE["ana"], PEOPLE["eva"])
    assert entered(running(), guest=(PEOPLE["eva"],)).reviewers is None, "where the review does not ask them"
    assert entered(running(), guest=(PEOPLE["eva"],)).sponsors == ()


def test_without_a_sponsor_who_is_here_the_fallback_does() -> None:
    assert entered(by_sponsors()).reviewers == (PEOPLE["ben"],)
    left = entered(by_sponsors(), frozenset({PEOPLE["ana"]}), guest=(PEOPLE["ana"],))
    assert left.reviewers == (PEOPLE["ben"],)
    assert entered(by_sponsors(SCOPES["ben"]), guest=("guest",)).reviewers == (PEOPLE["ben"],), "not about themself"


def test_a_sponsor_who_leaves_hands_over_and_later_stages_ask_those_of_the_beginning() -> None:
    instance = by_sponsors()
    item = entered(instance, guest=(PEOPLE["ana"],))
    look = Look({"i": instance}, frozenset({PEOPLE["ana"]}), {"guest": (PEOPLE["max"],)})
    at = Circumstances(NOW, 1, CAUSE, look)
    handed = items.hand_over(item, HandOver("x", PEOPLE["ana"]), at).state
    assert handed is not None
    assert handed.reviewers == (PEOPLE["ben"],)
    twice = instance.having(stages=(*instance.stages, instance.stage), current=1)
    look = Look({"i": twice}, frozenset(), {"guest": (PEOPLE["max"],)})
    onwards = items.advance(handed, Advance("x"), Circumstances(NOW, 1, CAUSE, look)).state
    assert onwards is not None
    assert onwards.reviewers == (PEOPLE["ana"],), "sponsors are a snapshot of the start"
