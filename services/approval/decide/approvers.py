"""Who is asked: from what a policy names to people, as the directory has them now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from services.approval.model import Approval, Stage
from shared.contracts.directory import PersonStatus
from shared.contracts.policy import ApprovalStageSettings, SubjectKind, SubjectSet


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be asked, or whose manager may be."""

    id: str
    status: PersonStatus
    manager_id: str | None = None
    sponsors: tuple[str, ...] = ()
    """People and groups."""
    blocked: bool = False
    """From sign-in, by hand."""

    @property
    def may_sign_in(self) -> bool:
        return self.status is PersonStatus.ACTIVE and not self.blocked


@dataclass(frozen=True, slots=True)
class Directory:
    """What a decision may look at besides the approval. Who is missing is nobody."""

    people: Mapping[str, Person] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By group."""


class Wish(Protocol):
    """What is to be approved."""

    @property
    def person_id(self) -> str: ...
    @property
    def requestor_id(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """Who may decide a stage, and on whom that depends."""

    approvers: tuple[str, ...]
    watched: frozenset[str]


def asked(approval: Approval, stage: Stage, directory: Directory) -> Asked:
    """The primary approvers, or the fallback if these are nobody (APR-3); once escalated the alternates besides.

    Whoever asked, and whoever is to get the access, is never among them (APR-5), nor who cannot sign in."""
    settings = stage.settings
    watched: set[str] = set()
    found = _first_of((settings.primary_approvers, settings.fallback_primary_approvers), approval, directory, watched)
    if stage.escalated:
        sets = (settings.escalation_approvers, settings.fallback_escalation_approvers)
        found |= _first_of(sets, approval, directory, watched)
    return Asked(tuple(sorted(found)), frozenset(watched))


def finds_nobody(settings: ApprovalStageSettings, wish: Wish, directory: Directory) -> bool:
    """Whether the primary approvers are nobody: then others are asked, and told of it, or nobody is."""
    return not _first_of((settings.primary_approvers,), wish, directory, set())


def asking_now(approval: Approval, directory: Directory) -> Approval:
    """The same, with those asked whom the rules lead to now; what was said of people lately may not have been followed
    yet."""
    stage = approval.stage
    if stage is None:
        return approval
    return approval.with_stage(stage.having(approvers=asked(approval, stage, directory).approvers))


def _first_of(ways: Iterable[tuple[SubjectSet, ...]], wish: Wish, directory: Directory, watched: set[str]) -> set[str]:
    """The first of these ways that leads to somebody."""
    for sets in ways:
        named = {id for one in sets for id in _named(one, wish, directory, watched)}
        watched |= named
        found = {id for id in named if _may_decide(id, wish, directory)}
        if found:
            return found
    return set()


def _may_decide(id: str, wish: Wish, directory: Directory) -> bool:
    person = directory.people.get(id)
    themselves = id in {wish.requestor_id, wish.person_id}
    return person is not None and person.may_sign_in and not themselves


def _named(one: SubjectSet, wish: Wish, directory: Directory, watched: set[str]) -> Iterable[str]:
    match one.kind:
        case SubjectKind.SINGLE_USER:
            return [one.id or ""]
        case SubjectKind.GROUP_MEMBERS:
            return directory.members.get(one.id or "", frozenset())
        case SubjectKind.REQUESTOR_MANAGER:
            return _manager(wish.requestor_id or wish.person_id, one.level, directory, watched)
        case SubjectKind.TARGET_MANAGER:
            return _manager(wish.person_id, one.level, directory, watched)
        case SubjectKind.TARGET_SPONSORS:
            watched.add(wish.person_id)
            person = directory.people.get(wish.person_id)
            return _sponsors(person, directory, watched) if person else ()
        case _:
            return ()  # sponsors of organisations: nobody inside has one


def _sponsors(of: Person, directory: Directory, watched: set[str]) -> Iterable[str]:
    """People, and the members of groups, who answer for that person."""
    for id in of.sponsors:
        watched.add(id)
        yield from directory.members.get(id, ()) if id not in directory.people else (id,)


def _manager(of: str, level: int, directory: Directory, watched: set[str]) -> list[str]:
    """The manager at that level above `of`; nobody if the line ends before."""
    above: str | None = of
    for _ in range(level):
        if above is None:
            return []
        watched.add(above)
        person = directory.people.get(above)
        above = person.manager_id if person else None
    return [above] if above is not None else []
