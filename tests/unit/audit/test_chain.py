"""The chain: what goes into it, what lies beside it, and that every way of touching it shows at its very place."""

from __future__ import annotations

import base64
import copy
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.decide.chain import erasure, extended, is_record_of, renewal
from services.audit.decide.record import described
from services.audit.decide.verify import verified
from services.audit.model import ERASURES, GENESIS, Document, Head, Verdict, canonical, hash_of
from services.audit.signing import NoSigningKey, SigningKey, authentic_by, signing_key
from services.audit.store.checkpoints import _append, checkpoints_in
from shared.contracts.audit import Checkpoint
from shared.contracts.signins import SignIn
from shared.contracts.topics import SIGN_INS
from shared.messaging.envelope import Outgoing
from tests.unit.audit.said import ANA, START, cause, hr_change, person, received, story

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
AUTHENTIC = authentic_by({KEY.id: KEY.public})
PEOPLE = "directory.people/0"


def salts(count: int) -> list[str]:
    return [hashlib.sha256(bytes([number % 256])).hexdigest()[:32] for number in range(count)]


def trail_of(count: int) -> tuple[list[Document], dict[str, Head]]:
    """One chain of that many person facts."""
    batch = received(
        [person(n, START + timedelta(seconds=n), cause(f"c{n}"), f"D{n}", "D") for n in range(1, count + 1)]
    )
    return extended({}, batch, salts(count))


def verdict_of(documents: Sequence[Document], checkpoints: Sequence[Checkpoint] = ()) -> Verdict:
    return verified(sorted(documents, key=lambda one: one["_id"]), checkpoints, AUTHENTIC)


def problems(documents: Sequence[Document], checkpoints: Sequence[Checkpoint] = ()) -> list[tuple[int, str]]:
    return [(one.sequence, one.kind) for one in verdict_of(documents, checkpoints).problems]


def rehashed(documents: Sequence[Document]) -> list[Document]:
    """What someone does who can compute hashes: every link fits again."""
    previous, fresh = GENESIS, []
    for document in documents:
        record = {k: v for k, v in document.items() if k not in ("_id", "previous", "hash", "salt", "personal")}
        hash = hash_of(previous, record)
        fresh.append({**document, "previous": previous, "hash": hash})
        previous = hash
    return fresh


def test_an_untouched_trail_is_sound() -> None:
    batch = received(story())
    documents, heads = extended({}, batch, salts(len(batch)))
    marks = [KEY.checkpoint(chain, head, START) for chain, head in heads.items()]
    verdict = verdict_of(documents, marks)
    assert verdict.sound
    assert (verdict.records, verdict.chains, verdict.checkpoints, verdict.unconfirmed) == (len(batch), 7, 7, 0)


def test_a_changed_record_is_named() -> None:
    documents, _ = trail_of(6)
    documents[3]["actor"] = "source:somebody"
    assert problems(documents) == [(4, "changed")]


@pytest.mark.parametrize("name", ["offset", "time", "correlation", "transitions", "person", "commitment", "id"])
def test_no_field_of_a_record_can_be_changed(name: str) -> None:
    documents, _ = trail_of(4)
    documents[1][name] = 7 if name == "offset" else "x"
    assert (2, "changed") in problems(documents)


def test_a_field_that_is_added_shows() -> None:
    documents, _ = trail_of(3)
    documents[1]["note"] = 1.5
    documents[2]["when"] = START
    assert problems(documents) == [(2, "changed"), (3, "unreadable")] or problems(documents)[0] == (2, "changed")


def test_a_changed_record_with_a_fresh_hash_breaks_the_link_behind_it() -> None:
    documents, _ = trail_of(6)
    documents[3]["actor"] = "source:somebody"
    documents[3] = rehashed(documents[:4])[3]
    assert problems(documents) == [(5, "unlinked")]


def test_a_removed_record_is_named() -> None:
    documents, _ = trail_of(6)
    assert problems([*documents[:2], *documents[3:]]) == [(3, "removed")]
    assert problems([*documents[:2], *documents[5:]]) == [(3, "removed")]
    assert problems(documents[1:]) == [(1, "removed")]


def test_removed_and_renumbered_shows() -> None:
    documents, _ = trail_of(6)
    del documents[2]
    for number, document in enumerate(documents, 1):
        document["_id"] = f"{PEOPLE}/{number:012d}"
    assert problems(documents)[0] == (3, "moved")
    for number, document in enumerate(documents, 1):
        document["sequence"] = number
    assert problems(documents)[0] == (3, "changed")


def test_an_inserted_record_is_named() -> None:
    documents, heads = trail_of(6)
    stranger = {**documents[2], "_id": documents[2]["_id"] + "b"}
    assert problems([*documents, stranger])[0][1] in ("unreadable", "inserted")
    batch = received([person(9, START, cause("c9"), "X", "Y")], start=2)
    forged, _ = extended({PEOPLE: heads[PEOPLE]}, [], [])
    assert forged == []
    assert [one.offset for one in batch] == [2]
    replayed, _ = extended({PEOPLE: Head(6, heads[PEOPLE].hash, -1)}, batch, salts(1))
    assert problems([*documents, *replayed]) == [(7, "unordered")]


