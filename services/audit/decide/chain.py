"""Chaining: each record follows the one before by hash, and commits to what lies beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.audit.decide.record import described
from services.audit.model import ERASURES, NEW_LOG, Document, Head, Heard, commitment_of, hash_of, place_of


def linked(head: Head, record: Document, personal: Document | None, salt: str) -> tuple[Document, Head]:
    """The stored form of `record` as the successor of `head`, and the new head. `record` is taken over."""
    sequence = head.sequence + 1
    record["sequence"] = sequence
    if personal is not None:
        record["commitment"] = commitment_of(salt, personal)
    hash = hash_of(head.hash, record)
    place = place_of(f"{record['topic']}/{record['partition']}", sequence)
    document = {"_id": place, **record, "previous": head.hash, "hash": hash}
    if personal is not None:
        document["salt"] = salt
        document["personal"] = personal
    return document, Head(sequence, hash, record["offset"])


def extended(
    heads: Mapping[str, Head], batch: Sequence[Heard], salts: Sequence[str]
) -> tuple[list[Document], dict[str, Head]]:
    """What of `batch` is not in its chain yet, chained in order; and the heads of the chains that grew.

    Known by offset: a batch that is repeated after a crash, or that another replica wrote, adds nothing."""
    grown: dict[str, Head] = {}
    documents: list[Document] = []
    for heard, salt in zip(batch, salts, strict=True):
        chain = heard.chain
        head = grown.get(chain) or heads.get(chain) or Head()
        if heard.offset <= head.offset:
            continue
        record, personal = described(heard)
        document, grown[chain] = linked(head, record, personal, salt)
        documents.append(document)
    return documents, grown


def is_record_of(document: Mapping[str, Any], heard: Heard) -> bool:
    """Whether this stored record was made of that very message, and not of another at the same place.

    By what no later version of the allow-list changes: when it was said, and under which id."""
    record, _ = described(heard)
    return bool(document["time"] == record["time"] and document.get("id") == record.get("id"))


def renewal(chain: str, head: Head, *, actor: str, at: str, reason: str) -> tuple[Document, Head]:
    """The record that the log of this chain was lost and begins again: the next may have any offset."""
    topic, _, partition = chain.rpartition("/")
    record: Document = {
        "topic": topic,
        "partition": int(partition),
        "offset": -1,
        "time": at,
        "at": at,
        "actor": actor,
        "transitions": [{"type": NEW_LOG, "reason": reason}],
    }
    return linked(head, record, None, "")


def erasure(
    head: Head, *, person: str, actor: str, at: str, erased: Mapping[str, Sequence[int]], reason: str
) -> tuple[Document, Head]:
    """The record that a person's parts were taken out of these records (sequence numbers by chain)."""
    topic, _, partition = ERASURES.partition("/")
    record: Document = {
        "topic": topic,
        "partition": partition,
        "offset": head.sequence + 1,
        "time": at,
        "at": at,
        "actor": actor,
        "person": person,
        "transitions": [{"type": "PersonErased", "reason": reason}],
        # A list and not an object: chains have names with dots, which stores dislike in keys.
        "erased": [{"chain": chain, "sequences": list(numbers)} for chain, numbers in sorted(erased.items())],
    }
    return linked(head, record, None, "")
