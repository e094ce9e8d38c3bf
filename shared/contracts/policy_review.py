"""What an assignment policy says of its reviews. A value inside a `PolicyState`; Graph's
accessPackageAssignmentReviewSettings, read and checked by catalog.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.policy import SubjectSet
from shared.contracts.review import Recurrence


class Unanswered(StrEnum):
    """Graph's accessReviewExpirationBehavior: what becomes of access that nobody has reviewed."""

    KEEP = "keepAccess"
    REMOVE = "removeAccess"
    RECOMMENDATION = "acceptAccessRecommendation"


class PolicyReview(Contract):
    """Each policy's own review, of the assignments made under it (PKR-1)."""

    recurrence: Recurrence = Field(description="A review that is made once is a series of one.")
    duration_in_days: int = Field(ge=1, le=3650)
    self_review: bool = False
    reviewers: tuple[SubjectSet, ...] = Field((), description="Of a self-review: none.")
    fallback_reviewers: tuple[SubjectSet, ...] = ()
    unanswered: Unanswered = Unanswered.KEEP
    recommendations_enabled: bool = True
    justification_required: bool = True
