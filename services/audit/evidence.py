"""Bundles of evidence, made here and not by the review: the trail is the witness, and the key that signs it is here.

Streamed: items and records go out as they are read. Held are the run's own facts, and of each record its position and
of each item whose it is: some 300 bytes each.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.audit.decide import evidence
from services.audit.decide.record import ROSTERS
from services.audit.model import Document
from services.audit.sealing import Sealer
from services.audit.store.checkpoints import Checkpoints
from services.audit.store.names import Directory
from services.audit.store.trail import Trail
from shared.clock import Clock
from shared.contracts.audit import Checkpoint
from shared.contracts.roster import RosterKind
from shared.contracts.topics import REVIEW_DEFINITION_FACTS, REVIEW_INSTANCE_FACTS, REVIEW_ITEM_FACTS
from shared.hearing import Hearing
from shared.web.errors import Conflict, NoRight, NotFound
from shared.web.graph_model import graph_time

MaySee = Callable[[], Awaitable[bool]]
"""Whether who holds a directory role may be told; asked only where it is."""
PART = 200
"""Lines that are written, and names that are looked up, in one go."""
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    enable_async=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Evidence:
    """Makes bundles and pages of runs of reviews."""

    def __init__(
        self,
        trail: Trail,
        checkpoints: Checkpoints,
        directory: Directory,
        sealer: Sealer,
        clock: Clock,
        turn: Callable[[], Awaitable[None]],
        hearing: Hearing,
    ) -> None:
        self._trail = trail
        self._checkpoints = checkpoints
        self._directory = directory
        self._sealer = sealer
        self._clock = clock
        self._turn = turn
        self._hearing = hearing

    async def bundle(self, instance_id: str, made_by: str, may_see_roles: MaySee) -> AsyncIterator[bytes]:
        """Proves the chains as it begins. Raises NotFound, NoRight, NoSigningKey; Conflict before anything is sent."""
        head, facts = await self._head(instance_id, may_see_roles)
        positions = await self._positions(instance_id, facts)
        covering = await self._covering(positions)
        return self._written(instance_id, made_by, head, facts, positions, covering)

    async def page(self, instance_id: str, made_by: str, may_see_roles: MaySee) -> AsyncIterator[str]:
        """The same for people to read and print: one HTML file that loads nothing."""
        head, _ = await self._head(instance_id, may_see_roles)
        decided: set[tuple[str, str, str]] = set()
        return _PAGES.get_template("evidence.html").generate_async(
            **head,
            items=self._items(instance_id, decided),
            undecided=self._undecided(instance_id, decided),
            made_at=graph_time(self._clock.now()),
            made_by=made_by,
            key_id=self._sealer.key.id,
        )

    async def _head(self, instance_id: str, may_see_roles: MaySee) -> tuple[Document, list[Document]]:
        """Waits for the trail to catch up before it says that there is no such run."""
        facts = await self._hearing.once(lambda: self._trail.of_review(instance_id, REVIEW_INSTANCE_FACTS.name))
        if not facts:
            raise NotFound(f"The trail knows no run '{instance_id[:64]}' of a review.", target="instanceId")
        reviewed = evidence.head_of(facts)["instance"]
        if reviewed["resource"]["kind"] == RosterKind.DIRECTORY_ROLE.value and not await may_see_roles():
            raise NoRight
        definition = reviewed["definitionId"]
        begun = str(facts[0].get("at"))
        written = await self._trail.of_topic(REVIEW_DEFINITION_FACTS.name, [str(definition)])
        before = [one for one in written if str(one.get("at")) <= begun]
        facts = [*before[-1:], *facts]
        head = evidence.head_of(facts)
        asked = {id for one in head["asked"] for id in one["reviewers"] or ()}
        people = await self._directory.people(sorted({*asked, *filter(None, [head["instance"]["createdBy"]])}))
        return {**head, "people": {id: _name(people, id) for id in sorted(people)}}, facts

    async def _positions(self, instance_id: str, facts: list[Document]) -> list[list[str]]:
        found = [[str(one["_id"]), str(one["hash"])] for one in facts]
        found += [[str(one["_id"]), str(one["hash"])] async for one in self._others(instance_id)]
        return found

    async def _others(self, instance_id: str) -> AsyncIterator[Document]:
        for topic in (*sorted(ROSTERS), REVIEW_ITEM_FACTS.name):
            async for one in self._trail.walk_review(instance_id, topic):
                yield one

    async def _covering(self, positions: list[list[str]]) -> list[Checkpoint]:
        """A signed head for each chain beyond all of its positions, to which the chain leads from the first of them."""
        await self._sealer.seal()
        spans: dict[str, tuple[int, int]] = {}
        for place, _ in positions:
            chain, _, number = place.rpartition("/")
            first, last = spans.get(chain, (int(number), int(number)))
            spans[chain] = min(first, int(number)), max(last, int(number))
        found: list[Checkpoint] = []
        for chain, (first, last) in sorted(spans.items()):
            checkpoint = await self._checkpoints.covering(chain, last)
            if checkpoint is None:
                raise Conflict(f"The trail's chain {chain} is not signed that far yet: ask again in a moment.")
            following = evidence.Following()
            async for one in self._trail.walk_chain(chain, first, checkpoint.sequence):
                if following.record(one) % PART == 0:
                    await self._turn()
            if problem := following.problem(checkpoint):
                raise Conflict(f"The trail is broken: {problem}. `tenure audit verify` says where.")
            found.append(checkpoint)
        return found

    async def _items(
        self, instance_id: str, decided: set[tuple[str, str, str]], known: Set[str] | None = None
    ) -> AsyncIterator[Document]:
        """With names; `decided` is filled as they go by. `known`: places beyond which nothing is read."""
        part: list[Document] = []
        group: list[Document] = []
        async for one in self._trail.walk_review(instance_id, REVIEW_ITEM_FACTS.name):
            if known is not None and one["_id"] not in known:
                continue
            if group and group[-1].get("subject") != one.get("subject"):
                part.append(evidence.item_of(group))
                group = []
            group.append(one)
            if len(part) == PART:
                for line in await self._named(part):
                    decided.add(evidence.key_of(line))
                    yield line
                part = []
                await self._turn()
        if group:
            part.append(evidence.item_of(group))
        for line in await self._named(part):
            decided.add(evidence.key_of(line))
            yield line

    async def _undecided(self, instance_id: str, decided: set[tuple[str, str, str]]) -> AsyncIterator[Document]:
        for topic in sorted(ROSTERS):
            async for page in self._trail.walk_review(instance_id, topic):
                for line in await self._named(evidence.undecided_of(page, decided)):
                    yield line
                await self._turn()

    async def _named(self, lines: list[Document]) -> list[Document]:
        people = await self._directory.called(
            sorted({str(id) for one in lines for id in (one["personId"], one.get("decidedBy")) if id})
        )
        return [
            {
                **one,
                "person": _name(people, one["personId"]),
                **({"decidedByName": _name(people, one["decidedBy"])} if "decidedBy" in one else {}),
            }
            for one in lines
        ]

    async def _written(
        self,
        instance_id: str,
        made_by: str,
        head: Document,
        facts: list[Document],
        positions: list[list[str]],
        covering: list[Checkpoint],
    ) -> AsyncIterator[bytes]:
        yield b'{"kind":' + orjson.dumps(evidence.KIND) + b',"version":' + orjson.dumps(evidence.VERSION)
        for name, value in head.items():
            yield b",\n" + orjson.dumps(name) + b":" + orjson.dumps(value)
        sums = {"head": evidence.digest([head])}
        # What is said of a run that still goes on, while this goes out, is left to the next bundle.
        known = {place for place, _ in positions}
        decided: set[tuple[str, str, str]] = set()
        for name, lines in (
            ("items", self._items(instance_id, decided, known)),
            ("undecided", self._undecided(instance_id, decided)),
        ):
            digest = evidence.Digest()

            async def summed(lines: Any = lines, digest: evidence.Digest = digest) -> AsyncIterator[Document]:
                async for line in lines:
                    digest.add(line)
                    yield line

            async for part in _section(name, summed()):
                yield part
            sums[name] = digest.text()

        async def records() -> AsyncIterator[Document]:
            for one in facts:
                yield one
            async for one in self._others(instance_id):
                if one["_id"] in known:
                    yield one

        async for part in _section("records", records()):
            yield part
        checkpoints = [one.model_dump(mode="json", by_alias=True) for one in covering]
        yield b',\n"positions":' + orjson.dumps(positions) + b',\n"checkpoints":' + orjson.dumps(checkpoints)
        key = self._sealer.key
        statement = {
            "kind": evidence.KIND,
            "version": evidence.VERSION,
            "instanceId": instance_id,
            "madeAt": graph_time(self._clock.now()),
            "madeBy": made_by,
            "keyId": key.id,
            **sums,
            "positions": evidence.digest(positions),
            "checkpoints": evidence.digest(checkpoints),
        }
        signature = base64.b64encode(key.sign(evidence.statement_bytes(statement))).decode()
        proof = {
            "algorithm": evidence.ALGORITHM,
            "publicKey": key.public.hex(),
            "statement": statement,
            "signature": signature,
        }
        yield b',\n"proof":' + orjson.dumps(proof) + b"}\n"


async def _section(name: str, values: AsyncIterator[Document]) -> AsyncIterator[bytes]:
    yield b",\n" + orjson.dumps(name) + b":["
    lines: list[bytes] = []
    between = b"\n"
    async for value in values:
        lines.append(orjson.dumps(value, default=str))
        if len(lines) == PART:
            yield between + b",\n".join(lines)
            between = b",\n"
            lines.clear()
    if lines:
        yield between + b",\n".join(lines)
    yield b"]"


def _name(people: dict[str, Document], id: Any) -> str | None:
    return people.get(str(id), {}).get("name")
