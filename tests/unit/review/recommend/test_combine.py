"""One recommendation of all signs: any against it denies, use speaks for it, and nothing else does."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from services.review.recommend import (
    Activity,
    Affiliation,
    Colleague,
    Evidence,
    Jobs,
    Sponsors,
    Use,
    jobs_of,
    recommend,
)

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
ANA = Colleague("ana", "Sales", "Manager")
TEAM = [ANA, *(Colleague(str(number), "Sales", "Manager") for number in range(4))]


def ago(days: int) -> datetime:
    return START - timedelta(days=days)


AFFILIATION = {
    "approve": Affiliation(9, {"ana": 2.0, **{str(n): 2.0 for n in range(8)}}, 2.0, 3.5),
    "deny": Affiliation(9, {"ana": 6.0, **{str(n): 2.0 for n in range(8)}}, 2.0, 3.5),
    "noInfoAvailable": Affiliation(9, {}),
}
SIGNS: dict[str, dict[str, Any]] = {
    "sponsors": {
        "approve": Sponsors(True, 1, 1), "deny": Sponsors(True, 1, 0), "noInfoAvailable": Sponsors(True, 0, 0)
    },
    "activity": {"approve": Activity(ago(3)), "deny": Activity(ago(60)), "noInfoAvailable": Activity(None)},
    "use": {
        "approve": Use(ago(90), ago(9), ago(400)),
        "deny": Use(ago(90), None, ago(400)),
        "noInfoAvailable": Use(ago(90), None, None),
    },
    "affiliation": AFFILIATION,
    "jobs": {
        "approve": jobs_of(TEAM, {"ana", "1"}), "deny": jobs_of(TEAM, {"ana"}), "noInfoAvailable": Jobs({}, {})
    },
}  # fmt: skip
SPEAK_FOR_IT = {"activity", "use", "affiliation"}
OUTCOMES = ("approve", "deny", "noInfoAvailable", None)


def asked(**signs: str | None) -> Evidence:
    return Evidence(ANA, **{name: SIGNS[name][outcome] for name, outcome in signs.items() if outcome is not None})


@pytest.mark.spec("REC-1", "REC-2")
@pytest.mark.parametrize("name", SIGNS)
def test_each_sign_alone_denies_and_only_use_approves(name: str) -> None:
    assert recommend(asked(**{name: "deny"}), START).decision == "deny"
    approved = recommend(asked(**{name: "approve"}), START).decision
    assert approved == ("approve" if name in SPEAK_FOR_IT else "noInfoAvailable")
    assert recommend(asked(**{name: "noInfoAvailable"}), START).decision == "noInfoAvailable"


def test_of_all_combinations() -> None:
    for outcomes in product(OUTCOMES, repeat=len(SIGNS)):
        signs = dict(zip(SIGNS, outcomes, strict=True))
        said = recommend(asked(**signs), START)
        approving = any(signs[name] == "approve" for name in SPEAK_FOR_IT)
        expected = "deny" if "deny" in outcomes else "approve" if approving else "noInfoAvailable"
        assert said.decision == expected, signs
        assert said.reason
        assert said.words
        assert ("shareOfPeers" in said.figures) == (signs["jobs"] is not None), "whatever else is said"


def test_all_that_speaks_against_it_is_said_and_the_weightiest_first() -> None:
    said = recommend(asked(sponsors="deny", activity="deny", jobs="deny", use="approve"), START)
    assert said.reason == "sponsorLeft"
    assert said.words == (
        "A guest. Their sponsor has left. Last signed in on 31 December 2025, 60 days before the review began. "
        "None of the 4 others in the same department with the same title has it."
    )
    assert said.figures["daysSinceSignIn"] == 60


def test_the_look_back_of_the_review_counts() -> None:
    evidence = asked(activity="deny")
    assert recommend(evidence, START, timedelta(days=60)).decision == "approve"


def test_without_any_sign_nothing_is_known() -> None:
    said = recommend(asked(), START)
    assert (said.decision, said.reason, said.figures) == ("noInfoAvailable", "nothingKnown", {})
