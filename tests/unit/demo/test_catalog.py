"""The catalog made from a history: one package and group a name, rules that say exactly that name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.demo import catalog
from tests.unit.demo.folding import matches

Write = Callable[..., Path]


def rules(folder: Path) -> dict[str, list[str]]:
    (described,) = catalog.document(folder)["catalogs"]
    return {
        package["name"]: [policy["automatic"] for policy in package["policies"]] for package in described["packages"]
    }


def test_every_department_and_title_has_a_package_a_group_and_a_rule_of_its_name(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,9999-01-01"], ["1,Staff,1985-01-01,9999-01-01"])
    document = catalog.document(folder)
    (described,) = document["catalogs"]
    assert {"name": "Research"} in document["groups"]
    assert [group["name"] for group in document["groups"]] == [package["name"] for package in described["packages"]]
    (sales,) = [package for package in described["packages"] if package["name"] == "Sales"]
    assert sales["roles"] == [{"group": "Sales", "role": "Member"}]
    assert sales["policies"] == [{"name": "Sales, by department", "automatic": 'user.department -eq "Sales"'}]
    assert rules(folder)["Staff in Sales"] == ['(user.department -eq "Sales") -and (user.jobTitle -eq "Staff")']
    assert rules(folder)["Managers"] == ['user.extensionAttribute1 -eq "manager"']


def test_all_four_ways_to_combine_are_there(made: Path) -> None:
    text = " ".join(rule for of in rules(made).values() for rule in of)
    assert all(operator in text for operator in ("-and", "-or", "-in", "-not"))


@pytest.mark.parametrize(
    "name", ["Founders' Office", '"Skunk Works"', "R\\D", "End\\", "Tick`", "'", '\\"', "Ünïcode", "a, b"]
)
def test_any_name_stands_in_a_rule_as_itself(name: str) -> None:
    rule = f"user.department -eq {catalog.quoted(name)}"
    assert matches(rule, {"department": name})
    assert not matches(rule, {"department": f"{name}x"})


@pytest.mark.parametrize(
    ("name", "written"),
    [("Sales", '"Sales"'), ("O'Brien", "\"O''Brien\""), ('"A"', '"\\"A\\""'), ("R\\D", '"R\\D"'), ("End\\", "'End\\'")],
)
def test_quotes_are_escaped_as_the_membership_rule_pages_say(name: str, written: str) -> None:
    assert catalog.quoted(name) == written


def test_rules_look_into_the_lists_only_where_people_are_in_several_departments_at_once(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,9999-01-01", "1,d2,1986-01-01,9999-01-01"], ["1,Staff,1985-01-01,9999-01-01"])
    assert rules(folder)["Sales"] == [
        '(user.department -eq "Sales") -or (user.extensionAttribute2 -contains "|Sales|")'
    ]
    assert rules(folder)["Staff"] == ['user.jobTitle -eq "Staff"']


def test_names_that_differ_only_by_case_are_refused(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,9999-01-01"], department=["d1,Sales", "d2,SALES"])
    with pytest.raises(catalog.NamesTooAlikeError, match="'SALES' and 'Sales' differ only by case"):
        catalog.document(folder)


def test_the_file_says_what_the_document_says(made: Path) -> None:
    read: Any = yaml.safe_load(catalog.as_yaml(made))
    assert read == catalog.document(made)
