"""The answer to what a source sent and could not be taken, on the public topic."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from shared.contracts import topics
from shared.contracts.base import Refusal
from shared.contracts.hr import HrRejection
from shared.messaging.envelope import Outgoing, Position, enveloped


def rejection(
    position: Position | None,
    now: datetime,
    key: str,
    raw: bytes | None,
    reason: Refusal,
    *,
    part: str = "",
    change_id: str | None = None,
    employee_id: str | None = None,
    source: str | None = None,
) -> Outgoing:
    """The answer on the public topic. Its id derives from where the record lies, so that a repeat says the same."""
    place = position or Position("http", 0, 0)
    id = ":".join(filter(None, (f"{place.topic}/{place.partition}/{place.offset}", reason.code, part)))
    answer = HrRejection(
        id=id, change_id=change_id, employee_id=employee_id, source=source, reason=reason, original=original(raw),
        topic=place.topic, partition=place.partition, offset=place.offset, at=now,
    )  # fmt: skip
    record = enveloped(
        topics.HR_REJECTED, key, answer.json_bytes(), ce_id=id, ce_type=HrRejection.ce_type, source="directory", at=now
    )
    return replace(record, headers=(*record.headers, (REASON, reason.code)))


REASON = "reason"
"""Header of a rejection: its code, for who counts or filters."""


def original(raw: bytes | None) -> Any:
    """The JSON that was received; base64 text if it was none, null if there was nothing."""
    if raw is None:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return base64.b64encode(raw).decode()
