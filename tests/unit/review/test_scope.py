"""Graph's scopes read: what is reviewed, by whom, and what is refused with a sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.review.scope import NotUnderstood, Reviewers, Scope, Who, read_reviewers, read_scope
from shared.contracts.review import ReviewedResource, ReviewerScope
from shared.contracts.roster import RosterKind
from shared.security.roles import CatalogRole

G = "a6c2ce2c-0b1c-4a9b-8d3c-1f4f4d6e5b10"
P = "b6c2ce2c-0b1c-4a9b-8d3c-1f4f4d6e5b10"
Q = "c6c2ce2c-0b1c-4a9b-8d3c-1f4f4d6e5b10"
GROUP = ReviewedResource(kind=RosterKind.GROUP, id=G)
DIRECT = ReviewedResource(kind=RosterKind.GROUP, id=G, direct=True)
WITH_GROUPS = ReviewedResource(kind=RosterKind.GROUP, id=G, direct=True, groups=True)
KEEPER = CatalogRole.OWNER.value
KEEPERS = ReviewedResource(kind=RosterKind.GOVERNANCE_ROLE, id=KEEPER)
RM = "/roleManagement/entitlementManagement"
UNIFIED = {"query": "/groups?$filter=(groupTypes/any(c:c+eq+'Unified'))&$count=true"}
GUESTS = "?$count=true&$filter=(userType eq 'Guest')"


def query(text: str, **more: Any) -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.accessReviewQueryScope", "query": text, **more}


def memberships(principals: str, *resources: str) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.principalResourceMembershipsScope",
        "principalScopes": [query(principals)],
        "resourceScopes": [query(one) for one in resources],
    }


def inactive(text: str) -> dict[str, Any]:
    kind = "#microsoft.graph.accessReviewInactiveUsersQueryScope"
    return {"@odata.type": kind, "query": text, "inactiveDuration": "P30D"}


@pytest.mark.spec("REV-2", "REV-3", "REV-4", "PKR-1")
@pytest.mark.parametrize(
    ("scope", "enumeration", "expected"),
    [
        (query(f"/groups/{G}/transitiveMembers"), None, Scope((GROUP,))),
        (query(f"/v1.0/groups/{G}/transitiveMembers/microsoft.graph.user"), None, Scope((GROUP,))),
        (query(f"/groups/{G}/members"), None, Scope((WITH_GROUPS,), direct=True)),
        (query(f"/groups/{G}/members/microsoft.graph.user"), None, Scope((DIRECT,), direct=True)),
        (query(f"/groups/{G}/members{GUESTS}"), None, Scope((DIRECT,), guests_only=True, direct=True)),
        (inactive(f"/groups/{G}/members"), None, Scope((DIRECT,), inactive_for=timedelta(days=30), direct=True)),
        (
            {**memberships("/users", f"/groups/{G}/members"), "principalScopes": [query("/users"), query("/groups")]},
            None,
            Scope((WITH_GROUPS,)),
        ),
        (query(f"{RM}/roleDefinitions/{KEEPER}"), None, Scope((KEEPERS,))),
        (
            query(f"{RM}/roleAssignments?$filter=roleDefinitionId eq '{KEEPER}' and appScopeId eq '/'"),
            None,
            Scope((KEEPERS,)),
        ),
        (
            query(
                f"{RM}/roleAssignments?$filter=(roleDefinitionId eq '{KEEPER}' and "
                f"appScopeId eq '/AccessPackageCatalog/{P}')"
            ),
            None,
            Scope((KEEPERS.model_copy(update={"catalog_id": P}),)),
        ),
        (
            query(f"/groups/{G}/transitiveMembers/microsoft.graph.user/{GUESTS}"),
            None,
            Scope((GROUP,), guests_only=True),
        ),
        (
            {
                "@odata.type": "#microsoft.graph.accessReviewInactiveUsersQueryScope",
                "query": f"/groups/{G}/transitiveMembers",
                "inactiveDuration": "P30D",
            },
            None,
            Scope((GROUP,), inactive_for=timedelta(days=30)),
        ),
        (
            query(f"./members/microsoft.graph.user/{GUESTS}"),
            UNIFIED,
            Scope(every_group=True, guests_only=True, direct=True),
        ),
        (
            query(
                "/identityGovernance/entitlementManagement/accessPackageAssignments"
                f"?$filter=(accessPackageId eq '{P}' and assignmentPolicyId eq '{Q}')"
            ),
            None,
            Scope((ReviewedResource(kind=RosterKind.PACKAGE, id=P, policy_id=Q),)),
        ),
        (
            memberships("/users", f"/servicePrincipals/{P}", f"/groups/{G}/transitiveMembers"),
            None,
            Scope((ReviewedResource(kind=RosterKind.APPLICATION, id=P), GROUP)),
        ),
        (
            {
                **memberships("/users", f"/groups/{G}/members", "/groups"),
                "principalScopes": [query(f"/users{GUESTS}"), inactive("/users"), query("/users")],
            },
            None,
            Scope((DIRECT,), every_group=True),
        ),
        (
            memberships(f"/users{GUESTS}", f"/beta/roleManagement/directory/roleDefinitions/{P}"),
            None,
            Scope((ReviewedResource(kind=RosterKind.DIRECTORY_ROLE, id=P),), guests_only=True),
        ),
        (
            query(
                "/roleManagement/directory/roleAssignmentScheduleInstances?$expand=principal&$filter="
                "(assignmentType eq 'Assigned' and isof(principal,'microsoft.graph.user') "
                f"and roleDefinitionId eq '{P}')"
            ),
            None,
            Scope((ReviewedResource(kind=RosterKind.DIRECTORY_ROLE, id=P),)),
        ),
    ],
)
def test_scopes(scope: dict[str, Any], enumeration: dict[str, Any] | None, expected: Scope) -> None:
    assert read_scope(scope, enumeration) == expected


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (query("/subscriptions/1", queryType="ARM"), "roles on Azure resources"),
        (query("./members"), "instanceEnumerationScope"),
        (query("/devices"), "none that can be reviewed"),
        (query(f"/groups/{G}/members?$filter=(department eq 'x')"), "only guests"),
        (query(""), "needs a query"),
        (memberships("/devices", f"/groups/{G}"), "principalScopes"),
        (memberships("/users", f"/groups/{G}/transitiveMembers/{GUESTS}"), "say whom in principal"),
        (query(f"/servicePrincipals/{P}/appRoleAssignedTo?$filter=appRoleId eq '{Q}'"), "leave the filter out"),
        (memberships("/users", "/groups?$filter=startswith(displayName,'Sales')"), "type 'Unified'"),
        (
            {
                **memberships(f"/users{GUESTS}", f"/groups/{G}"),
                "principalScopes": [query(f"/users{GUESTS}"), inactive("/users")],
            },
            "not reviewed together",
        ),
        (
            {
                "@odata.type": "#microsoft.graph.accessReviewInactiveUsersQueryScope",
                "query": f"/groups/{G}/members",
                "inactiveDuration": "P800D",
            },
            "730 days",
        ),
    ],
)
def test_what_is_not_understood_is_refused_saying_what_would_be(scope: dict[str, Any], said: str) -> None:
    with pytest.raises(NotUnderstood, match=said):
        read_scope(scope)


UNIFIED_TYPE = "groupTypes/any(c:c eq 'Unified')"
TEAMS = "resourceProvisioningOptions/Any(x:x eq 'Team')"


@pytest.mark.parametrize(
    "groups",
    [UNIFIED_TYPE, f"({UNIFIED_TYPE})", f"({UNIFIED_TYPE} and {TEAMS})", f"({UNIFIED_TYPE} and {TEAMS}')"],
)
def test_every_group_is_asked_for_by_its_type(groups: str) -> None:
    teams = TEAMS in groups
    assert read_scope(query("./members"), query(f"/groups?$filter={groups}")) == Scope(
        every_group=True, direct=True, teams_only=teams
    )


def test_of_several_kinds_of_groups_the_wider_one_counts() -> None:
    teams, all_of_them = (f"/groups?$filter={one}" for one in (f"{UNIFIED_TYPE} and {TEAMS}", UNIFIED_TYPE))
    assert read_scope(memberships("/users", teams)).teams_only
    assert not read_scope(memberships("/users", teams, all_of_them)).teams_only
    assert not read_scope(memberships("/users", f"/groups/{G}")).teams_only


@pytest.mark.parametrize(
    "groups",
    [
        f"{UNIFIED_TYPE} and startswith(displayName,'Sales')",
        f"not({UNIFIED_TYPE})",
        f"{UNIFIED_TYPE} and visibility eq 'Public'",
        f"{UNIFIED_TYPE} or mailEnabled eq true",
    ],
)
def test_a_review_of_some_groups_is_none_of_every_group(groups: str) -> None:
    with pytest.raises(NotUnderstood, match="which groups"):
        read_scope(query("./members"), query(f"/groups?$filter={groups}"))


@pytest.mark.spec("REV-5")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"/users/{P}", Reviewers(Who.USER, P)),
        (f"/v1.0/users/{P}", Reviewers(Who.USER, P)),
        (f"/groups/{G}/transitiveMembers", Reviewers(Who.TRANSITIVE_MEMBERS, G)),
        (f"/groups/{G}/members", Reviewers(Who.MEMBERS, G)),
        (f"/groups/{G}/owners", Reviewers(Who.OWNERS, G)),
        ("./owners", Reviewers(Who.OWNERS)),
        ("./manager", Reviewers(Who.MANAGER)),
        ("./sponsors", Reviewers(Who.SPONSORS)),
        (f"/servicePrincipals/{P}/owners", Reviewers(Who.APPLICATION_OWNERS, P)),
        (
            f"/groups/{G}/owners?$filter=microsoft.graph.user/userType eq 'Member' and "
            "microsoft.graph.user/country eq 'USA'",
            Reviewers(Who.OWNERS, G, (("userType", "Member"), ("country", "USA"))),
        ),
        ("./owners?$filter=(department eq 'R''D')", Reviewers(Who.OWNERS, None, (("department", "R'D"),))),
    ],
)
def test_reviewers(text: str, expected: Reviewers) -> None:
    assert read_reviewers(ReviewerScope(query=text)) == expected


def test_reviewers_that_are_not_understood_are_refused() -> None:
    with pytest.raises(NotUnderstood, match="self-review"):
        read_reviewers(ReviewerScope(query="/everybody"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"/groups/{G}/members?$filter=userType eq 'Member'", "Only owners of groups"),
        (f"/groups/{G}/owners?$filter=userType eq 'Member' or country eq 'USA'", "joined by and"),
        (f"/groups/{G}/owners?$filter=city eq 'Rome'", "owners are filtered by userType"),
        (f"/groups/{G}/owners?$filter=country ne 'USA'", "each eq"),
    ],
)
def test_reviewers_who_would_be_others_than_asked_for_are_refused(text: str, said: str) -> None:
    with pytest.raises(NotUnderstood, match=said):
        read_reviewers(ReviewerScope(query=text))


@pytest.mark.parametrize(
    "text",
    [f"{RM}/roleAssignments", f"{RM}/roleDefinitions/{G}", f"{RM}/roleAssignments?$filter=roleDefinitionId eq '{G}'"],
)
def test_a_governance_role_is_named_and_there(text: str) -> None:
    with pytest.raises(NotUnderstood, match="names no role"):
        read_scope(query(text))


def test_a_role_is_for_a_catalog_or_for_all() -> None:
    text = f"{RM}/roleAssignments?$filter=roleDefinitionId eq '{KEEPER}' and appScopeId eq '/Elsewhere/{P}'"
    with pytest.raises(NotUnderstood, match="appScopeId"):
        read_scope(query(text))
