"""What follows from a sign-in that was reported.

People sign in all day, and whoever asks (a review, an administrator) asks about days. So of what is reported only that
makes a new fact which moves a date that is kept: **a later day, in UTC, or `SPAN` later on the same day**. The days of
the last sign-in and of the last use of each application are always exact. Anything older than what is known changes
nothing, but for the first use of an application, which moves back by whole days: by it reviews know since when uses of
that application are reported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.directory.decide.rejections import rejection
from shared.contracts.base import Refusal
from shared.contracts.signins import AppUse, SignedIn, SignIn, SignInsState
from shared.messaging.decision import Circumstances, Decision

SPAN = timedelta(hours=1)
AHEAD = timedelta(days=1)
"""As far may a sign-in lie in the future: a local time without its offset is read as UTC. Beyond, it would hide the
true ones for as long."""
MOST_APPS = 500
"""Of one person. Of more, those whose last use is the oldest are forgotten, as if they had never been used."""


@dataclass(slots=True)
class HeardSignIn:
    """A valid report, with the record that brought it (none over HTTP)."""

    said: SignIn
    raw: bytes = b""
    key: str = ""
    person_id: str = ""
    """Whose it is, once located."""
    unknown: Refusal | None = None
    """Why that could not be told."""


def signed_in(state: SignInsState | None, heard: HeardSignIn, at: Circumstances[None]) -> Decision[SignInsState]:
    """Keep it, pass it over, or answer why neither."""
    moment = heard.said.at
    if (refusal := heard.unknown or _too_far_ahead(moment, at.now)) is not None:
        return _refused(state, heard, refusal, at)
    app_id = heard.said.app_id.lower() if heard.said.app_id is not None else None
    if state is None:
        first = () if app_id is None else (AppUse(app_id=app_id, first_at=moment, last_at=moment),)
        after = SignInsState(person_id=heard.person_id, last_at=moment, apps=first)
        return Decision(after, (SignedIn(app_id=app_id),))
    apps = state.apps if app_id is None else _used(state.apps, app_id, moment)
    if apps == state.apps and not _moves(state.last_at, moment):
        return Decision(state)
    after = SignInsState(person_id=state.person_id, last_at=max(state.last_at, moment), apps=apps)
    return Decision(after, (SignedIn(app_id=app_id),))


def _moves(last: datetime, moment: datetime) -> bool:
    """Whether it is worth telling that the last one was not then but now."""
    return moment > last and (moment.date() > last.date() or moment - last >= SPAN)


def _used(apps: tuple[AppUse, ...], app_id: str, moment: datetime) -> tuple[AppUse, ...]:
    """With this use; equal to `apps` if it is not worth telling."""
    known = next((one for one in apps if one.app_id == app_id), None)
    if known is None:
        return _newest((*apps, AppUse(app_id=app_id, first_at=moment, last_at=moment)))
    first = moment if moment.date() < known.first_at.date() else known.first_at
    last = moment if _moves(known.last_at, moment) else known.last_at
    if (first, last) == (known.first_at, known.last_at):
        return apps
    return tuple(AppUse(app_id=app_id, first_at=first, last_at=last) if one is known else one for one in apps)


def _newest(apps: tuple[AppUse, ...]) -> tuple[AppUse, ...]:
    if len(apps) <= MOST_APPS:
        return apps
    oldest = min(apps, key=lambda one: one.last_at)
    return tuple(one for one in apps if one is not oldest)


def _too_far_ahead(moment: datetime, now: datetime) -> Refusal | None:
    if moment <= now + AHEAD:
        return None
    text = "'at' lies more than a day ahead: nobody has signed in then. Check the clock and the time zone."
    return Refusal(code="inFuture", message=text)


def _refused(
    state: SignInsState | None, heard: HeardSignIn, refusal: Refusal, at: Circumstances[None]
) -> Decision[SignInsState]:
    """Answered on the topic, or to the caller who waits."""
    if at.position is None:
        return Decision(state, refusal=refusal)
    answer = rejection(at.position, at.now, heard.key, heard.raw, refusal, employee_id=heard.said.employee_id)
    return Decision(state, messages=(answer,))


def who_signed_in(heard: HeardSignIn, by_number: Iterable[str], by_name: str | None) -> None:
    """Say in `heard` whose it is, by those who have the employee id that it states and whoever has the name."""
    if heard.said.employee_id is None:
        people = [by_name] if by_name is not None else []
        stated = "userPrincipalName"
    else:
        people = list(by_number)
        stated = "employeeId"
    heard.person_id = people[0] if people else ""
    heard.unknown = None
    if len(people) > 1:
        text = f"{len(people)} people have this {stated}: say in userPrincipalName alone who signed in."
        heard.unknown = Refusal(code="ambiguousPerson", message=text)
    elif not people:
        text = f"Nobody who has joined has this {stated}. Send it again once they have."
        heard.unknown = Refusal(code="unknownPerson", message=text)
