"""What follows from a wish about the sponsors of a person: who answers for a guest.

The list is a property that the source `api` states, so that it travels in the person's facts as all properties do. It
is made here, of what is true when it is decided: two who add sponsors at once both have their way.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.directory.decide import people
from services.directory.decide.people import Around, Heard
from services.directory.model import Person
from services.directory.properties import MOST_ITEMS, SPONSORS
from services.directory.sources import API
from shared.contracts.base import Refusal
from shared.contracts.hr import ChangeKind, HrChange
from shared.messaging.decision import Circumstances, Decision


@dataclass(frozen=True, slots=True)
class SetSponsor:
    """`sponsor_id`, a person or a group, is a sponsor of `person_id` from now on, or is none any more."""

    person_id: str
    sponsor_id: str
    stands: bool


def wish(state: Person | None, asked: SetSponsor, at: Circumstances[Around]) -> Decision[Person]:
    """Add or remove one. Refused if it is so already, as Graph does."""
    known: list[str] = list(state.attributes.get(SPONSORS, ())) if state is not None else []
    if asked.stands and asked.sponsor_id in known:
        text = "One or more added object references already exist for the following modified properties: 'sponsors'."
        return Decision(state, refusal=Refusal(code="alreadyReferenced", message=text))
    if not asked.stands and asked.sponsor_id not in known:
        text = f"Resource '{asked.sponsor_id[:100]}' is no sponsor of this person."
        return Decision(state, refusal=Refusal(code="ResourceNotFound", message=text))
    if asked.stands and len(known) >= MOST_ITEMS:
        text = f"A person has at most {MOST_ITEMS} sponsors."
        return Decision(state, refusal=Refusal(code="tooMany", message=text))
    now = [*known, asked.sponsor_id] if asked.stands else [id for id in known if id != asked.sponsor_id]
    said = HrChange(
        change_id=f"sponsors:{at.cause.id}",
        employee_id=asked.person_id,
        source=API,
        kind=ChangeKind.CHANGED,
        effective_at=at.now,
        attributes={SPONSORS: now or None},
    )
    return people.change(state, Heard(said, person_id=asked.person_id), at)
