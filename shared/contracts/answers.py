"""What people answered when they asked for access, on its way into the directory."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from shared.contracts.base import Command


class AnswersCommand(Command):
    """Answers become properties of a person for as long as the access lasts that they were given for. Key: person."""

    ce_type: ClassVar[str] = "tenure.directory.answers.v1"
    person_id: str
    assignment_id: str = Field(description="What they were given for; of another assignment they are told apart.")
    said_at: datetime
    values: dict[str, str | None] = Field(
        description="User property or extension -> answer; null takes back what was said for this assignment."
    )
