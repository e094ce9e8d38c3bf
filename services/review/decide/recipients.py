"""Who hears how a review ended, besides whoever made it: Graph's accessReviewNotificationRecipientItem.

Source: reference/graph-model.md, entra-features.md REV-21."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.review.scope import NotUnderstood, Reviewers, Who, read_reviewers
from shared.contracts.review import ReviewerScope

COMPLETED = "CompletedAdditionalRecipients"
"""The one kind of mail that has additional recipients."""


def read_recipients(said: Iterable[Mapping[str, Any]]) -> list[Reviewers]:
    """People and members of groups. Raises NotUnderstood."""
    return [_read(one) for one in said]


def _read(one: Mapping[str, Any]) -> Reviewers:
    kind = one.get("notificationTemplateType") or COMPLETED
    if kind != COMPLETED:
        raise NotUnderstood(f"notificationTemplateType '{str(kind)[:64]}' is unknown: say {COMPLETED}.")
    scope = one.get("notificationRecipientScope")
    query = scope.get("query") if isinstance(scope, Mapping) else None
    if not isinstance(scope, Mapping) or not isinstance(query, str):
        raise NotUnderstood("notificationRecipientScope needs a query: '/users/{id}' or '/groups/{id}/members'.")
    read = read_reviewers(ReviewerScope(query=query, query_type=str(scope.get("queryType") or "MicrosoftGraph")))
    if read.by_item or (read.who is Who.OWNERS and read.id is None):
        raise NotUnderstood(f"'{query[:200]}' leads to nobody here: name a user, or members or owners of a group.")
    return read
