"""A bundle of evidence: every way of touching it shows, at its very place. Here on a real stream without a database."""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, cast

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.cli.audit_commands import bundle_proven
from services.audit.decide.chain import extended
from services.audit.evidence import Evidence
from services.audit.model import BESIDE, Document, Head, commitment_of, hash_of
from services.audit.signing import SigningKey
from shared.clock import TurnableClock
from shared.contracts.base import Cause
from shared.contracts.review import (
    InstanceApplied,
    InstanceFact,
    InstanceStarted,
    InstanceState,
    ItemApplied,
    ItemDecided,
    ItemFact,
    ItemState,
    ReviewedResource,
    ReviewersAsked,
    ReviewStatus,
    Verdict,
)
from shared.contracts.roster import (
    RosterAbout,
    RosterEntry,
    RosterFact,
    RosterKind,
    RosterPage,
    RosterState,
)
from shared.contracts.topics import DIRECTORY_ROSTERS, REVIEW_INSTANCE_FACTS, REVIEW_ITEM_FACTS
from shared.hearing import Hearing
from shared.web.errors import NoRight
from tests.unit.audit.said import START, fact, received, said

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
OTHER = SigningKey(Ed25519PrivateKey.from_private_bytes(b"x" * 32))
CAUSE = Cause(id="c", correlation="c", actor="person:boss")
RUN = "run-1"


def state(status: ReviewStatus, kind: RosterKind = RosterKind.GROUP) -> InstanceState:
    return InstanceState(
        id=RUN, definition_id="d", definition_name="Sales <quarterly>", number=1, status=status, stages=(),
        resource=ReviewedResource(kind=kind, id="g", display_name="Sales"), items=3,
        starts_at=START, ends_at=START + timedelta(days=7),
    )  # fmt: skip


def item(person: str, version: int, happened: Any, decision: Verdict, why: str | None = None, **more: Any) -> Any:
    of = ItemState(
        id=f"item-{person}", instance_id=RUN, definition_id="d", person_id=person, role="Member",
        decision=decision, justification=why, decided_by="boss", decided_at=START, **more,
    )  # fmt: skip
    at = START + timedelta(hours=version)
    return said(REVIEW_ITEM_FACTS, person, fact(ItemFact, "review-item", of.id, version, at, CAUSE, [happened], of))


def trail(kind: RosterKind = RosterKind.GROUP) -> tuple[list[Document], dict[str, Head]]:
    def told(version: int, happened: Any, status: ReviewStatus) -> Any:
        at = START + timedelta(hours=version)
        of = fact(InstanceFact, "review-instance", RUN, version, at, CAUSE, happened, state(status, kind))
        return said(REVIEW_INSTANCE_FACTS, RUN, of)

    entries = tuple(RosterEntry(person_id=one, role="Member") for one in ("ana", "ben", "eve"))
    page = RosterPage(number=1, entries=entries)
    roster = fact(
        RosterFact,
        "roster",
        RUN,
        1,
        START,
        CAUSE,
        [page],
        RosterState(id=RUN, about=RosterAbout(kind=RosterKind.GROUP, id="g")),
    )
    asked = ReviewersAsked(occasion="start", reviewers=("boss",))
    done = {"result": "AppliedSuccessfully", "detail": "Taken away."}
    records = [
        said(DIRECTORY_ROSTERS, RUN, roster),
        told(1, [InstanceStarted(items=3), asked], ReviewStatus.IN_PROGRESS),
        item("ana", 1, ItemDecided(decision=Verdict.APPROVE, by="boss", stage=1), Verdict.APPROVE, "She sells."),
        item("ben", 1, ItemDecided(decision=Verdict.DENY, by="boss", stage=1), Verdict.DENY, "He left Sales."),
        item(
            "ben",
            2,
            ItemApplied(**done),
            Verdict.DENY,
            "He left Sales.",
            **done,
        ),
        told(2, [InstanceApplied()], ReviewStatus.APPLIED),
    ]
    records += [records[1], records[3]]  # published twice under their ids
    batch = received(records)
    return extended({}, batch, [hashlib.sha256(bytes([n])).hexdigest()[:32] for n in range(len(batch))])


