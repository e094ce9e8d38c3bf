"""The evidence of one run of a review: what its records in the trail say, and whether a bundle still says the same.

Pure. Everything that a bundle tells is read from records of the trail, which it carries along; names alone come from
elsewhere, and are signed. So whoever checks it reads the records again, and can say which word was changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.audit.decide.explain import body_of
from services.audit.decide.record import ROSTERS
from services.audit.decide.verify import Authentic, signed_bytes
from services.audit.model import BESIDE, Document, canonical, commitment_of, hash_of, key_id_of, place_of
from shared.contracts.audit import Checkpoint
from shared.contracts.topics import (
    REVIEW_DEFINITION_FACTS,
    REVIEW_INSTANCE_FACTS,
    REVIEW_ITEM_FACTS,
)

KIND = "tenure.review.evidence"
VERSION = 1
ERASED = "erased"
"""Stands where a person was erased from the trail: the record is there, and what was personal in it is gone."""
LINES = ("items", "undecided")
"""Sections of a bundle that are read from the records line by line."""
SECTIONS = frozenset(
    {
        "kind", "version", "instance", "settings", "course", "asked", "people", *LINES, "records", "positions",
        "checkpoints", "proof",
    }
)  # fmt: skip
"""All that a bundle has: anything else is signed by nobody."""


def head_of(documents: Sequence[Document]) -> Document:
    """What the run was about, how it went and who was asked when. `documents`: facts of definition and instance."""
    facts = [(one, body_of(one)) for one in told_once(documents)]
    of_instance = [(one, body) for one, body in facts if one["topic"] == REVIEW_INSTANCE_FACTS.name]
    of_definition = [body for one, body in facts if one["topic"] == REVIEW_DEFINITION_FACTS.name]
    state = of_instance[-1][1].get("state") or {} if of_instance else {}
    definition = of_definition[-1].get("state") or {} if of_definition else {}
    return {
        "instance": {
            name: state.get(name)
            for name in (
                "id", "definitionId", "definitionName", "number", "resource", "status", "startsAt", "endsAt", "stages",
                "items", "figures", "results", "createdBy",
            )
        },
        "settings": definition.get("settings"),
        "course": [
            {"at": one.get("at"), "what": said.get("type"), "by": one.get("actor"), "place": one["_id"]}
            for one, body in of_instance
            for said in body.get("transitions") or ()
            if said.get("type") != "ReviewersAsked"
        ],
        "asked": [
            {
                "at": one.get("at"), "occasion": said.get("occasion"), "reviewers": said.get("reviewers"),
                "place": one["_id"],
            }
            for one, body in of_instance
            for said in body.get("transitions") or ()
            if said.get("type") == "ReviewersAsked"
        ],
    }  # fmt: skip


def told_once(documents: Iterable[Document]) -> list[Document]:
    """Without repeats: a fact may be published twice under its id, and both records are in the trail."""
    return list({one.get("id") or one["_id"]: one for one in reversed(list(documents))}.values())[::-1]


def item_of(documents: Sequence[Document]) -> Document:
    """Who decided what about one person and thing and why, and what was done with it. In the order of versions."""
    facts = told_once(documents)
    bodies = [body_of(one) for one in facts]
    state = bodies[-1].get("state") or {}
    return {
        "id": documents[-1].get("subject"),
        "personId": documents[-1].get("person"),
        **{name: state.get(name, ERASED) for name in ("role", "recommendation", "decision", "justification")},
        **{name: state.get(name) for name in ("assignmentId", "decidedBy", "decidedAt", "result", "detail")},
        "history": [
            {"at": one.get("at"), **{k: said[k] for k in _TOLD if said.get(k) is not None}}
            for one, body in zip(facts, bodies, strict=True)
            for said in body.get("transitions") or ()
        ],
        "places": [one["_id"] for one in documents],
    }


_TOLD = (
    "type",
    "decision",
    "by",
    "stage",
    "justification",
    "result",
    "detail",
    "removed",
    "added",
    "commandId",
    "until",
)


def items_of(documents: Iterable[Document]) -> Iterator[Document]:
    """Facts about items, those of one together, become a line each."""
    group: list[Document] = []
    for one in documents:
        if group and group[-1].get("subject") != one.get("subject"):
            yield item_of(group)
            group = []
        group.append(one)
    if group:
        yield item_of(group)


def key_of(said: Mapping[str, Any]) -> tuple[str, str, str]:
    """What a line of a roster and an item have in common."""
    return str(said.get("personId")), str(said.get("role") or ""), str(said.get("assignmentId") or "")


def undecided_of(
    page: Document, decided: frozenset[tuple[str, str, str]] | set[tuple[str, str, str]]
) -> list[Document]:
    """Who had it as the review began, and about whom nothing was decided or done."""
    return [
        {"personId": entry.get("personId"), "role": entry.get("role"), "assignmentId": entry.get("assignmentId"),
         "place": page["_id"]}
        for said in body_of(page).get("transitions") or ()
        if said.get("type") == "RosterPage"
        for entry in said.get("entries") or ()
        if key_of(entry) not in decided
    ]  # fmt: skip


class Digest:
    """SHA-256 over lines of canonical JSON."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def add(self, value: Any) -> None:
        self._sum.update(canonical(value) + b"\n")

    def text(self) -> str:
        return self._sum.hexdigest()


