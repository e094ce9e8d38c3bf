"""Which items go on to the next stage."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.review.decide.items import goes_on
from shared.contracts.review import Advice, Verdict


@pytest.mark.spec("REV-15")
@pytest.mark.parametrize(
    ("passing", "decision", "advice", "expected"),
    [
        (None, Verdict.DENY, Advice.NO_INFO, True),
        (("Approve",), Verdict.APPROVE, Advice.NO_INFO, True),
        (("Approve",), Verdict.DENY, Advice.NO_INFO, False),
        (("NotReviewed", "DontKnow"), Verdict.DONT_KNOW, Advice.NO_INFO, True),
        (("Recommendation",), Verdict.APPROVE, Advice.DENY, True),
        (("Recommendation",), Verdict.APPROVE, Advice.APPROVE, False),
    ],
)
def test_what_goes_on_to_the_next_stage(
    passing: tuple[str, ...] | None, decision: Verdict, advice: Advice, expected: bool
) -> None:
    stage = SimpleNamespace(settings=SimpleNamespace(moves_on=passing))
    item: Any = SimpleNamespace(stage=0, decision=decision, recommendation=advice)
    instance: Any = SimpleNamespace(current=1, stages=(stage, stage))

    assert goes_on(item, instance) is expected
