"""What stands behind a list or an object in a path is answered wherever the list and the object are."""

from collections.abc import Sequence
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from shared.web.app import make_app
from shared.web.errors import NotFound
from shared.web.odata import GUID, EntitySet, Expand, Field, ListQuery, Shape
from shared.web.paging import answer_list, context_url, list_query, shape_query, slice_of

USERS = EntitySet(
    "user", {"id": Field("_id", GUID), "displayName": Field("name")}, selectable=frozenset({"city", "tags", "enabled"})
)
PEOPLE = {
    "a": {"id": "a", "displayName": "Ana", "city": None, "tags": ["x"], "enabled": True},
    "o'n": {"id": "o'n", "displayName": "Ben", "city": "Rome", "tags": [], "enabled": False},
}


@pytest.fixture
def app() -> FastAPI:
    routes = APIRouter(prefix="/v1.0")

    async def listed(request: Request, query: ListQuery, bodies: Sequence[dict[str, Any]]) -> dict[str, Any]:
        async def find(asked: ListQuery) -> Sequence[dict[str, Any]]:
            return [{"_id": one["id"], **one} for one in bodies][asked.skip : asked.skip + asked.limit]

        async def total(asked: ListQuery) -> int:
            return len(bodies) - ("$filter" in dict(asked.options))

        def render(one: Any) -> dict[str, Any]:
            return {key: value for key, value in one.items() if key != "_id"}

        return await answer_list(request, query, find=find, render=render, context="users", total=total)

    asked = Annotated[ListQuery, Depends(list_query(USERS))]

    @routes.get("/users")
    async def users(request: Request, query: asked) -> dict[str, Any]:
        return await listed(request, query, list(PEOPLE.values()))

    @routes.get("/users/{id}")
    async def user(request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(USERS))]) -> dict[str, Any]:
        if id not in PEOPLE:
            raise NotFound(f"There is no {id}.")
        return {"@odata.context": context_url(request, "users/$entity"), **shape.selected(PEOPLE[id])}

    @routes.patch("/users/{id}", status_code=204)
    async def change(id: str) -> None: ...

    @routes.get("/users/{id}/manager")
    async def manager(id: str) -> dict[str, Any]:
        return {"@odata.type": "#microsoft.graph.user", "id": "boss"}

    @routes.post("/users/{id}/getMemberGroups")
    async def groups_of(id: str) -> dict[str, Any]:
        return {"value": []}

    @routes.get("/groups/{id}/members")
    async def members(request: Request, id: str, query: asked) -> dict[str, Any]:
        typed = [{"@odata.type": "#microsoft.graph.user", **one} for one in PEOPLE.values()]
        return await listed(request, query, typed)

    @routes.post("/groups/{id}/members/$ref", status_code=204)
    async def add(id: str) -> None: ...

    @routes.get("/groups/$count")
    async def own_count() -> Response:
        return Response("its own", media_type="text/plain")

    @routes.get("/groups/{id}")
    async def group(id: str) -> dict[str, str]:
        return {"id": id}

    return make_app("Test", [routes])


async def call(app: FastAPI, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.request(method, path, headers=headers)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1.0/users/$count", "2"),
        ("/V1.0/Users/$Count?$filter=id ne 'a'&$top=1", "1"),
        ("/v1.0/groups('g')/members/$count", "2"),
        ("/v1.0/groups/$count", "its own"),
        ("/v1.0/users/a/displayName/$value", "Ana"),
        ("/v1.0/users('o''n')/ENABLED/$value", "false"),
    ],
)
async def test_counts_and_values_are_plain_text(app: FastAPI, path: str, said: str) -> None:
    answer = await call(app, path)
    assert (answer.status_code, answer.text) == (200, said)
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_property_is_answered_under_its_name(app: FastAPI) -> None:
    base = "http://127.0.0.1:8000/v1.0/$metadata#users"
    assert (await call(app, "/v1.0/users/a/DisplayName")).json() == {
        "@odata.context": f"{base}('a')/displayName",
        "value": "Ana",
    }
    assert (await call(app, "/v1.0/users('o''n')/tags")).json() == {
        "@odata.context": f"{base}('o''n')/tags",
        "value": [],
    }
    for path in ("/v1.0/users/a/city", "/v1.0/users/a/city/$value"):
        nothing = await call(app, path)
        assert (nothing.status_code, nothing.content) == (204, b"")


