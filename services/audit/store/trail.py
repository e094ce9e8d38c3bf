"""The records in their chains, and what is read from records alone: spans."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.audit.decide.chain import erasure, extended, is_record_of, renewal
from services.audit.decide.explain import body_of
from services.audit.decide.spans import holding_spans, membership_spans
from services.audit.model import ERASURES, Document, Head, Heard, Span, place_of
from shared.contracts.topics import (
    APPROVAL_FACTS,
    HOLDING_FACTS,
    MEMBERSHIP_FACTS,
    PERSON_FACTS,
    REQUEST_FACTS,
    Topic,
    lanes_of,
)
from shared.messaging.errors import MayPass
from shared.storage import Database, Documents, Index

SALT_BYTES = 16


def _approvals_of(requests: Sequence[str]) -> Document:
    """Approvals are keyed by their request, whose records name the person."""
    return {"topic": APPROVAL_FACTS.name, "subject": {"$in": list(requests)}}


_BY_SUBJECT = (("subject", 1), ("version", 1))
_MOVE = ("person", "version", "transitions", "at", "effectiveAt", "actor", "correlation")
"""What spans are made of."""


def _of_review(instance: str, topic: str) -> Document:
    return {"review": instance, "topic": topic}


class AnotherLog(MayPass):
    """Kafka is not the one that the trail was written from. Holds the partition until somebody has seen to it."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"Kafka holds another message at {place} than the trail has recorded there: it was emptied, or it is not "
            "the Kafka that this MongoDB belongs to. Nothing is recorded until that is settled: give Kafka its data "
            "back, or, if it is lost for good, say so with `tenure audit new-log --reason WHY`."
        )


