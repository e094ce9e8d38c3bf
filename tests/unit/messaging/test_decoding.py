"""Messages from records: each is decoded once a process, and what is none says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from shared.contracts import topics
from shared.contracts.base import Cause
from shared.contracts.directory import PersonFact, PersonJoined, PersonState, PersonStatus
from shared.messaging.decoding import Lately, contract_of, decoded, of_its_topic, saying
from shared.messaging.envelope import Incoming, Position
from shared.messaging.errors import WillNotPass

PEOPLE = topics.PERSON_FACTS.name


def record(name: str, offset: int = 0) -> Incoming:
    fact = PersonFact(
        id=f"person:{name}:1",
        cause=Cause(id="c", correlation="c", actor="source:hr"),
        subject=name,
        version=1,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        transitions=(PersonJoined(),),
        state=PersonState(id=name, status=PersonStatus.ACTIVE, attributes={}),
    )
    return Incoming(Position(PEOPLE, 0, offset), name.encode(), fact.json_bytes())


def test_a_record_is_decoded_once_for_all_services_of_a_process() -> None:
    one = record("ana", 4711)
    assert of_its_topic(one) is contract_of(topics.PERSON_FACTS)(replace(one, headers=(("more", b""),)))


def test_another_record_in_the_same_place_is_decoded_for_itself() -> None:
    lately = Lately(2)
    for name in ("ana", "bob", "ana"):
        found = lately.decoded(PersonFact, one := record(name), one.value or b"")
        assert isinstance(found, PersonFact)
        assert found.subject == name


def test_no_more_than_so_many_are_kept() -> None:
    lately = Lately(2)

    def read(offset: int) -> object:
        one = record(f"p{offset}", offset)
        return lately.decoded(PersonFact, one, one.value or b"")

    first, second = read(1), read(2)
    assert read(1) is first
    read(3)
    assert read(2) is second
    assert read(1) is not first


def test_what_says_none_of_the_words_is_passed_over_and_what_is_empty_is_no_message() -> None:
    assert saying(b'"PersonLeft"')(record("ana")) is None
    assert saying(b'"PersonLeft"', b'"PersonJoined"')(record("ana")) == of_its_topic(record("ana"))
    for decode in (of_its_topic, saying(b"x")):
        with pytest.raises(WillNotPass, match="no body"):
            decode(replace(record("ana"), value=None))


def test_what_is_no_message_is_told_from_the_rest_and_never_kept() -> None:
    good, bad = decoded([record("ana"), replace(record("bob", 1), value=b"{}")], of_its_topic)
    assert [message.subject for _, message in good] == ["ana"]
    ((_, reason),) = bad
    assert reason.code == "invalid"
    assert "subject: Field required" in reason.message
    with pytest.raises(ValidationError):
        Lately(1).decoded(PersonFact, record("bob", 1), b"{}")