async def test_references_are_the_addresses_of_what_is_there(app: FastAPI) -> None:
    base = "http://127.0.0.1:8000/v1.0"
    members = (await call(app, "/v1.0/groups/g/members/$ref?$top=1")).json()
    assert members["@odata.context"] == f"{base}/$metadata#Collection($ref)"
    assert members["value"] == [{"@odata.id": f"{base}/directoryObjects/a"}]
    assert members["@odata.nextLink"].startswith(f"{base}/groups/g/members/$ref?")
    users = (await call(app, "/v1.0/users/$ref?$count=true")).json()
    assert users["@odata.count"] == 2
    assert [one["@odata.id"] for one in users["value"]] == [f"{base}/users/a", f"{base}/users/o'n"]
    manager = (await call(app, "/v1.0/users/a/manager/$ref")).json()
    assert manager == {"@odata.context": f"{base}/$metadata#$ref", "@odata.id": f"{base}/directoryObjects/boss"}
    group = (await call(app, "/v1.0/groups/g/$ref")).json()
    assert group["@odata.id"] == f"{base}/groups/g"


async def test_of_a_list_of_directory_objects_those_of_one_type_are_read_by_its_name(app: FastAPI) -> None:
    at = "/v1.0/groups/g/members"
    users = (await call(app, f"{at}/microsoft.graph.user?$count=true&$top=1&$select=displayName")).json()
    assert users["@odata.context"] == "http://127.0.0.1:8000/v1.0/$metadata#users"
    assert (users["@odata.count"], [one["displayName"] for one in users["value"]]) == (2, ["Ana"])
    following = (await call(app, users["@odata.nextLink"].removeprefix("http://127.0.0.1:8000"))).json()
    assert [one["displayName"] for one in following["value"]] == ["Ben"]
    assert (await call(app, f"{at}/Microsoft.Graph.servicePrincipal")).json()["value"] == []
    short = await call(app, f"{at}/graph.user?$select=displayName")  # as the SDKs send it
    assert [one["displayName"] for one in short.json()["value"]] == ["Ana", "Ben"]
    assert (await call(app, f"{at}/graph.user/$count")).text == "2"
    assert (await call(app, f"{at}/microsoft.graph.device?$filter=secret eq 'x'")).status_code == 400
    for path in (f"{at}/microsoft.graph.site", f"{at}/user"):
        assert (await call(app, path)).status_code == 404, path


async def test_one_object_is_read_as_of_its_own_type_alone(app: FastAPI) -> None:
    for at, name in (("/v1.0/users/a", "displayName"), ("/v1.0/users/a/manager", "id")):
        for cast in ("microsoft.graph.user", "graph.user", "Microsoft.Graph.User"):
            answer = await call(app, f"{at}/{cast}")
            assert (answer.status_code, answer.json()[name]) == (200, {"displayName": "Ana", "id": "boss"}[name])
        assert (await call(app, f"{at}/microsoft.graph.group")).status_code == 404
    assert (await call(app, "/v1.0/users/nobody/graph.user")).status_code == 404
    assert (await call(app, f"/v1.0/users/a{'/graph.user' * 2000}")).status_code == 404
    assert (await call(app, "/v1.0/users/a/graph.user?$select=secret")).status_code == 400


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/v1.0/users/a/secret", 404, "'secret'"),
        ("/v1.0/users/a/secret/$value", 404, "'$value'"),
        ("/v1.0/users/a/tags/$value", 400, "'tags'"),
        ("/v1.0/users/nobody/displayName", 404, "nobody"),
        ("/v1.0/users/a/$count", 404, "'$count'"),
        ("/v1.0/users/value", 404, "value"),
        ("/v1.0/nothing/$count", 404, "'$count'"),
        ("/v1.0/users/$count?$filter=secret eq 'x'", 400, "'secret'"),
        ("/v1.0/users/$count?$fitler=x", 400, "'$fitler'"),
        ("/v1.0/users/$batch", 404, "'$batch'"),
        ("/$count", 404, "'$count'"),
        ("/", 404, "''"),
    ],
)
async def test_what_is_not_there_is_named(app: FastAPI, path: str, status: int, named: str) -> None:
    answer = await call(app, path)
    assert answer.status_code == status
    assert named in answer.json()["error"]["message"]


