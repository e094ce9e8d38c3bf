"""Plan and apply against the real service: what a file says comes true, once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from deploy.cli import plan as files
from deploy.cli.applying.document import read_text
from deploy.cli.catalog_commands import app
from tests.service.catalog.test_over_http import EM, a_group, made

COMPANY = """
name: company
groups:
  - name: Sales, all of it
  - name: Ana's "special" group
populations:
  - {name: In Berlin, rule: 'user.city -eq "Berlin"'}
catalogs:
  - name: By file
    description: Made by a file
    packages:
      - name: Sales
        roles: [{group: "Sales, all of it"}]
        policies:
          - {name: by rule, automatic: 'user.department -eq "Sales"'}
          - {name: Berlin, population: In Berlin}
          - {name: by hand, direct: true, expiresAfter: P2W}
      - name: Special
        hidden: true
        roles: [{group: "Ana's \\"special\\" group", role: Owner}]
"""


async def planned(world: Any, text: str, file: str = "company.yaml") -> files.Plan:
    return await files.plan(world.url, read_text(text, file))


async def test_applied_twice_changes_nothing_the_second_time(world: Any) -> None:
    plan = await planned(world, COMPANY)
    assert '+ access package "By file / Sales"' in files.render(plan)
    assert files.render(plan).endswith("Plan: 9 to add, 0 to change, 0 to remove.")
    assert (await files.apply(world.url, plan)).is_complete
    assert (await files.apply(world.url, plan)).is_complete  # as after a lost answer
    again = await planned(world, COMPANY)
    assert again.is_empty, files.render(again)
    facts = await world.facts("catalog.catalogs", "catalog.packages", "catalog.policies", "catalog.populations")
    mine = [fact for fact in facts if fact["state"].get("managedBy") == "company"]
    assert {fact["cause"]["actor"] for fact in mine} == {"file:company"}
    assert {fact["version"] for fact in mine} == {1}
    assert list(world.groups.values()).count("Sales, all of it") == 1


async def test_a_file_that_several_apply_at_once_makes_each_group_once(world: Any) -> None:
    text = COMPANY.replace("company", "many").replace("By file", "By many").replace("Berlin", "Bern")
    text = text.replace("Sales, all of it", "Once").replace('"Once"', "Once").replace("Ana's", "Everybody's")
    plans = [await planned(world, text) for _ in range(4)]
    document = read_text(text, "company.yaml")
    results = await asyncio.gather(*(files.apply(world.url, plan, document) for plan in plans))
    assert [result.refused for result in results] == [[]] * 4
    assert list(world.groups.values()).count("Once") == 1
    assert (await planned(world, text)).is_empty

    # What was made for the file and renamed since is another group: it is neither taken nor renamed back.
    (old,) = [id for id, name in world.groups.items() if name == "Once"]
    world.groups[old] = "Few"
    assert (await files.apply(world.url, await planned(world, text))).is_complete
    assert (world.groups[old], list(world.groups.values()).count("Once")) == ("Few", 1)


WHOLE = """
name: whole
groups: [{name: Whole}, {name: Owners}, {name: Auditors}, {name: Maps}]
roles: [{role: catalogCreator, group: Owners}]
populations:
  - {name: Whole in Rome, rule: 'user.city -eq "Rome"'}
