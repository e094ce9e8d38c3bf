"""Answers from the trail: proof, export, why, and who had what when. Gathers, then lets pure functions decide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date, datetime

import orjson

from services.audit.decide.asked import deciding
from services.audit.decide.explain import about_package, explained, in_order, of_denied_guest
from services.audit.decide.spans import asked_for
from services.audit.decide.summary import of_all, of_package
from services.audit.decide.verify import NO_CHECKPOINT, Verification
from services.audit.model import Document, Line, Names, Span, Verdict
from services.audit.sealing import Sealer
from services.audit.signing import authentic_by
from services.audit.store.checkpoints import Checkpoints
from services.audit.store.names import Directory
from services.audit.store.trail import Spans, Trail
from shared.clock import Clock
from shared.contracts.topics import PACKAGE_FACTS, POLICY_FACTS, REQUEST_FACTS
from shared.hearing import Hearing
from shared.web.errors import BadRequest, Conflict, NotFound
from shared.web.graph_model import graph_time

SLICE = 200
"""Records that are verified or written in one go before others have their turn."""


class Answers:
    """What the API asks."""

    def __init__(
        self,
        trail: Trail,
        checkpoints: Checkpoints,
        spans: Spans,
        directory: Directory,
        sealer: Sealer,
        clock: Clock,
        turn: Callable[[], Awaitable[None]],
        hearing: Hearing,
    ) -> None:
        self._trail = trail
        self._checkpoints = checkpoints
        self._spans = spans
        self._directory = directory
        self._sealer = sealer
        self._clock = clock
        self._turn = turn
        self._hearing = hearing

    async def verify(self) -> Verdict:
        """Prove the whole trail as it is stored, by the checkpoints in the database and in the file."""
        verification = Verification(authentic_by(await self._public_keys()))
        async for place, stored in self._checkpoints.walk():
            if stored is None:
                verification.unreadable(place, NO_CHECKPOINT)
            else:
                verification.checkpoint(stored)
        try:
            filed = await asyncio.to_thread(self._checkpoints.from_file)
        except OSError as problem:
            filed = []
            verification.unreadable(self._checkpoints.file.name, f"cannot be read ({problem.strerror})")
        for checkpoint in filed:
            verification.checkpoint(checkpoint)
        number = 0
        async for document in self._trail.walk():
            verification.record(document)
            number += 1
            if number % SLICE == 0:
                await self._turn()
        return verification.verdict()

    async def export(self) -> AsyncIterator[bytes]:
        """NDJSON: keys, checkpoints, then records as they are stored; what `verified` needs, and nothing else."""
        for id, public in sorted((await self._public_keys()).items()):
            yield orjson.dumps({"kind": "key", "keyId": id, "publicKey": public.hex()}) + b"\n"
        async for place, checkpoint in self._checkpoints.walk():
            said = checkpoint.json_bytes() if checkpoint is not None else orjson.dumps({"id": place})
            yield b'{"kind":"checkpoint","checkpoint":' + said + b"}\n"
        lines: list[bytes] = []
        async for document in self._trail.walk():
            lines.append(orjson.dumps({"kind": "record", "record": document}, default=str))
            if len(lines) == SLICE:
                yield b"\n".join(lines) + b"\n"
                lines.clear()
                await self._turn()
        if lines:
            yield b"\n".join(lines) + b"\n"

    async def erase(self, person: str, actor: str, reason: str) -> Document:
        """Take out what is personal of one person, and record that it was done. Repeating is harmless.

        What is heard of the person later is recorded again: erase at the sources first."""
        if not await self._hearing.once(lambda: self._trail.some_about_person(person)):
            raise NotFound(f"The trail knows no person with the id '{person}': nothing was erased.", target="person")
        at = self._clock.now().isoformat()
        erased, place = await self._trail.record_erasure(person=person, actor=actor, at=at, reason=reason)
        await self._directory.forget(person)
        return {"personId": person, "records": erased, "at": at, "actor": actor, "proof": place}

    async def begin_anew(self, actor: str, reason: str) -> Document:
        """Go on with a Kafka that was emptied, and record it in every chain. Raises Conflict if nothing shows that."""
        if self._trail.another_log is None:
            raise Conflict("Kafka and the trail agree, as far as anything was heard: there is no new log to accept.")
        at = self._clock.now().isoformat()
        places = await self._trail.record_new_log(actor=actor, at=at, reason=reason)
        return {"chains": len(places), "at": at, "actor": actor, "proof": places}

    async def explain(self, person_name: str, package_name: str | None) -> Document:
        """Why someone has a package, had it, or never had it; without a package: all that they hold now, and what
        reviews did with them as a guest."""
        person = await self._person(person_name)
        package = await self._package(package_name) if package_name is not None else None
        of = package["_id"] if package else None

        async def spans_of() -> list[Span]:
            return await self._spans.of_packages(person=person["_id"], package=of, effective=False)

        # That somebody never had a package is said once the trail had the time to hear of it.
        ever = await (self._hearing.once(spans_of) if package else spans_of())
        now = self._clock.now()
        held = [span for span in ever if span.holds_at(now, effective=False)]
        spans = ever if package else held
        lines, names = await self._lines(person, package, spans)
        who = person.get("name") or person["_id"]
        if package is None:
            answer, summary = of_all(who, ever, held, names)
        else:
            answer, summary = of_package(who, package.get("name") or package["_id"], ever, now, lines)
        return {
            "person": _person_body(person),
            "package": {"id": package["_id"], "displayName": package.get("name")} if package else None,
            "answer": answer,
            "summary": summary + _of_guest(person, lines),
            "value": [_line_body(line, names) for line in lines],
        }

    async def access(
        self,
        *,
        person: str | None,
        package: str | None,
        group: str | None,
        at: date | datetime | None,
        effective: bool,
    ) -> Document:
        """Who had what at a moment, by what was so in Tenure or by effective dates. `at`: see `asked_for`."""
        if person is None and package is None and group is None:
            raise BadRequest("Say whose access, or to what: person, package or group.", target="person")
        moment, read_as = asked_for(at, self._clock.now())
        asked: Document = {}
        who: str | None = None
        if person is not None:
            found = await self._person(person)
            who = found["_id"]
            asked["person"] = _person_body(found)
        spans: list[Span] = []
        if package is not None:
            found = await self._package(package)
            asked["package"] = {"id": found["_id"], "displayName": found.get("name")}
            spans += await self._spans.of_packages(person=who, package=found["_id"], at=moment, effective=effective)
        if group is not None:
            found = await self._found(lambda: self._directory.groups_called(group), "group", group)
            asked["group"] = {"id": found["_id"], "displayName": found.get("name")}
            spans += await self._spans.of_groups(person=who, group=found["_id"], at=moment, effective=effective)
        if package is None and group is None:
            spans += await self._spans.of_packages(person=who, at=moment, effective=effective)
            spans += await self._spans.of_groups(person=who, at=moment, effective=effective)
        body: Document = {
            "at": graph_time(moment),
            **({"atMeans": read_as} if read_as else {}),
            "basis": "effective" if effective else "record",
            **asked,
            "value": await self._rows(spans),
        }
        if not spans and not effective and (hint := await self._hint(moment)):
            body["hint"] = hint
        return body

    async def _public_keys(self) -> dict[str, bytes]:
        return {**await self._checkpoints.keys(), self._sealer.key.id: self._sealer.key.public}

    async def _hint(self, moment: datetime) -> str | None:
        first = await self._trail.first_time()
        if first is None or datetime.fromisoformat(first) <= moment:
            return None
        return (
            f"Tenure's own record begins at {first}. To ask by the dates that the sources gave, "
            "use basis=effective (`--effective`)."
        )

    async def _rows(self, spans: Sequence[Span]) -> list[Document]:
        people = await self._directory.people(sorted({span.person for span in spans}))
        names = await self._directory.names(
            people=sorted({span.actor.partition(":")[2] for span in spans if span.actor.startswith("person:")}),
            packages=sorted({span.package for span in spans if span.package}),
            policies=sorted({span.policy for span in spans if span.policy}),
        )
        rows = [_row(span, people.get(span.person, {}), names) for span in spans]
        return sorted(
            rows,
            key=lambda row: (
                row["package"] or "",
                row["group"] or "",
                row["employeeId"] or "",
                row["personId"],
                row["from"],
            ),
        )

    async def _lines(
        self, person: Document, package: Document | None, spans: Sequence[Span]
    ) -> tuple[list[Line], Names]:
        about = await self._trail.about_person(person["_id"])
        correlations = {str(one["correlation"]) for one in about if one.get("correlation")}
        documents = [*about, *await self._trail.begun_by(sorted(correlations))]
        requests = {str(one["subject"]) for one in about if one["topic"] == REQUEST_FACTS.name}
        documents += await self._trail.of_approvals(sorted(requests))
        packages = {span.package for span in spans if span.package} | ({package["_id"]} if package else set())
        policies = {span.policy for span in spans if span.policy}
        of_packages = [p["_id"] for id in sorted(packages) for p in await self._directory.policies_of(id)]
        documents += await self._trail.of_topic(PACKAGE_FACTS.name, sorted(packages))
        documents += await self._trail.of_topic(POLICY_FACTS.name, sorted({*policies, *of_packages}))
        actors = {str(one.get("actor", "")) for one in documents}
        names = await self._directory.names(
            people=sorted({*(a.partition(":")[2] for a in actors if a.startswith("person:")), *deciding(documents)}),
            packages=None,
            policies=None,
        )
        if spans:
            brought = await self._directory.package_docs(sorted(packages))
            roles = {id: one.get("roles") or () for id, one in brought.items()}
            lines: dict[tuple[str, str], Line] = {}
            for span in spans:
                for line in explained([span], documents, names, roles.get(span.package or "", ())):
                    lines[line.id, line.what] = line
            if package is None:
                lines |= {(line.id, line.what): line for line in of_denied_guest(documents, names)}
            return in_order(lines.values()), names
        if package is None:
            return of_denied_guest(documents, names), names
        return about_package(package["_id"], documents, names), names

    async def _person(self, name: str) -> Document:
        return await self._found(lambda: self._directory.people_called(name), "person", name)

    async def _package(self, name: str) -> Document:
        return await self._found(lambda: self._directory.packages_called(name), "package", name)

    async def _found(self, look: Callable[[], Awaitable[list[Document]]], kind: str, name: str) -> Document:
        """The one that is called so; waits for the trail to catch up before it says that there is none."""
        found = await self._hearing.once(look)
        if not found:
            raise NotFound(f"The trail knows no {kind} '{name}'.", target=kind)
        if len(found) > 1:
            ids = ", ".join(str(one["_id"]) for one in found[:10])
            raise BadRequest(f"{len(found)} of kind {kind} are called '{name}'. Use an id: {ids}.", target=kind)
        return found[0]


def _person_body(person: Document) -> Document:
    return {
        "id": person["_id"],
        "userPrincipalName": person.get("shownUpn"),
        "employeeId": person.get("employee"),
        "displayName": person.get("name"),
    }


def _of_guest(person: Document, lines: Sequence[Line]) -> str:
    """The last of what a review did with them as a guest, as a further sentence."""
    last = next((line for line in reversed(lines) if line.of_denied_guest), None)
    return f" {person.get('name') or person['_id']} {last.what}." if last is not None else ""


def _line_body(line: Line, names: Names) -> Document:
    body = {
        "at": line.at,
        "effectiveAt": line.effective_at,
        "actor": line.actor,
        "actorName": names.actor(line.actor),
        "kind": line.kind,
        "what": line.what,
        "id": line.id,
        "correlation": line.correlation,
    }
    return {name: value for name, value in body.items() if value is not None}


def _row(span: Span, person: Document, names: Names) -> Document:
    return {
        "personId": span.person,
        "userPrincipalName": person.get("shownUpn"),
        "employeeId": person.get("employee"),
        "displayName": person.get("name"),
        "packageId": span.package,
        "package": names.packages.get(span.package) if span.package else None,
        "groupId": span.group,
        "group": names.groups.get(span.group) if span.group else None,
        "assignmentId": span.assignment,
        "policyId": span.policy,
        "policy": names.policies.get(span.policy) if span.policy else None,
        "from": graph_time(span.since),
        "to": graph_time(span.until) if span.until else None,
        "effectiveFrom": graph_time(span.effective_since),
        "effectiveTo": graph_time(span.effective_until) if span.effective_until else None,
        "actor": span.actor,
        "actorName": names.actor(span.actor),
        "correlation": span.correlation,
        "endActor": span.end_actor,
        "endReason": span.end_reason,
    }