def digest(values: Iterable[Any]) -> str:
    one = Digest()
    for value in values:
        one.add(value)
    return one.text()


def statement_bytes(statement: Mapping[str, Any]) -> bytes:
    """What the signature of a bundle stands for."""
    return canonical(statement)


class Following:
    """Whether consecutive records of a chain lead to a signed head."""

    def __init__(self) -> None:
        self._last: str | None = None
        self._problem: str | None = None
        self._count = 0

    def record(self, document: Document) -> int:
        """The next one; returns how many there were."""
        self._count += 1
        record = {name: value for name, value in document.items() if name not in BESIDE}
        if self._problem is None and hash_of(document["previous"], record) != document["hash"]:
            self._problem = f"{document['_id']} was changed"
        elif self._problem is None and self._last is not None and document["previous"] != self._last:
            self._problem = f"{document['_id']} does not follow the record before it"
        self._last = document["hash"]
        return self._count

    def problem(self, checkpoint: Checkpoint) -> str | None:
        """Why they do not lead there; None if they do."""
        if self._problem is None and self._last != checkpoint.head:
            return f"the chain does not lead to the checkpoint {checkpoint.id}"
        return self._problem


def problems_of(bundle: Mapping[str, Any], authentic: Authentic) -> list[Document]:
    """Everything in a bundle that is not as it was signed, and where. Empty: it is whole.

    Raises KeyError, TypeError, ValueError for what is no bundle."""
    found: list[Document] = []

    def say(where: str, message: str) -> None:
        found.append({"where": where, "message": message})

    if bundle["kind"] != KIND or bundle["version"] != VERSION:
        raise ValueError("no bundle of this version")
    statement = bundle["proof"]["statement"]
    for name in sorted(bundle.keys() - SECTIONS):
        say(str(name), "It was put in: no bundle has such a section.")
    _signature(bundle["proof"], authentic, say)
    for name, now in digests_of(bundle).items():
        if statement.get(name) != now:
            say(name, "This section is not what was signed.")
    records = _records(bundle, say)
    _checkpoints(bundle, authentic, say)
    _content(bundle, records, say)
    return found


def digests_of(bundle: Mapping[str, Any]) -> dict[str, str]:
    """Of each section, as the statement has them."""
    head = {name: bundle[name] for name in ("instance", "settings", "course", "asked", "people")}
    return {
        "head": digest([head]),
        **{name: digest(bundle[name]) for name in (*LINES, "positions")},
        "checkpoints": digest(bundle["checkpoints"]),
    }


Say = Callable[[str, str], None]


PROOF = frozenset({"algorithm", "publicKey", "statement", "signature"})
ALGORITHM = "Ed25519"


