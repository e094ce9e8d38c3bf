"""The public topic `tenure.audit`: signed heads of the trail's hash chains, for keeping elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from shared.contracts.base import Contract


class Checkpoint(Contract):
    """The head of one chain at one moment. Whoever keeps it can tell a cut or rewritten trail. Key: the chain."""

    ce_type: ClassVar[str] = "tenure.audit.checkpoint.v1"

    id: str
    chain: str = Field(description="'<topic>/<partition>'.")
    sequence: int = Field(description="Number of the last record included, from 1.")
    head: str = Field(description="SHA-256 of that record, hex.")
    at: datetime
    key_id: str
    signature: str = Field(description="Ed25519 over the canonical JSON (RFC 8785) of the fields above, base64.")
