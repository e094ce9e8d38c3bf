"""Replay examples, one after another, and say which pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.conformance.examples import Example
from tests.conformance.ground import Client
from tests.conformance.making import Asks, Makes, NotMade, error_of
from tests.conformance.scene import Scene
from tests.conformance.shape import differences, echoed

_RENAMED = {
    "reviewHistoryPeriodStartDate": "reviewHistoryPeriodStartDateTime",
    "reviewHistoryPeriodEndDate": "reviewHistoryPeriodEndDateTime",
    "expiration": "expirationDateTime",
}
"""Names that an example of review histories writes otherwise than the schema, which the SDKs read."""


def _as_the_schema_has_it(documented: Any, of_type: str) -> Any:
    """Without the slips of pages: names, and an entity of a review that is wrapped as if it were a list."""
    if of_type == "accessReviewInstance" and isinstance(documented, dict) and isinstance(documented.get("value"), dict):
        return documented["value"]
    if of_type.startswith("accessReviewHistory"):
        if isinstance(documented, dict):
            return {_RENAMED.get(k, k): _as_the_schema_has_it(v, of_type) for k, v in documented.items()}
        if isinstance(documented, list):
            return [_as_the_schema_has_it(one, of_type) for one in documented]
    return documented


@dataclass(frozen=True)
class Outcome:
    """What came of one example."""

    example: Example
    operation: str
    why: str | None = None
    """Why it does not pass; None if it does."""
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.why is None


async def replay(
    client: Client, examples: Iterable[Example], done: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """All of them; `done` hears of each."""
    asks = Asks(client)
    asks.admin = await Makes(asks).user({"displayName": "Who replays"})
    outcomes = []
    for example in examples:
        outcomes.append(await _replayed(asks, example))
        done(outcomes[-1])
    return outcomes


async def _replayed(asks: Asks, example: Example) -> Outcome:
    scene = Scene(asks, example)
    operation = f"{example.method} {scene.address.operation}"
    try:
        request = await scene.prepare()
    except NotMade as problem:
        return Outcome(example, operation, f"what it presumes could not be made: {problem}")

    async def judged() -> str | None:
        answer = await asks.send(request.method, request.path, request.body, by=request.by, headers=request.headers)
        why = _judged(example, request.body, answer, scene)
        # What a list has to show may lie on a later page, for others have made people and groups before.
        for _ in range(MOST_PAGES):
            if why is None or request.method != "GET" or (further := _next_page(answer)) is None:
                break
            page = await asks.send("GET", further, by=request.by, headers=request.headers)
            answer = httpx.Response(answer.status_code, json=_longer(answer.json(), page.json()))
            why = _judged(example, request.body, answer, scene)
        return why

    why = await judged()
    if why is not None and request.method == "GET":  # what was made may be on its way through the services
        try:
            await asks.until("the answer is as documented", lambda: _none(judged), patience_s=2.0)
            why = None
        except NotMade:
            pass
    return Outcome(example, operation, why, request.notes)


MOST_PAGES = 20


def _next_page(answer: httpx.Response) -> str | None:
    """Its path, if there is one."""
    try:
        said = answer.json()
    except ValueError:
        return None
    link = said.get("@odata.nextLink") if isinstance(said, dict) else None
    return httpx.URL(link).raw_path.decode() if link else None


def _longer(list_: dict[str, Any], page: dict[str, Any]) -> dict[str, Any]:
    """With what the next page has."""
    rest = {name: value for name, value in list_.items() if name != "@odata.nextLink"}
    return {**rest, **page, "value": [*list_["value"], *page.get("value", ())]}


async def _none(judged: Any) -> bool:
    return await judged() is None


def _judged(example: Example, body: Any, answer: httpx.Response, scene: Scene) -> str | None:
    if answer.status_code != example.status:
        said = f": {error_of(answer)}" if answer.is_error else ""
        return f"answered {answer.status_code} instead of {example.status}{said}"
    if example.answer is None:
        return None
    try:
        answered = answer.json()
    except ValueError:
        return "the answer has no JSON body"
    type = scene.address.declared_type
    documented = _as_the_schema_has_it(example.answer, type)
    wrong = differences(documented, answered, written=scene.makes.written, of_type=type)
    return "; ".join(wrong + echoed(body, documented, answered)) or None


def write_json(outcomes: list[Outcome], path: Path) -> None:
    """`{"passed", "of", "failed": [{"id", "operation", "why"}]}`."""
    failed = [{"id": o.example.id, "operation": o.operation, "why": o.why} for o in outcomes if not o.passed]
    summary = {"passed": len(outcomes) - len(failed), "of": len(outcomes), "failed": failed}
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
