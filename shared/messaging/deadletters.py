"""Dead letters: what will not pass, set aside whole, with all that is needed to replay it.

One topic a consumer group, `<group>.dead-letters`. A letter's id is its origin, 'topic/partition/offset'. Settling a
letter (replayed, discarded) is a further record on the same topic, so the topic tells the whole story.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime

from shared.contracts.topics import Topic
from shared.messaging.envelope import Incoming, Outgoing
from shared.messaging.errors import WillNotPass

ORIGIN = "dead-letter-origin"
CODE = "dead-letter-code"
REASON = "dead-letter-reason"
AT = "dead-letter-at"
BINARY = "dead-letter-binary-headers"
SETTLED = "dead-letter-settled"
SETTLES = "dead-letter-settles"
"""On the record that settles a letter: the offset of the one, on the same topic, that set it aside. A replayed letter
that fails at once may be set aside again before its replay is noted, and then is open all the same."""
REPLAY_FOR = "replay-for"
"""On a replayed record: the only group that is to take it."""
REPLAY_OF = "replay-of"
"""On a replayed record: the letter it was."""
DISCARD_OF = "discard-of"
"""On a control record: the letter that is given up; its mark is taken off and the body is not looked at."""

OURS = frozenset({ORIGIN, CODE, REASON, AT, BINARY, SETTLED, SETTLES, REPLAY_FOR, REPLAY_OF, DISCARD_OF})


Headers = tuple[tuple[str, bytes | None], ...]


def believed(topic: Topic | None, headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """The headers of a record of `topic`, without marks that whoever wrote it had no right to set.

    Strangers write to inbound topics. There a mark counts only for a letter that came by that very topic: who may
    send sign-ins cannot take the mark off a person whose HR change was set aside."""
    if topic is None or not topic.inbound or OURS.isdisjoint([name for name, _ in headers]):
        return tuple(headers)
    own = f"{topic.name}/".encode()
    named = [value or b"" for name, value in headers if name in (REPLAY_OF, DISCARD_OF)]
    if named and all(value.startswith(own) for value in named):
        return tuple(headers)
    return unmarked(headers)


def unmarked(headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """A record's own headers, without the kit's."""
    return tuple((name, value) for name, value in headers if name not in OURS)


def topic_of(group: str) -> str:
    return f"{group}.dead-letters"


def letter_id(record: Incoming) -> str:
    """A replayed record that fails again is the same letter."""
    position = record.position
    return record.header(REPLAY_OF) or f"{position.topic}/{position.partition}/{position.offset}"


def dead_letter(record: Incoming, reason: WillNotPass, group: str, at: datetime) -> Outgoing:
    """`record` as it came, and why it was set aside. Headers that are no text travel as base64 and are named."""
    headers: list[tuple[str, str]] = []
    binary: list[str] = []
    for name, value in record.headers:
        if name in OURS:
            continue
        try:
            headers.append((name, (value or b"").decode()))
        except UnicodeDecodeError:
            headers.append((name, base64.b64encode(value or b"").decode()))
            binary.append(name)
    headers += [
        (ORIGIN, letter_id(record)),
        (CODE, reason.code),
        (REASON, reason.message[:2000]),
        (AT, at.isoformat()),
    ]
    if binary:
        headers.append((BINARY, ",".join(binary)))
    return Outgoing(topic_of(group), record.key, record.value, tuple(headers))