async def test_me_is_who_is_signed_in(app: FastAPI) -> None:
    ana = {"Tenure-Actor": "person:a"}
    assert (await call(app, "/v1.0/me?$select=id", **ana)).json()["id"] == "a"
    assert (await call(app, "/V1.0/Me/manager", **ana)).json()["id"] == "boss"
    assert (await call(app, "/v1.0/me/displayName/$value", **ana)).text == "Ana"
    assert (await call(app, "/v1.0/me/nothing/at/all", **ana)).status_code == 404
    nobody = await call(app, "/v1.0/me")
    assert (nobody.status_code, nobody.json()["error"]["target"]) == (400, "me")


async def test_a_verb_that_a_path_lacks_is_told_all_that_it_has(app: FastAPI) -> None:
    for path, method, allowed in (
        ("/v1.0/users/a", "DELETE", "GET, PATCH"),
        ("/v1.0/groups/g/members/$ref", "PUT", "GET, POST"),
        ("/v1.0/groups/g/members/$count", "DELETE", "GET"),
        ("/v1.0/users/a/displayName/$value", "PUT", "GET"),
        ("/v1.0/users/nobody/getMemberGroups", "GET", "POST"),
        ("/v1.0/users", "OPTIONS", "GET"),
    ):
        refused = await call(app, path, method)
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
        assert refused.json()["error"]["code"] == "Request_BadRequest"


@pytest.mark.parametrize("path", ["/v1.0/users/a/manager", "/v1.0/groups/g", "/v1.0/users/a/manager/$ref"])
async def test_an_option_that_no_path_has_is_refused_even_where_a_route_reads_none(app: FastAPI, path: str) -> None:
    answer = await call(app, f"{path}?$fitler=x")
    assert answer.status_code == 400
    assert answer.json()["error"]["target"] == "$fitler"
    assert (await call(app, f"{path}?fitler=x")).status_code == 200, "what has no $ is the route's own"


# Relations, by the path of the object that has them

ANA, BEN, DOG = (f"{letter}0000000-0000-4000-8000-000000000000" for letter in "abd")
PETS: dict[str, dict[str, Any]] = {
    ANA: {"id": ANA, "name": "Ana", "boss": None, "pets": [{"id": DOG, "name": "Rex", "toys": None}], "size": {"cm": 1}}
}
PETS[BEN] = {"id": BEN, "name": "Ben", "boss": {**PETS[ANA], "boss": None}, "pets": [], "size": {"cm": 2}}
OWNERS = EntitySet(
    "owner",
    {"id": Field("_id", GUID), "name": Field("name")},
    selectable=frozenset({"size"}),
    expandable={"boss": lambda: OWNERS, "pets": lambda: ANIMALS},
)
ELDERS = EntitySet("owner", {}, selectable=frozenset({"id", "name"}))
ANIMALS = EntitySet("animal", {"id": Field("_id", GUID), "name": Field("name")}, expandable={"toys": lambda: ANIMALS})


