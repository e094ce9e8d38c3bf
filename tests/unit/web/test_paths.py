"""Paths in all the spellings Graph's callers use come out as the one that is declared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.paths import Known, PathTable

EM = "/v1.0/identityGovernance/entitlementManagement"
TABLE = PathTable(
    (path, {"GET"})
    for path in [
        "/health/live",
        "/v1.0/users",
        "/v1.0/users/delta",
        "/v1.0/users/{id}",
        "/v1.0/users/{id}/memberOf",
        "/v1.0/groups/{id}/members/$ref",
        "/v1.0/groups/{id}/members/microsoft.graph.user",
        "/v1.0/groups/{id}/members/{member}/$ref",
        f"{EM}/accessPackages",
        f"{EM}/accessPackages/{{id}}",
        f"{EM}/accessPackages/{{id}}/resourceRoleScopes/{{scope}}",
        f"{EM}/assignments/filterByCurrentUser(on='{{on}}')",
        f"{EM}/assignments/additionalAccess(accessPackageId='{{a}}',incompatibleAccessPackageId='{{b}}')",
        f"{EM}/subjects(objectId='{{object_id}}')",
        "/files/{rest:path}",
    ]
)


def canonical(path: str) -> str:
    found = TABLE.find(path)
    return path if found is None else found.path


@pytest.mark.parametrize(
    ("asked", "means"),
    [
        ("/v1.0/users/Ana", "/v1.0/users/Ana"),
        (f"/v1.0/users/{'AB' * 4}-0000-4000-8000-{'CD' * 6}", f"/v1.0/users/{'ab' * 4}-0000-4000-8000-{'cd' * 6}"),
        (f"/v1.0/users('{'AB' * 4}-0000-4000-8000-{'CD' * 6}')", f"/v1.0/users/{'ab' * 4}-0000-4000-8000-{'cd' * 6}"),
        ("/V1.0/USERS/Ana/MEMBEROF", "/v1.0/users/Ana/memberOf"),
        ("/v1.0/users/", "/v1.0/users"),
        ("/v1.0/users('Ana')", "/v1.0/users/Ana"),
        ("/v1.0/users(Ana-1)/memberof", "/v1.0/users/Ana-1/memberOf"),
        ("/v1.0/users('o''neil@x.com')", "/v1.0/users/o'neil@x.com"),
        ("/v1.0/users('$x@y')", "/v1.0/users/$x@y"),
        ("/v1.0/users/delta()", "/v1.0/users/delta"),
        ("/v1.0/users/microsoft.graph.delta", "/v1.0/users/delta"),
        ("/v1.0/users/Microsoft.Graph.Delta()", "/v1.0/users/delta"),
        ("/v1.0/groups/g/Members/$Ref", "/v1.0/groups/g/members/$ref"),
        ("/v1.0/groups/g/members/microsoft.graph.User", "/v1.0/groups/g/members/microsoft.graph.user"),
        ("/v1.0/groups/g/members/graph.user", "/v1.0/groups/g/members/microsoft.graph.user"),
        ("/v1.0/users/graph.delta()", "/v1.0/users/delta"),
        ("/v1.0/groups('g')/members('m')/$ref", "/v1.0/groups/g/members/m/$ref"),
        (f"{EM.lower()}/accesspackages('A(1)')", f"{EM}/accessPackages/A(1)"),
        (
            f"{EM}/accessPackages/p/resourceRoleScopes('Role_Scope')",
            f"{EM}/accessPackages/p/resourceRoleScopes/Role_Scope",
        ),
        (f"{EM}/assignments/filterByCurrentUser(on=target)", f"{EM}/assignments/filterByCurrentUser(on='target')"),
        (f"{EM}/assignments/FilterByCurrentUser(On='target')", f"{EM}/assignments/filterByCurrentUser(on='target')"),
        (
            f"{EM}/assignments/microsoft.graph.filterByCurrentUser( on = 'target' )",
            f"{EM}/assignments/filterByCurrentUser(on='target')",
        ),
        (
            f"{EM}/assignments/additionalAccess(incompatibleAccessPackageId='b',accessPackageId='a')",
            f"{EM}/assignments/additionalAccess(accessPackageId='a',incompatibleAccessPackageId='b')",
        ),
        (f"{EM}/subjects(objectId='O')", f"{EM}/subjects(objectId='O')"),
        ("/files/A/b/C", "/files/A/b/C"),
        ("/Health/LIVE", "/health/live"),
    ],
)
def test_a_path_is_brought_to_the_declared_form(asked: str, means: str) -> None:
    assert canonical(asked) == means


@pytest.mark.parametrize(
    "asked",
    [
        "/nothing/here",
        "/v1.0/users('a/memberOf')",  # a slash inside a key opens no other path
        "/v1.0/users('')",
        "/v1.0/users('a'b)",
        "/v1.0/users('a",
        "/v1.0/users/$count",  # no id
        "/v1.0/groups/$g/members/$ref",
        f"{EM}/assignments/filterByCurrentUser(by='target')",
        f"{EM}/assignments/filterByCurrentUser(on='a',on='b')",
        "/" + "/".join("x" * 200),
        "/",
        "",
    ],
)
def test_what_is_no_path_of_ours_stays_as_it_is(asked: str) -> None:
    assert canonical(asked) == asked


def test_a_key_is_read_as_one_only_where_the_path_takes_one() -> None:
    # Ids are guids: nobody is called delta, so that the two forms meet is harmless.
    both = PathTable([("/users/delta", {"GET"}), ("/users/{id}", {"GET"})])
    assert both.find("/users('delta')") == Known("/users/delta", frozenset({"GET"}))
    assert PathTable([("/users/delta", {"GET"})]).find("/users('delta')") is None


def test_a_path_has_the_methods_of_all_routes_that_are_spelt_like_it() -> None:
    table = PathTable(
        [("/users/{id}", {"GET"}), ("/users/{id}", {"PATCH"}), ("/users/delta", {"POST"}), ("/f/{x:path}", {"PUT"})]
    )
    assert table.find("/users/x") == Known("/users/x", frozenset({"GET", "PATCH"}))
    assert table.find("/USERS/DELTA()") == Known("/users/delta", frozenset({"POST"}))
    assert table.find("/users/delta") == Known("/users/delta", frozenset({"GET", "PATCH", "POST"}))
    assert table.find("/f/a/b") == Known("/f/a/b", frozenset({"PUT"}))


@given(st.text(alphabet="aA/('=)$.,1v", max_size=40))
def test_any_path_is_taken_and_a_second_time_changes_nothing(path: str) -> None:
    once = canonical("/v1.0/" + path)
    assert canonical(once) == once
