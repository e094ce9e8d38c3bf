"""Who is an exception: kept, at the end, although something spoke against it."""

from __future__ import annotations

from typing import Any

import pytest

from services.review.exceptions import AGAINST_RECOMMENDATION, OUTSIDE_RULE, exception_said, kinds
from services.review.model import Item
from shared.contracts.review import Advice, ReviewedResource, ReviewStatus, Verdict
from shared.contracts.roster import RosterKind
from tests.unit.review.history.test_history import item, run_of

APPLIED = run_of().having(status=ReviewStatus.APPLIED)
OF_PACKAGE = APPLIED.having(resource=ReviewedResource(kind=RosterKind.PACKAGE, id="pkg"))
RULED = frozenset({"pkg"})


def kept(**more: Any) -> Item:
    return item(decision=Verdict.APPROVE, decided_by="boss", justification="Needed.", **more)


def test_a_reviewer_kept_whom_the_recommendation_would_have_denied() -> None:
    assert kinds(kept(recommendation=Advice.DENY), APPLIED, RULED) == [AGAINST_RECOMMENDATION]
    assert kinds(kept(recommendation=Advice.APPROVE), APPLIED, RULED) == []
    assert kinds(item(decision=Verdict.DENY, recommendation=Advice.DENY), APPLIED, RULED) == []


def test_a_package_that_a_rule_gives_to_others() -> None:
    assert kinds(kept(), OF_PACKAGE, RULED) == [OUTSIDE_RULE]
    assert kinds(kept(recommendation=Advice.DENY), OF_PACKAGE, RULED) == [AGAINST_RECOMMENDATION, OUTSIDE_RULE]
    assert kinds(kept(), OF_PACKAGE, frozenset()) == []
    assert kinds(kept().having(by_rule=True), OF_PACKAGE, RULED) == []


@pytest.mark.parametrize("status", [ReviewStatus.IN_PROGRESS, ReviewStatus.STARTING])
def test_nobody_is_one_while_reviewers_may_still_decide(status: ReviewStatus) -> None:
    assert kinds(kept(recommendation=Advice.DENY), APPLIED.having(status=status), RULED) == []


def test_it_says_why_and_whose_it_is() -> None:
    said = exception_said(kept(recommendation=Advice.DENY), APPLIED, [AGAINST_RECOMMENDATION], {"boss": {"name": "Bo"}})
    assert (said["reason"], said["ownerId"], said["owner"], said["review"]) == ("Needed.", "boss", "Bo", "Quarterly")
