"""What all bodies that catalog reads have in common, and values inside them that are checked the same everywhere."""

from __future__ import annotations

from datetime import timedelta

from shared import durations, rules
from shared.web.errors import BadRequest
from shared.web.graph_model import GraphBody


class Body(GraphBody):
    """A body that callers send."""

    read_only = GraphBody.read_only | {"catalogType"}


def checked_rule(text: str, target: str) -> str:
    """`text`, trimmed. Raises BadRequest that says where it does not parse."""
    try:
        rules.parse(text)
    except rules.RuleError as problem:
        raise BadRequest(
            str(problem),
            code="InvalidMembershipRule",
            target=target,
            details=(
                {
                    "code": "InvalidMembershipRule",
                    "message": problem.message,
                    "target": target,
                    "line": str(problem.line),
                    "column": str(problem.column),
                    "snippet": problem.snippet,
                    "hint": problem.hint,
                },
            ),
        ) from problem
    return text.strip()


def duration_of(text: str, target: str) -> timedelta:
    """ISO 8601 in weeks, days, hours, minutes, seconds. Raises BadRequest."""
    try:
        return durations.duration(text)
    except ValueError as problem:
        raise BadRequest(f"{problem}.", target=target) from problem