class Stored:
    """What of trail, checkpoints, directory and sealer the evidence asks."""

    def __init__(self, kind: RosterKind = RosterKind.GROUP) -> None:
        self.documents, heads = trail(kind)
        self.marks = {chain: KEY.checkpoint(chain, head, START) for chain, head in heads.items()}
        self.key = KEY

    async def of_review(self, instance: str, topic: str) -> list[Document]:
        return [one async for one in self.walk_review(instance, topic)]

    async def walk_review(self, instance: str, topic: str) -> AsyncIterator[Document]:
        found = [one for one in self.documents if one.get("review") == instance and one["topic"] == topic]
        for one in sorted(found, key=lambda one: (one["subject"], one["version"])):
            yield one

    async def walk_chain(self, chain: str, first: int, last: int) -> AsyncIterator[Document]:
        for one in self.documents:
            if one["_id"].startswith(f"{chain}/") and first <= one["sequence"] <= last:
                yield one

    async def of_topic(self, _topic: str, _subjects: list[str]) -> list[Document]:
        return []

    async def covering(self, chain: str, _sequence: int) -> Any:
        return self.marks.get(chain)

    async def people(self, ids: list[str]) -> dict[str, Document]:
        return {id: {"name": id.title()} for id in ids}

    called = people

    async def seal(self) -> None:
        return None


async def _turn() -> None:
    return None


async def _may() -> bool:
    return True


async def _may_not() -> bool:
    return False


def evidence_of(stored: Stored) -> Evidence:
    it = cast(Any, stored)
    return Evidence(it, it, it, it, TurnableClock(START), _turn, Hearing(0.0))


def bundle() -> dict[str, Any]:
    async def made() -> bytes:
        lines = await evidence_of(Stored()).bundle(RUN, "person:auditor", _may_not)
        return b"".join([part async for part in lines])

    return cast(dict[str, Any], orjson.loads(asyncio.run(made())))


async def test_who_holds_a_directory_role_is_told_to_those_alone_who_may_read_it() -> None:
    evidence = evidence_of(Stored(RosterKind.DIRECTORY_ROLE))
    for made in (evidence.bundle, evidence.page):
        with pytest.raises(NoRight):
            await made(RUN, "person:auditor", _may_not)
    async for part in await evidence.bundle(RUN, "person:auditor", _may):
        assert part
        break


def test_it_says_who_was_asked_who_decided_why_and_what_was_done() -> None:
    made = bundle()
    assert bundle_proven(made, KEY.public.hex()) == {"sound": True, "records": 8, "items": 2, "problems": []}
    assert made["asked"][0]["reviewers"] == ["boss"]
    assert made["people"]["boss"] == "Boss"
    lines = {one["personId"]: one for one in made["items"]}
    assert (lines["ben"]["decision"], lines["ben"]["justification"]) == ("Deny", "He left Sales.")
    assert [one["type"] for one in lines["ben"]["history"]] == ["ItemDecided", "ItemApplied"]
    assert [one["person"] for one in made["undecided"]] == ["Eve"]
    assert made["instance"]["status"] == "Applied"
    assert [one["what"] for one in made["course"]] == ["InstanceStarted", "InstanceApplied"]
    assert len(made["asked"]) == 1


def _rewrite(made: dict[str, Any]) -> None:
    """By somebody who can compute hashes: body, commitment, hash and position fit again."""
    record = next(one for one in made["records"] if "He left Sales." in one["personal"]["body"])
    record["personal"]["body"] = record["personal"]["body"].replace("He left Sales.", "He may stay.")
    record["commitment"] = commitment_of(record["salt"], record["personal"])
    record["hash"] = hash_of(record["previous"], {k: v for k, v in record.items() if k not in BESIDE})


