"""The shape of a decision: values in, values out. Nothing here, and nothing in any `decide`, does I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from shared.contracts.base import Cause, Contract, Fact, Refusal, Transition
from shared.contracts.topics import Topic
from shared.messaging.envelope import Outgoing, Position

S = TypeVar("S")
C = TypeVar("C")
M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)
S_inv = TypeVar("S_inv")


@dataclass(frozen=True, slots=True)
class Decision(Generic[S]):
    """What follows from one message: the new state, what happened, what is to be said besides the fact.

    The very state that came in, and no transitions: nothing happens, nothing is written. A new state without
    transitions is written without a fact (a replica's field inside an aggregate, a repeat remembered).
    """

    state: S | None
    transitions: tuple[Transition, ...] = ()
    messages: tuple[Outgoing, ...] = ()
    refusal: Refusal | None = None
    """For whoever waits for an answer (HTTP): why not."""
    cause: Cause | None = None
    """Of the fact, where the message is not what it is about: a date that came brings in force what was said before."""


@dataclass(frozen=True, slots=True)
class Circumstances(Generic[C]):
    """All that a decision may look at besides state and message."""

    now: datetime
    """The present; for a timer the date it was due, so that a jump of the clock goes from due to due."""
    version: int
    """The number that this decision's fact will have, should there be one."""
    cause: Cause
    context: C
    """What the message refers to, read before (rules, managers)."""
    position: Position | None = None
    degraded: bool = False
    """A message about this aggregate lies in the dead letters: take nothing away automatically."""
    clashes: frozenset[str] = frozenset()
    """Names of unique indexes on which the last attempt clashed with another aggregate."""


class Decide(Protocol[S_inv, M_contra, C]):
    """A pure decision. `state` is None for an aggregate that does not exist."""

    def __call__(self, state: S_inv | None, message: M_contra, at: Circumstances[C], /) -> Decision[S_inv]: ...


@dataclass(frozen=True, slots=True)
class Due:
    """The message of a timer: the earliest date inside the aggregate has come, or it was poked."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Again:
    """The message of a second look: what the decision referred to has changed since it was read."""


def _no_date(_state: Any) -> datetime | None:
    return None


@dataclass(frozen=True)
class AggregateKind(Generic[S]):
    """How one kind of aggregate is kept and spoken of."""

    name: str
    """Names its facts: '<name>:<id>:<version>'."""
    owner: str
    """The service."""
    dump: Callable[[S], dict[str, Any]]
    """State to a BSON-able document (dates as datetimes); indexes are made over its fields."""
    load: Callable[[dict[str, Any]], S]
    topic: Topic | None = None
    fact: type[Fact] | None = None
    public: Callable[[S], Contract] | None = None
    """The state as others see it, for the fact."""
    key: Callable[[S, str], str] = lambda _state, subject: subject
    """Kafka key of its facts from state and id."""
    due_at: Callable[[S], datetime | None] = _no_date
    """The earliest date inside the state at which something has to happen by itself."""
    also: Callable[[S, Fact], tuple[Outgoing, ...]] = lambda _state, _fact: ()
    """Further records for every fact, such as one on a public topic."""

    @property
    def has_dates(self) -> bool:
        """Whether there is anything in it for a timer."""
        return self.due_at is not _no_date


async def _no_context(_messages: Sequence[Any], _states: Mapping[str, Any]) -> Any:
    return None


async def _nothing_moved(_context: Any, _states: Mapping[str, Any]) -> Collection[str]:
    return ()


def _no_second_look(state: S | None, _message: Again, _at: Circumstances[Any]) -> Decision[S]:
    return Decision(state)


@dataclass(frozen=True)
class Handler(Generic[S, M, C]):
    """Which decision a kind of message leads to, and what has to be read for it."""

    decide: Decide[S, M, C]
    locate: Callable[[Sequence[M]], Awaitable[Sequence[str]]]
    """The aggregate each message is about; asked again after a clash on a unique index."""
    look: Callable[[Sequence[M], Mapping[str, S | None]], Awaitable[C]] = _no_context
    """Read before deciding: what the messages refer to."""
    look_again: Callable[[C, Mapping[str, S | None]], Awaitable[Collection[str]]] = _nothing_moved
    """Asked after the write, before the commit: whose decision rests on something that has changed since `look`.

    Gets what is stored now of all that the batch touched; returns ids (others than the batch's too)."""
    again: Decide[S, Again, C] = _no_second_look
    """The decision for those."""


def by(subject: Callable[[M], str]) -> Callable[[Sequence[M]], Awaitable[Sequence[str]]]:
    """A `locate` for messages that name their aggregate themselves."""

    async def locate(messages: Sequence[M]) -> Sequence[str]:
        return [subject(message) for message in messages]

    return locate
