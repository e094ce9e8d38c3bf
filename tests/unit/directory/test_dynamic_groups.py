"""A group that a rule fills has whoever matches, and nobody puts anybody in or out by other means."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from services.directory.decide.dynamic import FollowRules, Rules, Seen, follow
from services.directory.decide.groups import ChangeGroup, CreateGroup, wish
from services.directory.decide.memberships import Groups, SetByHand, by_hand, command
from services.directory.graph import GroupIn, GroupPatch
from services.directory.model import Memberships
from shared.contracts.base import Cause
from shared.contracts.directory import MembershipRefused, MembershipState, MembershipWish, SetMemberships
from shared.messaging.decision import Circumstances, Decision
from shared.rules import RuleSet, parse
from tests.unit.directory.people import types

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CAUSE = Cause(id="c", correlation="c", actor="source:hr")
SALES, ROME = 'user.department -eq "Sales"', 'user.city -eq "Rome"'
IN_SALES = "user.memberof -any (group.objectId -in ['5a1e5000-0000-4000-8000-000000000000'])"
SALES_GROUP = "5a1e5000-0000-4000-8000-000000000000"


def looked(
    state: Memberships | None, person: Mapping[str, Any] | None, rules: Mapping[str, str], manager: str | None = None
) -> Decision[Memberships]:
    compiled = RuleSet((group, parse(text)) for group, text in rules.items())
    people = {} if person is None else {"ana": Seen(person, manager)}
    return follow(state, FollowRules("ana"), Circumstances(NOW, 1, CAUSE, Rules(compiled, people)))


def members(state: Memberships | None) -> list[str]:
    return sorted(one.group_id for one in state.by_group.values() if one.member) if state else []


def test_whoever_matches_is_in_and_whoever_matches_no_longer_is_out() -> None:
    rules = {"sales": SALES, "rome": ROME}
    first = looked(None, {"department": "sales", "city": "Oslo"}, rules)
    assert (members(first.state), types(first)) == (["sales"], ["MemberAdded"])
    moved = looked(first.state, {"department": "IT", "city": "rome"}, rules)
    assert (members(moved.state), types(moved)) == (["rome"], ["MemberRemoved", "MemberAdded"])
    again = looked(moved.state, {"department": "IT", "city": "Rome"}, rules)
    assert again.state is moved.state


def test_whoever_is_not_active_is_in_none() -> None:
    state = looked(None, {"department": "Sales"}, {"sales": SALES}).state
    assert members(looked(state, None, {"sales": SALES}).state) == []
    assert looked(None, None, {"sales": SALES}).state is None


def test_a_group_that_is_filled_no_longer_keeps_whom_it_has() -> None:
    state = looked(None, {"department": "Sales"}, {"sales": SALES}).state
    assert looked(state, {"department": "IT"}, {}).state is state


def test_what_hands_and_grants_gave_before_is_left_alone() -> None:
    state = Memberships(
        "ana",
        {
            "sales": MembershipState(group_id="sales", member=True, by_hand=True),
            "rome": MembershipState(group_id="rome", member=True, by_grant=True, obeyed=1),
        },
    )
    assert looked(state, {"department": "IT"}, {"sales": SALES, "rome": ROME}).state is state


def test_a_rule_reads_memberships_and_managers() -> None:
    state = Memberships("ana", {SALES_GROUP: MembershipState(group_id=SALES_GROUP, member=True, by_hand=True)})
    assert members(looked(state, {}, {"x": IN_SALES}).state) == [SALES_GROUP, "x"]
    reports = {"x": f'Direct Reports for "{SALES_GROUP}"'}
    assert members(looked(None, {}, reports, SALES_GROUP).state) == ["x"]


def test_neither_hands_nor_grants_put_anybody_in_or_out() -> None:
    at = Circumstances(NOW, 1, CAUSE, Groups({"sales"}, {"sales"}))
    for member in (True, False):
        decision = by_hand(None, SetByHand("sales", "ana", member), at)
        assert decision.refusal is not None
        assert decision.refusal.code == "dynamicGroup"
    asked = MembershipWish(id="w", group_id="sales", member=True, grant_version=1)
    refused = command(None, SetMemberships(id="c", cause=CAUSE, person_id="ana", wishes=(asked,)), at)
    (answer,) = refused.transitions
    assert isinstance(answer, MembershipRefused)
    assert answer.reason.code == "dynamicGroup"


def body(**said: Any) -> dict[str, Any]:
    return {"displayName": "Sales", "groupTypes": ["DynamicMembership"], "membershipRule": SALES, **said}


def test_a_dynamic_group_is_filled_from_the_start_unless_it_is_paused() -> None:
    for state, filled in ((None, SALES), ("On", SALES), ("Paused", None)):
        said = body() if state is None else body(membershipRuleProcessingState=state)
        properties = GroupIn.model_validate(said).properties()
        made = wish(None, CreateGroup("g", properties), Circumstances(NOW, 1, CAUSE, None)).state
        assert made is not None
        assert made.filled_by == filled


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (body(membershipRule=None), "has a membershipRule"),
        (body(groupTypes=[]), "no other has one"),
        (body(groupTypes=["Dynamic"]), "Input should be"),
        (body(membershipRule="user.departmint -eq 1"), "departmint"),
        (body(membershipRule="user.employeeHireDate -ge system.now -plus p1d"), "present date"),
        (body(**{"members@odata.bind": ["https://x.example/v1.0/users/a"]}), "name no members"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        GroupIn.model_validate(said)


def test_a_rule_changes_and_is_given_only_to_groups_that_were_made_with_one() -> None:
    at = Circumstances(NOW, 1, CAUSE, None)
    change = ChangeGroup("g", GroupPatch.model_validate({"membershipRule": ROME}).properties())
    dynamic = wish(None, CreateGroup("g", GroupIn.model_validate(body()).properties()), at).state
    changed = wish(dynamic, change, at).state
    assert changed is not None
    assert changed.filled_by == ROME
    plain = wish(None, CreateGroup("g", GroupIn.model_validate({"displayName": "x"}).properties()), at).state
    refused = wish(plain, change, at)
    assert refused.refusal is not None
    assert refused.refusal.code == "fixed"
    with pytest.raises(ValidationError, match="cannot be null"):
        GroupPatch.model_validate({"membershipRule": None})
