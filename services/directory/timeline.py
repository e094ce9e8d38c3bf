"""What sources stated of one person, and what is true by it at a moment.

Each statement stands with the moment it is about. What is true is folded from them (`fold`): in the order of their
moment, then `sequence`, then arrival; what was stated last about a moment wins; what was rescinded does not count.

**Bounds.** Of someone who has joined, the newest `KEEP` statements stay as they are; older ones are folded into a base
once there are `FOLD_ABOVE`. A statement, correction or rescission about a time before the base can no longer be placed
and is refused (`tooOld`), never dropped in silence. Change ids outlive the folding, the latest `REMEMBERED` of them, so
that a repeat of what was folded is still known as one; a repeat of anything older is refused as too old. Of someone who
has not joined nothing is folded, and at most `MOST_UNFOLDED` statements are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from services.directory.properties import MANAGER, NESTED
from services.directory.sources import ANSWERS, API, Sources
from shared.contracts.directory import PersonStatus

KEEP = 64
FOLD_ABOVE = 96
MOST_UNFOLDED = 512
REMEMBERED = 1024
MOST_SEEN = 16

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970, exactly (no float in between)."""
    span = moment - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000


def from_ms(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)


def identity(source: str, id: str) -> str:
    """How a source's name for a person stands in indexes. Source names have no colon."""
    return f"{source}:{id}"


_NUMBERED = "#"
"""Between a source and one of its numbers. Names of sources have none."""


class Statement(NamedTuple):
    """One statement of one source about one moment. Sorts by (moment, sequence, arrival), which is unique."""

    effective: int
    """Milliseconds since 1970, UTC."""
    sequence: int
    arrival: int
    """Counts what arrived about this person, from 1. Within one partition that is the order of offsets."""
    source: str
    kind: str
    id: str
    attributes: dict[str, Any]
    rescinds: str | None = None
    seen: tuple[tuple[str, int, int], ...] = ()
    """How far each partition was read for this change: ('topic/partition', offset, timestamp), the last one last."""
    number: str = ""
    """Under which number it was stated, of a source that has the person under several; '' for the first of them."""

    @property
    def by(self) -> str:
        """Who states it: each number of a source speaks for itself, of its own changes and its own joining."""
        return f"{self.source}{_NUMBERED}{self.number}" if self.number else self.source

    def says_the_same(self, other: Statement) -> bool:
        return (
            self.effective == other.effective
            and self.kind == other.kind
            and self.sequence == other.sequence
            and self.rescinds == other.rescinds
            and self.attributes == other.attributes
        )

    def has_seen(self, new: Statement) -> bool:
        """Whether `new` was handled before this one, and is only read again after a crash.

        Offsets grow within a partition. Timestamps are asked, too, for a topic that is made anew counts from 0."""
        if not new.seen:
            return False
        (partition, offset, at) = new.seen[-1]
        return any(place == partition and offset <= last and at <= last_at for place, last, last_at in self.seen)


class Told:
    """What one source says of a person under one number, folded up to some moment."""

    __slots__ = ("attributes", "employed", "ever", "fresh", "held")

    def __init__(
        self,
        employed: bool = False,
        ever: bool = False,
        attributes: dict[str, Any] | None = None,
        fresh: dict[str, Any] | None = None,
        held: bool = False,
    ) -> None:
        self.employed = employed
        self.ever = ever
        """Has ever said 'joined'."""
        self.attributes = attributes if attributes is not None else {}
        self.fresh = fresh
        """Stated since they left: with what a new joining begins, for it does not revive the old attributes."""
        self.held = held

    def hears(self, statement: Statement) -> None:
        kind = statement.kind
        if kind == "joined" and not self.employed:
            if self.fresh is not None:
                self.attributes, self.fresh, self.held = self.fresh, None, False
            self.employed = self.ever = True
        elif kind == "left" and self.ever:
            self.employed = False
            if self.fresh is None:
                self.fresh = {}
        elif kind == "suspended":
            self.held = True
        elif kind == "returned":
            self.held = False
        if statement.attributes:
            apply(self.attributes, statement.attributes)
            if self.fresh is not None and kind != "left":
                apply(self.fresh, statement.attributes)

    def copy(self) -> Told:
        fresh = None if self.fresh is None else dict(self.fresh)
        return Told(self.employed, self.ever, dict(self.attributes), fresh, self.held)

    def row(self) -> list[Any]:
        return [self.employed, self.ever, self.attributes, self.fresh, self.held]


