"""What is asked of the trail while records are on their way to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from services.audit.answers import Answers
from services.audit.model import Names, Span
from shared.clock import SystemClock
from shared.hearing import Hearing
from tests.unit.audit.said import ANA, SALES, SALES_POLICY, START


class Nothing:
    """Whatever is asked for, there is none."""

    def __getattr__(self, name: str) -> Any:
        async def found(*_: Any, **__: Any) -> list[Any]:
            return []

        return found


class Arriving(Nothing):
    """Spans of which the trail knows after some looks."""

    def __init__(self, after: int) -> None:
        self.after = after

    async def of_packages(self, **_: Any) -> list[Span]:
        self.after -= 1
        return [Span(ANA, START, None, START, None, package=SALES, policy=SALES_POLICY)] if self.after < 0 else []


class People(Nothing):
    async def people_called(self, name: str) -> list[dict[str, Any]]:
        return [{"_id": ANA, "name": "Ana"}]

    async def packages_called(self, name: str) -> list[dict[str, Any]]:
        return [{"_id": SALES, "name": "Sales"}]

    async def names(self, **_: Any) -> Names:
        return Names()

    async def package_docs(self, ids: list[str]) -> dict[str, Any]:
        return {}


def answers(spans: Arriving, within_s: float) -> Answers:
    around: Any = SimpleNamespace(
        trail=Nothing(), checkpoints=Nothing(), spans=spans, directory=People(), sealer=Nothing(), clock=SystemClock(),
        turn=Nothing().turn, hearing=Hearing(within_s),
    )  # fmt: skip
    return Answers(**vars(around))


async def test_never_is_said_only_once_the_trail_had_the_time_to_hear() -> None:
    spans = Arriving(after=3)
    said = await answers(spans, 5.0).explain("Ana", "Sales")
    assert (said["answer"], said["summary"]) == ("has", 'Ana has "Sales" since 2026-03-01T09:00:00Z.')
    assert (await answers(Arriving(after=10**6), 0.05).explain("Ana", "Sales"))["answer"] == "never"
