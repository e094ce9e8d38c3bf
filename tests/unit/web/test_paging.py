"""A list that is there as a whole is paged like every other."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Request

from shared.web.app import make_app
from shared.web.odata import EntitySet, ListQuery
from shared.web.paging import list_query, only_its_options, slice_of

NUMBERS = EntitySet("number", {}, selectable=frozenset({"id"}))
WHOLE = [{"id": str(n)} for n in range(7)]


@pytest.fixture
def app() -> FastAPI:
    routes = APIRouter(prefix="/v1.0")

    @routes.get("/numbers")
    async def numbers(request: Request, query: Annotated[ListQuery, Depends(list_query(NUMBERS))]) -> dict[str, Any]:
        page, about = slice_of(request, query, WHOLE)
        return {**about, "value": list(page)}

    @routes.get("/few", dependencies=[Depends(only_its_options)])
    async def few(
        kind: str | None = None, top: Annotated[int, Query(alias="$top", ge=1, le=999)] = 100
    ) -> dict[str, Any]:
        return {"value": WHOLE[:top]}

    return make_app("numbers", [routes])


@pytest.mark.parametrize("top", [1, 3, 7, 8])
async def test_following_the_links_sees_each_once(app: FastAPI, top: int) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        url: str | None = f"/v1.0/numbers?$top={top}&$count=true"
        seen: list[dict[str, str]] = []
        while url:
            body = (await client.get(url)).json()
            assert body["@odata.count"] == len(WHOLE)
            assert len(body["value"]) == min(top, len(WHOLE) - len(seen))
            seen += body["value"]
            url = body.get("@odata.nextLink")
    assert seen == WHOLE


async def test_a_list_with_few_options_refuses_the_others_instead_of_showing_more_than_was_asked_for(
    app: FastAPI,
) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        assert len((await client.get("/v1.0/few?kind=prime&$top=2&ConsistencyLevel=eventual")).json()["value"]) == 2
        for option in ("$filter=id eq '1'", "filter=id eq '1'", "$select=id", "kinds=prime"):
            answer = await client.get(f"/v1.0/few?{option}")
            name = option.partition("=")[0]
            assert (answer.status_code, answer.json()["error"]["message"]) == (
                400, f"The query option '{name}' is not supported here: there are $top, kind."
            ), option  # fmt: skip