catalogs:
  - name: Whole
    published: false
    roles: [{role: owner, user: ANA@example.com}, {role: reader, group: Auditors}]
    resources:
      - {group: Maps, description: Of the world}
      - group: Whole
        asks:
          - {attribute: jobTitle, editable: false, persisted: true, question: {text: Your job}}
          - {attribute: city, question: {text: Where?, choices: [{value: rome}, {value: oslo}]}}
    extensions:
      - name: Ticket
        for: requests
        settings:
          endpointConfiguration: {'@odata.type': '#microsoft.graph.httpRequestEndpoint', targetUrl: 'https://a.example/'}
          authenticationConfiguration: {'@odata.type': '#microsoft.graph.azureAdPopTokenAuthentication'}
          callbackConfiguration: {timeoutDuration: PT1H}
    packages:
      - name: Books
        hidden: true
        roles: [{group: Whole, role: Owner}]
        incompatible: [Payments, Whole, too / Audit]
        incompatibleGroups: [Auditors]
        policies:
          - name: by rule
            population: Whole in Rome
            gives: false
            gracePeriod: P2W
          - {name: kept, automatic: 'user.city -eq "Rome"', takes: false}
          - {name: by hand, direct: true, expiresAt: 2031-01-31}
          - name: by request
            targets: [{group: Whole}, {user: ana@EXAMPLE.com, description: Herself}, {population: Whole in Rome}]
            expiresAfter: P90D
            requestors:
              self: [add, update]
              onBehalf: [remove]
              onBehalfRequestors: [{manager: 2}]
              customSchedule: true
            approval:
              for: [add]
              justification: true
              stages:
                - approvers: [{manager: 1, description: Whoever they report to}]
                  fallback: [{group: Owners}]
                  within: P1W
                  justification: true
                  escalation: {after: P3D, to: [{user: ana@example.com}], fallback: [{sponsors: internal}]}
                - approvers: [{targetManager: 1}]
            questions:
              - {text: Why?, required: true, pattern: '[a-z]+', singleLine: true, localizations: {de: Wozu?}}
              - text: Where?
                editable: false
                multiple: true
                choices: [{value: rome, text: Rome, localizations: {it: Roma}}, {value: oslo}]
            extensions: [{stage: assignmentRequestCreated, extension: ticket}]
            reviewSettings:
              isEnabled: true
              expirationBehavior: keepAccess
              schedule: {startDateTime: '2027-03-01T00:00:00Z', expiration: {type: afterDuration, duration: P7D}}
              primaryReviewers: [{user: ana@example.com}, {group: Auditors}]
      - {name: Payments}
  - name: Whole, too
    packages:
      - name: Audit
        policies: [{name: everybody, scope: allMemberUsers}]