def _signature(proof: Mapping[str, Any], authentic: Authentic, say: Say) -> None:
    for name in sorted(proof.keys() - PROOF):
        say(f"proof/{name}", "It was put in: no proof has such a part.")
    if proof["algorithm"] != ALGORITHM:
        say("proof/algorithm", f"Bundles are signed with {ALGORITHM}.")
    if _key_id(proof["publicKey"]) != proof["statement"].get("keyId"):
        say("proof/publicKey", "It is not the key that the statement names.")
    try:
        signature = base64.b64decode(proof["signature"], validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    genuine = authentic(str(proof["statement"].get("keyId")), signature, statement_bytes(proof["statement"]))
    if genuine is None:
        say("proof", "It is signed with a key that is not trusted here.")
    elif not genuine:
        say("proof/statement", "The signature does not fit what it says.")


def _key_id(public: Any) -> str | None:
    try:
        return key_id_of(bytes.fromhex(public))
    except (TypeError, ValueError):
        return None


def _records(bundle: Mapping[str, Any], say: Say) -> list[Document]:
    positions = dict(bundle["positions"])
    sound: list[Document] = []
    for document in bundle["records"]:
        place = str(document.get("_id"))
        expected = positions.pop(place, None)
        try:
            problem = _of_record(document, place, expected)
        except (KeyError, TypeError, ValueError):
            problem = "It is no record of a trail."
        if problem is not None:
            say(f"records/{place}", problem)
        sound.append(document)
    for place in positions:
        say(f"records/{place}", "It was taken out.")
    return sound


def _of_record(document: Document, place: str, expected: str | None) -> str | None:
    record = {name: value for name, value in document.items() if name not in BESIDE}
    if expected is None:
        return "It was put in: no signed position names it."
    if place != place_of(f"{record['topic']}/{record['partition']}", record["sequence"]):
        return "It lies where another record was."
    if hash_of(document["previous"], record) != document["hash"]:
        return "It was changed: it is not what its hash stands for."
    if document["hash"] != expected:
        return "It was rewritten: the signed position has another hash."
    if "personal" in document and commitment_of(document["salt"], document["personal"]) != record["commitment"]:
        return "Its personal part was changed: it is not the one that was committed to."
    return None


def _checkpoints(bundle: Mapping[str, Any], authentic: Authentic, say: Say) -> None:
    covering: dict[str, int] = {}
    hashes = dict(bundle["positions"])
    for said in bundle["checkpoints"]:
        one = Checkpoint.model_validate(said)
        if not authentic(one.key_id, base64.b64decode(one.signature), signed_bytes(one)):
            say(f"checkpoints/{one.id}", "The checkpoint's signature does not fit, or its key is not trusted here.")
            continue
        covering[one.chain] = max(one.sequence, covering.get(one.chain, 0))
        if hashes.get(place_of(one.chain, one.sequence), one.head) != one.head:
            say(f"checkpoints/{one.id}", "It names another head than the record at that position has.")
    for place in hashes:
        chain, _, number = place.rpartition("/")
        if int(number) > covering.get(chain, 0):
            say(f"positions/{place}", "No signed checkpoint covers it.")


def _content(bundle: Mapping[str, Any], records: Sequence[Document], say: Say) -> None:
    """Read again from the records, and compared word for word; names have no record."""
    told = [one for one in records if one.get("topic") in {REVIEW_DEFINITION_FACTS.name, REVIEW_INSTANCE_FACTS.name}]
    items = list(items_of(one for one in records if one.get("topic") == REVIEW_ITEM_FACTS.name))
    decided = {key_of(one) for one in items}
    pages = [one for one in records if one.get("topic") in ROSTERS]
    again: Document = {
        **head_of(told),
        "items": items,
        "undecided": [line for page in pages for line in undecided_of(page, decided)],
    }
    for name, value in again.items():
        said = bundle[name]
        if name not in LINES:
            _compare(name, said, value, say)
            continue
        read = {_line_id(one): one for one in value}
        for one in said:
            line = _line_id(one)
            if line not in read:
                say(f"{name}/{line}", "No record speaks of it: it was put in.")
            else:
                _compare(f"{name}/{line}", _nameless(one), read.pop(line), say)
        for line in read:
            say(f"{name}/{line}", "The records speak of it: it was taken out.")


def _line_id(one: Mapping[str, Any]) -> str:
    return str(one.get("id") or "/".join(part for part in key_of(one) if part))


def _nameless(one: Mapping[str, Any]) -> Document:
    return {name: value for name, value in one.items() if name not in NAMES}


NAMES = ("person", "decidedByName")


def _compare(where: str, said: Any, read: Any, say: Say) -> None:
    if isinstance(said, dict) and isinstance(read, dict):
        for name in sorted(said.keys() | read.keys()):
            _compare(f"{where}/{name}", said.get(name), read.get(name), say)
    elif isinstance(said, list) and isinstance(read, list) and len(said) == len(read):
        for number, (one, other) in enumerate(zip(said, read, strict=True)):
            _compare(f"{where}/{number}", one, other, say)
    elif said != read:
        say(where, f"It says {_short(said)}; the trail's record says {_short(read)}.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
