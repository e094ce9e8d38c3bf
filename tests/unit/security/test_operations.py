"""The table of operations: every operation has a rule and a door, and the rules say what the documents say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from deploy.run import registry
from deploy.run.front import application
from shared.messaging.host import Host
from shared.security import operations
from shared.security.authority import NOTHING, Held, Rule, Standing, standing
from shared.security.caller import NOBODY, Caller, operator, ordinary_person
from shared.security.operations import EM, RM, RULES, TENURE, rule_of
from shared.security.permissions import BY_ITSELF, GLOBAL_ADMINISTRATOR
from shared.security.roles import CatalogRole
from shared.settings import Settings
from shared.web.guard import Guard

IGA = "Identity Governance Administrator"


@cache
def operations_served() -> dict[str, Any]:
    """'<METHOD> <path>' -> route, of everything under /v1.0."""
    settings = Settings(auth="off")
    app = application(settings, Host(settings, registry.assemblies()), {}, None)
    return {
        f"{method} {one.path}": one
        for one in iter_route_contexts(app.routes)
        if one.path and one.path.startswith("/v1.0/")
        for method in (one.methods or ())
    }


def guards_of(dependant: Any) -> Iterator[Guard]:
    for one in dependant.dependencies:
        if isinstance(one.call, Guard):
            yield one.call
        yield from guards_of(one)


def test_every_operation_has_a_rule_and_every_rule_an_operation() -> None:
    served = operations_served().keys()
    assert served - RULES.keys() == set(), "shared/security/operations.py says who may call these"
    assert RULES.keys() - served == set()


def test_every_operation_has_a_door() -> None:
    assert {name for name, one in operations_served().items() if not list(guards_of(one.dependant))} == set()


def test_what_has_no_rule_is_open_to_global_administrators_only() -> None:
    rule = rule_of("GET", "/v1.0/somethingNew")
    admin = ordinary_person("ana", roles=frozenset({GLOBAL_ADMINISTRATOR}))
    assert standing(rule, admin, NOTHING) is not None
    assert standing(rule, ordinary_person("ana", roles=frozenset({IGA})), NOTHING) is None
    assert standing(rule, Caller("app:x", app_id="x", app_roles=BY_ITSELF), NOTHING) is None


MINE, OTHER = "catalog-a", "catalog-b"
ROLES = {
    "owner": Held(at={CatalogRole.OWNER: frozenset({MINE})}),
    "packages": Held(at={CatalogRole.PACKAGE_MANAGER: frozenset({MINE})}),
    "assignments": Held(at={CatalogRole.ASSIGNMENT_MANAGER: frozenset({MINE})}),
    "reader": Held(at={CatalogRole.READER: frozenset({MINE})}),
    "creator": Held(everywhere=frozenset({CatalogRole.CREATOR})),
    "nobody": NOTHING,
}
# The table of entra-features.md 13, and the role sets of graph-api-operations.md 0: who may, in a catalog of theirs.
TASKS: dict[str, set[str]] = {
    f"GET {EM}/catalogs/{{id}}": {"owner", "packages", "assignments", "reader"},
    f"GET {EM}/accessPackages": {"owner", "packages", "assignments", "reader"},
    f"GET {EM}/assignmentRequests": {"owner", "packages", "assignments", "reader"},
    f"GET {EM}/assignments": {"owner", "packages", "assignments", "reader"},
    f"PATCH {EM}/catalogs/{{id}}": {"owner"},
    f"DELETE {EM}/catalogs/{{id}}": {"owner"},
    f"POST {EM}/resourceRequests": {"owner"},
    f"POST {RM}/entitlementManagement/roleAssignments": {"owner"},
    f"DELETE {RM}/entitlementManagement/roleAssignments/{{id}}": {"owner"},
    f"POST {EM}/accessPackages": {"owner", "packages"},
    f"DELETE {EM}/accessPackages/{{id}}": {"owner", "packages"},
    f"POST {EM}/accessPackages/{{id}}/resourceRoleScopes": {"owner", "packages"},
    f"POST {EM}/assignmentPolicies": {"owner", "packages"},
    f"PUT {EM}/assignmentPolicies/{{id}}": {"owner", "packages"},
    f"POST {EM}/assignmentRequests": {"owner", "packages", "assignments"},
    f"DELETE {EM}/assignmentRequests/{{id}}": {"owner", "packages", "assignments"},
    f"POST {EM}/assignmentRequests/{{id}}/reprocess": {"owner", "packages", "assignments"},
    f"POST {EM}/assignments/{{id}}/reprocess": {"owner", "packages", "assignments"},
    f"POST {TENURE}/populations": set(),
    f"POST {TENURE}/catalog:apply": set(),
    "POST /v1.0/users": set(),
    "POST /v1.0/groups": set(),
}


@pytest.mark.spec("ROL-2", "RES-5")
@pytest.mark.parametrize("operation", TASKS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_for_a_catalog_opens_what_the_documents_say_and_there_alone(operation: str, role: str) -> None:
    found = standing(RULES[operation], ordinary_person("ana"), ROLES[role])
    may = role in TASKS[operation]
    assert (found is not None and found.at(MINE)) is may
    assert found is None or not found.at(OTHER)
    assert found is None or not found.everywhere
    assert found is None or found.scope("catalog") == {"catalog": {"$in": [MINE] if may else []}}


def test_who_may_ask_and_sees_nothing_by_it() -> None:
    creator = standing(operations.READ, ordinary_person("ana"), ROLES["creator"])
    assert creator is not None
    assert creator.scope("_id") == {"_id": {"$in": []}}
    assert standing(operations.CREATE_CATALOGS, ordinary_person("ana"), ROLES["creator"]) is not None
    assert standing(operations.CREATE_CATALOGS, ordinary_person("ana"), ROLES["owner"]) is None
    assert standing(operations.READ, ordinary_person("ana"), NOTHING) is None


BY_LINK = {f"GET {TENURE}/reviewHistory/{{id}}/{{instance_id}}"}
"""Whoever has the link is let in; nothing else is open to strangers."""


ALONE_BY_BEING_CONCERNED = {
    operations.MINE,
    operations.MINE_TO_DECIDE,
    operations.REVIEWS_MINE,
    operations.REVIEWS_DECIDE,
}


@pytest.mark.parametrize("operation", RULES)
def test_administrators_are_let_in_and_strangers_are_not(operation: str) -> None:
    rule = RULES[operation]
    admin = standing(rule, ordinary_person("ana", roles=frozenset({GLOBAL_ADMINISTRATOR})), NOTHING)
    assert admin is not None
    assert admin.everywhere or rule in ALONE_BY_BEING_CONCERNED
    assert standing(rule, operator("system:api"), NOTHING) is not None
    assert (standing(rule, NOBODY, NOTHING) is not None) is (operation in BY_LINK)
    # Held in the directory, a role counts as much as in a token.
    held = standing(rule, ordinary_person("ana"), Held(directory=frozenset({GLOBAL_ADMINISTRATOR})))
    assert held is not None
    assert held.everywhere is admin.everywhere


@pytest.mark.parametrize("operation", RULES)
def test_an_operation_needs_what_the_person_lets_the_application_do(operation: str) -> None:
    roles = frozenset({GLOBAL_ADMINISTRATOR})
    mute = Caller("person:ana", person_id="ana", app_id="app", scopes=frozenset(), directory_roles=roles)
    asks_for_none = RULES[operation] in {operations.ANYBODY, operations.GLOBAL_ONLY, operations.BY_LINK}
    assert (standing(RULES[operation], mute, NOTHING) is not None) is asks_for_none


APPROVALS = f"{EM}/accessPackageAssignmentApprovals"
READ_EM, WRITE_EM = "EntitlementManagement.Read.All", "EntitlementManagement.ReadWrite.All"
OF_THEIR_OWN = {
    # Graph's least delegated permissions: of approvals those of entitlement management as a whole.
    f"GET {APPROVALS}/filterByCurrentUser(on='{{on}}')": {READ_EM, WRITE_EM},
    f"GET {APPROVALS}/{{id}}": {READ_EM, WRITE_EM},
    f"GET {APPROVALS}/{{id}}/stages": {READ_EM, WRITE_EM},
    f"PATCH {APPROVALS}/{{id}}/stages/{{stage_id}}": {WRITE_EM},
    f"GET {EM}/accessPackages/filterByCurrentUser(on='{{on}}')": {READ_EM, WRITE_EM},
    f"GET {EM}/assignments/filterByCurrentUser(on='{{on}}')": {READ_EM, WRITE_EM},
    f"GET {EM}/assignmentRequests/filterByCurrentUser(on='{{on}}')": {READ_EM, WRITE_EM},
    f"POST {EM}/accessPackages/{{id}}/getApplicablePolicyRequirements": {READ_EM, WRITE_EM},
    f"POST {EM}/assignmentRequests": {WRITE_EM},
}


@pytest.mark.parametrize("operation", OF_THEIR_OWN)
@pytest.mark.parametrize("scope", ["EntitlementMgmt-SubjectAccess.ReadWrite", READ_EM, WRITE_EM, "User.Read"])
def test_what_is_ones_own_is_open_with_the_documented_scopes(operation: str, scope: str) -> None:
    ana = Caller("person:ana", person_id="ana", app_id="app", scopes=frozenset({scope}))
    found = standing(RULES[operation], ana, NOTHING)
    expected = scope in OF_THEIR_OWN[operation] | {"EntitlementMgmt-SubjectAccess.ReadWrite"}
    assert (found is not None and found.only_own) is expected


READ_WITH_THE_DIRECTORY = [
    "GET /v1.0/users",
    "GET /v1.0/users/{id}",
    "GET /v1.0/users/delta",
    "GET /v1.0/users/{id}/memberOf",
    "GET /v1.0/groups",
    "GET /v1.0/groups/{id}/members",
    "GET /v1.0/groups/delta",
    "GET /v1.0/applications",
    "GET /v1.0/servicePrincipals/{id}",
    "GET /v1.0/roleManagement/directory/roleAssignments",
    "GET /v1.0/directory/deletedItems/microsoft.graph.user",
    "POST /v1.0/directoryObjects/getByIds",
]


@pytest.mark.parametrize("operation", READ_WITH_THE_DIRECTORY)
def test_who_may_read_the_directory_reads_all_of_it(operation: str) -> None:
    for permission in ("Directory.Read.All", "Directory.ReadWrite.All"):
        found = standing(RULES[operation], Caller("app:x", app_id="x", app_roles=frozenset({permission})), NOTHING)
        assert found is not None
        assert found.everywhere


def test_changes_of_everybody_are_told_to_those_who_read_everything_of_them() -> None:
    basic = Caller("app:x", app_id="x", app_roles=frozenset({"User.ReadBasic.All"}))
    assert standing(RULES["GET /v1.0/users"], basic, NOTHING) is not None
    assert standing(RULES["GET /v1.0/users/delta"], basic, NOTHING) is None


WRITERS_OF_THE_DIRECTORY = {
    "POST /v1.0/users": {"User Administrator"},
    "PATCH /v1.0/users/{id}": {"User Administrator"},
    "DELETE /v1.0/users/{id}": {"User Administrator"},
    "POST /v1.0/groups": {"User Administrator", "Groups Administrator"},
    "PATCH /v1.0/groups/{id}": {"User Administrator", "Groups Administrator"},
    "POST /v1.0/groups/{id}/members/$ref": {"User Administrator", "Groups Administrator"},
    "POST /v1.0/applications": {"Application Administrator", "Cloud Application Administrator"},
    "POST /v1.0/tenure/sites": {"SharePoint Administrator"},
    "POST /v1.0/roleManagement/directory/roleAssignments": {"Privileged Role Administrator"},
    f"POST {EM}/catalogs": {IGA},
    f"POST {TENURE}/populations": {IGA},
}
EVERY_ROLE = {role for roles in WRITERS_OF_THE_DIRECTORY.values() for role in roles} | {"Global Reader"}


@pytest.mark.parametrize("operation", WRITERS_OF_THE_DIRECTORY)
@pytest.mark.parametrize("role", sorted(EVERY_ROLE))
def test_a_directory_role_writes_its_own_kind(operation: str, role: str) -> None:
    found = standing(RULES[operation], ordinary_person("ana", roles=frozenset({role})), NOTHING)
    assert (found is not None and found.everywhere) is (role in WRITERS_OF_THE_DIRECTORY[operation])


def test_a_global_reader_reads_all_and_writes_nothing() -> None:
    reader = ordinary_person("ana", roles=frozenset({"Global Reader"}))
    for operation, rule in RULES.items():
        found = standing(rule, reader, NOTHING)
        reads = operation.startswith("GET ") or not _changes(operation)
        if reads:
            assert found is not None, operation
        else:
            assert found is None or not found.everywhere, operation


def _changes(operation: str) -> bool:
    asks = (
        "getByIds", "getMember", "checkMember", "validateProperties", "$batch", "getApplicablePolicyRequirements",
        "historyDefinitions",
    )  # fmt: skip
    return not any(name in operation for name in asks)


def test_an_application_holds_the_permission_or_the_role() -> None:
    rule = Rule(("EntitlementManagement.ReadWrite.All",), frozenset({IGA}), frozenset({CatalogRole.OWNER}))
    app = Caller("app:x", app_id="x")

    def so(caller: Caller, held: Held = NOTHING) -> Standing | None:
        return standing(rule, caller, held)

    assert so(app) is None
    permitted = so(Caller("app:x", app_id="x", app_roles=frozenset({"EntitlementManagement.ReadWrite.All"})))
    assert permitted is not None
    assert permitted.everywhere
    owner = so(app, ROLES["owner"])
    assert owner is not None
    assert (owner.at(MINE), owner.at(OTHER), owner.at(None)) == (True, False, False)


def test_a_role_of_one_catalog_is_none_of_another_whose_id_begins_alike() -> None:
    found = standing(operations.OWNERS, ordinary_person("ana"), Held(at={CatalogRole.OWNER: frozenset({"a1"})}))
    assert found is not None
    assert not found.at("a")
    assert not found.at("a12")
