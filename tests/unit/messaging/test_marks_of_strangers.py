"""Whoever may write to a public topic may send our headers, too: they count only where they can do no harm."""

from __future__ import annotations

import pytest

from shared.clock import SystemClock
from shared.contracts import topics
from shared.messaging.deadletters import DISCARD_OF, REPLAY_FOR, REPLAY_OF, believed, dead_letter, letter_id
from shared.messaging.envelope import Incoming, Position
from shared.messaging.errors import WillNotPass

OWN = ("ce_id", b"1")
FOR = (REPLAY_FOR, b"directory.hr.sign-ins")


@pytest.mark.parametrize("mark", [REPLAY_OF, DISCARD_OF])
def test_a_mark_counts_for_a_letter_of_the_very_topic(mark: str) -> None:
    headers = (OWN, FOR, (mark, b"hr.sign-ins/2/17"))
    assert believed(topics.SIGN_INS, headers) == headers


@pytest.mark.parametrize(
    "marks",
    [
        (FOR, (DISCARD_OF, b"hr.attribute-changes/2/17")),
        (FOR, (REPLAY_OF, b"hr.attribute-changes/2/17")),
        (FOR, (DISCARD_OF, b"hr.sign-ins.other/2/17")),
        (FOR, (REPLAY_OF, b"hr.sign-ins/2/17"), (DISCARD_OF, b"hr.attribute-changes/2/17")),
        (FOR,),
        ((DISCARD_OF, None),),
    ],
)
def test_any_other_mark_on_an_inbound_topic_is_as_good_as_none(marks: tuple[tuple[str, bytes | None], ...]) -> None:
    assert believed(topics.SIGN_INS, (OWN, *marks)) == (OWN,)


def test_on_our_own_topics_marks_count_as_they_are() -> None:
    headers = (OWN, (REPLAY_FOR, b"audit.trail"), (DISCARD_OF, b"hr.attribute-changes/2/17"))
    assert believed(topics.PERSON_FACTS, headers) == headers


def test_a_forged_mark_does_not_write_over_another_letter() -> None:
    position = Position(topics.SIGN_INS.name, 0, 5)
    headers = believed(topics.SIGN_INS, ((REPLAY_OF, b"hr.attribute-changes/0/1"),))
    record = Incoming(position, b"k", b"poison", headers)
    assert letter_id(record) == "hr.sign-ins/0/5"
    letter = dead_letter(record, WillNotPass("bug", "x"), "directory.hr.sign-ins", SystemClock().now())
    assert ("dead-letter-origin", "hr.sign-ins/0/5") in letter.headers
