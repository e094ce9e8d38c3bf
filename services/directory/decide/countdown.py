"""Whether a guest whom a review denied is still to be deleted, and how that ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.directory.model import Countdown, Person
from shared.contracts.base import Refusal, Transition
from shared.contracts.directory import GuestDeleted, GuestKept, PersonStatus

GUEST = "Guest"
HERE = frozenset({PersonStatus.ACTIVE, PersonStatus.SUSPENDED})

ENABLED = Refusal(code="enabledAgain", message="The account was enabled again: the guest is not deleted.")
NO_GUEST = Refusal(code="noGuest", message="This person is no guest.")
KNOWN = "knownToSource"


def goes_on(countdown: Countdown | None, status: PersonStatus, attributes: Mapping[str, Any]) -> Countdown | None:
    """The countdown, as long as it is about a guest who is here and blocked."""
    if countdown is None or status not in HERE or attributes.get("accountEnabled") is not False:
        return None
    return countdown if attributes.get("userType") == GUEST else None


def ended(before: Person, after: Person) -> tuple[Transition, ...]:
    """The answers to those who asked for it, once it is over; nothing while it goes on."""
    if before.countdown is None or after.countdown is not None:
        return ()
    commands = before.countdown.commands
    if after.status is PersonStatus.LEFT:
        return tuple(GuestDeleted(command_id=id) for id in commands)
    return tuple(GuestKept(command_id=id, reason=_why_kept(after)) for id in commands)


def _why_kept(person: Person) -> Refusal:
    if person.attributes.get("accountEnabled") is not False:
        return ENABLED
    if person.attributes.get("userType") != GUEST:
        return NO_GUEST
    return Refusal(code=KNOWN, message="A source knows this person by now: they leave by what it says.")
