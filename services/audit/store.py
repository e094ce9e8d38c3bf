"""The trail's collections: records, checkpoints and keys; names. What is read from records alone: spans."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from services.audit.decide.chain import erasure, extended, is_record_of, renewal
from services.audit.decide.explain import body_of
from services.audit.decide.record import base_topic
from services.audit.decide.spans import holding_spans, membership_spans
from services.audit.model import ERASURES, Document, Head, Heard, Names, Span, place_of
from shared.contracts.audit import Checkpoint
from shared.contracts.base import Fact
from shared.contracts.topics import (
    APPROVAL_FACTS,
    GROUP_FACTS,
    HOLDING_FACTS,
    MEMBERSHIP_FACTS,
    PACKAGE_FACTS,
    PERSON_FACTS,
    POLICY_FACTS,
    REQUEST_FACTS,
    Topic,
    lanes_of,
)
from shared.messaging.errors import MayPass
from shared.storage import Database, Documents, Index, Replica

SALT_BYTES = 16
KEY_BYTES = 32
CHECKPOINT_FILE = "audit-checkpoints.ndjson"


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


class Checkpoints:
    """Signed heads and the public keys they were signed with: in the database, and in a file to keep elsewhere."""

    def __init__(self, database: Database, data_dir: Path) -> None:
        self._checkpoints = Documents(database, "checkpoints")
        self._keys = Documents(database, "keys")
        self.file = data_dir / CHECKPOINT_FILE

    async def ensure_indexes(self) -> None:
        return None

    async def keep_key(self, key_id: str, public: bytes) -> None:
        await self._keys.set(key_id, {"public": public.hex()})

    async def keys(self) -> dict[str, bytes]:
        """By id; what is no key is none, and what was signed with it is signed with an unknown one."""
        return {one["_id"]: public for one in await self._keys.find({}) if (public := public_key_in(one)) is not None}

    async def last(self, chains: Collection[str]) -> dict[str, int]:
        """The highest signed sequence of each of these chains."""
        highest: dict[str, int] = {}
        for chain in chains:
            within = {"$gte": f"{chain}/", "$lt": f"{chain}0"}
            found = await self._checkpoints.find({"_id": within}, sort=(("_id", -1),), limit=1, fields={"_id": 1})
            highest[chain] = int(str(found[0]["_id"]).rpartition("/")[2]) if found else 0
        return highest

    async def covering(self, chain: str, sequence: int) -> Checkpoint | None:
        """The first that covers this record; None if it is not signed yet."""
        within = {"$gte": place_of(chain, sequence), "$lt": f"{chain}0"}
        async for document in self._checkpoints.walk({"_id": within}):
            if (found := checkpoint_in(document)) is not None:
                return found
        return None

    async def keep(self, checkpoints: Sequence[Checkpoint]) -> None:
        await self._checkpoints.insert(
            [{"_id": one.id, "json": one.json_bytes().decode()} for one in checkpoints], ordered=False
        )

    async def append_to_file(self, checkpoints: Sequence[Checkpoint]) -> None:
        """One line a checkpoint, forced to disk. Raises MayPass for what the disk refuses."""
        lines = b"".join(one.json_bytes() + b"\n" for one in checkpoints)
        try:
            await asyncio.to_thread(_append, self.file, lines)
        except OSError as problem:
            raise MayPass(f"{self.file.name}: {problem.strerror}") from problem

    async def walk(self) -> AsyncIterator[tuple[str, Checkpoint | None]]:
        """Each place, and the checkpoint there; None if what lies there is none."""
        async for one in self._checkpoints.walk({}):
            yield str(one["_id"]), checkpoint_in(one)

    def from_file(self) -> list[Checkpoint]:
        """Those in the file; a line that a crash cut short is left out. Raises OSError for a file that is no file."""
        return checkpoints_in(self.file.read_bytes().splitlines()) if self.file.exists() else []


def checkpoint_in(document: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint that this document holds; None if somebody made something else of it."""
    try:
        return Checkpoint.model_validate_json(document["json"])
    except (ValueError, KeyError):
        return None


def public_key_in(document: Mapping[str, Any]) -> bytes | None:
    """The public key that this document holds; None if somebody made something else of it."""
    try:
        public = bytes.fromhex(document["public"])
    except (ValueError, KeyError, TypeError):
        return None
    return public if len(public) == KEY_BYTES else None


def checkpoints_in(lines: Sequence[bytes]) -> list[Checkpoint]:
    """Checkpoints from lines of JSON; what is none is left out."""
    found: list[Checkpoint] = []
    for line in lines:
        try:
            found.append(Checkpoint.model_validate_json(line))
        except ValueError:
            continue
    return found


