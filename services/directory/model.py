"""Aggregates of the directory and how they are kept: the person with its timeline, the group, the memberships of a
person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from services.directory.properties import MANAGER
from services.directory.timeline import Base, Statement, Timeline, Told, from_ms, identity, joinings, to_ms
from shared.contracts.base import made
from shared.contracts.directory import GroupState, MembershipState, PersonStatus
from shared.contracts.hr import ChangeKind


@dataclass(frozen=True, slots=True)
class Countdown:
    """Reviews have denied a guest: blocked since, and deleted at a date unless somebody enables them before."""

    since: int
    """Milliseconds since 1970, as the next one."""
    deletes_at: int
    commands: tuple[str, ...]
    """All that asked for it, to be answered when it is over."""
    correlation: str
    actor: str
    """Both of the first of them, for what the date brings."""


@dataclass(slots=True)
class Person:
    """Someone in the directory: the timeline, and what is true of them since it was last looked at.

    Never changed once made (not frozen, for that costs three times the time to make one)."""

    id: str
    timeline: Timeline = field(default_factory=Timeline)
    identities: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """Correlation keys, for linking identities of other sources."""
    managers: dict[str, str] = field(default_factory=dict)
    """Manager references that were resolved: identity -> person id."""
    refused_names: tuple[str, ...] = ()
    """User principal names (folded) that somebody else holds."""
    status: PersonStatus = PersonStatus.EXPECTED
    attributes: dict[str, Any] = field(default_factory=dict)
    answered: tuple[str, ...] = ()
    """Which of them are only what the person said of themself: rules do not read these."""
    manager_id: str | None = None
    waits_for: str | None = None
    """Identity of a manager who is not there yet."""
    holds: tuple[str, ...] = ()
    next_at: int | None = None
    calls: int | None = None
    """Joined by date, at this time: those who wait for this person as their manager are still to be called."""
    candidates: tuple[tuple[str, str], ...] = ()
    """Who else this may be: (person id, the correlation rule that says so). Until a human decides."""
    waiting: bool = False
    """Held back for the human: whatever is stated, nobody has joined."""
    apart: bool = False
    """A human said that this is nobody else; keys are not compared any more."""
    linked_to: str | None = None
    """A human said who this is; nothing is left here but where to look."""
    moved: tuple[str, ...] = ()
    """Identities that are found there."""
    countdown: Countdown | None = None
    created: int | None = None
    """When they were first there to be seen, in milliseconds."""
    as_of: int = 0
    """The moment it was last looked at, in milliseconds: what was true then never becomes untrue by a slow clock."""

    @property
    def joined(self) -> bool:
        return self.status is not PersonStatus.EXPECTED

    @property
    def deleted(self) -> bool:
        """Made over HTTP, known to no source, and taken away over HTTP: no user any more, until restored."""
        return self.status is PersonStatus.LEFT and not self.identities

    @property
    def deleted_at(self) -> int | None:
        """Since when, in milliseconds."""
        if not self.deleted:
            return None
        said = [one.effective for one in self.timeline.statements if one.kind == ChangeKind.LEFT.value]
        if said:
            return said[-1]
        return self.timeline.base.upto[0] if self.timeline.base is not None else None

    @property
    def unjoined(self) -> bool:
        """Sources speak of them, and none says that they join, not of any day: they wait for such a word."""
        if self.joined or self.waiting or not self.identities:
            return False
        return next(joinings(self.timeline), None) is None

    @property
    def user_principal_name(self) -> str | None:
        """Folded: unique over all people. Neither who is held back nor who was deleted takes a name from anyone."""
        name = None if self.waiting or self.deleted else self.attributes.get("userPrincipalName")
        return name.casefold() if name else None

    @property
    def due_at(self) -> datetime | None:
        deletes_at = self.countdown.deletes_at if self.countdown is not None else None
        dates = [date for date in (self.calls, self.next_at, deletes_at) if date is not None]
        return from_ms(min(dates)) if dates else None

    def unresolved(self) -> Iterator[str]:
        """Identities of managers that are waited for, or that a later statement will refer to."""
        if self.waits_for is not None:
            yield self.waits_for
        if self.next_at is not None:
            for s in self.timeline.statements:
                if s.effective >= self.next_at and (id := s.attributes.get(MANAGER)) is not None:
                    reference = identity(s.source, id)
                    if reference not in self.managers:
                        yield reference


def dump_person(person: Person) -> dict[str, Any]:
    """As a document. The timeline is one text: nobody queries it, and as a BSON array it would cost much more."""
    document: dict[str, Any] = {
        "id": person.id,
        "status": person.status.value,
        "attributes": person.attributes,
        "manager_id": person.manager_id,
        "holds": person.holds,
        "timeline": _dump_timeline(person),
        "created_at": from_ms(person.created) if person.created is not None else None,
    }
    for name in ("answered", "identities", "keys", "candidates"):
        if some := getattr(person, name):
            document[name] = some
    if person.joined:
        document["joined"] = True
    elif person.unjoined:
        document["unjoined"] = True
    if person.deleted:
        document["deleted"] = True
        document["deleted_at"] = from_ms(at) if (at := person.deleted_at) is not None else None
    if person.waiting:
        document["waiting"] = True
    if person.apart:
        document["apart"] = True
    if person.linked_to is not None:
        document["linked_to"], document["moved"] = person.linked_to, person.moved
    if person.waits_for is not None:
        document["waits_for"] = person.waits_for
    if called := person.user_principal_name:
        document["name"] = called
    if number := person.attributes.get("employeeId"):
        document["number"] = number.casefold()
    if label := person.attributes.get("displayName"):
        document["label"] = label.casefold()
    return document


def _dump_timeline(person: Person) -> str:
    timeline = person.timeline
    said: dict[str, Any] = {
        # Nearly all people have one number in a source, which is left out.
        "statements": [tuple(s) if s.number else s[:-1] for s in timeline.statements],
        "arrivals": timeline.arrivals,
        "as_of": person.as_of,
    }
    if person.managers:
        said["managers"] = person.managers
    if person.refused_names:
        said["refused"] = person.refused_names
    if person.next_at is not None:
        said["next"] = person.next_at
    if person.calls is not None:
        said["calls"] = person.calls
    if (one := person.countdown) is not None:
        said["countdown"] = [one.since, one.deletes_at, one.commands, one.correlation, one.actor]
    if (base := timeline.base) is not None:
        said["base"] = [base.upto, {source: told.row() for source, told in base.told.items()}, base.remembered]
    return orjson.dumps(said).decode()


def load_person(document: Mapping[str, Any]) -> Person:
    """The person in a document that `dump_person` made."""
    said = orjson.loads(document["timeline"])
    base = None
    if (folded := said.get("base")) is not None:
        upto, told, remembered = folded
        base = Base(tuple(upto), {source: Told(*row) for source, row in told.items()}, remembered)
    return Person(
        id=document["id"],
        timeline=Timeline(tuple(map(_statement, said["statements"])), said["arrivals"], base),
        identities=tuple(document.get("identities", ())),
        keys=tuple(document.get("keys", ())),
        managers=said.get("managers", {}),
        refused_names=tuple(said.get("refused", ())),
        status=_STATUS[document["status"]],
        attributes=document["attributes"],
        answered=tuple(document.get("answered", ())),
        manager_id=document["manager_id"],
        waits_for=document.get("waits_for"),
        holds=tuple(document["holds"]),
        next_at=said.get("next"),
        calls=said.get("calls"),
        candidates=tuple((id, rule) for id, rule in document.get("candidates", ())),
        waiting="waiting" in document,
        apart="apart" in document,
        linked_to=document.get("linked_to"),
        moved=tuple(document.get("moved", ())),
        countdown=_countdown(said["countdown"]) if "countdown" in said else None,
        created=to_ms(created) if (created := document.get("created_at")) is not None else None,
        as_of=said["as_of"],
    )


def dump_group(group: GroupState) -> dict[str, Any]:
    """As a document, with the name folded for finding it, and the rule that fills it."""
    document = {**group.model_dump(by_alias=False), "label": group.display_name.casefold()}
    if group.filled_by is not None:
        document["filled_by"] = group.filled_by
    return document


def load_group(document: dict[str, Any]) -> GroupState:
    return GroupState.model_validate({key: value for key, value in document.items() if key != "label"})


@dataclass(frozen=True, slots=True)
class Memberships:
    """How one person stands to groups, by group id. Nothing is ever taken out: `obeyed` must not restart."""

    person_id: str
    by_group: Mapping[str, MembershipState] = field(default_factory=dict)


_MEMBERSHIP = tuple(MembershipState.model_fields)


def dump_memberships(memberships: Memberships) -> dict[str, Any]:
    """As a document: a row a group, and in `member_of`, for finding the members of a group, those that hold."""
    every = memberships.by_group.values()
    return {
        "person_id": memberships.person_id,
        "member_of": [one.group_id for one in every if one.member],
        "by_group": [[getattr(one, name) for name in _MEMBERSHIP] for one in every],
    }


def load_memberships(document: Mapping[str, Any]) -> Memberships:
    every = [made(MembershipState, **dict(zip(_MEMBERSHIP, row, strict=True))) for row in document["by_group"]]
    return Memberships(document["person_id"], {one.group_id: one for one in every})


def _countdown(row: list[Any]) -> Countdown:
    since, deletes_at, commands, correlation, actor = row
    return Countdown(since, deletes_at, tuple(commands), correlation, actor)


_STATUS = {status.value: status for status in PersonStatus}


def _statement(row: list[Any]) -> Statement:
    return Statement(*row)
