"""Query options on a real MongoDB: what a filter means is what is found, and pages leave nobody out."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from pymongo import MongoClient
from pymongo.collection import Collection

from deploy.embedded import Servers
from shared.web.app import make_app
from shared.web.odata import (
    BOOLEAN,
    DATE_TEXT,
    DATETIME,
    GUID,
    INTEGER,
    EntitySet,
    Enumeration,
    Field,
    ListQuery,
    Many,
    read_query,
)
from shared.web.paging import answer_list, list_query

PEOPLE = EntitySet(
    "user",
    {
        "id": Field("_id", GUID),
        "displayName": Field("name", sortable=True),
        "city": Field("city", folded="city_folded", sortable=True),
        "accountEnabled": Field("enabled", BOOLEAN),
        "level": Field("level", INTEGER, sortable=True),
        "userType": Field("type", Enumeration(("Member", "Guest"))),
        "employeeHireDate": Field("hired", DATETIME, sortable=True),
        "manager/id": Field("manager_id", GUID),
        "otherMails": Many("mails"),
        "levels": Many("levels", kind=INTEGER),
        "roles": Many("roles", {"id": Field("id", GUID), "name": Field("name"), "tags": Many("tags")}),
    },
    searchable=("displayName", "city"),
)


def person(key: str, **fields: Any) -> dict[str, Any]:
    if fields.get("city"):
        fields["city_folded"] = fields["city"].casefold()
    return {"_id": key, "secret": "s", **fields}


CROWD = [
    person(
        "ana",
        name="Ana Kovač",
        city="Łódź",
        enabled=True,
        level=3,
        type="Member",
        hired=datetime(2020, 1, 1, tzinfo=UTC),
        mails=["ana@x.com", "a@y.com"],
        levels=[1, 5],
        roles=[{"id": "r1", "name": "Owner", "tags": ["x"]}],
        manager_id="cy",
    ),
    person(
        "ben",
        name="Ben O'Neil",
        city="łódź",
        enabled=False,
        level=5,
        type="Guest",
        hired=datetime(2021, 6, 1, 12, tzinfo=UTC),
        mails=[],
        levels=[3],
        roles=[{"id": "r1", "name": "Member"}, {"id": "r2", "name": "Owner"}],
        manager_id="ana",
    ),
    person("cy", name="cy (100%) *", city=None, enabled=True, level=None, type="Member", mails=["c@x.com"], roles=[]),
    person("dee", name="Dee-Ann\n", enabled=True, type="Guest", hired=datetime(2020, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)),
]


@pytest.fixture(scope="module")
def people(servers: Servers) -> Iterator[Collection[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](servers.endpoints.mongo, tz_aware=True) as client:
        client["odata"]["people"].insert_many(CROWD)
        yield client["odata"]["people"]
        client.drop_database("odata")


def run(
    people: Collection[dict[str, Any]], query: ListQuery, scope: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    return list(people.find(query.mongo_filter(scope), sort=query.sort, skip=query.skip, limit=query.limit))


def found(people: Collection[dict[str, Any]], **options: str) -> str:
    query = read_query(PEOPLE, [(f"${name}", value) for name, value in options.items()])
    return " ".join(one["_id"] for one in run(people, query))


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("displayName eq 'ANA KOVAČ'", "ana"),
        ("displayName ne 'ANA kovač'", "ben cy dee"),
        ("not(displayName ne 'ANA kovač')", "ana"),
        ("displayName in ('ana kovač', 'Ben O''Neil')", "ana ben"),
        ("not(displayName in ('ana kovač', 'Ben O''Neil'))", "cy dee"),
        ("displayName eq 'Dee-Ann'", ""),  # a line break more is another name
        ("startswith(displayName,'ben o''')", "ben"),
        ("endswith(displayName,'%) *')", "cy"),
        ("contains(tolower(displayName),'.')", ""),  # a pattern is no pattern
        ("not contains(displayName,'a')", "ben cy"),
        ("not(not contains(displayName,'a'))", "ana dee"),
        ("not contains(city,'x')", "ana ben"),  # of nothing, a text function says neither yes nor no
        ("otherMails/any(m:startswith(m,'a') and endswith(m,'x.com') and not contains(m,'y'))", "ana"),
        ("otherMails/$count lt 2 and otherMails/$count ge 1", "cy"),
        ("city eq 'ŁÓDŹ'", "ana ben"),
        ("city in ('ŁÓDŹ', null)", "ana ben cy dee"),
        ("startswith(city,'Łó')", "ana ben"),
        ("city eq null", "cy dee"),
        ("city ne null", "ana ben"),
        ("city ne 'Łódź'", "cy dee"),
        ("accountEnabled", "ana cy dee"),
        ("not accountEnabled", "ben"),
        ("accountEnabled eq false", "ben"),
        ("level gt 3", "ben"),
        ("3 le level", "ana ben"),
        ("not(level gt 3)", "ana cy dee"),
        ("level lt 5", "ana"),
        ("level in (3, 5)", "ana ben"),
        ("userType eq 'guest'", "ben dee"),
        ("employeeHireDate ge 2021-06-01", "ben"),
        ("employeeHireDate eq 2020-01-01T01:00:00+01:00", "ana"),
        ("employeeHireDate ge 2020-01-01T00:00:00.0005Z and employeeHireDate lt 2021-01-01", "dee"),
        ("employeeHireDate lt 2020-01-01T00:00:00.0005Z", "ana"),
        ("id in ('ANA','ben')", "ana ben"),
        ("manager/id eq 'cy'", "ana"),
        ("otherMails/any(m:m eq 'A@Y.com')", "ana"),
        ("otherMails/any(m:endswith(m,'x.com'))", "ana cy"),
        ("otherMails/any(m:m eq 'c@x.com' or startswith(m,'ana'))", "ana cy"),
        ("otherMails/any(m:not endswith(m,'x.com'))", "ana"),
        ("otherMails/all(m:endswith(m,'x.com'))", "ben cy dee"),
        ("not(otherMails/any())", "ben dee"),
        ("otherMails/$count eq 0", "ben dee"),
        ("otherMails/$count ne 0", "ana cy"),
        ("otherMails/$count eq 2", "ana"),
        ("levels/any(l:l gt 1 and l lt 4)", "ben"),
        ("levels/any(l:l gt 1) and levels/any(l:l lt 4)", "ana ben"),
        ("levels/any(l:l ne 3)", "ana"),
        ("levels/any(l:not(l gt 4))", "ana ben"),
        ("roles/any(r:r/id eq 'r1' and r/name eq 'owner')", "ana"),
        ("roles/any(r:r/tags/any(t:t eq 'x'))", "ana"),
        ("roles/all(r:r/name eq 'owner')", "ana cy dee"),
        ("roles/any(r:not(r/name eq 'owner'))", "ben"),
        ("roles/any() and (accountEnabled or level eq 5) and not(userType eq 'Guest' or city eq null)", "ana"),
    ],
)
def test_a_filter_finds_who_it_means(people: Collection[dict[str, Any]], text: str, who: str) -> None:
    assert found(people, filter=text) == who


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ('"displayName:kov"', "ana"),
        ('"displayName:ovač"', ""),  # words are found by their beginning
        ('"displayName:ann dee"', "dee"),
        ('"displayName:ben" OR "city:łódź"', "ana ben"),
        ('"displayName:ben" AND "city:łódź"', "ben"),
        ("łód", "ana ben"),
        ('"displayName:(100"', "cy"),
        ('("displayName:ana" OR "displayName:ben") AND "displayName:ben"', "ben"),
        ('"displayName:ana" OR ("displayName:ben" AND "city:x")', "ana"),
    ],
)
def test_a_search_finds_words_by_their_beginning(people: Collection[dict[str, Any]], text: str, who: str) -> None:
    assert found(people, search=text) == who


@pytest.mark.parametrize(
    "order", ["", "level", "level desc", "employeeHireDate desc,displayName", "city,level desc", "id desc"]
)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_together_are_the_whole_list(people: Collection[dict[str, Any]], order: str, size: int) -> None:
    options = [("$orderby", order), ("$top", str(size))]
    whole = [one["_id"] for one in people.find(sort=read_query(PEOPLE, options).sort)]
    seen: list[str] = []
    token: list[tuple[str, str]] = []
    while True:
        query = read_query(PEOPLE, [*options, *token])
        documents = run(people, query)
        seen += [one["_id"] for one in documents[:size]]
        if len(documents) <= size:
            break
        token = [("$skiptoken", query.token_after(documents[size - 1]))]
    assert seen == whole


def test_what_a_caller_may_see_bounds_everything_asked(people: Collection[dict[str, Any]]) -> None:
    query = read_query(PEOPLE, [("$filter", "accountEnabled or level gt 0 or id ne 'x'")])
    assert [one["_id"] for one in run(people, query, scope={"type": "Guest"})] == ["ben", "dee"]


@pytest.fixture
def app(people: Collection[dict[str, Any]]) -> FastAPI:
    routes = APIRouter()

    @routes.get("/v1.0/users")
    async def users(request: Request, query: ListQuery = Depends(list_query(PEOPLE))) -> dict[str, Any]:  # noqa: B008
        async def find(asked: ListQuery) -> list[dict[str, Any]]:
            return run(people, asked)

        async def total(asked: ListQuery) -> int:
            return people.count_documents(asked.total_filter())

        return await answer_list(
            request,
            query,
            find=find,
            total=total,
            render=lambda one: {"id": one["_id"], "displayName": one["name"]},
            context="users",
        )

    return make_app("Test", [routes])


async def test_a_list_is_answered_as_graph_does_and_its_links_can_be_followed(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:9") as client:
        options = {"$filter": "displayName ne 'Ben O''Neil'", "$top": "2", "$count": "true", "$select": "displayName"}
        first = (await client.get("/V1.0/Users", params=options)).json()
        assert list(first) == ["@odata.context", "@odata.count", "@odata.nextLink", "value"]
        assert first["@odata.context"] == "http://127.0.0.1:9/v1.0/$metadata#users(displayName)"
        assert first["@odata.count"] == 3
        assert first["value"] == [{"displayName": "Ana Kovač"}, {"displayName": "cy (100%) *"}]
        assert re.match(r"http://127\.0\.0\.1:9/v1\.0/users\?\$filter=.*&\$skiptoken=[\w-]+$", first["@odata.nextLink"])

        last = (await client.get(first["@odata.nextLink"])).json()
        assert list(last) == ["@odata.context", "value"]
        assert last["value"] == [{"displayName": "Dee-Ann\n"}]

        refused = await client.get("/v1.0/users", params={"$fitler": "x"})
        assert (refused.status_code, refused.json()["error"]["target"]) == (400, "$fitler")
        document = (await client.get("/openapi.json")).json()
        documented = document["paths"]["/v1.0/users"]["get"]["parameters"]
        shared = document["components"]["parameters"]
        names = {(one if "name" in one else shared[one["$ref"].rpartition("/")[2]])["name"] for one in documented}
        assert names >= {"$filter", "$select", "$top", "$skiptoken"}


TIMES = ["09:59:59.999000Z", "10:00:00Z", "10:00:00.500000Z", "10:00:00.500100Z", "10:00:00.999999Z", "10:00:01Z", None]
DATED = EntitySet("dated", {"id": Field("_id"), "at": Field("at", DATE_TEXT)})


@pytest.mark.parametrize("moment", ["10:00:00Z", "10:00:00.000Z", "10:00:00.5Z", "10:00:00.5001Z", "12:00:01+02:00"])
@pytest.mark.parametrize("op", ["eq", "ne", "gt", "ge", "lt", "le"])
def test_dates_that_are_kept_as_text_are_compared_as_the_moments_that_they_say(
    servers: Servers, op: str, moment: str
) -> None:
    def said(time: str) -> datetime:
        return datetime.fromisoformat(f"2026-01-01T{time}")

    asked = said(moment)
    means = {
        "eq": lambda time: time is not None and said(time) == asked,
        "ne": lambda time: time is None or said(time) != asked,
        "gt": lambda time: time is not None and said(time) > asked,
        "ge": lambda time: time is not None and said(time) >= asked,
        "lt": lambda time: time is not None and said(time) < asked,
        "le": lambda time: time is not None and said(time) <= asked,
    }[op]
    with MongoClient[dict[str, Any]](servers.endpoints.mongo) as client:
        dated = client["odata_dates"]["dated"]
        dated.delete_many({})
        dated.insert_many([{"_id": str(time), "at": time and f"2026-01-01T{time}"} for time in TIMES])
        query = read_query(DATED, [("$filter", f"at {op} 2026-01-01T{moment}")])
        found = {one["_id"] for one in dated.find(query.mongo_filter())}
        opposite = read_query(DATED, [("$filter", f"not (at {op} 2026-01-01T{moment})")])
        others = {one["_id"] for one in dated.find(opposite.mongo_filter())}
        client.drop_database("odata_dates")
    assert found == {str(time) for time in TIMES if means(time)}
    assert others == {str(time) for time in TIMES} - found