@pytest.fixture
def owners() -> FastAPI:
    routes = APIRouter(prefix="/v1.0")

    def made(one: dict[str, Any], expand: tuple[Expand, ...]) -> dict[str, Any]:
        inner = {each.name: each.expand for each in expand}
        body = {k: v for k, v in one.items() if k not in {"boss", "pets"} - inner.keys()}
        return {**body, "boss": made(body["boss"], inner["boss"])} if body.get("boss") else body

    def said(one: dict[str, Any], shape: Shape) -> dict[str, Any]:
        return shape.selected(made(one, shape.expand))

    @routes.get("/owners")
    async def listed(request: Request, query: Annotated[ListQuery, Depends(list_query(OWNERS))]) -> dict[str, Any]:
        wanted = dict(query.options).get("$filter", "")
        found = [one for one in PETS.values() if one["id"] in wanted]
        return {"@odata.context": context_url(request, "owners"), "value": [said(one, query) for one in found]}

    @routes.get("/tribes/{id}/owners")
    async def of_tribe(request: Request, query: Annotated[ListQuery, Depends(list_query(OWNERS))]) -> dict[str, Any]:
        return await listed(request, query)

    @routes.get("/tribes/{id}/elders")
    async def elders(request: Request, query: Annotated[ListQuery, Depends(list_query(ELDERS))]) -> dict[str, Any]:
        page, about = slice_of(request, query, [{"id": ANA, "name": "Ana"}, {"id": BEN, "name": "Ben"}])
        return {"@odata.context": context_url(request, "owners"), **about, "value": [query.selected(it) for it in page]}

    @routes.delete("/tribes/{id}/owners/{owner}", status_code=204)
    async def expel(id: str, owner: str) -> None: ...

    @routes.post("/owners/{id}/name", status_code=204)
    async def name(id: str) -> None: ...

    @routes.get("/owners/{id}")
    async def one(request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(OWNERS))]) -> dict[str, Any]:
        if id not in PETS:
            raise NotFound(f"There is no {id}.")
        return {"@odata.context": context_url(request, "owners/$entity", shape.select), **said(PETS[id], shape)}

    @routes.get("/users/{id}")
    async def user(request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(OWNERS))]) -> dict[str, Any]:
        return await one(request, id, shape)

    @routes.get("/deaf/{id}")
    async def deaf(id: str) -> dict[str, Any]:
        return {"id": id, "size": {"cm": 3}, "name": "Deaf"}

    return make_app("Test", [routes])


META = "http://127.0.0.1:8000/v1.0/$metadata#owners"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            f"/v1.0/owners/{BEN}/boss",
            {"@odata.context": f"{META}('{BEN}')/boss/$entity", "id": ANA, "name": "Ana", "size": {"cm": 1}},
        ),
        (
            f"/v1.0/Owners('{BEN}')/Boss?$select=name",
            {"@odata.context": f"{META}('{BEN}')/boss(name)/$entity", "name": "Ana"},
        ),
        (
            f"/v1.0/owners/{BEN}/boss?$expand=pets($select=name)&$select=id",
            {"@odata.context": f"{META}('{BEN}')/boss(id)/$entity", "id": ANA, "pets": [{"name": "Rex"}]},
        ),
        (
            f"/v1.0/owners/{BEN}/boss/pets?$select=name&$count=true",
            {"@odata.context": f"{META}('{BEN}')/boss/pets(name)", "@odata.count": 1, "value": [{"name": "Rex"}]},
        ),
        (
            f"/v1.0/owners/{BEN}/boss/pets/{DOG}",
            {"@odata.context": f"{META}('{BEN}')/boss/pets/$entity", "id": DOG, "name": "Rex", "toys": None},
        ),
        (
            f"/v1.0/tribes/x/owners/{ANA}",
            {"@odata.context": f"{META}/$entity", "id": ANA, "name": "Ana", "size": {"cm": 1}},
        ),
        (f"/v1.0/tribes/x/elders/{BEN}", {"@odata.context": f"{META}/$entity", "id": BEN, "name": "Ben"}),
        (f"/v1.0/tribes/x/elders/{BEN}/name", {"@odata.context": f"{META}/name", "value": "Ben"}),
        (
            f"/v1.0/tribes/x/owners('{ANA}')/pets('{DOG}')?$select=id",
            {"@odata.context": f"{META}('{ANA}')/pets(id)/$entity", "id": DOG},
        ),
        (
            f"/v1.0/owners/{ANA}/pets/{DOG}?$select=name",
            {"@odata.context": f"{META}('{ANA}')/pets(name)/$entity", "name": "Rex"},
        ),
        (f"/v1.0/owners/{BEN}/pets", {"@odata.context": f"{META}('{BEN}')/pets", "value": []}),
        (f"/v1.0/owners/{BEN}/size", {"@odata.context": f"{META}('{BEN}')/size", "cm": 2}),
        (f"/v1.0/owners/{BEN}/size/CM", {"@odata.context": f"{META}('{BEN}')/size/cm", "value": 2}),
        (f"/v1.0/owners/{BEN}/boss/name", {"@odata.context": f"{META}('{BEN}')/boss/name", "value": "Ana"}),
        (f"/v1.0/owners/{BEN}/boss/size/cm", {"@odata.context": f"{META}('{BEN}')/boss/size/cm", "value": 1}),
        (f"/v1.0/owners/{ANA}/pets/{DOG}/name", {"@odata.context": f"{META}('{ANA}')/pets/name", "value": "Rex"}),
        (f"/v1.0/deaf/{BEN}/size", {"@odata.context": f"{META[:-6]}('{BEN}')/size", "cm": 3}),
    ],
)
async def test_a_relation_is_answered_under_its_name_as_expanding_it_shows_it(
    owners: FastAPI, path: str, said: dict[str, Any]
) -> None:
    answer = await call(owners, path)
    assert (answer.status_code, answer.json()) == (200, said)


