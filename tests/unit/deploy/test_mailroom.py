"""Letters on their way: one that its topic does not take stops none of the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber

from deploy.run import mailroom
from deploy.run.letters import Letter
from shared.settings import Settings

GROUP = "review.facts"


def letter(offset: int, value: bytes = b"x") -> Letter:
    return Letter(f"a.topic/0/{offset}", "invalid", "", None, b"k", value, (), noted=offset)


async def test_what_is_too_large_stays_open_and_the_others_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, bytes | None]] = []

    @asynccontextmanager
    async def producing(_: Settings) -> AsyncIterator[Any]:
        spent = False

        async def send(topic: str, _partition: int | None, _key: Any, value: bytes | None, _headers: Any) -> None:
            nonlocal spent
            if spent:  # as a broker answers a producer of which it has refused a batch
                raise OutOfOrderSequenceNumber
            if value == b"huge":
                spent = True
                raise MessageSizeTooLargeError
            sent.append((topic, value))

        yield send

    monkeypatch.setattr(mailroom, "_producer", producing)
    which = [(GROUP, one) for one in (letter(1, b"a"), letter(2, b"huge"), letter(3, b"b"), letter(4, b"huge"))]

    assert await mailroom.replay(Settings(), which) == [which[1], which[3]]

    noted = (f"{GROUP}.dead-letters", None)
    assert sent == [("a.topic", b"a"), noted, ("a.topic", b"b"), noted]
