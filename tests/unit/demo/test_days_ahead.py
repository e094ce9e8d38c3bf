"""A history that goes on beyond today is played on a clock that has got there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from deploy.cli.endpoints import CannotStart
from deploy.demo.run import _reach

Write = Callable[..., Path]
NOW = "2026-03-01T09:00:00Z"


async def turned(folder: Path, until: date, refusal: str | None = None) -> list[Any]:
    """What the run was asked to put its clock to."""
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"now": NOW})
        asked.append(orjson.loads(request.content))
        if refusal:
            return httpx.Response(400, json={"error": {"code": "x", "message": refusal}})
        return httpx.Response(200, json={})

    async with httpx.AsyncClient(base_url="http://run.test", transport=httpx.MockTransport(answer)) as client:
        await _reach(client, folder, until)
    return asked


@pytest.fixture
def ending(write: Write) -> Callable[[str], Path]:
    """A history in which somebody leaves that day."""
    return lambda day: write([f"1,d1,2020-01-01,{day}"])


@pytest.mark.parametrize("until", [date(1985, 1, 1), date(2026, 3, 1), date(2090, 1, 1)])
async def test_of_days_that_have_come_nothing_has_to_be_reached(ending: Any, until: date) -> None:
    assert await turned(ending("2026-03-01"), until) == []


@pytest.mark.parametrize(("until", "day"), [(date(2026, 3, 2), "2026-03-02"), (date(2090, 1, 1), "2027-01-01")])
async def test_the_clock_is_put_to_the_last_day_that_lies_ahead(ending: Any, until: date, day: str) -> None:
    assert await turned(ending("2027-01-01"), until) == [{"to": f"{day}T00:00:00+00:00"}]


async def test_a_day_that_the_clock_is_not_put_to_is_refused_in_the_runs_own_words(ending: Any) -> None:
    with pytest.raises(CannotStart, match=r"^2099-01-01 lies ahead\. Too far\. Choose an earlier --until"):
        await turned(ending("2099-01-01"), date(2099, 1, 1), "Too far.")