def apply(known: dict[str, Any], stated: Mapping[str, Any]) -> None:
    """Take over what is stated: null clears, nested properties are merged by key (and never changed in place)."""
    for name, value in stated.items():
        if value is None:
            known.pop(name, None)
        elif name in NESTED:
            merged = {**known.get(name, {}), **value}
            merged = {key: inner for key, inner in merged.items() if inner is not None}
            if merged:
                known[name] = merged
            else:
                known.pop(name, None)
        else:
            known[name] = value


@dataclass(frozen=True, slots=True)
class Base:
    """The oldest statements, folded. `upto` is the key of the last of them."""

    upto: tuple[int, int, int]
    told: dict[str, Told]
    """By `Statement.by`."""
    remembered: dict[str, str]
    """Digest of a folded change's id -> digest of its content, the oldest first."""


@dataclass(slots=True)
class Timeline:
    """All that is stated of one person. `statements` are sorted; `arrivals` counts what came in. Never changed."""

    statements: tuple[Statement, ...] = ()
    arrivals: int = 0
    base: Base | None = None

    def find(self, by: str, id: str) -> Statement | None:
        """The change of that id, as `by` (`Statement.by`) states it."""
        for statement in self.statements:
            if statement.id == id and statement.by == by:
                return statement
        return None

    def knows(self, by: str, id: str) -> bool:
        """Whether this change has been heard, folded away or not."""
        if self.find(by, id) is not None:
            return True
        return self.base is not None and _digest_of_id(by, id) in self.base.remembered


class TooOld(Exception):
    """About a time before the base: it can no longer be placed."""


class TooMany(Exception):
    """More statements than are kept of someone who has not joined, or lie ahead of someone who has."""


def stated(timeline: Timeline, new: Statement) -> Timeline:
    """The timeline with `new` in it; the very same one if it says nothing new.

    `new.arrival` is set here. Raises TooOld, TooMany."""
    old = timeline.find(new.by, new.id)
    if old is not None:
        if old.says_the_same(new) or old.has_seen(new):
            return timeline
        elsewhere = [mark for mark in old.seen if not new.seen or mark[0] != new.seen[-1][0]]
        new = new._replace(seen=(*elsewhere, *new.seen)[-MOST_SEEN:])
    base = timeline.base
    if base is not None:
        if old is None and (known := base.remembered.get(_digest_of_id(new.by, new.id))):
            if known == _digest_of_content(new):
                return timeline
            raise TooOld
        if (new.effective, new.sequence) < base.upto[:2]:
            raise TooOld
        if new.rescinds is not None and _digest_of_id(new.by, new.rescinds) in base.remembered:
            raise TooOld
    arrival = timeline.arrivals + 1
    new = new._replace(arrival=arrival)
    rest = timeline.statements if old is None else tuple(s for s in timeline.statements if s is not old)
    in_order = not rest or rest[-1] < new
    statements = (*rest, new) if in_order else tuple(sorted((*rest, new), key=_place_in_time))
    if len(statements) > MOST_UNFOLDED:
        raise TooMany
    return Timeline(statements, arrival, base)


def _place_in_time(statement: Statement) -> tuple[int, int, int]:
    return statement[:3]


