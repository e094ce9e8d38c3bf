"""What follows from the wish of a review that a guest be blocked, and deleted later (entra-features.md REV-20).

Blocking is a statement of the source `api`, as if an administrator had made it: it is in the timeline, wins and loses
by the same authority, and is undone by `accountEnabled: true`. Statements know which commands were obeyed, so that one
that comes once more, however late, blocks nobody again.
"""

from __future__ import annotations

from dataclasses import replace

from services.directory.decide.countdown import ENABLED, GUEST, HERE, KNOWN, NO_GUEST
from services.directory.decide.people import Around, appeared, known_to
from services.directory.model import Countdown, Person
from services.directory.sources import API
from services.directory.timeline import Statement, TooMany, TooOld, fold, from_ms, stated, to_ms
from shared.contracts.base import Refusal, Transition
from shared.contracts.directory import BlockGuest, GuestBlocked, GuestDeleted, GuestKept, GuestRefused, PersonStatus
from shared.contracts.hr import ChangeKind
from shared.messaging.decision import Circumstances, Decision

GONE = Refusal(code="personNotFound", message="The person is not here any more.")
NOT_OURS = Refusal(code="notAuthoritative", message="Whether accounts are enabled is said by a source, and not here.")
UNPLACED = Refusal(code="tooMany", message="Too much is stated of this person for anything to be added.")


def obey(state: Person | None, command: BlockGuest, at: Circumstances[Around]) -> Decision[Person]:
    """Everything is answered, a repeat too: the review asks again until it has heard an answer."""
    if state is not None and state.timeline.knows(API, _change_id(command)):
        return Decision(state, (_as_it_stands(state, command),))
    if refusal := _why_not(state, at):
        known = state or Person(command.person_id)
        return Decision(known, (GuestRefused(command_id=command.id, reason=refusal),))
    assert state is not None
    now = max(to_ms(at.now), state.as_of)
    blocking = Statement(
        now, 0, 0, API, ChangeKind.CHANGED.value, _change_id(command), {"accountEnabled": False}
    )  # fmt: skip
    try:
        timeline = stated(state.timeline, blocking)
    except (TooMany, TooOld):
        return Decision(state, (GuestRefused(command_id=command.id, reason=UNPLACED),))
    draft = replace(state, timeline=timeline, countdown=_counting(state.countdown, command, now))
    after, happened = appeared(state, draft, at)
    return Decision(after, (*happened, _blocked(after, command, already=False)))


def _change_id(command: BlockGuest) -> str:
    return f"blocked:{command.id}"


def _counting(running: Countdown | None, command: BlockGuest, now: int) -> Countdown:
    """A deletion that is planned keeps its date, whoever else asks for it."""
    if running is not None:
        return replace(running, commands=(*running.commands, command.id))
    ends = now + int(command.delete_after.total_seconds() * 1000)
    return Countdown(now, ends, (command.id,), command.cause.correlation, command.cause.actor)


def _blocked(person: Person, command: BlockGuest, *, already: bool) -> Transition:
    assert person.countdown is not None
    deletes_at = from_ms(person.countdown.deletes_at)
    return GuestBlocked(command_id=command.id, deletes_at=deletes_at, detail=command.detail, already=already)


def _as_it_stands(person: Person, command: BlockGuest) -> Transition:
    """What has become of a command that was obeyed."""
    if person.countdown is not None and command.id in person.countdown.commands:
        return _blocked(person, command, already=True)
    if person.status is PersonStatus.LEFT:
        return GuestDeleted(command_id=command.id)
    return GuestKept(command_id=command.id, reason=ENABLED)


def _why_not(state: Person | None, at: Circumstances[Around]) -> Refusal | None:
    """The first reason against it."""
    if state is None or state.status not in HERE:
        return GONE
    if state.attributes.get("userType") != GUEST:
        return NO_GUEST
    if source := known_to(fold(state.timeline, max(to_ms(at.now), state.as_of))):
        text = f"The source '{source}' knows this person: they leave by what it says, and are not deleted here."
        return Refusal(code=KNOWN, message=text)
    return None if at.context.sources.may_set(API, "accountEnabled") else NOT_OURS
