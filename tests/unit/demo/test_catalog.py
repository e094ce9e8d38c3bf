"""The catalog made from a history: one package and group a name, rules that say exactly that name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.cli.applying.document import document_of
from deploy.demo import catalog
from deploy.demo.history import HistoryError
from deploy.demo.packages import LONGEST_NAME
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
    with pytest.raises(HistoryError, match="'SALES' and 'Sales' differ only by case"):
        catalog.document(folder)
    folder = write(["1,d1,1985-01-01,9999-01-01"], department=["d1,Caf\u00e9", "d2,Cafe\u0301"])
    with pytest.raises(HistoryError, match="Unicode form"):
        catalog.document(folder)


def test_a_combined_package_steps_aside_from_a_name_that_rules_cannot_tell_from_its_own(write: Write) -> None:
    folder = write(["1,d1,1985-01-01,9999-01-01"], department=["d1,managers", "d2,Sales"])
    assert list(rules(folder)) == ["Sales", "managers", "Managers (combined)"]


def test_names_as_long_as_they_may_be_make_no_name_that_is_longer(write: Write) -> None:
    longest = [letter * LONGEST_NAME for letter in "abc"]
    folder = write(
        [f"1,d{number},1985-01-01,9999-01-01" for number in range(3)],
        [f"1,{letter * LONGEST_NAME},1985-01-01,9999-01-01" for letter in "xyz"],
        department=[f"d{number},{name}" for number, name in enumerate(longest)],
    )
    document_of(catalog.document(folder), "company.yaml")
    assert {*longest} < rules(folder).keys()

    (folder / "department.csv").write_text(f"dept_no,dept_name\nd0,A\nd1,B\nd2,{longest[2]}c\n")
    with pytest.raises(HistoryError, match="longer than a group's name can be"):
        catalog.document(folder)


def test_the_file_says_what_the_document_says(made: Path) -> None:
    read: Any = yaml.safe_load(catalog.as_yaml(made))
    assert read == catalog.document(made)
