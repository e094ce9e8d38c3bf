"""What is asked of a relation that is kept elsewhere is asked there first, and then means what leads to it."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.web.errors import UnsupportedQuery
from shared.web.odata import GUID, EntitySet, Field, ListQuery, Many, Through, found_first, only_value, read_query
from shared.web.odata.mongo import Sought
from shared.web.odata.through import MOST

CATALOGS = EntitySet("catalog", {"displayName": Field("name")})
PACKAGES = EntitySet(
    "package",
    {"displayName": Field("name", folded="folded"), "catalog/id": Field("catalog_id", GUID)},
    through={"catalog": Through("catalog_id", lambda: CATALOGS, "catalogs")},
)
REQUESTS = EntitySet(
    "request",
    {
        "id": Field("_id", GUID),
        "accessPackage/id": Field("package_id", GUID),
        "answers": Many("answers", {"value": Field("value")}),
    },
    through={
        "accessPackage": Through("package_id", lambda: PACKAGES, "packages"),
        "assignment/accessPackage": Through("package_id", lambda: PACKAGES, "packages"),
        "catalog": Through("package_id", lambda: PACKAGES, "packages", behind=("catalog",)),
    },
)


def query(text: str) -> ListQuery:
    return read_query(REQUESTS, [("$filter", text)])


SALES = Sought("packages", {"folded": {"$eq": "sales"}})


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("accessPackage/id eq 'P'", {"package_id": {"$eq": "p"}}),
        ("accessPackage/displayName eq 'Sales'", {"package_id": {"$in": SALES}}),
        ("AccessPackage/DisplayName eq 'Sales'", {"package_id": {"$in": SALES}}),
        ("accessPackage/displayName ne 'Sales'", {"package_id": {"$nin": SALES}}),
        ("not (accessPackage/displayName eq 'Sales')", {"package_id": {"$nin": SALES}}),
        ("not (accessPackage/displayName ne 'Sales')", {"package_id": {"$in": SALES}}),
        ("assignment/accessPackage/displayName eq 'Sales'", {"package_id": {"$in": SALES}}),
        ("accessPackage/catalog/id eq 'C'", {"package_id": {"$in": Sought("packages", {"catalog_id": {"$eq": "c"}})}}),
        ("catalog/id eq 'C'", {"package_id": {"$in": Sought("packages", {"catalog_id": {"$eq": "c"}})}}),
        (
            "not startswith(accessPackage/displayName,'s')",
            {
                "$and": [
                    {"package_id": {"$nin": Sought("packages", {"folded": {"$regex": "^s"}})}},
                    {"package_id": {"$nin": Sought("packages", {"name": {"$eq": None}})}},
                ]
            },
        ),
    ],
)
def test_a_condition_on_what_a_relation_leads_to_stands_for_its_ids(text: str, where: Mapping[str, Any]) -> None:
    assert query(text).where == where


async def test_ids_are_found_from_the_farthest_on() -> None:
    asked: list[Any] = []

    async def ids(name: str, where: Mapping[str, Any], limit: int) -> list[str]:
        asked.append((name, where))
        return {"catalogs": ["c1", "c2"], "packages": ["p1"]}[name]

    found = await found_first(query("accessPackage/catalog/displayName ne null and id ne 'x'"), ids)
    assert asked == [
        ("catalogs", {"name": {"$eq": None}}),
        ("packages", {"catalog_id": {"$in": ["c1", "c2"]}}),
    ]
    assert found.where == {"$and": [{"package_id": {"$nin": ["p1"]}}, {"_id": {"$ne": "x"}}]}
    found = await found_first(query("accessPackage/displayName eq 'Sales'"), ids)
    assert only_value(found.where, "package_id") == "p1"


async def test_what_finds_too_many_is_refused() -> None:
    async def ids(name: str, where: Mapping[str, Any], limit: int) -> list[str]:
        return [str(number) for number in range(limit)]

    with pytest.raises(UnsupportedQuery, match=f"more than {MOST}"):
        await found_first(query("contains(accessPackage/displayName,'a')"), ids)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("accessPackage/secret eq 'x'", "secret"),
        ("accessPackage/name eq 'x'", "name"),
        ("accessPackage/displayName eq 5", "displayName"),
        ("accessPackage eq 'x'", "accessPackage"),
        ("accessPackage/catalog/secret eq 'x'", "secret"),
        ("requestor/displayName eq 'x'", "requestor/displayName"),
        ("answers/any(a:a/accessPackage/displayName eq 'x')", "accessPackage/displayName"),
    ],
)
def test_what_is_not_public_there_is_refused_and_named(text: str, target: str) -> None:
    with pytest.raises(UnsupportedQuery) as refused:
        query(text)
    assert refused.value.target == target