def test_swapped_records_are_named() -> None:
    documents, _ = trail_of(6)
    documents[1]["_id"], documents[4]["_id"] = documents[4]["_id"], documents[1]["_id"]
    found = problems(documents)
    assert (2, "moved") in found
    assert (5, "moved") in found
    assert all(sequence in (2, 3, 5, 6) for sequence, _ in found)


def test_a_tail_cut_below_a_checkpoint_is_named() -> None:
    documents, heads = trail_of(6)
    mark = KEY.checkpoint(PEOPLE, heads[PEOPLE], START)
    assert problems(documents[:4], [mark]) == [(5, "cut")]
    assert problems([], [mark]) == [(1, "cut")]
    assert problems(documents[:4]) == []


def test_a_whole_rewrite_is_named_by_the_checkpoints_around_it() -> None:
    documents, heads = trail_of(6)
    _, early = trail_of(2)
    marks = [KEY.checkpoint(PEOPLE, early[PEOPLE], START), KEY.checkpoint(PEOPLE, heads[PEOPLE], START)]
    documents[3]["actor"] = "source:somebody"
    verdict = verdict_of(rehashed(documents), marks)
    assert [(one.sequence, one.kind) for one in verdict.problems] == [(6, "rewritten")]
    assert "after record 2" in verdict.problems[0].message


def test_checkpoints_that_are_not_ours_count_for_nothing() -> None:
    documents, heads = trail_of(3)
    true = KEY.checkpoint(PEOPLE, heads[PEOPLE], START)
    stranger = SigningKey(Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    assert problems(documents, [true.model_copy(update={"head": "0" * 64})]) == [(3, "forgedCheckpoint")]
    assert problems(documents, [true.model_copy(update={"signature": "?"})]) == [(3, "forgedCheckpoint")]
    assert problems(documents, [stranger.checkpoint(PEOPLE, heads[PEOPLE], START)]) == [(3, "unknownKey")]


def test_an_altered_personal_part_is_named() -> None:
    documents, _ = trail_of(4)
    documents[2]["personal"] = {**documents[2]["personal"], "body": "{}"}
    documents[3]["salt"] = "00" * 16
    assert problems(documents) == [(3, "personalChanged"), (4, "personalChanged")]


def test_who_is_erased_by_the_book_leaves_a_sound_trail() -> None:
    documents, _ = trail_of(4)
    for number in (1, 2):
        del documents[number]["personal"], documents[number]["salt"]
    assert problems(documents) == [(2, "personalMissing"), (3, "personalMissing")]
    said, head = erasure(Head(), person=ANA, actor="x", at="2026-01-01", erased={PEOPLE: [2, 3]}, reason="asked")
    verdict = verdict_of([*documents, said])
    assert verdict.sound
    assert verdict.erased == 2
    assert head.sequence == 1
    said["actor"] = "somebody else"
    assert [(one.chain, one.kind) for one in verdict_of([*documents, said]).problems] == [(ERASURES, "changed")]


def test_the_chain_names_people_by_id_only() -> None:
    for heard in received(story()):
        record, _ = described(heard)
        text = canonical(record).decode()
        for word in ("Ana", "Kovač", "10001", "Support", "example.com", "user.department"):
            assert word not in text, record["topic"]


def test_who_signed_in_lies_beside_the_chain() -> None:
    said = SignIn(employee_id="10001", user_principal_name="ana@example.com", at=START, app_id="crm")
    (heard,) = received([Outgoing(SIGN_INS.name, b"10001", said.json_bytes(), (("ce_id", "10001 in crm"),))])
    record, personal = described(heard)
    text = canonical(record).decode()
    assert not any(word in text for word in ("10001", "ana@example.com", "crm"))
    assert (record["actor"], record["transitions"]) == ("source:sign-ins", [{"type": "SignIn"}])
    assert (personal["identity"], personal["key"]) == ("hr:10001", "10001"), "so an erasure finds it"


def test_what_is_no_json_is_recorded_as_the_bytes_it_is() -> None:
    garbage = hr_change("c1", "1995-06-01", {})
    (heard,) = received([type(garbage)(garbage.topic, b"\xff\x00", b"\xfe\x00garbage", ())])
    record, personal = described(heard)
    assert record["readable"] is False
    assert base64.b64decode(personal["bodyBase64"]) == b"\xfe\x00garbage"
    documents, _ = extended({}, [heard], salts(1))
    assert verdict_of(documents).sound


texts = st.text(max_size=20)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
transitions = st.lists(st.dictionaries(st.sampled_from(["type", "id", "reason", "version", "before", "x"]), jsons))
bodies = st.fixed_dictionaries(
    {}, optional={"subject": jsons, "version": jsons, "cause": jsons, "transitions": transitions | jsons, "at": jsons}
)


@given(body=bodies | jsons, topic=st.sampled_from(["directory.people", "hr.attribute-changes", "tenure.notifications"]))
@settings(max_examples=200, deadline=None)
def test_whatever_is_sent_is_recorded_in_rfc_8785(body: Any, topic: str) -> None:
    import json  # noqa: PLC0415

    record = story()[4]
    (heard,) = received([type(record)(topic, b"k", json.dumps(body).encode(), ())])
    chained, personal = described(heard)
    assert canonical(chained) == rfc8785.dumps(chained)
    assert canonical(personal) == rfc8785.dumps(personal)
    documents, _ = extended({}, [heard], salts(1))
    assert verdict_of(documents).sound


@given(steps=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5), st.booleans()), max_size=12))
def test_batches_repeated_after_a_crash_make_the_same_chain(steps: list[tuple[int, int, bool]]) -> None:
    batch = received([person(n, START, cause(f"c{n}"), f"D{n}", "D") for n in range(1, 12)])
    stored: list[Document] = []
    heads: dict[str, Head] = {}
    committed = 0
    # A batch of that size, of which so many records were written; then the process was killed, or it committed.
    for size, written, crash in [*steps, (11, 11, False)]:
        fresh, grown = extended(heads, batch[committed : committed + size], salts(11)[:size][: len(batch) - committed])
        if crash:
            stored += fresh[:written]
            heads = {PEOPLE: Head(stored[-1]["sequence"], stored[-1]["hash"], stored[-1]["offset"])} if stored else {}
        else:
            stored += fresh
            heads |= grown
            committed = min(committed + size, 11)
    assert [one["offset"] for one in stored] == list(range(len(stored)))
    assert len(stored) == 11
    assert verdict_of(stored).sound


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_single_touch_is_noticed(data: st.DataObject) -> None:
    documents, heads = trail_of(5)
    mark = KEY.checkpoint(PEOPLE, heads[PEOPLE], START)
    touched = copy.deepcopy(documents)
    at = data.draw(st.integers(0, 4))
    how = data.draw(st.sampled_from(["remove", "field", "hash", "previous", "salt", "personal", "drop", "swap"]))
    if how == "remove":
        del touched[at]
    elif how == "swap":
        other = (at + data.draw(st.integers(1, 4))) % 5
        touched[at]["_id"], touched[other]["_id"] = touched[other]["_id"], touched[at]["_id"]
    elif how == "drop":
        del touched[at][data.draw(st.sampled_from(sorted(set(touched[at]) - {"_id", "salt", "personal"})))]
    elif how == "field":
        name = data.draw(st.sampled_from(["actor", "time", "id", "correlation", "subject", "at"]))
        touched[at][name] = touched[at][name] + data.draw(texts.filter(bool))
    elif how == "personal":
        touched[at]["personal"]["body"] += " "
    else:
        touched[at][how] = touched[at][how][:-1] + ("0" if touched[at][how][-1] != "0" else "1")
    assert not verdict_of(touched, [mark]).sound
    assert verdict_of(documents, [mark]).sound


