"""Which signs a review asks for, by Graph's settings."""

from datetime import timedelta
from typing import Any

import pytest

from services.review.recommend.asked import Asked, asked_of

SIGN_IN = {"@odata.type": "#microsoft.graph.userLastSignInRecommendationInsightSetting"}
OUTLIER = {"@odata.type": "#microsoft.graph.groupPeerOutlierRecommendationInsightSettings"}
WEEK, MONTH = timedelta(days=7), timedelta(days=30)


@pytest.mark.spec("REC-1", "REC-2")
@pytest.mark.parametrize(
    ("insights", "app_id", "of_group", "expected"),
    [
        ([], None, True, Asked(WEEK)),
        ([], "crm", False, Asked(WEEK, "crm", by_application=True)),
        ([SIGN_IN], "crm", False, Asked(WEEK, "crm")),
        ([{**SIGN_IN, "signInScope": "application"}], "crm", False, Asked(WEEK, "crm", by_application=True)),
        ([{**SIGN_IN, "signInScope": "application"}], None, True, Asked(WEEK)),
        ([{**SIGN_IN, "recommendationLookBackDuration": "P30D"}], None, True, Asked(MONTH)),
        ([OUTLIER], None, True, Asked(WEEK, activity=False, affiliation=True)),
        ([SIGN_IN, OUTLIER], None, True, Asked(WEEK, affiliation=True)),
        ([OUTLIER], "crm", False, Asked(WEEK, "crm", activity=False)),
    ],
)
def test_the_settings_say_which_signs_count(
    insights: list[dict[str, Any]], app_id: str | None, of_group: bool, expected: Asked
) -> None:
    assert asked_of(insights, WEEK, app_id=app_id, of_group=of_group) == expected


def test_the_look_back_is_thirty_days_unless_said() -> None:
    assert asked_of([], None).look_back == MONTH
    assert asked_of([SIGN_IN], None).look_back == MONTH