async def test_a_value_behind_a_relation_is_read_alone(owners: FastAPI) -> None:
    for path, said in (("boss/name", "Ana"), ("boss/size/cm", "1"), ("size/cm", "2")):
        assert (await call(owners, f"/v1.0/owners/{BEN}/{path}/$value")).text == said
    for path in ("boss/size/mm", "size/cm/x", "boss/pets/name", f"boss{'/size' * 3000}"):
        assert (await call(owners, f"/v1.0/owners/{BEN}/{path}")).status_code == 404, path


async def test_a_relation_that_leads_nowhere_is_no_content(owners: FastAPI) -> None:
    for path in (f"/v1.0/owners/{ANA}/boss", f"/v1.0/owners/{ANA}/pets/{DOG}/toys"):
        nothing = await call(owners, path)
        assert (nothing.status_code, nothing.content) == (204, b"")


async def test_what_a_relation_leads_to_is_counted_and_read_in_pages(owners: FastAPI) -> None:
    assert (await call(owners, f"/v1.0/owners/{ANA}/pets/$count")).text == "1"
    assert (await call(owners, f"/v1.0/owners/{ANA}/pets?$skip=1")).json()["value"] == []
    assert "@odata.nextLink" not in (await call(owners, f"/v1.0/owners/{ANA}/pets?$top=1")).json()


async def test_of_what_a_relation_leads_to_a_part_is_asked_as_of_any_list(owners: FastAPI) -> None:
    for wanted, names in (("name eq 'REX'", ["Rex"]), ("contains(name,';)''')", [])):
        found = (await call(owners, f"/v1.0/owners/{ANA}/pets?$filter={wanted}&$orderby=name desc")).json()["value"]
        assert [one["name"] for one in found] == names
        assert (await call(owners, f"/v1.0/owners/{ANA}/pets/$count?$filter={wanted}")).text == str(len(names))


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        (f"/v1.0/owners/{DOG}/boss", 404, DOG),
        (f"/v1.0/owners/{ANA}/name", 405, "not allowed"),
        (f"/v1.0/owners/{ANA}/boss/pets", 404, "not found"),
        (f"/v1.0/owners/{ANA}/pets/{BEN}", 404, "not found"),
        (f"/v1.0/tribes/x/owners/{DOG}", 404, "not found"),
        (f"/v1.0/tribes/x/elders/{DOG}", 404, "not found"),
        (f"/v1.0/owners/{ANA}/{DOG}", 404, DOG),
        (f"/v1.0/owners/{ANA}/name/pets", 404, "pets"),
        (f"/v1.0/owners/{ANA}/boss/secret", 404, "secret"),
        (f"/v1.0/owners/{ANA}/boss/$count", 404, "$count"),
        (f"/v1.0/owners/{ANA}/pets/name", 404, "name"),
        (f"/v1.0/owners/{BEN}{'/boss' * 5}", 404, "boss"),
        (f"/v1.0/owners/{BEN}{'/boss' * 30}", 404, "boss"),
        (f"/v1.0/owners/{BEN}/boss?$select=secret", 400, "secret"),
        (f"/v1.0/owners/{BEN}/boss?$expand=secret", 400, "secret"),
        (f"/v1.0/owners/{BEN}/boss?$expand=pets(", 400, "$expand"),
        (f"/v1.0/owners/{BEN}/boss?$top=1", 400, "$top"),
        (f"/v1.0/owners/{ANA}/pets?$filter=colour eq 'red'", 400, "colour"),
        (f"/v1.0/owners/{ANA}/pets?$filter=name eq 1", 400, "'name'"),
        (f"/v1.0/owners/{ANA}/pets?$orderby=colour", 400, "colour"),
        (f"/v1.0/owners/{ANA}/pets?$search=rex", 400, "$search"),
        (f"/v1.0/owners/{ANA}/pets/{DOG}?$filter=name eq 'Rex'", 400, "$filter"),
        (f"/v1.0/owners/{BEN}/boss?$filter=name eq 'Ana'", 400, "one object"),
        (f"/v1.0/users/{BEN}/boss", 404, "boss"),
        (f"/v1.0/owners/{ANA}/pets?$select=id&$select=name", 400, "$select"),
    ],
)
async def test_what_no_relation_shows_is_refused(owners: FastAPI, path: str, status: int, named: str) -> None:
    answer = await call(owners, path)
    assert answer.status_code == status, answer.text
    assert named in answer.json()["error"]["message"]


