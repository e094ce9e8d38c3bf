"""What a human decides about an identity that may be somebody else's.

An identity whose correlation keys point at different people waits: its statements are kept in a person of its own who
has not joined, whatever they say. A human then links it to one of the people, or keeps it apart.

Linking moves statements and identities, and nothing else: each statement is said again as its source said it, finds the
person it is linked to, and is folded into that timeline by its moment, its sequence and then its arrival, under the
authority of sources and with an answer if it cannot be taken. What is left behind says where the identity went.
**Not merged** are two people who have both joined (neither their assignments nor their memberships): whoever joined
before the doubt came up is only listed, keeps what they have, and can be kept apart but not linked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from services.directory.decide.people import Around, appeared, said_again
from services.directory.model import Person
from services.directory.timeline import Statement, from_ms, to_ms
from shared.contracts.base import Refusal
from shared.contracts.directory import IdentityKeptApart, IdentityLinked
from shared.contracts.hr import ChangeKind, HrChange
from shared.contracts.topics import HR_URGENT
from shared.messaging.decision import Circumstances, Decision


@dataclass(frozen=True, slots=True)
class Link:
    """`person_id`, who waits, is `target_id`, who has joined."""

    person_id: str
    target_id: str


@dataclass(frozen=True, slots=True)
class KeepApart:
    """`person_id` is none of those it may be."""

    person_id: str


def link(state: Person | None, command: Link, at: Circumstances[Around]) -> Decision[Person]:
    """Give all that was stated of someone who waits to the person they are. Done already: nothing happens."""
    if state is not None and state.linked_to == command.target_id:
        return Decision(state)
    if state is None or not state.waiting:
        text = "Only an identity that waits for a decision can be linked; people who have joined are not merged."
        return Decision(state, refusal=Refusal(code="notWaiting", message=text))
    if command.target_id == state.id:
        text = "An identity cannot be linked to the person that it waits in."
        return Decision(state, refusal=Refusal(code="notAPerson", message=text))
    left = Person(state.id, linked_to=command.target_id, moved=state.identities, as_of=state.as_of)
    again = tuple(said_again(change, at.now, urgent) for change, urgent in _changes(state))
    return Decision(left, (IdentityLinked(person_id=command.target_id),), again)


def keep_apart(state: Person | None, _command: KeepApart, at: Circumstances[Around]) -> Decision[Person]:
    """Let someone who waits be a person of their own, from now on as their statements say."""
    if state is not None and state.apart:
        return Decision(state)
    if state is None or not state.candidates:
        text = "Nobody has to decide about this identity."
        return Decision(state, refusal=Refusal(code="notWaiting", message=text))
    # Forgotten, so that a name that somebody else has by now is refused and not fought for.
    attributes = {} if state.waiting else state.attributes
    released = replace(state, candidates=(), waiting=False, apart=True, attributes=attributes)
    after, happened = appeared(state, released, at)
    if after.joined and not state.joined:
        after = replace(after, calls=to_ms(at.now))
    return Decision(after, (IdentityKeptApart(), *happened))


def _changes(person: Person) -> Iterator[tuple[HrChange, bool]]:
    """The statements as their sources said them, in order, and whether urgently.

    Whoever waits has never joined, so that nothing was folded away."""
    by_source: dict[str, str] = {}
    for one in person.identities:
        source, _, id = one.partition(":")
        by_source.setdefault(source, id)
    for s in person.timeline.statements:
        urgent = any(place.startswith(f"{HR_URGENT.name}/") for place, _, _ in s.seen)
        yield _change(s, by_source[s.source]), urgent


def _change(s: Statement, employee_id: str) -> HrChange:
    return HrChange(
        change_id=s.id,
        employee_id=employee_id,
        source=s.source,
        kind=ChangeKind(s.kind),
        effective_at=from_ms(s.effective),
        sequence=s.sequence or None,
        attributes=s.attributes,
        rescinds=s.rescinds,
    )
