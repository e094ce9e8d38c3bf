"""Separation of duties where Tenure gives: by request, by hand and by rule; packages and groups; one way."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.assignment.api import access_of
from services.assignment.decide.command import obey
from services.assignment.decide.direct import AssignDirectly, EndAssignment, assign_directly, end_assignment
from services.assignment.decide.look import Look, Memberships
from services.assignment.decide.membership import memberships_changed
from services.assignment.decide.person import decided_again, person_changed
from services.assignment.model import Holding, dump, load
from services.assignment.rulebook import Package, Policy, Rulebook
from shared.contracts.assignment import AddAssignment, AssignmentAdded, AssignmentCommand, AssignmentRefused
from shared.contracts.base import Cause
from shared.contracts.catalog import Life
from shared.messaging.decision import Circumstances, Decision
from tests.service.assignment import said

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="person:admin")
SALES = 'user.department -eq "Sales"'


def rules(*, rule: str | None = None) -> Rulebook:
    """`audit` is not for who holds `sales` nor for `auditors`; `rule` gives it."""
    book = Rulebook(epoch=1)
    audit = Package("audit", "Audit", (), Life.ACTIVE, frozenset({"sales"}), frozenset({"auditors"}))
    policies = [Policy(f"by-hand-{id}", id, id, None, None, None, Life.ACTIVE, NOW) for id in ("audit", "sales")]
    if rule is not None:
        policies.append(Policy("by-rule", "audit", "By rule", rule, None, None, Life.ACTIVE, NOW))
    book.put([Package("sales", "Sales", (), Life.ACTIVE), audit], policies)
    return book


def at(book: Rulebook, groups: Collection[str] = ()) -> Circumstances[Look]:
    memberships = {"ana": Memberships(1, frozenset(groups))} if groups else {}
    look = Look(book, book.epoch, memberships=memberships, concerned={"ana"})
    return Circumstances(now=NOW, version=1, cause=CAUSE, context=look)


def kept(decision: Decision[Holding]) -> Holding:
    assert decision.state is not None
    assert load(dump(decision.state)) == decision.state
    return decision.state


def ana(book: Rulebook) -> Holding:
    return kept(person_changed(None, said.person("ana", department="Sales"), at(book)))


def by_hand(
    holding: Holding, package: str, circumstances: Circumstances[Look], policy: str | None = None
) -> Decision[Holding]:
    asked = AssignDirectly(f"a-{package}", "ana", package, policy or f"by-hand-{package}")
    return assign_directly(holding, asked, circumstances)


def by_request(holding: Holding, package: str, circumstances: Circumstances[Look]) -> Decision[Holding]:
    order = AddAssignment(
        assignment_id=f"a-{package}", package_id=package, policy_id=f"by-hand-{package}", kind="requested"
    )
    return obey(
        holding, AssignmentCommand(id="c", cause=CAUSE, person_id="ana", request_id="r", order=order), circumstances
    )


def packages(holding: Holding) -> set[str]:
    return {one.package_id for one in holding.assignments.values()}


@pytest.mark.spec("SOD-2", "SOD-3")
@pytest.mark.parametrize("give", [by_hand, by_request])
def test_holders_of_the_one_cannot_get_the_other_and_the_reverse_is_not_meant(give: object) -> None:
    assert callable(give)
    book = rules()
    sales = kept(give(ana(book), "sales", at(book)))
    refused = give(sales, "audit", at(book))
    assert refused.refusal is not None
    assert refused.refusal.code == "incompatibleAccessPackage"
    assert packages(kept(refused)) == {"sales"}
    audit = kept(give(ana(book), "audit", at(book)))
    assert packages(kept(give(audit, "sales", at(book)))) == {"audit", "sales"}


@pytest.mark.spec("SOD-3")
@pytest.mark.parametrize("give", [by_hand, by_request])
def test_who_is_in_an_incompatible_group_is_given_nothing_though_no_rule_names_that_group(give: object) -> None:
    assert callable(give)
    book = rules()
    refused = give(ana(book), "audit", at(book, {"auditors", "others"}))
    assert refused.refusal is not None
    assert refused.refusal.code == "incompatibleGroup"
    assert packages(kept(give(ana(book), "audit", at(book, {"others"})))) == {"audit"}


@pytest.mark.spec("SOD-3")
def test_a_rule_gives_nothing_against_it_says_so_once_and_gives_when_the_other_has_gone() -> None:
    book = rules()
    sales = kept(by_hand(ana(book), "sales", at(book)))
    book = rules(rule=SALES)
    withheld = decided_again(sales, at(book))
    (refused,) = withheld.transitions
    assert isinstance(refused, AssignmentRefused)
    assert (refused.policy_id, refused.reason.code) == ("by-rule", "incompatibleAccessPackage")
    holding = kept(withheld)
    again = decided_again(holding, at(book))
    assert again.state is holding
    assert not again.transitions
    (shown,) = access_of(holding, 1, book)["withheld"]
    assert shown["package"] == "Audit"
    assert "Sales" in shown["reason"]
    free = kept(end_assignment(holding, EndAssignment("a-sales", "ana"), at(book)))
    assert packages(free) == {"audit"}
    assert not free.withheld


@pytest.mark.spec("SOD-3")
def test_a_rule_looks_at_groups_and_takes_nothing_from_who_comes_into_one_later() -> None:
    book = rules(rule=SALES)
    assert "auditors" in book.groups, "memberships are brought to the holdings"
    before = kept(memberships_changed(None, said.memberships("ana", 1, "Auditors"), at(book)))
    auditor = person_changed(before, said.person("ana", department="Sales"), at(book))
    assert [one.type for one in auditor.transitions] == ["AssignmentRefused"]
    out = memberships_changed(kept(auditor), said.memberships("ana", 2, left=["Auditors"]), at(book))
    assert isinstance(out.transitions[0], AssignmentAdded)
    back = memberships_changed(kept(out), said.memberships("ana", 3, "Auditors"), at(book))
    assert packages(kept(back)) == {"audit"}, "kept by who had it before (SOD-4)"


def test_groups_are_brought_only_as_long_as_a_package_is_kept_from_them() -> None:
    book = rules()
    book.put([replace(book.packages["audit"], incompatible_groups=frozenset({"others"}))])
    assert set(book.groups) == {"others"}
    book.put([replace(book.packages["audit"], life=Life.DELETED)])
    assert not book.groups


@pytest.mark.spec("POL-3")
def test_a_policy_for_direct_assignment_that_takes_nothing_new_gives_nothing() -> None:
    book = rules()
    holding = ana(book)
    book.put((), [replace(book.policies["by-hand-sales"], accepts_by_hand=False)])
    refused = by_hand(holding, "sales", at(book))
    assert refused.refusal is not None
    assert refused.refusal.code == "requestsNotAccepted"
    assert packages(kept(by_request(holding, "sales", at(book)))) == {"sales"}, "taken before it was switched off"
