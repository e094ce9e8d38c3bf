"""What provisioning tells: taken over once, whatever lane it comes by, and written only where it is news."""

from datetime import UTC, datetime

from services.assignment.decide.delivery import deliveries_told
from services.assignment.decide.look import Look
from services.assignment.decide.person import person_changed
from services.assignment.model import Holding
from services.assignment.rulebook import Package, Policy, Rulebook
from shared.contracts.base import Cause
from shared.contracts.catalog import Life
from shared.contracts.provisioning import DeliveriesFact, DeliveryStatus
from shared.messaging.decision import Circumstances, Decision
from tests.service.assignment import said

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SALES, DOCS = said.role("sales"), said.role("docs")
ON_ITS_WAY, DONE, FAILED = DeliveryStatus.DELIVERING, DeliveryStatus.DELIVERED, DeliveryStatus.FAILED

BOOK = Rulebook(epoch=1)
BOOK.put(
    [Package("both", "both", ((SALES.key, SALES), (DOCS.key, DOCS)), Life.ACTIVE)],
    [Policy("rule", "both", "rule", 'user.city -eq "Oslo"', None, None, Life.ACTIVE, NOW)],
)


def at(version: int = 2) -> Circumstances[Look]:
    return Circumstances(NOW, version, Cause(id="c", correlation="c", actor="source:test"), Look(BOOK, 1))


def held() -> Holding:
    """Both grants are due since version 1, and nothing is known of their deliveries."""
    holding = person_changed(None, said.person("ana", city="Oslo"), at(1)).state
    assert holding is not None
    return holding


def told(version: int, sales: tuple[DeliveryStatus, int], docs: tuple[DeliveryStatus, int]) -> DeliveriesFact:
    """(status, version of the fact that first said so) of both."""
    return said.deliveries("ana", version, said.delivery(SALES, 1, *sales), said.delivery(DOCS, 1, *docs))


def after(holding: Holding, *facts: DeliveriesFact) -> Decision[Holding]:
    decision = Decision(holding)
    for fact in facts:
        decision = deliveries_told(decision.state, fact, at())
    return decision


def statuses(decision: Decision[Holding]) -> tuple[DeliveryStatus | None, ...]:
    assert decision.state is not None
    return tuple(grant.delivery for grant in decision.state.grants.values())


def test_an_assignment_is_delivered_with_its_last_grant() -> None:
    decision = after(held(), told(1, (DONE, 1), (ON_ITS_WAY, 1)))
    assert (statuses(decision), decision.transitions) == ((DONE, ON_ITS_WAY), ())
    decision = after(held(), told(1, (DONE, 1), (ON_ITS_WAY, 1)), told(2, (DONE, 1), (DONE, 2)))
    assert [(one.type, one.after) for one in decision.transitions] == [("AssignmentProgressed", "delivered")]  # type: ignore[attr-defined]


def test_a_fact_about_something_else_is_not_even_written() -> None:
    state = after(held(), told(1, (DONE, 1), (DONE, 1))).state
    assert state is not None
    other = said.delivery(said.role("elsewhere"), 7, DONE, 2)
    both = (said.delivery(SALES, 1, DONE, 1), said.delivery(DOCS, 1, DONE, 1))
    assert deliveries_told(state, said.deliveries("ana", 2, *both, other), at()).state is state


def test_an_older_fact_in_the_other_lane_undoes_nothing() -> None:
    failed, anew, done = (
        told(1, (FAILED, 1), (DONE, 1)),
        told(2, (ON_ITS_WAY, 2), (DONE, 1)),
        told(3, (DONE, 3), (DONE, 1)),
    )
    for order in ((failed, anew, done), (done, anew, failed), (anew, done, failed), (done, failed, anew)):
        assert statuses(after(held(), *order)) == (DONE, DONE)


def test_the_same_status_again_is_remembered_as_said_later() -> None:
    once = told(1, (DONE, 1), (DONE, 1))
    repaired, back = told(2, (ON_ITS_WAY, 2), (DONE, 1)), told(3, (DONE, 3), (DONE, 1))
    assert statuses(after(held(), once, back, repaired)) == (DONE, DONE), "the repair comes after its end"


def test_an_older_version_of_a_grant_says_nothing() -> None:
    state = held()
    past = said.deliveries("ana", 5, said.delivery(SALES, 0, DONE, 5))
    assert deliveries_told(state, past, at()).state is state