def _append(path: Path, lines: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                lines = b"\n" + lines  # a crash cut the last line short: it stays alone in that
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


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


@dataclass(frozen=True, slots=True)
class _Newest:
    """What a replica reads of a fact; the rest of it is not worth decoding for a name."""

    subject: str
    version: int
    state: Document


class Directory:
    """Names for answers: people, packages, groups and policies as last heard."""

    def __init__(self, database: Database) -> None:
        self._people: Replica[Fact] = Replica(database, "people", _of_person, (Index("upn"), Index("employee")))
        self._packages: Replica[Fact] = Replica(database, "packages", _of_package, (Index("name"),))
        self._groups: Replica[Fact] = Replica(database, "groups", _named, (Index("name"),))
        self._policies: Replica[Fact] = Replica(database, "policies", _of_policy, (Index("package"),))
        self._by_topic = {
            PERSON_FACTS.name: self._people,
            PACKAGE_FACTS.name: self._packages,
            GROUP_FACTS.name: self._groups,
            POLICY_FACTS.name: self._policies,
        }
        self._erased = Documents(database, "people")

    async def ensure_indexes(self) -> None:
        for replica in self._by_topic.values():
            await replica.ensure_indexes()

    async def follow(self, batch: Sequence[Heard]) -> None:
        """Keep the newest names. Raises MayPass."""
        facts: dict[str, list[Fact]] = {}
        for heard in batch:
            topic = base_topic(heard.topic)
            data = heard.data
            if topic in self._by_topic and data is not None and _is_fact(data):
                fact: Fact = _Newest(data["subject"], data["version"], data["state"])  # type: ignore[assignment]
                facts.setdefault(topic, []).append(fact)
        for topic, some in facts.items():
            await self._by_topic[topic].apply(some)

    async def forget(self, person: str) -> None:
        """Take a person's names out."""
        await self._erased.unset({"_id": person}, ("name", "upn", "employee", "shownUpn"))

    async def people_called(self, name: str) -> list[Document]:
        """By id, user principal name (without regard to case) or employee id: the first of these that fits."""
        if found := await self._people.get([name]):
            return list(found.values())
        return await self._people.find({"upn": name.lower()}) or await self._people.find({"employee": name})

    async def packages_called(self, name: str) -> list[Document]:
        """By id or exact name; of several with one name those that are not deleted."""
        return await _called(self._packages, name)

    async def groups_called(self, name: str) -> list[Document]:
        return await _called(self._groups, name)

    async def policies_of(self, package: str) -> list[Document]:
        return await self._policies.find({"package": package})

    async def people(self, ids: Sequence[str]) -> dict[str, Document]:
        return await self._people.get(ids)

    async def called(self, ids: Sequence[str]) -> dict[str, Document]:
        """People, and groups of the ids that are nobody's."""
        people = await self.people(ids)
        return {**await self._groups.get(set(ids) - people.keys()), **people}

    async def package_docs(self, ids: Sequence[str]) -> dict[str, Document]:
        return await self._packages.get(ids)

    async def names(
        self, *, people: Sequence[str] = (), packages: Sequence[str] | None = (), policies: Sequence[str] | None = ()
    ) -> Names:
        """Names for these ids, groups all; None asks for all of a kind."""

        async def some(replica: Replica[Fact], ids: Sequence[str] | None) -> dict[str, str]:
            found = await replica.find({}) if ids is None else (await replica.get(ids)).values() if ids else ()
            return {one["_id"]: one["name"] for one in found if one.get("name")}

        return Names(
            people=await some(self._people, people),
            packages=await some(self._packages, packages),
            groups=await some(self._groups, None),
            policies=await some(self._policies, policies),
        )


async def _called(replica: Replica[Fact], name: str) -> list[Document]:
    if found := await replica.get([name]):
        return list(found.values())
    named = await replica.find({"name": name})
    return [one for one in named if not one.get("deleted")] or named


def _is_fact(data: Mapping[str, Any]) -> bool:
    return (
        isinstance(data.get("subject"), str)
        and isinstance(data.get("version"), int)
        and isinstance(data.get("state"), dict)
    )


def _of_person(fact: Fact) -> Document:
    attributes = fact.state.get("attributes") or {}
    upn = attributes.get("userPrincipalName")
    return {
        "name": attributes.get("displayName"),
        "upn": upn.lower() if isinstance(upn, str) else None,
        "shownUpn": upn,
        "employee": attributes.get("employeeId"),
    }


def _named(fact: Fact) -> Document:
    return {"name": fact.state.get("displayName"), "deleted": bool(fact.state.get("deletedAt"))}


def _of_package(fact: Fact) -> Document:
    roles = [f"{r.get('originSystem')}/{r.get('originId')}/{r.get('role')}" for r in fact.state.get("roles") or ()]
    return {
        "name": fact.state.get("displayName"),
        "deleted": fact.state.get("life") == "deleted",
        "roles": roles,
    }


def _of_policy(fact: Fact) -> Document:
    return {
        "name": fact.state.get("displayName"),
        "package": fact.state.get("packageId"),
        "rule": fact.state.get("rule"),
        "population": fact.state.get("populationId"),
        "deleted": fact.state.get("life") == "deleted",
    }
