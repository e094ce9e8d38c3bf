"""A list that is there as a whole is paged like every other."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request

from shared.web.app import make_app
from shared.web.odata import EntitySet, ListQuery
from shared.web.paging import list_query, slice_of

NUMBERS = EntitySet("number", {}, selectable=frozenset({"id"}))
WHOLE = [{"id": str(n)} for n in range(7)]


@pytest.fixture
def app() -> FastAPI:
    routes = APIRouter(prefix="/v1.0")

    @routes.get("/numbers")
    async def numbers(request: Request, query: Annotated[ListQuery, Depends(list_query(NUMBERS))]) -> dict[str, Any]:
        page, about = slice_of(request, query, WHOLE)
        return {**about, "value": list(page)}

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