def test_the_key_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    made = signing_key(None, tmp_path)
    assert signing_key(None, tmp_path).id == made.id
    assert (tmp_path / "audit-key.pem").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["audit-key.pem"]
    (tmp_path / "other.pem").write_text("nothing")
    with pytest.raises(NoSigningKey, match=r"other\.pem"):
        signing_key(tmp_path / "other.pem", tmp_path)


def test_a_line_that_a_crash_cut_short_spoils_no_other(tmp_path: Path) -> None:
    _, heads = trail_of(2)
    mark = KEY.checkpoint(PEOPLE, heads[PEOPLE], START)
    file = tmp_path / "audit-checkpoints.ndjson"
    file.write_bytes(mark.json_bytes()[:40])
    _append(file, mark.json_bytes() + b"\n")
    _append(file, mark.json_bytes() + b"\n")
    assert checkpoints_in(file.read_bytes().splitlines()) == [mark, mark]


def test_a_log_that_was_lost_begins_anew_by_the_book_and_only_by_it() -> None:
    documents, heads = trail_of(5)
    lost, head = renewal(PEOPLE, heads[PEOPLE], actor="x", at="2026-01-01", reason="the disk is gone")
    batch = received([person(n, START, cause(f"d{n}"), f"D{n}", "D") for n in range(1, 4)])
    behind, _ = extended({PEOPLE: head}, batch, salts(3))
    assert [one["offset"] for one in behind] == [0, 1, 2]
    assert problems([*documents, lost, *behind]) == []
    # Without the word of an operator low offsets are no part of a chain, and the word cannot be forged.
    bare, _ = extended({PEOPLE: Head(5, heads[PEOPLE].hash, -1)}, batch, salts(3))
    assert problems([*documents, *bare])[0] == (6, "unordered")
    assert problems([*documents, lost | {"actor": "y"}, *behind]) == [(6, "changed")]


def test_a_repeat_is_told_from_another_message_at_its_place() -> None:
    batch = received(story())
    documents, _ = extended({}, batch, salts(len(batch)))
    assert all(is_record_of(document, heard) for document, heard in zip(documents, batch, strict=True))
    (other,) = received([person(7, START + timedelta(seconds=1), cause("other"), "X", "Y")])
    assert not any(is_record_of(document, other) for document in documents)
