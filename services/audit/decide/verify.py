"""Proving a trail: pure, over any iterable of stored records and checkpoints, in the service and over an export alike.

Each record is held against its own hash (was it changed?), its predecessor (was something removed, inserted or
rewritten between?), the commitment to its personal part, and the signed heads (was the tail cut, or everything after a
moment rewritten by somebody who could compute hashes?). A problem is reported once, where it is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from services.audit.model import (
    BESIDE,
    ERASURES,
    GENESIS,
    NEW_LOG,
    Document,
    Head,
    Problem,
    Verdict,
    canonical,
    commitment_of,
    hash_of,
    place_of,
)
from shared.contracts.audit import Checkpoint

MOST_PROBLEMS = 1000
NO_CHECKPOINT = "lies among the checkpoints and is none: it was changed or put there"

Authentic = Callable[[str, bytes, bytes], bool | None]
"""Of key id, signature and signed bytes: is it genuine? None: that key is not known."""


def signed_bytes(checkpoint: Checkpoint) -> bytes:
    """What a checkpoint's signature stands for: the canonical JSON of its other fields."""
    body = checkpoint.model_dump(mode="json", by_alias=True, exclude={"signature"})
    return canonical(body)


class Verification:
    """Takes checkpoints first, then the records in the order of their `_id`; `verdict` ends it."""

    def __init__(self, authentic: Authentic) -> None:
        self._authentic = authentic
        self._verdict = Verdict()
        self._marks: dict[str, dict[int, str]] = {}
        self._last: dict[str, Head] = {}
        self._bare: dict[str, list[int]] = {}
        self._erased: dict[str, set[int]] = {}
        self._seen_marks: dict[str, int] = {}

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        chain, sequence = checkpoint.chain, checkpoint.sequence
        try:
            signature = base64.b64decode(checkpoint.signature, validate=True)
        except (binascii.Error, ValueError):
            signature = b""
        genuine = self._authentic(checkpoint.key_id, signature, signed_bytes(checkpoint))
        if genuine is None:
            self._say(chain, sequence, "unknownKey", f"The checkpoint is signed with the unknown {checkpoint.key_id}.")
            return
        if not genuine:
            self._say(chain, sequence, "forgedCheckpoint", "The checkpoint's signature does not fit what it says.")
            return
        marks = self._marks.setdefault(chain, {})
        known = marks.setdefault(sequence, checkpoint.head)
        if known != checkpoint.head:
            self._say(chain, sequence, "forkedCheckpoint", "Two signed checkpoints disagree about this record.")
        else:
            self._verdict.checkpoints += 1

    def unreadable(self, place: str, what: str) -> None:
        """Something that should prove the trail, and `what` is wrong with it: what it proves is not proven."""
        chain, _, number = place.rpartition("/")
        self._say(chain or place, int(number) if number.isdecimal() else 0, "unreadable", f"{place} {what}.")

    def record(self, document: Mapping[str, Any]) -> None:
        place = str(document.get("_id", ""))
        chain, _, number = place.rpartition("/")
        try:
            sequence = int(number)
            self._one(document, place, chain, sequence)
        except (ValueError, TypeError, KeyError, AttributeError) as fault:
            self._say(chain or place, 0, "unreadable", f"{place} is no record of a trail ({type(fault).__name__}).")

    def verdict(self) -> Verdict:
        """All that was found. Call once, after the last record."""
        for chain, marks in sorted(self._marks.items()):
            last = self._last.get(chain, Head()).sequence
            if beyond := [sequence for sequence in marks if sequence > last]:
                self._say(
                    chain,
                    last + 1,
                    "cut",
                    f"A signed checkpoint proves {max(beyond)} records; those from {last + 1} on are missing.",
                )
        for chain, numbers in sorted(self._bare.items()):
            recorded = self._erased.get(chain, set())
            for sequence in numbers:
                if sequence in recorded:
                    self._verdict.erased += 1
                else:
                    self._say(chain, sequence, "personalMissing", "Its personal part is gone and no erasure says so.")
        self._verdict.chains = len(self._last)
        self._verdict.heads = dict(self._last)
        self._verdict.unconfirmed = sum(
            head.sequence - min(max(self._marks.get(chain, {0: ""})), head.sequence)
            for chain, head in self._last.items()
        )
        return self._verdict

    def _one(self, document: Mapping[str, Any], place: str, chain: str, sequence: int) -> None:
        self._verdict.records += 1
        last = self._last.get(chain, Head())
        record = {name: value for name, value in document.items() if name not in BESIDE}
        stored, previous = str(document["hash"]), str(document["previous"])
        named = place_of(f"{record['topic']}/{record['partition']}", record["sequence"])
        if place != place_of(chain, sequence) or sequence < 1:
            self._say(chain, sequence, "inserted", f"{place} is no place in a chain: it was put there by hand.")
            return
        self._last[chain] = Head(sequence, stored, record["offset"])
        if sequence > last.sequence + 1:
            gap = str(last.sequence + 1) if sequence == last.sequence + 2 else f"{last.sequence + 1} to {sequence - 1}"
            self._say(chain, last.sequence + 1, "removed", f"Before record {sequence}, {gap} is missing.")
        if named != place:
            self._say(chain, sequence, "moved", f"Here lies what was {named}.")
        elif hash_of(previous, record) != stored:
            self._say(chain, sequence, "changed", "The record is not what its hash stands for: it was changed.")
        elif sequence == last.sequence + 1 and previous != (last.hash if last.sequence else GENESIS):
            self._say(
                chain,
                sequence,
                "unlinked",
                f"It does not follow record {sequence - 1}: one of the two was put there or rewritten.",
            )
        elif record["offset"] <= last.offset and not _begins_anew(record):
            self._say(chain, sequence, "unordered", "Its offset does not grow: it was put there.")
        mark = self._marks.get(chain, {}).get(sequence)
        if mark is not None and mark != stored:
            self._say(
                chain,
                sequence,
                "rewritten",
                f"A signed checkpoint names another head: rewritten after record {self._seen_marks.get(chain, 0)}.",
            )
        elif mark is not None:
            self._seen_marks[chain] = sequence
        self._personal(document, record, chain, sequence)
        if chain == ERASURES:
            for one in record.get("erased", ()):
                self._erased.setdefault(one["chain"], set()).update(one["sequences"])

    def _personal(self, document: Mapping[str, Any], record: Document, chain: str, sequence: int) -> None:
        if "personal" not in document and "salt" not in document:
            if "commitment" in record:
                self._bare.setdefault(chain, []).append(sequence)
            return
        try:
            fits = commitment_of(document["salt"], document["personal"]) == record["commitment"]
        except (ValueError, TypeError, KeyError):
            fits = False
        if not fits:
            self._say(chain, sequence, "personalChanged", "Its personal part is not the one that was committed to.")

    def _say(self, chain: str, sequence: int, kind: str, message: str) -> None:
        self._verdict.problem_count += 1
        if len(self._verdict.problems) < MOST_PROBLEMS:
            self._verdict.problems.append(Problem(chain, sequence, kind, message))


def _begins_anew(record: Document) -> bool:
    return bool(record["offset"] == -1 and [one["type"] for one in record["transitions"]] == [NEW_LOG])


def verified(records: Iterable[Mapping[str, Any]], checkpoints: Iterable[Checkpoint], authentic: Authentic) -> Verdict:
    """Prove a whole trail. `records` in the order of their `_id`."""
    verification = Verification(authentic)
    for checkpoint in checkpoints:
        verification.checkpoint(checkpoint)
    for document in records:
        verification.record(document)
    return verification.verdict()
