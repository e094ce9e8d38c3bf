"""Dead letters as values: folded from their topic, and what is sent when they are settled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import orjson

from deploy.run.letters import Headers, Letters, discarded, replayed, settled
from shared.messaging.deadletters import DISCARD_OF, REPLAY_FOR, REPLAY_OF, dead_letter, letter_id
from shared.messaging.envelope import Incoming, Position
from shared.messaging.errors import WillNotPass

GROUP = "directory.directory.people"
AT = datetime(2026, 3, 1, tzinfo=UTC)
POISON = Incoming(
    Position("directory.people", 2, 17), b"anna", b"\x00poison", (("ce_id", b"1"), ("odd", b"\xff\xfe")), 0
)


def set_aside(record: Incoming, offset: int = 0) -> Incoming:
    """What then lies on the dead-letter topic."""
    out = dead_letter(record, WillNotPass("invalid", "no JSON"), GROUP, AT)
    headers = tuple((name, value.encode()) for name, value in out.headers)
    return Incoming(Position(out.topic, 0, offset), out.key, out.value, headers, 0)


def note(headers: Headers) -> Incoming:
    return Incoming(Position(f"{GROUP}.dead-letters", 0, 9), b"anna", None, headers, 0)


def folded(*records: Incoming) -> Letters:
    letters = Letters()
    for record in records:
        letters.add(record)
    return letters


def test_a_letter_holds_the_message_as_it_came_and_the_reason() -> None:
    (letter,) = folded(set_aside(POISON)).open

    assert letter.id == letter_id(POISON) == "directory.people/2/17"
    assert (letter.topic, letter.partition) == ("directory.people", 2)
    assert (letter.key, letter.value, letter.headers) == (POISON.key, POISON.value, POISON.headers)
    assert (letter.code, letter.reason, letter.at, letter.times) == ("invalid", "no JSON", AT, 1)
    assert letter.as_json()["headers"]["odd"].startswith("base64:")


def test_a_body_that_is_nested_too_deeply_to_be_written_is_shown_as_its_text() -> None:
    body = b"[" * 600 + b"]" * 600
    (letter,) = folded(set_aside(replace(POISON, value=body))).open

    assert letter.as_json()["body"] == body.decode()
    assert orjson.dumps([letter.as_json()])


def test_settling_closes_a_letter_and_failing_again_opens_the_same_one() -> None:
    first = set_aside(POISON)
    (letter,) = folded(first).open
    closed = note(settled(letter, "replayed"))
    assert folded(first, closed).open == []

    once_more = Incoming(Position("directory.people", 2, 99), POISON.key, POISON.value, replayed(letter, GROUP), 0)
    assert letter_id(once_more) == letter.id
    (again,) = folded(first, closed, set_aside(once_more, 10)).open

    assert (again.id, again.times, again.settled) == (letter.id, 2, None)
    assert again.headers == POISON.headers


def test_what_fails_again_before_its_replay_is_noted_stays_open() -> None:
    first = set_aside(POISON)
    (letter,) = folded(first).open
    once_more = Incoming(Position("directory.people", 2, 99), POISON.key, POISON.value, replayed(letter, GROUP), 0)
    again = set_aside(once_more, 8)

    late = folded(first, again, note(settled(letter, "replayed")))
    (open_still,) = late.open

    assert (open_still.id, open_still.times) == (letter.id, 2)
    assert folded(first, again, note(settled(open_still, "replayed"))).open == []


def test_a_replay_carries_the_original_headers_and_is_for_one_group() -> None:
    (letter,) = folded(set_aside(POISON)).open

    assert replayed(letter, GROUP)[:2] == POISON.headers
    assert dict(replayed(letter, GROUP))[REPLAY_FOR] == GROUP.encode()
    assert dict(replayed(letter, GROUP))[REPLAY_OF] == letter.id.encode()
    assert dict(discarded(letter, GROUP)) == {DISCARD_OF: letter.id.encode(), REPLAY_FOR: GROUP.encode()}


def test_what_is_no_letter_is_passed_over() -> None:
    assert folded(note(()), note((("dead-letter-origin", b"nonsense"),))).all == {}


def test_what_others_wrote_is_passed_over_or_read_as_far_as_it_goes() -> None:
    def written(**headers: str) -> Incoming:
        told = tuple((name.replace("_", "-"), value.encode()) for name, value in headers.items())
        return Incoming(Position(f"{GROUP}.dead-letters", 0, 3), b"k", b"v", told, 0)

    assert folded(*(written(dead_letter_origin=id) for id in ("a/b/c", "evil", "/1/2", "a/1", "a/1/-2"))).all == {}

    odd = written(
        dead_letter_origin="a/1/2", dead_letter_at="yesterday", dead_letter_binary_headers="x,y", x="!", y="eQ=="
    )
    (letter,) = folded(odd).open
    assert (letter.at, letter.headers) == (None, (("x", b"!"), ("y", b"y")))