def taken_back(statements: Iterable[Statement]) -> set[tuple[str, str]]:
    """(`Statement.by`, change id) of what is rescinded. A rescission may itself be rescinded, whatever their dates."""
    by: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for s in statements:
        if s.rescinds is not None:
            by.setdefault((s.by, s.rescinds), []).append((s.by, s.id))
    if not by:
        return set()

    def rescinded(id: tuple[str, str], asking: frozenset[tuple[str, str]]) -> bool:
        return id not in asking and any(not rescinded(one, asking | {id}) for one in by.get(id, ()))

    return {id for id in by if rescinded(id, frozenset())}


_WITHOUT_PEOPLE = frozenset({API, ANSWERS})
"""Sources that have nobody: nobody joins or leaves by their word."""


@dataclass(slots=True)
class View:
    """What is true at one moment."""

    told: dict[str, Told]
    """By source."""
    next_at: int | None
    """When the next statement takes effect, in milliseconds since 1970."""
    later_numbers: Mapping[str, str] = field(default_factory=dict)
    """Of sources that have them under a later number alone: the first such."""

    @property
    def joined(self) -> bool:
        """Has ever joined, by now."""
        return any(told.ever for told in self.told.values())

    @property
    def status(self) -> PersonStatus:
        told = self.told.values()
        if not any(one.ever for one in told):
            return PersonStatus.EXPECTED
        if not any(one.employed for one in told):
            return PersonStatus.LEFT
        return PersonStatus.SUSPENDED if any(one.held for one in told) else PersonStatus.ACTIVE

    @property
    def holds(self) -> tuple[str, ...]:
        """Sources whose hold is in force."""
        return tuple(sorted(source for source, one in self.told.items() if one.held))

    @property
    def _current(self) -> Mapping[str, Told]:
        """Whose word on the person counts: sources that have them, and callers of the API and the person themself, who
        have nobody. Once no source has, all."""
        if not any(one.employed for one in self.told.values()):
            return self.told
        return {name: one for name, one in self.told.items() if one.employed or name in _WITHOUT_PEOPLE}

    def overruled(self, names: Iterable[str], by: str, sources: Sources) -> tuple[str, str] | None:
        """The first of these properties that a source before `by` states, and that source; None if there is none."""
        current = self._current
        for name in names:
            for source in sources.who_may_set(name):
                if source == by:
                    break
                if source in current and name in current[source].attributes:
                    return name, source
        return None

    def attributes(self, sources: Sources) -> dict[str, Any]:
        """By authority: of each property what the first source in its order says that still has the person.

        Once nobody has, of all. Nothing is shared with what is kept."""
        if len(self.told) == 1:
            return dict(next(iter(self.told.values())).attributes)
        current = self._current
        merged: dict[str, Any] = {}
        for one in current.values():
            for name in one.attributes:
                if name not in merged:
                    for source in sources.who_may_set(name):
                        if source in current and name in current[source].attributes:
                            merged[name] = current[source].attributes[name]
                            break
        for name in self.answered(sources):
            merged[name] = self.told[ANSWERS].attributes[name]
        return merged

    def answered(self, sources: Sources) -> tuple[str, ...]:
        """Properties that are what they are because the person answered so, and nobody else sets."""
        said = self.told.get(ANSWERS)
        if said is None or not said.attributes:
            return ()
        others = [one for name, one in self._current.items() if name != ANSWERS]
        return tuple(
            sorted(
                name
                for name in said.attributes
                if sources.may_be_answered(name) and not any(name in one.attributes for one in others)
            )
        )

    def manager(self, sources: Sources) -> str | None:
        """The identity of the manager, as the source with authority names it."""
        current = self._current
        for source in sources.who_may_set(MANAGER):
            if source in current and (id := current[source].attributes.get(MANAGER)) is not None:
                return identity(source, id)
        return None


def fold(timeline: Timeline, now: int) -> View:
    """What is true at `now` (milliseconds since 1970, inclusive)."""
    told, next_at = _folded(timeline, now)
    if not any(_NUMBERED in by for by in told):
        return View(told, next_at)
    numbers: dict[str, dict[str, Told]] = {}
    for by, one in told.items():
        source, _, number = by.partition(_NUMBERED)
        numbers.setdefault(source, {})[number] = one
    under = {source: [number for number, one in of.items() if one.employed] for source, of in numbers.items()}
    later = {source: known[0] for source, known in under.items() if known and "" not in known}
    return View({source: _as_one([*of.values()]) for source, of in numbers.items()}, next_at, later)


