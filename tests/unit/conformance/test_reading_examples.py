"""How documented examples are read and compared."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.addresses import read_address
from tests.conformance.examples import Example, NoExample, read_examples
from tests.conformance.items import Item, Status, marked, read_deviations, read_items, status_of
from tests.conformance.replay import Outcome
from tests.conformance.scene import Scene
from tests.conformance.shape import differences, echoed
from tests.conformance.table import table


@pytest.mark.parametrize(
    ("documented", "answered", "wrong"),
    [
        ({"a": "x"}, {"a": "y", "b": 1}, []),
        ({"a": "x"}, {}, ["a is missing"]),
        ({"a": "x"}, {"a": 1}, ["a is a number, not a text"]),
        ({"a": True}, {"a": 1}, ["a is a number, not true or false"]),
        ({"a": 1}, {"a": 1.5}, []),
        ({"a": "x"}, {"a": None}, []),
        ({"displayName": "x"}, {"displayName": None}, ["displayName is null, not a text"]),
        ({"a": False}, {"a": None}, ["a is null, not true or false"]),
        ({"a": None}, {"a": [1]}, []),
        ({"a": []}, {"a": None}, ["a is null, not a list"]),
        ({"value": [{"a": "x"}]}, {"value": []}, ["value is empty"]),
        ({"proxies": ["x"]}, {"proxies": []}, []),
        ({"roles": [{"a": "x"}]}, {"roles": []}, ["roles is empty"]),
        ({"value": [{"a": "x", "b": "y"}]}, {"value": [{"c": 1}, {"a": "z"}]}, ["value/*/b is missing"]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {}}}, ["a/b/c is missing"]),
        ({"a": {"b": 1}}, {"a": "x"}, ["a is a text, not an object"]),
        ({"endDateTime": "2026-01-01T00:00:00Z"}, {"endDateTime": None}, []),
        ({"@odata.type": "#microsoft.graph.group"}, {}, []),
        ({"@odata.context": "x", "roles@odata.context": "x"}, {}, ["@odata.context is missing"]),
        ({"@odata.type": "microsoft.graph.schedule"}, {}, []),
        ({"@odata.type": "#microsoft.graph.user"}, {}, ["@odata.type is None, not '#microsoft.graph.user'"]),
    ],
)
def test_an_answer_has_the_documented_properties_with_values_of_the_documented_types(
    documented: Any, answered: Any, wrong: list[str]
) -> None:
    assert differences(documented, answered, of_type="group") == wrong


def test_what_was_written_may_not_come_back_as_null_or_otherwise() -> None:
    assert differences({"mail": "x"}, {"mail": None}, written={"mail"}) == ["mail is null, not a text"]
    documented = {"state": "published", "requestType": "AdminAdd", "name": "Other"}
    body = {"state": "published", "requestType": "adminAdd", "name": "Written"}
    assert echoed(body, documented, {**documented, "state": "unpublished"}) == [
        "state comes back as 'unpublished', not as it was written"
    ]


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1.0/users/{id | userPrincipalName}/manager", "/users/{id}/manager"),
        ("/v1.0/groups/1-a/owners/2-b/$ref", "/groups/{id}/owners/{id}/$ref"),
        ("/v1.0/groups/1-a/members/microsoft.graph.user?$count=true", "/groups/{id}/members/microsoft.graph.user"),
        ("/v1.0/directoryObjects/getByIds", "/directoryObjects/getByIds"),
        ("/v1.0/x/catalogs('1-a')", "/x/catalogs/{id}"),
        ("/v1.0/x/assignments/filterByCurrentUser(on='target')", "/x/assignments/filterByCurrentUser(on='target')"),
        ("/v1.0/users/{id", "/users/{id}"),
    ],
)
def test_a_path_is_known_by_its_operation(path: str, operation: str) -> None:
    assert read_address(path).operation == operation


def test_an_option_that_is_cut_off_is_told_and_not_sent() -> None:
    address = read_address("/v1.0/groups?$count=true&$filter=startswith(displayName,&$select=id")
    assert address.options == (("$count", "true"), ("$select", "id"))
    assert address.cut_off == ("$filter=startswith(displayName,",)


@pytest.mark.parametrize(
    ("path", "answer", "found"),
    [
        ("/v1.0/users/{id", {"@odata.context": "x#users(city,displayName)/$entity"}, ["$select=city,displayName"]),
        (
            "/v1.0/users?$filter=startswith(displayName,",
            {"@odata.context": "x#users(displayName,manager())", "value": [{"displayName": "Ana"}]},
            ["$expand=manager", "$select=displayName"],
        ),
        (
            "/v1.0/users?$filter=signInActivity/lastSignInDateTime",
            {"@odata.context": "x#users", "value": [{"id": "1", "signInActivity": {}}]},
            ["$select=id,signInActivity"],
        ),
        ("/v1.0/users/{id}", {"@odata.context": "x#users(city)/$entity"}, []),
        ("/v1.0/users?$filter=startswith(displayName,&$select=id", {"@odata.context": "x#users(id)"}, []),
    ],
)
def test_what_stood_behind_a_cut_the_answer_tells(path: str, answer: dict[str, Any], found: list[str]) -> None:
    nobody: Any = None
    assert Scene(nobody, Example("one", "GET", path, 200, answer=answer))._lost_with_what_is_cut_off() == found


def test_examples_are_read_with_the_damage_they_have(tmp_path: Path) -> None:
    file = tmp_path / "examples.jsonl"
    line: dict[str, Any] = {"file": "page.md", "name": "get", "method": "get", "path": "/beta/me", "status": "200"}
    file.write_text(json.dumps({**line, "response_body": {"_unparsed": '{"a": [1,],}'}}) + "\n\n" + json.dumps(line))
    first, second = read_examples(file)
    assert (first.id, first.method, first.path, first.answer) == ("page/get", "GET", "/v1.0/me", {"a": [1]})
    assert second.id == "page/get#2"
    file.write_text('{"method": "GET"}')
    with pytest.raises(NoExample, match="line 1"):
        read_examples(file)


def test_an_item_is_covered_by_a_mark_deviates_by_a_word_or_is_open(tmp_path: Path) -> None:
    page = "## 4. Apart\n- SOD-1 One.\n- SOD-2 Two.\n- SOD-3 Three.\n## 12. Others\n- ORG-1 Four.\n"
    items = list(read_items(page))
    assert items[0] == Item("SOD-1", 4, "Apart", "One.")
    test = tmp_path / "tests" / "test_it.py"
    test.parent.mkdir()
    test.write_text("import pytest\n\n@pytest.mark.spec('SOD-1')\nasync def test_apart(): ...\n")
    tests = marked(test.parent)
    assert tests == {"SOD-1": ["tests/test_it.py::test_apart"]}
    deviations = read_deviations("| item | why |\n| --- | --- |\n| SOD-2 | Other, because. |\n")
    assert [status_of(one, tests, deviations) for one in items] == [
        Status.COVERED,
        Status.DEVIATING,
        Status.OPEN,
        Status.PLANNED,
    ]


def test_examples_of_all_areas_are_counted_in_one_table() -> None:
    reviews, none = "/v1.0/identityGovernance/accessReviews", "no reason"
    asked = {
        "GET /identityGovernance/accessReviews/definitions": None,
        "GET /identityGovernance/accessReviews/historyDefinitions/{id}": None,
        "GET /identityGovernance/entitlementManagement/accessPackages/{id}": none,
        "GET /identityGovernance/entitlementManagement/accessPackageAssignmentApprovals/{id}": None,
        "GET /identityGovernance/entitlementManagement/assignmentPolicies": None,
        "PATCH /me": None,
    }
    outcomes = [Outcome(Example("one", "GET", reviews, 200), operation, why) for operation, why in asked.items()]
    assert table(outcomes) == [
        "| operations | pass |",
        "| --- | --- |",
        "| packages, policies, catalogs, resources | 1 of 2 |",
        "| requests, approvals, assignments | 1 of 1 |",
        "| access reviews | 1 of 1 |",
        "| histories of reviews | 1 of 1 |",
        "| users, `/me`, invitations | 1 of 1 |",
        "| **together** | **5 of 6** |",
    ]


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("definitions/1-a/instances/2-b", "accessReviewInstance"),
        ("historyDefinitions/1-a/instances", "accessReviewHistoryInstance"),
        ("historyDefinitions/1-a", "accessReviewHistoryDefinition"),
    ],
)
def test_instances_of_a_history_are_of_another_type_than_those_of_a_review(path: str, type: str) -> None:
    assert read_address(f"/v1.0/identityGovernance/accessReviews/{path}").declared_type == type
