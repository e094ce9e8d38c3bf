"""Messages from records, and why a record is none."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from shared.contracts.base import Cause, Contract, Lane, Message, made
from shared.contracts.topics import BY_NAME, Topic
from shared.messaging.deadletters import DISCARD_OF
from shared.messaging.envelope import Incoming, Position
from shared.messaging.errors import WillNotPass

Decode = Callable[[Incoming], Any]
"""A message from a record. Raises WillNotPass; a contract's own ValidationError counts as that."""


class Lately:
    """What this process has decoded lately. Its services hear the same facts one after another, and a message is never
    changed once made: what the first of them has decoded serves the others."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[Position, tuple[bytes, Contract]] = OrderedDict()

    def decoded(self, contract: type[Contract], record: Incoming, value: bytes) -> Contract:
        """The message that the record's `value` is. Raises ValidationError."""
        known = self._found.get(record.position)
        # By its bytes: places of the same name may be of two deployments, as where tests run several in one process.
        if known is not None and known[0] == value:
            return known[1]
        message = contract.model_validate_json(value)
        self._found[record.position] = (value, message)
        if len(self._found) > self._most:
            self._found.popitem(last=False)
        return message


_LATELY = Lately(1000)


def contract_of(topic: Topic) -> Callable[[Incoming], Contract]:
    """Decodes the topic's contract from JSON."""
    contract: type[Contract] = topic.contract
    return lambda record: _read(contract, record)


def of_its_topic(record: Incoming) -> Contract:
    """The contract of the topic that it came by."""
    return _read(BY_NAME[record.position.topic].contract, record)


def _read(contract: type[Contract], record: Incoming) -> Contract:
    if record.value is None:
        raise WillNotPass("empty", "The record has no body.")
    return _LATELY.decoded(contract, record, record.value)


def saying(*words: bytes) -> Callable[[Incoming], Contract | None]:
    """Decodes as `of_its_topic` what has any of these words in it; None for the rest, which is not looked into."""

    def decode(record: Incoming) -> Contract | None:
        if record.value is not None and not any(word in record.value for word in words):
            return None
        return of_its_topic(record)

    return decode


def decoded(
    records: Sequence[Incoming], decode: Decode
) -> tuple[list[tuple[Incoming, Any]], list[tuple[Incoming, WillNotPass]]]:
    """The records that are messages, and those that are none, each with the reason."""
    good: list[tuple[Incoming, Any]] = []
    bad: list[tuple[Incoming, WillNotPass]] = []
    for record in records:
        try:
            if record.marked and record.header(DISCARD_OF):
                bad.append((record, WillNotPass("discarded", "given up by an operator")))
            else:
                good.append((record, decode(record)))
        except Exception as fault:
            bad.append((record, unreadable(fault)))
    return good, bad


def unreadable(fault: Exception) -> WillNotPass:
    """Why a record is no message, from what its decoding raised."""
    match fault:
        case WillNotPass():
            return fault
        case ValidationError():
            return WillNotPass("invalid", said_briefly(fault))
        case _:
            return WillNotPass("undecodable", f"{type(fault).__name__}: {fault}")


def caused_by(message: Message, record: Incoming) -> Cause:
    """What follows from `message`: caused by it, with its correlation, actor and lane.

    A record on an urgent topic is urgent whatever it says itself."""
    cause = message.cause
    topic = BY_NAME.get(record.position.topic)
    return made(
        Cause,
        id=message.id,
        correlation=cause.correlation,
        actor=cause.actor,
        effective_at=cause.effective_at,
        lane=Lane.URGENT if topic is not None and topic.lane is Lane.URGENT else cause.lane,
    )


def said_briefly(problem: ValidationError) -> str:
    """Where and what, the first few: 'effectiveAt: is no ISO 8601 date; kind: …'. Values are not repeated."""
    parts = []
    for error in problem.errors(include_url=False, include_input=False, include_context=False)[:5]:
        where = ".".join(str(part) for part in error["loc"]) or "body"
        parts.append(f"{where}: {error['msg'].removeprefix('Value error, ')}")
    more = problem.error_count() - len(parts)
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")