def _folded(timeline: Timeline, now: int) -> tuple[dict[str, Told], int | None]:
    """What each says, by `Statement.by`; and when the next statement takes effect."""
    base = timeline.base
    told = {by: one.copy() for by, one in base.told.items()} if base is not None else {}
    gone = taken_back(timeline.statements)
    for s in timeline.statements:
        if s.rescinds is not None or (gone and (s.by, s.id) in gone):
            continue
        if s.effective > now:
            return told, s.effective
        by = s.by
        one = told.get(by)
        if one is None:
            one = told[by] = Told()
        one.hears(s)
    return told, None


def _as_one(several: Sequence[Told]) -> Told:
    """A source has whom it has under any of its numbers; what it says of them is said under those, the later number
    before the earlier. Once it has them under none, all that it said."""
    current = [one for one in several if one.employed] or several
    attributes: dict[str, Any] = {}
    for one in current:
        apply(attributes, one.attributes)
    return Told(
        employed=any(one.employed for one in several),
        ever=any(one.ever for one in several),
        attributes=attributes,
        held=any(one.held for one in current),
    )


def has_joined_by(timeline: Timeline, statement: Statement) -> bool:
    """Whether anyone had said 'joined' when this statement has its effect."""
    if timeline.base is not None and any(one.ever for one in timeline.base.told.values()):
        return True
    return any(one[:3] < statement[:3] for one in joinings(timeline))


def had_joined_by(timeline: Timeline, moment: int) -> bool:
    """Whether anyone had said 'joined' of a time before `moment` (milliseconds since 1970)."""
    if timeline.base is not None and any(one.ever for one in timeline.base.told.values()):
        return True  # of years ago: so much has been said since that it was folded away
    return any(one.effective <= moment for one in joinings(timeline))


def joinings(timeline: Timeline) -> Iterator[Statement]:
    """What says 'joined' and stands, of any day; what is folded into the base is not among it."""
    gone = taken_back(timeline.statements)
    return (one for one in timeline.statements if one.kind == "joined" and (one.by, one.id) not in gone)


def compacted(timeline: Timeline, now: int, joined: bool) -> Timeline:
    """The oldest folded into the base, if there are too many and the person has joined."""
    if len(timeline.statements) <= FOLD_ABOVE or not joined:
        return timeline
    old = timeline.statements[:-KEEP]
    old = tuple(s for s in old if s.effective <= now)
    if not old:
        return timeline
    rest = timeline.statements[len(old) :]
    # A rescission stays as long as what it takes back: either may come first.
    told, _ = _folded(Timeline(_without_rescinded(timeline.statements, old), 0, timeline.base), now)
    if not any(one.ever for one in told.values()):
        return timeline
    remembered = dict(timeline.base.remembered) if timeline.base is not None else {}
    for s in old:
        remembered[_digest_of_id(s.by, s.id)] = _digest_of_content(s)
    while len(remembered) > REMEMBERED:
        del remembered[next(iter(remembered))]
    return Timeline(rest, timeline.arrivals, Base(old[-1][:3], told, remembered))


def _without_rescinded(every: tuple[Statement, ...], some: tuple[Statement, ...]) -> tuple[Statement, ...]:
    gone = taken_back(every)
    return tuple(s for s in some if (s.by, s.id) not in gone and s.rescinds is None)


def _digest_of_id(by: str, id: str) -> str:
    return hashlib.blake2b(f"{by}:{id}".encode(), digest_size=9).hexdigest()


def _digest_of_content(s: Statement) -> str:
    said = [s.effective, s.sequence, s.kind, s.rescinds, s.attributes]
    return hashlib.blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=9).hexdigest()
