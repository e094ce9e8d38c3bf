"""A relation inside an object's body, read from the route that lists it."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Request

from shared.web.app import make_app
from shared.web.errors import Forbidden
from shared.web.odata import GUID, EntitySet, Field, ListQuery, Shape
from shared.web.paging import answer_list, list_query, shape_query
from shared.web.relations import MOST, with_relations

PARTS = EntitySet("part", {"id": Field("_id", GUID)}, selectable=frozenset({"size"}), order="id")
WHOLES = EntitySet("whole", {"id": Field("_id", GUID)}, expandable={"parts": lambda: PARTS})
ASKED = shape_query(WHOLES, also=frozenset({"linked"}))


@pytest.fixture
def client() -> httpx.AsyncClient:
    routes = APIRouter(prefix="/v1.0")
    there = {"few": 2, "many": MOST + 5}

    @routes.get("/wholes/{id}/parts")
    async def parts(request: Request, id: str, query: Annotated[ListQuery, Depends(list_query(PARTS))]) -> Any:
        if id not in there:
            raise Forbidden("Not for you.")
        every = [{"_id": f"{n:02}", "id": f"{n:02}", "size": n} for n in range(there[id])]

        async def find(asked: ListQuery) -> list[dict[str, Any]]:
            return every[asked.skip : asked.skip + asked.limit]

        async def total(asked: ListQuery) -> int:
            return len(every)

        return await answer_list(request, query, find=find, render=lambda one: one, context="parts", total=total)

    @routes.get("/wholes/{id}")
    async def whole(request: Request, id: str, shape: Annotated[Shape, Depends(ASKED)], linked: bool = False) -> Any:
        body = {"id": id}
        await with_relations(request, "/v1.0/wholes", [body], shape.expand, WHOLES.expandable, linked=linked)
        return body

    transport = httpx.ASGITransport(make_app("Test", [routes]), client=("127.0.0.1", 5))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")


async def test_a_longer_list_is_linked_where_it_is_documented_to_be(client: httpx.AsyncClient) -> None:
    plain = (await client.get("/v1.0/wholes/many?$expand=parts")).json()
    assert (len(plain["parts"]), plain.keys()) == (MOST, {"id", "parts"})
    linked = (await client.get("/v1.0/wholes/many?$expand=parts($select=size)&linked=true")).json()
    assert linked["parts"][0].keys() == {"size"}
    assert linked["parts@odata.nextLink"].startswith("http://127.0.0.1:8000/v1.0/wholes/many/parts?")
    assert "$skiptoken=" in linked["parts@odata.nextLink"]
    whole = (await client.get("/v1.0/wholes/few?$expand=parts&linked=true")).json()
    assert ([one["id"] for one in whole["parts"]], whole.keys()) == (["00", "01"], {"id", "parts"})


async def test_options_of_lists_inside_the_expansion_are_those_that_the_route_is_asked_with(
    client: httpx.AsyncClient,
) -> None:
    said = (await client.get("/v1.0/wholes/many?$expand=parts($skip=1;$top=2;$count=true;$select=size)")).json()
    assert (said["parts"], said["parts@odata.count"]) == ([{"size": 1}, {"size": 2}], MOST + 5)
    most = (await client.get("/v1.0/wholes/many?$expand=parts($top=500)")).json()
    assert len(most["parts"]) == MOST
    # What its list cannot be asked, it says.
    for wrong in ("$filter=size eq 1", "$orderby=size", "$filter=colour eq 'red'"):
        assert (await client.get(f"/v1.0/wholes/many?$expand=parts({wrong})")).status_code == 400


async def test_who_may_not_read_the_relation_may_not_expand_it(client: httpx.AsyncClient) -> None:
    refused = await client.get("/v1.0/wholes/secret?$expand=parts")
    assert (refused.status_code, refused.json()["error"]["message"]) == (403, "Not for you.")
    assert (await client.get("/v1.0/wholes/secret")).status_code == 200
