"""The public topic `tenure.notifications`: what somebody should hear of, for whoever passes it on."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import orjson
from pydantic import Field

from shared.contracts.base import Contract


class Recipient(Contract):
    """Whom it is for."""

    id: str
    user_principal_name: str | None = None
    mail: str | None = None


class Notification(Contract):
    """One thing one person should hear of. Key: the recipient's person id."""

    ce_type: ClassVar[str] = "tenure.notification.v1"

    id: str = Field(description="Stable across repeats: dedupe by it.")
    event: str = Field(
        description="'accessGiven', 'accessTaken', 'accessChanged', 'accessEndsSoon', 'approvalAsked', "
        "'approvalReminded', 'approvalDecided', 'approvalExpired', 'requestApproved', 'requestDenied', "
        "'requestExpired', 'requestFailed', 'reviewAsked', 'reviewReminded', 'reviewTroubled', 'reviewEnded', "
        "'reviewTaken', 'reviewBlocked'."
    )
    recipient: Recipient
    subject: str
    text: str
    link: str | None = None
    about: dict[str, Any] = Field(default_factory=dict)
    due_at: datetime | None = None

    def json_bytes(self) -> bytes:
        """Of the recipient with all that readers look for, null where nothing is known."""
        said = self.model_dump(mode="json", exclude_none=True)
        return orjson.dumps(said | {"recipient": self.recipient.model_dump(mode="json")})