class Trail:
    """Records in their chains. Appended to, and nothing else, except that personal parts may be taken out."""

    def __init__(self, database: Database) -> None:
        self.documents = Documents(
            database,
            "trail",
            (
                Index("person", partial={"person": {"$exists": True}}),
                Index("personal.identity", partial={"personal.identity": {"$exists": True}}),
                Index("personal.origins", partial={"personal.origins": {"$exists": True}}),
                Index("subject", partial={"topic": APPROVAL_FACTS.name}),
                Index("things", partial={"things": {"$exists": True}}),
                Index("review", "topic", "subject", "version", partial={"review": {"$exists": True}}),
            ),
        )
        self.heads: dict[str, Head] = {}
        """Of the chains that this process has written or looked up; another may have gone further."""
        self.another_log: str | None = None
        """Where Kafka was seen to hold something else than the trail, until an operator has said what that means."""

    async def ensure_indexes(self) -> None:
        await self.documents.ensure_indexes()

    async def append(self, batch: Sequence[Heard]) -> int:
        """Chain and insert what is new of `batch`; returns how many that were. Repeating is harmless.

        Raises AnotherLog if what looks like a repeat is none: nothing of the batch is recorded then.

        Whoever loses the race for a place finds it taken, reads the heads again and goes on behind: a replica that
        thinks it still owns a partition can neither fork a chain nor leave a gap. Raises MayPass."""
        chains = {heard.chain for heard in batch}
        random = os.urandom(SALT_BYTES * len(batch)).hex()
        salts = [random[at : at + 2 * SALT_BYTES] for at in range(0, len(random), 2 * SALT_BYTES)]
        inserted = 0
        while True:
            await self._know(chains)
            await self._require_repeats(batch)
            documents, grown = extended(self.heads, batch, salts)
            if not documents:
                return inserted
            try:
                taken = await self.documents.insert(documents, ordered=True)
            except BaseException:
                self._forget(chains)  # how much of it was written is not known
                raise
            if not taken:
                self.heads.update(grown)
                return inserted + len(documents)
            inserted += taken[0]
            self._forget(chains)

    async def _require_repeats(self, batch: Sequence[Heard]) -> None:
        """Records are known by their offset, which tells a repeat only while Kafka is the same. One that was emptied
        begins at 0 again, and all of it would be taken for repeats: so the last of them is held against the trail.

        Raises AnotherLog."""
        repeated = {one.chain: one for one in batch if one.offset <= self.heads[one.chain].offset}
        for chain, heard in repeated.items():
            if await self._is_repeat(chain, heard):
                continue
            # Another replica may have been told meanwhile that it is all right.
            self._forget({chain})
            await self._know({chain})
            if not await self._is_repeat(chain, heard):
                self._forget({chain})
                self.another_log = f"{chain}/{heard.offset}"
                raise AnotherLog(self.another_log)
        if self.another_log is not None and self.another_log.rpartition("/")[0] in {one.chain for one in batch}:
            self.another_log = None

    async def _is_repeat(self, chain: str, heard: Heard) -> bool:
        """Whether what is recorded at its offset, if anything is, is that very message; True of what is new."""
        head = self.heads[chain]
        if heard.offset > head.offset:
            return True
        # Offsets grow by one or more from record to record, so it lies there or later.
        least = max(1, head.sequence - (head.offset - heard.offset))
        recorded = await self.documents.get(place_of(chain, least))
        if recorded is not None and is_record_of(recorded, heard):
            return True
        # Of several logs the last counts: it begins where an operator said so.
        within = {"$gte": place_of(chain, least), "$lte": place_of(chain, head.sequence)}
        query = {"_id": within, "offset": {"$in": [heard.offset, -1]}}
        found = await self.documents.find(query, sort=(("_id", -1),), limit=1)
        if not found:
            return not await self._precedes(chain, heard)
        return found[0]["offset"] == -1 or is_record_of(found[0], heard)

    async def _precedes(self, chain: str, heard: Heard) -> bool:
        """Whether its offset lies before all that was ever recorded: the beginning of the log was gone by then."""
        first = await self.documents.get(place_of(chain, 1))
        return first is not None and heard.offset < int(first["offset"])

    async def record_new_log(self, *, actor: str, at: str, reason: str) -> list[str]:
        """Say in every chain that the log begins again, so that low offsets are new. Returns the records' places."""
        places: list[str] = []
        for chain in await self.chains():
            while chain != ERASURES:
                self._forget({chain})
                await self._know({chain})
                document, head = renewal(chain, self.heads[chain], actor=actor, at=at, reason=reason)
                if not await self.documents.insert([document]):
                    self.heads[chain] = head
                    places.append(document["_id"])
                    break
        self.another_log = None
        return places

    async def record_erasure(self, *, person: str, actor: str, at: str, reason: str) -> tuple[int, str]:
        """Say which records lose their personal part, then take it out. Returns how many, and the record's place.

        A crash between the two leaves parts that are said to be erased: the next call finishes it."""
        erased: dict[str, list[int]] = {}
        query = await self._parts_of(person)
        for found in await self.documents.find(query, fields={"_id": 1}):
            chain, _, number = str(found["_id"]).rpartition("/")
            erased.setdefault(chain, []).append(int(number))
        while True:
            self._forget({ERASURES})
            await self._know({ERASURES})
            document, head = erasure(
                self.heads[ERASURES], person=person, actor=actor, at=at, erased=erased, reason=reason
            )
            if not await self.documents.insert([document]):
                self.heads[ERASURES] = head
                break
        places = [place_of(chain, number) for chain, numbers in erased.items() for number in numbers]
        for start in range(0, len(places), 1000):
            await self.documents.unset({"_id": {"$in": places[start : start + 1000]}}, ("personal", "salt"))
        return len(places), document["_id"]

    async def _parts_of(self, person: str) -> Document:
        identities = await self.identities(person)
        mine: list[Document] = [
            {"person": person},
            {"personal.identity": {"$in": sorted(identities)}},
            _approvals_of(await self.requests_of(person)),
        ]
        return {"$or": mine, "personal": {"$exists": True}}

    async def identities(self, person: str) -> set[str]:
        """'source:id' names under which sources speak of this person, as far as not erased."""
        facts = {"person": person, "topic": {"$in": [PERSON_FACTS.name, PERSON_FACTS.urgent.name]}}
        found: set[str] = set()
        for document in await self.documents.find(facts, fields={"personal.body": 1}):
            found |= identities_in(document)
        return found

    async def about_person(self, person: str) -> list[Document]:
        """Everything about one person's access, notifications and commands apart, unordered."""
        return await self.documents.find({"person": person}, sort=(("person", 1),))

    async def some_about_person(self, person: str) -> list[Document]:
        """A record that names this person; none if there is none. Those of the erased stay."""
        return await self.documents.find({"person": person}, sort=(("person", 1),), limit=1, fields={"_id": 1})

    async def moves(self, topic: Topic, person: str | None, thing: str | None) -> list[Document]:
        """Facts of a topic by which this person, or anybody, began or ceased to hold this thing, or any. Without their
        bodies, unordered."""
        query: Document = {"topic": {"$in": [one.name for one in lanes_of(topic)]}}
        if person is not None:
            query["person"] = person
        if thing is not None:
            query["things"] = thing
        return await self.documents.find(query, fields=dict.fromkeys(_MOVE, 1))

    async def begun_by(self, correlations: Sequence[str]) -> list[Document]:
        """The HR changes that these correlations name."""
        return await self.documents.find(
            {"personal.origins": {"$in": list(correlations)}}, sort=(("personal.origins", 1),)
        )

    async def of_topic(self, topic: str, subjects: Sequence[str]) -> list[Document]:
        """Facts about these subjects on a topic that is small: read through, not looked up."""
        within = {"$gte": f"{topic}/", "$lt": f"{topic}0"}
        return await self.documents.find({"_id": within, "subject": {"$in": list(subjects)}})

    async def of_review(self, instance: str, topic: str) -> list[Document]:
        """What one run of a review says on a topic, in the order of versions."""
        return await self.documents.find(_of_review(instance, topic), sort=_BY_SUBJECT)

    def walk_review(self, instance: str, topic: str) -> AsyncIterator[Document]:
        """The same without holding it; what one subject says stands together."""
        return self.documents.walk(_of_review(instance, topic), sort=_BY_SUBJECT)

    def walk_chain(self, chain: str, first: int, last: int) -> AsyncIterator[Document]:
        """Records of one chain, from one sequence to another."""
        return self.documents.walk({"_id": {"$gte": place_of(chain, first), "$lte": place_of(chain, last)}})

    async def requests_of(self, person: str) -> list[str]:
        """Ids of the requests about this person's access."""
        found = await self.documents.find({"person": person, "topic": REQUEST_FACTS.name}, fields={"subject": 1})
        return sorted({str(one["subject"]) for one in found})

    async def of_approvals(self, requests: Sequence[str]) -> list[Document]:
        """What was said of these requests' approvals."""
        return await self.documents.find(_approvals_of(requests))

    async def chains(self) -> list[str]:
        """Every chain there is, by one short look each."""
        found: list[str] = []
        after = ""
        while first := await self.documents.find({"_id": {"$gt": after}}, limit=1, fields={"_id": 1}):
            chain = str(first[0]["_id"]).rpartition("/")[0]
            if not chain:
                break
            found.append(chain)
            after = f"{chain}/~"
        return found

    async def stored_heads(self) -> dict[str, Head]:
        """The heads of all chains as they are, whoever wrote them, so that they are signed although nothing comes any
        more; what this process goes on from stays as it is."""
        return {chain: await self._stored_head(chain) for chain in await self.chains()}

    async def first_time(self) -> str | None:
        """When the first holding or membership was heard of, None if none was."""
        times: list[str] = []
        for chain in await self.chains():
            if chain.startswith((HOLDING_FACTS.name, MEMBERSHIP_FACTS.name)):
                first = await self.documents.get(place_of(chain, 1))
                times += [str(first.get("at") or first["time"])] if first else []
        return min(times, default=None)

    def walk(self) -> AsyncIterator[Document]:
        """Every record in the order of its place: chain by chain."""
        return self.documents.walk({})

    async def _know(self, chains: set[str]) -> None:
        for chain in chains - self.heads.keys():
            self.heads[chain] = await self._stored_head(chain)

    async def _stored_head(self, chain: str) -> Head:
        found = await self.documents.find(
            {"_id": {"$gte": f"{chain}/", "$lt": f"{chain}0"}}, sort=(("_id", -1),), limit=1
        )
        return Head(found[0]["sequence"], found[0]["hash"], found[0]["offset"]) if found else Head()

    def _forget(self, chains: set[str]) -> None:
        for chain in chains:
            self.heads.pop(chain, None)


def identities_in(document: Mapping[str, Any]) -> set[str]:
    """The source identities that a stored person fact names."""
    state = body_of(document).get("state") or {}
    return {f"{one.get('source')}:{one.get('id')}" for one in state.get("identities") or ()}


class Spans:
    """Who held what and was where from when to when: read from the trail's records when somebody asks."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    async def of_packages(
        self, *, person: str | None = None, package: str | None = None, at: datetime | None = None, effective: bool
    ) -> list[Span]:
        """Spans of assignments, by person, package or both; at a moment, or ever."""
        spans = holding_spans(await self._trail.moves(HOLDING_FACTS, person, package))
        return [one for one in spans if package in (None, one.package) and _holds(one, at, effective=effective)]

    async def of_groups(
        self, *, person: str | None = None, group: str | None = None, at: datetime | None = None, effective: bool
    ) -> list[Span]:
        """Spans of memberships, by person, group or both; at a moment, or ever."""
        spans = membership_spans(await self._trail.moves(MEMBERSHIP_FACTS, person, group))
        return [one for one in spans if group in (None, one.group) and _holds(one, at, effective=effective)]


def _holds(span: Span, at: datetime | None, *, effective: bool) -> bool:
    return at is None or span.holds_at(at, effective=effective)