""".replace("[Payments, Whole, too / Audit]", "[Payments, 'Whole, too / Audit']")


async def test_everything_a_file_can_say_comes_true_and_back(world: Any) -> None:
    plan = await planned(world, WHOLE, "whole.yaml")
    shown = files.render(plan)
    assert "approval.stages[0].escalation.to[0].user: Ana@example.com" in shown
    assert "incompatible group 'Auditors'" in shown
    result = await files.apply(world.url, plan)
    assert result.is_complete, files.render_result(result)
    again = await planned(world, WHOLE, "whole.yaml")
    assert again.is_empty, files.render(again)

    written = await files.export(world.url, "whole")
    mine = cut(written, "Whole")
    present = await planned(world, mine, "whole.yaml")
    assert present.is_empty, files.render(present)
    (policy,) = [p for p in read_text(mine, "x").contents.catalogs[0].packages[0].policies if p.name == "by request"]
    assert [question.id for question in policy.questions].count(None) == 0

    # Every value of it is compared: another one is a change, which is shown and made, and then there is none.
    for before, after in (
        ("takes: false", "gracePeriod: P1D"),
        ("within: P1W", "within: P8D"),
        ("{manager: 2}", "{manager: 1}"),
        ("required: true", "required: false"),
        ("it: Roma", "it: Urbe"),
        ("expiresAt: 2031-01-31", "expiresAt: 2032-01-31"),
        ("incompatibleGroups: [Auditors]", "incompatibleGroups: []"),
        ("customSchedule: true", "customSchedule: false"),
        ("description: Herself", "description: Nobody else"),
        (", description: Whoever they report to", ""),
        ("customSchedule: true", "acceptRequests: false"),
        ("{user: ana@example.com}, {group: Auditors}", "{group: Owners}"),
        ("extensions: [{stage: assignmentRequestCreated", "extensions: [{stage: assignmentRequestGranted"),
        ("timeoutDuration: PT1H", "timeoutDuration: PT2H"),
        ("persisted: true, ", ""),
        ("description: Of the world", "description: Of Rome"),
        ("scope: allMemberUsers", "scope: allDirectoryUsers"),
    ):
        changed = await planned(world, WHOLE.replace(before, after), "whole.yaml")
        assert changed.count("update") == 1, (before, files.render(changed))
        assert (await files.apply(world.url, changed)).is_complete
        assert (await planned(world, WHOLE.replace(before, after), "whole.yaml")).is_empty
        assert (await files.apply(world.url, await planned(world, WHOLE, "whole.yaml"))).is_complete


def cut(text: str, begins: str) -> str:
    """Of an exported file what belongs to catalogs and populations of this name: other tests make more."""
    said = yaml.safe_load(text)
    said["catalogs"] = [one for one in said["catalogs"] if one["name"].startswith(begins)]
    said["populations"] = [one for one in said["populations"] if one["name"].startswith(begins)]
    return str(yaml.safe_dump(said))


async def test_what_lies_in_a_catalog_goes_when_the_file_says_it_no_more(world: Any) -> None:
    whole = WHOLE.replace("Whole", "Emptied").replace("name: whole", "name: emptied").replace("Maps", "Plans")
    assert (await files.apply(world.url, await planned(world, whole))).is_complete
    (catalog,) = await listed(world, "catalogs", "Emptied")
    at = "/v1.0/roleManagement/entitlementManagement/roleAssignments"
    scope = f"/AccessPackageCatalog/{catalog['id']}"
    by_hand = {"principalId": next(iter(world.groups)), "appScopeId": scope}
    by_hand["roleDefinitionId"] = "7f480852-ebdc-47d4-87de-0d8498384a83"
    kept = await made(world.client, at, by_hand)

    document = read_text(whole, "x").contents.model_dump(by_alias=True, exclude_defaults=True)
    first = document["catalogs"][0]
    for name in ("roles", "resources", "extensions"):
        del first[name]
    (asked,) = [one for one in first["packages"][0]["policies"] if one["name"] == "by request"]
    asked["extensions"] = []
    shorter = await planned(world, yaml.safe_dump(document))
    shown = files.render(shorter)
    assert "asks[0].attribute: jobTitle -> (none)" in shown, "the package brings it: it stays and asks nothing"
    assert 'resource "Emptied / Plans"' in shown
    assert 'role "Emptied / owner Ana@example.com"' in shown
    assert "packageManager" in shown, "somebody else gave it: it is left alone, and said to be"
    assert shown.endswith("Plan: 0 to add, 2 to change, 4 to remove.")
    result = await files.apply(world.url, shorter)
    assert result.is_complete, files.render_result(result)
    assert (await planned(world, yaml.safe_dump(document))).is_empty
    left = (await world.client.get(at, params={"$filter": f"appScopeId eq '{scope}'"})).json()["value"]
    assert [one["id"] for one in left] == [kept["id"]]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("extension: ticket", "extension: Tocket", "there is no custom extension 'Tocket'"),
        ("{role: reader", "{role: catalogCreator", "a role for all catalogs"),
        ("[{user: ana@example.com}, {group: Auditors}]", "[{user: eve@example.com}]", "there is no user 'eve@"),
        ("[{user: ana@example.com}, {group: Auditors}]", "[{usr: ana@example.com}]", "reviewSettings"),
        ("user: ana@example.com", "user: ben@example.com", "there is no user 'ben@example.com'"),
        ("[{group: Owners}]", "[{group: Nobody}]", "there is no group 'Nobody'"),
        ("[Payments,", "[Nowhere,", "incompatible[0]: there is no access package 'Nowhere'"),
        ("{targetManager: 1}", "{targetManager: 1, user: x}", "in exactly one way"),
        ("within: P1W", "within: P1M", "within: 'P1M' is no duration"),
        ("scope: allMemberUsers", "scope: everybody", "scope: "),
        ("gives: false", "expiresAfter: P1D", "automatic access ends with its rule"),
        ("targets: [{group: Whole}", "gives: false\n            targets: [{group: Whole}", "go with 'automatic'"),
    ],
)
async def test_what_a_policy_cannot_say_is_told_with_its_place(world: Any, before: str, after: str, said: str) -> None:
    with pytest.raises(files.DocumentWrong) as wrong:
        await planned(world, WHOLE.replace(before, after), "whole.yaml")
    assert said in str(wrong.value)


async def test_what_left_the_file_goes_and_what_people_made_stays(world: Any) -> None:
    text = COMPANY.replace("name: company", "name: second").replace("By file", "Second").replace("In Berlin", "In B.")
    text = text.replace("Sales, all of it", "Second sales").replace("Ana's", "Second's")
    other = "name: beside\ncatalogs: [{name: Beside, packages: [{name: Special}]}]"
    for file in (text, other):
        assert (await files.apply(world.url, await planned(world, file))).is_complete
    (catalog,) = await listed(world, "catalogs", "Second")
    by_hand = await made(
        world.client, f"{EM}/accessPackages", {"displayName": "By hand", "catalog": {"id": catalog["id"]}}
    )
    (sales,) = [one for one in await listed(world, "accessPackages", "Sales") if one["@tenure.managedBy"] == "second"]
    edited = await world.client.patch(f"{EM}/accessPackages/{sales['id']}", json={"description": "Edited by hand"})
    assert edited.is_success, edited.text
    shorter = text[: text.index("      - name: Special")].replace('"Sales"', '"Marketing"')

    plan = await planned(world, shorter)
    shown = files.render(plan)
    assert 'rule: user.department -eq "Sales" -> user.department -eq "Marketing"' in shown
    assert "description: Edited by hand -> (none)" in shown
    assert '- access package "Second / Special"' in shown
    assert "access package 'Second / By hand' is left alone: made by hand" in shown
    assert shown.endswith("Plan: 0 to add, 2 to change, 1 to remove.")
    result = await files.apply(world.url, plan)
    assert (result.changed, result.removed, result.refused) == (2, 1, [])

    plan = await planned(world, "name: second")
    assert "catalog 'Second' stays" in files.render(plan)
    result = await files.apply(world.url, plan)
    assert result.is_complete, files.render_result(result)
    assert (await world.client.get(f"{EM}/accessPackages/{by_hand['id']}")).status_code == 200
    left = [one["@tenure.managedBy"] for one in await listed(world, "accessPackages", "Special")]
    assert "beside" in left
    assert "second" not in left


async def test_the_built_in_catalog_is_kept_by_a_file_for_a_while_and_stays(world: Any) -> None:
    text = "name: house\ncatalogs: [{name: General, packages: [{name: Tea}]}]"
    assert (await files.apply(world.url, await planned(world, text))).is_complete

    plan = await planned(world, "name: house")
    assert "catalog 'General' stays, although the file says it no more: it is built in" in files.render(plan)
    assert (await files.apply(world.url, plan)).removed == 1, "the package"
    assert (await planned(world, "name: house")).is_empty


async def test_what_a_file_cannot_say_the_api_does_not_take_either(world: Any) -> None:
    plan = await planned(world, "name: odd\ncatalogs: [{name: Odd, packages: [{name: Loner}]}]")
    (package,) = [one for one in plan.steps if one.kind == "package"]
    package.body["incompatiblePackages"] = [package.id]
    result = await files.apply(world.url, plan)
    assert [one.message for one in result.refused] == ["A package is not incompatible with itself."]


async def test_a_change_made_since_the_plan_is_not_overwritten(world: Any) -> None:
    text = "name: third\ncatalogs: [{name: Third, description: One}]"
    assert (await files.apply(world.url, await planned(world, text))).is_complete
    plan = await planned(world, text.replace("One", "Two"))
    (catalog,) = await listed(world, "catalogs", "Third")
    await world.client.patch(f"{EM}/catalogs/{catalog['id']}", json={"description": "By hand meanwhile"})
    result = await files.apply(world.url, plan)
    assert [one.code for one in result.refused] == ["stale"]


async def test_what_is_still_held_is_refused_and_said(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.cli.applying.making.STUCK_AFTER_S", 0.3)
    text = "name: fourth\ncatalogs: [{name: Fourth, packages: [{name: Held}]}]"
    assert (await files.apply(world.url, await planned(world, text))).is_complete
    (package,) = await listed(world, "accessPackages", "Held")
    world.in_use[package["id"]] = 1
    result = await files.apply(world.url, await planned(world, "name: fourth"))
    assert result.removed == 0
    assert any("1 assignment" in one.message for one in result.refused)
    assert "refused" in files.render_result(result)


async def test_two_groups_of_one_name_are_not_guessed_between(world: Any) -> None:
    for _ in range(2):
        await a_group(world, "Twins")
    with pytest.raises(files.DocumentWrong, match="2 groups are named 'Twins'"):
        await planned(world, "catalogs: [{name: X, packages: [{name: Y, roles: [{group: Twins}]}]}]")


async def test_another_files_things_are_not_taken(world: Any) -> None:
    text = "name: fifth\ncatalogs: [{name: Fifth}]"
    assert (await files.apply(world.url, await planned(world, text))).is_complete
    with pytest.raises(files.DocumentWrong, match="kept by the file 'fifth'"):
        await planned(world, text.replace("fifth", "sixth"))


async def test_a_thousand_packages_are_applied_and_leave_nothing_to_do(world: Any) -> None:
    document = {
        "name": "thousand",
        "groups": [{"name": "Many"}],
        "catalogs": [
            {
                "name": "Many",
                "packages": [
                    {
                        "name": f"Package {number}",
                        "roles": [{"group": "Many"}],
                        "policies": [{"name": "by rule", "automatic": f'user.department -eq "D{number}"'}],
                    }
                    for number in range(1000)
                ],
            }
        ],
    }
    result = await files.apply(world.url, await files.plan(world.url, document))
    assert (result.added, result.refused) == (2002, [])
    assert (await files.plan(world.url, document)).is_empty


async def test_the_commands_show_ask_and_do(world: Any, tmp_path: Path) -> None:
    file = tmp_path / "by-command.yaml"
    file.write_text("catalogs: [{name: By command}]")

    def tenure(*words: str, said: str | None = None) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*words, "--api", world.url], input=said)
        return result.exit_code, result.output

    shown = await asyncio.to_thread(tenure, "plan", str(file))
    assert shown[0] == 0
    assert "Plan: 1 to add" in shown[1]
    declined = await asyncio.to_thread(tenure, "apply", str(file), said="n\n")
    assert declined[0] == 1
    assert await listed(world, "catalogs", "By command") == []
    done = await asyncio.to_thread(tenure, "apply", str(file), "--yes", "--json")
    assert done[0] == 0
    assert json.loads(done[1])["result"]["added"] == 1
    again = await asyncio.to_thread(tenure, "apply", str(file))
    assert (again[0], "No changes" in again[1]) == (0, True)
    file.write_text("catalogs: [{name: By command, packages: [{name: A, roles: [{group: Nobody's}]}]}]")
    wrong = await asyncio.to_thread(tenure, "plan", str(file))
    assert wrong[0] == 2


async def listed(world: Any, path: str, name: str) -> list[dict[str, Any]]:
    answer = await world.client.get(f"{EM}/{path}", params={"$filter": f"displayName eq '{name}'"})
    return list(answer.json()["value"])
