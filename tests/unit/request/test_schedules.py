"""From when until when, as Graph's JSON says it."""

from typing import Any

import pytest

from services.request import graph
from shared.web.errors import BadRequest

END, SPAN = "2030-01-01T00:00:00Z", "P7D"


@pytest.mark.parametrize(
    "expiration",
    [
        {"type": "afterDuration"},
        {"type": "afterDateTime"},
        {"type": "afterDuration", "duration": SPAN, "endDateTime": END},
        {"type": "afterDateTime", "duration": SPAN, "endDateTime": END},
        {"duration": SPAN},
        {"endDateTime": END},
        {"type": "noExpiration", "duration": SPAN},
        {"type": "notSpecified", "endDateTime": END},
    ],
)
def test_an_end_is_said_once(expiration: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as refused:
        graph.schedule_of(graph.ScheduleIn.model_validate({"expiration": expiration}))
    assert refused.value.target == "schedule/expiration"


def test_an_end_of_nothing_is_none() -> None:
    never = {"type": "noExpiration", "duration": "PT0S", "endDateTime": None}
    assert graph.schedule_of(graph.ScheduleIn.model_validate({"expiration": never})).never_ends
