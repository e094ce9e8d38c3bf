"""Telling rosters, for every service that owns what a review may ask about.

A roster is an aggregate: each step reads the holders beyond the last person told, and its fact is the page. So a crash
neither skips nor doubles a page, and no step holds more than one page in memory. Pages are read one after another while
things go on: a person who comes or goes meanwhile is on the roster or not, but never twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.contracts.base import Refusal, Transition
from shared.contracts.roster import (
    MOST_ENTRIES,
    AskRoster,
    RosterAbout,
    RosterEnded,
    RosterEntry,
    RosterFact,
    RosterPage,
    RosterRefused,
    RosterState,
)
from shared.contracts.topics import Topic
from shared.messaging.decision import AggregateKind, Circumstances, Decision, Due, Handler, by
from shared.messaging.loop import Loop
from shared.messaging.service import Platform, Timer
from shared.messaging.subscription import Subscription
from shared.storage import MongoAggregates

AT_ONCE = 8
"""Rosters that are told side by side in one process."""


@dataclass(frozen=True, slots=True)
class Roster:
    """How far one roster has been told."""

    id: str
    about: RosterAbout
    pages: int = 0
    entries: int = 0
    after: str | None = None
    """The last person who has been told of."""
    done: bool = False
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """The next holders as the owner has them."""

    entries: Sequence[RosterEntry]
    upto: str | None
    """The last person who was looked at, left out or not."""
    over: bool
    """Nobody is beyond."""
    refusal: Refusal | None = None


Reader = Callable[[RosterAbout, str | None, int], Awaitable[Read]]
"""Holders beyond a person, at most so many of them looked at."""


def asked(roster: Roster | None, command: AskRoster, at: Circumstances[Any]) -> Decision[Roster]:
    """Begin. A repeat finds it begun; what it has said is in the log."""
    if roster is not None:
        return Decision(roster)
    return Decision(Roster(command.roster_id, command.about, due_at=at.now))


def told(roster: Roster | None, _due: Due, at: Circumstances[Mapping[str, Read]]) -> Decision[Roster]:
    """The next page, and with the last one how many there were."""
    read = at.context.get(roster.id) if roster is not None else None
    if roster is None or roster.done or read is None:
        return Decision(roster)
    if read.refusal is not None:
        over = replace(roster, done=True, due_at=None)
        return Decision(over, (RosterRefused(reason=read.refusal),))
    said: list[Transition] = []
    if read.entries or not read.over:
        page = RosterPage(number=roster.pages + 1, after=roster.after, upto=read.upto, entries=tuple(read.entries))
        said.append(page)
    moved = replace(
        roster,
        pages=roster.pages + len(said),
        entries=roster.entries + len(read.entries),
        after=read.upto or roster.after,
        done=read.over,
        due_at=None if read.over else at.now,
    )
    if read.over:
        said.append(RosterEnded(pages=moved.pages, entries=moved.entries))
    return Decision(moved, tuple(said))


@dataclass(frozen=True)
class Telling:
    """What a service's wiring takes over."""

    store: MongoAggregates
    subscription: Subscription
    loop: Loop[Roster]
    timer: Timer


def telling(platform: Platform, questions: Topic, rosters: Topic, read: Reader) -> Telling:
    """Rosters of one owner. Connects nothing and starts nothing."""
    store = MongoAggregates(platform.database, "rosters")
    kind = AggregateKind[Roster](
        name=f"{rosters.owner}-roster",
        owner=rosters.owner,
        dump=_dump,
        load=_load,
        topic=rosters,
        fact=RosterFact,
        public=_public,
        due_at=lambda roster: roster.due_at,
    )
    loop = platform.loop(kind, store)

    async def look(_messages: Sequence[Due], states: Mapping[str, Roster | None]) -> Mapping[str, Read]:
        going = [one for one in states.values() if one is not None and not one.done]
        pages = await asyncio.gather(*(read(one.about, one.after, MOST_ENTRIES) for one in going))
        return {one.id: page for one, page in zip(going, pages, strict=True)}

    timer = Timer(loop, Handler(told, by(lambda due: due.id), look), limit=AT_ONCE, steady=True)

    asking = platform.hears(questions, loop, Handler(asked, by(lambda command: command.roster_id)))
    return Telling(store, asking, loop, timer)


def _dump(roster: Roster) -> dict[str, Any]:
    return {
        "id": roster.id,
        "about": roster.about.model_dump(mode="json", by_alias=False),
        "pages": roster.pages,
        "entries": roster.entries,
        "after": roster.after,
        "done": roster.done,
        "due_at": roster.due_at,
    }


def _load(document: dict[str, Any]) -> Roster:
    return Roster(**{**document, "about": RosterAbout.model_validate(document["about"])})


def _public(roster: Roster) -> RosterState:
    return RosterState(id=roster.id, about=roster.about, pages=roster.pages, entries=roster.entries, done=roster.done)
