"""A denied role of entitlement management: who is asked to take it, and what the answer means."""

from __future__ import annotations

import orjson
import pytest

from services.review.decide import applying, instances, items
from services.review.decide.items import Apply, Look
from services.review.model import Instance, Item
from shared.contracts.base import Cause
from shared.contracts.catalog import Deleted, RoleAssignmentFact, RoleAssignmentState, RoleEndObeyed
from shared.contracts.review import ApplyResult, ReviewedResource, ReviewStatus, Verdict
from shared.contracts.roster import NESTED, RosterKind
from shared.contracts.topics import CATALOG_ROSTER_QUESTIONS, ROLE_ASSIGNMENT_COMMANDS
from shared.messaging.decision import Circumstances
from shared.security.roles import CatalogRole
from tests.unit.review.test_denied_guests import NOW, instance

CAUSE = Cause(id="c", correlation="review:i", actor="person:boss")
OWNERS = ReviewedResource(kind=RosterKind.GOVERNANCE_ROLE, id=CatalogRole.OWNER.value, catalog_id="sales")


def of_owners() -> Instance:
    before = instance()
    settings = before.definition.settings.model_copy(update={"disable_and_delete": False})
    return before.having(resource=OWNERS, definition=before.definition.model_copy(update={"settings": settings}))


def denied(role: str = "Member") -> Item:
    return Item(
        "x", "i", "d", "ana", None, role, "r1", None, "Member", False, False, decision=Verdict.DENY, decided_by="boss"
    )  # fmt: skip


def test_catalog_is_asked_who_has_it_for_that_catalog() -> None:
    record = instances.question(of_owners(), Circumstances(NOW, 1, CAUSE, instances.Look()))
    assert record.topic == CATALOG_ROSTER_QUESTIONS.name
    about = orjson.loads(record.value or b"")["about"]
    assert (about["kind"], about["catalogId"]) == ("governanceRole", "sales")
    elsewhere = OWNERS.model_copy(update={"catalog_id": None})
    assert instances.resource_key(OWNERS) != instances.resource_key(elsewhere), "an instance each"


def test_a_denied_role_is_taken_by_catalog_and_only_that_one() -> None:
    at = Circumstances(NOW, 1, CAUSE, Look({"i": of_owners()}))
    decision = items.apply(denied(), Apply("x"), at)
    [record] = decision.messages
    assert (record.topic, record.key) == (ROLE_ASSIGNMENT_COMMANDS.name, b"r1")
    assert orjson.loads(record.value or b"")["roleAssignmentId"] == "r1"
    assert of_owners().status is ReviewStatus.APPLYING


@pytest.mark.parametrize(("already", "result"), [(False, ApplyResult.APPLIED), (True, ApplyResult.NOT_FOUND)])
def test_what_came_of_it(already: bool, result: ApplyResult) -> None:
    answer = RoleEndObeyed(command_id="review-item:x", already=already)
    state = RoleAssignmentState(
        id="r1", role_definition_id=CatalogRole.OWNER.value, principal_id="ana", principal_kind="user", created_at=NOW
    )
    fact = RoleAssignmentFact(
        id="role-assignment:r1:2", cause=CAUSE, subject="r1", version=2, at=NOW, transitions=(Deleted(), answer),
        state=state,
    )  # fmt: skip
    again = RoleAssignmentFact.model_validate_json(fact.json_bytes())
    [found] = applying.answers_in(again)
    assert (found.command_id, found.result) == ("review-item:x", result)


def test_whoever_has_it_by_a_group_keeps_it_and_it_is_said_why() -> None:
    at = Circumstances(NOW, 1, CAUSE, Look({"i": of_owners()}))
    decision = items.apply(denied(NESTED), Apply("x"), at)
    assert decision.messages == ()
    assert decision.state is not None
    assert (decision.state.result, decision.state.detail) == (ApplyResult.NOT_SUPPORTED, applying.BY_A_GROUP)
