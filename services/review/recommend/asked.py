"""Which signs a review asks for, by its settings as Graph has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.review.recommend.inactive import LOOK_BACK
from shared.durations import duration


@dataclass(frozen=True, slots=True)
class Asked:
    """Of one instance. Signs for which Graph has no setting are always asked."""

    look_back: timedelta = LOOK_BACK
    app_id: str | None = None
    """Of the application that is reviewed, if it is one."""
    activity: bool = True
    by_application: bool = False
    """Its last use counts instead of the last sign-in to anything."""
    affiliation: bool = False
    """Of a group."""
    jobs: bool = True
    """False: not of all who hold it is it known that they do, so nobody is told that no peer has it."""


def asked_of(
    insights: Sequence[Mapping[str, Any]],
    look_back: timedelta | None,
    *,
    app_id: str | None = None,
    of_group: bool = False,
    jobs: bool = True,
) -> Asked:
    """By `recommendationInsightSettings` and `recommendationLookBackDuration`. Without any insight: the last sign-in,
    of an application's review the last use of it (REC-1). A look-back of the insight's own wins over the review's.

    Raises ValueError for a look-back that is no duration: whoever takes the settings has refused it."""
    if not insights:
        return Asked(look_back or LOOK_BACK, app_id, by_application=app_id is not None, jobs=jobs)
    sign_in = _of_type(insights, "userLastSignInRecommendationInsightSetting")
    own = sign_in.get("recommendationLookBackDuration") if sign_in is not None else None
    return Asked(
        duration(own) if isinstance(own, str) else look_back or LOOK_BACK,
        app_id,
        activity=sign_in is not None,
        by_application=app_id is not None and sign_in is not None and sign_in.get("signInScope") == "application",
        affiliation=of_group and _of_type(insights, "groupPeerOutlierRecommendationInsightSettings") is not None,
        jobs=jobs,
    )


def _of_type(insights: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    return next((one for one in insights if str(one.get("@odata.type", "")).rpartition(".")[2] == name), None)
