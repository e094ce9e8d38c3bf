"""The answer to what a source sent and could not be taken, on the public topic."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from pydantic_core import from_json

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
        id=id, change_id=change_id, employee_id=employee_id, source=source, reason=reason, original=None,
        topic=place.topic, partition=place.partition, offset=place.offset, at=now,
    )  # fmt: skip
    # What is not known is said as null, so that readers find every field of the contract.
    body = orjson.dumps(answer.model_dump(mode="json") | {"original": original(raw)})
    record = enveloped(topics.HR_REJECTED, key, body, ce_id=id, ce_type=HrRejection.ce_type, source="directory", at=now)
    return replace(record, headers=(*record.headers, (REASON, reason.code)))


REASON = "reason"
"""Header of a rejection: its code, for who counts or filters."""


def original(raw: bytes | None) -> Any:
    """For `orjson.dumps`: the very JSON that was received; base64 text if it was none, null if there was nothing.

    JSON that is nested too deeply for whoever reads the answer counts as none."""
    if raw is None:
        return None
    try:
        orjson.loads(raw)  # as it stands, and then as the part of a whole that it becomes
        from_json(b"[%b]" % raw)
    except ValueError:
        return base64.b64encode(raw).decode()
    return orjson.Fragment(raw)
