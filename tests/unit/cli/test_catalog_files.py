"""A catalog's file: what it may say, where it is wrong, and how it differs from what is."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import yaml

from deploy.cli.applying.difference import Plan, difference
from deploy.cli.applying.document import DocumentWrong, read_text
from deploy.cli.applying.exporting import as_yaml, exported
from deploy.cli.applying.making import nickname
from deploy.cli.applying.present import Present, Thing
from deploy.cli.applying.showing import plan_as_json, render

FILE = """\
groups:
  - name: Sales
catalogs:
  - name: Company
    packages:
      - name: Sales
        roles: [{group: Sales}]
        policies:
          - name: by rule
            automatic: 'user.department -eq "Sales"'
"""


def planned(text: str, present: Present | None = None) -> Plan:
    numbers = count(1)
    return difference(read_text(text, "company.yaml"), present or Present(), lambda: f"new-{next(numbers)}")


def wrong(text: str) -> str:
    with pytest.raises(DocumentWrong) as caught:
        planned(text)
    return str(caught.value)


def as_it_is(managed_by: str | None = "company.yaml", **changed: Any) -> Present:
    """What FILE asks for, as the API says it."""
    common = {"@odata.etag": 'W/"3"', "description": "", **({"@tenure.managedBy": managed_by} if managed_by else {})}
    rule = changed.get("rule", 'user.department -eq "Sales"')
    policy = {
        **common,
        "id": "policy-1",
        "displayName": "by rule",
        "specificAllowedTargets": [{"@odata.type": "x", "membershipRule": rule}],
        "automaticRequestSettings": {"gracePeriodBeforeAccessRemoval": "PT0S"},
        "expiration": {"type": "noExpiration"},
        **changed.get("more", {}),
    }
    package = {
        **common,
        "id": "package-1",
        "displayName": "Sales",
        "isHidden": False,
        "resourceRoleScopes": [{"role": {"originId": "Member_group-1"}}],
        **changed.get("package", {}),
    }
    catalog = {
        **common,
        "id": "catalog-1",
        "displayName": "Company",
        "state": "published",
        "isExternallyVisible": True,
    }
    return Present(
        groups={"Sales": ("group-1",)},
        catalogs=(Thing("catalog", catalog),),
        packages=(Thing("package", package, "catalog-1"),),
        policies=(Thing("policy", policy, "package-1"),),
    )


def test_a_new_company_is_made_from_the_catalog_down() -> None:
    plan = planned(FILE)
    assert [(step.op, step.kind) for step in plan.steps] == [
        ("create", "catalog"),
        ("create", "package"),
        ("create", "policy"),
    ]
    assert [group.name for group in plan.groups] == ["Sales"]
    assert plan.steps[1].body["catalog"] == {"id": plan.steps[0].id}
    assert render(plan).splitlines()[-1] == "Plan: 4 to add, 0 to change, 0 to remove."


def test_what_is_as_the_file_says_needs_nothing() -> None:
    plan = planned(FILE, as_it_is())
    assert plan.is_empty
    assert "No changes" in render(plan)


def test_a_rule_that_changed_is_shown_before_and_after() -> None:
    plan = planned(FILE, as_it_is(rule='user.city -eq "Rome"'))
    (step,) = plan.steps
    assert (step.op, step.version) == ("update", 3)
    assert '~ policy "Company / Sales / by rule"' in render(plan)
    assert 'rule: user.city -eq "Rome" -> user.department -eq "Sales"' in render(plan)


def test_what_the_file_made_and_says_no_more_goes_from_the_inside_out() -> None:
    plan = planned("groups: []", as_it_is())
    assert [(step.op, step.kind) for step in plan.steps] == [
        ("delete", "policy"),
        ("delete", "package"),
        ("delete", "catalog"),
    ]
    assert plan_as_json(plan)["summary"] == {"add": 0, "change": 0, "remove": 3}


def test_what_people_made_is_left_alone_and_said() -> None:
    plan = planned("groups: []", as_it_is(managed_by=None))
    assert plan.is_empty
    without_policy = FILE[: FILE.index("        policies:")]
    adopted = planned(without_policy, as_it_is(managed_by=None))
    assert all(step.adopts for step in adopted.steps)
    assert "kept by this file from now on" in render(adopted)
    assert "policy 'Company / Sales / by rule' is left alone: made by hand" in render(adopted)


def test_what_is_exported_changes_nothing_whoever_made_it_and_is_kept_by_the_file_once_applied() -> None:
    by_hand = as_it_is(managed_by=None)
    plan = planned(as_yaml(exported(by_hand)), by_hand)
    assert [plan.count(op) for op in ("create", "update", "delete")] == [0, 0, 0]
    assert (plan.adopted, plan.is_empty) == (3, False)
    assert "0 to change, 0 to remove. 3 made by hand to be kept by this file, as they are." in render(plan)
    by_file = as_it_is(managed_by="export")
    assert planned(as_yaml(exported(by_file)), by_file).is_empty


def test_what_names_people_and_groups_that_are_gone_is_exported_by_their_ids_and_no_mistake() -> None:
    gone = {"@odata.type": "#microsoft.graph.singleUser", "userId": "ben-1"}
    left = {"@odata.type": "#microsoft.graph.groupMembers", "groupId": "group-9"}
    asked = {
        "automaticRequestSettings": None,
        "allowedTargetScope": "specificDirectoryUsers",
        "specificAllowedTargets": [left],
        "requestApprovalSettings": {"isApprovalRequiredForAdd": True, "stages": [{"primaryApprovers": [gone]}]},
    }
    there = as_it_is(more=asked, package={"incompatibleGroups": [{"id": "group-8"}]})
    text = as_yaml(exported(there))
    assert "user: ben-1" in text
    assert "group: group-9" in text
    assert planned(text, there).is_empty
    with pytest.raises(DocumentWrong, match="there is no user 'ben-2'"):
        planned(text.replace("ben-1", "ben-2"), there)


def test_every_group_that_an_export_names_is_listed_in_it_by_name() -> None:
    there = as_it_is(package={"incompatibleGroups": [{"id": "group-2"}]})
    creators = {"principal": {"@odata.type": "#microsoft.graph.group"}, "principalId": "group-3"}
    there = replace(
        there,
        groups={"Sales": ("group-1",), "Auditors": ("group-2",), "Creators": ("group-3",)},
        roles=(
            Thing("role", {**creators, "id": "role-1", "roleDefinitionId": "ba92d953-d8e0-4e39-a797-0cbedb0a89e8"}),
        ),
    )
    said = yaml.safe_load(as_yaml(exported(there)))
    assert said["roles"] == [{"role": "catalogCreator", "group": "Creators"}]
    assert [one["name"] for one in said["groups"]] == ["Auditors", "Creators", "Sales"]


def test_an_automatic_policy_with_remains_of_asking_is_exported_by_its_rule() -> None:
    remains = {
        "requestorSettings": {"acceptRequests": False},
        "requestApprovalSettings": {"stages": [{"primaryApprovers": []}], "isRequestorJustificationRequired": True},
    }
    there = as_it_is(more=remains)
    text = as_yaml(exported(there))
    assert yaml.safe_load(text)["catalogs"][0]["packages"][0]["policies"] == [
        {"name": "by rule", "automatic": 'user.department -eq "Sales"'}
    ]
    assert planned(text, there).is_empty


def test_mails_that_are_sent_as_ever_are_no_word_of_a_file() -> None:
    as_ever = as_it_is(more={"notificationSettings": {"isAssignmentNotificationDisabled": False}})
    text = as_yaml(exported(as_ever))
    assert "otification" not in text
    assert planned(text, as_ever).is_empty
    said = f"{text.rstrip()}\n      notificationSettings: {{isAssignmentNotificationDisabled: false}}\n"
    assert planned(said, as_ever).is_empty


def test_a_policy_that_takes_no_requests_any_more_stays_so_whatever_else_the_file_changes() -> None:
    shut = {"automaticRequestSettings": None, "specificAllowedTargets": [], "allowedTargetScope": "allMemberUsers"}
    there = as_it_is(more={**shut, "requestorSettings": {"acceptRequests": False}})
    text = as_yaml(exported(there))
    assert planned(text, there).is_empty
    (step,) = planned(text.replace("scope:", "description: New\n      scope:"), there).steps
    assert step.body["requestorSettings"]["acceptRequests"] is False
    (opened,) = planned(text.replace("acceptRequests: false", "acceptRequests: true"), there).steps
    assert [(one.before, one.after) for one in opened.differences] == [("no", None)]


def test_what_holds_something_of_others_stays_and_so_does_what_it_lies_in() -> None:
    mine = as_it_is()
    by_hand = Thing("policy", {**as_it_is(None).policies[0].body, "id": "other", "displayName": "Ana's"}, "package-1")
    plan = planned("groups: []", Present(mine.groups, (), mine.catalogs, mine.packages, (*mine.policies, by_hand)))
    assert [step.kind for step in plan.steps] == ["policy"]
    assert "'Company / Sales' stays" in render(plan)
    assert "catalog 'Company' stays" in render(plan)


def test_another_files_things_are_refused_with_their_place() -> None:
    with pytest.raises(DocumentWrong, match=r"company.yaml:4: catalogs\[0\]: catalog 'Company' is kept by the file"):
        planned(FILE, as_it_is(managed_by="other.yaml"))


def test_the_same_weeks_in_days_are_no_difference() -> None:
    text = FILE.replace("automatic: 'user.department -eq \"Sales\"'", "direct: true\n            expiresAfter: P2W")
    present = as_it_is()
    body = {
        **present.policies[0].body,
        "specificAllowedTargets": [],
        "automaticRequestSettings": None,
        "expiration": {"type": "afterDuration", "duration": "P14D", "endDateTime": None},
    }
    policies = (Thing("policy", body, "package-1"),)
    assert planned(text, Present(present.groups, (), present.catalogs, present.packages, policies)).is_empty


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FILE.replace('"Sales"\'', "\"Sales'"), "company.yaml:10: catalogs[0].packages[0].policies[0].automatic: "),
        (FILE.replace("automatic:", "automatik:"), "policies[0].automatik: is not known here"),
        (FILE.replace("name: by rule", "name: 7"), "company.yaml:9: catalogs[0].packages[0].policies[0].name: must be"),
        (FILE.replace("{group: Sales}", "{group: Sale}"), "roles[0].group: there is no group 'Sale'"),
        (
            FILE.replace("{group: Sales}", "{group: Sales, site: x}"),
            "roles[0]: a role is on exactly one of 'group: NAME', ",
        ),
        (FILE.replace("{group: Sales}", "{role: Owner}"), "roles[0]: a role is on exactly one of 'group: NAME', "),
        (
            FILE.replace("{group: Sales}", "{group: Sales, role: Boss}"),
            "roles[0]: the role on a group is Member or Owner",
        ),
        ("catalogs: [{name: A, resources: [{description: B}]}]", "resources[0]: it is exactly one of 'group: NAME', "),
        ("roles: [{role: owner, user: A, group: B}]", "roles[0]: a role is that of exactly one of 'user: NAME', "),
        (FILE + "            direct: true\n", "a policy has exactly one of"),
        (FILE + "            population: Nowhere\n", "a policy has exactly one of"),
        (
            FILE + "            name: twice\n",
            "company.yaml:11: catalogs[0].packages[0].policies[0].name: 'name' stands",
        ),
        ("groups: [{name: A}, {name: A}]", "groups[1].name: 'A' stands already at groups[0]"),
        ("catalogs: [{name: A}, {name: a}]", "catalogs[1].name: 'a' stands already at catalogs[0]"),
        ("catalogs: ]", "company.yaml:1: is no YAML"),
        ("populations: [{name: A}]", "populations[0].rule: is missing"),
        ("- 1", "company.yaml:1: must be an object"),
        ("catalogs: [{name: C, packages: [{name: A, incompatible: [a]}]}]", "is not incompatible with itself"),
        ("groups: &all\n  - *all", "company.yaml:1: groups[0]: refers to what it lies in"),
        ("groups: [{name: !!bool maybe}]", "company.yaml:1: groups[0].name: cannot be read: 'maybe'"),
        ("groups:\n- ? [name]\n  : A", "company.yaml:2: groups[0]: a key must be text"),
        (
            "catalogs: [{name: A, packages: [{name: B, policies: [{name: C, direct: true, expiresAfter: P1M}]}]}]",
            "expiresAfter: 'P1M' is no duration",
        ),
    ],
)
def test_what_is_wrong_is_said_with_line_and_path(text: str, expected: str) -> None:
    assert expected in wrong(text)


def test_what_stands_twice_may_be_written_once() -> None:
    said = read_text("groups: [{name: &team Sales}]\npopulations: [{name: *team, rule: user.city -eq null}]", "f.yaml")
    assert said.contents.groups[0].name == said.contents.populations[0].name == "Sales"


def test_a_rule_that_does_not_parse_shows_the_place_in_the_rule() -> None:
    said = wrong(FILE.replace("-eq", "-equals"))
    assert "(line 1, column 17)" in said
    assert "^^^" in said


def test_every_problem_is_said_at_once() -> None:
    text = FILE.replace("-eq", "-equals") + "groups2: []\n"
    assert "groups2: is not known here" in wrong(text)
    twice = "populations: [{name: A, rule: x}, {name: B, rule: y}]"
    assert len(wrong(twice).split("populations[")) == 3


def test_nicknames_are_plain_and_told_apart() -> None:
    assert nickname("Łódź & Söhne").isascii()
    assert nickname("日本") != nickname("中国")
    assert len(nickname("x" * 300)) <= 64
