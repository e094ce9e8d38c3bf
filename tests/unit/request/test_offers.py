"""Who is shown a package, who may ask for it, and under which policy: scope, catalog, hiding, switches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.request.decide import offers
from services.request.decide.scene import Package, Person, Policy, Scene
from services.request.decide.submit import Ask, submit
from shared.contracts.base import Cause
from shared.contracts.catalog import Life, PolicyState
from shared.contracts.directory import PersonStatus
from shared.contracts.organizations import RolesShownTo
from shared.contracts.policy import RequestorSettings, SubjectKind, SubjectSet, TargetScope
from shared.contracts.request import RequestType
from shared.messaging.decision import Circumstances

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ANA = Person("ana", PersonStatus.ACTIVE, None, {"displayName": "Ana"})
BEN = Person("ben", PersonStatus.ACTIVE, None, {"displayName": "Ben"})
GUEST = Person("gil", PersonStatus.ACTIVE, None, {"displayName": "Gil", "userType": "Guest"})
PACKAGE = Package("sales", "Sales", "catalog", Life.ACTIVE)
ONLY_ANA = (SubjectSet(kind=SubjectKind.SINGLE_USER, id="ana"),)
SELF = RequestorSettings(enable_targets_to_self_add_access=True)


def policy(scope: TargetScope = TargetScope.ALL_MEMBERS, **more: Any) -> PolicyState:
    values = {"requestor_settings": SELF, "targets": ONLY_ANA if scope is TargetScope.SPECIFIC_USERS else (), **more}
    return PolicyState(
        id="policy",
        package_id="sales",
        display_name="By request",
        target_scope=scope,
        created_at=NOW,
        modified_at=NOW,
        **values,
    )


def scene(state: PolicyState | None, package: Package = PACKAGE, *, catalog: str = "external") -> Scene:
    """`catalog`: unpublished, published, or external (published, and open to people outside)."""
    return Scene(
        packages={"sales": package},
        policies={"policy": Policy(1, state)} if state else {},
        people={one.id: one for one in (ANA, BEN, GUEST)},
        published=frozenset({"catalog"} if catalog != "unpublished" else ()),
        external=frozenset({"catalog"} if catalog == "external" else ()),
    )


def refusal(person: Person, around: Scene, *, by_admin: bool = False) -> str | None:
    """Why that person, or an administrator for them, cannot ask for the package, if so."""
    type = RequestType.ADMIN_ADD if by_admin else RequestType.USER_ADD
    ask = Ask("r", type, None if by_admin else person.id, person.id, "sales", "policy")
    cause = Cause(id="http:1", correlation="http:1", actor="person:x")
    decision = submit(None, ask, Circumstances(now=NOW, version=1, cause=cause, context=around))
    return decision.refusal.code if decision.refusal else None


def standing(person: Person, around: Scene) -> tuple[bool, bool]:
    """Whether the package is (shown to them, theirs to ask for); what is offered and what is taken never differ."""
    offered = bool(offers.applicable("sales", person, around, NOW))
    assert offered is (refusal(person, around) is None)
    assert offered is ("sales" in offers.requestable(person, around, NOW))
    return "sales" in offers.visible(person, around, NOW), offered


@pytest.mark.spec("POL-2")
@pytest.mark.parametrize(
    ("scope", "ana", "ben", "guest"),
    [
        (TargetScope.SPECIFIC_USERS, True, False, False),
        (TargetScope.ALL_MEMBERS, True, True, False),
        (TargetScope.ALL_USERS, True, True, True),
        (TargetScope.ALL_EXTERNAL, False, False, True),
        (TargetScope.NOT_SPECIFIED, False, False, False),
        (TargetScope.ALL_SERVICE_PRINCIPALS, False, False, False),
        (TargetScope.SPECIFIC_SERVICE_PRINCIPALS, False, False, False),
    ],
)
def test_each_scope_lets_its_people_ask_and_nobody_else(scope: TargetScope, ana: bool, ben: bool, guest: bool) -> None:
    around = scene(policy(scope))
    assert [standing(person, around)[1] for person in (ANA, BEN, GUEST)] == [ana, ben, guest]


@pytest.mark.spec("CAT-2")
def test_of_an_unpublished_catalog_nothing_is_shown_and_nothing_can_be_asked_for() -> None:
    around = scene(policy(), catalog="unpublished")
    assert standing(ANA, around) == (False, False)
    assert refusal(ANA, around) == "catalogUnpublished"


@pytest.mark.spec("CAT-3", "PKG-3")
def test_people_outside_need_a_published_catalog_open_to_them_and_a_policy_for_them() -> None:
    assert standing(GUEST, scene(policy(TargetScope.ALL_EXTERNAL))) == (True, True)
    assert standing(GUEST, scene(policy(TargetScope.ALL_EXTERNAL), catalog="published")) == (False, False)
    assert standing(GUEST, scene(policy(TargetScope.ALL_EXTERNAL), catalog="unpublished")) == (False, False)
    assert standing(GUEST, scene(policy(TargetScope.ALL_MEMBERS))) == (False, False)
    assert standing(ANA, scene(policy(), catalog="published")) == (True, True), "members do not need it open"


@pytest.mark.spec("PKG-2")
def test_a_hidden_package_is_not_shown_and_can_be_asked_for_all_the_same() -> None:
    assert standing(ANA, scene(policy(), replace(PACKAGE, is_hidden=True))) == (False, True)


@pytest.mark.spec("PKG-3")
@pytest.mark.parametrize(
    "state",
    [
        policy(TargetScope.NOT_SPECIFIED),
        policy(life=Life.DELETING),
        policy(rule='user.city -eq "Rome"'),
        policy(requestor_settings=RequestorSettings()),
        policy(requestor_settings=RequestorSettings(enable_on_behalf_requestors_to_add_access=True)),
    ],
)
def test_a_policy_that_takes_no_requests_makes_nothing_visible(state: PolicyState) -> None:
    assert standing(ANA, scene(state)) == (False, False)


@pytest.mark.spec("PKG-4")
def test_what_is_for_specific_people_is_shown_to_all_members_and_stays_for_these() -> None:
    around = scene(policy(TargetScope.SPECIFIC_USERS))
    assert standing(ANA, around) == (True, True)
    assert standing(BEN, around) == (True, False)
    assert standing(GUEST, around) == (False, False)


@pytest.mark.spec("PKG-5")
@pytest.mark.parametrize(
    ("shown_to", "member", "guest"),
    [(RolesShownTo.NOBODY, False, False), (RolesShownTo.MEMBERS, True, False), (RolesShownTo.EVERYONE, True, True)],
)
def test_the_tenant_says_who_is_shown_what_packages_bring(shown_to: RolesShownTo, member: bool, guest: bool) -> None:
    assert (offers.shows_roles(ANA, shown_to), offers.shows_roles(GUEST, shown_to)) == (member, guest)


@pytest.mark.spec("POL-3")
def test_a_policy_that_takes_no_new_requests_takes_none() -> None:
    closed = SELF.model_copy(update={"accept_requests": False})
    around = scene(policy(requestor_settings=closed))
    assert standing(ANA, around) == (False, False)
    assert refusal(ANA, around) == "requestsNotAccepted"
    assert refusal(ANA, around, by_admin=True) is None, "an administrator still assigns"
    direct = scene(policy(TargetScope.NOT_SPECIFIED, requestor_settings=closed))
    assert refusal(ANA, direct, by_admin=True) == "requestsNotAccepted", "under a direct policy nobody does"


@pytest.mark.spec("PKG-1")
def test_without_a_policy_nobody_can_be_assigned() -> None:
    around = scene(None)
    assert standing(ANA, around) == (False, False)
    assert refusal(ANA, around) == refusal(ANA, around, by_admin=True) == "policyNotFound"
