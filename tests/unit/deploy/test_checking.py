"""The demo's check: what differs is named, what the spells cannot say is left out."""

from __future__ import annotations

from typing import Any

from deploy.demo.checking import Mismatch, compare, judged


def test_who_is_missing_and_who_is_too_many_are_named() -> None:
    assert compare("package", {"Sales": {1, 2}, "Legal": {3}}, {"Sales": [2, 4], "Legal": [3]}) == [
        Mismatch("package", "Sales", (1,), (4,))
    ]


def test_a_package_that_is_not_there_is_a_mismatch_even_if_nobody_should_hold_it() -> None:
    (one,) = compare("group", {"Sales": set()}, {})
    assert one.absent
    assert one.as_json() == {"kind": "group", "name": "Sales", "missing": [], "surplus": [], "absent": True}


def test_only_packages_described_as_the_history_would_describe_them_are_judged() -> None:
    def catalog(rule: str) -> dict[str, Any]:
        package = {"name": "Sales", "roles": [{"group": "Sales"}], "policies": [{"name": "any", "automatic": rule}]}
        return {"catalogs": [{"packages": [package]}]}

    made = catalog('user.department -eq "Sales"')
    assert judged(made, made) == {"Sales"}
    assert judged(made, catalog('user.city -eq "Rome"')) == set()
    assert judged(made, {"groups": []}) == set()