def _personal(made: dict[str, Any]) -> None:
    body = made["records"][-1]["personal"]
    body["body"] = body["body"].replace("He left Sales.", "He may stay.")


def _decision(made: dict[str, Any]) -> None:
    next(one for one in made["items"] if one["personId"] == "ben")["decision"] = "Approve"


def _name(made: dict[str, Any]) -> None:
    made["people"]["boss"] = "Somebody else"


def _record(made: dict[str, Any]) -> None:
    made["records"][0]["actor"] = "person:nobody"


def _taken_out(made: dict[str, Any]) -> None:
    made["items"].pop(0)


def _record_out(made: dict[str, Any]) -> None:
    made["records"].pop()


def _statement(made: dict[str, Any]) -> None:
    made["proof"]["statement"]["madeAt"] = "2020-01-01T00:00:00Z"


def _checkpoint(made: dict[str, Any]) -> None:
    made["checkpoints"][0]["head"] = "0" * 64


def _section(made: dict[str, Any]) -> None:
    made["note"] = "Agreed with the head of Sales."


def _public_key(made: dict[str, Any]) -> None:
    made["proof"]["publicKey"] = OTHER.public.hex()


def _algorithm(made: dict[str, Any]) -> None:
    made["proof"]["algorithm"] = "none"


def _proof(made: dict[str, Any]) -> None:
    made["proof"]["approvedBy"] = "The board"


@pytest.mark.parametrize(
    ("touch", "where", "message"),
    [
        (_public_key, "proof/publicKey", "not the key"),
        (_algorithm, "proof/algorithm", "Ed25519"),
        (_proof, "proof/approvedBy", "It was put in"),
        (_section, "note", "It was put in"),
        (_decision, "items/item-ben/decision", "'Approve'; the trail's record says 'Deny'"),
        (_personal, "records/review.decisions", "Its personal part was changed"),
        (_rewrite, "records/review.decisions", "It was rewritten"),
        (_record, "records/", "It was changed"),
        (_record_out, "records/", "It was taken out"),
        (_taken_out, "items/item-ana", "it was taken out"),
        (_name, "head", "not what was signed"),
        (_statement, "proof/statement", "signature does not fit"),
        (_checkpoint, "checkpoints/", "signature does not fit"),
    ],
)
def test_what_was_changed_is_named(touch: Callable[[dict[str, Any]], None], where: str, message: str) -> None:
    made = copy.deepcopy(bundle())
    touch(made)
    body = bundle_proven(made, KEY.public.hex())
    assert not body["sound"]
    told = [one for one in body["problems"] if one["where"].startswith(where) and message in one["message"]]
    assert told, body["problems"]


def test_another_key_is_not_trusted() -> None:
    problems = bundle_proven(bundle(), OTHER.public.hex())["problems"]
    assert problems[0] == {"where": "proof", "message": "It is signed with a key that is not trusted here."}
    with pytest.raises(ValueError, match="KeyError"):
        bundle_proven({})


def test_a_broken_trail_makes_no_evidence() -> None:
    from shared.web.errors import Conflict  # noqa: PLC0415

    stored = Stored()
    stored.documents[-1]["actor"] = "person:nobody"
    with pytest.raises(Conflict, match="was changed"):
        asyncio.run(evidence_of(stored).bundle(RUN, "person:auditor", _may_not))


def test_the_page_shows_the_same_and_no_markup_of_names() -> None:
    async def made() -> str:
        return "".join([part async for part in await evidence_of(Stored()).page(RUN, "person:auditor", _may_not)])

    page = asyncio.run(made())
    assert "Sales &lt;quarterly&gt;" in page
    for said_there in ("He left Sales.", "Taken away.", "not needed", "Eve", "Boss", KEY.id):
        assert said_there in page
    assert not any(word in page for word in ("http", "src=", "@import", "<script")), "it loads nothing"
