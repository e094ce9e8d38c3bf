"""The public contract of `hr.attribute-changes` and `hr.urgent`, and the answer to what cannot be taken.

This is what HR integrators write against: bare JSON, or a CloudEvent in binary or structured mode around it.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from shared.clock import milliseconds, zoned
from shared.contracts.base import Contract, Refusal
from shared.ids import derived_id


class ChangeKind(StrEnum):
    """What a source says of a person."""

    JOINED = "joined"
    CHANGED = "changed"
    SUSPENDED = "suspended"
    RETURNED = "returned"
    LEFT = "left"
    RESCINDED = "rescinded"


LARGEST_CHANGE = 256 * 1024
"""Bytes. Beyond it are no changes of people but mistakes; what is answered of one, and kept, stays storable."""
_DATE_ALONE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _moment(value: object) -> object:
    """ISO 8601 with or without time. A date alone is midnight UTC, and so is a time without an offset UTC."""
    if isinstance(value, datetime):
        return zoned(value)
    if not isinstance(value, str):
        raise ValueError("must be an ISO 8601 date or date-time, such as 2026-03-01 or 2026-03-01T09:00:00Z")
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError as problem:
        raise ValueError(f"{value!r} is no ISO 8601 date or date-time (2026-03-01, 2026-03-01T09:00:00Z)") from problem
    # Cut to what BSON keeps, so that what is stored equals what was said.
    return milliseconds(zoned(moment))


Moment = Annotated[datetime, BeforeValidator(_moment)]


class HrChange(Contract):
    """One statement of a source about one person. Key: `employeeId`, or `source:employeeId` with several sources."""

    ce_type: ClassVar[str] = "tenure.hr.change.v1"

    change_id: str = Field(
        min_length=1,
        max_length=256,
        description="The same with the same content is a repeat, with other content a correction.",
    )
    employee_id: str = Field(min_length=1, max_length=256, description="The source's own name for the person.")
    source: str = Field("hr", min_length=1, max_length=64)
    kind: ChangeKind
    effective_at: Moment = Field(description="True from then on; without time: midnight UTC.")
    sequence: int | None = Field(
        None,
        ge=-(2**63),
        lt=2**63,
        description="Of two statements about one moment the higher wins, else the later offset.",
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict, description="Graph user properties and 'managerEmployeeId'; null clears."
    )
    rescinds: str | None = Field(None, description="With kind 'rescinded': the changeId taken back.")


def hr_correlation(source: str, employee_id: str, change_id: str) -> str:
    """The correlation of all that follows from one HR change, its corrections included.

    It stays in the audit chain after an erasure, and sources make change ids of employee numbers: hence derived."""
    return derived_id("hr-change", source, employee_id, change_id)


class HrRejection(Contract):
    """The answer to a record, or a part of one, that could not be taken. Nothing is lost: see `original`."""

    ce_type: ClassVar[str] = "tenure.hr.rejection.v1"

    id: str
    change_id: str | None = None
    employee_id: str | None = None
    source: str | None = None
    reason: Refusal
    original: Any = Field(description="The JSON received; base64 text only if it was none.")
    topic: str
    partition: int
    offset: int
    at: datetime