# What has a path of its own is asked there for what expanding does not show

EM = "/v1.0/identityGovernance/entitlementManagement"
CATALOG, PACKAGE, PART = (f"{letter}0000000-0000-4000-8000-000000000000" for letter in "cef")
CATALOGS: EntitySet = EntitySet(
    "catalog", {"id": Field("_id", GUID), "name": Field("name")}, expandable={"accessPackages": lambda: PACKAGES}
)
PACKAGES: EntitySet = EntitySet(
    "package", {"id": Field("_id", GUID), "name": Field("name")}, expandable={"catalog": lambda: CATALOGS}
)


@pytest.fixture
def packages() -> FastAPI:
    routes = APIRouter(prefix=EM)
    catalog = {"id": CATALOG, "name": "Company"}

    @routes.get("/accessPackages/{id}")
    async def one(request: Request, id: str, shape: Annotated[Shape, Depends(shape_query(PACKAGES))]) -> dict[str, Any]:
        if id != PACKAGE:
            raise NotFound(f"There is no {id}.")
        body = {"id": id, "name": "Sales", "catalog": catalog}
        context = context_url(request, "accessPackages/$entity", shape.select)
        return {"@odata.context": context, **shape.selected(body)}

    @routes.get("/catalogs/{id}")
    async def home(id: str) -> dict[str, Any]:
        return {"@odata.context": f"{META[:-6]}catalogs/$entity", **catalog, "asked": id}

    @routes.get("/catalogs/{id}/resources")
    async def resources(
        request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(USERS))]
    ) -> dict[str, Any]:
        said = dict(query.options)
        return {"@odata.context": context_url(request, "resources"), "@odata.count": 7, "value": [{"in": id, **said}]}

    return make_app("Test", [routes])


async def test_a_part_of_what_a_relation_leads_to_is_asked_where_that_has_a_path_of_its_own(packages: FastAPI) -> None:
    behind = f"{EM}/accessPackages/{PACKAGE}/catalog/resources"
    some = await call(packages, f"{behind}?$filter=displayName eq 'Ana'&$top=3")
    assert some.json()["value"] == [{"in": CATALOG, "$filter": "displayName eq 'Ana'", "$top": "3"}]
    refused = await call(packages, f"{behind}?$filter=secret eq 'Ana'")
    assert (refused.status_code, "secret" in refused.text) == (400, True)
    assert (await call(packages, behind)).json()["value"] == [{"in": CATALOG}], "nor was it expanded"
    assert (await call(packages, f"{behind}/$count?$filter=id eq '{PART}'")).text == "7"


@pytest.mark.parametrize(
    "path",
    [
        f"accessPackages/{PART}/catalog/resources?$filter=id eq '{PART}'",
        f"accessPackages/{PACKAGE}/catalog/nothing?$filter=id eq '{PART}'",
        f"accessPackages/{PACKAGE}/catalog/accessPackages/{PART}/catalog/resources",
    ],
)
async def test_no_way_leads_past_what_is_not_there(packages: FastAPI, path: str) -> None:
    assert (await call(packages, f"{EM}/{path}")).status_code == 404
